/** The settings of the picture: size, seed, strength and the rest. */

import { assetUrl } from "./assets.js";
import { byId, onDrag, setOptions, showValue, update } from "./dom.js";

const SIZES = { 224: [224, 224], "512x384": [512, 384], 672: [672, 672], 1024: [1024, 1024] };
const TILE_NAMES = { spiral: "Spiral, from the middle", grid: "Rows", random: "Random", none: "All at once" };
const NUMBERS = ["seed", "octaves", "iters"];
/** Settings whose control has their name for its id. */
const SHOWN = ["net", "preset", "tiles", "strength", "subject", ...NUMBERS];
const SEEDS = 2 ** 31;

/** @param {import("./state.js").Studio} studio */
export function createSettings(studio) {
  const [size, width, height, strength, padding, keepColors, net, preset, tiles] =
    ["size", "width", "height", "strength", "padding", "keep-colors", "net", "preset", "tiles"].map(byId);

  const setSize = () => {
    if (width.validity.valid && height.validity.valid && width.value && height.value) studio.set({ size: [Number(width.value), Number(height.value)] });
  };
  size.onchange = () => {
    if (SIZES[size.value]) studio.set({ size: SIZES[size.value] });
    else width.focus();
  };
  width.onchange = height.onchange = setSize;
  onDrag(strength, (value, gesture) => studio.set({ strength: value }, gesture));
  const roll = () => studio.set({ seed: Math.floor(Math.random() * SEEDS) });
  byId("dice").onclick = roll;
  for (const select of [net, preset, tiles]) select.onchange = () => studio.set({ [select.id]: select.value });
  padding.onchange = () => studio.set({ padding: padding.checked ? "wrap" : "reflect" });
  keepColors.onchange = () => studio.set({ keep_colors: keepColors.checked });
  byId("subject").onchange = ({ target }) => studio.set({ subject: target.value.trim() });
  for (const id of NUMBERS) {
    byId(id).onchange = ({ target }) => {
      if (!target.validity.valid || (id === "seed" && !target.value)) return;
      studio.set({ [id]: target.value ? Number(target.value) : null });
    };
  }
  // A value that was typed and not taken gives way to the true one.
  addEventListener("focusout", () => setTimeout(() => { if (studio.settings) studio.emit("settings"); }));
  byId("photo-remove").onclick = () => studio.set({ photo: null, photo_name: "" });

  studio.on("hello", ({ nets, presets, tiles: orders }) => {
    setOptions(net, nets.map((name) => [name, name]));
    setOptions(preset, [["", "Standard"], ...presets.filter(Boolean).map((name) => [name, name])]);
    setOptions(tiles, orders.map((name) => [name, TILE_NAMES[name] ?? name]));
  });

  studio.on("settings", () => {
    const { settings } = studio;
    const [w, h] = settings.size;
    const known = Object.entries(SIZES).find(([, each]) => each[0] === w && each[1] === h);
    showValue(size, known?.[0] ?? "custom");
    showValue(width, w);
    showValue(height, h);
    for (const id of SHOWN) showValue(byId(id), settings[id]);
    update(byId("strength-value"), "textContent", settings.strength.toFixed(2));
    update(padding, "checked", settings.padding === "wrap");
    update(keepColors, "checked", settings.keep_colors);
    update(keepColors, "disabled", !settings.photo);
    update(byId("photo"), "hidden", !settings.photo);
    if (settings.photo) {
      const image = byId("photo-image");
      const url = assetUrl(settings.photo);
      if (image.getAttribute("src") !== url) image.src = url;
      update(byId("photo-name"), "textContent", settings.photo_name || "Photograph");
    }
  });
  return { roll };
}
