"""Counts of training rows that are worth a word: rows that are all zero, and rows many times as long as most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from narrows.params import counted

_LONG = 10.0  # times the length of the median row
_LARGE_SHARE = 0.1  # of the sum of squares of all rows


class RowCounts:
    """Numbers of rows of each kind, the number of the first one, and how long the rows are.

    The length of a row is the root of its sum of squares. A row is long beyond 10 times the median length of the first
    rows that are added.
    """

    def __init__(self) -> None:
        self.n_rows = self.n_zero = self.first_zero = self.n_long = self.first_long = 0
        self.limit = self.squares = self.squares_of_long = 0.0

    def add(self, rows: Tensor, start: int) -> None:
        """Count finite rows, n x ..., of which the first has the number `start`."""
        flat = rows.reshape(len(rows), -1)
        flat = flat if flat.dtype == torch.float64 else flat.float()  # Apple's GPUs have no double precision
        lengths = torch.linalg.vector_norm(flat, dim=1).cpu().double()
        zero = (lengths == 0).nonzero().flatten()
        if not self.limit and len(zero) < len(rows):
            self.limit = _LONG * float(lengths[lengths > 0].median())
        long = (lengths > self.limit).nonzero().flatten()
        if len(zero):
            self.first_zero = self.first_zero if self.n_zero else start + int(zero[0])
        if len(long):
            self.first_long = self.first_long if self.n_long else start + int(long[0])
        self.n_rows, self.n_zero, self.n_long = (
            self.n_rows + len(rows),
            self.n_zero + len(zero),
            self.n_long + len(long),
        )
        squares = lengths.square()
        self.squares += float(squares.sum())
        self.squares_of_long += float(squares[long].sum())

    def state(self) -> dict[str, Any]:
        """Return the counts, for a checkpoint."""
        return dict(vars(self))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the counts of a checkpoint."""
        vars(self).update({name: state[name] for name in vars(self) if name in state})

    def describe(self, locate: Callable[[int], str]) -> list[str]:
        """Return lines for people. `locate` tells where a row is, from its number."""
        lines = []
        if self.n_zero:
            lines.append(
                f"{self.n_zero:,} of {counted(self.n_rows, 'row')} are all zero (first: {locate(self.first_zero)}). "
                "They are learned as examples; leave out padding before you save activations."
            )
        share = self.squares_of_long / self.squares if self.n_long else 0.0
        if share > _LARGE_SHARE:
            lines.append(
                f"{self.n_long:,} of {counted(self.n_rows, 'row')} are over {_LONG:g} times as long as most (first: "
                f"{locate(self.first_long)}), and have {share:.0%} of the sum of squares: means, deviations and "
                "explained variance are theirs above all. In language models the first token is such a row. Leave "
                f"them out, as `narrows.hook(..., norm_limit={_LONG:g})` does."
            )
        return lines
