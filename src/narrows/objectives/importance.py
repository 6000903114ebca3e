"""The importance-weighted bound on the log-likelihood, which is tighter with more draws.

    log p(x) >= E log 1/K sum_k p(x | z_k) p(z_k) / q(z_k | x),    z_k ~ q(z | x)        nats

K = 1 is the ELBO, and the bound rises to log p(x) as K grows: Burda, Grosse and Salakhutdinov, Importance weighted
autoencoders (2016), https://arxiv.org/abs/1509.00519.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from narrows import rng
from narrows.model import Autoencoder
from narrows.objectives.base import Objective
from narrows.types import Batch, Loss, product


class ImportanceWeighted(Objective):
    """The negative importance-weighted bound of K draws, for any stochastic code.

    Its only weight, "kl", multiplies log q - log p. It is 1, and grows from 0 again after posterior collapse.

    Parameters
    ----------
    n_draws : K, the number of draws from each posterior, at least 1.
    """

    def __init__(self, n_draws: int = 8) -> None:
        super().__init__({"kl": 1.0})
        self.n_draws = n_draws

    def check(self, model: Autoencoder) -> None:
        """Check that the code of `model` is drawn from a posterior and has no labels.

        Raises
        ------
        ValueError
            If the code is not drawn from a posterior, or has labels.
        """
        if model.stochastic is None:
            owner = type(model.bottleneck).__name__
            raise ValueError(
                f"An importance-weighted bound needs a code that is drawn from a posterior. The code of "
                f"{owner} is a single point: use a Gaussian code."
            )
        if model.n_classes:
            raise ValueError("An importance-weighted bound needs a model without labels. Leave `conditional` out.")

    def forward(self, model: Autoencoder, batch: Batch) -> Loss:
        """Return the negative bound; its terms are the means over draws of - log p(x | z) and of log q - log p."""
        code, k = model.stochastic, self.n_draws
        assert code is not None
        corrupted = model.corruption(batch)
        h = model.encoder(corrupted.x)
        # drawn as B x (K n_noise), because processes that share a batch draw row by row
        wide = h.new_empty(len(h), k * code.n_noise, dtype=torch.promote_types(h.dtype, torch.float32))
        eps = rng.randn_like(wide).view(-1, code.n_noise)
        weight = product(corrupted.scored, batch.observed, batch.weight)
        weight = None if weight is None else weight.repeat_interleave(k, 0)
        target = batch.target.repeat_interleave(k, 0)
        z, log_q, log_p = model.draw(h.repeat_interleave(k, 0), eps, target, weight)
        params = model.decoder(z)
        score = model.likelihood.score(params, target, weight)
        log_w = (score - self.weigh("kl", log_q - log_p)).view(-1, k)
        if self.training:
            # the likeliest scale: each draw has the weight that it has in the bound
            share = log_w.detach().softmax(1).view(-1, *[1] * (target.dim() - 1)).to(target.dtype).expand_as(target)
            model.likelihood.update_scale(params.detach().to(target.dtype), target, product(share, weight))
        return Loss(-log_mean_exp(log_w).mean(), {"nll": -score.mean(), "kl": (log_q - log_p).mean()})


def log_mean_exp(x: Tensor) -> Tensor:
    """Return log(mean(exp(x))) over the last axis of x (B x K): B numbers."""
    return x.logsumexp(-1) - math.log(x.shape[-1])
