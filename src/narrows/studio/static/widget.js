// The entry of the notebook's widget: the dials and the map of the page, over anywidget's messages instead of HTTP.
// See https://anywidget.dev/en/afm/.

import { DialsView } from "./dials/dials.js";
import { CodeMap } from "./map/map.js";
import { Code } from "./state.js";
import { asNumbers, RequestError } from "./transport.js";

/** @import {Binary, DecodeCallback, Transport} from "./types" */

/**
 * The part of anywidget's model that is used here.
 * @typedef {{
 *   send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void,
 *   on(name: string, listener: (content: any, buffers: DataView[]) => void): void,
 *   off(name: string, listener: (content: any, buffers: DataView[]) => void): void,
 *   set(name: string, value: unknown): void,
 *   save_changes(): void,
 * }} WidgetModel
 */

/** @typedef {{status: number, headers: Record<string, string>, body: Uint8Array<ArrayBuffer>}} Response */

const CODE_DELAY = 200; // milliseconds without a change after which Python gets the code

/** Sends requests as messages of the widget. @implements {Transport} */
class MessageTransport {
  #prefix = Math.random().toString(36).slice(2); // all views of a widget receive all answers
  #lastId = 0;
  /** @type {Map<string, (response: Response) => void>} */ #waiting = new Map();
  #isDecoding = false;
  /** @type {{code: Float32Array, onResult: DecodeCallback} | null} */ #nextDecode = null;

  /** @param {WidgetModel} model */
  constructor(model) {
    this.model = model;
    model.on("msg:custom", this.#receive);
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  async json(method, path, body) {
    const response = await this.#send(method, path, body);
    return response.status === 204 ? null : JSON.parse(decodeText(response.body));
  }

  /** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<Binary>} */
  async binary(method, path, body) {
    const { headers, body: bytes } = await this.#send(method, path, body);
    return {
      shape: (headers["x-shape"] ?? "").split(",").map(Number),
      data: asNumbers(bytes.buffer, headers["x-dtype"]),
      headers: {
        explained: headers["x-explained"],
        low: headers["x-low"],
        high: headers["x-high"],
        steps: headers["x-steps"],
      },
    };
  }

  /** @param {string} path */
  async pictureUrl(path) {
    const { headers, body } = await this.#send("GET", path);
    const text = Array.from(body, (byte) => String.fromCharCode(byte)).join("");
    return `data:${headers["content-type"]};base64,${btoa(text)}`;
  }

  /** @param {Float32Array} code @param {DecodeCallback} onResult */
  decode(code, onResult) {
    this.#nextDecode = { code: code.slice(), onResult };
    this.#decodeNext();
  }

  close() {
    this.model.off("msg:custom", this.#receive);
    this.#waiting.clear();
  }

  async #decodeNext() {
    if (this.#isDecoding || !this.#nextDecode) return;
    const { code, onResult } = this.#nextDecode;
    this.#nextDecode = null;
    this.#isDecoding = true;
    try {
      onResult((await this.binary("POST", "/api/decode", { codes: [Array.from(code)] })).data);
    } finally {
      this.#isDecoding = false;
      this.#decodeNext();
    }
  }

  /** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<Response>} */
  async #send(method, path, body) {
    const id = `${this.#prefix}-${++this.#lastId}`;
    const raw = body instanceof Blob;
    const buffers = raw ? [await body.arrayBuffer()] : [];
    /** @type {Promise<Response>} */
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.model.send({ id, method, path, body: raw ? null : (body ?? null), raw }, undefined, buffers);
    const response = await answer;
    if (response.status < 400) return response;
    const { detail } = JSON.parse(decodeText(response.body));
    throw new RequestError(detail, response.status);
  }

  /** @param {any} content @param {DataView[]} buffers */
  #receive = (content, buffers) => {
    const resolve = this.#waiting.get(content?.id);
    if (!resolve) return;
    this.#waiting.delete(content.id);
    const view = buffers[0];
    // a copy, because a Float32Array needs bytes that are aligned
    const bytes = view ? view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) : new ArrayBuffer(0);
    const body = new Uint8Array(/** @type {ArrayBuffer} */ (bytes));
    resolve({ status: content.status, headers: content.headers, body });
  };
}

/** @param {Uint8Array} bytes */
const decodeText = (bytes) => new TextDecoder().decode(bytes);

/** @param {{model: WidgetModel, el: HTMLElement}} view @returns {Promise<() => void>} removes what was rendered */
async function render({ model, el }) {
  followTheme(el);
  const transport = new MessageTransport(model);
  const state = await transport.json("GET", "/api/state");
  const code = new Code(state.model.n_components);
  const stopSync = syncCode(code, model);
  const dials = new DialsView(appendBlock(el), transport, state, { code });
  /** @type {CodeMap | null} */ let map = null;
  if (state.model.can.includes("map")) {
    const onPick = async (/** @type {number} */ row) => {
      code.set((await transport.json("POST", "/api/encode", { row })).code);
    };
    map = new CodeMap(appendBlock(el), transport, state, { onPick });
  }
  return () => {
    map?.destroy();
    dials.destroy();
    stopSync();
    transport.close();
  };
}

/** Set the widget's `code` in Python once the dials rest. @param {Code} code @param {WidgetModel} model
 * @returns {() => void} stops it */
function syncCode(code, model) {
  let timer = 0;
  const stop = code.subscribe((value) => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      model.set("code", Array.from(value));
      model.save_changes();
    }, CODE_DELAY);
  });
  return () => {
    window.clearTimeout(timer);
    stop();
  };
}

/** Take the theme of the notebook, whatever its name: light text stands on dark paper. @param {HTMLElement} el */
function followTheme(el) {
  const [red = 0, green = 0, blue = 0] = (getComputedStyle(el).color.match(/[\d.]+/g) ?? []).map(Number);
  el.dataset.theme = 0.3 * red + 0.6 * green + 0.1 * blue > 140 ? "dark" : "light";
}

/** @param {HTMLElement} parent */
function appendBlock(parent) {
  return parent.appendChild(document.createElement("div"));
}

export default { render };
