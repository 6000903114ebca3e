"""The contract that every registered recipe keeps. A new recipe is tested by being registered."""

import functools
import io
import pickle
import random
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone

import narrows
from narrows.bottlenecks import Sparse
from narrows.data import as_rows, infer
from narrows.recipes import RECIPES
from narrows.training import Settings
from narrows.training import fit as train
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


KINDS = [
    ("vectors", "mlp"),
    ("counts", "mlp"),
    *((kind, net) for kind in ("grey", "colour") for net in ("mlp", "conv")),
]
# each recipe with a code, and without one where it can go without
RECIPE_CODES = [(name, 4) for name in RECIPES] + [
    (name, None) for name, recipe in RECIPES.items() if recipe.parameters["n_components"].default is None
]
CASES = [
    pytest.param(name, code, kind, net, id=f"{name}-{'code' if code else 'no_code'}-{kind}-{net}")
    for name, code in RECIPE_CODES
    for kind, net in KINDS
]
# one kind of data is enough where the recipe hardly matters
FEW = [case for case in CASES if case.values[2:] in (("vectors", "mlp"), ("grey", "conv"))]


def make(name: str, code: int | None, net: str = "auto", **changes: Any) -> Any:
    cls = narrows.estimator(name)
    values = {**SMALL, "n_components": code, "network": net, **changes}
    return cls(**{key: value for key, value in values.items() if key in cls.parameters()})


@functools.cache
def fitted(name: str, code: int | None, kind: str, net: str) -> Any:
    """A fitted model, shared by tests that do not change it."""
    return make(name, code, net).fit(data(kind))


def parts_of(name: str, code: int | None, kind: str, net: str, dtype: torch.dtype = torch.float32):
    model = make(name, code, net)
    rows = as_rows(data(kind), "test")
    model.schema_ = infer(rows, "test")
    parts = model._assemble(0)
    x = model.schema_.prepare(torch.from_numpy(rows), dtype)
    return parts._replace(model=parts.model.to(dtype), objective=parts.objective.to(dtype)), Batch(x, x)


def results(model: Any, X: Any) -> dict[str, np.ndarray]:
    """All that a fitted model says of X, and what it makes up."""
    found = {"reconstruct": model.reconstruct(X), "score_samples": model.score_samples(X)}
    found["decision_function"] = model.decision_function(X)
    if hasattr(model, "transform"):
        found["transform"] = model.transform(X)
        found["inverse_transform"] = model.inverse_transform(found["transform"])
        found["traverse"] = model.traverse(X, n_steps=3)
        found["interpolate"] = model.interpolate(X[0], X[1], n_steps=3)
    if can_sample(model):
        found["sample"] = model.sample(5, random_state=3)
        found["noisy sample"] = model.sample(5, random_state=3, noise=True)
    return found


def can_sample(model: Any) -> bool:
    if not hasattr(model, "sample"):
        return False
    if not isinstance(model.model_.bottleneck, Sparse):
        return True
    with pytest.raises(ValueError, match="no distribution to draw from"):
        model.sample(1, random_state=0)
    return False


def assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key, strict=True)


