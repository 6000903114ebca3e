// The stage: the layers of the map, one above the other, the names of the axes, and a note while it loads.

import { h } from "../dom.js";

/** @import {MapSettings} from "../types" */

const MOVES = "plus and minus zoom, 0 shows all.";

export class Stage {
  axisX = h("span", { class: "axis x" });
  axisY = h("span", { class: "axis y" });

  /** @param {number} n rows @param {number} nComponents @param {boolean} decodes true if codes can be decoded */
  constructor(n, nComponents, decodes) {
    const actions = decodes ? "Enter sets the dials, P adds to the path" : "Enter shows the row";
    this.isHistogram = nComponents === 1;
    this.count = n.toLocaleString("en");
    this.element = h("div", {
      class: "stage",
      tabindex: "0",
      role: "application",
      "aria-busy": "true",
      "aria-label": `Map of ${n} codes. Arrow keys go from point to point, ${actions}, ${MOVES}`,
    });
  }

  /** @param {HTMLElement[]} layers from back to front @param {HTMLElement} tip */
  fill(layers, tip) {
    const loading = h("p", { class: "waits" }, h("span", { class: "spinner" }), `Placing ${this.count} examples`);
    this.element.replaceChildren(...layers, this.axisX, this.axisY, tip, loading);
  }

  /** @param {MapSettings} settings
   * @param {string} [explained] shares of the variance of the two axes, as in "0.4,0.2" */
  nameAxes({ layout, projection, x, y }, explained = "") {
    if (layout === "neighbors") {
      this.axisX.textContent = "neighbours lie together; the axes have no unit";
      this.axisY.textContent = "";
      return;
    }
    if (this.isHistogram) {
      this.axisX.textContent = "z0 →";
      this.axisY.textContent = "number of rows, stacked →";
      return;
    }
    if (projection === "components") {
      this.axisX.textContent = `z${x} →`;
      this.axisY.textContent = `z${y} →`;
      return;
    }
    const [first = "", second = ""] = explained
      .split(",")
      .map((share) => (share ? `, ${Math.round(100 * Number(share))} % of the variance` : ""));
    this.axisX.textContent = `first principal axis${first} →`;
    this.axisY.textContent = `second principal axis${second} →`;
  }

  /** Say how far the neighbour layout is. @param {number} step -1 while neighbours are looked for
   * @param {number} nSteps */
  showProgress(step, nSteps) {
    const share = Math.floor((100 * step) / nSteps);
    this.axisY.textContent = "";
    if (step < 0) this.axisX.textContent = "neighbours are looked for";
    else if (step < nSteps) this.axisX.textContent = `neighbours come together: ${share} %`;
  }

  endLoading() {
    this.element.setAttribute("aria-busy", "false");
  }
}
