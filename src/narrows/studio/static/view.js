// One decoded example, drawn again and again while dials turn: a canvas for an image, bars for a vector.

import { bars, h } from "./ui.js";

/** @import {Model, Transport} from "./types" */

/**
 * @param {Model} model @param {string} label
 * @param {[number, number][]} [ranges] of each column of a vector
 */
export function view(model, label, ranges) {
  if (model.kind === "vector") {
    const names = model.columns ?? Array.from({ length: model.shape[0] }, (_, i) => `column ${i + 1}`);
    const { element, show } = bars(names, label, ranges);
    /** @type {Float32Array | null} */ let last = null;
    return {
      element,
      /** @param {Uint8Array | Float32Array} result */
      show(result) {
        last = result instanceof Float32Array ? result : new Float32Array(result.buffer, result.byteOffset, result.byteLength / 4);
        show(last);
      },
      /** @returns {Promise<Blob>} */
      png: () => chart(names, last ?? new Float32Array(names.length), ranges),
    };
  }
  const [height, width, channels] = model.shape;
  const canvas = h("canvas", { width, height, class: "px", role: "img", "aria-label": label });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(width, height);
  return {
    element: /** @type {HTMLElement} */ (canvas),
    /** @param {Uint8Array | Float32Array} result h x w x channels bytes */
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
    /** Enlarged to about 512 pixels, without smoothing. @returns {Promise<Blob>} */
    png() {
      const scale = Math.max(1, Math.round(512 / Math.max(width, height)));
      const large = h("canvas", { width: width * scale, height: height * scale });
      const pen = /** @type {CanvasRenderingContext2D} */ (large.getContext("2d"));
      pen.imageSmoothingEnabled = false;
      pen.drawImage(canvas, 0, 0, large.width, large.height);
      return blob(large);
    },
  };
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
function blob(canvas) {
  return new Promise((done) => canvas.toBlob((made) => made && done(made), "image/png"));
}

/** A vector as a picture to keep. @param {string[]} names @param {Float32Array} values @param {[number, number][]} [ranges] */
function chart(names, values, ranges) {
  const line = 22;
  const canvas = h("canvas", { width: 640, height: names.length * line + 20 });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.font = "13px sans-serif";
  pen.textBaseline = "middle";
  names.forEach((name, i) => {
    const low = Math.min(0, ranges?.[i][0] ?? 0, values[i]);
    const high = Math.max(0, ranges?.[i][1] ?? 0, values[i]);
    const at = (/** @type {number} */ v) => 190 + (340 * (v - low)) / (high - low || 1);
    const y = 10 + (i + 0.5) * line;
    pen.fillStyle = "#14212b";
    pen.fillText(name, 12, y, 165);
    pen.fillText(String(Number(values[i].toPrecision(4))), 545, y);
    pen.fillStyle = values[i] < 0 ? "#b1500f" : "#0b6076";
    pen.fillRect(Math.min(at(0), at(values[i])), y - 6, Math.max(1, Math.abs(at(values[i]) - at(0))), 12);
  });
  return blob(canvas);
}

/** The lowest and highest of each column over all turns of all dials, so that bars have scales that stay.
 * @param {Transport} transport @param {import("./types").Dial[]} dials @param {number} n components @returns {Promise<[number, number][]>} */
export async function columnRanges(transport, dials, n) {
  const mean = new Array(n).fill(0);
  for (const dial of dials) mean[dial.component] = dial.mean;
  const codes = dials.slice(0, 120).flatMap((dial) => [dial.low, dial.high].map((v) => mean.with(dial.component, v)));
  const { data, shape } = await transport.binary("POST", "/api/decode", { codes: [mean, ...codes], format: "raw" });
  const [rows, columns] = shape;
  return Array.from({ length: columns }, (_, j) => {
    const column = Array.from({ length: rows }, (_, i) => data[i * columns + j]);
    return [Math.min(...column), Math.max(...column)];
  });
}
