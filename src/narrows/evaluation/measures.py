"""What a fitted model is worth on some examples, beside PCA with as many components."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from narrows.bottlenecks import Gaussian
from narrows.params import nearest
from narrows.training import look

if TYPE_CHECKING:
    from narrows.estimators import Estimator  # for the annotation only: evaluation stands below


@dataclass
class Evaluation:
    """Measures by name, and in `explained` what each one is.

    `print(evaluation)` is a table; `evaluation.to_dict()` is for machines; `evaluation["mse"]` is one of them.
    """

    values: dict[str, float] = field(default_factory=dict)
    explained: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: float, words: str) -> None:
        """Take a measure in."""
        self.values[name], self.explained[name] = value, words

    def to_dict(self) -> dict[str, float]:
        """The measures by name."""
        return dict(self.values)

    def __getitem__(self, name: str) -> float:
        if name not in self.values:
            raise KeyError(f"no measure {name!r} here. {nearest(name, self.values)}")
        return self.values[name]

    def __str__(self) -> str:
        width = max(map(len, self.values), default=0)
        return "\n".join(f"{n:<{width}}  {v:>12.6g}  {self.explained[n]}" for n, v in self.values.items())


def evaluate(model: Estimator, X: Any, train: Any = None) -> Evaluation:
    """Measure `model` on `X`.

    Parameters
    ----------
    model : a fitted estimator.
    X : examples, best ones that it was not fitted on.
    train : the examples that it was fitted on, to fit PCA on too; without them PCA is fitted on `X` itself, which
        favours PCA.

    Returns
    -------
    Evaluation
        `n`; `mse` per entry on the model's scale ([0, 1] for images, a column's variance for real-valued vectors);
        `psnr` in dB, the mean over images; `elbo` and `kl` in nats per example for a stochastic code, otherwise `nll`
        at the example's own code; `active_components` (variance of the posterior mean above 0.01: Burda et al., 2016,
        https://arxiv.org/abs/1509.00519); `l0` and `dead_fraction` for a sparse code; `pca_mse`.
    """
    if not hasattr(model, "prepared"):
        raise TypeError(f"evaluate takes a fitted narrows estimator. Got {type(model).__name__}.")
    rows = model.prepared(X)
    found = Evaluation()
    found.add("n", len(rows), "examples")
    reconstructed = model.applied(model.model_.reconstruct, rows)
    error = (reconstructed - rows).square().flatten(1).mean(1).double()
    scale = "of the [0, 1] scale" if model.schema_.support in ("unit", "binary") else "on the model's scale"
    found.add("mse", float(error.mean()), f"mean squared error per entry, {scale}")
    if model.schema_.kind == "image" and model.schema_.support in ("unit", "binary"):
        psnr = 10 * torch.log10(1 / error.clamp(min=1e-12))
        found.add("psnr", float(psnr.mean()), "peak signal-to-noise ratio in dB, mean over images")
    h = model.applied(model.model_.encoder, rows)
    _likelihood(model, X, h, found)
    n_components = model.model_.bottleneck.n_components
    explained = {
        "active_components": f"of {n_components}, whose mean differs between examples",
        "l0": "units active for one example",
        "dead_fraction": f"of {n_components} units, active for none of these examples",
    }
    for name, value in look(model.model_, h).items():
        found.add(name, value, explained[name])
    if n_components:
        flat = rows.flatten(1).numpy()
        fitted = flat if train is None else model.prepared(train).flatten(1).numpy()
        # a sparse code's numbers are those that are not 0
        n = max(1, min(round(found.values.get("l0", n_components)), *fitted.shape))
        where = "the same examples, which favours it" if train is None else f"{len(fitted)} training examples"
        pca = PCA(n, random_state=0).fit(fitted)
        missed = flat - pca.inverse_transform(pca.transform(flat))
        words = f"the same of PCA with {n} components, fitted on {where}"
        found.add("pca_mse", float(np.square(missed, dtype=np.float64).mean()), words)
    return found


def _likelihood(model: Estimator, X: Any, h: Tensor, found: Evaluation) -> None:
    score = model.score(X)
    bottleneck = model.model_.bottleneck
    if not isinstance(bottleneck, Gaussian):
        found.add("nll", -score, "negative log-likelihood at the example's own code, nats per example")
        return
    found.add("elbo", score, "evidence lower bound of the log-likelihood, nats per example")
    found.add("kl", float(bottleneck.kl(h).sum(1).mean()), "of the posterior from the prior, nats per example")
