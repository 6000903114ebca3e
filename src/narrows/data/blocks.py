"""Rows of an iterator: blocks of rows from a user's function or object, read once and in order, each row checked.

The position is the number of rows that were taken, so a training can be resumed: the blocks are made again, and rows up
to the position are passed over. An object with a method `start_at(row)`, which returns blocks from that row on, saves
the work for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.data.arrays import as_array, as_floats, check_numeric
from narrows.data.row_counts import RowCounts
from narrows.params import counted

_ROUNDING = 0.02  # of the largest entry: more than that of bfloat16, and less than rows differ


class BlockError(ValueError):
    """Error of an iterator of blocks, or in its rows, while a training reads them."""


class Blocks:
    """Rows of blocks, one block after another.

    Parameters
    ----------
    source : function without parameters that returns an iterable of blocks, an iterable, or an iterator, which can be
        read only once. A block is an array or a tensor of rows (n, width) or of activations (sequences, tokens, width),
        or a tuple of one and its labels, which are not read.
    owner : name of the caller, for messages.
    has_layers : True if a row has two axes, (layers, width).

    Attributes
    ----------
    n_read : number of rows that were taken or passed over, in all passes.
    n_passes : number of times that the blocks began.
    counts : which of the rows that were taken are all zero, or very long.
    has_changed : True if a further pass began with other rows than `begin` was told.
    """

    def __init__(
        self, source: Callable[[], Iterable[Any]] | Iterable[Any], owner: str, *, has_layers: bool = False
    ) -> None:
        self.source, self.owner, self.has_layers = source, owner, has_layers
        self.n_read = self.n_passes = 0
        self.counts = RowCounts()
        self.has_changed = False
        self._n_in_pass = 0
        self._known: Tensor | None = None  # the rows to pass over, as an earlier pass gave them
        self._is_restored = False  # True if the pass began at the position of a checkpoint
        self._skipped: int | None = None  # rows to pass over before the next read; None after the blocks began
        self._none: Tensor | None = None  # no rows, in the dtype and on the device of the first block
        self._blocks: Iterator[Any] = iter(())
        self._rest: Tensor | None = None
        self.begin()

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, after `peek` or `read` has found one."""
        return 0 if self._none is None else self._none.element_size() * math.prod(self._none.shape[1:])

    @property
    def can_begin_again(self) -> bool:
        """True if the blocks can be read a second time."""
        can_begin_again = getattr(self.source, "can_begin_again", None)
        if can_begin_again is not None:
            return bool(can_begin_again)
        return callable(self.source) or not isinstance(self.source, Iterator)

    def begin(self, start: int = 0, known: Tensor | None = None) -> None:
        """Begin a pass over the blocks at row `start`.

        `known` are the rows before it, start x ..., as an earlier pass gave them. They are then read again, so that
        `has_changed` tells after the next read whether they are the same.
        """
        self.n_passes += 1
        self._known, self._is_restored = known, False
        self._n_in_pass, self._rest, self._skipped = start, None, start

    def read(self, n: int) -> Tensor:
        """Return the next `n` rows, fewer at the end: n x ..., in the dtype and on the device of the first block.

        Raises
        ------
        BlockError
            If the user's code fails, or a block is no array of rows, has rows of another shape than the first, NaN or
            infinity. The rows that this call has taken before it are not returned.
        """
        result, end = torch.empty(0, 0) if self._none is None else self._none, 0
        while end < n:
            rest = self._next_rest()
            if rest is None:
                break
            if end == 0:
                result = rest.new_empty((n, *rest.shape[1:]))
            part, self._rest = rest[: n - end], rest[n - end :]
            result[end : end + len(part)] = self._checked(part)  # a copy: an iterator may use its array again
            self.n_read += len(part)
            self._n_in_pass += len(part)
            end += len(part)
        return result[:end]

    def peek(self) -> bool:
        """Return True if there is a further row. Raises as `read` does."""
        return self._next_rest() is not None

    def state(self) -> dict[str, Any]:
        """Return the position, for a checkpoint."""
        return {
            "n_read": self.n_read,
            "n_in_pass": self._n_in_pass,
            "n_passes": self.n_passes,
            "counts": self.counts.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go to a position. Where that is behind the current one, the blocks begin again.

        Raises
        ------
        BlockError
            If they cannot.
        """
        target = state["n_in_pass"]
        if self.can_begin_again:
            self.begin(target)
            self._is_restored = True
        elif state["n_passes"] == self.n_passes and target >= self._n_in_pass:
            self._is_restored = True
            self._pass_over(target - self._n_in_pass)
        else:
            raise BlockError(f"The iterator passed to {self.owner} is read once, and cannot go back to row {target:,}.")
        self._n_in_pass = target
        self.n_read, self.n_passes = state["n_read"], state["n_passes"]
        self.counts.restore(state.get("counts", {**state, "n_rows": self.n_read}))  # an older one has zeros only

    # ---------------------------------------------------------------------------------------------- inside

    def _next_rest(self) -> Tensor | None:
        """Return the unread rows of the current block, or of the next one; None at the end."""
        if self._skipped is not None:
            self._open(self._skipped)
        while self._rest is None or len(self._rest) == 0:
            try:
                block = next(self._blocks)
            except StopIteration:
                return None
            except Exception as error:
                raise self._failed(error) from error
            self._rest = self._as_rows(block)
        return self._rest

    def _open(self, start: int) -> None:
        """Make the iterator of blocks, from row `start` on."""
        self._skipped = None
        start_at = getattr(self.source, "start_at", None)
        try:
            if start and start_at is not None and self._known is None:
                self._blocks = iter(start_at(start))
                return
            self._blocks = iter(self.source() if callable(self.source) else self.source)
        except Exception as error:
            raise self._failed(error) from error
        self._pass_over(start)
        self._known = None

    def _failed(self, error: Exception) -> BlockError:
        """Return the error to raise for one of the user's code."""
        place = f"failed after row {self._n_in_pass:,}" if self.n_read else "failed"
        return BlockError(f"The iterator passed to {self.owner} {place}: {type(error).__name__}: {error}")

    def _pass_over(self, n: int) -> None:
        """Pass over the next `n` rows."""
        while n > 0:
            rest = self._next_rest()
            if rest is None:
                end = "before the position of the checkpoint"
                if not self._is_restored:
                    end = f"before row {self._n_in_pass:,}: a further pass has fewer rows"
                raise BlockError(
                    f"The iterator passed to {self.owner} ended {n:,} rows {end}. It must give the rows that it gave "
                    "before."
                )
            part, self._rest = rest[:n], rest[n:]
            n -= len(part)
            if self._known is not None:
                known, self._known = self._known[: len(part)], self._known[len(part) :]
                self.has_changed = self.has_changed or not _are_close(part, known)

    def _as_rows(self, block: Any) -> Tensor:
        """Return a block as a tensor of rows, which is not checked yet."""
        if isinstance(block, (tuple, list)) and len(block) and getattr(block[0], "ndim", 0) >= 2:
            self._check_parts(block)
            block = block[0]  # of examples and their labels
        try:
            rows = block.detach() if isinstance(block, Tensor) else _as_tensor(block, self.owner)
        except (TypeError, ValueError) as error:
            raise BlockError(f"A block after row {self._n_in_pass:,} of the iterator: {error}") from error
        if rows.ndim == (4 if self.has_layers else 3) and rows.is_floating_point():
            rows = rows.flatten(0, 1)  # tokens of sequences
        if rows.ndim < 2:
            raise BlockError(
                f"Blocks of the iterator passed to {self.owner} must be rows (n, width) or activations (sequences, "
                f"tokens, width). Got shape {tuple(rows.shape)} after row {self._n_in_pass:,}."
            )
        if self._none is None:
            self._none = rows[:0].clone()
        shape = tuple(self._none.shape[1:])
        if rows.shape[1:] != shape:
            raise BlockError(
                f"A block of the iterator passed to {self.owner}, after row {self._n_in_pass:,}, has rows of shape "
                f"{tuple(rows.shape[1:])}, and the first block had rows of shape {shape}. All must have one width."
            )
        return rows.to(self._none)

    def _check_parts(self, block: tuple[Any, ...] | list[Any]) -> None:
        """Raise BlockError for several arrays of rows, such as one for each document, or examples and their targets."""
        shapes = [tuple(getattr(part, "shape", ())) for part in block]
        where = f"A block of the iterator passed to {self.owner}, after row {self._n_in_pass:,}, is a"
        if isinstance(block, list) and any(len(s) >= 2 and s[1:] == shapes[0][1:] for s in shapes[1:]):
            raise BlockError(
                f"{where} list of {len(block)} arrays of rows, {shapes[0]} and others. Join them, "
                "np.concatenate(block), or give one block for each."
            )
        n = math.prod(shapes[0][:-1])  # of labels, there is one for each row or token
        if lost := [shape for shape in shapes[1:] if math.prod(shape) > n]:
            raise BlockError(
                f"{where} {type(block).__name__} of rows {shapes[0]} and an array {lost[0]}, such as targets, which an "
                f"iterator cannot give. Give only the rows, or pass targets in files or in memory: "
                f"{self.owner}(...).fit(X, y)."
            )

    def _checked(self, rows: Tensor) -> Tensor:
        """Return rows that are finite, and count them."""
        flat = rows.reshape(len(rows), -1)
        if rows.is_floating_point() and not bool(torch.isfinite(flat.sum(dtype=torch.float64))):
            place = (~torch.isfinite(flat)).nonzero()
            if len(place):
                row, column = place[0].tolist()
                is_gap = bool(flat[row, column].isnan())
                advice = "leave that row out" if is_gap else "float16 holds numbers up to 65,504; use a wider dtype"
                raise BlockError(
                    f"The iterator passed to {self.owner} gives {'NaN' if is_gap else 'infinity'} in column {column}, "
                    f"row {self._n_in_pass + row:,}: {advice}."
                )
        self.counts.add(rows, self._n_in_pass)
        return rows

    def describe(self) -> str:
        """Return a line for people: what was read."""
        again = f", begun {counted(self.n_passes, 'time')}" if self.n_passes > 1 else ""
        return f"{counted(self.n_read, 'row')} of an iterator{again}"


def _are_close(rows: Tensor, others: Tensor) -> bool:
    """Return True if rows are the same up to the rounding of a model that computes them twice."""
    a, b = rows.float(), others.to(rows.device).float()
    return bool(((a - b).abs() <= _ROUNDING * b.abs().amax()).all())


def _as_tensor(block: Any, owner: str) -> Tensor:
    rows = as_array(block, owner)
    if rows.ndim >= 2:
        rows = check_numeric(rows, owner)
    if rows.dtype.kind not in "biuf":
        raise TypeError(f"a block must hold numbers. Got dtype {rows.dtype}.")
    return torch.from_numpy(np.array(rows if rows.dtype == np.float16 else as_floats(rows)))


def is_blocks(X: Any) -> bool:
    """Return True if X is an iterable of blocks or a function that makes one, not data in memory or a path."""
    if isinstance(X, (str, bytes, Mapping, Tensor, np.ndarray)) or hasattr(X, "__array__") or hasattr(X, "columns"):
        return False
    if isinstance(X, type):
        return False
    is_loader = any(
        cls.__module__.partition(".")[0] == "torch" and cls.__name__ == "DataLoader" for cls in type(X).__mro__
    )
    if is_loader or hasattr(X, "start_at"):
        return True
    if callable(X):
        return True
    return isinstance(X, Iterable) and not hasattr(X, "__len__")
