// @ts-nocheck: the scripts of the report are not typed
// The data of a map to explore: typed arrays, and filters that know which rows each of them leaves out.

import { clamp, formatNumber, withMinus } from "./drawing.js";

/**
 * @typedef {{name: string, kind: "number" | "date" | "level", data: string, levels?: string[],
 *   medoids?: number[], isCluster?: boolean}} PackedColumn
 * @typedef {{n: number, noun: string, views: {name: string, places: {x: string, y: string}}[], columns: PackedColumn[],
 *   start: number, rows: number[] | null, names: string[] | null, ramp: [number, number, number][],
 *   pictures?: {across: number, width: number, height: number, rows: number[] | null, ink: boolean}}} ExplorerData
 */

export const NO_LEVEL = 65535; // a missing level
export const N_BARS = 24; // bars of a histogram of numbers
const SELECTION = 1; // the bit of the selection among the filters

/** Return the bytes that base64 text holds. @param {string} text */
function unpackBytes(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes.buffer;
}

/** Return the values of a column. @param {PackedColumn} packed */
function unpackColumn({ kind, data }) {
  const buffer = unpackBytes(data);
  if (kind === "level") return new Uint16Array(buffer);
  return kind === "date" ? new Float64Array(buffer) : new Float32Array(buffer);
}

/** A column of numbers, dates or levels. Its bars are those of a histogram: steps of numbers, or levels. */
export class ExplorerColumn {
  /** @param {Omit<PackedColumn, "data">} column @param {Uint16Array | Float32Array | Float64Array} values
   * @param {number} bit of the column among the filters */
  constructor({ name, kind, levels, medoids, isCluster }, values, bit) {
    Object.assign(this, { name, kind, levels, medoids, isCluster, values, bit });
    /** @type {[number, number] | null} */ this.range = null; // of the filter, of numbers
    /** @type {Set<number>} */ this.chosen = new Set(); // levels of the filter
    this.#setBars();
  }

  /** Give each row its bar; the last bar holds the rows without a value. */
  #setBars() {
    const { values } = this;
    if (this.kind === "level") {
      this.nBars = this.levels.length;
      this.bars = values.map((level) => (level === NO_LEVEL ? this.nBars : level));
      return;
    }
    const sorted = values.filter((v) => v === v).sort();
    const last = sorted.length - 1;
    // the farthest values would make all other bars one
    this.low = last < 0 ? 0 : sorted[Math.floor(0.005 * last)];
    this.high = last < 0 ? 1 : sorted[Math.ceil(0.985 * last)];
    if (!(this.high > this.low)) this.high = this.low + 1;
    this.nBars = N_BARS;
    const scale = N_BARS / (this.high - this.low);
    this.bars = new Uint8Array(values.length);
    for (let i = 0; i < values.length; i++) {
      const v = values[i];
      this.bars[i] = v === v ? clamp(Math.floor((v - this.low) * scale), 0, N_BARS - 1) : N_BARS;
    }
  }

  get isFiltered() {
    return this.range !== null || this.chosen.size > 0;
  }

  clear() {
    this.range = null;
    this.chosen.clear();
  }

  /** Return 1 for each bar whose rows the filter leaves in, else 0. */
  passing() {
    const [first, last] = this.range ?? [0, this.nBars - 1];
    const passes = (bar) => (this.kind === "level" ? this.chosen.has(bar) : bar >= first && bar <= last);
    const withoutValue = this.isFiltered ? 0 : 1;
    return Uint8Array.from({ length: this.nBars + 1 }, (_, bar) =>
      bar === this.nBars ? withoutValue : Number(!this.isFiltered || passes(bar)),
    );
  }

  /** The value of a row as text. @param {number} row */
  text(row) {
    const value = this.values[row];
    if (this.kind === "level") return value === NO_LEVEL ? "\u2014" : this.levels[value];
    return value === value ? this.format(value) : "\u2014";
  }

  /** @param {number} value */
  format(value) {
    if (this.kind === "date") {
      const stamp = new Date(1000 * clamp(value, -62135596800, 253402300799)).toISOString();
      return this.high - this.low > 86400 * 20 ? stamp.slice(0, 10) : stamp.slice(0, 16).replace("T", " ");
    }
    return Number.isInteger(value) && Math.abs(value) < 1e6 ? withMinus(String(value)) : formatNumber(value);
  }

  /** The ends of a bar of numbers. @param {number} bar */
  edge(bar) {
    return this.low + ((this.high - this.low) * bar) / this.nBars;
  }
}

