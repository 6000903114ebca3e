"""The protocol of examples that a training can index."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from narrows.data.schema import Schema
from narrows.types import Batch


class Examples(Protocol):
    """Examples that have numbers: rows of an array, pieces of images, pairs of input and target.

    Attributes
    ----------
    schema : description of one input.
    device : device of the batches.
    resident : True if the data are on that device, too, so that a batch is one gather.
    has_neighbors : True if `find_neighbors` works, for costs that compare examples with their neighbours.
    """

    schema: Schema
    device: torch.device
    resident: bool
    has_neighbors: bool

    def __len__(self) -> int:
        """Return the number of examples."""

    def on(self, device: torch.device, dtype: torch.dtype) -> Examples:
        """Return the same examples, with batches on `device` and in `dtype`."""

    def batch(self, index: Tensor) -> Batch:
        """Return the examples at `index` (B integers, on the device), in the model's units."""

    def find_neighbors(self, k: int, among: Tensor, metric: str = "euclidean") -> None:
        """Let each batch have `Batch.neighbor`, drawn for each example from its `k` nearest of the examples `among`.

        Parameters
        ----------
        k : number of nearest examples, at least 1.
        among : numbers of the candidates, in random order; more than `k`.
        metric : "euclidean" or "cosine".

        Raises
        ------
        TypeError
            If `has_neighbors` is False.
        """
