// The distribution of a cell: a bar for each level, or a histogram of numbers.

import { formatCell } from "../cells.js";
import { h } from "../dom.js";
import { formatProbability } from "../format.js";

/** @import {CellColumn, FormColumn, Prediction} from "../types" */

/** Bars of levels, which are buttons that set the cell.
 * @param {CellColumn} column @param {FormColumn} form @param {(level: number) => void} onChoose */
export function createLevelBars(column, form, onChoose) {
  const element = h("ul", { class: "fill-levels" });
  /** @param {number} level @param {number} prob @param {number | undefined} own */
  const line = (level, prob, own) => {
    const name = column.levels?.[level] ?? "";
    const bar = h("i", { style: { "--share": prob, "--usual": form.share[level] ?? 0 } });
    const parts = [h("span", { class: "fill-level" }, name), bar, h("small", null, formatProbability(prob))];
    if (level >= form.n_choices) return h("li", null, h("div", null, parts)); // rare values, which cannot be set
    const pressed = String(level === own);
    const button = { type: "button", "aria-pressed": pressed, title: `Set to ${name}`, onclick: () => onChoose(level) };
    return h("li", null, h("button", button, parts));
  };
  return {
    element,
    /** @param {Prediction} prediction @param {number} [own] the level that is set */
    show({ levels, probs }, own) {
      const shown = (levels ?? []).map((level, i) => line(level, probs[i], own));
      const rest = (column.levels?.length ?? 0) - shown.length;
      const others = 1 - probs.reduce((sum, p) => sum + p, 0);
      // the focus stays on the same line
      const focused = Array.from(element.querySelectorAll("button")).indexOf(
        /** @type {HTMLButtonElement} */ (document.activeElement),
      );
      element.replaceChildren(...shown);
      if (rest > 0)
        element.append(
          h(
            "li",
            { class: "fill-rest" },
            `${rest} ${rest === 1 ? "other" : "others"}, ${formatProbability(Math.max(0, others))}`,
          ),
        );
      if (focused >= 0) element.querySelectorAll("button")[focused]?.focus();
    },
  };
}

/** A histogram of numbers, with marks at the median and at the number that is set.
 * @param {CellColumn} column @param {FormColumn} form */
export function createHistogram(column, { edges, values, share }) {
  const bars = share.map((usual, i) => {
    const text = values ? formatCell(column, values[i]) : `${ends(i)[0]} to ${ends(i)[1]}`;
    return h("i", { style: { "--usual": usual, "--share": 0 }, title: text });
  });
  const median = h("b", { class: "fill-median" });
  const own = h("b", { class: "fill-own", hidden: true });
  const [first, last] = values ? [values[0], values[values.length - 1]] : [edges?.[0] ?? 0, edges?.at(-1) ?? 0];
  const box = h("div", { class: "fill-histogram", role: "img" }, bars, median, own);
  const scale = h("p", { class: "fill-ends" }, h("span", null, atEnd(first)), h("span", null, atEnd(last)));

  /** @param {number} i bar */
  function ends(i) {
    return [formatCell(column, edges?.[i]), formatCell(column, edges?.[i + 1])];
  }
  /** @param {number} value */
  function atEnd(value) {
    return formatCell(column, column.step && edges ? value + (value === first ? 0.5 : -0.5) * column.step : value);
  }
  /** The place of a number, from 0 to 1. @param {number} value */
  function placeOf(value) {
    if (values) {
      const nearest = values.reduce(
        (best, v, i) => (Math.abs(v - value) < Math.abs(values[best] - value) ? i : best),
        0,
      );
      return (nearest + 0.5) / values.length;
    }
    const [low, n] = [edges ?? [], share.length];
    const i = Math.min(n - 1, Math.max(0, low.findIndex((edge) => edge > value) - 1));
    if (value >= (low[n] ?? 0)) return 1;
    return Math.min(1, Math.max(0, (i + (value - low[i]) / (low[i + 1] - low[i])) / n));
  }
  return {
    element: h("div", null, box, scale),
    /** @param {Prediction} prediction @param {number} [value] the number that is set */
    show({ probs, best, low, high }, value) {
      const most = Math.max(...probs, ...share, 1e-9);
      box.style.setProperty("--most", String(most));
      bars.forEach((bar, i) => bar.style.setProperty("--share", String(probs[i])));
      median.style.setProperty("--at", String(placeOf(best)));
      own.hidden = value === undefined;
      if (value !== undefined) own.style.setProperty("--at", String(placeOf(value)));
      const range = `80 % between ${formatCell(column, low)} and ${formatCell(column, high)}`;
      box.setAttribute("aria-label", `${column.name}: median ${formatCell(column, best)}, ${range}`);
    },
  };
}
