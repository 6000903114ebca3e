"""Counts of training rows that are worth a word: rows that are all zero, and rows many times as long as most."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from narrows.params import counted

_LONG = 10.0  # times the length of the median row
_LARGE_SHARE = 0.1  # of the sum of squares of all rows
_N_FIRST = 4_096  # rows of which the median is taken


class RowCounts:
    """Numbers of rows of each kind, the number of the first one, and how long the rows are.

    The length of a row is the root of its sum of squares. A row is long beyond 10 times the median length of the first
    4,096 rows that are not zero. Rows of whole numbers have no length here: they are pictures and counts.
    """

    def __init__(self) -> None:
        self.n_rows = self.n_zero = self.first_zero = self.n_long = self.first_long = 0
        self.squares = self.squares_of_long = self.limit = 0.0
        self.waiting: list[tuple[int, Tensor]] = []  # lengths, as long as there is no limit

    def add(self, rows: Tensor, start: int) -> None:
        """Count finite rows, n x ..., of which the first has the number `start`. NaN counts as 0 in a length."""
        flat = rows.reshape(len(rows), -1)
        zero = (flat.any(1) == 0).nonzero().flatten()  # `any` of bytes is a byte
        if len(zero):
            self.first_zero = self.first_zero if self.n_zero else start + int(zero[0])
        self.n_rows, self.n_zero = self.n_rows + len(rows), self.n_zero + len(zero)
        if not rows.is_floating_point():
            return
        flat = flat if flat.dtype == torch.float64 else flat.float()  # Apple's GPUs have no double precision
        lengths = torch.linalg.vector_norm(flat.nan_to_num(0.0), dim=1).cpu().double()
        if not bool(lengths.any()):
            return
        self.waiting.append((start, lengths))
        if self.limit or sum(int((lengths > 0).sum()) for _, lengths in self.waiting) >= _N_FIRST:
            self._count_waiting()

    def _count_waiting(self) -> None:
        """Count the long ones of the rows that wait, and set the limit before, if there is none."""
        if not self.limit and self.waiting:
            lengths = torch.cat([lengths for _, lengths in self.waiting])
            self.limit = _LONG * float(lengths[lengths > 0].median())
        for start, lengths in self.waiting:
            is_long = lengths > self.limit
            if bool(is_long.any()):
                self.first_long = self.first_long if self.n_long else start + int(is_long.nonzero()[0])
            self.n_long += int(is_long.sum())
            self.squares += float(lengths.square().sum())
            self.squares_of_long += float(lengths[is_long].square().sum())
        self.waiting = []

    def state(self) -> dict[str, Any]:
        """Return the counts, for a checkpoint, in JSON's types."""
        return {**vars(self), "waiting": [(start, lengths.tolist()) for start, lengths in self.waiting]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the counts of a checkpoint. It may lack some."""
        vars(self).update({name: state[name] for name in vars(self) if name in state})
        self.waiting = [
            (start, torch.tensor(lengths, dtype=torch.float64)) for start, lengths in state.get("waiting", [])
        ]

    def describe_zero(self, locate: Callable[[int], str]) -> list[str]:
        """Return a line about rows that are all zero, if there are any. `locate` tells where a row is."""
        if not self.n_zero:
            return []
        return [
            f"{self.n_zero:,} of {counted(self.n_rows, 'row')} are all zero (first: {locate(self.first_zero)}). They "
            "are learned as examples; leave out padding before you save activations."
        ]

    def describe_long(self, locate: Callable[[int], str]) -> list[str]:
        """Return a line about few long rows that have much of the sum of squares, if there are such."""
        self._count_waiting()
        share = self.squares_of_long / self.squares if self.n_long else 0.0
        if share <= _LARGE_SHARE or 2 * self.n_long >= self.n_rows:
            return []
        return [
            f"{self.n_long:,} of {counted(self.n_rows, 'row')} are over {_LONG:g} times as long as most (first: "
            f"{locate(self.first_long)}), and have {share:.0%} of the sum of squares: means, deviations and explained "
            "variance are theirs above all. In language models the first token is such a row. Leave them out, as "
            f"`narrows.hook(..., norm_limit={_LONG:g})` does."
        ]
