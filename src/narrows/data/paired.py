"""Pairs of arrays: a model learns the rows of one from those of the other."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.data.rows import Rows
from narrows.data.schema import Schema
from narrows.types import Batch


@dataclass(frozen=True)
class PairSchema(Schema):
    """The schema of inputs whose targets are the rows of another array.

    Attributes
    ----------
    target : schema of the targets.
    """

    target: Schema | None = None

    @classmethod
    def of(cls, schema: Schema, target: Schema) -> PairSchema:
        """Return `schema` with a target."""
        return cls(**{field.name: getattr(schema, field.name) for field in fields(schema)}, target=target)


def write_schema(schema: Schema) -> dict[str, Any]:
    """Return a schema of any kind as plain values, for recipe.json; the target is a record of its own."""
    values = schema.to_dict()
    target = values.pop("target", None)
    return values if target is None else {**values, "target": target.to_dict()}


def read_schema(values: dict[str, Any]) -> Schema:
    """Return the schema from a result of `write_schema`. Raises as `Schema.from_dict` does."""
    values = dict(values)
    target = values.pop("target", None)
    schema = Schema.from_dict(values)
    return schema if target is None else PairSchema.of(schema, Schema.from_dict(target))


def target_of(schema: Schema) -> Schema:
    """Return the schema of what the model reconstructs: of the targets, or `schema` itself."""
    return schema.target if isinstance(schema, PairSchema) and schema.target is not None else schema


class PairedRows:
    """Rows of inputs and of targets, ready to be indexed: an `Examples`.

    Parameters
    ----------
    X, Y : arrays of inputs and of targets (n x ...), as `narrows.data.as_rows` returns them.
    schema : schema of the pairs.
    """

    has_neighbors = False

    def __init__(
        self,
        X: np.ndarray,
        Y: np.ndarray,
        schema: Schema,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        device = torch.device("cpu") if device is None else device
        self.schema: Schema = schema
        self.X, self.Y, self.device = X, Y, device
        self.inputs = Rows(X, schema, device, dtype)
        self.targets = Rows(Y, target_of(schema), device, dtype)
        self.resident = self.inputs.resident and self.targets.resident

    def __len__(self) -> int:
        return len(self.inputs)

    def on(self, device: torch.device, dtype: torch.dtype) -> PairedRows:
        """Return the same pairs, with batches on `device` and in `dtype`."""
        return PairedRows(self.X, self.Y, self.schema, device, dtype)

    def batch(self, index: Tensor) -> Batch:
        """Return the pairs at `index` (B integers, on the device), in the model's units."""
        inputs, targets = self.inputs.batch(index), self.targets.batch(index)
        return Batch(inputs.x, targets.target, targets.observed)

    def find_neighbors(self, k: int, among: Tensor, metric: str = "euclidean") -> None:
        """Raise TypeError: pairs have no neighbours."""
        raise TypeError("Pairs of inputs and targets have no neighbours.")
