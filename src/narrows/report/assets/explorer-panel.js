// @ts-nocheck: the scripts of the report are not typed
// Beside and below the map of an explorer: histograms that filter, the table of the rows, pictures, and colours.

import { clamp, groupThousands } from "./drawing.js";
import { N_BARS } from "./explorer-data.js";
import { packColour, parseColour } from "./explorer-points.js";

const MOST_LEVELS = 8; // levels of a column that have a bar at first
export const MOST_ROWS = 100; // rows in the table
const MOST_KEPT = 2000; // lines of the table that are kept, for filters that let their rows in again

/** Colours of the points, light or dark as the page is. */
class ExplorerColours {
  /** @param {[number, number, number][]} ramp colours of numbers, the lowest first */
  constructor(ramp) {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(`--${name}`).trim();
    Object.assign(this, { ink: read("ink"), raised: read("raised"), sea: read("sea") });
    this.isDark = parseColour(this.raised)[0] < 128;
    this.ground = packColour(parseColour(this.raised));
    this.faint = packColour(parseColour(read("line")));
    this.classes = Array.from({ length: 10 }, (_, i) => parseColour(read(`d${i}`)));
    // the darkest colours vanish on a dark ground, the palest on a light one
    const [from, to] = this.isDark ? [0.25, 1] : [0, 0.9];
    const last = ramp.length - 1;
    this.steps = Array.from(
      { length: N_BARS },
      (_, i) => ramp[Math.round(last * (from + ((to - from) * i) / (N_BARS - 1)))],
    );
  }

  /** The colour of a bar of a column. @param {ExplorerColumn} column @param {number} bar */
  bar(column, bar) {
    if (bar >= column.nBars) return parseColour(this.isDark ? "#566570" : "#a9b4b9");
    if (column.kind !== "level") return this.steps[bar];
    const colour = this.classes[bar % 10];
    if (bar < 10) return colour;
    const other = parseColour(bar % 20 < 10 ? this.raised : this.ink);
    return colour.map((v, i) => Math.round(0.55 * v + 0.45 * other[i]));
  }

  /** Return the tone of each row, and the palette of tones. @param {ExplorerColumn} column */
  of(column) {
    return [column.bars, Uint32Array.from({ length: column.nBars + 1 }, (_, bar) => packColour(this.bar(column, bar)))];
  }

  /** @param {ExplorerColumn} column @param {number} bar */
  css(column, bar) {
    return `rgb(${this.bar(column, bar).join(" ")})`;
  }
}

/** The pictures of an image model. */
export class ExplorerPictures {
  /** @param {HTMLImageElement | null} sheet @param {ExplorerData["pictures"]} spec */
  constructor(sheet, spec) {
    this.sheet = sheet;
    this.spec = spec;
    this.places = spec?.rows ? new Map(spec.rows.map((row, i) => [row, i])) : null;
  }

  /** Return the picture of a row as a canvas, or null. @param {number} row */
  of(row) {
    if (!this.spec || !this.sheet) return null;
    const place = this.places ? this.places.get(row) : row;
    if (place === undefined) return null;
    const { across, width, height, ink } = this.spec;
    const canvas = document.createElement("canvas");
    canvas.className = ink ? "px ink" : "px";
    Object.assign(canvas, { width, height });
    const from = [(place % across) * width, Math.floor(place / across) * height, width, height];
    canvas.getContext("2d").drawImage(this.sheet, ...from, 0, 0, width, height);
    return canvas;
  }
}

