"""The estimators: the scikit-learn interface, and the methods of a fitted model."""

import ast
import inspect
import json
import pickle
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from interrupting import interrupt_at
from recipe_cases import OTHERS, REPRESENTATIVES, Case
from scipy.stats import norm
from sklearn.base import clone, is_outlier_detector
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

import narrows
import narrows.estimators.constructors
from narrows import AE, DAE, SAE, VAE, TableAE
from narrows.data import as_rows, infer
from narrows.estimators import base, parallel
from narrows.estimators.threshold import n_scored, smooth_quantile
from narrows.evaluation.scores import log_likelihood
from narrows.recipes import RECIPES

SMALL = {"hidden": (16,), "max_epochs": 3, "random_state": 0, "device": "cpu", "precision": "float32"}


# ---------------------------------------------------------------------------------------------- scikit-learn's checks


class WithoutProba(TableAE):
    """scikit-learn's checks call `predict_proba(X)` of any estimator that has it; that of TableAE needs a column."""

    @property
    def predict_proba(self):
        raise AttributeError


def small(cases: Iterable[Case]) -> list[narrows.estimators.Estimator]:
    """Make estimators with one component, which suits data of one column, or with many for codes that need more."""
    changes = {"sae": {"n_components": 24}}
    made = [
        case.make(**{"n_components": case.n_components and 1, "batch_size": "auto", **changes.get(case.recipe, {})})
        for case in cases
        if not case.parameters.get("conditional")  # scikit-learn's checks have no labels for it
        # the checks set n_components to 1, which a category, a sphere and a ladder of two groups cannot have
        and case.recipe != "laddervae"
        and RECIPES[case.recipe].parameters["n_components"].rule.accepts(case.n_components and 1)
    ]
    return [WithoutProba(**model.get_params()) if isinstance(model, TableAE) else model for model in made]


# one of each kind of estimator: with plain, drawn and sparse codes, and with codes that are not decoded
CHECKED = [case for case in REPRESENTATIVES if not case.parameters and case.recipe in ("ae", "vae", "sae", "tableae")]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # three passes teach little
@parametrize_with_checks(small(CHECKED))
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # three passes teach little
@parametrize_with_checks(
    [*small(case for case in (*REPRESENTATIVES, *OTHERS) if case not in CHECKED), AE(), VAE(), DAE(), DAE(2), SAE()]
)
def test_scikit_learns_checks_of_all_others_and_with_the_defaults(estimator, check):
    check(estimator)


def test_grid_search(vectors):
    search = GridSearchCV(VAE(**SMALL), {"n_components": [1, 2], "beta": [0.5, 1.0]}, cv=2).fit(vectors)
    assert set(search.best_params_) == {"n_components", "beta"}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.transform(vectors).shape == (200, search.best_params_["n_components"])


def test_pipeline(vectors):
    pipeline = make_pipeline(StandardScaler(), AE(2, **SMALL)).fit(vectors)
    Z = pipeline.transform(vectors)
    assert Z.shape == (200, 2)
    assert pipeline.inverse_transform(Z).shape == vectors.shape
    assert list(pipeline.get_feature_names_out()) == ["ae0", "ae1"]
    assert pipeline.score(vectors) == pipeline[-1].score(pipeline[:-1].transform(vectors))


def test_set_output(vectors):
    frame = pd.DataFrame(vectors, columns=list("abcdef"), index=np.arange(200) + 7)
    model = SAE(12, k=3, **SMALL).set_output(transform="pandas").fit(frame)
    Z = model.transform(frame)
    assert isinstance(Z, pd.DataFrame)
    assert list(Z.columns) == [f"sae{i}" for i in range(12)]
    assert Z.index.equals(frame.index)
    # the results of other methods do not depend on the wrapping of codes
    again = model.inverse_transform(Z)
    pd.testing.assert_frame_equal(again, model.reconstruct(frame))
    assert model.active_units(frame).which.shape == (200, 12)


