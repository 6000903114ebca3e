"""Draw hidden cells of rows one column after the other, each given the cells before it.

    x_1 ~ p(x_1 | given),  x_2 ~ p(x_2 | given, x_1),  ...

Each row has an order of its own. Orders drawn at random look most like real rows: in column order, or with several
columns at once, single columns are as good, but pairs of them are not (docs/negative-results.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from narrows import rng
from narrows.likelihoods import Binned
from narrows.model import Autoencoder


def draw_cells(
    model: Autoencoder, x: Tensor, excluded: Tensor, last: Sequence[int], temperature: float, gaps: bool
) -> Tensor:
    """Return x (B x D, NaN where a cell is to be drawn) with all cells drawn; `data.GAP` for a cell without a value.

    Parameters
    ----------
    model : masked autoencoder of a table, whose likelihood is `Binned`, on the device of x.
    excluded : (T,) True for levels that are never drawn.
    last : columns to draw after all others.
    temperature : above 0; below 1 usual values are drawn more often than in the data.
    gaps : True to draw gaps, too; False to draw a value for each cell.
    """
    likelihood = cast(Binned, model.likelihood)
    x, is_hidden = x.clone(), torch.isnan(x)
    ranks = rng.rand_like(x)
    ranks[:, list(last)] += 1.0
    order = ranks.masked_fill(~is_hidden, 3.0).argsort(1)
    n_hidden = is_hidden.sum(1)
    outputs = {j: likelihood.outputs_of(j) for j in range(x.shape[1])}
    for turn in range(int(n_hidden.max()) if len(x) else 0):
        rows = (n_hidden > turn).nonzero()[:, 0]
        z = model.bottleneck.encode(model.encoder(x[rows]))
        columns = order[rows, turn]
        for j in columns.unique().tolist():
            own = (columns == j).nonzero()[:, 0]
            params = model.decode_outputs(z[own], outputs[j])
            x[rows[own], j] = likelihood.sample_column(params, j, excluded, temperature, gaps).to(x.dtype)
    return x
