"""Where the codes of real examples lie, learned after the training: new codes are drawn from there.

    q(z) = mean over examples of q(z | x)        the codes that the decoder has learned to decode

A VAE's prior is where codes are pulled to, and a plain code has none: what is drawn between the codes of examples
decodes to nothing real. Ghosh et al., From variational to deterministic autoencoders (2020),
https://arxiv.org/abs/1903.12436. L is the number of components of a code, K that of a mixture.

A temperature T scales the spread: the standard deviations of Gaussians, and of a flow's base. T = 1 draws what was
learned, less draws what is more usual, and 0 the centres alone.
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

from narrows.bottlenecks import Stochastic
from narrows.data import spaced_indices
from narrows.estimators.signature import to_json
from narrows.model import Autoencoder, inference_mode
from narrows.params import LAYER_WIDTHS, Integer, OneOf, Parameter, did_you_mean, either
from narrows.training import forked_rng

FEWEST = 10  # codes that a sampler is fitted to
_ROWS = 20_000  # the same, at most
_HELD_OUT = 0.1  # share of them by which the number of Gaussians, and the end of a flow's training, are chosen


class Sampler(ABC):
    """Abstract: a density of codes that can be drawn from.

    Constructors only store plain numbers; what is learned is in `tensors`, so that both can be saved.
    """

    name: ClassVar[str]
    tensors: dict[str, Tensor]
    classes: tuple[Any, ...] | None = None  # whose codes can be asked for by number, where it was fitted with labels

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, for recipe.json."""

    @abstractmethod
    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> Sampler:
        """Learn from the codes Z (n x L, double precision), and from the number of the class of each."""

    @abstractmethod
    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """New codes: n x L, double precision; of the classes of those numbers, where it was fitted with labels."""

    @abstractmethod
    def log_prob(self, Z: Tensor) -> Tensor:
        """Log-density of the codes Z (n x L) in nats: n."""


class Mixture(Sampler):
    """A mixture of Gaussians: q(z) = sum_k w_k N(z; mean_k, R_k' R_k), fitted by expectation and maximisation.

    With labels each class has a mixture of its own, q(z | y), and all together are one mixture.

    Parameters
    ----------
    n_components : K; "auto" doubles it from 1 for as long as codes that were held out become likelier.
    max_components : K at most, for "auto".

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
        """One Gaussian, also with a covariance that is singular."""
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
        """The constructor's arguments."""
        return {"n_components": self.n_components, "max_components": self.max_components}

    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> Mixture:
        """Learn from the codes Z (n x L), and from the number of the class of each."""
        if labels is None:
            self.tensors = self._learned(Z, seed)
            return self
        counts = np.bincount(labels, minlength=len(self.classes or ()))
        if counts.min() < FEWEST:
            raise ValueError(f"A mixture by label needs {FEWEST} examples of each. One has {counts.min()}.")
        parts = [self._learned(Z[torch.from_numpy(labels == i)], seed) for i in range(len(counts))]
        self.tensors = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        own = torch.tensor([len(part["weights"]) for part in parts])
        self.tensors["label"] = torch.arange(len(counts)).repeat_interleave(own)
        self.tensors["weights"] *= torch.from_numpy(counts / len(Z)).repeat_interleave(own)
        return self

    def _learned(self, Z: Tensor, seed: int) -> dict[str, Tensor]:
        owner = type(self).__name__
        Parameter("n_components", "auto", either(Integer(1, len(Z)), OneOf(("auto",))), "").check(
            owner, self.n_components
        )
        Parameter("max_components", 64, Integer(1), "").check(owner, self.max_components)
        mean, std = _scale(Z)
        codes = ((Z - mean) / std).numpy()
        if isinstance(self.n_components, str):
            best = self._grown(codes, seed)
        else:
            best = _fitted(codes, self.n_components, seed)
        roots = np.linalg.cholesky(best.covariances_).transpose(0, 2, 1) * std.numpy()
        means = best.means_ * std.numpy() + mean.numpy()
        return self._of(best.weights_, means, roots).tensors

    def _grown(self, codes: np.ndarray, seed: int) -> Any:
        train, held_out = _split(codes, seed)
        best, best_score, n = None, -math.inf, 1
        # a Gaussian of L components wants more than L codes of its own
        while n == 1 or (n <= self.max_components and n * 2 * (codes.shape[1] + 1) <= len(train)):
            found = _fitted(train, n, seed)
            score = float(found.score(held_out))
            if score <= best_score:
                break
            best, best_score, n = found, score, 2 * n
        return best

    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """New codes: each of one of the K Gaussians, or of one of those of its class, drawn by its weight."""
        weights, means, roots = (self.tensors[name].numpy() for name in ("weights", "means", "roots"))
        eps = generator.standard_normal((n, means.shape[1])) * temperature
        which = np.zeros(n, int)
        if labels is not None:
            for label in np.unique(labels):
                own, place = np.flatnonzero(self.tensors["label"].numpy() == label), labels == label
                which[place] = generator.choice(own, place.sum(), p=weights[own] / weights[own].sum())
        elif len(weights) > 1:
            which = generator.choice(len(weights), n, p=weights / weights.sum())
        z = means[which]
        for k in range(len(weights)):
            z[which == k] += eps[which == k] @ roots[k]
        return torch.from_numpy(z)

    def log_prob(self, Z: Tensor) -> Tensor:
        """log sum_k w_k N(z; mean_k, R_k' R_k)."""
        weights, means, roots = (self.tensors[name] for name in ("weights", "means", "roots"))
        # z - mean = eps R, so eps' = R'^-1 (z - mean)'
        eps = torch.linalg.solve(roots.mT, (Z.double() - means[:, None]).mT)
        normal = -0.5 * eps.square().sum(1) - 0.5 * Z.shape[1] * math.log(2 * math.pi)
        return torch.logsumexp(normal + (weights.log() - torch.linalg.slogdet(roots).logabsdet)[:, None], 0)


