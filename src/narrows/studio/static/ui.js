// Elements, pictures and small habits that panels share. Nothing here knows what a model is.

/** @import {Example, Transport} from "./types" */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element: h("p", {class: "note", onclick}, "words", child). Properties that begin with "on" are listeners, `style` is
 * an object (a strict page allows no style attributes), and a value of false or null leaves the attribute out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, any> | null} [properties] @param {(Child | Child[])[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [k, v] of Object.entries(value)) element.style.setProperty(k, String(v));
    else if (name === "value") /** @type {HTMLInputElement} */ (element).value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false).map((c) => (c instanceof Node ? c : String(c))));
  return element;
}

/** What an element holds from now on. @param {Element} element @param {...(Child | Child[])} children */
export function fill(element, ...children) {
  element.replaceChildren(...h("div", null, ...children).childNodes);
}

const ICONS = {
  random: "M3 17h3c5 0 6-10 11-10h4m-3-3 3 3-3 3M3 7h3c1.800 0 3 1.200 4 2.800M13.500 14.500c1 1.500 2 2.500 3.500 2.500h4m-3-3 3 3-3 3",
  reset: "M4 4v5h5M4.600 9a8 8 0 1 1-.5 5",
  undo: "M9 7 4 12l5 5M4 12h10a6 6 0 0 1 6 6",
  redo: "M15 7l5 5-5 5M20 12H10a6 6 0 0 0-6 6",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  open: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 6.800-1.200",
  link: "M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-5.700-5.700L12 7M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 5.700 5.700L12 17",
  save: "M12 4v11m-5-5 5 5 5-5M5 20h14",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  code: "m8 7-5 5 5 5M16 7l5 5-5 5",
  dials: "M4 7h9m6 0h1M4 17h3m6 0h7M16 4.500v5M10 14.500v5",
  map: "M6 17h.01M9 9h.01M13 13h.01M17 6h.01M18 16h.01M6 5h.01M12 19h.01",
  clean: "M12 3v4m0 10v4m9-9h-4M7 12H3m14.500-6.500-2.800 2.800M9.300 14.700l-2.800 2.800m11 0-2.800-2.800M9.300 9.300 6.500 6.500",
  units: "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h6v6h-6z",
  outliers: "M12 4 3 20h18zM12 10v4m0 3h.01",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm5 12 4.500 4.500",
  train: "M3 19c4 0 4-12 8-12s3 9 10 9",
  report: "M6 3h9l4 4v14H6zM9 12h7M9 16h7M9 8h3",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v2m0 16v2M4.900 4.900l1.400 1.400m11.400 11.400 1.400 1.400M2 12h2m16 0h2M4.900 19.100l1.400-1.400M17.700 6.300l1.400-1.400",
  play: "M8 5v14l11-7z",
  pause: "M8 5v14M16 5v14",
  close: "M6 6l12 12M18 6 6 18",
  hand: "M12 3v18M3 12h18M12 3 9.500 5.500M12 3l2.500 2.500M12 21l-2.500-2.500M12 21l2.500-2.500M3 12l2.500-2.500M3 12l2.500 2.500M21 12l-2.500-2.500M21 12l-2.500 2.500",
  lasso: "M7 18c-3-1-4-3.500-4-6 0-4.500 4-8 9-8s9 3 9 7-4 7-9 7c-1.500 0-2-.2-3-.5M7 18a2 2 0 1 0 0-.1Zm0 2c0 1-.5 2-2 2",
  path: "M5 19a2 2 0 1 0 0-.1ZM19 7a2 2 0 1 0 0-.1ZM6.500 17.500c4-2 0-6 4-8s4 1 6.800-1.200",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5m11-5v5h-5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  up: "M12 20V6m-6 6 6-6 6 6",
  stop: "M6 6h12v12H6z",
};

