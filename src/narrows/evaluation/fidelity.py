"""Measures of what a sparse dictionary keeps of the rows, in the user's units.

    explained variance  1 - sum_i |x_i - x'_i|^2 / sum_i |x_i - m|^2          m: mean of these rows, by column
    cosine              mean over rows of x . x' / (|x| |x'|)
    l2 ratio            mean over rows of |x'| / |x|
    relative bias       sum_i |x'_i|^2 / sum_i x_i . x'_i                     below 1: reconstructions are too short

They are the `explained_variance`, `cossim`, `l2_ratio` and `relative_reconstruction_bias` of SAELens. Its
`explained_variance_legacy` is another number: the mean over rows of a ratio of each row.

Rajamanoharan et al., Improving dictionary learning with gated sparse autoencoders (2024),
https://arxiv.org/abs/2404.16014; Karvonen et al., SAEBench (2025), https://arxiv.org/abs/2503.09532.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from torch import Tensor

from narrows.evaluation.absent import Absent
from narrows.evaluation.cells import has_gaps
from narrows.evaluation.intervals import Estimate
from narrows.evaluation.registry import measure
from narrows.evaluation.subjects import Subject

_MAX_NUMBERS_PER_PASS = 1 << 20


class _Sums(NamedTuple):
    """Sums over the entries of each row, (n,) each: x - x' squared, x - m squared, x squared, x' squared, x x'."""

    residual: np.ndarray
    deviation: np.ndarray
    x: np.ndarray
    y: np.ndarray
    product: np.ndarray


@measure(better=1)
def explained_variance(subject: Subject) -> Estimate:
    """Share of the variance around the mean that reconstructions explain. Raises Absent if all rows are equal."""
    sums = _sum_rows(subject)
    if not sums.deviation.sum() > 0:
        raise Absent("all examples are equal, so that there is no variance")
    unexplained = subject.comparison.resamples.ratio(sums.residual, sums.deviation)
    description = "share of the variance around the mean, over all entries in the units of X; 1 is best, 0 the mean's"
    return Estimate(1 - unexplained.value, 1 - unexplained.high, 1 - unexplained.low, description)


@measure(better=1)
def cosine(subject: Subject) -> Estimate:
    """Cosine of an example and its reconstruction."""
    sums = _sum_rows(subject)
    lengths = np.sqrt(sums.x * sums.y)
    cosines = np.divide(sums.product, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return _mean(subject, cosines, sums, "cosine of an example and its reconstruction, in the units of X; mean")


@measure()
def l2_ratio(subject: Subject) -> Estimate:
    """Length of a reconstruction relative to that of its example."""
    sums = _sum_rows(subject)
    ratios = np.sqrt(sums.y / np.where(sums.x > 0, sums.x, 1))
    return _mean(subject, ratios, sums, "length of a reconstruction / length of its example, in the units of X; mean")


@measure()
def relative_bias(subject: Subject) -> Estimate:
    """Scale of the reconstructions beside the best one; 1 is none, below 1 they are too short.

    Raises Absent if reconstructions have no part along the examples.
    """
    sums = _sum_rows(subject)
    if not sums.product.sum() > 0:
        raise Absent("reconstructions have no part along the examples")
    return subject.comparison.resamples.ratio(
        sums.y, sums.product, "|x'|^2 / x . x' over all examples; below 1 reconstructions are too short"
    )


def _mean(subject: Subject, values: np.ndarray, sums: _Sums, description: str) -> Estimate:
    """Return the mean of `values` over examples that are not all 0, which have no direction."""
    has_length = sums.x > 0
    if not has_length.any():
        raise Absent("all examples are 0")
    return subject.comparison.resamples.mean(values[has_length], description)


def _sum_rows(subject: Subject) -> _Sums:
    """Return the sums of each row. Raises Absent for a table, missing entries, or a model that is not sparse."""
    comparison = subject.comparison
    _ = comparison.inspection.sparse  # of the evaluated model; PCA beside it is measured, too
    schema, rows, back = comparison.schema, comparison.rows, subject.reconstructions
    if schema.kind == "table":
        raise Absent("cells of a table have several units")
    if has_gaps(rows):
        raise Absent("some entries are missing")
    step = max(1, _MAX_NUMBERS_PER_PASS // schema.n_entries)

    def restored(x: Tensor) -> Iterator[np.ndarray]:
        for part in x.split(step):
            yield schema.restore(part).reshape(len(part), -1).astype(np.float64)

    mean = sum(x.sum(0) for x in restored(rows)) / len(rows)
    blocks = [
        [np.square(x - y).sum(1), np.square(x - mean).sum(1), (x * x).sum(1), (y * y).sum(1), (x * y).sum(1)]
        for x, y in zip(restored(rows), restored(back), strict=True)
    ]
    return _Sums(*map(np.concatenate, zip(*blocks, strict=True)))
