// Cells of a row as people read them: numbers in the user's units, levels as words, dates as dates; where each lies on
// its column's own scale; and how unusual it is.

import { formatNumber } from "./format.js";

/** @import {CellColumn} from "./types" */
/** @typedef {ArrayLike<number | null>} Cells a number for each column; null or NaN for a gap */

export const REACH = 3; // standard deviations from the mean to the end of a bar
const NO_GROUPS = 10000; // numbers below it have no commas, as years have none
const STEPS_OF_SPREAD = 40; // a standard deviation has at least so many steps of the last decimal
const MAX_DECIMALS = 6; // smaller numbers have an exponent
const [MINUTE, HOUR, DAY] = [60, 3600, 86400]; // seconds
const UNIT_SPREAD = 0.3; // of values between 0 and 1, which says their decimals
const UNKNOWN_LEVEL = 4; // how unusual a value is that the model has not seen, in standard deviations
const MIN_UNIT_STD = 0.05; // of a column of 0 to 1 that hardly varies
const [LONG_NAME, MIN_COMMON] = [30, 8]; // letters of a name, and of a start that all names share

/** The class that styles examples of a model. @param {{kind: string}} model */
export const kindClass = ({ kind }) =>
  ({ image: "image", series: "vector series", vector: "vector table", table: "vector table" })[kind] ?? kind;

/** True if a cell is a gap. @param {number | null | undefined} value @returns {value is null | undefined} */
export const isGap = (value) => value === null || value === undefined || Number.isNaN(value);

/** Format a cell; a gap is "". @param {CellColumn} column @param {number | null | undefined} value */
export function formatCell(column, value) {
  if (isGap(value)) return "";
  const { kind, levels, step } = column;
  if (levels) return levels[value] ?? "unknown";
  if (kind === "datetime") return formatDate(value, step);
  if (kind === "duration") return formatDuration(value);
  const isWhole = step === 1 && Math.abs(value) < 1e15;
  const text = isWhole ? value.toLocaleString("en", { maximumFractionDigits: 0 }) : formatInSteps(column, value);
  return (Math.abs(value) < NO_GROUPS ? text.replace(",", "") : text).replace("-", "−");
}

/** Format a number with as many decimals as its column's spread needs. @param {CellColumn} column
 * @param {number} value */
function formatInSteps({ kind, scale, std }, value) {
  if (kind === "heavy_tailed") return formatNumber(value);
  const spread = kind === "count" ? 1 : kind === "unit" ? UNIT_SPREAD * scale : scale * std;
  const decimals = Math.max(0, Math.ceil(Math.log10(STEPS_OF_SPREAD / spread)));
  if (decimals > MAX_DECIMALS || Math.abs(value) >= 1e15) return formatNumber(value);
  const text = value.toLocaleString("en", { maximumFractionDigits: decimals });
  return text === "-0" ? "0" : text;
}

/** @param {number} seconds since 1970 @param {number} [step] a multiple of days leaves out the time of day */
export function formatDate(seconds, step = 0) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return "beyond all dates";
  const text = date
    .toISOString()
    .replace(/\.\d+Z$/, "")
    .replace("T", " ");
  return step >= DAY ? text.slice(0, -9) : step >= MINUTE ? text.slice(0, -3) : text;
}

/** @param {number} seconds */
function formatDuration(seconds) {
  const size = Math.abs(seconds);
  for (const [length, name] of /** @type {[number, string][]} */ ([
    [DAY, "d"],
    [HOUR, "h"],
    [MINUTE, "min"],
  ])) {
    if (size >= length) return `${formatNumber(seconds / length)} ${name}`;
  }
  return `${formatNumber(seconds)} s`;
}

/** The place of a number on its column's scale, in standard deviations from the mean.
 * @param {CellColumn} column @param {number} value */
export function placeOf({ kind, offset, scale, mean, std }, value) {
  const u = (value - offset) / scale;
  const scaled = kind === "heavy_tailed" ? Math.asinh(u) : kind === "count" ? Math.log1p(Math.max(u, 0)) : u;
  return (scaled - mean) / std;
}

/** The share of a value between the ends of a column of the kind "unit". @param {CellColumn} column
 * @param {number} value */
export const shareOf = ({ offset, scale }, value) => (value - offset) / scale;

