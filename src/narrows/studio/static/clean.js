// Clean: an example with noise on it, and what the model makes of it, one behind the other with a slider between.

import { button, chooser, download, h, heading, number, select, settled, shown, takes, tried } from "./ui.js";

/** @import {App, Example, Panel} from "./types" */

/** @param {App} app @returns {Panel} */
export function panel({ transport, state }) {
  const model = /** @type {NonNullable<typeof state.model>} */ (state.model);
  const denoises = model.recipe === "dae";
  /** @type {{row: number} | {image: Blob}} */ let subject = { row: 0 };
  let level = 0.3;
  let kind = model.noise;
  let seed = 0;
  let asked = 0;

  const before = h("div", { class: "before" });
  const after = h("div", { class: "after" });
  const seam = h("input", { type: "range", min: 0, max: 100, value: 50, step: 1, class: "seam", "aria-label": "Seam between the noisy and the cleaned one", oninput: () => compare.style.setProperty("--seam", `${seam.value}%`) });
  const compare = h("div", { class: `compare ${model.kind}`, style: { "--seam": "50%" } }, before, after,
    h("span", { class: "side-name left" }, "noisy"), h("span", { class: "side-name right" }, denoises ? "cleaned" : "reconstructed"), seam);
  const figures = h("dl", { class: "figures", "aria-live": "polite" });
  const trio = h("div", { class: "trio" });
  const words = h("span", null, number(level));
  const noise = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: level, oninput: () => {
    level = Number(noise.value);
    words.textContent = number(level);
    later();
  } });
  const kinds = model.noises.length > 1 && select("Kind", model.noises.map((name) => [name, name.replaceAll("_", " ")]), kind, (value) => { kind = value; ask(); }).element;

  async function ask() {
    const mine = ++asked;
    const request = "image" in subject
      ? transport.json("POST", `/api/clean/image?noise=${level}&kind=${kind}&seed=${seed}`, subject.image)
      : transport.json("POST", "/api/clean", { row: subject.row, noise: level, kind, seed });
    const answer = await tried(request);
    if (answer && mine === asked) show(answer);
  }
  const later = settled(ask, 60);

  /** @param {{original: Example | null, noisy: Example, clean: Example, psnr_noisy: number | null, psnr_clean: number | null, method: string}} answer */
  function show({ original, noisy, clean, psnr_noisy, psnr_clean }) {
    before.replaceChildren(shown(noisy, "With noise", model.columns));
    after.replaceChildren(shown(clean, denoises ? "Cleaned" : "Reconstructed", model.columns));
    const decibels = (/** @type {number} */ v) => `${v.toFixed(1)} dB`;
    /** @type {[string, string][]} */
    const lines = psnr_clean === null ? [] : [["Noisy", decibels(psnr_noisy ?? 0)], [denoises ? "Cleaned" : "Reconstructed", decibels(psnr_clean)], ["Gain", decibels(psnr_clean - (psnr_noisy ?? 0))]];
    figures.replaceChildren(...lines.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
    if (model.kind === "image") {
      trio.replaceChildren(...(/** @type {[string, Example | null][]} */ ([["original", original], ["noisy", noisy], [denoises ? "cleaned" : "reconstructed", clean]])).map(([name, example]) => example && h("figure", null, shown(example, "", null), h("figcaption", null, name))).filter((f) => f !== null));
    }
    save.disabled = !clean.picture;
    save.onclick = async () => clean.picture && download(await (await fetch(clean.picture)).blob(), "cleaned.png");
  }

  const save = button("Save", "save", () => {}, { disabled: true, title: "Save the cleaned picture" });
  /** @param {Blob} image */
  const take = (image) => {
    subject = { image };
    // a picture of one's own may be noisy enough as it is
    level = 0;
    noise.value = "0";
    words.textContent = "0";
    ask();
  };
  const starts = chooser(state, { row: (row) => { subject = { row }; if (!level) { level = 0.3; noise.value = "0.3"; words.textContent = "0.3"; } ask(); }, image: take });
  const title = denoises ? "Noise is added, and the model takes it away. A picture of your own is cleaned as it is." : "Noise is added, and the model is asked for what it knows: the reconstruction of a noisy example is cleaner than the example.";
  const element = h("section", { class: "panel" }, heading("Clean", title),
    h("div", { class: "clean" },
      h("div", { class: "clean-stage" }, compare),
      h("div", { class: "controls" }, starts,
        h("label", { class: "field" }, h("span", { class: "field-name" }, "Noise added ", words), noise), kinds,
        h("div", { class: "deeds" }, button("Other noise", "random", () => { seed++; ask(); }), model.kind === "image" && save),
        figures, trio)));
  const stop = model.kind === "image" ? takes(element, take) : () => {};
  if (state.data) ask();
  return { element, destroy: stop };
}
