// The part beside the stage: one decoded code, and a button that opens its dials. Of a model that does not decode
// codes, it shows the row itself, and the button opens the form that fills it.

import { kindClass } from "../cells.js";
import { button, h } from "../dom.js";
import { createExampleView } from "../example-view.js";

/** @import {Model, Transport} from "../types" */

export class DecodedExample {
  #row = -1; // the row that is shown, -1 for a code

  /** @param {Model} model @param {Transport} transport
   * @param {{openDials?: () => void, openForm?: (row: number) => void}} handlers */
  constructor(model, transport, { openDials, openForm }) {
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
    this.transport.decode(code, this.view.show);
    if (text !== undefined) this.about.textContent = text;
  }

  /** Show a row of the data as it is. @param {number} row */
  async showRow(row) {
    const { example } = await this.transport.json("GET", `/api/data/${row}`);
    /** @type {(number | null)[]} */ const values = example.values ?? [];
    this.#row = row;
    this.picture.hidden = false;
    this.view.show(Float64Array.from([...values, ...values.map(() => null)], (value) => value ?? NaN));
    this.about.textContent = `Row ${row}.`;
    this.enableDials();
  }

  enableDials() {
    if (this.button) this.button.disabled = false;
  }
}
