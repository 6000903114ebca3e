"""Measures of sparse codes.

    L0       units active for one example, the mean over examples
    dead     share of units that are active for none of these examples
    density  share of examples for which a unit is active: the median over units that are not dead, and its quantiles

Gao et al., Scaling and evaluating sparse autoencoders (2024), https://arxiv.org/abs/2406.04093; Bricken et al.,
Towards monosemanticity (2023), https://transformer-circuits.pub/2023/monosemantic-features.
"""

from __future__ import annotations

import numpy as np

from narrows.evaluation.absent import Absent
from narrows.evaluation.intervals import MOST_RESAMPLED, Estimate, percentiles
from narrows.evaluation.registry import measure
from narrows.evaluation.subjects import ModelSubject, Subject
from narrows.params import counted

_PERCENTS = (5, 25, 75, 95)
_OFTEN = 0.1  # a unit that is active more often says little


@measure(better=-1)
def l0(subject: Subject) -> Estimate:
    """Number of units active for one example."""
    return subject.comparison.resamples.mean(
        find_active(subject).sum(1), "units active for one example, the mean over examples"
    )


@measure(better=-1)
def dead_fraction(subject: Subject) -> Estimate:
    """Share of units active for no example."""
    fires = find_active(subject)
    description = f"share of the {fires.shape[1]} units, active for none of {counted(len(fires), 'example')}"
    return Estimate(float((~fires.any(0)).mean()), description=description)


@measure()
def density(subject: Subject) -> Estimate:
    """Share of examples for which a unit is active."""
    fires = find_active(subject)
    n, is_alive = len(fires), fires.any(0)
    if not is_alive.any():
        raise Absent("all units are dead")
    fires = fires[:, is_alive]
    share = fires.mean(0)
    description = (
        "share of examples for which a unit is active, the median over living units; "
        f"they range from {share.min():.2g} to {share.max():.2g}"
    )
    if n > MOST_RESAMPLED:
        return Estimate(float(np.median(share)), description=description)
    resampled = subject.comparison.resamples.counts(n) @ fires.astype(np.float32) / n
    return Estimate(float(np.median(share)), *percentiles(np.median(resampled, axis=1)), description)


@measure()
def density_quantiles(subject: Subject) -> dict[str, Estimate]:
    """Quantiles over living units of the share of examples for which a unit is active."""
    fires = find_active(subject)
    share = fires.mean(0)
    share = share[share > 0]
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


def find_active(subject: Subject) -> np.ndarray:
    """Return True where a unit fires for an example: n x L. Raises Absent if the code is not sparse."""
    if not isinstance(subject, ModelSubject):
        raise Absent("the code is not sparse; this measure is for SAE")
    return subject.inspection.find_firing()
