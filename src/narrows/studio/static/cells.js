// Cells of a row, as people read them: each number as a bar on its column's own scale, levels as words, dates as dates.

import { h } from "./dom.js";
import { formatNumber, formatPercent } from "./format.js";

/** @import {CellColumn, Example} from "./types" */

export const REACH = 2.5; // standard deviations from the usual value to the end of a bar's scale
const MIN_CHANGE = 0.08; // smallest change that is highlighted
const NO_GROUPS = 10000; // numbers below it have no commas, as years have none
const [MINUTE, HOUR, DAY] = [60, 3600, 86400]; // seconds

/** The class that styles examples of a model. @param {{kind: string}} model */
export const kindClass = ({ kind }) => (kind === "table" ? "vector table" : kind);

/** Format a cell; a gap is "". @param {CellColumn} column @param {number | null | undefined} value */
export function formatCell({ kind, levels, step }, value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (levels) return levels[value] ?? "unknown";
  if (kind === "datetime") return formatDate(value, step);
  if (kind === "duration") return formatDuration(value);
  const isWhole = step === 1 && Math.abs(value) < 1e15;
  const text = isWhole ? value.toLocaleString("en", { maximumFractionDigits: 0 }) : formatNumber(value);
  return (Math.abs(value) < NO_GROUPS ? text.replace(",", "") : text).replace("-", "−");
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

/** The place of a number on its column's scale, in standard deviations from the usual value.
 * @param {CellColumn} column @param {number} value */
export function placeOf({ kind, offset, scale, mean, std }, value) {
  const u = (value - offset) / scale;
  const scaled = kind === "heavy_tailed" ? Math.asinh(u) : kind === "count" ? Math.log1p(Math.max(u, 0)) : u;
  return (scaled - mean) / std;
}

/** How much a cell differs from another one, from 0 to 1. A level differs by its probability if it is the same.
 * @param {CellColumn} column @param {number} value @param {number} prob @param {number} before
 * @param {number} probBefore */
function difference(column, value, prob, before, probBefore) {
  if (!column.levels) return Math.min(1, Math.abs(placeOf(column, value) - placeOf(column, before)) / 2);
  return value === before ? Math.min(1, Math.abs(prob - probBefore)) : 1;
}

/**
 * A table of examples side by side, with a line for each column.
 * @param {CellColumn[]} columns @param {string} label @param {string[]} [captions] of the examples; [] for one without
 */
export function createCellTable(columns, label, captions = []) {
  const n = Math.max(1, captions.length);
  const lines = columns.map(({ name }) => {
    const cells = Array.from({ length: n }, createCell);
    const header = h("th", { scope: "row", title: name }, name);
    return { cells, row: h("tr", null, header, ...cells.flatMap(({ track, value }) => [track, value])) };
  });
  const names = captions.map((caption) => h("th", { scope: "col", colspan: 2 }, caption));
  const body = h(
    "tbody",
    null,
    lines.map(({ row }) => row),
  );
  const head = names.length > 0 && h("thead", null, h("tr", null, h("td"), names));
  const table = h("table", { class: "bars cells" }, h("caption", { class: "sr" }, label), head, body);
  const element = h("div", { class: "bars-box", tabindex: "0", role: "region", "aria-label": label }, table);
  return {
    element,
    /** @param {ArrayLike<number | null>} values @param {ArrayLike<number | null> | null} [probs] of levels
     * @param {number} [example] its place among the captions */
    show(values, probs = null, example = 0) {
      lines.forEach(({ cells }, i) => cells[example].show(columns[i], values[i], probs?.[i] ?? null));
    },
    /** Bring some columns to the top. @param {number[]} first positions, in this order */
    order(first) {
      const rest = lines.filter((_, i) => !first.includes(i));
      body.append(...[...first.map((i) => lines[i]), ...rest].map(({ row }) => row));
    },
    /** Highlight what differs from another example. @param {ArrayLike<number> | null} before values, followed by
     * probabilities, or null for no highlights @param {ArrayLike<number>} [now] */
    highlight(before, now = []) {
      lines.forEach(({ row }, i) => {
        const d = columns.length;
        const share = before ? difference(columns[i], now[i], now[d + i], before[i], before[d + i]) : 0;
        row.style.setProperty("--changed", share < MIN_CHANGE ? "0%" : `${Math.round(30 * share)}%`);
        row.classList.toggle("changed", share >= MIN_CHANGE);
      });
    },
  };
}

/** A cell: its bar, and its text. */
function createCell() {
  const fill = h("i");
  const track = h("td", { class: "track" }, fill);
  const value = h("td", { class: "value" });
  /** @param {CellColumn} column @param {number | null} number @param {number | null} prob of the level */
  function show(column, number, prob) {
    const text = formatCell(column, number);
    const isLevel = column.levels !== null;
    track.className = `track ${isLevel || !text ? "prob" : "centred"}`;
    value.className = `value ${text ? "" : "gap"}`;
    value.title = text;
    const line = h("span", null, h("b", null, text || "missing"));
    value.replaceChildren(line);
    if (!text || (isLevel && (prob === null || Number.isNaN(prob)))) {
      fill.style.transform = "scaleX(0)";
      return;
    }
    if (isLevel && prob !== null) {
      fill.className = "";
      fill.style.transform = `scaleX(${prob})`;
      line.append(h("small", null, formatPercent(Math.round(100 * prob) / 100)));
      return;
    }
    const place = Math.min(1, Math.max(-1, placeOf(column, number ?? 0) / REACH));
    fill.className = place < 0 ? "less" : "";
    fill.style.transform = `translateX(${50 + 50 * Math.min(0, place)}%) scaleX(${Math.abs(place) / 2})`;
  }
  return { track, value, show };
}

/** Some cells of an example, as a list. @param {CellColumn[]} columns @param {Example} example @param {number} most
 * @param {string[]} [first] names of columns that come first */
export function cellList(columns, { values }, most, first = []) {
  const rank = (/** @type {number} */ i) =>
    first.includes(columns[i].name) ? first.indexOf(columns[i].name) : first.length;
  const positions = Array.from(columns.keys()).sort((a, b) => rank(a) - rank(b));
  return positions.slice(0, most).map((i) => {
    const column = columns[i];
    const text = formatCell(column, values?.[i]);
    return h(
      "span",
      { title: column.name },
      `${column.name} `,
      h("b", { class: text ? null : "gap" }, text || "missing"),
    );
  });
}
