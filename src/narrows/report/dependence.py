"""How much a model that predicts hidden cells needs a column to predict another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from narrows.data import spaced_indices
from narrows.fitted import FittedModel
from narrows.likelihoods import Binned

MOST_COLUMNS = 30  # the time grows with the square of their number
_MOST_ROWS = 200


def measure_dependence(model: FittedModel, rows: Tensor, columns: Sequence[int]) -> tuple[np.ndarray, int]:
    """Return how much log p of a column falls if another one is hidden, and the number of rows that this is a mean of.

        loss[i, j] = mean of log p(x_i | all others) - log p(x_i | all others but x_j)

    Parameters
    ----------
    rows : prepared rows, n x D, of which at most 200 are used, evenly spaced.
    columns : k positions of columns.

    Returns
    -------
    (k, k) nats, NaN on the diagonal and for columns without a row that has both cells; and the number of rows.
    """
    x, network, k = rows[spaced_indices(len(rows), _MOST_ROWS)], model.module(), len(columns)
    likelihood = cast(Binned, network.likelihood)  # that of all models that predict hidden cells
    level = model.apply(lambda part: likelihood.levels(part).level, x)

    def log_prob(hidden: Sequence[int]) -> Tensor:
        """Return log p of the levels of the hidden columns, given all others: rows x hidden."""

        def compute(part: Tensor) -> Tensor:
            z = network.bottleneck.encode(network.encoder(part.index_fill(1, _index(hidden, part), torch.nan)))
            found = []
            for j in hidden:  # the density within a level is the same, whatever else is hidden
                outputs = likelihood.outputs_of(j)[: likelihood.levels.sizes[j]]
                own = likelihood.levels(part).level[:, [j]].clamp(min=0)
                found.append(network.decode_outputs(z, outputs).log_softmax(1).gather(1, own))
            return torch.cat(found, 1)

        return model.apply(compute, x)

    alone = torch.cat([log_prob([j]) for j in columns], 1) if columns else x[:, :0]
    loss = np.full((k, k), np.nan)
    for a in range(k):
        for b in range(a + 1, k):
            has_both = (level[:, columns[a]] >= 0) & (level[:, columns[b]] >= 0)
            if has_both.any():
                both = log_prob([columns[a], columns[b]])
                loss[a, b], loss[b, a] = (alone[:, [a, b]] - both)[has_both].mean(0).tolist()
    return loss, len(x)


def _index(columns: Sequence[int], like: Tensor) -> Tensor:
    return torch.tensor(list(columns), device=like.device)
