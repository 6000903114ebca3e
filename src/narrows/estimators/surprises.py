"""How strange each cell of a row is, where a wrong cell makes the cells strange that it is related to.

    s_j(H) = log m_j + log (1 - p_j) - log p_j,   p_j = p(x_j | all cells but j and H)        `Binned.surprise`

s_j(H) is the log odds that x_j is a value of another row, while the cells H are hidden because they are not trusted. If
a person of 8 is married, both cells have a large s_j(none). Which of them is wrong is what the other cells tell: s_j(H)
with the other one in H. So the two strangest cells a, b of a row are judged together. With c = s + log prior odds, the
four cases weigh, as products of conditional probabilities along the ways from the first case to the others,

    both wrong 0,   only a  - c_b(a),   only b  - c_a(b),   none  - (c_a(none) + c_b(a) + c_b(none) + c_a(b)) / 2

in nats, the last one as the mean of two ways. The odds of all cells are means over the four cases by their weights.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from narrows.likelihoods import Binned
from narrows.model import Autoencoder

_PRIOR = math.log(0.02 / 0.98)  # log odds of a wrong cell; rows with 1 % to 20 % wrong cells were tried
_WORTH_ASKING = 2.0  # nats; in rows whose strangest cell has less, a second look changes nothing


def find_odds(model: Autoencoder, x: Tensor, hidden: Tensor | None = None) -> Tensor:
    """Return the log odds that each cell of x (B x D) is wrong, judged alone: B x D nats, -inf where it is missing.

    Parameters
    ----------
    model : masked autoencoder of a table, whose likelihood is `Binned`.
    hidden : B x D, True for cells that no other cell is judged by.
    """
    likelihood = cast(Binned, model.likelihood)
    visible = x if hidden is None else x.masked_fill(hidden, torch.nan)
    return likelihood.surprise(model.decode_own(visible), x).masked_fill(~torch.isfinite(x), -torch.inf)


def find_surprise(model: Autoencoder, x: Tensor) -> Tensor:
    """Return the log odds that each cell of x (B x D) is wrong, at even chances; the two strangest are judged together.

    -inf where a cell is missing.
    """
    odds = find_odds(model, x)
    if x.shape[1] < 2:
        return odds
    strangest = odds.topk(2, 1)
    rows = ((strangest.values[:, 0] > _WORTH_ASKING) & torch.isfinite(strangest.values[:, 1])).nonzero()[:, 0]
    if len(rows):
        odds[rows] = _judge_together(model, x[rows], odds[rows], strangest.indices[rows])
    return odds


def _judge_together(model: Autoencoder, x: Tensor, odds: Tensor, pair: Tensor) -> Tensor:
    """Return the log odds (B x D) of rows x whose two strangest cells are `pair` (B x 2)."""
    is_first, is_second = (torch.zeros_like(x, dtype=torch.bool).scatter(1, pair[:, [i]], True) for i in (0, 1))
    none, both = torch.zeros_like(is_first), is_first | is_second
    cases = [both, is_first, is_second, none]  # the cells that are wrong
    c = [(odds if case is none else find_odds(model, x, case)) + _PRIOR for case in cases]
    of_first, of_second = ([each.gather(1, pair[:, [i]]) for each in c] for i in (0, 1))
    only_first, only_second = -of_second[1], -of_first[2]
    neither = (only_first - of_first[3] + only_second - of_second[3]) / 2
    weights = torch.cat([torch.zeros_like(neither), only_first, only_second, neither], 1).log_softmax(1)
    # log of the chance that each cell is wrong, and that it is right, in each case
    sure = torch.finfo(x.dtype).min
    wrong, right = [], []
    for i, case in enumerate(cases):
        is_judged = both & case, both & ~case
        wrong.append(F.logsigmoid(c[i]).masked_fill(is_judged[0], 0.0).masked_fill(is_judged[1], sure))
        right.append(F.logsigmoid(-c[i]).masked_fill(is_judged[1], 0.0).masked_fill(is_judged[0], sure))
    chances = [
        torch.stack([weights[:, [i]] + each for i, each in enumerate(side)]).logsumexp(0) for side in (wrong, right)
    ]
    return (chances[0] - chances[1] - _PRIOR).masked_fill(~torch.isfinite(x), -torch.inf)
