// Points on a canvas, written pixel by pixel: 100,000 of them take a few milliseconds without a graphics card.

const FEW = 40000; // points that are drawn while the map moves
const PAD = 16; // pixels around the picture, so that points at the edge need no test
const GRID = 112; // cells of the grid of densities along each side
const HEIGHTS = [0.03, 0.1, 0.22, 0.42, 0.7]; // of contours, as shares of the highest density

/** Return a colour of the style sheet as [r, g, b]. @param {string} text such as #rrggbb */
function parseColour(text) {
  const number = parseInt(text.trim().slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

/** Pack a colour as a pixel of a little-endian canvas. @param {ArrayLike<number>} rgb */
function packColour([r, g, b]) {
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

/** Return the density of points on a grid of GRID x GRID cells. @param {Float32Array} x @param {Float32Array} y
 * @param {Uint32Array} out not 0 for rows that do not count */
function densityOf(x, y, out) {
  const counts = new Float32Array(GRID * GRID);
  let n = 0;
  for (let i = 0; i < x.length; i++) {
    if (out[i]) continue;
    counts[Math.min(GRID - 1, (x[i] * GRID) | 0) + GRID * Math.min(GRID - 1, (y[i] * GRID) | 0)]++;
    n++;
  }
  const width = clamp(1.6 * (20000 / Math.max(n, 1)) ** (1 / 6), 1.4, 5);
  return blur(blur(counts, width, 1, GRID), width, GRID, 1);
}

/** Blur a grid along one side. @param {Float32Array} values @param {number} width of the kernel, in cells
 * @param {number} step from cell to cell @param {number} stride from line to line */
function blur(values, width, step, stride) {
  const reach = Math.ceil(3 * width);
  const kernel = Float32Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / width) ** 2));
  const result = new Float32Array(values.length);
  for (let line = 0; line < GRID; line++) {
    for (let i = 0; i < GRID; i++) {
      const value = values[line * stride + i * step];
      if (!value) continue;
      const last = Math.min(GRID - 1, i + reach);
      for (let j = Math.max(0, i - reach); j <= last; j++) {
        result[line * stride + j * step] += value * kernel[j - i + reach];
      }
    }
  }
  return result;
}

/** Return the contours of a density as paths in the unit square: marching squares. @param {Float32Array} density */
function contoursOf(density) {
  let highest = 0;
  for (const value of density) if (value > highest) highest = value;
  return HEIGHTS.map((share) => contourAt(density, share * highest));
}

/** @param {Float32Array} density @param {number} height */
function contourAt(density, height) {
  const path = new Path2D();
  if (!(height > 0)) return path;
  for (let b = 0; b < GRID - 1; b++) {
    for (let a = 0; a < GRID - 1; a++) {
      const at = a + GRID * b;
      const corners = [density[at], density[at + 1], density[at + GRID + 1], density[at + GRID]];
      const ends = [];
      for (let side = 0; side < 4; side++) {
        const [from, to] = [corners[side], corners[(side + 1) % 4]];
        if (from >= height !== to >= height) ends.push(sidePlace(side, (height - from) / (to - from), a, b));
      }
      for (let k = 0; k + 1 < ends.length; k += 2) {
        path.moveTo(...ends[k]);
        path.lineTo(...ends[k + 1]);
      }
    }
  }
  return path;
}

/** Return a place on a side of a cell, in the unit square. @returns {[number, number]} */
function sidePlace(side, share, a, b) {
  const [x, y] = [
    [share, 0],
    [1, share],
    [1 - share, 1],
    [0, 1 - share],
  ][side];
  return [(a + x + 0.5) / GRID, (b + y + 0.5) / GRID];
}
