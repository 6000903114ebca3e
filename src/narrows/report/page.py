"""A page in one HTML file, made of sections. It loads nothing else: pictures, styles and scripts are inside.

A section is made by a function of fitted models and data (see `narrows.report.sections`), so any page can show it.
"""

from __future__ import annotations

import base64
import html
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from narrows.data.atomic import atomic_path
from narrows.plots import style
from narrows.plots.sheets import as_bytes
from narrows.version import __version__

_LARGEST, _THUMB = 80, 32  # pixels of a picture's longer side, and of one that is shown on demand
_SMALL = 48 * 48  # pixels up to which a colour image is kept without loss
_SCRIPTS = ("decoder.js", "drawing.js", "table.js", "dials.js", "map.js", "anatomy.js", "page.js")


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes
    ----------
    name : the anchor.
    title : the heading, text.
    intro : one or two sentences for a person who sees this for the first time, text.
    code : the Python that makes it, text; it runs after the code above it on the page.
    body : the pictures or tables, HTML.
    language : "python", or "shell" for a command.
    """

    name: str
    title: str
    intro: str
    code: str
    body: str
    language: str = "python"

    def render(self, number: int) -> str:
        """Return the section as HTML, with its number."""
        return (
            f'<section id="{self.name}" aria-labelledby="{self.name}-title">\n'
            f'<div class="section-text"><h2 id="{self.name}-title"><span class="number">{number}</span> '
            f"{escape(self.title)}</h2><p>{escape(self.intro)}</p>{code_block(self.code, self.language)}</div>\n"
            f'<div class="shown">{self.body}</div>\n</section>'
        )


def write(
    path: Path,
    *,
    title: str,
    head: str,
    sections: Sequence[Section],
    foot: str,
    scripts: Iterable[str] = (),
    assets: Sequence[str] = (),
) -> None:
    """Write a page to `path`, whole or not at all.

    Parameters
    ----------
    title : title of the browser's window, text.
    head, foot : HTML before and after the sections.
    scripts : values that several sections share, as `data_script` returns them.
    assets : style sheets and scripts of this kind of page, beside those of all pages: names of files in the folder.
    """
    page = Template(asset("page.html")).substitute(
        title=escape(title),
        version=__version__,
        style=_colours() + asset("page.css") + "".join(asset(name) for name in assets if name.endswith(".css")),
        head=head,
        sections="\n".join(section.render(i) for i, section in enumerate(sections, 1)),
        scripts="\n".join(scripts),
        foot=foot,
        script=script() + "".join(_classic(asset(name)) for name in assets if name.endswith(".js")),
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _colours() -> str:
    """Return the colours as variables of the style sheet; on paper they are the light ones, on white."""
    light, dark = style.css_variables(style.LIGHT), style.css_variables(style.DARK)
    white = " ".join(f"--{name}: #fff;" for name in ("paper", "raised", "tile", "wash"))
    return (
        f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
        f"@media print {{ :root {{ {light} {white} --line: #ccc; --ink: #000; }} }}\n"
    )


def script() -> str:
    """Return the page's script: classic scripts, each of which may use the ones before it."""
    return "".join(_classic(asset(name)) for name in _SCRIPTS)


def check_path(path: Path) -> None:
    """Raise an OSError, before any work, if the page cannot be written there."""
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"Cannot write {path}: the folder {path.absolute().parent} does not exist.")
    if path.is_dir():
        raise IsADirectoryError(f"Cannot write {path}: it is a folder. Give the name of a file.")


def asset(name: str) -> str:
    """Read a file of this package's `assets`."""
    return (resources.files("narrows.report") / "assets" / name).read_text(encoding="utf-8")


def _classic(module: str) -> str:
    """Return a module as a classic script, which uses those before it. The studio imports the module."""
    return re.sub(r"^(export |import .*;\n)", "", module, flags=re.MULTILINE)


def escape(value: object) -> str:
    """Return a value as text in HTML, escaped."""
    return html.escape(str(value))


def breakable(value: object) -> str:
    """Return a value as text in HTML, which may be broken after each underscore."""
    return escape(value).replace("_", "_<wbr>")


def code_block(lines: str, language: str = "python") -> str:
    """Return lines of Python, or of a "shell", as a listing; "" without lines."""
    if not lines:
        return ""
    label = "Python" if language == "python" else "Commands"
    return (
        f'<pre class="code" tabindex="0" role="group" aria-label="{label}"><code class="language-{language}">'
        f"{escape(lines)}</code></pre>"
    )


