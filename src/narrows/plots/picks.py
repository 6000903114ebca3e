"""What a picture shows: which examples, which numbers, in which order. Nothing here draws.

Everything is on the model's scale (see `narrows.data.Schema.prepare`), so that columns of unlike units can stand side
by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from narrows.bottlenecks import as_sparse
from narrows.data import Schema, subsample_evenly
from narrows.model import inference_mode

if TYPE_CHECKING:
    from narrows.estimators import SAE, Estimator  # for the annotations only: plots stand below

_LOOKED_AT = 20_000  # codes, at most, to find their principal axes by


class Rebuilt(NamedTuple):
    """Examples, what came out at the other end, and how far apart they are.

    Attributes
    ----------
    rows, rebuilt : n x `schema.shape`.
    error : n, the mean squared error of an entry.
    """

    rows: np.ndarray
    rebuilt: np.ndarray
    error: np.ndarray


def rebuilt(model: Estimator, X: Any) -> Rebuilt:
    """X through `model`."""
    rows = model.prepared(X)
    out = model.applied(model.model_.reconstruct, rows)
    error = (out - rows).double().square().flatten(1).nanmean(1)
    return Rebuilt(rows.numpy(), out.numpy(), error.numpy())


def best_typical_worst(error: np.ndarray, n: int) -> np.ndarray:
    """The places of the `n` least, the `n` middle and the `n` greatest errors; fewer where there are not so many."""
    order = np.argsort(error, kind="stable")
    n = max(1, min(n, len(order) // 3))
    middle = (len(order) - n) // 2
    return np.concatenate([order[:n], order[middle : middle + n], order[-n:]])


class Plane(NamedTuple):
    """Codes as places on a map.

    Attributes
    ----------
    places : n x 2.
    axes : what each axis is, for people.
    principal : whether the codes had to be projected.
    mean, directions : (L,) and 2 x L, by which any codes find their places: (codes - mean) @ directions.T.
    """

    places: np.ndarray
    axes: tuple[str, str]
    principal: bool
    mean: np.ndarray
    directions: np.ndarray


def plane(codes: np.ndarray) -> Plane:
    """Two components as they are, more on the plane on which they vary most (PCA)."""
    codes = np.asarray(codes, dtype=np.float64)
    n_components = codes.shape[1]
    if n_components <= 2:
        directions = np.eye(2)[:, :n_components]
        names = ("component 0", "component 1" if n_components == 2 else "")
        return Plane(codes @ directions.T, names, False, np.zeros(n_components), directions)
    mean, (directions, share) = codes.mean(0), principal_axes(codes)
    first, second = (f"principal axis {i + 1}, {part:.0%} of the codes' variance" for i, part in enumerate(share))
    return Plane((codes - mean) @ directions.T, (first, second), True, mean, directions)


def principal_axes(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two directions (2 x L) in which codes (n x L) vary most, and the share of the variance on each.

    Where there is one component the second direction is 0.
    """
    sample, n_components = subsample_evenly(codes, _LOOKED_AT).astype(np.float64), codes.shape[1]
    covariance = np.cov(sample, rowvar=False).reshape(n_components, -1) if len(sample) > 1 else np.eye(n_components)
    values, vectors = np.linalg.eigh(covariance)
    found, share = np.zeros((2, n_components)), np.zeros(2)
    axes = vectors[:, ::-1][:, :2].T
    # the sign is free: the larger half points to the right and up
    found[: len(axes)] = axes * np.where(axes.sum(1) < 0, -1, 1)[:, None]
    share[: len(axes)] = values[::-1][:2].clip(min=0) / max(float(values.clip(min=0).sum()), 1e-300)
    return found, share


def losses(history: Sequence[Mapping[str, Any]]) -> dict[str, tuple[list[float], list[float]]]:
    """The epochs and the losses (nats an example) of the rows held out and of those trained on, by name."""
    if not history:
        return {}
    # the training loss holds more than the examples' own, such as what revives dead units of a sparse code
    has_costs = any(key.startswith("valid_") and key not in ("valid_loss", "valid_nll") for key in history[-1])
    trained = "loss" if has_costs else "nll"
    found = {}
    for key, name in (("valid_loss", "held out"), (trained, "training")):
        looks = [(record["epoch"], record[key]) for record in history if record.get(key) is not None]
        if looks:
            found[name] = [float(epoch) for epoch, _ in looks], [float(loss) for _, loss in looks]
    return found


def dial_order(model: Estimator, most: int) -> tuple[list[int], list[str]]:
    """The components to turn, at most so many, those first that carry most, and what is written beside each."""
    if has_nats(model):
        unused = set(model.unused_components_)
        kl = np.asarray(model.components_kl_)
        carried = [f"{i}   {nats:.2f} nats" + (", unused" if i in unused else "") for i, nats in enumerate(kl)]
        order = list(range(len(carried)))
    else:
        carried = [f"{i}   sd {value:.2g}" for i, value in enumerate(model.code_std_)]
        order = [int(i) for i in (-model.code_std_).argsort(kind="stable")]
    return order[:most], [carried[i] for i in order[:most]]


