// Compare: the open model beside another one of this studio, on the same rows.

import { kindClass } from "../cells.js";
import { emptyNote, h, heading, select, setChildren } from "../dom.js";
import { examplePicker } from "../example-picker.js";
import { createRows, createTiles, renderExample } from "../examples.js";
import { attempt } from "../feedback.js";
import { formatNumber, formatPercent } from "../format.js";

/** @import {App, Data, Example, Model, Panel} from "../types" */
/** @typedef {{row: number, label: string | null, example: Example, reconstructions: Example[]}} ComparedRow */
/** @typedef {{name: string, values: (number | null)[], better: number, words: string}} Measure */
/** @typedef {{component: number, label: string, carries: number, strip: string | null}} ComparedDial */
/** @typedef {{name: string, title: string, n_components: number, unit: "nats" | "share", dials: ComparedDial[] | null}}
 *   ComparedModel */

const N_PICTURES = 8; // rows of images that are shown at once
const MAX_COLUMNS = 12;
const N_STEPS = 9; // examples in the strip of a dial
const TEXT = "The open model beside another one, on the same rows: their reconstructions, measures and dials.";

/** @param {App} app @returns {Panel} */
export function panel(app) {
  const view = new ComparisonView(app);
  view.load();
  return { element: view.element };
}

class ComparisonView {
  #row = 0;
  #requestId = 0;
  #rowsId = 0; // of the latest request of rows
  #examples = h("div");
  #measures = h("div");
  #dials = h("div");

  /** @param {App} app */
  constructor({ transport, state }) {
    this.transport = transport;
    this.model = /** @type {Model} */ (state.model);
    this.data = /** @type {Data} */ (state.data);
    this.others = state.models.filter(({ current }) => !current);
    this.other = this.others[this.others.length - 1];
    /** @type {[string, string][]} */
    const options = this.others.map(({ id, name, recipe }) => [id, `${name} (${recipe})`]);
    const choice = select(`Compare ${this.model.name} with`, options, this.other.id, (id) => {
      this.other = this.others.find((model) => model.id === id) ?? this.other;
      this.load();
    });
    const onRow = (/** @type {number} */ row) => {
      this.#row = row;
      this.#loadRows();
    };
    const isImage = this.model.kind === "image";
    const picker = examplePicker(state, { onRow }, isImage ? "From row" : "Row");
    const bar = h("div", { class: "bar" }, choice.element, picker);
    this.element = h(
      "section",
      { class: "panel compared" },
      heading("Compare", TEXT),
      bar,
      this.#examples,
      this.#measures,
      this.#dials,
    );
  }

