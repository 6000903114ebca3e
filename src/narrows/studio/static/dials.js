// The dials: one slider a component, in the order of what they carry, and the example that the decoder makes of them.

import { Code, hash, packed, unpacked } from "./state.js";
import { button, chooser, copy, download, h, heading, icon, number, oncePerFrame, percent, select, settled, takes, tiles, toast, tried } from "./ui.js";
import { columnRanges, view } from "./view.js";

/** @import {App, Dial, Encoded, Panel, State, Transport} from "./types" */

const FIRST = 24; // dials shown before more are asked for
const STEPS = 9; // pictures in a strip

/**
 * @param {HTMLElement} el @param {Transport} transport @param {State} state
 * @param {{code?: Code, link?: () => string}} [shared] a code that others turn too, and a link that restores it
 */
export function mountDials(el, transport, state, shared = {}) {
  const model = state.model;
  if (!model) throw new Error("There is no model to turn the dials of.");
  const n = model.n_components;
  const code = shared.code ?? new Code(n);
  const image = model.kind === "image";
  /** @type {(() => void)[]} */ const ends = [];
  /** @typedef {ReturnType<typeof tiles>} Strip */
  /** @type {Map<number, {show: () => void, strip: Strip | null}>} */ const rows = new Map();
  /** @type {Dial[]} */ let dials = [];
  let follow = true; // whether strips start from the code, or from the mean

  const stage = h("div", { class: `stage-picture ${model.kind}`, style: image ? {} : { "--rows": model.shape[0] } });
  /** @type {ReturnType<typeof view> | null} */ let screen = null;
  const list = h("ol", { class: "dials", "aria-label": "Dials" });
  const unused = h("ol", { class: "dials", "aria-label": "Dials that carry nothing" });
  const rest = h("details", { class: "unused", hidden: true }, h("summary", null), unused);
  const more = h("div", { class: "more" });

  const shows = (/** @type {Uint8Array | Float32Array} */ result) => screen?.show(result);
  const decode = oncePerFrame(() => transport.decode(code.value, shows));
  const strips = settled(() => {
    if (!follow) return;
    for (const [component, { strip }] of rows) if (strip) load(strip, component);
  }, 250);

  /** @param {Strip} strip @param {number} component */
  function load(strip, component) {
    const here = Array.from(code.value, (v) => Number(v.toFixed(4))).join(",");
    const from = follow && here.length < 15000 ? `&code=${here}` : ""; // longer addresses are refused
    strip.show(transport.picture(`/api/dials/${component}/strip?steps=${STEPS}${from}`));
  }

  // what can be done with the code
  const undo = button("Undo", "undo", () => code.undo(), { quiet: true });
  const redo = button("Redo", "redo", () => code.redo(), { quiet: true });
  const deeds = h("div", { class: "deeds", role: "toolbar", "aria-label": "The code" },
    button("Random", "random", random),
    button("Reset", "reset", () => code.set(means())),
    h("span", { class: "pair" }, undo, redo),
  );
  const keeps = h("div", { class: "deeds keeps" },
    shared.link && button("Link", "link", () => copy(/** @type {() => string} */ (shared.link)(), "Link"), { title: "Copy a link that restores these dials" }),
    button("PNG", "save", async () => screen && download(await screen.png(), `${model.name}.png`), { title: "Save as PNG" }),
    button("Code", "copy", () => copy(`[${Array.from(code.value, short).join(", ")}]`, "Code"), { title: "Copy the code vector" }),
    button("Python", "code", () => copy(python(), "Python"), { title: "Copy the Python that makes this" }),
  );
  const starts = chooser(state, {
    row: (row) => begin(transport.json("POST", "/api/encode", { row })),
    image: (file) => begin(transport.json("POST", "/api/encode/image", file)),
  }, "Start from row");
  if (image) ends.push(takes(el, (file) => begin(transport.json("POST", "/api/encode/image", file))));

  // a conditional model decodes what it is told the example is
  const classes = model.classes && select("Class", model.classes.map((name) => [name, name]), model.class_ ?? model.classes[0], async (name) => {
    if (!(await tried(transport.json("POST", "/api/class", { name })))) return;
    refresh();
    for (const [component, { strip }] of rows) if (strip) load(strip, component);
  }).element;

  const following = h("label", { class: "check" }, h("input", { type: "checkbox", checked: true, onchange: (/** @type {Event} */ e) => {
    follow = /** @type {HTMLInputElement} */ (e.target).checked;
    for (const [component, { strip }] of rows) if (strip) load(strip, component);
  } }), "Strips start from this picture");

  el.classList.add("narrows", "dials-panel");
  el.replaceChildren(
    h("div", { class: "screen" }, stage, classes, deeds, keeps, starts.childElementCount ? starts : null),
    h("div", { class: "desk" }, image && following, list, more, rest),
  );

  /** @param {number} value */
  const short = (value) => String(Number(value.toFixed(4)));

  function python() {
    const values = Array.from(code.value, short).join(", ");
    return `${model?.python}\ncode = [[${values}]]\nexample = model.inverse_transform(code)[0]\n`;
  }

  function means() {
    const value = new Float32Array(n);
    for (const dial of dials) value[dial.component] = dial.mean;
    return value;
  }

  async function random() {
    const drawn = await tried(transport.json("GET", `/api/random?seed=${Math.floor(Math.random() * 2 ** 31)}`));
    if (drawn) code.set(drawn.code);
  }

  /** @param {Promise<Encoded>} request */
  async function begin(request) {
    const encoded = await tried(request);
    if (encoded) code.set(encoded.code);
  }

  /** @param {Dial} dial @param {number} most @param {string} unit */
  function row(dial, most, unit) {
    const { component, low, high, mean, step } = dial;
    const name = `z${component}`;
    const slider = h("input", { type: "range", min: low, max: high, step: "any", "aria-label": `Dial ${name}${dial.label && `, ${dial.label}`}`,
      oninput: () => code.turn(component, Number(slider.value)),
      onchange: () => code.release(),
      ondblclick: () => { code.turn(component, mean); code.release(); },
      onkeydown: (/** @type {KeyboardEvent} */ e) => keys(e) });
    const output = h("output", { class: "value" });
    const lock = button(`Lock ${name}`, "open", () => {
      if (!code.locked.delete(component)) code.locked.add(component);
      code.tell();
    }, { quiet: true, "aria-pressed": "false", class: "lock" });
    const carried = unit === "nats" ? `${number(dial.carries)} nats` : percent(dial.carries);
    const strip = image ? blank(`What ${name} does, from ${number(low)} to ${number(high)}`) : null;
    if (strip) load(strip, component);
    const amount = h("i", { style: { transform: `scaleX(${most ? Math.max(0, dial.carries) / most : 0})` } });

    // `step` is one press of an arrow; the pointer moves freely
    /** @param {KeyboardEvent} event */
    function keys(event) {
      const way = { ArrowRight: step, ArrowUp: step, ArrowLeft: -step, ArrowDown: -step, PageUp: 10 * step, PageDown: -10 * step }[event.key];
      if (way === undefined) return;
      event.preventDefault();
      code.turn(component, Math.min(high, Math.max(low, code.value[component] + way * (event.shiftKey ? 0.1 : 1))));
      code.release();
    }

    let locked = false;
    function show() {
      const value = code.value[component];
      if (Number(slider.value) !== value) slider.value = String(value);
      slider.style.setProperty("--at", String(Math.min(1, Math.max(0, (value - low) / (high - low || 1)))));
      slider.setAttribute("aria-valuetext", number(value));
      output.textContent = number(Number(value.toFixed(2)));
      if (locked !== code.locked.has(component)) {
        locked = !locked;
        lock.setAttribute("aria-pressed", String(locked));
        lock.replaceChildren(icon(locked ? "lock" : "open"), h("span", { class: "sr" }, `Lock ${name}`));
        line.classList.toggle("locked", locked);
      }
    }
    const line = h("li", { class: "dial" },
      h("div", { class: "dial-head" }, h("b", null, name), h("span", { class: "carries", title: "What it carries" }, h("span", { class: "amount" }, amount), carried), output, lock),
      dial.label && h("p", { class: "does" }, dial.label),
      h("div", { class: `throw ${image ? "pictured" : ""}` }, strip?.element, slider),
    );
    rows.set(component, { show, strip });
    return line;
  }

  /** @param {string} alt */
  const blank = (alt) => tiles({ n: STEPS, columns: STEPS, shape: model.shape, alt });

  function refresh() {
    for (const { show } of rows.values()) show();
    undo.disabled = code.past.length === 0;
    redo.disabled = code.future.length === 0;
    decode();
    strips();
  }

  // a place is kept for each dial before it is known, so that nothing jumps
  list.replaceChildren(...Array.from({ length: Math.min(n, FIRST) }, () => h("li", { class: "dial waiting" }, h("div", { class: "dial-head" }, " "), h("div", { class: `throw ${image ? "pictured" : ""}` }, image && blank("Loading").element, h("input", { type: "range", disabled: true, "aria-label": "Loading" })))));
  if (image) {
    screen = view(model, "The example that the dials make");
    stage.append(screen.element);
  }

  // the first example is a better beginning than the mean of all, which looks like none of them
  const first = code.ready || !state.data ? null : transport.json("POST", "/api/encode", { row: 0 }).catch(() => null);
  const ready = transport.json("GET", `/api/dials?limit=${Math.min(n, state.limits.dials)}`).then(async (/** @type {{unit: string, dials: Dial[]}} */ answer) => {
    dials = answer.dials;
    const begun = await first;
    if (!code.ready) {
      code.value.set(begun?.code ?? means());
      code.ready = true;
    }
    if (!image) {
      screen = view(model, "The example that the dials make", await columnRanges(transport, dials, n));
      stage.append(screen.element);
    }
    const most = Math.max(...dials.map((dial) => dial.carries));
    const used = dials.filter((dial) => dial.used);
    const idle = dials.filter((dial) => !dial.used);
    list.replaceChildren();
    let shown = 0;
    function extend() {
      list.append(...used.slice(shown, shown + FIRST).map((dial) => row(dial, most, answer.unit)));
      shown = Math.min(used.length, shown + FIRST);
      more.replaceChildren(...(shown < used.length ? [button(`Show ${Math.min(FIRST, used.length - shown)} more of ${used.length}`, "plus", () => { extend(); refresh(); })] : []));
    }
    extend();
    rest.hidden = idle.length === 0;
    rest.querySelector("summary")?.replaceChildren(`${idle.length} ${idle.length === 1 ? "dial carries" : "dials carry"} nothing`);
    // their strips show nothing either, until someone looks
    rest.addEventListener("toggle", () => { unused.append(...idle.slice(0, 200).map((dial) => row(dial, most, answer.unit))); refresh(); }, { once: true });
    refresh();
  });
  tried(ready);

  ends.push(code.subscribe(refresh));
  el.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    if (event.shiftKey) code.redo();
    else code.undo();
  });

  return {
    ready,
    /** @param {ArrayLike<number>} value a code, as a map gives it */
    set: (value) => code.set(value),
    destroy() {
      for (const end of ends) end();
      el.replaceChildren();
    },
  };
}

