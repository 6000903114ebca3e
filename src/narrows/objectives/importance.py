"""Bounds on the log-likelihood from several draws, which are tighter with more draws.

    L_K(x) = E log 1/K sum_k w_k <= log p(x),    w_k = p(x | z_k) p(z_k) / q(z_k | x),  z_k ~ q(z | x)        nats

K = 1 is the ELBO, and the bound rises to log p(x) as K grows: Burda, Grosse and Salakhutdinov, Importance weighted
autoencoders (2016), https://arxiv.org/abs/1509.00519. But with more draws the gradient of the encoder becomes noise:
its mean shrinks faster than its deviation. With T = M K draws of each example,

    IWAE   L_T                        MIWAE  the mean of M bounds L_K, which has a better gradient for the encoder
    CIWAE  s ELBO + (1 - s) L_T       PIWAE  the mean of M bounds L_K for the encoder, L_T for decoder and prior

Rainforth et al., Tighter variational bounds are not necessarily better (2018), https://arxiv.org/abs/1802.04537.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from narrows import rng
from narrows.bottlenecks import Sample
from narrows.model import Autoencoder
from narrows.objectives.base import Objective
from narrows.types import Batch, Loss, product


class ImportanceWeighted(Objective):
    """The negative of a bound of several draws, for any stochastic code.

    The weight "kl" multiplies log q - log p in w. It is 1 for a bound; it grows from 0 during the warm-up, and again
    after posterior collapse. A code with labels bounds log p(x | y). The costs of labels that are missing are added.

    Parameters
    ----------
    n_draws : T, the number of draws from each posterior, at least 1.
    n_groups : M, the number of groups of draws that have a bound each; it divides T. 1 is IWAE, T the ELBO.
    n_encoder_groups : M for the encoder alone; None for `n_groups`.
    elbo_share : s, the share of the ELBO, in [0, 1].
    weights : weights of "kl", and of the costs of a label (`Label`); None for 1.
    warmup : see `Objective`.

    Raises
    ------
    ValueError
        If a number of groups does not divide the number of draws.
    """

    def __init__(
        self,
        n_draws: int = 8,
        n_groups: int = 1,
        n_encoder_groups: int | None = None,
        elbo_share: float = 0.0,
        weights: dict[str, float] | None = None,
        warmup: float = 0.0,
    ) -> None:
        super().__init__({"kl": 1.0, **(weights or {})}, warmup)
        self.n_draws, self.n_groups, self.elbo_share = n_draws, n_groups, elbo_share
        self.n_encoder_groups = n_groups if n_encoder_groups is None else n_encoder_groups
        for groups in (self.n_groups, self.n_encoder_groups):
            if n_draws % groups:
                raise ValueError(
                    f"The `n_groups` parameter of a bound must divide `n_draws`, {n_draws}, so that all groups have as "
                    f"many draws. Got {groups} instead."
                )

    def check(self, model: Autoencoder) -> None:
        """Check that the code of `model` is drawn from a posterior and has the costs that have a weight.

        Raises
        ------
        ValueError
            If the code is not drawn from a posterior or lacks a cost, or if rows are scaled one by one.
        """
        owner = type(model.bottleneck).__name__
        if model.stochastic is None:
            raise ValueError(
                f"An importance-weighted bound needs a code that is drawn from a posterior. The code of "
                f"{owner} is a single point: use a Gaussian code."
            )
        if getattr(model.decoder, "undoes_scaling", False):
            raise ValueError(
                f"An importance-weighted bound needs a decoder with `undoes_scaling` False. That of "
                f"{type(model.decoder).__name__} is True: leave `scaling` out."
            )
        if unknown := sorted(set(self.weights) - {"kl"} - set(() if model.label is None else model.label.costs)):
            raise ValueError(
                f"The `weights` of ImportanceWeighted must be of 'kl', or of costs that labels have in {owner}. Got "
                f"{unknown[0]!r} instead."
            )

    def forward(self, model: Autoencoder, batch: Batch) -> Loss:
        """Return the negative bound; its terms are the means over draws of - log p(x | z) and of log q - log p."""
        draws, costs = self._draw(model, batch)
        is_split = self.training and self.n_encoder_groups != self.n_groups
        own = draws.held_still(model) if is_split else draws  # the encoder learns from a bound of its own
        params = model.decoder(own.codes)
        score = model.likelihood.score(params, own.target, own.weight)
        log_w = self._log_weights(score, own.sample)
        total = -self._bound(log_w, self.n_groups)
        if is_split:  # before the scale of the likelihood changes, so that the gradients of the decoder cancel
            total = total + self._encoder_loss(model, draws, own, score)
        if self.training:
            # the likeliest scale: each draw has the weight that it has in the bound
            share = self._shares(log_w.detach()).view(-1, *[1] * (own.target.dim() - 1)).to(own.target.dtype)
            scored = product(share.expand_as(own.target), own.weight)
            model.likelihood.update_scale(params.detach().to(own.target.dtype), own.target, scored)
        ratio = own.sample.log_q - own.sample.log_p
        terms = {"nll": -score.mean(), "kl": ratio.mean(), **{name: cost.mean() for name, cost in costs.items()}}
        for name in costs:
            if name in self.weights:
                total = total + self.weigh(name, terms[name])
        return Loss(total, terms)

    def _draw(self, model: Autoencoder, batch: Batch) -> tuple[_Draws, dict[str, Tensor]]:
        """Return T draws for each example, and the costs of the label of each example."""
        code, n = model.stochastic, self.n_draws
        assert code is not None
        corrupted = model.corruption(batch)
        h = model.encoder(corrupted.x)
        # drawn as B x (T n_noise), because processes that share a batch draw row by row
        wide = h.new_empty(len(h), n * code.n_noise, dtype=torch.promote_types(h.dtype, torch.float32))
        eps = rng.randn_like(wide).view(-1, code.n_noise)
        columns, costs = None, {}
        if model.label is not None:
            assert batch.label is not None  # a batch has labels if the code has columns for them
            label_probs, costs = model.label(h, batch.label)
            columns = label_probs.to(eps.dtype).repeat_interleave(n, 0)
        weight = product(corrupted.scored, batch.observed, batch.weight)
        weight = None if weight is None else weight.repeat_interleave(n, 0)
        target = batch.target.repeat_interleave(n, 0)
        sample = model.draw(h.repeat_interleave(n, 0), eps, target, weight, columns)
        return _Draws(sample, columns, target, weight), costs

    def _log_weights(self, score: Tensor, sample: Sample) -> Tensor:
        """Return log w of each draw (B x T) from log p(x | z) of all draws (B T)."""
        return (score - self.weigh("kl", sample.log_q - sample.log_p)).view(-1, self.n_draws)

    def _bound(self, log_w: Tensor, n_groups: int) -> Tensor:
        """Return the mean bound of the examples, of the draws' weights log w (B x T)."""
        bound = log_mean_exp(log_w.view(len(log_w), n_groups, -1)).mean()
        return bound if self.elbo_share == 0 else torch.lerp(bound, log_w.mean(), self.elbo_share)

    def _shares(self, log_w: Tensor) -> Tensor:
        """Return the derivative of each example's bound by log w (B x T); its sum over the draws is 1."""
        shares = log_w.view(len(log_w), self.n_groups, -1).softmax(-1).view_as(log_w) / self.n_groups
        return (
            shares if self.elbo_share == 0 else torch.lerp(shares, shares.new_tensor(1 / self.n_draws), self.elbo_share)
        )

    def _encoder_loss(self, model: Autoencoder, draws: _Draws, own: _Draws, at_held: Tensor) -> Tensor:
        """Return a loss of value 0, whose gradient is that of the encoder's bound, and 0 for decoder and prior.

        A value less the same value at held draws has no gradient of the parameters that both depend on, up to rounding.

        Parameters
        ----------
        at_held : log p(x | z) at the draws that are held (B T).
        """
        score = model.likelihood.score(model.decoder(draws.codes), draws.target, draws.weight)
        score = score - (at_held - at_held.detach())
        log_p = draws.sample.log_p - (own.sample.log_p - own.sample.log_p.detach())
        bound = self._bound(self._log_weights(score, draws.sample._replace(log_p=log_p)), self.n_encoder_groups)
        return bound.detach() - bound


class _Draws(NamedTuple):
    """Draws from the posteriors of a batch, T rows for each example.

    Attributes
    ----------
    sample : the codes, without labels, and their densities.
    columns : columns of the label (B T x C), or None.
    target : B T x shape.
    weight : weights of the entries of the target, or None.
    """

    sample: Sample
    columns: Tensor | None
    target: Tensor
    weight: Tensor | None

    @property
    def codes(self) -> Tensor:
        """The decoder's input, B T x (L + C)."""
        return self.sample.z if self.columns is None else torch.cat([self.sample.z, self.columns], 1)

    def held_still(self, model: Autoencoder) -> _Draws:
        """Return the same draws as constants, of which only the prior's density depends on parameters."""
        assert model.stochastic is not None
        z = self.sample.z.detach()
        sample = Sample(z, self.sample.log_q.detach(), model.stochastic.log_prior(z))
        return self._replace(sample=sample, columns=None if self.columns is None else self.columns.detach())


def log_mean_exp(x: Tensor) -> Tensor:
    """Return log(mean(exp(x))) over the last axis of x (... x K)."""
    return x.logsumexp(-1) - math.log(x.shape[-1])
