// When a unit is active: the histogram of its activations, and its share of the rows of each label.

import { h } from "../dom.js";
import { formatCount, formatNumber, formatPercent } from "../format.js";

/** @typedef {{low: number, high: number, counts: number[], silent: number}} Histogram */
/** @typedef {{label: string, n: number, share: number}} LabelShare */

/** The activations where the unit is active. @param {Histogram} histogram */
export function createHistogram({ low, high, counts, silent }) {
  if (!counts.length) return h("p", { class: "note" }, "This unit is never active.");
  const most = Math.max(...counts);
  const edge = (/** @type {number} */ i) => formatNumber(low + ((high - low) * i) / counts.length);
  const bars = counts.map((count, i) =>
    h("i", { style: { "--share": count / most }, title: `${edge(i)} to ${edge(i + 1)}: ${formatCount(count, "row")}` }),
  );
  const active = counts.reduce((sum, count) => sum + count, 0);
  const text = `Activations of ${formatCount(active, "row")}, from ${edge(0)} to ${edge(counts.length)}`;
  return h(
    "div",
    { class: "activations" },
    h("div", { class: "fill-histogram", role: "img", "aria-label": text }, bars),
    h("p", { class: "fill-ends" }, h("span", null, edge(0)), h("span", null, edge(counts.length))),
    h("p", { class: "note" }, `${formatCount(active, "row")}; not active for ${silent.toLocaleString("en")}.`),
  );
}

/** The share of the rows of each label for which the unit is active; a line marks that of all rows.
 * @param {LabelShare[]} labels @param {number} rate share of all rows */
export function createLabelShares(labels, rate) {
  const lines = labels.map(({ label, n, share }) =>
    h(
      "li",
      null,
      h(
        "div",
        { title: `${label}: active for ${formatPercent(share)} of ${formatCount(n, "row")}` },
        h("span", { class: "fill-level" }, label),
        h("i", { style: { "--share": share, "--usual": rate } }),
        h("small", null, formatPercent(Math.round(1000 * share) / 1000)),
      ),
    ),
  );
  return h("ul", { class: "fill-levels", "aria-label": "Share of each label" }, lines);
}