def directions(model: SAE) -> np.ndarray:
    """What each unit adds to the decoder's numbers: units x `schema.shape`."""
    n, parameter = model.model_.bottleneck.n_components, next(model.model_.parameters())
    with inference_mode(model.model_):
        drawn = model.model_.decode(torch.cat([torch.zeros(1, n), torch.eye(n)]).to(parameter))
    added = (drawn[1:] - drawn[0]).detach().float().cpu().numpy()
    return added[:, : model.schema_.shape[0]]  # of a likelihood with several numbers an entry the first, of the mean


class Units(NamedTuple):
    """The units of a sparse code, the busiest first.

    Attributes
    ----------
    order : of all units.
    rate : of each unit (not in that order), the share of examples for which it fires.
    best : for each of the first units in that order, the examples for which it fires most.
    """

    order: np.ndarray
    rate: np.ndarray
    best: list[np.ndarray]


def units(model: SAE, X: Any, n_units: int, n_examples: int) -> Units:
    """What the busiest `n_units` of `model` respond to among X."""
    codes, code = np.asarray(model.transform(X)), as_sparse(model.model_.bottleneck)
    assert code is not None
    fires = codes > code.floor
    rate = fires.mean(0)
    order = np.argsort(-rate, kind="stable")
    best = []
    for unit in order[:n_units]:
        strongest = np.argsort(-codes[:, unit], kind="stable")[:n_examples]
        best.append(strongest[fires[strongest, unit]])
    return Units(order, rate, best)


def entries(schema: Schema) -> list[str]:
    """What the entries of a vector are called."""
    names = schema.columns
    if names is not None and len(names) == schema.n_entries:
        return [str(name) for name in names]
    return [str(i) for i in range(schema.n_entries)]


def unit_of(schema: Schema) -> str:
    """What the model's scale is, for people."""
    if schema.support == "real":
        return "standard deviations"
    return {"count": "counts", "binary": "0 or 1", "unit": "from 0 to 1"}[schema.support]


def pictures(rows: np.ndarray) -> np.ndarray:
    """Images on the model's scale (n x channels x h x w) as people see them: n x h x w, or n x h x w x 3."""
    return rows[:, 0] if rows.shape[1] < 3 else np.moveaxis(rows[:, :3], 1, -1)


def limits(schema: Schema, rows: np.ndarray) -> tuple[float, float]:
    """What is black and what is white on the model's scale; for images without bounds, quantiles of `rows`."""
    if schema.support in ("unit", "binary"):
        return 0.0, 1.0
    low, high = np.nanquantile(rows, [0.005, 0.995])
    return float(low), float(max(high, low + 1e-6))


def needs_code(model: Estimator, what: str) -> None:
    """Raise for a model without codes."""
    if not model.model_.has_code:
        owner = type(model).__name__
        raise ValueError(f"{what} needs codes, and this {owner} has none, because n_components=None. Pass a number.")


def needs_sparse(model: Estimator, what: str) -> None:
    """Raise for a model without units."""
    if not model.model_.bottleneck.is_sparse:
        raise ValueError(f"{what} needs a sparse code, and this {type(model).__name__} has none. Fit an SAE.")


def can_sample(model: Estimator) -> bool:
    """Tell whether codes can be drawn."""
    return model.model_.has_code and model.model_.bottleneck.default_sampler is not None


def has_nats(model: Estimator) -> bool:
    """Tell whether the nats of each component of a code are known."""
    return hasattr(model, "components_kl_")


def classes(y: np.ndarray, most: int) -> list[Any] | None:
    """The labels that become classes of a map, sorted; None where they are measurements with an order.

    Words are classes, whatever their number (the most frequent ones, where there are more than `most`). Numbers are
    classes where there are at most `most` different ones, all whole.
    """
    values, counts = np.unique(y[~_missing(y)], return_counts=True)
    if values.dtype.kind in "OUSb":
        return sorted(values[np.argsort(-counts, kind="stable")[:most]].tolist(), key=str)
    if len(values) <= most and bool((values == np.rint(values)).all()):
        return values.tolist()
    return None


def check_labels(y: Any, n: int, owner: str) -> np.ndarray:
    """y as an array of n labels."""
    found = np.asarray(y)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1 or len(found) != n:
        raise ValueError(f"{owner} needs one label for each of {n:,} examples. Got y of shape {found.shape}.")
    if found.dtype.kind == "O":
        found = np.array([label if label is None else str(label) for label in found.tolist()], dtype=object)
        return np.where(found == None, "missing", found).astype(str)  # noqa: E711 (one by one)
    return found


def _missing(y: np.ndarray) -> np.ndarray:
    return np.isnan(y) if y.dtype.kind == "f" else np.zeros(len(y), bool)
