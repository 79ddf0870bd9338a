// Ties boxes to rows: where the pointer or the focus is on one, both light up. In each of the
// two, one element is on the keyboard's way, and arrow keys go on from there.

const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
const AT_ENDS = { Home: 0, End: -1 };

/** Tie containers whose parts carry `data-index`; call what is returned after each redrawing. */
export function tie(...containers) {
  let pointed = null;
  let focused = null;

  const light = () => {
    const index = pointed ?? focused;
    for (const container of containers) {
      for (const node of container.querySelectorAll("[data-index]")) {
        node.classList.toggle("active", node.dataset.index === index);
      }
      container.classList.toggle("dimmed", index !== null);
    }
  };

  for (const container of containers) {
    container.addEventListener("pointerover", (event) => {
      pointed = indexOf(event.target);
      light();
    });
    container.addEventListener("pointerleave", () => {
      pointed = null;
      light();
    });
    container.addEventListener("focusin", (event) => {
      focused = indexOf(event.target);
      stops(container, event.target);
      light();
    });
    container.addEventListener("focusout", () => {
      focused = null;
      light();
    });
    container.addEventListener("keydown", (event) => move(container, event));
    container.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-index]");
      row?.querySelector("button").focus();
    });
  }

  return () => {
    pointed = focused = null;
    for (const container of containers) {
      stops(container, container.querySelector("button"));
      if (container.contains(document.activeElement)) focused = indexOf(document.activeElement);
    }
    light();
  };
}

const indexOf = (node) => node.closest("[data-index]")?.dataset.index ?? null;

function stops(container, chosen) {
  for (const button of container.querySelectorAll("button")) {
    button.tabIndex = button === chosen ? 0 : -1;
  }
}

function move(container, event) {
  const buttons = [...container.querySelectorAll("button")];
  // In the order of the table, whatever lies above what in the picture.
  buttons.sort((a, b) => indexOf(a) - indexOf(b));
  const at = buttons.indexOf(event.target);
  if (at < 0) return;
  let next = null;
  if (event.key in STEPS) next = buttons[(at + STEPS[event.key] + buttons.length) % buttons.length];
  else if (event.key in AT_ENDS) next = buttons.at(AT_ENDS[event.key]);
  if (!next) return;
  event.preventDefault();
  next.focus();
}
