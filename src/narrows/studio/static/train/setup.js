// The form before a training: what narrows sees of the data, and the recipe.

import { button, h, icon, labelledField, select } from "../dom.js";
import { createTiles } from "../examples.js";
import { ColumnTable } from "./columns.js";
import { ParameterFields } from "./parameters.js";

/** @import {Recipe, TrainRequest, Upload} from "../types" */

/**
 * @typedef {object} SetupHandlers
 * @property {(request: TrainRequest) => Promise<void>} onTrain
 * @property {(side: number) => void} onResize called for images of another size, in pixels
 * @property {() => void} onCancel called to choose other data
 */

const SIDES = ["16", "32", "64", "128", "256"]; // pixels
const MAX_PREVIEW = 32; // examples

export class SetupForm {
  /** @param {Upload} upload @param {Recipe[]} recipes @param {number | undefined} side pixels of images in an archive
   * @param {SetupHandlers} handlers */
  constructor(upload, recipes, side, handlers) {
    const { suggested } = upload;
    this.upload = upload;
    this.recipes = recipes;
    this.handlers = handlers;
    this.recipe = suggested.recipe;
    this.columns = upload.columns && new ColumnTable(upload.columns, suggested.label);
    this.parameters = new ParameterFields();
    this.name = h("input", { type: "text", value: upload.name.replace(/\.[a-z]+$/i, ""), maxlength: 60 });
    this.size = h("input", {
      type: "number",
      min: 1,
      max: 4096,
      step: 1,
      value: suggested.n_components ?? "",
      placeholder: "the recipe's default",
    });
    this.time = h("input", { type: "number", min: 1, max: 86400, step: 1, value: suggested.max_time });
    this.likelihood = h(
      "select",
      null,
      upload.likelihoods.map(({ name, help }) =>
        h("option", { value: name, selected: name === suggested.likelihood, title: help }, name),
      ),
    );
    this.submit = h("button", { type: "submit", class: "button primary" }, icon("train"), h("span", null, "Train"));
    this.element = h(
      "form",
      { class: "set-up", onsubmit: (/** @type {Event} */ event) => this.#submit(event) },
      this.#dataSection(side),
      this.#recipeSection(),
      h("div", { class: "actions" }, this.submit, button("Other data", "reset", handlers.onCancel)),
    );
    this.#showParameters();
    this.columns?.onChange(() => this.#showLikelihoods());
    this.#showLikelihoods();
  }

  /** @param {number} [side] */
  #dataSection(side) {
    const { name, n, description, labels, notes, preview } = this.upload;
    const rows = ` ${n.toLocaleString("en")} rows: ${description}.`;
    const labelNote = labels && " There are labels, which colour the map.";
    return h(
      "div",
      { class: "seen" },
      h("h2", null, "What narrows sees"),
      h("p", { class: "seen-text" }, h("b", null, name), rows, labelNote),
      notes.length > 0 &&
        h(
          "ul",
          { class: "notes" },
          notes.map((note) => h("li", null, note)),
        ),
      preview.sheet && h("div", { class: "preview" }, createPreview(this.upload, preview.sheet)),
      side !== undefined && h("div", { class: "bar" }, this.#sideSelect(side)),
      this.columns?.element,
      this.columns &&
        h(
          "div",
          { class: "bar" },
          labelledField("Label: colours the map, and is not learned", this.columns.label),
          this.columns.summary,
        ),
    );
  }

  #recipeSection() {
    const cards = h("div", { class: "recipes", role: "radiogroup", "aria-label": "Recipe" });
    const isPossible = (/** @type {Recipe} */ { tabular }) =>
      !tabular || ["vector", "table"].includes(this.upload.kind);
    cards.append(...this.recipes.filter(isPossible).map((recipe) => this.#recipeCard(recipe)));
    const fields = h(
      "div",
      { class: "bar fields" },
      labelledField("Components", this.size),
      labelledField("Seconds at most", this.time),
      labelledField("Likelihood", this.likelihood),
      labelledField("Name", this.name),
    );
    const others = h("details", null, h("summary", null, "All other parameters"), this.parameters.element);
    return h("div", null, h("h2", null, "Recipe"), cards, fields, others);
  }

  /** @param {Recipe} recipe */
  #recipeCard({ name, summary, tabular }) {
    const choose = () => {
      this.recipe = name;
      this.#suggestSize(tabular);
      this.#showParameters();
      this.#showLikelihoods();
    };
    const checked = name === this.recipe;
    const radio = h("input", { type: "radio", name: "recipe", value: name, checked, onchange: choose });
    return h("label", { class: "recipe" }, radio, h("b", null, name.replaceAll("_", " ")), h("span", null, summary));
  }

  /** Codes of a model of tables are as long as its network is wide: the suggested size is none for it.
   * @param {boolean} isTabular */
  #suggestSize(isTabular) {
    const suggested = String(this.upload.suggested.n_components ?? "");
    if (isTabular && this.size.value === suggested) this.size.value = "";
    else if (!isTabular && this.size.value === "") this.size.value = suggested;
  }

  #showParameters() {
    this.parameters.show(this.recipes.find(({ name }) => name === this.recipe)?.parameters ?? []);
  }

  /** Offer only the likelihoods that the recipe and all used columns can have. */
  #showLikelihoods() {
    const recipe = this.recipes.find(({ name }) => name === this.recipe);
    const hasChoice = recipe?.parameters.some(({ name }) => name === "likelihood") ?? false;
    const table = this.columns;
    const used = table ? table.usedColumns().map((column) => table.kindOf(column)) : [];
    const kinds = Object.fromEntries(this.upload.likelihoods.map((likelihood) => [likelihood.name, likelihood.kinds]));
    for (const option of this.likelihood.options) {
      const possible = kinds[option.value];
      option.disabled = Boolean(possible && used.some((kind) => !possible.includes(kind)));
    }
    if (!hasChoice || this.likelihood.selectedOptions[0]?.disabled) this.likelihood.value = "auto";
    this.likelihood.disabled = !hasChoice;
  }

  /** @param {number} side */
  #sideSelect(side) {
    /** @type {[string, string][]} */ const options = SIDES.map((value) => [value, value]);
    const resize = (/** @type {string} */ value) => this.handlers.onResize(Number(value));
    return select("Pixels of the longer side, at most", options, String(side), resize).element;
  }

  /** @param {Event} event */
  async #submit(event) {
    event.preventDefault();
    this.submit.disabled = true;
    await this.handlers.onTrain(this.#request());
    this.submit.disabled = false;
  }

  /** @returns {TrainRequest} */
  #request() {
    return {
      upload: this.upload.id,
      recipe: this.recipe,
      n_components: this.size.value ? Number(this.size.value) : null,
      max_time: Number(this.time.value),
      likelihood: this.likelihood.value,
      columns: this.columns && [...this.columns.used],
      kinds: this.columns && this.columns.chosenKinds(),
      label: this.columns?.label.value || null,
      name: this.name.value || null,
      parameters: this.parameters.changed(),
    };
  }
}

/** The first examples. @param {Upload} upload @param {string} url of one picture of them all */
function createPreview({ n, shape }, url) {
  const tiles = createTiles({ n: Math.min(MAX_PREVIEW, n), columns: Math.min(8, n), shape, alt: "The first examples" });
  tiles.show(Promise.resolve(url));
  return tiles.element;
}
