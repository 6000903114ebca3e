"""The contract that every registered recipe keeps. A new recipe is tested by being registered.

`recipe_cases.py` lists the cases. One representative of each seam is held against all of the contract on vectors; every
other recipe gets a quick pass; all other kinds of data and networks are slow tests.
"""

import copy
import functools
import io
import math
import os
import pickle
import random
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import recipe_cases
import torch
from interrupting import interrupt_at
from recipe_cases import OF_IMAGES, OTHERS, REPRESENTATIVES, Case, N, data
from sklearn.base import clone
from torch import Tensor

import narrows
from narrows.bottlenecks import as_stochastic
from narrows.data import infer, infer_table, open_frame
from narrows.evaluation.likelihood import importance
from narrows.evaluation.scores import draws
from narrows.model import inference_mode
from narrows.recipes import RECIPES
from narrows.training import Settings, checkpoint
from narrows.training import fit as train

KINDS = [
    ("vectors", "mlp"),
    ("counts", "mlp"),
    *((kind, net) for kind in ("grey", "colour") for net in ("mlp", "conv")),
]
# the networks for images that a recipe has to itself, or shares with all others
IMAGES = {("ae", "grey", "conv"), ("dae-no_code", "grey", "conv"), ("vae-heteroscedastic", "colour", "conv")}
# where a model is to learn examples by heart: costs that are there to prevent it, or that it has to share with
WEAKER = {
    "betavae": {"beta": 1.0},
    "disentangledbetavae": {"beta": 1.0, "capacity": 4.0},
    "vaegan": {"feature_weight": 0.1},
}
ALL = (*REPRESENTATIVES, *OTHERS)
BY_ID = {case.id: case for case in ALL}


def combination(case: Case, kind: str, net: str) -> Any:
    """A case with data and a network, slow unless the case stands for its seam there."""
    quick = (case in REPRESENTATIVES and kind == "vectors") or (case.id, kind, net) in IMAGES
    return pytest.param(case, kind, net, id=f"{case.id}-{kind}-{net}", marks=() if quick else pytest.mark.slow)


def by_seam(case: Case) -> Any:
    """A case that is slow unless it stands for its seam."""
    return pytest.param(case, id=case.id, marks=() if case in REPRESENTATIVES else pytest.mark.slow)


COMBINATIONS = [combination(case, kind, net) for case in (*ALL, *OF_IMAGES) for kind, net in KINDS if case.takes(kind)]
# one kind of data is enough where the recipe hardly matters
FEW = [p for p in COMBINATIONS if p.values[1:] in (("vectors", "mlp"), ("grey", "conv"))]
every_combination = pytest.mark.parametrize(("case", "kind", "net"), COMBINATIONS)
few_combinations = pytest.mark.parametrize(("case", "kind", "net"), FEW)
# codes are alike for all kinds of data, and what is asked of a code alone is quick
every_case = pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
STOCHASTIC = [case for case in ALL if case.parts("vectors")[0].model.stochastic is not None]
stochastic_cases = pytest.mark.parametrize("case", [by_seam(case) for case in STOCHASTIC])
# a category has probabilities in place of a density, and no derivatives
WITH_DENSITY = [case for case in STOCHASTIC if not case.parts("vectors")[0].model.stochastic.has_categories]
density_cases = pytest.mark.parametrize("case", [by_seam(case) for case in WITH_DENSITY])
representatives = pytest.mark.parametrize("case", REPRESENTATIVES, ids=lambda case: case.id)
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler (g++)")


@functools.cache
def fitted(case: Case, kind: str = "vectors", net: str = "auto") -> Any:
    """A fitted model, shared by tests that do not change it."""
    return case.fit(case.make(net), data(kind))


def inferred(model: Any, X: Any) -> dict[str, np.ndarray]:
    """The argument `y` that goes with the codes of X, for a conditional model."""
    return {"y": model.infer_labels(X)} if model.model_.n_classes else {}


