// Report: what was decided while the model was fitted, and the page about it, to open or to keep.

import { button, copy, h, heading, icon } from "./ui.js";

/** @import {App, Panel} from "./types" */

/** @param {App} app @returns {Panel} */
export function panel({ state }) {
  const model = /** @type {NonNullable<typeof state.model>} */ (state.model);
  const has = model.can.includes("report");
  const element = h("section", { class: "panel" }, heading("Report", "What was decided while it was fitted, and why. The whole report is one file that needs nothing else."),
    h("div", { class: "deeds" },
      has && h("a", { class: "button primary", href: "/api/report", target: "_blank", rel: "noopener" }, icon("report"), h("span", null, "Open the report")),
      has && h("a", { class: "button", href: "/api/report?download=1", download: "report.html" }, icon("save"), h("span", null, "Download it")),
      h("a", { class: "button", href: "/api/models/current/download", download: `${model.name}.zip` }, icon("save"), h("span", null, "Download the model"))),
    h("div", { class: "two-columns" },
      h("div", null, h("h2", null, "Decisions"), model.report.length ? h("ul", { class: "decisions" }, model.report.map((line) => h("li", null, line))) : h("p", { class: "note" }, "None were recorded.")),
      h("div", null, h("h2", null, "In Python"), h("pre", { class: "listing", tabindex: "0", "aria-label": "Python" }, model.python), button("Python", "copy", () => copy(model.python, "Python")),
        h("h2", null, "On the command line"), h("pre", { class: "listing", tabindex: "0", "aria-label": "Command" }, model.command), button("Command", "copy", () => copy(model.command, "Command")))));
  return { element };
}
