"""Times of the studio's page: opening it, turning its dials, panning its map of 100,000 points, and training on photos.

    python benchmarks/studio_page.py [opening dials map filters training] [--repeats 5] [--chromium PATH]

`narrows studio MODEL DATA --no-browser` runs in a separate process, and headless Chromium (WebGL in software) opens
the address that it prints.

- `opening`: seconds from the command to the first picture after a dial was turned, beside those of Python's imports
  alone (torch, scikit-learn, the server); the browser's first contentful paint, from its own navigation on.
- `dials`: a demo model (a VAE with 16 components of 28 x 28 images): milliseconds from a slider's event to the new
  picture on the canvas, one after another; and frames and pictures a second for events at every frame, where a newer
  event replaces an older one that was not drawn yet.
- `map`: 100,000 codes: seconds from the link to points on the screen, and frames a second while it is panned by 60
  pixels a frame.
- `filters`: the page of `narrows map` with 100,000 rows of 8 columns: milliseconds until everything follows a filter
  (the points, contours, histograms, counts and the table), for ranges of each histogram and levels of a column in turn;
  and frames a second while the map is panned and zoomed.
- `training`: a .zip of 325 photos of 96 x 96 pixels, cut from scikit-learn's two, all defaults: seconds from a click on
  Train to the first pictures (of PCA), to the model's first ones, and to the dials, after 20 s of training. The studio
  has been open for half a minute, as it is while a person looks at the data.

Needs playwright and Chromium. Times are by the wall clock: run nothing else.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import SEED, arguments, keep, show

import narrows

# WebGL in software; --use-angle=swiftshader would render the whole page in software, ten times as slowly
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader", "--disable-background-networking"]
IMPORTS = "import narrows.cli, narrows.studio.serving, narrows.studio.app, uvicorn"
N_TURNS, N_POINTS, N_PAN_SECONDS = 200, 100_000, 5
N_PHOTOS, PHOTO_SIDE, N_TRAIN_SECONDS, N_IDLE_SECONDS = 325, 96, 20, 30

# resolves when the next picture is on a canvas
PICTURE = """
    const put = CanvasRenderingContext2D.prototype.putImageData;
    let drawn = () => {};
    CanvasRenderingContext2D.prototype.putImageData = function (...what) { put.apply(this, what); drawn(); };
    window.nextPicture = () => new Promise((done) => { drawn = done; });
"""
TURNS = """async (n) => {
    const slider = document.querySelector(".dial:not(.waiting) input[type=range]");
    const times = [];
    for (let i = 0; i < n; i++) {
        await new Promise(requestAnimationFrame);
        const start = performance.now();
        slider.value = Number(slider.min) + (Number(slider.max) - Number(slider.min)) * (i % 50) / 50;
        const seen = window.nextPicture();
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        await seen;
        times.push(performance.now() - start);
    }
    return times;
}"""
SLIDING = """async (n) => {
    const slider = document.querySelector(".dial:not(.waiting) input[type=range]");
    let pictures = 0, going = true;
    (async () => { while (going) { await window.nextPicture(); pictures++; } })();
    const start = performance.now();
    for (let i = 0; i < n; i++) {
        slider.value = Number(slider.min) + (Number(slider.max) - Number(slider.min)) * (i % 50) / 50;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise(requestAnimationFrame);
    }
    going = false;
    const seconds = (performance.now() - start) / 1000;
    return { frames: n / seconds, pictures: pictures / seconds };
}"""
PAN = """async (seconds) => {
    const stage = document.querySelector(".stage");
    const times = [];
    const start = performance.now();
    let last = start;
    for (let i = 0; last - start < 1000 * seconds; i++) {
        const key = i % 20 < 10 ? "ArrowLeft" : "ArrowRight";
        stage.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey: true, bubbles: true }));
        const now = await new Promise(requestAnimationFrame);
        times.push(now - last);
        last = now;
    }
    return times.slice(1);
}"""


@contextlib.contextmanager
def studio(*opened: Path | str) -> Iterator[tuple[str, float]]:
    """Start a studio, with a model and data or with nothing; yield its address and the time of its command."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "narrows", "studio", *map(str, opened), "--no-browser", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        output = ""
        for line in process.stderr:
            output += line
            if address := re.search(r"http://\S+", line):
                break
        else:
            raise RuntimeError(f"The studio did not start: {output}")
        yield address[0], start
    finally:
        process.terminate()
        process.wait(120)


