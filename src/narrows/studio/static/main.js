// The page: which panels there are, which one is shown, and what happens when the server goes and comes back.

import { Code, hash, readHash } from "./state.js";
import { http } from "./transport.js";
import { button, h, icon, nothing, toast, tried } from "./ui.js";

/** @import {App, Panel, State} from "./types" */

/** @type {Record<string, {title: string, load: () => Promise<{panel: (app: App) => Panel}>}>} */
const PANELS = {
  dials: { title: "Dials", load: () => import("./dials.js") },
  map: { title: "Map", load: () => import("./map.js") },
  clean: { title: "Clean", load: () => import("./clean.js") },
  units: { title: "Units", load: () => import("./units.js") },
  outliers: { title: "Outliers", load: () => import("./outliers.js") },
  search: { title: "Search", load: () => import("./search.js") },
  train: { title: "Train", load: () => import("./train.js") },
  report: { title: "Report", load: () => import("./report.js") },
};

/** @param {string} id */
const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const [main, nav, model, lost] = ["main", "nav", "model", "lost"].map(part);

/** @type {Map<string, Panel>} */ const made = new Map();
/** @type {string | null} */ let shown = null;
/** @type {Set<() => void>} */ const streams = new Set();

const transport = http((connected) => {
  lost.hidden = connected;
  if (connected) back();
});

/** @type {App} */
const app = {
  transport,
  state: /** @type {State} */ (/** @type {unknown} */ (null)),
  code: null,
  go(panel, parameters = {}) {
    location.hash = hash(panel, parameters);
  },
  reload: load,
  listen(job, heard, gone) {
    const source = new EventSource(`/api/train/${job}/events`);
    for (const [event, act] of Object.entries(heard)) {
      source.addEventListener(event, (/** @type {MessageEvent} */ message) => act(JSON.parse(message.data)));
    }
    // a closed source got an answer that is no stream: the job is not there. Otherwise the browser tries again by itself.
    source.onerror = () => source.readyState === EventSource.CLOSED && end(gone);
    /** @param {() => void} [then] */
    function end(then) {
      source.close();
      streams.delete(close);
      then?.();
    }
    const close = () => end();
    streams.add(close);
    return close;
  },
};

/** The server's state, anew; panels of another model are made again. @param {string} [panel] to go to */
async function load(panel) {
  const state = /** @type {State} */ (await transport.json("GET", "/api/state"));
  const before = app.state;
  app.state = state;
  const same = before && before.version === state.version && before.instance === state.instance;
  if (!same) {
    // a training goes on while models change
    for (const [name, { destroy }] of [...made].filter(([name]) => name !== "train" || before.instance !== state.instance)) {
      destroy?.();
      made.get(name)?.element.remove();
      made.delete(name);
      if (shown === name) shown = null;
    }
    const n = state.model?.has_code ? state.model.n_components : null;
    const kept = before?.instance !== state.instance && before?.model?.name === state.model?.name && app.code?.value.length === n;
    if (!kept) {
      app.code = n === null ? null : new Code(n);
      // what the address says is about the model before
      if (before) history.replaceState(null, "", `#${readHash().panel}`);
    }
    rail();
  }
  if (panel && readHash().panel !== panel) app.go(panel);
  else await show();
}

/** The server is there again: what it knows may have changed. */
async function back() {
  toast("The server is back.");
  await tried(load());
}

function panels() {
  const can = app.state.model?.can ?? [];
  return Object.keys(PANELS).filter((name) => name === "train" || can.includes(name));
}

function rail() {
  const { state } = app;
  nav.replaceChildren(...panels().map((name) => h("li", null, h("a", { href: `#${name}`, id: `to-${name}` }, icon(/** @type {any} */ (name)), h("span", null, PANELS[name].title)))));
  if (!state.model) {
    model.replaceChildren(h("p", { class: "model-name" }, "No model yet"), h("p", { class: "model-words" }, "Bring your data, and one is trained here."));
    return;
  }
  const { name, title, description, n_components: n, has_code: code } = state.model;
  const others = state.models.length > 1 && h("select", { "aria-label": "Model", onchange: async (/** @type {Event} */ event) => {
    const { value } = /** @type {HTMLSelectElement} */ (event.target);
    if (await tried(transport.json("POST", `/api/models/${value}/open`))) await tried(load("dials"));
  } }, state.models.map((m) => h("option", { value: m.id, selected: m.current }, `${m.name} (${m.recipe})`)));
  model.replaceChildren(
    others || h("p", { class: "model-name" }, name),
    h("p", { class: "model-words" }, `${title}${code ? ` with ${n} ${n === 1 ? "component" : "components"}` : ""}, ${description}.`, state.data && ` ${state.data.n.toLocaleString("en")} rows of ${state.data.name}.`),
  );
}

async function show() {
  const wanted = readHash();
  const open = panels();
  const name = open.includes(wanted.panel) ? wanted.panel : (open[0] ?? "train");
  if (wanted.panel !== name) history.replaceState(null, "", `#${name}`);
  for (const link of nav.querySelectorAll("a")) {
    const here = link.id === `to-${name}`;
    link.toggleAttribute("aria-current", here);
    if (here) {
      link.setAttribute("aria-current", "page");
      // on a phone the panels' names are a row that scrolls
      nav.scrollTo({ left: link.offsetLeft - nav.clientWidth / 2 + link.offsetWidth / 2 });
    }
  }
  document.title = `${PANELS[name].title} · ${app.state.model?.name ?? "narrows"} · narrows studio`;
  let panel = made.get(name);
  if (!panel) {
    const { state } = app;
    try {
      const module = await PANELS[name].load();
      if (state !== app.state || readHash().panel !== name) return;
      panel = made.get(name) ?? module.panel(app);
    } catch (error) {
      panel = { element: nothing(`This panel cannot be shown: ${error instanceof Error ? error.message : error}`) };
    }
    made.set(name, panel);
  }
  const moved = shown !== null && shown !== name;
  if (shown !== name) {
    if (shown) made.get(shown)?.hide?.();
    shown = name;
    main.replaceChildren(panel.element);
    scrollTo(0, 0);
  }
  panel.show?.(wanted.panel === name ? wanted.parameters : {});
  // who came by keyboard goes on from the heading
  if (moved) /** @type {HTMLElement | null} */ (panel.element.querySelector("h1"))?.focus({ preventScroll: true });
}

function themes() {
  const dark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const toggle = button("Light or dark", "sun", () => {
    const theme = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("narrows-theme", theme);
    dispatchEvent(new Event("theme"));
  }, { quiet: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("theme")));
  part("theme").append(toggle);
}

themes();
part("skip").addEventListener("click", (event) => {
  event.preventDefault();
  /** @type {HTMLElement} */ (main.querySelector("h1") ?? main).focus();
});
addEventListener("hashchange", () => app.state && tried(show()));
addEventListener("pagehide", () => {
  for (const close of streams) close();
  transport.close();
});
addEventListener("pageshow", (event) => event.persisted && location.reload());
load().catch((error) => main.replaceChildren(nothing(error.status === 401 ? "This studio asks for a token: open the link that `narrows studio` printed." : `The studio did not answer: ${error.message}`, button("Try again", "reset", () => location.reload()))));
