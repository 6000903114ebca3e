// Histograms and the table of the rows below the map. They filter each other, the map, and what a lasso selects.

import { ExplorerColumn, ExplorerRows, NO_LEVEL } from "../../../report/assets/explorer-data.js";
import {
  ExplorerHistogram,
  ExplorerPictures,
  ExplorerTable,
  MOST_ROWS,
} from "../../../report/assets/explorer-panel.js";
import { button, h, setChildren } from "../dom.js";
import { attempt } from "../feedback.js";
import { categoryColour } from "./colours.js";

/** @import {Colouring, MapSettings} from "../types" */
/** @import {MapRequests} from "./requests.js" */
/** @import {Scatter} from "./scatter.js" */

const LEGEND = 1 << 30; // the bit of the category that the legend chooses, among the filters

export class MapFilters {
  body = h("div", { class: "map-filters" });
  element = h("details", { class: "map-rows" }, h("summary", null, "Histograms and rows"), this.body);
  /** @type {any} the rows and their filters; null before they are shown */ #rows = null;
  /** @type {any[]} */ #histograms = [];
  /** @type {any} */ #table = null;
  #count = h("p", { class: "count", "aria-live": "polite" });
  #note = h("p", { class: "note" });
  #clear = button("Clear the filters", "close", () => this.#clearAll());

  /** @param {MapSettings} settings @param {Scatter} scatter @param {MapRequests} requests
   * @param {{onFilter: () => void, isDark: () => boolean, mask: () => Uint8Array | null, isPlaced: () => boolean}}
   *   handlers called for other filters; the theme; the selection; and whether all rows have their final places */
  constructor(settings, scatter, requests, handlers) {
    this.settings = settings;
    this.scatter = scatter;
    this.requests = requests;
    this.handlers = handlers;
    this.element.addEventListener("toggle", () => this.load());
  }

  /** Show the columns, if they are wanted and not there. They are chosen by the final places of the rows. */
  load() {
    if (!this.element.open || this.#rows) return;
    if (this.handlers.isPlaced()) attempt(this.#load());
    else setChildren(this.body, h("p", { class: "note" }, "Waiting for the places of the rows"));
  }

  /** The selection, the legend or the theme has changed: the counts and the table follow. */
  update() {
    const rows = this.#rows;
    if (!rows) return;
    rows.select(this.handlers.mask());
    const { category, values, n } = this.scatter;
    for (let i = 0; i < n; i++) {
      rows.left[i] = category !== null && values[i] !== category ? rows.left[i] | LEGEND : rows.left[i] & ~LEGEND;
    }
    const isDark = this.handlers.isDark();
    const css = (/** @type {any} */ { kind }, /** @type {number} */ bar) =>
      kind === "level" ? categoryColour(bar, isDark) : "var(--sea)";
    for (const histogram of this.#histograms) histogram.update({ css });
    this.#table.update();
    const count = rows.count();
    const [shown, all] = [count, n].map((number) => number.toLocaleString("en"));
    this.#count.textContent = count < n ? `${shown} of ${all} rows` : `${all} rows`;
    this.#note.textContent = count > MOST_ROWS ? `The first ${MOST_ROWS} of ${shown} rows` : "";
    this.#clear.hidden = !rows.columns.some((/** @type {any} */ column) => column.isFiltered);
  }

  async #load() {
    this.body.replaceChildren(h("p", { class: "note" }, "Reading the columns"));
    const entries = await this.requests.filters(this.settings);
    const columns = await Promise.all(entries.map((entry, i) => this.#loadColumn(entry, 2 << i)));
    const rows = (this.#rows = new ExplorerRows(this.scatter.n, columns));
    this.scatter.left = rows.left;
    const changed = () => {
      this.update();
      this.handlers.onFilter();
    };
    this.#histograms = columns.map((column) => new ExplorerHistogram(column, rows, changed));
    const box = h("div", { class: "explorer-table", tabindex: "0", role: "region", "aria-label": "Rows of the table" });
    this.#table = new ExplorerTable(box, rows, String, new ExplorerPictures(null, undefined));
    const facets = h(
      "div",
      { class: "facets" },
      this.#histograms.map(({ root }) => root),
    );
    const head = h("div", { class: "actions" }, this.#count, this.#clear);
    this.body.replaceChildren(head, facets, this.#note, box);
    this.update();
  }

  /** @param {Colouring} entry @param {number} bit @returns {Promise<any>} */
  async #loadColumn({ by, title, kind, categories }, bit) {
    const data = /** @type {Float32Array} */ ((await this.requests.colourValues(by)).data);
    const isLevel = kind === "category";
    const values = isLevel ? Uint16Array.from(data, (v) => (Number.isNaN(v) ? NO_LEVEL : v)) : data;
    return new ExplorerColumn({ name: title, kind: isLevel ? "level" : kind, levels: categories ?? [] }, values, bit);
  }

  #clearAll() {
    for (const column of this.#rows.columns) {
      column.clear();
      this.#rows.filter(column);
    }
    this.update();
    this.handlers.onFilter();
  }
}
