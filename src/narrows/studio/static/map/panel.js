// The panel with the map.

import { h, heading } from "../dom.js";
import { attempt } from "../feedback.js";
import { formatHash, readHash } from "../state.js";
import { CodeMap } from "./map.js";
import { MapRequests } from "./requests.js";

/** @import {App, Panel} from "../types" */

const TEXT = "Each example is a point, placed by its code. Point at it to see it; click it to";
const LINE =
  "The code is one number, so this is its histogram: each example is a point at its z0, and stacks say only how many " +
  "are alike. Point at one to see it; click it to";

/** @param {App} app @returns {Panel} */
export function panel(app) {
  const body = h("div");
  const hasDials = app.state.model?.decodes_codes;
  const isLine = app.state.model?.n_components === 1;
  const element = h(
    "section",
    { class: "panel wide" },
    heading("Map", `${isLine ? LINE : TEXT} ${hasDials ? "set the dials to it" : "keep it beside the map"}.`),
    body,
  );
  const requests = new MapRequests(app.transport);
  let isVisible = true;
  /** @type {CodeMap | null} */ let map = null;

  /** @param {number} row */
  async function setDials(row) {
    const code = await attempt(requests.codes([row]));
    if (code) app.code?.set(code);
  }

  return {
    element,
    show(parameters) {
      isVisible = true;
      if (map) return;
      map = new CodeMap(body, app.transport, app.state, {
        code: app.code ?? undefined,
        onPick: setDials,
        onView: (view) => {
          // while another panel loads, the address is that panel's
          if (isVisible && readHash().panel === "map") history.replaceState(null, "", formatHash("map", view));
        },
        openDials: () => app.go("dials"),
        openForm: (row) => app.go("fill", { row: String(row) }),
      });
      map.configure(parameters);
    },
    hide() {
      isVisible = false;
    },
    destroy() {
      map?.destroy();
    },
  };
}
