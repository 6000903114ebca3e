"""What an example costs, in nats: bounds of its likelihood, an estimate of it, and what the code carries.

    ELBO  E_q[log p(x | z)] - KL(q(z | x) || p(z))                        a lower bound of log p(x)
    NLL   - log 1/K sum_k p(x | z_k) p(z_k) / q(z_k | x),  z_k ~ q(z | x)  an upper bound of -log p(x) in expectation,
                                                                           which it meets as K grows
Burda, Grosse and Salakhutdinov, Importance weighted autoencoders (2016), https://arxiv.org/abs/1509.00519.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from narrows.bottlenecks import ACTIVE_VARIANCE
from narrows.evaluation.absent import Absent
from narrows.evaluation.intervals import Estimate, percentiles
from narrows.evaluation.registry import measure
from narrows.evaluation.scores import apply_to_code
from narrows.evaluation.subjects import OfModel, OfPCA, Subject
from narrows.model import Autoencoder, inference_mode, log_prob_by_label

N_SCORED = 1_000  # examples whose likelihood is estimated
_N_COMPONENTS = 16  # listed one by one
_PASS_NUMBERS = 1 << 22  # of what is decoded at once, where it is widest


@measure(better=1)
def elbo(subject: Subject) -> Estimate:
    """The evidence lower bound."""
    model = _model(subject)
    assert model.stochastic
    words = f"evidence lower bound on the log-likelihood, nats per example{_caveat(model)}"
    return subject.scene.resamples.mean(model.scores, words)


@measure(better=-1)
def distortion(subject: Subject) -> Estimate:
    """The negative log-likelihood at the example's own code."""
    model = _model(subject)
    if model.estimator.model_.stochastic is not None:
        words = "-E log p(x, y | z), y the likeliest label," if model.estimator.model_.n_classes else "-E log p(x | z),"
        return subject.scene.resamples.mean(-model.scores - model.kl, f"{words} nats per example: -elbo - kl")
    words = f"-log p(x | z) at the example's own code z, nats per example: no likelihood of x itself{_caveat(model)}"
    return subject.scene.resamples.mean(-model.scores, words)


@measure(better=-1)
def nll(subject: Subject) -> Estimate:
    """The negative log-likelihood, by importance sampling."""
    scene = subject.scene
    few = scene.few(N_SCORED)
    if isinstance(subject, OfPCA):
        if not subject.gaussian:
            raise Absent("PCA's density is of real numbers, and the model's likelihood is not")
        return scene.resamples.mean(-subject.scores[few], "exact, of probabilistic PCA")
    model = _model(subject)
    assert model.stochastic
    h, x = model.h[few], model.rows[few]
    module = model.estimator.module()
    with inference_mode(module):
        log_p, effective = importance(module, h, x, scene.n_draws, scene.seed)
    words = (
        f"negative log-likelihood in nats by importance sampling, K = {scene.n_draws} (worth {effective:.0f} draws), "
        f"n = {len(few):,}; an upper bound in expectation{_caveat(model)}"
    )
    return scene.resamples.mean(model.estimator.schema_.log_scale - log_p.numpy(), words)


@measure()
def kl(subject: Subject) -> Estimate:
    """What a code costs: the rate."""
    model = _model(subject)
    return subject.scene.resamples.mean(model.kl, "of the posterior from the prior, nats per example")


@measure()
def kl_per_component(subject: Subject) -> dict[str, Estimate]:
    """The same, component by component, as the model orders them."""
    model = _model(subject)
    cost = model.kl_per_component[:, model.estimator.model_.order.cpu()].double().numpy()
    listed = {f"kl_{i}": cost[:, i] for i in range(min(_N_COMPONENTS, cost.shape[1]))}
    found = {k: subject.scene.resamples.mean(v, f"of component {k[3:]} alone, nats") for k, v in listed.items()}
    if cost.shape[1] > _N_COMPONENTS:
        words = f"of components {_N_COMPONENTS} to {cost.shape[1] - 1} together, nats"
        found["kl_rest"] = subject.scene.resamples.mean(cost[:, _N_COMPONENTS:].sum(1), words)
    return found


@measure()
def active_components(subject: Subject) -> Estimate:
    """Components whose posterior mean varies by more than 0.01 between examples."""
    model = _model(subject)
    means = apply_to_code(model.estimator.module(), model.stochastic.encode, model.h).double().numpy()
    n, n_components = means.shape
    words = f"of {n_components}, whose mean differs between examples (its variance is above {ACTIVE_VARIANCE})"
    centred = means - means.mean(0)
    active = float((np.square(centred).mean(0) > ACTIVE_VARIANCE).sum())
    if n > 20_000:
        return Estimate(active, words=words)
    weights = subject.scene.resamples.counts(n) / n
    variance = weights @ np.square(centred) - np.square(weights @ centred)
    return Estimate(active, *percentiles((variance > ACTIVE_VARIANCE).sum(1)), words)


def importance(model: Autoencoder, h: Tensor, x: Tensor, n_draws: int, seed: int) -> tuple[Tensor, float]:
    """log p(x) by importance sampling, nats on the model's scale (n), and the effective number of draws (mean).

    Parameters
    ----------
    model : with a stochastic code.
    h : the encoder's output for `x`, n x n_inputs.
    x : n x shape.
    n_draws : K.
    """
    code, like = model.stochastic, next(model.parameters())
    assert code is not None
    generator = torch.Generator().manual_seed(seed)
    step = max(1, _PASS_NUMBERS // (n_draws * max(x[0].numel(), model.n_widest)))
    found, effective = [], 0.0
    for hs, xs in zip(h.split(step), x.split(step), strict=True):
        hs = hs.to(like.device, like.dtype)
        eps = torch.randn(n_draws, len(hs), code.n_noise, generator=generator, dtype=torch.float64).to(hs)
        many = hs.expand(n_draws, *hs.shape).flatten(0, 1)
        z, log_q, log_p = (t.unflatten(0, (n_draws, -1)) for t in code.sample(many, eps.flatten(0, 1)))
        log_w = log_p - log_q
        xs = xs.to(like.device, like.dtype)
        repeated = xs.repeat(n_draws, *[1] * (x.dim() - 1))
        log_w = log_w + _log_likelihood(model, z.flatten(0, 1), repeated).unflatten(0, z.shape[:2])
        log_w = log_w.detach().double().cpu()
        found.append(log_w.logsumexp(0) - math.log(n_draws))
        # (sum w)^2 / sum w^2, of weights that may be e^-1000
        effective += float((2 * log_w.logsumexp(0) - (2 * log_w).logsumexp(0)).exp().sum())
    return torch.cat(found), effective / len(x)


def _log_likelihood(model: Autoencoder, z: Tensor, x: Tensor) -> Tensor:
    """log p(x | z) of each pair (B), of a conditional model the sum over its labels: log sum_y p(y) p(x | z, y)."""
    if model.label is None:
        return model.likelihood.score(model.decoder(z), x)
    return (log_prob_by_label(model, z, x) + model.label.log_frequencies).logsumexp(1)


def _model(subject: Subject) -> OfModel:
    if not isinstance(subject, OfModel):
        raise Absent("PCA has no such code")
    return subject


def _caveat(model: OfModel) -> str:
    grey = model.estimator.model_.likelihood.name == "bernoulli" and model.estimator.schema_.support != "binary"
    return "; a cross-entropy and no density, because the values are grey" if grey else ""