def fitted(folder: Path) -> tuple[Path, Path]:
    """Fit a demo model, and write a file of 100,000 images for its map."""
    X = narrows.load_dataset("fashion-mnist")[0][:5_000]
    model = narrows.VAE(16, network="mlp", max_epochs=3, random_state=SEED).fit(X)
    model.save(folder / "vae")
    generator = np.random.default_rng(SEED)
    many = X[generator.integers(0, len(X), N_POINTS)]
    np.save(folder / "many.npy", np.clip(many + generator.integers(-20, 20, many.shape), 0, 255).astype(np.uint8))
    return folder / "vae", folder / "many.npy"


def opened(browser: Any, url: str) -> Any:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script(PICTURE)
    page.goto(url)
    return page


def opening(browser: Any, model: Path, data: Path, repeats: int) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {"command_to_dial_s": [], "imports_s": [], "first_paint_s": []}
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", IMPORTS], check=True)
        seconds["imports_s"].append(time.perf_counter() - start)
        with studio(model, data) as (url, begun):
            page = opened(browser, url)
            page.locator(".dial:not(.waiting) input").first.wait_for()
            page.evaluate(TURNS, 1)
            seconds["command_to_dial_s"].append(time.perf_counter() - begun)
            paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            seconds["first_paint_s"].append(page.evaluate(paint) / 1000)
            page.close()
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return {**medians, "after_imports_s": medians["command_to_dial_s"] - medians["imports_s"], "repeats": repeats}


def dials(browser: Any, model: Path, data: Path) -> dict[str, Any]:
    with studio(model, data) as (url, _):
        page = opened(browser, url)
        page.locator(".dial:not(.waiting) input").first.wait_for()
        page.wait_for_load_state("networkidle")
        page.evaluate(TURNS, 20)
        times = page.evaluate(TURNS, N_TURNS)
        sliding = page.evaluate(SLIDING, N_TURNS)
        page.close()
    low, high = np.percentile(times, [50, 99])
    return {"median_ms": low, "p99_ms": high, "n": N_TURNS, **{f"sliding_{k}_a_second": v for k, v in sliding.items()}}


def panned(browser: Any, model: Path, data: Path, repeats: int) -> dict[str, Any]:
    with studio(model, data) as (url, _):
        seconds, frames, worst = [], [], []
        for _ in range(repeats):
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            start = time.perf_counter()
            page.goto(f"{url}#map")
            page.locator(".stage[aria-busy=false]").wait_for(timeout=120_000)
            page.evaluate("() => new Promise(requestAnimationFrame)")
            seconds.append(time.perf_counter() - start)
            page.wait_for_load_state("networkidle", timeout=120_000)
            times = page.evaluate(PAN, N_PAN_SECONDS)
            frames.append(1000 * len(times) / sum(times))
            worst.append(float(np.percentile(times, 99)))
            page.close()
    return {
        "points": N_POINTS,
        "first_load_s": seconds[0],  # the codes are computed then
        "load_s": statistics.median(seconds[1:] or seconds),
        "frames_a_second": statistics.median(frames),
        "frame_p99_ms": statistics.median(worst),
        "repeats": repeats,
    }


