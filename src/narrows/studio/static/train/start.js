// The choice of data: a file, or a data set that narrows knows.

import { h, icon } from "../dom.js";
import { createFileInput } from "../example-picker.js";

/** @import {State} from "../types" */

// files in the format IDX have no common suffix: they can be dropped
const FILE_TYPES = ".csv,.tsv,.txt,.gz,.parquet,.feather,.arrow,.xlsx,.xls,.dta,.sav,.sas7bdat,.xpt,.npy,.npz,.zip";

/** @param {State} state @param {{onFile: (file: File) => void, onDataset: (name: string) => void}} handlers */
export function createStart({ datasets, limits }, { onFile, onDataset }) {
  const drop = h(
    "label",
    { class: "drop" },
    createFileInput(FILE_TYPES, onFile),
    icon("up"),
    h("strong", null, "Choose a file"),
    h("span", null, "or drop it here: a table, an array, or a zip of images"),
    h("small", null, `up to ${Math.round(limits.upload_bytes / 2 ** 20)} MB`),
  );
  return h("div", { class: "bring" }, drop, datasets.length > 0 && createDatasetList(datasets, onDataset));
}

/** @param {State["datasets"]} datasets @param {(name: string) => void} onDataset */
function createDatasetList(datasets, onDataset) {
  const buttons = datasets.map(({ name, summary, n }) => {
    const content = [h("b", null, name), h("span", null, summary), h("small", null, `${n.toLocaleString("en")} rows`)];
    return h("li", null, h("button", { type: "button", class: "set", onclick: () => onDataset(name) }, content));
  });
  return h("div", { class: "sets" }, h("h2", null, "Or start with one of these"), h("ul", null, buttons));
}
