"""A mixture of Gaussians over codes."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.estimators.samplers.base import Sampler, count_classes, mean_and_std, split_codes
from narrows.params import Integer, OneOf, Parameter, either


class Mixture(Sampler):
    """A mixture of Gaussians: q(z) = sum_k w_k N(z; mean_k, R_k' R_k), fitted by expectation maximisation.

    With labels each class has its own mixture, q(z | y), and all of them together are one mixture.

    Parameters
    ----------
    n_components : K, at least 1; "auto" starts at 1 and doubles it as long as the likelihood of held-out codes rises.
    max_components : largest K for "auto".

    Examples
    --------
    >>> import torch
    >>> Z = torch.cat([torch.randn(200, 2).double(), torch.randn(200, 2).double() + 9])
    >>> len(Mixture(2).fit(Z, seed=0).tensors["weights"])
    2
    """

    name = "mixture"

    def __init__(self, n_components: int | str = "auto", *, max_components: int = 64) -> None:
        self.n_components, self.max_components = n_components, max_components
        self.tensors = {}

    @classmethod
    def gaussian(cls, mean: np.ndarray, covariance: np.ndarray) -> Mixture:
        """Make one Gaussian from a mean (L,) and a covariance (L, L), which may be singular."""
        values, vectors = np.linalg.eigh(covariance)
        root = np.sqrt(values.clip(min=0))[:, None] * vectors.T  # root.T @ root = V diag(values) V.T
        return cls._of(np.ones(1), np.asarray(mean)[None], root[None])

    @classmethod
    def _of(cls, weights: np.ndarray, means: np.ndarray, roots: np.ndarray) -> Mixture:
        mixture = cls(len(weights))
        arrays = {"weights": weights, "means": means, "roots": roots}
        mixture.tensors = {name: torch.as_tensor(array, dtype=torch.float64) for name, array in arrays.items()}
        return mixture

    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"n_components": self.n_components, "max_components": self.max_components}

    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> Mixture:
        """Fit to codes Z (n x L), with a mixture for each class if `labels` (class indices) are given.

        Raises
        ------
        ValueError
            If a setting is not valid, or a class has fewer than 10 codes.
        """
        if labels is None:
            self.tensors = self._fit_one(Z, seed)
            return self
        counts = count_classes(labels, len(self.classes or ()), type(self).__name__)
        parts = [self._fit_one(Z[torch.from_numpy(labels == i)], seed) for i in range(len(counts))]
        self.tensors = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        sizes = torch.tensor([len(part["weights"]) for part in parts])
        self.tensors["label"] = torch.arange(len(counts)).repeat_interleave(sizes)
        self.tensors["weights"] *= torch.from_numpy(counts / len(Z)).repeat_interleave(sizes)
        return self

    def _fit_one(self, Z: Tensor, seed: int) -> dict[str, Tensor]:
        owner = type(self).__name__
        Parameter("n_components", "auto", either(Integer(1, len(Z)), OneOf(("auto",))), "").check(
            owner, self.n_components
        )
        Parameter("max_components", 64, Integer(1), "").check(owner, self.max_components)
        mean, std = mean_and_std(Z)
        codes = ((Z - mean) / std).numpy()
        if isinstance(self.n_components, str):
            best = self._fit_growing(codes, seed)
        else:
            best = _fit_gaussians(codes, self.n_components, seed)
        roots = np.linalg.cholesky(best.covariances_).transpose(0, 2, 1) * std.numpy()
        means = best.means_ * std.numpy() + mean.numpy()
        return self._of(best.weights_, means, roots).tensors

    def _fit_growing(self, codes: np.ndarray, seed: int) -> Any:
        train, held_out = split_codes(codes, seed)
        best, best_score, n = None, -math.inf, 1
        # each Gaussian needs more than L codes of its own
        while n == 1 or (n <= self.max_components and n * 2 * (codes.shape[1] + 1) <= len(train)):
            candidate = _fit_gaussians(train, n, seed)
            score = float(candidate.score(held_out))
            if score <= best_score:
                break
            best, best_score, n = candidate, score, 2 * n
        return best

    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """Draw new codes. For each, one of the K Gaussians (with labels, one of its class) is drawn by its weight."""
        weights, means, roots = (self.tensors[name].numpy() for name in ("weights", "means", "roots"))
        eps = generator.standard_normal((n, means.shape[1])) * temperature
        component = np.zeros(n, int)
        if labels is not None:
            for label in np.unique(labels):
                choices, rows = np.flatnonzero(self.tensors["label"].numpy() == label), labels == label
                p = weights[choices] / weights[choices].sum()
                component[rows] = generator.choice(choices, rows.sum(), p=p)
        elif len(weights) > 1:
            component = generator.choice(len(weights), n, p=weights / weights.sum())
        z = means[component]
        for k in range(len(weights)):
            z[component == k] += eps[component == k] @ roots[k]
        return torch.from_numpy(z)

    def log_prob(self, Z: Tensor) -> Tensor:
        """Return log sum_k w_k N(z; mean_k, R_k' R_k): n numbers, nats."""
        weights, means, roots = (self.tensors[name] for name in ("weights", "means", "roots"))
        # z - mean = eps R, so eps' = R'^-1 (z - mean)'
        eps = torch.linalg.solve(roots.mT, (Z.double() - means[:, None]).mT)
        normal = -0.5 * eps.square().sum(1) - 0.5 * Z.shape[1] * math.log(2 * math.pi)
        return torch.logsumexp(normal + (weights.log() - torch.linalg.slogdet(roots).logabsdet)[:, None], 0)


def _fit_gaussians(codes: np.ndarray, n: int, seed: int) -> Any:
    """Fit scikit-learn's mixture of `n` Gaussians."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the likelihood of held-out codes decides
        return GaussianMixture(n, random_state=seed, reg_covar=1e-4, max_iter=200).fit(codes)
