"""Recipes and data for tests: one representative of each seam, and all other recipes.

Run by torchrun with a folder as its argument it fits the representatives in several processes (see
`test_contract.py`); no test by itself.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import narrows
from narrows.estimators.labels import label_indices_where_known, learn_classes
from narrows.recipes import RECIPES, Parts
from narrows.training import parallel
from narrows.types import Batch

SMALL = {
    "hidden": (16,),
    "max_epochs": 3,
    "batch_size": 16,
    "random_state": 0,
    "device": "cpu",
    "precision": "float32",
    "compile": False,
}
N = 40
SIZES = {"vqvae2": 20}  # lengths of codes of the recipes that do not take every length


class Case:
    """A recipe with parameters of its own.

    Parameters
    ----------
    recipe : its name.
    n_components : of the code, None for a model without one.
    n_missing : of each three labels, those that are not known.
    parameters : of the recipe, where they differ from the defaults.
    """

    def __init__(self, recipe: str, n_components: int | None = 4, *, n_missing: int = 0, **parameters: Any) -> None:
        self.recipe, self.n_components, self.n_missing, self.parameters = recipe, n_components, n_missing, parameters

    @property
    def is_tabular(self) -> bool:
        """True if its models take rows of tables only."""
        return RECIPES[self.recipe].is_tabular

    def takes(self, kind: str) -> bool:
        """True if its models take data of this kind."""
        is_image = kind not in ("vectors", "counts")
        recipe = RECIPES[self.recipe]
        return not ((recipe.is_tabular or recipe.is_layered) if is_image else recipe.is_visual)

    @property
    def id(self) -> str:
        """The name of the test case."""
        names = [name if value is True else str(value) for name, value in self.parameters.items()]
        names += ["no_code"] if self.n_components is None else []
        return "-".join([self.recipe, *names, *(["missing"] if self.n_missing else [])])

    def make(self, net: str = "auto", **changes: Any) -> Any:
        """The estimator, not yet fitted."""
        cls = narrows.estimator(self.recipe)
        values = {**SMALL, "n_components": self.n_components, "network": net, **self.parameters, **changes}
        return cls(**{key: value for key, value in values.items() if key in cls.parameters()})

    def labels(self, n: int) -> dict[str, np.ndarray]:
        """The argument `y` of `fit` for n examples, where the recipe takes labels."""
        if not self.parameters.get("conditional"):
            return {}
        y = np.arange(n) % 3.0
        y[(np.arange(n) // 3) % 3 < self.n_missing] = np.nan
        return {"y": y}

    def fit(self, model: Any, X: Any) -> Any:
        """Fit `model` to X, and to labels where it takes some."""
        return model.fit(X, **self.labels(len(X)))

    def parts(self, kind: str, net: str = "auto", dtype: torch.dtype = torch.float32) -> tuple[Parts, Batch]:
        """Untrained parts, and all of the data as one batch; each example's neighbour is the one before it."""
        model = self.make(net)
        rows = model._start_fit(data(kind))
        y, label = self.labels(N), None
        if y:
            model.schema_ = learn_classes(model.schema_, y["y"], N, "test")
            label = torch.from_numpy(label_indices_where_known(y["y"], model.schema_, N, "test"))
        parts = model._assemble(0)
        x = model.schema_.prepare(torch.from_numpy(np.array(rows)), dtype)
        near = x.roll(1, 0) if parts.objective.neighbors is not None else None
        return (
            parts._replace(model=parts.model.to(dtype), objective=parts.objective.to(dtype)),
            Batch(x, x, label=label, neighbor=near),
        )


REPRESENTATIVES = (
    Case("ae"),  # a plain code
    Case("vae"),  # a stochastic one
    Case("vae", posterior="flow", prior="mixture"),  # without a KL in closed form
    Case("vae", posterior="laplace"),  # with another posterior and another prior
    Case("vae", likelihood="heteroscedastic"),  # a likelihood of two numbers an entry
    Case("vae", conditional=True),  # labels
    Case("iwae"),  # an objective of several draws
    Case("vamp", n_modes=6),  # a prior that depends on the encoder, and starts at training rows
    Case("factorvae"),  # a cost with an opponent
    Case("vqvae"),  # a quantised code
    Case("catvae"),  # categories
    Case("sae"),  # a sparse one
    Case("dae"),  # a corruption
    Case("mapae"),  # a cost of neighbours
    Case("wae"),  # a prior without a posterior
    Case("tableae", 16, n_blocks=1),  # a model that predicts hidden entries, whose codes cannot be decoded
)
OTHERS = (
    Case("dae", None),
    Case("vae", prior="mixture"),
    Case("vae", posterior="flow"),
    Case("vae", conditional=True, n_missing=1),
    Case("hvae", conditional=True, n_missing=1),
    Case("vae", posterior="planar", prior="flow"),
    Case("vae", prior="vamp", conditional=True, n_missing=1),
    Case("vae", bound="piwae", prior="mixture", conditional=True, n_missing=1),
    Case("fsqae", conditional=True, n_missing=1),
    Case("rqvae", n_levels=3, n_codes=16, prefix_share=0.5),  # levels that start one after the other
    Case("sae", sparsity="l1"),
    Case("sae", sparsity="kl"),
    Case("sae", sparsity="batchtopk"),
    Case("sae", sparsity="jumprelu"),
    Case("sae", sparsity="gated"),
    Case("sae", sparsity="matryoshka"),
    Case("wae", conditional=True),
    Case("rae", conditional=True, n_missing=1),
    Case("ae", conditional=True),
    Case("factorvae", conditional=True, n_missing=1),
    *(
        Case(name)
        for name, recipe in RECIPES.items()
        if name not in {case.recipe for case in REPRESENTATIVES} and not recipe.is_visual
    ),
)
OF_IMAGES = tuple(Case(name, SIZES.get(name, 4)) for name, recipe in RECIPES.items() if recipe.is_visual)


def data(kind: str, n: int = N) -> np.ndarray:
    """`n` examples that depend on two hidden numbers."""
    rng = np.random.default_rng(5)
    z = rng.uniform(-1, 1, size=(n, 2))
    if kind == "vectors":
        return np.tanh(z @ rng.normal(size=(2, 7))) * rng.uniform(1, 9, size=7) + 3
    if kind == "counts":
        return rng.poisson(np.exp(z @ rng.normal(size=(2, 7)) * 3 - 2)).astype(np.float64)
    h, w = (9, 10) if kind == "grey" else (8, 8)
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j]
    spots = np.exp(-((x - z[:, :1, None]) ** 2 + (y - z[:, 1:, None]) ** 2) / 0.4)
    images = spots if kind == "grey" else np.stack([spots, spots[:, ::-1], 1 - spots], axis=-1)
    return np.rint(255 * images).astype(np.uint8)


def weights(case: Case) -> dict[str, torch.Tensor]:
    """Weights after a short training in float64, whose batches two processes cannot share evenly."""
    model = case.fit(case.make(batch_size=15, precision="float64"), data("vectors"))
    return dict(model.model_.state_dict())


if __name__ == "__main__":
    rank = parallel.join("cpu").rank
    torch.save({case.id: weights(case) for case in REPRESENTATIVES}, Path(sys.argv[1]) / f"{rank}.pt")
