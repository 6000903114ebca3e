// The bar above the stage: the projection, the colour, the grid and the tool; and the buttons that zoom.

import { button, h, select } from "../dom.js";

/** @import {MapSettings} from "../types" */
/** @typedef {"move" | "lasso" | "path"} Tool */

export const MAX_COMPONENTS = 256; // offered as axes

/** The choice between all components by PCA and two of them. */
export class ProjectionFields {
  /** @param {MapSettings} settings @param {number} nComponents @param {() => void} onChange */
  constructor(settings, nComponents, onChange) {
    this.settings = settings;
    /** @type {[string, string][]} */
    const components = Array.from({ length: Math.min(nComponents, MAX_COMPONENTS) }, (_, i) => [String(i), `z${i}`]);
    /** @type {[string, string][]} */
    const projections = [
      ["components", "two components"],
      ["pca", "all, by PCA"],
    ];
    this.projection = select("Shown", projections, settings.projection, (value) => {
      settings.projection = /** @type {MapSettings["projection"]} */ (value);
      onChange();
    });
    this.x = select("Across", components, String(settings.x), (value) => {
      settings.x = Number(value);
      onChange();
    });
    this.y = select("Up", components, String(settings.y), (value) => {
      settings.y = Number(value);
      onChange();
    });
    this.elements = [this.projection.element, this.x.element, this.y.element];
  }

  /** Show the settings. */
  update() {
    const { projection, x, y } = this.settings;
    this.projection.field.value = projection;
    this.x.field.value = String(x);
    this.y.field.value = String(y);
    this.x.field.disabled = this.y.field.disabled = projection !== "components";
  }
}

/** The choice of a tool, which the stage bears as `data-tool`. */
export class ToolSwitch {
  /** @type {Tool} */ tool = "move";

  /** @param {HTMLElement} stage */
  constructor(stage) {
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
      tools.map(([tool, label, sign]) => button(label, sign, () => this.select(tool), { "data-tool": tool })),
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
    button("Closer", "plus", () => zoom(1.5), { quiet: true }),
    button("Farther", "minus", () => zoom(1 / 1.5), { quiet: true }),
    button("Show all", "fit", showAll, { quiet: true }),
  );
}
