// One decoded example, redrawn while dials turn: a canvas for an image, bars for a vector.

import { h } from "./dom.js";
import { createBars } from "./examples.js";

/** @import {DecodeCallback, Dial, Model, Transport} from "./types" */

/** @typedef {{element: HTMLElement, show: DecodeCallback, png: () => Promise<Blob>}} ExampleView */

const PNG_SIZE = 512; // approximate pixels of the longer side
const MAX_DIALS = 120; // number of dials whose ends give the ranges of columns
const [INK, LESS, MORE] = ["#14212b", "#b1500f", "#0b6076"];

/** @param {Model} model @param {string} label @param {[number, number][]} [ranges] of each column of a vector
 * @returns {ExampleView} */
export function createExampleView(model, label, ranges) {
  return model.kind === "vector" ? createVectorView(model, label, ranges) : createImageView(model, label);
}

/** @param {Model} model @param {string} label @param {[number, number][]} [ranges] @returns {ExampleView} */
function createVectorView(model, label, ranges) {
  const names = model.columns ?? Array.from({ length: model.shape[0] }, (_, i) => `column ${i + 1}`);
  const bars = createBars(names, label, ranges);
  /** @type {Float32Array} */ let values = new Float32Array(names.length);
  return {
    element: bars.element,
    show(result) {
      const { buffer, byteOffset, byteLength } = result;
      values = result instanceof Float32Array ? result : new Float32Array(buffer, byteOffset, byteLength / 4);
      bars.show(values);
    },
    png: () => drawChart(names, values, ranges),
  };
}

/** @param {Model} model @param {string} label @returns {ExampleView} */
function createImageView({ shape: [height, width, channels] }, label) {
  const canvas = h("canvas", { width, height, class: "px", role: "img", "aria-label": label });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(width, height);
  return {
    element: canvas,
    /** @param {Uint8Array | Float32Array} result height x width x channels bytes */
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

/** Draw a vector as a chart. @param {string[]} names @param {Float32Array} values
 * @param {[number, number][]} [ranges] */
function drawChart(names, values, ranges) {
  const lineHeight = 22;
  const canvas = h("canvas", { width: 640, height: names.length * lineHeight + 20 });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.font = "13px sans-serif";
  context.textBaseline = "middle";
  names.forEach((name, i) => {
    const low = Math.min(0, ranges?.[i][0] ?? 0, values[i]);
    const high = Math.max(0, ranges?.[i][1] ?? 0, values[i]);
    const toX = (/** @type {number} */ v) => 190 + (340 * (v - low)) / (high - low || 1);
    const y = 10 + (i + 0.5) * lineHeight;
    context.fillStyle = INK;
    context.fillText(name, 12, y, 165);
    context.fillText(String(Number(values[i].toPrecision(4))), 545, y);
    context.fillStyle = values[i] < 0 ? LESS : MORE;
    const width = Math.max(1, Math.abs(toX(values[i]) - toX(0)));
    context.fillRect(Math.min(toX(0), toX(values[i])), y - 6, width, 12);
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
