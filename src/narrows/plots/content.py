"""Content of pictures: the examples and components to show, their order, and the text beside them.

Nothing here draws. Values are on the model's scale (`narrows.data.Schema.prepare`), so that columns of different units
can stand side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from narrows.data import Schema, is_frame, open_frame
from narrows.data.cells import is_missing
from narrows.data.labels import check_labels
from narrows.evaluation.inspection import Inspection
from narrows.fitted import FittedModel


def best_typical_worst(errors: np.ndarray, n: int) -> np.ndarray:
    """Return the indices of the `n` smallest, the `n` middle and the `n` largest errors; fewer if there are fewer."""
    order = np.argsort(errors, kind="stable")
    n = max(1, min(n, len(order) // 3))
    middle = (len(order) - n) // 2
    return np.concatenate([order[:n], order[middle : middle + n], order[-n:]])


def loss_curves(history: Sequence[Mapping[str, Any]]) -> dict[str, tuple[list[float], list[float]]]:
    """Return the epochs and losses (nats per example) of held-out rows and of training rows, by name."""
    if not history:
        return {}
    # the training loss may contain costs beside those of the examples, such as the revival of dead units
    has_costs = any(key.startswith("valid_") and key not in ("valid_loss", "valid_nll") for key in history[-1])
    curves = {}
    for key, name in (("valid_loss", "held out"), ("loss" if has_costs else "nll", "training")):
        points = [(record["epoch"], record[key]) for record in history if record.get(key) is not None]
        if points:
            curves[name] = [float(epoch) for epoch, _ in points], [float(loss) for _, loss in points]
    return curves


def dial_labels(inspection: Inspection, most: int) -> tuple[list[int], list[str]]:
    """Return the components that carry most, at most `most` of them, and a label for each."""
    components = inspection.dial_order[:most].tolist()
    if not inspection.has_nats:
        return components, [f"{i}   sd {inspection.carried[i]:.2g}" for i in components]
    unused = set(inspection.model.unused_components_)
    return components, [
        f"{i}   {inspection.carried[i]:.2f} nats" + (", unused" if i in unused else "") for i in components
    ]


def entry_names(schema: Schema) -> list[str]:
    """Return the names of the entries of a vector, or their numbers."""
    names = schema.columns
    if names is not None and len(names) == schema.n_entries:
        return [str(name) for name in names]
    return [str(i) for i in range(schema.n_entries)]


def scale_name(schema: Schema) -> str:
    """Return the unit of the model's scale, for people."""
    if schema.support == "real":
        return "standard deviations"
    return {"count": "counts", "binary": "0 or 1", "unit": "from 0 to 1"}[schema.support]


def as_pictures(rows: np.ndarray) -> np.ndarray:
    """Return images on the model's scale (n x channels x h x w) as n x h x w, or n x h x w x 3."""
    return rows[:, 0] if rows.shape[1] < 3 else np.moveaxis(rows[:, :3], 1, -1)


def pixel_limits(schema: Schema, rows: np.ndarray) -> tuple[float, float]:
    """Return the values drawn black and white, on the model's scale: their bounds, or quantiles of `rows`."""
    if schema.support in ("unit", "binary"):
        return 0.0, 1.0
    low, high = np.nanquantile(rows, [0.005, 0.995])
    return float(low), float(max(high, low + 1e-6))


def check_code(model: FittedModel, owner: str) -> None:
    """Raise a ValueError for a model without codes."""
    if not model.model_.has_code:
        name = type(model).__name__
        raise ValueError(f"{owner} needs codes, and this {name} has none, because n_components=None. Pass a number.")


def check_decodes(model: FittedModel, owner: str) -> None:
    """Raise a ValueError for a model whose codes cannot be decoded."""
    check_code(model, owner)
    if not model.model_.decodes_codes:
        name = type(model).__name__
        raise ValueError(
            f"{owner} decodes codes, and those of {name} cannot be decoded: it predicts hidden cells from the others. "
            "Use model.sample(given=...) or model.predict_proba(X, column), or fit an AE or a VAE."
        )


def check_sparse(model: FittedModel, owner: str) -> None:
    """Raise a ValueError for a model without units."""
    if not model.model_.bottleneck.is_sparse:
        raise ValueError(f"{owner} needs a sparse code, and this {type(model).__name__} has none. Fit an SAE.")


def label_classes(y: np.ndarray, most: int) -> list[Any] | None:
    """Return the labels that are classes of a map, sorted; None if the labels are measurements with an order.

    Words are always classes: the most frequent ones if there are more than `most`. Numbers are classes if there are at
    most `most` different ones, all of them whole.
    """
    is_missing = np.isnan(y) if y.dtype.kind == "f" else np.zeros(len(y), bool)
    values, counts = np.unique(y[~is_missing], return_counts=True)
    if values.dtype.kind in "OUSb":
        return sorted(values[np.argsort(-counts, kind="stable")[:most]].tolist(), key=str)
    if len(values) <= most and bool((values == np.rint(values)).all()):
        return values.tolist()
    return None


def column_or_labels(y: Any, X: Any) -> Any:
    """Return the cells of the column of X that `y` names, seconds since 1970 for dates; other labels unchanged.

    Raises
    ------
    ValueError
        If y is a name, but no column of X has it.
    """
    if not isinstance(y, str):
        return y
    frame = open_frame(X, "y") if is_frame(X) else None
    if frame is None or y not in frame.names:
        names = (
            "X has no columns with names" if frame is None else f"columns of X: {', '.join(map(str, frame.names[:8]))}"
        )
        raise ValueError(f"y must hold one label for each row, or name a column of X. Got {y!r}; {names}.")
    cells = frame.cells(y)
    if cells.numbers is not None:
        return cells.numbers
    assert cells.codes is not None
    return np.array([None if code < 0 else str(cells.values[code]) for code in cells.codes], dtype=object)


def map_labels(y: Any, n: int, owner: str) -> np.ndarray:
    """Return y as n labels of a map: numbers or words, "missing" where an object is None, NaN or pandas.NA."""
    labels = check_labels(y, n, owner)
    if labels.dtype.kind != "O":
        return labels
    return np.array(["missing" if is_missing(label) else str(label) for label in labels.tolist()], dtype=str)
