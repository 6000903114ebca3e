// The map: the pointer or the arrow keys choose an example, and a tip shows it.

/** Tests of a step to the right by dx and down by dy. */
const DIRECTIONS = {
  ArrowLeft: (dx, dy) => -dx > Math.abs(dy),
  ArrowRight: (dx, dy) => dx > Math.abs(dy),
  ArrowUp: (dx, dy) => -dy >= Math.abs(dx),
  ArrowDown: (dx, dy) => dy >= Math.abs(dx),
};

class MapView {
  #colouring = 0; // index of the groups that colours show
  #view = 0; // index of the map that is shown; there may be several maps of the same examples
  #current = -1; // example at the pointer or the keyboard
  /** @type {number | null} */ #group = null; // the only group that is shown

  /** @param {Element} root */
  constructor(root) {
    this.root = root;
    this.data = readData(root, "map-data");
    this.decoder = findDecoder(this.data.decoder);
    this.svg = root.querySelector("svg[role]");
    this.box = this.svg.viewBox.baseVal;
    this.ring = root.querySelector(".ring");
    this.spots = [...root.querySelectorAll(".spot")];
    this.live = root.querySelector("[aria-live]");
    this.tip = new MapTip(root, this.data);
    this.canvas = root.querySelector("canvas");
    if (this.canvas) [, this.canvas.height, this.canvas.width] = this.decoder.spec.shape;
    this.#listen();
  }

  #listen() {
    const { svg } = this;
    svg.addEventListener("pointermove", (event) => this.#hover(event));
    svg.addEventListener("pointerdown", (event) => this.#hover(event));
    svg.addEventListener("pointerleave", () => this.#leave());
    svg.addEventListener("blur", () => this.#leave());
    svg.addEventListener("keydown", (event) => this.#handleKey(event));
    for (const button of this.root.querySelectorAll("[data-view]")) {
      button.addEventListener("click", () => this.#setView(Number(button.dataset.view)));
    }
    const chooser = this.root.querySelector("[data-colouring]");
    if (chooser) chooser.addEventListener("change", () => this.#colour(Number(chooser.value)));
    for (const button of this.root.querySelectorAll("[data-group]")) {
      button.addEventListener("click", () => this.#toggleGroup(Number(button.dataset.group)));
    }
  }

  /** @param {PointerEvent} event */
  #hover(event) {
    const stage = this.svg.getBoundingClientRect();
    const x = ((event.clientX - stage.left) * this.box.width) / stage.width;
    const y = ((event.clientY - stage.top) * this.box.height) / stage.height;
    this.#show(this.#nearest(x, y), x, y);
  }

  #leave() {
    this.tip.hide();
    this.ring.setAttribute("cx", -50);
  }

  /** @param {KeyboardEvent} event */
  #handleKey(event) {
    if (event.key === "Escape") return this.#leave();
    const isInDirection = DIRECTIONS[event.key];
    if (!isInDirection) return;
    event.preventDefault();
    const next = this.#next(isInDirection);
    if (next < 0) return;
    this.#show(next, ...this.#places[next]);
    const unusual = this.data.unusual?.[next];
    this.live.textContent = this.#describe(next) + (unusual ? `: ${unusual.join(", ")}` : "");
  }

  /** Show an example, and the decoded code of a place. @param {number} i @param {number} x @param {number} y */
  #show(i, x, y) {
    this.#current = i;
    const [cx, cy] = this.#places[i];
    this.ring.setAttribute("cx", cx);
    this.ring.setAttribute("cy", cy);
    const hasPlane = this.#view === 0 && this.decoder; // only the first map shows the plane that can be decoded
    if (hasPlane && this.canvas) drawImage(this.canvas, this.decoder.decode(this.#codeAt(x, y)), this.decoder.spec);
    this.tip.show(i, this.#describe(i), !hasPlane);
    const stage = this.svg.getBoundingClientRect();
    const scale = stage.width / this.box.width;
    this.tip.place(x * scale, y * scale, stage);
  }

  get #groups() {
    return [this.data, ...this.data.others][this.#colouring];
  }

  /** Let colours and shapes show other groups. @param {number} colouring */
  #colour(colouring) {
    if (this.#group !== null) this.#toggleGroup(this.#group);
    this.#colouring = colouring;
    const { groups, kinds, shapes } = this.#groups;
    this.spots.forEach((spot, i) => {
      spot.setAttribute("class", `spot ${kinds[groups[i]]}`);
      spot.setAttribute("href", `#mark-${shapes[groups[i]]}`);
    });
    for (const legend of this.root.querySelectorAll("[data-legend]")) {
      legend.hidden = Number(legend.dataset.legend) !== colouring;
    }
  }

  get #places() {
    return this.data.places[this.#view];
  }

  /** Return the code at a place, on the plane of the map. @param {number} x @param {number} y in the view box */
  #codeAt(x, y) {
    const { ends, margin, mean, directions } = this.data;
    const size = [this.box.width, this.box.height];
    const [u, v] = [x, y].map((at, k) => {
      const share = (at - margin) / (size[k] - 2 * margin);
      return ends[0][k] + (ends[1][k] - ends[0][k]) * share;
    });
    return mean.map((m, c) => m + u * directions[0][c] + v * directions[1][c]);
  }

  /** @param {number} i */
  #describe(i) {
    const { noun, rows } = this.data;
    const { names, title, groups } = this.#groups;
    return `${noun} ${rows[i]}${names.length > 1 ? `, ${title} ${names[groups[i]]}` : ""}`;
  }

  /** @param {number} i */
  #isVisible(i) {
    return this.#group === null || this.#groups.groups[i] === this.#group;
  }

  /** Return the nearest example for which a test of its distance holds, or -1.
   * @param {number} x @param {number} y @param {(dx: number, dy: number, i: number) => boolean} [isCandidate] */
  #nearest(x, y, isCandidate = () => true) {
    let best = -1;
    let shortest = Infinity;
    this.#places.forEach(([px, py], i) => {
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < shortest && this.#isVisible(i) && isCandidate(px - x, py - y, i)) {
        best = i;
        shortest = distance;
      }
    });
    return best;
  }

  /** Return the next example in a direction, or -1. @param {(dx: number, dy: number) => boolean} isInDirection */
  #next(isInDirection) {
    const current = this.#current;
    if (current < 0) return this.#nearest(this.box.width / 2, this.box.height / 2);
    const [x, y] = this.#places[current];
    return this.#nearest(x, y, (dx, dy, i) => i !== current && (dx || dy) && isInDirection(dx, dy));
  }

  /** @param {number} view */
  #setView(view) {
    this.#view = view;
    this.#leave();
    this.svg.classList.add("moving");
    this.spots.forEach((spot, i) => {
      const [x, y] = this.#places[i];
      spot.style.transform = `translate(${x}px,${y}px)`;
    });
    this.#press("view", view);
  }

  /** @param {number} group */
  #toggleGroup(group) {
    this.#group = this.#group === group ? null : group;
    this.#current = -1;
    this.spots.forEach((spot, i) => spot.classList.toggle("off", !this.#isVisible(i)));
    this.#press("group", this.#group);
  }

  /** Show which button of a kind is pressed. @param {"view" | "group"} kind @param {number | null} value */
  #press(kind, value) {
    for (const button of this.root.querySelectorAll(`[data-${kind}]`)) {
      button.setAttribute("aria-pressed", Number(button.dataset[kind]) === value);
    }
  }
}

