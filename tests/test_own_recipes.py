"""Recipes of users and of other packages: as good as narrows' own, with any parameters."""

import json
import pickle
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from torch import Tensor, nn
from typer.testing import CliRunner

import narrows
from narrows import bottlenecks, recipes
from narrows.cli import app
from narrows.data import infer
from narrows.estimators import models
from narrows.types import Code

SMALL = {
    "max_epochs": 2,
    "batch_size": 32,
    "random_state": 0,
    "device": "cpu",
    "precision": "float32",
    "compile": False,
}
PACKAGE = '''
from typing import Annotated

from narrows.bottlenecks import Plain
from narrows.params import Integer
from narrows.recipes import Parts, assemble, register


@register
def barely(schema, n_components: Annotated[int, Integer(1), "numbers in a code"] = 2) -> Parts:
    """An autoencoder with nothing to set but its size."""
    return assemble(schema, Plain(n_components), hidden=(8,))
'''


def run(*arguments: str) -> str:
    """The output of the command."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


@pytest.fixture
def bare(monkeypatch):
    """The class of a recipe that has no `network`, no `hidden` and no `likelihood`."""

    def bare(schema, n_components: recipes.Components = 2) -> recipes.Parts:
        """An autoencoder with nothing to set but its size."""
        return recipes.assemble(schema, bottlenecks.Plain(n_components), hidden=(8,))

    monkeypatch.setitem(recipes.RECIPES, "bare", recipes.Recipe("bare", bare))
    yield narrows.estimator("bare")
    models._CLASSES.pop("bare", None)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A folder in which a package is installed that brings the recipe `barely`."""
    folder = tmp_path / "site"
    about = folder / "narrows_barely-1.0.dist-info"
    about.mkdir(parents=True)
    (folder / "narrows_barely.py").write_text(PACKAGE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: narrows-barely\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[narrows.recipes]\nbarely = narrows_barely:barely\n")
    monkeypatch.syspath_prepend(folder)
    known = dict(recipes.RECIPES)
    for module in (recipes, recipes.registry):
        monkeypatch.setattr(module, "RECIPES", known)
    monkeypatch.setattr(models, "_CLASSES", dict(models._CLASSES))
    recipes.registry._load_installed.cache_clear()
    yield folder
    sys.modules.pop("narrows_barely", None)
    recipes.registry._load_installed.cache_clear()


class Downhill(bottlenecks.Bottleneck):
    """z = h - grad E(h) / 2, with E(h) = |A h|^2 / 2: a code that takes a gradient to be found."""

    needs_gradient = True

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.n_components = self.n_inputs = n_components
        self.energy = nn.Linear(n_components, n_components, bias=False)

    def forward(self, h: Tensor) -> Code:
        return Code(self.encode(h), {})

    def encode(self, h: Tensor) -> Tensor:
        h = h if h.requires_grad else h.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self.energy(h).square().sum() / 2, h, create_graph=self.training)
        return h - slope / 2


@pytest.fixture
def downhill(monkeypatch):
    """The class of a recipe whose code takes gradients."""

    def downhill(schema, n_components: recipes.Components = 2, *, hidden: recipes.Hidden = (8,)) -> recipes.Parts:
        """An autoencoder whose code is found by a step downhill."""
        return recipes.assemble(schema, Downhill(n_components), hidden=hidden)

    monkeypatch.setitem(recipes.RECIPES, "downhill", recipes.Recipe("downhill", downhill))
    yield narrows.estimator("downhill")
    models._CLASSES.pop("downhill", None)


