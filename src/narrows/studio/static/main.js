// The page: its panels, the panel that is shown, and the connection to the server.

import { button, emptyNote, h, icon } from "./dom.js";
import { attempt, toast } from "./feedback.js";
import { Code, formatHash, readHash } from "./state.js";
import { createHttpTransport } from "./transport.js";
import { createVerdict } from "./verdict.js";

/** @import {App, Panel, State} from "./types" */

/** @type {Record<string, {title: string, load: () => Promise<{panel: (app: App) => Panel}>}>} */
const PANELS = {
  dials: { title: "Dials", load: () => import("./dials/panel.js") },
  fill: { title: "Fill and draw", load: () => import("./fill/panel.js") },
  map: { title: "Map", load: () => import("./map/panel.js") },
  clean: { title: "Clean", load: () => import("./clean.js") },
  units: { title: "Units", load: () => import("./units/panel.js") },
  outliers: { title: "Outliers", load: () => import("./outliers.js") },
  search: { title: "Search", load: () => import("./search.js") },
  train: { title: "Train", load: () => import("./train/panel.js") },
  report: { title: "Report", load: () => import("./report.js") },
  compare: { title: "Compare", load: () => import("./compare/panel.js") },
  models: { title: "Models", load: () => import("./models/panel.js") },
};

/** @param {string} id */
const getElement = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const [main, nav, modelBox, lostNote] = ["main", "nav", "model", "lost"].map(getElement);

/** @type {Map<string, Panel>} */ const panels = new Map(); // by name, created when first shown
/** @type {string | null} */ let shownName = null;
/** @type {HTMLElement | null} */ let verdict = null; // of the model, above its panels
/** @type {Set<() => void>} */ const streams = new Set(); // functions that close event streams

const transport = createHttpTransport((isConnected) => {
  lostNote.hidden = isConnected;
  if (isConnected) reconnect();
});

/** @type {App} */
const app = {
  transport,
  state: /** @type {State} */ (/** @type {unknown} */ (null)),
  code: null,
  go(panel, parameters = {}) {
    location.hash = formatHash(panel, parameters);
  },
  reload: load,
  listen,
};

/** Listen to the events of a training.
 * @param {string} job @param {Record<string, (data: any) => void>} handlers @param {() => void} onLost
 * @returns {() => void} stops it */
function listen(job, handlers, onLost) {
  const source = new EventSource(`/api/train/${job}/events`);
  for (const [event, handle] of Object.entries(handlers)) {
    source.addEventListener(event, (/** @type {MessageEvent} */ message) => handle(JSON.parse(message.data)));
  }
  const close = () => {
    source.close();
    streams.delete(close);
  };
  source.onerror = () => {
    // an open source connects again by itself; a closed one got no stream, because the job does not exist
    if (source.readyState !== EventSource.CLOSED) return;
    close();
    onLost();
  };
  streams.add(close);
  return close;
}

/** Load the server's state. Panels of another model are created anew. @param {string} [panel] to go to */
async function load(panel) {
  const state = /** @type {State} */ (
    await transport.json("GET", "/api/state").catch((/** @type {Error & {status?: number}} */ error) => {
      if (error.status === 401) location.reload(); // the server has a new token, and its page asks for it
      throw error;
    })
  );
  const before = app.state;
  app.state = state;
  const isSame = before && before.version === state.version && before.instance === state.instance;
  if (!isSame) {
    removePanels(before, state);
    replaceCode(before, state);
    verdict = createVerdict(app);
  }
  renderSidebar();
  if (panel && readHash().panel !== panel) app.go(panel);
  else await showPanel();
}

/** Remove the panels of the previous model. @param {State | null} before @param {State} state */
function removePanels(before, state) {
  for (const [name, panel] of [...panels]) {
    // a training continues while models change
    if (name === "train" && before?.instance === state.instance) continue;
    panel.destroy?.();
    panel.element.remove();
    panels.delete(name);
    if (shownName === name) shownName = null;
  }
}

/** Create the code of another model. The code is kept if the same model is back after a restart.
 * @param {State | null} before @param {State} state */
function replaceCode(before, state) {
  const n = state.model?.decodes_codes ? state.model.n_components : null;
  const isRestart = before?.instance !== state.instance && before?.model?.name === state.model?.name;
  if (isRestart && app.code?.value.length === n) return;
  app.code = n === null ? null : new Code(n);
  // the parameters of the address are about the previous model
  if (before) history.replaceState(null, "", `#${readHash().panel}`);
}

async function reconnect() {
  toast("The server is back.");
  await attempt(load());
}

/** List the names of the panels that the model has. */
function panelNames() {
  const { model, data, models, keeps } = app.state;
  const shown = ["train", ...(model?.can ?? [])];
  if (model || keeps) shown.push("models");
  if (data && models.length > 1) shown.push("compare");
  return Object.keys(PANELS).filter((name) => shown.includes(name));
}

