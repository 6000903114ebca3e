// The density of points on a map, and its contours. The map of `narrows map` and that of the studio use it.

const GRID = 112; // cells of the grid of densities along each side
const HEIGHTS = [0.03, 0.1, 0.22, 0.42, 0.7]; // of contours, as shares of the highest density

/** Return the density of points on a grid of GRID x GRID cells. @param {Float32Array} x @param {Float32Array} y
 * @param {Uint32Array} out not 0 for rows that do not count */
export function densityOf(x, y, out) {
  const counts = new Float32Array(GRID * GRID);
  let n = 0;
  for (let i = 0; i < x.length; i++) {
    if (out[i]) continue;
    counts[Math.min(GRID - 1, (x[i] * GRID) | 0) + GRID * Math.min(GRID - 1, (y[i] * GRID) | 0)]++;
    n++;
  }
  const width = Math.min(5, Math.max(1.4, 1.6 * (20000 / Math.max(n, 1)) ** (1 / 6)));
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

/** Return the contours of a density as paths in the unit square: marching squares. @param {Float32Array} density
 * @returns {Path2D[]} */
export function contoursOf(density) {
  let highest = 0;
  for (const value of density) if (value > highest) highest = value;
  return HEIGHTS.map((share) => contourAt(density, share * highest));
}

/** @param {Float32Array} density @param {number} height @returns {Path2D} */
function contourAt(density, height) {
  const path = new Path2D();
  if (!(height > 0)) return path;
  for (let b = 0; b < GRID - 1; b++) {
    for (let a = 0; a < GRID - 1; a++) {
      const at = a + GRID * b;
      const [first, second] = [density[at] >= height, density[at + 1] >= height];
      // in most cells no contour begins
      if (first === second && density[at + GRID] >= height === first && density[at + GRID + 1] >= height === first)
        continue;
      const corners = [density[at], density[at + 1], density[at + GRID + 1], density[at + GRID]];
      /** @type {[number, number][]} */ const ends = [];
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

/** Return a place on a side of a cell, in the unit square. @param {number} side 0 to 3 @param {number} share
 * @param {number} a @param {number} b of the cell @returns {[number, number]} */
function sidePlace(side, share, a, b) {
  const [x, y] = [
    [share, 0],
    [1, share],
    [1 - share, 1],
    [0, 1 - share],
  ][side];
  return [(a + x + 0.5) / GRID, (b + y + 0.5) / GRID];
}
