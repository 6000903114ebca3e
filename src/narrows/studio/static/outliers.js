// Outliers: the rows that the model finds strangest, and what is strange about each.

import { bars, fill, h, heading, number, percent, reveal, shown, thumbnail, tried } from "./ui.js";

/** @import {App, Panel} from "./types" */
/** @typedef {{row: number, score: number, outlier: boolean, label: string | null, reasons: {name: string, share: number}[]}} Outlier */

/** @param {App} app @returns {Panel} */
export function panel(app) {
  const { transport, state } = app;
  const model = /** @type {NonNullable<typeof state.model>} */ (state.model);
  const list = h("ol", { class: `strange ${model.kind}`, "aria-label": "Strangest first" }, Array.from({ length: 24 }, () => h("li", { class: "waiting" }, h("span", { class: "blank" }))));
  const detail = h("div", { class: "detail", "aria-live": "polite" });
  const said = h("p", { class: "note" }, " ");
  let asked = 0;

  async function load() {
    const answer = /** @type {{threshold: number, rows: Outlier[]} | null} */ (await tried(transport.json("GET", "/api/outliers?n=60")));
    if (!answer) return;
    const { threshold, rows } = answer;
    const beyond = rows.filter((r) => r.outlier).length;
    said.textContent = beyond ? `${beyond === rows.length ? `At least ${beyond}` : beyond} rows score below the threshold of ${number(threshold)}. The lower, the stranger.` : `No row scores below the threshold of ${number(threshold)}; these come closest.`;
    list.replaceChildren(...rows.map((row) => h("li", null, h("button", { type: "button", id: `row-${row.row}`, "aria-pressed": "false", onclick: () => open(row.row).then(() => reveal(detail)) },
      thumbnail(transport, model, row.row, ""),
      h("span", { class: "strange-words" }, h("b", null, row.label ?? `row ${row.row}`), h("small", null, number(row.score), row.outlier && h("span", { class: "mark-out" }, " outlier")),
        row.reasons.length > 0 && h("small", { class: "reasons" }, row.reasons.map((reason) => `${reason.name} ${percent(Math.round(100 * reason.share) / 100)}`).join(", ")))))));
    if (rows.length) open(rows[0].row);
  }

  /** @param {number} row */
  async function open(row) {
    const mine = ++asked;
    for (const b of list.querySelectorAll("button")) b.setAttribute("aria-pressed", String(b.id === `row-${row}`));
    const answer = await tried(transport.json("GET", `/api/outliers/${row}`));
    if (!answer || mine !== asked) return;
    const { score, threshold, outlier, example, expected, heat, contributions } = answer;
    const figures = h("dl", { class: "figures" }, (/** @type {[string, string][]} */ ([["Score", number(score)], ["Threshold", number(threshold)], ["Verdict", outlier ? "outlier" : "inlier"]])).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
    const title = h("h2", null, `Row ${row}`);
    if (model.kind === "image") {
      fill(detail, title, figures, h("div", { class: "trio large" },
        h("figure", null, shown(example, `Row ${row}`, null), h("figcaption", null, "what it is")),
        h("figure", null, shown(expected, "What the model expects", null), h("figcaption", null, "what the model expects")),
        heat && h("figure", null, h("div", { class: "layers" }, shown(example, "", null), h("img", { class: "px heat", src: heat, alt: "Where it is strange, in red" })), h("figcaption", null, "where it is strange"))));
      return;
    }
    /** @type {{name: string, value: number, expected: number, nats: number}[]} */ const all = contributions ?? [];
    const weights = bars(all.slice(0, 24).map((c) => c.name), "What each column adds to the score");
    weights.show(all.slice(0, 24).map((c) => c.nats));
    detail.replaceChildren(title, figures, h("h3", null, "What each column adds, in nats"), weights.element,
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Values and what was expected" }, h("table", { class: "plain" }, h("thead", null, h("tr", null, ["column", "value", "expected", "nats"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", null, all.slice(0, 24).map((c) => h("tr", null, h("th", { scope: "row" }, c.name), h("td", null, number(c.value)), h("td", null, number(c.expected)), h("td", null, number(c.nats))))))));
  }

  const element = h("section", { class: "panel" }, heading("Outliers", "The rows that the model finds hardest to explain, strangest first, and what is strange about each."),
    h("div", { class: "beside reversed" }, h("div", null, said, list), detail));
  load();
  return { element };
}
