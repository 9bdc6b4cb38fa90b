/** The masks of the rows: fetched when the server names one, uploaded while they are painted. */

import { assetUrl, putMask } from "./assets.js";
import { Mask, maskSize } from "./masks.js";

/** Least time between two uploads of a stroke, in milliseconds. */
const PACE = 120;

export class MaskStore {
  /** @param {import("./state.js").Studio} studio */
  constructor(studio) {
    this.studio = studio;
    /** @type {Map<number, {name: string|null, mask: Mask}>} */ this.masks = new Map();
    /** Rows whose mask has changed here, with the gesture. @type {Map<number, string>} */ this.changed = new Map();
    /** The row that a stroke is on: its mask is not taken from the server. */ this.stroking = null;
    this.uploading = false;
    studio.on("settings", () => this.sync());
  }

  /** @returns {[number, number]} */
  get size() {
    return maskSize(this.studio.settings.size);
  }

  /** The mask of a row to show, if it has one. @param {number} id @returns {Mask|undefined} */
  shown(id) {
    return this.masks.get(id)?.mask;
  }

  /** The mask of a row to change; without one, an empty or a full one. @param {number} id @param {boolean} full */
  edit(id, full) {
    const [width, height] = this.size;
    let entry = this.masks.get(id);
    if (!entry) {
      entry = { name: null, mask: new Mask([width, height]) };
      if (full) entry.mask.fill();
      this.masks.set(id, entry);
    }
    const { canvas } = entry.mask;
    if (canvas.width !== width || canvas.height !== height) {
      const old = canvas;
      entry.mask = new Mask([width, height]);
      entry.mask.context.drawImage(old, 0, 0, width, height);
    }
    return entry.mask;
  }

  /** Put another mask in place, such as the one before a stroke that was called off. @param {number} id @param {Mask|undefined} mask */
  restore(id, mask) {
    if (mask) this.masks.get(id).mask = mask;
    else this.masks.delete(id);
  }

  /** Upload the mask of a row soon. @param {number} id @param {string} gesture */
  push(id, gesture) {
    this.changed.set(id, gesture);
    if (!this.uploading) this.upload();
  }

  /** One upload at a time, of the newest strokes: what was painted meanwhile goes with the next. */
  async upload() {
    this.uploading = true;
    while (this.changed.size) {
      const [id, gesture] = this.changed.entries().next().value;
      this.changed.delete(id);
      const entry = this.masks.get(id);
      const started = performance.now();
      try {
        const name = entry ? await putMask(await entry.mask.toPng()) : null;
        if (entry) entry.name = name;
        if (!this.studio.rows.some((row) => row.id === id)) continue;
        if (this.studio.rows.find((row) => row.id === id).mask !== name) this.studio.setRow(id, { mask: name }, gesture);
        if (entry && !name && !this.busy(id)) this.studio.emit("notice", { text: "Nothing is left of the mask: the row grows everywhere" });
      } catch (error) {
        this.studio.emit("error", { text: error.message });
      }
      await new Promise((done) => setTimeout(done, PACE - (performance.now() - started)));
    }
    this.uploading = false;
    this.sync();
  }

  /** Is the mask here newer than the server's? @param {number} id */
  busy(id) {
    return this.stroking === id || this.changed.has(id);
  }

  /** Take the masks that the settings name: after undo, after a reload, from another tab. */
  sync() {
    const rows = this.studio.rows;
    for (const id of this.masks.keys()) if (!rows.some((row) => row.id === id)) this.masks.delete(id);
    for (const { id, mask: name } of rows) {
      const entry = this.masks.get(id);
      if (this.busy(id) || (entry?.name ?? null) === name) {
        if (entry && !name && !this.busy(id) && !this.uploading) this.masks.delete(id);
        continue;
      }
      if (this.uploading) continue;
      if (!name) this.masks.delete(id);
      else this.load(id, name);
    }
    this.studio.emit("masks");
  }

  async load(id, name) {
    const entry = { name, mask: this.shown(id) ?? new Mask(this.size) };
    this.masks.set(id, entry);
    const answer = await fetch(assetUrl(name), { credentials: "same-origin" }).catch(() => null);
    if (!answer?.ok) return;
    const mask = await Mask.read(await answer.blob(), this.size);
    if (this.masks.get(id) !== entry || this.busy(id)) return;  // painted or undone meanwhile
    entry.mask = mask;
    this.studio.emit("masks");
  }
}