/** How far two cells lie apart: 1 for another level, for two standard deviations, and for half the range of values
 * between 0 and 1. A level that stays moves by its probability.
 * @param {CellColumn} column @param {number | null} first @param {number | null} second
 * @param {number} [firstProb] @param {number} [secondProb] */
export function distanceOf(column, first, second, firstProb = NaN, secondProb = NaN) {
  if (isGap(first) || isGap(second)) return 0;
  if (column.levels) return first === second ? Math.abs(secondProb - firstProb) || 0 : 1;
  if (column.kind === "unit") return 2 * Math.abs(shareOf(column, second) - shareOf(column, first));
  return Math.abs(placeOf(column, second) - placeOf(column, first)) / 2;
}

/** How unusual a cell is, in standard deviations. A level that is rarer than the most frequent one counts as the number
 * whose density is as much lower than that of the mean. A gap is 0.
 * @param {CellColumn} column @param {number | null | undefined} value */
export function surpriseOf(column, value) {
  if (isGap(value)) return 0;
  const { kind, levels, frequencies, mean, std } = column;
  if (kind === "unit") return Math.abs(shareOf(column, value) - mean) / Math.max(std, MIN_UNIT_STD);
  if (!levels) return Math.abs(placeOf(column, value));
  if (value >= levels.length) return UNKNOWN_LEVEL;
  if (!frequencies) return 0;
  return Math.sqrt(2 * Math.log(Math.max(...frequencies) / Math.max(frequencies[value], 1e-4)));
}

/** The positions of all columns, in descending order of a score; equal ones stay in order.
 * @param {CellColumn[]} columns @param {(column: CellColumn, position: number) => number} score */
export function rankColumns(columns, score) {
  const scores = columns.map(score);
  return Array.from(columns.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
}

/** The positions of the columns in which a row is furthest from the mean. @param {CellColumn[]} columns
 * @param {Cells} values @param {number} most */
export function findUnusual(columns, values, most) {
  return rankColumns(columns, (column, i) => surpriseOf(column, values[i])).slice(0, most);
}

/** Where a cell lies, for screen readers. @param {CellColumn} column @param {number | null} value
 * @param {number | null} prob of its level */
export function describePlace(column, value, prob) {
  if (isGap(value)) return "";
  if (column.levels) {
    const usual = column.frequencies?.[value];
    return isGap(prob) || usual === undefined ? "" : `${Math.round(100 * usual)} % of the training rows have it`;
  }
  if (column.kind === "unit") return `the mean is ${formatCell(column, column.offset + column.scale * column.mean)}`;
  const place = placeOf(column, value);
  return `${formatNumber(Math.abs(place))} standard deviations ${place < 0 ? "below" : "above"} the mean`;
}

/** @type {WeakMap<{name: string}[], string[]>} */ const shortened = new WeakMap();

/** Names of columns that fit on a line: what all names share is left out, and then the middle of long ones.
 * @param {{name: string}[]} columns @returns {string[]} */
export function shortNames(columns) {
  const known = shortened.get(columns);
  if (known) return known;
  const names = columns.map(({ name }) => name);
  const isLong = names.some((name) => name.length > LONG_NAME) && names.length > 1;
  const start = isLong ? commonStart(names) : 0;
  const rest = names.map((name) => name.slice(start));
  const end = isLong ? commonStart(rest.map((name) => Array.from(name).reverse().join(""))) : 0;
  const short = rest.map((name) => {
    const middle = end ? name.slice(0, -end) : name;
    const kept =
      middle.length > LONG_NAME ? `${middle.slice(0, LONG_NAME / 2)}…${middle.slice(-LONG_NAME / 2)}` : middle;
    return `${start ? "…" : ""}${kept}`;
  });
  shortened.set(columns, short);
  return short;
}

/** The number of letters of the whole words at the start of all texts, 0 if they are few. @param {string[]} texts */
function commonStart(texts) {
  const [first, ...others] = texts;
  let n = Math.min(...texts.map((text) => text.length)) - 1; // something must remain
  for (const text of others) while (n > 0 && !text.startsWith(first.slice(0, n))) n--;
  while (n > 0 && /[\p{L}\p{N}]/u.test(first[n - 1])) n--;
  return n < MIN_COMMON ? 0 : n;
}
