/** Films: the form, the frames as they are made, the player. */

import { byId, element, fillRange, iconButton, setIcon, setOptions, update } from "./dom.js";
import { openDialog } from "./dialogs.js";

/** Frames are kept as JPEG files; beyond this many, the oldest go. */
const MOST_FRAMES = 600;
const DELAY = 100;

/**
 * @param {import("./state.js").Studio} studio
 * @param {ReturnType<import("./stage.js").createStage>} stage
 * @returns {{take: (frame: import("./connection.js").Frame) => boolean}} `take`: keeps a frame; true if it is to be shown
 */
export function createFilm(studio, stage) {
  const [bar, scrubber, play, counter, formats] = ["film-bar", "scrubber", "film-play", "film-frame", "film-formats"].map(byId);
  /** @type {Map<number, Blob>} */ const frames = new Map();
  let timer = 0;
  /** Show each new frame as it comes, until the user looks at another. */
  let following = true;

  const last = () => Math.max(0, ...frames.keys());

  function showCounter() {
    scrubber.max = last();
    fillRange(scrubber);
    update(counter, "textContent", `${Number(scrubber.value) + 1} / ${last() + 1}`);
  }

  function take({ index, blob }) {
    frames.set(index, blob);
    if (frames.size > MOST_FRAMES) frames.delete(frames.keys().next().value);
    scrubber.max = last();
    if (following && !timer) scrubber.value = index;
    showCounter();
    return following && !timer;
  }

  async function seek(index) {
    const blob = frames.get(index);
    scrubber.value = index;
    showCounter();
    if (!blob) return;
    const image = await createImageBitmap(blob);
    stage.draw(image);
    image.close();
  }

  function stop() {
    clearTimeout(timer);
    timer = 0;
    showPlay("play");
  }

  function showPlay(what) {
    setIcon(play, what);
    play.title = what === "play" ? "Play the film" : "Pause the film";
  }

  async function tick() {
    await seek(Number(scrubber.value) >= last() ? 0 : Number(scrubber.value) + 1);
    if (timer) timer = setTimeout(tick, DELAY);
  }

  play.onclick = () => {
    if (timer) return stop();
    following = false;
    timer = setTimeout(tick, 0);
    showPlay("pause");
  };
  scrubber.addEventListener("input", () => {
    stop();
    following = Number(scrubber.value) === last();
    seek(Number(scrubber.value));
  });
  byId("film-close").onclick = () => studio.do("close");
  studio.on("hello", (hello) => {
    formats.replaceChildren(...hello.formats.map((format) => element("button",
      { class: "quiet outline", onclick: () => studio.do("download", { what: "film", format }) }, `Save ${format.toUpperCase()}`)));
  });
  studio.on("state", ({ status }) => {
    if (bar.hidden === (status === "film")) {
      frames.clear();
      following = true;
      stop();
      scrubber.value = 0;
      showCounter();
      bar.hidden = status !== "film";
      stage.layout();
    }
    for (const button of formats.children) update(button, "disabled", studio.state.running);
  });
  createForm(studio);
  return { take };
}

function createForm(studio) {
  const [dialog, form, warp, about, warps, cues] = ["film-dialog", "film-form", "warp", "warp-about", "warps", "cues"].map(byId);
  const known = () => studio.hello?.warps.find(({ name }) => name === warp.value);

  function addWarp(text) {
    const item = element("li", {}, element("input", { type: "text", value: text, "aria-label": "Move", spellcheck: false, required: true }),
      iconButton("close", "Remove this move", () => item.remove()));
    warps.append(item);
    return item;
  }

  function addCue() {
    const item = element("li", {},
      element("input", { type: "number", class: "at", min: 0, value: 12, "aria-label": "From frame", required: true }),
      element("input", { type: "text", class: "change", placeholder: "class=monarch", "aria-label": "Change", spellcheck: false, required: true }),
      iconButton("close", "Remove this change", () => item.remove()));
    cues.append(item);
    item.querySelector(".change").focus();
  }

  // "zoom:RATE" stands for a number: a small one to begin with.
  const example = ({ name, usage }) => (usage.includes(":") ? `${name}:${name === "zoom" ? ".05" : "1"}` : name);

  byId("film").onclick = () => openDialog(dialog);
  byId("add-warp").onclick = () => addWarp(example(known())).querySelector("input").select();
  byId("add-cue").onclick = addCue;
  warp.onchange = () => { about.textContent = known() ? `${known().usage}: ${known().about}` : ""; };
  form.onsubmit = ({ submitter }) => {
    if (submitter.value !== "make") return;
    const values = (list, selector) => [...list.querySelectorAll(selector)].map(({ value }) => value.trim());
    const changes = values(cues, ".change");
    studio.do("film", {
      frames: Number(byId("film-frames").value),
      warps: values(warps, "input"),
      at: values(cues, ".at").map((at, i) => [Number(at), changes[i]]),
    });
  };
  studio.on("hello", (hello) => {
    setOptions(warp, hello.warps.map(({ name }) => [name, name]));
    if (hello.warps.some(({ name }) => name === "zoom")) warp.value = "zoom";
    warp.onchange();
    if (!warps.children.length && known()) addWarp(example(known()));
  });
}
