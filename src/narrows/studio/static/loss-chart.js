// A live chart of a training: the loss on training and on validation examples, as lines that grow.

import { createSvgElement, h } from "./dom.js";
import { formatNumber } from "./format.js";

/** @typedef {{epoch: number, loss?: number | null, valid_loss?: number | null}} LossPoint */

const [LEFT, RIGHT, TOP, BOTTOM] = [52, 8, 8, 24]; // margins, pixels

export class LossChart {
  /** @type {LossPoint[]} by epoch */ #points = [];
  #lines = {
    loss: createSvgElement("polyline", { class: "curve train" }),
    valid_loss: createSvgElement("polyline", { class: "curve valid" }),
  };
  #axes = createSvgElement("g", {});
  #svg = createSvgElement("svg", { class: "curves", role: "img", "aria-label": "The loss over epochs" });

  constructor() {
    const keys = [h("span", { class: "train" }, "training"), h("span", { class: "valid" }, "validation")];
    const caption = h("figcaption", null, "Loss, nats per example", h("p", { class: "curve-legend" }, keys));
    this.#svg.append(this.#axes, this.#lines.loss, this.#lines.valid_loss);
    this.element = h("figure", { class: "curves-box" }, caption);
    this.element.append(this.#svg);
    new ResizeObserver(() => this.#draw()).observe(this.#svg);
  }

  /** @param {LossPoint} point */
  add(point) {
    this.#points = this.#points.filter(({ epoch }) => epoch !== point.epoch);
    this.#points.push(point);
    this.#points.sort((a, b) => a.epoch - b.epoch);
    this.#draw();
  }

  #draw() {
    const points = this.#points;
    const losses = finiteLosses(points);
    const [width, height] = [this.#svg.clientWidth, this.#svg.clientHeight];
    if (!losses.length || !width) return;
    // the first epochs fall so far that the rest would look flat
    const later = points.length > 10 ? finiteLosses(points.slice(Math.floor(points.length / 10))) : losses;
    const low = Math.min(...losses);
    const high = Math.max(...later, low + 1e-9);
    const last = Math.max(1, points[points.length - 1].epoch);
    const first = Math.min(points[0].epoch, last - 1e-9);
    /** @param {number} epoch */
    const toX = (epoch) => LEFT + ((width - LEFT - RIGHT) * (epoch - first)) / (last - first || 1);
    /** @param {number} loss */
    const toY = (loss) => TOP + (height - BOTTOM - TOP) * (1 - (Math.min(loss, high) - low) / (high - low));
    for (const key of /** @type {const} */ (["loss", "valid_loss"])) {
      const places = points.flatMap(({ epoch, [key]: loss }) =>
        typeof loss === "number" ? [`${toX(epoch).toFixed(1)},${toY(loss).toFixed(1)}`] : [],
      );
      this.#lines[key].setAttribute("points", places.join(" "));
    }
    const rules = [0, 0.5, 1].map((share) => low + share * (high - low));
    this.#axes.replaceChildren(
      ...rules.flatMap((loss) => [
        createSvgElement("line", { x1: LEFT, x2: width - RIGHT, y1: toY(loss), y2: toY(loss), class: "rule" }),
        createLabel(formatNumber(Number(loss.toPrecision(4))), LEFT - 8, toY(loss) + 4),
      ]),
      createLabel(`epoch ${Math.round(last)}`, width - RIGHT, height - 4),
    );
  }
}

/** @param {LossPoint[]} points @returns {number[]} */
function finiteLosses(points) {
  return points
    .flatMap(({ loss, valid_loss }) => [Number(loss ?? NaN), Number(valid_loss ?? NaN)])
    .filter(Number.isFinite);
}

/** @param {string} text @param {number} x of its end @param {number} y */
function createLabel(text, x, y) {
  const label = createSvgElement("text", { x, y, "text-anchor": "end" });
  label.textContent = text;
  return label;
}
