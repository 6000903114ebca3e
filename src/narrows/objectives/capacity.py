"""A VAE whose code is to carry a given number of nats, which grows during the training.

    loss(x) = - log p(x | z) + weight * |KL(q(z | x) || p(z)) - C|        nats per example

C grows from 0 to the capacity. So the most useful component is learned first, and a further one only when there is room
for it: Burgess et al., Understanding disentangling in beta-VAE (2018), https://arxiv.org/abs/1804.03599.
"""

from __future__ import annotations

from narrows.model import Autoencoder
from narrows.objectives.base import Objective
from narrows.objectives.weighted import negative_log_likelihood
from narrows.types import Batch, Loss


class Capacity(Objective):
    """The negative log-likelihood plus the distance of the cost "kl" from a growing capacity.

    Parameters
    ----------
    capacity : the final C in nats, above 0.
    weights : weight of the distance, as "kl", and of the costs of a label.
    warmup : share of the training, in [0, 1], over which C grows; the weights do not grow.
    """

    def __init__(self, capacity: float, weights: dict[str, float], warmup: float = 0.5) -> None:
        super().__init__(weights, warmup)
        self.capacity = capacity

    def check(self, model: Autoencoder) -> None:
        """Check that the bottleneck of `model` states all costs that have a weight.

        Raises
        ------
        ValueError
            If it does not.
        """
        if unknown := sorted(set(self.weights) - set(model.bottleneck.costs)):
            raise ValueError(
                f"The `weights` of Capacity must belong to costs that {type(model.bottleneck).__name__} states. Got "
                f"{unknown[0]!r} instead."
            )

    def restart(self, progress: float, warmup: float | None = None) -> None:
        """Leave the capacity as it is: with a capacity of 0 a collapsed code would have to stay so."""
        return

    def forward(self, model: Autoencoder, batch: Batch) -> Loss:
        """Return the loss of one batch; in training with the capacity grown so far, otherwise with all of it."""
        output = model(batch)
        nll, costs = negative_log_likelihood(self, model, batch, output), output.code.costs
        terms = {"nll": nll, **{name: cost.mean() for name, cost in costs.items()}}
        grown = self.capacity * self.share if self.training else self.capacity
        total = nll + self.weights["kl"] * (costs["kl"] - grown).abs().mean()
        for name in self.weights:
            if name != "kl":
                total = total + self.weights[name] * terms[name]
        return Loss(total, terms)