  /** Request all about the chosen pair. */
  async load() {
    const requestId = ++this.#requestId;
    for (const part of [this.#examples, this.#measures, this.#dials]) part.replaceChildren();
    const waiting = h("p", { class: "waits" }, h("span", { class: "spinner" }), "Both models are measured");
    this.#measures.replaceChildren(waiting);
    this.#loadRows();
    const path = `/api/compare/${this.other.id}`;
    const answer = await attempt(this.transport.json("GET", path));
    if (requestId !== this.#requestId) return;
    if (!answer) return this.#measures.replaceChildren(emptyNote("These two models cannot be compared."));
    this.#showMeasures(answer.measures, answer.n_rows);
    this.#showDials(answer.models);
  }

  async #loadRows() {
    const requestId = ++this.#rowsId;
    const n = this.model.kind === "image" ? Math.min(N_PICTURES, this.data.n) : 1;
    const rows = Array.from({ length: n }, (_, i) => (this.#row + i) % this.data.n);
    const path = `/api/compare/${this.other.id}/rows?rows=${rows.join(",")}`;
    // a pair that cannot be compared is said once, by `load`
    const answer = await this.transport.json("GET", path).catch(() => null);
    if (answer && requestId === this.#rowsId) this.#showRows(answer);
  }

  get #names() {
    return [this.model.name, this.other.name];
  }

  /** @param {ComparedRow[]} rows */
  #showRows(rows) {
    if (this.model.kind === "image") return this.#examples.replaceChildren(this.#pictures(rows));
    const [{ row, label, example, reconstructions }] = rows;
    const title = `Row ${row}${label === null ? "" : `, label ${label}`}`;
    const table = createRows(["original", ...this.#names], title, this.model, { most: MAX_COLUMNS });
    table.compare(example, ...reconstructions);
    setChildren(this.#examples, h("h2", null, title), h("div", { class: kindClass(this.model) }, table.element));
  }

  /** @param {ComparedRow[]} rows */
  #pictures(rows) {
    const line = (/** @type {string} */ name, /** @type {(row: ComparedRow) => Example} */ choose) => [
      h("span", { class: "pairs-name" }, name),
      ...rows.map((row) => renderExample(choose(row), `Row ${row.row}, ${name}`, this.model)),
    ];
    return h(
      "div",
      { class: "pairs image" },
      line("original", ({ example }) => example),
      this.#names.flatMap((name, i) => line(name, ({ reconstructions }) => reconstructions[i])),
    );
  }

  /** @param {Measure[]} measures @param {number} nRows */
  #showMeasures(measures, nRows) {
    const head = h(
      "tr",
      null,
      h("th", { scope: "col" }, "measure"),
      this.#names.map((name) => h("th", { scope: "col", class: "number" }, name)),
      h("th", { scope: "col" }, "what it is"),
    );
    const lines = measures.map(({ name, values, better, words }) => {
      const [a, b] = values.map((value) => (value ?? NaN) * better);
      const isBest = [a > b, b > a];
      const cell = (/** @type {number | null} */ value, /** @type {number} */ i) => {
        const text = formatNumber(value);
        return h("td", { class: "number" }, isBest[i] ? h("b", { title: "better" }, text) : text);
      };
      return h("tr", null, h("th", { scope: "row" }, name), values.map(cell), h("td", { class: "words" }, words));
    });
    setChildren(
      this.#measures,
      h("h2", null, "Measures"),
      h(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "Measures" },
        h("table", { class: "plain measures" }, h("thead", null, head), h("tbody", null, lines)),
      ),
      h("p", { class: "note" }, `On ${nRows.toLocaleString("en")} of the rows. The better value is bold.`),
    );
  }

  /** @param {ComparedModel[]} models */
  #showDials(models) {
    const columns = models.map((model, i) =>
      h("div", null, h("h2", null, `Dials of ${this.#names[i]}`), this.#dialList(model)),
    );
    setChildren(this.#dials, h("div", { class: "two-columns" }, columns));
  }

  /** @param {ComparedModel} model */
  #dialList({ title, n_components: n, unit, dials }) {
    const why = n > 0 ? `Codes of ${title} cannot be decoded` : `This ${title} has no codes`;
    if (!dials) return h("p", { class: "note" }, `${why}, so it has no dials.`);
    const items = dials.map(({ component, label, carries, strip }) => {
      const amount = unit === "nats" ? `${formatNumber(carries)} nats` : formatPercent(carries);
      const effect = strip ? this.#strip(strip, component) : h("p", { class: "dial-effect" }, label);
      return h("li", null, h("p", null, h("b", null, `z${component}`), h("small", null, amount)), effect);
    });
    const more = n > dials.length ? `The first ${dials.length} of ${n.toLocaleString("en")}.` : "";
    return h("div", null, h("ul", { class: "compared-dials" }, items), more && h("p", { class: "note" }, more));
  }

  /** @param {string} url @param {number} component */
  #strip(url, component) {
    const alt = `Effect of z${component}, from its low to its high end`;
    const tiles = createTiles({ n: N_STEPS, columns: N_STEPS, shape: this.model.shape, alt });
    tiles.show(Promise.resolve(url));
    return tiles.element;
  }
}