/** Make an element with a class and a text. @param {string} tag @param {string} name @param {string} text */
function make(tag, name = "", text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

/** A histogram of a column: bars to drag over, or levels to click on. */
export class ExplorerHistogram {
  /** @param {ExplorerColumn} column @param {ExplorerRows} rows @param {() => void} changed */
  constructor(column, rows, changed) {
    Object.assign(this, { column, rows, changed });
    this.root = make("figure", `facet ${column.kind === "level" ? "of-levels" : "of-numbers"}`);
    const head = this.root.appendChild(make("figcaption"));
    head.append(make("b", "", column.name));
    this.note = head.appendChild(make("span"));
    this.clearer = head.appendChild(make("button", "plain", "Clear"));
    this.clearer.type = "button";
    this.clearer.setAttribute("aria-label", `Clear the filter of ${column.name}`);
    this.clearer.addEventListener("click", () => {
      column.clear();
      this.#filter();
      this.root.querySelector(".level, [tabindex]")?.focus(); // this button goes
    });
    this.all = rows.histogram(column); // of all rows, at the start
    if (column.kind === "level") this.#makeLevels();
    else this.#makeBars();
  }

  #filter() {
    this.rows.filter(this.column);
    this.changed();
  }

  #makeLevels() {
    const { column, all } = this;
    const order = Array.from(column.levels, (_, level) => level).sort((a, b) => all[b] - all[a] || a - b);
    this.isLong = false;
    this.list = this.root.appendChild(make("ul"));
    const draw = () => {
      const shown = this.isLong
        ? order.slice(0, 60)
        : order.slice(0, order.length > MOST_LEVELS + 2 ? MOST_LEVELS : 60);
      this.lines = shown.map((level) => [level, this.#makeLevel(level)]);
      this.list.replaceChildren(...this.lines.map(([, line]) => line));
    };
    draw();
    if (order.length <= MOST_LEVELS + 2) return;
    const more = this.root.appendChild(make("button", "plain", `${Math.min(order.length, 60) - MOST_LEVELS} more`));
    more.type = "button";
    more.addEventListener("click", () => {
      this.isLong = true;
      more.remove();
      draw();
      this.update(this.colours);
      this.lines[MOST_LEVELS][1].firstChild.focus(); // the first new one
    });
  }

  /** @param {number} level */
  #makeLevel(level) {
    const { column } = this;
    const line = make("li");
    const button = line.appendChild(make("button", "level"));
    button.type = "button";
    button.append(make("i"), make("span", "", column.levels[level]), make("output"));
    button.addEventListener("click", () => {
      if (!column.chosen.delete(level)) column.chosen.add(level);
      this.#filter();
    });
    return line;
  }

  #makeBars() {
    const { column } = this;
    this.bars = this.root.appendChild(make("div", "bars-of"));
    this.bars.tabIndex = 0;
    this.bars.setAttribute("role", "group");
    this.bars.setAttribute("aria-label", `Histogram of ${column.name}. Drag to filter; arrow keys move the filter.`);
    this.columns = Array.from({ length: column.nBars }, () => this.bars.appendChild(make("span")));
    for (const bar of this.columns) bar.append(make("i"), make("b"));
    const ends = this.root.appendChild(make("p", "ends"));
    ends.append(make("span", "", column.format(column.low)), make("span", "", column.format(column.high)));
    const barAt = (event) => {
      const box = this.bars.getBoundingClientRect();
      return clamp(Math.floor(((event.clientX - box.left) / box.width) * column.nBars), 0, column.nBars - 1);
    };
    let first = -1;
    this.bars.addEventListener("pointerdown", (event) => {
      this.bars.setPointerCapture(event.pointerId);
      first = barAt(event);
      this.#setRange([first, first]);
    });
    this.bars.addEventListener("pointermove", (event) => {
      if (first >= 0) this.#setRange([Math.min(first, barAt(event)), Math.max(first, barAt(event))]);
    });
    for (const name of ["pointerup", "pointercancel"]) this.bars.addEventListener(name, () => (first = -1));
    this.bars.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") this.#setRange(null);
      else if (step) {
        const [low, high] = column.range ?? (step > 0 ? [-1, 4] : [column.nBars - 5, column.nBars]);
        const shift = clamp(step, -low, column.nBars - 1 - high);
        this.#setRange([low + shift, high + shift].map((bar) => clamp(bar, 0, column.nBars - 1)));
      } else return;
      event.preventDefault();
    });
  }

  /** @param {[number, number] | null} range of bars */
  #setRange(range) {
    if (String(range) === String(this.column.range)) return;
    this.column.range = range;
    this.#filter();
  }

  /** Show the counts of the rows that the other filters leave in. @param {ExplorerColours} colours */
  update(colours) {
    const { column } = this;
    this.colours = colours;
    const counts = this.rows.histogram(column);
    this.clearer.hidden = !column.isFiltered;
    if (column.kind === "level") {
      const most = Math.max(1, ...this.all.slice(0, column.nBars));
      for (const [level, line] of this.lines) {
        const [bar, , output] = line.firstChild.children;
        bar.style.width = `${(100 * counts[level]) / most}%`;
        bar.style.background = colours.css(column, level);
        output.textContent = groupThousands(counts[level], 0);
        line.firstChild.setAttribute("aria-pressed", String(column.chosen.has(level)));
        line.classList.toggle("off", column.chosen.size > 0 && !column.chosen.has(level));
      }
      return;
    }
    const most = Math.max(1, ...this.all.slice(0, column.nBars));
    this.columns.forEach((bar, i) => {
      bar.children[0].style.height = `${(100 * this.all[i]) / most}%`;
      bar.children[1].style.height = `${(100 * counts[i]) / most}%`;
      bar.children[1].style.background = colours.css(column, i);
      bar.classList.toggle("off", column.range !== null && (i < column.range[0] || i > column.range[1]));
    });
    const { range } = column;
    this.note.textContent = range
      ? `${column.format(column.edge(range[0]))} to ${column.format(column.edge(range[1] + 1))}`
      : "";
  }
}

/** The table of the first rows that all filters leave in. */
export class ExplorerTable {
  /** @param {Element} root @param {ExplorerRows} rows @param {(row: number) => string} nameOf
   * @param {ExplorerPictures} pictures */
  constructor(root, rows, nameOf, pictures) {
    Object.assign(this, { root, rows, nameOf, pictures });
    /** @type {Map<number, HTMLElement>} */ this.lines = new Map(); // made before, by row
    const head = make("tr");
    for (const name of pictures.spec ? ["", ""] : [""]) head.append(make("td", "", name));
    for (const { name, kind } of rows.columns) head.append(make("th", kind === "level" ? "word" : "", name));
    const table = root.appendChild(make("table"));
    table.appendChild(make("thead")).append(head);
    this.body = table.appendChild(make("tbody"));
  }

  update() {
    if (this.lines.size > MOST_KEPT) this.lines.clear();
    this.body.replaceChildren(...this.rows.first(MOST_ROWS).map((row) => this.#line(row)));
  }

  /** Draw all lines anew, with the pictures that have arrived. */
  redraw() {
    this.lines.clear();
    this.update();
  }

  /** @param {number} row */
  #line(row) {
    const made = this.lines.get(row);
    if (made) return made;
    const line = make("tr");
    if (this.pictures.spec) {
      const picture = this.pictures.of(row);
      line.appendChild(make("td", "pictured")).append(...(picture ? [picture] : []));
    }
    const name = line.appendChild(make("th", "", this.nameOf(row)));
    name.scope = "row";
    for (const column of this.rows.columns)
      line.append(make("td", column.kind === "level" ? "word" : "", column.text(row)));
    this.lines.set(row, line);
    return line;
  }
}
