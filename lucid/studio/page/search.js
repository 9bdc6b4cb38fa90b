/** The search: a combobox over the classes, groups and layers of the net. */

import { byId, element } from "./dom.js";

const MOST = 60;

/** @typedef {{kind: "class"|"layer", name: string, about: string, word: string}} Choice */

/**
 * The choices that a query finds, best first: names that begin with it, then words that do, then the rest.
 * @param {Choice[]} choices
 * @param {string} query
 * @returns {Choice[]}
 */
export function find(choices, query) {
  const wanted = query.trim().toLowerCase();
  if (!wanted) return choices.slice(0, MOST);
  const ranked = [];
  for (const choice of choices) {
    const at = choice.word.indexOf(wanted);
    if (at < 0) continue;
    const atWord = at === 0 || new RegExp(`(^|[^a-z0-9])${wanted.replace(/[^a-z0-9 ]/g, "\\$&")}`).test(choice.word);
    ranked.push([choice.word === wanted ? 0 : at === 0 ? 1 : atWord ? 2 : 3, choice]);
  }
  return ranked.sort((a, b) => a[0] - b[0]).slice(0, MOST).map(([, choice]) => choice);
}

/**
 * What there is to choose from.
 * @param {{classes: string[], groups: string[], layers: Array<{name: string, channels: number}>}} net
 * @returns {Choice[]}
 */
export function choicesOf({ classes, groups, layers }) {
  const choice = (kind, about) => (name) => ({ kind, name, about, word: name.toLowerCase() });
  return [
    ...groups.map(choice("class", "group")),
    ...classes.filter((name) => !groups.includes(name)).map(choice("class", "")),
    ...layers.map(({ name, channels }) => ({ kind: "layer", name, about: `layer, ${channels} channels`, word: `layer ${name}`.toLowerCase() })),
  ];
}

/** @param {import("./state.js").Studio} studio */
export function createSearch(studio) {
  const [input, list] = ["search", "options"].map(byId);
  let choices = [];
  /** @type {Choice[]} */ let found = [];
  let active = -1;

  function open() {
    found = find(choices, input.value).concat(channel());
    active = input.value.trim() && found.length ? 0 : -1;
    const nothing = element("li", { class: "none" }, "Nothing has this name");
    list.replaceChildren(...(found.length ? found.map(option) : [nothing]));
    list.scrollTop = 0;
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark();
  }

  // "layer 8:5" is channel 5 of layer 8: too many to list, so it is read from the query.
  function channel() {
    const [, name, number] = /^layer (.+):(\d+)$/i.exec(input.value.trim()) ?? [];
    const layer = studio.net?.layers.find((each) => each.name === name);
    if (!layer || Number(number) >= layer.channels) return [];
    return [{ kind: "layer", name: `${name}:${Number(number)}`, about: "one channel", word: `layer ${name}:${number}` }];
  }

  function close() {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function option(choice, i) {
    const shown = choice.kind === "layer" ? `layer ${choice.name}` : choice.name;
    const at = shown.toLowerCase().indexOf(input.value.trim().toLowerCase());
    const size = at < 0 ? 0 : input.value.trim().length;
    const name = element("span", {}, shown.slice(0, Math.max(0, at)), element("mark", {}, shown.slice(at, at + size)), shown.slice(Math.max(0, at) + size));
    const node = element("li", { role: "option", id: `option-${i}`, "aria-selected": "false" }, name, element("small", {}, choice.about));
    // Not on click: the input would lose the focus first.
    node.onpointerdown = (event) => { if (event.pointerType === "mouse") { event.preventDefault(); take(choice); } };
    node.onclick = () => take(choice);
    return node;
  }

  function mark() {
    list.querySelectorAll("[role=option]").forEach((node, i) => {
      node.setAttribute("aria-selected", String(i === active));
      if (i === active) node.scrollIntoView({ block: "nearest" });
    });
    if (active < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `option-${active}`);
  }

  function take(choice) {
    if (list.hidden) return;
    studio.addRow(choice.kind, choice.name);
    input.value = "";
    close();
  }

  function onKey(event) {
    const { key } = event;
    if (key === "ArrowDown" || key === "ArrowUp") {
      if (list.hidden) open();
      else if (found.length) active = (active + (key === "ArrowDown" ? 1 : active < 0 ? 0 : -1) + found.length) % found.length;
      mark();
    } else if (key === "Enter") {
      if (!list.hidden && found[active]) take(found[active]);
    } else if (key === "Escape") {
      if (list.hidden) input.value = "";
      close();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  input.addEventListener("input", open);
  input.addEventListener("click", () => { if (list.hidden) open(); });
  input.addEventListener("keydown", onKey);
  input.addEventListener("blur", close);
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  studio.on("net", (net) => { choices = choicesOf(net); });
}
