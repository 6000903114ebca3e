"""A mixing buffer: rows of an iterator as examples of a training, in random order, of which a part is in memory.

    rows 0 to h - 1 of the iterator       held out, in memory for the whole training
    K rows                                the buffer; an epoch draws some of them at random, each at most once
    between two epochs                    new rows of the iterator take the place of those that were drawn

So each row is drawn once, among others that came up to some K rows before or after it. With K/2 rows an epoch this is
the half-refreshed buffer of Bricken et al. (2023), https://transformer-circuits.pub/2023/monosemantic-features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.data.arrays import tensor_as_array
from narrows.data.blocks import Blocks
from narrows.data.schema import Schema
from narrows.types import Batch

_CHECKED_ROWS = 8_192  # rows that are checked at once
_HAS_CHANGED = (
    "The iterator gives other rows, or another order, when it begins again: rows that were held out are also learned "
    "from, so that the held-out loss is too low. Give the same order in each pass, or raise the number of rows."
)


class MixingBuffer:
    """Examples: the rows that are in memory, numbered by their places. The first ones are held out.

    Parameters
    ----------
    blocks : the rows to come.
    first : the first rows, T x ..., which were read; the buffer owns them.
    n_examples : number of rows to take from `blocks` in total, `first` included.
    schema : description of the examples.
    device, dtype : of the batches.
    check : function of rows in the user's units, as an array, that raises if the model cannot take them.

    Attributes
    ----------
    epoch : number of the epoch that the buffer is filled for.
    is_fresh : (T,) mask of the rows that were not drawn before this epoch; False for held-out ones.
    is_over : True if the iterator has ended, and cannot begin again.
    notes : messages about the iterator.
    """

    has_neighbors = False
    resident = True

    def __init__(
        self,
        blocks: Blocks,
        first: Tensor,
        n_examples: int,
        schema: Schema,
        device: torch.device = torch.device("cpu"),  # noqa: B008 (a constant)
        dtype: torch.dtype = torch.float32,
        check: Callable[[np.ndarray], None] | None = None,
    ) -> None:
        self.blocks, self.n_examples, self.schema = blocks, n_examples, schema
        self.device, self.dtype, self.check = device, dtype, check
        self.rows = first.to(device)
        self.is_fresh = torch.ones(len(first), dtype=torch.bool)
        self.n_held_out, self.epoch = 0, 0
        self.n_left, self.is_over = n_examples - len(first), False
        self._position = blocks.state()
        self.notes: list[str] = []
        for part in first.split(_CHECKED_ROWS):
            self._check(part)

    def __len__(self) -> int:
        return len(self.rows)

    def on(self, device: torch.device, dtype: torch.dtype) -> MixingBuffer:
        """Return this buffer, moved to `device`, with batches in `dtype`."""
        self.device, self.dtype, self.rows = device, dtype, self.rows.to(device)
        return self

    def batch(self, index: Tensor) -> Batch:
        """Return the examples at `index` (B places, on the device), in the model's units."""
        x = self.schema.prepare(self.rows.index_select(0, index), self.dtype, check_far=False)
        return Batch(x, x)

    def find_neighbors(self, k: int, among: Tensor, metric: str = "euclidean") -> None:
        """Raise TypeError: neighbours may be rows that are not there yet."""
        raise TypeError("Rows of an iterator have no neighbours: they are never all there.")

    def as_array(self) -> np.ndarray:
        """Return the rows in memory, the held-out ones first, as an array in the user's units."""
        return tensor_as_array(self.rows)

    def hold_out(self, n: int) -> None:
        """Hold out the first `n` rows. Call it once, before the first epoch."""
        self.n_held_out = n
        self.is_fresh[:n] = False

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return the places of `n` rows that were not drawn yet, in random order, on the CPU; fewer at the end."""
        places = self.is_fresh.nonzero().flatten()
        return places[torch.randperm(len(places), generator=generator)[:n]]

    def replace(self, places: Tensor) -> None:
        """Put new rows at `places` (integers, on the CPU), which were drawn, and go to the next epoch.

        Where the budget is used up, the places stay empty. Where the iterator ends before it, it begins again behind
        the held-out rows; if it cannot, drawn rows are drawn again.

        Raises
        ------
        BlockError
            If the iterator fails, or gives rows that the model cannot take. The buffer is then as it was before.
        """
        wanted = min(len(places), self.n_left)
        rows = self._read(wanted)
        self._check(rows)
        self.is_fresh[places] = False
        places, n = places[:wanted], len(rows)
        self.n_left -= wanted
        self.is_fresh[places] = True
        self.rows[places[:n].to(self.device)] = rows.to(self.device)
        self.epoch += 1
        self._position = self.blocks.state()

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores: the position in the iterator, and the rows of the buffer."""
        return {
            "epoch": self.epoch,
            "n_left": self.n_left,
            "is_fresh": self.is_fresh,
            "rows": self.rows[self.n_held_out :],
            "blocks": self._position,
            "is_over": self.is_over,
            "notes": self.notes,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the values from a checkpoint. The iterator goes to its position."""
        self.epoch, self.n_left, self.notes = state["epoch"], state["n_left"], state["notes"]
        self.is_fresh, self.is_over = state["is_fresh"].clone(), state["is_over"]
        self.rows[self.n_held_out :] = state["rows"].to(self.device)
        self._position = dict(state["blocks"])
        self.blocks.restore(self._position)

    def _check(self, rows: Tensor) -> None:
        if len(rows) and self.check is not None:
            self.check(tensor_as_array(rows))

    def _read(self, n: int) -> Tensor:
        """Return the next `n` rows; fewer if the iterator has ended and cannot begin again."""
        rows = self.blocks.read(0 if self.is_over else n)
        while len(rows) < n and not self.is_over:
            consequence = "it begins again"
            more = rows[:0]
            if self.blocks.can_begin_again:
                self.blocks.begin(self.n_held_out, self.rows[: self.n_held_out])
                more = self.blocks.read(n - len(rows))
            if not len(more):
                self.is_over = True
                consequence = "rows of the buffer are drawn again. Pass fewer, or a function that makes the iterator"
            if not self.notes:
                n_read = self._position["n_read"] + len(rows)
                self.notes.append(
                    f"The iterator ended after {n_read:,} of {self.n_examples:,} rows (`max_examples`): {consequence}."
                )
            if self.blocks.has_changed and _HAS_CHANGED not in self.notes:
                self.notes.append(_HAS_CHANGED)
            rows = torch.cat([rows, more])
        return rows