def photos() -> bytes:
    """Return a .zip of photos."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    sources, generator, stream = load_sample_images().images, np.random.default_rng(SEED), io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for i in range(N_PHOTOS):
            source, side = sources[i % len(sources)], int(generator.integers(PHOTO_SIDE, 257))
            top, left = (int(generator.integers(n - side)) for n in source.shape[:2])
            photo = Image.fromarray(source[top : top + side, left : left + side]).resize((PHOTO_SIDE, PHOTO_SIDE))
            part = io.BytesIO()
            photo.save(part, "JPEG")
            archive.writestr(f"photos/{i:03}.jpg", part.getvalue())
    return stream.getvalue()


def training(browser: Any, repeats: int) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {"first_picture_s": [], "model_picture_s": [], "dials_s": []}
    archive = {"name": "photos.zip", "mimeType": "application/zip", "buffer": photos()}
    for _ in range(repeats):
        with studio() as (url, _):
            page = opened(browser, url)
            time.sleep(N_IDLE_SECONDS)
            page.locator(".drop input").set_input_files(archive)
            page.get_by_label("Seconds at most").fill(str(N_TRAIN_SECONDS))
            page.get_by_role("button", name="Train").click()
            start = time.perf_counter()
            for name, shown in (
                ("first_picture_s", ".pairs img[src]"),
                ("model_picture_s", ".pairs img[alt='by the model']"),
                ("dials_s", ".dial:not(.waiting) input"),
            ):
                page.locator(shown).first.wait_for(state="attached", timeout=120_000)
                seconds[name].append(time.perf_counter() - start)
            page.close()
    return {name: statistics.median(values) for name, values in seconds.items()} | {"repeats": repeats}


def filters(browser: Any, folder: Path) -> dict[str, Any]:
    """Filter and move the page of a map of `N_POINTS` rows."""
    rng = np.random.default_rng(SEED)
    kinds = rng.integers(6, size=N_POINTS)
    X = (kinds[:, None] * rng.normal(size=8) + rng.normal(size=(N_POINTS, 8))).astype(np.float32)
    model = narrows.AE(4, hidden=(32,), max_epochs=1, random_state=SEED, verbose=0).fit(X[:10_000])
    path = narrows.write_map(model, X, folder / "map.html", y=kinds, method="axes", max_examples=N_POINTS)
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(path.as_uri())
    page.wait_for_function("document.querySelector('.explorer')?.explorer?.took > 0")
    result = page.evaluate(
        """async () => {
          const view = document.querySelector(".explorer").explorer;
          const frame = () => new Promise(requestAnimationFrame);
          const took = [];
          const filter = async (column) => {
            const start = performance.now();
            view.rows.filter(column);
            const applied = performance.now() - start;
            view.filtered();
            await frame();
            await frame();
            took.push(applied + view.took);
          };
          for (let round = 0; round < 3; round++) {
            for (const column of view.rows.columns) {
              if (column.kind === "level") {
                for (const level of [0, 1, 2]) {
                  column.chosen.add(level);
                  await filter(column);
                }
              } else {
                for (const last of [4, 8, 12, 16]) {
                  column.range = [2, last];
                  await filter(column);
                }
              }
              column.clear();
              await filter(column);
            }
          }
          const frames = [];
          for (let i = 0; i < 120; i++) {
            const start = performance.now();
            if (i % 40 < 20) view.map.zoomBy(i % 40 < 10 ? 1.1 : 1 / 1.1);
            else view.map.panBy(i % 2 ? 30 : -30, 10);
            await frame();
            frames.push(performance.now() - start);
          }
          return { took, frames };
        }"""
    )
    page.close()
    took, frames = np.array(result["took"]), np.array(result["frames"])
    return {
        "rows": N_POINTS,
        "filters": len(took),
        "filter_median_ms": float(np.median(took)),
        "filter_p99_ms": float(np.quantile(took, 0.99)),
        "filter_worst_ms": float(took.max()),
        "frames_a_second": float(1000 / frames.mean()),
    }


def main() -> None:
    parser = arguments(__doc__, ("opening", "dials", "map", "filters", "training"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        model, many = fitted(Path(folder))
        small = Path(folder) / "few.npy"
        np.save(small, np.load(many, mmap_mode="r")[:1_000])
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        jobs = {
            "opening": lambda: opening(browser, model, small, options.repeats),
            "dials": lambda: dials(browser, model, small),
            "map": lambda: panned(browser, model, many, options.repeats),
            "filters": lambda: filters(browser, Path(folder)),
            "training": lambda: training(browser, options.repeats),
        }
        for name in options.jobs or jobs:
            # of the last minute; above the number of cores, other work slowed the page
            results = {"load_average": os.getloadavg()[0], **jobs[name]()}
            show({name: results})
            keep(f"studio_page_{name}", results, "playwright", "uvicorn")
        browser.close()


if __name__ == "__main__":
    main()
