"""Measures of sparse codes.

    L0       units active for one example, the mean over examples
    dead     share of units that are active for none of these examples
    density  share of examples for which a unit is active: the median over units that are not dead, and its quantiles

Gao et al., Scaling and evaluating sparse autoencoders (2024), https://arxiv.org/abs/2406.04093; Bricken et al.,
Towards monosemanticity (2023), https://transformer-circuits.pub/2023/monosemantic-features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from narrows.evaluation.absent import Absent
from narrows.evaluation.intervals import MOST_RESAMPLED, Estimate, percentiles
from narrows.evaluation.registry import measure
from narrows.evaluation.subjects import ModelSubject, Subject
from narrows.params import counted

_PARTS = 20  # of the resamples, which are looked at one after the other
_PERCENTS = (5, 25, 75, 95)
_OFTEN = 0.1  # a unit that is active more often says little


@measure(better=-1)
def l0(subject: Subject) -> Estimate:
    """Number of units active for one example."""
    return subject.comparison.resamples.mean(
        np.diff(find_active(subject).indptr), "units active for one example, the mean over examples"
    )


@measure(better=-1)
def dead_fraction(subject: Subject) -> Estimate:
    """Share of units active for no example."""
    fires = find_active(subject)
    description = f"share of the {fires.shape[1]} units, active for none of {counted(fires.shape[0], 'example')}"
    return Estimate(float((_count(fires) == 0).mean()), description=description)


@measure()
def density(subject: Subject) -> Estimate:
    """Share of examples for which a unit is active."""
    fires = find_active(subject)
    n, count = fires.shape[0], _count(fires)
    is_alive = count > 0
    if not is_alive.any():
        raise Absent("all units are dead")
    share = count[is_alive] / n
    description = (
        "share of examples for which a unit is active, the median over living units; "
        f"they range from {share.min():.2g} to {share.max():.2g}"
    )
    if n > MOST_RESAMPLED:
        return Estimate(float(np.median(share)), description=description)
    fires, counts = fires[:, np.flatnonzero(is_alive)], subject.comparison.resamples.counts(n)
    # few resamples at once: all of them are a large array if the units are many
    medians = [np.median(part @ fires / n, axis=1) for part in np.array_split(counts, _PARTS)]
    return Estimate(float(np.median(share)), *percentiles(np.concatenate(medians)), description)


@measure()
def density_quantiles(subject: Subject) -> dict[str, Estimate]:
    """Quantiles over living units of the share of examples for which a unit is active."""
    fires = find_active(subject)
    count = _count(fires)
    share = count[count > 0] / fires.shape[0]
    if not len(share):
        raise Absent("all units are dead")
    of_units = f"of the {counted(len(share), 'living unit')}"
    rows = {
        f"density_{percent}": Estimate(
            float(np.quantile(share, percent / 100)),
            description=f"{percent} % {of_units} are active for at most this share of examples",
        )
        for percent in _PERCENTS
    }
    often = Estimate(float((share > _OFTEN).mean()), description=f"share {of_units} active for over 10 % of examples")
    return {**rows, "density_often": often}


def find_active(subject: Subject) -> Any:
    """Return 1 where a unit fires for an example, as a csr_array (n x L). Raises Absent if the code is not sparse."""
    if not isinstance(subject, ModelSubject):
        raise Absent("the code is not sparse; this measure is for SAE")
    firing = subject.inspection.firing
    ones = np.ones(len(firing.data), np.float32)
    return sp.csr_array((ones, firing.indices, firing.indptr), shape=firing.shape)


def _count(fires: Any) -> np.ndarray:
    """Return the number of examples for which each unit fires: L."""
    return np.bincount(fires.indices, minlength=fires.shape[1])
