// One unit: how often and how strongly it is active, its top examples, and an example with the unit turned up.

import { kindClass, shortNames } from "../cells.js";
import { h, setChildren } from "../dom.js";
import { createRows, describeThumbnails, figureList, renderExample, thumbnail } from "../examples.js";
import { attempt } from "../feedback.js";
import { formatNumber, formatPercent } from "../format.js";
import { debounce } from "../timing.js";

/** @import {Example, Model, Transport, Unit} from "../types" */
/** @typedef {{name: string, column: number, level: string | null, value: number, size: number}} Change */
/** @typedef {Unit & {adds: string | null, columns: Change[] | null}} UnitInfo */

const DELAY = 30; // milliseconds without a change before a request
const ADDS = "what it adds: blue is more, orange is less";

export class UnitDetail {
  element = h("div", { class: "detail", "aria-live": "polite" });
  #requestId = 0; // of the open unit

  /** @param {Transport} transport @param {Model} model @param {(row: number) => void} onRow called to show its units */
  constructor(transport, model, onRow) {
    this.transport = transport;
    this.model = model;
    this.onRow = onRow;
  }

  /** @param {number} unit @param {number} row the example in which it is turned up */
  async open(unit, row) {
    const requestId = ++this.#requestId;
    /** @type {UnitInfo | null} */
    const info = await attempt(this.transport.json("GET", `/api/units/${unit}`));
    if (!info || requestId !== this.#requestId) return;
    const turn = this.#createTurn(info, row, () => requestId === this.#requestId);
    setChildren(
      this.element,
      h("h2", null, `Unit ${unit}`),
      this.#figures(info),
      ...this.#additions(info),
      h("h3", null, "Turn it up"),
      ...turn.elements,
      h("h3", null, "Top examples"),
      this.#topExamples(info.top),
    );
    await turn.load();
  }

  /** @param {UnitInfo} info */
  #figures({ rate, strength, highest }) {
    const figures = figureList([
      ["Fires for", formatPercent(rate)],
      ["Mean when active", formatNumber(strength)],
      ["Highest", formatNumber(highest)],
    ]);
    return h("dl", { class: "figures" }, figures);
  }

  /** What the unit adds to an example: a picture, or values of columns. @param {UnitInfo} info */
  #additions({ adds, columns }) {
    const elements = [];
    if (adds) {
      const image = h("img", { class: "px", src: adds, alt: ADDS.replace("what", "What") });
      elements.push(h("figure", { class: "adds" }, image, h("figcaption", null, ADDS)));
    }
    if (columns) {
      elements.push(h("ul", { class: "adds-columns lines" }, this.#changeLines(columns)));
      const note = "What it adds. A full bar is the largest change, in standard deviations or of a probability.";
      elements.push(h("p", { class: "note" }, note));
    }
    return elements;
  }

  /** @param {Change[]} changes */
  #changeLines(changes) {
    const names = shortNames(this.model.cells ?? []);
    const largest = Math.max(1e-9, ...changes.map(({ size }) => Math.abs(size)));
    return changes.map(({ name, column, level, value, size }) => {
      const change = level === null ? formatNumber(value) : formatPercent(Math.round(100 * value) / 100);
      const share = size / largest;
      const bar = { transform: `translateX(${50 + 50 * Math.min(0, share)}%) scaleX(${Math.abs(share) / 2})` };
      const shown = level === null ? names[column] : `${names[column]}: ${level}`;
      return h(
        "li",
        { class: "line" },
        h("span", { class: "name", title: level === null ? name : `${name}: ${level}` }, shown),
        h("span", { class: "track centred" }, h("i", { class: share < 0 ? "less" : null, style: bar })),
        h("b", { class: "value" }, value > 0 ? `+${change}` : change),
      );
    });
  }

  /** A slider that turns the unit up in an example, and the example before and after.
   * @param {UnitInfo} info @param {number} row @param {() => boolean} isOpen true while this unit is the open one */
  #createTurn({ unit, highest }, row, isOpen) {
    const amount = h("span", null, "");
    const [unchanged, changed] = ["unchanged", "with the unit changed"];
    const pair = this.model.kind === "image" ? createPictures([unchanged, changed], this.model) : null;
    const rows = pair
      ? null
      : createRows([unchanged, changed], `Row ${row}, and with unit ${unit} changed`, this.model, { most: 12 });
    const load = async () => {
      const value = Number(slider.value);
      const answer = await attempt(this.transport.json("POST", `/api/units/${unit}/turn`, { row, value }));
      if (!answer || !isOpen()) return;
      amount.textContent = `${formatNumber(Number(slider.value))} (was ${formatNumber(answer.was)})`;
      pair?.show([answer.before, answer.after], [`Row ${row}, reconstructed`, `Row ${row}, with unit ${unit} changed`]);
      rows?.compare(answer.before, answer.after);
    };
    const max = Math.max(1e-6, 2 * highest);
    const slider = h("input", {
      type: "range",
      min: 0,
      max,
      step: "any",
      value: highest || 1,
      oninput: debounce(load, DELAY),
    });
    const elements = [
      h("label", { class: "field" }, h("span", { class: "field-name" }, `In row ${row}: `, amount), slider),
      pair?.element ?? h("div", { class: kindClass(this.model) }, /** @type {HTMLElement} */ (rows?.element)),
    ];
    return { elements, load };
  }

  /** @param {number[]} rows */
  #topExamples(rows) {
    if (!rows.length) return h("p", { class: "note" }, "This unit is never active.");
    const thumbnails = rows.map((row) => {
      const properties = {
        type: "button",
        title: `row ${row}`,
        "aria-label": `Row ${row}: show the units that are active for it`,
        onclick: () => this.onRow(row),
      };
      return h("li", null, h("button", properties, thumbnail(this.transport, this.model, row, "")));
    });
    const note = describeThumbnails(this.model);
    return h(
      "div",
      null,
      note && h("p", { class: "note" }, note),
      h("ul", { class: `thumbs ${kindClass(this.model)}` }, thumbnails),
    );
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
