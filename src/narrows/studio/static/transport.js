// Requests to the server over HTTP and a WebSocket. A notebook passes an object with the same functions.

/** @import {Binary, Transport} from "./types" */

/** The server answered, and said no. */
export class Refused extends Error {
  /** @param {string} detail @param {number} status */
  constructor(detail, status) {
    super(detail);
    this.status = status;
  }
}

/** @param {unknown} body @returns {RequestInit} */
function carried(body) {
  if (body === undefined) return {};
  if (body instanceof Blob) return { body, headers: { "Content-Type": "application/octet-stream" } };
  return { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

/**
 * @param {(connected: boolean) => void} [heard] told when the server is lost, and when it is back
 * @returns {Transport}
 */
export function http(heard = () => {}) {
  let connected = true;
  let closed = false;

  /** @param {boolean} now */
  function connection(now) {
    if (now === connected || closed) return;
    connected = now;
    heard(now);
    if (!now) knock(250);
  }

  // asks for a sign of life, less and less often, until there is one
  /** @param {number} pause milliseconds */
  function knock(pause) {
    setTimeout(async () => {
      if (closed || connected) return;
      const alive = await fetch("/api/health").then((r) => r.ok, () => false);
      if (alive) connection(true);
      else knock(Math.min(2 * pause, 2000));
    }, pause);
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  async function ask(method, path, body) {
    let response;
    try {
      response = await fetch(path, { method, ...carried(body) });
    } catch (error) {
      connection(false);
      throw new Refused("The server does not answer.", 0);
    }
    connection(true);
    if (response.ok) return response;
    const { detail } = await response.json().catch(() => ({}));
    throw new Refused(typeof detail === "string" ? detail : response.statusText, response.status);
  }

  const socket = decoder(connection);
  return {
    async json(method, path, body) {
      const response = await ask(method, path, body);
      return response.status === 204 ? null : response.json();
    },
    async binary(method, path, body) {
      const response = await ask(method, path, body);
      const buffer = await response.arrayBuffer();
      /** @param {string} name */
      const header = (name) => response.headers.get(name) ?? undefined;
      return {
        shape: (header("X-Shape") ?? "").split(",").map(Number),
        data: header("X-Dtype") === "float32" ? new Float32Array(buffer) : new Uint8Array(buffer),
        headers: { explained: header("X-Explained"), low: header("X-Low"), high: header("X-High") },
      };
    },
    async picture(path) {
      return path;
    },
    decode: socket.decode,
    close() {
      closed = true;
      socket.close();
    },
  };
}

/**
 * Codes to examples over a WebSocket. One request is in flight; of those that come meanwhile, the latest of each that
 * asks is sent: who asks is known by the function that it wants told.
 * @param {(connected: boolean) => void} connection
 */
function decoder(connection) {
  /** @typedef {{code: Float32Array, done: (result: Uint8Array | Float32Array) => void, sequence: number}} Wanted */
  /** @type {WebSocket | null} */ let socket = null;
  /** @type {Wanted | null} */ let flying = null;
  /** @type {Map<Wanted["done"], Wanted>} */ const waiting = new Map();
  let sequence = 0;
  let pause = 250;
  let closed = false;

  function send() {
    const [next] = waiting.values();
    if (!next || flying || socket?.readyState !== WebSocket.OPEN) return;
    flying = next;
    waiting.delete(next.done);
    const message = new ArrayBuffer(4 + flying.code.byteLength);
    new DataView(message).setUint32(0, flying.sequence, true);
    new Float32Array(message, 4).set(flying.code);
    socket.send(message);
  }

  function open() {
    if (socket || closed) return;
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/decode`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      pause = 250;
      connection(true);
      send();
    };
    socket.onmessage = ({ data }) => {
      const answered = flying;
      flying = null;
      if (answered && typeof data !== "string" && new DataView(data).getUint32(0, true) === answered.sequence) {
        answered.done(new Uint8Array(data.slice(4)));
      }
      send();
    };
    socket.onclose = () => {
      socket = null;
      // what was on its way is asked again, unless something newer is wanted
      if (flying && !waiting.has(flying.done)) waiting.set(flying.done, flying);
      flying = null;
      if (closed) return;
      connection(false);
      setTimeout(open, pause);
      pause = Math.min(2 * pause, 2000);
    };
  }

  return {
    /** The bytes as they came: who asked knows whether they are pixels or floats.
     * @param {Float32Array} code @param {(result: Uint8Array | Float32Array) => void} done */
    decode(code, done) {
      waiting.set(done, { code: code.slice(), done, sequence: ++sequence });
      open();
      send();
    },
    close() {
      closed = true;
      socket?.close();
    },
  };
}
