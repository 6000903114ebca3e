"""Protocol of the examples that a training indexes."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from narrows.data.schema import Schema
from narrows.types import Batch


class Examples(Protocol):
    """Protocol: numbered examples, such as rows of an array, pieces of images, or pairs of input and target.

    Attributes
    ----------
    schema : description of one example.
    device : device of the batches.
    resident : True if all data are on that device, so that a batch is a single gather.
    has_neighbors : True if `find_neighbors` works. Costs that compare examples with their neighbours need it.
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
        """Find neighbours, so that each batch gets `Batch.neighbor`: for each example one of its `k` nearest.

        It is drawn anew in each batch.

        Parameters
        ----------
        k : number of nearest examples, at least 1.
        among : indices of the examples to search, in random order; more than `k`.
        metric : "euclidean" or "cosine".

        Raises
        ------
        TypeError
            If `has_neighbors` is False.
        """
