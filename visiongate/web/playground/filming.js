// Live mode: what the user sees of it.

import { Problem } from "./api.js";
import { detect, question, showCode } from "./asking.js";
import { closeCamera, live, openCamera } from "./camera.js";
import { byId } from "./dom.js";
import { hideProblem, say, showProblem } from "./messages.js";
import { showReport, showVideo } from "./stage.js";

const SMOOTHING = 0.9; // how much of the rate shown is the rate shown before
const video = byId("video");
const button = byId("camera");

let filming = null; // the AbortController of the camera that is on

/** Have the camera's button work: `begin()` before it goes on, `ended()` after it went off. */
export function onFilm({ begin, ended }) {
  button.addEventListener("click", () => {
    if (filming) {
      stopFilming();
      say("The camera is off.");
      ended();
    } else {
      begin();
      film(ended);
    }
  });
}

export const isFilming = () => filming !== null;

/** Switch the camera off. */
export function stopFilming() {
  filming?.abort();
  filming = null;
  closeCamera(video);
  press(false);
}

async function film(ended) {
  filming = new AbortController();
  const { signal } = filming;
  press(true);
  say("Opening the camera …");
  try {
    const stream = await openCamera(video, signal);
    if (!stream) return;
    showVideo(video);
    showCode("frame.jpg", question({ frames: true }), null);
    say("Live: a frame is sent whenever the one before it has been answered.");
    await live(video, { send: sender(signal), rest, signal });
  } catch (problem) {
    if (signal.aborted) return;
    stopFilming();
    say("");
    ended();
    showProblem(problem);
  }
}

function sender(signal) {
  let last = performance.now();
  let rate = null;
  return async (frame) => {
    const query = question({ frames: true });
    const { report, took } = await detect(frame, frame.name, query, signal);
    if (signal.aborted) return;
    hideProblem();
    const now = performance.now();
    const present = 1000 / (now - last);
    rate = rate === null ? present : SMOOTHING * rate + (1 - SMOOTHING) * present;
    last = now;
    showReport(report, took, rate);
    showCode(frame.name, query, report);
  };
}

function rest(problem, seconds) {
  const words = `${problem.message} It is asked again in ${Math.ceil(seconds)} s.`;
  showProblem(new Problem(words, problem));
}

function press(on) {
  button.setAttribute("aria-pressed", String(on));
  button.textContent = on ? "Stop the camera" : "Use the camera";
}
