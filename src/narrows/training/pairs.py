"""Pairs of near examples, for objectives that ask for them."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from narrows.data import Patches, Rows
from narrows.objectives import WeightedCosts
from narrows.training.device import Choice
from narrows.training.settings import Settings

_N_NEIGHBORS = 20
_BATCHES = ((10_000, 512), (1_000, 256), (0, 64))  # from so many rows on, so many examples


def choose_batch(settings: Settings, objective: WeightedCosts, n: int) -> tuple[Settings, list[Choice]]:
    """`settings` with larger batches, where they are open and `objective` holds examples against each other."""
    if objective.neighbours is None or settings.batch_size != "auto":
        return settings, []
    size = min(next(size for rows, size in _BATCHES if n >= rows), n)
    choice = Choice("batch_size", str(size), "each example is held against all others of its batch")
    return replace(settings, batch_size=size), [choice]


def find_pairs(rows: Rows | Patches, objective: WeightedCosts, training: Tensor, owner: str) -> list[Choice]:
    """Find the neighbours of all `rows` among those at `training`, if `objective` has a cost that needs them.

    Raises
    ------
    ValueError
        If there are fewer rows than the neighbours asked for.
    """
    if objective.neighbours is None or isinstance(rows, Patches):
        return []
    k, most = objective.neighbours.n_neighbors, len(training) - 1
    if k is not None and k > most:
        raise ValueError(
            f"The `n_neighbors` parameter of {owner} must be at most {most:,}, one less than the rows to learn from. "
            f'Got {k} instead: pass n_neighbors="auto", or more rows.'
        )
    rows.find_neighbours(k or max(1, min(_N_NEIGHBORS, most)), training)
    assert rows.neighbours is not None
    return [] if k else [Choice("n_neighbors", str(rows.neighbours.shape[1]), f"of {len(training):,} rows")]
