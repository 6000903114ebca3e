"""The size of the networks where the user leaves it open: it follows the rows, the columns and the time limit.

Nothing is measured, so that the same data and parameters give the same network on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from narrows import networks
from narrows.data import Schema, n_features
from narrows.params import counted
from narrows.training import Choice

_LARGEST, _SMALLEST = 1024, 16  # widths of the first hidden layer
_ROWS_FACTOR, _FEATURES_FACTOR, _FEATURES_MORE = 8, 16, 32
_TWO_LAYERS = 128  # least width of the first layer for a second one
_FLOPS_PER_SECOND = 2e10  # of a processor's core, assumed
_PASSES = {"mlp": 10, "conv": 20}  # passes over the rows that a time limit must allow
_STEP = 6  # floating-point operations of a training step for each weight and example
_CONV_WEIGHTS = 100_000  # products for each pixel of an image, both networks together


def decide_sizes(
    schema: Schema, values: Mapping[str, Any], n_rows: int | None, max_time: float | None
) -> tuple[dict[str, Any], list[Choice]]:
    """Return the values of `network` and `hidden` where they are "auto", and the choices to report.

    Parameters
    ----------
    values : parameters of the recipe.
    n_rows : number of training rows; None if it is not known, which gives the largest network.
    max_time : time limit of the training in seconds, or None.
    """
    decided: dict[str, Any] = {}
    choices: list[Choice] = []
    has_code = values.get("n_components", 1) is not None
    if values.get("network") == "auto" and has_code and n_rows and max_time:
        name, _ = networks.choose("auto", schema)
        passes = _count_passes(_CONV_WEIGHTS * schema.n_entries, n_rows, max_time)
        if name == "conv" and passes < _PASSES["conv"]:
            reason = f"in {max_time:g} s convolutions would see each of {n_rows:,} images about {passes:.0f} times"
            decided["network"] = "mlp"
            choices.append(Choice("network", "mlp", reason))
    if values.get("hidden") == "auto":
        decided["hidden"], reason = _choose_widths(schema, n_rows, max_time)
        choices.append(Choice("hidden", str(decided["hidden"]), reason))
    return decided, choices


def _choose_widths(schema: Schema, n_rows: int | None, max_time: float | None) -> tuple[tuple[int, ...], str]:
    """Return the widths of the hidden layers of the encoder, and the reason."""
    d = n_features(schema)
    width, reason = _LARGEST, f"for {d:,} columns"
    if n_rows is not None:
        most = min(_LARGEST, _ROWS_FACTOR * math.sqrt(n_rows), _FEATURES_FACTOR * d + _FEATURES_MORE)
        width = max(_SMALLEST, 2 ** math.floor(math.log2(most)))
        reason = f"for {counted(n_rows, 'row')} and {counted(d, 'column')}"
    shorter = width
    while n_rows and max_time and shorter > _SMALLEST:
        weights = 2 * sum(a * b for a, b in zip((d, *_layers(shorter)), _layers(shorter), strict=False))
        if _count_passes(weights, n_rows, max_time) >= _PASSES["mlp"]:
            break
        shorter //= 2
    if shorter < width:
        reason += f", and {max_time:g} s"
    return _layers(shorter), reason


def _layers(width: int) -> tuple[int, ...]:
    return (width, width // 2) if width >= _TWO_LAYERS else (width,)


def _count_passes(weights: float, n_rows: int, seconds: float) -> float:
    """Return how often a training sees each row in this time, for this number of products for each example."""
    return seconds * _FLOPS_PER_SECOND / (_STEP * weights * n_rows)
