"""Samplers: densities to draw new codes from. They are fitted to the codes of examples after the training.

    q(z) = mean over examples of q(z | x)        the codes that the decoder has learned to decode

The codes of a VAE follow its prior only roughly, and a plain code has no prior. A code that is unlike the codes
of all examples decodes to nothing realistic (Ghosh et al., From variational to deterministic autoencoders, 2020,
https://arxiv.org/abs/1903.12436). L is the number of components of a code, K the number of Gaussians of a mixture.

A temperature T scales the standard deviations of the Gaussians, or of a flow's base. T = 1 draws from the fitted
density, a lower T draws more usual codes, and T = 0 draws only the centres.
"""

from __future__ import annotations

import copy
import math
import warnings
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from narrows.bottlenecks import PriorCode
from narrows.data import spaced_indices
from narrows.estimators.signature import to_json
from narrows.model import Autoencoder, inference_mode
from narrows.params import LAYER_WIDTHS, Integer, OneOf, Parameter, did_you_mean, either
from narrows.training import forked_rng

MIN_CODES = 10  # smallest number of codes to fit a sampler to
_MAX_CODES = 20_000  # largest number of codes to fit a sampler to
_HELD_OUT = 0.1  # share of the codes that decide on the number of Gaussians, and when a flow's training ends


class Sampler(ABC):
    """Abstract: a density of codes that can be drawn from.

    Constructors only store plain numbers. Fitted values are in `tensors`. Both can be saved.
    """

    name: ClassVar[str]
    tensors: dict[str, Tensor]
    classes: tuple[Any, ...] | None = None  # labels that the sampler was fitted with

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments, for recipe.json."""

    @abstractmethod
    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> Sampler:
        """Fit the density to codes Z (n x L, float64). `labels` are their class indices, n integers, or None."""

    @abstractmethod
    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """Draw new codes: n x L, float64. `labels` are their class indices if the sampler was fitted with labels."""

    @abstractmethod
    def log_prob(self, Z: Tensor) -> Tensor:
        """Return the log-density of codes Z (n x L) in nats: n numbers."""


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
        counts = np.bincount(labels, minlength=len(self.classes or ()))
        if counts.min() < MIN_CODES:
            raise ValueError(f"A mixture for each label needs {MIN_CODES} examples of each. One has {counts.min()}.")
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
        mean, std = _mean_and_std(Z)
        codes = ((Z - mean) / std).numpy()
        if isinstance(self.n_components, str):
            best = self._fit_growing(codes, seed)
        else:
            best = _fit_gaussians(codes, self.n_components, seed)
        roots = np.linalg.cholesky(best.covariances_).transpose(0, 2, 1) * std.numpy()
        means = best.means_ * std.numpy() + mean.numpy()
        return self._of(best.weights_, means, roots).tensors

    def _fit_growing(self, codes: np.ndarray, seed: int) -> Any:
        train, held_out = _split(codes, seed)
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


class Flow(Sampler):
    """A normalising flow: z = f(eps), eps ~ N(0, I), where f is made of splines. Needs the extra `flows` (zuko).

    Durkan et al., Neural spline flows (2019), https://arxiv.org/abs/1906.04032. With many codes it is more
    exact than a mixture. It is slower to fit and to draw from.

    Parameters
    ----------
    transforms : number of autoregressive layers of splines, at least 1.
    hidden : widths of the hidden layers of the networks that compute the splines.
    max_epochs : largest number of passes over the codes; fewer if held-out codes become no likelier before.
    """

    name = "flow"

    def __init__(self, transforms: int = 3, *, hidden: tuple[int, ...] = (128, 128), max_epochs: int = 100) -> None:
        self.transforms, self.hidden, self.max_epochs = transforms, hidden, max_epochs
        self.tensors = {}

    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"transforms": self.transforms, "hidden": list(self.hidden), "max_epochs": self.max_epochs}

    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> Flow:
        """Fit to codes Z (n x L) by maximum likelihood.

        Raises
        ------
        ValueError
            If `labels` are given, or a setting is not valid.
        ImportError
            If zuko is not installed.
        """
        if labels is not None:
            raise ValueError("A flow takes no labels: leave `y` out, or use a mixture, which handles labels.")
        owner = type(self).__name__
        for name, rule in (("transforms", Integer(1)), ("hidden", LAYER_WIDTHS), ("max_epochs", Integer(1))):
            Parameter(name, None, rule, "").check(owner, getattr(self, name))
        mean, std = _mean_and_std(Z)
        train, held_out = map(torch.from_numpy, _split(((Z - mean) / std).float().numpy(), seed))
        with forked_rng(seed):
            flow = self._make_flow(Z.shape[1])
            state = _train_flow(flow, train, held_out, self.max_epochs)
        self.tensors = {"mean": mean, "std": std, **{f"flow.{name}": tensor for name, tensor in state.items()}}
        return self

    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """Draw new codes; `labels` are ignored."""
        eps = torch.from_numpy(generator.standard_normal((n, len(self.tensors["mean"]))) * temperature)
        flow = self._load_flow()
        with torch.inference_mode():
            z = torch.cat([flow().transform.inv(part) for part in eps.float().split(4096)])
        return z.double() * self.tensors["std"] + self.tensors["mean"]

    def log_prob(self, Z: Tensor) -> Tensor:
        """Return log N(f^-1(z); 0, I) + log |det J|, where J is the Jacobian of f^-1: n numbers, nats."""
        mean, std, flow = self.tensors["mean"], self.tensors["std"], self._load_flow()
        with torch.inference_mode():
            nats = torch.cat([flow().log_prob(part) for part in ((Z - mean) / std).float().split(4096)])
        return nats.double() - std.log().sum()

    def _make_flow(self, n_components: int) -> Any:
        try:
            import zuko
        except ImportError as error:
            raise ImportError("A flow needs zuko. Install it: pip install 'narrows[flows]'.") from error
        return zuko.flows.NSF(n_components, transforms=self.transforms, hidden_features=tuple(self.hidden))

    def _load_flow(self) -> Any:
        with forked_rng(0):
            flow = self._make_flow(len(self.tensors["mean"]))
        flow.load_state_dict({k.removeprefix("flow."): t for k, t in self.tensors.items() if k.startswith("flow.")})
        return flow.eval()


class Prior(Sampler):
    """The prior p(z) of a code. It is part of the model, and is never saved separately.

    Parameters
    ----------
    model : a model whose code has a prior.
    """

    name = "prior"

    def __init__(self, model: Autoencoder) -> None:
        self.model, self.tensors = model, {}

    def settings(self) -> dict[str, Any]:
        """Return no settings: they are in the model's recipe."""
        return {}

    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> Prior:
        """Return the prior unchanged: it was trained with its model."""
        return self

    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """Draw new codes from noise scaled by the temperature; `labels` are ignored."""
        eps = torch.from_numpy(generator.standard_normal((n, self._code.n_prior_noise)))
        eps[:, self._code.n_unscaled_noise :] *= temperature
        if eps.shape[1] == len(self.model.order):  # the noise of a component does not depend on their order
            eps = self.model.to_own_order(eps)
        with inference_mode(self.model):
            z = self._code.from_prior(eps.to(self._like)).detach()
        return z[:, self.model.order.to(z.device)].double().cpu()

    def log_prob(self, Z: Tensor) -> Tensor:
        """Return log p(z): n numbers, nats."""
        with inference_mode(self.model):
            return self._code.log_prior(self.model.to_own_order(Z.to(self._like))).detach().double().cpu()

    @property
    def _code(self) -> PriorCode:
        code = self.model.prior_code
        assert code is not None
        return code

    @property
    def _like(self) -> Tensor:
        """A tensor on the device and in the dtype of the prior; a prior without parameters computes in float64."""
        return next(self._code.parameters(), torch.zeros((), dtype=torch.float64))


