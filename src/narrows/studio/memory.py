"""Memory that a training takes, estimated before it starts."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from narrows.data import Schema, n_features
from narrows.estimators import estimator

_BYTES_PER_WEIGHT = 16  # the weight, its gradient and two moments, in float32


def check_memory(recipe: str, parameters: Mapping[str, Any], schema: Schema) -> None:
    """Check that the weights of a model, with their gradients and moments, fit into memory. Nothing is allocated.

    Raises
    ------
    ValueError
        If they do not.
    """
    weights, free = count_weights(recipe, parameters, schema), available_bytes()
    if weights * _BYTES_PER_WEIGHT > free:
        raise ValueError(
            f"The training would take about {weights * _BYTES_PER_WEIGHT / 1e9:,.1f} GB for {weights:,} weights, their "
            f"gradients and moments, and {free / 1e9:,.1f} GB are free. Choose smaller layers, such as "
            "hidden=[256, 256]."
        )


def count_weights(recipe: str, parameters: Mapping[str, Any], schema: Schema) -> int:
    """Return about how many weights a model has; 0 if it cannot be built: then the training says why.

    Those of a model of tables only are not counted: it is built from the training rows, and is small at usual widths.
    """
    cls = estimator(recipe)
    if cls.recipe.is_tabular:
        return 0
    values = {name: parameters.get(name, p.default) for name, p in cls.recipe.parameters.items()}
    if schema.kind == "table":
        n = n_features(schema)
        schema = replace(
            schema,
            kind="vector",
            shape=(n,),
            support="real",
            offset=(0.0,),
            scale=(1.0,),
            mean=(0.0,) * n,
            std=(1.0,) * n,
            columns=None,
            table=None,
            gaps=(),
        )
    try:
        with torch.device("meta"):  # tensors without memory; the copy caches them
            parts = cls.recipe.build(copy.copy(schema), **values)
    except (ValueError, TypeError, RuntimeError):
        return 0
    return sum(weight.numel() for weight in parts.model.parameters())


def available_bytes() -> int:
    """Return the memory that programs can still take; all of the machine's where the system does not tell."""
    status = Path("/proc/meminfo")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 1 << 62
