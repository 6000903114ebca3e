// One unit: its name, when it is active, its top examples, similar units, and an example with the unit turned up.

import { kindClass, shortNames } from "../cells.js";
import { h, setChildren } from "../dom.js";
import { describeThumbnails, figureList, thumbnail } from "../examples.js";
import { attempt, toast } from "../feedback.js";
import { formatNumber, formatPercent } from "../format.js";
import { createHistogram, createLabelShares } from "./activity.js";
import { Turning } from "./turning.js";

/** @import {Model, Transport, Unit} from "../types" */
/** @import {Histogram, LabelShare} from "./activity.js" */
/** @typedef {{name: string, column: number, level: string | null, value: number, size: number}} Change */
/** @typedef {{unit: number, name: string, cosine: number}} SimilarUnit */
/** @typedef {{adds: string | null, columns: Change[] | null, histogram: Histogram, labels: LabelShare[],
 *   similar: SimilarUnit[]}} UnitParts */
/** @typedef {Unit & UnitParts} UnitInfo */
/**
 * @typedef {object} UnitHandlers
 * @property {(row: number) => void} onRow called to show the units of a row
 * @property {(unit: number) => void} onUnit called to open another unit
 * @property {(unit: number, name: string) => void} onName called when a unit has another name
 */

const MAX_NAME = 100; // characters
const ADDS = "what it adds: blue is more, orange is less";

export class UnitDetail {
  element = h("div", { class: "detail unit-detail" });
  #title = h("h2", { "aria-live": "polite", tabindex: "-1" });
  #requestId = 0; // of the open unit

  /** @param {Transport} transport @param {Model} model @param {UnitHandlers} handlers */
  constructor(transport, model, handlers) {
    this.transport = transport;
    this.model = model;
    this.handlers = handlers;
    this.turning = new Turning(transport, model);
  }

  /** @param {number} unit @param {number} row the example in which it is turned up */
  async open(unit, row) {
    const requestId = ++this.#requestId;
    /** @type {UnitInfo | null} */
    const info = await attempt(this.transport.json("GET", `/api/units/${unit}`));
    if (!info || requestId !== this.#requestId) return;
    this.#title.textContent = `Unit ${unit}`;
    setChildren(
      this.element,
      this.#title,
      this.#nameForm(info),
      this.#figures(info),
      ...this.#additions(info),
      h("h3", null, "Turn it up"),
      this.turning.element,
      h("h3", null, "Activations where it is active"),
      createHistogram(info.histogram),
      ...this.#labelShares(info),
      ...this.#similarUnits(info.similar),
      h("h3", null, "Top examples"),
      this.#topExamples(info.top),
    );
    await this.turning.open(info, row);
  }

  /** Bring the title into sight; the keyboard goes on from there. */
  focus() {
    this.#title.focus();
    this.#title.scrollIntoView({ block: "nearest" });
  }

  /** The user's own name for the unit. @param {UnitInfo} info */
  #nameForm(info) {
    const { unit, name } = info;
    const properties = { type: "text", value: name, maxlength: MAX_NAME, autocomplete: "off", placeholder: "no name" };
    const field = h("input", properties);
    const save = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const body = { name: field.value };
      const named = await attempt(this.transport.json("PUT", `/api/units/${unit}/name`, body));
      if (!named) return;
      info.name = field.value = named.name;
      this.handlers.onName(unit, named.name);
      toast(named.name ? `Unit ${unit} is called ${named.name}.` : `Unit ${unit} has no name any more.`);
    };
    const label = h("label", { class: "field" }, h("span", { class: "field-name" }, "Your name for it"), field);
    return h("form", { class: "unit-name", onsubmit: save }, label, h("button", { class: "button" }, "Save the name"));
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

  /** @param {UnitInfo} info */
  #labelShares({ labels, rate }) {
    if (!labels.length) return [];
    const note = `Share of the rows of each label. The line is all rows: ${formatPercent(rate)}.`;
    return [h("h3", null, "How often, by label"), createLabelShares(labels, rate), h("p", { class: "note" }, note)];
  }

  /** @param {SimilarUnit[]} similar */
  #similarUnits(similar) {
    if (!similar.length) return [];
    const buttons = similar.map(({ unit, name, cosine }) => {
      const text = `unit ${unit}${name ? `, ${name}` : ""}`;
      const properties = { type: "button", class: "button", onclick: () => this.handlers.onUnit(unit) };
      return h("li", null, h("button", properties, text, h("small", null, formatNumber(cosine))));
    });
    const note = h("p", { class: "note" }, "Their directions in the decoder are nearest; the number is the cosine.");
    return [h("h3", null, "Similar units"), h("ul", { class: "similar" }, buttons), note];
  }

  /** @param {number[]} rows */
  #topExamples(rows) {
    if (!rows.length) return h("p", { class: "note" }, "This unit is never active.");
    const thumbnails = rows.map((row) => {
      const properties = {
        type: "button",
        title: `row ${row}`,
        "aria-label": `Row ${row}: show the units that are active for it`,
        onclick: () => this.handlers.onRow(row),
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
