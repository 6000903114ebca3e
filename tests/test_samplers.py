"""Generation with control: samplers and their closed forms, temperature, paths between codes, attributes, labels."""

import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from typer.testing import CliRunner

import narrows
from narrows import AE, SAE, VAE
from narrows.bottlenecks import lerp, slerp
from narrows.cli import app
from narrows.data import infer
from narrows.estimators.generation import Attribute
from narrows.estimators.samplers import SAMPLERS, Flow, Mixture, TwoStage, as_sampler, restore_samplers
from narrows.estimators.saving import fingerprint
from narrows.model import infer_label
from narrows.recipes import RECIPES

SMALL = {"hidden": (32,), "max_epochs": 4, "random_state": 0, "precision": "float32", "device": "cpu", "compile": False}


def clusters(n: int = 900) -> torch.Tensor:
    """Draw codes around three corners of a square, in different units for each component."""
    rng = np.random.default_rng(0)
    corners = np.array([[0, 0], [10, 0], [0, 100]])
    return torch.from_numpy(corners[rng.integers(3, size=n)] + rng.normal(size=(n, 2)) * [1.0, 10.0] + 5)


# ------------------------------------------------------------------------------------------------------- samplers


def test_one_gaussian_is_scipys(rng):
    A = rng.normal(size=(3, 3))
    mean, covariance = rng.normal(size=3), A @ A.T
    sampler, Z = Mixture.gaussian(mean, covariance), rng.normal(size=(20, 3))
    expected = multivariate_normal(mean, covariance).logpdf(Z)
    np.testing.assert_allclose(sampler.log_prob(torch.from_numpy(Z)), expected, rtol=1e-9)
    drawn = sampler.draw(40_000, np.random.default_rng(0)).numpy()
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.05 * np.trace(covariance))


def test_a_singular_covariance_is_drawn_from():
    drawn = Mixture.gaussian(np.zeros(2), np.ones((2, 2))).draw(1000, np.random.default_rng(0)).numpy()
    np.testing.assert_allclose(drawn[:, 0], drawn[:, 1], atol=1e-12)
    assert drawn.std() == pytest.approx(1, abs=0.1)


def test_a_mixture_finds_the_clusters_and_beats_one_gaussian():
    Z = clusters()
    mixture = Mixture().fit(Z[:600], seed=0)
    one = Mixture.gaussian(Z[:600].mean(0).numpy(), np.cov(Z[:600].T.numpy()))
    assert float(mixture.log_prob(Z[600:]).mean()) > float(one.log_prob(Z[600:]).mean()) + 0.5
    # the truth: log density of the three Gaussians themselves
    true = -np.log(3) - np.log(2 * np.pi * 10) - 1
    assert float(mixture.log_prob(Z[600:]).mean()) == pytest.approx(true, abs=0.1)
    drawn = mixture.draw(5000, np.random.default_rng(0)).numpy()
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(Z.T.numpy()), rtol=0.2, atol=15)


def test_a_density_sums_to_one():
    mixture = Mixture(3).fit(clusters(), seed=0)
    a, b = np.meshgrid(np.linspace(-10, 30, 400), np.linspace(-80, 180, 400))
    density = mixture.log_prob(torch.from_numpy(np.stack([a.ravel(), b.ravel()], 1))).exp()
    assert float(density.sum()) * (40 / 399) * (260 / 399) == pytest.approx(1, abs=1e-3)


def test_few_codes_get_one_gaussian(rng):
    Z = torch.from_numpy(rng.normal(size=(12, 4)))
    assert len(Mixture().fit(Z, seed=0).tensors["weights"]) == 1


def test_a_mixture_of_codes_that_do_not_vary():
    mixture = Mixture(1).fit(torch.ones(50, 2, dtype=torch.float64), seed=0)
    np.testing.assert_allclose(mixture.draw(5, np.random.default_rng(0)), 1, atol=0.1)


def test_temperature_scales_the_spread_and_zero_gives_the_centres():
    mixture = Mixture(3).fit(clusters(), seed=0)
    still = mixture.draw(300, np.random.default_rng(0), temperature=0).numpy()
    np.testing.assert_allclose(
        np.unique(still.round(6), axis=0), np.unique(mixture.tensors["means"].numpy().round(6), axis=0)
    )
    one = Mixture.gaussian(np.full(3, 2.0), np.eye(3))
    half, whole = (one.draw(100, np.random.default_rng(0), t).numpy() for t in (0.5, 1.0))
    np.testing.assert_allclose(half - 2, (whole - 2) / 2, atol=1e-12)


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (Mixture(0), r"`n_components` parameter of Mixture must be an int in the range \[1, 900\] or 'auto'. Got 0"),
        (Mixture(901), r"\[1, 900\]"),
        (Mixture(max_components=0), "`max_components` parameter of Mixture"),
        (Flow(0), "`transforms` parameter of Flow"),
        (Flow(hidden=(0,)), "`hidden` parameter of Flow"),
        (Flow(kind="real"), "`kind` parameter of Flow must be one of 'spline', 'maf', 'iaf'. Got 'real'"),
        (TwoStage((0,)), "`hidden` parameter of TwoStage"),
        (TwoStage(max_epochs=0), "`max_epochs` parameter of TwoStage"),
    ],
)
def test_samplers_refuse(sampler, message):
    with pytest.raises(ValueError, match=message):
        sampler.fit(clusters(), seed=0)


KINDS = ("maf", "iaf")


