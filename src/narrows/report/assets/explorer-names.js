// Names on a map. The map of `narrows map` and that of the studio use it.

const LONGEST = 34; // letters
const LINE = 17; // pixels between two names

/**
 * Write names at their places; only the first ones where two would touch.
 * @param {CanvasRenderingContext2D} context
 * @param {{text: string, x: number, y: number, isFaint: boolean}[]} names at pixels of the stage
 * @param {{width: number, height: number, family: string, ink: string, halo: string}} stage
 * @returns {string[]} the names that were written
 */
export function drawNames(context, names, { width, height, family, ink, halo }) {
  /** @type {[number, number, number][]} */ const boxes = [];
  context.font = `600 ${width < 500 ? 12 : 13}px ${family}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 4;
  return names.flatMap(({ text, x, y, isFaint }) => {
    const short = text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}\u2026` : text;
    const half = context.measureText(short).width / 2 + 3;
    const at = Math.min(width - half, Math.max(half, x));
    if (y < 0 || y > height || x < 0 || x > width) return [];
    if (boxes.some(([l, r, line]) => at - half < r && at + half > l && Math.abs(y - line) < LINE)) return [];
    boxes.push([at - half, at + half, y]);
    context.strokeStyle = halo;
    context.globalAlpha = 0.85;
    context.strokeText(short, at, y);
    context.globalAlpha = isFaint ? 0.5 : 1;
    context.fillStyle = ink;
    context.fillText(short, at, y);
    context.globalAlpha = 1;
    return [text];
  });
}
