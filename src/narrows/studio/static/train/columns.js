// The columns of a table: what is in each, those to train on, their kinds, and the one that holds labels.

import { shortNames } from "../cells.js";
import { button, h } from "../dom.js";

/** @import {Column} from "../types" */
/** @typedef {{row: HTMLElement, checkbox: HTMLInputElement, kind: HTMLSelectElement | null}} Line */

const MAX_COLUMNS = 200; // listed at once
const MANY = 20; // columns from which a field finds some by name
const MAX_NAMED = 6; // columns that are not learned from, by name
const HEADERS = ["use", "column", "kind", "what is in it", "gaps", "distinct", "examples"];
/** @type {Record<string, string>} */
const LEFT_OUT = { identifier: "a value of its own for each row", text: "free text", constant: "always the same" };

export class ColumnTable {
  /** @type {Map<string, Line>} lines that were listed, by name */ #lines = new Map();
  /** @type {Map<string, string>} kinds other than the found ones, by name */ #kinds = new Map();
  /** @type {string | null} column that was left out because it holds the labels */ #leftOut = null;
  /** @type {(() => void)[]} */ #listeners = [];
  #body = h("tbody");
  #listed = h("p", { class: "note" });
  summary = h("div", { class: "learned", role: "status" });

  /** @param {Column[]} columns @param {string | null} label suggested */
  constructor(columns, label) {
    this.columns = columns;
    this.used = new Set(columns.filter(({ use }) => use).map(({ name }) => name));
    if (columns.some(({ name, kind, problem }) => name === label && !problem && !(kind in LEFT_OUT))) {
      this.#leftOut = label;
    }
    const options = columns.map(({ name }) => h("option", { value: name, selected: name === label }, name));
    this.label = h("select", null, h("option", { value: "" }, "none"), options);
    this.label.addEventListener("change", () => this.#setLabel(this.label.value));
    this.filter = h("input", {
      type: "text",
      placeholder: "part of a name",
      "aria-label": "Columns whose names hold",
      oninput: () => this.#list(),
    });
    const tools = h(
      "div",
      { class: "bar" },
      this.filter,
      button("Use all of these", null, () => this.#useListed(true)),
      button("Use none of these", null, () => this.#useListed(false)),
    );
    const header = HEADERS.map((name) => h("th", { scope: "col" }, name));
    const table = h("table", { class: "plain" }, h("thead", null, h("tr", null, header)), this.#body);
    const region = { class: "scroll columns", tabindex: "0", role: "region", "aria-label": "Columns" };
    this.element = h("div", null, columns.length > MANY && tools, h("div", region, table), this.#listed);
    this.#list();
    this.#summarize();
  }

  /** @param {() => void} listener called when columns or kinds are chosen */
  onChange(listener) {
    this.#listeners.push(listener);
  }

  /** Return the kinds that differ from the found ones, of the columns that are used.
   * @returns {Record<string, string>} */
  chosenKinds() {
    return Object.fromEntries([...this.#kinds].filter(([name]) => this.used.has(name)));
  }

  /** Return the kind that a column has in the training. @param {Column} column */
  kindOf({ name, kind }) {
    return this.#kinds.get(name) ?? kind;
  }

  /** Return the columns that are used. */
  usedColumns() {
    return this.columns.filter(({ name }) => this.used.has(name));
  }

  // ---- choices ----

  /** The model must not learn from the label. A column that is no label any more is used again.
   * @param {string} label "" for none */
  #setLabel(label) {
    const before = this.columns.find(({ name }) => name === this.#leftOut);
    this.#leftOut = this.used.has(label) ? label : null;
    if (before && before.name !== label) this.#use(before, true);
    const column = this.columns.find(({ name }) => name === label);
    if (column) this.#use(column, false);
    this.#summarize();
  }

  /** @param {Column} column @param {boolean} isUsed */
  #use(column, isUsed) {
    const { name, kind, kinds } = column;
    if (isUsed && !kinds.length) return;
    if (isUsed) this.used.add(name);
    else this.used.delete(name);
    // a column that is left out by its kind needs another one to be used
    if (isUsed && !kinds.includes(this.kindOf(column))) this.#kinds.set(name, kinds[0]);
    if (!isUsed && !kinds.includes(kind)) this.#kinds.delete(name);
    this.#update(column);
  }

  /** @param {Column} column @param {string} kind */
  #setKind(column, kind) {
    if (kind === column.kind) this.#kinds.delete(column.name);
    else this.#kinds.set(column.name, kind);
    this.#use(column, column.kinds.includes(kind));
    this.#summarize();
  }

  /** Use all or none of the listed columns, but never the label. @param {boolean} isUsed */
  #useListed(isUsed) {
    for (const column of this.#found()) if (!isUsed || column.name !== this.label.value) this.#use(column, isUsed);
    this.#summarize();
  }

  // ---- elements ----

  /** The columns whose names hold the text of the filter. */
  #found() {
    const part = this.filter.value.trim().toLowerCase();
    return this.columns.filter(({ name }) => name.toLowerCase().includes(part));
  }

  #list() {
    const found = this.#found();
    const shown = found.slice(0, MAX_COLUMNS);
    this.#body.replaceChildren(...shown.map((column) => this.#lineOf(column).row));
    const [n, all] = [found.length.toLocaleString("en"), this.columns.length.toLocaleString("en")];
    this.#listed.textContent =
      found.length > shown.length
        ? `The first ${MAX_COLUMNS} of ${n} columns are listed; part of a name finds others.`
        : found.length < this.columns.length
          ? `${n} of ${all} columns have such a name.`
          : "";
  }

  /** @param {Column} column @returns {Line} */
  #lineOf(column) {
    const line = this.#lines.get(column.name) ?? this.#createLine(column);
    this.#lines.set(column.name, line);
    return line;
  }

  /** @param {Column} column @returns {Line} */
  #createLine(column) {
    const { name, kind, kinds, description, problem, missing, distinct, examples } = column;
    const checkbox = h("input", {
      type: "checkbox",
      "aria-label": `Train on ${name}`,
      disabled: kinds.length === 0,
      onchange: () => {
        this.#use(column, checkbox.checked);
        this.#summarize();
      },
    });
    const field = this.#kindField(column);
    const [, ...parts] = description.split(", ").filter((part) => !part.endsWith(" missing")); // gaps have a column
    const text = problem ?? (parts.join(", ") || (LEFT_OUT[kind] ?? ""));
    const row = h(
      "tr",
      null,
      h("td", null, checkbox),
      h("th", { scope: "row", title: name }, shortNames(this.columns)[this.columns.indexOf(column)]),
      h("td", null, field ?? kindName(kind)),
      h("td", { class: problem ? "what problem" : "what", title: text }, text),
      h("td", { class: "num" }, missing ? missing.toLocaleString("en") : ""),
      h("td", { class: "num" }, distinct.toLocaleString("en")),
      h("td", { class: "eg", title: examples.join(", ") }, examples.slice(0, 3).join(", ")),
    );
    const line = { row, checkbox, kind: field };
    this.#show(line, column);
    return line;
  }

  /** The kind of a column; to choose one uses the column. @param {Column} column */
  #kindField(column) {
    const { name, kind, kinds } = column;
    if (!kinds.length) return null;
    const options = kinds.includes(kind) ? kinds : [kind, ...kinds];
    const field = h(
      "select",
      { "aria-label": `Kind of ${name}`, onchange: () => this.#setKind(column, field.value) },
      options.map((option) => h("option", { value: option }, kindName(option))),
    );
    return field;
  }

  /** @param {Column} column */
  #update(column) {
    const line = this.#lines.get(column.name);
    if (line) this.#show(line, column);
  }