@pytest.mark.parametrize("columns", [list("abcdef"), [0, 1, 2, 3, 4, 5]])
def test_a_data_frame_comes_back_as_one(vectors, columns, tmp_path):
    frame = pd.DataFrame(vectors.astype(np.float32), columns=columns, index=np.arange(200)[::-1])
    model = VAE(2, **SMALL).fit(frame)
    model.save(tmp_path / "m")
    for fitted in (model, narrows.load(tmp_path / "m", device="cpu")):
        back = fitted.reconstruct(frame)
        assert isinstance(back, pd.DataFrame)
        assert list(back.columns) == columns
        assert back.index.equals(frame.index)
        assert (back.dtypes == np.float32).all()
        np.testing.assert_array_equal(back, fitted.reconstruct(frame))
        assert list(fitted.sample(3, random_state=0).columns) == columns
        assert isinstance(fitted.inverse_transform(fitted.transform(frame)), pd.DataFrame)
        assert [steps.shape for steps in fitted.traverse(frame)] == [(9, 6)] * 2
        assert fitted.interpolate(frame.iloc[0], frame.iloc[1]).shape == (9, 6)
    if columns[0] == "a":
        assert list(model.feature_names_in_) == columns
        np.testing.assert_array_equal(model.transform(frame[columns[::-1]]), model.transform(frame))
        with pytest.raises(ValueError, match=r"It lacks 'a'; it has 'b', 'c', 'd', 'e', 'f'"):
            model.transform(frame[columns[1:]])


def test_type_checkers_see_the_constructors():
    """`scripts/check` compares the whole stub with what `scripts/stubs` would write; here its meaning counts."""
    stub = ast.parse(Path(narrows.estimators.constructors.__file__).with_suffix(".pyi").read_text())
    found = {}
    for part in stub.body:
        if isinstance(part, ast.ClassDef) and isinstance(part.body[-1], ast.FunctionDef):
            first, rest = part.body[-1].args.args[1:], part.body[-1].args.kwonlyargs
            defaults = part.body[-1].args.defaults + part.body[-1].args.kw_defaults
            names = [argument.arg for argument in first + rest]
            found[part.name] = (len(first), dict(zip(names, map(ast.literal_eval, defaults), strict=True)))
    own = [narrows.estimator(name) for name, recipe in RECIPES.items() if recipe.is_own]
    assert found == {
        cls.__name__: (1, {p.name: p.default for p in inspect.signature(cls).parameters.values()}) for cls in own
    }


def test_help_documents_every_parameter():
    """The recipe's parameters come first, then those of the training, between the class's text and its examples."""
    text = inspect.getdoc(VAE)
    places = [
        text.index(f"\n{p.name} : {p.rule.describe()}, default {p.default!r}\n") for p in VAE.parameters().values()
    ]
    sections = [text.index(f"\n{name}\n---") for name in ("Parameters", "Other Parameters", "Examples")]
    assert places == sorted(places)
    assert sections[0] < places[0] < places[len(VAE.recipe.parameters) - 1] < sections[1]
    assert sections[1] < places[len(VAE.recipe.parameters)] < places[-1] < sections[2]


def test_parameters_are_stored_and_nothing_else():
    values = {"n_components": 3, "hidden": [4, 5], "beta": 2, "random_state": np.random.RandomState(0)}
    model = VAE(**values)
    assert all(model.get_params()[key] is value for key, value in values.items())
    assert set(vars(model)) == set(model.get_params())
    assert model.set_params(beta=0.5) is model
    assert model.beta == 0.5
    with pytest.raises(ValueError, match="Invalid parameter 'gamma'"):
        model.set_params(gamma=1)
    assert clone(model).get_params()["hidden"] == [4, 5]
    assert repr(VAE(3, beta=4.0)) == "VAE(beta=4.0, n_components=3)"


@pytest.mark.parametrize("seed", [3, np.int64(3), np.random.RandomState(3), np.random.default_rng(3), None])
def test_random_states(vectors, seed):
    assert VAE(1, **{**SMALL, "random_state": seed}).fit(vectors).transform(vectors).shape == (200, 1)


# --------------------------------------------------------------------------------------------- the dials of a VAE


@pytest.fixture(scope="module")
def vae(digits):
    model = VAE(
        6, likelihood="bernoulli", hidden=(64,), max_epochs=25, random_state=0, precision="float32", device="cpu"
    )
    return model.fit(digits)


