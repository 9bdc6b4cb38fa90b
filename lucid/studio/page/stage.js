/** The picture: shows the frames as they come, fitted into the window, and the photograph before it. */

import { assetUrl } from "./assets.js";
import { byId, fillRange, update } from "./dom.js";

/** Small pictures are shown at most so many times as large. */
const LARGEST_ZOOM = 4;
const PICTURE = 0;

/**
 * @param {import("./state.js").Studio} studio
 * @returns {{show: (frame: import("./connection.js").Frame) => Promise<void>, draw: (image: ImageBitmap) => void, layout: () => void}}
 */
export function createStage(studio) {
  const [easel, paper, picture, before, split, compare, hint] =
    ["easel", "paper", "picture", "before", "split", "compare", "hint"].map(byId);
  const context = picture.getContext("2d");
  let size = [224, 224];
  let painted = false;

  function layout() {
    const style = getComputedStyle(easel);
    const width = easel.clientWidth - parseFloat(style.paddingLeft) * 2;
    const height = easel.clientHeight - parseFloat(style.paddingTop) * 2;
    const zoom = Math.max(0.01, Math.min(width / size[0], height / size[1], LARGEST_ZOOM));
    update(paper.style, "width", `${Math.round(size[0] * zoom)}px`);
    update(paper.style, "height", `${Math.round(size[1] * zoom)}px`);
  }

  function resize(width, height) {
    if (size[0] === width && size[1] === height) return;
    size = [width, height];
    easel.style.setProperty("--aspect", width / height);
    layout();
  }

  function draw(image) {
    if (picture.width !== image.width || picture.height !== image.height) {
      picture.width = image.width;
      picture.height = image.height;
    }
    context.drawImage(image, 0, 0);
    painted = true;
    showHint();
  }

  async function show(frame) {
    const image = await createImageBitmap(frame.blob);
    if (frame.frame < document.body.dataset.frame) return image.close();  // a newer one was quicker
    resize(frame.width, frame.height);
    draw(image);
    image.close();
    document.body.dataset.frame = frame.frame;
    if (frame.kind === PICTURE) showCompare();
  }

  // What will grow, in words, until there is something to see.
  function showHint() {
    const { status, running } = studio.state;
    const names = studio.rows.filter((row) => row.on).map((row) => row.name);
    const words = names.length ? `${list(names)} will grow here.` : "Add something to paint, on the side.";
    const blank = status === "empty" && !running && !studio.settings?.photo;
    paper.classList.toggle("blank", blank);
    update(hint, "textContent", status === "loading" && !painted ? "Loading the net…" : blank ? `${capital(words)} Press Paint, or drop a photograph.` : "");
  }

  function showCompare() {
    const { photo } = studio.settings ?? {};
    const shown = Boolean(photo) && !["sheet", "film"].includes(studio.state.status);
    for (const part of [before, split, compare]) update(part, "hidden", !shown);
    if (photo && before.dataset.photo !== photo) {
      before.dataset.photo = photo;
      before.src = assetUrl(photo);
      compare.value = 0;
    }
    moveSplit();
  }

  function moveSplit() {
    const share = compare.value / compare.max;
    before.style.clipPath = `inset(0 ${100 - 100 * share}% 0 0)`;
    split.style.left = `${100 * share}%`;
    fillRange(compare);
  }

  compare.addEventListener("input", moveSplit);
  new ResizeObserver(layout).observe(easel);
  studio.on("hello", () => { delete document.body.dataset.frame; });  // a new server counts from 1
  studio.on("settings", () => {
    if (!["sheet", "film"].includes(studio.state.status)) resize(...studio.settings.size);
    showHint();
    showCompare();
  });
  return { show, draw, layout };
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function list(names) {
  const article = (name) => (/^\d/.test(name) ? `layer ${name}` : name);
  const words = names.slice(0, 3).map(article);
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
