// Moves all points from where they are to new places.

import { prefersReducedMotion } from "../dom.js";

export class Morph {
  #frame = 0;

  /** @param {(positions: Float32Array) => void} show draws the points while they move */
  constructor(show) {
    this.show = show;
  }

  /** Move to new places. @param {Float32Array} from @param {Float32Array} to both n x 2, in the same units
   * @param {number} duration milliseconds @param {() => void} onEnd called when the points are there, unless stopped */
  run(from, to, duration, onEnd) {
    this.stop();
    if (prefersReducedMotion() || from.length !== to.length || document.hidden) return onEnd();
    const positions = new Float32Array(to.length);
    const start = performance.now();
    const step = (/** @type {number} */ now) => {
      const t = Math.min(1, Math.max(0, (now - start) / duration));
      if (t === 1) {
        this.#frame = 0;
        return onEnd();
      }
      const share = t * t * (3 - 2 * t);
      for (let i = 0; i < to.length; i++) positions[i] = from[i] + share * (to[i] - from[i]);
      this.show(positions);
      this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }
}