/** The tip beside the pointer. It shows the example as a part of the sprite, as a line, or as text. */
class MapTip {
  /** @param {Element} root @param {object} data of the map */
  constructor(root, data) {
    this.data = data;
    this.element = root.querySelector(".tip");
    this.window = root.querySelector(".window");
    this.sprite = root.querySelector(".sprite");
    this.caption = root.querySelector(".what");
    this.line = this.element.querySelector("polyline");
    this.list = this.element.querySelector(".unusual");
    if (this.window) this.window.style.height = `${this.window.clientWidth * data.ratio}px`;
  }

  /** @param {number} i example @param {string} caption
   * @param {boolean} isAlone true without a decoded example beside it */
  show(i, caption, isAlone) {
    const { columns, ratio, lines, unusual } = this.data;
    if (this.sprite) {
      const width = this.window.clientWidth;
      const height = width * ratio;
      const [x, y] = [-width * (i % columns), -height * Math.floor(i / columns)];
      this.sprite.style.width = `${columns * width}px`;
      this.sprite.style.transform = `translate(${x}px, ${y}px)`;
    }
    if (this.line) this.line.setAttribute("points", lines[i].map((v, k) => `${k},${v}`).join(" "));
    if (this.list) {
      const items = unusual[i].map((text) => Object.assign(document.createElement("li"), { textContent: text }));
      this.list.replaceChildren(...items);
    }
    this.caption.textContent = caption;
    this.element.toggleAttribute("data-alone", isAlone);
    this.element.classList.add("on");
  }

  hide() {
    this.element.classList.remove("on");
  }

  /** Place it beside a pixel, within the stage. @param {number} px @param {number} py @param {DOMRect} stage */
  place(px, py, stage) {
    const { element } = this;
    const [left, top] = [px + 18, py + 18];
    const isTooFar = left + element.offsetWidth > stage.width;
    const isTooLow = top + element.offsetHeight > stage.height;
    element.style.left = `${Math.max(0, isTooFar ? left - element.offsetWidth - 36 : left)}px`;
    element.style.top = `${Math.max(0, isTooLow ? top - element.offsetHeight - 36 : top)}px`;
  }
}
