"""Contents of a saved folder, and the fingerprint of a training."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from narrows.data import MappedRows, write_schema
from narrows.estimators import samplers
from narrows.estimators.signature import to_json
from narrows.fitted import FittedModel
from narrows.version import __version__

_HASHED_BYTES = 256 << 20
# parameters that do not change the weights
_NO_EFFECT = (
    *("verbose", "checkpoint", "track", "device", "sharded", "contamination", "random_state", "max_time"),
    "sparse_output",
)
# parameters added later, with the values that give the earlier behaviour: older trainings can be resumed
_ADDED_LATER: dict[str, Any] = {
    **{"posterior": "gaussian", "prior": "standard", "columns": None, "max_levels": 256, "start": "random"},
    **{"prefixes": "auto", "patience": 5_000, "n_aux": 256, "aux_weight": 0.25, "skip": False},
    **{"scale": "column", "center": "mean"},
    **{"bound": "elbo", "n_groups": 4, "elbo_share": 0.5, "capacity": 0.0, "n_modes": 10},
    **{"max_examples": None, "buffer_size": "auto"},
}


def documents(estimator: FittedModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return recipe.json and the tensors of a fitted estimator, as `narrows.storage.write` takes them."""
    fitted: dict[str, Any] = {}
    tensors: dict[str, Tensor] = dict(estimator.model_.state_dict(prefix="model."))
    for name, value in vars(estimator).items():
        if not name.endswith("_") or name.startswith("_") or name in ("model_", "schema_", "unit_names_"):
            continue
        if name == "findings_":
            value = [finding._asdict() for finding in value]
        if name == "seen_rows_":
            value, tensors["seen_rows.bits"] = value.describe(), torch.from_numpy(value.bits)
        if name == "samplers_":
            value, sampler_tensors = samplers.save_samplers(value)
            tensors |= sampler_tensors
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            tensors[f"fitted.{name}"] = torch.from_numpy(value)
        else:
            fitted[name] = value.tolist() if isinstance(value, np.ndarray) else value
    recipe = {
        "narrows": __version__,
        "recipe": estimator.recipe.name,
        "parameters": {name: to_json(value) for name, value in estimator.get_params(deep=False).items()},
        "schema": write_schema(estimator.schema_),
        "fitted": fitted,
    }
    return recipe, tensors


def fingerprint(
    estimator: FittedModel, rows: np.ndarray, seed: int, labels: np.ndarray | MappedRows | None = None
) -> str:
    """Return a hash of everything that the weights depend on: data, seed, parameters, modules and version."""
    values = {k: to_json(v) for k, v in estimator.get_params(deep=False).items() if k not in _NO_EFFECT}
    values |= {k: to_json(v) for k, v in getattr(estimator, "decided_", {}).items()}
    values = {k: v for k, v in values.items() if k not in _ADDED_LATER or v != _ADDED_LATER[k]}
    if getattr(estimator, "bound", None) == "elbo":
        values.pop("n_draws", None)  # the ELBO takes one draw
    network = getattr(estimator, "network", None)
    parts = network if isinstance(network, (tuple, list)) else [network]
    # two modules of the same class can differ in their layers and shapes
    modules = [part for part in parts if isinstance(part, nn.Module)]
    shapes = [[(name, list(t.shape)) for name, t in module.state_dict().items()] for module in modules]
    facts = [
        __version__,
        estimator.recipe.name,
        values,
        seed,
        rows.shape,
        str(rows.dtype),
        list(map(repr, modules)),
        shapes,
    ]
    digest = hashlib.sha256(json.dumps(facts).encode())
    step = max(1, rows.nbytes // _HASHED_BYTES)  # larger data: only evenly spaced rows are hashed
    digest.update(np.ascontiguousarray(rows[::step]).data)
    if labels is not None:
        step = max(1, labels.nbytes // _HASHED_BYTES)
        digest.update(np.ascontiguousarray(labels[::step]).data)
    return digest.hexdigest()