def results(model: Any, X: Any) -> dict[str, np.ndarray]:
    """Results of all methods of a fitted model on X, and its draws."""
    outputs = {"reconstruct": model.reconstruct(X), "score_samples": model.score_samples(X)}
    outputs["decision_function"] = model.decision_function(X)
    if hasattr(model, "transform"):
        outputs["transform"] = model.transform(X)
    if model.model_.decodes_codes:
        outputs["inverse_transform"] = model.inverse_transform(outputs["transform"], **inferred(model, X))
        outputs["traverse"] = model.traverse(X, n_steps=3)
        outputs["interpolate"] = model.interpolate(X[0], X[1], n_steps=3)
    if model.recipe.is_tabular:
        outputs["impute"], outputs["surprise"] = model.impute(with_gaps(X)), model.surprise(X)
        outputs["drawn impute"] = np.stack(model.impute(with_gaps(X), n_draws=2, random_state=3))
    if can_sample(model):
        outputs["sample"] = model.sample(5, random_state=3)
        outputs["noisy sample"] = model.sample(5, random_state=3, noise=True)
    return outputs


def with_gaps(X: np.ndarray) -> np.ndarray:
    """A copy of vectors without some of their numbers."""
    return np.where(np.add.outer(np.arange(len(X)), np.arange(X.shape[1])) % 3 == 0, np.nan, X)


def can_sample(model: Any) -> bool:
    if not hasattr(model, "sample"):
        return False
    if model.recipe.is_tabular or model.model_.bottleneck.default_sampler is not None:
        return True
    with pytest.raises(ValueError, match="no distribution to draw from"):
        model.sample(1, random_state=0)
    return False


def assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for key in a:
        np.testing.assert_array_equal(a[key], b[key], err_msg=key, strict=True)


