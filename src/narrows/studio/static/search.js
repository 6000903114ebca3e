// Search: the rows whose codes are nearest to that of an example.

import { chooser, h, heading, nothing, number, shown, takes, thumbnail, tried } from "./ui.js";

/** @import {App, Example, Panel} from "./types" */

/** @param {App} app @returns {Panel} */
export function panel(app) {
  const { transport, state } = app;
  const model = /** @type {NonNullable<typeof state.model>} */ (state.model);
  let asked = 0;
  const query = h("div", { class: `stage-picture small ${model.kind}` });
  const about = h("p", { class: "about" });
  const results = h("ol", { class: `results ${model.kind}`, "aria-label": "Nearest first" });
  // places for what is to come
  results.append(...Array.from({ length: 24 }, () => h("li", { class: "waiting" }, h("span", { class: "blank" }))));

  /** @param {Example} example @param {string} words @param {object} body */
  async function ask(example, words, body) {
    const mine = ++asked;
    query.replaceChildren(shown(example, "What is searched by", model.columns));
    about.textContent = words;
    const answer = await tried(transport.json("POST", "/api/search", { ...body, k: 24 }));
    if (!answer || mine !== asked) return;
    results.replaceChildren(...answer.results.map((/** @type {{row: number, distance: number, label: string | null}} */ { row, distance, label }) => h("li", null,
      h("button", { type: "button", onclick: () => by(row), title: "Search by this one", "aria-label": `Row ${row}${label ? `, ${label}` : ""}, at ${number(distance)}. Search by it.` }, thumbnail(transport, model, row, "")),
      h("p", null, h("b", null, label ?? `row ${row}`), h("small", null, number(distance))))));
    if (!answer.results.length) results.replaceChildren(h("li", null, nothing("There is nothing else to find.")));
  }

  /** @param {number} row */
  async function by(row) {
    const found = await tried(transport.json("GET", `/api/data/${row}`));
    if (!found) return;
    starts.dispatchEvent(new CustomEvent("row", { detail: row }));
    await ask(found.example, found.label === null ? `Row ${row}` : `Row ${row}, label ${found.label}`, { row });
  }

  /** @param {Blob} image */
  async function like(image) {
    const encoded = await tried(transport.json("POST", "/api/encode/image", image));
    if (encoded) await ask(encoded.example, "Your picture, as the model sees it", { code: encoded.code });
  }

  const starts = chooser(state, { row: by, image: like }, "Like row");
  const here = h("button", { type: "button", class: "button", onclick: async () => {
    if (!app.code) return;
    const code = Array.from(app.code.value);
    const made = await tried(transport.json("POST", "/api/decode", { codes: [code], format: "json" }));
    if (made) ask(made.examples[0], "What the dials make", { code });
  } }, "What the dials make");
  const element = h("section", { class: "panel" }, heading("Search", "The rows that the model finds most like an example. Choose one of them to go on from there."),
    h("div", { class: "beside" }, h("div", { class: "controls" }, query, about, starts, here), results));
  const stop = model.kind === "image" ? takes(element, like) : () => {};
  by(0);
  return { element, destroy: stop };
}
