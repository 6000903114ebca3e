// A live chart of a training: the loss on training and on validation examples, as lines that grow.

import { h, number } from "./ui.js";

const SPACE = "http://www.w3.org/2000/svg";
const [LEFT, BOTTOM] = [52, 24]; // pixels

/** @param {string} tag @param {Record<string, string | number>} attributes */
function drawn(tag, attributes) {
  const element = document.createElementNS(SPACE, tag);
  for (const [k, v] of Object.entries(attributes)) element.setAttribute(k, String(v));
  return element;
}

/** @typedef {{epoch: number, loss?: number | null, valid_loss?: number | null}} Point */

export function curves() {
  /** @type {Point[]} */ let points = [];
  const lines = { loss: drawn("polyline", { class: "curve train" }), valid_loss: drawn("polyline", { class: "curve valid" }) };
  const marks = drawn("g", {});
  const svg = drawn("svg", { class: "curves", role: "img", "aria-label": "The loss over epochs" });
  svg.append(marks, lines.loss, lines.valid_loss);
  const legend = h("p", { class: "curve-legend" }, h("span", { class: "train" }, "training"), h("span", { class: "valid" }, "validation"));
  const element = h("figure", { class: "curves-box" }, h("figcaption", null, "Loss, nats an example", legend));
  element.append(svg);

  function draw() {
    const values = points.flatMap((p) => [p.loss, p.valid_loss]).filter((v) => typeof v === "number" && Number.isFinite(v)).map(Number);
    const [width, height] = [svg.clientWidth, svg.clientHeight];
    if (!values.length || !width) return;
    // the first epochs fall so far that nothing else would be seen
    const later = points.slice(Math.floor(points.length / 10)).flatMap((p) => [p.loss, p.valid_loss]).filter((v) => typeof v === "number" && Number.isFinite(v)).map(Number);
    const low = Math.min(...values);
    const high = Math.max(...(points.length > 10 ? later : values), low + 1e-9);
    const last = Math.max(1, points[points.length - 1].epoch);
    const first = Math.min(points[0].epoch, last - 1e-9);
    const x = (/** @type {number} */ epoch) => LEFT + ((width - LEFT - 8) * (epoch - first)) / (last - first || 1);
    const y = (/** @type {number} */ v) => 8 + (height - BOTTOM - 8) * (1 - (Math.min(v, high) - low) / (high - low));
    for (const [key, line] of Object.entries(lines)) {
      const known = points.filter((p) => typeof p[/** @type {"loss"} */ (key)] === "number");
      line.setAttribute("points", known.map((p) => `${x(p.epoch).toFixed(1)},${y(Number(p[/** @type {"loss"} */ (key)])).toFixed(1)}`).join(" "));
    }
    marks.replaceChildren();
    for (const share of [0, 0.5, 1]) {
      const v = low + share * (high - low);
      marks.append(drawn("line", { x1: LEFT, x2: width - 8, y1: y(v), y2: y(v), class: "rule" }));
      const words = drawn("text", { x: LEFT - 8, y: y(v) + 4, "text-anchor": "end" });
      words.textContent = number(Number(v.toPrecision(4)));
      marks.append(words);
    }
    const words = drawn("text", { x: width - 8, y: height - 4, "text-anchor": "end" });
    words.textContent = `epoch ${Math.round(last)}`;
    marks.append(words);
  }

  new ResizeObserver(draw).observe(svg);
  return {
    element,
    /** @param {Point} point */
    add(point) {
      points = points.filter((p) => p.epoch !== point.epoch);
      points.push(point);
      points.sort((a, b) => a.epoch - b.epoch);
      draw();
    },
    clear() {
      points = [];
      marks.replaceChildren();
      for (const line of Object.values(lines)) line.setAttribute("points", "");
    },
  };
}
