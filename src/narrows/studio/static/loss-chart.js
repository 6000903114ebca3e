// A live chart of a training: the loss on training and on held-out examples, as lines that grow, beside that of PCA.

import { createSvgElement, h } from "./dom.js";
import { formatNumber } from "./format.js";

/** @typedef {{seconds: number, loss?: number | null, valid_loss?: number | null}} LossPoint */

const [LEFT, RIGHT, TOP, BOTTOM] = [52, 8, 8, 24]; // margins, pixels
const FIRST_SHARE = 10; // the first tenth of the points falls so far that the rest would look flat

export class LossChart {
  /** @type {LossPoint[]} by time */ #points = [];
  /** @type {number | null} loss of PCA */ #baseline = null;
  #lines = {
    loss: createSvgElement("polyline", { class: "curve train" }),
    valid_loss: createSvgElement("polyline", { class: "curve valid" }),
  };
  #baselineLine = createSvgElement("line", { class: "curve baseline" });
  #axes = createSvgElement("g", {});
  #svg = createSvgElement("svg", { class: "curves", role: "img", "aria-label": "The loss over time" });
  #baselineKey = h("span", { class: "baseline", hidden: true }, "PCA");

  constructor() {
    const keys = [
      h("span", { class: "train" }, "training"),
      h("span", { class: "valid" }, "held-out"),
      this.#baselineKey,
    ];
    const caption = h("figcaption", null, "Loss, nats per example", h("p", { class: "curve-legend" }, keys));
    this.#svg.append(this.#axes, this.#baselineLine, this.#lines.loss, this.#lines.valid_loss);
    this.element = h("figure", { class: "curves-box" }, caption);
    this.element.append(this.#svg);
    new ResizeObserver(() => this.#draw()).observe(this.#svg);
  }

  /** @param {LossPoint} point */
  add(point) {
    this.#points.push(point);
    if ((this.#points.at(-2)?.seconds ?? 0) > point.seconds) this.#points.sort((a, b) => a.seconds - b.seconds);
    this.#draw();
  }

  /** Show a line that the curves can be compared with. @param {number | null} loss @param {string} name */
  setBaseline(loss, name) {
    this.#baseline = loss;
    this.#baselineKey.hidden = loss === null;
    this.#baselineKey.textContent = name;
    this.#draw();
  }

  #draw() {
    const points = this.#points;
    const losses = finiteLosses(points);
    const [width, height] = [this.#svg.clientWidth, this.#svg.clientHeight];
    if (!losses.length || !width) return;
    const later = points.length > FIRST_SHARE ? finiteLosses(points.slice(points.length / FIRST_SHARE)) : losses;
    const baselines = this.#baseline === null ? [] : [this.#baseline];
    const low = Math.min(...losses, ...baselines);
    const high = Math.max(...later, ...baselines, low + 1e-9);
    const last = Math.max(1, points[points.length - 1].seconds);
    /** @param {number} seconds */
    const toX = (seconds) => LEFT + ((width - LEFT - RIGHT) * seconds) / last;
    /** @param {number} loss */
    const toY = (loss) => TOP + (height - BOTTOM - TOP) * (1 - (Math.min(loss, high) - low) / (high - low));
    for (const key of /** @type {const} */ (["loss", "valid_loss"])) {
      const places = points.flatMap(({ seconds, [key]: loss }) =>
        typeof loss === "number" ? [`${toX(seconds).toFixed(1)},${toY(loss).toFixed(1)}`] : [],
      );
      if (places.length === 1) places.push(places[0]); // a point that can be seen
      this.#lines[key].setAttribute("points", places.join(" "));
    }
    const y = this.#baseline === null ? -1 : toY(this.#baseline);
    setAttributes(this.#baselineLine, { x1: LEFT, x2: width - RIGHT, y1: y, y2: y });
    this.#drawAxes([low, (low + high) / 2, high], toY, last, width, height);
  }

  /** @param {number[]} rules losses @param {(loss: number) => number} toY @param {number} last seconds
   * @param {number} width @param {number} height */
  #drawAxes(rules, toY, last, width, height) {
    this.#axes.replaceChildren(
      ...rules.flatMap((loss) => [
        createSvgElement("line", { x1: LEFT, x2: width - RIGHT, y1: toY(loss), y2: toY(loss), class: "rule" }),
        createLabel(formatNumber(Number(loss.toPrecision(4))), LEFT - 8, toY(loss) + 4),
      ]),
      createLabel(`${Math.round(last)} s`, width - RIGHT, height - 4),
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

/** @param {Element} element @param {Record<string, string | number>} attributes */
function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}
