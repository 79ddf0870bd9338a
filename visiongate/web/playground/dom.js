// Making and finding elements. Text goes in as text, never as HTML: the page's policy forbids it.

export const byId = (id) => document.getElementById(id);

/** Make an element; what is no property of it becomes an attribute. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key in made) made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

export const percent = (share) => `${(100 * share).toFixed(1)} %`;

export const milliseconds = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

export const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
