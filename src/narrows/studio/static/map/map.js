// The map: each code is a point. Hover to see its example, click to set the dials to it, draw a lasso to select
// points, or draw a path to walk from example to example.

import { h, isDark } from "../dom.js";
import { attempt } from "../feedback.js";
import { debounce, throttleToFrame } from "../timing.js";
import { Camera } from "./camera.js";
import { PointColouring } from "./colouring.js";
import { LayoutSwitch, MAX_COMPONENTS, ProjectionFields, ToolSwitch, zoomButtons } from "./controls.js";
import { DecodedExample } from "./decoded-example.js";
import { DecodedGrid } from "./decoded-grid.js";
import { MapFilters } from "./filters.js";
import { Hover } from "./hover.js";
import { handleKey } from "./keyboard.js";
import { MapNames } from "./names.js";
import { Overlay } from "./overlay.js";
import { CodePath } from "./path.js";
import { Placement } from "./placement.js";
import { PointerGestures } from "./pointer.js";
import { Points } from "./points.js";
import { MapRequests } from "./requests.js";
import { Scatter } from "./scatter.js";
import { Selection } from "./selection.js";
import { Stage } from "./stage.js";

/** @import {MapSettings, State, Transport} from "../types" */
/** @import {Code} from "../state.js" */

/**
 * @typedef {object} MapHandlers
 * @property {Code} [code] code of the dials, decoded at the start
 * @property {(row: number) => void} [onPick]
 * @property {(parameters: Record<string, string>) => void} [onView] called with the parameters of a link to this view
 * @property {() => void} [openDials]
 * @property {(row: number) => void} [openForm] called for a model that fills rows, and has no dials
 */

const REACH = 14; // largest distance in pixels from the pointer to the point that it selects
const EDGE = 20; // pixels from the edge of the stage where the keyboard brings a point to the centre
const REST = 140; // milliseconds without a movement after which points are drawn sharply

export class CodeMap {
  scatter = new Scatter();
  live = h("p", { class: "sr", "aria-live": "polite" });
  /** @type {[number, number][]} positions */ #lasso = [];
  #isDark = false;
  #size = ""; // of the stage
  #picked = -1; // the last row

