/** The rows: what to paint, how strongly, where. */

import { byId, onDrag, setOptions, showValue, update } from "./dom.js";
import { assetUrl } from "./assets.js";
import { tint } from "./overlay.js";

/** @param {import("./state.js").Studio} studio @param {{use: (tool: string) => void}} brush */
export function createTargets(studio, brush) {
  const [list, none, guide, guideLayer, guideImage] = ["rows", "no-rows", "guide", "guide-layer", "guide-image"].map(byId);

  function create(row) {
    const node = byId("row-template").content.firstElementChild.cloneNode(true);
    const part = (name) => node.querySelector(`.${name}`);
    const shown = row.kind === "layer" ? `layer ${row.name}` : row.name;
    const current = () => studio.rows.find((each) => each.id === row.id);
    node.dataset.row = row.id;
    node.style.setProperty("--tint", tint(row.id));
    part("name").textContent = shown;
    part("where").title = `Paint where ${shown} grows`;
    part("where").setAttribute("aria-label", `${shown}: paint where it grows`);
    part("weight").setAttribute("aria-label", `Weight of ${shown}`);
    part("number").setAttribute("aria-label", `Weight of ${shown} as a number`);
    part("on").title = "On or off";
    part("on").setAttribute("aria-label", `${shown} is on`);
    part("remove").title = "Remove";
    part("remove").setAttribute("aria-label", `Remove ${shown}`);
    part("where").onclick = () => {
      studio.select(row.id);
      if (!["brush", "eraser"].includes(document.body.dataset.tool)) brush.use("brush");
    };
    part("on").onclick = () => studio.setRow(row.id, { on: !current().on });
    part("remove").onclick = () => {
      const next = node.nextElementSibling ?? node.previousElementSibling;
      studio.removeRow(row.id);
      (next?.querySelector(".remove") ?? byId("search")).focus();
    };
    for (const name of ["weight", "number"]) onDrag(part(name), (weight, gesture) => studio.setRow(row.id, { weight }, gesture));
    return node;
  }

  function show(node, row) {
    const part = (name) => node.querySelector(`.${name}`);
    const selected = row.id === studio.selected;
    node.classList.toggle("selected", selected);
    node.classList.toggle("off", !row.on);
    part("where").setAttribute("aria-pressed", String(selected));
    part("on").setAttribute("aria-pressed", String(row.on));
    showValue(part("weight"), row.weight);
    showValue(part("number"), Number(row.weight.toFixed(2)));
    const where = row.mask ? "Where you painted" : "Everywhere. Paint on the picture to say where.";
    update(part("region"), "textContent", row.mask || selected ? where : "");
    update(part("region"), "hidden", !row.mask && !selected);
  }

  // A row is made anew when it stands for something else after undo.
  const key = (row) => `${row.id} ${row.kind} ${row.name}`;
  const nodes = new Map();

  function render() {
    const { rows } = studio;
    for (const [name, node] of nodes) {
      if (rows.some((row) => key(row) === name)) continue;
      node.remove();
      nodes.delete(name);
    }
    rows.forEach((row, i) => {
      const node = nodes.get(key(row)) ?? create(row);
      nodes.set(key(row), node);
      if (list.children[i] !== node) list.insertBefore(node, list.children[i] ?? null);
      show(node, row);
    });
    update(none, "hidden", rows.length > 0 || Boolean(studio.settings.guide));
    showGuide();
  }

  function showGuide() {
    const { guide: picture, guide_layer: layer } = studio.settings;
    update(guide, "hidden", !picture);
    if (!picture) return;
    const url = assetUrl(picture);
    if (guideImage.getAttribute("src") !== url) guideImage.src = url;
    showValue(guideLayer, layer);
  }

  guideLayer.onchange = () => studio.set({ guide_layer: guideLayer.value });
  byId("guide-remove").onclick = () => studio.set({ guide: null });
  studio.on("net", ({ layers }) => setOptions(guideLayer, layers.map(({ name }) => [name, name])));
  studio.on("settings", render);
}
