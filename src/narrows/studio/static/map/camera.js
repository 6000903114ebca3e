// The camera: it says which part of the plane the stage shows.

/** @import {Extent} from "../types" */

const FILL = 0.9; // share of the stage that the points fill when all are in view
const [FARTHEST, CLOSEST] = [1 / 8, 400]; // scales, as multiples of the scale that shows all points

export class Camera {
  x = 0; // position at the centre of the stage
  y = 0;
  scale = 1; // pixels a unit
  #fittedScale = 1;

  /** @param {HTMLElement} stage */
  constructor(stage) {
    this.stage = stage;
  }

  get width() {
    return this.stage.clientWidth;
  }

  get height() {
    return this.stage.clientHeight;
  }

  /** @returns {import("./points.js").View} */
  get view() {
    return { x: this.x, y: this.y, scale: this.scale };
  }

  /** Convert a position to pixels of the stage. @param {number} x @param {number} y @returns {[number, number]} */
  toPixels(x, y) {
    return [(x - this.x) * this.scale + this.width / 2, this.height / 2 - (y - this.y) * this.scale];
  }

  /** Convert pixels of the stage to a position. @param {number} px @param {number} py @returns {[number, number]} */
  toPosition(px, py) {
    return [(px - this.width / 2) / this.scale + this.x, (this.height / 2 - py) / this.scale + this.y];
  }

  /** Return the box that the stage shows. @returns {Extent} */
  visibleExtent() {
    const [left, bottom] = this.toPosition(0, this.height);
    const [right, top] = this.toPosition(this.width, 0);
    return { left, right, bottom, top };
  }

  /** Show a box as large as the stage allows. @param {Extent | null} extent */
  fit(extent) {
    if (!extent) return;
    const { left, right, bottom, top } = extent;
    this.center((left + right) / 2, (bottom + top) / 2);
    const across = (FILL * (this.width || 600)) / (right - left || 1);
    const up = (FILL * (this.height || 400)) / (top - bottom || 1);
    this.scale = this.#fittedScale = Math.min(across, up);
  }

  /** Zoom around a pixel, which keeps its place. @param {number} factor @param {number} [px] @param {number} [py] */
  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const [x, y] = this.toPosition(px, py);
    const [lowest, highest] = [this.#fittedScale * FARTHEST, this.#fittedScale * CLOSEST];
    this.scale = Math.min(highest, Math.max(lowest, this.scale * factor));
    const [movedX, movedY] = this.toPosition(px, py);
    this.x += x - movedX;
    this.y += y - movedY;
  }

  /** Move the content with the pointer. @param {number} dx pixels to the right @param {number} dy pixels down */
  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y += dy / this.scale;
  }

  /** @param {number} x @param {number} y */
  center(x, y) {
    this.x = x;
    this.y = y;
  }
}
