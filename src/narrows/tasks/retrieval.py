"""Quality of a search by example: recall, and with labels mean average precision and accuracy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Retrieval(NamedTuple):
    """Quality of a search.

    Attributes
    ----------
    recall : in [0, 1], the fraction of the `n_neighbors` truly nearest rows that the search returns; 1 for an exact
        search.
    map : in [0, 1], mean average precision at k: the mean over queries of sum_i P(i) rel(i) / min(R, k) for
        i = 1 ... k. rel(i) is 1 if match i has the query's label, else 0; P(i) is the fraction of the first i matches
        with that label; R is the number of rows with it. None without labels.
    accuracy : in [0, 1], accuracy of the most frequent label among the `n_neighbors` nearest rows. None without labels.
    n_queries : number of queries.
    k : number of matches for `map`.
    n_neighbors : number of matches for `recall` and `accuracy`.
    """

    recall: float
    map: float | None
    accuracy: float | None
    n_queries: int
    k: int
    n_neighbors: int


def overlap(true: np.ndarray, matches: np.ndarray) -> float:
    """Return the mean fraction of the rows `true` (queries x k) that are among `matches` (queries x k)."""
    return float(np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(true, matches, strict=True)]))


def average_precision(
    row_labels: np.ndarray, query_labels: np.ndarray, matches: np.ndarray, exclude_self: bool
) -> np.ndarray:
    """Return the average precision at k of each query: (queries,), in [0, 1], see `Retrieval`.

    Parameters
    ----------
    row_labels : (n,), the label of each row.
    query_labels : (queries,), the label of each query.
    matches : queries x k, indices of rows, nearest first.
    exclude_self : True if the queries are rows themselves and no query can match itself.
    """
    relevant = row_labels[matches] == query_labels[:, None]
    precision = relevant.cumsum(1) / np.arange(1, matches.shape[1] + 1)
    classes, counts = np.unique(row_labels, return_counts=True)
    position = np.searchsorted(classes, query_labels).clip(max=len(classes) - 1)
    n_relevant = np.where(classes[position] == query_labels, counts[position], 0) - exclude_self
    return (precision * relevant).sum(1) / n_relevant.clip(1, matches.shape[1])
