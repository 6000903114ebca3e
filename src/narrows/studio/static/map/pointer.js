// Gestures with the mouse, a pen or fingers on the stage.

import { throttleToFrame } from "../timing.js";

const CLICK = 4; // pixels that a pointer may move during a click
const STROKE = 8; // shortest length of a lasso, in pixels

/**
 * Actions of the gestures; places are pixels of the stage.
 * @typedef {object} PointerActions
 * @property {() => boolean} usesLasso
 * @property {(px: number, py: number) => void} hover
 * @property {() => void} leave
 * @property {(px: number, py: number) => void} click
 * @property {(dx: number, dy: number) => void} pan
 * @property {(factor: number, px: number, py: number) => void} zoom
 * @property {(px: number, py: number) => void} startLasso
 * @property {(px: number, py: number) => void} extendLasso
 * @property {() => void} closeLasso
 */

export class PointerGestures {
  /** @type {Map<number, [number, number]>} last place of each pointer that is down */ #pointers = new Map();
  #distance = 0; // pixels moved since a pointer went down

  /** @param {HTMLElement} stage @param {PointerActions} actions */
  constructor(stage, actions) {
    this.stage = stage;
    this.actions = actions;
    this.hover = throttleToFrame((/** @type {number} */ px, /** @type {number} */ py) => {
      if (!this.#pointers.size) actions.hover(px, py);
    });
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", (event) => this.#up(event));
    stage.addEventListener("pointercancel", (event) => this.#up(event));
    stage.addEventListener("pointerleave", () => !this.#pointers.size && actions.leave());
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0) return;
    this.stage.setPointerCapture(event.pointerId);
    const place = this.#place(event);
    this.#pointers.set(event.pointerId, place);
    this.#distance = 0;
    if (this.actions.usesLasso()) this.actions.startLasso(...place);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const place = this.#place(event);
    const before = this.#pointers.get(event.pointerId);
    if (!before) return this.hover(...place);
    const [dx, dy] = [place[0] - before[0], place[1] - before[1]];
    this.#distance += Math.hypot(dx, dy);
    this.#pointers.set(event.pointerId, place);
    if (this.#pointers.size === 2) return this.#pinch(event.pointerId, before, place);
    if (this.actions.usesLasso()) return this.actions.extendLasso(...place);
    if (this.#distance > CLICK) this.actions.leave();
    this.actions.pan(dx, dy);
  }

  /** Zoom with two fingers. The place between them stays between them.
   * @param {number} id of the pointer that moved @param {[number, number]} before @param {[number, number]} place */
  #pinch(id, before, place) {
    const other = [...this.#pointers.entries()].find(([otherId]) => otherId !== id)?.[1] ?? place;
    const distance = (/** @type {[number, number]} */ [px, py]) => Math.hypot(px - other[0], py - other[1]);
    const factor = distance(place) / (distance(before) || 1);
    this.actions.zoom(factor, (place[0] + other[0]) / 2, (place[1] + other[1]) / 2);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (!this.#pointers.delete(event.pointerId) || this.#pointers.size || event.type === "pointercancel") return;
    if (this.actions.usesLasso() && this.#distance > STROKE) return this.actions.closeLasso();
    if (this.#distance <= CLICK) this.actions.click(...this.#place(event));
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const box = this.stage.getBoundingClientRect();
    const speed = event.deltaMode ? 0.05 : 0.0015; // per line, or per pixel
    this.actions.zoom(Math.exp(-event.deltaY * speed), event.clientX - box.left, event.clientY - box.top);
  }

  /** @param {PointerEvent} event @returns {[number, number]} */
  #place(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left - this.stage.clientLeft, event.clientY - box.top - this.stage.clientTop];
  }
}
