// Report: the decisions of the fit, and links to open or save the report.

import { button, h, heading, icon } from "./dom.js";
import { copy } from "./feedback.js";

/** @import {App, Model, Panel} from "./types" */

const TEXT = "What narrows decided during the fit, and why. The full report is one file that needs nothing else.";

/** @param {App} app @returns {Panel} */
export function panel({ state }) {
  const model = /** @type {Model} */ (state.model);
  const decisions = model.report.length
    ? h(
        "ul",
        { class: "decisions" },
        model.report.map((line) => h("li", null, line)),
      )
    : h("p", { class: "note" }, "No decisions were recorded.");
  const usage = h(
    "div",
    null,
    h("h2", null, "In Python"),
    ...codeListing("Python", model.python),
    h("h2", null, "On the command line"),
    ...codeListing("Command", model.command),
  );
  const columns = h("div", { class: "two-columns" }, h("div", null, h("h2", null, "Decisions"), decisions), usage);
  const element = h("section", { class: "panel" }, heading("Report", TEXT), downloadLinks(model), columns);
  return { element };
}

/** @param {Model} model */
function downloadLinks({ can, name }) {
  const reportLinks = [
    h(
      "a",
      { class: "button primary", href: "/api/report", target: "_blank", rel: "noopener" },
      icon("report"),
      h("span", null, "Open the report"),
    ),
    h(
      "a",
      { class: "button", href: "/api/report?download=1", download: "report.html" },
      icon("save"),
      h("span", null, "Download the report"),
    ),
  ];
  const modelLink = { class: "button", href: "/api/models/current/download", download: `${name}.zip` };
  return h(
    "div",
    { class: "actions" },
    ...(can.includes("report") ? reportLinks : []),
    h("a", modelLink, icon("save"), h("span", null, "Download the model")),
  );
}

/** Code with a button that copies it. @param {string} name @param {string} code */
function codeListing(name, code) {
  const listing = h("pre", { class: "listing", tabindex: "0", "aria-label": name }, code);
  return [listing, button(name, "copy", () => copy(code, name))];
}