def test_components_come_ordered_by_what_they_carry(vae, digits):
    assert vae.components_kl_.shape == (6,)
    assert (np.diff(vae.components_kl_) <= 0).all()
    x = vae.prepare(digits)
    with torch.inference_mode():
        h = vae.model_.encoder(x)
        kl = vae.model_.bottleneck.kl_per_component(h).mean(0)[vae.model_.order]
        means = vae.model_.bottleneck.encode(h)[:, vae.model_.order]
    np.testing.assert_allclose(kl, vae.components_kl_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(vae.transform(digits), means, atol=1e-5)


def test_unused_components_are_named(vectors):
    # two hidden factors and six components: some are not needed
    X = np.concatenate([vectors, vectors + 0.01])
    model = VAE(6, **{**SMALL, "max_epochs": 150}).fit(X)
    unused = model.unused_components_
    assert 0 < len(unused) < 6
    variances = model.transform(X).var(0)
    assert all(variances[i] < 0.011 for i in unused)
    assert all(variances[i] > 0.009 for i in range(6) if i not in unused)
    (finding,) = [finding for finding in model.findings_ if finding.name == "unused_components"]
    assert finding.change == {"n_components": 6 - len(unused)}


def test_traverse_turns_one_dial_at_a_time(vae, digits):
    turned = vae.traverse(digits[:1], n_steps=5, span=2.0)
    codes = np.tile(vae.transform(digits[:1])[0], (5, 1)).astype(float)
    for component in range(6):
        expected = codes.copy()
        expected[:, component] = vae.code_mean_[component] + np.linspace(-2, 2, 5)
        np.testing.assert_array_equal(turned[component], vae.inverse_transform(expected))
    np.testing.assert_array_equal(vae.traverse(digits[:1], components=[2], n_steps=5, span=2.0)[0], turned[2])
    np.testing.assert_array_equal(vae.traverse(digits[:1], components=2, n_steps=5, span=2.0)[0], turned[2])
    # from the mean code, all dials have the same middle
    centre = vae.inverse_transform(vae.code_mean_[None])[0]
    for dial in vae.traverse(n_steps=3):
        np.testing.assert_allclose(dial[1], centre, atol=1e-6)
    # a component that carries more changes more
    spread = [dial.std(0).mean() for dial in vae.traverse()]
    assert spread[0] > spread[-1]


def test_traverse_of_other_codes(digits):
    for model in (AE(3, **SMALL), SAE(5, k=2, **SMALL)):
        model.fit(digits)
        turned = model.traverse(components=[1], n_steps=3, span=1.5)
        codes = np.tile(model.code_mean_, (3, 1))
        codes[:, 1] += 1.5 * model.transform(digits).astype(float).std(0)[1] * np.array([-1, 0, 1])
        if isinstance(model, SAE):
            codes = codes.clip(min=0)
        np.testing.assert_allclose(turned[0], model.inverse_transform(codes), atol=1e-5)


@pytest.mark.parametrize("components", [[], [6], [-1], [0.5], "kl"])
def test_traverse_refuses(vae, components):
    with pytest.raises(ValueError, match=r"`components` parameter of traverse must hold ints from 0 to 5"):
        vae.traverse(components=components)


def test_interpolate_goes_from_one_to_the_other(vae, digits):
    way = vae.interpolate(digits[0], digits[1], n_steps=5)
    np.testing.assert_allclose(way[[0, -1]], vae.reconstruct(digits[:2]), atol=1e-6)
    middle = vae.transform(digits[:2]).mean(0, keepdims=True)
    line = vae.interpolate(digits[0], digits[1], n_steps=5, path="line")
    np.testing.assert_allclose(line[2], vae.inverse_transform(middle)[0], atol=1e-6)


def test_samples_look_like_the_data(vae, digits):
    X = vae.sample(500, random_state=0)
    assert X.min() >= 0
    assert X.max() <= 1
    np.testing.assert_array_equal(X, vae.sample(500, random_state=0))
    assert not np.array_equal(X, vae.sample(500, random_state=1))
    assert not np.array_equal(vae.sample(2), vae.sample(2))
    mean = digits.mean(0)
    # samples' mean is nearer to the data's than a grey image is
    assert np.mean((X.mean(0) - mean) ** 2) < 0.1 * np.mean((mean - mean.mean()) ** 2)
    noisy = vae.sample(500, random_state=0, noise=True)
    assert set(np.unique(noisy)) == {0, 1}  # drawn from the likelihood
    np.testing.assert_allclose(noisy.mean(), X.mean(), atol=0.02)


def test_samples_of_a_plain_code_follow_the_training_codes(vectors):
    model = AE(2, **{**SMALL, "max_epochs": 60}).fit(vectors)
    codes = model.transform(model.sample(4000, random_state=0))
    trained = model.transform(vectors)
    np.testing.assert_allclose(codes.mean(0), trained.mean(0), atol=0.3 * trained.std())
    np.testing.assert_allclose(np.cov(codes.T), np.cov(trained.T), atol=0.3 * trained.var())


def test_score_samples_is_the_elbo_in_the_users_units(vectors):
    model = VAE(2, **SMALL).fit(vectors)
    wide = VAE(2, **SMALL).fit(vectors * 10)
    # the density of 10 x at 10 x is smaller by 10 for each of the six columns
    np.testing.assert_allclose(
        wide.score_samples(vectors * 10), model.score_samples(vectors) - 6 * np.log(10), rtol=1e-3
    )
    with torch.inference_mode():
        nats = log_likelihood(model.model_, model.prepare(vectors).float())
    np.testing.assert_allclose(model.score_samples(vectors), nats - np.log(vectors.std(0)).sum(), rtol=1e-4, atol=1e-4)


# ------------------------------------------------------------------------------------------------------- outliers


@pytest.mark.parametrize(("contamination", "share"), [("auto", 0.05), (0.2, 0.2), (0.01, 0.01)])
def test_without_held_out_rows_contamination_is_the_share_of_training_rows(vectors, contamination, share):
    model = AE(2, contamination=contamination, early_stopping=False, **SMALL).fit(vectors)
    assert np.mean(model.predict(vectors) == -1) == pytest.approx(share, abs=0.006)
    assert f"{100 * share:g} % of 200 training rows" in model.report_[-1]
    assert "none were held out" in model.report_[-1]
    np.testing.assert_array_equal(model.predict(vectors) == -1, model.score_samples(vectors) < model.offset_)
    np.testing.assert_array_equal(model.decision_function(vectors), model.score_samples(vectors) - model.offset_)


@pytest.mark.parametrize("cls", [AE, *(pytest.param(cls, marks=pytest.mark.slow) for cls in (VAE, DAE, SAE))])
def test_contamination_is_the_share_of_new_rows(cls):
    shares = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        directions = rng.normal(size=(5, 40))
        rows = rng.normal(size=(3150, 5)) @ directions + 0.5 * rng.normal(size=(3150, 40))
        model = cls(hidden=(128,), contamination=0.05, random_state=seed, device="cpu", max_epochs=150).fit(rows[:150])
        shares.append(np.mean(model.predict(rows[150:]) == -1))
        assert "by the scores of 20 held-out rows" in model.report_[-1]
    assert 0.01 < np.mean(shares) < 0.12  # with a threshold from training rows it is 0.4 to 1
    assert max(shares) < 0.3


def test_the_threshold_is_from_the_rows_that_were_held_out(monkeypatch):
    X = np.random.default_rng(0).normal(size=(5000, 4))
    scored, held_out = [], []
    score, train = AE._score_rows, base.train
    monkeypatch.setattr(AE, "_score_rows", lambda model, rows: scored.append(rows) or score(model, rows))

    def watch(*args, **kwargs):
        result = train(*args, **kwargs)
        held_out.append(X[result.held_out])
        return result

    monkeypatch.setattr(base, "train", watch)
    model = AE(2, **SMALL).fit(X)
    assert len(held_out[0]) == len(scored[0]) == 500
    np.testing.assert_array_equal(np.sort(scored[0], axis=0), np.sort(held_out[0], axis=0))
    assert np.mean(model.score_samples(held_out[0]) < model.offset_) == pytest.approx(0.05, abs=0.001)
    assert len([line for line in model.report_ if line.startswith("threshold = ")]) == 1
    model.partial_fit(X[:300])
    (line,) = [line for line in model.report_ if line.startswith("threshold = ")]
    assert "5 % of 300 training rows" in line


def test_a_smooth_quantile_is_unbiased_and_needs_few_scores():
    draws = np.random.default_rng(0).normal(size=(500, 20))
    below = norm.cdf([smooth_quantile(scores, 0.05) for scores in draws])
    lowest = norm.cdf(draws.min(1))  # the order statistic of that share
    assert below.mean() == pytest.approx(0.05, abs=0.01)
    assert below.std() < 0.9 * lowest.std()
    assert smooth_quantile(draws[0], 0.001) < draws[0].min()
    many = np.random.default_rng(1).normal(size=(500, 400))
    below = norm.cdf([smooth_quantile(scores, 0.05) for scores in many])
    assert below.mean() == pytest.approx(0.05, abs=0.001)
    assert smooth_quantile(np.full(20, -3.0), 0.05) == -3


def test_large_images_are_scored_in_less_time_than_they_are_trained_on():
    """Four images of 160 pixels took ten seconds for the threshold and six for the training."""
    images = np.random.default_rng(0).integers(0, 256, (4, 160, 160, 3)).astype(np.uint8)
    model = AE(2, max_epochs=1, random_state=0, device="cpu").fit(images)
    assert (
        parallel.fewest_rows(model.schema_, model.model_) == parallel.rows_per_block(model.schema_, model.model_) <= 8
    )
    np.testing.assert_array_equal(model.transform(images)[:1], model.transform(images[:1]))
    assert 4 <= n_scored(model, 4) <= 8
    assert n_scored(model, 400) == 100
    model.n_iter_ = 1000
    assert n_scored(model, 400) == 2000


def test_an_autoencoder_is_no_outlier_detector_to_scikit_learn(vectors):
    model = AE(2, **SMALL)
    assert not is_outlier_detector(model)
    np.testing.assert_array_equal(model.fit_predict(vectors), model.predict(vectors))


def test_outliers_are_found(vectors, rng):
    model = VAE(2, **{**SMALL, "max_epochs": 60}).fit(vectors)
    far = vectors[:50] + rng.normal(scale=3, size=(50, 6))
    assert np.mean(model.predict(far) == -1) > 0.8
    assert model.fit_predict(vectors).shape == (200,)


# ---------------------------------------------------------------------------------------------- sparse, denoising


@pytest.fixture(scope="module")
def sae(digits):
    return SAE(64, k=5, hidden=(32,), max_epochs=10, random_state=0, precision="float32", device="cpu").fit(digits)


def test_active_units(sae, digits):
    units, Z = sae.active_units(digits), sae.transform(digits)
    of_blocks = sae.active_units(digits[i : i + 70] for i in range(0, len(digits), 70))
    np.testing.assert_array_equal(of_blocks.which, units.which)
    np.testing.assert_array_equal(units.which, Z > 0)
    np.testing.assert_array_equal(units.count, (Z > 0).sum(1))
    assert units.count.max() <= 5
    np.testing.assert_allclose(units.rate, (Z > 0).mean(0))
    np.testing.assert_array_equal(units.dead, np.flatnonzero((Z > 0).sum(0) == 0))
    assert "of 64 units" in repr(units)


def test_top_examples(sae, digits):
    Z = sae.transform(digits)
    unit = int(Z.sum(0).argmax())
    top = sae.top_examples(digits, unit, n=7)
    assert len(top) == 7
    assert (np.diff(Z[top, unit]) <= 0).all()
    assert Z[top, unit].min() >= np.delete(Z[:, unit], top).max()
    # only rows for which the unit is active
    silent = np.flatnonzero(Z[:, unit] == 0)[:3]
    assert len(sae.top_examples(digits[silent], unit)) == 0
    with pytest.raises(ValueError, match=r"`unit` parameter of top_examples must be an int in the range \[0, 63\]"):
        sae.top_examples(digits, 64)


@pytest.mark.parametrize("sparsity", ["topk", "l1", "kl"])
def test_sparsity(digits, sparsity):
    model = SAE(
        48,
        k=3,
        sparsity=sparsity,
        strength=1.0 if sparsity == "l1" else 20.0,
        hidden=(64,),
        max_epochs=30,
        random_state=0,
        precision="float32",
        device="cpu",
    ).fit(digits)
    units = model.active_units(digits)
    assert {"l0", "dead_fraction"} <= set(model.history_[-1])
    if sparsity == "topk":
        assert units.count.max() <= 3
    elif sparsity == "l1":
        free = clone(model).set_params(strength=0.0).fit(digits)
        assert 1 < units.count.mean() < 0.4 * free.active_units(digits).count.mean()
    else:
        assert model.transform(digits).mean(0) == pytest.approx(0.05, abs=0.05)


def test_denoise_takes_noise_away(digits, rng):
    model = DAE(level=0.4, hidden=(128,), max_epochs=15, random_state=0, network="mlp", device="cpu").fit(digits[:1500])
    clean = digits[1500:]
    noisy = clean + rng.normal(scale=0.4, size=clean.shape)
    error = np.mean((model.denoise(noisy) - clean) ** 2)
    assert error < 0.5 * np.mean((noisy - clean) ** 2)
    np.testing.assert_array_equal(model.denoise(noisy), model.reconstruct(noisy))


def test_a_denoiser_without_a_code_has_no_codes(digits):
    model = DAE(**SMALL).fit(digits[:100])
    for method in ("transform", "fit_transform", "inverse_transform", "sample", "traverse", "interpolate"):
        assert not hasattr(model, method)
        assert hasattr(DAE(2), method)
    with pytest.raises(AttributeError) as caught:
        model.transform(digits)
    assert "n_components=None" in str(caught.value.__cause__)


# --------------------------------------------------------------------------------------- a network of one's own


class Encoder(nn.Module):
    def __init__(self, d: int = 64, n: int = 10) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(d, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, n))

    def forward(self, x):
        return self.net(x)