function renderSidebar() {
  const links = panelNames().map((name) =>
    h(
      "li",
      null,
      h(
        "a",
        { href: `#${name}`, id: `to-${name}` },
        icon(/** @type {any} */ (name)),
        h("span", null, PANELS[name].title),
      ),
    ),
  );
  nav.replaceChildren(...links);
  const { model, data } = app.state;
  if (!model) {
    const hint = h("p", { class: "model-text" }, "Upload data and train one here.");
    modelBox.replaceChildren(h("p", { class: "model-name" }, "No model yet"), hint);
    return;
  }
  const { name, title, description, n_components: n, decodes_codes: hasDials } = model;
  const size = hasDials ? ` with ${n} ${n === 1 ? "component" : "components"}` : "";
  const rows = data && ` ${data.n.toLocaleString("en")} rows of ${data.name}.`;
  modelBox.replaceChildren(
    modelSelect() || h("p", { class: "model-name" }, name),
    h("p", { class: "model-text" }, `${title}${size}, ${description}.`, rows),
  );
}

/** The choice of another model, or null if there is only one. */
function modelSelect() {
  const { models } = app.state;
  if (models.length < 2) return null;
  const open = async (/** @type {Event} */ event) => {
    const { value } = /** @type {HTMLSelectElement} */ (event.target);
    if (await attempt(transport.json("POST", `/api/models/${value}/open`))) await attempt(load("dials"));
  };
  const options = models.map((m) => h("option", { value: m.id, selected: m.current }, `${m.name} (${m.recipe})`));
  return h("select", { "aria-label": "Model", onchange: open }, options);
}

/** Show the panel of the address, or the first one. */
async function showPanel() {
  const { panel: requested, parameters } = readHash();
  const names = panelNames();
  const name = names.includes(requested) ? requested : (names[0] ?? "train");
  if (requested !== name) history.replaceState(null, "", `#${name}`);
  markLink(name);
  document.title = `${PANELS[name].title} · ${app.state.model?.name ?? "narrows"} · narrows studio`;
  const panel = await getPanel(name);
  if (!panel) return;
  const hasMoved = shownName !== null && shownName !== name;
  if (shownName !== name) {
    if (shownName) panels.get(shownName)?.hide?.();
    shownName = name;
    main.replaceChildren(...(verdict && name !== "train" ? [verdict] : []), panel.element);
    scrollTo(0, 0);
  }
  panel.show?.(requested === name ? parameters : {});
  // the keyboard continues from the heading
  if (hasMoved) /** @type {HTMLElement | null} */ (panel.element.querySelector("h1"))?.focus({ preventScroll: true });
}

/** Return a panel, created if needed. @param {string} name
 * @returns {Promise<Panel | null>} null if another panel or model was opened meanwhile */
async function getPanel(name) {
  const existing = panels.get(name);
  if (existing) return existing;
  const { state } = app;
  /** @type {Panel} */ let panel;
  try {
    const module = await PANELS[name].load();
    if (state !== app.state || readHash().panel !== name) return null;
    panel = panels.get(name) ?? module.panel(app);
  } catch (error) {
    const message = error instanceof Error ? error.message : error;
    panel = { element: emptyNote(`This panel cannot be shown: ${message}`) };
  }
  panels.set(name, panel);
  return panel;
}

/** Mark the link of the current panel. @param {string} name */
function markLink(name) {
  for (const link of nav.querySelectorAll("a")) {
    const isCurrent = link.id === `to-${name}`;
    link.toggleAttribute("aria-current", isCurrent);
    if (!isCurrent) continue;
    link.setAttribute("aria-current", "page");
    // on a phone the links are a row that scrolls
    nav.scrollTo({ left: link.offsetLeft - nav.clientWidth / 2 + link.offsetWidth / 2 });
  }
}

function addThemeButton() {
  const darkSystem = matchMedia("(prefers-color-scheme: dark)");
  const notify = () => dispatchEvent(new Event("theme"));
  const toggle = () => {
    const current = document.documentElement.dataset.theme ?? (darkSystem.matches ? "dark" : "light");
    const theme = current === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("narrows-theme", theme);
    notify();
  };
  darkSystem.addEventListener("change", notify);
  getElement("theme").append(button("Light or dark", "sun", toggle, { quiet: true }));
}

/** @param {Error} error */
function showStartError(error) {
  main.replaceChildren(
    emptyNote(
      `The studio did not answer: ${error.message}`,
      button("Try again", "reset", () => location.reload()),
    ),
  );
}

addThemeButton();
getElement("skip").addEventListener("click", (event) => {
  event.preventDefault();
  /** @type {HTMLElement} */ (main.querySelector("h1") ?? main).focus();
});
addEventListener("hashchange", () => app.state && attempt(showPanel()));
addEventListener("pagehide", () => {
  for (const close of streams) close();
  transport.close();
});
addEventListener("pageshow", (event) => event.persisted && location.reload());
load().catch(showStartError);
