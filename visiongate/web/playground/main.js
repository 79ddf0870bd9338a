// The playground: coming, going, and what the user does in between.

import { Problem } from "./api.js";
import { askAgain, askAnew, forgetPictures, show, showAgain, stopAsking } from "./queue.js";
import { LIMIT } from "./asking.js";
import { copies } from "./copying.js";
import { forgetDetectors, loadDetectors, onChange } from "./detectors.js";
import { byId, megabytes } from "./dom.js";
import { isFilming, onFilm, stopFilming } from "./filming.js";
import { hideProblem, say, showProblem } from "./messages.js";
import { onPictures } from "./pictures.js";
import { leave, login, logout, onEnd } from "./session.js";

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("enter").disabled = true;
  hideProblem();
  say("Logging in …");
  try {
    await login(byId("username").value, byId("password").value);
    await loadDetectors();
    goIn();
  } catch (problem) {
    if (problem.ended) return;
    say("");
    showProblem(problem);
    byId("password").select();
  } finally {
    byId("enter").disabled = false;
  }
});

byId("logout").addEventListener("click", async () => {
  goOut();
  hideProblem();
  try {
    await logout();
    say("Logged out: the tokens of this login work no more.");
  } catch {
    showProblem(new Problem(
      "The gateway could not be told. This page has forgotten its tokens, which end by themselves.",
    ));
  }
});

onEnd(({ code }) => {
  goOut();
  say("");
  showProblem(new Problem("Your login has ended. Log in again.", { code }));
});

addEventListener("pagehide", ({ persisted }) => persisted || leave());

function goIn() {
  byId("password").value = "";
  byId("who").textContent = byId("username").value;
  say("Logged in.");
  inside(true);
  show(null);
  byId("choose").focus();
}

function goOut() {
  stopFilming();
  forgetPictures();
  forgetDetectors();
  inside(false);
  byId("password").value = "";
  byId("password").focus();
}

function inside(yes) {
  for (const id of ["account", "bench"]) byId(id).hidden = !yes;
  byId("entrance").hidden = yes;
}

onPictures({
  given(pictures) {
    stopFilming();
    if (pictures.length) show(pictures[0]);
  },
  chosen(picture) {
    stopFilming();
    show(picture);
  },
});

onFilm({
  begin() {
    stopAsking();
    hideProblem();
    byId("again").disabled = true;
  },
  ended: showAgain,
});

onChange(() => {
  hideProblem();
  if (!isFilming()) askAnew(); // the camera's next frame asks the new question
});

byId("again").addEventListener("click", askAgain);
copies("copy-curl", "curl", say);
copies("copy-json", "json", say);
byId("limit").textContent = megabytes(LIMIT);
byId("username").focus();
