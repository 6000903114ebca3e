// Messages to the user, copies to the clipboard, and downloads.

import { h } from "./dom.js";

/** Show a message for some seconds; screen readers read it out. @param {string} message
 * @param {"info" | "wrong"} [kind] */
export function toast(message, kind = "info") {
  const container = document.querySelector("#toasts");
  if (!container) return;
  const note = h("p", { class: `toast ${kind}` }, message);
  container.append(note);
  setTimeout(() => note.remove(), kind === "wrong" ? 9000 : 4000);
}

/** Wait for a request. Show its error as a message and return null if it fails.
 * @template T @param {Promise<T>} request @returns {Promise<T | null>} */
export async function attempt(request) {
  try {
    return await request;
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), "wrong");
    return null;
  }
}

/** Copy to the clipboard. @param {string} text @param {string} name name of the copied text, for the message */
export async function copy(text, name) {
  const isCopied = await navigator.clipboard?.writeText(text).then(
    () => true,
    () => false,
  );
  if (isCopied) return toast(`${name} copied.`);
  // an older way, which needs no permission for the clipboard
  const area = h("textarea", { class: "sr", value: text, "aria-hidden": "true" });
  document.body.append(area);
  area.select();
  toast(document.execCommand("copy") ? `${name} copied.` : "The browser does not allow the page to copy.");
  area.remove();
}

/** Save as a file. @param {Blob} blob @param {string} name */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
