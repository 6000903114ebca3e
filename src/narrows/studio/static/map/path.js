// A path from example to example: its stops, the codes between them, and the panel that plays it.

import { button, h, icon, prefersReducedMotion } from "../dom.js";
import { attempt } from "../feedback.js";

/** @import {MapRequests} from "./requests.js" */

const STEPS = 24; // steps of the slider from one stop to the next
const DURATION = 1200; // milliseconds from one stop to the next

export class CodePath {
  /** @type {number[]} rows */ stops = [];
  progress = 0; // position on the path, in stops
  element = h("div", { class: "side-part" });
  /** @type {Float32Array[]} one code for each stop */ #codes = [];
  #animation = 0; // id of the animation frame, 0 while nothing plays

  /**
   * @param {MapRequests} requests
   * @param {{onCode: (code: Float32Array, text?: string) => void, onChange: () => void,
   *   announce: (text: string) => void}} handlers for a code on the path, for other stops or progress, and for text to
   *   read out
   */
  constructor(requests, { onCode, onChange, announce }) {
    this.requests = requests;
    this.onCode = onCode;
    this.onChange = onChange;
    this.announce = announce;
    this.slider = h("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 1 / STEPS,
      value: 0,
      "aria-label": "Place on the path",
      oninput: () => {
        this.pause();
        this.moveTo(Number(this.slider.value));
      },
    });
    this.playButton = button("Play", "play", () => (this.#animation ? this.pause() : this.play()));
  }

  /** Add a stop, and show the way to it. @param {number} row */
  async extend(row) {
    if (this.stops.at(-1) === row) return;
    const stops = [...this.stops, row];
    this.stops = stops;
    this.onChange();
    const codes = await attempt(this.requests.codes(stops));
    if (!codes || this.stops !== stops) return; // the path has changed meanwhile
    const n = codes.length / stops.length;
    this.#codes = stops.map((_, i) => codes.slice(i * n, (i + 1) * n));
    this.slider.max = String(Math.max(1, stops.length - 1));
    this.announce(`The path has ${stops.length} ${stops.length === 1 ? "stop" : "stops"}.`);
    this.render();
    if (stops.length === 1) this.onCode(this.#codes[0]);
    else if (!prefersReducedMotion()) this.play(stops.length - 2);
  }

  clear() {
    this.pause();
    this.stops = [];
    this.#codes = [];
    this.progress = 0;
    this.render();
    this.onChange();
  }

  /** Show the code at a place on the path. @param {number} progress in stops */
  moveTo(progress) {
    this.progress = Math.min(progress, this.stops.length - 1);
    this.slider.value = String(this.progress);
    const i = Math.min(this.#codes.length - 2, Math.floor(this.progress));
    if (i < 0) return;
    const share = this.progress - i;
    const [first, last] = [this.#codes[i], this.#codes[i + 1]];
    const code = first.map((value, k) => value + (last[k] - value) * share);
    this.onCode(code, `Between row ${this.stops[i]} and row ${this.stops[i + 1]}.`);
    this.onChange();
  }

  /** @param {number} [from] in stops; the default is the current position, or the start if the path has ended */
  play(from = this.#isAtEnd ? 0 : this.progress) {
    let before = performance.now();
    this.progress = from;
    cancelAnimationFrame(this.#animation);
    /** @param {number} now */
    const advance = (now) => {
      this.moveTo(this.progress + (now - before) / DURATION);
      before = now;
      if (this.#isAtEnd) this.pause();
      else this.#animation = requestAnimationFrame(advance);
    };
    this.#animation = requestAnimationFrame(advance);
    this.playButton.replaceChildren(icon("pause"), h("span", null, "Pause"));
  }

  pause() {
    cancelAnimationFrame(this.#animation);
    this.#animation = 0;
    this.playButton.replaceChildren(icon("play"), h("span", null, "Play"));
  }

  render() {
    const title = h("h2", null, "Path");
    if (this.stops.length > 1) {
      const clear = button("Clear", "close", () => this.clear());
      this.element.replaceChildren(title, h("div", { class: "actions" }, this.playButton, clear), this.slider);
      return;
    }
    const text = this.stops.length
      ? "One stop. Click the next point."
      : "With the path tool, click one point after another, and see the examples between them.";
    this.element.replaceChildren(title, h("p", { class: "note" }, text));
  }

  get #isAtEnd() {
    return this.progress >= this.stops.length - 1;
  }
}
