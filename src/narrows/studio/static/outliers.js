// Outliers: the rows with the lowest scores, and the parts of each that the model did not expect.

import { CellTable } from "./cell-table.js";
import { kindClass, rankColumns } from "./cells.js";
import { h, heading, reveal, setChildren } from "./dom.js";
import { figureList, renderExample, thumbnail } from "./examples.js";
import { attempt } from "./feedback.js";
import { formatNumber, formatPercent } from "./format.js";
import { SeriesChart } from "./series-chart.js";

/** @import {App, Model, Outlier, OutlierDetail, Outliers, Panel, Transport} from "./types" */

const N_ROWS = 60;
const MAX_COLUMNS = 16; // in the detail of a row, at first

/** @param {App} app @returns {Panel} */
export function panel({ transport, state }) {
  const view = new OutliersView(transport, /** @type {Model} */ (state.model));
  view.load();
  return { element: view.element };
}

class OutliersView {
  #requestId = 0;
  #detail = h("div", { class: "detail", "aria-live": "polite" });
  #summary = h("p", { class: "note" }, " ");

  /** @param {Transport} transport @param {Model} model */
  constructor(transport, model) {
    this.transport = transport;
    this.model = model;
    const placeholders = Array.from({ length: 24 }, () => h("li", { class: "waiting" }, h("span", { class: "blank" })));
    this.list = h("ol", { class: `strange ${kindClass(model)}`, "aria-label": "Strangest first" }, placeholders);
    const text = "The rows with the lowest scores, and the parts of each that the model did not expect.";
    const columns = h("div", { class: "beside reversed" }, h("div", null, this.#summary, this.list), this.#detail);
    this.element = h("section", { class: "panel" }, heading("Outliers", text), columns);
  }

  async load() {
    /** @type {Outliers | null} */
    const answer = await attempt(this.transport.json("GET", `/api/outliers?n=${N_ROWS}`));
    if (!answer) return;
    const parts = this.model.kind === "series" ? "channels" : "cells";
    const shares = `The ${parts} of each row are those that explain it most, with their shares of its extra cost.`;
    this.#summary.textContent = `${summarize(answer)}${this.model.kind === "image" ? "" : ` ${shares}`}`;
    this.list.replaceChildren(...answer.rows.map((outlier) => h("li", null, this.#rowButton(outlier))));
    if (answer.rows.length) this.#open(answer.rows[0].row);
  }

  /** The cells of a card: those that explain it. @param {Outlier["reasons"]} reasons */
  #cellsOf(reasons) {
    if (!reasons.length) return {};
    const positions = reasons.map(({ column }) => column);
    return { positions, notes: reasons.map(({ share }) => percentOf(share)) };
  }

  /** @param {Outlier} outlier */
  #rowButton({ row, score, outlier, label, reasons }) {
    const reasonText = reasons.map(({ name, share }) => `${name} ${percentOf(share)}`).join(", ");
    const open = () => this.#open(row).then(() => reveal(this.#detail));
    return h(
      "button",
      { type: "button", id: `row-${row}`, "aria-pressed": "false", onclick: open },
      thumbnail(this.transport, this.model, row, "", this.#cellsOf(reasons)),
      h(
        "span",
        { class: "strange-text" },
        h("b", null, label ?? `row ${row}`),
        h("small", null, formatNumber(score), outlier && h("span", { class: "mark-out" }, " outlier")),
        this.model.kind === "series" && h("small", { class: "reasons" }, reasonText),
      ),
    );
  }

  /** @param {number} row */
  async #open(row) {
    const requestId = ++this.#requestId;
    for (const button of this.list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.id === `row-${row}`));
    }
    /** @type {OutlierDetail | null} */
    const detail = await attempt(this.transport.json("GET", `/api/outliers/${row}`));
    if (!detail || requestId !== this.#requestId) return;
    const { score, threshold, outlier } = detail;
    const verdict = outlier ? "outlier" : "inlier";
    const figures = figureList([
      ["Score", formatNumber(score)],
      ["Threshold", formatNumber(threshold)],
      ["Verdict", verdict],
    ]);
    const isImage = this.model.kind === "image";
    const body = isImage ? renderPictures(this.model, row, detail) : renderRow(this.model, detail);
    setChildren(this.#detail, h("h2", null, `Row ${row}`), h("dl", { class: "figures" }, figures), ...body);
  }
}

/** @param {number} share */
const percentOf = (share) => formatPercent(Math.round(100 * share) / 100);

/** @param {Outliers} answer */
function summarize({ n_outliers: n, shares, threshold }) {
  const limit = `the threshold of ${formatNumber(threshold)}`;
  if (!n) return `No row scores below ${limit}; these come closest. ${shares}`;
  const rows = n === 1 ? "row scores" : "rows score";
  return `${n.toLocaleString("en")} ${rows} below ${limit}: ${shares} Lower scores are stranger.`;
}

/** @param {Model} model @param {number} row @param {OutlierDetail} detail */
function renderPictures(model, row, { example, expected, heat }) {
  const figure = (/** @type {HTMLElement} */ content, /** @type {string} */ caption) =>
    h("figure", null, content, h("figcaption", null, caption));
  const figures = [
    figure(renderExample(example, `Row ${row}`, model), "original"),
    figure(renderExample(expected, "What the model expects", model), "expected by the model"),
  ];
  if (heat) {
    const image = h("img", { class: "px heat", src: heat, alt: "Unexpected parts, in red" });
    figures.push(figure(h("div", { class: "layers" }, renderExample(example, "", model), image), "unexpected, in red"));
  }
  return [h("div", { class: "trio large" }, figures)];
}

/** The row beside what the model expects, and what each column or channel costs, those that cost most first.
 * @param {Model} model @param {OutlierDetail} detail */
function renderRow({ kind, cells }, { example, expected, contributions }) {
  const columns = cells ?? [];
  /** @type {number[]} */ const costs = Array.from(columns, () => 0);
  for (const { column, nats } of contributions ?? []) costs[column] = nats;
  if (kind === "series") {
    const chart = new SeriesChart(columns, "The series, and what the model expects", ["value", "expected"]);
    chart.order(rankColumns(columns, (_, i) => costs[i]));
    chart.compare(example, expected);
    const lines = (contributions ?? []).map(({ name, nats }) => `${name} ${formatNumber(nats)}`);
    return [chart.element, h("p", { class: "note" }, `Extra cost of each channel, in nats: ${lines.join(", ")}.`)];
  }
  const label = "Values, expected values, and the extra cost of each column, in nats";
  const table = new CellTable(columns, label, ["value", "expected"], { most: MAX_COLUMNS, cost: "nats" });
  table.compare(example, expected);
  table.showCosts(costs);
  return [table.element];
}