def assert_same_tensors(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for key in a:
        torch.testing.assert_close(
            a[key], b[key], rtol=0, atol=0, equal_nan=True, msg=lambda message, key=key: key + message
        )


@every_combination
class TestEveryRecipe:
    def test_shapes_and_dtypes(self, case, kind, net):
        model, X = fitted(case, kind, net), data(kind)
        example, whole, code = X.shape[1:], X.dtype, case.n_components
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
        assert list(model.get_feature_names_out()) == [f"{type(model).__name__.lower()}{i}" for i in range(code)]
        if can_sample(model):
            assert model.sample(6).shape == (6, *example)
            assert model.sample(6, noise=True).dtype == whole
        if not model.model_.decodes_codes:
            assert not any(hasattr(model, name) for name in ("inverse_transform", "traverse", "interpolate"))
            return
        decoded = model.inverse_transform(Z, **inferred(model, X))
        assert decoded.shape == X.shape
        assert decoded.dtype == whole
        assert model.traverse(X, n_steps=5).shape == (code, 5, *example)
        assert model.traverse(components=[1, 0, 1], n_steps=2).shape == (3, 2, *example)
        assert model.interpolate(X[0], X[1], n_steps=4).shape == (4, *example)

    def test_reconstruct_is_encode_and_decode(self, case, kind, net):
        model, X = fitted(case, kind, net), data(kind)
        if model.model_.decodes_codes:
            decoded = model.inverse_transform(model.transform(X), **inferred(model, X))
            np.testing.assert_array_equal(decoded, model.reconstruct(X))
        elif case.is_tabular:  # of each column without this column
            columns = [model.predict(X, j) for j in range(X.shape[1])]
            np.testing.assert_allclose(np.stack(columns, 1), model.reconstruct(X), rtol=1e-5, atol=1e-5)

    def test_every_parameter_has_a_gradient(self, case, kind, net):
        parts, batch = case.parts(kind, net)
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

    def test_terms(self, case, kind, net):
        parts, batch = case.parts(kind, net)
        parts.objective.check(parts.model)
        loss = parts.objective(parts.model, batch)
        assert loss.total.shape == loss.validated.shape == ()
        assert "nll" in loss.terms
        without = {"gaps"} if case.is_tabular else set()  # a cost that complete rows do not have
        assert set(parts.objective.weights) - without <= set(loss.terms)
        output = parts.model(batch)
        assert set(output.code.costs) <= set(parts.model.bottleneck.costs)
        assert all(cost.shape == (N,) for cost in output.code.costs.values())
        likelihood = parts.model.likelihood
        assert output.params.shape == (N, *likelihood.params_shape(batch.target.shape[1:]))
        assert likelihood.score(output.params, batch.target).shape == (N,)

    def test_overfits_64_examples(self, case, kind, net):
        X = data(kind, 64)
        steps, code = (80 if net == "conv" else 300), case.n_components
        if code is not None:  # as many as it has by default, if it is meant to have many
            default = narrows.estimator(case.recipe).parameters()["n_components"].default or 0
            code = max(code, default if fitted(case, kind, net).model_.bottleneck.is_overcomplete else 0)
        model = case.make(
            net,
            n_components=code,
            **WEAKER.get(case.recipe, {}),
            hidden=(128,),
            batch_size=64,
            max_epochs=steps,
            learning_rate=3e-3,
            early_stopping=False,
        )
        case.fit(model, X)
        mean = np.broadcast_to(X.mean(0, dtype=np.float64), X.shape)
        error = np.mean((model.reconstruct(X).astype(float) - X) ** 2) / np.mean((mean - X) ** 2)
        if (case.id, kind) != ("vae-heteroscedastic", "counts"):  # whose scale shrinks at exact zeros, without bound
            assert error < 0.5
        assert best_bound(model, X) > constant_score(model, X) + 0.1 * X[0].size

    def test_save_and_load_are_bit_equal(self, case, kind, net, tmp_path):
        assert_saved_and_loaded(fitted(case, kind, net), data(kind), tmp_path)

    def test_a_row_is_the_same_alone_as_in_company(self, case, kind, net):
        model, X = fitted(case, kind, net), data(kind)
        many = np.concatenate([X, X, X])[:70]
        for method in ("transform", "reconstruct", "score_samples"):
            if hasattr(model, method):
                whole = getattr(model, method)(many).astype(np.float64)
                for i in (0, 33):
                    alone = getattr(model, method)(many[i : i + 1])[0]
                    np.testing.assert_allclose(alone, whole[i], rtol=0, atol=1e-6 * (1 + np.abs(whole).max()))

    def test_global_generators_are_left_alone(self, case, kind, net):
        X = data(kind)
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002 (this is what must not be touched)
        torch.manual_seed(1)

        def states():
            return random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002

        before = states()
        for seed in (0, None):
            model = case.fit(case.make(net, max_epochs=1, random_state=seed), X)
            results(model, X)
            if can_sample(model):
                model.sample(2)
                model.sample(2, noise=True)
            model.partial_fit(X, **case.labels(N))
        assert states() == before


@few_combinations
class TestEveryRecipeOnce:
    def test_same_seed_same_weights(self, case, kind, net):
        X, first = data(kind), fitted(case, kind, net)
        again, other = case.fit(case.make(net), X), case.fit(case.make(net, random_state=1), X)
        states = [model.model_.state_dict() for model in (first, again, other)]
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
        learned = [key for key, _ in first.model_.named_parameters()]
        assert any(not torch.equal(states[0][key], states[2][key]) for key in learned)
        assert_same(results(first, X), results(again, X))

    def test_the_global_seed_changes_nothing(self, case, kind, net):
        torch.manual_seed(77)
        np.random.seed(77)  # noqa: NPY002
        again = case.fit(case.make(net), data(kind))
        assert_same(results(again, data(kind)), results(fitted(case, kind, net), data(kind)))

    @pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int32", "int64", ">f4"])
    @pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
    def test_dtypes(self, case, kind, net, dtype, precision):
        X = data(kind).astype(dtype)
        X.setflags(write=False)
        model = case.fit(case.make(net, max_epochs=1, precision=precision), X)
        kept = {"float64": torch.float64}.get(precision, torch.float32)
        assert {p.dtype for p in model.model_.parameters()} == {kept}
        back = model.reconstruct(X)
        assert back.dtype == {"float32": "f4", "float64": "f8", "uint8": "u1"}.get(dtype, back.dtype)
        assert back.dtype.kind in ("fui" if case.is_tabular else "fu")  # tables give whole numbers back
        assert np.isfinite(model.score_samples(X)).all()
        if case.n_components is not None:
            Z = model.transform(X)
            assert Z.dtype in (np.float32, np.float64)
            if dtype in ("float32", "float64"):
                assert Z.dtype == dtype

    def test_the_same_values_in_another_dtype_give_the_same(self, case, kind, net):
        X = data(kind).astype(np.float64)
        a, b = (case.fit(case.make(net, precision="float64"), x) for x in (X, torch.from_numpy(X.copy())))
        assert_same(results(a, X), results(b, X))

    def test_arrays_of_the_user_are_never_written_to(self, case, kind, net):
        for X in (data(kind), data(kind).astype(np.float32), np.asfortranarray(data(kind).astype(np.float64))):
            before = X.copy()
            model = case.fit(case.make(net, max_epochs=1), X)
            results(model, X)
            model.partial_fit(X, **case.labels(N))
            np.testing.assert_array_equal(X, before)

    def test_read_only_and_strided_arrays(self, case, kind, net):
        X = data(kind)
        X.setflags(write=False)
        strided = np.repeat(X, 2, axis=0)[::2]
        backwards = X[::-1].copy()[::-1]
        expected = results(fitted(case, kind, net), data(kind))
        for array in (X, strided, backwards):
            assert_same(results(case.fit(case.make(net), array), array), expected)

    def test_pickle_joblib_and_clone(self, case, kind, net):
        model, X = fitted(case, kind, net), data(kind)
        expected = results(model, X)
        assert_same(results(pickle.loads(pickle.dumps(model)), X), expected)
        file = io.BytesIO()
        joblib.dump(model, file)
        file.seek(0)
        assert_same(results(joblib.load(file), X), expected)
        fresh = clone(model)
        assert fresh.get_params() == model.get_params()
        assert not hasattr(fresh, "model_")
        assert_same(results(case.fit(fresh, X), X), expected)

    def test_one_component(self, case, kind, net):
        X = data(kind)
        if not RECIPES[case.recipe].parameters["n_components"].rule.accepts(1):
            with pytest.raises(ValueError, match="n_components"):
                case.fit(case.make(net, n_components=1), X)
            return
        model = case.fit(case.make(net, n_components=1), X)
        assert model.transform(X).shape == (N, 1)
        assert all(np.isfinite(value).all() for value in results(model, X).values())

    def test_partial_fit_learns(self, case, kind, net):
        X, y = data(kind), case.labels(N)
        model = case.make(net)
        if "start" in model.get_params():
            model.set_params(start="random")  # these rows are near a plane: little is left to learn after PCA
        for _ in range(3):
            model.partial_fit(X, **y)
        before = model.score(X)
        for _ in range(20):
            model.partial_fit(X, **y)
        assert model.n_iter_ == 23
        assert len(model.history_) == 23
        assert model.score(X) > before

    def test_a_second_fit_starts_anew(self, case, kind, net):
        X = data(kind)
        model = case.fit(case.make(net), X[:20])
        assert_same(results(case.fit(model, X), X), results(fitted(case, kind, net), X))

    def test_an_interrupted_training_goes_on_to_the_same_weights(self, case, kind, net, tmp_path, monkeypatch):
        X = data(kind)
        case.fit(case.make(net, checkpoint=tmp_path / "whole"), X)
        with monkeypatch.context() as patched:
            interrupt_at(patched, 4)
            with pytest.raises(KeyboardInterrupt):
                case.fit(case.make(net, checkpoint=tmp_path / "twice"), X)
        stopped = checkpoint.read(tmp_path / "twice" / checkpoint.NAME)
        assert stopped["clock"]["step"] == 5
        has_opponents = bool(case.parts(kind, net)[0].objective.opponent_parameters())
        assert len(stopped["optimizers"]) == 1 + has_opponents  # whose moments are kept, too
        again = case.fit(case.make(net, checkpoint=tmp_path / "twice"), X)
        assert_same(results(again, X), results(fitted(case, kind, net), X))
        whole, twice = (checkpoint.read(tmp_path / name / checkpoint.NAME) for name in ("whole", "twice"))
        assert_same_tensors(checkpoint.pack(twice)[0], checkpoint.pack(whole)[0])  # all weights, moments, generators


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case.id)
def test_every_other_recipe_in_one_pass(case, tmp_path):
    """Fit, score, sample, save and load; the tests above hold it against everything, slowly."""
    model, X = fitted(case), data("vectors")
    values = results(model, X)
    assert all(np.isfinite(value).all() for value in values.values())
    assert values["reconstruct"].shape == X.shape
    assert_saved_and_loaded(model, X, tmp_path)


