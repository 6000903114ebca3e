// The dials: sliders for the components of a code, and the decoded example.

class DialsView {
  /** @type {number[]} the code in standard deviations, including components without a slider */ #code = [];

  /** @param {Element} root */
  constructor(root) {
    this.data = readData(root, "dials-data");
    this.decoder = findDecoder(this.data.decoder);
    this.sliders = [...root.querySelectorAll("input")];
    this.outputs = [...root.querySelectorAll(".dial output")];
    this.canvas = root.querySelector("canvas");
    this.line = root.querySelector("polyline");
    this.row = this.data.columns ? new TableRow(root, this.data.columns) : null;
    this.bars = [...root.querySelectorAll(".bars li")];
    for (const slider of this.sliders) slider.addEventListener("input", () => this.#show());
    root.querySelector("[data-draw]").addEventListener("click", () => this.#set(this.#code.map(drawNormal)));
    root.querySelector("[data-centre]").addEventListener("click", () => this.#set(this.#code.map(() => 0)));
    const { starts } = this.data;
    for (const button of root.querySelectorAll("[data-start]")) {
      button.addEventListener("click", () => this.#set(starts[Number(button.dataset.start)]));
    }
    this.#set(starts[0]);
  }

  /** @param {number[]} code in standard deviations */
  #set(code) {
    const { components, span } = this.data;
    this.#code = code.slice();
    this.sliders.forEach((slider, i) => {
      slider.value = clamp(code[components[i]], -span, span);
    });
    this.#show();
  }

  /** Decode the code of the sliders. */
  #show() {
    const { components, centre, spread } = this.data;
    components.forEach((component, i) => {
      const value = Number(this.sliders[i].value);
      this.#code[component] = value;
      this.outputs[i].textContent = withMinus(value.toFixed(2));
    });
    const values = this.decoder.decode(this.#code.map((v, k) => centre[k] + spread[k] * v));
    if (this.row) this.row.show(values);
    else if (this.canvas) drawImage(this.canvas, values, this.decoder.spec);
    else if (this.line) this.line.setAttribute("points", linePoints(values.map((v, i) => this.#share(v, i))));
    else values.forEach((v, i) => this.#showBar(v, i));
  }

  /** @param {number} value standardized @param {number} column */
  #showBar(value, column) {
    const { offset, scale } = this.data;
    const share = this.#share(value, column);
    const fill = this.bars[column].querySelector("b");
    fill.style.left = `${share < 0 ? 50 + 50 * share : 50}%`;
    fill.style.width = `${50 * Math.abs(share)}%`;
    fill.className = share < 0 ? "less" : "";
    const original = value * valueOf(scale, column) + valueOf(offset, column);
    this.bars[column].querySelector("output").textContent = formatNumber(original);
  }

  /** Return how far a value is from the mean, from -1 to 1.
   * @param {number} value standardized @param {number} column */
  #share(value, column) {
    return clamp((value - valueOf(this.data.mean, column)) / this.data.reach, -1, 1);
  }
}

/** Return the value of a column from a list that may hold one value for all.
 * @param {number[]} list @param {number} column */
function valueOf(list, column) {
  return list[list.length > 1 ? column : 0];
}

/** Draw from the standard normal distribution, by Box and Muller. */
function drawNormal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
