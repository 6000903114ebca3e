// The selected rows, and the panel that lists and saves them.

import { kindClass } from "../cells.js";
import { button, h } from "../dom.js";
import { describeThumbnails, thumbnail } from "../examples.js";
import { exportButtons } from "../export.js";
import { copy, download } from "../feedback.js";

/** @import {Model, Transport} from "../types" */

const MAX_THUMBNAILS = 60;

export class Selection {
  /** @type {number[]} in ascending order */ rows = [];
  /** @type {Uint8Array | null} 1 for each selected row; null without a selection */ mask = null;
  element = h("div", { class: "side-part" });

  /**
   * @param {Model} model @param {Transport} transport
   * @param {{onPick: (row: number) => void, onClear: () => void, onSelectVisible: () => void}} handlers
   */
  constructor(model, transport, handlers) {
    this.model = model;
    this.transport = transport;
    this.handlers = handlers;
  }

  /** @param {number[]} rows @param {number} n rows of the data */
  set(rows, n) {
    this.rows = rows.sort((a, b) => a - b);
    this.mask = null;
    if (rows.length) {
      this.mask = new Uint8Array(n);
      for (const row of rows) this.mask[row] = 1;
    }
  }

  render() {
    if (this.rows.length) this.element.replaceChildren(...this.#list());
    else this.element.replaceChildren(...this.#invitation());
  }

  #invitation() {
    return [
      h("h2", null, "Selection"),
      h("p", { class: "note" }, "Draw a lasso around points with the lasso tool, or"),
      button("Select all points in view", "fit", this.handlers.onSelectVisible),
    ];
  }

  #list() {
    const { rows, model } = this;
    const count = rows.length.toLocaleString("en");
    const save = () => download(new Blob([`${rows.join("\n")}\n`], { type: "text/plain" }), "rows.txt");
    const actions = h(
      "div",
      { class: "actions" },
      button("Save rows", "save", save, { title: "Save the row numbers" }),
      ...exportButtons(this.transport, () => ({ rows, parts: ["columns", "codes"] }), "selection"),
      button("Copy", "copy", () => copy(`[${rows.join(", ")}]`, "Row numbers")),
      button("Clear", "close", this.handlers.onClear),
    );
    const thumbnails = rows.slice(0, MAX_THUMBNAILS).map((row) => this.#thumbnail(row));
    const note = describeThumbnails(model);
    const list = [
      h("h2", null, `${count} selected`),
      actions,
      note && h("p", { class: "note" }, note),
      h("ul", { class: `thumbs ${kindClass(model)}` }, thumbnails),
    ];
    if (rows.length > MAX_THUMBNAILS) list.push(h("p", { class: "note" }, `The first ${MAX_THUMBNAILS} of ${count}.`));
    return list.filter((part) => part !== "");
  }

  /** @param {number} row */
  #thumbnail(row) {
    const properties = {
      type: "button",
      onclick: () => this.handlers.onPick(row),
      title: `row ${row}`,
      "aria-label": `Row ${row}: set the dials to it`,
    };
    return h("li", null, h("button", properties, thumbnail(this.transport, this.model, row, "")));
  }
}
