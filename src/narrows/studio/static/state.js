// The code of the dials, with undo and redo, and the links that restore a panel.

/** A code that panels share. Each panel can change it, and listeners are told of every change. */
export class Code {
  /** @param {number} n components */
  constructor(n) {
    this.value = new Float32Array(n);
    /** @type {Set<number>} components that random codes, reset and examples do not change */
    this.locked = new Set();
    /** @type {Float32Array[]} */ this.past = [];
    /** @type {Float32Array[]} */ this.future = [];
    /** @type {Set<(value: Float32Array) => void>} */ this.listeners = new Set();
    this.turning = false;
    this.turned = -1; // the component that was turned last
    this.ready = false; // true once it has a value
  }

  /** @param {(value: Float32Array) => void} listener @returns {() => void} removes the listener */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  notify() {
    for (const listener of this.listeners) listener(this.value);
  }

  /** Move one dial. All moves until `release` are one step of undo.
   * @param {number} component @param {number} value */
  turn(component, value) {
    if (!this.turning) this.pushHistory();
    this.turning = true;
    this.turned = component;
    this.value[component] = value;
    this.notify();
  }

  release() {
    this.turning = false;
  }

  /** Set all components but the locked ones.
   * @param {ArrayLike<number>} value @param {{keepLocked?: boolean}} [options] */
  set(value, { keepLocked = true } = {}) {
    this.turning = false;
    if (this.ready) this.pushHistory();
    this.ready = true;
    for (let i = 0; i < this.value.length; i++) {
      if (!keepLocked || !this.locked.has(i)) this.value[i] = value[i] ?? 0;
    }
    this.notify();
  }

  pushHistory() {
    this.past.push(this.value.slice());
    if (this.past.length > 500) this.past.shift();
    this.future = [];
  }

  undo() {
    this.#restore(this.past, this.future);
  }

  redo() {
    this.#restore(this.future, this.past);
  }

  /** @param {Float32Array[]} from @param {Float32Array[]} to */
  #restore(from, to) {
    const value = from.pop();
    if (!value) return;
    to.push(this.value.slice());
    this.value.set(value);
    this.turning = false;
    this.notify();
  }
}

/** Format a code for a link: "0.5,-1.25", or "100;12:0.5,80:1.2" if most of it is zero.
 * @param {Float32Array} value */
export function formatCode(value) {
  const numbers = Array.from(value, (v) => String(Number(v.toFixed(4))));
  const active = numbers.flatMap((v, i) => (v === "0" || v === "-0" ? [] : [`${i}:${v}`]));
  return active.length * 3 < numbers.length ? `${numbers.length};${active.join(",")}` : numbers.join(",");
}

/** Parse a code of a link. @param {string} text @param {number} n components
 * @returns {Float32Array | null} null if it is no such code */
export function parseCode(text, n) {
  const value = new Float32Array(n);
  const [size, active] = text.split(";");
  if (active !== undefined) {
    if (Number(size) !== n) return null;
    for (const pair of active.split(",").filter(Boolean)) {
      const [i, v] = pair.split(":").map(Number);
      if (!(i >= 0 && i < n && Number.isFinite(v))) return null;
      value[i] = v;
    }
    return value;
  }
  const numbers = text.split(",").map(Number);
  if (numbers.length !== n || !numbers.every(Number.isFinite)) return null;
  value.set(numbers);
  return value;
}

/** Read the panel and its parameters from the address, as in "#map?x=0&y=1". */
export function readHash() {
  const [panel, query = ""] = location.hash.slice(1).split("?");
  return { panel, parameters: Object.fromEntries(new URLSearchParams(query)) };
}

/** Format a link that opens a panel with parameters.
 * @param {string} panel @param {Record<string, string>} parameters */
export function formatHash(panel, parameters) {
  const query = new URLSearchParams(parameters)
    .toString()
    .replaceAll("%2C", ",")
    .replaceAll("%3A", ":")
    .replaceAll("%3B", ";");
  return `#${panel}${query && "?"}${query}`;
}
