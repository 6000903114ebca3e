// Colours that people with any colour vision can tell apart: Paul Tol's "muted" and "light" schemes for categories
// (https://personal.sron.nl/~pault/), viridis for numbers.

const MUTED = [
  "#332288",
  "#cc6677",
  "#117733",
  "#88ccee",
  "#ddaa33",
  "#aa4499",
  "#44aa99",
  "#882255",
  "#999933",
  "#777777",
];
const LIGHT = [
  "#77aadd",
  "#ee8866",
  "#bbcc33",
  "#ffaabb",
  "#eedd88",
  "#99ddff",
  "#44bb99",
  "#cc99ee",
  "#aaaa00",
  "#dddddd",
];
const UNKNOWN = [140, 150, 156]; // grey, where there is no value
const HIDDEN = 14; // opacity of points that are filtered out
const MANY = 20000; // number of points above which they are more transparent
const VIRIDIS = ["#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"];

/** @param {string} hex */
const parseHex = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** Return the colour of a category. @param {number} i @param {boolean} isDark true on a dark page */
export const categoryColour = (i, isDark) => (isDark ? LIGHT : MUTED)[i % 10];

/** Return the scale of numbers as a gradient of a style sheet. @param {boolean} isDark */
export const scaleGradient = (isDark) => `linear-gradient(to right, ${numberScale(isDark).join(", ")})`;

/** Return the scale without the end that the background would hide. @param {boolean} isDark */
const numberScale = (isDark) => (isDark ? VIRIDIS.slice(1) : VIRIDIS.slice(0, 5));

/**
 * Return the colour of every point.
 * @param {Float32Array} values n; NaN where a value is missing
 * @param {{kind: "category" | "number" | "date", low: number, high: number, isDark: boolean,
 *   isVisible: (i: number) => boolean}} options
 * @returns {Uint8Array} n x 4, red, green, blue and opacity
 */
export function colourPoints(values, { kind, low, high, isDark, isVisible }) {
  const colours = new Uint8Array(4 * values.length);
  const opacity = values.length > MANY ? 150 : 205;
  const table = (kind === "category" ? (isDark ? LIGHT : MUTED) : numberScale(isDark)).map(parseHex);
  for (let i = 0; i < values.length; i++) {
    let colour = UNKNOWN;
    const value = values[i];
    if (!Number.isNaN(value)) {
      if (kind === "category") colour = table[value % 10];
      else {
        const position = Math.min(1, Math.max(0, (value - low) / (high - low || 1))) * (table.length - 1);
        const [a, b] = [table[Math.floor(position)], table[Math.ceil(position)]];
        colour = a.map((v, k) => v + (b[k] - v) * (position % 1));
      }
    }
    colours.set(colour, 4 * i);
    colours[4 * i + 3] = isVisible(i) ? opacity : HIDDEN;
  }
  return colours;
}
