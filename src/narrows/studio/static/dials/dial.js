// One dial: a slider for a component of the code, its lock, and a strip of pictures that shows its effect.

import { shortNames } from "../cells.js";
import { button, h, icon } from "../dom.js";
import { createTiles } from "../examples.js";
import { formatNumber, formatPercent } from "../format.js";

/** @import {Dial, Model, Transport} from "../types" */
/** @import {Code} from "../state.js" */

const N_STEPS = 9; // pictures in a strip
const MAX_CODE = 15000; // characters of a code in an address; servers refuse longer ones

export class DialRow {
  #isLocked = false;

  /**
   * @param {Dial} dial @param {Code} code @param {Model} model @param {Transport} transport
   * @param {{highest: number, unit: string}} scale amount that the strongest dial carries, and its unit
   */
  constructor(dial, code, model, transport, { highest, unit }) {
    this.dial = dial;
    this.code = code;
    this.transport = transport;
    this.name = `z${dial.component}`;
    this.columns = model.cells;
    this.strip = model.kind === "image" ? createStrip(model, this.#describe()) : null;
    this.slider = this.#createSlider();
    this.output = h("output", { class: "value" });
    this.lock = button(`Lock ${this.name}`, "open", () => this.#toggleLock(), {
      quiet: true,
      "aria-pressed": "false",
      class: "lock",
    });
    this.element = this.#render(highest, unit);
  }

  /** @param {number} highest @param {string} unit */
  #render(highest, unit) {
    const { carries, label, used } = this.dial;
    const effect = label && h("p", { class: "dial-effect", title: label }, this.#shorten(label));
    const share = highest ? Math.max(0, carries) / highest : 0;
    const amount = h("span", { class: "amount" }, h("i", { style: { transform: `scaleX(${share})` } }));
    const amountText = unit === "nats" ? `${formatNumber(carries)} nats` : formatPercent(carries);
    const carried = used ? amountText : "carries nothing";
    const quantity = unit === "nats" ? "Information" : "Variance";
    const head = [
      h("b", null, this.name),
      h("span", { class: "carries", title: `${quantity} that it carries` }, amount, carried),
      this.output,
      this.lock,
    ];
    return h(
      "li",
      { class: `dial ${used ? "" : "idle"}` },
      h("div", { class: "dial-head" }, head),
      effect,
      h("div", { class: `dial-track ${this.strip ? "pictured" : ""}` }, this.strip?.element, this.slider),
    );
  }

  /** Shorten the names of columns in a label. @param {string} label */
  #shorten(label) {
    if (!this.columns) return label;
    const [columns, names] = [this.columns, shortNames(this.columns)];
    // the longest first, because names may hold others
    const changed = [...this.dial.columns].sort((a, b) => columns[b].name.length - columns[a].name.length);
    return changed.reduce((text, i) => text.replace(columns[i].name, names[i]), label);
  }

  #describe() {
    const { low, high } = this.dial;
    return `Effect of ${this.name}, from ${formatNumber(low)} to ${formatNumber(high)}`;
  }

  #createSlider() {
    const { component, low, high, mean, label } = this.dial;
    const slider = h("input", {
      type: "range",
      min: low,
      max: high,
      step: "any",
      "aria-label": `Dial ${this.name}${label && `, ${label}`}`,
      oninput: () => this.code.turn(component, Number(slider.value)),
      onchange: () => this.code.release(),
      ondblclick: () => this.#turnOnce(mean),
      onkeydown: (/** @type {KeyboardEvent} */ event) => this.#handleKey(event),
    });
    return slider;
  }

  /** A press of an arrow moves by `step` of the dial; the pointer moves freely. @param {KeyboardEvent} event */
  #handleKey(event) {
    const { component, low, high, step } = this.dial;
    /** @type {Record<string, number>} */
    const changes = {
      ArrowRight: step,
      ArrowUp: step,
      ArrowLeft: -step,
      ArrowDown: -step,
      PageUp: 10 * step,
      PageDown: -10 * step,
    };
    const change = changes[event.key];
    if (change === undefined) return;
    event.preventDefault();
    const value = this.code.value[component] + change * (event.shiftKey ? 0.1 : 1);
    this.#turnOnce(Math.min(high, Math.max(low, value)));
  }

  /** Set the component as one step of undo. @param {number} value */
  #turnOnce(value) {
    this.code.turn(this.dial.component, value);
    this.code.release();
  }

  #toggleLock() {
    const { locked } = this.code;
    if (!locked.delete(this.dial.component)) locked.add(this.dial.component);
    this.code.notify();
  }

  /** Show the value of the component. */
  update() {
    const { component, low, high } = this.dial;
    const { slider, lock } = this;
    const value = this.code.value[component];
    if (Number(slider.value) !== value) slider.value = String(value);
    const position = Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
    slider.style.setProperty("--at", String(position));
    slider.setAttribute("aria-valuetext", formatNumber(value));
    this.output.textContent = formatNumber(Number(value.toFixed(2)));
    const isLocked = this.code.locked.has(component);
    if (this.#isLocked === isLocked) return;
    this.#isLocked = isLocked;
    lock.setAttribute("aria-pressed", String(isLocked));
    lock.replaceChildren(icon(isLocked ? "lock" : "open"), h("span", { class: "sr" }, `Lock ${this.name}`));
    this.element.classList.toggle("locked", isLocked);
  }

  /** Request the strip. @param {boolean} fromCode true to start from the code, false from the mean */
  loadStrip(fromCode) {
    if (!this.strip) return;
    const code = Array.from(this.code.value, (value) => Number(value.toFixed(4))).join(",");
    const query = fromCode && code.length < MAX_CODE ? `&code=${code}` : "";
    const path = `/api/dials/${this.dial.component}/strip?steps=${N_STEPS}${query}`;
    this.strip.show(this.transport.pictureUrl(path));
  }
}

/** An empty dial, shown until the dials are loaded, so that nothing moves then. @param {Model} model */
export function createPlaceholder(model) {
  const strip = model.kind === "image" ? createStrip(model, "Loading").element : null;
  const slider = h("input", { type: "range", disabled: true, "aria-label": "Loading" });
  return h(
    "li",
    { class: "dial waiting" },
    h("div", { class: "dial-head" }, " "),
    h("div", { class: `dial-track ${strip ? "pictured" : ""}` }, strip, slider),
  );
}

/** @param {Model} model @param {string} alt */
function createStrip(model, alt) {
  return createTiles({ n: N_STEPS, columns: N_STEPS, shape: model.shape, alt });
}
