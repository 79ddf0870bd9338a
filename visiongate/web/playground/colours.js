// One colour a label, the same for as long as the page is open.

const COLOURS = 10; // stage.css has as many: c0 to c9
const known = new Map();

/** The class that colours whatever carries this label. */
export function colourOf(label) {
  if (!known.has(label)) known.set(label, `c${known.size % COLOURS}`);
  return known.get(label);
}
