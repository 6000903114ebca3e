// One decoded example, redrawn while dials turn: a canvas for an image, bars for a vector or a row.

import { createCellTable, formatCell, placeOf, REACH } from "./cells.js";
import { h } from "./dom.js";
import { createBars } from "./examples.js";

/** @import {CellColumn, DecodeCallback, Dial, Model, Transport} from "./types" */

/**
 * @typedef {object} ExampleView
 * @property {HTMLElement} element
 * @property {DecodeCallback} show
 * @property {() => Promise<Blob>} png
 * @property {(columns: number[] | null) => void} [follow] highlight what changes from now on, and bring the `columns`
 *   to the top of a long table; null ends this
 */

const PNG_SIZE = 512; // approximate pixels of the longer side
const LONG = 20; // columns of a table that are seen without scrolling
const MAX_DIALS = 120; // number of dials whose ends give the ranges of columns
const [INK, LESS, MORE] = ["#14212b", "#b1500f", "#0b6076"];

/** @param {Model} model @param {string} label @param {[number, number][]} [ranges] of each column of a vector
 * @returns {ExampleView} */
export function createExampleView(model, label, ranges) {
  if (model.kind === "image") return createImageView(model, label);
  return model.kind === "table" || !ranges ? createRowView(model, label) : createVectorView(model, label, ranges);
}

/** A row whose columns have a scale each. @param {Model} model @param {string} label @returns {ExampleView} */
function createRowView(model, label) {
  if (!model.cells) return createVectorView(model, label);
  const columns = model.cells;
  const d = columns.length;
  const table = createCellTable(columns, label);
  /** @type {Float64Array} values, followed by probabilities */ let shown = new Float64Array(0);
  /** @type {Float64Array | null} */ let before = null;
  return {
    element: table.element,
    show(result) {
      shown = Float64Array.from(
        model.kind === "table" ? asFloats(result, Float64Array) : asFloats(result, Float32Array),
      );
      table.show(shown, shown.subarray(d));
      if (before?.length) table.highlight(before, shown);
    },
    follow(first) {
      before = first ? shown.slice() : null;
      table.highlight(null);
      if (first && d > LONG) table.order(first);
    },
    png: () => drawChart(columns.map((column, i) => describeBar(column, shown[i], shown[d + i]))),
  };
}

/** @param {CellColumn} column @param {number} value @param {number} prob @returns {Bar} */
function describeBar(column, value, prob) {
  const text = formatCell(column, value) || "missing";
  if (column.levels) return { name: column.name, text, from: 0, to: prob || 0 };
  const place = Math.min(1, Math.max(-1, placeOf(column, value) / REACH)) || 0;
  return { name: column.name, text, from: 0.5, to: 0.5 + place / 2 };
}

/** @template {Float32Array | Float64Array} T
 * @param {Uint8Array | Float32Array | Float64Array} result numbers, or their bytes
 * @param {{new (buffer: ArrayBufferLike, offset: number, length: number): T, BYTES_PER_ELEMENT: number}} type */
function asFloats(result, type) {
  if (!(result instanceof Uint8Array)) return result;
  return new type(result.buffer, result.byteOffset, result.byteLength / type.BYTES_PER_ELEMENT);
}

/** @param {Model} model @param {string} label @param {[number, number][]} [ranges] @returns {ExampleView} */
function createVectorView(model, label, ranges) {
  const names = model.columns ?? Array.from({ length: model.shape[0] }, (_, i) => `column ${i + 1}`);
  const bars = createBars(names, label, ranges);
  /** @type {Float32Array} */ let values = new Float32Array(names.length);
  /** @param {string} name @param {number} i @returns {Bar} */
  const describe = (name, i) => {
    const low = Math.min(0, ranges?.[i][0] ?? 0, values[i]);
    const high = Math.max(0, ranges?.[i][1] ?? 0, values[i]);
    const place = (/** @type {number} */ v) => (v - low) / (high - low || 1);
    return { name, text: String(Number(values[i].toPrecision(4))), from: place(0), to: place(values[i]) };
  };
  return {
    element: bars.element,
    show(result) {
      values = Float32Array.from(asFloats(result, Float32Array));
      bars.show(values);
    },
    png: () => drawChart(names.map(describe)),
  };
}

/** @param {Model} model @param {string} label @returns {ExampleView} */
function createImageView({ shape: [height, width, channels] }, label) {
  const canvas = h("canvas", { width, height, class: "px", role: "img", "aria-label": label });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(width, height);
  return {
    element: canvas,
    /** @param {Uint8Array | Float32Array | Float64Array} result height x width x channels bytes */
    show(result) {
      const pixels = image.data;
      for (let i = 0, j = 0; i < pixels.length; i += 4, j += channels) {
        pixels[i] = result[j];
        pixels[i + 1] = result[channels === 3 ? j + 1 : j];
        pixels[i + 2] = result[channels === 3 ? j + 2 : j];
        pixels[i + 3] = 255;
      }
      context.putImageData(image, 0, 0);
    },
    png() {
      const scale = Math.max(1, Math.round(PNG_SIZE / Math.max(width, height)));
      const enlarged = h("canvas", { width: width * scale, height: height * scale });
      const enlargedContext = /** @type {CanvasRenderingContext2D} */ (enlarged.getContext("2d"));
      enlargedContext.imageSmoothingEnabled = false;
      enlargedContext.drawImage(canvas, 0, 0, enlarged.width, enlarged.height);
      return toPng(enlarged);
    },
  };
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
function toPng(canvas) {
  return new Promise((resolve) => canvas.toBlob((blob) => blob && resolve(blob), "image/png"));
}

/** A line of a chart: a bar between two places from 0 to 1, its name and its text.
 * @typedef {{name: string, text: string, from: number, to: number}} Bar */

/** Draw bars as a chart. @param {Bar[]} bars */
function drawChart(bars) {
  const lineHeight = 22;
  const canvas = h("canvas", { width: 640, height: bars.length * lineHeight + 20 });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.font = "13px sans-serif";
  context.textBaseline = "middle";
  bars.forEach(({ name, text, from, to }, i) => {
    const toX = (/** @type {number} */ place) => 190 + 340 * place;
    const y = 10 + (i + 0.5) * lineHeight;
    context.fillStyle = INK;
    context.fillText(name, 12, y, 165);
    context.fillText(text, 545, y, 90);
    context.fillStyle = to < from ? LESS : MORE;
    context.fillRect(Math.min(toX(from), toX(to)), y - 6, Math.max(1, Math.abs(toX(to) - toX(from))), 12);
  });
  return toPng(canvas);
}

/** Find the lowest and highest value of each column over the ends of all dials, so that the scales of bars stay fixed.
 * @param {Transport} transport @param {Dial[]} dials @param {number} n components
 * @returns {Promise<[number, number][]>} */
export async function columnRanges(transport, dials, n) {
  const mean = new Array(n).fill(0);
  for (const dial of dials) mean[dial.component] = dial.mean;
  const ends = dials
    .slice(0, MAX_DIALS)
    .flatMap(({ component, low, high }) => [low, high].map((value) => mean.with(component, value)));
  const { data, shape } = await transport.binary("POST", "/api/decode", { codes: [mean, ...ends], format: "raw" });
  const [rows, columns] = shape;
  return Array.from({ length: columns }, (_, j) => {
    const column = Array.from({ length: rows }, (_, i) => data[i * columns + j]);
    return [Math.min(...column), Math.max(...column)];
  });
}
