// Numbers as people read them.

const MIN_SHARE = 0.005; // smaller probabilities are not rounded to 0

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

/** A probability in whole per cent. A small one is never "0 %". @param {number} share 0 to 1 */
export const formatProbability = (share) =>
  share > 0 && share < MIN_SHARE ? "< 0.5 %" : formatPercent(Math.round(100 * share) / 100);

/** Format a duration as minutes and seconds, or as hours and minutes: 75 -> "1:15", 3700 -> "1 h 2 min".
 * @param {number} seconds */
export function formatDuration(seconds) {
  const whole = Math.round(seconds);
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Format a number of things: "1 unit", "1,200 units". @param {number} n @param {string} noun */
export function formatCount(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}