/** The rows, and which filters leave each of them out: a bit for each. */
export class ExplorerRows {
  /** @param {number} n @param {ExplorerColumn[]} columns */
  constructor(n, columns) {
    this.n = n;
    this.columns = columns;
    this.left = new Uint32Array(n); // filters that leave the row out
    this.hasSelection = false;
  }

  /** Apply the filter of a column. @param {ExplorerColumn} column */
  filter(column) {
    const { left, n } = this;
    const { bars, bit } = column;
    const passing = column.passing();
    for (let i = 0; i < n; i++) left[i] = passing[bars[i]] ? left[i] & ~bit : left[i] | bit;
  }

  /** Select rows, or none. @param {Uint8Array | null} inside */
  select(inside) {
    const { left, n } = this;
    this.hasSelection = inside !== null;
    for (let i = 0; i < n; i++) left[i] = !inside || inside[i] ? left[i] & ~SELECTION : left[i] | SELECTION;
  }

  clear() {
    this.left.fill(0);
    this.hasSelection = false;
    for (const column of this.columns) column.clear();
  }

  get isFiltered() {
    return this.hasSelection || this.columns.some((column) => column.isFiltered);
  }

  /** Number of rows that all filters leave in. */
  count() {
    let count = 0;
    for (let i = 0; i < this.n; i++) if (!this.left[i]) count++;
    return count;
  }

  /** Count the rows in each bar of a column that all other filters leave in. @param {ExplorerColumn} column */
  histogram({ bars, nBars, bit }) {
    const counts = new Uint32Array(nBars + 1);
    const others = ~bit;
    for (let i = 0; i < this.n; i++) if (!(this.left[i] & others)) counts[bars[i]]++;
    return counts;
  }

  /** Return at most `most` rows that all filters leave in. @param {number} most */
  first(most) {
    const rows = [];
    for (let i = 0; i < this.n && rows.length < most; i++) if (!this.left[i]) rows.push(i);
    return rows;
  }
}

/** Cells of a square, to find the point near a place quickly. */
class PointIndex {
  /** @param {Float32Array} x @param {Float32Array} y in [0, 1] */
  constructor(x, y) {
    this.side = Math.max(8, Math.min(512, Math.round(Math.sqrt(x.length / 2))));
    Object.assign(this, { x, y });
    const cells = new Uint32Array(x.length);
    this.starts = new Uint32Array(this.side * this.side + 1);
    for (let i = 0; i < x.length; i++) this.starts[(cells[i] = this.#cell(x[i], y[i])) + 1]++;
    for (let c = 1; c < this.starts.length; c++) this.starts[c] += this.starts[c - 1];
    this.order = new Uint32Array(x.length);
    const next = this.starts.slice();
    for (let i = 0; i < x.length; i++) this.order[next[cells[i]]++] = i;
  }

  /** @param {number} x @param {number} y */
  #cell(x, y) {
    const last = this.side - 1;
    return clamp(Math.floor(x * this.side), 0, last) + this.side * clamp(Math.floor(y * this.side), 0, last);
  }

  /** Return the nearest row within a distance, or -1. @param {number} x @param {number} y @param {number} reach
   * @param {(row: number) => boolean} isWanted */
  find(x, y, reach, isWanted) {
    let best = -1;
    let least = reach * reach;
    const last = this.side - 1;
    const at = (v) => clamp(Math.floor(v * this.side), 0, last);
    for (let b = at(y - reach); b <= at(y + reach); b++) {
      for (let a = at(x - reach); a <= at(x + reach); a++) {
        const cell = a + this.side * b;
        for (let k = this.starts[cell]; k < this.starts[cell + 1]; k++) {
          const row = this.order[k];
          const d = (this.x[row] - x) ** 2 + (this.y[row] - y) ** 2;
          if (d < least && isWanted(row)) [best, least] = [row, d];
        }
      }
    }
    return best;
  }
}
