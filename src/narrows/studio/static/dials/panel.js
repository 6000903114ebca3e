// The panel with the dials. The address of the page holds the code.

import { h, heading } from "../dom.js";
import { toast } from "../feedback.js";
import { formatCode, formatHash, parseCode, readHash } from "../state.js";
import { debounce } from "../timing.js";
import { DialsView } from "./dials.js";

/** @import {App, Panel} from "../types" */
/** @import {Code} from "../state.js" */

const DELAY = 300; // milliseconds without a change after which the address is written

/** @param {App} app @returns {Panel} */
export function panel(app) {
  const code = /** @type {Code} */ (app.code);
  const n = code.value.length;
  const name = app.state.model?.name ?? "";
  let isVisible = false;

  const linkHash = () => {
    /** @type {Record<string, string>} */ const parameters = { z: formatCode(code.value) };
    if (code.locked.size) parameters.lock = [...code.locked].join(",");
    return formatHash("dials", { ...parameters, of: name });
  };
  const getLink = () => `${location.origin}${location.pathname}${linkHash()}`;
  const writeAddress = debounce(() => {
    // while another panel loads, the address is that panel's
    if (isVisible && readHash().panel === "dials") history.replaceState(null, "", linkHash());
  }, DELAY);
  const unsubscribe = code.subscribe(writeAddress);

  const parts = app.state.model?.kind === "series" ? "channels" : "columns";
  const text =
    app.state.model?.kind === "image"
      ? "Each slider is one number of the code. The strip above it shows what it changes."
      : `Each slider is one number of the code. Move one and see which ${parts} change.`;
  const body = h("div");
  const element = h("section", { class: "panel" }, heading("Dials", text), body);
  const dials = new DialsView(body, app.transport, app.state, { code, getLink });
  return {
    element,
    show({ z, lock, of }) {
      isVisible = true;
      const isOfOther = of !== undefined && of !== name;
      if (isOfOther) toast(`This link is for another model, ${of}.`, "wrong");
      const value = z && !isOfOther ? parseCode(z, n) : null;
      if (value && formatCode(code.value) !== z) {
        const locked = (lock ?? "").split(",").filter(Boolean).map(Number);
        code.locked = new Set(locked.filter((i) => i >= 0 && i < n));
        code.set(value, { keepLocked: false });
      } else writeAddress();
    },
    hide() {
      isVisible = false;
    },
    destroy() {
      unsubscribe();
      dials.destroy();
    },
  };
}
