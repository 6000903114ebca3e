// Some examples of a training, what PCA makes of them, and what the model makes of them so far.

import { createCellTable } from "../cells.js";
import { h } from "../dom.js";

/** @import {CellColumn, Example, Sketch} from "../types" */

const MAX_ROWS = 2; // examples of a table
const LABEL = "Examples, and what PCA and the model make of them";

export class ExampleRows {
  #caption = h("figcaption", null, "Examples, and what the model makes of them");
  #grid = h("div", { class: "pairs" });
  element = h("figure", { class: "pairs-box" }, this.#caption, this.#grid);
  /** @type {((examples: Example[]) => void) | null} draws what the model makes */ #drawModel = null;
  /** @type {Example[] | null} what the model makes, if it came before the examples */ #waiting = null;

  /** @param {Sketch} sketch */
  showExamples({ original, cells, pca }) {
    const isImage = Boolean(original[0]?.picture);
    this.#grid.className = `pairs ${isImage ? "image" : "vector"}`;
    const draw = isImage ? drawImages : drawTables;
    const { elements, update } = draw(original, pca?.reconstruction ?? null, cells ?? []);
    this.#grid.replaceChildren(...elements);
    this.#drawModel = update;
    if (this.#waiting) update(this.#waiting);
  }

  /** @param {Example[]} examples @param {number} step */
  showModel(examples, step) {
    this.#waiting = examples;
    this.#drawModel?.(examples);
    const when = step ? `after ${step.toLocaleString("en")} ${step === 1 ? "step" : "steps"}` : "before the first step";
    this.#caption.textContent = `Examples, and what the model makes of them ${when}`;
  }
}

/** A line of pictures for the originals, for PCA and for the model. @param {Example[]} original
 * @param {Example[] | null} pca */
function drawImages(original, pca) {
  const picture = (/** @type {string | null} */ src, /** @type {string} */ alt) =>
    h("img", { class: "px", src, alt, decoding: "async" });
  const line = (/** @type {string} */ name, /** @type {HTMLImageElement[]} */ pictures) => [
    h("span", { class: "pairs-name" }, name),
    ...pictures,
  ];
  const made = original.map(() => h("img", { class: "px empty", alt: "" }));
  const elements = [
    ...line(
      "original",
      original.map((example) => picture(example.picture, "original")),
    ),
    ...(pca
      ? line(
          "PCA",
          pca.map((example) => picture(example.picture, "by PCA")),
        )
      : []),
    ...line("model", made),
  ];
  /** @param {Example[]} examples */
  const update = (examples) =>
    made.forEach((image, i) => {
      image.src = examples[i].picture ?? "";
      image.alt = "by the model";
      image.classList.remove("empty");
    });
  return { elements, update };
}

/** A table for each of a few rows. @param {Example[]} original @param {Example[] | null} pca
 * @param {CellColumn[]} columns */
function drawTables(original, pca, columns) {
  const names = pca ? ["original", "PCA", "model"] : ["original", "model"];
  const shown = original.slice(0, MAX_ROWS);
  const tables = shown.map((example, i) => {
    const table = createCellTable(columns, LABEL, names);
    table.show(example.values ?? [], example.probs, 0);
    if (pca) table.show(pca[i].values ?? [], pca[i].probs, 1);
    return table;
  });
  /** @param {Example[]} examples */
  const update = (examples) =>
    tables.forEach((table, i) => table.show(examples[i].values ?? [], examples[i].probs, names.length - 1));
  return { elements: tables.map(({ element }) => element), update };
}