/** A drawn sign that screen readers pass over. @param {keyof typeof ICONS} name */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  for (const [k, v] of Object.entries({ viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" })) svg.setAttribute(k, v);
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button with a sign and a word; `quiet` hides the word from sight alone.
 * @param {string} label @param {keyof typeof ICONS | null} sign @param {(event: MouseEvent) => void} onclick
 * @param {Record<string, any> & {quiet?: boolean}} [more] */
export function button(label, sign, onclick, { quiet = false, ...more } = {}) {
  const kind = `button ${quiet ? "quiet" : ""} ${more.class ?? ""}`.trim();
  return h("button", { type: "button", onclick, title: quiet ? label : null, ...more, class: kind }, sign && icon(sign), h("span", { class: quiet ? "sr" : null }, label));
}

/** A label above its field. @param {string} label @param {HTMLElement} field @param {string} [hint] */
export function labelled(label, field, hint) {
  return h("label", { class: "field" }, h("span", { class: "field-name" }, label), field, hint && h("small", null, hint));
}

/** @param {string} label @param {[string, string][]} options value and words @param {string} value @param {(value: string) => void} changed */
export function select(label, options, value, changed) {
  const field = h("select", { onchange: () => changed(field.value) }, options.map(([v, words]) => h("option", { value: v }, words)));
  field.value = value;
  return { element: labelled(label, field), field };
}

/** Words that appear for a while, and are read out. @param {string} words @param {"said" | "wrong"} [kind] */
export function toast(words, kind = "said") {
  const shelf = document.querySelector("#toasts");
  if (!shelf) return;
  const note = h("p", { class: `toast ${kind}` }, words);
  shelf.append(note);
  setTimeout(() => note.remove(), kind === "wrong" ? 9000 : 4000);
}

/** Runs a request; what goes wrong is told in the server's own words. Null then.
 * @template T @param {Promise<T>} request @returns {Promise<T | null>} */
export async function tried(request) {
  try {
    return await request;
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), "wrong");
    return null;
  }
}

/** @param {string} text @param {string} what */
export async function copy(text, what) {
  const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  if (done) return toast(`${what} copied.`);
  // without the permission: the old way
  const area = h("textarea", { class: "sr", value: text, "aria-hidden": "true" });
  document.body.append(area);
  area.select();
  toast(document.execCommand("copy") ? `${what} copied.` : "The browser does not let the page copy.", "said");
  area.remove();
}

/** @param {Blob} blob @param {string} name */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/** Of calls in the same frame, the last is made. @template {unknown[]} A @param {(...args: A) => void} act @returns {(...args: A) => void} */
export function oncePerFrame(act) {
  /** @type {A | null} */ let latest = null;
  return (...args) => {
    if (!latest) {
      requestAnimationFrame(() => {
        const now = latest;
        latest = null;
        if (now) act(...now);
      });
    }
    latest = args;
  };
}

/** Of calls close together, the last is made. @template {unknown[]} A @param {(...args: A) => void} act @param {number} pause milliseconds @returns {(...args: A) => void} */
export function settled(act, pause) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => act(...args), pause);
  };
}

/** 0.01234 -> "0.0123": three digits that matter, no exponent where it can be helped. @param {number | null | undefined} value */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0"; // and no -0
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-4)) return value.toExponential(2);
  const digits = size >= 100 ? { maximumFractionDigits: size >= 1000 ? 0 : 1 } : { maximumSignificantDigits: 3 };
  return value.toLocaleString("en", digits).replace("-", "−");
}

/** @param {number} share from 0 to 1 */
export function percent(share) {
  return `${number(100 * share)} %`;
}

/** Whether this part of the page is dark: what is drawn on a canvas cannot ask the style sheet. @param {Element} element */
export function isDark(element) {
  const [red, green, blue] = (getComputedStyle(element).color.match(/[\d.]+/g) ?? ["0", "0", "0"]).map(Number);
  return red + green + blue > 382;
}

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** An example to look at: its picture, or its values as bars.
 * @param {Example} example @param {string} alt @param {string[] | null} columns names of the values */
