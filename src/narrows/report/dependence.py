"""How much a model that predicts hidden cells needs a column to predict another one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from narrows.data import spaced_indices
from narrows.fitted import FittedModel

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
    target, is_observed = torch.nan_to_num(x), ~torch.isnan(x)

    def log_prob(hidden: list[int]) -> Tensor:
        """Return log p of the hidden columns, given all others: rows x hidden."""

        def compute(part: Tensor) -> Tensor:
            masked = part[:, : x.shape[1]].index_fill(1, torch.tensor(hidden, device=part.device), torch.nan)
            params = network.decoder(network.bottleneck.encode(network.encoder(masked)))
            return network.likelihood.log_prob(params, part[:, x.shape[1] :])[:, hidden]

        return model.apply(compute, torch.cat([x, target], 1))

    alone = torch.cat([log_prob([j]) for j in columns], 1) if columns else x[:, :0]
    loss = np.full((k, k), np.nan)
    for a in range(k):
        for b in range(a + 1, k):
            has_both = is_observed[:, columns[a]] & is_observed[:, columns[b]]
            if has_both.any():
                both = log_prob([columns[a], columns[b]])
                loss[a, b], loss[b, a] = (alone[:, [a, b]] - both)[has_both].mean(0).tolist()
    return loss, len(x)
