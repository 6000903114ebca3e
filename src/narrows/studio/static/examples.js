// Examples as elements: pictures, rows, series, tiles, and thumbnails from the server.

import { cellLines } from "./cell-parts.js";
import { CellTable } from "./cell-table.js";
import { findUnusual } from "./cells.js";
import { h } from "./dom.js";
import { SeriesChart } from "./series-chart.js";

/** @import {CellColumn, Example, Model, Transport} from "./types" */

export const MAX_CELLS = 6; // of a row in a thumbnail
const MAX_CHANNELS = 3; // of a series in a thumbnail

/** Render an example: its picture, its cells as bars, or its channels as lines.
 * @param {Example} example @param {string} alt @param {Model} model
 * @param {{most?: number}} [options] of `createRows` */
export function renderExample(example, alt, model, options) {
  if (example.picture) return h("img", { class: "px", src: example.picture, alt, decoding: "async" });
  const rows = createRows([], alt, model, options);
  rows.compare(example);
  return rows.element;
}

/** Render rows, vectors or series as columns of one table, or as lines of one chart. Its `compare` shows examples, and
 * brings those columns of a table to the top that differ most from the first example; of a single one, those that are
 * furthest from the mean.
 * @param {string[]} captions of the examples; [] for one without @param {string} label
 * @param {{kind: Model["kind"], cells: CellColumn[] | null}} model
 * @param {{most?: number, hasNote?: boolean}} [options] columns or channels shown at first; false to leave out what the
 *   bars mean */
export function createRows(captions, label, { kind, cells }, options = {}) {
  return new (kind === "series" ? SeriesChart : CellTable)(cells ?? [], label, captions, options);
}

/** A picture from the server. @param {Transport} transport @param {string} path @param {string} alt
 * @param {Record<string, any>} [properties] */
export function picture(transport, path, alt, properties = {}) {
  const classes = `px ${properties.class ?? ""}`.trim();
  const image = h("img", { alt, decoding: "async", loading: "lazy", ...properties, class: classes });
  transport.pictureUrl(path).then((url) => (image.src = url));
  return image;
}

/**
 * @typedef {object} ThumbnailOptions
 * @property {number[]} [positions] of the cells that are shown; without them, those furthest from the mean
 * @property {string[]} [notes] one behind each cell
 * @property {Example | null} [other] another row, which bars mark
 */

/** A row of the data: its picture, some of its cells, or some of its channels.
 * @param {Transport} transport @param {Model} model @param {number} row @param {string} [alt]
 * @param {ThumbnailOptions} [options] */
export function thumbnail(transport, model, row, alt = `row ${row}`, { positions, notes, other } = {}) {
  if (model.kind === "image") {
    const [height, width] = model.shape;
    return picture(transport, `/api/data/${row}/picture`, alt, { width, height });
  }
  const columns = model.cells ?? [];
  const element = h("span", { class: "values" }, `row ${row}`);
  /** @param {{example: Example}} answer */
  const fill = ({ example: { values } }) => {
    if (model.kind === "series") {
      const chart = new SeriesChart(columns, `row ${row}`, [], { most: MAX_CHANNELS, isSmall: true });
      if (positions) chart.order(positions);
      chart.show(values ?? []);
      element.replaceChildren(chart.element);
      return;
    }
    const shown = positions ?? findUnusual(columns, values ?? [], MAX_CELLS);
    element.replaceChildren(cellLines(columns, values ?? [], shown, { notes, other: other?.values ?? undefined }));
  };
  transport.json("GET", `/api/data/${row}`).then(fill, () => {});
  return element;
}

/** Say which cells thumbnails show, or return "" if they show all. @param {Model} model
 * @param {string} [which] */
export function describeThumbnails({ kind, cells }, which = "those furthest from the mean") {
  const n = cells?.length ?? 0;
  if (kind === "series") return n > MAX_CHANNELS ? `${MAX_CHANNELS} of ${n} channels are shown.` : "";
  return n > MAX_CELLS ? `${MAX_CELLS} of ${n.toLocaleString("en")} columns are shown, ${which}.` : "";
}

/** Examples edge to edge, as parts of one picture.
 * @param {{n: number, places?: number, columns: number, shape: number[], alt: string}} layout */
export function createTiles({ n, places = n, columns, shape, alt }) {
  const rows = Math.ceil(n / columns);
  /** @param {number} i @param {number} count */
  const percent = (i, count) => `${count > 1 ? (100 * i) / (count - 1) : 0}%`;
  const tiles = Array.from({ length: places }, (_, i) => {
    const position = `${percent(i % columns, columns)} ${percent(Math.floor(i / columns), rows)}`;
    const style = { "aspect-ratio": `${shape[1]} / ${shape[0]}`, "background-position": position };
    return h("i", { class: i < n ? null : "empty", style });
  });
  let requestId = 0;
  return {
    element: h("span", { class: "tiles", role: "img", "aria-label": alt, style: { "--columns": columns } }, tiles),
    /** Show a picture once it is loaded. @param {Promise<string>} url */
    async show(url) {
      const id = ++requestId;
      const image = new Image();
      image.src = await url;
      const isLoaded = await image.decode().then(
        () => true,
        () => false,
      );
      if (!isLoaded || id !== requestId) return;
      for (const tile of tiles.slice(0, n)) tile.style.backgroundImage = `url("${image.src}")`;
    },
  };
}

/** Names and values for a list of figures. @param {[string, string][]} pairs */
export function figureList(pairs) {
  return pairs.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)));
}
