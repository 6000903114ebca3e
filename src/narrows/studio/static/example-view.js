// One decoded example, redrawn while dials turn: a canvas for an image, bars for a vector or a row, lines for a series.

import { barOf } from "./cell-parts.js";
import { CellTable } from "./cell-table.js";
import { formatCell } from "./cells.js";
import { h } from "./dom.js";
import { SeriesChart } from "./series-chart.js";

/** @import {CellColumn, DecodeCallback, Model} from "./types" */

/**
 * @typedef {object} ExampleView
 * @property {HTMLElement} element
 * @property {DecodeCallback} show
 * @property {() => Promise<Blob>} png
 * @property {(columns: number[] | null) => void} [follow] highlight what changes from now on, and bring the `columns`
 *   to the top of a long table; null ends this
 */

const PNG_SIZE = 512; // approximate pixels of the longer side
const MAX_LINES = 200; // columns of a row in a picture
const [INK, LESS, MORE] = ["#14212b", "#b1500f", "#0b6076"];

/** @param {Model} model @param {string} label @returns {ExampleView} */
export function createExampleView(model, label) {
  if (model.kind === "image") return createImageView(model, label);
  return model.kind === "series" ? createSeriesView(model, label) : createRowView(model, label);
}

/** A row or a vector, whose columns have a scale each. @param {Model} model @param {string} label
 * @returns {ExampleView} */
function createRowView(model, label) {
  const columns = model.cells ?? [];
  const d = columns.length;
  const table = new CellTable(columns, label);
  /** @type {Float64Array} values, followed by probabilities of a table */ let shown = new Float64Array(0);
  return {
    element: table.element,
    show(result) {
      shown = asDoubles(result, model);
      table.show(shown.subarray(0, d), shown.subarray(d));
    },
    follow(first) {
      table.highlight(first && shown.slice(0, d), shown.slice(d));
      if (first && d > table.most) table.order(first, "those that this dial moves most first");
    },
    png() {
      const lines = table.positions.slice(0, MAX_LINES);
      return drawChart(lines.map((i) => describeLine(columns[i], shown[i], shown[d + i])));
    },
  };
}

/** @param {Model} model @param {string} label @returns {ExampleView} */
function createSeriesView(model, label) {
  const chart = new SeriesChart(model.cells ?? [], label);
  return {
    element: chart.element,
    show: (result) => chart.show(asDoubles(result, model)),
    png: () => drawChannels(chart),
  };
}

/** @param {CellColumn} column @param {number} value @param {number | undefined} prob @returns {Line} */
function describeLine(column, value, prob) {
  const { from, to } = barOf(column, value, prob ?? null);
  return { name: column.name, text: formatCell(column, value) || "missing", from, to };
}

/** @param {Uint8Array | Float32Array | Float64Array} result numbers, or their bytes @param {Model} model */
function asDoubles(result, { kind }) {
  if (!(result instanceof Uint8Array)) return Float64Array.from(result);
  const buffer = /** @type {ArrayBuffer} */ (result.buffer);
  const type = kind === "table" ? Float64Array : Float32Array;
  return Float64Array.from(new type(buffer, result.byteOffset, result.byteLength / type.BYTES_PER_ELEMENT));
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
 * @typedef {{name: string, text: string, from: number, to: number}} Line */

/** Draw the channels that a chart shows. @param {SeriesChart} chart */
function drawChannels(chart) {
  const drawings = chart.drawings();
  const [across, up] = [640, 90];
  const canvas = h("canvas", { width: across, height: drawings.length * up + 10 });
  const context = startDrawing(canvas);
  context.lineWidth = 1.5;
  drawings.forEach(({ name, path, width, height }, i) => {
    context.fillStyle = INK;
    context.fillText(name, 12, i * up + up / 2, 120);
    const placed = new Path2D();
    placed.addPath(
      new Path2D(path),
      new DOMMatrix([(across - 155) / width, 0, 0, (up - 20) / height, 145, i * up + 10]),
    );
    context.strokeStyle = MORE;
    context.stroke(placed);
  });
  return toPng(canvas);
}

/** Return the context of an empty canvas. @param {HTMLCanvasElement} canvas */
function startDrawing(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.font = "13px sans-serif";
  context.textBaseline = "middle";
  return context;
}

/** Draw lines as a chart. @param {Line[]} lines */
function drawChart(lines) {
  const lineHeight = 22;
  const canvas = h("canvas", { width: 640, height: lines.length * lineHeight + 20 });
  const context = startDrawing(canvas);
  lines.forEach(({ name, text, from, to }, i) => {
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
