"""Rows in the right place: on the device in their own dtype if they fit, else gathered batch by batch.

Both give the same batches for the same indices. There is no Python object per row: a batch is one gather.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from narrows.data.arrays import shared
from narrows.data.schema import Schema
from narrows.types import Batch

_SHARE = 0.5  # of the device's free memory that data may take


class Rows:
    """The examples of one data set, ready to be indexed.

    Parameters
    ----------
    X : array (n x ...), as `narrows.data.as_rows` gives it; a memory map stays one on the CPU.
    schema : what one example is.
    device : where batches are wanted.
    dtype : of the batches; the rows keep their own.
    """

    def __init__(self, X: np.ndarray, schema: Schema, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        self.schema, self.device, self.dtype = schema, device, dtype
        rows = shared(X)
        self.resident = device.type == "cpu" or (device.type == "cuda" and _fits(rows, device))
        self.rows = rows.to(device) if self.resident else rows

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, index: Tensor) -> Batch:
        """The examples at `index` (B integers, on the device), in the model's units."""
        x = self._prepared(self.rows.index_select(0, index if self.resident else index.cpu()))
        return Batch(x, x)

    def _prepared(self, rows: Tensor) -> Tensor:
        if self.device.type == "cuda" and not self.resident:
            rows = rows.pin_memory().to(self.device, non_blocking=True)
        return self.schema.prepare(rows, self.dtype).to(self.device)


def _fits(rows: Tensor, device: torch.device) -> bool:
    return rows.numel() * rows.element_size() < _SHARE * torch.cuda.mem_get_info(device)[0]