def test_a_part_that_takes_gradients_does_so_wherever_the_model_is_applied(downhill, vectors, tmp_path):
    model = downhill(3, **SMALL).fit(vectors)
    module, x = model.model_, model.prepare(vectors)
    with torch.no_grad():
        h = module.encoder(x)
        weight = module.bottleneck.energy.weight
        expected = h - h @ (weight.T @ weight) / 2
    np.testing.assert_allclose(model.transform(vectors), expected.numpy(), rtol=1e-4, atol=1e-5)
    assert np.isfinite(model.score_samples(vectors)).all()
    assert model.reconstruct(vectors).shape == vectors.shape
    assert model.sample(3, random_state=0, noise=True).shape == (3, 6)
    assert model.traverse(vectors[:1]).shape == (3, 9, 6)
    model.save(tmp_path / "model")
    loaded = narrows.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(loaded.transform(vectors), model.transform(vectors))
    assert np.isfinite(narrows.evaluate(model, vectors, train=vectors, verbose=0)["mse"])
    model.partial_fit(vectors)
    assert all(p.grad is None for p in module.parameters())


def test_a_model_is_applied_without_gradients_unless_a_part_needs_them(downhill, vectors):
    for cls, enabled in ((narrows.AE, False), (downhill, True)):
        model, modes = cls(2, **{**SMALL, "hidden": (8,)}).fit(vectors), set()
        model.model_.encoder.register_forward_hook(lambda *_, modes=modes: modes.add(torch.is_grad_enabled()))
        model.transform(vectors)
        model.score_samples(vectors)
        assert modes == {enabled}


def test_a_recipe_with_nothing_but_a_size_is_fitted_saved_and_loaded(bare, vectors, tmp_path):
    model = bare(3, **SMALL).fit(vectors)
    model.save(tmp_path / "bare")
    loaded = narrows.load(tmp_path / "bare", device="cpu")
    assert type(loaded) is bare
    np.testing.assert_array_equal(loaded.transform(vectors), model.transform(vectors))
    again = model.transform(vectors)
    model.partial_fit(vectors)
    assert not np.array_equal(model.transform(vectors), again)


def test_a_recipe_with_nothing_but_a_size_is_swept_over(bare, vectors):
    assert narrows.sweep(bare(**SMALL), vectors, sizes=(1, 2)).sizes == [1, 2]


def test_a_recipe_with_nothing_but_a_size_takes_no_network(bare, vectors, tmp_path):
    bare(**SMALL).fit(vectors).save(tmp_path / "bare")
    with pytest.raises(ValueError, match="not fitted with a module of your own as its encoder"):
        narrows.load(tmp_path / "bare", encoder=object(), device="cpu")


def test_a_recipe_with_nothing_but_a_size_goes_through_the_command(bare, vectors, tmp_path):
    np.save(tmp_path / "x.npy", vectors)
    data, out = str(tmp_path / "x.npy"), str(tmp_path / "model")
    options = ["--max-epochs", "2", "--seed", "0", "--verbose", "0"]
    run("fit", data, "--recipe", "bare", "--n-components", "3", "--out", out, *options)
    run("encode", out, data, "-o", str(tmp_path / "codes.npy"))
    assert np.load(tmp_path / "codes.npy").shape == (200, 3)
    assert "likelihood" not in [p["name"] for p in json.loads(run("recipes", "bare", "--json"))["parameters"]]


def test_a_generated_class_and_its_models_are_pickled(bare, vectors):
    assert pickle.loads(pickle.dumps(bare)) is bare
    model = bare(3, **SMALL).fit(vectors)
    for copied in (pickle.loads(pickle.dumps(model)), clone(model).fit(vectors)):
        assert type(copied) is bare
        np.testing.assert_array_equal(copied.transform(vectors), model.transform(vectors))


