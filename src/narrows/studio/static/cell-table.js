// A table of examples side by side, with a line for each column. Of many columns, a few are shown at first.

import { createCell } from "./cell-parts.js";
import { distanceOf, rankColumns, REACH, shortNames, surpriseOf } from "./cells.js";
import { h } from "./dom.js";
import { formatNumber } from "./format.js";

/** @import {CellColumn, Example} from "./types" */
/** @import {Cells} from "./cells.js" */
/** @typedef {{values: Cells, probs: Cells | null, trueProbs: Cells | null}} Shown */
/** @typedef {{row: HTMLElement, cells: ReturnType<typeof createCell>[], cost: Cost | null}} Line */
/** @typedef {{fill: HTMLElement, value: HTMLElement}} Cost */

const MANY = 100; // lines that a click adds
const MIN_CHANGE = 0.08; // smallest distance that is highlighted

export class CellTable {
  /** @type {Map<number, Line>} lines that were shown, by position */ #lines = new Map();
  /** @type {number[]} positions of the columns */ #order;
  #isSorted = false;
  #reason = "";
  #nShown;
  /** @type {Shown[]} */ #examples;
  /** @type {ArrayLike<number> | null} */ #costs = null;
  /** @type {{values: Cells, probs: Cells} | null} an earlier example */ #before = null;
  #body = h("tbody");
  #count = h("span");
  #more = h("button", { type: "button", class: "button", onclick: () => this.#showMore() });

