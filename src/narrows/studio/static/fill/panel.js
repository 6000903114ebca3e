// Fill and draw: a row as a form. Cells that are set change the distributions of all others, and rows can be drawn.

import { formatCell } from "../cells.js";
import { button, emptyNote, h, heading } from "../dom.js";
import { examplePicker } from "../example-picker.js";
import { attempt } from "../feedback.js";
import { formatCount } from "../format.js";
import { throttleToFrame } from "../timing.js";
import { ColumnField } from "./column.js";

/** @import {App, CellColumn, FormColumn, Panel, Prediction} from "../types" */

const TEXT =
  "Set some cells of a row. For each column, bars show how likely its values are, given the cells that are set in " +
  "the other columns. A grey line is the share in the training data.";
const N_DRAWN = 10; // rows
const PAGE_SIZE = 24; // columns shown at first

/** @param {App} app @returns {Panel} */
export function panel(app) {
  const view = new FillView(app);
  return {
    element: view.element,
    show({ row }) {
      if (row !== undefined && /^\d+$/.test(row)) view.startFromRow(Number(row));
    },
  };
}

class FillView {
  /** @type {Map<number, number>} cells that are set, by column */ #cells = new Map();
  /** @type {ColumnField[]} */ #fields = [];
  #list = h("ol", { class: "fill", "aria-label": "Columns" });
  #drawn = h("div", { class: "fill-drawn", "aria-live": "polite" });
  #more = h("div", { class: "more" });
  #isBusy = false;
  #isStale = false; // cells have changed since the last request

  /** @param {App} app */
  constructor(app) {
    this.transport = app.transport;
    this.columns = /** @type {CellColumn[]} */ (app.state.model?.cells);
    this.picker = examplePicker(app.state, { onRow: (row) => this.startFromRow(row) }, "Start from row");
    const bar = h(
      "div",
      { class: "bar" },
      this.picker,
      h(
        "div",
        { class: "actions" },
        button("All open", "reset", () => this.#setAll(new Map())),
        button(`Draw ${N_DRAWN} rows`, "random", () => this.#draw(), { class: "primary" }),
      ),
    );
    const body = h("div", null, bar, this.#drawn, this.#list, this.#more);
    this.element = h("section", { class: "panel" }, heading("Fill and draw", TEXT), body);
    this.ready = this.#load();
    attempt(this.ready);
  }

  async #load() {
    /** @type {{columns: FormColumn[]}} */
    const form = await this.transport.json("GET", "/api/fill");
    this.#fields = form.columns.map(
      (column, j) => new ColumnField(this.columns[j], column, (value) => this.#change(j, value)),
    );
    this.#list.append(...this.#fields.slice(0, PAGE_SIZE).map(({ element }) => element));
    const rest = this.#fields.slice(PAGE_SIZE);
    const showAll = () => {
      this.#list.append(...rest.map(({ element }) => element));
      this.#more.replaceChildren();
    };
    if (rest.length) this.#more.append(button(`Show ${rest.length} more columns`, "plus", showAll));
    await this.#request();
  }

  /** @param {number} column @param {number | undefined} value undefined to leave the cell open */
  #change(column, value) {
    if (value === undefined) this.#cells.delete(column);
    else this.#cells.set(column, value);
    this.#requestSoon();
  }

  /** @param {Map<number, number>} cells by column */
  #setAll(cells) {
    this.#cells = cells;
    this.#fields.forEach((field, j) => field.set(cells.get(j)));
    this.#requestSoon();
  }

  /** Set all cells to those of a row of the data; gaps stay open. @param {number} row */
  async startFromRow(row) {
    await this.ready;
    const answer = await attempt(this.transport.json("GET", `/api/data/${row}`));
    if (!answer) return;
    this.picker.dispatchEvent(new CustomEvent("row", { detail: row }));
    /** @type {(number | null)[]} */ const values = answer.example.values ?? [];
    /** @type {Map<number, number>} */ const cells = new Map();
    this.#fields.forEach(({ column, form }, j) => {
      const value = values[j];
      const canBeSet = value !== null && (!column.levels || value < form.n_choices);
      if (canBeSet) cells.set(j, value);
    });
    this.#setAll(cells);
  }

  #requestSoon = throttleToFrame(() => attempt(this.#request()));

  /** Request the distributions. While one request runs, later changes wait for its end, and go together. */
  async #request() {
    this.#isStale = true;
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        /** @type {{columns: Prediction[]}} */
        const { columns } = await this.transport.json("POST", "/api/fill", { cells: this.#listCells() });
        for (const prediction of columns) this.#fields[prediction.column].predict(prediction);
      }
    } finally {
      this.#isBusy = false;
    }
  }

  async #draw() {
    const body = { cells: this.#listCells(), n: N_DRAWN };
    /** @type {{rows: (number | null)[][]} | null} */
    const answer = await attempt(this.transport.json("POST", "/api/fill/draw", body));
    if (answer) this.#drawn.replaceChildren(this.#renderDrawn(answer.rows, new Set(this.#cells.keys())));
  }

  #listCells() {
    return Array.from(this.#cells, ([column, value]) => ({ column, value }));
  }

  /** @param {(number | null)[][]} rows @param {Set<number>} given columns whose cells were set */
  #renderDrawn(rows, given) {
    if (!rows.length) return emptyNote("No row was drawn.");
    // the cells that were drawn come first: on a phone the others are out of sight
    const order = Array.from(this.columns.keys()).sort((a, b) => Number(given.has(a)) - Number(given.has(b)) || a - b);
    const head = order.map((j) =>
      h("th", { scope: "col", class: given.has(j) ? "given" : null }, this.columns[j].name),
    );
    const lines = rows.map((row) =>
      h(
        "tr",
        null,
        order.map((j) => {
          const text = formatCell(this.columns[j], row[j]);
          return h("td", { class: given.has(j) ? "given" : text ? null : "gap" }, text || "missing");
        }),
      ),
    );
    const caption = h("caption", { class: "sr" }, "Drawn rows");
    const table = h(
      "table",
      { class: "plain" },
      caption,
      h("thead", null, h("tr", null, head)),
      h("tbody", null, lines),
    );
    const label = given.size ? `Rows drawn for the ${formatCount(given.size, "cell")} you set` : "Drawn rows";
    const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": label };
    return h("div", null, h("h2", null, label), h("div", region, table));
  }
}
