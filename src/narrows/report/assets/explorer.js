// A map to explore: the controls, and what happens when something is chosen, filtered or selected.

const MODES = { move: "Move", box: "Box", lasso: "Lasso" };

class ExplorerView {
  /** @param {Element} root */
  constructor(root) {
    /** @type {ExplorerData} */ this.data = readData(root, "explorer-data");
    const columns = this.data.columns.map((packed, i) => new ExplorerColumn(packed, unpackColumn(packed), 2 << i));
    this.rows = new ExplorerRows(this.data.n, columns);
    this.pictures = new ExplorerPictures(root.querySelector(".explorer-sheet"), this.data.pictures);
    const place = root.querySelector("[data-explorer]");
    this.bar = place.appendChild(make("div", "explorer-bar"));
    const main = place.appendChild(make("div", "explorer-main"));
    this.stage = main.appendChild(make("div", "stage explorer-stage"));
    this.panel = main.appendChild(make("aside", "explorer-panel"));
    this.panel.setAttribute("aria-label", "Filters");
    this.#makeStage();
    const told = { selected: () => this.filtered(), tip: (row) => this.#tip(row) };
    this.map = new ExplorerMap(this.stage, this.data, this.rows, told);
    this.#makeBar();
    this.#makePanel();
    this.#makeTable(place);
    this.colourBy(this.data.start);
  }

  #makeStage() {
    this.stage.append(make("canvas"), make("canvas"), make("div", "tip explorer-tip"));
    const overlay = this.stage.children[1];
    overlay.tabIndex = 0;
    overlay.setAttribute("role", "application");
    overlay.setAttribute(
      "aria-label",
      `Map of ${groupThousands(this.data.n, 0)} ${this.data.noun}s. Arrow keys move it, + and - zoom, 0 shows all.`,
    );
    const zooms = this.stage.appendChild(make("div", "explorer-zoom"));
    const buttons = {
      "+": ["Zoom in", () => this.map.zoomBy(1.6)],
      "\u2212": ["Zoom out", () => this.map.zoomBy(1 / 1.6)],
    };
    buttons["\u2922"] = ["Show all", () => this.map.reset()];
    for (const [text, [label, act]] of Object.entries(buttons)) {
      const button = zooms.appendChild(make("button", "", text));
      Object.assign(button, { type: "button", title: label });
      button.setAttribute("aria-label", label);
      button.addEventListener("click", act);
    }
  }

