// What was found, as a table; what the detectors said beside it; and the milliseconds.

import { colourOf } from "./colours.js";
import { byId, element, milliseconds, percent } from "./dom.js";
import { isWhole, spoken } from "./overlay.js";

/** Show a report's detections and warnings; `report` null clears all. */
export function showResults(report) {
  const found = report?.detections ?? [];
  byId("rows").replaceChildren(...found.map((one, index) => row(one, index, report.image)));
  byId("table").hidden = found.length === 0;
  byId("nothing").hidden = found.length > 0;
  byId("nothing").textContent = report
    ? "Nothing was found. A lower confidence or another detector may find something."
    : "Nothing yet: give it a picture.";
  byId("results-title").textContent = found.length ? `Found: ${found.length}` : "Found";
  const words = report ? [...failures(report), ...report.warnings, ...kept(report)] : [];
  byId("warnings").replaceChildren(...words.map((text) => element("li", {}, text)));
  byId("warnings").hidden = words.length === 0;
}

/** Show how long it took: each detector by itself, and the whole way there and back. */
export function showTimes(report, took, rate = null) {
  const entries = (report?.detectors ?? [])
    .filter(({ failure }) => failure === null)
    .map(({ name, milliseconds: spent }) => [name, milliseconds(spent)]);
  if (took !== null) entries.push(["round trip", milliseconds(took)]);
  if (rate !== null) entries.push(["answers a second", rate.toFixed(1)]);
  if (report) {
    const { width, height, format, frames } = report.image;
    const first = frames > 1 ? `, first of ${frames}` : "";
    entries.push(["picture", `${width} × ${height} ${format}${first}`]);
  }
  byId("times").replaceChildren(
    ...entries.map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value)),
    ),
  );
}

/** One sentence for the status line. */
export function summary(report, took) {
  const counts = new Map();
  for (const { label } of report.detections) counts.set(label, (counts.get(label) ?? 0) + 1);
  const parts = [...counts].slice(0, 5).map(([label, count]) => `${count} × ${label}`);
  const words = parts.length ? `Found ${parts.join(", ")}` : "Nothing was found";
  return `${words}, in ${milliseconds(took)}.`;
}

function corners(box) {
  const [x1, y1, x2, y2] = box.map((side) => Math.round(side));
  return element("span", {}, element("span", {}, `${x1} ${y1}`), " ", element("span", {}, `${x2} ${y2}`));
}

function row(found, index, image) {
  const name = element("button", {
    type: "button",
    className: "number",
    tabIndex: -1,
    "aria-label": spoken(found, index),
  }, String(index + 1));
  const said = Object.entries(found.attributes).map(([by, { label, confidence }]) =>
    element("span", { className: "attribute" }, `${by}: ${label} ${percent(confidence)}`),
  );
  const what = element("td", {},
    element("span", { className: `swatch ${colourOf(found.label)}`, "aria-hidden": "true" }),
    element("strong", {}, found.label), " ",
    element("small", {}, found.detector), ...said,
  );
  const bar = element("meter", { min: 0, max: 1, value: found.confidence, "aria-hidden": "true" });
  return element("tr", { "data-index": index },
    element("th", { scope: "row" }, name),
    what,
    element("td", { className: "confidence" }, percent(found.confidence), bar),
    element("td", { className: "where" }, isWhole(found, image)
      ? "whole picture"
      : corners(found.box)),
  );
}

function failures({ detectors }) {
  return detectors
    .filter(({ failure }) => failure !== null)
    .map(({ name, failure }) => `${name} gave no answer: ${failure.detail} (${failure.code})`);
}

function kept({ retained }) {
  if (!retained) return [];
  const until = retained.expires ? ` until ${new Date(retained.expires).toLocaleDateString()}` : "";
  return [`The gateway keeps this picture${until}, as ${retained.id}.`];
}