@pytest.fixture(scope="module", params=["spline", "maf", "iaf", "two_stage"])
def flow(request):
    """Fit a density that a network transports from a normal one."""
    Z = clusters()[:600]
    if request.param == "two_stage":
        return TwoStage((64,), max_epochs=100).fit(Z, seed=0)
    pytest.importorskip("zuko", reason="needs the extra `flows`")
    if request.param == "spline":
        return Flow(2, hidden=(32,), max_epochs=25).fit(Z, seed=0)
    return Flow(4, kind=request.param, hidden=(32,), max_epochs=60).fit(Z, seed=0)


class TestFlow:
    def test_it_beats_one_gaussian(self, flow):
        Z = clusters()
        one = Mixture.gaussian(Z[:600].mean(0).numpy(), np.cov(Z[:600].T.numpy()))
        assert float(flow.log_prob(Z[600:]).mean()) > float(one.log_prob(Z[600:]).mean()) + 0.3

    def test_draws_have_the_density(self, flow):
        """q integrates to 1, and the mean of log q over its own draws is the integral of q log q."""
        x, y = np.meshgrid(np.linspace(-15, 35, 140), np.linspace(-150, 250, 140))
        log_q = flow.log_prob(torch.from_numpy(np.stack([x.ravel(), y.ravel()], 1))).numpy()
        mass = np.exp(log_q) * (50 / 139) * (400 / 139)
        assert mass.sum() == pytest.approx(1, abs=0.05)
        drawn = flow.draw(2000, np.random.default_rng(1))
        assert float(flow.log_prob(drawn).mean()) == pytest.approx((mass * log_q).sum(), abs=0.15)
        np.testing.assert_allclose(drawn.numpy().mean(0), clusters().numpy().mean(0), atol=8)

    def test_temperature_and_seed(self, flow):
        still = flow.draw(5, np.random.default_rng(0), temperature=0).numpy()
        np.testing.assert_array_equal(still, np.tile(still[:1], (5, 1)))
        a, b = (flow.draw(5, np.random.default_rng(3)).numpy() for _ in range(2))
        np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize("sampler", [Flow(1, hidden=(8,), max_epochs=1), TwoStage((8,), max_epochs=1)])
    def test_global_generators_are_left_alone(self, sampler):
        if isinstance(sampler, Flow):
            pytest.importorskip("zuko", reason="needs the extra `flows`")
        before = torch.get_rng_state()
        fitted = sampler.fit(clusters()[:60], seed=0)
        fitted.log_prob(fitted.draw(3, np.random.default_rng(0)))
        assert torch.equal(torch.get_rng_state(), before)

    def test_an_iaf_is_the_inverse_of_a_maf(self):
        """With the same weights, what one does to a code the other does to the noise."""
        pytest.importorskip("zuko", reason="needs the extra `flows`")
        maf, iaf = (Flow(2, kind=kind, hidden=(8,), max_epochs=1).fit(clusters()[:60], seed=0) for kind in KINDS)
        units = {"mean": torch.zeros(2), "std": torch.ones(2)}
        names = zip(iaf._load_flow(iaf.tensors).state_dict(), maf._load_flow(maf.tensors).state_dict(), strict=True)
        iaf.tensors = {**units, **{f"flow.{name}": maf.tensors[f"flow.{other}"] for name, other in names}}
        z = iaf.draw(5, np.random.default_rng(0)).float()
        with torch.no_grad():
            back = maf._load_flow(maf.tensors)().transform.inv(z)
        np.testing.assert_allclose(back, np.random.default_rng(0).standard_normal((5, 2)), atol=1e-4)

    def test_a_flow_that_was_saved_without_its_kind_is_one_of_splines(self, flow):
        document = {"kind": "flow", "settings": {"transforms": 2, "hidden": [32], "max_epochs": 25}, "classes": None}
        again = restore_samplers({"flow": document}, {})["flow"]
        assert (again.name, again.kind) == ("flow", "spline")

    def test_without_zuko_the_extra_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "zuko", None)
        with pytest.raises(ImportError, match=r"narrows\[flows\]"):
            Flow().fit(clusters(), seed=0)


# --------------------------------------------------------------------------------------------- samplers of a model


@pytest.fixture(scope="module")
def ae(digits):
    return AE(4, **{**SMALL, "max_epochs": 20}).fit(digits).fit_sampler(digits)


def test_fit_sampler_is_used_and_kept(ae, digits, tmp_path):
    expected = ae.sample(6, sampler="mixture", random_state=1)
    np.testing.assert_array_equal(ae.sample(6, random_state=1), expected)  # "auto" is what was fitted last
    assert not np.array_equal(ae.sample(6, sampler="gaussian", random_state=1), expected)
    assert len(ae.samplers_["mixture"].tensors["weights"]) > 1
    ae.save(tmp_path / "m")
    assert sorted(p.suffix for p in (tmp_path / "m").iterdir()) == [".json", ".md", ".safetensors"]
    for again in (narrows.load(tmp_path / "m", device="cpu"), pickle.loads(pickle.dumps(ae))):
        np.testing.assert_array_equal(again.sample(6, random_state=1), expected)
        assert list(again.samplers_) == ["mixture"]
        again.save(tmp_path / "again")
    fresh = clone(ae)
    assert not hasattr(fresh, "samplers_")
    assert not hasattr(clone(ae).fit(digits[:100]), "samplers_")
    again.fit(digits[:100])
    assert not hasattr(again, "samplers_")  # it was fitted to other codes


def test_a_flow_is_kept_too(digits, tmp_path):
    pytest.importorskip("zuko", reason="needs the extra `flows`")
    model = AE(2, **SMALL).fit(digits).fit_sampler(digits).fit_sampler(digits, Flow(1, hidden=(8,), max_epochs=2))
    assert list(model.samplers_) == ["mixture", "flow"]
    model.save(tmp_path / "m")
    again = narrows.load(tmp_path / "m", device="cpu")
    for sampler in ("mixture", "flow", "auto"):
        a, b = (m.sample(4, sampler=sampler, random_state=0) for m in (model, again))
        np.testing.assert_array_equal(a, b)
    expected = {"transforms": 1, "kind": "spline", "hidden": [8], "max_epochs": 2}
    assert again.samplers_["flow"].settings() == expected
    assert list(model.fit_sampler(digits, "mixture").samplers_) == ["flow", "mixture"]  # the last one fitted


