// The points of the map: the position and value of every row, and searches among the visible ones.

import KDBush from "../vendor/kdbush.js";

/** @import {Extent} from "../types" */

const MARGIN = 0.002; // share of the points on each side that `extent` leaves out

export class Scatter {
  /** @type {Float32Array} n x 2, in units of the projection */ positions = new Float32Array(0);
  /** @type {Float32Array} the value that gives each row its colour */ values = new Float32Array(0);
  /** @type {number | null} the only category that is visible; null if all are */ category = null;
  /** @type {Uint32Array | null} n, a bit for each filter that leaves the row out; the first is the selection */
  left = null;
  /** @type {KDBush | null} */ #index = null;

  get n() {
    return this.positions.length / 2;
  }

  /** True if every row has a position and a value. */
  get isComplete() {
    return this.n > 0 && this.values.length === this.n;
  }

  /** @param {Float32Array} positions n x 2 */
  setPositions(positions) {
    this.positions = positions;
    const index = new KDBush(this.n, 64, Float32Array);
    for (let i = 0; i < positions.length; i += 2) index.add(positions[i], positions[i + 1]);
    this.#index = index.finish();
    if (this.values.length !== this.n) this.values = new Float32Array(this.n);
  }

  /** @param {number} row @returns {[number, number]} */
  position(row) {
    return [this.positions[2 * row], this.positions[2 * row + 1]];
  }

  /** True if the row has the category that is shown, and no filter leaves it out. @param {number} row */
  isVisible(row) {
    if (this.left && this.left[row] > 1) return false;
    return this.category === null || this.values[row] === this.category;
  }

  /** Return the visible row nearest to a position, or -1. @param {number} x @param {number} y @param {number} radius */
  nearest(x, y, radius) {
    const rows = this.#index?.within(x, y, radius) ?? [];
    return this.#closest(
      rows.filter((row) => this.isVisible(row)),
      x,
      y,
    );
  }

  /** Return the visible row nearest to a position at any distance, or -1. @param {number} x @param {number} y */
  nearestOfAll(x, y) {
    return this.#closest(
      Array.from({ length: this.n }, (_, row) => row).filter((row) => this.isVisible(row)),
      x,
      y,
    );
  }

  /** Return the next visible row in a direction, or the row itself.
   * @param {number} row @param {number} dx -1, 0 or 1 @param {number} dy @param {number} scale pixels a unit */
  neighbor(row, dx, dy, scale) {
    const [x, y] = this.position(row);
    for (let radius = 12; radius < 4000; radius *= 2) {
      let best = -1;
      let lowestCost = Infinity;
      for (const other of this.#index?.within(x, y, radius / scale) ?? []) {
        const [otherX, otherY] = this.position(other);
        const ahead = (otherX - x) * dx + (otherY - y) * dy;
        const aside = Math.abs((otherX - x) * dy) + Math.abs((otherY - y) * dx);
        // closer than four pixels looks like the same place
        if (ahead * scale < 4 || aside > ahead || !this.isVisible(other)) continue;
        if (ahead + 2 * aside < lowestCost) [best, lowestCost] = [other, ahead + 2 * aside];
      }
      if (best >= 0) return best;
    }
    return row;
  }

  /** Return the visible rows in a box. @param {Extent} extent @returns {number[]} */
  rowsInBox({ left, right, bottom, top }) {
    const rows = this.#index?.range(left, bottom, right, top) ?? [];
    return rows.filter((row) => this.isVisible(row));
  }

  /** Return the visible rows in a polygon. @param {[number, number][]} outline @returns {number[]} */
  rowsInPolygon(outline) {
    const [xs, ys] = [outline.map(([x]) => x), outline.map(([, y]) => y)];
    const box = { left: Math.min(...xs), right: Math.max(...xs), bottom: Math.min(...ys), top: Math.max(...ys) };
    return this.rowsInBox(box).filter((row) => isInside(outline, ...this.position(row)));
  }

  /** Return the box that holds all points except the outermost. @returns {Extent | null} null without points */
  extent() {
    if (!this.n) return null;
    const [left, right] = this.#quantiles(0);
    const [bottom, top] = this.#quantiles(1);
    return { left, right, bottom, top };
  }

  /** @param {0 | 1} axis */
  #quantiles(axis) {
    const sorted = Float32Array.from({ length: this.n }, (_, row) => this.positions[2 * row + axis]).sort();
    const at = (/** @type {number} */ q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
    return [at(MARGIN), at(1 - MARGIN)];
  }

  /** @param {number[]} rows @param {number} x @param {number} y */
  #closest(rows, x, y) {
    let best = -1;
    let shortest = Infinity;
    for (const row of rows) {
      const distance = (this.positions[2 * row] - x) ** 2 + (this.positions[2 * row + 1] - y) ** 2;
      if (distance < shortest) [best, shortest] = [row, distance];
    }
    return best;
  }
}

/** True if a ray from the position to the right crosses the outline an odd number of times.
 * @param {[number, number][]} outline @param {number} x @param {number} y */
function isInside(outline, x, y) {
  let isOdd = false;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
    const [[ax, ay], [bx, by]] = [outline[i], outline[j]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) isOdd = !isOdd;
  }
  return isOdd;
}
