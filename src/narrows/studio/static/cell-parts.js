// The parts of a cell: a bar on its column's own scale, and its text. Lists of a few cells, for cards and tips.

import { describePlace, formatCell, isGap, placeOf, REACH, shareOf, shortNames } from "./cells.js";
import { h } from "./dom.js";
import { formatProbability } from "./format.js";

/** @import {CellColumn} from "./types" */
/** @import {Cells} from "./cells.js" */

/**
 * A cell to draw.
 * @typedef {object} Cell
 * @property {number | null} value
 * @property {number | null} [prob] of its level, if a model decoded it
 * @property {number | null} [truth] the true level, if the cell was decoded from a row that has it
 * @property {number | null} [trueProb] probability of the true level
 */

/**
 * A bar on a track from 0 to 1, with a mark.
 * @typedef {{kind: "none" | "gap" | "centred" | "share", from: number, to: number, mark: number | null,
 *   beyond: -1 | 0 | 1}} Bar
 */

/** The bar of a cell: of a number from the mean, of a level its probability, of a value between 0 and 1 from 0.
 * @param {CellColumn} column @param {number | null | undefined} value @param {number | null} [prob] @returns {Bar} */
export function barOf(column, value, prob = null) {
  const none = { from: 0, to: 0, mark: null, beyond: /** @type {const} */ (0) };
  if (isGap(value)) return { kind: "gap", ...none };
  if (column.levels) {
    if (isGap(prob)) return { kind: "none", ...none };
    return { ...none, kind: "share", to: prob, mark: column.frequencies?.[value] ?? null };
  }
  if (column.kind === "unit") {
    const share = shareOf(column, value);
    const beyond = share < -0.01 ? -1 : share > 1.01 ? 1 : 0;
    return { kind: "share", from: 0, to: Math.min(1, Math.max(0, share)), mark: column.mean, beyond };
  }
  const place = placeOf(column, value) / REACH;
  const beyond = place < -1 ? -1 : place > 1 ? 1 : 0;
  return { kind: "centred", from: 0.5, to: 0.5 + Math.min(1, Math.max(-1, place)) / 2, mark: null, beyond };
}

/** A cell as two elements, its bar and its text, which are drawn again with other numbers. */
export function createCell() {
  const fill = h("i");
  const trueFill = h("i", { class: "true" });
  const mark = h("b", { class: "usual" });
  const place = h("span", { class: "sr" });
  const track = h("span", { class: "track" }, fill, trueFill, mark, place);
  const [text, prob, trueText, trueProb] = [h("b"), h("small"), h("b"), h("small")];
  const trueLine = h("span", { class: "true-level" }, trueText, trueProb);
  const value = h("span", { class: "value" }, h("span", null, text, prob), trueLine);
  /** @param {CellColumn} column @param {Cell} cell */
  function show(column, cell) {
    const bar = barOf(column, cell.value, cell.prob);
    const isDecoded = column.levels !== null && !isGap(cell.prob);
    const isTrue = isDecoded && !isGap(cell.truth) && cell.truth === cell.value;
    const isFalse = isDecoded && !isGap(cell.truth) && !isTrue;
    track.className = `track ${bar.kind} ${bar.beyond < 0 ? "below" : bar.beyond > 0 ? "above" : ""}`;
    setBar(fill, bar.from, bar.to);
    fill.className = isFalse ? "wrong" : bar.to < bar.from ? "less" : "";
    mark.hidden = bar.mark === null;
    if (bar.mark !== null) mark.style.setProperty("--at", String(bar.mark));
    trueFill.hidden = !isFalse || isGap(cell.trueProb);
    if (!trueFill.hidden) setBar(trueFill, 0, cell.trueProb ?? 0);
    place.textContent = describePlace(column, cell.value, cell.prob ?? null);
    value.className = `value ${bar.kind === "gap" ? "gap" : ""}`;
    text.textContent = formatCell(column, cell.value) || "missing";
    value.title = text.textContent;
    prob.textContent = isDecoded ? ` ${formatProbability(cell.prob ?? 0)}${isTrue ? " ✓" : ""}` : "";
    trueLine.hidden = !isFalse;
    if (isFalse) {
      trueText.textContent = formatCell(column, cell.truth);
      trueText.title = trueText.textContent;
      trueProb.textContent = `${isGap(cell.trueProb) ? "" : formatProbability(cell.trueProb)} ✓`;
    }
  }
  return { track, value, show };
}

/** @param {HTMLElement} fill @param {number} from 0 to 1 @param {number} to */
function setBar(fill, from, to) {
  fill.style.transform = `translateX(${100 * Math.min(from, to)}%) scaleX(${Math.abs(to - from)})`;
}

/**
 * A few cells of a row as lines: name, bar, text.
 * @param {CellColumn[]} columns @param {Cells} values @param {number[]} positions of the cells that are shown
 * @param {{notes?: string[], other?: Cells}} [options] a note behind each line; another row, which bars mark
 */
export function cellLines(columns, values, positions, { notes, other } = {}) {
  const names = shortNames(columns);
  return h(
    "span",
    { class: "lines" },
    positions.map((j, i) => {
      const { track, value, show } = createCell();
      show(columns[j], { value: values[j] });
      const place = other && barOf(columns[j], other[j]);
      if (place?.kind === "centred" || place?.kind === "share") {
        track.append(h("b", { class: "other", style: { "--at": place.to } }));
      }
      const note = notes && h("small", { class: "line-note" }, notes[i]);
      return h(
        "span",
        { class: "line" },
        h("span", { class: "name", title: columns[j].name }, names[j]),
        track,
        value,
        note,
      );
    }),
  );
}
