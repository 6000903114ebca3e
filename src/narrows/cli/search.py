"""`narrows index` and `narrows search`: the examples that are most like a query."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, outputs, printing, reading
from narrows.cli.app import USE, Data, Json, Model, Overwrite, app, say
from narrows.cli.reading_options import reads_data
from narrows.params import counted

if TYPE_CHECKING:
    import numpy as np

    from narrows.estimators import Estimator
    from narrows.tasks.search import Index, Matches


@app.command(rich_help_panel=USE)
@reads_data
def index(
    model: Model,
    data: Data,
    metric: Annotated[str, typer.Option(help="Distance between codes: cosine or euclidean.")] = "cosine",
    evaluate: Annotated[bool, typer.Option("--evaluate", help="Measure the quality of the search.")] = False,
    json: Json = False,
) -> None:
    """Make an index of DATA for `narrows search`, and save it in MODEL.

    The index holds the codes of DATA, so that a search is fast. With
    --evaluate each example is a query for the others: this measures the
    recall and, if DATA has labels (folders of classes, digits), mAP@100
    and the accuracy of the 10 nearest neighbours.

    For example:

        narrows index photos-ae photos/

        narrows index digits-ae digits:train --evaluate
    """
    fitted = inputs.open_model(model, needs_code=True)
    built = _build_index(fitted, data, metric)
    folder = _index_folder(model, data)
    built.save(folder, _describe_data(data))
    _show_index(built, folder, evaluate=evaluate, json=json)


@app.command(rich_help_panel=USE)
@reads_data
def search(
    model: Model,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="An image, or any other DATA.", show_default=False)],
    within: Annotated[
        str, typer.Option("--in", metavar="DATA", help="Data to search, such as a folder.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="File for the query and its matches: .png or .npy."),
    ] = None,
    number: Annotated[int, typer.Option("-n", "--number", help="Maximum number of matches.")] = 10,
    row: Annotated[int, typer.Option(help="Number of the example of QUERY, from 0.")] = 0,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Distance between codes: cosine or euclidean.", show_default="that of the index; otherwise cosine"
        ),
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Find the examples of DATA that are most like QUERY.

    Each match is listed with its distance. A .png shows the query and then
    the matches, nearest first. `narrows index` makes later searches fast.

    For example:

        narrows search photos-ae query.png --in photos/ -o results.png

        narrows search digits-ae digits:test --row 7 --in digits:train -n 5
    """
    fitted = inputs.open_model(model, needs_code=True)
    if out is not None:
        outputs.check_path(out, (".png", ".npy"), overwrite=overwrite)
        outputs.check_pictures(out, fitted)
    example = reading.take_row(reading.read_dataset(query, "test", fitted).X, row, "QUERY")
    entries = _load_or_build_index(model, fitted, within, metric)
    matches = entries.search(example, min(number, len(entries)))
    _show_matches(matches, query, within, json=json)
    if out is not None:
        outputs.write_dials(out, _query_and_matches(example, matches, within), [Path(query).name], fitted, "query")


def _build_index(model: Estimator, data: str, metric: str) -> Index:
    """Build an index of DATA. The keys of images are their files, those of other rows their names."""
    from narrows.tasks.search import Index

    loaded = reading.read_dataset(data, "train", model)
    names = reading.row_names(loaded)
    return Index(model, metric=metric).add(
        loaded.X, loaded.y, keys=None if names is None else [str(name) for name in names.values]
    )


def _load_or_build_index(folder: Path, model: Estimator, data: str, metric: str | None) -> Index:
    """Load the index of DATA in the model's `folder` if it is up to date; otherwise build one."""
    from narrows.tasks.search import Index
    from narrows.tasks.search_folder import INDEX, describe

    saved = _index_folder(folder, data)
    if not (saved / INDEX).exists():
        say(
            f"There is no index of {data} in the model's folder: making one for this search. `narrows index` saves one."
        )
        return _build_index(model, data, metric or "cosine")
    state = describe(saved)
    if state["about"] != _describe_data(data) or state["metric"] != (metric or state["metric"]):
        say(
            f"{data} or the metric has changed since it was indexed: making an index for this search. `narrows index` "
            "saves it."
        )
        return _build_index(model, data, metric or state["metric"])
    return Index.load(saved, model)


def _index_folder(model: Path, data: str) -> Path:
    """Return the folder of the index of DATA: in the model's folder, under a name that no other DATA has."""
    source = _absolute(data)
    digest = hashlib.sha256(source.encode()).hexdigest()[:8]
    return model / "index" / f"{Path(source).stem.replace(':', '-') or 'data'}-{digest}"


def _describe_data(data: str) -> dict[str, Any]:
    """Describe DATA, to notice changes: path, number of files, their bytes, and the time of the newest (ns)."""
    path = Path(data).expanduser()
    files = [p for p in (sorted(path.rglob("*")) if path.is_dir() else [path]) if p.is_file()]
    states = [p.stat() for p in files]
    newest = max((state.st_mtime_ns for state in states), default=0)
    return {"data": _absolute(data), "files": len(files), "bytes": sum(s.st_size for s in states), "newest": newest}


def _absolute(data: str) -> str:
    path = Path(data).expanduser()
    return str(path.resolve()) if path.exists() else data


def _query_and_matches(query: np.ndarray, matches: Matches, data: str) -> np.ndarray:
    """Return the query and its matches as one row of examples."""
    import numpy as np

    from narrows.data.images import image_file, read_images

    folder = Path(data).expanduser()
    if matches.keys is not None and folder.is_dir():  # a large folder is not read again for ten pictures
        rows = read_images([image_file(folder / key) for key in matches.keys[0]], reading.image_options()).X
        if rows.ndim < query.ndim:  # these are all grey, but the query is in colour
            rows = rows[..., None].repeat(query.shape[-1], -1)
    else:
        rows = np.asarray(reading.read_dataset(data, "train").X[matches.rows[0]])
    return np.concatenate([query, rows])[None]


def _show_index(built: Index, folder: Path, *, evaluate: bool, json: bool) -> None:
    """Print the folder of the index, and with `evaluate` its quality."""
    document: dict[str, Any] = {"index": str(folder), "n": len(built), "metric": built.metric}
    if evaluate:
        quality = built.evaluate()
        n, k = quality.n_neighbors, quality.k
        measures = {f"recall_at_{n}": quality.recall, f"map_at_{k}": quality.map, f"accuracy_of_{n}": quality.accuracy}
        document |= {name: value for name, value in measures.items() if value is not None}
    if json:
        printing.show_json(document)
    else:
        print(f"{folder}: {counted(len(built), 'example')}, {built.metric}")
        for name, value in list(document.items())[3:]:
            print(f"{name:<16}  {value:.4f}")


def _show_matches(matches: Matches, query: str, data: str, *, json: bool) -> None:
    """Print the matches, nearest first."""
    keys = matches.rows[0] if matches.keys is None else matches.keys[0]
    rows = [
        {"row": int(row), "key": str(key), "distance": float(distance)}
        for row, key, distance in zip(matches.rows[0], keys, matches.distances[0], strict=True)
    ]
    if json:
        printing.show_json({"query": query, "in": data, "matches": rows})
    else:
        for match in rows:
            print(f"{match['distance']:<10.4g}  {match['key']}")