class Decoder(nn.Module):
    def __init__(self, n: int = 3, d: int = 64) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n, 20), nn.Tanh(), nn.Linear(20, d))

    def forward(self, z):
        return self.net(z)


class Cleaner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Conv2d(1, 1, 3, padding=1)

    def forward(self, x):
        return self.net(x)


OWN = {
    "encoder": (Encoder(), {"encoder": Encoder()}),
    "decoder": (("mlp", Decoder()), {"decoder": Decoder()}),
    "pair": ((Encoder(), Decoder()), {"encoder": Encoder(), "decoder": Decoder()}),
}


@pytest.mark.parametrize("part", OWN)
@pytest.mark.parametrize("make", [AE, VAE, lambda *a, **k: SAE(*a, k=2, **k), DAE])
def test_own_modules(digits, tmp_path, part, make):
    network, again = OWN[part]
    modules = [m for m in (network if isinstance(network, tuple) else (network,)) if isinstance(m, nn.Module)]
    before = [t.clone() for m in modules for t in m.state_dict().values()]
    X = digits[:100]
    model = make(3, network=network, **SMALL).fit(X)
    assert model.transform(X).shape == (100, 3)
    # a copy of the user's module is trained
    assert all(
        torch.equal(a, b) for a, b in zip(before, (t for m in modules for t in m.state_dict().values()), strict=True)
    )
    used = {type(m) for m in model.model_.modules()}
    assert {type(m) for m in modules} <= used
    model.save(tmp_path / "m")
    loaded = narrows.load(tmp_path / "m", device="cpu", **again)
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    np.testing.assert_array_equal(loaded.reconstruct(X), model.reconstruct(X))
    np.testing.assert_array_equal(loaded.score_samples(X), model.score_samples(X))
    missing = next(iter(again))
    with pytest.raises(ValueError, match=rf"(?s)module of your own as its {missing}.*{missing.title()}.*{missing}="):
        narrows.load(tmp_path / "m")
    saved = json.loads((tmp_path / "m" / "recipe.json").read_text())
    assert "Encoder" in str(saved["parameters"]["network"]) or "Decoder" in str(saved["parameters"]["network"])
    clone(model).fit(X)


