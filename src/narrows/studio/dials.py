"""The components of a model as sliders: their ranges, what each carries, and what it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from narrows.evaluation.inspection import Inspection

if TYPE_CHECKING:
    from narrows.studio.view import View

_SPAN = 3.0  # range of a dial to each side of the mean, in standard deviations, as in `traverse`
_MAX_LABELLED = 64  # dials whose effects are described


@dataclass(frozen=True)
class Dial:
    """A component of the code as a slider.

    Attributes
    ----------
    component : index of the component.
    label : the columns that it changes most, such as "height up, weight down"; empty for images.
    columns : positions of the columns of a table that it changes, the most changed first.
    carries : its nats, or its share of the variance if the nats are not known.
    used : False if the component carries nothing.
    low, high, mean : range of the slider, and the mean of the component over the training rows.
    """

    component: int
    label: str
    carries: float
    used: bool
    low: float
    high: float
    mean: float
    columns: tuple[int, ...] = ()


def make_dials(view: View) -> list[Dial]:
    """Return all components of a view's model as sliders; those that carry most come first."""
    model = view.model
    mean, std = np.asarray(model.code_mean_), np.asarray(model.code_std_)
    if view.has_nats:
        carries, scale = np.asarray(model.components_kl_), model.dial_scale()
        used = ~np.isin(np.arange(len(mean)), model.unused_components_)
    else:
        variance = std**2
        carries, scale = variance / max(float(variance.sum()), 1e-300), np.maximum(std, 1e-6)
        used = std > 1e-6
    low, high = mean - _SPAN * scale, mean + _SPAN * scale
    if view.is_sparse:
        low = np.zeros_like(mean)
        if view.data is not None:
            high = np.maximum(view.max_activations, 1e-6)
    order = Inspection(model).dial_order
    effects: list[tuple[str, tuple[int, ...]]] = []
    if not view.is_image:
        ends = np.tile(mean, (2 * len(order[:_MAX_LABELLED]), 1))
        for k, i in enumerate(order[:_MAX_LABELLED]):
            ends[2 * k, i], ends[2 * k + 1, i] = low[i], high[i]
        effects = _describe_effects(view, ends)
    effects += [("", ())] * (len(order) - len(effects))
    return [
        Dial(int(i), label, float(carries[i]), bool(used[i]), float(low[i]), float(high[i]), float(mean[i]), columns)
        for i, (label, columns) in zip(order, effects, strict=True)
    ]


def _describe_effects(view: View, ends: np.ndarray) -> list[tuple[str, tuple[int, ...]]]:
    """Return, for the low and the high end of k dials (2k x L), the two columns that change most, and all that do."""
    if view.is_table:
        return [
            (", ".join(effect.describe() for effect in effects[:2]), tuple(effect.column for effect in effects))
            for effects in view.compute_effects(ends)
        ]
    decoded = view.decode(ends, urgent=False).astype(np.float64)
    changes = (decoded[1::2] - decoded[::2]) / np.broadcast_to(view.schema.scale, decoded.shape[1:])
    names, described = view.columns or [], []
    for change in changes:
        floor = 0.05 * np.abs(change).max() + 1e-9
        largest = [int(j) for j in np.argsort(-np.abs(change))[:2] if abs(change[j]) > floor]
        label = ", ".join(f"{names[j]} {'up' if change[j] > 0 else 'down'}" for j in largest)
        described.append((label, tuple(largest)))
    return described
