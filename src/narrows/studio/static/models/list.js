// The list of models. A name is changed, and a deletion confirmed, in the place of the model.

import { button, h, icon, setChildren } from "../dom.js";
import { attempt, toast } from "../feedback.js";
import { formatCount } from "../format.js";

/** @import {App, ModelEntry} from "../types" */

/** @typedef {{folder: string, name: string, recipe: string}} KeptModel of an earlier studio */

const MAX_NAME = 100; // characters
const RESTORED = "Until then you can restore the last five that you deleted.";

export class ModelList {
  #list = h("div", { class: "models" });
  #keptList = h("div", { class: "models" }); // apart, because it comes later: the focus stays in the other list
  element = h("div", null, this.#list, this.#keptList);
  /** @type {{id: string, action: "rename" | "delete"} | null} what is asked about a model; of a kept one, its folder */
  #asked = null;
  /** @type {KeptModel[]} */ #kept = [];

  /** @param {App} app */
  constructor(app) {
    this.app = app;
  }

  /** Show the list, with the models that earlier studios kept. */
  async load() {
    this.#render();
    await this.#loadKept();
    this.#renderKept();
  }

  async #loadKept() {
    this.#kept = (await attempt(this.app.transport.json("GET", "/api/models/kept"))) ?? [];
  }

  #renderKept() {
    const items = this.#kept.map((model) => this.#keptItem(model));
    const list = h("ul", { class: "model-list", "aria-label": "Models kept earlier" }, items);
    setChildren(this.#keptList, ...(items.length ? [h("h2", null, "Kept earlier"), list] : []));
  }

  #render() {
    const { models, deleted } = this.app.state;
    setChildren(
      this.#list,
      models.length === 0 && h("p", { class: "note" }, "No model is open. Train one, or open one that was kept."),
      models.length > 0 &&
        h(
          "ul",
          { class: "model-list", "aria-label": "Models" },
          models.map((model) => this.#item(model)),
        ),
      deleted.length > 0 && h("h2", null, "Deleted"),
      deleted.length > 0 &&
        h(
          "ul",
          { class: "model-list", "aria-label": "Deleted models" },
          deleted.map((model) => this.#deletedItem(model)),
        ),
    );
  }

  /** @param {ModelEntry} model */
  #item(model) {
    const asked = this.#asked?.id === model.id ? this.#asked.action : null;
    /** @type {HTMLElement} */ let below = this.#actions(model);
    if (asked === "rename") below = this.#nameForm(model);
    if (asked === "delete") {
      below = this.#confirmation(model, describeFate(model), () => this.#change(model, "DELETE", ""));
    }
    const properties = { class: model.current ? "current" : null, "aria-current": model.current && "true" };
    return h("li", { ...properties, "data-id": model.id }, this.#description(model), below);
  }

  /** @param {ModelEntry} model */
  #description({ name, recipe, n_components: n, data, path, saved, current }) {
    const size = n > 0 ? `, ${formatCount(n, "component")}` : "";
    const place = path && saved ? h("span", { class: "model-path" }, path) : "not kept: it goes when the studio stops";
    return h(
      "div",
      { class: "model-facts" },
      h("h2", null, name, current && h("small", { class: "badge" }, "open")),
      h("p", { class: "note" }, `${recipe}${size}${data ? `, ${data}` : ""}`),
      h("p", { class: "note" }, place),
    );
  }

  /** @param {ModelEntry} model */
  #actions(model) {
    const ask = (/** @type {"rename" | "delete"} */ action) => () => this.#ask(model.id, action);
    const link = { class: "button", href: `/api/models/${model.id}/download`, download: `${model.name}.zip` };
    const of = (/** @type {string} */ verb) => ({ "aria-label": `${verb} ${model.name}` });
    return h(
      "div",
      { class: "actions" },
      !model.current && button("Open", null, () => this.#open(model.id), { class: "primary", ...of("Open") }),
      button("Rename", "edit", ask("rename"), of("Rename")),
      h("a", { ...link, ...of("Download") }, icon("save"), h("span", null, "Download")),
      !model.current && button("Delete", "trash", ask("delete"), of("Delete")),
    );
  }

