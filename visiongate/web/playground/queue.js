// Pictures on their way: each is asked about in its turn, again when the question changes.

import { detect, question, showCode } from "./asking.js";
import { loadDetectors } from "./detectors.js";
import { byId } from "./dom.js";
import { hideProblem, say, showProblem } from "./messages.js";
import { allPictures, clearPictures, markShown, markState } from "./pictures.js";
import { summary } from "./results.js";
import { showNothing, showPicture, showReport } from "./stage.js";

let current = null; // the picture that is shown
let running = null; // the AbortController of what is under way

/** Show a picture and what is known of it, and see to it that all are asked about. */
export function show(picture) {
  current = picture;
  markShown(picture);
  if (picture) {
    showPicture(picture);
    showOutcome();
    work();
  } else {
    showNothing();
    showCode("picture.jpg", question(), null);
  }
  byId("again").disabled = !picture;
}

/** Show again what was shown before the camera. */
export const showAgain = () => show(current);

/** Forget all pictures and what was found in them. */
export function forgetPictures() {
  stopAsking();
  clearPictures();
  show(null);
}

/** Leave off; what was not answered is asked about when work goes on. */
export function stopAsking() {
  running?.abort();
  running = null;
}

/** Ask about every picture anew: the question has changed. */
export function askAnew() {
  stopAsking();
  if (current) work();
  else showCode("picture.jpg", question(), null);
}

/** Ask the same about the picture that is shown once more. */
export function askAgain() {
  stopAsking();
  current.asked = null;
  work();
}

async function work() {
  if (running) return;
  running = new AbortController();
  const { signal } = running;
  for (let picture = next(); picture; picture = next()) {
    await answer(picture, signal);
    if (signal.aborted) return;
  }
  running = null;
}

function next() {
  const present = question();
  return [current, ...allPictures()].find((one) => one && one.asked !== present);
}

async function answer(picture, signal) {
  const asked = question();
  Object.assign(picture, { report: null, problem: null, took: null, asked, signal });
  markState(picture);
  if (picture === current) {
    hideProblem();
    say(`Asking about ${picture.name} …`);
    showCode(picture.name, asked, null);
  }
  try {
    Object.assign(picture, await detect(picture.file, picture.name, asked, signal));
  } catch (problem) {
    if (signal.aborted) {
      if (picture.signal === signal) picture.asked = null; // unless it was asked anew meanwhile
      return;
    }
    picture.problem = problem;
  }
  markState(picture);
  if (picture === current) showOutcome();
  // A detector that failed may stand otherwise now.
  if (picture.problem?.status === 503 || picture.report?.detectors.some(({ failure }) => failure)) {
    loadDetectors().catch(() => {});
  }
}

function showOutcome() {
  const { name, report, problem, took, asked } = current;
  showReport(report, took);
  showCode(name, asked ?? question(), report);
  say(report ? summary(report, took) : "");
  hideProblem();
  if (problem) {
    showProblem(problem);
    byId("nothing").textContent = "No answer: the message above says why.";
  }
}
