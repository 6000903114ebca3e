// Drawings above the points: names and contours, the lasso, the path, and a ring around the row under the pointer.

import { h } from "../dom.js";

/** @import {Camera} from "./camera.js" */
/** @import {Scatter} from "./scatter.js" */

/**
 * @typedef {object} Drawing
 * @property {[number, number][]} lasso outline, positions
 * @property {number[]} stops rows of the path
 * @property {number} progress position on the path, in stops
 * @property {number} hovered row, or -1
 * @property {boolean} isDark
 */

export class Overlay {
  canvas = h("canvas", { class: "over" });
  #context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));

  /** @param {Camera} camera @param {Scatter} scatter
   * @param {(context: CanvasRenderingContext2D, ratio: number, ink: string) => void} drawBelow draws what lies below */
  constructor(camera, scatter, drawBelow) {
    this.camera = camera;
    this.drawBelow = drawBelow;
    this.scatter = scatter;
  }

  /** @param {Drawing} drawing */
  draw({ lasso, stops, progress, hovered, isDark }) {
    const context = this.#context;
    this.#clear();
    const ink = getComputedStyle(this.camera.stage).color;
    this.drawBelow(context, this.canvas.width / (this.camera.width || 1), ink);
    context.lineWidth = 1.75;
    context.lineJoin = "round";
    context.strokeStyle = ink;
    if (lasso.length > 1) this.#drawLasso(lasso, ink);
    if (stops.length) this.#drawPath(stops, progress, ink, isDark);
    if (hovered >= 0) {
      context.beginPath();
      context.arc(...this.#pixelsOf(hovered), 9, 0, 2 * Math.PI);
      context.lineWidth = 2;
      context.stroke();
    }
  }

  #clear() {
    const { width, height } = this.camera;
    const ratio = Math.min(devicePixelRatio, 2);
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== across || this.canvas.height !== down) {
      this.canvas.width = across;
      this.canvas.height = down;
    }
    this.#context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#context.clearRect(0, 0, width, height);
  }

  /** @param {[number, number][]} outline @param {string} ink */
  #drawLasso(outline, ink) {
    const context = this.#context;
    context.beginPath();
    for (const [x, y] of outline) context.lineTo(...this.camera.toPixels(x, y));
    context.closePath();
    context.globalAlpha = 0.1;
    context.fillStyle = ink;
    context.fill();
    context.globalAlpha = 1;
    context.setLineDash([5, 4]);
    context.stroke();
    context.setLineDash([]);
  }

  /** @param {number[]} stops @param {number} progress @param {string} ink @param {boolean} isDark */
  #drawPath(stops, progress, ink, isDark) {
    const context = this.#context;
    const places = stops.map((row) => this.#pixelsOf(row));
    context.beginPath();
    for (const [px, py] of places) context.lineTo(px, py);
    context.stroke();
    places.forEach(([px, py], i) => {
      this.#drawDisc(px, py, 9, ink);
      this.#drawLabel(px, py, String(i + 1), isDark);
    });
    if (places.length > 1) {
      const mark = getComputedStyle(this.camera.stage).getPropertyValue("--mark") || "#d55e00";
      this.#drawDisc(...pointAlong(places, progress), 6, mark);
    }
  }

  /** @param {number} px @param {number} py @param {number} radius @param {string} fill */
  #drawDisc(px, py, radius, fill) {
    this.#context.beginPath();
    this.#context.arc(px, py, radius, 0, 2 * Math.PI);
    this.#context.fillStyle = fill;
    this.#context.fill();
  }

  /** @param {number} px @param {number} py @param {string} text @param {boolean} isDark */
  #drawLabel(px, py, text, isDark) {
    const context = this.#context;
    context.fillStyle = isDark ? "#0f161b" : "#ffffff";
    context.font = "600 11px sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(text, px, py + 0.5);
  }

  /** @param {number} row */
  #pixelsOf(row) {
    return this.camera.toPixels(...this.scatter.position(row));
  }
}

/** Return the point on a line of two or more points. @param {[number, number][]} points
 * @param {number} progress in points
 * @returns {[number, number]} */
function pointAlong(points, progress) {
  const i = Math.min(points.length - 2, Math.floor(progress));
  const [[ax, ay], [bx, by]] = [points[i], points[i + 1]];
  return [ax + (bx - ax) * (progress - i), ay + (by - ay) * (progress - i)];
}