@pytest.mark.parametrize("name", ["maf", "iaf", "two_stage"])
def test_samplers_of_every_name_are_kept(name, digits, tmp_path):
    if name != "two_stage":
        pytest.importorskip("zuko", reason="needs the extra `flows`")
    sampler = as_sampler(name)
    sampler.hidden, sampler.max_epochs = (8,), 1
    model = AE(2, **SMALL).fit(digits).fit_sampler(digits, sampler)
    model.save(tmp_path / "m")
    again = narrows.load(tmp_path / "m", device="cpu")
    assert list(again.samplers_) == [name]
    for sampler in (name, "auto"):
        a, b = (m.sample(4, sampler=sampler, random_state=0) for m in (model, again))
        np.testing.assert_array_equal(a, b)
    Z = model._draw_codes(digits[:9], 0)
    np.testing.assert_array_equal(*(m.sampler(name).log_prob(Z) for m in (model, again)))


def test_the_mixture_is_nearer_to_the_codes_than_the_gaussian(ae, digits):
    codes = ae._draw_codes(digits, 0)
    mixture, gaussian = (float(ae.sampler(name).log_prob(codes).mean()) for name in ("mixture", "gaussian"))
    assert mixture > gaussian + 0.1


def test_the_same_seed_gives_the_same_sampler(ae, digits):
    again = AE(4, **{**SMALL, "max_epochs": 20}).fit(digits).fit_sampler(digits, Mixture())
    np.testing.assert_array_equal(again.sample(5, random_state=0), ae.sample(5, random_state=0))


def test_codes_of_a_stochastic_model_are_draws_of_the_posterior(digits):
    model = VAE(2, **{**SMALL, "max_epochs": 5}).fit(digits)
    drawn, means = model._draw_codes(digits, 0).numpy(), model.transform(digits)
    assert drawn.var(0).sum() > means.var(0).sum()
    # the draws' distances from the means are the posterior's deviations
    h = model.apply(model.model_.encoder, model.prepare(digits))
    std = model.model_.bottleneck.split(h)[1].exp()[:, model.model_.order]
    assert float((torch.from_numpy(drawn - means) / std).square().mean()) == pytest.approx(1, abs=0.1)


def test_samples_of_a_linear_vae_have_the_data_s_covariance():
    """Probabilistic PCA: x = W z + mean + noise, so cov(x) = W W' + s^2 I (Tipping and Bishop, 1999)."""
    rng = np.random.default_rng(0)
    A = rng.normal(size=(2, 5)) * [[3.0], [1.5]]
    X = rng.normal(size=(3000, 2)) @ A + 0.4 * rng.normal(size=(3000, 5)) + 4
    model = VAE(2, **{**SMALL, "hidden": (), "max_epochs": 30, "learning_rate": 1e-2, "weight_decay": 0.0}).fit(X)
    drawn = model.sample(20_000, random_state=0, noise=True)
    np.testing.assert_allclose(drawn.mean(0), X.mean(0), atol=0.15)
    covariance = np.cov(X.T)
    assert np.linalg.norm(np.cov(drawn.T) - covariance) < 0.1 * np.linalg.norm(covariance)
    cool = model.sample(20_000, random_state=0, temperature=0.5)
    signal = covariance - 0.16 * np.eye(5)
    assert np.linalg.norm(np.cov(cool.T) - signal / 4) < 0.1 * np.linalg.norm(signal / 4)


def test_temperature_zero_is_the_centre(ae, digits):
    vae = VAE(3, **SMALL).fit(digits)
    for model, sampler, centre in ((vae, "prior", np.zeros((1, 3))), (ae, "gaussian", ae.code_mean_[None])):
        still = model.sample(4, sampler=sampler, temperature=0)
        expected = np.tile(model.inverse_transform(centre), (4, 1, 1))
        np.testing.assert_allclose(still, expected, atol=1e-6)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("posterior", ["gaussian", "flow"])
def test_temperature_leaves_the_modes_of_a_mixture_as_frequent(posterior, conditional, digits, labels):
    parameters = {"posterior": posterior, "prior": "mixture", "conditional": conditional}
    vae = VAE(2, **parameters, **{**SMALL, "max_epochs": 1}).fit(digits, labels)
    code = vae.model_.bottleneck
    prior = (code.free if conditional else code).prior
    with torch.no_grad():
        prior.means.copy_(100 * torch.arange(10.0)[:, None].expand(10, 2))
    still = vae.sampler("prior").draw(4000, np.random.default_rng(0), temperature=0).numpy()
    modes, counts = np.unique(still, axis=0, return_counts=True)
    np.testing.assert_allclose(modes, prior.means.detach().numpy())
    assert np.abs(counts - 400).max() < 5 * (4000 * 0.09) ** 0.5
    warm = vae.sampler("prior").draw(4000, np.random.default_rng(0), temperature=2).numpy()
    cool = vae.sampler("prior").draw(4000, np.random.default_rng(0)).numpy()
    np.testing.assert_allclose(warm - still, 2 * (cool - still), atol=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X: m.sample(2, sampler="mixtrue"), r"`sampler` parameter of sample must be one of 'auto', 'prior'"),
        (lambda m, X: m.sample(2, sampler="flow"), r"There is no sampler 'flow' yet: call fit_sampler\(X, 'flow'\)"),
        (lambda m, X: m.sample(2, sampler="prior"), "The code of AE has no prior"),
        (lambda m, X: m.sample(2, temperature=-1), r"`temperature` parameter of sample must be a float in the range"),
        (lambda m, X: m.sample(2, temperature=np.inf), "`temperature` parameter of sample"),
        (lambda m, X: m.sample(2, y=3), "This AE knows no labels"),
        (lambda m, X: m.fit_sampler(X, "mixtrue"), "Unknown sampler 'mixtrue'. Did you mean 'mixture'"),
        (lambda m, X: m.fit_sampler(X[:5]), "at least 10 examples. Got 5"),
        (lambda m, X: m.fit_sampler(X[:, :4]), "has examples of shape"),
        (lambda m, X: m.interpolate(X[0], X[1], path="arc"), "`path` parameter of interpolate must be one of"),
    ],
)
def test_refused(ae, digits, call, message):
    with pytest.raises(ValueError, match=message):
        call(ae, digits)