def test_a_model_of_another_package_is_opened_in_another_process(installed, vectors, tmp_path):
    model = narrows.estimator("barely")(2, **SMALL).fit(vectors)
    joblib.dump(model, tmp_path / "model.joblib")
    np.save(tmp_path / "x.npy", vectors)
    script = f"""
        import sys
        sys.path[:0] = {[str(installed), *sys.path]!r}
        import joblib, numpy
        model = joblib.load({str(tmp_path / "model.joblib")!r})
        numpy.save({str(tmp_path / "z.npy")!r}, model.transform(numpy.load({str(tmp_path / "x.npy")!r})))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=100)
    np.testing.assert_allclose(np.load(tmp_path / "z.npy"), model.transform(vectors), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_model_of_another_package_is_fitted_in_several_processes(installed, vectors, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(installed))
    model = narrows.estimator("barely")(2, **SMALL)
    scores = cross_val_score(model, vectors, cv=2, n_jobs=2)
    np.testing.assert_allclose(scores, cross_val_score(model, vectors, cv=2), rtol=1e-4)


def test_a_recipe_of_another_package_is_found_by_its_name_and_in_the_list(installed):
    assert "barely" not in recipes.RECIPES
    assert narrows.estimator("barely").__name__ == "BARELY"
    assert {"ae", "vae", "barely"} <= {entry["name"] for entry in json.loads(run("recipes", "--json"))}


def test_other_packages_are_not_looked_at_for_a_known_name(installed):
    recipes.get("vae")
    assert "narrows_barely" not in sys.modules


def test_a_broken_recipe_is_named_and_the_others_are_there(installed):
    about = installed / "narrows_barely-1.0.dist-info"
    lines = "[narrows.recipes]\nbroken = no_such_module:broken\nbarely = narrows_barely:barely\n"
    (about / "entry_points.txt").write_text(lines)
    with pytest.warns(UserWarning, match="recipe 'broken' of narrows-barely cannot be used.*no_such_module"):
        assert "barely" in recipes.available()
    assert recipes.get("barely").summary == "An autoencoder with nothing to set but its size."


def test_a_recipe_cannot_take_the_name_of_another_module(installed):
    (installed / "narrows_barely.py").write_text(PACKAGE.replace("def barely", "def vae"))
    (installed / "narrows_barely-1.0.dist-info" / "entry_points.txt").write_text(
        "[narrows.recipes]\nv = narrows_barely:vae\n"
    )
    recipe = recipes.get("vae")
    with pytest.warns(UserWarning, match="has the same name as a recipe of narrows.recipes.models. Rename it"):
        recipes.available()
    assert recipes.get("vae") is recipe


def test_an_entry_point_of_another_name_than_its_function_is_named(installed):
    (installed / "narrows_barely-1.0.dist-info" / "entry_points.txt").write_text(
        "[narrows.recipes]\nhardly = narrows_barely:barely\n"
    )
    with pytest.warns(UserWarning, match="'hardly'.*its function is called 'barely', and the entry point must have"):
        recipes.available()


def test_a_recipe_must_take_a_size_and_have_defaults():
    def sizeless(schema, code=2): ...
    def unset(schema, n_components=2, *, rate): ...

    for make in (sizeless, unset):
        with pytest.raises(ValueError, match=rf"recipe '{make.__name__}' of .* must take a schema, `n_components`"):
            recipes.register(make)
        assert make.__name__ not in recipes.RECIPES


def test_a_recipe_must_give_parts_and_leave_shared_names_alone(vectors, monkeypatch):
    def model(schema, n_components=2):
        return recipes.assemble(schema, bottlenecks.Plain(n_components), hidden=(8,)).model

    def seeded(schema, n_components=2, *, random_state=3): ...

    for make in (model, seeded):
        monkeypatch.setitem(recipes.RECIPES, make.__name__, recipes.Recipe(make.__name__, make))
    monkeypatch.setattr(models, "_CLASSES", dict(models._CLASSES))
    with pytest.raises(TypeError, match=r"'model' of .* must return the Parts that `assemble` gives. Got Autoencoder"):
        narrows.estimator("model")(**SMALL).fit(vectors)
    with pytest.raises(ValueError, match="'seeded' must rename `random_state`: all estimators have a parameter"):
        narrows.estimator("seeded")


def test_a_bottleneck_must_have_its_numbers_and_a_prior_for_its_kl(vectors):
    class Unset(bottlenecks.Bottleneck):
        def forward(self, h: Tensor) -> Code:
            return Code(h, {})

        def encode(self, h: Tensor) -> Tensor:
            return h

    class Charged(Unset):
        costs = ("kl",)
        n_components = n_inputs = 2

    schema = infer(vectors, "test")
    with pytest.raises(TypeError, match="bottleneck Unset must set its attribute `n_components` to an int"):
        recipes.assemble(schema, Unset())
    with pytest.raises(ValueError, match=r'Charged states the cost "kl", so it must be a narrows.bottlenecks.Stochas'):
        recipes.assemble(schema, Charged())


def test_a_recipe_of_counts_takes_its_likelihood_as_a_parameter(monkeypatch):
    def fixed(schema, n_components=2):
        return recipes.assemble(schema, bottlenecks.Plain(n_components), hidden=(8,), likelihood="poisson")

    def free(schema, n_components=2, *, likelihood="poisson"):
        return recipes.assemble(schema, bottlenecks.Plain(n_components), hidden=(8,), likelihood=likelihood)

    for make in (fixed, free):
        monkeypatch.setitem(recipes.RECIPES, make.__name__, recipes.Recipe(make.__name__, make))
    monkeypatch.setattr(models, "_CLASSES", dict(models._CLASSES))
    counts = np.random.default_rng(0).poisson(5, (100, 4))
    with pytest.raises(
        ValueError, match=r"of FIXED cannot score. Rescale X, or give the recipe a parameter `likelihood`"
    ):
        narrows.estimator("fixed")(**SMALL).fit(counts)
    assert np.isfinite(narrows.estimator("free")(**SMALL).fit(counts).score(counts))


class TestPresets:
    def test_a_preset_has_other_defaults_and_lacks_what_is_fixed(self, monkeypatch):
        monkeypatch.setattr(recipes.registry, "RECIPES", {**recipes.RECIPES})

        @recipes.preset(recipes.vae, purpose="disentangle", defaults={"beta": 8.0}, fixed={"kl_warmup": 0.0})
        def strict() -> None:
            """A VAE with a KL that counts eight times.

            Somebody (2020), https://example.org/paper.
            """

        recipe = recipes.registry.RECIPES["strict"]
        assert (recipe.summary, recipe.paper) == (
            "A VAE with a KL that counts eight times.",
            "Somebody (2020), https://example.org/paper.",
        )
        assert recipe.parameters["beta"].default == 8.0
        assert "kl_warmup" not in recipe.parameters
        objective = strict(infer(np.random.default_rng(0).normal(size=(30, 4)), "test"), 3, hidden=(8,)).objective
        assert (objective.weights["kl"], objective.warmup) == (8.0, 0.0)
        with pytest.raises(TypeError, match="kl_warmup"):
            strict(None, kl_warmup=0.5)

    @pytest.mark.parametrize(
        ("values", "purpose", "message"),
        [
            ({"betta": 8.0}, "generate", "Unknown parameter 'betta' of vae. Did you mean 'beta'"),
            ({"beta": -1.0}, "generate", "The `beta` parameter of strict must be a float in the range"),
            ({"beta": 8.0}, "cook", "Unknown purpose 'cook'"),
        ],
    )
    def test_a_value_that_the_base_refuses_is_refused(self, values, purpose, message):
        def strict() -> None:
            """A VAE."""

        with pytest.raises(ValueError, match=message):
            recipes.preset(recipes.vae, purpose=purpose, defaults=values)(strict)
        assert "strict" not in recipes.RECIPES

    def test_the_command_lists_recipes_by_purpose_with_their_papers(self):
        listed = json.loads(run("recipes", "--json"))
        order = list(recipes.PURPOSES)
        purposes = [order.index(entry["purpose"]) for entry in listed]
        assert purposes == sorted(purposes)
        papers = {entry["name"]: entry["paper"] for entry in listed}
        own = [name for name, recipe in recipes.RECIPES.items() if recipe.is_own]
        assert all("https://" in papers[name] for name in own)
