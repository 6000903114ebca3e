// The part beside the stage: one decoded code, and a button that opens its dials.

import { kindClass } from "../cells.js";
import { button, h } from "../dom.js";
import { createExampleView } from "../example-view.js";

/** @import {Model, Transport} from "../types" */

export class DecodedExample {
  /** @param {Model} model @param {Transport} transport @param {(() => void)} [openDials] */
  constructor(model, transport, openDials) {
    this.transport = transport;
    this.view = createExampleView(model, "The example at this place");
    this.about = h("p", { class: "about" }, "Click a point: it is decoded here, and the dials are set to it.");
    this.button = openDials && button("Turn its dials", "dials", openDials, { disabled: true });
    const picture = h("div", { class: `stage-picture small ${kindClass(model)}` }, this.view.element);
    this.element = h("div", { class: "side-part at" }, picture, h("div", null, this.about, this.button));
  }

  /** @param {Float32Array} code @param {string} [text] description of the code */
  show(code, text) {
    this.transport.decode(code, this.view.show);
    if (text !== undefined) this.about.textContent = text;
  }

  enableDials() {
    if (this.button) this.button.disabled = false;
  }
}
