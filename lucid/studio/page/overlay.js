/** The tint over the picture: where each row grows, in its colour. */

import { byId } from "./dom.js";
import { newCanvas } from "./masks.js";

const COLORS = ["#ff7a1a", "#2f9bff", "#3fbf5f", "#c25cff", "#ffd02e", "#14c8c8", "#ff4d6d", "#9bd01e", "#7c83ff", "#ff8fc7", "#b98a5a", "#8fa6b8"];
const ERASE_COLOR = "#ffffff";

/** The colour of a row. @param {number} id @returns {string} */
export const tint = (id) => COLORS[(id - 1) % COLORS.length];

/**
 * @param {import("./state.js").Studio} studio
 * @param {import("./mask-store.js").MaskStore} store
 * @returns {{redraw: () => void, erasing: {mask: import("./masks.js").Mask|null}}} `erasing`: the stroke of "erase paint"
 */
export function createOverlay(studio, store) {
  const overlay = byId("overlay");
  const context = overlay.getContext("2d");
  const erasing = { mask: null };
  let scratch = newCanvas(1, 1);
  let asked = 0;

  function draw() {
    asked = 0;
    const [width, height] = store.size;
    if (overlay.width !== width || overlay.height !== height) {
      overlay.width = width;
      overlay.height = height;
    }
    if (scratch.width !== width || scratch.height !== height) scratch = newCanvas(width, height);
    context.clearRect(0, 0, width, height);
    const rows = studio.rows.filter((row) => row.on && store.shown(row.id));
    // The selected row lies on top, and is the strongest.
    rows.sort((a, b) => (a.id === studio.selected) - (b.id === studio.selected));
    // A tint that shows nothing costs nothing, either.
    overlay.toggleAttribute("data-empty", !rows.length && !erasing.mask);
    for (const row of rows) layer(store.shown(row.id), tint(row.id), row.id === studio.selected ? 1 : 0.55);
    if (erasing.mask) layer(erasing.mask, ERASE_COLOR, 1);
  }

  function layer(mask, color, alpha) {
    const { width, height } = scratch;
    const brush = scratch.getContext("2d");
    brush.globalCompositeOperation = "copy";
    brush.drawImage(mask.canvas, 0, 0, width, height);
    brush.globalCompositeOperation = "source-in";
    brush.fillStyle = color;
    brush.fillRect(0, 0, width, height);
    context.globalAlpha = alpha;
    context.drawImage(scratch, 0, 0);
    context.globalAlpha = 1;
  }

  function redraw() {
    if (studio.settings) asked ||= requestAnimationFrame(draw);
  }

  studio.on("masks", redraw);
  return { redraw, erasing };
}