  #makeBar() {
    const chooser = this.bar.appendChild(make("label", "chooser", "Colour by "));
    this.chooser = chooser.appendChild(make("select"));
    this.rows.columns.forEach((column, i) => this.chooser.append(new Option(column.name, String(i))));
    this.chooser.addEventListener("change", () => this.colourBy(Number(this.chooser.value)));
    if (this.data.views.length > 1) {
      const names = Object.fromEntries(this.data.views.map(({ name }, i) => [i, name]));
      this.#makeSwitch("Map", names, "0", (i) => {
        if (Number(i) !== this.map.view) this.#showView(Number(i));
      });
    }
    this.#makeSwitch("Drag", MODES, "move", (mode) => {
      this.map.mode = mode;
      this.stage.dataset.mode = mode;
    });
    this.#makeToggle("Contours", "hasContours");
    this.#makeToggle("Names", "hasNames");
  }

  /** @param {number} number */
  #showView(number) {
    if (this.rows.hasSelection) this.map.select([]); // its outline belongs to the other view
    this.map.show(number);
  }

  /** @param {string} label @param {Record<string, string>} names @param {string} first
   * @param {(key: string) => void} act */
  #makeSwitch(label, names, first, act) {
    const group = this.bar.appendChild(make("div", "switch"));
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", label);
    for (const [key, name] of Object.entries(names)) {
      const button = group.appendChild(make("button", "", name));
      button.type = "button";
      button.dataset.key = key;
      button.setAttribute("aria-pressed", String(key === first));
      button.addEventListener("click", () => {
        for (const other of group.children) other.setAttribute("aria-pressed", String(other === button));
        act(key);
      });
    }
  }

  /** @param {string} name @param {"hasContours" | "hasNames"} flag */
  #makeToggle(name, flag) {
    const label = this.bar.appendChild(make("label", "check"));
    const box = label.appendChild(make("input"));
    Object.assign(box, { type: "checkbox", checked: true, name: flag });
    label.append(name);
    box.addEventListener("change", () => {
      this.map[flag] = box.checked;
      this.map.changed();
    });
  }

  #makePanel() {
    const head = this.panel.appendChild(make("div", "explorer-count"));
    this.count = head.appendChild(make("p"));
    this.count.setAttribute("aria-live", "polite");
    this.clearer = head.appendChild(make("button", "", "Clear all"));
    this.clearer.type = "button";
    this.clearer.addEventListener("click", () => {
      this.rows.clear();
      this.map.outline = [];
      this.filtered();
      this.stage.children[1].focus(); // this button goes
    });
    const facets = this.panel.appendChild(make("div", "facets"));
    const changed = () => this.filtered();
    this.histograms = this.rows.columns.map((column) => new ExplorerHistogram(column, this.rows, changed));
    facets.append(...this.histograms.map((histogram) => histogram.root));
  }

  /** @param {Element} place */
  #makeTable(place) {
    place.append((this.tableNote = make("p", "note")));
    const box = place.appendChild(make("div", "scroll explorer-table"));
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Rows of the table");
    this.table = new ExplorerTable(box, this.rows, (row) => this.#name(row), this.pictures);
  }

  /** @param {number} row */
  #name(row) {
    return this.data.names ? this.data.names[row] : String(this.data.rows ? this.data.rows[row] : row);
  }

  /** What the tip of a row shows. @param {number} row @returns {Node[]} */
  #tip(row) {
    const picture = this.pictures.of(row);
    const list = make("dl");
    const chosen = this.map.column;
    const shown = this.rows.columns.filter((column) => column === chosen || !column.isCluster).slice(0, 7);
    for (const column of new Set([chosen, ...shown]))
      list.append(make("dt", "", column.name), make("dd", "", column.text(row)));
    const title = make("p", "what", `${this.data.noun} ${this.#name(row)}`);
    return picture ? [title, picture, list] : [title, list];
  }

  /** Colour by a column. @param {number} number */
  colourBy(number) {
    this.chooser.value = String(number);
    this.map.colourBy(this.rows.columns[number]);
    this.filtered();
  }

  /** A filter or the selection has changed: everything follows, at most once in a frame. */
  filtered() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      const start = performance.now();
      this.map.changed();
      for (const histogram of this.histograms) histogram.update(this.map.colours);
      const n = this.rows.count();
      const all = groupThousands(this.data.n, 0);
      const { isFiltered } = this.rows;
      this.count.textContent = isFiltered
        ? `${groupThousands(n, 0)} of ${all} ${this.data.noun}s`
        : `${all} ${this.data.noun}s`;
      this.clearer.hidden = !isFiltered;
      const what = this.rows.hasSelection ? "selected" : isFiltered ? "filtered" : "";
      const shown = `${groupThousands(n, 0)} ${what ? `${what} ` : ""}${this.data.noun}s`;
      this.tableNote.textContent = n > MOST_ROWS ? `The first ${MOST_ROWS} of ${shown}` : shown;
      this.table.update();
      this.took = performance.now() - start;
    });
  }
}

document.querySelectorAll(".explorer").forEach((root) => {
  const view = new ExplorerView(root);
  Object.assign(root, { explorer: view }); // for the console
  const sheet = root.querySelector(".explorer-sheet");
  // the sheet may be decoded after the table is drawn
  if (sheet && !sheet.complete) sheet.addEventListener("load", () => view.table.redraw());
});