  /**
   * @param {CellColumn[]} columns @param {string} label
   * @param {string[]} [captions] of the examples; [] for one without. Others are compared with the first.
   * @param {{most?: number, cost?: string, hasNote?: boolean}} [options] lines shown at first; caption of a column of
   *   costs; false to leave out what the bars mean
   */
  constructor(columns, label, captions = [], { most = 24, cost, hasNote = true } = {}) {
    this.columns = columns;
    this.most = most;
    this.#nShown = Math.min(most, columns.length);
    this.#order = Array.from(columns.keys());
    this.#examples = Array.from({ length: Math.max(1, captions.length) }, () => ({
      values: [],
      probs: null,
      trueProbs: null,
    }));
    this.hasCost = cost !== undefined;
    const names = [...captions, ...(cost === undefined ? [] : [cost])];
    const heads = names.map((name) => h("th", { scope: "col", role: "columnheader" }, name));
    const head = heads.length > 0 && h("thead", null, h("tr", { role: "row" }, h("td", { role: "cell" }), heads));
    const table = h(
      "table",
      { class: `cells of-${Math.max(1, names.length)} ${cost === undefined ? "" : "costed"}`, role: "table" },
      h("caption", { class: "sr" }, label),
      head,
      this.#body,
    );
    this.foot = h("p", { class: "cells-more" }, this.#count, this.#more);
    this.element = h(
      "div",
      { class: "bars-box", tabindex: "0", role: "region", "aria-label": label },
      table,
      this.foot,
      hasNote && h("p", { class: "cells-note" }, explainBars(columns, captions.length > 1)),
    );
    this.#arrange();
  }

  /** @param {Cells} values @param {Cells | null} [probs] of levels
   * @param {number} [example] its place among the captions @param {Cells | null} [trueProbs] of the true levels */
  show(values, probs = null, example = 0, trueProbs = null) {
    this.#examples[example] = { values, probs, trueProbs };
    this.#draw();
  }

  /** Show all examples; one without values is not known yet. @param {Example[]} examples */
  showAll(...examples) {
    this.#examples = examples.map(({ values, probs, true_probs: trueProbs }) => ({
      values: values ?? [],
      probs: probs ?? null,
      trueProbs: trueProbs ?? null,
    }));
    this.#draw();
  }

  /** Show all examples, and bring those columns to the top that differ most from the first one; of a single example,
   * those that are furthest from the mean. @param {Example[]} examples */
  compare(...examples) {
    this.showAll(...examples);
    this.sort();
  }

  /** Show a cost of each column, from the highest. @param {ArrayLike<number>} costs */
  showCosts(costs) {
    this.#costs = costs;
    this.order(
      rankColumns(this.columns, (_, i) => costs[i]),
      "those that cost most first",
    );
  }

  /** Sort the columns of the examples that are shown, as `compare` does. */
  sort() {
    const [{ values }, ...others] = this.#examples;
    if (!others.length) {
      const order = rankColumns(this.columns, (column, i) => surpriseOf(column, values[i]));
      this.order(order, "those furthest from the mean first");
      return;
    }
    const distance = (/** @type {CellColumn} */ column, /** @type {number} */ i) =>
      Math.max(...others.map((other) => distanceOf(column, values[i], other.values[i])));
    this.order(rankColumns(this.columns, distance), "those that moved most first");
  }

  /** Bring some columns to the top. @param {number[]} first positions, in this order @param {string} reason */
  order(first, reason) {
    const isFirst = new Set(first);
    this.#order = [...first, ...this.#order.filter((i) => !isFirst.has(i))];
    this.#isSorted = true;
    this.#reason = reason;
    this.#arrange();
  }

  /** The columns in the order in which they are shown: positions. */
  get positions() {
    return this.#order;
  }

  /** Highlight what differs from an earlier example from now on. @param {Cells | null} values null to end it
   * @param {Cells} [probs] */
  highlight(values, probs = []) {
    this.#before = values && { values, probs };
    this.#draw();
  }

  #showMore() {
    const n = this.columns.length;
    this.#nShown = this.#nShown >= n ? Math.min(n, this.most) : Math.min(n, this.#nShown + MANY);
    this.#arrange();
  }

  /** Put the lines in order, and say how many there are. */
  #arrange() {
    const shown = this.#order.slice(0, this.#nShown);
    const [n, names] = [this.columns.length, shortNames(this.columns)];
    for (const i of shown) if (!this.#lines.has(i)) this.#lines.set(i, this.#createLine(i, names[i]));
    const rows = shown.map((i) => /** @type {Line} */ (this.#lines.get(i)).row);
    const isInPlace =
      rows.length === this.#body.children.length && rows.every((row, k) => this.#body.children[k] === row);
    if (!isInPlace) this.#body.replaceChildren(...rows);
    const [count, rest] = [n.toLocaleString("en"), n - this.#nShown];
    const order = this.#reason || "in the order of the table";
    this.#count.textContent = rest ? `${this.#nShown} of ${count} columns, ${order}` : `All ${count} columns, ${order}`;
    this.#more.textContent = rest > MANY ? `Show ${MANY} more` : rest ? `Show all ${count}` : `Show ${this.most} only`;
    this.#more.hidden = n <= this.most;
    this.foot.hidden = n <= this.most && !(this.#isSorted && n > 1);
    this.#draw();
  }

  /** @param {number} position @param {string} name @returns {Line} */
  #createLine(position, name) {
    const column = this.columns[position];
    const cells = this.#examples.map(createCell);
    const isShort = name !== column.name;
    const header = h("th", { scope: "row", role: "rowheader", title: column.name }, [
      isShort ? h("span", { "aria-hidden": "true" }, name) : name,
      isShort && h("span", { class: "sr" }, column.name),
    ]);
    const fill = h("i");
    const value = h("span", { class: "value" });
    const cost = this.hasCost ? { fill, value } : null;
    const bars = [
      ...cells.map(({ track, value }) => [track, value]),
      ...(cost ? [[h("span", { class: "track cost" }, fill), value]] : []),
    ];
    const row = h(
      "tr",
      { role: "row" },
      header,
      bars.map((parts, k) =>
        h(
          "td",
          { role: "cell" },
          h("div", { class: column.levels && k < cells.length ? "cell words" : "cell" }, parts),
        ),
      ),
    );
    return { row, cells, cost };
  }

  #draw() {
    const [first] = this.#examples;
    for (const i of this.#order.slice(0, this.#nShown)) {
      const line = /** @type {Line} */ (this.#lines.get(i));
      this.#examples.forEach(({ values, probs, trueProbs }, k) => {
        if (!values.length) return; // it is not known yet
        const truth = k > 0 && !first.probs ? first.values[i] : null; // what was decoded is no truth
        line.cells[k].show(this.columns[i], {
          value: values[i] ?? null,
          prob: probs?.[i] ?? null,
          truth,
          trueProb: trueProbs?.[i] ?? null,
        });
      });
      this.#drawCost(line, i);
      this.#drawHighlight(line, i);
    }
  }

  /** @param {Line} line @param {number} i */
  #drawCost({ cost }, i) {
    if (!cost || !this.#costs) return;
    const highest = Math.max(this.#costs[this.#order[0]], 1e-9);
    cost.fill.style.transform = `scaleX(${Math.min(1, Math.max(0, this.#costs[i] / highest))})`;
    cost.value.textContent = formatNumber(this.#costs[i]);
  }

  /** @param {Line} line @param {number} i */
  #drawHighlight({ row }, i) {
    const [{ values, probs }] = this.#examples;
    const before = this.#before;
    const share = before
      ? distanceOf(this.columns[i], before.values[i], values[i], before.probs[i] ?? NaN, probs?.[i] ?? NaN)
      : 0;
    row.style.setProperty("--changed", share < MIN_CHANGE ? "0%" : `${Math.round(30 * Math.min(1, share))}%`);
    row.classList.toggle("changed", share >= MIN_CHANGE);
  }
}

/** What the bars of some columns mean. @param {CellColumn[]} columns @param {boolean} hasTruth */
function explainBars(columns, hasTruth) {
  const [hasLevels, hasUnits] = [columns.some(({ levels }) => levels), columns.some(({ kind }) => kind === "unit")];
  const hasNumbers = columns.some(({ levels, kind }) => !levels && kind !== "unit");
  return [
    hasNumbers && `Bars of numbers start at the column's mean; they end at ${REACH} standard deviations.`,
    hasUnits && "Bars go from the lowest to the highest possible value; a line marks the column's mean.",
    hasLevels && "Bars behind words are probabilities; a line marks the word's share in the training rows.",
    hasLevels && hasTruth && "✓ marks the true word.",
  ]
    .filter(Boolean)
    .join(" ");
}
