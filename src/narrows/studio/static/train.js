// Train: bring data, see what narrows sees, choose a recipe, watch it learn, and land on the dials.

import { curves } from "./curves.js";
import { button, h, heading, icon, labelled, number, select, shown, takes, tiles, toast, tried } from "./ui.js";

/** @import {App, Column, Example, Job, Panel, Recipe, Upload} from "./types" */

const KINDS = ".csv,.tsv,.npy,.zip";

/** @param {App} app @returns {Panel} */
export function panel(app) {
  const { transport } = app;
  const body = h("div", { class: "train" });
  const element = h("section", { class: "panel" }, heading("Train", "Bring your data, and see a model learn it. Nothing leaves this machine."), body);
  /** @type {(() => void) | null} */ let stop = null;
  const ends = [takes(element, (file) => upload(file))];
  let busy = false;

  // ---- 1. data ----

  function bring() {
    const { datasets, limits } = app.state;
    const file = h("input", { type: "file", accept: KINDS, class: "sr", onchange: () => {
      if (file.files?.[0]) upload(file.files[0]);
      file.value = "";
    } });
    body.replaceChildren(
      h("div", { class: "bring" },
        h("label", { class: "drop" }, file, icon("up"), h("strong", null, "Choose a file"), h("span", null, "or drop it here: a CSV of numbers, a .npy file, or a zip of images"), h("small", null, `up to ${Math.round(limits.upload_bytes / 2 ** 20)} MB`)),
        datasets.length > 0 && h("div", { class: "sets" }, h("h2", null, "Or start with one of these"), h("ul", null, datasets.map((d) => h("li", null, h("button", { type: "button", class: "set", onclick: () => read(transport.json("POST", "/api/uploads/dataset", { name: d.name }), d.name) }, h("b", null, d.name), h("span", null, d.summary), h("small", null, `${d.n.toLocaleString("en")} rows`))))))));
  }

  /** @param {File} file @param {number} [side] pixels that the longer side of images keeps */
  function upload(file, side = 64) {
    const { upload_bytes: most } = app.state.limits;
    if (file.size > most) return toast(`${file.name} has ${Math.ceil(file.size / 2 ** 20)} MB; up to ${Math.round(most / 2 ** 20)} MB can be read here.`, "wrong");
    const query = `name=${encodeURIComponent(file.name)}${side === 64 ? "" : `&side=${side}`}`;
    const resized = /\.zip$/i.test(file.name) ? { side, to: (/** @type {number} */ other) => upload(file, other) } : undefined;
    return read(transport.json("POST", `/api/uploads?${query}`, file), file.name, resized);
  }

  /** @typedef {{side: number, to: (side: number) => void}} Resized */
  /** @param {Promise<Upload>} request @param {string} name @param {Resized} [resized] */
  async function read(request, name, resized) {
    if (busy || stop) return;
    busy = true;
    body.replaceChildren(h("p", { class: "waits", role: "status" }, h("span", { class: "spinner" }), `Reading ${name}`));
    const seen = await tried(request);
    busy = false;
    if (seen) setUp(seen, resized);
    else bring();
  }

  // ---- 2. what narrows sees, and 3. the recipe ----

  /** @param {Upload} seen @param {Resized} [resized] */
  function setUp(seen, resized) {
    const { recipes } = app.state;
    const used = new Set((seen.columns ?? []).filter((c) => c.use).map((c) => c.name));
    const chosen = { recipe: seen.suggested.recipe, likelihood: seen.suggested.likelihood };
    const name = h("input", { type: "text", value: seen.name.replace(/\.[a-z]+$/i, ""), maxlength: 60 });
    const size = h("input", { type: "number", min: 1, max: 4096, step: 1, value: seen.suggested.n_components ?? "", placeholder: "the recipe's own" });
    const time = h("input", { type: "number", min: 1, max: 86400, step: 1, value: seen.suggested.max_time });
    const likelihood = h("select", null, seen.likelihoods.map((l) => h("option", { value: l.name, selected: l.name === chosen.likelihood, title: l.help }, l.name)));
    const count = h("span", null, "");
    const label = h("select", null, h("option", { value: "" }, "none"), (seen.columns ?? []).map((c) => h("option", { value: c.name, selected: c.name === seen.suggested.label }, c.name)));
    const more = h("div", { class: "parameters" });
    /** @type {Map<string, {field: HTMLInputElement, was: string}>} */ const fields = new Map();

    /** @type {Map<string, HTMLInputElement>} */ const boxes = new Map();
    label.addEventListener("change", () => boxes.get(label.value)?.checked && boxes.get(label.value)?.click()); // or it would be learned from
    const recount = () => (count.textContent = `${used.size} of ${seen.columns?.length} columns are learned from`);
    /** @param {Column} column */
    const line = (column) => {
      const box = h("input", { type: "checkbox", "aria-label": `Learn from ${column.name}`, checked: column.use, disabled: column.kind !== "number" && seen.kind !== "table", onchange: () => {
        if (box.checked) used.add(column.name);
        else used.delete(column.name);
        recount();
      } });
      boxes.set(column.name, box);
      return h("tr", null, h("td", null, box), h("th", { scope: "row" }, column.name), h("td", null, column.kind), h("td", { class: "num" }, column.low === null ? "" : `${number(column.low)} to ${number(column.high)}`), h("td", { class: "num" }, column.missing ? `${column.missing} missing` : ""), h("td", { class: "num" }, column.distinct.toLocaleString("en")), h("td", { class: "eg" }, column.examples.slice(0, 3).join(", ")));
    };
    if (seen.columns) recount();

    // what a form above asks for already is not asked again
    const above = new Set(["n_components", "max_time", "likelihood", "schema", "verbose", "checkpoint", "random_state"]);
    function parameters() {
      const recipe = recipes.find((r) => r.name === chosen.recipe);
      fields.clear();
      more.replaceChildren(...(recipe?.parameters ?? []).filter((p) => !above.has(p.name)).map((p) => {
        const was = p.default === null ? "None" : typeof p.default === "string" ? p.default : JSON.stringify(p.default);
        const field = h("input", { type: "text", value: was, spellcheck: "false", autocapitalize: "off" });
        fields.set(p.name, { field, was });
        return labelled(p.name, field, p.help);
      }));
    }
    const cards = h("div", { class: "recipes", role: "radiogroup", "aria-label": "Recipe" }, recipes.map((r) => recipeCard(r, r.name === chosen.recipe, () => { chosen.recipe = r.name; parameters(); })));
    parameters();

    const begin = h("button", { type: "submit", class: "button primary" }, icon("train"), h("span", null, "Train"));
    const form = h("form", { class: "set-up", onsubmit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      /** @type {Record<string, unknown>} */ const changed = {};
      for (const [key, { field, was }] of fields) if (field.value !== was) changed[key] = parsed(field.value);
      begin.disabled = true;
      const job = await tried(transport.json("POST", "/api/train", {
        upload: seen.id, recipe: chosen.recipe, n_components: size.value ? Number(size.value) : null, max_time: Number(time.value), likelihood: likelihood.value,
        columns: seen.columns ? [...used] : null, label: label.value || null, name: name.value || null, parameters: changed,
      }));
      begin.disabled = false;
      if (job) watch(job);
    } },
      h("div", { class: "seen" }, h("h2", null, "What narrows sees"),
        h("p", { class: "seen-words" }, h("b", null, seen.name), ` ${seen.n.toLocaleString("en")} rows: ${seen.description}.`, seen.labels && " There are labels, which colour the map."),
        seen.notes.length > 0 && h("ul", { class: "notes" }, seen.notes.map((note) => h("li", null, note))),
        seen.preview.sheet && h("div", { class: "preview" }, preview(seen, seen.preview.sheet)),
        resized && h("div", { class: "bar" }, select("Pixels, of the longer side at most", ["16", "32", "64", "128", "256"].map((side) => [side, side]), String(resized.side), (side) => resized.to(Number(side))).element),
        seen.columns && h("div", { class: "scroll columns", tabindex: "0", role: "region", "aria-label": "Columns" }, h("table", { class: "plain" }, h("thead", null, h("tr", null, ["use", "column", "kind", "range", "gaps", "distinct", "for example"].map((c) => h("th", { scope: "col" }, c)))), h("tbody", null, seen.columns.slice(0, 400).map(line)))),
        seen.columns && h("div", { class: "bar" }, count, labelled("Colour the map by", label))),
      h("div", null, h("h2", null, "Recipe"), cards,
        h("div", { class: "bar fields" }, labelled("Components", size), labelled("Seconds at most", time), labelled("Likelihood", likelihood), labelled("Name", name)),
        h("details", null, h("summary", null, "Every other parameter"), more)),
      h("div", { class: "deeds" }, begin, button("Other data", "reset", () => { tried(transport.json("DELETE", `/api/uploads/${seen.id}`)); bring(); })));
    body.replaceChildren(form);
    form.querySelector("h2")?.scrollIntoView({ block: "nearest" });
  }

  /** @param {Recipe} recipe @param {boolean} checked @param {() => void} chosen */
  function recipeCard({ name, summary }, checked, chosen) {
    return h("label", { class: "recipe" }, h("input", { type: "radio", name: "recipe", value: name, checked, onchange: chosen }), h("b", null, name.replaceAll("_", " ")), h("span", null, summary));
  }

  // ---- 4. training ----

  /** @param {Job} job */
  function watch(job) {
    stop?.();
    const chart = curves();
    const status = h("p", { class: "status", role: "status" });
    const progress = h("progress", { max: 1, "aria-label": "How far" });
    const facts = h("dl", { class: "figures" });
    const pairs = h("div", { class: "pairs" });
    const notes = h("ul", { class: "notes", "aria-live": "polite" });
    const early = button("Stop early, keep the best", "stop", async () => {
      early.disabled = true;
      await tried(transport.json("POST", `/api/train/${job.job}/stop`));
    }, { class: "primary" });
    const cancel = button("Cancel", "close", async () => {
      cancel.disabled = true;
      await tried(transport.json("DELETE", `/api/train/${job.job}`));
    });
    body.replaceChildren(h("div", { class: "watching" },
      h("div", { class: "watch-head" }, h("div", null, h("h2", null, `${job.name}, ${job.recipe}`), status), h("div", { class: "deeds" }, early, cancel)),
      progress, h("div", { class: "watch-main" }, h("div", null, chart.element, facts), h("figure", { class: "pairs-box" }, h("figcaption", null, "Originals above, what the model makes of them below"), pairs)), notes));

    /** @param {Job} now */
    function tell(now) {
      const words = { starting: "Starting", training: "Training", stopping: "Stopping: the learning rate cools down, then the best weights are kept", done: "Done", failed: `It failed: ${now.detail}`, cancelled: "Cancelled" };
      status.textContent = words[now.status];
      share(now.share);
      if (now.status === "stopping") early.disabled = true;
      if (now.status === "failed") toast(now.detail ?? "The training failed.", "wrong");
      if (now.status === "done" || now.status === "failed" || now.status === "cancelled") end(now);
    }
    /** @param {number | null} value */
    function share(value) {
      if (value === null || value === undefined) progress.removeAttribute("value");
      else progress.value = value;
    }
    /** @param {Job} now */
    async function end(now) {
      stop?.();
      stop = null;
      if (now.status === "done") {
        toast("It is trained. These are its dials.");
        await tried(app.reload(app.state.model === null || location.hash.startsWith("#train") ? "dials" : undefined));
        bring();
      } else if (now.status === "cancelled") {
        toast("Cancelled. Nothing is kept.");
        bring();
      } else {
        cancel.hidden = early.hidden = true;
        body.append(h("div", { class: "deeds" }, button("Back to the data", "reset", bring)));
      }
    }

    stop = app.listen(job.job, {
      status: tell,
      history: (/** @type {Record<string, number>} */ row) => {
        chart.add(/** @type {any} */ (row));
        share(row.share);
        const known = (/** @type {[string, string, (v: number) => string][]} */ ([["epoch", "Epoch", (v) => String(Math.round(v))], ["seconds", "Seconds", (v) => v.toFixed(0)], ["loss", "Training loss", number], ["valid_loss", "Validation loss", number]])).filter(([key]) => typeof row[key] === "number");
        facts.replaceChildren(...known.map(([key, words, written]) => h("div", null, h("dt", null, words), h("dd", null, written(row[key])))));
      },
      pictures: (/** @type {{epoch: number, original: Example[], reconstruction: Example[]}} */ { original, reconstruction }) => {
        const image = Boolean(original[0]?.picture);
        pairs.className = `pairs ${image ? "image" : "vector"}`;
        const names = app.state.model?.columns?.length === original[0]?.values?.length ? app.state.model?.columns ?? null : null;
        if (image) pairs.replaceChildren(...original.map((example, i) => h("div", { class: "pair" }, shown(example, "original", null), shown(reconstruction[i], "reconstruction", null))));
        else pairs.replaceChildren(...original.slice(0, 2).map((example, i) => h("div", { class: "pair" }, lines(example.values ?? [], reconstruction[i].values ?? [], names))));
      },
      note: ({ words }) => notes.append(h("li", null, words)),
    }, () => {
      stop = null;
      toast("That training is no longer there: the server was started anew.", "wrong");
      bring();
    });
    tell(job);
  }

  // ---- begin ----

  async function resume() {
    const { training } = app.state;
    const job = training && (await tried(transport.json("GET", `/api/train/${training}`)));
    if (job && !stop && !["done", "failed", "cancelled"].includes(job.status)) watch(job);
  }
  bring();
  resume();
  return {
    element,
    destroy() {
      stop?.();
      for (const end of ends) end();
    },
  };
}

/** The first examples, apart. @param {Upload} seen @param {string} sheet */
function preview({ n, shape }, sheet) {
  const first = tiles({ n: Math.min(32, n), columns: Math.min(8, n), shape, alt: "The first examples" });
  first.show(Promise.resolve(sheet));
  return first.element;
}

/** Original and reconstructed values, side by side. @param {number[]} original @param {number[]} made @param {string[] | null} names */
function lines(original, made, names) {
  return h("table", { class: "plain" }, h("thead", null, h("tr", null, ["column", "original", "made"].map((c) => h("th", { scope: "col" }, c)))),
    h("tbody", null, original.slice(0, 8).map((v, i) => h("tr", null, h("th", { scope: "row" }, names?.[i] ?? `column ${i + 1}`), h("td", null, number(v)), h("td", null, number(made[i]))))));
}

/** What a person typed, as JSON has it: 0.5, true, [64, 64], None, or a word. @param {string} text */
function parsed(text) {
  const words = { None: null, True: true, False: false };
  if (text in words) return words[/** @type {"None"} */ (text)];
  try {
    return JSON.parse(text.replace(/^\((.*?),?\)$/, "[$1]"));
  } catch {
    return text;
  }
}
