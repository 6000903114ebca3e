"""A smaller autoencoder out of a larger one: the directions of its code that carry least are taken away.

    z' = P (z - m)        P: k x L, with orthonormal rows; m: L
    a plain code       P: the first k principal directions of the codes of training examples, m their mean
    a Gaussian code    P: the k components with the largest KL, m = 0

Where the encoder ends and the decoder begins with a linear layer, both take this in: the encoder's W, b become P W and
P (b - m); the decoder's U, c become U P' and c + U m. What follows is a short training, in which the smaller model
learns to do without. It begins near the end: most of what a network knows is not about the width of its code.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from narrows.data import spaced_indices, subsample_evenly
from narrows.estimators import Estimator
from narrows.estimators.signature import seed_of_run
from narrows.estimators.summary import summarize
from narrows.recipes import Parts
from narrows.training import fit as train

_LOOKED_AT = 10_000  # training examples, for the directions of a plain code


def why_not(model: Estimator, X: Any, large: int, small: int) -> str | None:
    """Why a model with `small` components cannot be made of one with `large`, unfitted `model`; None where it can."""
    first, second = (clone(model).set_params(n_components=n) for n in (large, small))
    first._check_parameters()
    first._begin(X)
    _hand_over(first, second)
    parts, few = first._assemble(0), second._assemble(0)
    name = first.recipe.name
    if not parts.model.bottleneck.is_separable:
        return f"a part of the code of {name} is no smaller code of the same kind"
    if set(parts.objective.weights) - {"nll", "kl", "free_nats"} or parts.objective.opponent_parameters():
        return f"{name} has costs that belong to the whole code"
    if parts.model.n_classes:
        return "a conditional model's decoder has labels beside the code"
    n = parts.model.bottleneck.n_components
    try:
        _projected(parts.model.state_dict(), few.model.state_dict(), torch.eye(small, n), torch.zeros(n))
    except ValueError:
        return "the layers next to the code are not linear ones of its width"
    return None


def pruned(model: Estimator, n_components: int, rows: np.ndarray) -> tuple[Estimator, Parts]:
    """An estimator with fewer components than the fitted `model`, not yet trained, and its parts.

    Parameters
    ----------
    rows : the training examples.
    """
    small = clone(model).set_params(n_components=n_components)
    _hand_over(model, small)
    parts = small._assemble(0)
    net, wanted = model.model_, parts.model.state_dict()
    if net.bottleneck.is_stochastic:
        p, m = torch.eye(len(net.order))[net.order[:n_components].cpu()], torch.zeros(len(net.order))
    else:
        p, m = _principal(model.applied(net.encode, subsample_evenly(rows, _LOOKED_AT)), n_components)
    parts.model.to(next(net.parameters()).dtype)
    state = {name: t.cpu() for name, t in net.state_dict().items()}
    parts.model.load_state_dict(_projected(state, wanted, p, m))
    small.model_ = parts.model
    return small, parts


def tuned(small: Estimator, parts: Parts, rows: np.ndarray, epochs: float) -> Estimator:
    """Train what `pruned` gave for a while.

    Parameters
    ----------
    epochs : passes over `rows`; less than one is a pass over so many of them.
    """
    if epochs < 1:
        rows = rows[spaced_indices(len(rows), max(2, round(epochs * len(rows))))]
    parts.objective.restart(0.0, warmup=0.0)  # the code says something already
    settings = small.settings(
        seed_of_run(small.random_state, small.checkpoint),
        max_epochs=max(1, int(epochs)),
        max_time=None,
        checkpoint=None,
    )
    title = f"{type(small).__name__}, {small.n_components} components"
    result = train(parts.model, parts.objective, rows, small.schema_, settings, title=title)
    small.history_, small.n_iter_ = result.history, result.n_epochs
    small.report_ = [
        small.schema_.describe(),
        *map(str, parts.choices),
        *map(str, result.choices),
        *result.notes,
        "It began as a larger model, of whose code the directions that carry least were taken away.",
    ]
    summarize(small, rows)
    return small


def _principal(codes: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The first k principal directions of codes (n x L), k x L, and their mean."""
    z = codes.double()
    _, vectors = torch.linalg.eigh(torch.cov(z.t()).reshape(z.shape[1], -1))
    return vectors[:, -k:].flip(1).t().float(), z.mean(0).float()


def _hand_over(large: Estimator, small: Estimator) -> None:
    """What was found out about the data, and nothing about the codes that are no more."""
    for name, value in vars(large).items():
        if name.endswith("_") and not name.startswith("_") and name not in ("model_", "samplers_"):
            setattr(small, name, copy.copy(value))


def _projected(state: dict[str, Tensor], wanted: dict[str, Tensor], p: Tensor, m: Tensor) -> dict[str, Tensor]:
    """The tensors of a model with L components, projected to those of one with k.

    What differs in the first axis is of the encoder's last layer, in the second of the decoder's first. A Gaussian's
    encoder gives L means and then L log standard deviations, each of which is projected alike.
    """
    k, n = p.shape
    if state.keys() != wanted.keys():
        raise ValueError("a model with fewer components has other layers")
    found = {name: like if name == "order" else state[name] for name, like in wanted.items()}
    for name, like in wanted.items():
        t = state[name]
        if name == "order" or t.shape == like.shape:
            continue
        p, m = p.to(t.dtype), m.to(t.dtype)
        if t.dim() == 2 and t.shape[1] == n and like.shape == (len(t), k):
            bias = f"{name.removesuffix('weight')}bias"
            found[bias] = found[bias] + t @ m
            found[name] = t @ p.t()
        elif t.dim() in (1, 2) and len(t) in (n, 2 * n) and like.shape == (len(t) // n * k, *t.shape[1:]):
            shift = m if t.dim() == 1 else torch.zeros((), dtype=t.dtype)
            found[name] = torch.cat([p @ (part - shift) for part in t.split(n)])
        else:
            raise ValueError(f"{name} is {tuple(t.shape)}, and {tuple(like.shape)} with fewer components")
    return found
