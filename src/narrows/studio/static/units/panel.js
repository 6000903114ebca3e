// Units: a wall of a sparse model's units, each with the examples for which it is most active.

import { button, emptyNote, h, heading, labelledField, redraw, reveal, select } from "../dom.js";
import { acceptFiles, examplePicker } from "../example-picker.js";
import { createTiles } from "../examples.js";
import { attempt } from "../feedback.js";
import { formatCount, formatNumber, formatPercent } from "../format.js";
import { debounce } from "../timing.js";
import { UnitDetail } from "./detail.js";

/** @import {App, Model, Panel, Unit} from "../types" */

const PAGE_SIZE = 24;
const N_TILES = 9; // top examples of a unit on the wall
const TYPING = 250; // milliseconds without a letter before a search

/** @param {App} app @returns {Panel} */
export function panel(app) {
  const view = new UnitsView(app);
  const stop = view.isImage ? acceptFiles(view.element, (file) => view.loadForImage(file)) : () => {};
  view.load();
  return { element: view.element, destroy: stop };
}

class UnitsView {
  #page = 0;
  #sort = "rate";
  #query = "";
  /** @type {number | null} row whose active units are shown; null for all units */ #row = null;
  /** @type {number | null} */ #openUnit = null;
  #requestId = 0;
  #pager = h("div", { class: "pager" });
  #summary = h("p", { class: "note" }, " ");

