/** Small helpers for the document. Text always goes in as text: captions and options come from outside. */

/** The element with this id. @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);

/**
 * A new element with properties and children; `class` and `aria-…` are attributes.
 * @param {string} tag
 * @param {Object<string, any>} [properties]
 * @param {...(Node|string)} children
 * @returns {any}
 */
function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class" || name.includes("-")) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

/** An icon, as `#i-NAME` of index.html draws it. @param {string} name */
function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Whether the user wants nothing to move by itself. */
const prefersStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** A count as it is written: 12,345. @param {number} count */
const counted = (count) => count.toLocaleString("en");
