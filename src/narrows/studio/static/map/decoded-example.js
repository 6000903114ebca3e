// The part beside the stage: a row beside what the decoder makes of its code, or one decoded code, and a button that
// opens its dials. Of a model that does not decode codes, it shows the row itself, and the button opens the form that
// fills it.

import { kindClass } from "../cells.js";
import { button, h } from "../dom.js";
import { createExampleView } from "../example-view.js";
import { createRows } from "../examples.js";

/** @import {Example, Model, Transport} from "../types" */

const MAX_COLUMNS = 12; // of a row, at first
const SET = "The dials are set to it.";

export class DecodedExample {
  #row = -1; // the row that is shown, -1 for a code

  /** @param {Model} model @param {Transport} transport
   * @param {{openDials?: () => void, openForm?: (row: number) => void}} handlers */
  constructor(model, transport, { openDials, openForm }) {
    this.model = model;
    this.transport = transport;
    this.view = createExampleView(model, "The example at this place");
    const [text, label, open] = model.decodes_codes
      ? /** @type {const} */ (["it is decoded here, and the dials are set to it.", "Turn its dials", openDials])
      : /** @type {const} */ (["its row is shown here.", "Fill it", openForm && (() => openForm(this.#row))]);
    this.about = h("p", { class: "about" }, `Click a point: ${text}`);
    this.button = open && button(label, model.decodes_codes ? "dials" : "fill", open, { disabled: true });
    this.picture = h("div", { class: `stage-picture small ${kindClass(model)}` }, this.view.element);
    this.picture.hidden = !model.decodes_codes; // there is nothing to show before a row is chosen
    this.element = h("div", { class: "side-part at" }, this.picture, h("div", null, this.about, this.button));
  }

  /** @param {Float32Array} code @param {string} [text] description of the code */
  show(code, text) {
    this.#row = -1;
    this.picture.replaceChildren(this.view.element);
    this.transport.decode(code, this.view.show);
    if (text !== undefined) this.about.textContent = text;
  }

  /** Show a row of the data, beside what the decoder makes of its code, if the model decodes codes.
   * @param {number} row */
  async showRow(row) {
    this.#row = row;
    const { model, transport } = this;
    /** @type {{example: Example, reconstruction?: Example}} */
    const answer = model.decodes_codes
      ? await transport.json("POST", "/api/encode", { row })
      : await transport.json("GET", `/api/data/${row}`);
    if (row !== this.#row) return;
    const { example, reconstruction } = answer;
    const shown = reconstruction ? [example, reconstruction] : [example];
    const rows = createRows(reconstruction ? ["row", "decoded"] : [], `Row ${row}`, model, { most: MAX_COLUMNS });
    rows.compare(...shown);
    this.picture.replaceChildren(rows.element);
    this.picture.hidden = false;
    this.about.textContent = reconstruction
      ? `Row ${row}, and what the decoder makes of its code. ${SET}`
      : `Row ${row}.`;
    this.enableDials();
  }

  enableDials() {
    if (this.button) this.button.disabled = false;
  }
}
