// The dials: one slider for each component, those that carry most first, and the decoded example.

import { kindClass } from "../cells.js";
import { button, h, select } from "../dom.js";
import { acceptFiles, examplePicker } from "../example-picker.js";
import { createExampleView } from "../example-view.js";
import { attempt, copy, download } from "../feedback.js";
import { Code } from "../state.js";
import { debounce, throttleToFrame } from "../timing.js";
import { createPlaceholder, DialRow } from "./dial.js";

/** @import {DecodeCallback, Dial, Encoded, Model, State, Transport} from "../types" */
/** @import {ExampleView} from "../example-view.js" */
/** @typedef {{unit: string, dials: Dial[]}} DialsAnswer */

const PAGE_SIZE = 24; // dials shown at once
const MAX_UNUSED = 200; // dials shown in the list of those that carry nothing
const STRIP_DELAY = 250; // milliseconds without a change after which strips are requested

export class DialsView {
  /** @type {DialRow[]} */ #rows = [];
  /** @type {Dial[]} */ #dials = [];
  /** @type {ExampleView | null} */ #view = null;
  /** @type {Float32Array | undefined} code before the last change */ #lastCode;
  #stripsFollow = true; // strips start from the code; otherwise from the mean
  #list = h("ol", { class: "dials", "aria-label": "Dials" });
  #unusedList = h("ol", { class: "dials", "aria-label": "Dials that carry nothing" });
  #unused = h("details", { class: "unused", hidden: true }, h("summary", null), this.#unusedList);
  #more = h("div", { class: "more" });
  /** @type {(() => void)[]} */ #cleanups = [];

  /**
   * @param {HTMLElement} element @param {Transport} transport @param {State} state
   * @param {{code?: Code, getLink?: () => string}} [options] a code that others share, and a link that restores it
   */
  constructor(element, transport, state, { code, getLink } = {}) {
    if (!state.model) throw new Error("The dials need a model.");
    this.element = element;
    this.transport = transport;
    this.state = state;
    this.model = state.model;
    this.getLink = getLink;
    this.nComponents = this.model.n_components;
    this.isImage = this.model.kind === "image";
    this.code = code ?? new Code(this.nComponents);
    const [n, nChannels] = this.model.shape;
    const rows = this.isImage ? {} : { "--rows": Math.min(24, this.model.kind === "series" ? 2 * nChannels : n) };
    this.stage = h("div", { class: `stage-picture ${kindClass(this.model)}`, style: rows });
    this.undoButton = button("Undo", "undo", () => this.code.undo(), { quiet: true });
    this.redoButton = button("Redo", "redo", () => this.code.redo(), { quiet: true });
    this.#render();
    this.#addView();
    if (this.isImage) {
      this.#cleanups.push(acceptFiles(element, (file) => this.#encodeImage(file)));
    }
    this.ready = this.#load();
    attempt(this.ready);
    this.#cleanups.push(this.code.subscribe(() => this.update()));
    element.addEventListener("keydown", (event) => this.#handleKey(event));
  }

  destroy() {
    for (const cleanup of this.#cleanups) cleanup();
    this.element.replaceChildren();
  }

  // ---- elements ----

  #render() {
    const picker = examplePicker(
      this.state,
      { onRow: (row) => this.#encodeRow(row), onImage: (file) => this.#encodeImage(file) },
      "Start from row",
    );
    const pickers = picker.childElementCount ? picker : null;
    const placeholders = Array.from({ length: Math.min(this.nComponents, PAGE_SIZE) }, () =>
      createPlaceholder(this.model),
    );
    this.#list.replaceChildren(...placeholders);
    this.element.classList.add("narrows", "dials-panel");
    this.element.replaceChildren(
      h("div", { class: "screen" }, this.stage, this.#classSelect(), this.#toolbar(), this.#exportButtons(), pickers),
      h("div", { class: "desk" }, this.isImage && this.#followField(), this.#list, this.#more, this.#unused),
    );
  }

  #toolbar() {
    return h(
      "div",
      { class: "actions", role: "toolbar", "aria-label": "The code" },
      button("Random", "random", () => this.#drawRandom()),
      button("Reset", "reset", () => this.code.set(this.#means())),
      h("span", { class: "pair" }, this.undoButton, this.redoButton),
    );
  }

  #exportButtons() {
    const { getLink } = this;
    const values = () => Array.from(this.code.value, (value) => String(Number(value.toFixed(4)))).join(", ");
    const python = () => `${this.model.python}\ncode = [[${values()}]]\nexample = model.inverse_transform(code)[0]\n`;
    const savePng = async () => this.#view && download(await this.#view.png(), `${this.model.name}.png`);
    return h(
      "div",
      { class: "actions exports" },
      getLink &&
        button("Link", "link", () => copy(getLink(), "Link"), { title: "Copy a link that restores these dials" }),
      button("PNG", "save", savePng, { title: "Save as PNG" }),
      button("Code", "copy", () => copy(`[${values()}]`, "Code"), { title: "Copy the code vector" }),
      button("Python", "code", () => copy(python(), "Python"), { title: "Copy Python code that makes this example" }),
    );
  }

  /** The class for which a conditional model decodes, or null. */
  #classSelect() {
    const { classes, class_: current } = this.model;
    if (!classes) return null;
    /** @type {[string, string][]} */ const options = classes.map((name) => [name, name]);
    return select("Class", options, current ?? classes[0], async (name) => {
      if (!(await attempt(this.transport.json("POST", "/api/class", { name })))) return;
      this.update();
      this.#loadStrips();
    }).element;
  }

  #followField() {
    const checkbox = h("input", {
      type: "checkbox",
      checked: true,
      onchange: () => {
        this.#stripsFollow = checkbox.checked;
        this.#loadStrips();
      },
    });
    return h("label", { class: "check" }, checkbox, "Strips show changes of this picture");
  }

  #addView() {
    this.#view = createExampleView(this.model, "The example that the dials make");
    this.stage.append(this.#view.element);
  }

  // ---- the dials ----

  async #load() {
    const limit = Math.min(this.nComponents, this.state.limits.dials);
    /** @type {[DialsAnswer, Encoded | null]} */
    const [answer, first] = await Promise.all([
      this.transport.json("GET", `/api/dials?limit=${limit}`),
      this.#encodeFirst(),
    ]);
    this.#dials = answer.dials;
    if (!this.code.ready) {
      this.code.value.set(first?.code ?? this.#means());
      this.code.ready = true;
    }
    const scale = { highest: Math.max(...this.#dials.map((dial) => dial.carries)), unit: answer.unit };
    this.#list.replaceChildren();
    this.#showMore(
      this.#dials.filter((dial) => dial.used),
      scale,
    );
    this.#foldUnused(
      this.#dials.filter((dial) => !dial.used),
      scale,
    );
    this.update();
  }

  /** Encode the first row, which is a better start than the mean of all codes. @returns {Promise<Encoded | null>} */
  async #encodeFirst() {
    if (this.code.ready || !this.state.data) return null;
    return this.transport.json("POST", "/api/encode", { row: 0 }).catch(() => null);
  }

  /** Show the next dials, and a button for those after them.
   * @param {Dial[]} dials that are not shown yet @param {{highest: number, unit: string}} scale */
  #showMore(dials, scale, total = dials.length) {
    this.#addRows(this.#list, dials.slice(0, PAGE_SIZE), scale);
    const rest = dials.slice(PAGE_SIZE);
    this.#more.replaceChildren();
    if (!rest.length) return;
    const label = `Show ${Math.min(PAGE_SIZE, rest.length)} more of ${total}`;
    this.#more.append(
      button(label, "plus", () => {
        this.#showMore(rest, scale, total);
        this.update();
      }),
    );
  }

