"""Measures in nats: bounds and an estimate of the likelihood, and the information in the code.

    ELBO  E_q[log p(x | z)] - KL(q(z | x) || p(z))                        a lower bound of log p(x)
    NLL   - log 1/K sum_k p(x | z_k) p(z_k) / q(z_k | x),  z_k ~ q(z | x)  an upper bound of -log p(x) in expectation,
                                                                           and equal to it as K grows
Burda, Grosse and Salakhutdinov, Importance weighted autoencoders (2016), https://arxiv.org/abs/1509.00519.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor

from narrows.bottlenecks import ACTIVE_VARIANCE
from narrows.evaluation.absent import Absent
from narrows.evaluation.inspection import Inspection
from narrows.evaluation.intervals import MOST_RESAMPLED, Estimate, percentiles
from narrows.evaluation.registry import measure
from narrows.evaluation.scores import apply_to_code
from narrows.evaluation.subjects import ModelSubject, PCABaseline, Subject
from narrows.model import Autoencoder, inference_mode, log_prob_by_label
from narrows.types import split_missing

N_SCORED = 1_000  # examples whose likelihood is estimated
_N_COMPONENTS = 16  # components that have a row of their own
_MAX_NUMBERS_PER_PASS = 1 << 22  # in the widest layer of the decoder


@measure(better=1)
def elbo(subject: Subject) -> Estimate:
    """The evidence lower bound."""
    inspection = _inspection(subject)
    assert inspection.stochastic
    description = f"evidence lower bound on the log-likelihood, nats per example{_caveat(inspection)}"
    return subject.comparison.resamples.mean(inspection.scores, description)


@measure(better=-1)
def distortion(subject: Subject) -> Estimate:
    """The negative log-likelihood at the example's own code."""
    inspection, resamples = _inspection(subject), subject.comparison.resamples
    model = inspection.model.model_
    if model.stochastic is not None:
        formula = "-E log p(x, y | z), y the likeliest label," if model.n_classes else "-E log p(x | z),"
        return resamples.mean(-inspection.scores - inspection.kl, f"{formula} nats per example: -elbo - kl")
    description = (
        f"-log p(x | z) at the example's own code z, nats per example: not the likelihood of x{_caveat(inspection)}"
    )
    return resamples.mean(-inspection.scores, description)


@measure(better=-1)
def nll(subject: Subject) -> Estimate:
    """The negative log-likelihood, by importance sampling."""
    comparison = subject.comparison
    index = comparison.subsample(N_SCORED)
    if isinstance(subject, PCABaseline):
        if not subject.is_gaussian:
            raise Absent("the density of PCA is for real numbers, and the model's likelihood is not")
        return comparison.resamples.mean(-subject.scores[index], "exact, by probabilistic PCA")
    inspection = _inspection(subject)
    assert inspection.stochastic
    h, x = inspection.h[index], inspection.rows[index]
    network = inspection.model.module()
    with inference_mode(network):
        log_p, effective = importance(network, h, x, comparison.n_draws, comparison.seed)
    description = (
        f"negative log-likelihood in nats by importance sampling, K = {comparison.n_draws} draws "
        f"({effective:.0f} effective ones), n = {len(index):,}; an upper bound in expectation{_caveat(inspection)}"
    )
    schema = inspection.schema
    log_scale = schema.log_scale(schema.restore(x))
    return comparison.resamples.mean(log_scale - log_p.numpy(), description)


@measure()
def kl(subject: Subject) -> Estimate:
    """The rate: the nats that a code carries."""
    values = _inspection(subject).kl
    return subject.comparison.resamples.mean(values, "KL of the posterior from the prior, nats per example")