def test_no_sampler_of_a_sparse_code(digits):
    with pytest.raises(ValueError, match="A sparse code has no distribution"):
        SAE(8, k=2, **SMALL).fit(digits).fit_sampler(digits)


# --------------------------------------------------------------------------------------------------- ways between


def test_on_the_sphere_the_norm_and_the_angles_are_even(rng):
    a, b = torch.from_numpy(rng.normal(size=(2, 7)))
    b *= a.norm() / b.norm()
    way = slerp(a, b, torch.linspace(0, 1, 6, dtype=torch.float64)[:, None]).numpy()
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), np.linalg.norm(a))
    np.testing.assert_allclose(way[[0, -1]], torch.stack([a, b]).numpy())
    steps = (way[1:] * way[:-1]).sum(1)
    np.testing.assert_allclose(steps, steps[0])
    # norms change evenly from the first to the last
    way = slerp(a, 3 * b, torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]).numpy()
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), np.linalg.norm(a) * np.linspace(1, 3, 5))


@pytest.mark.parametrize(("first", "last"), [([1, 0], [2, 0]), ([1, 0], [-1, 0]), ([0, 0], [1, 1])])
def test_where_there_is_no_arc_the_way_is_a_line(first, last):
    t = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]
    first, last = torch.tensor(first, dtype=torch.float64), torch.tensor(last, dtype=torch.float64)
    torch.testing.assert_close(slerp(first, last, t), lerp(first, last, t))


def test_paths(ae, digits):
    a, b = digits[:2]
    np.testing.assert_array_equal(ae.interpolate(a, b), ae.interpolate(a, b, path="line"))
    assert not np.allclose(ae.interpolate(a, b), ae.interpolate(a, b, path="sphere"))
    for path in ("line", "sphere"):
        np.testing.assert_allclose(ae.interpolate(a, b, path=path)[[0, -1]], ae.reconstruct(digits[:2]), atol=1e-5)


@pytest.mark.parametrize("path", ["auto", "line", "sphere"])
def test_between_two_quantised_codes_are_such_codes_too(path, digits, monkeypatch):
    model = narrows.estimator("vqvae")(4, n_codes=8, **SMALL).fit(digits)
    decoded, decode = [], model._decode
    monkeypatch.setattr(model, "_decode", lambda z, **kwargs: decoded.append(z) or decode(z, **kwargs))
    model.interpolate(digits[0], digits[1], path=path)
    model.sample(9, random_state=0)
    assert len(decoded) == 2
    for z in decoded:
        torch.testing.assert_close(model.model_.project(z), z)


def test_codes_are_brought_among_the_models_own_in_its_own_dtype(ae, digits, monkeypatch):
    """Apple's GPUs have no float64."""
    dtypes = set()
    monkeypatch.setattr(type(ae.model_), "project", lambda _self, z: dtypes.add(z.dtype) or z)
    ae.sample(2)
    ae.traverse(n_steps=2)
    ae.interpolate(digits[0], digits[1])
    assert dtypes == {torch.float32}


# ------------------------------------------------------------------------------------------------------ attributes