  /** @param {HTMLElement} element @param {Transport} transport @param {State} state @param {MapHandlers} [handlers] */
  constructor(element, transport, { model, data }, handlers = {}) {
    if (!model || !data) throw new Error("A map needs a model and its data.");
    const n = (this.nComponents = model.n_components);
    this.decodes = model.decodes_codes;
    this.isImage = model.kind === "image";
    this.element = element;
    this.handlers = handlers;
    /** @type {MapSettings} */
    this.settings = { layout: "axes", projection: n > 2 ? "pca" : "components", x: 0, y: 1, colourBy: "" };
    this.requests = new MapRequests(transport);
    this.stage = new Stage(data.n, n, this.decodes);
    this.camera = new Camera(this.stage.element);
    this.names = new MapNames(this.camera, this.scatter, this.requests, data.labels, () => this.#drawOverlay());
    this.overlay = new Overlay(this.camera, this.scatter, (...canvas) => this.names.draw(...canvas));
    this.grid = new DecodedGrid(model, this.camera, this.requests);
    this.canvas = h("canvas", { class: "points" });
    /** @type {Points | null} */ this.points = new Points(this.canvas);

    const announce = (/** @type {string} */ text) => (this.live.textContent = text);
    this.placement = new Placement(this, {
      onMove: () => this.#drawPlaces(),
      onPlaced: (isFinal) => {
        this.#paint();
        this.#updateGrid();
        if (isFinal) attempt(this.names.load(this.settings));
        this.filters.load();
      },
      announce,
    });
    this.colouring = new PointColouring(this.settings, this.scatter, this.requests, {
      onSelect: () => this.recolour(),
      onFilter: () => this.#repaint(),
    });
    this.hover = new Hover(
      { model, camera: this.camera, scatter: this.scatter, requests: this.requests },
      { describeValue: (row) => this.colouring.describe(row), onChange: () => this.#drawOverlay(), announce },
    );
    this.example = new DecodedExample(model, transport, handlers);
    this.selection = new Selection(model, transport, {
      onPick: (row) => this.pick(row),
      onClear: () => this.#clearSelection(),
      onSelectVisible: () => this.select(this.scatter.rowsInBox(this.camera.visibleExtent())),
    });
    this.filters = new MapFilters(this.settings, this.scatter, this.requests, {
      onFilter: () => this.#paint(),
      isDark: () => this.#isDark,
      mask: () => this.selection.mask,
      isPlaced: () => this.placement.isFinal,
    });
    this.path = new CodePath(this.requests, {
      onCode: (code, text) => this.example.show(code, text),
      onChange: () => this.#drawOverlay(),
      announce,
    });
    this.layouts = new LayoutSwitch(this.settings, data.n, () => this.load());
    this.fields = new ProjectionFields(this.settings, n, () => this.load());
    this.tools = new ToolSwitch(this.stage.element, model.decodes_codes);
    this.#arrange();
    this.#listen();
    if (handlers.code?.ready) {
      this.example.show(handlers.code.value, "The example at the dials. Click a point to set the dials to it.");
      this.example.enableDials();
    }
    this.selection.render();
    this.path.render();
    this.ready = this.#start(data);
    attempt(this.ready);
  }

  // ---- elements and events ----

  #arrange() {
    const { stage, grid, colouring } = this;
    stage.fill([grid.image, this.canvas, this.overlay.canvas], this.hover.tip);
    const colourField = h("label", { class: "field" }, h("span", { class: "field-name" }, "Colour"), colouring.select);
    const gridFields = grid.isAvailable ? [grid.field, grid.note] : [];
    const zooms = zoomButtons(
      (factor) => this.zoom(factor),
      () => this.showAll(),
    );
    const stageBox = h("div", { class: "stage-box" }, stage.element, zooms);
    this.element.classList.add("narrows", "map-panel");
    this.element.replaceChildren(
      h(
        "div",
        { class: "map-bar" },
        this.layouts.element,
        ...this.fields.elements,
        colourField,
        this.names.element,
        ...gridFields,
        this.tools.element,
      ),
      h(
        "div",
        { class: "map-main" },
        h("div", null, stageBox, colouring.legend, this.names.list, this.live),
        h("div", { class: "side" }, this.example.element, this.selection.element, this.decodes && this.path.element),
      ),
      this.filters.element,
    );
  }

  #listen() {
    const { element } = this.stage;
    this.grid.checkbox.addEventListener("change", () => this.#updateGrid());
    new PointerGestures(element, this.#pointerActions());
    element.addEventListener("keydown", (event) => handleKey(event, this.#keyActions()));
    this.resizeObserver = new ResizeObserver(() => this.#resize());
    this.resizeObserver.observe(element);
    this.onTheme = () => this.#repaint();
    addEventListener("theme", this.onTheme);
  }

  /** @returns {import("./pointer.js").PointerActions} */
  #pointerActions() {
    const { camera } = this;
    return {
      usesLasso: () => this.tools.tool === "lasso",
      hover: (px, py) => this.hover.set(this.#rowAt(px, py)),
      leave: () => this.hover.set(-1),
      click: (px, py) => this.#click(this.#rowAt(px, py)),
      pan: (dx, dy) => this.pan(dx, dy),
      zoom: (factor, px, py) => this.zoom(factor, px, py),
      startLasso: (px, py) => {
        this.#lasso = [camera.toPosition(px, py)];
      },
      extendLasso: (px, py) => {
        this.#lasso.push(camera.toPosition(px, py));
        this.#drawOverlay();
      },
      closeLasso: () => this.select(this.scatter.rowsInPolygon(this.#lasso)),
    };
  }

  /** @returns {import("./keyboard.js").KeyActions} */
  #keyActions() {
    return {
      hasRow: () => this.hover.row >= 0,
      step: (dx, dy) => this.#step(dx, dy),
      pan: (dx, dy) => this.pan(dx, dy),
      zoom: (factor) => this.zoom(factor),
      showAll: () => this.showAll(),
      pick: () => this.pick(this.hover.row),
      extendPath: this.decodes ? () => this.path.extend(this.hover.row) : null,
      cancel: () => {
        this.hover.set(-1);
        this.#lasso = [];
        if (this.selection.rows.length) this.select([]);
      },
    };
  }

  // ---- positions and colours ----

  /** @param {{n: number, labels: boolean}} data */
  async #start(data) {
    await this.colouring.loadOptions(data);
    await this.load(); // positions first: values may take the model a while
    await this.recolour();
  }

  /** Request the positions of the settings, and show them. */
  async load() {
    this.layouts.update();
    this.fields.update();
    this.#reportView();
    this.hover.set(-1);
    this.#updateGrid();
    this.names.clear();
    await this.placement.load();
  }

  /** Request the values that the points show, and colour them. */
  async recolour() {
    this.scatter.category = null;
    this.#reportView();
    if (await this.colouring.loadValues()) this.#repaint();
    if (this.placement.isFinal) await this.names.load(this.settings);
  }

  #repaint() {
    this.#paint();
    this.colouring.renderLegend(this.#isDark);
    this.filters.update();
  }

  #paint() {
    this.#isDark = isDark(this.stage.element);
    this.grid.setTheme(this.#isDark);
    if (!this.scatter.isComplete) return;
    this.stage.endLoading();
    const { mask } = this.selection;
    const isVisible = (/** @type {number} */ row) => (!mask || mask[row] === 1) && this.scatter.isVisible(row);
    this.points?.set(this.placement.shown, this.colouring.colours(this.#isDark, isVisible));
    this.#draw();
  }

  #reportView() {
    const { layout, projection, x, y, colourBy: by } = this.settings;
    if (layout === "neighbors") this.handlers.onView?.({ layout, by });
    else this.handlers.onView?.(projection === "pca" ? { projection, by } : { x: String(x), y: String(y), by });
  }

  // ---- drawing ----

  #drawPlaces() {
    if (this.points) this.points.set(this.placement.shown, this.points.colours);
    this.#draw();
  }

  #draw(isMoving = false) {
    this.#drawFrame(isMoving);
    if (isMoving) this.#drawAtRest();
  }

  #drawFrame = throttleToFrame((/** @type {boolean} */ isMoving) => {
    this.points?.draw(this.camera.view, isMoving);
    this.#drawOverlay();
  });

  #drawAtRest = debounce(() => {
    this.points?.draw(this.camera.view, false);
    this.#updateGrid();
  }, REST);