/** The panel of the page. @param {App} app @returns {Panel} */
export function panel(app) {
  const code = /** @type {Code} */ (app.code);
  const body = h("div");
  const name = app.state.model?.name ?? "";
  const parameters = () => ({ z: packed(code.value), ...(code.locked.size ? { lock: [...code.locked].join(",") } : {}), of: name });
  const link = () => `${location.origin}${location.pathname}${hash("dials", parameters())}`;
  let visible = false;
  const write = settled(() => {
    if (visible) history.replaceState(null, "", hash("dials", parameters()));
  }, 300);
  const stop = code.subscribe(write);
  const words = app.state.model?.kind === "image" ? "Each slider is one number of the code. The strip above it shows what turning it does." : "Each slider is one number of the code. Turn one and see which columns follow.";
  const element = h("section", { class: "panel" }, heading("Dials", words), body);
  const dials = mountDials(body, app.transport, app.state, { code, link });
  return {
    element,
    show({ z, lock, of }) {
      visible = true;
      const other = of !== undefined && of !== name;
      if (other) toast(`That link is about another model, ${of}.`, "wrong");
      const wanted = z && !other && unpacked(z, code.value.length);
      if (wanted && packed(code.value) !== z) {
        code.locked = new Set((lock ?? "").split(",").filter(Boolean).map(Number).filter((i) => i >= 0 && i < code.value.length));
        code.set(wanted, { locks: false });
      } else write();
    },
    hide() {
      visible = false;
    },
    destroy() {
      stop();
      dials.destroy();
    },
  };
}
