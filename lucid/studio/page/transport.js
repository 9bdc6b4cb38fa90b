/** The big button and its neighbours; progress; what the painter is doing, in words. */

import { byId, setIcon, update } from "./dom.js";

const WORDS = { loading: "Loading the net", empty: "Ready", playing: "Painting", paused: "Paused", finished: "Finished", sheet: "Nine seeds", film: "Film" };

/**
 * @param {import("./state.js").Studio} studio
 * @returns {{toggle: () => void}}
 */
export function createTransport(studio) {
  const [paint, step, stop, undo, redo, fork, sheet, film, save, copy, status, passes, bar] =
    ["paint", "step", "stop", "undo", "redo", "fork", "sheet", "film", "save", "copy", "status", "passes", "progress"].map(byId);
  const commands = { step, stop, undo, redo, fork, sheet, save };
  let progress = null;

  const filmMode = () => studio.state.status === "film";

  function toggle() {
    if (paint.disabled) return;
    if (studio.state.running) return studio.do("pause");
    if (filmMode() && progress?.frame >= progress?.frames) studio.do("close");  // the film is done: on with the picture
    studio.do("play");
  }

  function label() {
    const { status: mode, running } = studio.state;
    if (running) return "Pause";
    return ["paused", "finished", "sheet", "film"].includes(mode) ? "Go on" : "Paint";
  }

  // Read aloud, so it changes in coarse steps only.
  function words() {
    if (!studio.connected) return "Not connected";
    const { status: mode, running } = studio.state;
    const now = progress && running ? Math.floor(10 * (progress.done ?? progress.frame / progress.frames)) * 10 : null;
    const tail = now ? `, ${Math.min(now, 100)} %` : "";
    if (mode === "film") return running ? `Making film${tail}` : "Film";
    if (mode === "sheet") return running ? `Nine seeds${tail}` : "Choose one of nine";
    return `${WORDS[mode] ?? mode}${running ? tail : ""}`;
  }

  function render() {
    const { status: mode, running, can, passes: done } = studio.state;
    const ready = studio.connected && mode !== "loading";
    document.body.dataset.status = mode;
    document.body.dataset.running = running;
    update(paint.querySelector("span"), "textContent", label());
    setIcon(paint, running ? "pause" : "play");
    update(paint, "disabled", !ready);
    for (const button of [...Object.values(commands), film, copy]) update(button, "disabled", !ready);
    if (ready) {
      update(undo, "disabled", !can.undo);
      update(redo, "disabled", !can.redo);
      update(stop, "disabled", mode === "empty");
      update(step, "disabled", ["sheet", "film"].includes(mode));
      update(fork, "disabled", ["sheet", "film", "empty"].includes(mode));
      update(sheet, "disabled", ["sheet", "film"].includes(mode));
    }
    update(status, "textContent", words());
    const count = progress?.passes ?? done;
    const frames = progress?.frames && mode === "film" ? `frame ${progress.frame} of ${progress.frames}` : "";
    update(passes, "textContent", mode === "film" ? frames : count ? `${count} pass${count === 1 ? "" : "es"}` : "");
    update(bar, "value", running && progress ? progress.done ?? progress.frame / progress.frames : 0);
  }

  paint.onclick = toggle;
  copy.onclick = () => studio.do("command");
  for (const [name, button] of Object.entries(commands)) {
    button.onclick = () => studio.do(name === "stop" && filmMode() ? "close" : name);
  }
  studio.on("progress", (message) => {
    progress = message;
    render();
  });
  studio.on("state", ({ passes: done, status: mode }) => {
    if (progress && (mode === "film") !== Boolean(progress.frames)) progress = null;
    else if (progress?.passes !== undefined && (done !== progress.passes)) progress = { ...progress, passes: done };
    render();
  });
  studio.on("link", render);
  return { toggle };
}
