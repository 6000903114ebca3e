// The columns of a table: what is in each, those to train on, their kinds, and the one that holds labels.

import { h } from "../dom.js";

/** @import {Column} from "../types" */

const MAX_COLUMNS = 400; // columns shown in the table
const HEADERS = ["use", "column", "kind", "what is in it", "gaps", "distinct", "examples"];

export class ColumnTable {
  /** @type {Map<string, HTMLInputElement>} by name */ #checkboxes = new Map();
  /** @type {Map<string, string>} kinds other than the found ones, by name */ #kinds = new Map();
  count = h("span", null, "");

  /** @param {Column[]} columns @param {string | null} label suggested */
  constructor(columns, label) {
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
    const rows = columns.slice(0, MAX_COLUMNS).map((column) => this.#row(column));
    const table = h("table", { class: "plain" }, h("thead", null, header), h("tbody", null, rows));
    const region = { class: "scroll columns", tabindex: "0", role: "region", "aria-label": "Columns" };
    this.element = h("div", region, table);
    this.#showCount();
  }

  /** Return the kinds that differ from the found ones, of the columns that are used.
   * @returns {Record<string, string>} */
  chosenKinds() {
    return Object.fromEntries([...this.#kinds].filter(([name]) => this.used.has(name)));
  }

  /** @param {Column} column */
  #row(column) {
    const { name, kind, kinds, use, description, problem, missing, distinct, examples } = column;
    const checkbox = h("input", {
      type: "checkbox",
      "aria-label": `Train on ${name}`,
      checked: use,
      disabled: kinds.length === 0,
      onchange: () => {
        if (checkbox.checked) this.used.add(name);
        else this.used.delete(name);
        row.classList.toggle("unused", !checkbox.checked);
        this.#showCount();
      },
    });
    this.#checkboxes.set(name, checkbox);
    const [, ...parts] = description.split(", ").filter((part) => !part.endsWith(" missing")); // gaps have a column
    const text = problem ?? parts.join(", ");
    const row = h(
      "tr",
      { class: use ? null : "unused" },
      h("td", null, checkbox),
      h("th", { scope: "row", title: name }, name),
      h("td", null, this.#kindField(column, checkbox)),
      h("td", { class: problem ? "what problem" : "what", title: text }, text || (use ? "" : leftOut(kind))),
      h("td", { class: "num" }, missing ? missing.toLocaleString("en") : ""),
      h("td", { class: "num" }, distinct.toLocaleString("en")),
      h("td", { class: "eg", title: examples.join(", ") }, examples.slice(0, 3).join(", ")),
    );
    return row;
  }

  /** The kind of a column; to choose one uses the column. @param {Column} column @param {HTMLInputElement} checkbox */
  #kindField({ name, kind, kinds }, checkbox) {
    if (!kinds.length) return kindName(kind);
    const isFound = kinds.includes(kind);
    const options = isFound ? kinds : [kind, ...kinds];
    const field = h(
      "select",
      {
        "aria-label": `Kind of ${name}`,
        onchange: () => {
          if (field.value === kind) this.#kinds.delete(name);
          else this.#kinds.set(name, field.value);
          const isUsed = isFound || field.value !== kind;
          if (checkbox.checked !== isUsed) checkbox.click();
        },
      },
      options.map((option) => h("option", { value: option }, kindName(option))),
    );
    // a column that is left out by its kind needs another one to be used
    checkbox.addEventListener("change", () => {
      if (isFound || !checkbox.checked || field.value !== kind) return;
      field.value = kinds[0];
      this.#kinds.set(name, kinds[0]);
    });
    return field;
  }

  #showCount() {
    this.count.textContent = `${this.used.size} of ${this.columns.length} columns are used for training`;
  }
}

/** @param {string} kind */
const kindName = (kind) => kind.replace("_", "-");

/** @param {string} kind */
const leftOut = (kind) => (kind === "identifier" ? "a value of its own for each row" : "");
