// A fitted decoder: o = W_n gelu(... gelu(W_1 z + b_1) ...) + b_n, then the likelihood's mean. No dependencies.
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

/**
 * Create a function from a code to the entries of an example.
 * @param {{layers: {w: string, b: string}[], mean: string}} spec weights of each layer (n_out x n_in) and its biases
 * @returns {(code: ArrayLike<number>) => Float32Array}
 */
function createDecoder(spec) {
  const layers = spec.layers.map(({ w, b }) => ({ weights: decodeHalfFloats(w), biases: decodeHalfFloats(b) }));
  return (code) => {
    let h = code;
    layers.forEach(({ weights, biases }, depth) => {
      const isLast = depth === layers.length - 1;
      h = biases.map((bias, i) => {
        let sum = bias;
        for (let j = 0; j < h.length; j++) sum += weights[i * h.length + j] * h[j];
        return isLast ? sum : gelu(sum);
      });
    });
    return h.map(MEANS[spec.mean]);
  };
}