def data_script(kind: str, values: Any) -> str:
    """Return an element that holds values as JSON; the page's script finds it by `kind`."""
    # "<" could end the element too early
    packed = json.dumps(values, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" class="{kind}">{packed}</script>'


def data_uri(image: Image.Image) -> str:
    """Return an image as a data URI: a large colour image as JPEG, all others without loss."""
    stream = io.BytesIO()
    kind = "JPEG" if image.mode == "RGB" and image.width * image.height > _SMALL else "PNG"
    image.save(stream, kind, optimize=True, **({"quality": 88} if kind == "JPEG" else {}))
    return f"data:image/{kind.lower()};base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def nav(sections: Sequence[Section]) -> str:
    """Return links to all sections."""
    links = "".join(f'<li><a href="#{section.name}">{escape(section.title)}</a></li>' for section in sections)
    return f'<nav aria-label="Contents"><ol>{links}</ol></nav>'


def as_ink(image: np.ndarray) -> Image.Image:
    """Return a grey image (h x w) as transparent ink of that density, so that paper may be light or dark."""
    alpha = as_bytes(np.asarray(image), (0.0, 1.0))
    return Image.fromarray(np.stack([np.zeros_like(alpha), alpha], axis=-1))


def as_signed_ink(image: np.ndarray) -> Image.Image:
    """Return values of either sign (h x w) as an image: blue ink adds, orange takes away; the largest is opaque."""
    return Image.fromarray(style.as_signed_rgba(image))


def as_image(image: np.ndarray) -> Image.Image:
    """Return values in [0, 1] (h x w or h x w x 3) as an image, reduced to the size that a page shows."""
    result = as_ink(image) if image.ndim == 2 else Image.fromarray(as_bytes(image, (0.0, 1.0)))
    result.thumbnail((_LARGEST, _LARGEST), Image.Resampling.BOX)
    return result


def picture(image: np.ndarray | Image.Image, alt: str = "", hint: str = "") -> str:
    """Return an `img` of a grey image (h x w), a colour one (h x w x 3), or an image of Pillow."""
    grey = isinstance(image, np.ndarray) and image.ndim == 2
    if not isinstance(image, Image.Image):
        image = as_image(image)
    more = f' title="{escape(hint)}"' if hint else ""
    kind = "px ink" if grey else "px"
    size = f'width="{image.width}" height="{image.height}"'
    return f'<img class="{kind}" src="{data_uri(image)}" {size} alt="{escape(alt)}"{more}>'


def pictures(images: Iterable[Any], label: str, kind: str = "row", hints: Sequence[str] | None = None) -> str:
    """Return images side by side, read out as one picture called `label`."""
    images = list(images)
    tiles = "".join(picture(image, hint=hints[i] if hints else "") for i, image in enumerate(images))
    return f'<div class="{kind}" role="img" aria-label="{escape(label)}">{tiles}</div>'


def strips(rows: Sequence[tuple[str, str, Iterable[Any]]], kind: str = "strips") -> str:
    """Return labelled rows of images, each (label, note, images)."""
    lines = "".join(
        f'<div class="strip"><p class="label">{escape(label)}'
        + (f"<small>{escape(note)}</small>" if note else "")
        + f"</p>{pictures(images, f'{label} {note}'.strip())}</div>"
        for label, note, images in rows
    )
    return f'<div class="{kind}">{lines}</div>'


def sprite(images: np.ndarray, n_columns: int) -> Image.Image:
    """Join images (n, h, w or n, h, w, 3), reduced, edge to edge in one image, of which a script shows parts."""
    n, height, width = images.shape[:3]
    n_rows = -(-n // n_columns)
    sheet = np.zeros((n_rows * n_columns, *images.shape[1:]), np.float32)
    sheet[:n] = images
    whole = sheet.reshape(n_rows, n_columns, *images.shape[1:]).swapaxes(1, 2)
    whole = whole.reshape(n_rows * height, n_columns * width, *images.shape[3:])
    result = as_ink(whole) if images.ndim == 3 else Image.fromarray(as_bytes(whole, (0.0, 1.0)))
    share = min(1.0, _THUMB / max(height, width))
    size = n_columns * max(1, round(width * share)), n_rows * max(1, round(height * share))
    return result if share == 1 else result.resize(size, Image.Resampling.BOX)


def table(head: Sequence[str], rows: Sequence[Sequence[object]], caption: str) -> str:
    """Return a table; the first cell of a row is its heading."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = []
    for first, *rest in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )
