// The verdict on the model: whether it is well, what was found, and the next step as a button.

import { button, h } from "./dom.js";
import { attempt } from "./feedback.js";

/** @import {App, Finding, Model} from "./types" */

/** The verdict on the model that is shown; null if nothing was found about it. @param {App} app */
export function createVerdict(app) {
  const { model } = app.state;
  if (!model?.findings.length) return null;
  const isWell = model.findings.every(({ is_well }) => is_well);
  const findings = model.findings.map((finding) =>
    h("li", { class: finding.is_well ? "well" : "doubt" }, ...renderFinding(app, model, finding)),
  );
  const [sentence, ...more] = model.verdict.split(/(?<=[.:]) /);
  const summary = h("summary", null, h("b", null, sentence), more.length ? ` ${more.join(" ")}` : "");
  const element = h("details", { class: `verdict ${isWell ? "well" : "doubt"}`, open: !isWell }, summary);
  element.append(h("ul", null, findings));
  if (model.more_seconds !== null) element.append(h("div", { class: "actions" }, goOnButton(app, model)));
  return h("section", { class: "verdict-box", "aria-label": "Verdict" }, element);
}

/** @param {App} app @param {Model} model @param {Finding} finding */
function renderFinding(app, { job, more_seconds: more }, { name, is_well: isWell, message, change, setting }) {
  const text = h("span", null, message);
  if (!setting) return [text];
  const words = setting.replaceAll("=", " = ");
  if (job === null) return [text, h("span", null, "Try ", h("code", null, words))];
  if (name === "time" && more !== null) return [text]; // it goes on instead
  const again = () => start(app, job, { change });
  return [text, button(`Train again with ${words}`, "reset", again, { class: isWell ? "" : "primary" })];
}

/** @param {App} app @param {Model} model */
function goOnButton(app, { job, more_seconds: more }) {
  const minutes = Math.round((more ?? 0) / 60);
  const label = `Go on for ${minutes} more ${minutes === 1 ? "minute" : "minutes"}`;
  return button(label, "play", () => start(app, job ?? "", { more_seconds: more }));
}

/** Start a training anew, and watch it. @param {App} app @param {string} job @param {object} how */
async function start(app, job, how) {
  const started = await attempt(app.transport.json("POST", `/api/train/${job}/again`, how));
  if (started) await attempt(app.reload("train"));
}
