// The columns of a table: those to train on, and the one that colours the map.

import { h } from "../dom.js";
import { formatNumber } from "../format.js";

/** @import {Column} from "../types" */

const MAX_COLUMNS = 400; // columns shown in the table
const HEADERS = ["use", "column", "kind", "range", "gaps", "distinct", "examples"];

export class ColumnTable {
  /** @type {Map<string, HTMLInputElement>} by name */ #checkboxes = new Map();
  count = h("span", null, "");

  /** @param {Column[]} columns @param {string | null} label suggested
   * @param {boolean} hasCategories true if columns of text can be used */
  constructor(columns, label, hasCategories) {
    this.columns = columns;
    this.used = new Set(columns.filter(({ use }) => use).map(({ name }) => name));
    const options = columns.map(({ name }) => h("option", { value: name, selected: name === label }, name));
    this.label = h("select", null, h("option", { value: "" }, "none"), options);
    // the model must not train on the label
    this.label.addEventListener("change", () => {
      const checkbox = this.#checkboxes.get(this.label.value);
      if (checkbox?.checked) checkbox.click();
    });
    const header = h(
      "tr",
      null,
      HEADERS.map((name) => h("th", { scope: "col" }, name)),
    );
    const rows = columns.slice(0, MAX_COLUMNS).map((column) => this.#row(column, hasCategories));
    const table = h("table", { class: "plain" }, h("thead", null, header), h("tbody", null, rows));
    const region = { class: "scroll columns", tabindex: "0", role: "region", "aria-label": "Columns" };
    this.element = h("div", region, table);
    this.#showCount();
  }

  /** @param {Column} column @param {boolean} hasCategories */
  #row({ name, kind, use, low, high, missing, distinct, examples }, hasCategories) {
    const checkbox = h("input", {
      type: "checkbox",
      "aria-label": `Train on ${name}`,
      checked: use,
      disabled: kind !== "number" && !hasCategories,
      onchange: () => {
        if (checkbox.checked) this.used.add(name);
        else this.used.delete(name);
        this.#showCount();
      },
    });
    this.#checkboxes.set(name, checkbox);
    return h(
      "tr",
      null,
      h("td", null, checkbox),
      h("th", { scope: "row" }, name),
      h("td", null, kind),
      h("td", { class: "num" }, low === null ? "" : `${formatNumber(low)} to ${formatNumber(high)}`),
      h("td", { class: "num" }, missing ? `${missing} missing` : ""),
      h("td", { class: "num" }, distinct.toLocaleString("en")),
      h("td", { class: "eg" }, examples.slice(0, 3).join(", ")),
    );
  }

  #showCount() {
    this.count.textContent = `${this.used.size} of ${this.columns.length} columns are used for training`;
  }
}
