"""The protocol of a source of examples that a training can index."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from narrows.data.schema import Schema
from narrows.types import Batch


class Examples(Protocol):
    """A source of examples, each of which has a number: rows of an array, pieces of images, pairs of input and target.

    Attributes
    ----------
    schema : of one input.
    device : where batches lie.
    resident : whether the data lie there, too, so that a batch is one gather.
    has_neighbors : whether `find_neighbors` works, for costs that hold examples against their neighbours.
    """

    schema: Schema
    device: torch.device
    resident: bool
    has_neighbors: bool

    def __len__(self) -> int:
        """The number of examples."""

    def on(self, device: torch.device, dtype: torch.dtype) -> Examples:
        """The same examples, with batches on `device` and in `dtype`."""

    def batch(self, index: Tensor) -> Batch:
        """The examples at `index` (B integers, on the device), in the model's units."""

    def find_neighbors(self, k: int, among: Tensor, metric: str = "euclidean") -> None:
        """Have each batch bring a neighbour of each example, drawn from its `k` nearest `among` those numbers."""
