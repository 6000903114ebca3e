// A column of the form: the field that sets its cell, and the distribution that the model gives it.

import { formatCell } from "../cells.js";
import { button, h } from "../dom.js";
import { formatProbability } from "../format.js";
import { createHistogram, createLevelBars } from "./bars.js";

/** @import {CellColumn, FormColumn, Prediction} from "../types" */

const DAY = 86400; // seconds
const OPEN = ""; // value of the choice that leaves a cell open

export class ColumnField {
  /** @type {number | undefined} the cell that is set */ #value;

  /** @param {CellColumn} column @param {FormColumn} form
   * @param {(value: number | undefined) => void} onChange called with undefined if the cell is open again */
  constructor(column, form, onChange) {
    this.column = column;
    this.form = form;
    const set = (/** @type {number | undefined} */ value) => {
      this.set(value);
      onChange(value);
    };
    this.says = h("span", { class: "fill-says" }, " ");
    this.clear = button(`Leave ${column.name} open`, "close", () => set(undefined), {
      quiet: true,
      class: "fill-clear",
    });
    this.bars = column.levels ? createLevelBars(column, form, set) : createHistogram(column, form);
    const field = column.levels ? this.#levelField(set) : this.#numberField(set);
    const head = h("div", { class: "fill-head" }, h("b", { title: column.name }, column.name), this.says, this.clear);
    this.element = h("li", { class: "fill-column" }, head, field, this.bars.element);
    this.#update();
  }

  /** @param {(value: number | undefined) => void} set */
  #levelField(set) {
    const options = (this.column.levels ?? []).slice(0, this.form.n_choices);
    const field = h(
      "select",
      { "aria-label": this.column.name, onchange: () => set(field.value === OPEN ? undefined : Number(field.value)) },
      h("option", { value: OPEN }, "open"),
      options.map((name, i) => h("option", { value: i }, name)),
    );
    this.show = () => (field.value = this.#value === undefined ? OPEN : String(this.#value));
    return field;
  }

  /** @param {(value: number | undefined) => void} set */
  #numberField(set) {
    const { column } = this;
    const ticks = this.form.ticks ?? [];
    const type = column.kind === "datetime" ? (column.step >= DAY ? "date" : "datetime-local") : "number";
    const field = h("input", {
      type,
      step: "any", // other numbers than multiples of the step are fine
      placeholder: "open",
      inputmode: type === "number" ? "decimal" : null,
      "aria-label": column.name,
      onchange: () => set(parse(field.value, type)),
    });
    const slider = h("input", {
      type: "range",
      min: 0,
      max: Math.max(1, ticks.length - 1),
      step: 1,
      "aria-label": `${column.name}, from low to high`,
      oninput: () => set(ticks[Math.min(ticks.length - 1, Number(slider.value))]),
    });
    this.show = (/** @type {Prediction | null} */ prediction) => {
      const shown = this.#value ?? prediction?.best;
      if (document.activeElement !== field) field.value = this.#value === undefined ? "" : format(this.#value, type);
      if (shown === undefined) return;
      if (document.activeElement !== slider) slider.value = String(nearest(ticks, shown));
      slider.setAttribute("aria-valuetext", this.#value === undefined ? "open" : formatCell(column, shown));
    };
    return h("div", { class: "fill-number" }, slider, field);
  }

  /** Set the cell, or leave it open. @param {number | undefined} value */
  set(value) {
    this.#value = value;
    this.#update();
  }

  /** Show the distribution of the cell. @param {Prediction} prediction */
  predict(prediction) {
    this.prediction = prediction;
    this.#update();
  }

  #update() {
    const { column, prediction } = this;
    const isSet = this.#value !== undefined;
    this.element.classList.toggle("is-set", isSet);
    this.clear.hidden = !isSet;
    this.show?.(prediction ?? null);
    if (!prediction) return;
    this.bars.show(prediction, this.#value);
    this.says.textContent = isSet ? `set to ${formatCell(column, this.#value)}` : describe(column, prediction);
  }
}

/** What the model says about an open cell. @param {CellColumn} column @param {Prediction} prediction */
function describe(column, { best, low, high, levels, probs, gap }) {
  const missing = gap !== null && gap >= 0.005 ? `, missing in ${formatProbability(gap)}` : "";
  if (levels) {
    const place = levels.indexOf(best);
    return `${formatCell(column, best)}${place < 0 ? "" : ` ${formatProbability(probs[place])}`}${missing}`;
  }
  const range = low === high ? "" : `, mostly ${formatCell(column, low)} to ${formatCell(column, high)}`;
  return `about ${formatCell(column, best)}${range}${missing}`;
}

/** @param {string} text @param {string} type of the input @returns {number | undefined} undefined for no number */
function parse(text, type) {
  if (text.trim() === "") return undefined;
  const value = type === "number" ? Number(text) : Date.parse(type === "date" ? text : `${text}Z`) / 1000;
  return Number.isFinite(value) ? value : undefined;
}

/** @param {number} value @param {string} type of the input */
function format(value, type) {
  if (type === "number") return String(Number(value.toPrecision(12)));
  const date = new Date(value * 1000);
  if (Number.isNaN(date.getTime())) return "";
  return date.toISOString().slice(0, type === "date" ? 10 : 16);
}

/** The place of the nearest number. @param {number[]} ticks in order @param {number} value */
function nearest(ticks, value) {
  return ticks.reduce((best, tick, i) => (Math.abs(tick - value) < Math.abs(ticks[best] - value) ? i : best), 0);
}
