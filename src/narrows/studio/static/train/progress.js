// A training while it runs: what it does, how long it takes, the curves of its loss, and examples beside what PCA and
// the model make of them.

import { button, h } from "../dom.js";
import { attempt, toast } from "../feedback.js";
import { formatDuration, formatNumber } from "../format.js";
import { LossChart } from "../loss-chart.js";
import { ExampleRows } from "./example-rows.js";

/** @import {HistoryRow, Job, Progress, Sketch, Transport} from "../types" */

const STOPPING = "Stopping after this step; the best weights are kept";
const TICK = 1000; // milliseconds

export class TrainingProgress {
  #chart = new LossChart();
  #status = h("p", { class: "status", role: "status" });
  #bar = h("progress", { max: 1, "aria-label": "Progress of the training" });
  #facts = h("dl", { class: "figures" });
  #rows = new ExampleRows();
  #notes = h("ul", { class: "notes", "aria-live": "polite" });
  #words = "Starting"; // what the training does now
  /** @type {Progress | null} */ #progress = null;
  /** @type {HistoryRow} latest losses */ #losses = { seconds: 0 };
  #begun = performance.now(); // the time of this page when the training was started
  #progressAt = 0; // the time of this page when `#progress` came
  #timer = 0;

  /**
   * @param {Job} job @param {Transport} transport
   * @param {{onEnd: (job: Job) => void, onLeave: () => void}} handlers
   */
  constructor(job, transport, handlers) {
    this.job = job;
    this.panel = handlers;
    this.stopButton = button(
      "Stop early, keep the best",
      "stop",
      () => {
        this.stopButton.disabled = true;
        attempt(transport.json("POST", `/api/train/${job.job}/stop`));
      },
      { class: "primary" },
    );
    this.cancelButton = button("Cancel", "close", () => {
      this.cancelButton.disabled = true;
      attempt(transport.json("DELETE", `/api/train/${job.job}`));
    });
    const title = h("div", null, h("h2", null, `${job.name}, ${job.recipe}`), this.#status);
    const buttons = h("div", { class: "actions" }, this.stopButton, this.cancelButton);
    this.element = h(
      "div",
      { class: "watching" },
      h("div", { class: "watch-head" }, title, buttons),
      this.#bar,
      this.#facts,
      h("div", { class: "watch-main" }, this.#chart.element, this.#rows.element),
      this.#notes,
    );
    this.#timer = setInterval(() => this.#showFacts(), TICK);
  }

  /** Stop the clock. */
  destroy() {
    clearInterval(this.#timer);
  }

  /** Return the handlers of the training's events. @returns {Record<string, (data: any) => void>} */
  handlers() {
    return {
      status: (job) => this.showStatus(job),
      stage: ({ words }) => this.#showStage(words),
      examples: (sketch) => this.#showExamples(sketch),
      progress: (progress) => this.#showProgress(progress),
      history: (row) => this.#showHistory(row),
      pictures: ({ reconstruction, step, is_best: isBest }) => this.#rows.showModel(reconstruction, step, isBest),
      note: ({ words }) => this.#notes.append(h("li", null, words)),
    };
  }

  /** @param {Job} job */
  showStatus(job) {
    this.job = job;
    this.#begun = performance.now() - 1000 * job.seconds;
    if (job.status === "training") this.#words = "Training";
    if (job.status === "failed") this.#words = `The training failed: ${job.detail}`;
    if (job.status === "cancelled") this.#words = job.detail ?? "Cancelled: nothing was kept.";
    this.#showWords();
    this.#showFacts();
    if (job.status === "stopping") this.stopButton.disabled = true;
    if (job.status === "failed") toast(job.detail ?? "The training failed.", "wrong");
    if (["done", "failed", "cancelled"].includes(job.status)) this.#end();
  }

  #end() {
    this.destroy();
    this.panel.onEnd(this.job);
  }

  /** Keep the curves of a failed or cancelled training on the page, with a button to go back. */
  showEnd() {
    this.cancelButton.hidden = this.stopButton.hidden = this.#bar.hidden = true;
    const back = button("Back to the settings", "reset", this.panel.onLeave, { class: "primary" });
    this.#bar.before(h("div", { class: "actions" }, back));
    back.focus();
  }

  /** @param {string} words */
  #showStage(words) {
    this.#words = words;
    this.#bar.removeAttribute("value"); // it moves by itself
    this.#showWords();
  }

  #showWords() {
    const isStopping = this.job.status === "stopping" && this.#bar.hasAttribute("value");
    this.#status.textContent = isStopping ? STOPPING : this.#words;
  }

  /** @param {Sketch} sketch */
  #showExamples(sketch) {
    this.#rows.showExamples(sketch);
    if (sketch.pca) this.#chart.setBaseline(sketch.pca.loss, nameOf(sketch.pca));
  }

  /** @param {Progress} progress */
  #showProgress(progress) {
    this.#progress = progress;
    this.#progressAt = performance.now();
    this.#bar.value = progress.share;
    if (this.job.status !== "stopping") this.#words = "Training";
    this.#showWords();
    this.#showFacts();
  }

  /** @param {HistoryRow} row */
  #showHistory(row) {
    this.#chart.add(row);
    this.#losses = { ...this.#losses, ...row };
    this.#showFacts();
  }

  #showFacts() {
    const now = performance.now();
    const { loss, valid_loss: heldOut } = this.#losses;
    /** @type {[string, string][]} */ const facts = [["Elapsed", formatDuration((now - this.#begun) / 1000)]];
    if (this.#progress) {
      const { step, n_steps: all, left } = this.#progress;
      facts.unshift(["Steps", `${step.toLocaleString("en")} of ${all.toLocaleString("en")}`]);
      const rest = left === null ? null : Math.max(0, left - (now - this.#progressAt) / 1000);
      facts.push(["Left", rest === null ? "–" : formatDuration(rest)]);
    }
    if (typeof loss === "number") facts.push(["Training loss", formatNumber(loss)]);
    if (typeof heldOut === "number") facts.push(["Held-out loss", formatNumber(heldOut)]);
    const entries = facts.map(([name, text]) => h("div", null, h("dt", null, name), h("dd", null, text)));
    this.#facts.replaceChildren(...entries);
  }
}

/** @param {NonNullable<Sketch["pca"]>} pca */
function nameOf({ n_components: n }) {
  return `PCA with ${n} ${n === 1 ? "component" : "components"}`;
}
