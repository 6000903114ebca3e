// What can be touched: the map and the dials. Without this script the page shows both as they stand.
(() => {
  document.documentElement.classList.add("scripted");
  const read = (root, kind) => JSON.parse(root.querySelector(`script.${kind}`).textContent);
  const minus = (words) => words.replace("-", "\u2212");

  // {spec, decode} of a decoder that the page holds, or null; made when first asked for
  const decoders = {};
  function decoderCalled(name) {
    if (!name || !document.querySelector(`script.${name}`)) return null;
    if (!decoders[name]) {
      const spec = read(document, name);
      decoders[name] = { spec, decode: decoder(spec) };
    }
    return decoders[name];
  }

  // Entries of an image, channel by channel: one channel as ink on nothing, which the style sheet makes dark or light,
  // three as colours
  function paint(canvas, values, { shape: [channels, height, width], limits: [low, high] }) {
    const context = canvas.getContext("2d"), n = height * width;
    const image = context.createImageData(width, height);
    const byte = (v) => Math.round(255 * Math.min(1, Math.max(0, (v - low) / (high - low))));
    for (let i = 0; i < n; i++) {
      if (channels < 3) { image.data[4 * i + 3] = byte(values[i]); continue; }
      for (let k = 0; k < 3; k++) image.data[4 * i + k] = byte(values[k * n + i]);
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  const short = (v) => minus(Math.abs(v) >= 1e6 || (v && Math.abs(v) < 1e-3) ? v.toExponential(1)
    : v.toPrecision(3).includes("e") ? String(Math.round(v)) : String(+v.toPrecision(3)));

  function gauss() {
    return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  }

  function dials(root) {
    const held = read(root, "dials-data"), found = decoderCalled(held.decoder);
    const { starts, centre, spread, components, span } = held;
    const sliders = [...root.querySelectorAll("input")], outputs = [...root.querySelectorAll(".dial output")];
    const canvas = root.querySelector("canvas"), line = root.querySelector("polyline");
    const bars = [...root.querySelectorAll(".bars li")];
    let rest = starts[0].slice(); // of all components, also those without a slider; in standard deviations

    function bar(o, i) {
      const { offset, scale, mean, reach } = held, at = (list) => list[list.length > 1 ? i : 0];
      const share = Math.min(1, Math.max(-1, (o - at(mean)) / reach));
      const b = bars[i].querySelector("b");
      b.style.left = `${share < 0 ? 50 + 50 * share : 50}%`;
      b.style.width = `${50 * Math.abs(share)}%`;
      b.className = share < 0 ? "less" : "";
      bars[i].querySelector("output").textContent = short(o * at(scale) + at(offset));
    }
    function show() {
      components.forEach((c, i) => { rest[c] = +sliders[i].value; outputs[i].textContent = minus((+sliders[i].value).toFixed(2)); });
      const values = found.decode(rest.map((v, k) => centre[k] + spread[k] * v));
      if (canvas) return paint(canvas, values, found.spec);
      if (!line) return values.forEach(bar);
      const at = (i) => held.mean[held.mean.length > 1 ? i : 0];
      line.setAttribute("points", Array.from(values, (v, i) =>
        `${(300 * i / (values.length - 1)).toFixed(1)},${(80 - 75 * Math.min(1, Math.max(-1, (v - at(i)) / held.reach))).toFixed(1)}`).join(" "));
    }
    function turn(z) {
      rest = z.slice();
      sliders.forEach((s, i) => { s.value = Math.min(span, Math.max(-span, z[components[i]])); });
      show();
    }
    sliders.forEach((s) => s.addEventListener("input", show));
    root.querySelector("[data-draw]").addEventListener("click", () => turn(rest.map(gauss)));
    root.querySelector("[data-centre]").addEventListener("click", () => turn(rest.map(() => 0)));
    root.querySelectorAll("[data-start]").forEach((b) =>
      b.addEventListener("click", () => turn(starts[+b.dataset.start])));
    turn(starts[0]);
  }

  function map(root) {
    const held = read(root, "map-data");
    const { of, names, title, rows, places, ends, margin, columns, noun, mean, directions } = held;
    const svg = root.querySelector("svg[role]"), ring = root.querySelector(".ring"), tip = root.querySelector(".tip");
    const spots = [...root.querySelectorAll(".spot")], sprite = root.querySelector(".sprite");
    const live = root.querySelector("[aria-live]"), canvas = root.querySelector("canvas");
    const line = tip.querySelector("polyline"), list = tip.querySelector(".said-of-it");
    const box = svg.viewBox.baseVal, found = decoderCalled(held.decoder), shown = root.querySelector(".window");
    let view = 0, at = -1, only = null;
    if (canvas) { [, canvas.height, canvas.width] = found.spec.shape; }
    if (shown) shown.style.height = `${shown.clientWidth * held.ratio}px`;

    // From a place in the view box to the code that lies there, on the plane of the map
    const size = [box.width, box.height];
    function codeAt(...p) {
      const plane = p.map((v, k) => ends[0][k] + (ends[1][k] - ends[0][k]) * (v - margin) / (size[k] - 2 * margin));
      return mean.map((m, c) => m + plane[0] * directions[0][c] + plane[1] * directions[1][c]);
    }
    const called = (i) => `${noun} ${rows[i]}` + (names.length > 1 ? `, ${title} ${names[of[i]]}` : "");

    function point(i, x, y) {
      at = i;
      const [a, b] = places[view][i];
      ring.setAttribute("cx", a); ring.setAttribute("cy", b);
      if (sprite) {
        const width = shown.clientWidth, height = width * held.ratio;
        sprite.style.width = `${columns * width}px`;
        sprite.style.transform = `translate(${-width * (i % columns)}px, ${-height * Math.floor(i / columns)}px)`;
      }
      if (line) line.setAttribute("points", held.lines[i].map((v, k) => `${k},${v}`).join(" "));
      if (list) list.replaceChildren(...held.words[i].map((words) => Object.assign(document.createElement("li"), { textContent: words })));
      root.querySelector(".what").textContent = called(i);
      tip.toggleAttribute("data-alone", view !== 0 || !found);
      if (view === 0 && found && canvas) paint(canvas, found.decode(codeAt(x, y)), found.spec);
      tip.classList.add("on");
      const stage = svg.getBoundingClientRect(), scale = stage.width / box.width;
      const left = x * scale + 18, top = y * scale + 18;
      tip.style.left = `${Math.max(0, left + tip.offsetWidth > stage.width ? left - tip.offsetWidth - 36 : left)}px`;
      tip.style.top = `${Math.max(0, top + tip.offsetHeight > stage.height ? top - tip.offsetHeight - 36 : top)}px`;
    }
    function rest() {
      tip.classList.remove("on");
      ring.setAttribute("cx", -50);
    }
    const wanted = (i) => only === null || of[i] === only;
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
      point(nearest(x, y), x, y);
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
      const next = at < 0 ? nearest(x, y)
        : nearest(x, y, (dx, dy, i) => i !== at && (dx || dy) && ways[event.key](dx, dy));
      if (next < 0) return;
      point(next, ...places[view][next]);
      live.textContent = called(next) + (list ? `: ${held.words[next].join(", ")}` : "");
    });

    root.querySelectorAll("[data-view]").forEach((button) => button.addEventListener("click", () => {
      view = +button.dataset.view;
      rest();
      svg.classList.add("moving");
      spots.forEach((s, i) => { s.style.transform = `translate(${places[view][i][0]}px,${places[view][i][1]}px)`; });
      root.querySelectorAll("[data-view]").forEach((b) => b.setAttribute("aria-pressed", b === button));
    }));
    root.querySelectorAll("[data-group]").forEach((button) => button.addEventListener("click", () => {
      only = only === +button.dataset.group ? null : +button.dataset.group;
      at = -1;
      spots.forEach((s, i) => s.classList.toggle("off", !wanted(i)));
      root.querySelectorAll("[data-group]").forEach((b) => b.setAttribute("aria-pressed", +b.dataset.group === only));
    }));
  }

  document.querySelectorAll(".dials").forEach(dials);
  document.querySelectorAll(".map").forEach(map);
})();
