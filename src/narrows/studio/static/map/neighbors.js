// The neighbour layout, which the server refines step by step: asks for its newest places until they are final.

/** @import {MapRequests} from "./requests.js" */

const PAUSE = 250; // milliseconds between two requests

export class NeighborPlaces {
  #run = 0; // requests of an earlier one are dropped

  /** @param {MapRequests} requests */
  constructor(requests) {
    this.requests = requests;
  }

  /**
   * Call `onPlaces` with the places whenever there are newer ones, until they are final.
   * @param {(step: number, nSteps: number) => void} onProgress called after each request; the step is -1 while
   *   neighbours are looked for
   * @param {(places: Float32Array, isFinal: boolean) => void} onPlaces
   * @returns {Promise<void>} rejected if the layout fails
   */
  async follow(onProgress, onPlaces) {
    const run = ++this.#run;
    let last = -1;
    for (;;) {
      const { places, step, nSteps } = await this.requests.neighbors(last);
      if (run !== this.#run) return;
      if (places.length) {
        last = step;
        onPlaces(places, step >= nSteps);
      }
      onProgress(step, nSteps);
      if (step >= nSteps) return;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      if (run !== this.#run) return;
    }
  }

  stop() {
    this.#run++;
  }
}
