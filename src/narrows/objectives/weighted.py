"""The main loss: the negative log-likelihood plus weighted costs. With the KL at weight 1 it is the negative ELBO.

loss(x) = - log p(target | z) + sum_k  w_k * cost_k(z)        nats per example, averaged over the batch

The bottleneck states the KL in its forward pass; `Objective.add_costs` sums the weighted terms.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from narrows.bottlenecks import LabelHead, RegressionHead
from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue, Objective
from narrows.params import did_you_mean
from narrows.types import Batch, Loss, Output, UnitBlock

AUX_WEIGHT = 0.25  # of the auxiliary code's loss


class DeadUnitRevival(Cost):
    """The loss of an auxiliary code: dead units learn the part of the target that the other units do not explain.

    The output of the other units is constant, and that of the dead units is added to it. AuxK of Gao et al. (2024),
    https://arxiv.org/abs/2406.04093, for any decoder and likelihood.

    Parameters
    ----------
    weight : weight of the loss, at least 0. 1/32 (Gao et al., 2024) left 16 % of the units dead
        (docs/negative-results.md).
    """

    name = "revival"

    def __init__(self, weight: float = AUX_WEIGHT) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue | None:
        """Return the weighted negative log-likelihood of the sum of the two codes; None if there are no dead units."""
        code, aux_code = output.code, output.code.aux_code
        if aux_code is None or self.weight == 0:
            return None
        if isinstance(aux_code, UnitBlock) and getattr(model.decoder, "takes_units", False):
            added = model.decoder(aux_code)
            # scaled back as a difference: the mean of an example counts once
            added = model.undo_scaling(added, batch.x) - model.undo_scaling(torch.zeros_like(added), batch.x)
            params = output.params.detach() + added
        else:
            dense = aux_code.to_dense() if isinstance(aux_code, UnitBlock) else aux_code
            # the columns of a label count once
            z = code.z.detach() + F.pad(dense, (0, code.z.shape[1] - dense.shape[1]))
            params = model.complete(model.decoder(z), batch.x, output.skipped)
        return CostValue(None, -self.weight * model.likelihood.score(params, batch.target, output.weight).mean())


class HeadCost(Cost):
    """The cost "label" of a head that learns labels from the encoder's output. The decoder does not get them.

    Parameters
    ----------
    head : network that gives the cost "label".
    """

    name = "label"

    def __init__(self, head: LabelHead | RegressionHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return the cost of each example's label in nats (B)."""
        assert batch.label is not None  # a task that trains a head passes labels
        return CostValue(self.head(output.dense_h, batch.label).costs[self.name])


class WeightedObjective(Objective):
    """The negative log-likelihood plus the weighted costs.

    With the cost "kl" at weight 1 this is the negative evidence lower bound (ELBO). The negative log-likelihood is
    called "nll", and has the weight 1 unless `weights` sets another.

    Parameters
    ----------
    weights, warmup, costs : see `Objective`; `DeadUnitRevival` is always added to the costs.
    aux_weight : weight of the loss that revives dead units of a sparse code.
    """

    def __init__(
        self,
        weights: dict[str, float] | None = None,
        warmup: float = 0.0,
        costs: tuple[Cost, ...] = (),
        aux_weight: float = AUX_WEIGHT,
    ) -> None:
        super().__init__(weights, warmup, (*costs, DeadUnitRevival(aux_weight)))

    def check(self, model: Autoencoder) -> None:
        """Check that each weighted cost belongs to the bottleneck of `model` or to the objective.

        Raises
        ------
        ValueError
            If the cost of a weight is unknown, or both have a cost of the same name.
        """
        owner, stated = type(model.bottleneck).__name__, model.bottleneck.costs
        added = [cost.name for cost in self.pass_costs()]
        if duplicates := sorted(set(stated) & set(added)):
            raise ValueError(
                f"{owner} states the cost {duplicates[0]!r}, too. Give the one in the objective's `costs` another name."
            )
        known = ("nll", *stated, *added)
        for name in self.weights:
            if name not in known:
                raise ValueError(
                    f"The `weights` of {type(self).__name__} must belong to costs that {owner} or `costs` states. "
                    f"{owner} states no cost {name!r}. {did_you_mean(name, known)}"
                )

    def forward(self, model: Autoencoder, batch: Batch) -> Loss:
        """Return the loss of one batch; in training with the weights grown so far, otherwise with full weights."""
        output = model(batch)
        return self.add_costs(negative_log_likelihood(self, model, batch, output), model, batch, output)


def negative_log_likelihood(objective: Objective, model: Autoencoder, batch: Batch, output: Output) -> Tensor:
    """Return - log p(target | z), a scalar, nats per example. In training the likelihood updates its scale first."""
    if objective.training:
        model.likelihood.update_scale(output.params.detach().to(batch.target.dtype), batch.target, output.weight)
    return -model.likelihood.score(output.params, batch.target, output.weight).mean()
