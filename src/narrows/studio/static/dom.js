// Elements that all panels use. Nothing here knows what a model is.

import { ICONS } from "./icons.js";

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Create an element: h("p", {class: "note", onclick}, "text", child). Properties that begin with "on" are listeners.
 * `style` is an object, because the page's policy forbids style attributes. A value of false or null leaves out the
 * attribute.
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
  element.append(
    ...children
      .flat()
      .filter((c) => c !== null && c !== undefined && c !== false)
      .map((c) => (c instanceof Node ? c : String(c))),
  );
  return element;
}

/** Replace the children of an element. @param {Element} element @param {...(Child | Child[])} children */
export function setChildren(element, ...children) {
  element.replaceChildren(...h("div", null, ...children).childNodes);
}

/** Replace the children of an element. The keyboard stays at the button with the same text, or at the nearest one.
 * @param {Element} element @param {...(Child | Child[])} children */
export function redraw(element, ...children) {
  const place = listButtons(element).findIndex((found) => found === document.activeElement);
  const text = document.activeElement?.textContent;
  setChildren(element, ...children);
  if (place < 0) return;
  const buttons = listButtons(element).filter((found) => !found.disabled);
  (buttons.find((found) => found.textContent === text) ?? buttons[Math.min(place, buttons.length - 1)])?.focus();
}

/** @param {Element} element @returns {HTMLButtonElement[]} */
function listButtons(element) {
  return Array.from(element.querySelectorAll("button"));
}

/** An icon that screen readers skip. @param {keyof typeof ICONS} name */
export function icon(name) {
  const svg = createSvgElement("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" });
  svg.append(createSvgElement("path", { d: ICONS[name] }));
  return svg;
}

/** @param {string} tag @param {Record<string, string | number>} attributes */
export function createSvgElement(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/** A button with an icon and a label. `quiet` shows the label to screen readers only.
 * @param {string} label @param {keyof typeof ICONS | null} iconName @param {(event: MouseEvent) => void} onclick
 * @param {Record<string, any> & {quiet?: boolean}} [more] */
export function button(label, iconName, onclick, { quiet = false, ...more } = {}) {
  const kind = `button ${quiet ? "quiet" : ""} ${more.class ?? ""}`.trim();
  return h(
    "button",
    { type: "button", onclick, title: quiet ? label : null, ...more, class: kind },
    iconName && icon(iconName),
    h("span", { class: quiet ? "sr" : null }, label),
  );
}

/** A label above its field. @param {string} label @param {HTMLElement} field @param {string} [hint] */
export function labelledField(label, field, hint) {
  return h(
    "label",
    { class: "field" },
    h("span", { class: "field-name" }, label),
    field,
    hint && h("small", null, hint),
  );
}

/** @param {string} label @param {[string, string][]} options value and text
 * @param {string} value @param {(value: string) => void} onChange */
export function select(label, options, value, onChange) {
  const field = h(
    "select",
    { onchange: () => onChange(field.value) },
    options.map(([option, text]) => h("option", { value: option }, text)),
  );
  field.value = value;
  return { element: labelledField(label, field), field };
}

/** The head of a panel. @param {string} title @param {string} text */
export function heading(title, text) {
  return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, title), h("p", null, text));
}

/** A note in place of an empty list. @param {string} text @param {...Child} more */
export function emptyNote(text, ...more) {
  return h("div", { class: "nothing" }, h("p", null, text), ...more);
}

/** Scroll to details that opened below their list, which happens on a phone. @param {HTMLElement} detail */
export function reveal(detail) {
  if (matchMedia("(max-width: 60rem)").matches)
    detail.scrollIntoView({ block: "start", behavior: prefersReducedMotion() ? "auto" : "smooth" });
}

/** True if this part of the page is dark. Style sheets do not reach into a canvas. @param {Element} element */
export function isDark(element) {
  const [red, green, blue] = (getComputedStyle(element).color.match(/[\d.]+/g) ?? ["0", "0", "0"]).map(Number);
  return red + green + blue > 382;
}

/** True if the system asks for less motion. */
export const prefersReducedMotion = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
