"""Pruning of codes: a smaller autoencoder from a larger one, without the least important directions of its code.

    z' = P (z - m)        P: k x L, with orthonormal rows; m: L
    a plain code       P: the first k principal axes of the codes of training examples, m their mean
    a Gaussian code    P: the k components with the largest KL, m = 0

The encoder must end and the decoder must begin with a linear layer, and both absorb the projection: the encoder's W, b
become P W and P (b - m); the decoder's U, c become U P^T and c + U m. A short training adapts the smaller model. It is
short because most of what a network has learned does not depend on the size of its code.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from narrows.data import principal_axes, spaced_indices, subsample_evenly
from narrows.estimators import Estimator
from narrows.estimators.signature import seed_of_run
from narrows.params import counted
from narrows.recipes import Parts
from narrows.training import fit as train

_MAX_EXAMPLES = 10_000  # training examples for the principal axes of a plain code


def find_obstacle(model: Estimator, X: Any, large: int, small: int) -> str | None:
    """Return the reason why `model` cannot be pruned from `large` to `small` components, None if it can.

    Parameters
    ----------
    model : an estimator; it is not fitted, and a fitted one is not changed.
    X : training examples.
    """
    larger, smaller = (clone(model).set_params(n_components=n) for n in (large, small))
    larger._check_parameters()
    larger._start_fit(X)
    _copy_data_attributes(larger, smaller)
    parts, smaller_parts = larger._assemble(0), smaller._assemble(0)
    name = larger.recipe.name
    if not parts.model.bottleneck.is_separable:
        return f"some components of a code of {name} alone are not a code of the same kind"
    if set(parts.objective.weights) - {"nll", "kl", "free_nats"} or parts.objective.opponent_parameters():
        return f"{name} has costs that belong to the whole code"
    if parts.model.n_classes:
        return "a conditional model's decoder has labels beside the code"
    n = parts.model.bottleneck.n_components
    try:
        _project(parts.model.state_dict(), smaller_parts.model.state_dict(), torch.eye(small, n), torch.zeros(n))
    except ValueError:
        return "the layers next to the code are not linear layers of its size"
    return None


def prune(model: Estimator, n_components: int, rows: np.ndarray) -> tuple[Estimator, Parts]:
    """Return an estimator with fewer components than the fitted `model`, ready for `fine_tune`, and its parts.

    Parameters
    ----------
    model : a fitted estimator for which `find_obstacle` returns None.
    n_components : k, less than the number of components of `model`.
    rows : n x `schema_.user_shape`, the training examples.

    Raises
    ------
    ValueError
        If the layers next to the code are not linear layers of its size.
    """
    small = clone(model).set_params(n_components=n_components)
    _copy_data_attributes(model, small)
    parts = small._assemble(0)
    net, target = model.model_, parts.model.state_dict()
    if net.bottleneck.is_stochastic:
        p, m = torch.eye(len(net.order))[net.order[:n_components].cpu()], torch.zeros(len(net.order))
    else:
        p, m = _leading_axes(model.apply(net.encode, subsample_evenly(rows, _MAX_EXAMPLES)), n_components)
    parts.model.to(next(net.parameters()).dtype)
    state = {name: t.cpu() for name, t in net.state_dict().items()}
    parts.model.load_state_dict(_project(state, target, p, m))
    small.model_ = parts.model
    return small, parts


def fine_tune(small: Estimator, parts: Parts, rows: np.ndarray, epochs: float) -> Estimator:
    """Train the estimator and the parts that `prune` returned, and return the fitted estimator.

    Parameters
    ----------
    rows : n x `schema_.user_shape`, the training examples.
    epochs : passes over `rows`, above 0; below 1 it is one pass over that fraction of the rows.
    """
    if epochs < 1:
        rows = rows[spaced_indices(len(rows), max(2, round(epochs * len(rows))))]
    parts.objective.restart(0.0, warmup=0.0)  # a warm-up would only erase the code
    settings = small.settings(
        seed_of_run(small.random_state, small.checkpoint),
        max_epochs=max(1, int(epochs)),
        max_time=None,
        checkpoint=None,
    )
    title = f"{type(small).__name__}, {counted(small.n_components, 'component')}"
    result = train(parts.model, parts.objective, rows, small.schema_, settings, title=title)
    small.history_, small.n_iter_ = result.history, result.n_epochs
    small.report_ = [
        small.schema_.describe(),
        *map(str, parts.choices),
        *map(str, result.choices),
        *result.notes,
        "It was pruned from a larger model: the least important directions of the code were removed.",
    ]
    small._store_summary(rows, result)
    return small


def _leading_axes(codes: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the first k principal axes (k x L) of codes (n x L), and the mean of the codes (L)."""
    mean, axes, _ = principal_axes(codes.double())
    return axes[:, -k:].flip(1).t().float(), mean.float()


def _copy_data_attributes(large: Estimator, small: Estimator) -> None:
    """Copy the fitted attributes that describe the data, but none that belong to the codes."""
    for name, value in vars(large).items():
        if name.endswith("_") and not name.startswith("_") and name not in ("model_", "samplers_", "unit_names_"):
            setattr(small, name, copy.copy(value))


def _project(state: dict[str, Tensor], target: dict[str, Tensor], p: Tensor, m: Tensor) -> dict[str, Tensor]:
    """Project the tensors `state` of a model with L components to the shapes of `target`, a model with k components.

    A tensor whose first axis differs belongs to the encoder's last layer; one whose second axis differs belongs to the
    decoder's first layer. The encoder of a Gaussian code gives L means and then L log standard deviations; both are
    projected in the same way. Several layers may be added up, such as a network and a linear path beside it; then one
    of them subtracts the mean `m`.
    """
    k, n = p.shape
    if state.keys() != target.keys():
        raise ValueError("a model with fewer components has other layers")
    result = {name: like if name == "order" else state[name] for name, like in target.items()}
    is_shifted = False
    for name, like in target.items():
        t = state[name]
        if name == "order" or t.shape == like.shape:
            continue
        p, m = p.to(t.dtype), m.to(t.dtype)
        if t.dim() == 2 and t.shape[1] == n and like.shape == (len(t), k):
            bias = f"{name.removesuffix('weight')}bias"
            result[bias] = result[bias] + t @ m
            result[name] = t @ p.t()
        elif t.dim() in (1, 2) and len(t) in (n, 2 * n) and like.shape == (len(t) // n * k, *t.shape[1:]):
            shift = torch.zeros((), dtype=t.dtype)
            if t.dim() == 1 and not is_shifted:
                shift, is_shifted = m, True
            result[name] = torch.cat([p @ (part - shift) for part in t.split(n)])
        else:
            raise ValueError(f"{name} is {tuple(t.shape)}, and {tuple(like.shape)} with fewer components")
    return result
