// The choice of what a file of all rows holds.

import { h } from "../dom.js";
import { exportButtons } from "../export.js";

/** @import {App, Data, Model} from "../types" */
/** @import {Part} from "../export.js" */

export class ExportForm {
  /** @param {App} app */
  constructor({ transport, state }) {
    const model = /** @type {Model} */ (state.model);
    const data = /** @type {Data} */ (state.data);
    /** @type {[Part, string][]} */
    const parts = [
      ["codes", "Codes"],
      ["scores", "Scores (nats)"],
      ["columns", "Labels and columns"],
    ];
    const offered = parts.filter(([part]) => part !== "codes" || model.has_code);
    const boxes = offered.map(([part]) => h("input", { type: "checkbox", name: part, checked: part !== "scores" }));
    const labels = offered.map(([, text], i) => h("label", { class: "check" }, boxes[i], text));
    const getRequest = () => ({ parts: offered.filter((_, i) => boxes[i].checked).map(([part]) => part) });
    const rows = `${data.n.toLocaleString("en")} rows of ${data.name}`;
    this.element = h(
      "section",
      { class: "export", "aria-label": "Rows as a file" },
      h("h2", null, "Rows as a file"),
      h("p", { class: "note" }, `The ${rows}, as ${model.name} sees them. The map and the search save some of them.`),
      h("div", { class: "checks" }, labels),
      h("div", { class: "actions" }, exportButtons(transport, getRequest, model.name)),
    );
  }
}