@pytest.mark.parametrize("case", OF_IMAGES, ids=lambda case: case.id)
def test_a_recipe_of_images_takes_them_and_refuses_vectors(case, tmp_path):
    model, X = fitted(case, "grey"), data("grey")
    assert all(np.isfinite(value).all() for value in results(model, X).values())
    assert_saved_and_loaded(model, X, tmp_path)
    with pytest.raises(ValueError, match=f"{case.recipe.upper()} needs images"):
        case.make().fit(data("vectors"))


def assert_saved_and_loaded(model: Any, X: np.ndarray, folder: Path) -> None:
    model.save(folder / "model")
    again = narrows.load(folder / "model", device="cpu")
    assert type(again) is type(model)
    assert_same(results(again, X), results(model, X))
    assert_same_tensors(dict(again.model_.state_dict()), dict(model.model_.state_dict()))
    assert again.schema_ == model.schema_
    assert again.history_ == model.history_
    assert again.report_ == model.report_


# ------------------------------------------------------------------------------------------------- stochastic codes


@every_case
def test_a_code_that_states_kl_is_stochastic_and_no_other(case):
    bottleneck = case.parts("vectors")[0].model.bottleneck
    assert ("kl" in bottleneck.costs) == (as_stochastic(bottleneck) is not None) == bottleneck.is_stochastic


