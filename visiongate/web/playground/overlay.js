// The boxes over the picture.

import { colourOf } from "./colours.js";
import { element, percent } from "./dom.js";

// With more boxes than these, names are shown only where somebody looks.
const SEVERAL = 4; // in a small picture
const MANY = 12;

/** Whether this detection speaks of the picture as a whole, so that a box would say nothing. */
export function isWhole({ box: [x1, y1, x2, y2] }, { width, height }) {
  return x1 <= 0 && y1 <= 0 && x2 >= width && y2 >= height;
}

/** Draw the report's boxes into `layer`, which covers the upright picture exactly. */
export function draw(layer, { image, detections }) {
  const area = ({ box: [x1, y1, x2, y2] }) => (x2 - x1) * (y2 - y1);
  const order = detections.map((found, index) => ({ found, index }));
  order.sort((a, b) => area(b.found) - area(a.found)); // small ones lie above, to be pointed at
  layer.replaceChildren(...order.flatMap(({ found, index }) => drawn(found, index, image)));
  layer.classList.toggle("several", detections.length > SEVERAL);
  layer.classList.toggle("many", detections.length > MANY);
}

function drawn(found, index, image) {
  const [x1, y1, x2, y2] = found.box;
  const box = element("button", {
    type: "button",
    className: `box ${colourOf(found.label)}`,
    tabIndex: -1,
    "aria-label": spoken(found, index),
    "data-index": index,
  });
  box.classList.toggle("whole", isWhole(found, image));
  box.classList.toggle("low", y1 < 0.09 * image.height);
  box.classList.toggle("right", x1 > 0.6 * image.width);
  place(box, image, { left: x1, top: y1, width: x2 - x1, height: y2 - y1 });
  box.append(tag(found));
  return [box, ...found.landmarks.map(([x, y]) => dot(found, index, image, x, y))];
}

function tag(found) {
  const said = Object.values(found.attributes).map(
    ({ label, confidence }) => element("small", {}, `${label} ${percent(confidence)}`),
  );
  return element("span", { className: "tag" }, `${found.label} ${percent(found.confidence)}`, ...said);
}

function dot(found, index, image, x, y) {
  const mark = element("span", { className: `dot ${colourOf(found.label)}`, "data-index": index });
  place(mark, image, { left: x, top: y });
  return mark;
}

function place(node, image, sides) {
  for (const [side, value] of Object.entries(sides)) {
    const whole = side === "left" || side === "width" ? image.width : image.height;
    node.style[side] = `${(100 * value) / whole}%`;
  }
}

/** What a screen reader says of a detection. */
export function spoken(found, index) {
  const attributes = Object.entries(found.attributes).map(
    ([name, { label, confidence }]) => `, ${name} ${label}, ${percent(confidence)}`,
  );
  return `${index + 1}: ${found.label}, ${percent(found.confidence)}${attributes.join("")}`;
}
