// The colours of the points: the value that they show, its legend, and the only visible category, if any.

import { formatDate } from "../cells.js";
import { button, h, redraw } from "../dom.js";
import { attempt } from "../feedback.js";
import { formatNumber } from "../format.js";
import { categoryColour, colourPoints, scaleGradient } from "./colours.js";

/** @import {Colouring, MapSettings} from "../types" */
/** @import {MapRequests} from "./requests.js" */
/** @import {Scatter} from "./scatter.js" */

const DAY = 86400; // seconds
const MAX_KEYS = 40; // categories in the legend
const MANY_ROWS = 20000; // scores of more rows take a while, and are computed only on demand

export class PointColouring {
  legend = h("div", { class: "legend", role: "group", "aria-label": "Legend" });
  select = h("select", { "aria-label": "Colour" });
  /** @type {Colouring[]} */ #options = [];
  /** @type {{kind: "category" | "number" | "date", categories: string[], low: number, high: number}} */
  #scale = { kind: "number", categories: [], low: 0, high: 1 };

  /**
   * @param {MapSettings} settings @param {Scatter} scatter @param {MapRequests} requests
   * @param {{onSelect: () => void, onFilter: () => void}} handlers called for another value, or another filter
   */
  constructor(settings, scatter, requests, { onSelect, onFilter }) {
    this.settings = settings;
    this.scatter = scatter;
    this.requests = requests;
    this.onFilter = onFilter;
    this.select.addEventListener("change", () => {
      settings.colourBy = this.select.value;
      onSelect();
    });
  }

  /** Request the options and select one. @param {{n: number, labels: boolean}} data */
  async loadOptions({ n, labels }) {
    const options = (this.#options = await this.requests.colourings());
    const quick = n > MANY_ROWS && !labels && options.find(({ by }) => by.startsWith("component:"));
    if (!options.some(({ by }) => by === this.settings.colourBy)) {
      this.settings.colourBy = (quick || options[0])?.by ?? "";
    }
    this.select.replaceChildren(
      ...options.map(({ by, title }) => h("option", { value: by, selected: by === this.settings.colourBy }, title)),
    );
  }

  /** Request the values of the selected option. @returns {Promise<boolean>} true if they are in the scatter */
  async loadValues() {
    const option = this.#options.find(({ by }) => by === this.settings.colourBy);
    if (!option) return false;
    const response = await attempt(this.requests.colourValues(option.by));
    if (!response || option.by !== this.settings.colourBy) return false;
    const { low = 0, high = 1 } = response.headers;
    this.scatter.values = /** @type {Float32Array} */ (response.data);
    this.#scale = { kind: option.kind, categories: option.categories ?? [], low: Number(low), high: Number(high) };
    return true;
  }

  /** Return the colour of every point. @param {boolean} isDark @param {(row: number) => boolean} isVisible
   * @returns {Uint8Array} n x 4 */
  colours(isDark, isVisible) {
    return colourPoints(this.scatter.values, { ...this.#scale, isDark, isVisible });
  }

  /** Describe the value of a row, or return "". @param {number} row */
  describe(row) {
    if (this.#scale.kind === "category" || this.settings.colourBy === "label") return "";
    return `${this.select.selectedOptions[0]?.textContent ?? ""} ${this.#format(this.scatter.values[row])}`;
  }

  /** @param {number} value */
  #format(value) {
    return this.#scale.kind === "date" && !Number.isNaN(value) ? formatDate(value, DAY) : formatNumber(value);
  }

  /** @param {boolean} isDark */
  renderLegend(isDark) {
    const { kind, categories, low, high } = this.#scale;
    if (kind === "category") {
      redraw(
        this.legend,
        categories.slice(0, MAX_KEYS).map((name, i) => this.#key(name, i, isDark)),
      );
      return;
    }
    const ramp = h("i", { style: { "background-image": scaleGradient(isDark) } });
    this.legend.replaceChildren(
      h("span", { class: "ramp" }, h("small", null, this.#format(low)), ramp, h("small", null, this.#format(high))),
    );
  }

  /** @param {string} name @param {number} index @param {boolean} isDark */
  #key(name, index, isDark) {
    const isOnly = this.scatter.category === index;
    const filter = () => {
      this.scatter.category = isOnly ? null : index;
      this.onFilter();
    };
    return button(name, null, filter, {
      class: "key",
      "aria-pressed": String(isOnly),
      style: { "--c": categoryColour(index, isDark) },
    });
  }
}