export function shown(example, alt, columns) {
  if (example.picture) return h("img", { class: "px", src: example.picture, alt, decoding: "async" });
  const view = bars(columns ?? example.values?.map((_, i) => `column ${i + 1}`) ?? [], alt);
  view.show(example.values ?? []);
  return view.element;
}

/** A picture of the server's. @param {Transport} transport @param {string} path @param {string} alt @param {Record<string, any>} [more] */
export function picture(transport, path, alt, more = {}) {
  const image = h("img", { alt, decoding: "async", loading: "lazy", ...more, class: `px ${more.class ?? ""}`.trim() });
  transport.picture(path).then((url) => (image.src = url));
  return image;
}

/** An example of the data, by its row: a picture, or its first values. @param {Transport} transport
 * @param {import("./types").Model} model @param {number} row @param {string} [alt] */
export function thumbnail(transport, model, row, alt = `row ${row}`) {
  if (model.kind === "image") {
    const [height, width] = model.shape;
    return picture(transport, `/api/data/${row}/picture`, alt, { width, height });
  }
  const words = h("span", { class: "values" }, `row ${row}`);
  transport.json("GET", `/api/data/${row}`).then(
    ({ example }) => words.replaceChildren(...(example.values ?? []).slice(0, 4).map((/** @type {number} */ v, /** @type {number} */ i) => h("span", null, `${model.columns?.[i] ?? i} `, h("b", null, number(v))))),
    () => {},
  );
  return words;
}

/** Examples that are edge to edge on one picture, with paper between them.
 * @param {{n: number, places?: number, columns: number, shape: number[], alt: string}} what */
export function tiles({ n, places = n, columns, shape, alt }) {
  const rows = Math.ceil(n / columns);
  /** @param {number} i @param {number} of */
  const at = (i, of) => `${of > 1 ? (100 * i) / (of - 1) : 0}%`;
  const parts = Array.from({ length: places }, (_, i) => h("i", { class: i < n ? null : "empty", style: { "aspect-ratio": `${shape[1]} / ${shape[0]}`, "background-position": `${at(i % columns, columns)} ${at(Math.floor(i / columns), rows)}` } }));
  let asked = 0;
  return {
    element: h("span", { class: "tiles", role: "img", "aria-label": alt, style: { "--columns": columns } }, parts),
    /** Shows a picture once all of it is there. @param {Promise<string>} sheet its address */
    async show(sheet) {
      const mine = ++asked;
      const image = new Image();
      image.src = await sheet;
      const loaded = await image.decode().then(() => true, () => false);
      if (loaded && mine === asked) for (const part of parts.slice(0, n)) part.style.backgroundImage = `url("${image.src}")`;
    },
  };
}

/** Values as bars, each column on a scale of its own that grows as it must.
 * @param {string[]} names @param {string} label @param {[number, number][]} [ranges] lowest and highest of each */
export function bars(names, label, ranges) {
  // around zero, so that the zeros of all columns that cross it stand below each other
  const scales = names.map((_, i) => (ranges?.[i] && ranges[i][0] < 0 ? [-1, 1].map((sign) => sign * Math.max(...ranges[i].map(Math.abs))) : [0, ranges?.[i]?.[1] ?? 0]));
  const rows = names.map((name) => {
    const fill = h("i");
    const value = h("td", { class: "value" });
    return { row: h("tr", null, h("th", { scope: "row", title: name }, name), h("td", { class: "track" }, fill), value), fill, value };
  });
  const element = h("div", { class: "bars-box", tabindex: "0", role: "region", "aria-label": label }, h("table", { class: "bars" }, h("caption", { class: "sr" }, label), h("tbody", null, rows.map((r) => r.row))));
  /** @param {ArrayLike<number>} values */
  function show(values) {
    const alone = !ranges;
    const most = alone ? Math.max(1e-12, ...Array.from(values, Math.abs)) : 0;
    rows.forEach(({ fill, value }, i) => {
      const scale = scales[i];
      scale[0] = alone ? Math.min(0, -most * Number(Array.from(values).some((v) => v < 0))) : Math.min(scale[0], values[i]);
      scale[1] = alone ? most : Math.max(scale[1], values[i]);
      const span = scale[1] - scale[0] || 1;
      const zero = (Math.min(Math.max(0, scale[0]), scale[1]) - scale[0]) / span;
      const end = (values[i] - scale[0]) / span;
      fill.style.transform = `translateX(${100 * Math.min(zero, end)}%) scaleX(${Math.abs(end - zero)})`;
      fill.className = end < zero ? "less" : "";
      value.textContent = number(values[i]);
    });
  }
  return { element, show };
}

