// A training while it runs: its status, the curves of its loss, and examples with their reconstructions.

import { CellTable } from "../cell-table.js";
import { button, h } from "../dom.js";
import { attempt, toast } from "../feedback.js";
import { formatNumber } from "../format.js";
import { LossChart } from "../loss-chart.js";

/** @import {CellColumn, Example, HistoryRow, Job, Reconstructions, Transport} from "../types" */

const STOPPING = "Stopping: the learning rate is lowered first, then the best weights are kept";
const CAPTION = "Originals, and their reconstructions by the model";
const MAX_ROWS = 2; // examples of a table

/** @type {[keyof HistoryRow, string, (value: number) => string][]} */
const FACTS = [
  ["epoch", "Epoch", (value) => String(Math.round(value))],
  ["seconds", "Seconds", (value) => value.toFixed(0)],
  ["loss", "Training loss", formatNumber],
  ["valid_loss", "Validation loss", formatNumber],
];

export class TrainingProgress {
  #chart = new LossChart();
  #status = h("p", { class: "status", role: "status" });
  #bar = h("progress", { max: 1, "aria-label": "Progress of the training" });
  #facts = h("dl", { class: "figures" });
  #pairs = h("div", { class: "pairs" });
  #notes = h("ul", { class: "notes", "aria-live": "polite" });

  /**
   * @param {Job} job @param {Transport} transport
   * @param {{onEnd: (job: Job) => void, onLeave: () => void}} handlers
   */
  constructor(job, transport, handlers) {
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
    const figure = h("figure", { class: "pairs-box" }, h("figcaption", null, CAPTION), this.#pairs);
    this.element = h(
      "div",
      { class: "watching" },
      h("div", { class: "watch-head" }, title, buttons),
      this.#bar,
      h("div", { class: "watch-main" }, h("div", null, this.#chart.element, this.#facts), figure),
      this.#notes,
    );
  }

  /** Return the handlers of the training's events. @returns {Record<string, (data: any) => void>} */
  handlers() {
    return {
      status: (job) => this.showStatus(job),
      history: (row) => this.#showHistory(row),
      pictures: (examples) => this.#showReconstructions(examples),
      note: ({ words }) => this.#notes.append(h("li", null, words)),
    };
  }

  /** @param {Job} job */
  showStatus(job) {
    const texts = {
      starting: "Starting",
      training: "Training",
      stopping: STOPPING,
      done: "Done",
      failed: `The training failed: ${job.detail}`,
      cancelled: "Cancelled",
    };
    this.#status.textContent = texts[job.status];
    this.#showShare(job.share);
    if (job.status === "stopping") this.stopButton.disabled = true;
    if (job.status === "failed") toast(job.detail ?? "The training failed.", "wrong");
    if (["done", "failed", "cancelled"].includes(job.status)) this.panel.onEnd(job);
  }

  /** Keep the curves of a failed training on the page, with a button to go back. */
  showFailure() {
    this.cancelButton.hidden = this.stopButton.hidden = true;
    const back = button("Back to the data", "reset", this.panel.onLeave);
    this.element.after(h("div", { class: "actions" }, back));
  }

  /** @param {number | null | undefined} share */
  #showShare(share) {
    if (share === null || share === undefined) this.#bar.removeAttribute("value");
    else this.#bar.value = share;
  }

  /** @param {HistoryRow} row */
  #showHistory(row) {
    this.#chart.add(row);
    this.#showShare(row.share);
    const facts = FACTS.flatMap(([key, name, format]) => {
      const value = row[key];
      return typeof value === "number" ? [h("div", null, h("dt", null, name), h("dd", null, format(value)))] : [];
    });
    this.#facts.replaceChildren(...facts);
  }

  /** @param {Reconstructions} examples */
  #showReconstructions({ original, reconstruction, cells }) {
    const isImage = Boolean(original[0]?.picture);
    this.#pairs.className = `pairs ${isImage ? "image" : "vector"}`;
    const pairs = isImage
      ? renderImagePairs(original, reconstruction)
      : renderRows(original, reconstruction, cells ?? []);
    this.#pairs.replaceChildren(...pairs.map((pair) => h("div", { class: "pair" }, pair)));
  }
}

/** @param {Example[]} original @param {Example[]} reconstruction @param {CellColumn[]} columns */
function renderRows(original, reconstruction, columns) {
  return original.slice(0, MAX_ROWS).map((example, i) => {
    const table = new CellTable(columns, CAPTION, ["original", "reconstructed"]);
    table.show(example.values ?? [], example.probs, 0);
    table.show(reconstruction[i].values ?? [], reconstruction[i].probs, 1);
    return table.element;
  });
}

/** @param {Example[]} original @param {Example[]} reconstruction */
function renderImagePairs(original, reconstruction) {
  const render = (/** @type {Example} */ { picture }, /** @type {string} */ alt) =>
    h("img", { class: "px", src: picture, alt, decoding: "async" });
  return original.map((example, i) => [render(example, "original"), render(reconstruction[i], "reconstruction")]);
}
