// Units: a wall of a sparse model's experts, what each is an expert on, and what it does when it is turned up.

import { button, chooser, fill, h, heading, nothing, number, percent, reveal, select, settled, shown, takes, thumbnail, tiles, tried } from "./ui.js";

/** @import {App, Panel, Unit} from "./types" */

const PAGE = 24;

/** @param {App} app @returns {Panel} */
export function panel(app) {
  const { transport, state } = app;
  const model = /** @type {NonNullable<typeof state.model>} */ (state.model);
  const image = model.kind === "image";
  let page = 0;
  let sort = "rate";
  /** @type {number | null} */ let like = null; // only the units of this row
  /** @type {number | null} */ let opened = null;
  let asked = 0;
  let looked = 0;

  const wall = h("ol", { class: "wall", "aria-label": "Units" }, Array.from({ length: PAGE }, () => h("li", { class: "waiting" }, h("span", { class: "blank" }))));
  const pager = h("div", { class: "pager" });
  const detail = h("div", { class: "detail", "aria-live": "polite" });
  const said = h("p", { class: "note" }, " ");

  /** Top examples as one picture. @param {number[]} rows @param {string} alt */
  function sheet(rows, alt) {
    if (!rows.length) return h("p", { class: "note" }, "never active");
    if (!image) return h("p", { class: "note" }, `rows ${rows.slice(0, 5).join(", ")}`);
    const sheet = tiles({ n: rows.length, places: 9, columns: 3, shape: model.shape, alt });
    sheet.show(transport.picture(`/api/sprites?rows=${rows.join(",")}&columns=3`));
    return sheet.element;
  }

  async function load() {
    const mine = ++asked;
    const answer = await tried(like === null ? transport.json("GET", `/api/units?page=${page}&size=${PAGE}&sort=${sort}`) : transport.json("GET", `/api/units/for/${like}`));
    if (!answer || mine !== asked) return;
    show(answer.units, like === null ? `${answer.total.toLocaleString("en")} units.` : `${answer.units.length} units are active for row ${like}, strongest first.`, answer.pages ?? null);
  }

  /** The units that a picture of one's own makes active. @param {Blob} image */
  async function search(image) {
    const mine = ++asked;
    const encoded = await tried(transport.json("POST", "/api/encode/image", image));
    if (!encoded) return;
    /** @type {[number, number][]} */ const active = encoded.code.map((/** @type {number} */ v, /** @type {number} */ i) => [i, v]).filter((/** @type {[number, number]} */ [, v]) => v > 0);
    const first = active.sort((a, b) => b[1] - a[1]).slice(0, PAGE);
    const units = await tried(Promise.all(first.map(async ([unit, activation]) => ({ ...(await transport.json("GET", `/api/units/${unit}`)), activation }))));
    if (units && mine === asked) show(units, `${active.length} units are active for your picture, strongest first.`, null);
  }

  /** @param {Unit[]} units @param {string} words @param {number | null} pages null where these are all */
  function show(units, words, pages) {
    const most = Math.max(1e-9, ...units.map((u) => u.activation ?? u.rate));
    said.textContent = words;
    wall.replaceChildren(...units.map((u) => h("li", null, h("button", { type: "button", id: `unit-${u.unit}`, "aria-pressed": String(u.unit === opened), onclick: () => open(u.unit).then(() => reveal(detail)) },
      h("span", { class: "unit-sheet" }, sheet(u.top, `Top examples of unit ${u.unit}`)),
      h("span", { class: "unit-words" }, h("b", null, `unit ${u.unit}`), h("small", null, u.activation === undefined ? percent(u.rate) : number(u.activation)), h("span", { class: "amount" }, h("i", { style: { transform: `scaleX(${(u.activation ?? u.rate) / most})` } })))))));
    if (!units.length) wall.replaceChildren(h("li", null, nothing("No unit is active.")));
    pager.replaceChildren(...(pages !== null ? [
      button("Earlier", null, () => { page--; load(); }, { disabled: page === 0 }), h("span", null, `page ${page + 1} of ${pages}`), button("Later", null, () => { page++; load(); }, { disabled: page + 1 >= pages }),
    ] : [button("All units", "units", () => { like = null; load(); })]));
    if (opened === null && units.length) open(units[0].unit);
  }

  /** @param {number} unit */
  async function open(unit) {
    opened = unit;
    const mine = ++looked;
    for (const b of wall.querySelectorAll("button")) b.setAttribute("aria-pressed", String(b.id === `unit-${unit}`));
    const found = await tried(transport.json("GET", `/api/units/${unit}`));
    if (!found || mine !== looked) return;
    const row = like ?? 0;
    const before = h("div");
    const after = h("div");
    const amount = h("span", null, "");
    const slider = h("input", { type: "range", min: 0, max: Math.max(1e-6, 2 * found.highest), step: "any", value: 0, oninput: () => later() });
    /** @param {number} [value] */
    async function turn(value) {
      const answer = await tried(transport.json("POST", `/api/units/${unit}/turn`, { row, value: value ?? Number(slider.value) }));
      if (!answer || mine !== looked) return;
      if (value === undefined) amount.textContent = `${number(Number(slider.value))} (was ${number(answer.was)})`;
      before.replaceChildren(shown(answer.before, `Row ${row}, reconstructed`, model.columns));
      after.replaceChildren(shown(answer.after, `Row ${row}, with unit ${unit} turned`, model.columns));
      return answer.was;
    }
    const later = settled(() => turn(), 30);
    fill(detail,
      h("h2", null, `Unit ${unit}`),
      h("dl", { class: "figures" }, (/** @type {[string, string][]} */ ([["Fires for", percent(found.rate)], ["Mean when active", number(found.strength)], ["Highest", number(found.highest)]])).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)))),
      found.adds && h("figure", { class: "adds" }, h("img", { class: "px", src: found.adds, alt: "What it adds: blue more, orange less" }), h("figcaption", null, "what it adds: blue more, orange less")),
      found.columns && h("ul", { class: "adds-columns" }, found.columns.map((/** @type {{name: string, value: number}} */ c) => h("li", null, h("span", null, c.name), h("b", null, number(c.value))))),
      h("h3", null, "Turn it up"),
      h("label", { class: "field" }, h("span", { class: "field-name" }, `In row ${row}: `, amount), slider),
      h("div", { class: `trio two ${model.kind}` }, h("figure", null, before, h("figcaption", null, "as it is")), h("figure", null, after, h("figcaption", null, "turned"))),
      h("h3", null, "Top examples"),
      found.top.length ? h("ul", { class: `thumbs ${model.kind}` }, found.top.map((/** @type {number} */ r) => h("li", null, h("button", { type: "button", title: `row ${r}`, "aria-label": `Row ${r}: show the units that are active for it`, onclick: () => { like = r; load(); } }, thumbnail(transport, model, r, ""))))) : h("p", { class: "note" }, "It is never active."),
    );
    const start = found.highest || 1;
    slider.value = String(start);
    await turn();
  }

  const sorts = select("Order", [["rate", "how often"], ["strength", "how strongly"], ["index", "number"]], sort, (value) => { sort = value; page = 0; like = null; load(); });
  const starts = chooser(state, { row: (row) => { like = row; load(); }, image: search }, "Units of row");
  const element = h("section", { class: "panel" }, heading("Units", "Each unit has learned to answer to one thing. These are the examples that it answers to most."),
    h("div", { class: "beside reversed" }, h("div", null, h("div", { class: "bar" }, sorts.element, starts), said, wall, pager), detail));
  const stop = image ? takes(element, search) : () => {};
  load();
  return { element, destroy: stop };
}