  /** @param {ModelEntry} model */
  #nameForm(model) {
    const properties = { type: "text", value: model.name, maxlength: MAX_NAME, required: true, autocomplete: "off" };
    const field = h("input", { ...properties, "aria-label": `Name of ${model.name}` });
    const rename = async (/** @type {Event} */ event) => {
      event.preventDefault();
      const name = field.value.trim();
      if (await this.#change(model, "POST", "/rename", { name })) toast(`${model.name} is called ${name} now.`);
    };
    const onkeydown = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && this.#close(model);
    const save = h("button", { class: "button primary" }, "Save the name");
    return h(
      "form",
      { class: "actions", onsubmit: rename, onkeydown },
      field,
      save,
      button("Cancel", null, () => this.#close(model)),
    );
  }

  /** Ask for a name, or whether to delete. @param {string} id @param {"rename" | "delete"} action */
  #ask(id, action) {
    this.#asked = { id, action };
    this.#render();
    this.#renderKept();
    /** @type {HTMLElement | null} */ (this.element.querySelector("input, .cancel"))?.focus();
  }

  /** @param {{id: string, name: string}} model @param {string} fate what becomes of its files
   * @param {() => Promise<boolean>} doDelete */
  #confirmation(model, fate, doDelete) {
    const remove = async () => {
      if (await doDelete()) toast(`${model.name} is deleted. It can be restored below the list.`);
    };
    const onkeydown = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && this.#close(model);
    return h(
      "div",
      { class: "confirm", role: "group", "aria-label": `Delete ${model.name}?`, onkeydown },
      h("p", null, h("b", null, `Delete ${model.name}? `), fate),
      h(
        "div",
        { class: "actions" },
        button("Delete", "trash", remove, { class: "danger" }),
        button("Keep it", null, () => this.#close(model), { class: "cancel" }),
      ),
    );
  }

  /** @param {ModelEntry} model */
  #deletedItem(model) {
    const restore = async () => {
      if (await this.#change(model, "POST", "/restore")) toast(`${model.name} is restored.`);
    };
    const again = button("Restore", "undo", restore, { "aria-label": `Restore ${model.name}` });
    return h("li", { "data-id": model.id }, this.#description(model), h("div", { class: "actions" }, again));
  }

  /** @param {KeptModel} model */
  #keptItem({ folder, name, recipe }) {
    const path = `kept/${encodeURIComponent(folder)}`;
    const facts = [h("h2", null, name), h("p", { class: "note" }, name === folder ? recipe : `${recipe}, ${folder}`)];
    const open = button("Open", null, () => this.#open(path), { "aria-label": `Open ${name}` });
    const remove = button("Delete", "trash", () => this.#ask(path, "delete"), { "aria-label": `Delete ${name}` });
    /** @type {HTMLElement} */ let below = h("div", { class: "actions" }, open, remove);
    if (this.#asked?.id === path) {
      const model = { id: path, name };
      below = this.#confirmation(model, fateOfFolder(folder), () => this.#change(model, "DELETE", ""));
    }
    return h("li", { "data-id": path }, h("div", { class: "model-facts" }, facts), below);
  }

  /** @param {string} path of the model below /api/models */
  async #open(path) {
    const isOpen = await attempt(this.app.transport.json("POST", `/api/models/${path}/open`));
    if (isOpen) await attempt(this.app.reload());
  }

  /** Change a model, and show the lists anew. @param {{id: string}} model @param {string} method @param {string} path
   * @param {object} [body] @returns {Promise<boolean>} false if the server refused */
  async #change(model, method, path, body) {
    const isDone = await attempt(this.app.transport.json(method, `/api/models/${model.id}${path}`, body));
    if (!isDone) return false;
    await attempt(this.app.reload());
    if (method === "DELETE") await this.#loadKept();
    this.#close(model);
    return true;
  }

  /** Ask nothing any more. The keyboard goes on at the model. @param {{id: string}} model */
  #close({ id }) {
    this.#asked = null;
    this.#render();
    this.#renderKept();
    /** @type {HTMLElement | null} */ (this.element.querySelector(`[data-id="${CSS.escape(id)}"] .button`))?.focus();
  }
}

/** What becomes of the files of a model that is deleted. @param {ModelEntry} model */
function describeFate({ path, saved, owned }) {
  if (owned && path && saved) return fateOfFolder(path);
  if (owned) return `It goes when the studio stops. ${RESTORED}`;
  if (path) return `It only leaves this list: its folder, ${path}, stays as it is.`;
  return `It is in no folder. ${RESTORED}`;
}

/** @param {string} folder of a model that goes when it is deleted */
function fateOfFolder(folder) {
  return `Its folder, ${folder}, is deleted when the studio stops. ${RESTORED}`;
}
