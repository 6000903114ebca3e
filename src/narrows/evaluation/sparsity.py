"""How sparse a sparse code is.

    L0       units active for one example, the mean over examples
    dead     share of units that are active for none of these examples
    density  share of examples for which a unit is active: the median over units that are not dead

Gao et al., Scaling and evaluating sparse autoencoders (2024), https://arxiv.org/abs/2406.04093; Bricken et al.,
Towards monosemanticity (2023), https://transformer-circuits.pub/2023/monosemantic-features.
"""

from __future__ import annotations

import numpy as np

from narrows.bottlenecks import as_sparse
from narrows.evaluation.absent import Absent
from narrows.evaluation.intervals import Estimate, percentiles
from narrows.evaluation.registry import measure
from narrows.evaluation.subjects import OfModel, Subject


@measure(better=-1)
def l0(subject: Subject) -> Estimate:
    """Units active for one example."""
    return subject.scene.resamples.mean(active(subject).sum(1), "units active for one example, the mean over examples")


@measure(better=-1)
def dead_fraction(subject: Subject) -> Estimate:
    """Share of units active for no example."""
    fires = active(subject)
    words = f"of {fires.shape[1]} units, active for none of these {len(fires):,} examples"
    return Estimate(float((~fires.any(0)).mean()), words=words)


@measure()
def density(subject: Subject) -> Estimate:
    """Share of examples for which a unit is active."""
    fires = active(subject)
    n, living = len(fires), fires.any(0)
    if not living.any():
        raise Absent("all units are dead")
    fires = fires[:, living]
    share = fires.mean(0)
    words = (
        "share of examples for which a unit is active, the median over living units; "
        f"from {share.min():.2g} to {share.max():.2g}"
    )
    if n > 20_000:
        return Estimate(float(np.median(share)), words=words)
    resampled = subject.scene.resamples.counts(n) @ fires.astype(np.float32) / n
    return Estimate(float(np.median(share)), *percentiles(np.median(resampled, axis=1)), words)


def active(subject: Subject) -> np.ndarray:
    """Which units are active for which example: n x L."""
    units = as_sparse(subject.bottleneck) if isinstance(subject, OfModel) else None
    if units is None:
        raise Absent("the code is not sparse: it is for SAE")
    return subject.codes > units.floor
