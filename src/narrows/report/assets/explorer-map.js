// The map of an explorer: the camera, the pointer and the keys, names, contours, the selection, and the tip.

const CLOSEST = 400; // largest zoom
const MORPH = 900; // milliseconds from one view to another

class ExplorerMap {
  /** @param {Element} root of the stage @param {ExplorerData} data @param {ExplorerRows} rows
   * @param {{selected: () => void, tip: (row: number) => Node[]}} told when rows are selected; what a tip shows */
  constructor(root, data, rows, told) {
    Object.assign(this, { root, data, rows, told });
    this.mode = "move"; // what a drag does: move, box or lasso
    this.hasContours = true;
    this.hasNames = true;
    this.hovered = -1;
    this.zoom = 1;
    this.middle = [0.5, 0.5]; // of the picture, in the unit square
    /** @type {Map<number, [number, number]>} */ this.pointers = new Map();
    /** @type {[number, number][]} */ this.outline = []; // of the selection, in the unit square
    [this.canvas, this.overlay] = root.querySelectorAll("canvas");
    this.tip = root.querySelector(".tip");
    this.painter = new PointPainter(this.canvas);
    this.views = data.views.map(({ places }) => ({ x: unpackPlaces(places.x), y: unpackPlaces(places.y) }));
    this.order = shuffled(data.n);
    this.show(0, false);
    this.#listen();
    new ResizeObserver(() => this.resize()).observe(root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
  }

  /** Show a view. @param {number} number @param {boolean} isSlow move all points there */
  show(number, isSlow = true) {
    const to = this.views[number];
    const from = { x: this.x ?? to.x, y: this.y ?? to.y };
    this.view = number;
    this.outline = [];
    this.tip.classList.remove("on");
    const finish = () => {
      this.x = to.x;
      this.y = to.y;
      this.index = new PointIndex(to.x, to.y);
      this.changed();
    };
    if (!isSlow || matchMedia("(prefers-reduced-motion: reduce)").matches) return finish();
    const [x, y] = [to.x.slice(), to.y.slice()];
    Object.assign(this, { x, y, contours: [] });
    const start = performance.now();
    const step = (now) => {
      if (this.view !== number) return;
      const t = clamp((now - start) / MORPH, 0, 1);
      const share = t * t * (3 - 2 * t);
      for (let i = 0; i < x.length; i++) {
        x[i] = from.x[i] + share * (to.x[i] - from.x[i]);
        y[i] = from.y[i] + share * (to.y[i] - from.y[i]);
      }
      if (t === 1) return finish();
      this.draw(true);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  /** The filters or the places have changed. */
  changed() {
    this.contours = this.hasContours ? contoursOf(densityOf(this.x, this.y, this.rows.left)) : [];
    this.draw();
  }

  /** Colour the points by a column. @param {ExplorerColumn} column */
  colourBy(column) {
    this.column = column;
    this.recolour();
  }

  recolour() {
    if (!this.column) return;
    const colours = new ExplorerColours(this.data.ramp);
    this.colours = colours;
    [this.tones, this.palette] = colours.of(this.column);
    this.draw();
  }

  resize() {
    const { width, height } = this.root.getBoundingClientRect();
    if (!width || !height) return;
    this.ratio = Math.min(2, devicePixelRatio || 1);
    Object.assign(this, { width, height });
    this.painter.resize(Math.round(width * this.ratio), Math.round(height * this.ratio));
    this.overlay.width = this.canvas.width;
    this.overlay.height = this.canvas.height;
    this.draw();
  }

  /** Pixels of the style sheet in the unit square's side. */
  get scale() {
    return this.zoom * Math.min(this.width, this.height) * 0.98;
  }

  /** @param {number} x @param {number} y in the unit square @returns {[number, number]} */
  toScreen(x, y) {
    return [this.width / 2 + (x - this.middle[0]) * this.scale, this.height / 2 + (y - this.middle[1]) * this.scale];
  }

  /** @param {number} a @param {number} b pixels of the stage @returns {[number, number]} */
  toPlace(a, b) {
    return [(a - this.width / 2) / this.scale + this.middle[0], (b - this.height / 2) / this.scale + this.middle[1]];
  }

  /** Zoom about a point of the stage. @param {number} factor @param {[number, number]} at */
  zoomBy(factor, at = [this.width / 2, this.height / 2]) {
    const place = this.toPlace(...at);
    this.zoom = clamp(this.zoom * factor, 0.5, CLOSEST);
    const now = this.toPlace(...at);
    this.middle = [0, 1].map((i) => clamp(this.middle[i] + place[i] - now[i], 0, 1));
    this.move();
  }

  panBy(a, b) {
    this.middle = [clamp(this.middle[0] - a / this.scale, 0, 1), clamp(this.middle[1] - b / this.scale, 0, 1)];
    this.move();
  }

  reset() {
    this.zoom = 1;
    this.middle = [0.5, 0.5];
    this.move();
  }

  /** Draw some points now, and all of them when the map rests. */
  move() {
    this.tip.classList.remove("on");
    this.hovered = -1;
    if (!this.waits) {
      this.waits = true;
      requestAnimationFrame(() => {
        this.waits = false;
        this.draw(true);
      });
    }
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.draw(), 120);
  }

  draw(isMoving = false) {
    if (!this.width || !this.palette) return;
    const { ratio, colours } = this;
    const [left, top] = this.toScreen(0, 0);
    const radius = clamp(0.75 + 75 / Math.sqrt(this.data.n), 0.9, 4.5) * this.zoom ** 0.3;
    this.painter.draw({
      ...{ x: this.x, y: this.y, order: this.order, out: this.rows.left, tones: this.tones, palette: this.palette },
      ...{ scale: this.scale * ratio, left: left * ratio, top: top * ratio, radius: Math.min(radius, 6) * ratio },
      ...{ faint: colours.faint, ground: colours.ground, isMoving },
    });
    this.#drawOver();
  }

  /** Draw what lies over the points: contours, names, the selection, and a ring around the point under the pointer. */
  #drawOver() {
    const context = this.overlay.getContext("2d");
    const { ratio, colours } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    const [left, top] = this.toScreen(0, 0);
    const side = this.scale * ratio;
    context.setTransform(side, 0, 0, side, left * ratio, top * ratio);
    context.lineWidth = ratio / side;
    context.strokeStyle = colours.ink;
    context.globalAlpha = 0.28;
    for (const path of this.contours) context.stroke(path);
    context.globalAlpha = 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (this.outline.length) this.#drawOutline(context);
    if (this.hasNames) this.#drawNames(context);
    if (this.hovered >= 0) {
      context.beginPath();
      context.arc(...this.toScreen(this.x[this.hovered], this.y[this.hovered]), 8, 0, 2 * Math.PI);
      context.lineWidth = 2;
      context.strokeStyle = colours.ink;
      context.stroke();
    }
  }

  /** @param {CanvasRenderingContext2D} context */
  #drawOutline(context) {
    context.beginPath();
    for (const place of this.outline) context.lineTo(...this.toScreen(...place));
    context.closePath();
    context.fillStyle = context.strokeStyle = this.colours.sea;
    context.globalAlpha = 0.1;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.setLineDash([5, 4]);
    context.stroke();
    context.setLineDash([]);
  }