/** How an example is chosen: a row of the data, one at random, or a picture from a file, the clipboard or a drop.
 * @param {import("./types").State} state
 * @param {{row?: (row: number) => void, image?: (file: Blob) => void}} chosen
 * @param {string} [label] */
export function chooser(state, chosen, label = "Row") {
  const { data, model } = state;
  const element = h("div", { class: "chooser" });
  if (data && chosen.row) {
    const { row } = chosen;
    const field = h("input", { type: "number", min: 0, max: data.n - 1, step: 1, value: 0, inputmode: "numeric" });
    const go = () => {
      const wanted = Math.min(Math.max(0, Math.round(Number(field.value) || 0)), data.n - 1);
      field.value = String(wanted);
      row(wanted);
    };
    field.addEventListener("change", go);
    element.append(
      labelled(label, field),
      button("Any row", "random", () => {
        field.value = String(Math.floor(Math.random() * data.n));
        go();
      }),
    );
    element.addEventListener("row", (event) => (field.value = String(/** @type {CustomEvent} */ (event).detail)));
  }
  if (model?.kind === "image" && chosen.image) {
    const { image } = chosen;
    const file = h("input", { type: "file", accept: "image/*", class: "sr", onchange: () => {
      if (file.files?.[0]) image(file.files[0]);
      file.value = "";
    } });
    element.append(h("label", { class: "button file" }, file, icon("up"), h("span", null, "Picture"), h("small", null, "or paste, or drop")));
  }
  return element;
}

/** Pictures that are pasted or dropped onto a panel. @param {HTMLElement} element @param {(file: File) => void} take @returns {() => void} stops */
export function takes(element, take) {
  /** @param {DataTransfer | null} transfer */
  const first = (transfer) => Array.from(transfer?.files ?? [])[0];
  /** @param {ClipboardEvent} event */
  const paste = (event) => {
    const file = element.isConnected && element.offsetParent !== null && first(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    take(file);
  };
  /** @param {DragEvent} event */
  const over = (event) => {
    event.preventDefault();
    element.classList.toggle("over", event.type === "dragover");
    const file = event.type === "drop" && first(event.dataTransfer);
    if (file) take(file);
  };
  for (const kind of /** @type {const} */ (["dragover", "dragleave", "drop"])) element.addEventListener(kind, over);
  document.addEventListener("paste", paste);
  return () => document.removeEventListener("paste", paste);
}

/** Brings what was opened into sight, where it stands below the list that it was opened from. @param {HTMLElement} detail */
export function reveal(detail) {
  if (matchMedia("(max-width: 60rem)").matches) detail.scrollIntoView({ block: "start", behavior: still() ? "auto" : "smooth" });
}

/** The head of a panel. @param {string} title @param {string} words */
export function heading(title, words) {
  return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, title), h("p", null, words));
}

/** What stands where there is nothing to see. @param {string} words @param {...Child} more */
export function nothing(words, ...more) {
  return h("div", { class: "nothing" }, h("p", null, words), ...more);
}
