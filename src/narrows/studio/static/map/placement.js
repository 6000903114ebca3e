// The places of the points: along axes or by neighbours. They move from one to the other, and the camera follows them
// unless it was moved.

import { prefersReducedMotion } from "../dom.js";
import { attempt } from "../feedback.js";
import { Morph } from "./morph.js";
import { NeighborPlaces } from "./neighbors.js";

/** @import {MapSettings} from "../types" */
/** @import {Camera} from "./camera.js" */
/** @import {MapRequests} from "./requests.js" */
/** @import {Scatter} from "./scatter.js" */
/** @import {Stage} from "./stage.js" */

const [LONG, SHORT] = [800, 300]; // milliseconds of a movement to another layout, and to newer places of the same one

export class Placement {
  /** @type {Float32Array} n x 2, where the points are now */ shown = new Float32Array(0);
  isFinal = false; // the points are where the settings place them
  #requestId = 0; // the answer to an earlier request is dropped
  #fitted = ""; // the view that shows all points

  /**
   * @param {{settings: MapSettings, requests: MapRequests, scatter: Scatter, camera: Camera, stage: Stage}} map
   * @param {{onMove: () => void, onPlaced: (isFinal: boolean) => void, announce: (text: string) => void}} handlers
   *   called while the points move, when they are there, and with what to read out
   */
  constructor({ settings, requests, scatter, camera, stage }, { onMove, onPlaced, announce }) {
    this.settings = settings;
    this.requests = requests;
    this.scatter = scatter;
    this.camera = camera;
    this.stage = stage;
    this.onPlaced = onPlaced;
    this.announce = announce;
    this.neighbors = new NeighborPlaces(requests);
    this.morph = new Morph((positions) => {
      this.shown = positions;
      onMove();
    });
  }

  /** Request the places of the settings, and move the points there. Those of neighbours come while they are refined. */
  async load() {
    const requestId = ++this.#requestId;
    this.isFinal = false;
    this.neighbors.stop();
    if (this.settings.layout === "axes") {
      const response = await attempt(this.requests.positions(this.settings));
      if (!response || requestId !== this.#requestId) return;
      this.stage.nameAxes(this.settings, response.headers.explained);
      this.#move(/** @type {Float32Array} */ (response.data), LONG, true, true);
      return;
    }
    let isFirst = true;
    this.stage.showProgress(-1, 1);
    const follow = this.neighbors.follow(
      (step, nSteps) => {
        if (step < nSteps) return this.stage.showProgress(step, nSteps);
        this.stage.nameAxes(this.settings);
        this.announce("Neighbours lie together.");
      },
      (places, isFinal) => {
        if (prefersReducedMotion() && !isFinal) return;
        this.#move(places, isFirst ? LONG : SHORT, isFirst, isFinal);
        isFirst = false;
      },
    );
    await attempt(follow);
  }

  /** Show all points. */
  fit() {
    this.camera.fit(this.scatter.extent());
    this.#fitted = JSON.stringify(this.camera.view);
  }

  /** @param {Float32Array} places n x 2 @param {number} duration milliseconds
   * @param {boolean} isOther true for another layout, of which all is shown @param {boolean} isFinal */
  #move(places, duration, isOther, isFinal) {
    const { camera, scatter, shown } = this;
    const pixels = Float32Array.from(shown);
    for (let i = 0; i < shown.length; i += 2) pixels.set(camera.toPixels(shown[i], shown[i + 1]), i);
    scatter.setPositions(places);
    if (isOther || this.#fitted === JSON.stringify(camera.view)) this.fit();
    // where the points are now, as the camera sees them from now on
    const from = pixels;
    for (let i = 0; i < from.length; i += 2) from.set(camera.toPosition(from[i], from[i + 1]), i);
    this.morph.run(from, places, duration, () => {
      this.shown = places;
      this.isFinal = isFinal;
      this.onPlaced(isFinal);
    });
  }

  destroy() {
    this.#requestId++;
    this.neighbors.stop();
    this.morph.stop();
  }
}
