"""Pairs of near examples, for objectives that ask for them."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from narrows.data import Examples
from narrows.objectives import Objective
from narrows.training.device import Choice
from narrows.training.settings import Settings

_N_NEIGHBORS = 20
_PATIENCE, _PATIENCE_WITH_PAIRS = 10, 25  # looks
_BATCHES = ((10_000, 512), (1_000, 256), (0, 64))  # from so many rows on, so many examples


def choose_batch(settings: Settings, objective: Objective, n: int) -> tuple[Settings, list[Choice]]:
    """`settings` with larger batches, where they are open and `objective` holds examples against each other."""
    if objective.neighbors is None or settings.batch_size != "auto":
        return settings, []
    size = min(next(size for rows, size in _BATCHES if n >= rows), n)
    choice = Choice("batch_size", str(size), "each example is held against all others of its batch")
    return replace(settings, batch_size=size), [choice]


def choose_patience(asked: int | str, objective: Objective) -> tuple[int, list[Choice]]:
    """How many looks at the held-out loss without improvement make a plateau."""
    if not isinstance(asked, str):
        return asked, []
    if objective.neighbors is None:
        return _PATIENCE, []
    why = "neighbours are drawn anew each time, so the held-out loss falls slowly"
    return _PATIENCE_WITH_PAIRS, [Choice("n_iter_no_change", str(_PATIENCE_WITH_PAIRS), why)]


def find_pairs(rows: Examples, objective: Objective, training: Tensor, owner: str) -> list[Choice]:
    """Find the neighbours of all `rows` among those at `training`, if `objective` has a cost that needs them.

    Raises
    ------
    ValueError
        If there are fewer rows than the neighbours asked for.
    """
    if objective.neighbors is None or not rows.has_neighbors:
        return []
    k, most = objective.neighbors.n_neighbors, len(training) - 1
    if k is not None and k > most:
        raise ValueError(
            f"The `n_neighbors` parameter of {owner} must be at most {most:,}, one less than the rows to learn from. "
            f'Got {k} instead: pass n_neighbors="auto", or more rows.'
        )
    metric, choices = objective.neighbors.metric, []
    if metric is None:
        alike = rows.schema.kind == "image"
        metric = "cosine" if alike else "euclidean"
        why = "images that differ in contrast alone are alike" if alike else "columns have their own scales already"
        choices.append(Choice("metric", metric, why))
    if k is None:
        k = max(1, min(_N_NEIGHBORS, most))
        choices.append(Choice("n_neighbors", str(k), f"of {len(training):,} rows"))
    rows.find_neighbours(k, training, metric)
    return choices
