/** The settings of the picture: size, seed, strength and the rest. */

import { assetUrl } from "./assets.js";
import { byId, onDrag, setOptions, showValue, update } from "./dom.js";

const SIZES = { 224: [224, 224], "512x384": [512, 384], 672: [672, 672], 1024: [1024, 1024] };
const TILE_NAMES = { spiral: "Spiral, from the middle", grid: "Rows", random: "Random", none: "All at once" };
const SEEDS = 2 ** 31;

/** @param {import("./state.js").Studio} studio */
export function createSettings(studio) {
  const [size, width, height, strength, seed, preset, tiles, padding, keepColors, octaves, iters, subject, net] =
    ["size", "width", "height", "strength", "seed", "preset", "tiles", "padding", "keep-colors", "octaves", "iters", "subject", "net"].map(byId);

  const setSize = () => {
    if (width.validity.valid && height.validity.valid && width.value && height.value) studio.set({ size: [Number(width.value), Number(height.value)] });
  };
  size.onchange = () => {
    if (SIZES[size.value]) studio.set({ size: SIZES[size.value] });
    else width.focus();
  };
  width.onchange = height.onchange = setSize;
  onDrag(strength, (value, gesture) => studio.set({ strength: value }, gesture));
  seed.onchange = () => { if (seed.value && seed.validity.valid) studio.set({ seed: Number(seed.value) }); };
  const roll = () => studio.set({ seed: Math.floor(Math.random() * SEEDS) });
  byId("dice").onclick = roll;
  net.onchange = () => studio.set({ net: net.value });
  preset.onchange = () => studio.set({ preset: preset.value });
  tiles.onchange = () => studio.set({ tiles: tiles.value });
  padding.onchange = () => studio.set({ padding: padding.checked ? "wrap" : "reflect" });
  keepColors.onchange = () => studio.set({ keep_colors: keepColors.checked });
  subject.onchange = () => studio.set({ subject: subject.value.trim() });
  for (const input of [octaves, iters]) {
    input.onchange = () => { if (input.validity.valid) studio.set({ [input.id]: input.value ? Number(input.value) : null }); };
  }
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
    showValue(strength, settings.strength);
    update(byId("strength-value"), "textContent", settings.strength.toFixed(2));
    showValue(seed, settings.seed);
    showValue(net, settings.net);
    showValue(preset, settings.preset);
    showValue(tiles, settings.tiles);
    update(padding, "checked", settings.padding === "wrap");
    update(keepColors, "checked", settings.keep_colors);
    update(keepColors, "disabled", !settings.photo);
    showValue(octaves, settings.octaves);
    showValue(iters, settings.iters);
    showValue(subject, settings.subject);
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
