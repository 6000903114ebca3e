"""Write results to files: arrays, sheets of pictures, folders of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrows.cli.app import say

if TYPE_CHECKING:
    import numpy as np

    from narrows.data.files import Dataset
    from narrows.data.streams import Source
    from narrows.estimators import Estimator

ARRAYS = (".npy", ".parquet", ".csv", ".tsv")
EXAMPLES = (*ARRAYS, ".png")
_MAX_PAIRS, _MAX_PICTURES = 48, 400  # maximum numbers of examples on a sheet


def check_path(out: Path, suffixes: Sequence[str], *, folder: bool = False) -> None:
    """Raise if `out` cannot be written: a wrong suffix, or no such folder. It runs before any work."""
    parent = out.absolute().parent
    if not parent.is_dir():
        raise FileNotFoundError(f"Cannot write {out}: the folder {parent} does not exist. Create it first.")
    if folder and (out.is_dir() or not out.suffix):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise FileExistsError(f"Cannot write pictures to {out}: it is not an empty folder. Name a new one.")
        return
    if out.is_dir():
        raise IsADirectoryError(f"Cannot write {out}: it is a folder. Give the name of a file.")
    if out.suffix.lower() not in suffixes:
        more = ", or have no suffix, for a folder" if folder else ""
        raise ValueError(f"Cannot write {out}: the name must end in {', '.join(suffixes)}{more}.")


def check_pictures(out: Path, model: Estimator) -> None:
    """Raise if `out` holds pictures but the examples are not images, or if it is a table but they are."""
    if model.schema_.kind == "image":
        if out.suffix.lower() in ARRAYS[1:]:
            raise ValueError(f"Cannot write {out}: examples are {model.schema_.describe()}, not rows. Write a .npy.")
        return
    if out.suffix.lower() in ARRAYS:
        return
    raise ValueError(f"Cannot draw {out}: examples are {model.schema_.describe()}, not images. Write a .npy.")


def write_array(out: Path, array: np.ndarray, columns: Sequence[str] | None = None) -> None:
    """Write an array as .npy, .parquet, .csv or .tsv."""
    from narrows.data import files

    files.write_array(out, array, columns)
    say(f"{out}: {' x '.join(map(str, array.shape))}")


def write_stream(out: Path, model: Estimator, source: Source, method: str) -> None:
    """Apply `method` to all of `source`, a block at a time, and write the result as .npy, .parquet, .csv or .tsv."""
    model.set_params(verbose=1).stream(source, out, method)
    shape = (model.model_.bottleneck.n_components,) if method == "transform" else model.schema_.user_shape
    say(f"{out}: {' x '.join(map(str, (source.n, *shape)))}")


def write_examples(
    out: Path,
    examples: Any,
    model: Estimator,
    loaded: Dataset | None = None,
    compared: dict[str, Any] | None = None,
) -> None:
    """Write examples in the user's units as an array, a sheet or a folder of pictures.

    A sheet shows the rows of `compared` instead, if there are any: arrays of examples by their label. `loaded` is the
    data that the examples were made from; its columns or file names are used again.
    """
    import numpy as np

    from narrows.plots import sheets

    array, schema = np.asarray(examples), model.schema_
    if out.suffix.lower() in ARRAYS:
        columns = (loaded.columns if loaded is not None else None) or schema.columns or ()
        write_array(out, array, [str(column) for column in columns] or None)
    elif out.suffix.lower() != ".png":
        _write_pictures(out, schema.channels_last(array), loaded, schema.limits)
    elif compared:
        kinds = {name: schema.channels_last(np.asarray(rows)[:_MAX_PAIRS]) for name, rows in compared.items()}
        images, labels = sheets.arrange_rows(kinds, limits=schema.limits)
        _write_sheet(out, images, labels, min(_MAX_PAIRS, len(array)), len(array))
    else:
        images = sheets.arrange_grid(schema.channels_last(array[:_MAX_PICTURES]), limits=schema.limits)
        _write_sheet(out, images, None, min(_MAX_PICTURES, len(array)), len(array))


def write_dials(out: Path, examples: np.ndarray, labels: list[str], model: Estimator, noun: str = "dials") -> None:
    """Write examples (dials, steps, ...) as an array, or as a sheet with a labelled row for each dial."""
    from narrows.plots import sheets

    if out.suffix.lower() in ARRAYS:
        write_array(out, examples)
        return
    flat = model.schema_.channels_last(examples.reshape(-1, *examples.shape[2:]))
    images = sheets.as_bytes(flat, model.schema_.limits).reshape(*examples.shape[:2], *flat.shape[1:])
    _write_sheet(out, images, labels, len(examples), len(examples), noun)


def choose_dials(model: Estimator, n_max: int) -> tuple[list[int], list[str]]:
    """Return at most `n_max` components, those that carry most first, and a label for each.

    Raises ValueError if `n_max` is below 1.
    """
    if n_max < 1:
        raise ValueError(f"--dials must be at least 1. Got {n_max}.")
    from narrows.evaluation.inspection import Inspection
    from narrows.plots.content import dial_labels

    return dial_labels(Inspection(model), n_max)


def _write_sheet(
    out: Path, images: np.ndarray, labels: list[str] | None, n_shown: int, n: int, noun: str = "examples"
) -> None:
    from narrows.data.atomic import atomic_path
    from narrows.plots.sheets import draw_sheet

    with atomic_path(out) as temporary:
        draw_sheet(images, labels).save(temporary, "PNG", optimize=True)
    say(f"{out}: " + (f"{n:,} {noun}" if n_shown == n else f"the first {n_shown:,} of {n:,} {noun}; .npy holds all"))


def _write_pictures(
    folder: Path, images: np.ndarray, loaded: Dataset | None, limits: tuple[float, float] | None
) -> None:
    """Write one .png for each example, under the name of its source file. Files of floats become .tif again."""
    import numpy as np
    from PIL import Image

    from narrows.data.atomic import atomic_path
    from narrows.plots.sheets import as_bytes

    names = loaded.files if loaded is not None and loaded.files else [f"{i:06d}" for i in range(len(images))]
    stems = [str(Path(name).with_suffix("")) for name in names]
    if len(set(stems)) < len(stems):  # two files such as a.jpg and a.png
        stems = [str(name) for name in names]
    is_float = loaded is not None and bool(loaded.files) and loaded.X.dtype.kind == "f"
    suffix, file_format = (".tif", "TIFF") if is_float else (".png", "PNG")
    if is_float:
        images = images.astype(np.float32)
    elif images.dtype != np.uint16 or images.ndim > 3:  # Pillow has no colour with 16 bits a channel
        images = as_bytes(images, limits)
    for stem, image in zip(stems, images, strict=True):
        path = folder / f"{stem}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            if image.ndim == 3:
                image = image[..., :3] if image.shape[-1] >= 3 else image[..., 0]
            Image.fromarray(image).save(temporary, file_format)
    say(f"{folder}: {len(images):,} pictures")
