"""A fitted `OutlierDetector` as a folder: recipe.json, weights.safetensors and a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from narrows import storage
from narrows.data import Table
from narrows.estimators.loading import restore as restore_model
from narrows.estimators.saving import documents
from narrows.estimators.signature import to_json
from narrows.tasks.outliers.cells import ContradictingCells
from narrows.tasks.outliers.ensemble import Ensemble
from narrows.tasks.outliers.marginals import Histograms, IsolationTrees
from narrows.tasks.outliers.parts import LOCAL_NEIGHBORS, NeighborDistances, Residuals, Surprise, global_distances
from narrows.tasks.outliers.scaler import AsinhScaler
from narrows.tasks.outliers.tables import TableReader
from narrows.version import __version__

RECIPE = "outliers"
_OLDER_PARTS, _OLDER_POWER = ("residual", "local", "global"), 2  # of folders that do not name them


def write(detector: Any, folder: Path) -> None:
    """Write the fitted `detector` into `folder`.

    Raises
    ------
    OSError
        If `folder` is a file or cannot be written.
    """
    fitted = {name: value for name, value in vars(detector).items() if name.endswith("_")}
    recipe = {
        "narrows": __version__,
        "recipe": RECIPE,
        "parameters": {name: to_json(value) for name, value in detector.get_params().items()},
        "schema": {"shape": list(detector._shape), **_table(detector)},
        "fitted": {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in fitted.items()},
        "parts": {name: [surprise.location, surprise.spread] for name, surprise in detector._surprises.items()},
        "power": detector._power,
    }
    saved_cells = [] if detector._cells is None else [documents(model) for model in detector._cells.models]
    if saved_cells:
        recipe["cells"] = [of_model for of_model, _ in saved_cells]
    of_cells = {f"cells.{i}.{k}": tensor for i, (_, tensors) in enumerate(saved_cells) for k, tensor in tensors.items()}
    storage.write(folder, recipe, _tensors(detector) | of_cells, _card(detector))


def read(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the recipe and the arrays of the detector that is saved in `folder`.

    Raises
    ------
    FileNotFoundError, ValueError
        If `folder` holds no complete detector of a known format.
    """
    recipe, tensors = storage.read(folder)
    if recipe["recipe"] != RECIPE:
        raise ValueError(
            f"{folder} holds no OutlierDetector, but a model of the recipe {recipe['recipe']!r}. Use narrows.load."
        )
    return recipe, {name: tensor.numpy() for name, tensor in tensors.items()}


def restore(detector: Any, recipe: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Set what `detector` has learned from what `read` returns."""
    for name, value in recipe["fitted"].items():
        setattr(detector, name, np.asarray(value, dtype=object) if name == "feature_names_in_" else value)
    detector._shape = tuple(recipe["schema"]["shape"])
    table = recipe["schema"].get("table")
    detector._reader = None
    if table is not None:
        detector._reader = TableReader(Table.from_dict(table), np.asarray(recipe["schema"]["fill"]))
    parts = recipe.get("parts") or dict(zip(_OLDER_PARTS, recipe["surprises"], strict=True))
    detector._surprises = {name: Surprise(*numbers) for name, numbers in parts.items()}
    detector._power = recipe.get("power", _OLDER_POWER)
    detector._scaler = AsinhScaler(arrays["columns.center"], arrays["columns.scale"])
    detector._known_keys, detector._fold = arrays["known"].view(np.uint64), arrays["fold"]
    near, near_keys = arrays["near"], arrays["near.keys"].view(np.uint64)
    # older folders hold neither of the next two
    detector._keyed_by_u = arrays.get("known.by_u", np.zeros(near.shape[1], bool))
    detector._usual_range = arrays.get("columns.range", np.stack([near.min(0), near.max(0)]))
    detector._residuals = Residuals(arrays["residuals.error"], arrays.get("residuals.whiten"))
    detector._local = NeighborDistances(near, near_keys, LOCAL_NEIGHBORS)
    if "global" in parts:
        detector._global_rows = arrays["wide"].astype(np.int64)
        detector._global = global_distances(near[detector._global_rows], near_keys[detector._global_rows])
    if "histogram" in parts:
        detector._histograms = Histograms(arrays["histogram"], detector._usual_range)
    if "isolation" in parts:
        detector._trees = IsolationTrees({name: arrays[f"isolation.{name}"] for name in IsolationTrees.NAMES})
    detector._cells = _restore_cells(recipe.get("cells", []), arrays)
    weights = {k.removeprefix("ensemble."): torch.from_numpy(a) for k, a in arrays.items() if k.startswith("ensemble.")}
    n_members, d, width = weights["weights.0"].shape
    detector._ensemble = Ensemble(n_members, d // 2, width, weights["weights.1"].shape[2]).requires_grad_(False)
    detector._ensemble.load_state_dict(weights)


def _restore_cells(recipes: list[dict[str, Any]], arrays: dict[str, np.ndarray]) -> ContradictingCells | None:
    """Return the models of the cells that are in a folder, if there are any."""
    models = []
    for i, recipe in enumerate(recipes):
        prefix = f"cells.{i}."
        tensors = {k.removeprefix(prefix): torch.from_numpy(a) for k, a in arrays.items() if k.startswith(prefix)}
        models.append(restore_model(recipe, tensors, "the detector's folder", device="cpu"))
    return ContradictingCells(models) if models else None


def _table(detector: Any) -> dict[str, Any]:
    """Return the columns of the table that `detector` was fitted on, if it was a table."""
    if detector._reader is None:
        return {}
    return {"table": detector._reader.table.to_dict(), "fill": detector._reader.fill.tolist()}


def _tensors(detector: Any) -> dict[str, torch.Tensor]:
    """Return the tensors to save. Their names are part of the file format."""
    arrays = {
        "columns.center": detector._scaler.center,
        "columns.scale": detector._scaler.scale,
        "columns.range": detector._usual_range,
        "known": detector._known_keys.view(np.int64),
        "known.by_u": detector._keyed_by_u,
        "fold": detector._fold,
        "residuals.error": detector._residuals.error,
        "near": detector._local.references,
        "near.keys": detector._local.keys.view(np.int64),
    }
    if detector._residuals.whiten is not None:
        arrays["residuals.whiten"] = detector._residuals.whiten
    if "global" in detector._surprises:
        arrays["wide"] = detector._global_rows
    if "histogram" in detector._surprises:
        arrays["histogram"] = detector._histograms.counts
    if "isolation" in detector._surprises:
        arrays |= {f"isolation.{name}": array for name, array in detector._trees.tensors.items()}
    weights = detector._ensemble.state_dict(prefix="ensemble.")
    return {**{name: torch.from_numpy(array) for name, array in arrays.items()}, **weights}


def _card(detector: Any) -> str:
    """Return the text of the model card, README.md in the folder."""
    width, code = detector._ensemble.weights[0].shape[2], detector._ensemble.weights[1].shape[2]
    d = detector.n_features_in_
    return (
        "# OutlierDetector\n\nDenoising autoencoders, the density of the data that they have denoised, and rare "
        f"values.\n\nMade by narrows {__version__}. Load it with\n\n```python\nfrom narrows.tasks import "
        'OutlierDetector\n\ndetector = OutlierDetector.load("FOLDER")\n```\n\n'
        f"- Rows of shape {detector._shape}, {len(detector._known_keys):,} different ones; {detector.trimmed_:.1%} too "
        f"strange to learn from\n- {detector.n_members} autoencoders {d}-{width}-{code}-{width}-{d}\n"
        f"- Threshold {detector.offset_:.4g} (contamination {detector.contamination!r})\n"
    )
