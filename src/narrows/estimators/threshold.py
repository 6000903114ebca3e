"""The threshold of the scores below which `predict` calls an example an outlier: a quantile of held-out scores."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from narrows.data import spaced_indices, subsample_evenly
from narrows.evaluation.scores import OutlierShare, expected_outliers
from narrows.fitted import FittedModel
from narrows.training import Choice

_SCORED = (1_000, 2_000)  # smallest and largest number of rows to score for the threshold, which is a quantile
_SEEN_PER_SCORED = 100  # training examples for each row to score: scoring a row may take ten passes
_LEAST_SEEN_PER_SCORED = 4  # the same for wide examples: a training example takes about three passes
_CHEAP_NUMBERS = 1 << 21  # numbers in the widest layer: so many rows take little time, however short the training was
_SMOOTHED_BELOW = 10  # rows below the quantile: with fewer, a single row moves it too much
_N_NOISE = 101  # values that stand for the normal noise of the smoothing

NAME = "threshold"  # of its line in `report_`


class Threshold(NamedTuple):
    """The threshold, in nats.

    Attributes
    ----------
    reason : from which rows it is.
    share : expected and found share of outliers among these rows.
    is_held_out : True if the model did not learn from them.
    """

    value: float
    reason: str
    share: OutlierShare
    is_held_out: bool

    def __str__(self) -> str:
        return str(Choice(NAME, f"{self.value:.4g} nats", self.reason))


def find_threshold(
    estimator: FittedModel,
    rows: np.ndarray,
    held_out: np.ndarray,
    sample: np.ndarray,
    score: Callable[[np.ndarray], np.ndarray],
) -> Threshold:
    """Return the score below which a share `contamination` of new examples is expected.

    Training rows score higher than new rows, so the threshold is from rows that were held out, if there are any.

    Parameters
    ----------
    estimator : the trained model.
    rows : rows of the training, in the user's units.
    held_out : numbers of those rows that were held out, integers; may be empty.
    sample : some of `rows`, to score if none were held out.
    score : function from rows to their log-likelihoods, (n,) nats.
    """
    share = expected_outliers(estimator.contamination)
    percent = f"{100 * share:.3g} %"
    scores = score(select_scored(estimator, rows, held_out, sample))
    if len(held_out) == 0:
        reason = (
            f"{percent} of {len(scores):,} training rows score below it; of new rows more will, as none were held out"
        )
        value = float(np.quantile(scores, share))
    else:
        reason = f"{percent} of new rows are expected to score below it, by the scores of {len(scores):,} held-out rows"
        value = smooth_quantile(scores, share)
    found = OutlierShare(share, float(np.mean(scores < value)), len(scores))
    return Threshold(value, reason, found, len(held_out) > 0)


def select_scored(estimator: FittedModel, rows: np.ndarray, held_out: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Return the rows by whose scores decisions are made: held-out ones if there are any, otherwise some of `sample`.

    The parameters are those of `find_threshold`.
    """
    n = n_scored(estimator, len(rows))
    if len(held_out) == 0:
        return subsample_evenly(sample, n)
    return rows[np.sort(held_out)[spaced_indices(len(held_out), n)]]


def n_scored(estimator: FittedModel, n_rows: int) -> int:
    """Return the largest number of rows to score, so that this takes less time than the training on `n_rows` rows."""
    n_seen = estimator.n_iter_ * n_rows
    least, most = _SCORED
    widest = max(estimator.schema_.n_entries, estimator.model_.n_widest)
    affordable = max(1, n_seen // _LEAST_SEEN_PER_SCORED, _CHEAP_NUMBERS // widest)
    return min(max(least, n_seen // _SEEN_PER_SCORED), most, affordable)


def smooth_quantile(scores: np.ndarray, share: float) -> float:
    """Return the value below which a new score lies with probability `share`, from n independent scores.

    It is the order statistic of number (n + 1) share. If fewer than ten of the scores lie below it, it is the quantile
    of a kernel density instead, which varies less between samples and reaches below the lowest score. The kernel is
    normal, with the bandwidth 0.9 min(std, IQR / 1.34) n^(-1/5) of Silverman, Density Estimation (1986), eq. 3.31.

    >>> smooth_quantile(np.arange(1.0, 400.0), 0.05)
    20.0
    """
    n = len(scores)
    if n * share < _SMOOTHED_BELOW:
        low, high = np.quantile(scores, [0.25, 0.75])
        width = 0.9 * min(float(scores.std()), float(high - low) / 1.34) * n**-0.2
        noise = [NormalDist().inv_cdf((i + 0.5) / _N_NOISE) for i in range(_N_NOISE)]
        return float(np.quantile(np.add.outer(scores, width * np.array(noise)), share))
    return float(np.quantile(scores, share, method="weibull"))
