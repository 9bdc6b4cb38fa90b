/** Dialogs: opened so that the focus returns, and the small ones. */

import { byId, element } from "./dom.js";

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);

const KEYS = [
  ["Space", "Paint, pause, go on"], [".", "One step"], ["Ctrl Z", "Undo"], ["Ctrl Shift Z", "Redo"],
  ["/", "Search what to paint"], ["B", "Brush"], ["E", "Eraser"], ["U", "Erase paint"], ["V", "Only look"],
  ["[ ]", "Smaller or larger brush"], ["F", "Fill"], ["S", "Soften"], ["I", "Invert"], ["M", "Show or hide the masks"],
  ["1 … 9", "Choose a row, or one of nine seeds"], ["R", "Random seed"], ["N", "Nine seeds"],
  ["Ctrl S", "Save the picture"], ["Ctrl O", "Open a picture"], ["Ctrl V", "Paste a picture"], ["?", "This list"],
];

/**
 * Open a dialog; resolves with its return value when it closes. The browser gives the focus back.
 * @param {HTMLDialogElement} dialog
 * @returns {Promise<string>}
 */
export function openDialog(dialog) {
  if (dialog.open) return Promise.resolve("");
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue), { once: true }));
}

/** Ask what to do with a picture that carries a recipe. @returns {Promise<string>} "recall", "photo", or "" */
export const askRecipe = () => openDialog(byId("recipe-dialog"));

export function openHelp() {
  const list = byId("keys");
  if (!list.children.length) {
    for (const [keys, what] of KEYS) {
      const caps = keys.split(" ").map((key) => (key === "…" ? key : element("kbd", {}, MAC && key === "Ctrl" ? "⌘" : key)));
      list.append(element("dt", {}, ...caps), element("dd", {}, what));
    }
  }
  openDialog(byId("help-dialog"));
}

/** @param {import("./state.js").Studio} studio */
export function createDialogs(studio) {
  const [dialog, text, note] = ["command-dialog", "command-text", "command-note"].map(byId);

  async function copy() {
    try {
      await navigator.clipboard.writeText(text.value);
      note.textContent = "Copied";
    } catch {
      // No clipboard on http addresses of a network: select it, for Ctrl+C.
      text.select();
      note.textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl+C to copy";
    }
  }

  byId("command-copy").onclick = copy;
  byId("help").onclick = openHelp;
  studio.on("command", (message) => {
    text.value = message.text;
    note.textContent = "";
    openDialog(dialog);
    copy();
  });
  // A click beside a dialog closes it.
  for (const each of document.querySelectorAll("dialog")) {
    each.addEventListener("pointerdown", (event) => {
      const box = each.getBoundingClientRect();
      const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      if (event.target === each && !inside) each.close();
    });
  }
}