def test_own_cleaner(digits, tmp_path):
    model = DAE(network=Cleaner(), **SMALL).fit(digits[:100])
    assert any(isinstance(m, Cleaner) for m in model.model_.modules())
    model.save(tmp_path / "m")
    again = narrows.load(tmp_path / "m", encoder=Cleaner(), device="cpu")
    np.testing.assert_array_equal(again.denoise(digits), model.denoise(digits))
    with pytest.raises(ValueError, match=r"must be one module if n_components=None.*Encoder"):
        DAE(network=(Encoder(), Decoder()), **SMALL).fit(digits[:100])


class Viewing(nn.Module):
    """A convolution that is flattened by a view, which needs channel-first memory, or has a third dimension."""

    def __init__(self, channels: int, deep: bool) -> None:
        super().__init__()
        self.deep = deep
        self.convolve = (nn.Conv3d if deep else nn.Conv2d)(channels, 6, 3, 2, 1)

    def forward(self, x):
        h = self.convolve(x[:, :, None]) if self.deep else self.convolve(x)
        return h.view(len(h), -1)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("colours", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_own_modules_that_need_their_layout(deep, colours, precision, digits, tmp_path):
    X = np.stack([digits, digits, 1 - digits], -1) if colours else digits
    network = Viewing(3 if colours else 1, deep)
    model = VAE(2, network=(network, "mlp"), **{**SMALL, "precision": precision}).fit(X[:100])
    model.save(tmp_path / "m")
    for again in (narrows.load(tmp_path / "m", encoder=network), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.transform(X[:50]), model.transform(X[:50]))


def test_another_module_than_the_one_that_was_saved_is_refused(digits, tmp_path):
    AE(3, network=Encoder(), **SMALL).fit(digits[:100]).save(tmp_path / "m")
    with pytest.raises(ValueError, match="do not fit its recipe"):
        narrows.load(tmp_path / "m", encoder=Encoder(n=12))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Encoder(d=63), r"encoder module Encoder could not take an input of shape \(2, 1, 8, 8\)"),
        (("mlp", Decoder(n=4)), r"decoder module Decoder could not take an input of shape \(2, 3\)"),
        (("mlp", Decoder(d=60)), r"decoder module Decoder must give 64 numbers per example .* It gave 60"),
        ("cnov", r"Unknown network 'cnov'. Did you mean 'conv'"),
        (3, r"`network` parameter of AE must be one of 'auto', 'mlp', 'conv'.* Got 3"),
        (("mlp",), r"`network` parameter of AE must be .* a pair"),
    ],
)
def test_networks_that_do_not_fit(digits, network, message):
    with pytest.raises(ValueError, match=message):
        AE(3, network=network, **SMALL).fit(digits[:100])


