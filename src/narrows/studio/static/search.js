// Search: the rows whose codes are nearest to the code of an example.

import { findUnusual, kindClass } from "./cells.js";
import { button, emptyNote, h, heading } from "./dom.js";
import { acceptFiles, examplePicker } from "./example-picker.js";
import { describeThumbnails, MAX_CELLS, renderExample, thumbnail } from "./examples.js";
import { exportButtons } from "./export.js";
import { attempt } from "./feedback.js";
import { formatNumber } from "./format.js";

/** @import {App, Example, Model, Panel} from "./types" */
/** @typedef {{row: number, distance: number, label: string | null}} Neighbor */

const N_NEIGHBORS = 24;
const MAX_COLUMNS = 12; // of the query, at first

/** @param {App} app @returns {Panel} */
export function panel(app) {
  const view = new SearchView(app);
  const stop = view.model.kind === "image" ? acceptFiles(view.element, (file) => view.searchByImage(file)) : () => {};
  view.searchByRow(0);
  return { element: view.element, destroy: stop };
}

class SearchView {
  #requestId = 0;
  #about = h("p", { class: "about" });
  #note = h("p", { class: "note" });
  /** @type {Neighbor[]} that are shown */ #neighbors = [];

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.model = /** @type {Model} */ (app.state.model);
    this.query = h("div", { class: `stage-picture small ${kindClass(this.model)}` });
    const blanks = Array.from({ length: N_NEIGHBORS }, () =>
      h("li", { class: "waiting" }, h("span", { class: "blank" })),
    );
    this.results = h("ol", { class: `results ${kindClass(this.model)}`, "aria-label": "Nearest first" }, blanks);
    const onRow = (/** @type {number} */ row) => this.searchByRow(row);
    const onImage = (/** @type {Blob} */ image) => this.searchByImage(image);
    this.picker = examplePicker(app.state, { onRow, onImage }, "Similar to row");
    const dials = this.model.decodes_codes && button("Example at the dials", null, () => this.#searchByDials());
    const controls = h("div", { class: "controls" }, this.query, this.#about, this.picker, dials);
    const text = "The rows whose codes are nearest to the code of an example. Click one to search from it.";
    const getRequest = () => ({
      rows: this.#neighbors.map(({ row }) => row),
      distances: this.#neighbors.map(({ distance }) => distance),
      parts: /** @type {import("./export.js").Part[]} */ (["columns", "codes"]),
    });
    const save = h("div", { class: "actions" }, exportButtons(app.transport, getRequest, "search"));
    const columns = h("div", { class: "beside" }, controls, h("div", null, this.#note, this.results, save));
    this.element = h("section", { class: "panel" }, heading("Search", text), columns);
  }

  /** @param {number} row */
  async searchByRow(row) {
    const answer = await attempt(this.app.transport.json("GET", `/api/data/${row}`));
    if (!answer) return;
    this.picker.dispatchEvent(new CustomEvent("row", { detail: row }));
    const { example, label } = answer;
    await this.#search(example, label === null ? `Row ${row}` : `Row ${row}, label ${label}`, { row });
  }

  /** @param {Blob} image */
  async searchByImage(image) {
    const encoded = await attempt(this.app.transport.json("POST", "/api/encode/image", image));
    if (encoded) await this.#search(encoded.example, "Your picture, as the model sees it", { code: encoded.code });
  }

  async #searchByDials() {
    if (!this.app.code) return;
    const code = Array.from(this.app.code.value);
    const decoded = await attempt(this.app.transport.json("POST", "/api/decode", { codes: [code], format: "json" }));
    if (decoded) await this.#search(decoded.examples[0], "The example at the dials", { code });
  }

  /** @param {Example} example @param {string} text description of the example
   * @param {{row: number} | {code: number[]}} query */
  async #search(example, text, query) {
    const requestId = ++this.#requestId;
    const which = "those in which the example is furthest from the mean. A line in a bar marks its value";
    const note = this.model.kind === "image" ? "" : describeThumbnails(this.model, which);
    this.query.replaceChildren(renderExample(example, "The example to search for", this.model, { most: MAX_COLUMNS }));
    this.#about.textContent = text;
    this.#note.textContent = note;
    const answer = await attempt(this.app.transport.json("POST", "/api/search", { ...query, k: N_NEIGHBORS }));
    if (!answer || requestId !== this.#requestId) return;
    /** @type {Neighbor[]} */ const neighbors = (this.#neighbors = answer.results);
    if (neighbors.length) this.results.replaceChildren(...neighbors.map((near) => this.#result(near, example)));
    else this.results.replaceChildren(h("li", null, emptyNote("There are no other rows.")));
  }

  /** @param {Neighbor} neighbor @param {Example} query */
  #result({ row, distance, label }, query) {
    const at = formatNumber(distance);
    const properties = {
      type: "button",
      onclick: () => this.searchByRow(row),
      title: "Search from this row",
      "aria-label": `Row ${row}${label ? `, ${label}` : ""}, distance ${at}. Search from it.`,
    };
    const { cells, kind } = this.model;
    const positions = kind === "series" || !cells ? undefined : findUnusual(cells, query.values ?? [], MAX_CELLS);
    const picture = thumbnail(this.app.transport, this.model, row, "", { positions, other: query });
    const caption = h("p", null, h("b", null, label ?? `row ${row}`), h("small", null, at));
    return h("li", null, h("button", properties, picture), caption);
  }
}
