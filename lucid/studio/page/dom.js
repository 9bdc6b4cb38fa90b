/** Small helpers for the document. Text always goes in as text: names and errors come from outside. */

/** The element with this id. @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * A new element with properties and children; `class` and `aria-…` are attributes.
 * @param {string} tag
 * @param {Object<string, any>} [properties]
 * @param {...(Node|string)} children
 * @returns {any}
 */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class" || name === "role" || name.includes("-")) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

/**
 * An icon button, as `#i-NAME` of index.html draws it.
 * @param {string} icon
 * @param {string} label
 * @param {() => void} onclick
 * @returns {HTMLButtonElement}
 */
export function iconButton(icon, label, onclick) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
  setIcon(svg, icon);
  return element("button", { class: "icon", type: "button", title: label, "aria-label": label, onclick }, svg);
}

/**
 * Show another icon.
 * @param {Element} holder an svg, or something that holds one
 * @param {string} icon
 */
export function setIcon(holder, icon) {
  holder.querySelector("use").setAttribute("href", `#i-${icon}`);
}

/**
 * Set a property or text only when it differs, so that nothing jumps and screen readers are not told twice.
 * @param {any} node
 * @param {string} property
 * @param {any} value
 */
export function update(node, property, value) {
  if (node[property] !== value) node[property] = value;
}

/**
 * Show a value in a control, unless the user is just typing there; draws the filled part of a slider.
 * @param {HTMLInputElement|HTMLSelectElement} control
 * @param {string|number|null} value
 */
export function showValue(control, value) {
  const typing = control === document.activeElement && ["number", "text"].includes(control.type);
  if (!typing) update(control, "value", value === null ? "" : String(value));
  if (control.type === "range") fillRange(control);
}

/**
 * Draw the filled part of a slider (Chromium and Safari have no CSS for it).
 * @param {any} range
 */
export function fillRange(range) {
  const share = (range.value - range.min) / (range.max - range.min || 1);
  range.style.setProperty("--value", `${100 * share}%`);
}

/**
 * Replace the options of a select.
 * @param {HTMLSelectElement} select
 * @param {Array<[string, string]>} options values and texts
 */
export function setOptions(select, options) {
  const value = select.value;
  select.replaceChildren(...options.map(([v, text]) => new Option(text, v)));
  if (options.some(([v]) => v === value)) select.value = value;
}

let gestures = 0;

/**
 * A new id for a gesture: all changes of one drag are one step of undo.
 * @returns {string}
 */
export const newGesture = () => `${Date.now().toString(36)}-${++gestures}`;

/**
 * Call `change(value, gesture)` while a control is moved; one gesture from the first input to the change event.
 * @param {HTMLInputElement} control
 * @param {(value: number, gesture: string) => void} change
 */
export function onDrag(control, change) {
  let gesture = "";
  control.addEventListener("input", () => {
    gesture ||= newGesture();
    if (control.type === "range") fillRange(control);
    if (control.value !== "" && control.validity.valid) change(Number(control.value), gesture);
  });
  control.addEventListener("change", () => { gesture = ""; });
}
