// Clean: a noisy example and its reconstruction, one behind the other, with a slider between them.

import { kindClass } from "./cells.js";
import { button, h, heading, select } from "./dom.js";
import { acceptFiles, examplePicker } from "./example-picker.js";
import { createRows, figureList, renderExample } from "./examples.js";
import { attempt, download } from "./feedback.js";
import { formatNumber } from "./format.js";
import { debounce } from "./timing.js";

/** @import {App, CleanResult, Example, Model, Panel, State, Transport} from "./types" */

const NOISE = 0.3; // level of the noise that is added to rows at first
const DELAY = 60; // milliseconds without a change before a request

/** @param {App} app @returns {Panel} */
export function panel({ transport, state }) {
  const view = new CleanView(transport, state);
  const stop = view.isImage ? acceptFiles(view.element, (file) => view.openImage(file)) : () => {};
  if (state.data) view.load();
  return { element: view.element, destroy: stop };
}

class CleanView {
  /** @type {{row: number} | {image: Blob}} */ #source = { row: 0 };
  #level = NOISE;
  #seed = 0;
  #requestId = 0;
  #before = h("div", { class: "before" });
  #after = h("div", { class: "after" });
  #figures = h("dl", { class: "figures", "aria-live": "polite" });
  #trio = h("div", { class: "trio" });
  #levelText = h("span", null, formatNumber(NOISE));
  /** @type {Example | null} */ #clean = null;
  /** @type {{captions: string, view: ReturnType<typeof createRows>} | null} */ #rows = null;

  /** @param {Transport} transport @param {State} state */
  constructor(transport, state) {
    this.transport = transport;
    this.model = /** @type {Model} */ (state.model);
    this.isImage = this.model.kind === "image";
    this.isDenoiser = this.model.recipe === "dae";
    this.resultName = this.isDenoiser ? "cleaned" : "reconstructed";
    this.noise = this.model.noise;
    const loadSoon = debounce(() => this.load(), DELAY);
    this.slider = h("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 0.01,
      value: NOISE,
      oninput: () => {
        this.#level = Number(this.slider.value);
        this.#levelText.textContent = formatNumber(this.#level);
        loadSoon();
      },
    });
    this.saveButton = button("Save", "save", () => this.#save(), { disabled: true, title: "Save the cleaned picture" });
    this.element = this.#render(state);
  }

  /** @param {State} state */
  #render(state) {
    const text = this.isDenoiser
      ? "Noise is added, and the model removes it. No noise is added to your own picture."
      : this.model.can.includes("fill")
        ? "Noise is added, and the model predicts each cell of the noisy row from all its other cells."
        : "Noise is added, and the model reconstructs the noisy example. The reconstruction is usually cleaner.";
    const picker = examplePicker(state, {
      onRow: (row) => this.#openRow(row),
      onImage: (file) => this.openImage(file),
    });
    const sliderName = h("span", { class: "field-name" }, "Noise added ", this.#levelText);
    const newNoise = button("New noise", "random", () => {
      this.#seed++;
      this.load();
    });
    const controls = h(
      "div",
      { class: "controls" },
      picker,
      h("label", { class: "field" }, sliderName, this.slider),
      this.model.noises.length > 1 && this.#noiseSelect(),
      h("div", { class: "actions" }, newNoise, this.isImage && this.saveButton),
      this.#figures,
      this.#trio,
    );
    const stage = h("div", { class: "clean-stage" }, this.#comparison());
    return h("section", { class: "panel" }, heading("Clean", text), h("div", { class: "clean" }, stage, controls));
  }

  /** The two examples, one behind the other. */
  #comparison() {
    const seam = h("input", {
      type: "range",
      min: 0,
      max: 100,
      value: 50,
      step: 1,
      class: "seam",
      "aria-label": "Slider between the noisy and the cleaned example",
      oninput: () => element.style.setProperty("--seam", `${seam.value}%`),
    });
    const names = [
      h("span", { class: "side-name left" }, "noisy"),
      h("span", { class: "side-name right" }, this.resultName),
    ];
    const properties = { class: `compare ${kindClass(this.model)}`, style: { "--seam": "50%" } };
    const element = h("div", properties, this.#before, this.isImage && [this.#after, ...names, seam]);
    return element;
  }

  #noiseSelect() {
    /** @type {[string, string][]} */
    const options = this.model.noises.map((name) => [name, name.replaceAll("_", " ")]);
    return select("Kind", options, this.noise, (value) => {
      this.noise = value;
      this.load();
    }).element;
  }

  /** Request the example with noise, and its reconstruction. */
  async load() {
    const requestId = ++this.#requestId;
    const [level, kind, seed] = [this.#level, this.noise, this.#seed];
    const source = this.#source;
    const request =
      "image" in source
        ? this.transport.json("POST", `/api/clean/image?noise=${level}&kind=${kind}&seed=${seed}`, source.image)
        : this.transport.json("POST", "/api/clean", { row: source.row, noise: level, kind, seed });
    const result = await attempt(request);
    if (result && requestId === this.#requestId) this.#show(result);
  }

  /** @param {number} row */
  #openRow(row) {
    this.#source = { row };
    if (!this.#level) this.#setLevel(NOISE);
    this.load();
  }

  /** @param {Blob} image */
  openImage(image) {
    this.#source = { image };
    this.#setLevel(0); // the picture may be noisy enough
    this.load();
  }

  /** @param {number} level */
  #setLevel(level) {
    this.#level = level;
    this.slider.value = String(level);
    this.#levelText.textContent = formatNumber(level);
  }

  /** @param {CleanResult} result */
  #show({ original, noisy, clean, psnr_noisy, psnr_clean }) {
    const title = this.isDenoiser ? "Cleaned" : "Reconstructed";
    if (!this.isImage) this.#showRows({ original, noisy, clean }, title.toLowerCase());
    else {
      this.#before.replaceChildren(renderExample(noisy, "With noise", this.model));
      this.#after.replaceChildren(renderExample(clean, title, this.model));
    }
    const decibels = (/** @type {number} */ value) => `${value.toFixed(1)} dB`;
    const noisyValue = psnr_noisy ?? 0;
    this.#figures.replaceChildren(
      ...(psnr_clean === null
        ? []
        : figureList([
            ["Noisy", decibels(noisyValue)],
            [title, decibels(psnr_clean)],
            ["Gain", decibels(psnr_clean - noisyValue)],
          ])),
    );
    if (this.isImage) this.#showTrio({ original, noisy, [this.resultName]: clean });
    this.#clean = clean;
    this.saveButton.disabled = !clean.picture;
  }

  /** Show the rows or series side by side.
   * @param {{original: Example | null, noisy: Example, clean: Example}} rows @param {string} made caption */
  #showRows({ original, noisy, clean }, made) {
    const captions = original ? ["original", "noisy", made] : ["original", made];
    const examples = original ? [original, noisy, clean] : [noisy, clean];
    if (this.#rows?.captions !== captions.join()) {
      this.#rows = { captions: captions.join(), view: createRows(captions, "Before and after", this.model) };
      this.#before.replaceChildren(this.#rows.view.element);
    }
    this.#rows.view.compare(...examples);
  }

  /** @param {Record<string, Example | null>} examples by caption */
  #showTrio(examples) {
    const figures = Object.entries(examples).flatMap(([caption, example]) =>
      example ? [h("figure", null, renderExample(example, "", this.model), h("figcaption", null, caption))] : [],
    );
    this.#trio.replaceChildren(...figures);
  }

  async #save() {
    const url = this.#clean?.picture;
    if (url) download(await (await fetch(url)).blob(), "cleaned.png");
  }
}
