// What stands above the points: names of classes and clusters, and the contours of their density.

import { contoursOf, densityOf } from "../../../report/assets/explorer-density.js";
import { drawNames } from "../../../report/assets/explorer-names.js";
import { h } from "../dom.js";
import { attempt } from "../feedback.js";

/** @import {Extent, Landmarks, MapSettings} from "../types" */
/** @import {Camera} from "./camera.js" */
/** @import {MapRequests} from "./requests.js" */
/** @import {Scatter} from "./scatter.js" */

const MARGIN = 0.1; // of the box of the points, so that contours close

export class MapNames {
  list = h("ul", { class: "sr", "aria-label": "Names on the map" });
  /** @type {Landmarks} */ #found = { classes: [], clusters: [] };
  /** @type {Path2D[]} in the unit square */ #contours = [];
  #box = { left: 0, bottom: 0, side: 1 }; // the unit square among the places
  #requestId = 0; // the answer to an earlier request is dropped

  /** @param {Camera} camera @param {Scatter} scatter @param {MapRequests} requests @param {boolean} hasLabels
   * @param {() => void} onChange called when there is something else to draw */
  constructor(camera, scatter, requests, hasLabels, onChange) {
    this.camera = camera;
    this.scatter = scatter;
    this.requests = requests;
    this.onChange = onChange;
    const box = (/** @type {boolean} */ checked) =>
      h("input", { type: "checkbox", checked, onchange: () => this.#update() });
    this.classes = box(true);
    this.clusters = box(!hasLabels);
    this.contours = box(true);
    const fields = [
      h("label", { class: "check" }, this.classes, "Names of classes"),
      h("label", { class: "check" }, this.clusters, "Names of clusters"),
      h("label", { class: "check" }, this.contours, "Contours"),
    ];
    this.element = h("div", { class: "map-names", role: "group", "aria-label": "Above the points" }, fields);
  }

  /** Take all away while the points move. */
  clear() {
    this.#requestId++;
    this.#found = { classes: [], clusters: [] };
    this.#contours = [];
    this.list.replaceChildren();
  }

  /** Find the contours, and request the names, of the places where the points are. @param {MapSettings} settings */
  async load(settings) {
    const requestId = ++this.#requestId;
    this.#findContours();
    const found = await attempt(this.requests.names(settings));
    if (!found || requestId !== this.#requestId) return;
    this.#found = found;
    this.#update();
  }

  /** @param {CanvasRenderingContext2D} context whose unit is a pixel of the style sheet @param {number} ratio
   *   pixels of the screen a pixel @param {string} ink */
  draw(context, ratio, ink) {
    if (this.contours.checked) this.#drawContours(context, ratio, ink);
    const { width, height, stage } = this.camera;
    const style = getComputedStyle(stage);
    const names = this.#shown().map(({ name, row }) => {
      const [x, y] = this.camera.toPixels(...this.scatter.position(row));
      return { text: name, x, y, isFaint: !this.scatter.isVisible(row) };
    });
    context.save();
    drawNames(context, names, { width, height, family: style.fontFamily, ink, halo: style.backgroundColor });
    context.restore();
  }

  /** @param {CanvasRenderingContext2D} context @param {number} ratio @param {string} ink */
  #drawContours(context, ratio, ink) {
    const { left, bottom, side } = this.#box;
    const [px, py] = this.camera.toPixels(left, bottom);
    const scale = this.camera.scale * side;
    context.save();
    context.setTransform(scale * ratio, 0, 0, -scale * ratio, px * ratio, py * ratio);
    context.lineWidth = 1 / scale;
    context.strokeStyle = ink;
    context.globalAlpha = 0.28;
    for (const path of this.#contours) context.stroke(path);
    context.restore();
  }

  #shown() {
    const { classes, clusters } = this.#found;
    return [...(this.classes.checked ? classes : []), ...(this.clusters.checked ? clusters : [])];
  }

  #update() {
    this.list.replaceChildren(...this.#shown().map(({ name }) => h("li", null, name)));
    this.onChange();
  }

  #findContours() {
    const extent = this.scatter.extent();
    if (!extent) return;
    const { n, positions } = this.scatter;
    const side = (1 + 2 * MARGIN) * (Math.max(extent.right - extent.left, extent.top - extent.bottom) || 1);
    const left = (extent.left + extent.right - side) / 2;
    const bottom = (extent.bottom + extent.top - side) / 2;
    this.#box = { left, bottom, side };
    const share = (/** @type {number} */ value) => Math.min(1, Math.max(0, value / side));
    const x = Float32Array.from({ length: n }, (_, row) => share(positions[2 * row] - left));
    const y = Float32Array.from({ length: n }, (_, row) => share(positions[2 * row + 1] - bottom));
    this.#contours = contoursOf(densityOf(x, y, new Uint32Array(n)));
  }
}
