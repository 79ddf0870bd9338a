// Which detectors there are for this user, which are picked, and from which confidence on.

import { byId, element } from "./dom.js";
import { ask } from "./session.js";

const picked = new Map(); // by name, what the user has chosen; kept while states change
let whenChanged = () => {};

/** Have `callback()` called when the user picks otherwise. */
export function onChange(callback) {
  whenChanged = callback;
  const own = byId("own");
  const slider = byId("confidence");
  own.addEventListener("change", () => {
    sayConfidence();
    callback();
  });
  slider.addEventListener("input", () => {
    own.checked = false;
    sayConfidence();
  });
  slider.addEventListener("change", callback);
  byId("keep").addEventListener("change", callback);
  sayConfidence();
}

/** Forget the last user's choice. */
export function forgetDetectors() {
  picked.clear();
  byId("detectors").replaceChildren();
}

/** Ask the gateway for its detectors and show them. */
export async function loadDetectors() {
  const { answer } = await ask("GET", "detectors");
  for (const { name, task, sensitive, state, allowed } of answer.detectors) {
    const usable = allowed && ["ready", "registered"].includes(state);
    if (!picked.has(name)) picked.set(name, usable && !sensitive && task === "detection");
  }
  const open = new Set([...document.querySelectorAll(".detector details[open]")].map(
    (details) => details.dataset.name,
  ));
  const focused = document.activeElement?.id;
  byId("detectors").replaceChildren(...answer.detectors.map((one) => item(one, open.has(one.name))));
  if (focused) byId(focused)?.focus();
}

/** What the user asks for: names, the least confidence (null: each detector's own), keep or not. */
export function chosen() {
  const boxes = [...byId("detectors").querySelectorAll("input:checked")];
  return {
    detectors: boxes.map(({ value }) => value),
    minConfidence: byId("own").checked ? null : byId("confidence").valueAsNumber / 100,
    keep: byId("keep").checked,
  };
}

function sayConfidence() {
  const own = byId("own").checked;
  const slider = byId("confidence");
  const words = `${slider.value} %`;
  byId("confidence-value").textContent = own ? "own" : words;
  slider.setAttribute("aria-valuetext", own ? "each detector’s own" : words);
  slider.classList.toggle("unused", own);
}

function item(one, open) {
  const { name, state, reason, allowed, sensitive, description } = one;
  const barred = !allowed || state === "disabled";
  const why = obstacle(one);
  const id = `detector-${name}`;
  const box = element("input", {
    type: "checkbox",
    id,
    value: name,
    checked: picked.get(name) && !barred,
    disabled: barred,
    "aria-describedby": `${id}-words`,
  });
  const limits = card(one, open);
  box.addEventListener("change", () => {
    picked.set(name, box.checked);
    if (sensitive && box.checked) limits.open = true;
    whenChanged();
  });
  const label = element("label", { className: "check", htmlFor: id }, box, element("span", {}, name));
  const words = element("div", { id: `${id}-words`, className: "words" });
  if (description) words.append(element("p", {}, description));
  if (sensitive) words.append(element("p", { className: "sensitive" },
    "Judges how people look, and errs. Not for any decision about a person."));
  if (why) words.append(element("p", { className: "reason" }, why));
  const made = element("div", { className: "detector" }, label, words);
  made.classList.toggle("barred", barred || Boolean(reason));
  if (!barred) made.append(limits);
  return made;
}

function obstacle({ state, reason, allowed }) {
  if (!allowed) return "Your account may not use it; an admin can change that.";
  if (state === "disabled") return "The operator has switched it off.";
  if (state === "unavailable") return `Not available: ${reason}`;
  return "";
}

/** The detector's model card, fetched when it is first opened. */
function card({ name, sensitive }, open) {
  const body = element("div", { className: "card-text", "aria-live": "polite" });
  const details = element("details", { "data-name": name },
    element("summary", {}, sensitive ? "Limits: read before use" : "Limits"), body);
  details.addEventListener("toggle", async () => {
    if (!details.open || body.hasChildNodes()) return;
    body.append(element("p", {}, "…"));
    try {
      const { answer } = await ask("GET", `detectors/${encodeURIComponent(name)}/card`);
      body.replaceChildren(
        element("p", {}, answer.intended_use),
        element("ul", {}, ...answer.limits.map((text) => element("li", {}, text))),
      );
    } catch (problem) {
      body.replaceChildren(element("p", { className: "reason" }, problem.message));
    }
  });
  details.open = open || (sensitive && Boolean(picked.get(name)));
  return details;
}
