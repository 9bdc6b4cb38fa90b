/** The history: a strip of thumbnails; click one to go there. */

import { byId, element } from "./dom.js";

/** @param {import("./state.js").Studio} studio */
export function createHistory(studio) {
  const strip = byId("history");
  const buttons = new Map();
  let last = "";

  function entryButton({ id, label, thumb }) {
    const known = buttons.get(id);
    if (known?.dataset.label === label && known.dataset.thumb === thumb.slice(-32)) return known;
    const button = element("button", { title: label, onclick: () => studio.do("go", { to: id }) },
      element("img", { src: thumb, alt: "" }), element("span", {}, label));
    button.dataset.label = label;
    button.dataset.thumb = thumb.slice(-32);
    button.dataset.entry = id;
    buttons.set(id, button);
    return button;
  }

  function show({ entries, at }) {
    for (const id of buttons.keys()) if (!entries.some((entry) => entry.id === id)) buttons.delete(id);
    const items = entries.map((entry, i) => {
      const button = entryButton(entry);
      if (i === at) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
      button.classList.toggle("undone", i > at);
      return element("li", {}, button);
    });
    if (!entries.length) items.push(element("li", { class: "empty" }, "What you do appears here; click it to go back."));
    else if (at >= entries.length) items.push(element("li", { class: "now" }, "Now"));
    const focused = document.activeElement;
    strip.replaceChildren(...items);
    if (strip.contains(focused)) focused.focus({ preventScroll: true });
    // Scroll only when the present moved, so that looking back is not disturbed.
    const present = `${entries.length} ${at}`;
    if (present !== last) {
      const now = strip.children[Math.min(at, items.length - 1)];
      strip.scrollLeft = now ? now.offsetLeft - strip.offsetLeft - strip.clientWidth + 2 * now.offsetWidth : 0;
    }
    last = present;
  }

  show({ entries: [], at: 0 });
  studio.on("history", show);
}
