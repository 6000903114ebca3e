// The picture behind the points: the examples decoded on a grid of places.

import { h } from "../dom.js";

/** @import {Extent, MapSettings, Model} from "../types" */
/** @import {Camera} from "./camera.js" */
/** @import {MapRequests} from "./requests.js" */

export class DecodedGrid {
  image = h("img", { class: "px behind", alt: "", hidden: true });
  checkbox = h("input", { type: "checkbox" });
  field = h("label", { class: "check" }, this.checkbox, "Decoded grid behind the points");
  note = h(
    "p",
    { class: "check note", hidden: true },
    "No decoded grid here: only rows have places on this map, so what lies between them has no code.",
  );
  /** @type {Extent | null} of the picture */ #extent = null;
  #requestId = 0; // the answer to an earlier request is dropped

  /** @param {Model} model @param {Camera} camera @param {MapRequests} requests */
  constructor(model, camera, requests) {
    this.isAvailable = model.kind === "image" && !model.sparse;
    this.isGrey = model.shape[2] === 1;
    this.camera = camera;
    this.requests = requests;
  }

  /** Request the grid for the part that the stage shows, or hide it. @param {MapSettings} settings */
  async update(settings) {
    const hasCodes = settings.layout === "axes"; // of the places between points
    this.field.hidden = !hasCodes;
    this.note.hidden = hasCodes;
    if (!this.isAvailable || !hasCodes || !this.checkbox.checked) {
      this.#requestId++;
      this.image.hidden = true;
      this.#extent = null;
      return;
    }
    const requestId = ++this.#requestId;
    const extent = this.#squareExtent();
    const url = await this.requests.gridUrl(settings, extent);
    const image = new Image();
    image.src = url;
    const isLoaded = await image.decode().then(
      () => true,
      () => false,
    );
    if (!isLoaded || requestId !== this.#requestId || !this.checkbox.checked) return;
    this.image.src = url;
    this.image.hidden = false;
    this.#extent = extent;
    this.place();
  }

  /** Move the picture to where the camera sees it. */
  place() {
    if (!this.#extent) return;
    const [left, top] = this.camera.toPixels(this.#extent.left, this.#extent.top);
    const [right, bottom] = this.camera.toPixels(this.#extent.right, this.#extent.bottom);
    Object.assign(this.image.style, {
      width: `${right - left}px`,
      height: `${bottom - top}px`,
      transform: `translate(${left}px, ${top}px)`,
    });
  }

  /** Show grey pictures as ink on paper, so that points stand out. @param {boolean} isDark */
  setTheme(isDark) {
    this.image.style.filter = !isDark && this.isGrey ? "invert(1)" : "";
  }

  /** @returns {Extent} */
  #squareExtent() {
    const { x, y, width, height, scale } = this.camera;
    const half = Math.max(width, height) / scale / 2;
    return { left: x - half, right: x + half, bottom: y - half, top: y + half };
  }
}
