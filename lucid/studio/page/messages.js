/** Short messages that go away by themselves: errors, notices, the state of the connection. */

import { byId } from "./dom.js";

const REFUSED = "This page needs the address that `lucid studio` printed, with everything behind the #";

/** @param {import("./state.js").Studio} studio */
export function createMessages(studio) {
  const timers = new Map();
  const layer = byId("messages");

  function show(id, text, seconds) {
    const box = byId(id);
    clearTimeout(timers.get(id));
    box.textContent = text;
    box.hidden = !text;
    // Shown anew, it lies above a dialog that was opened since.
    layer.hidePopover();
    if (byId("toast").textContent || byId("notice").textContent) layer.showPopover();
    if (text) timers.set(id, setTimeout(() => show(id, "", 0), 1000 * seconds));
  }

  studio.on("error", ({ text }) => {
    show("notice", "", 0);
    show("toast", text, 9);
  });
  studio.on("notice", ({ text }) => show("notice", text, 5));
  studio.on("edits", ({ count }) => {
    if (count) show("notice", `Press Paint: ${count} change${count === 1 ? "" : "s"} made while painting will be made again`, 9);
  });
  studio.on("link", (link) => {
    byId("link").textContent = { open: "", waiting: "Connection lost. Trying again…", refused: REFUSED }[link];
  });
  byId("toast").onclick = () => show("toast", "", 0);
}
