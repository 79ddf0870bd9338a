// Copying a block of text.

import { byId } from "./dom.js";

/** Have the button copy what the block shows. */
export function copies(buttonId, blockId, say) {
  const button = byId(buttonId);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(byId(blockId).textContent);
      say("Copied.");
    } catch {
      // Browsers give the clipboard only to pages over HTTPS, or on localhost.
      getSelection().selectAllChildren(byId(blockId));
      say("Marked: copy it with Ctrl+C.");
    }
  });
}