class Flow(Sampler):
    """A normalising flow: z = f(eps), eps ~ N(0, I), with splines for f. Needs the extra `flows` (zuko).

    Durkan et al., Neural spline flows (2019), https://arxiv.org/abs/1906.04032. Finer than a mixture where there are
    many codes, slower to fit and to draw from.

    Parameters
    ----------
    transforms : autoregressive layers of splines.
    hidden : widths of the networks that give the splines.
    max_epochs : passes over the codes, at most; it ends when codes that were held out become no likelier.
    """

    name = "flow"

    def __init__(self, transforms: int = 3, *, hidden: tuple[int, ...] = (128, 128), max_epochs: int = 100) -> None:
        self.transforms, self.hidden, self.max_epochs = transforms, hidden, max_epochs
        self.tensors = {}

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"transforms": self.transforms, "hidden": list(self.hidden), "max_epochs": self.max_epochs}

    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> Flow:
        """Learn from the codes Z (n x L), by maximum likelihood."""
        if labels is not None:
            raise ValueError("A flow learns from codes alone: leave `y` out, or take a mixture, which has one a label.")
        owner = type(self).__name__
        for name, rule in (("transforms", Integer(1)), ("hidden", LAYER_WIDTHS), ("max_epochs", Integer(1))):
            Parameter(name, None, rule, "").check(owner, getattr(self, name))
        mean, std = _scale(Z)
        train, held_out = map(torch.from_numpy, _split(((Z - mean) / std).float().numpy(), seed))
        with forked_rng(seed):
            flow = self._module(Z.shape[1])
            state = _trained(flow, train, held_out, self.max_epochs)
        self.tensors = {"mean": mean, "std": std, **{f"flow.{name}": tensor for name, tensor in state.items()}}
        return self

    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """New codes."""
        eps = torch.from_numpy(generator.standard_normal((n, len(self.tensors["mean"]))) * temperature)
        flow = self._restored()
        with torch.inference_mode():
            z = torch.cat([flow().transform.inv(part) for part in eps.float().split(4096)])
        return z.double() * self.tensors["std"] + self.tensors["mean"]

    def log_prob(self, Z: Tensor) -> Tensor:
        """log N(f^-1(z); 0, I) + log |det of the Jacobian of f^-1|."""
        mean, std, flow = self.tensors["mean"], self.tensors["std"], self._restored()
        with torch.inference_mode():
            nats = torch.cat([flow().log_prob(part) for part in ((Z - mean) / std).float().split(4096)])
        return nats.double() - std.log().sum()

    def _module(self, n_components: int) -> Any:
        try:
            import zuko
        except ImportError as error:
            raise ImportError("A flow needs zuko. Install it: pip install 'narrows[flows]'.") from error
        return zuko.flows.NSF(n_components, transforms=self.transforms, hidden_features=tuple(self.hidden))

    def _restored(self) -> Any:
        with forked_rng(0):
            flow = self._module(len(self.tensors["mean"]))
        flow.load_state_dict({k.removeprefix("flow."): t for k, t in self.tensors.items() if k.startswith("flow.")})
        return flow.eval()


