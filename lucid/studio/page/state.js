/** What the page knows: the server's state, with the changes that the server has not confirmed yet laid over it. */

/** @typedef {{id: number, kind: "class"|"layer", name: string, weight: number, mask: string|null, on: boolean}} Row */

/** How long a change of ours is believed against states that were sent before it arrived. */
const PATIENCE = 1500;
const MAX_ROWS = 12;

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export class Studio {
  constructor() {
    /** @type {Object|null} */ this.hello = null;
    /** @type {{name: string, classes: string[], groups: string[], layers: Array<{name: string, channels: number}>}|null} */
    this.net = null;
    this.state = { status: "loading", running: false, can: { undo: false, redo: false }, passes: 0 };
    /** @type {any} */ this.settings = null;
    /** The row that the brush paints for. @type {number|null} */ this.selected = null;
    this.connected = false;
    this.confirmed = null;
    this.pending = new Map();
    this.listeners = new Map();
    this.timer = 0;
    this.lastId = 0;
    /** Sends a message to the server; set by main.js. @type {(message: Object) => boolean} */ this.transmit = () => false;
  }

  /** Call `listener` at every event of this type. @param {string} type @param {(event: any) => void} listener */
  on(type, listener) {
    if (!this.listeners.has(type)) this.listeners.set(type, []);
    this.listeners.get(type).push(listener);
  }

  /** @param {string} type @param {any} [event] */
  emit(type, event) {
    for (const listener of this.listeners.get(type) ?? []) listener(event);
  }

  /** Ask the server to do something. @param {string} action @param {Object} [details] */
  do(action, details = {}) {
    // These set everything anew: what we asked before them counts no more.
    if (["undo", "redo", "go", "recall", "pick"].includes(action)) this.pending.clear();
    this.transmit({ do: action, ...details });
  }

  /** Change settings, and show them at once. @param {Object} changes @param {string} [gesture] */
  set(changes, gesture) {
    if (!this.settings) return;
    this.settings = { ...this.settings, ...changes };
    const since = performance.now();
    for (const key of Object.keys(changes)) this.pending.set(key, { value: changes[key], since });
    this.transmit({ do: "set", changes, ...(gesture && { gesture }) });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.settle(), PATIENCE + 50);
    this.emit("settings");
  }

  /** Change one row. @param {number} id @param {Partial<Row>} changes @param {string} [gesture] */
  setRow(id, changes, gesture) {
    this.set({ rows: this.rows.map((row) => (row.id === id ? { ...row, ...changes } : row)) }, gesture);
  }

  /** @param {"class"|"layer"} kind @param {string} name */
  addRow(kind, name) {
    if (this.rows.length >= MAX_ROWS) return this.emit("error", { text: `At most ${MAX_ROWS} rows: remove one first` });
    const row = { id: ++this.lastId, kind, name, weight: 1, mask: null, on: true };
    this.selected = row.id;
    this.set({ rows: [...this.rows, row] });
  }

  /** @param {number} id */
  removeRow(id) {
    this.set({ rows: this.rows.filter((row) => row.id !== id) });
  }

  /** @returns {Row[]} */
  get rows() {
    return this.settings?.rows ?? [];
  }

  /** @returns {Row|undefined} */
  get selectedRow() {
    return this.rows.find((row) => row.id === this.selected);
  }

  /** @param {number} id */
  select(id) {
    this.selected = id;
    this.emit("settings");
  }

  /** A message of the server. @param {any} message */
  receive(message) {
    if (message.type === "hello") this.hello = message;
    if (message.type === "net") this.net = message;
    if (message.type === "error") this.pending.clear();  // it may have refused a change: its next state is right
    if (message.type === "state") {
      this.state = message;
      this.confirmed = message.settings;
      this.settle();
    }
    this.emit(message.type, message);
  }

  /** The server's settings, except what we changed a moment ago and it has not heard of. */
  settle() {
    if (!this.confirmed) return;
    const settings = { ...this.confirmed };
    const now = performance.now();
    for (const [key, { value, since }] of this.pending) {
      if (same(settings[key], value) || now - since > PATIENCE) this.pending.delete(key);
      else settings[key] = value;
    }
    this.settings = settings;
    this.lastId = Math.max(this.lastId, ...settings.rows.map((row) => row.id));
    if (!this.selectedRow) this.selected = settings.rows[0]?.id ?? null;
    this.emit("settings");
  }

  /** Nothing that was sent before the connection broke will be confirmed. */
  forget() {
    this.pending.clear();
  }
}
