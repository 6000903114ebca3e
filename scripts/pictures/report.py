"""The pictures in docs/report.md: a report in a browser, and what `model.plot` draws.

    python scripts/pictures/report.py [--chromium /usr/bin/chromium]

It trains a VAE on the small digits (seed 0), writes the report into a temporary folder and takes the picture with
Chromium through playwright.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import narrows
from narrows.plots import Plots, style

DOCS = Path(__file__).parents[2] / "docs"
HEIGHT = 1500  # of the page's picture, in its own pixels


def screenshot(page: Path, out: Path, chromium: str) -> None:
    """The page's beginning and its map, pointed at, side by side."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        tab = browser.new_page(viewport={"width": 1280, "height": HEIGHT})
        tab.goto(page.as_uri())
        tab.screenshot(path=out)
        tab.evaluate("document.querySelector('#map').scrollIntoView({ behavior: 'instant' })")
        box = tab.locator(".stage svg").first.bounding_box()
        assert box is not None
        tab.mouse.move(box["x"] + 0.24 * box["width"], box["y"] + 0.3 * box["height"])
        second = out.with_suffix(".second.png")
        tab.screenshot(path=second)
        browser.close()
    left, right = Image.open(out), Image.open(second)
    both = Image.new("RGB", (left.width * 2, HEIGHT))
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    both.resize((both.width * 5 // 8, HEIGHT * 5 // 8), Image.Resampling.LANCZOS).save(out, optimize=True)
    second.unlink()


def plots(model: narrows.VAE, X: np.ndarray, y: np.ndarray, out: Path) -> None:
    """Four pictures on one sheet."""
    plot = Plots(model, style.detached_axes)
    made = [plot.curves(), plot.map(X, y), plot.dials(X[3], n_dials=5), plot.reconstructions(X)]
    images = []
    for ax in made:
        ax.figure.savefig(out, dpi=110)
        images.append(Image.open(out).convert("RGB"))
    width = max(images[0].width + images[1].width, images[2].width) + 30
    height = images[1].height + images[2].height + images[3].height + 60
    sheet = Image.new("RGB", (width, height), "white")
    sheet.paste(images[0], (0, 60))
    sheet.paste(images[1], (images[0].width + 30, 0))
    sheet.paste(images[2], (0, images[1].height + 30))
    sheet.paste(images[3], (0, images[1].height + images[2].height + 60))
    sheet.save(out, optimize=True)


def main() -> None:
    """Train, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    X = narrows.load_dataset("digits", "train").X
    test = narrows.load_dataset("digits", "test")
    model = narrows.VAE(8, hidden=(256, 128), max_epochs=150, precision="float32", random_state=0).fit(X)
    with tempfile.TemporaryDirectory() as folder:
        page = narrows.write_report(
            model,
            test.X,
            Path(folder) / "digits.html",
            y=test.y,
            train=X,
            name="digits",
            command="narrows report digits-vae digits -o digits.html",
        )
        screenshot(page, DOCS / "report.png", options.chromium)
    plots(model, test.X, test.y, DOCS / "plots.png")


if __name__ == "__main__":
    main()
