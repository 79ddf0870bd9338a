// The camera, and live mode: a frame is sent when the answer to the one before it is here.

import { Problem } from "./api.js";

const WIDEST = 960; // of a frame that is sent; detectors look at less
const QUALITY = 0.85;
const LONGEST_PAUSE = 8;
const REFUSALS = {
  NotAllowedError: "The browser may not use the camera. Allow it beside the page’s address, then try again.",
  NotFoundError: "No camera was found.",
  NotReadableError: "The camera cannot be used: another program may have it.",
  OverconstrainedError: "The camera cannot give a picture of a usable size.",
};

/** Open the camera into `video`; nothing comes of it if `signal` is aborted. Raises Problem. */
export async function openCamera(video, signal) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Problem("Browsers give a camera only to pages over HTTPS, or on localhost.");
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 1280 }, facingMode: "environment" },
      audio: false,
    });
  } catch (error) {
    throw new Problem(REFUSALS[error.name] ?? `The camera cannot be opened: ${error.message}`);
  }
  if (signal.aborted) {
    for (const track of stream.getTracks()) track.stop();
    return null;
  }
  video.srcObject = stream;
  await video.play();
  return stream;
}

/** Switch the camera off. */
export function closeCamera(video) {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}

/**
 * Send frames of `video` until `signal` is aborted, never more than one in flight.
 *
 * `send(frame)` resolves when the answer is here; `rest(problem, seconds)` says that the gateway
 * is busy or away and when it is asked again. Rejects with a problem that waiting cannot help.
 */
export async function live(video, { send, rest, signal }) {
  const canvas = document.createElement("canvas");
  let pause = 1;
  while (!signal.aborted) {
    await nextPaint();
    if (signal.aborted || !video.srcObject) return;
    if (!video.srcObject.active) throw new Problem("The camera has gone. Plug it in and try again.");
    try {
      await send(await grab(video, canvas));
      pause = 1;
    } catch (problem) {
      if (signal.aborted) return;
      if (!problem.transient) throw problem;
      const seconds = problem.retryAfter ?? pause;
      rest(problem, seconds);
      await waited(1000 * seconds, signal);
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
  }
}

/** Resolves when the browser draws; not while nobody looks at the page. */
const nextPaint = () => new Promise((resolve) => requestAnimationFrame(resolve));

function grab(video, canvas) {
  const scale = Math.min(1, WIDEST / video.videoWidth);
  canvas.width = Math.round(scale * video.videoWidth);
  canvas.height = Math.round(scale * video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => {
    canvas.toBlob((blob) => resolve(new File([blob], "frame.jpg")), "image/jpeg", QUALITY);
  });
}

function waited(duration, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, duration);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
