// What can be touched: the map and the dials. Without this script the page shows both as they stand.
(() => {
  document.documentElement.classList.add("scripted");
  const read = (root, kind) => JSON.parse(root.querySelector(`script.${kind}`).textContent);

  // Values in [0, 1] as ink on nothing; the style sheet makes the ink dark or light
  function paint(canvas, values) {
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    values.forEach((v, i) => { image.data[4 * i + 3] = Math.round(255 * Math.min(1, Math.max(0, v))); });
    context.putImageData(image, 0, 0);
  }

  function gauss() {
    return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  }

  function dials(root) {
    const { decoder: spec, codes, span } = read(root, "dials-data");
    const decode = decoder(spec), canvas = root.querySelector("canvas");
    const sliders = [...root.querySelectorAll("input")], outputs = [...root.querySelectorAll("output")];
    function show() {
      const z = sliders.map((s) => +s.value);
      z.forEach((v, i) => { outputs[i].textContent = v.toFixed(2).replace("-", "\u2212"); });
      paint(canvas, decode(z));
    }
    function turn(z) {
      sliders.forEach((s, i) => { s.value = Math.min(span, Math.max(-span, z[i])); });
      show();
    }
    sliders.forEach((s) => s.addEventListener("input", show));
    root.querySelector("[data-draw]").addEventListener("click", () => turn(sliders.map(gauss)));
    root.querySelector("[data-centre]").addEventListener("click", () => turn(sliders.map(() => 0)));
    root.querySelectorAll("[data-start]").forEach((b) =>
      b.addEventListener("click", () => turn(codes[+b.dataset.start])));
    show();
  }

  function map(root) {
    const { labels, places, codes, ends, margin, columns, decoder: spec } = read(root, "map-data");
    const svg = root.querySelector("svg"), ring = root.querySelector(".ring"), tip = root.querySelector(".tip");
    const spots = [...root.querySelectorAll(".spot")], sprite = root.querySelector(".sprite");
    const live = root.querySelector("[aria-live]"), canvas = root.querySelector("canvas");
    const box = svg.viewBox.baseVal, decode = spec && decoder(spec), shown = root.querySelector(".window");
    let view = 0, at = -1, only = null;
    if (canvas) { canvas.width = spec.width; canvas.height = spec.height; }

    // From a place in the view box to the code that lies there
    const size = [box.width, box.height];
    const codeAt = (...p) => p.map((v, k) => ends[0][k] + (ends[1][k] - ends[0][k]) * (v - margin) / (size[k] - 2 * margin));

    function point(i, x, y, z) {
      at = i;
      const [a, b] = places[view][i], width = shown.clientWidth;
      ring.setAttribute("cx", a); ring.setAttribute("cy", b);
      sprite.style.width = `${columns * width}px`;
      sprite.style.transform = `translate(${-width * (i % columns)}px, ${-width * Math.floor(i / columns)}px)`;
      root.querySelector(".what").textContent = `a real ${labels[i]}`;
      tip.toggleAttribute("data-alone", view !== 0 || !decode);
      if (view === 0 && decode) paint(canvas, decode(z));
      tip.classList.add("on");
      const stage = svg.getBoundingClientRect(), scale = stage.width / box.width;
      const left = x * scale + 18, top = y * scale + 18;
      tip.style.left = `${left + tip.offsetWidth > stage.width ? left - tip.offsetWidth - 36 : left}px`;
      tip.style.top = `${top + tip.offsetHeight > stage.height ? top - tip.offsetHeight - 36 : top}px`;
    }
    function rest() {
      tip.classList.remove("on");
      ring.setAttribute("cx", -50);
    }
    const wanted = (i) => only === null || String(labels[i]) === only;
    function nearest(x, y, fits) {
      let best = -1, least = Infinity;
      places[view].forEach(([a, b], i) => {
        const far = (a - x) ** 2 + (b - y) ** 2;
        if (far < least && wanted(i) && (!fits || fits(a - x, b - y, i))) { best = i; least = far; }
      });
      return best;
    }

    function hover(event) {
      const stage = svg.getBoundingClientRect();
      const x = (event.clientX - stage.left) * box.width / stage.width;
      const y = (event.clientY - stage.top) * box.height / stage.height;
      point(nearest(x, y), x, y, codeAt(x, y));
    }
    svg.addEventListener("pointermove", hover);
    svg.addEventListener("pointerdown", hover);
    svg.addEventListener("pointerleave", rest);
    svg.addEventListener("blur", rest);
    svg.addEventListener("keydown", (event) => {
      const ways = {
        ArrowLeft: (dx, dy) => -dx > Math.abs(dy), ArrowRight: (dx, dy) => dx > Math.abs(dy),
        ArrowUp: (dx, dy) => -dy >= Math.abs(dx), ArrowDown: (dx, dy) => dy >= Math.abs(dx),
      };
      if (event.key === "Escape") return rest();
      if (!ways[event.key]) return;
      event.preventDefault();
      const [x, y] = at < 0 ? [box.width / 2, box.height / 2] : places[view][at];
      const next = at < 0 ? nearest(x, y) : nearest(x, y, (dx, dy, i) => i !== at && ways[event.key](dx, dy));
      if (next < 0) return;
      point(next, ...places[view][next], codes[next]);
      live.textContent = `a ${labels[next]}`;
    });

    root.querySelectorAll("[data-view]").forEach((button) => button.addEventListener("click", () => {
      view = +button.dataset.view;
      rest();
      svg.classList.add("moving");
      spots.forEach((s, i) => { s.style.transform = `translate(${places[view][i][0]}px,${places[view][i][1]}px)`; });
      root.querySelectorAll("[data-view]").forEach((b) => b.setAttribute("aria-pressed", b === button));
    }));
    root.querySelectorAll("[data-label]").forEach((button) => button.addEventListener("click", () => {
      only = only === button.dataset.label ? null : button.dataset.label;
      at = -1;
      spots.forEach((s, i) => s.classList.toggle("off", !wanted(i)));
      root.querySelectorAll("[data-label]").forEach((b) => b.setAttribute("aria-pressed", b.dataset.label === only));
    }));
  }

  document.querySelectorAll(".dials").forEach(dials);
  document.querySelectorAll(".map").forEach(map);
})();