  /** Add the dials that carry nothing when their list is opened. @param {Dial[]} dials
   * @param {{highest: number, unit: string}} scale */
  #foldUnused(dials, scale) {
    this.#unused.hidden = dials.length === 0;
    const text = dials.length === 1 ? "1 dial carries nothing" : `${dials.length} dials carry nothing`;
    this.#unused.querySelector("summary")?.replaceChildren(`${text}: turning changes nothing. ${this.#advise()}`);
    const unfold = () => {
      this.#addRows(this.#unusedList, dials.slice(0, MAX_UNUSED), scale);
      this.update();
    };
    this.#unused.addEventListener("toggle", unfold, { once: true });
    this.#unused.open = dials.length === this.#dials.length;
  }

  /** What to do about dials that carry nothing. */
  #advise() {
    const about = ["unused_components", "dead_units"];
    const setting = this.model.findings?.find(({ name }) => about.includes(name))?.setting;
    return setting ? `Train again with ${setting.replaceAll("=", " = ")}.` : "A smaller code would be enough.";
  }

  /** @param {HTMLElement} list @param {Dial[]} dials @param {{highest: number, unit: string}} scale */
  #addRows(list, dials, scale) {
    const rows = dials.map((dial) => new DialRow(dial, this.code, this.model, this.transport, scale));
    for (const row of rows) row.loadStrip(this.#stripsFollow);
    this.#rows.push(...rows);
    list.append(...rows.map((row) => row.element));
  }

  // ---- the code ----

  /** Show the code. */
  update() {
    this.#followTurn();
    for (const row of this.#rows) row.update();
    this.undoButton.disabled = this.code.past.length === 0;
    this.redoButton.disabled = this.code.future.length === 0;
    this.#decode();
    this.#followStrips();
  }

  /** Highlight what a dial changes, from the start of its turn. Any other code begins anew. */
  #followTurn() {
    const last = this.code.past.at(-1);
    if (last === this.#lastCode) return;
    this.#lastCode = last;
    const dial = this.code.turning && this.#dials.find(({ component }) => component === this.code.turned);
    this.#view?.follow?.(dial ? dial.columns : null);
  }

  /** @type {DecodeCallback} */
  #showResult = (result) => this.#view?.show(result);

  #decode = throttleToFrame(() => this.transport.decode(this.code.value, this.#showResult));

  #followStrips = debounce(() => {
    if (this.#stripsFollow) this.#loadStrips();
  }, STRIP_DELAY);

  #loadStrips() {
    for (const row of this.#rows) row.loadStrip(this.#stripsFollow);
  }

  #means() {
    const value = new Float32Array(this.nComponents);
    for (const dial of this.#dials) value[dial.component] = dial.mean;
    return value;
  }

  async #drawRandom() {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const sample = await attempt(this.transport.json("GET", `/api/random?seed=${seed}`));
    if (sample) this.code.set(sample.code);
  }

  /** @param {number} row */
  async #encodeRow(row) {
    const encoded = await attempt(this.transport.json("POST", "/api/encode", { row }));
    if (encoded) this.code.set(encoded.code);
  }

  /** @param {Blob} image */
  async #encodeImage(image) {
    const encoded = await attempt(this.transport.json("POST", "/api/encode/image", image));
    if (encoded) this.code.set(encoded.code);
  }

  /** @param {KeyboardEvent} event */
  #handleKey(event) {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    if (event.shiftKey) this.code.redo();
    else this.code.undo();
  }
}
