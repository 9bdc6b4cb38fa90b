/** The brush: mouse, pen and finger paint masks on the overlay. */

import { putMask } from "./assets.js";
import { byId, fillRange, newGesture, update } from "./dom.js";
import { Mask } from "./masks.js";

const TOOLS = ["look", "brush", "eraser", "unpaint"];
const ACTIONS = ["fill", "soften", "invert", "clear"];
const PEN_ERASER = 32;
/** Distance between two dabs, in radii: close enough that a stroke looks like one. */
const SPACING = 0.18;

/**
 * @param {import("./state.js").Studio} studio
 * @param {import("./mask-store.js").MaskStore} store
 * @param {ReturnType<import("./overlay.js").createOverlay>} overlay
 * @returns {{use: (tool: string) => void, resize: (steps: number) => void, act: (action: string) => void, toggleMasks: () => void}}
 */
export function createBrush(studio, store, { redraw, erasing }) {
  const [canvas, ring, sizeInput] = ["overlay", "ring", "brush-size"].map(byId);
  let tool = "brush";
  /** The stroke under way. */
  let stroke = null;
  /** The last event of the pointer, for the ring. */
  let pointer = null;

  const radius = () => (Number(sizeInput.value) / 200) * Math.max(...store.size);
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const [width, height] = store.size;
    return { x: ((event.clientX - box.left) / box.width) * width, y: ((event.clientY - box.top) / box.height) * height };
  };
  // Only pens know pressure: mice say 0.5 and fingers 0 or 1.
  const pressure = (event) => (event.pointerType === "pen" ? 0.25 + 0.95 * event.pressure : 1);

  function use(next) {
    tool = next;
    document.body.dataset.tool = tool;
    for (const name of TOOLS) byId(`tool-${name}`).setAttribute("aria-pressed", String(name === tool));
    if (tool === "look") ring.style.visibility = "hidden";
    ring.dataset.tool = tool;
  }

  function begin(event) {
    if (stroke) return event.pointerType === "touch" && event.pointerId !== stroke.pointer ? callOff() : undefined;
    if (tool === "look" || event.button > 0 && event.buttons !== PEN_ERASER || !studio.settings) return;
    if (["sheet", "film"].includes(studio.state.status)) return;
    const unpaint = tool === "unpaint";
    const row = studio.selectedRow;
    if (!unpaint && !row) return studio.emit("notice", { text: "Add something to paint first: type a word such as lion" });
    const erase = tool === "eraser" || event.buttons === PEN_ERASER;
    const before = unpaint ? null : store.shown(row.id)?.copy();
    if (!unpaint) store.stroking = row.id;
    const mask = unpaint ? (erasing.mask = new Mask(store.size)) : store.edit(row.id, erase);
    stroke = { pointer: event.pointerId, row: row?.id, unpaint, erase: erase && !unpaint, before, mask, gesture: newGesture(), last: null };
    canvas.setPointerCapture(event.pointerId);
    document.body.dataset.stroking = "";
    if (document.body.dataset.masks === "hidden") toggleMasks();
    if (!unpaint && !row.on) studio.setRow(row.id, { on: true }, stroke.gesture);
    extend(event);
  }

  function move(event) {
    showRing(event);
    if (stroke?.pointer !== event.pointerId) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) extend(each);
  }

  // Dabs from the last point to this one, evenly spaced, so that fast strokes have no gaps.
  function extend(event) {
    const to = { ...place(event), radius: Math.max(0.5, radius() * pressure(event)) };
    const from = stroke.last ?? to;
    const distance = Math.hypot(to.x - from.x, to.y - from.y);
    const steps = Math.floor(distance / Math.max(0.5, SPACING * to.radius));
    if (stroke.last && !steps) return;
    for (let i = stroke.last ? 1 : 0; i <= steps; i++) {
      const share = steps ? i / steps : 1;
      const mix = (key) => from[key] + (to[key] - from[key]) * share;
      stroke.mask.dab(mix("x"), mix("y"), mix("radius"), stroke.erase);
    }
    stroke.last = to;
    redraw();
    if (!stroke.unpaint) store.push(stroke.row, stroke.gesture);
  }

  async function end(event) {
    if (stroke?.pointer !== event.pointerId) return;
    const { unpaint, row, mask, gesture } = stroke;
    finish();
    if (!unpaint) return store.push(row, gesture);
    try {
      const name = await putMask(await mask.toPng());
      if (name) studio.do("erase", { mask: name });
    } catch (error) {
      studio.emit("error", { text: error.message });
    }
    if (erasing.mask === mask) erasing.mask = null;
    redraw();
  }

  // A second finger, or the browser, wants to scroll: take the stroke back.
  function callOff() {
    const { unpaint, row, before, gesture } = stroke;
    finish();
    erasing.mask = null;
    if (!unpaint) {
      store.restore(row, before);
      store.push(row, gesture);
    }
    redraw();
  }

  function finish() {
    stroke = null;
    store.stroking = null;
    delete document.body.dataset.stroking;
  }

  function showRing(event) {
    if (tool === "look" || event.pointerType === "touch") return;
    pointer = event;
    const box = canvas.getBoundingClientRect();
    const pressed = event.pointerType === "pen" && event.buttons ? pressure(event) : 1;
    const diameter = Math.max(4, (Number(sizeInput.value) / 100) * Math.max(box.width, box.height) * pressed);
    update(ring.style, "width", `${diameter}px`);
    update(ring.style, "height", `${diameter}px`);
    ring.style.transform = `translate(${event.clientX - box.left - diameter / 2}px, ${event.clientY - box.top - diameter / 2}px)`;
    ring.style.visibility = "visible";
  }

  // Fill, soften, invert and clear act at once, on the selected row.
  function act(action) {
    const row = studio.selectedRow;
    if (!row) return studio.emit("notice", { text: "Add something to paint first: type a word such as lion" });
    if (action === "clear") return studio.setRow(row.id, { mask: null });
    if (action !== "fill" && !store.shown(row.id)) {
      return studio.emit("notice", { text: `${row.name} grows everywhere: paint with the brush first` });
    }
    store.edit(row.id, false)[action]();
    store.push(row.id, newGesture());
    redraw();
  }

  function resize(steps) {
    sizeInput.value = Number(sizeInput.value) + steps * Math.max(1, Math.round(sizeInput.value / 8));
    fillRange(sizeInput);
    if (pointer && ring.style.visibility === "visible") showRing(pointer);
  }

  function toggleMasks() {
    const shown = document.body.dataset.masks === "hidden";
    document.body.dataset.masks = shown ? "shown" : "hidden";
    byId("tool-masks").setAttribute("aria-pressed", String(shown));
  }

  canvas.addEventListener("pointerdown", begin);
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", (event) => { if (stroke?.pointer === event.pointerId) callOff(); });
  canvas.addEventListener("pointerleave", () => { ring.style.visibility = "hidden"; });
  sizeInput.addEventListener("input", () => fillRange(sizeInput));
  for (const name of TOOLS) byId(`tool-${name}`).onclick = () => use(name);
  for (const name of ACTIONS) byId(`tool-${name}`).onclick = () => act(name);
  byId("tool-masks").onclick = toggleMasks;
  fillRange(sizeInput);
  // On a phone a finger on the picture means scrolling, until a brush is chosen.
  use(matchMedia("(pointer: coarse)").matches ? "look" : "brush");
  return { use, resize, act, toggleMasks };
}
