// An example with the activations of some units changed: the open unit, and those that were turned before.

import { kindClass } from "../cells.js";
import { button, h } from "../dom.js";
import { createRows, renderExample } from "../examples.js";
import { attempt } from "../feedback.js";
import { formatNumber } from "../format.js";
import { debounce } from "../timing.js";

/** @import {Example, Model, Transport, Unit} from "../types" */

const DELAY = 30; // milliseconds without a change before a request
const [UNCHANGED, CHANGED] = ["unchanged", "with the units changed"];

export class Turning {
  element = h("div", { class: "turning" });
  /** @type {Map<number, {value: number, info: Unit}>} units that the user has turned, in order */ #turned = new Map();
  /** @type {Unit | null} */ #open = null;
  /** @type {Map<number, HTMLElement>} what says the activations */ #amounts = new Map();
  #row = 0;
  #requestId = 0;

  /** @param {Transport} transport @param {Model} model */
  constructor(transport, model) {
    this.transport = transport;
    this.model = model;
    this.sliders = h("div", { class: "turned" });
    this.pair = model.kind === "image" ? createPictures([UNCHANGED, CHANGED], model) : null;
    const label = "An example, and with the units changed";
    this.rows = this.pair ? null : createRows([UNCHANGED, CHANGED], label, model, { most: 12 });
    const example = this.pair?.element ?? h("div", { class: kindClass(model) }, this.rows?.element);
    this.element.append(this.sliders, example);
  }

  /** Turn a unit in a row. Units that were turned stay as they are. @param {Unit} unit @param {number} row */
  async open(unit, row) {
    this.#open = unit;
    this.#row = row;
    this.#renderSliders();
    await this.#load();
  }

  #renderSliders() {
    this.#amounts.clear();
    const open = this.#open;
    const others = Array.from(this.#turned.values(), ({ info }) => info).filter(({ unit }) => unit !== open?.unit);
    const shown = open ? [open, ...others] : others;
    const note = others.length > 0 && h("p", { class: "note" }, "Units that you turned stay until you take them away.");
    this.sliders.replaceChildren(...shown.map((unit) => this.#slider(unit)), ...(note ? [note] : []));
  }

  /** @param {Unit} info */
  #slider(info) {
    const { unit, name, highest } = info;
    const amount = h("span", null, "");
    this.#amounts.set(unit, amount);
    const load = debounce(() => this.#load(), DELAY);
    const turn = () => {
      this.#turned.set(unit, { value: Number(slider.value), info }); // at once: another unit may be opened meanwhile
      load();
    };
    const max = 2 * (highest || 1);
    const value = this.#valueOf(info);
    const slider = h("input", { type: "range", min: 0, max, step: "any", value, oninput: turn });
    const text = `Unit ${unit}${name ? `, ${name}` : ""}, in row ${this.#row}: `;
    const title = h("span", { class: "field-name" }, text, amount);
    const remove = () => {
      this.#turned.delete(unit);
      this.#renderSliders();
      this.#load();
      this.sliders.querySelector("input")?.focus();
    };
    const isOther = unit !== this.#open?.unit;
    return h(
      "div",
      { class: "turned-unit" },
      h("label", { class: "field" }, title, slider),
      isOther && button(`Leave unit ${unit} as it is`, "close", remove, { quiet: true }),
    );
  }

  /** @param {Unit} unit */
  #valueOf({ unit, highest }) {
    return this.#turned.get(unit)?.value ?? (highest || 1);
  }

  async #load() {
    const requestId = ++this.#requestId;
    const units = Array.from(this.#turned.values(), ({ info }) => info);
    if (this.#open && !this.#turned.has(this.#open.unit)) units.push(this.#open);
    const activations = units.map((unit) => ({ unit: unit.unit, value: this.#valueOf(unit) }));
    const answer = await attempt(this.transport.json("POST", `/api/units/for/${this.#row}`, { activations }));
    if (!answer || requestId !== this.#requestId) return;
    activations.forEach(({ unit, value }, i) => {
      const amount = this.#amounts.get(unit);
      if (amount) amount.textContent = `${formatNumber(value)} (was ${formatNumber(answer.was[i])})`;
    });
    const names = activations.map(({ unit }) => unit).join(", ");
    const alts = [`Row ${this.#row}, reconstructed`, `Row ${this.#row}, with unit ${names} changed`];
    this.pair?.show([answer.before, answer.after], alts);
    this.rows?.compare(answer.before, answer.after);
  }
}

/** Pictures side by side. @param {string[]} captions @param {Model} model */
function createPictures(captions, model) {
  const places = captions.map(() => h("div"));
  const figures = captions.map((caption, k) => h("figure", null, places[k], h("figcaption", null, caption)));
  return {
    element: h("div", { class: "trio two image" }, figures),
    /** @param {Example[]} examples @param {string[]} alts */
    show(examples, alts) {
      examples.forEach((example, k) => places[k].replaceChildren(renderExample(example, alts[k], model)));
    },
  };
}