  #drawOverlay() {
    this.grid.place();
    const { stops, progress } = this.path;
    const hovered = this.hover.row;
    this.overlay.draw({ lasso: this.#lasso, stops, progress, hovered, isDark: this.#isDark });
  }

  #updateGrid() {
    this.grid.update(this.settings);
  }

  #resize() {
    const size = `${this.camera.width} ${this.camera.height}`;
    if (size === this.#size) return;
    if (!this.#size || this.#size.startsWith("0 ")) this.placement.fit();
    this.#size = size;
    this.#draw();
  }

  // ---- the camera ----

  /** @param {number} dx pixels to the right @param {number} dy pixels down */
  pan(dx, dy) {
    this.camera.pan(dx, dy);
    this.#draw(true);
  }

  /** @param {number} factor @param {number} [px] pixel that keeps its place @param {number} [py] */
  zoom(factor, px, py) {
    this.camera.zoom(factor, px, py);
    this.#draw(true);
  }

  showAll() {
    this.placement.fit();
    this.#draw();
  }

  // ---- one row ----

  /** @param {number} px @param {number} py @returns {number} a row, or -1 */
  #rowAt(px, py) {
    const { camera } = this;
    return this.scatter.nearest(...camera.toPosition(px, py), REACH / camera.scale);
  }

  /** Go to the next point, and bring it into sight. @param {number} dx @param {number} dy */
  #step(dx, dy) {
    const { camera, hover, scatter } = this;
    const isAtRow = hover.row >= 0;
    hover.set(isAtRow ? scatter.neighbor(hover.row, dx, dy, camera.scale) : scatter.nearestOfAll(camera.x, camera.y));
    if (hover.row < 0) return;
    const [px, py] = camera.toPixels(...scatter.position(hover.row));
    if (px < EDGE || py < EDGE || px > camera.width - EDGE || py > camera.height - EDGE) {
      camera.center(...scatter.position(hover.row));
      this.#draw(true);
    }
  }

  /** @param {number} row -1 for none */
  #click(row) {
    this.#lasso = [];
    this.hover.set(row);
    if (row < 0) this.#drawOverlay();
    else if (this.tools.tool === "path") this.path.extend(row);
    else this.pick(row);
  }

  /** Show a row: decode it, and set the dials to it, if the model decodes codes. @param {number} row */
  async pick(row) {
    this.#picked = row;
    if (this.isImage) {
      const code = await attempt(this.requests.codes([row]));
      if (!code || row !== this.#picked) return; // another one was picked meanwhile
      this.example.show(code, `Row ${row}, as the decoder draws it. The dials are set to its code.`);
      this.example.enableDials();
    } else await attempt(this.example.showRow(row));
    this.live.textContent = this.decodes ? `The dials are set to row ${row}.` : `Row ${row} is shown.`;
    if (this.decodes) this.handlers.onPick?.(row);
  }

  // ---- many rows ----

  /** @param {number[]} rows */
  select(rows) {
    this.selection.set(rows, this.scatter.n);
    this.#paint();
    this.filters.update();
    this.live.textContent = rows.length ? `${rows.length} selected.` : "Nothing is selected.";
    this.selection.render();
  }

  #clearSelection() {
    this.#lasso = [];
    this.select([]);
  }

  // ---- for the page ----

  /** Apply the parameters of a link. @param {Record<string, string>} parameters */
  configure({ x, y, projection, layout, by }) {
    const { settings } = this;
    const limit = Math.min(this.nComponents, MAX_COMPONENTS);
    const isComponent = (/** @type {string | undefined} */ v) => v !== undefined && Number(v) >= 0 && Number(v) < limit;
    if (isComponent(x) && isComponent(y) && Number(x) !== Number(y)) {
      Object.assign(settings, { projection: "components", x: Number(x), y: Number(y) });
    }
    if (projection === "pca" && this.nComponents > 1) settings.projection = "pca";
    if (layout === "neighbors" && this.layouts.element) settings.layout = layout;
    if (by) settings.colourBy = by;
    this.layouts.update();
    this.fields.update();
  }

  destroy() {
    this.path.pause();
    this.placement.destroy();
    this.resizeObserver?.disconnect();
    if (this.onTheme) removeEventListener("theme", this.onTheme);
    this.points?.destroy();
    this.points = null;
    this.element.replaceChildren();
  }
}
