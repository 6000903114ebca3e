// Train: upload data, check what narrows sees, choose a recipe, watch the training, and open the dials.

import { h, heading } from "../dom.js";
import { acceptFiles } from "../example-picker.js";
import { attempt, toast } from "../feedback.js";
import { TrainingProgress } from "./progress.js";
import { SetupForm } from "./setup.js";
import { createStart } from "./start.js";

/** @import {App, Job, Panel, TrainRequest, Upload} from "../types" */

/** Images in a zip, and the pixels of their longer side. @typedef {{file: File, side: number}} Archive */

const DEFAULT_SIDE = 64; // pixels

/** @param {App} app @returns {Panel} */
export function panel(app) {
  const view = new TrainView(app);
  const stop = acceptFiles(view.element, (file) => view.upload(file));
  view.showStart();
  return {
    element: view.element,
    show: () => view.resume(), // a training may have been started elsewhere
    destroy() {
      view.stopListening();
      stop();
    },
  };
}

class TrainView {
  #body = h("div", { class: "train" });
  #isReading = false;
  /** @type {HTMLElement | null} the settings, to which a cancelled training goes back */ #form = null;
  /** @type {TrainingProgress | null} */ #progress = null;
  /** @type {(() => void) | null} stops listening to the training; null without one */ #stop = null;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    const title = heading("Train", "Upload data and watch a model learn from them. No other server gets the data.");
    this.element = h("section", { class: "panel" }, title, this.#body);
  }

  stopListening() {
    this.#stop?.();
    this.#stop = null;
    this.#progress?.destroy();
  }

  /** Show the choice of a file or a data set. */
  showStart() {
    this.#form = null;
    const start = createStart(this.app.state, {
      onFile: (file) => this.upload(file),
      onDataset: (name) => this.#read(this.app.transport.json("POST", "/api/uploads/dataset", { name }), name),
    });
    this.#body.replaceChildren(start);
  }

  /** Upload a file. @param {File} file @param {number} [side] pixels of the longer side of images, at most */
  upload(file, side = DEFAULT_SIDE) {
    const limit = this.app.state.limits.upload_bytes;
    if (file.size > limit) {
      const [size, most] = [Math.ceil(file.size / 2 ** 20), Math.round(limit / 2 ** 20)];
      toast(`${file.name} has ${size} MB; at most ${most} MB can be uploaded.`, "wrong");
      return;
    }
    const query = `name=${encodeURIComponent(file.name)}${side === DEFAULT_SIDE ? "" : `&side=${side}`}`;
    const isArchive = /\.zip$/i.test(file.name);
    const request = this.app.transport.json("POST", `/api/uploads?${query}`, file);
    this.#read(request, file.name, isArchive ? { file, side } : undefined);
  }

  /** Show what a request reads. @param {Promise<Upload>} request @param {string} name @param {Archive} [archive] */
  async #read(request, name, archive) {
    if (this.#isReading || this.#stop) return;
    this.#isReading = true;
    const spinner = h("span", { class: "spinner" });
    this.#body.replaceChildren(h("p", { class: "waits", role: "status" }, spinner, `Reading ${name}`));
    const upload = await attempt(request);
    this.#isReading = false;
    if (upload) this.#setUp(upload, archive);
    else this.showStart();
  }

  /** @param {Upload} upload @param {Archive} [archive] */
  #setUp(upload, archive) {
    const { element } = new SetupForm(upload, this.app.state.recipes, archive?.side, {
      onTrain: (request) => this.#train(request),
      onResize: (side) => archive && this.upload(archive.file, side),
      onCancel: () => {
        attempt(this.app.transport.json("DELETE", `/api/uploads/${upload.id}`));
        this.showStart();
      },
    });
    this.#form = element;
    this.#body.replaceChildren(element);
    element.querySelector("h2")?.scrollIntoView({ block: "nearest" });
  }

  /** @param {TrainRequest} request */
  async #train(request) {
    const job = await attempt(this.app.transport.json("POST", "/api/train", request));
    if (job) this.#watch(job);
  }

  /** Show a training until it ends. @param {Job} job */
  #watch(job) {
    this.stopListening();
    const progress = new TrainingProgress(job, this.app.transport, {
      onEnd: (now) => this.#end(now, progress),
      onLeave: () => this.#leave(),
    });
    this.#progress = progress;
    this.#body.replaceChildren(progress.element);
    this.#stop = this.app.listen(job.job, progress.handlers(), () => {
      this.#stop = null;
      toast("This training no longer exists: the server was restarted.", "wrong");
      this.showStart();
    });
    progress.showStatus(job);
  }

  /** Go back to the settings of the training, or to the choice of data where the page does not know them. */
  #leave() {
    if (this.#form) this.#body.replaceChildren(this.#form);
    else this.showStart();
  }

  /** @param {Job} job @param {TrainingProgress} progress */
  async #end(job, progress) {
    this.stopListening();
    if (job.status !== "done") {
      progress.showEnd();
      return;
    }
    const isHere = this.app.state.model === null || location.hash.startsWith("#train");
    await attempt(this.app.reload(isHere ? "dials" : undefined)); // or the first panel of a model without dials
    const hasDials = this.app.state.model?.can.includes("dials");
    toast(`The training has ended.${isHere && hasDials ? " These are the model's dials." : ""}`);
    this.showStart();
  }

  /** Watch a training that is already running. */
  async resume() {
    const { training } = this.app.state;
    const job = training && (await attempt(this.app.transport.json("GET", `/api/train/${training}`)));
    const isBusy = this.#stop !== null || this.#isReading;
    if (job && !isBusy && !["done", "failed", "cancelled"].includes(job.status)) this.#watch(job);
  }
}