@pytest.fixture(scope="module")
def planted():
    """Fit a linear model to data with known factors; return it, the data, the factors and their directions."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(2000, 3))
    W = np.linalg.qr(rng.normal(size=(6, 3)))[0].T
    X = factors @ W + 0.05 * rng.normal(size=(2000, 6))
    return AE(3, **{**SMALL, "hidden": (), "max_epochs": 30, "learning_rate": 1e-2}).fit(X), X, factors, W


@pytest.mark.parametrize("kind", ["amount", "presence"])
def test_an_attribute_recovers_a_planted_factor(planted, kind):
    model, X, factors, W = planted
    y = factors[:, 1] if kind == "amount" else factors[:, 1] > 0
    attribute = model.attribute(X, y)
    assert np.linalg.norm(attribute.direction) == pytest.approx(1)
    # a factor that grows by 1 adds its direction to the data; the means with and without it are 2 sqrt(2 / pi) apart
    step = 1.0 if kind == "amount" else 2 * np.sqrt(2 / np.pi)
    np.testing.assert_allclose(
        model.move(X[:5], attribute) - model.reconstruct(X[:5]), np.tile(step * W[1], (5, 1)), atol=0.12
    )
    np.testing.assert_allclose(model.move(X[:5], attribute, 0), model.reconstruct(X[:5]), atol=1e-5)
    up, down = model.move(X[:4], attribute, [1, 2, 0, -1]), model.reconstruct(X[:4])
    np.testing.assert_allclose((up - down) @ W[1], step * np.array([1, 2, 0, -1]), atol=0.3)


def test_an_attribute_of_what_is_there_is_the_difference_of_means(ae, digits):
    y = load_digits().target == 0
    attribute, Z = ae.attribute(digits, y), ae.transform(digits)
    np.testing.assert_allclose(attribute.scale * attribute.direction, Z[y].mean(0) - Z[~y].mean(0), rtol=1e-6)
    assert attribute.spread == pytest.approx((Z @ attribute.direction).std())


def test_a_dial_may_be_an_attribute(ae, digits):
    attribute = ae.attribute(digits, load_digits().target == 0)
    turned = ae.traverse(digits[:1], components=[attribute, 2], n_steps=3, span=1.0)
    np.testing.assert_array_equal(turned[1], ae.traverse(digits[:1], components=2, n_steps=3, span=1.0)[0])
    np.testing.assert_array_equal(turned[0], ae.traverse(digits[:1], components=attribute, n_steps=3, span=1.0)[0])
    z = ae.transform(digits[:1])[0] @ attribute.direction
    centre = ae.code_mean_ @ attribute.direction
    amounts = (centre + attribute.spread * np.array([-1, 0, 1]) - z) / attribute.scale
    moved = ae.move(np.repeat(digits[:1], 3, axis=0), attribute, amounts)
    np.testing.assert_allclose(turned[0], moved, atol=1e-5)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.ones(5), r"one finite number or boolean for each of 1797 examples. Got shape \(5,\)"),
        (np.array(["a"] * 1797), "turn labels into booleans first"),
        (np.full(1797, np.nan), "finite number"),
        (np.ones(1797), "must vary between examples. All are 1"),
    ],
)
def test_attributes_refuse(ae, digits, y, message):
    with pytest.raises(ValueError, match=message):
        ae.attribute(digits, y)


def test_move_refuses(ae, digits):
    other = Attribute(np.ones(2) / np.sqrt(2), 1.0, 1.0)
    with pytest.raises(ValueError, match="belongs to codes with 2 components, but this AE has 4"):
        ae.move(digits, other)
    with pytest.raises(TypeError, match="must be a result of `attribute"):
        ae.move(digits, np.ones(4))
    with pytest.raises(ValueError, match="`amount` parameter of move must be one finite number, or one for each of 3"):
        ae.move(digits[:3], ae.attribute(digits, np.arange(1797)), [1, 2])
    with pytest.raises(ValueError, match="must hold ints from 0 to 3"):
        ae.traverse(components=[other])


# ----------------------------------------------------------------------------------------------------- conditional


@pytest.fixture(scope="module")
def labels():
    return load_digits().target


@pytest.fixture(scope="module")
def conditional(digits, labels):
    model = VAE(4, conditional=True, **{**SMALL, "hidden": (128,), "max_epochs": 40})
    return model.fit(digits[:1400], labels[:1400])


def test_samples_are_of_the_class_that_was_asked_for(conditional, digits, labels):
    judge = KNeighborsClassifier(5).fit(digits.reshape(len(digits), -1), labels)
    y = np.repeat(np.arange(10), 30)
    drawn = conditional.sample(300, y=y, random_state=0)
    assert np.mean(judge.predict(drawn.reshape(300, -1)) == y) > 0.9  # chance is 0.1
    threes = conditional.sample(50, y=3, random_state=0, temperature=0.5)
    assert np.mean(judge.predict(threes.reshape(50, -1)) == 3) > 0.95
    prior = conditional.sample(300, y=y, random_state=0, sampler="prior")
    assert np.mean(judge.predict(prior.reshape(300, -1)) == y) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["ae", "factorvae"])
def test_other_models_take_the_label_too(recipe, digits, labels, tmp_path):
    settings = {**SMALL, "hidden": (128,), "max_epochs": 25}
    model = narrows.estimator(recipe)(4, conditional=True, **settings).fit(digits[:1400], labels[:1400])
    judge = KNeighborsClassifier(5).fit(digits.reshape(len(digits), -1), labels)
    y = np.repeat(np.arange(10), 30)
    drawn = model.sample(300, y=y, random_state=0)
    assert np.mean(judge.predict(drawn.reshape(300, -1)) == y) > 0.8  # chance is 0.1
    X, true = digits[1400:], labels[1400:]
    wrong = model.reconstruct(X, (true + 1) % 10)
    assert np.mean((wrong - X) ** 2) > 1.2 * np.mean((model.reconstruct(X, true) - X) ** 2)
    model.save(tmp_path / "m")
    again = narrows.load(tmp_path / "m", device="cpu")
    np.testing.assert_array_equal(again.sample(300, y=y, random_state=0), drawn)


def test_codes_of_a_class_are_where_that_class_is(conditional, digits, labels):
    sampler = conditional.samplers_["gaussian"]
    assert conditional.sampler("auto") is sampler
    drawn = conditional._draw_codes(digits[:1400], 0).numpy()
    for label in (0, 7):
        of_label = drawn[labels[:1400] == label]
        z = sampler.draw(5000, np.random.default_rng(0), labels=np.full(5000, label)).numpy()
        np.testing.assert_allclose(z.mean(0), of_label.mean(0), atol=0.15)
        np.testing.assert_allclose(np.cov(z.T), np.cov(of_label.T), atol=0.15)


def test_few_labelled_examples_leave_the_prior(digits, labels):
    model = VAE(2, conditional=True, **SMALL).fit(digits[:30], labels[:30])
    assert not hasattr(model, "samplers_")
    assert "codes are drawn from the prior" in "\n".join(model.report_)
    assert model.sample(2, y=3).shape == (2, 8, 8)


def test_any_model_can_be_asked_for_a_label(digits, labels, tmp_path):
    """A mixture for each label, of a model that knows none."""
    judge = KNeighborsClassifier(5).fit(digits.reshape(len(digits), -1), labels)
    letters = np.array(list("abcdefghij"))
    model = AE(6, **{**SMALL, "hidden": (64,), "max_epochs": 30}).fit(digits)
    model.fit_sampler(digits, Mixture(1), letters[labels])
    y = np.repeat(letters, 20)
    drawn = model.sample(200, y=y, random_state=0)
    assert np.mean(letters[judge.predict(drawn.reshape(200, -1))] == y) > 0.7
    model.save(tmp_path / "m")
    again = narrows.load(tmp_path / "m")
    np.testing.assert_array_equal(again.sample(3, y="d", random_state=0), model.sample(3, y="d", random_state=0))
    assert len(np.unique(judge.predict(model.sample(200, random_state=0).reshape(200, -1)))) > 5  # y=None: any
    with pytest.raises(ValueError, match="holds the label 'z', but AE was fitted with"):
        model.sample(3, y="z")
    with pytest.raises(ValueError, match="This AE knows no labels"):
        model.sample(3, y="d", sampler="gaussian")
    with pytest.raises(ValueError, match=r"Mixture needs 10 examples of each label\. One has 9"):
        model.fit_sampler(digits, y=np.arange(1797) < 9)
    with pytest.raises(ValueError, match="must hold one label for each of 1797 examples"):
        model.fit_sampler(digits, y=[1, 2])


def test_a_mixture_by_label_is_the_sum_of_its_parts():
    Z, labels = clusters(), np.repeat([0, 1], [300, 600])
    parts = [Mixture(2).fit(Z[labels == i], seed=0).log_prob(Z) for i in (0, 1)]
    expected = torch.logsumexp(torch.stack([parts[0] + np.log(1 / 3), parts[1] + np.log(2 / 3)]), 0)
    torch.testing.assert_close(Mixture(2).fit(Z, seed=0, labels=labels).log_prob(Z), expected)


def test_without_a_label_classes_are_as_frequent_as_they_were(digits, labels):
    rows = np.flatnonzero(np.isin(labels, [0, 1]))
    rows = np.concatenate([rows[labels[rows] == 0], rows[labels[rows] == 1][:40]])
    model = VAE(2, conditional=True, **{**SMALL, "max_epochs": 30, "batch_size": 32}).fit(digits[rows], labels[rows])
    np.testing.assert_allclose(model.schema_.frequencies, [178 / 218, 40 / 218])
    drawn = model.infer_labels(model.sample(600, random_state=0))
    assert np.mean(drawn == 1) == pytest.approx(40 / 218, abs=0.08)


def test_labels_are_inferred(conditional, digits, labels):
    inferred = conditional.infer_labels(digits[1400:])
    assert np.mean(inferred == labels[1400:]) > 0.8
    X, y = digits[1400:1420], inferred[:20]
    np.testing.assert_allclose(conditional.reconstruct(X), conditional.reconstruct(X, y), atol=1e-6)
    np.testing.assert_allclose(
        conditional.inverse_transform(conditional.transform(X), y), conditional.reconstruct(X), atol=1e-6
    )
    # another label gives another, worse reconstruction
    wrong = conditional.reconstruct(X, (y + 1) % 10)
    assert np.mean((wrong - X) ** 2) > 1.2 * np.mean((conditional.reconstruct(X) - X) ** 2)


def test_the_score_is_the_elbo_of_example_and_label(conditional, digits):
    """log p(x) >= log p(x, y) >= log p(y) + ELBO(x | y), the latter by many draws of the posterior."""
    X = digits[:4]
    model, x = conditional.model_, conditional.prepare(X).float()
    with torch.inference_mode():
        h = model.encoder(x)
        mean, log_std = model.bottleneck.free.split(h)
        label, total = infer_label(model, x), 0.0
        for eps in torch.randn(2000, 4, generator=torch.Generator().manual_seed(0)):
            total = total + model.likelihood.score(model.decoder(torch.cat([mean + log_std.exp() * eps, label], 1)), x)
        frequency = torch.tensor(conditional.schema_.frequencies)[label.argmax(1)]
        expected = total / 2000 - model.bottleneck.kl_per_component(h).sum(1) + frequency.log()
    np.testing.assert_allclose(conditional.score_samples(X), expected, atol=3)
    assert conditional.offset_ < np.median(conditional.score_samples(digits[:200]))


def test_dials_ways_and_attributes_keep_the_label(conditional, digits, labels):
    X = digits[:1]
    y = conditional.infer_labels(X)
    np.testing.assert_array_equal(conditional.traverse(X, n_steps=3), conditional.traverse(X, n_steps=3, y=y))
    assert not np.allclose(conditional.traverse(X, n_steps=3), conditional.traverse(X, n_steps=3, y=(y + 1) % 10))
    assert conditional.traverse(n_steps=2).shape == (4, 2, 8, 8)
    way = conditional.interpolate(digits[0], digits[1], n_steps=3)
    np.testing.assert_allclose(way[[0, -1]], conditional.reconstruct(digits[:2]), atol=1e-5)
    np.testing.assert_allclose(
        conditional.interpolate(digits[0], digits[0], y=(3, 8))[0], conditional.reconstruct(X, 3)[0], atol=1e-5
    )
    attribute = conditional.attribute(digits, labels > 4)
    np.testing.assert_allclose(conditional.move(X, attribute, 0), conditional.reconstruct(X), atol=1e-6)
    np.testing.assert_allclose(conditional.move(X, attribute, 0, y=3), conditional.reconstruct(X, 3), atol=1e-6)


def test_a_conditional_model_is_kept_with_its_labels(conditional, digits, tmp_path):
    conditional.save(tmp_path / "m")
    for again in (narrows.load(tmp_path / "m", device="cpu"), pickle.loads(pickle.dumps(conditional))):
        np.testing.assert_array_equal(again.classes_, np.arange(10))
        np.testing.assert_array_equal(again.sample(5, y=3, random_state=0), conditional.sample(5, y=3, random_state=0))
        np.testing.assert_array_equal(again.score_samples(digits[:9]), conditional.score_samples(digits[:9]))
        np.testing.assert_array_equal(again.infer_labels(digits[:9]), conditional.infer_labels(digits[:9]))


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_labels_may_be_words_and_networks_any(digits, labels, network):
    names = np.where(labels % 2 == 0, "even", "odd")
    model = VAE(2, conditional=True, network=network, **{**SMALL, "max_epochs": 1}).fit(digits[:200], list(names[:200]))
    assert model.classes_.tolist() == ["even", "odd"]
    assert model.sample(3, y="odd").shape == (3, 8, 8)
    assert set(model.infer_labels(digits[:5])) <= {"even", "odd"}
    model.partial_fit(digits[:50], names[:50])
    assert np.isfinite(model.score(digits[:5]))


def test_partial_fit_draws_from_where_the_codes_are(digits, labels):
    model = VAE(2, conditional=True, **SMALL).fit(digits[:500], labels[:500]).fit_sampler(digits[:500])
    before = model.samplers_["gaussian"].tensors["means"]
    model.partial_fit(digits[500:1000], labels[500:1000])
    assert list(model.samplers_) == ["gaussian"]
    assert not torch.equal(model.samplers_["gaussian"].tensors["means"], before)
    plain = AE(2, **SMALL).fit(digits[:500]).fit_sampler(digits[:500]).partial_fit(digits[:500])
    assert not hasattr(plain, "samplers_")


def test_fit_after_partial_fit_takes_the_new_parameters(digits):
    model = VAE(2, **SMALL).partial_fit(digits[:200])
    model.set_params(beta=7.0).fit(digits[:200]).partial_fit(digits[:200])
    assert model._parts.objective.weights["kl"] == 7.0


def test_a_sampler_with_numpys_numbers_is_saved(digits, tmp_path):
    model = AE(2, **SMALL).fit(digits[:200]).fit_sampler(digits[:200], Mixture(np.int64(2)))
    model.save(tmp_path / "m")
    assert narrows.load(tmp_path / "m").samplers_["mixture"].n_components == 2


def test_partial_fit_learns_labels_first(digits, labels):
    model = VAE(2, conditional=True, **SMALL).partial_fit(digits[:300], labels[:300])
    assert model.sample(2, y=[1, 2]).shape == (2, 8, 8)
    with pytest.raises(ValueError, match="holds the label 11, but VAE was fitted with 0, 1, 2"):
        model.partial_fit(digits[:2], [1, 11])


def test_a_killed_conditional_training_goes_on(digits, labels, tmp_path):
    """A checkpoint belongs to its labels, too."""
    settings = {**SMALL, "conditional": True, "checkpoint": str(tmp_path)}
    VAE(2, **settings).fit(digits[:300], labels[:300])
    a = VAE(2, **{**settings, "checkpoint": None}).fit(digits[:300], labels[:300])
    fingerprints = [fingerprint(a, digits[:300], 0, y.astype(np.int64)) for y in (labels[:300], labels[1:301])]
    assert fingerprints[0] != fingerprints[1]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "VAE with conditional=True needs labels"),
        ([0, 1, 1], "must hold one label for each of 20 examples"),
        (
            [1] * 20,
            "at least 2 classes. All 20 are of one class, 1: pass examples of another class, or conditional=False",
        ),
        (np.linspace(0, 1, 20), "must hold classes"),
        ([None] * 20, "must hold numbers or words"),
        ([(0, 1)] * 20, "must be labels, one for each example"),
        (np.zeros((20, 2)), "must be labels, one for each example"),
    ],
)
def test_labels_are_checked(digits, y, message):
    with pytest.raises(ValueError, match=message):
        VAE(2, conditional=True, **SMALL).fit(digits[:20], y)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, X: m.sample(3, y=11), "holds the label 11, but VAE was fitted with"),
        (lambda m, X: m.sample(3, y="3"), "holds the label '3', but VAE was fitted with"),
        (lambda m, X: m.sample(3, y=[1, 2]), "must hold one label for each of 3 examples"),
        (lambda m, X: m.inverse_transform(np.zeros((2, 4))), "Codes of a conditional VAE need their labels"),
        (lambda m, X: m.reconstruct(X[:2], [1, 2, 3]), "must hold one label for each of 2 examples"),
        (
            lambda m, X: m.interpolate(X[0], X[1], y=(1, 2, 3)),
            "`y` parameter of interpolate must be a label, or a pair",
        ),
    ],
)
def test_a_conditional_model_refuses(conditional, digits, call, message):
    with pytest.raises(ValueError, match=message):
        call(conditional, digits)


def test_others_know_no_labels(ae, digits):
    for call in (
        lambda: ae.reconstruct(digits[:2], [1, 2]),
        lambda: ae.inverse_transform(np.zeros((2, 4)), [1, 2]),
        lambda: ae.traverse(y=3),
        lambda: ae.interpolate(digits[0], digits[1], y=(1, 2)),
    ):
        with pytest.raises(ValueError, match="This AE knows no labels"):
            call()
    with pytest.raises(AttributeError, match="There are no classes"):
        VAE(2, **SMALL).fit(digits[:50]).classes_  # noqa: B018


# ---------------------------------------------------------------------------------------------------- the commands


def run(*arguments: object, code: int = 0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


TINY = ("--max-epochs", 2, "--verbose", 0, "--set", "hidden=16", "--n-components", 2)


def test_sample_by_label(tmp_path):
    model, out = tmp_path / "m", tmp_path / "X.npy"
    run("fit", "digits", "--set", "conditional=true", "--out", model, *TINY)
    run("sample", model, "-n", 5, "--label", 3, "--label", 8, "--temperature", 0, "-o", out, "--overwrite")
    again = narrows.load(model)
    np.testing.assert_array_equal(np.load(out), again.sample(5, y=[3, 8, 3, 8, 3], temperature=0))
    assert (
        "holds the label '12', but VAE was fitted with"
        in run("sample", model, "--label", 12, "-o", out, "--overwrite", code=1).stderr
    )


def test_sample_by_a_mixture_that_is_kept(tmp_path):
    model, out = tmp_path / "m", tmp_path / "X.npy"
    run("fit", "digits", "--recipe", "ae", "--out", model, *TINY)
    message = run("sample", model, "--sampler", "mixture", "-o", out, "--overwrite", code=1).stderr
    assert "There is no sampler 'mixture' yet" in message
    run(
        "sample", model, "--sampler", "mixture", "--fit", "digits:train", "--seed", 1, "-n", 4, "-o", out, "--overwrite"
    )
    kept = narrows.load(model)
    np.testing.assert_array_equal(np.load(out), kept.sample(4, sampler="mixture", random_state=1))
    run("sample", model, "--sampler", "mixture", "--seed", 1, "-n", 4, "-o", tmp_path / "Y.npy")
    np.testing.assert_array_equal(np.load(out), np.load(tmp_path / "Y.npy"))
    assert "This AE knows no labels" in run("sample", model, "--label", 3, "-o", out, "--overwrite", code=1).stderr
    run("sample", model, "--fit", "digits:train", "--label", 3, "--seed", 1, "-n", 4, "-o", out, "--overwrite")
    np.testing.assert_array_equal(np.load(out), narrows.load(model).sample(4, y=3, random_state=1))


def test_a_conditional_fit_of_data_without_labels(tmp_path):
    np.savetxt(tmp_path / "t.csv", np.random.default_rng(0).normal(size=(30, 3)), delimiter=",")
    message = run("fit", tmp_path / "t.csv", "--set", "conditional=true", "--out", tmp_path / "m", *TINY, code=1).stderr
    assert "needs labels" in message


def test_the_docs_name_the_recipes_that_take_no_labels():
    text = (Path(__file__).parents[1] / "docs" / "choosing.md").read_text(encoding="utf-8")
    sentence = text.split("Every recipe takes `conditional=True` except")[1].split(":")[0]
    named = re.findall(r"`(\w+)`", sentence)
    assert named == sorted(name for name, recipe in RECIPES.items() if "conditional" not in recipe.parameters)


@pytest.mark.parametrize("sampler", sorted(SAMPLERS))
def test_each_sampler_takes_labels(sampler, digits, labels, tmp_path):
    if sampler in ("flow", "maf", "iaf"):
        pytest.importorskip("zuko", reason="needs the extra `flows`")
    X, y = digits[:100], labels[:100] % 2
    model = narrows.estimator("vqvae")(4, **{**SMALL, "max_epochs": 1}).fit(X)
    unfitted = SAMPLERS[sampler](max_epochs=1) if sampler in ("flow", "maf", "iaf", "two_stage") else sampler
    assert model.fit_sampler(X, unfitted, y).sample(2, y=1, random_state=0).shape == (2, 8, 8)
    assert model.sample(3, random_state=0).shape == (3, 8, 8)
    model.save(tmp_path / "model")
    again = narrows.load(tmp_path / "model")
    np.testing.assert_array_equal(again.sample(3, y=0, random_state=1), model.sample(3, y=0, random_state=1))
    with pytest.raises(ValueError, match=r"needs 10 examples of each label\. One has 9"):
        model.fit_sampler(X, sampler, np.arange(100) < 9)


@pytest.mark.parametrize("sampler", ["flow", "two_stage"])
def test_labels_have_densities_of_their_own(sampler):
    if sampler == "flow":
        pytest.importorskip("zuko", reason="needs the extra `flows`")
    rng = np.random.default_rng(0)
    labels = np.arange(300) // 200  # two thirds are of the first class
    Z = torch.from_numpy(rng.normal(size=(300, 2)) + 8.0 * labels[:, None])
    fitted = SAMPLERS[sampler](max_epochs=5)
    fitted.classes = ("a", "b")
    fitted.fit(Z, 0, labels)
    y = np.repeat([1, 0], 50)
    np.testing.assert_array_equal(fitted.draw(100, rng, labels=y).mean(1).numpy() > 4, y == 1)
    assert (fitted.draw(600, rng).mean(1) > 4).double().mean().item() == pytest.approx(1 / 3, abs=0.08)
    alone = [SAMPLERS[sampler](max_epochs=5).fit(Z[torch.from_numpy(labels == i)], 0) for i in (0, 1)]
    parts = [part.log_prob(Z) + np.log(share) for part, share in zip(alone, (2 / 3, 1 / 3), strict=True)]
    torch.testing.assert_close(fitted.log_prob(Z), torch.stack(parts).logsumexp(0))


@pytest.mark.parametrize("recipe", [name for name, r in RECIPES.items() if not (r.is_tabular or r.is_layered)])
def test_codes_are_drawn_from_what_the_docs_say(recipe):
    """The table of docs/choosing.md: the prior where there is one, no draws of sparse codes, else a Gaussian."""
    schema = infer(np.random.default_rng(0).integers(256, size=(20, 28, 28), dtype=np.uint8), "test")
    model = RECIPES[recipe].make(schema, 20 if recipe == "vqvae2" else 8).model
    has_prior = model.stochastic is not None or recipe in ("wae", "swae", "aae")
    expected = None if model.bottleneck.is_sparse else "prior" if has_prior else "gaussian"
    assert model.bottleneck.default_sampler == expected
