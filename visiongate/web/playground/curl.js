// The curl line that asks what this page asked. The token is a variable of the reader's shell.

import { address } from "./api.js";

const SAFE = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
// Control characters, and those that turn the direction of text: a line that is pasted into a
// shell must do what it looks like.
const TREACHEROUS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

/** Return the line for a file of this name and these options, as `detectQuery` makes them. */
export function curlLine(name, query) {
  return [
    "curl -sS",
    '-H "Authorization: Bearer $TOKEN"',
    `-F ${part(name)}`,
    quoted(address(`detect?${query}`)),
  ].join(" \\\n  ");
}

/** Return the query string of a detect request. */
export function detectQuery({ detectors, minConfidence, keep }) {
  const names = detectors.map(encodeURIComponent).join(",");
  const least = minConfidence === null ? "" : `&min_confidence=${minConfidence}`;
  return `detectors=${names}${least}${keep ? "" : "&delete=true"}`;
}

function part(name) {
  if (SAFE.test(name)) return `file=@${name}`;
  if (!name || TREACHEROUS.test(name) || /[/\\]/.test(name)) return "file=@picture";
  // Within curl's own quotes, commas and semicolons mean nothing; "./" keeps "-" from being stdin.
  return quoted(`file=@"./${name.replace(/"/g, '\\"')}"`);
}

/** Quote for a POSIX shell. */
function quoted(text) {
  return `'${text.replace(/'/g, "'\\''")}'`;
}
