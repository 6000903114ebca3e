"""Scores of examples by a model, in nats, without random numbers: the score does not depend on the batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import torch
from scipy.stats import betabinom
from torch import Tensor

from narrows.bottlenecks import Sample
from narrows.fitted import FittedModel
from narrows.model import Autoencoder, infer_label, inference_mode
from narrows.types import split_missing

T = TypeVar("T")
AUTO_CONTAMINATION = 0.05  # what contamination="auto" stands for in the estimators
_CHANCE = 0.005  # probability below which a number of outliers is not put down to chance
_N_THRESHOLD = 100  # taken where it is not known how many examples set a threshold: few, so that nothing is said rashly
N_DRAWS = 8  # draws of the posterior, for an ELBO


def log_likelihood(model: Autoencoder, x: Tensor) -> Tensor:
    """Return the score of each clean example of `x` (B x shape): (B,) nats.

    For a stochastic code it is the ELBO, E_q[log p(x | z) + log p(z) - log q(z | x)]. The expectation is a mean over
    the same `N_DRAWS` draws for every example, in pairs eps, -eps. For a conditional model it is the ELBO of x and its
    likeliest label y, log p(y) + ELBO(x | y). For any other code it is log p(x | z) at the code z of x, which is not a
    likelihood of x. For a model that predicts hidden entries it is the sum of log p(entry | all others), the
    pseudo-log-likelihood. Missing entries (NaN) are left out.
    """
    target, observed = split_missing(x)
    if model.corruption.predicts_hidden:
        return model.likelihood.score(model.decode_own(x), target, observed)
    columns, log_p_label = _likeliest_label(model, x)
    h = model.encoder(x)
    code = model.stochastic
    if code is None:
        z = model.bottleneck.encode(h)
        params = model.undo_scaling(model.decoder(z if columns is None else torch.cat([z, columns], 1)), x)
        nats = model.likelihood.score(params, target, observed)
        return nats if log_p_label is None else nats + log_p_label
    total = torch.zeros(len(x), dtype=torch.promote_types(h.dtype, torch.float32), device=h.device)
    for eps in draws(code.n_noise, N_DRAWS).to(total):
        z, log_q, log_p = model.draw(h, eps.expand(len(h), -1), target, observed, columns)
        params = model.undo_scaling(model.decoder(z if columns is None else torch.cat([z, columns], 1)), x)
        total = total + (log_p - log_q) + model.likelihood.score(params, target, observed)
        if code.uses_likelihood:
            total = total.detach()  # its draws need gradients, whose graphs would stay in memory
    elbo = total / N_DRAWS
    return elbo if log_p_label is None else elbo + log_p_label  # log p(x) is at least log p(x, y) for any label y


def draw_posterior(model: Autoencoder, x: Tensor, eps: Tensor) -> Sample:
    """Draw a stochastic code of each example of x (B x shape) with the noise eps (B x n_noise)."""
    h, (target, observed) = model.encoder(x), split_missing(x)
    uses_labels = model.stochastic is not None and model.stochastic.uses_likelihood
    return model.draw(h, eps.to(h), target, observed, _likeliest_label(model, x)[0] if uses_labels else None)


def draw_kl(model: Autoencoder, x: Tensor) -> Tensor:
    """Return the mean of log q - log p over the draws of `log_likelihood`, for a stochastic code: (B,) nats."""
    assert model.stochastic is not None
    noise = draws(model.stochastic.n_noise, N_DRAWS).to(x)
    samples = [draw_posterior(model, x, eps.expand(len(x), -1)) for eps in noise]
    return torch.stack([(log_q - log_p).detach() for _, log_q, log_p in samples]).mean(0)


def _likeliest_label(model: Autoencoder, x: Tensor) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """Return the columns of the likeliest label of each example (B x C) and log p(y) (B, nats); None without labels."""
    if model.label is None:
        return None, None
    columns = infer_label(model, x)
    return columns, (columns * model.label.log_frequencies).sum(1)


class OutlierShare(NamedTuple):
    """The share of n examples that are called outliers: what `contamination` lets expect, and what was found.

    Attributes
    ----------
    expected, found : shares in [0, 1].
    n : number of the examples.
    n_threshold : number of held-out examples whose scores set the threshold.
    """

    expected: float
    found: float
    n: int
    n_threshold: int = _N_THRESHOLD

    @property
    def chance(self) -> float:
        """Probability of a number of outliers that is at least as far from the expected one, on this side, in [0, 1].

        The threshold is an order statistic of m scores, so the share of all examples below it has the distribution
        Beta((m + 1) p, (m + 1) (1 - p)) for the expected share p, and the number among n is beta-binomial.
        """
        k, m = round(self.found * self.n), self.n_threshold + 1
        law = betabinom(self.n, m * self.expected, m * (1 - self.expected))
        return float(law.sf(k - 1) if self.found > self.expected else law.cdf(k))

    @property
    def hint(self) -> str:
        """A sentence about shares that differ by more than chance, otherwise nothing."""
        if self.chance >= _CHANCE:
            return ""
        if self.found > self.expected:
            return ". These examples differ from those of the training."
        return ". So few are usual for examples that the model was trained on."

    def __str__(self) -> str:
        return f"{self.expected:.1%} outliers expected, {self.found:.1%} found"


def expected_outliers(contamination: float | str) -> float:
    """Return the share of outliers for which the parameter `contamination` sets the threshold."""
    return AUTO_CONTAMINATION if contamination == "auto" else float(contamination)


def outlier_share(contamination: float | str, is_outlier: np.ndarray, n_threshold: int | None = None) -> OutlierShare:
    """Return the expected and the found share of outliers among n examples.

    Parameters
    ----------
    contamination : the model's parameter.
    is_outlier : (n,) booleans.
    n_threshold : the model's `n_threshold_`, the number of held-out examples whose scores set the threshold; None if it
        is not known.
    """
    expected = expected_outliers(contamination)
    return OutlierShare(expected, float(np.mean(is_outlier)), len(is_outlier), n_threshold or _N_THRESHOLD)


def entry_costs(model: FittedModel, rows: Tensor) -> np.ndarray:
    """Return -log p(x | z) of each entry at the example's own code z: n x `schema.shape`, nats; 0 where it is missing.

    Parameters
    ----------
    rows : examples on the model's scale, n x `schema.shape`.
    """
    network = model.module()

    def costs(x: Tensor) -> Tensor:
        target, observed = split_missing(x)
        nats = -network.likelihood.log_prob(network.decode_own(x), target)
        return nats if observed is None else nats * observed

    return model.apply(costs, rows).double().numpy()


def entry_scores(model: FittedModel, rows: np.ndarray) -> np.ndarray:
    """Return log p(x | z) of each entry at the example's own code z, NaN where it is missing: n x `schema.shape`, nats.

    For real-valued vectors and columns the density is in the user's units.

    Parameters
    ----------
    rows : examples in the user's units.
    """
    network, schema = model.module(), model.schema_

    def score(x: Tensor) -> Tensor:
        params = network.decode_own(x)
        nats = network.likelihood.log_prob(
            params.to(torch.promote_types(params.dtype, torch.float32)), split_missing(x)[0]
        )
        return nats.masked_fill(torch.isnan(x), torch.nan)

    nats = model.apply(score, rows).double().numpy()
    return nats if schema.kind == "image" else nats - schema.entry_log_scale(rows)


def usual_scores(model: FittedModel, rows: np.ndarray) -> np.ndarray:
    """Return the mean of log p(x | z) over examples, by which a missing entry is replaced in decisions.

    Parameters
    ----------
    rows : examples in the user's units.

    Returns
    -------
    (d,) nats, one number for each column of vectors or tables; (1,) for images, one number for all entries.
    """
    scores = entry_scores(model, rows).reshape(len(rows), -1)
    if model.schema_.kind == "image":
        scores = scores.reshape(-1, 1)
    total, n = np.nansum(scores, axis=0), (~np.isnan(scores)).sum(0)
    return total / np.maximum(n, 1)


def missing_scores(usual: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the usual scores of what is missing in each example: (n,) nats.

    Parameters
    ----------
    usual : (d,) or (1,) nats, as `usual_scores` gives them.
    rows : examples in the user's units.
    """
    if rows.dtype.kind != "f":
        return np.zeros(len(rows))
    is_missing = np.isnan(np.asarray(rows)).reshape(len(rows), -1)
    total: np.ndarray = is_missing @ np.broadcast_to(usual, (is_missing.shape[1],))
    return total


