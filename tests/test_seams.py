"""Guarantees for parts and data of other packages: any source of examples trains, a target may be another array.

A transcoder learns one array from another: Dunefsky, Chlenski and Nanda, Transcoders find interpretable LLM feature
circuits (2024), https://arxiv.org/abs/2406.11944.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor

import narrows
from narrows import bottlenecks, networks, recipes
from narrows.data import Examples, Schema, infer
from narrows.estimators import models
from narrows.objectives import WeightedObjective
from narrows.recipes import Parts, assemble
from narrows.training import Settings, fit
from narrows.types import Batch

CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"


class Pairs:
    """Pairs of inputs and targets, as an `Examples` outside of narrows."""

    has_neighbors = False
    resident = True

    def __init__(self, X: np.ndarray, Y: np.ndarray) -> None:
        self.inputs, self.targets = torch.from_numpy(X), torch.from_numpy(Y)
        self.schema, self.target = infer(X, "test"), infer(Y, "test")
        self.n_batches = 0

    def __len__(self) -> int:
        return len(self.inputs)

    def on(self, device: torch.device, dtype: torch.dtype) -> Pairs:
        self.device = device
        self.x, self.y = self.schema.prepare(self.inputs, dtype), self.target.prepare(self.targets, dtype)
        return self

    def batch(self, index: Tensor) -> Batch:
        self.n_batches += 1
        return Batch(self.x[index], self.y[index])

    def find_neighbors(self, k: int, among: Tensor, metric: str = "euclidean") -> None:
        raise TypeError("Pairs have no neighbours.")


def pairs(shape: tuple[int, ...], target_shape: tuple[int, ...], n: int = 400) -> Pairs:
    """Arrays of those shapes that depend on the same three numbers."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 3))

    def image_of(shape: tuple[int, ...]) -> np.ndarray:
        return (np.tanh(z @ rng.normal(size=(3, int(np.prod(shape))))) * 3 + 1).reshape(n, *shape)

    return Pairs(image_of(shape), image_of(target_shape))


def trained(parts: Parts, examples: Examples, **changes: object) -> list[dict[str, float]]:
    """The history of a training."""
    settings = {
        "max_epochs": 60,
        "batch_size": 32,
        "precision": "float32",
        "device": "cpu",
        "compile": False,
        **changes,
    }
    return fit(parts.model, parts.objective, examples, examples.schema, Settings(**settings)).history


def explained(parts: Parts, examples: Pairs) -> float:
    """The share of the targets' variance that the model explains, in the targets' units."""
    target = examples.targets.numpy()
    with torch.no_grad():
        output = examples.target.restore(parts.model.reconstruct(examples.schema.prepare(examples.inputs)))
    assert output.shape == target.shape
    return 1 - float(np.mean((output - target) ** 2) / target.var())


@pytest.mark.parametrize(
    ("shape", "target_shape", "network"),
    [
        ((12,), (5,), "auto"),
        ((5,), (12,), "mlp"),
        ((8, 8), (5,), ("mlp", "mlp")),
        ((8, 8), (5,), ("conv", "auto")),
        ((12,), (8, 8), ("mlp", "conv")),
        ((8, 8), (10, 9), "auto"),
    ],
)
def test_one_array_is_learned_from_another(shape, target_shape, network):
    examples = pairs(shape, target_shape)
    torch.manual_seed(0)
    parts = assemble(
        examples.schema, bottlenecks.Plain(3), target=examples.target, network=network, hidden=(32,), likelihood="auto"
    )
    overrides = {"max_epochs": 15} if "conv" in network else {}
    history = trained(parts, examples, learning_rate=5e-3, **overrides)
    assert history[-1]["nll"] < history[0]["nll"]
    assert explained(parts, examples) > (0.6 if overrides else 0.9)
    with torch.no_grad():
        params = parts.model(examples.batch(torch.arange(4))).params
    assert params.shape == (4, *parts.model.likelihood.params_shape(examples.target.shape))


def test_a_transcoder_is_a_sparse_code_with_a_dictionary_of_the_targets_shape():
    examples = pairs((12,), (5,))
    torch.manual_seed(0)
    dictionary = networks.Dictionary(examples.target.shape, 24)
    parts = assemble(
        examples.schema, bottlenecks.TopK(24, 6), target=examples.target, network=("mlp", dictionary), hidden=()
    )
    history = trained(parts, examples, max_epochs=100)
    assert explained(parts, examples) > 0.7
    assert history[-1]["l0"] <= 6
    assert parts.model.decoder is dictionary


