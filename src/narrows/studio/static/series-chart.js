// Series as lines: a small chart for each channel, on the channel's own scale, in which examples lie over each other.

import { formatCell } from "./cells.js";
import { createSvgElement, h } from "./dom.js";

/** @import {CellColumn, Example} from "./types" */
/** Numbers, steps x channels, one step after another; a gap is null or NaN @typedef {ArrayLike<number | null>} Steps */

const REACH = 2.5; // standard deviations from the mean to each end of a chart, unless the lines go further
const MAX_CHANNELS = 12; // shown at first
const MAX_POINTS = 400; // of a line; of more steps, the lowest and the highest of a few are drawn
const [WIDTH, HEIGHT] = [300, 60]; // units of the drawing, which is stretched

export class SeriesChart {
  /** @type {Steps[]} */ #examples;
  /** @type {number[]} channels */ #order;
  #nShown;
  /** @type {Map<number, ReturnType<typeof createChart>>} charts that were shown, by channel */ #charts = new Map();
  #list = h("ol", { class: "channels" });
  #more = h("button", { type: "button", class: "button", onclick: () => this.#showAll() });

  /**
   * @param {CellColumn[]} channels @param {string} label @param {string[]} [captions] of the examples; [] for one
   * without @param {{most?: number, isSmall?: boolean}} [options] channels shown at first; true to show only lines
   */
  constructor(channels, label, captions = [], { most = MAX_CHANNELS, isSmall = false } = {}) {
    this.channels = channels;
    this.isSmall = isSmall;
    this.label = label;
    this.#order = Array.from(channels.keys());
    this.#nShown = Math.min(most, channels.length);
    this.#examples = Array.from({ length: Math.max(1, captions.length) }, () => []);
    const n = captions.length;
    const keys = captions.map((name, k) => h("span", { class: `line-${Math.max(1, n)}-${k}` }, name));
    const legend = n > 0 && h("p", { class: "series-legend" }, keys);
    this.element = isSmall
      ? h("span", { class: "series-chart mini" }, this.#list)
      : h("div", { class: "series-chart", role: "group", "aria-label": label }, legend, this.#list, this.#more);
    if (isSmall) this.#list.setAttribute("role", "presentation");
    this.#arrange();
  }

  /** @param {Steps} values @param {number} [example] its place among the captions */
  show(values, example = 0) {
    this.#examples[example] = values;
    this.#draw();
  }

  /** Show all examples; one without values is not known yet. @param {Example[]} examples */
  showAll(...examples) {
    this.#examples = examples.map(({ values }) => values ?? []);
    this.#draw();
  }

  /** Show all examples, in the order of the channels. @param {Example[]} examples */
  compare(...examples) {
    this.showAll(...examples);
  }

  /** Bring some channels to the top. @param {number[]} first in this order */
  order(first) {
    const isFirst = new Set(first);
    this.#order = [...first, ...this.#order.filter((i) => !isFirst.has(i))];
    this.#arrange();
  }

  /** The channels that are shown, of the first example: the path of each in a drawing of a width and a height. */
  drawings() {
    return this.#order.slice(0, this.#nShown).map((i) => ({
      name: this.channels[i].name,
      path: this.#charts.get(i)?.paths[0].getAttribute("d") ?? "",
      width: WIDTH,
      height: HEIGHT,
    }));
  }

  #showAll() {
    this.#nShown = this.channels.length;
    this.#arrange();
  }

  #arrange() {
    const shown = this.#order.slice(0, this.#nShown);
    for (const i of shown) {
      if (!this.#charts.has(i))
        this.#charts.set(i, createChart(this.channels[i], this.#examples.length, this.isSmall, this.label));
    }
    this.#list.replaceChildren(...shown.flatMap((i) => this.#charts.get(i)?.element ?? []));
    const n = this.channels.length;
    this.#more.textContent = `Show all ${n} channels`;
    this.#more.hidden = this.#nShown >= n;
    this.#draw();
  }

  #draw() {
    const n = this.channels.length;
    for (const i of this.#order.slice(0, this.#nShown)) {
      const lines = this.#examples.map((steps) =>
        Array.from({ length: Math.floor(steps.length / n) }, (_, t) => steps[t * n + i] ?? NaN),
      );
      this.#charts.get(i)?.show(lines);
    }
  }
}

/** The chart of a channel. @param {CellColumn} channel @param {number} n lines @param {boolean} isSmall
 * @param {string} label */
function createChart(channel, n, isSmall, label) {
  const usual = channel.offset + channel.scale * channel.mean;
  const reach = REACH * channel.scale * channel.std;
  const bounds = { low: usual - reach, high: usual + reach };
  const paths = Array.from({ length: n }, (_, k) => createSvgElement("path", { class: `line-${n}-${k}` }));
  const mean = createSvgElement("path", { class: "rule" });
  const svg = createSvgElement("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" });
  svg.append(mean, ...paths);
  if (isSmall) svg.setAttribute("aria-hidden", "true");
  else
    for (const [name, value] of [
      ["role", "img"],
      ["aria-label", `${channel.name}: ${label}`],
    ])
      svg.setAttribute(name, value);
  const [top, bottom] = [h("span"), h("span")];
  const head = !isSmall && h("span", { class: "channel-name", title: channel.name }, channel.name);
  const ends = !isSmall && h("span", { class: "channel-ends", "aria-hidden": "true" }, top, bottom);
  /** Draw the lines. The scale grows with them, and never shrinks. @param {number[][]} lines */
  function show(lines) {
    const finite = lines.flat().filter(Number.isFinite);
    bounds.low = finite.reduce((low, value) => Math.min(low, value), bounds.low);
    bounds.high = finite.reduce((high, value) => Math.max(high, value), bounds.high);
    const toY = (/** @type {number} */ value) => HEIGHT * (1 - (value - bounds.low) / (bounds.high - bounds.low || 1));
    mean.setAttribute("d", `M0 ${toY(usual)}H${WIDTH}`);
    lines.forEach((line, k) => paths[k]?.setAttribute("d", tracePath(thin(line), line.length, toY)));
    top.textContent = formatCell(channel, bounds.high);
    bottom.textContent = formatCell(channel, bounds.low);
  }
  return { element: h("li", null, head, svg, ends), paths, show };
}

/** The path through points. A gap ends a line, and the next one begins after it.
 * @param {[number, number][]} points step and value @param {number} n steps @param {(value: number) => number} toY */
function tracePath(points, n, toY) {
  let isDrawing = false;
  return points
    .map(([step, value]) => {
      const command = isDrawing ? "L" : "M";
      isDrawing = Number.isFinite(value);
      return isDrawing ? `${command}${((WIDTH * step) / Math.max(1, n - 1)).toFixed(1)} ${toY(value).toFixed(1)}` : "";
    })
    .join("");
}

/** Keep the lowest and the highest of a few steps each, so that a long line has few points and all of its peaks.
 * @param {number[]} line @returns {[number, number][]} step and value */
function thin(line) {
  /** @type {[number, number][]} */ const points = line.map((value, step) => [step, value]);
  if (line.length <= MAX_POINTS) return points;
  const size = Math.ceil((2 * line.length) / MAX_POINTS);
  return Array.from({ length: Math.ceil(line.length / size) }, (_, k) => {
    const part = points.slice(k * size, (k + 1) * size).filter(([, value]) => Number.isFinite(value));
    if (!part.length) return [points[k * size]];
    const low = part.reduce((a, b) => (b[1] < a[1] ? b : a));
    const high = part.reduce((a, b) => (b[1] > a[1] ? b : a));
    return low[0] < high[0] ? [low, high] : [high, low];
  }).flat();
}