SAMPLERS: dict[str, type[Sampler]] = {"mixture": Mixture, "flow": Flow}


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
        prefix = f"samplers.{name}."
        sampler.tensors = {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
    return samplers


def as_sampler(sampler: str | Sampler) -> Sampler:
    """Return a new sampler by its name, or a copy of a sampler. Raises ValueError for an unknown name."""
    if isinstance(sampler, Sampler) and type(sampler) in SAMPLERS.values():  # other classes could not be saved
        return copy.deepcopy(sampler)
    name = str(sampler)
    if name not in SAMPLERS:
        raise ValueError(f"Unknown sampler {sampler!r}. {did_you_mean(name, SAMPLERS)}")
    return SAMPLERS[name]()


def subsample(n: int) -> np.ndarray:
    """Return the indices of at most `_MAX_CODES` of `n` codes, evenly spaced."""
    return spaced_indices(n, _MAX_CODES)


def _mean_and_std(Z: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of each component. A standard deviation of 0 becomes 1."""
    std, mean = torch.std_mean(Z, 0, correction=0)
    return mean, torch.where(std > 1e-12, std, torch.ones_like(std))


def _split(codes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split codes into training and validation codes."""
    order = np.random.default_rng(seed).permutation(len(codes))
    n = max(1, round(_HELD_OUT * len(codes)))
    return codes[order[n:]], codes[order[:n]]


def _fit_gaussians(codes: np.ndarray, n: int, seed: int) -> Any:
    """Fit scikit-learn's mixture of `n` Gaussians."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the likelihood of held-out codes decides
        return GaussianMixture(n, random_state=seed, reg_covar=1e-4, max_iter=200).fit(codes)


def _train_flow(
    flow: Any, train: Tensor, held_out: Tensor, max_epochs: int, *, patience: int = 5, batch: int = 256
) -> dict[str, Tensor]:
    """Train `flow` and return its state with the highest likelihood of held-out codes.

    It has its own loop, because a flow is not an autoencoder: it has one loss and no schedule.
    """
    optimizer = torch.optim.AdamW(flow.parameters(), lr=1e-3, weight_decay=1e-4)
    best, best_loss, n_without_improvement = copy.deepcopy(flow.state_dict()), math.inf, 0
    for _ in range(max_epochs):
        for part in torch.randperm(len(train)).split(batch):
            loss = -flow().log_prob(train[part]).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
            optimizer.step()
        with torch.no_grad():
            loss = float(-flow().log_prob(held_out).mean())
        if loss < best_loss:
            best, best_loss, n_without_improvement = copy.deepcopy(flow.state_dict()), loss, 0
        else:
            n_without_improvement += 1
            if n_without_improvement == patience:
                break
    return best
