// The bar above the stage: the projection, the colour, the grid and the tool; and the buttons that zoom.

import { button, h, select } from "../dom.js";

/** @import {MapSettings} from "../types" */
/** @typedef {"move" | "lasso" | "path"} Tool */

export const MAX_COMPONENTS = 256; // components offered as axes
const FEWEST = 4; // rows that can be laid out by their neighbours

/** The choice of the axes: two different components, or the first two principal axes of all. With one component there
 * is nothing to choose. */
export class ProjectionFields {
  /** @param {MapSettings} settings @param {number} nComponents @param {() => void} onChange */
  constructor(settings, nComponents, onChange) {
    this.settings = settings;
    const set = (/** @type {"x" | "y"} */ axis, /** @type {number} */ component) => {
      const other = axis === "x" ? "y" : "x";
      if (settings[other] === component) settings[other] = settings[axis]; // never one against itself
      settings[axis] = component;
      onChange();
    };
    /** @type {[string, string][]} */
    const components = Array.from({ length: Math.min(nComponents, MAX_COMPONENTS) }, (_, i) => [String(i), `z${i}`]);
    /** @type {[string, string][]} */
    const projections = [
      ["components", "two components"],
      ["pca", "all, by PCA"],
    ];
    this.projection = select("Components", projections, settings.projection, (value) => {
      settings.projection = /** @type {MapSettings["projection"]} */ (value);
      onChange();
    });
    this.x = select("Across", components, String(settings.x), (value) => set("x", Number(value)));
    this.y = select("Up", components, String(settings.y), (value) => set("y", Number(value)));
    this.elements = nComponents > 1 ? [this.projection.element, this.x.element, this.y.element] : [];
  }

  /** Show the settings. */
  update() {
    const { layout, projection, x, y } = this.settings;
    for (const element of this.elements) element.hidden = layout !== "axes";
    this.projection.field.value = projection;
    this.x.field.value = String(x);
    this.y.field.value = String(y);
    this.x.field.disabled = this.y.field.disabled = projection !== "components";
  }
}

/** The choice of the layout: the axes of the code, or a map on which neighbours stay neighbours. */
export class LayoutSwitch {
  /** @param {MapSettings} settings @param {number} n rows @param {() => void} onChange */
  constructor(settings, n, onChange) {
    this.settings = settings;
    const choose = (/** @type {MapSettings["layout"]} */ layout) => {
      if (settings.layout === layout) return;
      settings.layout = layout;
      onChange();
    };
    this.buttons = [
      button("Axes", null, () => choose("axes"), { "data-layout": "axes" }),
      button("Neighbours", null, () => choose("neighbors"), { "data-layout": "neighbors" }),
    ];
    this.element =
      n >= FEWEST && h("div", { class: "switch", role: "group", "aria-label": "Places of the points" }, this.buttons);
    this.update();
  }

  /** Show the settings. */
  update() {
    for (const one of this.buttons) {
      one.setAttribute("aria-pressed", String(one.dataset.layout === this.settings.layout));
    }
  }
}

/** The choice of a tool. The attribute `data-tool` of the stage holds it. */
export class ToolSwitch {
  /** @type {Tool} */ tool = "move";

  /** @param {HTMLElement} stage @param {boolean} hasPath false if codes between examples mean nothing */
  constructor(stage, hasPath) {
    this.stage = stage;
    /** @type {[Tool, string, "hand" | "lasso" | "path"][]} */
    const tools = [
      ["move", "Move", "hand"],
      ["lasso", "Lasso", "lasso"],
      ["path", "Path", "path"],
    ];
    this.element = h(
      "div",
      { class: "switch tools", role: "group", "aria-label": "Tool" },
      tools
        .filter(([tool]) => hasPath || tool !== "path")
        .map(([tool, label, iconName]) => button(label, iconName, () => this.select(tool), { "data-tool": tool })),
    );
    this.select("move");
  }

  /** @param {Tool} tool */
  select(tool) {
    this.tool = tool;
    this.stage.dataset.tool = tool;
    for (const button of this.element.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    }
  }
}

/** @param {(factor: number) => void} zoom @param {() => void} showAll */
export function zoomButtons(zoom, showAll) {
  return h(
    "div",
    { class: "zooms", role: "group", "aria-label": "Zoom" },
    button("Zoom in", "plus", () => zoom(1.5), { quiet: true }),
    button("Zoom out", "minus", () => zoom(1 / 1.5), { quiet: true }),
    button("Show all", "fit", showAll, { quiet: true }),
  );
}
