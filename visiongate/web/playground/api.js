// One request to the gateway, and what went wrong in words for people.

const LONGEST_WAIT = 60; // seconds; a quota that begins anew tomorrow is not waited for

/** What the gateway, or this page, says is wrong. `status` is 0 where no answer came. */
export class Problem extends Error {
  constructor(detail, { code = "", status = 0, retryAfter = null } = {}) {
    super(detail);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
    this.ended = false; // whether it ended the login, which is then said already
  }

  /** Whether the same request may succeed soon. */
  get transient() {
    if (this.retryAfter > LONGEST_WAIT) return false;
    if (this.code === "unreachable" || [502, 504].includes(this.status)) return true;
    return [429, 503].includes(this.status) && (this.retryAfter !== null || this.code === "overloaded");
  }
}

/** Addresses are relative to the page, so that it also works behind a proxy's prefix. */
export const address = (path) => new URL(`api/v1/${path}`, document.baseURI).href;

/** Send a request; return the answer's JSON and the milliseconds until all of it was here. */
export async function call(method, path, { token, json, body, signal, keepalive } = {}) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (json !== undefined) headers["Content-Type"] = "application/json";
  const content = json === undefined ? body : JSON.stringify(json);
  const began = performance.now();
  let response, text;
  try {
    response = await fetch(address(path), {
      method, headers, signal, keepalive,
      body: content,
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
    });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(
      "The gateway cannot be reached. Is it running, and is the network there? Then try again.",
      { code: "unreachable" },
    );
  }
  const took = performance.now() - began;
  const answer = parsed(text);
  if (!response.ok) throw problemOf(response, answer);
  if (answer === null) {
    throw new Problem("The answer is no JSON: does something stand between this page and the gateway?");
  }
  return { answer, took };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function problemOf(response, answer) {
  const words = answer && (answer.detail || answer.title);
  const fallback = `The gateway, or a proxy before it, answered ${response.status} ${response.statusText}.`;
  const seconds = parseFloat(response.headers.get("Retry-After"));
  return new Problem(typeof words === "string" ? words : fallback, {
    code: answer && typeof answer.code === "string" ? answer.code : "",
    status: response.status,
    retryAfter: Number.isFinite(seconds) ? seconds : null,
  });
}
