// The list of units: search, filter, sort, and the way from a unit to similar ones.

/**
 * @typedef {{texts: [string, string, string][], rows: number[], density: number[], mean: number[], max: number[],
 *   top: number[][], activations: number[][], similar: number[][], cosines: number[][], names: string[]}} UnitsData
 *   texts: what is before an example, the example, what is after it; top: places in `texts`, for each unit
 */

const STEP = 24; // units that are added at a time

class UnitsView {
  #n = STEP; // units that are shown
  /** @type {number[]} */ #found = [];

  /** @param {Element} root */
  constructor(root) {
    /** @type {UnitsData} */ this.data = readData(root, "units-data");
    this.form = root.querySelector("form");
    this.list = root.querySelector(".unit-list");
    this.note = root.querySelector("[data-found]");
    this.more = root.querySelector("[data-more]");
    this.words = this.data.texts.map((parts) => parts.join("").toLowerCase());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", () => this.#search());
    this.more.addEventListener("click", () => this.#draw(this.#n + STEP));
    this.list.addEventListener("click", (event) => {
      const button = event.target.closest("[data-unit]");
      if (button) this.#goTo(button.dataset.unit);
    });
    this.#search();
  }

  /** Show one unit. @param {string} unit */
  #goTo(unit) {
    this.form.elements.query.value = unit;
    this.#search();
    this.form.scrollIntoView();
    this.form.elements.query.focus({ preventScroll: true });
  }

  #search() {
    const { query, sort, low, high, dead } = this.form.elements;
    const { density } = this.data;
    const wanted = query.value.trim().toLowerCase();
    const key = sort.value === "unit" ? density.map((_, unit) => -unit) : this.data[sort.value];
    const isShown = (unit) =>
      /^\d+$/.test(wanted) && Number(wanted) < density.length
        ? unit === Number(wanted)
        : (density[unit] > 0 || dead.checked) &&
          density[unit] >= Number(low.value) &&
          density[unit] <= Number(high.value || 1) &&
          this.#has(unit, wanted);
    this.#found = density.map((_, unit) => unit).filter(isShown);
    this.#found.sort((a, b) => key[b] - key[a] || a - b);
    const n = this.#found.length;
    this.note.textContent = n === 1 ? "1 unit" : `${groupThousands(n, 0)} units`;
    this.#draw(STEP);
  }

  /** True if the name or a text of a unit has the wanted words. @param {number} unit @param {string} wanted */
  #has(unit, wanted) {
    if (!wanted) return true;
    const { names, top } = this.data;
    return (names[unit] || "").toLowerCase().includes(wanted) || top[unit].some((i) => this.words[i].includes(wanted));
  }

  /** @param {number} n units to show */
  #draw(n) {
    this.#n = n;
    this.list.replaceChildren(...this.#found.slice(0, n).map((unit) => this.#card(unit)));
    this.more.hidden = n >= this.#found.length;
  }

  /** @param {number} unit */
  #card(unit) {
    const { data } = this;
    const card = document.createElement("li");
    const heading = add(card, "h3", `Unit ${unit}`);
    if (data.names[unit]) {
      heading.append(" ");
      add(heading, "b", data.names[unit]);
    }
    const share = `${(100 * data.density[unit]).toPrecision(3)}%`;
    const facts = `active for ${share}, mean activation ${formatNumber(data.mean[unit])}`;
    add(card, "p", data.density[unit] > 0 ? facts : "dead: active for no example").className = "note";
    const tops = add(card, "ol");
    tops.className = "tops";
    data.top[unit].forEach((place, i) => {
      const line = add(tops, "li");
      line.title = `example ${data.rows[place]}`;
      add(line, "output", formatNumber(data.activations[unit][i]));
      const [before, text, after] = data.texts[place];
      const words = add(line, "p", before);
      words.classList.toggle("alone", !before && !after);
      add(words, "mark", text);
      words.append(after);
    });
    this.#addSimilar(card, unit);
    return card;
  }

  /** @param {Element} card @param {number} unit */
  #addSimilar(card, unit) {
    const { similar, cosines } = this.data;
    if (!similar[unit].length) return;
    const line = add(card, "div", "Similar units");
    line.className = "similar";
    similar[unit].forEach((other, i) => {
      const button = add(line, "button", `${other} `);
      button.type = "button";
      button.dataset.unit = String(other);
      add(button, "small", cosines[unit][i].toFixed(2));
    });
  }
}

/** Add an element with a text. @param {Element} parent @param {string} tag @param {string} text */
function add(parent, tag, text = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  parent.append(element);
  return element;
}

document.querySelectorAll(".units").forEach((root) => new UnitsView(root));