@pytest.mark.parametrize(("name", "code", "kind", "net"), CASES)
class TestEveryRecipe:
    def test_shapes_and_dtypes(self, name, code, kind, net):
        model, X = fitted(name, code, kind, net), data(kind)
        example, whole = X.shape[1:], X.dtype
        assert model.reconstruct(X).shape == X.shape
        assert model.reconstruct(X).dtype == whole
        for scores in (model.score_samples(X), model.decision_function(X)):
            assert scores.shape == (N,)
            assert scores.dtype == np.float64
            assert np.isfinite(scores).all()
        assert isinstance(model.score(X), float)
        assert model.predict(X).shape == (N,)
        assert set(model.predict(X)) <= {-1, 1}
        assert model.n_features_in_ == np.prod(example)
        if code is None:
            assert not hasattr(model, "transform")
            return
        Z = model.transform(X)
        assert Z.shape == (N, code)
        assert Z.dtype == (whole if whole.kind == "f" else np.float32)
        assert np.isfinite(Z).all()
        assert model.inverse_transform(Z).shape == X.shape
        assert model.inverse_transform(Z).dtype == whole
        assert model.traverse(X, n_steps=5).shape == (code, 5, *example)
        assert model.traverse(components=[1, 0, 1], n_steps=2).shape == (3, 2, *example)
        assert model.interpolate(X[0], X[1], n_steps=4).shape == (4, *example)
        if can_sample(model):
            assert model.sample(6).shape == (6, *example)
            assert model.sample(6, noise=True).dtype == whole
        assert list(model.get_feature_names_out()) == [f"{type(model).__name__.lower()}{i}" for i in range(code)]

    def test_reconstruct_is_encode_and_decode(self, name, code, kind, net):
        model, X = fitted(name, code, kind, net), data(kind)
        if code is not None:
            np.testing.assert_array_equal(model.inverse_transform(model.transform(X)), model.reconstruct(X))

    def test_every_parameter_has_a_gradient(self, name, code, kind, net):
        parts, batch = parts_of(name, code, kind, net)
        torch.manual_seed(0)
        with torch.no_grad():
            for p in parts.model.parameters():  # some layers start at 0, and hide those before them for one step
                p.add_(0.05 * torch.randn_like(p))
        parts.model.train()
        parts.objective.train()
        parts.objective(parts.model, batch).total.backward()
        for key, p in [*parts.model.named_parameters(), *parts.objective.named_parameters()]:
            assert p.grad is not None, f"{key} has no gradient"
            assert torch.isfinite(p.grad).all(), key
            assert p.grad.abs().max() > 0, f"the gradient of {key} is 0"

    def test_terms(self, name, code, kind, net):
        parts, batch = parts_of(name, code, kind, net)
        loss = parts.objective(parts.model, batch)
        assert loss.total.shape == ()
        assert "nll" in loss.terms
        assert set(parts.objective.weights) <= set(loss.terms)
        output = parts.model(batch)
        assert all(cost.shape == (N,) for cost in output.code.costs.values())
        assert parts.model.likelihood.score(output.params, batch.target).shape == (N,)

    def test_overfits_64_examples(self, name, code, kind, net):
        X = data(kind, 64)
        steps = 80 if net == "conv" else 300
        if code is not None:  # as many as it has by default, if it is meant to have many
            code = max(code, narrows.estimator(name).parameters()["n_components"].default or 0)
        model = make(
            name, code, net, hidden=(128,), batch_size=64, max_epochs=steps, learning_rate=3e-3, early_stopping=False
        ).fit(X)
        mean = np.broadcast_to(X.mean(0, dtype=np.float64), X.shape)
        error = np.mean((model.reconstruct(X).astype(float) - X) ** 2) / np.mean((mean - X) ** 2)
        assert error < 0.5
        assert model.score(X) > constant_score(model, X) + 0.1 * X[0].size

    def test_save_and_load_are_bit_equal(self, name, code, kind, net, tmp_path):
        model, X = fitted(name, code, kind, net), data(kind)
        model.save(tmp_path / "model")
        again = narrows.load(tmp_path / "model", device="cpu")
        assert type(again) is type(model)
        assert_same(results(again, X), results(model, X))
        for key, value in model.model_.state_dict().items():
            torch.testing.assert_close(again.model_.state_dict()[key], value, rtol=0, atol=0)
        assert again.schema_ == model.schema_
        assert again.history_ == model.history_
        assert again.report_ == model.report_

    def test_a_row_is_the_same_alone_as_in_company(self, name, code, kind, net):
        model, X = fitted(name, code, kind, net), data(kind)
        many = np.concatenate([X, X, X])[:70]
        for method in ("transform", "reconstruct", "score_samples"):
            if hasattr(model, method):
                whole = getattr(model, method)(many).astype(np.float64)
                for i in (0, 33):
                    alone = getattr(model, method)(many[i : i + 1])[0]
                    np.testing.assert_allclose(alone, whole[i], rtol=0, atol=1e-6 * (1 + np.abs(whole).max()))

    def test_global_generators_are_left_alone(self, name, code, kind, net):
        X = data(kind)
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002 (this is what must not be touched)
        torch.manual_seed(1)

        def states():
            return random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002

        before = states()
        for seed in (0, None):
            model = make(name, code, net, max_epochs=1, random_state=seed).fit(X)
            results(model, X)
            if can_sample(model):
                model.sample(2)
                model.sample(2, noise=True)
            model.partial_fit(X)
        assert states() == before


