"""Load an estimator from a saved folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from narrows import storage
from narrows.data import read_schema
from narrows.estimators.base import Estimator
from narrows.estimators.findings import restore_finding
from narrows.estimators.models import estimator
from narrows.estimators.samplers import restore_samplers
from narrows.estimators.seen_rows import SeenRows
from narrows.model import rename_old_state
from narrows.networks import REBUILT
from narrows.params import did_you_mean


def load(
    folder: str | Path, *, encoder: nn.Module | None = None, decoder: nn.Module | None = None, device: str = "auto"
) -> Estimator:
    """Load the fitted estimator saved in `folder`.

    Parameters
    ----------
    folder : folder that `save` wrote.
    encoder, decoder : your own modules, if the model was fitted with some; their weights come from the folder.
    device : device to compute on; "auto" is a GPU if there is one, otherwise the CPU.

    Raises
    ------
    FileNotFoundError
        If there is no model in `folder`.
    ValueError
        If the model is not complete, has an unknown format, recipe or parameter, or needs a module that was not passed,
        or its notes.json is damaged.
    """
    recipe, tensors = storage.read(Path(folder))
    model = restore(recipe, tensors, folder, encoder, decoder, device)
    if units := storage.read_notes(Path(folder)).units:
        model.unit_names_ = dict(units)
    return model


def restore(
    recipe: dict[str, Any],
    tensors: dict[str, Tensor],
    folder: str | Path,
    encoder: nn.Module | None = None,
    decoder: nn.Module | None = None,
    device: str = "auto",
) -> Estimator:
    """Return the fitted estimator of what `narrows.estimators.saving.documents` returned; `folder` is for messages.

    Raises
    ------
    ValueError
        As `load` does.
    """
    try:
        cls = estimator(recipe["recipe"])
    except ValueError as error:
        error.add_note(f"{Path(folder) / storage.CARD} describes the saved model, and how to load it.")
        raise
    values = dict(recipe["parameters"])
    unknown = sorted(set(values) - set(cls.parameters()))
    if unknown:
        raise ValueError(
            f"{folder}: {cls.__name__} has no parameter {unknown[0]!r}. {did_you_mean(unknown[0], cls.parameters())}"
        )
    network = _restore_network(values.get("network"), encoder, decoder)
    if "network" in values:
        values["network"] = network
    if "start" in cls.parameters():
        values.setdefault("start", "random")  # a model that was saved before there was a linear path
    decided = recipe["fitted"].pop("decided_", {})
    for held in (values, decided):
        if isinstance(held.get("hidden"), list):
            held["hidden"] = tuple(held["hidden"])
    model = cls(**{**values, "device": device})
    model.schema_, model.decided_ = read_schema(recipe["schema"]), decided
    parts = model._assemble(0)
    has_path = any(".linear_path." in name for name in tensors)
    if getattr(parts.model.encoder, "linear_path", None) is not None and not has_path:
        model.start = "random"  # an older narrows gave such a code no linear path
        parts = model._assemble(0)
    model.model_ = parts.model.eval()
    state = rename_old_state({k.removeprefix("model."): t for k, t in tensors.items() if k.startswith("model.")})
    floats = next((t.dtype for t in state.values() if t.is_floating_point()), torch.float32)
    try:
        model.model_.to(floats).load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"The weights in {folder} do not fit its recipe: {error}") from error
    if "samplers_" in recipe["fitted"]:
        model.samplers_ = restore_samplers(recipe["fitted"].pop("samplers_"), tensors)
    # a model that an older narrows saved has no findings
    model.findings_ = [restore_finding(values) for values in recipe["fitted"].pop("findings_", [])]
    if "seen_rows_" in recipe["fitted"]:
        model.seen_rows_ = SeenRows(tensors["seen_rows.bits"].numpy(), **recipe["fitted"].pop("seen_rows_"))
    for name, value in recipe["fitted"].items():
        setattr(model, name, np.asarray(value, dtype=object) if name == "feature_names_in_" else value)
    for name, tensor in tensors.items():
        if name.startswith("fitted."):
            setattr(model, name.removeprefix("fitted."), tensor.numpy())
    return model


def _rebuild(entry: dict[str, Any], role: str) -> nn.Module:
    """Build a module of narrows that was the parameter `network`. Its weights come with the model's."""
    name = entry["module"].rsplit(".", 1)[-1]
    if name not in REBUILT:
        raise ValueError(f"This model has the {role} {name}, which this narrows does not know. Update narrows.")
    return REBUILT[name](**entry["arguments"])


def _restore_network(saved: Any, encoder: nn.Module | None, decoder: nn.Module | None) -> Any:
    """Return the saved parameter `network`, with the user's modules instead of their names."""
    entries = saved if isinstance(saved, list) else [saved]
    parts: list[Any] = []
    for role, module, entry in zip(("encoder", "decoder"), (encoder, decoder), [*entries, None], strict=False):
        if isinstance(entry, dict) and "arguments" in entry and module is None:
            parts.append(_rebuild(entry, role))
            continue
        is_module = isinstance(entry, dict) and "arguments" not in entry
        if module is not None and not is_module:
            raise ValueError(
                f"This model was not fitted with a module of your own as its {role}: load it without `{role}`."
            )
        if module is None and is_module:
            raise ValueError(
                f"This model was fitted with a module of your own as its {role}, {entry['module']}. Pass it again: "
                f"narrows.load(folder, {role}={entry['module'].rsplit('.', 1)[-1]}(...))."
            )
        parts.append(module if is_module else entry)
    return tuple(parts) if isinstance(saved, list) else parts[0]
