// Examples as elements: pictures, bars, tiles, and thumbnails from the server.

import { cellList, createCellTable } from "./cells.js";
import { h } from "./dom.js";
import { formatNumber } from "./format.js";

/** @import {Example, Model, Transport} from "./types" */

const MAX_CELLS = 6; // of a row in a list

/** Render an example: its picture, or its cells as bars.
 * @param {Example} example @param {string} alt @param {Model} model */
export function renderExample(example, alt, model) {
  if (example.picture) return h("img", { class: "px", src: example.picture, alt, decoding: "async" });
  const values = example.values ?? [];
  if (model.cells) {
    const table = createCellTable(model.cells, alt);
    table.show(values, example.probs);
    return table.element;
  }
  const bars = createBars(model.columns ?? values.map((_, i) => `column ${i + 1}`), alt);
  bars.show(values);
  return bars.element;
}

/** A picture from the server. @param {Transport} transport @param {string} path @param {string} alt
 * @param {Record<string, any>} [properties] */
export function picture(transport, path, alt, properties = {}) {
  const classes = `px ${properties.class ?? ""}`.trim();
  const image = h("img", { alt, decoding: "async", loading: "lazy", ...properties, class: classes });
  transport.pictureUrl(path).then((url) => (image.src = url));
  return image;
}

/** A row of the data: its picture, or some of its values.
 * @param {Transport} transport @param {Model} model @param {number} row @param {string} [alt]
 * @param {string[]} [first] names of columns that come first */
export function thumbnail(transport, model, row, alt = `row ${row}`, first = []) {
  if (model.kind === "image") {
    const [height, width] = model.shape;
    return picture(transport, `/api/data/${row}/picture`, alt, { width, height });
  }
  const element = h("span", { class: "values" }, `row ${row}`);
  /** @param {{example: Example}} answer */
  const fill = ({ example }) => {
    if (model.cells) {
      element.replaceChildren(...cellList(model.cells, example, MAX_CELLS, first));
      return;
    }
    const name = (/** @type {number} */ i) => model.columns?.[i] ?? i;
    const values = (example.values ?? []).slice(0, 4);
    element.replaceChildren(...values.map((v, i) => h("span", null, `${name(i)} `, h("b", null, formatNumber(v)))));
  };
  transport.json("GET", `/api/data/${row}`).then(fill, () => {});
  return element;
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

/** A table with a header, whose first column names the rows. @param {string[]} columns @param {string[][]} rows */
export function plainTable(columns, rows) {
  const header = h(
    "tr",
    null,
    columns.map((name) => h("th", { scope: "col" }, name)),
  );
  const lines = rows.map(([name, ...values]) =>
    h(
      "tr",
      null,
      h("th", { scope: "row" }, name),
      values.map((value) => h("td", null, value)),
    ),
  );
  return h("table", { class: "plain" }, h("thead", null, header), h("tbody", null, lines));
}

/** Values as bars. With ranges each column has a scale of its own, which grows with its values.
 * @param {string[]} names @param {string} label @param {[number, number][]} [ranges] lowest and highest of each */
export function createBars(names, label, ranges) {
  const scales = names.map((_, i) => barScale(ranges?.[i]));
  const rows = names.map((name) => {
    const fill = h("i");
    const value = h("td", { class: "value" });
    const header = h("th", { scope: "row", title: name }, name);
    return { row: h("tr", null, header, h("td", { class: "track" }, fill), value), fill, value };
  });
  const body = h(
    "tbody",
    null,
    rows.map(({ row }) => row),
  );
  const table = h("table", { class: "bars" }, h("caption", { class: "sr" }, label), body);
  const element = h("div", { class: "bars-box", tabindex: "0", role: "region", "aria-label": label }, table);

  /** @param {ArrayLike<number | null>} cells null for a gap */
  function show(cells) {
    const isShared = !ranges;
    const values = Array.from(cells, (value) => value ?? NaN);
    const highest = isShared ? values.reduce((most, v) => Math.max(most, Math.abs(v) || 0), 1e-12) : 0;
    const lowest = values.some((v) => v < 0) ? -highest : 0;
    rows.forEach(({ fill, value }, i) => {
      const scale = scales[i];
      value.textContent = formatNumber(values[i]);
      if (Number.isNaN(values[i])) {
        fill.style.transform = "scaleX(0)";
        return;
      }
      scale[0] = isShared ? lowest : Math.min(scale[0], values[i]);
      scale[1] = isShared ? highest : Math.max(scale[1], values[i]);
      const span = scale[1] - scale[0] || 1;
      const zero = (Math.min(Math.max(0, scale[0]), scale[1]) - scale[0]) / span;
      const end = (values[i] - scale[0]) / span;
      fill.style.transform = `translateX(${100 * Math.min(zero, end)}%) scaleX(${Math.abs(end - zero)})`;
      fill.className = end < zero ? "less" : "";
    });
  }
  return { element, show };
}

/** Return the ends of a bar's scale. Columns that cross zero are symmetric, so that their zeros are aligned.
 * @param {[number, number]} [range] @returns {[number, number]} */
function barScale(range) {
  if (!range) return [0, 0];
  const [low, high] = range;
  if (low >= 0) return [0, high];
  const reach = Math.max(Math.abs(low), Math.abs(high));
  return [-reach, reach];
}
