// Fields for the parameters of a recipe that have no field elsewhere in the form.

import { h, labelledField } from "../dom.js";

/** @import {Parameter} from "../types" */

const ELSEWHERE = new Set([
  "n_components",
  "max_time",
  "likelihood",
  "schema",
  "verbose",
  "checkpoint",
  "random_state",
]);

export class ParameterFields {
  element = h("div", { class: "parameters" });
  /** @type {Map<string, {field: HTMLInputElement, initial: string}>} by name */ #fields = new Map();

  /** @param {Parameter[]} parameters of a recipe */
  show(parameters) {
    this.#fields.clear();
    const fields = parameters
      .filter(({ name }) => !ELSEWHERE.has(name))
      .map(({ name, default: value, help }) => {
        const initial = formatValue(value);
        const field = h("input", { type: "text", value: initial, spellcheck: "false", autocapitalize: "off" });
        this.#fields.set(name, { field, initial });
        return labelledField(name, field, help);
      });
    this.element.replaceChildren(...fields);
  }

  /** Return the values that differ from the defaults. */
  changed() {
    /** @type {Record<string, unknown>} */ const values = {};
    for (const [name, { field, initial }] of this.#fields) {
      if (field.value !== initial) values[name] = parseValue(field.value);
    }
    return values;
  }
}

/** Format a value as Python writes it, except that strings have no quotes. @param {unknown} value */
function formatValue(value) {
  if (value === null) return "None";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Parse 0.5, true, [64, 64], (64, 64), None, or a word. @param {string} text */
function parseValue(text) {
  const constants = { None: null, True: true, False: false };
  if (text in constants) return constants[/** @type {"None"} */ (text)];
  try {
    return JSON.parse(text.replace(/^\((.*?),?\)$/, "[$1]"));
  } catch {
    return text;
  }
}
