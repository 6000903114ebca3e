// @ts-nocheck: the scripts of the report are not typed
// Points on a canvas, written pixel by pixel: 100,000 of them take a few milliseconds without a graphics card.

import { clamp } from "./drawing.js";

const FEW = 40000; // points that are drawn while the map moves
const PAD = 16; // pixels around the picture, so that points at the edge need no test

/** Return a colour of the style sheet as [r, g, b]. @param {string} text such as #rrggbb */
export function parseColour(text) {
  const number = parseInt(text.trim().slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

/** Pack a colour as a pixel of a little-endian canvas. @param {ArrayLike<number>} rgb */
export function packColour([r, g, b]) {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** Return the pixels of a disc: their distances from the middle in x and y, and their opacities up to 256.
 * @param {number} radius in pixels @param {number} opacity in [0, 1] */
function discPixels(radius, opacity) {
  const reach = Math.ceil(radius);
  const pixels = [];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const cover = clamp(radius + 0.5 - Math.hypot(x, y), 0, 1);
      if (cover > 0.04) pixels.push([x, y, Math.round(256 * cover * opacity)]);
    }
  }
  return pixels;
}

class PointPainter {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
  }

  /** @param {number} width @param {number} height in pixels of the screen */
  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.stride = width + 2 * PAD;
    this.image = new ImageData(this.stride, height + 2 * PAD);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  /**
   * @param {{x: Float32Array, y: Float32Array, scale: number, left: number, top: number, order: Uint32Array,
   *   out: Uint32Array, tones: Uint16Array | Uint8Array, palette: Uint32Array, faint: number, ground: number,
   *   radius: number, isMoving: boolean}} scene
   *   x and y in [0, 1]; scale, left and top turn them into pixels; out: not 0 for rows that are faint
   */
  draw(scene) {
    this.pixels.fill(scene.ground);
    const most = scene.isMoving ? Math.min(FEW, scene.order.length) : scene.order.length;
    const radius = clamp(scene.radius, 0.8, PAD - 2);
    this.#dots(scene, most, discPixels(Math.max(0.7, 0.75 * radius), 0.8), true);
    this.#dots(scene, most, discPixels(radius, 0.9), false);
    this.context.putImageData(this.image, -PAD, -PAD);
  }

  /** Draw the faint points or the others. */
  #dots({ x, y, scale, left, top, order, out, tones, palette, faint }, most, disc, isFaint) {
    const { pixels, stride } = this;
    const width = this.canvas.width + PAD;
    const height = this.canvas.height + PAD;
    const offsets = Int32Array.from(disc, ([a, b]) => a + b * stride);
    const opacities = Int32Array.from(disc, ([, , opacity]) => opacity);
    for (let k = 0; k < most; k++) {
      const row = order[k];
      if ((out[row] !== 0) !== isFaint) continue;
      const a = Math.round(x[row] * scale + left);
      const b = Math.round(y[row] * scale + top);
      if (a < 0 || b < 0 || a >= width - PAD || b >= height - PAD) continue;
      const colour = isFaint ? faint : palette[tones[row]];
      const redBlue = colour & 0xff00ff;
      const green = colour & 0x00ff00;
      const middle = a + PAD + (b + PAD) * stride;
      for (let p = 0; p < offsets.length; p++) {
        const at = middle + offsets[p];
        const share = opacities[p];
        const under = pixels[at];
        const rest = 256 - share;
        const rb = ((Math.imul(redBlue, share) + Math.imul(under & 0xff00ff, rest)) >>> 8) & 0xff00ff;
        const g = ((Math.imul(green, share) + Math.imul(under & 0x00ff00, rest)) >>> 8) & 0x00ff00;
        pixels[at] = 0xff000000 | rb | g;
      }
    }
  }
}
