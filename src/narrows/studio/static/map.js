// The map: every code as a point. Hover to see the example, click to set the dials to it, draw a lasso to select,
// draw a path to walk from example to example.

import KDBush from "./vendor/kdbush.js";
import { category, colourPoints, scaleStyle } from "./colours.js";
import { Points } from "./points.js";
import { button, copy, download, h, heading, icon, isDark, number, oncePerFrame, picture, select, settled, still, thumbnail, tried } from "./ui.js";
import { hash } from "./state.js";
import { view as makeView } from "./view.js";

/** @import {App, Panel, State, Transport} from "./types" */
/** @import {Code} from "./state.js" */
/** @typedef {"move" | "lasso" | "path"} Tool */

const REACH = 14; // pixels from the pointer to a point that it means
const FRAMES = 24; // of a walk, from one example to the next

/**
 * @param {HTMLElement} el @param {Transport} transport @param {State} state
 * @param {{code?: Code, onPick?: (row: number) => void, onView?: (parameters: Record<string, string>) => void, toDials?: () => void}} [told]
 */
export function mountMap(el, transport, state, told = {}) {
  const { model, data } = state;
  if (!model || !data) throw new Error("A map needs a model and its data.");
  const n = model.n_components;
  const choice = { projection: "components", x: 0, y: Math.min(1, n - 1), by: "" };
  if (n > 2) choice.projection = "pca";
  /** @type {Float32Array} */ let places = new Float32Array(0);
  /** @type {Float32Array} */ let values = new Float32Array(0);
  /** @type {{kind: "category" | "number", categories: string[], low: number, high: number}} */
  let colour = { kind: "number", categories: [], low: 0, high: 1 };
  /** @type {{by: string, title: string, kind: "category" | "number", categories: string[] | null}[]} */ let colours = [];
  /** @type {KDBush | null} */ let index = null;
  const view = { x: 0, y: 0, scale: 1 };
  let fitted = 1;
  /** @type {Tool} */ let tool = "move";
  /** @type {number | null} */ let only = null; // the category that alone is shown
  /** @type {number[]} */ let selection = [];
  /** @type {Uint8Array | null} */ let chosen = null; // 1 for each row selected
  let cursor = -1; // the row that the pointer or the keyboard is at
  let asked = 0; // requests for the map: an answer to an earlier one is dropped
  let dark = false;

  // the stage: behind the points the manifold, above them what is drawn by hand
  const behind = h("img", { class: "px behind", alt: "", hidden: true });
  const canvas = h("canvas", { class: "points" });
  const over = h("canvas", { class: "over" });
  const tip = h("div", { class: "tip", hidden: true });
  const live = h("p", { class: "sr", "aria-live": "polite" });
  const axes = { x: h("span", { class: "axis x" }), y: h("span", { class: "axis y" }) };
  const stage = h("div", { class: "stage", tabindex: "0", role: "application", "aria-busy": "true", "aria-label": `Map of ${data.n} codes. Arrow keys go from point to point, Enter sets the dials, P adds to the path, plus and minus zoom, 0 shows all.` }, behind, canvas, over, axes.x, axes.y, tip, h("p", { class: "waits" }, h("span", { class: "spinner" }), `Placing ${data.n.toLocaleString("en")} examples`));
  /** @type {Points | null} */ let points = new Points(canvas);
  const pen = /** @type {CanvasRenderingContext2D} */ (over.getContext("2d"));

  // what is chosen
  /** @type {[string, string][]} */
  const components = Array.from({ length: Math.min(n, 256) }, (_, i) => [String(i), `z${i}`]);
  const projection = select("Shown", [["components", "two components"], ["pca", "all, by PCA"]], choice.projection, (value) => { choice.projection = value; load(); });
  const xs = select("Across", components, String(choice.x), (value) => { choice.x = Number(value); load(); });
  const ys = select("Up", components, String(choice.y), (value) => { choice.y = Number(value); load(); });
  const by = h("select", { "aria-label": "Colour", onchange: () => { choice.by = by.value; recolour(); } });
  const grid = h("input", { type: "checkbox", onchange: () => manifold() });
  const able = model.kind === "image" && !model.sparse;
  const legend = h("div", { class: "legend", role: "group", "aria-label": "Legend" });
  const tools = h("div", { class: "switch tools", role: "group", "aria-label": "Tool" },
    (/** @type {[Tool, string, any][]} */ ([["move", "Move", "hand"], ["lasso", "Lasso", "lasso"], ["path", "Path", "path"]])).map(([name, label, sign]) =>
      button(label, sign, () => take(name), { "aria-pressed": String(name === tool), "data-tool": name })));
  const zooms = h("div", { class: "zooms", role: "group", "aria-label": "Zoom" },
    button("Closer", "plus", () => zoom(1.5), { quiet: true }), button("Farther", "minus", () => zoom(1 / 1.5), { quiet: true }), button("Show all", "fit", () => { fit(); draw(); }, { quiet: true }));

  // beside the stage: the example at the dials, the selection, the path
  const screen = makeView(model, "The example at this place");
  const about = h("p", { class: "about" }, "Click a point: it is decoded here, and the dials are set to it.");
  const toDials = told.toDials && button("Turn its dials", "dials", told.toDials, { disabled: true });
  const selected = h("div", { class: "side-part" });
  const walk = h("div", { class: "side-part" });

  el.classList.add("narrows", "map-panel");
  el.replaceChildren(
    h("div", { class: "map-bar" }, projection.element, xs.element, ys.element, h("label", { class: "field" }, h("span", { class: "field-name" }, "Colour"), by),
      able && h("label", { class: "check" }, grid, "Decoded grid behind"), tools),
    h("div", { class: "map-main" }, h("div", null, h("div", { class: "stage-box" }, stage, zooms), legend, live),
      h("div", { class: "side" }, h("div", { class: "side-part at" }, h("div", { class: `stage-picture small ${model.kind}` }, screen.element), h("div", null, about, toDials)), selected, walk)),
  );

  // ---- places ----

  const place = () => `x=${choice.x}&y=${choice.y}&projection=${choice.projection}`;

  async function load() {
    const mine = ++asked;
    const flat = choice.projection === "components";
    xs.field.disabled = ys.field.disabled = !flat;
    tell();
    const answer = await tried(transport.binary("GET", `/api/map?${place()}`));
    if (!answer || mine !== asked) return;
    places = /** @type {Float32Array} */ (answer.data);
    const shares = (answer.headers.explained ?? "").split(",").map((share) => (share ? `, ${Math.round(100 * Number(share))} % of the variance` : ""));
    axes.x.textContent = flat ? `z${choice.x} →` : `first component${shares[0] ?? ""} →`;
    axes.y.textContent = flat ? `z${choice.y} →` : `second component${shares[1] ?? ""} →`;
    const tree = new KDBush(places.length / 2, 64, Float32Array);
    for (let i = 0; i < places.length; i += 2) tree.add(places[i], places[i + 1]);
    index = tree.finish();
    hover(-1);
    fit();
    if (values.length !== places.length / 2) values = new Float32Array(places.length / 2);
    paint();
    manifold();
  }

  async function recolour() {
    only = null;
    tell();
    const found = colours.find((c) => c.by === choice.by);
    if (!found) return;
    const answer = await tried(transport.binary("GET", `/api/map/colour?by=${encodeURIComponent(choice.by)}`));
    if (!answer || found.by !== choice.by) return;
    values = /** @type {Float32Array} */ (answer.data);
    colour = { kind: found.kind, categories: found.categories ?? [], low: Number(answer.headers.low ?? 0), high: Number(answer.headers.high ?? 1) };
    paint();
    explain();
  }

  function paint() {
    dark = isDark(stage);
    behind.style.filter = !dark && model?.shape[2] === 1 ? "invert(1)" : ""; // ink on paper, so that points stand out
    if (!places.length || values.length !== places.length / 2) return;
    stage.setAttribute("aria-busy", "false");
    const shown = (/** @type {number} */ i) => (chosen ? chosen[i] === 1 : only === null || values[i] === only);
    points?.set(places, colourPoints(values, { ...colour, dark, shown }));
    draw();
  }

  function explain() {
    if (colour.kind === "number") {
      legend.replaceChildren(h("span", { class: "ramp" }, h("small", null, number(colour.low)), h("i", { style: { "background-image": scaleStyle(dark) } }), h("small", null, number(colour.high))));
      return;
    }
    legend.replaceChildren(...colour.categories.slice(0, 40).map((name, i) => button(name, null, () => {
      only = only === i ? null : i;
      paint();
      explain();
    }, { class: "key", "aria-pressed": String(only === i), style: { "--c": category(i, dark) } })));
  }

  // ---- view ----

  function fit() {
    if (!places.length) return;
    // the farthest half a percent on each side is left to those who move the map
    const sides = [0, 1].map((axis) => {
      const sorted = Float32Array.from({ length: places.length / 2 }, (_, i) => places[2 * i + axis]).sort();
      const at = (/** @type {number} */ q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
      return [at(0.002), at(0.998)];
    });
    const [[left, right], [bottom, top]] = sides;
    view.x = (left + right) / 2;
    view.y = (bottom + top) / 2;
    const room = 0.9;
    view.scale = Math.min((room * (stage.clientWidth || 600)) / (right - left || 1), (room * (stage.clientHeight || 400)) / (top - bottom || 1));
    fitted = view.scale;
  }

  const atRest = settled(() => {
    points?.draw(view, false);
    manifold();
  }, 140);

  const frame = oncePerFrame((/** @type {boolean} */ moving) => {
    points?.draw(view, moving);
    overlay();
  });

  function draw(moving = false) {
    frame(moving);
    if (moving) atRest();
  }

  /** Data -> pixels of the stage. @param {number} x @param {number} y @returns {[number, number]} */
  const seen = (x, y) => [(x - view.x) * view.scale + stage.clientWidth / 2, stage.clientHeight / 2 - (y - view.y) * view.scale];
  /** Pixels of the stage -> data. @param {number} px @param {number} py @returns {[number, number]} */
  const meant = (px, py) => [(px - stage.clientWidth / 2) / view.scale + view.x, (stage.clientHeight / 2 - py) / view.scale + view.y];

  /** @param {number} factor @param {number} [px] @param {number} [py] what stays where it is */
  function zoom(factor, px = stage.clientWidth / 2, py = stage.clientHeight / 2) {
    const [x, y] = meant(px, py);
    view.scale = Math.min(fitted * 400, Math.max(fitted / 8, view.scale * factor));
    const [nx, ny] = meant(px, py);
    view.x += x - nx;
    view.y += y - ny;
    draw(true);
  }

  // ---- the manifold behind ----

  /** @type {{left: number, right: number, bottom: number, top: number} | null} */ let extent = null;
  let gridAsked = 0;
  async function manifold() {
    const on = able && grid.checked;
    if (!on) {
      behind.hidden = true;
      extent = null;
      overlay();
      return;
    }
    const mine = ++gridAsked;
    const side = Math.max(stage.clientWidth, stage.clientHeight) / view.scale / 2;
    const wanted = { left: view.x - side, right: view.x + side, bottom: view.y - side, top: view.y + side };
    const url = await transport.picture(`/api/map/manifold?${place()}&${Object.entries(wanted).map(([k, v]) => `${k}=${v}`).join("&")}&size=24`);
    const next = new Image();
    next.src = url;
    const loaded = await next.decode().then(() => true, () => false);
    if (!loaded || mine !== gridAsked || !grid.checked) return;
    behind.src = url;
    behind.hidden = false;
    extent = wanted;
    overlay();
  }

  // ---- what is drawn by hand ----

  /** @type {[number, number][]} */ let lasso = []; // places
  /** @type {number[]} */ let path = []; // rows
  let walked = 0; // how far along it, in examples

  function overlay() {
    const ratio = Math.min(devicePixelRatio, 2);
    const [width, height] = [stage.clientWidth, stage.clientHeight];
    if (over.width !== Math.round(width * ratio) || over.height !== Math.round(height * ratio)) {
      over.width = Math.round(width * ratio);
      over.height = Math.round(height * ratio);
    }
    if (extent) {
      const [left, top] = seen(extent.left, extent.top);
      const [right, bottom] = seen(extent.right, extent.bottom);
      Object.assign(behind.style, { width: `${right - left}px`, height: `${bottom - top}px`, transform: `translate(${left}px, ${top}px)` });
    }
    const ink = getComputedStyle(stage).color;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.lineWidth = 1.75;
    pen.lineJoin = "round";
    pen.strokeStyle = ink;
    if (lasso.length > 1) {
      pen.beginPath();
      for (const [x, y] of lasso) pen.lineTo(...seen(x, y));
      pen.closePath();
      pen.globalAlpha = 0.1;
      pen.fillStyle = ink;
      pen.fill();
      pen.globalAlpha = 1;
      pen.setLineDash([5, 4]);
      pen.stroke();
      pen.setLineDash([]);
    }
    if (path.length) {
      pen.beginPath();
      for (const row of path) pen.lineTo(...spot(row));
      pen.stroke();
      path.forEach((row, i) => dot(...spot(row), 9, String(i + 1), ink));
      if (path.length > 1) dot(...along(walked), 6, "", ink);
    }
    if (cursor >= 0) {
      pen.beginPath();
      pen.arc(...spot(cursor), 9, 0, 2 * Math.PI);
      pen.lineWidth = 2;
      pen.stroke();
    }
  }

  /** @param {number} row */
  const spot = (row) => seen(places[2 * row], places[2 * row + 1]);

  /** @param {number} x @param {number} y @param {number} radius @param {string} words @param {string} ink */
  function dot(x, y, radius, words, ink) {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fillStyle = words ? ink : getComputedStyle(el).getPropertyValue("--mark") || "#d55e00";
    pen.fill();
    pen.fillStyle = dark ? "#0f161b" : "#ffffff";
    pen.font = "600 11px sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(words, x, y + 0.5);
  }

  /** @param {number} t @returns {[number, number]} */
  function along(t) {
    const i = Math.min(path.length - 2, Math.floor(t));
    const [a, b] = [spot(path[i]), spot(path[i + 1])];
    return [a[0] + (b[0] - a[0]) * (t - i), a[1] + (b[1] - a[1]) * (t - i)];
  }

  // ---- one point ----

  /** @param {number} px @param {number} py pixels of the stage @returns {number} a row, or -1 */
  function nearest(px, py) {
    if (!index) return -1;
    const [x, y] = meant(px, py);
    let best = -1;
    let least = Infinity;
    for (const i of index.within(x, y, REACH / view.scale)) {
      if (only !== null && values[i] !== only) continue;
      const far = (places[2 * i] - x) ** 2 + (places[2 * i + 1] - y) ** 2;
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  /** The next point in a direction, for the arrow keys. @param {number} dx @param {number} dy */
  function beside(dx, dy) {
    if (cursor < 0 || !index) {
      const [x, y] = [view.x, view.y];
      let best = -1;
      let least = Infinity;
      for (let i = 0; i < places.length / 2; i++) {
        const far = (places[2 * i] - x) ** 2 + (places[2 * i + 1] - y) ** 2;
        if (far < least) [best, least] = [i, far];
      }
      return best;
    }
    const [x, y] = [places[2 * cursor], places[2 * cursor + 1]];
    for (let reach = 12; reach < 4000; reach *= 2) {
      let best = -1;
      let least = Infinity;
      for (const i of index.within(x, y, reach / view.scale)) {
        const [ax, ay] = [places[2 * i] - x, places[2 * i + 1] - y];
        const ahead = ax * dx + ay * dy;
        const aside = Math.abs(ax * dy) + Math.abs(ay * dx);
        // far enough to be seen as another place
        if (ahead * view.scale < 4 || aside > ahead || (only !== null && values[i] !== only)) continue;
        if (ahead + 2 * aside < least) [best, least] = [i, ahead + 2 * aside];
      }
      if (best >= 0) return best;
    }
    return cursor;
  }

  const look = settled(async (/** @type {number} */ row) => {
    if (row !== cursor) return;
    const found = await transport.json("GET", `/api/data/${row}`).catch(() => null);
    if (!found || row !== cursor) return;
    const value = colour.kind === "number" && choice.by !== "label" ? `${by.selectedOptions[0]?.textContent ?? ""} ${number(values[row])}` : "";
    const words = [`row ${row}`, found.label, value].filter(Boolean).join(" · ");
    tip.replaceChildren(
      found.example.picture ? h("img", { class: "px", src: found.example.picture, alt: "" }) : h("ul", null, (found.example.values ?? []).slice(0, 6).map((/** @type {number} */ v, /** @type {number} */ i) => h("li", null, h("span", null, model.columns?.[i] ?? `column ${i + 1}`), h("b", null, number(v))))),
      h("p", null, words),
    );
    tip.hidden = false;
    const [x, y] = spot(row);
    const left = x + 18 + tip.offsetWidth > stage.clientWidth ? x - tip.offsetWidth - 18 : x + 18;
    const top = Math.min(Math.max(6, y - tip.offsetHeight / 2), stage.clientHeight - tip.offsetHeight - 6);
    tip.style.transform = `translate(${Math.max(6, left)}px, ${top}px)`;
    if (document.activeElement === stage) live.textContent = words;
  }, 40);

  /** @param {number} row */
  function hover(row) {
    if (row === cursor) return;
    cursor = row;
    stage.classList.toggle("on-point", row >= 0);
    if (row < 0) tip.hidden = true;
    else look(row);
    overlay();
  }

  /** Sets the dials to a row. @param {number} row */
  async function pick(row) {
    const found = await tried(transport.binary("GET", `/api/codes?rows=${row}`));
    if (!found) return;
    transport.decode(/** @type {Float32Array} */ (found.data), screen.show);
    about.textContent = `Row ${row}, as the decoder draws it. The dials are set to its code.`;
    live.textContent = `The dials are set to row ${row}.`;
    if (toDials) toDials.disabled = false;
    told.onPick?.(row);
  }

  // ---- selection ----

  /** @param {number[]} rows */
  function choose(rows) {
    selection = rows.sort((a, b) => a - b);
    chosen = null;
    if (rows.length) {
      chosen = new Uint8Array(places.length / 2);
      for (const row of rows) chosen[row] = 1;
    }
    paint();
    live.textContent = rows.length ? `${rows.length} selected.` : "Nothing is selected.";
    list();
  }

  function list() {
    const clear = () => {
      lasso = [];
      choose([]);
    };
    const lines = () => `${selection.join("\n")}\n`;
    selected.replaceChildren(...(selection.length
      ? [
          h("h2", null, `${selection.length.toLocaleString("en")} selected`),
          h("div", { class: "deeds" }, button("Rows", "save", () => download(new Blob([lines()], { type: "text/plain" }), "rows.txt"), { title: "Save the row numbers" }), button("Copy", "copy", () => copy(`[${selection.join(", ")}]`, "Row numbers")), button("Clear", "close", clear)),
          h("ul", { class: `thumbs ${model?.kind}` }, selection.slice(0, 60).map((row) => h("li", null, h("button", { type: "button", onclick: () => pick(row), title: `row ${row}`, "aria-label": `Row ${row}: set the dials to it` }, model && thumbnail(transport, model, row, ""))))),
          selection.length > 60 && h("p", { class: "note" }, `The first 60 of ${selection.length.toLocaleString("en")}.`),
        ]
      : [h("h2", null, "Selection"), h("p", { class: "note" }, "Draw a lasso around points, or "), button("Select what is in view", "fit", () => choose(index?.range(...meant(0, stage.clientHeight), ...meant(stage.clientWidth, 0)).filter((i) => only === null || values[i] === only) ?? []))]
    ).filter(Boolean).map((child) => /** @type {Node} */ (child)));
  }

  /** @param {[number, number][]} outline */
  function inside(outline) {
    const [xs, ys] = [outline.map((p) => p[0]), outline.map((p) => p[1])];
    const found = index?.range(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)) ?? [];
    return found.filter((row) => {
      const [x, y] = [places[2 * row], places[2 * row + 1]];
      if (only !== null && values[row] !== only) return false;
      let odd = false; // crossings of a ray to the right
      for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
        const [[ax, ay], [bx, by]] = [outline[i], outline[j]];
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
      }
      return odd;
    });
  }

  // ---- the path ----

  /** @type {Float32Array[]} */ let codes = [];
  let playing = 0;
  const scrub = h("input", { type: "range", min: 0, max: 1, step: 1 / FRAMES, value: 0, "aria-label": "Place on the path", oninput: () => { pause(); step(Number(scrub.value)); } });
  const play = button("Play", "play", () => (playing ? pause() : start()));

  /** @param {number} row */
  async function extend(row) {
    if (path.at(-1) === row) return;
    path.push(row);
    overlay();
    const found = await tried(transport.binary("GET", `/api/codes?rows=${path.join(",")}`));
    if (!found) return;
    codes = path.map((_, i) => /** @type {Float32Array} */ (found.data).slice(i * n, (i + 1) * n));
    scrub.max = String(Math.max(1, path.length - 1));
    live.textContent = `The path has ${path.length} ${path.length === 1 ? "stop" : "stops"}.`;
    route();
    if (path.length === 1) transport.decode(codes[0], screen.show);
    else if (!still()) start(path.length - 2);
  }

  function route() {
    walk.replaceChildren(h("h2", null, "Path"), ...(path.length > 1
      ? [h("div", { class: "deeds" }, play, button("Clear", "close", () => { pause(); path = []; codes = []; walked = 0; route(); overlay(); })), scrub]
      : [h("p", { class: "note" }, path.length ? "One stop. Click the next point." : "With the path tool, click points one after the other, and see what lies between them.")]));
  }

  /** @param {number} t */
  function step(t) {
    walked = Math.min(t, path.length - 1);
    scrub.value = String(walked);
    const i = Math.min(codes.length - 2, Math.floor(walked));
    if (i < 0) return;
    const share = walked - i;
    transport.decode(codes[i].map((v, k) => v + (codes[i + 1][k] - v) * share), screen.show);
    about.textContent = `Between row ${path[i]} and row ${path[i + 1]}.`;
    overlay();
  }

  /** @param {number} [from] */
  function start(from = walked >= path.length - 1 ? 0 : walked) {
    let last = performance.now();
    walked = from;
    cancelAnimationFrame(playing);
    /** @param {number} now */
    const tick = (now) => {
      step(walked + (now - last) / 1200);
      last = now;
      if (walked >= path.length - 1) pause();
      else playing = requestAnimationFrame(tick);
    };
    playing = requestAnimationFrame(tick);
    play.replaceChildren(icon("pause"), h("span", null, "Pause"));
  }

  function pause() {
    cancelAnimationFrame(playing);
    playing = 0;
    play.replaceChildren(icon("play"), h("span", null, "Play"));
  }

  // ---- pointer and keyboard ----

  /** @param {Tool} name */
  function take(name) {
    tool = name;
    stage.dataset.tool = name;
    for (const b of tools.querySelectorAll("button")) b.setAttribute("aria-pressed", String(b.dataset.tool === name));
  }

  /** @type {Map<number, [number, number]>} */ const down = new Map(); // pointers
  let moved = 0;
  /** @param {PointerEvent} event @returns {[number, number]} */
  const at = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left - stage.clientLeft, event.clientY - box.top - stage.clientTop];
  };

  const pointed = oncePerFrame((/** @type {number} */ px, /** @type {number} */ py) => {
    if (!down.size) hover(nearest(px, py));
  });

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    down.set(event.pointerId, at(event));
    moved = 0;
    if (tool === "lasso") lasso = [meant(...at(event))];
  });
  stage.addEventListener("pointermove", (event) => {
    const now = at(event);
    const before = down.get(event.pointerId);
    if (!before) return pointed(...now);
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    moved += Math.hypot(dx, dy);
    if (down.size === 2) {
      // two fingers: what is between them stays between them
      const other = [...down.entries()].find(([id]) => id !== event.pointerId)?.[1] ?? now;
      const grown = Math.hypot(now[0] - other[0], now[1] - other[1]) / (Math.hypot(before[0] - other[0], before[1] - other[1]) || 1);
      down.set(event.pointerId, now);
      return zoom(grown, (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    }
    down.set(event.pointerId, now);
    if (tool === "lasso") {
      lasso.push(meant(...now));
      return overlay();
    }
    if (moved > 4) hover(-1);
    view.x -= dx / view.scale;
    view.y += dy / view.scale;
    draw(true);
  });
  /** @param {PointerEvent} event */
  const up = (event) => {
    if (!down.delete(event.pointerId) || down.size || event.type === "pointercancel") return;
    if (tool === "lasso" && moved > 8) return choose(inside(lasso));
    if (moved > 4) return;
    lasso = [];
    const row = nearest(...at(event));
    hover(row);
    if (row < 0) overlay();
    else if (tool === "path") extend(row);
    else pick(row);
  };
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", up);
  stage.addEventListener("pointerleave", () => !down.size && hover(-1));
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  stage.addEventListener("keydown", (event) => {
    /** @type {Record<string, [number, number]>} */
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const way = ways[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (way && event.shiftKey) {
      view.x += (way[0] * 60) / view.scale;
      view.y += (way[1] * 60) / view.scale;
      draw(true);
    } else if (way) {
      hover(beside(...way));
      // a point out of sight is brought in
      const [x, y] = spot(cursor);
      if (x < 20 || y < 20 || x > stage.clientWidth - 20 || y > stage.clientHeight - 20) {
        [view.x, view.y] = [places[2 * cursor], places[2 * cursor + 1]];
        draw(true);
      }
    } else if (event.key === "Enter" && cursor >= 0) pick(cursor);
    else if (event.key.toLowerCase() === "p" && cursor >= 0) extend(cursor);
    else if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else if (event.key === "0") {
      fit();
      draw();
    } else if (event.key === "Escape") {
      hover(-1);
      lasso = [];
      if (selection.length) choose([]);
    } else return;
    event.preventDefault();
  });

  // ---- beginning and end ----

  function tell() {
    told.onView?.(choice.projection === "pca" ? { projection: "pca", by: choice.by } : { x: String(choice.x), y: String(choice.y), by: choice.by });
  }

  let box = "";
  const resized = new ResizeObserver(() => {
    const now = `${stage.clientWidth} ${stage.clientHeight}`;
    if (now === box) return;
    if (!box || box.startsWith("0 ")) fit();
    box = now;
    draw();
  });
  resized.observe(stage);
  const themed = () => { paint(); explain(); };
  addEventListener("theme", themed);

  const ready = transport.json("GET", "/api/map/colours").then((answer) => {
    colours = answer;
    // scores of very many rows take a while: they wait until they are asked for
    const quick = data.n > 20000 && !data.labels && colours.find((c) => c.by.startsWith("component:"));
    if (!colours.some((c) => c.by === choice.by)) choice.by = (quick || colours[0])?.by ?? "";
    by.replaceChildren(...colours.map((c) => h("option", { value: c.by, selected: c.by === choice.by }, c.title)));
    return load().then(recolour); // places first: colours may take the model a while
  });
  tried(ready);
  if (told.code?.ready) {
    transport.decode(told.code.value, screen.show);
    about.textContent = "What the dials make. Click a point: they are set to it.";
    if (toDials) toDials.disabled = false;
  }
  take("move");
  list();
  route();

  return {
    ready,
    /** What a link says. @param {Record<string, string>} wanted */
    choose({ x, y, projection: shown, by: colouring }) {
      const inRange = (/** @type {string | undefined} */ v) => v !== undefined && Number(v) >= 0 && Number(v) < Math.min(n, 256);
      if (inRange(x) && inRange(y)) Object.assign(choice, { projection: "components", x: Number(x), y: Number(y) });
      if (shown === "pca") choice.projection = "pca";
      if (colouring) choice.by = colouring;
      projection.field.value = choice.projection;
      xs.field.value = String(choice.x);
      ys.field.value = String(choice.y);
    },
    pick,
    destroy() {
      pause();
      resized.disconnect();
      removeEventListener("theme", themed);
      points?.destroy();
      points = null;
      el.replaceChildren();
    },
  };
}

/** The panel of the page. @param {App} app @returns {Panel} */
export function panel(app) {
  const body = h("div");
  const element = h("section", { class: "panel wide" }, heading("Map", "Every example is a point, placed by its code. Point at one to see it; click to set the dials to it."), body);
  let visible = true;
  /** @type {ReturnType<typeof mountMap> | null} */ let map = null;
  return {
    element,
    show(parameters) {
      visible = true;
      if (map) return;
      map = mountMap(body, app.transport, app.state, {
        code: app.code ?? undefined,
        onPick: async (row) => {
          const found = await tried(app.transport.binary("GET", `/api/codes?rows=${row}`));
          if (found) app.code?.set(/** @type {Float32Array} */ (found.data));
        },
        onView: (now) => visible && history.replaceState(null, "", hash("map", now)),
        toDials: () => app.go("dials"),
      });
      map.choose(parameters);
    },
    hide() {
      visible = false;
    },
    destroy() {
      map?.destroy();
    },
  };
}
