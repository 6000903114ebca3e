// Some examples of a training, what PCA makes of them, and what the model makes of them so far.

import { h } from "../dom.js";
import { createRows } from "../examples.js";

/** @import {Example, Sketch} from "../types" */

const MAX_ROWS = 2; // examples of a table
/** @type {Example} */ const NOTHING = { picture: null, values: null }; // the model has made nothing yet
const LABEL = "Examples, and what PCA and the model make of them";

export class ExampleRows {
  #caption = h("figcaption", null, "Examples, and what the model makes of them");
  #grid = h("div", { class: "pairs" });
  element = h("figure", { class: "pairs-box" }, this.#caption, this.#grid);
  /** @type {((examples: Example[]) => void) | null} draws what the model makes */ #drawModel = null;
  /** @type {Example[] | null} what the model makes, if it came before the examples */ #waiting = null;

  /** @param {Sketch} sketch */
  showExamples(sketch) {
    const isImage = sketch.kind === "image";
    this.#grid.className = `pairs ${isImage ? "image" : "vector"}`;
    const { elements, update } = isImage
      ? drawImages(sketch.original, sketch.pca?.reconstruction ?? null)
      : drawRows(sketch);
    this.#grid.replaceChildren(...elements);
    this.#drawModel = update;
    if (this.#waiting) update(this.#waiting);
  }

  /** @param {Example[]} examples @param {number} step @param {boolean} isBest true if the model is not the latest one,
   * which is worse at the moment, but the best one so far */
  showModel(examples, step, isBest) {
    this.#waiting = examples;
    this.#drawModel?.(examples);
    const when = step ? `after ${step.toLocaleString("en")} ${step === 1 ? "step" : "steps"}` : "before the first step";
    const which = isBest ? "best model so far" : "model";
    this.#caption.textContent = `Examples, and what the ${which} makes of them ${when}`;
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

/** A table, or a chart of lines, for each of a few rows or series. @param {Sketch} sketch */
function drawRows({ kind, original, cells, n_columns: nColumns, pca }) {
  const made = pca?.reconstruction;
  const names = made ? ["original", "PCA", "model"] : ["original", "model"];
  const isLast = (/** @type {number} */ i) => i === Math.min(MAX_ROWS, original.length) - 1;
  const views = original
    .slice(0, MAX_ROWS)
    .map((_, i) => createRows(names, LABEL, { kind, cells }, { hasNote: isLast(i) }));
  /** @param {Example[] | null} examples */
  const update = (examples) =>
    views.forEach((view, i) => {
      const known = made ? [original[i], made[i]] : [original[i]];
      view.showAll(...known, examples?.[i] ?? NOTHING);
    });
  update(null);
  const elements = views.map(({ element }) => element);
  if (cells && nColumns > cells.length) {
    const all = nColumns.toLocaleString("en");
    const parts = kind === "series" ? "channels" : "columns";
    elements.push(h("p", { class: "note" }, `The first ${cells.length} of ${all} ${parts} are shown.`));
  }
  return { elements, update };
}
