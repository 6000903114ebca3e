"""What `narrows info DATA` shows: the columns or the images, and the training that `narrows fit` would begin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrows.cli import printing, reading
from narrows.cli.columns import describe_column, list_cells, summarize_columns
from narrows.cli.forecast import Forecast, forecast
from narrows.params import counted

if TYPE_CHECKING:
    from narrows.data.files import Dataset
    from narrows.estimators import Estimator


def is_model(name: str) -> bool:
    """Return True if `name` is not data: a folder with a model or its checkpoint, an empty one, or nothing."""
    from narrows.cli.inputs import checkpoint_path
    from narrows.storage import RECIPE, WEIGHTS

    path = Path(name).expanduser()
    if reading.is_named(reading.split_name(name)[0]) or path.is_file():
        return False
    if not path.is_dir():
        return not path.suffix  # the reader of data says which similar files there are
    holds_model = (path / RECIPE).exists() or (path / WEIGHTS).exists() or checkpoint_path(path).exists()
    return holds_model or not any(path.iterdir())


def show(name: str, estimator: Estimator, *, json: bool) -> None:
    """Print what is seen in the data called `name`, and what fitting `estimator` to it takes."""
    loaded = reading.read_dataset(name, "train")
    expected = forecast(estimator, loaded.X, loaded.y)
    if json:
        printing.show_json(_as_document(name, loaded, estimator, expected))
        return
    schema, table = expected.schema, expected.schema.table
    print(f"{name}: {len(loaded.X):,} {'images' if schema.kind == 'image' else 'rows'}, {schema.describe()}")
    likelihood = None if schema.kind == "table" else expected.likelihood
    if table is not None and table.kind != "array":
        header = ("column", "kind and values", "likelihood", "why this kind")
        printing.print_table([header, *list_cells(table, likelihood)], header=True)
        for line in summarize_columns(schema):
            if line.startswith(("left out", "not learned", "rare levels")):
                print(line)
    elif schema.kind == "image":
        print("\n".join(_image_lines(loaded)))
    for remark in schema.list_facts()[1:]:
        print(remark)
    print(f"\nTraining of {estimator.recipe.name} (change it with --recipe, --n-components and --set)")
    printing.print_table(
        [
            ("memory", expected.describe_memory()),
            ("time", expected.describe_time()),
            *((choice.name, f"{choice.value}: {choice.reason}") for choice in expected.choices),
            ("parameters", f"{expected.n_parameters:,}"),
        ]
    )


def _image_lines(loaded: Dataset) -> list[str]:
    about = _describe_images(loaded)
    lines = [f"depth: {about['dtype']}"]
    if about["classes"]:
        counts = ", ".join(f"{name} ({n:,})" for name, n in list(about["classes"].items())[:12])
        more = len(about["classes"]) - 12
        lines.append(
            f"{counted(len(about['classes']), 'class', 'classes')}: {counts}{f' and {more:,} more' if more > 0 else ''}"
        )
    return lines


def _describe_images(loaded: Dataset) -> dict[str, Any]:
    """Return count, shape, depth and the number of images of each class."""
    import numpy as np

    from narrows.data.images import class_names

    classes: dict[str, int] = {}
    if loaded.y is not None:
        in_folders = loaded.files is not None and all("/" in file for file in loaded.files)
        labels = np.array(class_names(loaded.files)) if in_folders and loaded.files else loaded.y
        values, counts = np.unique(labels, return_counts=True)
        classes = {str(value): int(n) for value, n in zip(values, counts, strict=True)}
    return {
        "count": len(loaded.X),
        "shape": list(loaded.X.shape[1:]),
        "dtype": str(loaded.X.dtype),
        "classes": classes,
    }


def _as_document(name: str, loaded: Dataset, estimator: Estimator, expected: Forecast) -> dict[str, Any]:
    """Return the document of `--json`; docs/files.md lists its keys."""
    schema, table, plan = expected.schema, expected.schema.table, expected.plan
    likelihood = None if schema.kind == "table" else expected.likelihood
    columns = () if table is None or table.kind == "array" else table.columns
    return {
        "data": name,
        "rows": len(loaded.X),
        "kind": schema.kind,
        "summary": schema.describe(),
        "notes": [*loaded.notes, *schema.list_facts()[1:]],
        "columns": [describe_column(column, likelihood) for column in columns],
        "images": _describe_images(loaded) if schema.kind == "image" else None,
        "model": {
            "recipe": estimator.recipe.name,
            "likelihood": expected.likelihood,
            "n_parameters": expected.n_parameters,
            "decisions": [str(choice) for choice in expected.choices],
        },
        "training": {
            "n_train": plan.n_train,
            "n_valid": plan.n_valid,
            "batch_size": plan.batch_size,
            "max_epochs": plan.n_epochs,
            "steps": plan.n_steps,
            "seconds": expected.seconds,
            "bytes": expected.total_bytes,
            "data_bytes": expected.data_bytes,
            "model_bytes": expected.model_bytes,
            "step_bytes": expected.step_bytes,
            "decisions": [str(choice) for choice in plan.choices],
        },
    }
