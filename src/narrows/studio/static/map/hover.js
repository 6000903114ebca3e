// The row under the pointer or the keyboard, and a tip that shows its example.

import { cellLines } from "../cell-parts.js";
import { findUnusual } from "../cells.js";
import { h } from "../dom.js";
import { SeriesChart } from "../series-chart.js";
import { debounce } from "../timing.js";

/** @import {Example, Model} from "../types" */
/** @import {Camera} from "./camera.js" */
/** @import {MapRequests} from "./requests.js" */
/** @import {Scatter} from "./scatter.js" */

const DELAY = 40; // milliseconds before the example is requested
const [MAX_CELLS, MAX_CHANNELS] = [8, 4]; // of a row, and of a series, in the tip

export class Hover {
  row = -1;
  tip = h("div", { class: "tip", hidden: true });

  /**
   * @param {{model: Model, camera: Camera, scatter: Scatter, requests: MapRequests}} context
   * @param {{describeValue: (row: number) => string, onChange: () => void, announce: (text: string) => void}} handlers
   */
  constructor({ model, camera, scatter, requests }, { describeValue, onChange, announce }) {
    this.model = model;
    this.camera = camera;
    this.scatter = scatter;
    this.requests = requests;
    this.describeValue = describeValue;
    this.onChange = onChange;
    this.announce = announce;
    this.load = debounce((/** @type {number} */ row) => this.#load(row), DELAY);
  }

  /** @param {number} row -1 for none */
  set(row) {
    if (row === this.row) return;
    this.row = row;
    this.camera.stage.classList.toggle("on-point", row >= 0);
    if (row < 0) this.tip.hidden = true;
    else this.load(row);
    this.onChange();
  }

  /** @param {number} row */
  async #load(row) {
    if (row !== this.row) return;
    const response = await this.requests.example(row).catch(() => null);
    if (!response || row !== this.row) return;
    const text = [`row ${row}`, response.label, this.describeValue(row)].filter(Boolean).join(" · ");
    this.tip.replaceChildren(this.#content(response.example), h("p", null, text));
    this.tip.hidden = false;
    this.#placeTip(...this.camera.toPixels(...this.scatter.position(row)));
    if (document.activeElement === this.camera.stage) this.announce(text);
  }

  /** @param {Example} example */
  #content({ picture, values }) {
    if (picture) return h("img", { class: "px", src: picture, alt: "" });
    const columns = this.model.cells ?? [];
    if (this.model.kind === "series") {
      const chart = new SeriesChart(columns, "", [], { most: MAX_CHANNELS, isSmall: true });
      chart.show(values ?? []);
      return chart.element;
    }
    const shown = findUnusual(columns, values ?? [], MAX_CELLS);
    const note =
      columns.length > MAX_CELLS &&
      `${MAX_CELLS} of ${columns.length.toLocaleString("en")} columns, furthest from the mean first`;
    return h("div", { class: "tip-cells" }, cellLines(columns, values ?? [], shown), note && h("p", null, note));
  }

  /** Place the tip beside a point and within the stage. @param {number} px @param {number} py */
  #placeTip(px, py) {
    const { tip, camera } = this;
    const left = px + 18 + tip.offsetWidth > camera.width ? px - tip.offsetWidth - 18 : px + 18;
    const top = Math.min(Math.max(6, py - tip.offsetHeight / 2), camera.height - tip.offsetHeight - 6);
    tip.style.transform = `translate(${Math.max(6, left)}px, ${top}px)`;
  }
}