  /** Write the names of levels, or those of clusters, in their middles; the first ones where two would touch.
   * @param {CanvasRenderingContext2D} context */
  #drawNames(context) {
    const named = this.column?.medoids?.length ? this.column : this.rows.columns.find((c) => c.isCluster);
    if (!named?.medoids) return;
    const names = named.medoids.flatMap((row, level) => {
      if (row < 0 || (named.chosen.size && !named.chosen.has(level))) return [];
      const [x, y] = this.toScreen(this.x[row], this.y[row]);
      return [{ text: named.levels[level], x, y, isFaint: this.rows.left[row] !== 0 }];
    });
    const { ink, raised: halo } = this.colours;
    const family = getComputedStyle(this.root).fontFamily;
    drawNames(context, names, { width: this.width, height: this.height, family, ink, halo });
  }

  // -------------------------------------------------------------------------------------------- pointer and keys

  #listen() {
    const { overlay, root } = this;
    overlay.addEventListener("pointerdown", (event) => this.#press(event));
    overlay.addEventListener("pointermove", (event) => this.#drag(event));
    for (const name of ["pointerup", "pointercancel"]) overlay.addEventListener(name, (event) => this.#release(event));
    overlay.addEventListener("pointerleave", () => this.#hover(-1));
    root.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoomBy(Math.exp(-clamp(event.deltaY * (event.deltaMode ? 30 : 1), -240, 240) / 300), this.#at(event));
      },
      { passive: false },
    );
    overlay.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
      if (moves[event.key]) this.panBy(...moves[event.key]);
      else if (event.key === "+" || event.key === "=") this.zoomBy(1.4);
      else if (event.key === "-") this.zoomBy(1 / 1.4);
      else if (event.key === "0") this.reset();
      else if (event.key === "Escape") this.select([]);
      else return;
      event.preventDefault();
    });
  }

  /** @param {MouseEvent} event @returns {[number, number]} */
  #at(event) {
    const box = this.root.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button) return;
    this.overlay.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.#at(event));
    this.isDrawing = this.mode !== "move" && this.pointers.size === 1;
    if (this.isDrawing) {
      this.pressed = this.toPlace(...this.#at(event));
      this.outline = [this.pressed];
    }
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const at = this.#at(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) return this.#hover(this.#find(at));
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    this.pointers.set(event.pointerId, at);
    if (others.length) {
      const apart = (from) => Math.hypot(from[0] - others[0][0], from[1] - others[0][1]);
      this.isDrawing = false;
      this.outline = [];
      this.zoomBy(apart(at) / Math.max(apart(before), 1), [(at[0] + others[0][0]) / 2, (at[1] + others[0][1]) / 2]);
    } else if (this.isDrawing) {
      const place = this.toPlace(...at);
      const [x, y] = this.pressed;
      if (this.mode === "lasso") this.outline.push(place);
      else this.outline = [this.pressed, [place[0], y], place, [x, place[1]]];
      this.#drawOver();
    } else this.panBy(at[0] - before[0], at[1] - before[1]);
  }

  /** @param {PointerEvent} event */
  #release(event) {
    if (!this.pointers.delete(event.pointerId) || !this.isDrawing) return;
    this.isDrawing = false;
    this.select(this.outline.length > 2 ? this.outline : []);
  }

  /** @param {[number, number]} at */
  #find(at) {
    const { left } = this.rows;
    return this.index ? this.index.find(...this.toPlace(...at), 14 / this.scale, (row) => !left[row]) : -1;
  }

  /** Show the tip of a row; -1 hides it. @param {number} row */
  #hover(row) {
    if (row === this.hovered) return;
    this.hovered = row;
    this.tip.classList.toggle("on", row >= 0);
    this.#drawOver();
    if (row < 0) return;
    this.tip.replaceChildren(...this.told.tip(row));
    const [a, b] = this.toScreen(this.x[row], this.y[row]);
    const { offsetWidth, offsetHeight } = this.tip;
    const beside = a + 16 + offsetWidth > this.width ? a - 16 - offsetWidth : a + 16;
    this.tip.style.left = `${clamp(beside, 4, Math.max(4, this.width - offsetWidth - 4))}px`;
    this.tip.style.top = `${clamp(b - offsetHeight / 2, 4, Math.max(4, this.height - offsetHeight - 4))}px`;
  }

  /** Select the rows inside an outline; none without one. @param {[number, number][]} outline in the unit square */
  select(outline) {
    this.outline = outline;
    this.rows.select(outline.length ? insideOf(outline, this.x, this.y) : null);
    this.told.selected();
  }
}

/** @param {string} packed 16-bit numbers */
function unpackPlaces(packed) {
  return Float32Array.from(new Uint16Array(unpackBytes(packed)), (v) => v / 65535);
}

/** Return the numbers below n in random order, so that the first ones are a sample. @param {number} n */
function shuffled(n) {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  let state = 1;
  for (let i = n - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 4294967296) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/** Return 1 for each point inside a polygon: it crosses the ray to the right an odd number of times.
 * @param {[number, number][]} outline @param {Float32Array} x @param {Float32Array} y */
function insideOf(outline, x, y) {
  const inside = new Uint8Array(x.length);
  const xs = outline.map(([a]) => a);
  const ys = outline.map(([, b]) => b);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  for (let i = 0; i < x.length; i++) {
    if (x[i] < left || x[i] > right || y[i] < top || y[i] > bottom) continue;
    let isInside = 0;
    for (let k = 0, j = xs.length - 1; k < xs.length; j = k++) {
      if (ys[k] > y[i] !== ys[j] > y[i] && x[i] < ((xs[j] - xs[k]) * (y[i] - ys[k])) / (ys[j] - ys[k]) + xs[k]) {
        isInside ^= 1;
      }
    }
    inside[i] = isInside;
  }
  return inside;
}
