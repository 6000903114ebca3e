// A fitted decoder: o = W_n gelu(... gelu(W_1 z + b_1) ...) + b_n, then the likelihood's mean. No dependencies.
"use strict";

// IEEE half precision, base64 -> Float32Array
function halves(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const out = new Float32Array(bytes.length / 2);
  for (let i = 0; i < out.length; i++) {
    const h = bytes[2 * i] | (bytes[2 * i + 1] << 8);
    const exponent = (h >> 10) & 31, fraction = h & 1023;
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : (fraction / 1024) * 2 ** -14;
    out[i] = h & 0x8000 ? -size : size;
  }
  return out;
}

// Abramowitz and Stegun 7.1.26: the error is below 1.5e-7
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - p * Math.exp(-x * x));
}

const gelu = (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));

const MEANS = {
  identity: (o) => o,
  exp: (o) => Math.exp(Math.min(o, 20)),
  sigmoid: (o) => 1 / (1 + Math.exp(-o)),
  continuous_bernoulli: (o) => Math.abs(o) < 0.1 ? 0.5 + o / 12 - o ** 3 / 720 : -1 / Math.expm1(-o) - 1 / o,
};

// {layers: [{w, b, n}], mean} -> a function from a code to the entries of an example
function decoder(spec) {
  const layers = spec.layers.map(({ w, b }) => ({ w: halves(w), b: halves(b) }));
  return function decode(z) {
    let h = z;
    layers.forEach(({ w, b }, depth) => {
      const n = h.length, out = new Float32Array(b.length);
      for (let i = 0; i < b.length; i++) {
        let sum = b[i];
        for (let j = 0; j < n; j++) sum += w[i * n + j] * h[j];
        out[i] = depth < layers.length - 1 ? gelu(sum) : sum;
      }
      h = out;
    });
    return h.map(MEANS[spec.mean]);
  };
}