@measure()
def kl_per_component(subject: Subject) -> dict[str, Estimate]:
    """The KL of each component, in the model's order."""
    inspection, resamples = _inspection(subject), subject.comparison.resamples
    nats = inspection.kl_per_component[:, inspection.model.model_.order.cpu()].double().numpy()
    estimates = {
        f"kl_{i}": resamples.mean(nats[:, i], f"KL of component {i}, nats per example")
        for i in range(min(_N_COMPONENTS, nats.shape[1]))
    }
    if nats.shape[1] > _N_COMPONENTS:
        description = f"KL of components {_N_COMPONENTS} to {nats.shape[1] - 1} together, nats per example"
        estimates["kl_rest"] = resamples.mean(nats[:, _N_COMPONENTS:].sum(1), description)
    return estimates


@measure()
def active_components(subject: Subject) -> Estimate:
    """Number of components whose posterior mean has a variance above 0.01 over examples."""
    inspection = _inspection(subject)
    means = apply_to_code(inspection.model.module(), inspection.stochastic.encode, inspection.h).double().numpy()
    n, n_components = means.shape
    description = (
        f"components, of {n_components}, whose posterior mean varies over examples (variance above {ACTIVE_VARIANCE})"
    )
    centred = means - means.mean(0)
    n_active = float((np.square(centred).mean(0) > ACTIVE_VARIANCE).sum())
    if n > MOST_RESAMPLED:
        return Estimate(n_active, description=description)
    weights = subject.comparison.resamples.counts(n) / n
    variance = weights @ np.square(centred) - np.square(weights @ centred)
    return Estimate(n_active, *percentiles((variance > ACTIVE_VARIANCE).sum(1)), description)


def importance(model: Autoencoder, h: Tensor, x: Tensor, n_draws: int, seed: int) -> tuple[Tensor, float]:
    """Return log p(x) by importance sampling, (n,) nats on the model's scale, and the mean effective number of draws.

    Parameters
    ----------
    model : a model with a stochastic code.
    h : output of the encoder for `x`, n x n_inputs.
    x : examples on the model's scale, n x shape.
    n_draws : K, draws of each posterior.
    """
    code, like = model.stochastic, next(model.parameters())
    assert code is not None
    generator = torch.Generator().manual_seed(seed)
    step = max(1, _MAX_NUMBERS_PER_PASS // (n_draws * max(x[0].numel(), model.n_widest)))
    parts, effective = [], 0.0
    for hs, xs in zip(h.split(step), x.split(step), strict=True):
        hs = hs.to(like.device, like.dtype)
        eps = torch.randn(n_draws, len(hs), code.n_noise, generator=generator, dtype=torch.float64).to(hs)
        many = hs.expand(n_draws, *hs.shape).flatten(0, 1)
        repeated = xs.to(like.device, like.dtype).repeat(n_draws, *[1] * (x.dim() - 1))
        score = functools.partial(_log_likelihood, model, x=repeated)
        z, log_q, log_p = code.sample_given(many, eps.flatten(0, 1), score)
        log_w = (log_p - log_q + score(z)).unflatten(0, (n_draws, -1))
        log_w = log_w.detach().double().cpu()
        parts.append(log_w.logsumexp(0) - math.log(n_draws))
        # (sum w)^2 / sum w^2, in logarithms because a weight may be e^-1000
        effective += float((2 * log_w.logsumexp(0) - (2 * log_w).logsumexp(0)).exp().sum())
    return torch.cat(parts), effective / len(x)


def _log_likelihood(model: Autoencoder, z: Tensor, x: Tensor) -> Tensor:
    """Return log p(x | z) of each pair, (B,) nats; for a conditional model log sum_y p(y) p(x | z, y)."""
    if model.label is None:
        return model.likelihood.score(model.undo_scaling(model.decoder(z), x), *split_missing(x))
    return (log_prob_by_label(model, z, x) + model.label.log_frequencies).logsumexp(1)


def _inspection(subject: Subject) -> Inspection:
    if not isinstance(subject, ModelSubject):
        raise Absent("PCA has no stochastic code")
    return subject.inspection


def _caveat(inspection: Inspection) -> str:
    is_grey = inspection.model.model_.likelihood.name == "bernoulli" and inspection.schema.support != "binary"
    return "; a cross-entropy, not a density, because the values are grey" if is_grey else ""
