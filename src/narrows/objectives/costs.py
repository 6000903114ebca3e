"""The central sentence.

loss(x) = - log p(target | z) + sum_k  w_k * cost_k(z)        nats per example, averaged over the batch
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from narrows.model import Autoencoder
from narrows.objectives.neighbours import KeptNeighbours
from narrows.params import nearest
from narrows.types import Batch, Loss

_REVIVE = (
    0.25  # of the spare code's loss; 1/32 (Gao et al., 2024) left 16 % of the units dead: docs/negative-results.md
)


class WeightedCosts(nn.Module):
    """The negative log-likelihood, plus the bottleneck's costs weighed by name.

    With the cost "kl" at weight 1 this is the negative evidence lower bound (ELBO).

    Parameters
    ----------
    weights : one number for each named cost.
    warmup : costs grow linearly from 0 to their weight over this share of the training, in [0, 1]; so a code learns
        to say something before it is charged for it (Bowman et al., 2016, https://arxiv.org/abs/1511.06349).
    neighbours : a cost of codes by where their neighbours' codes are, weighed by the name "neighbours"; or None.
    """

    share: Tensor

    def __init__(
        self,
        weights: dict[str, float] | None = None,
        warmup: float = 0.0,
        neighbours: KeptNeighbours | None = None,
    ) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.weights, self.warmup, self.begin = dict(weights or {}), warmup, 0.0
        self.complete = warmup == 0
        # how much of each weight is in force: a tensor, so that a compiled step need not be compiled again
        self.register_buffer("share", torch.tensor(1.0), persistent=False)

    def advance(self, progress: float) -> None:
        """Say how far the training is, in [0, 1]."""
        if self.complete:
            return
        self.complete = progress >= self.begin + self.warmup
        self.share.fill_(1.0 if self.complete else (progress - self.begin) / self.warmup)

    def restart(self, progress: float, warmup: float | None = None) -> None:
        """Let the costs grow from 0 once more, from here on, over the share `warmup` of the training.

        None takes as long as at first, and at least a tenth of the training; 0 has them in full at once.
        """
        warmup = max(self.warmup, 0.1) if warmup is None else warmup
        self.begin, self.warmup, self.complete = progress, warmup, warmup == 0
        self.share.fill_(float(self.complete))

    def state(self) -> dict[str, float]:
        """For a checkpoint."""
        return {"begin": self.begin, "warmup": self.warmup, "share": float(self.share), "complete": self.complete}

    def restore(self, state: dict[str, float]) -> None:
        """From a checkpoint."""
        self.begin, self.warmup, self.complete = state["begin"], state["warmup"], bool(state["complete"])
        self.share.fill_(state["share"])

    def check(self, model: Autoencoder) -> None:
        """Refuse weights for costs that the model does not state."""
        known = (*model.costs, *(["neighbours"] if self.neighbours is not None else []))
        for name in self.weights:
            if name not in known:
                owner = type(model.bottleneck).__name__
                raise ValueError(f"{owner} states no cost {name!r}. {nearest(name, known)}")

    def forward(self, model: Autoencoder, batch: Batch) -> Loss:
        """The loss of one batch; in training with costs as far as they have grown, otherwise in full."""
        code, parameters, weight = model(batch)
        if self.training:
            model.likelihood.observe(parameters.detach().to(batch.target.dtype), batch.target, weight)
        nll = -model.likelihood.score(parameters, batch.target, weight).mean()
        terms = {"nll": nll}
        total = nll
        costs = code.costs
        if self.neighbours is not None:
            costs = {**costs, "neighbours": self.neighbours.of(model, batch, code.z)}
        for name, cost in costs.items():
            terms[name] = cost.mean()
            if name in self.weights:
                factor = self.weights[name] * self.share if self.training else self.weights[name]
                total = total + factor * terms[name]
        if code.spare is not None:
            # dead units explain what the living leave over: the living code is held still, theirs is added
            revived = model.decoder(code.z.detach() + code.spare)
            total = total - _REVIVE * model.likelihood.score(revived, batch.target, weight).mean()
        return Loss(total, terms)
