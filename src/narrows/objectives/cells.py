"""Costs of the masked autoencoder for tables, besides the log-likelihood of the hidden cells.

    squared_error   sum over hidden numbers of (z - m)^2,  z: standard deviations from the mean, m: the decoder's number
    gaps            - sum over hidden cells of columns with gaps of log p(missing or not)                      nats

Both are sums over the cells of a row, weighted as in the log-likelihood.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F

from narrows.likelihoods import Binned
from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue
from narrows.types import Batch, Output


class SquaredError(Cost):
    """The squared error of the decoder's own estimate of each hidden number.

    Levels blur numbers within a bin, which matters where numbers determine each other.
    """

    name = "squared_error"

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue | None:
        """Return the sum over the hidden numbers of each example (B); None for a table without numbers."""
        likelihood = cast(Binned, model.likelihood)
        numbers = likelihood.levels.numbers
        if not len(numbers) or output.weight is None:
            return None
        n_all, n_numbers, _ = likelihood.sizes
        z = likelihood.levels.standardize(batch.target[:, numbers])
        error = (z - output.params[:, n_all : n_all + n_numbers].to(z.dtype)).square()
        return CostValue((error * output.weight[:, numbers]).sum(1))


class GapCost(Cost):
    """The negative log-likelihood of which hidden cells are missing in the data."""

    name = "gaps"

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue | None:
        """Return the sum over the hidden cells of each example (B); None for a table without gaps."""
        likelihood = cast(Binned, model.likelihood)
        if not likelihood.gaps or output.scored is None:
            return None
        columns = likelihood.gap_columns
        logits = output.params[:, -len(columns) :]
        is_missing = torch.isnan(batch.x[:, columns]).to(logits.dtype)
        nats = F.binary_cross_entropy_with_logits(logits, is_missing, reduction="none")
        return CostValue((nats * output.scored[:, columns]).sum(1))
