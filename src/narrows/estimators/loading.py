"""From a saved folder back to an estimator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from narrows import storage
from narrows.data import Schema
from narrows.estimators.base import Estimator
from narrows.estimators.models import estimator
from narrows.estimators.samplers import restored
from narrows.model import rename_old_state
from narrows.params import did_you_mean


def load(
    folder: str | Path, *, encoder: nn.Module | None = None, decoder: nn.Module | None = None, device: str = "auto"
) -> Estimator:
    """The fitted estimator saved in `folder`.

    Parameters
    ----------
    encoder, decoder : modules of your own that it was fitted with; their weights come from the folder.
    device : where it will compute.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no whole model of a known format.
    """
    recipe, tensors = storage.read(Path(folder))
    try:
        cls = estimator(recipe["recipe"])
    except ValueError as error:
        error.add_note(f"{Path(folder) / storage.CARD} says what was saved there, and how to load it.")
        raise
    values = dict(recipe["parameters"])
    unknown = sorted(set(values) - set(cls.parameters()))
    if unknown:
        raise ValueError(
            f"{folder}: {cls.__name__} has no parameter {unknown[0]!r}. {did_you_mean(unknown[0], cls.parameters())}"
        )
    network = _own_network(values.get("network"), encoder, decoder)
    if "network" in values:
        values["network"] = network
    if "hidden" in values:
        values["hidden"] = tuple(values["hidden"])
    model = cls(**{**values, "device": device})
    model.schema_ = Schema.from_dict(recipe["schema"])
    parts = model._assemble(0)
    model.model_ = parts.model.eval()
    state = rename_old_state({k.removeprefix("model."): t for k, t in tensors.items() if k.startswith("model.")})
    floats = next((t.dtype for t in state.values() if t.is_floating_point()), torch.float32)
    try:
        model.model_.to(floats).load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"The weights in {folder} do not fit its recipe: {error}") from error
    if "samplers_" in recipe["fitted"]:
        model.samplers_ = restored(recipe["fitted"].pop("samplers_"), tensors)
    for name, value in recipe["fitted"].items():
        setattr(model, name, np.asarray(value, dtype=object) if name == "feature_names_in_" else value)
    for name, tensor in tensors.items():
        if name.startswith("fitted."):
            setattr(model, name.removeprefix("fitted."), tensor.numpy())
    return model


def _own_network(saved: Any, encoder: nn.Module | None, decoder: nn.Module | None) -> Any:
    """`network` as it was, with the user's modules in the places of their names."""
    places = saved if isinstance(saved, list) else [saved]
    for role, given, place in zip(("encoder", "decoder"), (encoder, decoder), [*places, None], strict=False):
        if given is not None and not isinstance(place, dict):
            raise ValueError(
                f"This model was not fitted with a module of your own as its {role}: load it without `{role}`."
            )
    lone = not isinstance(saved, list)
    found = []
    for place, given, role in zip([saved] if lone else saved, (encoder, decoder), ("encoder", "decoder"), strict=False):
        if not isinstance(place, dict):
            found.append(place)
        elif given is None:
            raise ValueError(
                f"This model was fitted with a module of your own as its {role}, {place['module']}. Pass it again: "
                f"narrows.load(folder, {role}={place['module'].rsplit('.', 1)[-1]}(...))."
            )
        else:
            found.append(given)
    return found[0] if lone else tuple(found)
