// Requests to the server over HTTP and a WebSocket. A notebook passes an object with the same functions.

/** @import {Binary, DecodeCallback, Transport} from "./types" */

/** An error answer of the server, with its message; the status is 0 if there was no answer. */
export class RequestError extends Error {
  /** @param {string} detail @param {number} status */
  constructor(detail, status) {
    super(detail);
    this.status = status;
  }
}

/** @param {unknown} body @returns {RequestInit} */
function encodeBody(body) {
  if (body === undefined) return {};
  if (body instanceof Blob) return { body, headers: { "Content-Type": "application/octet-stream" } };
  return { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

/**
 * Send requests over HTTP.
 * @param {(isConnected: boolean) => void} [onConnection] called when the server is lost, and when it is back
 * @returns {Transport}
 */
export function createHttpTransport(onConnection = () => {}) {
  let isConnected = true;
  let isClosed = false;

  /** @param {boolean} value */
  function setConnected(value) {
    if (value === isConnected || isClosed) return;
    isConnected = value;
    onConnection(value);
    if (!value) waitForServer(250);
  }

  /** Ask the server at growing intervals until it answers. @param {number} delay milliseconds */
  function waitForServer(delay) {
    setTimeout(async () => {
      if (isClosed || isConnected) return;
      const isAlive = await fetch("/api/health").then(
        (r) => r.ok,
        () => false,
      );
      if (isAlive) setConnected(true);
      else waitForServer(Math.min(2 * delay, 2000));
    }, delay);
  }

  /** @param {string} method @param {string} path @param {unknown} [body] */
  async function send(method, path, body) {
    let response;
    try {
      response = await fetch(path, { method, ...encodeBody(body) });
    } catch (error) {
      setConnected(false);
      throw new RequestError("The server does not answer.", 0);
    }
    setConnected(true);
    if (response.ok) return response;
    const { detail } = await response.json().catch(() => ({}));
    throw new RequestError(typeof detail === "string" ? detail : response.statusText, response.status);
  }

  const socket = openDecodeSocket(setConnected);
  return {
    async json(method, path, body) {
      const response = await send(method, path, body);
      return response.status === 204 ? null : response.json();
    },
    async binary(method, path, body) {
      const response = await send(method, path, body);
      const buffer = await response.arrayBuffer();
      /** @param {string} name */
      const header = (name) => response.headers.get(name) ?? undefined;
      return {
        shape: (header("X-Shape") ?? "").split(",").map(Number),
        data: asNumbers(buffer, header("X-Dtype")),
        headers: {
          explained: header("X-Explained"),
          low: header("X-Low"),
          high: header("X-High"),
          steps: header("X-Steps"),
        },
      };
    },
    async pictureUrl(path) {
      return path;
    },
    decode: socket.decode,
    close() {
      isClosed = true;
      socket.close();
    },
  };
}

/** Read numbers of the dtype that a header names. @param {ArrayBuffer} buffer @param {string | undefined} dtype */
export function asNumbers(buffer, dtype) {
  if (dtype === "float64") return new Float64Array(buffer);
  return dtype === "float32" ? new Float32Array(buffer) : new Uint8Array(buffer);
}

/**
 * Decode codes over a WebSocket. One request is sent at a time. If several requests of a callback wait, only the
 * latest is kept.
 * @param {(isConnected: boolean) => void} onConnection
 */
function openDecodeSocket(onConnection) {
  /** @typedef {{code: Float32Array, onResult: DecodeCallback, id: number}} DecodeRequest */
  /** @type {WebSocket | null} */ let socket = null;
  /** @type {DecodeRequest | null} */ let pending = null;
  /** @type {Map<DecodeCallback, DecodeRequest>} */ const queue = new Map();
  let lastId = 0;
  let delay = 250; // milliseconds until the next attempt to connect
  let isClosed = false;

  function sendNext() {
    const [next] = queue.values();
    if (!next || pending || socket?.readyState !== WebSocket.OPEN) return;
    pending = next;
    queue.delete(next.onResult);
    const message = new ArrayBuffer(4 + next.code.byteLength);
    new DataView(message).setUint32(0, next.id, true);
    new Float32Array(message, 4).set(next.code);
    socket.send(message);
  }

  function open() {
    if (socket || isClosed) return;
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/decode`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      delay = 250;
      onConnection(true);
      sendNext();
    };
    socket.onmessage = ({ data }) => {
      const answered = pending;
      pending = null;
      if (answered && typeof data !== "string" && new DataView(data).getUint32(0, true) === answered.id) {
        answered.onResult(new Uint8Array(data.slice(4)));
      }
      sendNext();
    };
    socket.onclose = () => {
      socket = null;
      // a lost request is sent again, unless a newer one waits
      if (pending && !queue.has(pending.onResult)) queue.set(pending.onResult, pending);
      pending = null;
      if (isClosed) return;
      onConnection(false);
      setTimeout(open, delay);
      delay = Math.min(2 * delay, 2000);
    };
  }

  return {
    /** The result is raw bytes: the caller knows whether they are pixels or floats.
     * @param {Float32Array} code @param {DecodeCallback} onResult */
    decode(code, onResult) {
      queue.set(onResult, { code: code.slice(), onResult, id: ++lastId });
      open();
      sendNext();
    },
    close() {
      isClosed = true;
      socket?.close();
    },
  };
}
