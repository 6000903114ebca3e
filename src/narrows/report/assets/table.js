// A decoded row of a table: a bar for each number, and the probabilities of levels.

/**
 * @typedef {{at: number, kind: string, centre: number, scale: number, mean: number, std: number, step: number,
 *   decimals: number, reach: number, atomAt?: number, atom?: number, levels?: string[]}} ColumnSpec
 *   `at`: place of the column's first number in the decoder's output
 */

class TableRow {
  /** @param {Element} root @param {ColumnSpec[]} columns */
  constructor(root, columns) {
    this.columns = columns;
    this.lines = [...root.querySelectorAll(".bars li")];
  }

  /** @param {ArrayLike<number>} output of the decoder */
  show(output) {
    this.columns.forEach((column, i) => {
      if (column.levels) showLevels(this.lines[i], output, column);
      else showNumber(this.lines[i], output, column);
    });
  }
}

/** @param {Element} line @param {ArrayLike<number>} output @param {ColumnSpec} column */
function showNumber(line, output, column) {
  const isCount = column.kind === "count";
  let value = isCount ? Math.exp(Math.min(output[column.at], 20)) : output[column.at];
  if (column.atomAt !== undefined && output[column.atomAt] > 0) value = column.atom;
  const standard = ((isCount ? Math.log1p(value) : value) - column.mean) / column.std;
  const share = clamp(standard / column.reach, -1, 1);
  const fill = line.querySelector("b");
  fill.style.left = `${share < 0 ? 50 + 50 * share : 50}%`;
  fill.style.width = `${50 * Math.abs(share)}%`;
  fill.className = share < 0 ? "less" : "";
  const original = (column.kind === "heavy_tailed" ? Math.sinh(value) : value) * column.scale + column.centre;
  line.querySelector("output").textContent = formatCell(original, column);
}

/** @param {Element} line @param {ArrayLike<number>} output @param {ColumnSpec} column */
function showLevels(line, output, { at, levels }) {
  const logits = Array.from(levels, (_, k) => output[at + k]);
  const highest = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp(logit - highest));
  const total = weights.reduce((a, b) => a + b, 0);
  const likeliest = logits.indexOf(highest);
  [...line.querySelectorAll("s")].forEach((segment, k) => {
    segment.style.width = `${(100 * weights[k]) / total}%`;
    segment.className = k === likeliest ? "most" : "";
    segment.title = `${levels[k]} ${Math.round((100 * weights[k]) / total)}%`;
  });
  const share = Math.round((100 * weights[likeliest]) / total);
  line.querySelector("output").textContent = `${share}% ${levels[likeliest]}`;
}

/** Format a number, a date or a duration of a column. @param {number} value @param {ColumnSpec} column */
function formatCell(value, { kind, step, decimals }) {
  if (kind === "datetime") {
    const stamp = new Date(1000 * clamp(value, -62135596800, 253402300799)).toISOString();
    return stamp.slice(0, step >= 86400 ? 10 : 16).replace("T", " ");
  }
  if (kind === "duration") return `${formatNumber(value / 3600)} h`;
  if (Math.abs(value) >= 1e15 || decimals > 6) return formatNumber(value);
  const digits = step >= 1 ? 0 : decimals;
  const text = Math.abs(value) >= 10000 ? groupThousands(value, digits) : value.toFixed(digits);
  return withMinus(Number(text) === 0 ? text.replace("-", "") : text);
}
