"""Rows of an array as examples. They are on the device in their own dtype if they fit, else copied batch by batch.

Both ways give the same batches for the same indices. A batch is one gather, without a Python object for each row.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from narrows import rng
from narrows.data.arrays import as_shared_tensor
from narrows.data.features import as_features
from narrows.data.files.mapped import MappedRows
from narrows.data.neighbors import nearest_rows
from narrows.data.schema import Schema
from narrows.types import Batch

_SCAN_NUMBERS = 1 << 22  # entries to look at in one step
_MAX_SHARE = 0.5  # largest share of the device's free memory that the rows may take


class Rows:
    """The examples of one data set, ready to be indexed.

    Parameters
    ----------
    X : array (n x ...), as `narrows.data.as_rows` returns it, or rows of files; on the CPU a memory map stays on disk.
    schema : description of the examples.
    device : device of the batches.
    dtype : dtype of the batches; the rows keep their own.
    labels : n integers, the index of each example's class in the schema; None without labels.
    """

    has_neighbors = True

    def __init__(
        self,
        X: np.ndarray | MappedRows,
        schema: Schema,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        labels: np.ndarray | None = None,
    ) -> None:
        self.schema, self.device, self.dtype = schema, device, dtype
        self.labels = None if labels is None else torch.from_numpy(labels).to(device)
        self.source = X
        rows = as_shared_tensor(X) if isinstance(X, np.ndarray) else X
        is_in_memory = device.type == "cpu" and isinstance(rows, Tensor)
        self.resident = is_in_memory or (device.type == "cuda" and _fits(rows, device))
        self.rows: Tensor | MappedRows = rows.to(device) if self.resident else rows
        self.neighbors: Tensor | None = None
        self.has_gaps = schema.has_gaps or _has_gaps(X)

    def __len__(self) -> int:
        return len(self.rows)

    def on(self, device: torch.device, dtype: torch.dtype) -> Rows:
        """Return the same examples, with batches on `device` and in `dtype`."""
        labels = None if self.labels is None else self.labels.cpu().numpy()
        return Rows(self.source, self.schema, device, dtype, labels)

    def batch(self, index: Tensor) -> Batch:
        """Return the examples at `index` (B integers, on the device), in the model's units."""
        x, label, neighbor = self._at(index), None, None
        if self.labels is not None:
            label = self.labels.index_select(0, index)
        if self.neighbors is not None:
            draw = rng.randint_like(index, self.neighbors.shape[1])
            neighbor = self._at(self.neighbors[index, draw].long())
        if not self.has_gaps:
            return Batch(x, x, label=label, neighbor=neighbor)
        is_missing = torch.isnan(x)
        observed = (~is_missing).to(x.dtype)
        return Batch(x, x.masked_fill(is_missing, 0.0), observed, label=label, neighbor=neighbor)

    def find_neighbors(self, k: int, among: Tensor, metric: str = "euclidean") -> None:
        """Find neighbours, so that each batch gets `Batch.neighbor`: for each row one of its `k` nearest."""
        self.neighbors = nearest_rows(self._flat, len(self), among, k, metric)

    def _at(self, index: Tensor) -> Tensor:
        if isinstance(self.rows, MappedRows):
            return self._prepare(self.rows.take(index.cpu()))
        return self._prepare(self.rows.index_select(0, index if self.resident else index.cpu()))

    def _flat(self, index: Tensor) -> Tensor:
        x = as_features(self._at(index).float(), self.schema)
        return x.log1p() if self.schema.support == "count" else x

    def _prepare(self, rows: Tensor) -> Tensor:
        if self.device.type == "cuda" and not self.resident:
            rows = rows.pin_memory().to(self.device, non_blocking=True)
        return self.schema.prepare(rows, self.dtype, check_far=False).to(self.device)


def _has_gaps(X: np.ndarray | MappedRows) -> bool:
    """Return True if an array in memory holds NaN. A memory map is not read: its schema says if it has gaps."""
    if X.dtype.kind != "f" or isinstance(X, (np.memmap, MappedRows)):
        return False
    step = max(1, _SCAN_NUMBERS // max(1, X[0].size)) if len(X) else 1
    return any(bool(np.isnan(X[start : start + step].sum())) for start in range(0, len(X), step))


def free_bytes(device: torch.device) -> int:
    """Return the bytes that tensors can use on a CUDA device: its free memory and the unused part of torch's cache."""
    free: int = torch.cuda.mem_get_info(device)[0]
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def _fits(rows: Tensor | MappedRows, device: torch.device) -> bool:
    dtype = rows.dtype if isinstance(rows, Tensor) else rows.tensor_dtype
    return math.prod(rows.shape) * dtype.itemsize < _MAX_SHARE * free_bytes(device)