# ------------------------------------------------------------------------------------------------- there and back

SIZES = st.integers(8, 13)


@st.composite
def arrays(draw):
    layout = draw(st.sampled_from(["d", "hw", "hwc", "chw"]))
    n, h, w, c = draw(st.integers(2, 6)), draw(SIZES), draw(SIZES), draw(st.sampled_from([1, 3, 4]))
    shape = {"d": (n, h), "hw": (n, h, w), "hwc": (n, h, w, c), "chw": (n, c, h, w)}[layout]
    dtype = draw(st.sampled_from(["uint8", "uint16", "int32", "float16", "float32", "float64", "bool"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    top = draw(st.sampled_from([1, 2, 255]))
    X = rng.integers(0, top + 1, shape) if np.dtype(dtype).kind in "uib" else rng.normal(size=shape) * top
    return X.astype(dtype), layout


@given(arrays(), st.sampled_from([torch.float32, torch.float64]))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_prepare_and_restore_are_inverse(case, dtype):
    X, layout = case
    rows = as_rows(X, "test")
    schema = infer(rows, "test")
    assert schema.layout == layout
    x = schema.prepare(torch.from_numpy(rows), dtype)
    assert x.shape == (len(X), *schema.shape)
    assert x.dtype == dtype
    if layout != "d":
        assert schema.shape[0] == {"hw": 1, "hwc": X.shape[-1], "chw": X.shape[1]}[layout]
    back = schema.restore(x)
    assert back.shape == X.shape
    if X.dtype == np.uint8:
        assert back.dtype == np.uint8
        np.testing.assert_array_equal(back, X)
    else:
        assert back.dtype == (np.float32 if rows.dtype.itemsize <= 4 else np.float64)
        scale = 1 + np.abs(rows.astype(float)).max()
        np.testing.assert_allclose(back, X.astype(back.dtype), rtol=0, atol=1e-6 * scale)
    if schema.support in ("unit", "binary"):
        assert 0 <= x.min()
        assert x.max() <= 1
    again = type(schema).from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema


@given(case=arrays(), recipe=st.sampled_from(["ae", "vae", "dae", "sae"]))
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_any_shape_and_dtype_can_be_fitted(case, recipe):
    X, _ = case
    model = narrows.estimator(recipe)(n_components=2, hidden=(4,), max_epochs=1, random_state=0, device="cpu").fit(X)
    back = model.reconstruct(X)
    assert back.shape == X.shape
    assert np.isfinite(back).all()
    assert np.isfinite(model.score_samples(X)).all()


def test_tensors_are_taken(digits):
    X = torch.tensor(digits[:60], dtype=torch.float32, requires_grad=True)
    a = AE(2, **SMALL).fit(X)
    b = AE(2, **SMALL).fit(digits[:60].astype(np.float32))
    np.testing.assert_array_equal(a.transform(X), b.transform(X.detach().numpy()))
    bf16 = a.reconstruct(X.detach().bfloat16())
    assert bf16.dtype == np.float32


def test_lists_are_taken(digits):
    a = AE(2, **SMALL).fit(list(digits[:60]))
    np.testing.assert_array_equal(a.transform(digits[:5]), a.transform([image.tolist() for image in digits[:5]]))
    rows = [[1.0, 2.0], [3.0, 4.5], [2.0, 2.0]]
    assert AE(1, **SMALL).fit(rows).transform(rows).shape == (3, 1)


def test_ctrl_c_in_a_pass_keeps_what_was_learned(monkeypatch, vectors):
    model = narrows.VAE(2, hidden=(8,), batch_size=32, random_state=0, device="cpu")
    for step in (2, 3):
        with monkeypatch.context() as patched:
            interrupt_at(patched, step)
            with pytest.raises(KeyboardInterrupt):
                model.partial_fit(vectors)
        np.testing.assert_allclose(model.code_std_, model.transform(vectors).std(0), rtol=1e-4)
    assert model.n_iter_ == 2
    assert model.partial_fit(vectors).n_iter_ == 3


def test_lists_for_a_model_of_frames_come_back_as_frames(vectors):
    frame = pd.DataFrame(vectors, columns=list("abcdef"), index=np.arange(200) + 1000)
    model = AE(2, hidden=(8,), max_epochs=1, random_state=0, device="cpu").fit(frame)
    attribute = model.attribute(frame, frame["a"])
    for rows, index in ((frame[:3], [1000, 1001, 1002]), (vectors[:3].tolist(), [0, 1, 2])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # scikit-learn warns about rows without names
            assert model.move(rows, attribute).index.tolist() == index
            assert model.reconstruct(rows).index.tolist() == index


def test_the_index_of_a_frame_comes_back_from_its_codes():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 4)), columns=[400.0, 402.5, 405.0, 407.5])
    frame.index = [f"row {i}" for i in range(60)]
    model = AE(2, hidden=(8,), max_epochs=2, random_state=0).fit(frame)
    codes = model.transform(frame)
    back = model.inverse_transform(codes)
    assert back.index.equals(frame.index)
    assert list(back.columns) == list(frame.columns)
    assert not (frame - back).isna().any(axis=None)
    # rows that may be others have no index
    for derived in (codes[::-1], codes[:5], codes + 0, codes.copy()):
        assert list(model.inverse_transform(derived).index) == list(range(len(derived)))
    named = AE(2, hidden=(8,), max_epochs=2, random_state=0).set_output(transform="pandas").fit(frame)
    shuffled = named.transform(frame).sample(frac=1, random_state=0)
    assert named.inverse_transform(shuffled).index.equals(shuffled.index)
