// Rows of the data as files: their codes, scores, labels and columns.

import { button } from "./dom.js";
import { attempt, download } from "./feedback.js";

/** @import {Transport} from "./types" */
/** @typedef {"codes" | "scores" | "columns"} Part */
/** @typedef {{rows?: number[], parts: Part[], distances?: number[]}} ExportRequest rows: all if left out */

/** Ask for a file of rows, and save it. @param {Transport} transport @param {ExportRequest} request
 * @param {"csv" | "parquet"} format @param {string} name of the file, without its suffix */
export async function saveRows(transport, request, format, name) {
  const answer = await attempt(transport.binary("POST", "/api/export", { ...request, format }));
  if (answer) download(new Blob([/** @type {BlobPart} */ (answer.data)]), `${name}.${format}`);
}

/** Buttons that save rows as CSV and as Parquet. @param {Transport} transport
 * @param {() => ExportRequest} getRequest called when a button is pressed @param {string} name of the file */
export function exportButtons(transport, getRequest, name) {
  const save = (/** @type {"csv" | "parquet"} */ format) => saveRows(transport, getRequest(), format, name);
  return [button("Save CSV", "save", () => save("csv")), button("Save Parquet", "save", () => save("parquet"))];
}
