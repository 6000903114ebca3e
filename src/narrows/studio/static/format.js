// Numbers as people read them.

/** Format with three significant digits, and an exponent for very large and small numbers: 0.01234 -> "0.0123".
 * @param {number | null | undefined} value */
export function formatNumber(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0"; // never -0
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-4)) return value.toExponential(2);
  const digits = size >= 100 ? { maximumFractionDigits: size >= 1000 ? 0 : 1 } : { maximumSignificantDigits: 3 };
  return value.toLocaleString("en", digits).replace("-", "−");
}

/** @param {number} share 0 to 1 */
export function formatPercent(share) {
  return `${formatNumber(100 * share)} %`;
}

/** Format a number of things: "1 unit", "1,200 units". @param {number} n @param {string} noun */
export function formatCount(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}
