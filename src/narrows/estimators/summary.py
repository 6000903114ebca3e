"""Summary of a trained model: facts about its codes and scores, and messages about its data."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.bottlenecks import Sparse, active_components, as_sparse
from narrows.data import subsample_evenly
from narrows.estimators.parallel import prepare_rows
from narrows.estimators.threshold import Threshold, find_threshold, select_scored
from narrows.evaluation.scores import apply_to_code, missing_scores, usual_scores
from narrows.fitted import FittedModel
from narrows.likelihoods import Likelihood
from narrows.model import Autoencoder, inference_mode
from narrows.params import counted
from narrows.training import n_health_rows

_BLOCK = 256  # rows whose codes of many units are in memory at once


class Summary(NamedTuple):
    """Facts about the codes and scores of a trained model. Fields whose names end in "_" become attributes.

    Attributes
    ----------
    sample : training rows from which the summary is computed, in the user's units.
    order : (L,) indices of the bottleneck's components, sorted by their nats, largest first.
    n_dead : number of a sparse code's units that are active for none of `sample`; None for other codes.
    components_kl_ : (L,) these nats in this order. Both are None without a KL for each component.
    unused_components_ : indices in this order of the components that carry nothing; None if the code is not stochastic.
    code_mean_, code_std_ : (L,) mean and standard deviation of the codes; None without codes.
    code_covariance_ : (L, L) covariance of the codes; None if codes cannot be sampled.
    usual_scores_ : (d,) mean log p of each column over the scored rows; (1,) for images; None if gaps are not taken.
    threshold : score in nats below which an example is an outlier, with its reason.
    """

    sample: np.ndarray
    order: Tensor | None
    n_dead: int | None
    components_kl_: np.ndarray | None
    unused_components_: list[int] | None
    code_mean_: np.ndarray | None
    code_std_: np.ndarray | None
    code_covariance_: np.ndarray | None
    usual_scores_: np.ndarray | None
    threshold: Threshold


def summarize(
    estimator: FittedModel, rows: np.ndarray, held_out: np.ndarray, score: Callable[[np.ndarray], np.ndarray]
) -> Summary:
    """Summarize the codes and scores of a model that was trained on `rows`. The estimator does not change.

    Parameters
    ----------
    estimator : the trained model.
    rows : rows of the training, in the user's units.
    held_out : numbers of those rows that were held out, integers; may be empty.
    score : function from rows to their log-likelihoods, (n,) nats.
    """
    model = estimator.module()
    sample = subsample_evenly(rows, n_health_rows(model, estimator.n_iter_ * len(rows)))
    z, order, kl, unused, n_dead = None, None, None, None, None
    if model.stochastic is not None:
        h = estimator.apply(model.encoder, sample)
        kl, order = _components_by_kl(model, h)
        z = apply_to_code(model, model.stochastic.encode, h)[:, model.order.cpu() if order is None else order]
        unused = (~active_components(z)).nonzero().flatten().tolist()
    mean = std = covariance = None
    if (sparse := as_sparse(model.bottleneck)) is not None:
        mean, std, n_dead = summarize_units(estimator, sparse, sample)
    elif model.has_code:
        codes = (estimator.apply(model.encode, sample) if z is None else z).double().numpy()
        mean, std = codes.mean(0), codes.std(0)
        if model.bottleneck.default_sampler is not None:
            covariance = np.atleast_2d(np.cov(codes, rowvar=False))
    usual = None
    if estimator.recipe.allows_gaps:
        scored = select_scored(estimator, rows, held_out, sample)
        usual = usual_scores(estimator, subsample_evenly(scored, len(scored)))  # fewer if they are large
    threshold = find_threshold(
        estimator,
        rows,
        held_out,
        sample,
        lambda part: score(part) if usual is None else score(part) + missing_scores(usual, part),
    )
    return Summary(sample, order, n_dead, kl, unused, mean, std, covariance, usual, threshold)


def summarize_units(estimator: FittedModel, code: Sparse, sample: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return mean and standard deviation of each unit (L numbers each), and how many units fire for no row.

    The codes are looked at block by block: those of many units would take more memory than the training.
    """
    model = estimator.module()
    total, squares = (torch.zeros(code.n_components, dtype=torch.float64) for _ in range(2))
    fired = torch.zeros(code.n_components, dtype=torch.bool)
    with inference_mode(model):
        for start in range(0, len(sample), _BLOCK):
            z = model.encode(prepare_rows(sample[start : start + _BLOCK], estimator.schema_, model)).detach().cpu()
            fired |= code.fires(z).any(0)
            total += z.sum(0, dtype=torch.float64)
            squares += z.double().square_().sum(0)
    mean = total / len(sample)
    std = (squares / len(sample) - mean.square()).clamp(min=0).sqrt()
    return mean.numpy(), std.numpy(), int((~fired).sum())


def _components_by_kl(model: Autoencoder, h: Tensor) -> tuple[np.ndarray, Tensor] | tuple[None, None]:
    """Return the mean nats of each component, largest first, and their order; None without a closed form.

    A code with categories keeps its order, because the values of one stay together.
    """
    assert model.stochastic is not None
    kl = apply_to_code(model, model.stochastic.kl_per_component, h)
    if kl is None:
        return None, None
    nats = kl.mean(0)
    order = torch.arange(len(nats)) if model.stochastic.has_categories else nats.argsort(descending=True)
    return nats[order].double().numpy(), order


def contains(likelihood: Likelihood, x: Tensor) -> Tensor:
    """Return a mask of the entries of x (B x shape) that the likelihood can score, or that are missing."""
    return likelihood.contains(x) | torch.isnan(x)


def support_message(estimator: FittedModel, rows: np.ndarray, outside: np.ndarray, first: int = 0) -> str:
    """Return an error message about values that the likelihood cannot score.

    Parameters
    ----------
    rows : examples in the user's units.
    outside : indices of the rows with such values.
    first : position of `rows[0]` in the whole data.
    """
    schema, likelihood, owner = estimator.schema_, estimator.model_.likelihood, type(estimator).__name__
    rows = rows[outside]
    bad = ~estimator.apply(lambda x: contains(likelihood, x), rows).numpy()
    column = int(np.argwhere(bad.reshape(len(bad), -1)[0])[0, 0])
    bad = (np.moveaxis(bad, 1, -1) if schema.layout == "hwc" else bad).reshape(rows.shape)
    values = rows[bad]
    place = f"column {schema.columns[column]!r}" if schema.columns else f"column {column}"
    if schema.kind == "image":
        place = f"image {first + int(outside[0]):,}"
    support = likelihood.support
    if schema.scale[0] != 1 and support == "[0, 1]":
        support = f"[0, {schema.scale[0]:g}]"
    advice = (
        'pass likelihood="gaussian"'
        if "likelihood" in estimator.parameters()
        else "give the recipe a parameter `likelihood`, so that the data keep the scale that it needs"
    )
    n_bad = counted(int(bad.sum()), "value")
    return (
        f"X holds {n_bad} outside {support} (min {values.min():g}, max {values.max():g}, the first in "
        f'{place}), which the "{likelihood.name}" likelihood of {owner} cannot score. Rescale X, or '
        f"{advice}."
    )
