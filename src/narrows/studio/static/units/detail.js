// One unit: how often and how strongly it is active, its top examples, and an example with the unit turned up.

import { kindClass } from "../cells.js";
import { h, setChildren } from "../dom.js";
import { figureList, renderExample, thumbnail } from "../examples.js";
import { attempt } from "../feedback.js";
import { formatNumber, formatPercent } from "../format.js";
import { debounce } from "../timing.js";

/** @import {Model, Transport, Unit} from "../types" */
/** @typedef {{name: string, level: string | null, value: number}} Change */
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
      const lines = columns.map(({ name, level, value }) => {
        const change = level === null ? formatNumber(value) : formatPercent(Math.round(100 * value) / 100);
        const text = value > 0 && level !== null ? `+${change}` : change;
        return h("li", null, h("span", null, level === null ? name : `${name}: ${level}`), h("b", null, text));
      });
      elements.push(h("ul", { class: "adds-columns" }, lines));
    }
    return elements;
  }

  /** A slider that turns the unit up in an example, and the example before and after.
   * @param {UnitInfo} info @param {number} row @param {() => boolean} isOpen true while this unit is the open one */
  #createTurn({ unit, highest }, row, isOpen) {
    const before = h("div");
    const after = h("div");
    const amount = h("span", null, "");
    const load = async () => {
      const value = Number(slider.value);
      const answer = await attempt(this.transport.json("POST", `/api/units/${unit}/turn`, { row, value }));
      if (!answer || !isOpen()) return;
      amount.textContent = `${formatNumber(Number(slider.value))} (was ${formatNumber(answer.was)})`;
      before.replaceChildren(renderExample(answer.before, `Row ${row}, reconstructed`, this.model));
      after.replaceChildren(renderExample(answer.after, `Row ${row}, with unit ${unit} changed`, this.model));
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
    const figures = [
      h("figure", null, before, h("figcaption", null, "unchanged")),
      h("figure", null, after, h("figcaption", null, "with the unit changed")),
    ];
    const elements = [
      h("label", { class: "field" }, h("span", { class: "field-name" }, `In row ${row}: `, amount), slider),
      h("div", { class: `trio two ${kindClass(this.model)}` }, figures),
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
    return h("ul", { class: `thumbs ${kindClass(this.model)}` }, thumbnails);
  }
}
