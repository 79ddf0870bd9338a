// Pictures that the user gave: chosen, dropped or pasted; one of them is shown.

import { byId, element, megabytes } from "./dom.js";
import { say } from "./messages.js";

const MOST = 50; // thumbnails, so that a dropped folder of thousands does not fill the memory
let pictures = [];
let whenGiven = () => {};
let whenChosen = () => {};

/** Have `given(pictures)` called with new ones, `chosen(picture)` when one is to be shown. */
export function onPictures({ given, chosen }) {
  whenGiven = given;
  whenChosen = chosen;
  const input = byId("files");
  byId("choose").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", ({ clipboardData }) => add([...(clipboardData?.files ?? [])]));
  acceptDrops();
}

/** All pictures, in the order in which they came. */
export const allPictures = () => pictures;

/** Forget all pictures. */
export function clearPictures() {
  for (const { url } of pictures) URL.revokeObjectURL(url);
  pictures = [];
  byId("strip").replaceChildren();
  byId("strip").hidden = true;
}

/** Mark one thumbnail as the one that is shown; null marks none. */
export function markShown(picture) {
  for (const one of pictures) {
    one.thumbnail.setAttribute("aria-current", one === picture ? "true" : "false");
  }
}

/** Say on its thumbnail how a picture fared. */
export function markState({ thumbnail, name, report, problem }) {
  const count = report?.detections.length;
  const words = problem ? "failed" : report ? `${count} found` : "waiting";
  thumbnail.classList.toggle("failed", Boolean(problem));
  thumbnail.querySelector("small").textContent = problem ? "!" : (count ?? "…");
  thumbnail.setAttribute("aria-label", `${name}, ${words}`);
}

function add(files) {
  if (byId("bench").hidden || files.length === 0) return;
  const room = MOST - pictures.length;
  const added = files.slice(0, room).map(made);
  pictures.push(...added);
  byId("strip").append(...added.map(({ thumbnail }) => element("li", {}, thumbnail)));
  byId("strip").hidden = pictures.length < 2;
  whenGiven(added);
  const left = files.length - added.length;
  if (left) say(`The page holds ${MOST} pictures; ${left} were left out. Reload it to begin anew.`);
}

function made(file) {
  const url = URL.createObjectURL(file);
  const name = file.name || "picture";
  const image = element("img", { src: url, alt: "", loading: "lazy" });
  image.addEventListener("error", () => image.replaceWith(element("span", {}, name)));
  const thumbnail = element("button", { type: "button", className: "thumbnail" },
    image, element("small"));
  thumbnail.title = `${name}, ${megabytes(file.size)}`;
  const picture = {
    file, url, thumbnail, name, report: null, problem: null, took: null, asked: null,
  };
  thumbnail.addEventListener("click", () => whenChosen(picture));
  markState(picture);
  return picture;
}

function acceptDrops() {
  const stage = byId("stage");
  const carriesFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files");
  // Beside the stage too: a browser would leave the page for a picture that missed it.
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    stage.classList.add("over");
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) stage.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    stage.classList.remove("over");
    if (!carriesFiles(event)) return;
    event.preventDefault();
    add([...event.dataTransfer.files]);
  });
}
