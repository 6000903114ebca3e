"""Samplers: densities to draw new codes from. They are fitted to the codes of examples after the training.

    q(z) = mean over examples of q(z | x)        the codes that the decoder has learned to decode

The codes of a VAE follow its prior only roughly, and a plain code has no prior. A code that is unlike the codes
of all examples decodes to nothing realistic (Ghosh et al., From variational to deterministic autoencoders, 2020,
https://arxiv.org/abs/1903.12436). L is the number of components of a code, K the number of Gaussians of a mixture.

A temperature T scales the standard deviations of the Gaussians, or of a flow's base; the probabilities of a discrete
code become p^(1/T). T = 1 draws from the fitted density, a lower T draws more usual codes, and T = 0 draws only the
centres.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from narrows.data import spaced_indices
from narrows.estimators.samplers.autoregressive import Autoregressive
from narrows.estimators.samplers.base import MIN_CODES, Sampler, tensors_below
from narrows.estimators.samplers.flow import Flow
from narrows.estimators.samplers.mixture import Mixture
from narrows.estimators.samplers.prior import Prior
from narrows.estimators.samplers.two_stage import TwoStage
from narrows.estimators.signature import to_json
from narrows.params import did_you_mean

__all__ = [
    "MIN_CODES",
    "SAMPLERS",
    "Autoregressive",
    "Flow",
    "Mixture",
    "Prior",
    "Sampler",
    "TwoStage",
    "as_sampler",
    "restore_samplers",
    "save_samplers",
    "subsample",
]

_MAX_CODES = 20_000  # largest number of codes to fit a sampler to

SAMPLERS: dict[str, Callable[..., Sampler]] = {
    "mixture": Mixture,
    "flow": Flow,
    "maf": functools.partial(Flow, kind="maf"),
    "iaf": functools.partial(Flow, kind="iaf"),
    "two_stage": TwoStage,
    "autoregressive": Autoregressive,
}


def save_samplers(samplers: dict[str, Sampler]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the entries for recipe.json, and the tensors, of a model's fitted samplers."""
    documents = {
        name: {"kind": s.name, "settings": {k: to_json(v) for k, v in s.settings().items()}, "classes": s.classes}
        for name, s in samplers.items()
    }
    tensors = {f"samplers.{name}.{part}": t for name, s in samplers.items() for part, t in s.tensors.items()}
    return documents, tensors


def restore_samplers(documents: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Sampler]:
    """Return the samplers from the results of `save_samplers`."""
    samplers = {}
    for name, document in documents.items():
        sampler = samplers[name] = SAMPLERS[document["kind"]](**document["settings"])
        sampler.classes = None if document["classes"] is None else tuple(document["classes"])
        sampler.tensors = tensors_below(tensors, f"samplers.{name}.")
    return samplers


def as_sampler(sampler: str | Sampler) -> Sampler:
    """Return a new sampler by its name, or a copy of a sampler. Raises ValueError for an unknown name."""
    if isinstance(sampler, Sampler) and type(sampler) in SAMPLERS.values():  # other classes could not be saved
        return copy.deepcopy(sampler)
    name = str(sampler)
    if name in ("gaussian", "prior"):
        raise ValueError(f"The sampler {name!r} needs no fit: pass it to sample(sampler={name!r}).")
    if name not in SAMPLERS:
        raise ValueError(f"Unknown sampler {sampler!r}. {did_you_mean(name, SAMPLERS)}")
    return SAMPLERS[name]()


def subsample(n: int) -> np.ndarray:
    """Return the indices of at most `_MAX_CODES` of `n` codes, evenly spaced."""
    return spaced_indices(n, _MAX_CODES)