def code_and_inputs(case: Case) -> tuple[Any, Tensor]:
    """A stochastic code in double precision, with parameters off their start, and encoders' outputs for it."""
    torch.manual_seed(0)
    code = case.parts("vectors", dtype=torch.float64)[0].model.stochastic.eval()
    with torch.no_grad():
        for p in code.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return code, torch.randn(5, code.n_inputs, dtype=torch.float64)


@stochastic_cases
class TestStochastic:
    def test_a_sample_is_the_decoded_image_of_its_noise(self, case):
        model, n = fitted(case), 6
        module, code = model.model_, model.model_.stochastic
        y = {"y": np.arange(n) % 3} if module.n_classes else {}
        samples = model.sample(n, sampler="prior", random_state=3, **y)
        eps = torch.from_numpy(np.random.default_rng(3).standard_normal((n, code.n_prior_noise)))
        if eps.shape[1] == case.n_components:  # each component has the noise of its place as users see it
            eps = eps[:, module.order.argsort()]
        with torch.no_grad():
            z = code.from_prior(eps.float())
            columns = torch.eye(3)[torch.arange(n) % 3][:, : module.n_classes]
            means = module.likelihood.mean(module.decoder(torch.cat([z, columns], 1)))
        np.testing.assert_allclose(samples, model.schema_.restore(means), rtol=1e-4, atol=1e-4)

    def test_score_samples_is_the_mean_over_its_draws_of_log_p_less_log_q(self, case):
        model, X = fitted(case), data("vectors")
        module, code, x = model.model_, model.model_.stochastic, model.prepare(X)
        labels = model.infer_labels(X) if module.n_classes else None
        nats, noise = np.zeros(N), draws(code.n_noise, 8)
        columns = [] if labels is None else [torch.from_numpy(labels[:, None] == model.classes_).float()]

        def score(z):
            return module.likelihood.log_prob(module.decoder(torch.cat([z, *columns], 1)), x).flatten(1).sum(1)

        with inference_mode(module):
            h = module.encoder(x)
            for eps in noise.float():
                z, log_q, _ = code.sample_given(h, eps.repeat(N, 1), score)
                nats += (score(z) + code.log_prior(z) - log_q).detach().double().numpy() / len(noise)
        if labels is not None:
            nats += np.log(np.asarray(model.schema_.frequencies))[np.searchsorted(model.classes_, labels)]
        np.testing.assert_allclose(model.score_samples(X), nats - model.schema_.log_scale(X), rtol=1e-4, atol=1e-3)

    def test_the_kl_is_the_mean_of_log_q_less_log_p(self, case):
        code, h = code_and_inputs(case)
        kl, n = code.kl(h), 50_000
        output = code.code(h, torch.zeros(5, code.n_noise, dtype=torch.float64))
        if kl is None:
            _, log_q, log_p = code.sample(h, torch.zeros(5, code.n_noise, dtype=torch.float64))
            torch.testing.assert_close(output.costs["kl"], log_q - log_p)
            return
        assert kl.shape == (5,)
        torch.testing.assert_close(output.costs["kl"], kl)
        if (each := code.kl_per_component(h)) is not None:
            assert each.shape == (5, code.n_components)
            torch.testing.assert_close(kl, each.sum(1))
        for i in range(5):
            with torch.no_grad():
                eps = torch.randn(n, code.n_noise, dtype=torch.float64)
                _, log_q, log_p = code.sample(h[i].expand(n, -1), eps)
            ratio = log_q - log_p
            assert float(ratio.mean()) == pytest.approx(float(kl[i]), abs=5 * float(ratio.std()) / n**0.5)