  /** @param {Line} line @param {Column} column */
  #show({ row, checkbox, kind }, column) {
    checkbox.checked = this.used.has(column.name);
    row.classList.toggle("unused", !checkbox.checked);
    if (kind) kind.value = this.kindOf(column);
  }

  /** Say which columns are learned from, as what kinds, and which are not, and why. */
  #summarize() {
    const used = this.usedColumns();
    /** @type {Map<string, number>} */ const counts = new Map();
    for (const column of used) {
      const kind = kindName(this.kindOf(column));
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    const [n, all] = [used.length.toLocaleString("en"), this.columns.length.toLocaleString("en")];
    const kinds = [...counts]
      .sort((a, b) => b[1] - a[1])
      .map(([kind, count]) => `${count.toLocaleString("en")} ${kind}`);
    const learned = `The model learns from ${n} of ${all} columns${kinds.length ? `: ${kinds.join(", ")}` : ""}.`;
    const rest = this.columns.filter(({ name }) => !this.used.has(name));
    const named = rest.slice(0, MAX_NAMED).map((column) => this.#explain(column));
    if (rest.length > MAX_NAMED) named.push(`${(rest.length - MAX_NAMED).toLocaleString("en")} others`);
    this.summary.replaceChildren(
      h("p", null, learned),
      ...(rest.length ? [h("p", { class: "note" }, `Not from ${named.join(", ")}.`)] : []),
    );
    for (const listener of this.#listeners) listener();
  }

  /** Name a column that is not used, and say why. @param {Column} column */
  #explain({ name, kind, kinds, problem }) {
    if (name === this.label.value) return `${name} (the label)`;
    if (problem) return `${name} (not usable as it is)`;
    return kinds.includes(kind) ? name : `${name} (${LEFT_OUT[kind] ?? kindName(kind)})`;
  }
}

/** @param {string} kind */
const kindName = (kind) => kind.replace("_", "-");
