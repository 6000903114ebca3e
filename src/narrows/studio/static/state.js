// The code under the dials, its past and its future; and the part of the page's state that a link holds.

/** A code that panels share: they turn it, and are told when another does. */
export class Code {
  /** @param {number} n components */
  constructor(n) {
    this.value = new Float32Array(n);
    /** @type {Set<number>} components that random, reset and examples leave alone */
    this.locked = new Set();
    /** @type {Float32Array[]} */ this.past = [];
    /** @type {Float32Array[]} */ this.future = [];
    /** @type {Set<(value: Float32Array) => void>} */ this.listeners = new Set();
    this.turning = false;
    this.ready = false; // whether it has been given a value
  }

  /** @param {(value: Float32Array) => void} listener @returns {() => void} stops telling it */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tell() {
    for (const listener of this.listeners) listener(this.value);
  }

  /** One dial moves. All moves until `release` are one step back.
   * @param {number} component @param {number} value */
  turn(component, value) {
    if (!this.turning) this.remember();
    this.turning = true;
    this.value[component] = value;
    this.tell();
  }

  release() {
    this.turning = false;
  }

  /** A whole new code, except for what is locked.
   * @param {ArrayLike<number>} value @param {{locks?: boolean}} [how] */
  set(value, { locks = true } = {}) {
    this.turning = false;
    if (this.ready) this.remember();
    this.ready = true;
    for (let i = 0; i < this.value.length; i++) {
      if (!locks || !this.locked.has(i)) this.value[i] = value[i] ?? 0;
    }
    this.tell();
  }

  remember() {
    this.past.push(this.value.slice());
    if (this.past.length > 500) this.past.shift();
    this.future = [];
  }

  undo() {
    this.#travel(this.past, this.future);
  }

  redo() {
    this.#travel(this.future, this.past);
  }

  /** @param {Float32Array[]} from @param {Float32Array[]} to */
  #travel(from, to) {
    const there = from.pop();
    if (!there) return;
    to.push(this.value.slice());
    this.value.set(there);
    this.turning = false;
    this.tell();
  }
}

/** A code as a link holds it: "0.5,-1.25", or "12:0.5,80:1.2" where most of it is zero.
 * @param {Float32Array} value */
export function packed(value) {
  const numbers = Array.from(value, (v) => String(Number(v.toFixed(4))));
  const active = numbers.flatMap((v, i) => (v === "0" || v === "-0" ? [] : [`${i}:${v}`]));
  return active.length * 3 < numbers.length ? `${numbers.length};${active.join(",")}` : numbers.join(",");
}

/** @param {string} text @param {number} n @returns {Float32Array | null} null if it is no code of n components */
export function unpacked(text, n) {
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

/** "#map?x=0&y=1" -> the panel and its parameters. */
export function readHash() {
  const [panel, query = ""] = location.hash.slice(1).split("?");
  return { panel, parameters: Object.fromEntries(new URLSearchParams(query)) };
}

/** The link to a panel in a state.
 * @param {string} panel @param {Record<string, string>} parameters */
export function hash(panel, parameters) {
  const query = new URLSearchParams(parameters).toString().replaceAll("%2C", ",").replaceAll("%3A", ":").replaceAll("%3B", ";");
  return `#${panel}${query && "?"}${query}`;
}