class Prior(Sampler):
    """p(z) of a stochastic code, as the model has it. The model keeps it, so it is never saved on its own.

    Parameters
    ----------
    model : with a stochastic code.
    """

    name = "prior"

    def __init__(self, model: Autoencoder) -> None:
        self.model, self.tensors = model, {}

    def settings(self) -> dict[str, Any]:
        """None: the model's recipe has them."""
        return {}

    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> Prior:
        """Return the prior as it is: it was learned with its model."""
        return self

    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """New codes, of noise that the temperature scales."""
        eps = torch.from_numpy(generator.standard_normal((n, self._code.n_prior_noise)))
        eps[:, self._code.n_unscaled_noise :] *= temperature
        if eps.shape[1] == len(self.model.order):  # a component keeps its noise, whatever place users see it in
            eps = self.model.to_own_order(eps)
        with inference_mode(self.model):
            z = self._code.from_prior(eps.to(self._like)).detach()
        return z[:, self.model.order.to(z.device)].double().cpu()

    def log_prob(self, Z: Tensor) -> Tensor:
        """log p(z)."""
        with inference_mode(self.model):
            return self._code.log_prior(self.model.to_own_order(Z.to(self._like))).detach().double().cpu()

    @property
    def _code(self) -> Stochastic:
        code = self.model.stochastic
        assert code is not None
        return code

    @property
    def _like(self) -> Tensor:
        """A tensor where the prior computes, in its dtype: double precision where it has learned nothing."""
        return next(self._code.parameters(), torch.zeros((), dtype=torch.float64))


SAMPLERS: dict[str, type[Sampler]] = {"mixture": Mixture, "flow": Flow}


def by_label(Z: Tensor, labels: np.ndarray, classes: tuple[Any, ...], seed: int) -> Mixture:
    """One Gaussian for each class."""
    found = Mixture(1)
    found.classes = classes
    return found.fit(Z, seed, labels)


def saved(samplers: dict[str, Sampler]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What recipe.json and the weights' file hold of the fitted samplers of a model."""
    documents = {
        name: {"kind": one.name, "settings": {k: to_json(v) for k, v in one.settings().items()}, "classes": one.classes}
        for name, one in samplers.items()
    }
    tensors = {f"samplers.{name}.{part}": t for name, one in samplers.items() for part, t in one.tensors.items()}
    return documents, tensors


def restored(documents: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Sampler]:
    """The inverse of `saved`."""
    found = {}
    for name, document in documents.items():
        one = found[name] = SAMPLERS[document["kind"]](**document["settings"])
        one.classes = None if document["classes"] is None else tuple(document["classes"])
        prefix = f"samplers.{name}."
        one.tensors = {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
    return found


def chosen(sampler: str | Sampler) -> Sampler:
    """An unfitted sampler by name, or a copy of the one that is given."""
    if isinstance(sampler, Sampler) and type(sampler) in SAMPLERS.values():  # others could not be saved
        return copy.deepcopy(sampler)
    name = str(sampler)
    if name not in SAMPLERS:
        raise ValueError(f"Unknown sampler {sampler!r}. {did_you_mean(name, SAMPLERS)}")
    return SAMPLERS[name]()


def some(n: int) -> np.ndarray:
    """The numbers of at most `_ROWS` of `n` codes, evenly spaced."""
    return spaced_indices(n, _ROWS)


def _scale(Z: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each component; 1 for one that does not vary."""
    std, mean = torch.std_mean(Z, 0, correction=0)
    return mean, torch.where(std > 1e-12, std, torch.ones_like(std))


def _split(codes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes to learn from, and codes to judge by."""
    order = np.random.default_rng(seed).permutation(len(codes))
    n = max(1, round(_HELD_OUT * len(codes)))
    return codes[order[n:]], codes[order[:n]]


def _fitted(codes: np.ndarray, n: int, seed: int) -> Any:
    """scikit-learn's mixture of `n` Gaussians."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a mixture is as good as its held-out likelihood
        return GaussianMixture(n, random_state=seed, reg_covar=1e-4, max_iter=200).fit(codes)


def _trained(
    flow: Any, train: Tensor, held_out: Tensor, max_epochs: int, *, patience: int = 5, batch: int = 256
) -> dict[str, Tensor]:
    """The state of `flow` at which codes that were held out were likeliest.

    A loop of its own: a flow is no autoencoder, and has one loss and no schedule.
    """
    optimizer = torch.optim.AdamW(flow.parameters(), lr=1e-3, weight_decay=1e-4)
    best, best_loss, waited = copy.deepcopy(flow.state_dict()), math.inf, 0
    for _ in range(max_epochs):
        for part in torch.randperm(len(train)).split(batch):
            loss = -flow().log_prob(train[part]).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
            optimizer.step()
        with torch.no_grad():
            held = float(-flow().log_prob(held_out).mean())
        if held < best_loss:
            best, best_loss, waited = copy.deepcopy(flow.state_dict()), held, 0
        else:
            waited += 1
            if waited == patience:
                break
    return best
