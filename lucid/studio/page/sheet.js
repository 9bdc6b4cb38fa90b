/** Nine seeds side by side: a button over each. */

import { byId, element, update } from "./dom.js";

/** @param {import("./state.js").Studio} studio */
export function createSheet(studio) {
  const grid = byId("seeds");
  for (let index = 0; index < 9; index++) {
    const label = `Go on with number ${index + 1}`;
    const caption = element("span", {}, element("i", {}, "Go on with number "), String(index + 1));
    const button = element("button", { title: label, "aria-label": label, onclick: () => studio.do("pick", { index }) }, caption);
    button.dataset.pick = index;
    grid.append(button);
  }
  studio.on("state", ({ status }) => update(grid, "hidden", status !== "sheet"));
}
