"""The protocol of a fitted model, which every estimator has, and what higher layers add to it."""

import inspect

import numpy as np
import pytest

import narrows
from narrows.estimators import estimator, load
from narrows.fitted import FittedModel

X = np.random.default_rng(0).normal(size=(40, 4))
SOMETIMES = {"components_kl_", "unused_components_"}  # of a stochastic code


@pytest.fixture(scope="module")
def model():
    return estimator("iwae")(2, hidden=(8,), max_epochs=1, random_state=0).fit(X)


@pytest.mark.parametrize("recipe", ["ae", "vae", "sae", "dae", "mapae", "iwae"])
def test_every_estimator_has_what_the_protocol_names(recipe):
    cls = estimator(recipe)
    fitted = cls(2, hidden=(8,), max_epochs=1, random_state=0).fit(X)
    methods = {n: m for n, m in inspect.getmembers(FittedModel, inspect.isroutine) if not n.startswith("_")}
    for name, method in methods.items():
        own = inspect.signature(getattr(cls, name)).parameters
        for parameter in inspect.signature(method).parameters.values():
            assert own[parameter.name].default == parameter.default, f"{name}({parameter.name})"
    for name in inspect.get_annotations(FittedModel):
        assert hasattr(fitted, name) or (name in SOMETIMES and recipe != "vae"), name


def test_a_generated_class_has_plots(model):
    assert model.plot.map(X).get_xlabel() == "component 0"


def test_a_generated_class_has_plots_and_the_studio_after_load(model, tmp_path):
    model.save(tmp_path / "model")
    pytest.importorskip("narrows.studio.notebook", reason="needs the extra `notebook`", exc_type=ImportError)
    for again in (narrows.load(tmp_path / "model"), load(tmp_path / "model")):
        assert again.plot.map(X).get_xlabel() == "component 0"
        assert again.studio(X).code == []
