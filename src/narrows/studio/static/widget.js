// The entry of the notebook's widget: the dials and the map of the page, over anywidget's messages instead of HTTP.
// See https://anywidget.dev/en/afm/.

import { mountDials } from "./dials.js";
import { mountMap } from "./map.js";
import { Code } from "./state.js";
import { Refused } from "./transport.js";

/** @import {Binary, Transport} from "./types" */

/**
 * What anywidget gives of its model.
 * @typedef {{
 *   send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void,
 *   on(name: string, heard: (content: any, buffers: DataView[]) => void): void,
 *   off(name: string, heard: (content: any, buffers: DataView[]) => void): void,
 *   set(name: string, value: unknown): void,
 *   save_changes(): void,
 * }} Model
 */

/** @typedef {{status: number, headers: Record<string, string>, body: Uint8Array}} Answer */

/** Requests as messages, each with a number that its answer bears. @param {Model} model @returns {Transport} */
export function messages(model) {
  const own = Math.random().toString(36).slice(2); // several views of a widget hear the same answers
  let last = 0;
  /** @type {Map<string, (answer: Answer) => void>} */ const waiting = new Map();

  /** @param {any} content @param {DataView[]} buffers */
  function heard(content, buffers) {
    const answered = waiting.get(content?.id);
    if (!answered) return;
    waiting.delete(content.id);
    const view = buffers[0];
    const body = new Uint8Array(view ? view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) : new ArrayBuffer(0));
    answered({ status: content.status, headers: content.headers, body });
  }
  model.on("msg:custom", heard);

  /** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<Answer>} */
  async function ask(method, path, body) {
    const id = `${own}-${++last}`;
    const raw = body instanceof Blob;
    const buffers = raw ? [await body.arrayBuffer()] : [];
    const answer = await /** @type {Promise<Answer>} */ (new Promise((resolve) => {
      waiting.set(id, resolve);
      model.send({ id, method, path, body: raw ? null : (body ?? null), raw }, undefined, buffers);
    }));
    if (answer.status < 400) return answer;
    const { detail } = JSON.parse(words(answer.body));
    throw new Refused(detail, answer.status);
  }

  /** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<Binary>} */
  async function binary(method, path, body) {
    const { headers, body: bytes } = await ask(method, path, body);
    return {
      shape: (headers["x-shape"] ?? "").split(",").map(Number),
      data: headers["x-dtype"] === "float32" ? new Float32Array(bytes.buffer) : bytes,
      headers: { explained: headers["x-explained"], low: headers["x-low"], high: headers["x-high"] },
    };
  }

  /** @typedef {{code: Float32Array, done: (result: Uint8Array | Float32Array) => void}} Wanted */
  let flying = false;
  /** @type {Wanted | null} */ let next = null;
  async function fly() {
    if (flying || !next) return;
    const { code, done } = next;
    next = null;
    flying = true;
    try {
      done((await binary("POST", "/api/decode", { codes: [Array.from(code)] })).data);
    } finally {
      flying = false;
      fly();
    }
  }

  return {
    async json(method, path, body) {
      const { status, body: bytes } = await ask(method, path, body);
      return status === 204 ? null : JSON.parse(words(bytes));
    },
    binary,
    async picture(path) {
      const { headers, body } = await ask("GET", path);
      return `data:${headers["content-type"]};base64,${btoa(Array.from(body, (byte) => String.fromCharCode(byte)).join(""))}`;
    },
    decode(code, done) {
      next = { code: code.slice(), done };
      fly();
    },
    close() {
      model.off("msg:custom", heard);
      waiting.clear();
    },
  };
}

/** @param {Uint8Array} bytes */
const words = (bytes) => new TextDecoder().decode(bytes);

/** @param {{model: Model, el: HTMLElement}} given @returns {Promise<() => void>} */
async function render({ model, el }) {
  const transport = messages(model);
  const state = await transport.json("GET", "/api/state");
  const code = new Code(state.model.n_components);
  const ends = [() => transport.close()];

  // what the dials show is `code` in Python, once they rest
  let resting = 0;
  ends.push(code.subscribe((value) => {
    window.clearTimeout(resting);
    resting = window.setTimeout(() => {
      model.set("code", Array.from(value));
      model.save_changes();
    }, 200);
  }));

  const dials = document.createElement("div");
  el.append(dials);
  ends.push(mountDials(dials, transport, state, { code }).destroy);
  if (state.model.can.includes("map")) {
    const map = document.createElement("div");
    el.append(map);
    const onPick = async (/** @type {number} */ row) => code.set((await transport.json("POST", "/api/encode", { row })).code);
    ends.push(mountMap(map, transport, state, { onPick }).destroy);
  }
  return () => {
    window.clearTimeout(resting);
    for (const end of ends.reverse()) end();
  };
}

export default { render };
