// The sheet on which a picture or the camera is shown, with the boxes over it.

import { byId } from "./dom.js";
import { draw } from "./overlay.js";
import { showResults, showTimes } from "./results.js";
import { tie } from "./tie.js";

const ENLARGED = 4; // at most so many times the picture's own size
const layer = byId("boxes");
const rows = byId("rows");
const retie = tie(layer, rows);
let measured = false; // whether the gateway has told the size of what is shown

/** Show nothing. */
export function showNothing() {
  reveal("invitation");
  showReport(null, null);
}

/** Show a picture that the browser may or may not be able to show. */
export function showPicture({ url, name }) {
  const image = byId("shown");
  reveal("sheet", image);
  image.classList.remove("unreadable");
  turn(image, 1);
  image.alt = name;
  measured = false;
  image.onload = () => {
    if (!measured) shape(image.naturalWidth, image.naturalHeight);
  };
  image.onerror = () => {
    image.classList.add("unreadable");
    if (!layer.hasChildNodes()) reveal("blind");
  };
  image.src = url;
}

/** Show the camera, and nothing of what was found before. */
export function showVideo(video) {
  showReport(null, null);
  reveal("sheet", video);
  shape(video.videoWidth, video.videoHeight);
}

/** Show what was found, or nothing for a report that is null. */
export function showReport(report, took, rate = null) {
  const held = heldFocus();
  if (report) {
    // The gateway's size holds: it is the upright picture's, which boxes are measured in.
    shape(report.image.width, report.image.height);
    measured = true;
    turn(byId("shown"), report.image.orientation_applied);
    draw(layer, report);
    // Where the browser cannot show the picture, the boxes are at least on an empty sheet.
    if (byId("sheet").hidden) reveal("sheet", byId("shown"));
  } else {
    layer.replaceChildren();
  }
  showResults(report);
  showTimes(report, took, rate);
  held?.();
  retie();
}

/** Have the focus come back to where it was, when boxes or rows are made anew under it. */
function heldFocus() {
  const at = document.activeElement;
  const container = [layer, rows].find((one) => one.contains(at));
  const index = at?.closest("[data-index]")?.dataset.index;
  if (!container || index === undefined) return null;
  return () => {
    const same = `button[data-index="${index}"], [data-index="${index}"] button`;
    container.querySelector(same)?.focus({ preventScroll: true });
  };
}

/** Turn the picture as the gateway did. Browsers know EXIF's orientation in some formats only. */
function turn(image, orientation) {
  for (let other = 2; other <= 8; other += 1) {
    image.classList.toggle(`turned-${other}`, other === orientation);
  }
}

function reveal(shown, picture = null) {
  for (const id of ["invitation", "blind", "sheet"]) byId(id).hidden = id !== shown;
  for (const id of ["shown", "video"]) byId(id).hidden = byId(id) !== picture;
}

function shape(width, height) {
  if (!width || !height) return;
  const { style } = byId("sheet");
  style.setProperty("--ratio", width / height);
  style.setProperty("--widest", `${ENLARGED * width}px`);
}