@pytest.mark.parametrize("likelihood", ["heteroscedastic", "gaussian"])
def test_a_target_has_a_likelihood_of_its_own_size(likelihood):
    examples = pairs((12,), (8, 8))
    p_x = narrows.likelihoods.choose(likelihood, examples.target)[0]
    dictionary = networks.Dictionary(p_x.params_shape(examples.target.shape), 24)
    parts = assemble(
        examples.schema,
        bottlenecks.TopK(24, 6),
        target=examples.target,
        network=("mlp", dictionary),
        hidden=(),
        likelihood=likelihood,
    )
    assert np.isfinite(trained(parts, examples, max_epochs=3)[-1]["nll"])
    assert explained(parts, examples) < 1


def test_a_stochastic_code_has_a_target_too():
    examples = pairs((12,), (5,))
    torch.manual_seed(0)
    parts = assemble(
        examples.schema, bottlenecks.Gaussian(3), WeightedObjective({"kl": 0.1}), target=examples.target, hidden=(32,)
    )
    assert "kl" in trained(parts, examples, max_epochs=100)[-1]
    assert explained(parts, examples) > 0.6


def test_batches_come_from_the_examples_alone():
    examples = pairs((6,), (6,), n=40)
    parts = assemble(examples.schema, bottlenecks.Plain(2), hidden=(4,))
    trained(parts, examples, max_epochs=2, batch_size=10, early_stopping=False)
    assert examples.n_batches >= 8


def test_a_cost_of_neighbors_takes_examples_without_them():
    examples = pairs((6,), (6,), n=40)
    parts = recipes.get("mapae").make(examples.schema, 2, hidden=(4,))
    assert np.isfinite(trained(parts, examples, max_epochs=2)[-1]["neighbours"])


# ------------------------------------------------------------------------------------------- the guide to a new part


def blocks(section: str) -> list[str]:
    """The Python blocks of a section of CONTRIBUTING.md, without their indentation."""
    text = CONTRIBUTING.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    matches = re.findall(r"^( *)```python\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return ["\n".join(line.removeprefix(indent) for line in code.splitlines()) for indent, code in matches]


@pytest.fixture
def guide(monkeypatch) -> dict[str, object]:
    """The names that the code of "Adding a part" defines."""
    known = dict(recipes.RECIPES)
    for module in (recipes, recipes.registry):
        monkeypatch.setattr(module, "RECIPES", known)
    monkeypatch.setattr(models, "_CLASSES", dict(models._CLASSES))
    names: dict[str, object] = {"__name__": "guide"}
    for code in blocks("Adding a part"):
        exec(compile(code, str(CONTRIBUTING), "exec"), names)
    return names


def test_the_guides_own_part_is_a_recipe_as_it_says(guide, vectors, tmp_path):
    cls = narrows.estimator("rounded")
    settings = {"hidden": (16,), "max_epochs": 100, "random_state": 0, "device": "cpu", "precision": "float32"}
    model = cls(3, **settings).fit(vectors)
    codes = model.transform(vectors)
    assert isinstance(model.model_.bottleneck, guide["Rounded"])
    np.testing.assert_array_equal(codes, np.rint(codes))
    assert np.ptp(codes) > 1
    assert np.mean((model.reconstruct(vectors) - vectors) ** 2) < 0.5 * vectors.var()
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(narrows.load(tmp_path / "model", device="cpu").transform(vectors), codes)
    assert model.sample(4, random_state=0).shape == (4, 6)
    assert "whole numbers" in recipes.RECIPES["rounded"].summary
    assert clone(model).get_params() == model.get_params()


def test_the_guides_other_parts_train_as_they_say(guide, vectors):
    schema: Schema = infer(vectors, "test")
    parts = guide["parts"](schema)
    history = fit(parts.model, parts.objective, vectors, schema, Settings(max_epochs=3, device="cpu")).history
    assert {"nll", "kl", "norm"} <= set(history[-1])
    assert history[-1]["norm"] > 0
