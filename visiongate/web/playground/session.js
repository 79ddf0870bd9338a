// Who is logged in. Tokens are in this module's memory and nowhere else.

import { call, Problem } from "./api.js";

const LEFT = 0.2; // which part of a token's life is left when it is renewed, at most a minute

let tokens = null;
let renewing = null;
let whenEnded = () => {};

/** Have `callback(problem)` called when the gateway takes this login's tokens no more. */
export function onEnd(callback) {
  whenEnded = callback;
}

/** Exchange name and password for tokens. */
export async function login(username, password) {
  const { answer } = await call("POST", "login", { json: { username, password } });
  keep(answer);
}

/** Send a request with a good token: a new one where the old one is over, or soon will be. */
export async function ask(method, path, options = {}) {
  if (tokens && performance.now() >= tokens.renewAt) await renew(tokens);
  const used = tokens;
  if (!used) throw new Problem("You are not logged in.", { status: 401 });
  try {
    return await call(method, path, { ...options, token: used.access });
  } catch (problem) {
    if (problem.status !== 401) throw problem;
  }
  await renew(used);
  try {
    return await call(method, path, { ...options, token: tokens?.access });
  } catch (problem) {
    if (problem.status === 401) end(problem);
    throw problem;
  }
}

/** Revoke this login's tokens, whatever state they are in; tokens are forgotten even if that fails. */
export async function logout() {
  await renewing?.catch(() => {});
  const last = tokens;
  tokens = null;
  if (!last) return;
  try {
    await call("POST", "logout", { token: last.access });
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    await afterRenewal(last.refresh);
  }
}

/** Revoke the tokens of a page that goes away; nobody waits for the answer. */
export function leave() {
  if (tokens) call("POST", "logout", { token: tokens.access, keepalive: true }).catch(() => {});
  tokens = null;
}

async function afterRenewal(refresh) {
  try {
    const { answer } = await call("POST", "refresh", { token: refresh });
    await call("POST", "logout", { token: answer.access_token });
  } catch (problem) {
    if (problem.status !== 401) throw problem; // 401: they have ended already
  }
}

function keep(answer) {
  const life = 1000 * answer.expires;
  tokens = {
    access: answer.access_token,
    refresh: answer.refresh_token,
    renewAt: performance.now() + life - Math.min(60_000, LEFT * life),
  };
}

/** Exchange the refresh token, which works once: requests that need it together share one. */
async function renew(old) {
  if (tokens !== old) return;
  renewing ??= call("POST", "refresh", { token: old.refresh })
    .then(({ answer }) => keep(answer))
    .finally(() => (renewing = null));
  try {
    await renewing;
  } catch (problem) {
    if (problem.status === 401 && tokens === old) end(problem);
    throw problem;
  }
}

function end(problem) {
  tokens = null;
  problem.ended = true;
  whenEnded(problem);
}
