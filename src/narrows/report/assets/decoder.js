// A fitted decoder: o = W_n gelu(... gelu(W_1 z + b_1) ...) + b_n + link(W z + b), then the likelihood's mean. No
// dependencies.
"use strict";

/** Decode IEEE half precision numbers. @param {string} base64 @returns {Float32Array} */
function decodeHalfFloats(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const values = new Float32Array(bytes.length / 2);
  for (let i = 0; i < values.length; i++) {
    const bits = bytes[2 * i] | (bytes[2 * i + 1] << 8);
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : (fraction / 1024) * 2 ** -14;
    values[i] = bits & 0x8000 ? -size : size;
  }
  return values;
}

/** Error function, by Abramowitz and Stegun 7.1.26; its error is below 1.5e-7. @param {number} x */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - p * Math.exp(-x * x));
}

/** @param {number} x */
const gelu = (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));

/** The mean of a likelihood from the output o of the network. @type {Record<string, (o: number) => number>} */
const MEANS = {
  identity: (o) => o,
  exp: (o) => Math.exp(Math.min(o, 20)),
  sigmoid: (o) => 1 / (1 + Math.exp(-o)),
  continuous_bernoulli: (o) => (Math.abs(o) < 0.1 ? 0.5 + o / 12 - o ** 3 / 720 : -1 / Math.expm1(-o) - 1 / o),
};

/** @param {number} m keeps its distance from 0 and 1 */
const inside = (m) => Math.min(0.995, Math.max(0.005, m));

/** The links of linear paths, as in `narrows.likelihoods.links`. @type {Record<string, (m: number) => number>} */
const LINKS = {
  expm1: (u) => Math.expm1(Math.min(u, 20)),
  logit: (m) => Math.log(inside(m) / (1 - inside(m))),
  log_count: (m) => Math.log(Math.max(m, 1e-3)),
  log_share: (m) => Math.log(Math.max(m, 0.01)),
  inverse_langevin: (m) => {
    const y = 2 * inside(m) - 1;
    return (2 * y * (3 - (6 * y ** 2 + y ** 4 - 2 * y ** 6) / 5)) / (1 - y ** 2);
  },
};

/** A layer: weights (n_out x n_in) and biases. @typedef {{weights: Float32Array, biases: Float32Array}} Layer */

/** @param {{w: string, b: string}} packed @returns {Layer} */
const unpackLayer = ({ w, b }) => ({ weights: decodeHalfFloats(w), biases: decodeHalfFloats(b) });

/** @param {Layer} layer @param {ArrayLike<number>} h @returns {Float32Array} */
function applyLayer({ weights, biases }, h) {
  return biases.map((bias, i) => {
    let sum = bias;
    for (let j = 0; j < h.length; j++) sum += weights[i * h.length + j] * h[j];
    return sum;
  });
}

/**
 * A linear path: a layer, the scale of its output (a number for each entry or channel), and for the entries in turn
 * their number and the links that they go through.
 * @typedef {{w: string, b: string, mean: number[], std: number[], parts: [number, string[]][]}} LinearSpec
 */

/** Return the output of a linear path. @param {Layer} layer @param {LinearSpec} spec @param {ArrayLike<number>} code */
function applyLinear(layer, { mean, std, parts }, code) {
  const perChannel = layer.biases.length / mean.length;
  const out = applyLayer(layer, code).map((u, i) => {
    const channel = Math.floor(i / perChannel);
    return mean[channel] + std[channel] * u;
  });
  let first = 0;
  for (const [n, names] of parts) {
    for (let i = first; i < first + n; i++) out[i] = names.reduce((value, name) => LINKS[name](value), out[i]);
    first += n;
  }
  return out;
}

/**
 * Create a function from a code to the entries of an example.
 * @param {{layers: {w: string, b: string}[], mean: string, linear?: LinearSpec}} spec the linear path is added to the
 *   first entries of the output of the layers
 * @returns {(code: ArrayLike<number>) => Float32Array}
 */
function createDecoder(spec) {
  const layers = spec.layers.map(unpackLayer);
  const linear = spec.linear && unpackLayer(spec.linear);
  return (code) => {
    let h = code;
    layers.forEach((layer, depth) => {
      h = applyLayer(layer, h);
      if (depth < layers.length - 1) h = h.map(gelu);
    });
    if (linear) applyLinear(linear, spec.linear, code).forEach((value, i) => (h[i] += value));
    return h.map(MEANS[spec.mean]);
  };
}
