// Colours that are told apart with any colour vision: Paul Tol's "muted" and "light" schemes for categories
// (https://personal.sron.nl/~pault/), viridis for numbers.

const MUTED = ["#332288", "#cc6677", "#117733", "#88ccee", "#ddaa33", "#aa4499", "#44aa99", "#882255", "#999933", "#777777"];
const LIGHT = ["#77aadd", "#ee8866", "#bbcc33", "#ffaabb", "#eedd88", "#99ddff", "#44bb99", "#cc99ee", "#aaaa00", "#dddddd"];
const VIRIDIS = ["#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"];

/** @param {string} hex red, green, blue */
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** @param {number} i @param {boolean} dark the paper */
export const category = (i, dark) => (dark ? LIGHT : MUTED)[i % 10];

/** The scale of numbers as a style sheet writes it. @param {boolean} dark */
export const scaleStyle = (dark) => `linear-gradient(to right, ${scale(dark).join(", ")})`;

// the end that the paper swallows is left out
/** @param {boolean} dark */
const scale = (dark) => (dark ? VIRIDIS.slice(1) : VIRIDIS.slice(0, 5));

/**
 * @param {Float32Array} values of each point; NaN where there is none
 * @param {{kind: "category" | "number", low: number, high: number, dark: boolean, shown: (i: number) => boolean}} how
 * @returns {Uint8Array} n x 4
 */
export function colourPoints(values, { kind, low, high, dark, shown }) {
  const out = new Uint8Array(4 * values.length);
  const opacity = values.length > 20000 ? 150 : 205;
  const table = (kind === "category" ? (dark ? LIGHT : MUTED) : scale(dark)).map(rgb);
  for (let i = 0; i < values.length; i++) {
    let colour = [140, 150, 156];
    const value = values[i];
    if (!Number.isNaN(value)) {
      if (kind === "category") colour = table[value % 10];
      else {
        const at = Math.min(1, Math.max(0, (value - low) / (high - low || 1))) * (table.length - 1);
        const [a, b] = [table[Math.floor(at)], table[Math.ceil(at)]];
        colour = a.map((v, k) => v + (b[k] - v) * (at % 1));
      }
    }
    out.set(colour, 4 * i);
    out[4 * i + 3] = shown(i) ? opacity : 14;
  }
  return out;
}