  /** @param {App} app */
  constructor({ transport, state }) {
    this.transport = transport;
    this.model = /** @type {Model} */ (state.model);
    this.isImage = this.model.kind === "image";
    this.detail = new UnitDetail(transport, this.model, {
      onRow: (row) => this.#loadForRow(row),
      onUnit: (unit) => this.#open(unit).then(() => this.detail.focus()),
      onName: (unit, name) => this.#showName(unit, name),
    });
    const blanks = Array.from({ length: PAGE_SIZE }, () =>
      h("li", { class: "waiting" }, h("span", { class: "blank" })),
    );
    this.wall = h("ol", { class: "wall", "aria-label": "Units" }, blanks);
    /** @type {[string, string][]} */
    const orders = [
      ["rate", "how often it is active"],
      ["seldom", "how seldom it is active"],
      ["strength", "how strongly it is active"],
      ["highest", "highest activation"],
      ...(state.data?.labels ? [/** @type {[string, string]} */ (["label", "what it tells about a label"])] : []),
      ["name", "your names"],
      ["index", "number"],
    ];
    const what = state.data?.labels ? "a name, a label or a number" : "a name or a number";
    const find = h("input", { type: "search", class: "find", placeholder: what, autocomplete: "off", maxlength: 100 });
    find.addEventListener("input", debounce(() => this.#find(find.value), TYPING));
    const order = select("Order by", orders, this.#sort, (value) => this.#setSort(value));
    const onRow = (/** @type {number} */ row) => this.#loadForRow(row);
    const onImage = (/** @type {Blob} */ image) => this.loadForImage(image);
    const picker = examplePicker(state, { onRow, onImage }, "Units of row");
    const bar = h("div", { class: "bar" }, labelledField("Find", find), order.element, picker);
    const list = h("div", null, bar, this.#summary, this.wall, this.#pager);
    const text = "Each unit has learned to respond to one kind of thing. These are the examples that activate it most.";
    const columns = h("div", { class: "beside reversed" }, list, this.detail.element);
    this.element = h("section", { class: "panel" }, heading("Units", text), columns);
  }

  /** Request the units of the page, or those that are active for the row. */
  async load() {
    const requestId = ++this.#requestId;
    const [page, size, sort, query] = [String(this.#page), String(PAGE_SIZE), this.#sort, this.#query];
    const path =
      this.#row === null
        ? `/api/units?${new URLSearchParams({ page, size, sort, query })}`
        : `/api/units/for/${this.#row}`;
    const answer = await attempt(this.transport.json("GET", path));
    if (!answer || requestId !== this.#requestId) return;
    const summary =
      this.#row === null
        ? `${this.#query ? `${answer.found.toLocaleString("en")} of ` : ""}${formatCount(answer.total, "unit")}.`
        : `${formatCount(answer.units.length, "active unit")} for row ${this.#row}, strongest first.`;
    this.#show(answer.units, summary, answer.pages ?? null);
  }

  /** Request the units that are active for the user's own picture. @param {Blob} image */
  async loadForImage(image) {
    const requestId = ++this.#requestId;
    const encoded = await attempt(this.transport.json("POST", "/api/encode/image", image));
    if (!encoded) return;
    /** @type {number[]} */ const code = encoded.code;
    const active = code.flatMap((activation, unit) => (activation > 0 ? [{ unit, activation }] : []));
    const strongest = active.sort((a, b) => b.activation - a.activation).slice(0, PAGE_SIZE);
    const requests = strongest.map(async ({ unit, activation }) => ({
      ...(await this.transport.json("GET", `/api/units/${unit}`)),
      activation,
    }));
    const units = await attempt(Promise.all(requests));
    if (!units || requestId !== this.#requestId) return;
    this.#show(units, `${formatCount(active.length, "active unit")} for your picture, strongest first.`, null);
  }

  /** @param {number | null} row null for all units */
  #loadForRow(row) {
    this.#row = row;
    this.load();
  }

  /** @param {string} query */
  #find(query) {
    this.#query = query;
    this.#page = 0;
    this.#loadForRow(null);
  }

  /** Show another name of a unit on the wall. @param {number} unit @param {string} name */
  #showName(unit, name) {
    const title = this.wall.querySelector(`#unit-${unit} b`);
    if (title) title.textContent = name || `unit ${unit}`;
  }

  /** @param {string} sort */
  #setSort(sort) {
    this.#sort = sort;
    this.#page = 0;
    this.#loadForRow(null);
  }

  /** @param {Unit[]} units @param {string} summary @param {number | null} nPages null if these are all */
  #show(units, summary, nPages) {
    const highest = Math.max(1e-9, ...units.map(({ activation, rate }) => activation ?? rate));
    this.#summary.textContent = summary;
    const none = this.#row === null ? "No unit is found." : "No unit is active.";
    if (units.length) this.wall.replaceChildren(...units.map((unit) => h("li", null, this.#unitButton(unit, highest))));
    else this.wall.replaceChildren(h("li", null, emptyNote(none)));
    if (nPages === null) redraw(this.#pager, button("All units", "units", () => this.#loadForRow(null)));
    else redraw(this.#pager, this.#pageButtons(nPages));
    if (this.#openUnit === null && units.length) this.#open(units[0].unit);
  }

  /** @param {Unit} unit @param {number} highest activation or rate of all */
  #unitButton({ unit, name, label, rate, activation, top, effect }, highest) {
    const about = [name && `unit ${unit}`, label !== null && `most for ${label}`].filter(Boolean).join(", ");
    const share = (activation ?? rate) / highest;
    const properties = {
      type: "button",
      id: `unit-${unit}`,
      "aria-pressed": String(unit === this.#openUnit),
      onclick: () => this.#open(unit).then(() => reveal(this.detail.element)),
    };
    return h(
      "button",
      properties,
      h("span", { class: "unit-sheet" }, effect || this.#topExamples(top, `Top examples of unit ${unit}`)),
      h(
        "span",
        { class: "unit-text" },
        h("b", null, name || `unit ${unit}`),
        h("small", null, activation === undefined ? formatPercent(rate) : formatNumber(activation)),
        h("span", { class: "amount" }, h("i", { style: { transform: `scaleX(${share})` } })),
        h("small", { class: "unit-label" }, about),
      ),
    );
  }

  /** The top examples of a unit as one picture. @param {number[]} rows @param {string} alt */
  #topExamples(rows, alt) {
    if (!rows.length) return h("p", { class: "note" }, "never active");
    if (!this.isImage) return h("p", { class: "note" }, `rows ${rows.slice(0, 5).join(", ")}`);
    const tiles = createTiles({ n: rows.length, places: N_TILES, columns: 3, shape: this.model.shape, alt });
    tiles.show(this.transport.pictureUrl(`/api/sprites?rows=${rows.join(",")}&columns=3`));
    return tiles.element;
  }

  /** @param {number} nPages */
  #pageButtons(nPages) {
    const page = this.#page;
    const go = (/** @type {number} */ next) => {
      this.#page = next;
      this.load();
    };
    return [
      button("Previous", null, () => go(page - 1), { disabled: page === 0 }),
      h("span", null, `page ${page + 1} of ${nPages}`),
      button("Next", null, () => go(page + 1), { disabled: page + 1 >= nPages }),
    ];
  }

  /** @param {number} unit */
  #open(unit) {
    this.#openUnit = unit;
    for (const button of this.wall.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.id === `unit-${unit}`));
    }
    return this.detail.open(unit, this.#row ?? 0);
  }
}