@pytest.mark.parametrize(("name", "code", "kind", "net"), FEW)
class TestEveryRecipeOnce:
    def test_same_seed_same_weights(self, name, code, kind, net):
        X, first = data(kind), fitted(name, code, kind, net)
        again, other = make(name, code, net).fit(X), make(name, code, net, random_state=1).fit(X)
        states = [model.model_.state_dict() for model in (first, again, other)]
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        learned = [key for key, _ in first.model_.named_parameters()]
        assert any(not torch.equal(states[0][key], states[2][key]) for key in learned)
        assert_same(results(first, X), results(again, X))

    def test_the_global_seed_changes_nothing(self, name, code, kind, net):
        torch.manual_seed(77)
        np.random.seed(77)  # noqa: NPY002
        again = make(name, code, net).fit(data(kind))
        assert_same(results(again, data(kind)), results(fitted(name, code, kind, net), data(kind)))

    @pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int32", "int64", ">f4"])
    @pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
    def test_dtypes(self, name, code, kind, net, dtype, precision):
        X = data(kind).astype(dtype)
        X.setflags(write=False)
        model = make(name, code, net, max_epochs=1, precision=precision).fit(X)
        kept = {"float64": torch.float64}.get(precision, torch.float32)
        assert {p.dtype for p in model.model_.parameters()} == {kept}
        back = model.reconstruct(X)
        assert back.dtype == {"float32": "f4", "float64": "f8", "uint8": "u1"}.get(dtype, back.dtype)
        assert back.dtype.kind in "fu"
        assert np.isfinite(model.score_samples(X)).all()
        if code is not None:
            Z = model.transform(X)
            assert Z.dtype in (np.float32, np.float64)
            if dtype in ("float32", "float64"):
                assert Z.dtype == dtype

    def test_the_same_values_in_another_dtype_give_the_same(self, name, code, kind, net):
        X = data(kind).astype(np.float64)
        a, b = (make(name, code, net, precision="float64").fit(x) for x in (X, torch.from_numpy(X.copy())))
        assert_same(results(a, X), results(b, X))

    def test_arrays_of_the_user_are_never_written_to(self, name, code, kind, net):
        for X in (data(kind), data(kind).astype(np.float32), np.asfortranarray(data(kind).astype(np.float64))):
            before = X.copy()
            model = make(name, code, net, max_epochs=1).fit(X)
            results(model, X)
            model.partial_fit(X)
            np.testing.assert_array_equal(X, before)

    def test_read_only_and_strided_arrays(self, name, code, kind, net):
        X = data(kind)
        X.setflags(write=False)
        strided = np.repeat(X, 2, axis=0)[::2]
        backwards = X[::-1].copy()[::-1]
        expected = results(fitted(name, code, kind, net), data(kind))
        for given in (X, strided, backwards):
            assert_same(results(make(name, code, net).fit(given), given), expected)

    def test_pickle_joblib_and_clone(self, name, code, kind, net):
        model, X = fitted(name, code, kind, net), data(kind)
        expected = results(model, X)
        assert_same(results(pickle.loads(pickle.dumps(model)), X), expected)
        file = io.BytesIO()
        joblib.dump(model, file)
        file.seek(0)
        assert_same(results(joblib.load(file), X), expected)
        fresh = clone(model)
        assert fresh.get_params() == model.get_params()
        assert not hasattr(fresh, "model_")
        assert_same(results(fresh.fit(X), X), expected)

    def test_one_component(self, name, code, kind, net):
        X = data(kind)
        model = make(name, 1, net).fit(X)
        assert model.transform(X).shape == (N, 1)
        assert all(np.isfinite(value).all() for value in results(model, X).values())

    def test_partial_fit_learns(self, name, code, kind, net):
        X = data(kind)
        model = make(name, code, net)
        for _ in range(3):
            model.partial_fit(X)
        before = model.score(X)
        for _ in range(20):
            model.partial_fit(X)
        assert model.n_iter_ == 23
        assert len(model.history_) == 23
        assert model.score(X) > before

    def test_a_second_fit_starts_anew(self, name, code, kind, net):
        X = data(kind)
        model = make(name, code, net).fit(X[:20])
        assert_same(results(model.fit(X), X), results(fitted(name, code, kind, net), X))


@pytest.mark.parametrize("name", RECIPES)
def test_parameters_are_told(name):
    cls = narrows.estimator(name)
    for parameter in cls.parameters().values():
        assert parameter.help, f"{name}: {parameter.name} has no line of help"
        assert parameter.name in cls.__doc__
        parameter.check(name, parameter.default)
    assert RECIPES[name].summary


@pytest.mark.parametrize("name", RECIPES)
def test_the_model_can_be_used_without_an_estimator(name):
    X = data("vectors")
    schema = infer(X, "test")
    torch.manual_seed(0)
    parts = RECIPES[name].make(schema, 2, hidden=(16,))
    settings = Settings(max_epochs=2, precision="float32", device="cpu")
    result = train(parts.model, parts.objective, X, schema, settings)
    assert result.n_epochs == 2
    x = schema.prepare(torch.from_numpy(X))
    assert parts.model.encode(x).shape == (N, 2)
    assert parts.model.reconstruct(x).shape == x.shape


def constant_score(model: Any, X: np.ndarray) -> float:
    """The mean score, in nats, of predicting the same for every example: the mean, with the best scale."""
    x = model.prepared(X).double()
    likelihood = model.model_.likelihood
    mean = x.mean(0, keepdim=True)
    o = likelihood.unmean(mean).expand_as(x)
    if likelihood.name == "gaussian":
        variance = (x - mean).square().mean()
        nats = -0.5 * x[0].numel() * (1 + torch.log(2 * torch.pi * variance))
    else:
        nats = likelihood.score(o, x).mean().detach()
    return float(nats) - model.schema_.log_scale