def usual_costs(costs: np.ndarray) -> np.ndarray:
    """Return the usual cost of each entry: its median over examples, or 0 if there is only one example.

    NaN is left out; the result is NaN for an entry that is always missing. An entry that is noisy in every example
    makes none of them strange. A mean would be raised by the strange ones.
    """
    if len(costs) < 2:
        return np.zeros(costs.shape[1:])
    if not np.isnan(costs).any():
        return np.median(costs, axis=0)
    usual = np.full(costs.shape[1:], np.nan)
    is_seen = ~np.isnan(costs).all(0)
    usual[is_seen] = np.nanmedian(costs[:, is_seen], axis=0)
    return usual


def apply_to_code(model: Autoencoder, function: Callable[[Tensor], T], h: Tensor) -> T:
    """Call a method of the bottleneck, such as `encode`, with the encoder's output `h`; tensors return to the CPU."""
    with inference_mode(model):
        result: Any = function(h.to(next(model.parameters()).device))
    return cast("T", result.detach().cpu() if isinstance(result, Tensor) else result)


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # the draws are cached, also for callers that need gradients
def draws(n_components: int, n: int) -> Tensor:
    """Return `n` fixed draws from N(0, I), in pairs of opposite sign (n x n_components).

    All examples share the draws, so their errors would not average out. Therefore each component has exactly the mean 0
    and the variance 1, and if n / 2 is at least `n_components`, components are not correlated.
    """
    pairs, generator = n // 2, torch.Generator().manual_seed(20_260_101)
    with torch.inference_mode(False):
        half = torch.randn(pairs, n_components, generator=generator, dtype=torch.float64)
        if pairs >= n_components:
            half = torch.linalg.qr(half).Q
        half = half / half.square().mean(0).sqrt()
        return torch.cat([half, -half])
