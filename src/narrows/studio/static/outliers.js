// Outliers: the rows with the lowest scores, and the parts of each that the model did not expect.

import { formatCell, kindClass } from "./cells.js";
import { h, heading, reveal, setChildren } from "./dom.js";
import { createBars, figureList, plainTable, renderExample, thumbnail } from "./examples.js";
import { attempt } from "./feedback.js";
import { formatNumber, formatPercent } from "./format.js";

/** @import {App, Contribution, Model, Outlier, OutlierDetail, Outliers, Panel, Transport} from "./types" */

const N_ROWS = 60;
const MAX_COLUMNS = 24; // in the detail of a vector

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
    this.#summary.textContent = summarize(answer);
    this.list.replaceChildren(...answer.rows.map((outlier) => h("li", null, this.#rowButton(outlier))));
    if (answer.rows.length) this.#open(answer.rows[0].row);
  }

  /** @param {Outlier} outlier */
  #rowButton({ row, score, outlier, label, reasons }) {
    const percent = (/** @type {number} */ share) => formatPercent(Math.round(100 * share) / 100);
    const reasonText = reasons.map(({ name, share }) => `${name} ${percent(share)}`).join(", ");
    const open = () => this.#open(row).then(() => reveal(this.#detail));
    return h(
      "button",
      { type: "button", id: `row-${row}`, "aria-pressed": "false", onclick: open },
      thumbnail(
        this.transport,
        this.model,
        row,
        "",
        reasons.map(({ name }) => name),
      ),
      h(
        "span",
        { class: "strange-text" },
        h("b", null, label ?? `row ${row}`),
        h("small", null, formatNumber(score), outlier && h("span", { class: "mark-out" }, " outlier")),
        reasons.length > 0 && h("small", { class: "reasons" }, reasonText),
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
    const body = isImage
      ? renderPictures(this.model, row, detail)
      : renderColumns(this.model, detail.contributions ?? []);
    setChildren(this.#detail, h("h2", null, `Row ${row}`), h("dl", { class: "figures" }, figures), ...body);
  }
}

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

/** @param {Model} model @param {Contribution[]} contributions */
function renderColumns({ cells }, contributions) {
  const rows = contributions.slice(0, MAX_COLUMNS);
  const bars = createBars(
    rows.map(({ name }) => name),
    "Extra cost of each column, in nats",
  );
  bars.show(rows.map(({ nats }) => nats));
  const table = plainTable(
    ["column", "value", "expected", "nats"],
    rows.map(({ name, column, value, expected, prob, nats }) => {
      const format = (/** @type {number | null} */ cell) =>
        cells ? formatCell(cells[column], cell) || "missing" : formatNumber(cell);
      const certainty = prob === null ? "" : ` (${formatPercent(Math.round(100 * prob) / 100)})`;
      return [name, format(value), format(expected) + certainty, formatNumber(nats)];
    }),
  );
  const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": "Values and expected values" };
  return [h("h3", null, "Extra cost of each column, in nats"), bars.element, h("div", region, table)];
}
