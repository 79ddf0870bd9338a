// The question that the page asks the gateway, and the lines that ask the same.

import { Problem } from "./api.js";
import { curlLine, detectQuery } from "./curl.js";
import { chosen } from "./detectors.js";
import { byId, megabytes } from "./dom.js";
import { ask } from "./session.js";

const NOTHING_PICKED = "Pick at least one detector.";
const NUMBERS = /\[\n[\s\d.,eE+-]*\]/g; // no string in JSON has a line break

/** How many bytes this gateway takes; it cuts off who sends more, before it can say so. */
export const LIMIT = Number(document.querySelector("meta[name=visiongate-max-upload-bytes]").content);

/** The present question, as a query string; frames of the camera are never kept. */
export function question({ frames = false } = {}) {
  const options = chosen();
  return detectQuery({ ...options, keep: options.keep && !frames });
}

/** Send one picture; return the report and the milliseconds. Raises Problem. */
export async function detect(file, name, query, signal) {
  if (chosen().detectors.length === 0) throw new Problem(NOTHING_PICKED);
  if (file.size > LIMIT) {
    throw new Problem(
      `${name} has ${megabytes(file.size)}; this gateway takes pictures of up to ${megabytes(LIMIT)}.`,
      { code: "picture_too_large" },
    );
  }
  const body = new FormData();
  body.append("file", file, name);
  const { answer, took } = await ask("POST", `detect?${query}`, { body, signal });
  return { report: answer, took };
}

/** Show the curl line of a question, and the answer to it; `report` null while there is none. */
export function showCode(name, query, report) {
  const none = chosen().detectors.length === 0;
  byId("curl").textContent = none ? NOTHING_PICKED : curlLine(name, query);
  byId("json").textContent = report ? JSON.stringify(report, null, 2).replace(NUMBERS, inOneLine) : "";
}

const inOneLine = (numbers) => numbers.replace(/\s+/g, " ").replace("[ ", "[").replace(" ]", "]");
