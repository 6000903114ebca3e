"""The components of a model as sliders: their ranges, what each carries, and what it changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from narrows.estimators.base import Estimator
from narrows.evaluation.inspection import Inspection

Description = tuple[str, tuple[int, ...]]  # label of a dial, and positions of the columns that it changes
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


def make_dials(
    model: Estimator, highest: np.ndarray | None, describe: Callable[[np.ndarray], list[Description]] | None
) -> list[Dial]:
    """Return all components of a model as sliders; those that carry most come first.

    Parameters
    ----------
    model : fitted model with codes.
    highest : highest activation of each unit of a sparse code, (L,); None if it is not known.
    describe : function from the low and the high end of k dials (codes, 2k x L) to a label and the changed columns of
        each; None for images.
    """
    inspection = Inspection(model)
    mean, std = np.asarray(model.code_mean_), np.asarray(model.code_std_)
    if inspection.has_nats:
        carries, scale = np.asarray(model.components_kl_), model.dial_scale()
        used = ~np.isin(np.arange(len(mean)), model.unused_components_)
    else:
        variance = std**2
        carries, scale = variance / max(float(variance.sum()), 1e-300), np.maximum(std, 1e-6)
        used = std > 1e-6
    low, high = mean - _SPAN * scale, mean + _SPAN * scale
    if model.model_.bottleneck.is_sparse:
        low = np.zeros_like(mean)
        high = high if highest is None else np.maximum(highest, 1e-6)
    order = inspection.dial_order
    descriptions: list[Description] = []
    if describe is not None:
        ends = np.tile(mean, (2 * len(order[:_MAX_LABELLED]), 1))
        for k, i in enumerate(order[:_MAX_LABELLED]):
            ends[2 * k, i], ends[2 * k + 1, i] = low[i], high[i]
        descriptions = describe(ends)
    descriptions += [("", ())] * (len(order) - len(descriptions))
    return [
        Dial(int(i), label, float(carries[i]), bool(used[i]), float(low[i]), float(high[i]), float(mean[i]), columns)
        for i, (label, columns) in zip(order, descriptions, strict=True)
    ]
