// The drawing of the five parts: a slider for each kind of autoencoder chooses among the pictures in one image.

class AnatomyView {
  /** @param {Element} root */
  constructor(root) {
    this.root = root;
    this.film = root.querySelector(".frames img");
    [this.width, this.height] = this.film.dataset.frame.split(" ").map(Number);
    this.film.decode().then(() => this.#start());
  }

  #start() {
    // two rows for each strip: the frames with even numbers, and those with odd numbers
    this.nStrips = this.film.naturalHeight / (this.height + 1) / 2;
    for (const still of this.root.querySelectorAll("img[data-strip]")) still.replaceWith(this.#canvasFor(still));
    for (const slider of this.root.querySelectorAll("input[type=range]")) {
      slider.addEventListener("input", () => this.#turn(slider));
      this.#turn(slider);
    }
  }

  /** Return a canvas in the place of a picture. @param {HTMLImageElement} still */
  #canvasFor(still) {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { className: still.className, width: this.width, height: this.height });
    Object.assign(canvas.dataset, still.dataset);
    if (still.alt) {
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", still.alt);
    }
    return canvas;
  }

  /** Show the pictures of a slider's value. @param {HTMLInputElement} slider */
  #turn(slider) {
    const [value, low, high, step] = [slider.value, slider.min, slider.max, slider.step].map(Number);
    const { kind } = slider.dataset;
    const frame = Math.round((value - low) / step);
    slider.parentElement.querySelector("output").textContent = withMinus(value.toFixed(2));
    for (const part of this.root.querySelectorAll(`:is(i, canvas)[data-of="${kind}"]`)) {
      part.style.setProperty("--at", (value - low) / (high - low));
      if (part.dataset.strip) this.#draw(part, Number(part.dataset.strip), frame);
    }
  }

  /** @param {HTMLCanvasElement} canvas @param {number} strip @param {number} frame */
  #draw(canvas, strip, frame) {
    const { width, height } = this;
    const x = (frame >> 1) * (width + 1);
    const y = (strip + (frame % 2) * this.nStrips) * (height + 1);
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    context.drawImage(this.film, x, y, width, height, 0, 0, width, height);
  }
}