@density_cases
class TestDensity:
    def test_drawn_codes_have_the_moments_of_the_prior(self, case):
        """By Stein's identities: E d log p / dz_j = 0 and E z_i d log p / dz_j = - (i = j), for any smooth density."""
        code, _ = code_and_inputs(case)
        if code.n_noise < code.n_components:
            return  # a code on a surface has no gradient in all directions; see tests/test_geometry.py
        n, L = 40_000, code.n_components
        with torch.no_grad():
            z = code.from_prior(torch.randn(n, code.n_prior_noise, dtype=torch.float64))
        z.requires_grad_()
        (slope,) = torch.autograd.grad(code.log_prior(z).sum(), z)
        products = z.detach()[:, :, None] * slope[:, None, :]
        tolerance = 6 / n**0.5
        assert (slope.mean(0).abs() < tolerance * slope.std(0)).all()
        assert ((products.mean(0) + torch.eye(L)).abs() < tolerance * products.std(0)).all()
        if code.prior_std is not None:
            torch.testing.assert_close(z.detach().std(0), code.prior_std.double(), rtol=0.03, atol=0)

    def test_the_density_of_a_draw_follows_from_its_noise(self, case):
        """log q(z) = log N(eps; 0, I) - log |det(J' J)| / 2,  J = dz / deps."""
        code, h = code_and_inputs(case)
        if code.uses_likelihood:
            return  # its density is that of more variables; see tests/test_geometry.py
        assert code.n_noise <= code.n_components
        eps = torch.randn(5, code.n_noise, dtype=torch.float64)
        z, log_q, log_p = code.sample(h, eps)
        assert z.shape == (5, code.n_components)
        torch.testing.assert_close(log_p, code.log_prior(z), rtol=1e-12, atol=1e-12)
        for i in range(5):
            jacobian = torch.autograd.functional.jacobian(
                lambda e, i=i: code.sample(h[i : i + 1], e[None]).z[0], eps[i]
            )
            normal = -0.5 * eps[i].square().sum() - 0.5 * code.n_noise * math.log(2 * math.pi)
            torch.testing.assert_close(
                log_q[i], normal - torch.linalg.svdvals(jacobian).log().sum(), rtol=1e-8, atol=1e-8
            )


# ------------------------------------------------------------------------------------------------- processes, threads


