"""How good a search by example is: recall, and with labels mean average precision and the neighbours' vote."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Retrieval(NamedTuple):
    """How good a search is.

    Attributes
    ----------
    recall : the share of the `n_neighbors` nearest that the search finds, which is 1 where all rows are compared.
    map : mean average precision at k: the mean over queries of sum_i P(i) rel(i) / min(R, k) for i = 1 ... k, where
        rel(i) says whether match i has the query's label, P(i) is the share of the first i that have, and R is how many
        rows have. None without labels.
    accuracy : of the label that most of the `n_neighbors` nearest have. None without labels.
    n_queries, k, n_neighbors : of what.
    """

    recall: float
    map: float | None
    accuracy: float | None
    n_queries: int
    k: int
    n_neighbors: int


def overlap(true: np.ndarray, found: np.ndarray) -> float:
    """The mean share of the rows `true` (queries x k) that are among those `found`."""
    return float(np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(true, found, strict=True)]))


def average_precision(rows: np.ndarray, queries: np.ndarray, found: np.ndarray, own: bool) -> np.ndarray:
    """Average precision at k of each query, see `Retrieval`.

    Parameters
    ----------
    rows, queries : labels.
    found : queries x k, rows.
    own : whether the queries are rows themselves, which are not among what they can find.
    """
    relevant = rows[found] == queries[:, None]
    precision = relevant.cumsum(1) / np.arange(1, found.shape[1] + 1)
    classes, counts = np.unique(rows, return_counts=True)
    place = np.searchsorted(classes, queries).clip(max=len(classes) - 1)
    there = np.where(classes[place] == queries, counts[place], 0) - own
    return (precision * relevant).sum(1) / there.clip(1, found.shape[1])
