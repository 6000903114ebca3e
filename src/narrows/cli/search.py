"""`narrows index` and `narrows search`: the examples that are most like a query."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, outputs, printing
from narrows.cli.app import USE, Data, Json, Model, app, say

if TYPE_CHECKING:
    import numpy as np

    from narrows.estimators import Estimator
    from narrows.tasks.search import Index, Matches


@app.command(rich_help_panel=USE)
def index(
    model: Model,
    data: Data,
    metric: Annotated[str, typer.Option(help="cosine or euclidean.")] = "cosine",
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Say how well it finds what has the same label.")
    ] = False,
    json: Json = False,
) -> None:
    """Make DATA ready to be searched: keep its codes beside the model.

    `narrows search` then finds what is most like a query at once. With
    --evaluate each example searches for the others: recall, and where DATA
    has labels (folders of classes, digits) mAP@100 and the accuracy of the
    10 nearest neighbours.

    For example:

        narrows index photos-ae photos/

        narrows index digits-ae digits:train --evaluate
    """
    fitted = inputs.opened(model, needs_code=True)
    made = _made(fitted, data, metric)
    folder = _beside(model, data)
    made.save(folder, _about(data))
    _show_index(made, folder, evaluate=evaluate, json=json)


@app.command(rich_help_panel=USE)
def search(
    model: Model,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="An image, or any other DATA.", show_default=False)],
    within: Annotated[
        str, typer.Option("--in", metavar="DATA", help="Where to search: a folder, say.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help=".png or .npy of the query and what was found."),
    ] = None,
    number: Annotated[int, typer.Option("-n", "--number", help="How many to find, at most.")] = 10,
    row: Annotated[int, typer.Option(help="Which example of QUERY.")] = 0,
    metric: Annotated[
        str | None, typer.Option(help="cosine or euclidean.", show_default="the index's, else cosine")
    ] = None,
    json: Json = False,
) -> None:
    """Find the examples of DATA that are most like QUERY.

    Each is listed with its distance; a .png shows the query and then what
    was found, nearest first. `narrows index` beforehand makes it quick.

    For example:

        narrows search photos-ae query.png --in photos/ -o results.png

        narrows search digits-ae digits:test --row 7 --in digits:train -n 5
    """
    fitted = inputs.opened(model, needs_code=True)
    if out is not None:
        outputs.check(out, (".png", ".npy"))
        outputs.check_pictures(out, fitted)
    asked = inputs.row(inputs.dataset(query, "test", fitted).X, row, "QUERY")
    rows = _kept(model, fitted, within, metric)
    found = rows.search(asked, min(number, len(rows)))
    _show_matches(found, query, within, json=json)
    if out is not None:
        outputs.write_dials(out, _pictured(asked, found, within), [Path(query).name], fitted, "query")


def _made(model: Estimator, data: str, metric: str) -> Index:
    """An index of DATA; images are called by their files."""
    from narrows.tasks.search import Index

    given = inputs.dataset(data, "train", model)
    return Index(model, metric=metric).add(given.X, given.y, keys=given.files)


def _kept(folder: Path, model: Estimator, data: str, metric: str | None) -> Index:
    """The index of DATA that lies beside the model in `folder`, if it is still true; otherwise a new one."""
    from narrows.tasks.search import Index
    from narrows.tasks.search_folder import INDEX, describe

    kept = _beside(folder, data)
    if not (kept / INDEX).exists():
        say(f"There is no index of {data} beside the model. `narrows index` keeps one; this one is for now only.")
        return _made(model, data, metric or "cosine")
    known = describe(kept)
    if known["about"] != _about(data) or known["metric"] != (metric or known["metric"]):
        say(f"{data} or the metric is not what was indexed. `narrows index` again keeps what is made now.")
        return _made(model, data, metric or known["metric"])
    return Index.load(kept, model)


def _beside(model: Path, data: str) -> Path:
    """Where the index of DATA lies: in the model's folder, under a name that no other DATA has."""
    place = _place(data)
    digest = hashlib.sha256(place.encode()).hexdigest()[:8]
    return model / "index" / f"{Path(place).stem.replace(':', '-') or 'data'}-{digest}"


def _about(data: str) -> dict[str, Any]:
    """What DATA is: its place, and of the files there how many, how large and how new the newest is."""
    path = Path(data).expanduser()
    files = [p for p in (sorted(path.rglob("*")) if path.is_dir() else [path]) if p.is_file()]
    states = [p.stat() for p in files]
    newest = max((state.st_mtime_ns for state in states), default=0)
    return {"data": _place(data), "files": len(files), "bytes": sum(s.st_size for s in states), "newest": newest}


def _place(data: str) -> str:
    path = Path(data).expanduser()
    return str(path.resolve()) if path.exists() else data


def _pictured(query: np.ndarray, found: Matches, data: str) -> np.ndarray:
    """The query and what was found for it, as one row of examples."""
    import numpy as np

    from narrows.data.images import read_images

    folder = Path(data).expanduser()
    if found.keys is not None and folder.is_dir():  # a large folder is not read again for ten pictures
        rows = read_images([folder / key for key in found.keys[0]])
        if rows.ndim < query.ndim:  # none of these is in colour, though others are
            rows = rows[..., None].repeat(query.shape[-1], -1)
    else:
        rows = np.asarray(inputs.dataset(data, "train").X[found.rows[0]])
    return np.concatenate([query, rows])[None]


def _show_index(made: Index, folder: Path, *, evaluate: bool, json: bool) -> None:
    """Where the index is, and if that is asked for how good it is."""
    document: dict[str, Any] = {"index": str(folder), "n": len(made), "metric": made.metric}
    if evaluate:
        found = made.evaluate()
        n, k = found.n_neighbors, found.k
        measures = {f"recall_at_{n}": found.recall, f"map_at_{k}": found.map, f"accuracy_of_{n}": found.accuracy}
        document |= {name: value for name, value in measures.items() if value is not None}
    if json:
        printing.show_json(document)
    else:
        print(f"{folder}: {len(made):,} examples, {made.metric}")
        for name, value in list(document.items())[3:]:
            print(f"{name:<16}  {value:.4f}")


def _show_matches(found: Matches, query: str, data: str, *, json: bool) -> None:
    """What was found, nearest first."""
    keys = found.rows[0] if found.keys is None else found.keys[0]
    matches = [
        {"row": int(row), "key": str(key), "distance": float(distance)}
        for row, key, distance in zip(found.rows[0], keys, found.distances[0], strict=True)
    ]
    if json:
        printing.show_json({"query": query, "in": data, "matches": matches})
    else:
        for match in matches:
            print(f"{match['distance']:<10.4g}  {match['key']}")