def test_models_are_opened_in_another_process(tmp_path):
    for case in ALL:
        joblib.dump(fitted(case), tmp_path / f"{case.id}.joblib")
    np.save(tmp_path / "X.npy", data("vectors"))
    script = f"""
        import sys
        sys.path[:0] = {sys.path!r}
        import pathlib, joblib, numpy
        folder = pathlib.Path({str(tmp_path)!r})
        X = numpy.load(folder / "X.npy")
        for file in folder.glob("*.joblib"):
            numpy.save(file.with_suffix(".npy"), joblib.load(file).score_samples(X))
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=100, env=environment)
    for case in ALL:
        scores = np.load(tmp_path / f"{case.id}.npy")
        np.testing.assert_allclose(
            scores, fitted(case).score_samples(data("vectors")), rtol=1e-5, atol=1e-4, err_msg=case.id
        )


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory) -> list[dict[str, dict[str, Tensor]]]:
    """The weights by case that each of two processes has learned."""
    folder = tmp_path_factory.mktemp("two")
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", recipe_cases.__file__, str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=110, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="needs gloo")
@representatives
def test_two_processes_give_the_weights_of_one(case, two_processes):
    here, there = (weights[case.id] for weights in two_processes)
    assert_same_tensors(here, there)
    for name, alone in recipe_cases.weights(case).items():
        torch.testing.assert_close(here[name], alone, rtol=0, atol=1e-9, msg=lambda message, name=name: name + message)


class TestTwoThreads:
    @pytest.mark.parametrize("names", [("vae", "dae"), ("vqvae", "factorvae")], ids=" ".join)
    def test_two_trainings_at_once_give_what_they_give_alone(self, names):
        X, cases = data("vectors", 200), [BY_ID[name] for name in names]

        def weights(case: Case) -> dict[str, Tensor]:
            return dict(case.fit(case.make(max_epochs=10), X).model_.state_dict())

        alone = [weights(case) for case in cases]
        before = torch.get_rng_state()
        with ThreadPoolExecutor(2) as pool:
            together = list(pool.map(weights, cases))
        torch.testing.assert_close(torch.get_rng_state(), before)
        for a, b in zip(alone, together, strict=True):
            assert_same_tensors(a, b)


# ------------------------------------------------------------------------------------------------- compiling


@representatives
def test_a_loss_is_one_graph(case):
    """Traced without a compiler; `fullgraph` raises where Python would have to step in."""
    parts, batch = case.parts("vectors")
    state = copy.deepcopy(parts)
    torch._dynamo.reset()

    def gradients(objective, model, batch):
        total = objective(model, batch).total
        return torch.autograd.grad(total, [*model.parameters(), *objective.parameters()])

    torch.manual_seed(0)
    expected = gradients(parts.objective.train(), parts.model.train(), batch)
    torch.manual_seed(0)
    with torch._dynamo.config.patch(trace_autograd_ops=True):
        graph = torch.compile(gradients, fullgraph=True, backend="eager")
        traced = graph(state.objective.train(), state.model.train(), batch)
    torch.testing.assert_close(traced, expected, rtol=1e-4, atol=1e-5)


@needs_compiler
@pytest.mark.slow
@representatives
def test_a_compiled_training_gives_what_a_plain_one_gives(case):
    X = data("vectors")
    torch._dynamo.reset()  # one process compiles a step anew for a few models only
    plain, compiled = (case.fit(case.make(compile=how), X) for how in (False, True))
    assert "compile = True: as asked" in compiled.report_
    assert not any("could not be compiled" in line for line in compiled.report_)
    np.testing.assert_allclose(compiled.score_samples(X), plain.score_samples(X), rtol=1e-3, atol=1e-3)


# ------------------------------------------------------------------------------------------------- the registry


@pytest.mark.parametrize("name", RECIPES)
def test_parameters_are_told(name):
    cls = narrows.estimator(name)
    for parameter in cls.parameters().values():
        assert parameter.help, f"{name}: {parameter.name} has no line of help"
        assert parameter.name in cls.__doc__
        parameter.check(name, parameter.default)
    assert RECIPES[name].summary


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if not recipe.is_visual])
def test_the_model_can_be_used_without_an_estimator(name):
    X = data("vectors")
    torch.manual_seed(0)
    rule = RECIPES[name].parameters["n_components"].rule
    n_components = next(n for n in range(2, 9) if rule.accepts(n))
    if RECIPES[name].is_tabular:
        X, schema = infer_table(open_frame(X, "test"), "test", n_bins=10)
        parts = RECIPES[name].make(schema, n_components)
    else:
        schema = infer(X, "test")
        parts = RECIPES[name].make(schema, n_components, hidden=(16,))
    settings = Settings(max_epochs=2, precision="float32", device="cpu")
    result = train(parts.model, parts.objective, X, schema, settings)
    assert result.n_epochs == 2
    x = schema.prepare(torch.from_numpy(np.array(X)))
    assert parts.model.encode(x).shape == (N, n_components)
    assert parts.model.reconstruct(x).shape == x.shape


def best_bound(model: Any, X: np.ndarray) -> float:
    """The mean score in nats; of a model that learned from several draws the bound by several, not the ELBO."""
    if getattr(model, "bound", model.recipe.name) not in ("iwae", "miwae", "piwae", "ciwae"):
        return model.score(X)
    x = model.prepare(X)
    log_p, _ = importance(model.model_, model.apply(model.model_.encoder, x), x, 64, seed=0)
    return float(log_p.mean()) - float(np.mean(model.schema_.log_scale(X)))


def constant_score(model: Any, X: np.ndarray) -> float:
    """The mean score, in nats, of predicting the same for every example: the mean, with the best scale."""
    x = model.prepare(X).double()
    likelihood = model.model_.likelihood
    mean = x.mean(0, keepdim=True)
    variance = (x - mean).square()
    if likelihood.name == "gaussian":  # one scale for all entries
        nats = -0.5 * x[0].numel() * (1 + torch.log(2 * torch.pi * variance.mean()))
    elif likelihood.name == "heteroscedastic":
        nats = -0.5 * (1 + torch.log(2 * torch.pi * variance.mean(0).clamp(min=1e-6))).sum()
    else:
        params = likelihood.inverse_mean(mean)
        shape = likelihood.params_shape(tuple(x.shape[1:]))
        nats = likelihood.score(params.expand(len(x), *shape), x).mean().detach()
    if model.model_.n_classes:  # and the label by its frequency
        p = torch.tensor(model.schema_.frequencies, dtype=torch.float64)
        nats = nats + (p * p.log()).sum()
    return float(nats) - float(np.mean(model.schema_.log_scale(X)))
