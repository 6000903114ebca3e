// @ts-nocheck: the scripts of the report are not typed
// Functions that read the page's JSON values, draw them, and format them.

/**
 * @typedef {{shape: [number, number, number], limits: [number, number]}} ImageSpec
 *   channels, height and width; lowest and highest value
 */

/** Read the values of a part of the page. @param {ParentNode} root @param {string} kind */
function readData(root, kind) {
  return JSON.parse(root.querySelector(`script.${kind}`).textContent);
}

/** Decoders by name, created when first used. */
const decoders = {};

/** Return {spec, decode} of a decoder that the page holds, or null. @param {string | null} name */
function findDecoder(name) {
  if (!name || !document.querySelector(`script.${name}`)) return null;
  if (!decoders[name]) {
    const spec = readData(document, name);
    decoders[name] = { spec, decode: createDecoder(spec) };
  }
  return decoders[name];
}

/** Draw an image. One channel is ink on a transparent ground, which the style sheet makes dark or light; three are
 * colours.
 * @param {HTMLCanvasElement} canvas @param {ArrayLike<number>} values channels x height x width
 * @param {ImageSpec} spec */
function drawImage(canvas, values, { shape: [channels, height, width], limits: [low, high] }) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = image.data;
  const n = height * width;
  const toByte = (v) => Math.round(255 * clamp((v - low) / (high - low), 0, 1));
  for (let i = 0; i < n; i++) {
    if (channels < 3) {
      pixels[4 * i + 3] = toByte(values[i]);
      continue;
    }
    for (let k = 0; k < 3; k++) pixels[4 * i + k] = toByte(values[k * n + i]);
    pixels[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** Return the points of a polyline in a box of 300 x 80. @param {ArrayLike<number>} heights from -1 to 1 */
function linePoints(heights) {
  const last = heights.length - 1;
  return Array.from(heights, (v, i) => `${((300 * i) / last).toFixed(1)},${(80 - 75 * v).toFixed(1)}`).join(" ");
}

/** @param {number} v @param {number} low @param {number} high */
export function clamp(v, low, high) {
  return Math.min(high, Math.max(low, v));
}

/** Replace the hyphen of a negative number by a minus sign. @param {string} text */
export function withMinus(text) {
  return text.replace("-", "\u2212");
}

/** Format with three significant digits. @param {number} v */
export function formatNumber(v) {
  if (Math.abs(v) >= 1e6 || (v && Math.abs(v) < 1e-3)) return withMinus(v.toExponential(1));
  const text = v.toPrecision(3);
  return withMinus(String(text.includes("e") ? Math.round(v) : Number(text)));
}

/** @param {number} value @param {number} digits after the point */
export function groupThousands(value, digits) {
  const [whole, part] = value.toFixed(digits).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return part ? `${grouped}.${part}` : grouped;
}
