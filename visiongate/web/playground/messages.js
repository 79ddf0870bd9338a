// What the page says: how it stands, and what went wrong.

import { byId } from "./dom.js";

/** Say how it stands; screen readers read it aloud. */
export function say(text) {
  byId("status").textContent = text;
}

/** Show what went wrong, with its code, until something else is done. */
export function showProblem({ message, code = "" }) {
  byId("problem-text").textContent = message;
  byId("problem-code").textContent = code;
  byId("problem").hidden = false;
}

export function hideProblem() {
  byId("problem").hidden = true;
}

byId("problem-close").addEventListener("click", () => {
  hideProblem();
  byId("main").focus();
});
