// The choice of an example: a row of the data, a random row, or the user's own picture.

import { button, h, icon, labelledField } from "./dom.js";

/** @import {State} from "./types" */

/** Fields that pick an example. A "row" event on the element sets the row without picking it.
 * @param {State} state @param {{onRow?: (row: number) => void, onImage?: (file: Blob) => void}} handlers
 * @param {string} [label] */
export function examplePicker({ data, model }, { onRow, onImage }, label = "Row") {
  const element = h("div", { class: "chooser" });
  if (data && onRow) {
    const { field, pickRandom } = createRowField(data.n, onRow);
    element.append(labelledField(label, field), button("Random row", "random", pickRandom));
    element.addEventListener("row", (event) => (field.value = String(/** @type {CustomEvent} */ (event).detail)));
  }
  if (model?.kind === "image" && onImage) {
    const hint = h("small", null, "choose, paste or drop");
    const file = createFileInput("image/*", onImage);
    element.append(h("label", { class: "button file" }, file, icon("up"), h("span", null, "Your picture"), hint));
  }
  return element;
}

/** @param {number} n rows of the data @param {(row: number) => void} onRow */
function createRowField(n, onRow) {
  const field = h("input", { type: "number", min: 0, max: n - 1, step: 1, value: 0, inputmode: "numeric" });
  const pick = () => {
    const row = Math.min(Math.max(0, Math.round(Number(field.value) || 0)), n - 1);
    field.value = String(row);
    onRow(row);
  };
  field.addEventListener("change", pick);
  const pickRandom = () => {
    field.value = String(Math.floor(Math.random() * n));
    pick();
  };
  return { field, pickRandom };
}

/** An input for a file, which accepts the same file again.
 * @param {string} accept @param {(file: File) => void} onFile */
export function createFileInput(accept, onFile) {
  const input = h("input", {
    type: "file",
    accept,
    class: "sr",
    onchange: () => {
      if (input.files?.[0]) onFile(input.files[0]);
      input.value = "";
    },
  });
  return input;
}

/** Accept files that are pasted or dropped onto a panel.
 * @param {HTMLElement} element @param {(file: File) => void} onFile @returns {() => void} stops it */
export function acceptFiles(element, onFile) {
  /** @param {DataTransfer | null} transfer */
  const firstFile = (transfer) => Array.from(transfer?.files ?? [])[0];
  /** @param {ClipboardEvent} event */
  const paste = (event) => {
    const isVisible = element.isConnected && element.offsetParent !== null;
    const file = isVisible && firstFile(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    onFile(file);
  };
  /** @param {DragEvent} event */
  const drag = (event) => {
    event.preventDefault();
    element.classList.toggle("over", event.type === "dragover");
    const file = event.type === "drop" && firstFile(event.dataTransfer);
    if (file) onFile(file);
  };
  for (const kind of /** @type {const} */ (["dragover", "dragleave", "drop"])) element.addEventListener(kind, drag);
  document.addEventListener("paste", paste);
  return () => document.removeEventListener("paste", paste);
}
