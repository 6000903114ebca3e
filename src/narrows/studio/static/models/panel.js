// Models: those of this studio, to open, rename, download, delete and restore; the rows of the open one as a file.

import { h, heading } from "../dom.js";
import { ExportForm } from "./export-form.js";
import { ModelList } from "./list.js";

/** @import {App, Panel} from "../types" */

const TEXT = "The models of this studio. One of them is open: all other panels are about it.";

/** @param {App} app @returns {Panel} */
export function panel(app) {
  const list = new ModelList(app);
  const parts = [list.element, app.state.data && new ExportForm(app).element];
  return {
    element: h("section", { class: "panel" }, heading("Models", TEXT), ...parts),
    show: () => list.load(),
  };
}
