"""Each measure against an independent implementation, or against what must be."""

import itertools
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness as sklearn_trustworthiness
from sklearn.neighbors import KNeighborsClassifier

import narrows
from narrows.bottlenecks import Gaussian
from narrows.evaluation import calibration, labels, likelihood, manifold, reconstruction, samples, sparsity
from narrows.evaluation.features import Space
from narrows.evaluation.inspection import Inspection
from narrows.evaluation.intervals import Resamples, jackknife
from narrows.evaluation.subjects import Comparison, ModelSubject

close = {"rtol": 1e-6, "atol": 0}

# Reconstruction


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 16, 20), (1, 11, 11), (1, 8, 8), (3, 9, 30)])
def test_similarity_is_that_of_scikit_image(shape: tuple[int, ...], rng: np.random.Generator):
    skimage = pytest.importorskip("skimage.metrics", reason="needs scikit-image")
    a = rng.random((5, *shape))
    b = np.clip(a + rng.normal(0, 0.2, a.shape), 0, 1)
    options: dict[str, Any] = {"data_range": 1.0, "channel_axis": 0}
    if min(shape[1:]) >= 11:
        options |= {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    wanted = [skimage.structural_similarity(x, y, **options) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(reconstruction.similarity(torch.tensor(a), torch.tensor(b)), wanted, **close)


def test_similarity_of_an_image_with_itself_is_1(digits: np.ndarray):
    x = torch.tensor(digits[:4, None])
    np.testing.assert_allclose(reconstruction.similarity(x, x), 1, rtol=1e-12)


def test_reconstruction(models: dict[str, Any], data: dict[str, Any]):
    skimage = pytest.importorskip("skimage.metrics", reason="needs scikit-image")
    found = narrows.evaluate(models["ae"], data["X"], train=data["train"], measures=["mse", "psnr", "ssim"])
    back = models["ae"].reconstruct(data["X"])
    pca = PCA(6, random_state=0).fit(data["train"].reshape(len(data["train"]), -1))
    flat = data["X"].reshape(len(data["X"]), -1)
    by_pca = pca.inverse_transform(pca.transform(flat)).reshape(data["X"].shape)
    for rebuilt, column, tolerance in ((back, "", 1e-6), (by_pca, "pca_", 1e-4)):
        pairs = list(zip(data["X"], rebuilt, strict=True))
        assert found[column + "mse"] == pytest.approx(np.mean([np.mean((a - b) ** 2) for a, b in pairs]), rel=tolerance)
        db = [skimage.peak_signal_noise_ratio(a, b, data_range=1) for a, b in pairs]
        assert found[column + "psnr"] == pytest.approx(np.mean(db), rel=tolerance)
        likeness = [skimage.structural_similarity(a, b, data_range=1.0) for a, b in pairs]
        assert found[column + "ssim"] == pytest.approx(np.mean(likeness), rel=tolerance)


# Likelihood


def linear_vae(X: np.ndarray, n_components: int) -> tuple[Any, PCA]:
    """A linear VAE with the weights of probabilistic PCA in closed form, whose posterior is exact, and that PCA.

    x = m + W z + s eps, W = U (D - s^2 I)^1/2: the posterior is N(M^-1 W'(x - m), s^2 M^-1), M = W'W + s^2 I = D.
    """
    model = narrows.VAE(n_components, hidden=(), start="random", max_epochs=1, random_state=0).fit(X)
    rows = model.prepare(X).double()
    pca = PCA(n_components).fit(rows.numpy())
    noise, d, u = pca.noise_variance_, pca.explained_variance_, pca.components_
    w = u.T * np.sqrt(d - noise)
    net = model.model_.double()
    encoder, decoder = net.encoder, net.decoder
    std = np.sqrt(noise / d)
    # log_std = 1 - softplus(1 - s), so s = 1 - log(exp(1 - log_std) - 1)
    s = 1 - np.log(np.expm1(1 - np.log(std)))
    with torch.no_grad():
        # the encoder standardises what it is given
        inner_mean, inner_std = rows.mean(0), torch.ones(rows.shape[1], dtype=torch.float64)
        probe = torch.zeros(2, rows.shape[1], dtype=torch.float64)
        probe[1] = 1
        standardised = encoder.standardize(probe)
        inner_std, inner_mean = 1 / (standardised[1] - standardised[0]), standardised[0]
        weight = torch.from_numpy((w / d).T) * inner_std
        encoder.layers[0].weight.copy_(torch.cat([weight, torch.zeros_like(weight)]))
        shift = torch.from_numpy((w / d).T) @ (-inner_mean * inner_std - torch.from_numpy(pca.mean_))
        encoder.layers[0].bias.copy_(torch.cat([shift, torch.from_numpy(s)]))
        decoder.layers[0].weight.copy_(torch.from_numpy(w))
        decoder.layers[0].bias.copy_(torch.from_numpy(pca.mean_))
        net.likelihood.variance.fill_(noise)
        net.order.copy_(torch.arange(n_components))
    return model, pca


@pytest.mark.parametrize("n_components", [1, 2])
def test_nll_of_a_linear_vae_is_that_of_probabilistic_pca(vectors: np.ndarray, n_components: int):
    model, pca = linear_vae(vectors, n_components)
    exact = -pca.score(model.prepare(vectors).double().numpy()) + float(model.schema_.log_scale(vectors))
    found = narrows.evaluate(model, vectors, measures=["nll", "elbo"], n_draws=16)
    # the proposal is the posterior, so that all weights are one and the same
    assert found["nll"] == pytest.approx(exact, abs=1e-4)
    assert found["pca_nll"] == pytest.approx(exact, abs=1e-4)
    assert "K = 16 draws (16 effective ones), n = 200" in found.explained["nll"]


def test_nll_with_a_posterior_that_is_too_wide(vectors: np.ndarray):
    model, pca = linear_vae(vectors, 2)
    exact = -pca.score(model.prepare(vectors).double().numpy()) + float(model.schema_.log_scale(vectors))
    with torch.no_grad():
        model.model_.encoder.layers[0].bias[2:] += 0.6
    found = {k: narrows.evaluate(model, vectors, measures=["nll"], n_draws=k)["nll"] for k in (1, 1024)}
    elbo = narrows.evaluate(model, vectors, measures=["elbo"])["elbo"]
    assert found[1] > found[1024] + 0.1
    assert -elbo > exact + 0.1
    assert found[1024] == pytest.approx(exact, abs=0.05)


@pytest.mark.slow
def test_nll_of_a_trained_linear_vae(vectors: np.ndarray):
    X = np.tile(vectors, (5, 1))
    settings = {"max_epochs": 150, "learning_rate": 0.01, "early_stopping": False, "kl_warmup": 0.0}
    model = narrows.VAE(2, hidden=(), precision="float32", random_state=0, **settings).fit(X)
    pca = PCA(2).fit(model.prepare(vectors).double().numpy())
    exact = -pca.score(model.prepare(vectors).double().numpy()) + float(model.schema_.log_scale(vectors))
    assert narrows.evaluate(model, vectors, measures=["nll"], n_draws=256)["nll"] == pytest.approx(exact, abs=0.05)


def test_the_parts_of_the_bound(models: dict[str, Any], data: dict[str, Any]):
    found = narrows.evaluate(models["vae"], data["X"], measures=["elbo", "distortion", "nll", "kl", "kl_per_component"])
    assert found["elbo"] == pytest.approx(models["vae"].score(data["X"]), rel=1e-9)
    assert found["distortion"] + found["kl"] == pytest.approx(-found["elbo"], rel=1e-9)
    assert found["nll"] < -found["elbo"]
    assert sum(found[f"kl_{i}"] for i in range(6)) == pytest.approx(found["kl"], rel=1e-6)
    h = models["vae"].apply(models["vae"].model_.encoder, models["vae"].prepare(data["X"]))
    bottleneck = models["vae"].model_.bottleneck
    mean, log_std = bottleneck.split(h)
    normal = torch.distributions.Normal
    exact = torch.distributions.kl_divergence(normal(mean, log_std.exp()), normal(0.0, 1.0)).sum(1)
    assert found["kl"] == pytest.approx(float(exact.double().mean()), rel=1e-6)


def test_active_components(models: dict[str, Any], data: dict[str, Any]):
    variances = np.asarray(models["vae"].transform(data["X"])).var(0)
    found = narrows.evaluate(models["vae"], data["X"], measures=["active_components"])
    assert found["active_components"] == (variances > 0.01).sum()


def test_many_components_are_summed_up():
    bottleneck, h = Gaussian(20), torch.randn(30, 40)

    inspection: Any = SimpleNamespace(
        kl_per_component=bottleneck.kl_per_component(h),
        model=SimpleNamespace(model_=SimpleNamespace(order=torch.arange(20))),
    )
    found = likelihood.kl_per_component(ModelSubject(inspection, Comparison(inspection)))
    assert list(found) == [*(f"kl_{i}" for i in range(16)), "kl_rest"]
    total = sum(estimate.value for estimate in found.values())
    assert total == pytest.approx(float(bottleneck.kl_per_component(h).sum(1).double().mean()), rel=1e-6)


# Neighbours


@pytest.mark.parametrize("k", [1, 5, 20])
def test_neighbourhoods_are_those_of_scikit_learn(k: int, rng: np.random.Generator):
    X = rng.normal(size=(120, 7))
    Z = X[:, :2] + 0.3 * rng.normal(size=(120, 2))
    for a, b in ((X, Z), (Z, X)):
        found = manifold.preserved(manifold.neighbour_ranks(a, b, 25), k).mean()
        assert found == pytest.approx(sklearn_trustworthiness(a, b, n_neighbors=k), rel=1e-9)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator):
    X, Z = rng.normal(size=(60, 5)), rng.normal(size=(60, 2))
    whole = manifold.neighbour_ranks(X, Z, 6)
    monkeypatch.setattr("narrows.evaluation.distances._BLOCK_NUMBERS", 60 * 7)
    assert (manifold.neighbour_ranks(X, Z, 6) == whole).all()


def test_of_a_model(models: dict[str, Any], data: dict[str, Any]):
    names = ["trustworthiness", "continuity"]
    # digits have whole grey levels, and so distances that are equal: with a little noise none are
    X = np.clip(data["X"] + np.random.default_rng(0).uniform(0, 0.02, data["X"].shape), 0, 1)
    found = narrows.evaluate(models["vae"], X, measures=names)
    x = models["vae"].prepare(X).flatten(1).double().numpy()
    z = np.asarray(models["vae"].transform(X), dtype=np.float64)
    assert found["trustworthiness"] == pytest.approx(sklearn_trustworthiness(x, z, n_neighbors=10), rel=1e-6)
    assert found["continuity"] == pytest.approx(sklearn_trustworthiness(z, x, n_neighbors=10), rel=1e-6)


# Labels


def test_vote():
    np.testing.assert_array_equal(labels.vote(np.array([[3, 1, 3], [2, 1, 1], [2, 1, 3]])), [3, 1, 1])
    np.testing.assert_array_equal(labels.vote(np.array([["b", "a", "b"]])), ["b"])


def test_neighbours_vote_as_in_scikit_learn(rng: np.random.Generator):
    Z = rng.normal(size=(90, 3))
    y = (Z[:, 0] > 0).astype(int) + (Z[:, 1] > 0.5)
    wanted = []
    for i in range(90):
        rest = np.arange(90) != i
        wanted.append(KNeighborsClassifier(10).fit(Z[rest], y[rest]).predict(Z[i : i + 1])[0])
    assert (labels.neighbours_vote(Z, y, 10) == wanted).all()


@pytest.mark.parametrize("seed", range(5))
def test_agreement_is_that_of_scikit_learn(seed: int):
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 4, 70)
    b = np.where(rng.random(70) < 0.6, a, rng.integers(0, 5, 70))
    cells = np.zeros((4, 5), int)
    np.add.at(cells, (a, b), 1)
    assert labels.adjusted_rand(cells) == pytest.approx(metrics.adjusted_rand_score(a, b), rel=1e-9)
    assert labels.mutual_information(cells) == pytest.approx(metrics.normalized_mutual_info_score(a, b), rel=1e-9)


def test_labels_of_a_model(models: dict[str, Any], data: dict[str, Any]):
    names = ["knn_accuracy", "probe_accuracy", "clustering"]
    found = narrows.evaluate(models["ae"], data["X"], data["y"], measures=names)
    assert found["knn_accuracy"] > 0.8
    assert found["probe_accuracy"] > 0.6
    assert 0.3 < found["kmeans_ari"] < found["kmeans_nmi"] < 1
    words = [f"digit {label}" for label in data["y"]]
    assert narrows.evaluate(models["ae"], data["X"], words, measures=names).values == found.values


# Sparsity


def test_sparsity_by_counting(models: dict[str, Any], data: dict[str, Any]):
    z = np.asarray(models["sae"].transform(data["X"]))
    found = narrows.evaluate(models["sae"], data["X"], measures=["l0", "dead_fraction", "density"])
    counts = [sum(z[i, j] > 0 for i in range(len(z))) for j in range(z.shape[1])]
    assert found["l0"] == pytest.approx(sum(counts) / len(z), rel=1e-9)
    assert found["dead_fraction"] == pytest.approx(sum(c == 0 for c in counts) / len(counts), rel=1e-9)
    assert found["density"] == pytest.approx(np.median([c / len(z) for c in counts if c]), rel=1e-9)
    inspection = Inspection(models["sae"], data["X"])
    assert sparsity.find_active(ModelSubject(inspection, Comparison(inspection))).sum() == sum(counts)


# New examples


def sets(rng: np.random.Generator, shift: float = 0.5) -> tuple[torch.Tensor, torch.Tensor]:
    a = rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6))
    return torch.tensor(a), torch.tensor(rng.normal(size=(300, 6)) * 1.3 + shift)


def test_frechet_distance_is_torchmetrics(rng: np.random.Generator):
    torchmetrics = pytest.importorskip("torchmetrics.image.fid", reason="needs torchmetrics")
    a, b = sets(rng)
    wanted = torchmetrics._compute_fid(a.mean(0), torch.cov(a.t()), b.mean(0), torch.cov(b.t()))
    assert samples.frechet_distance(a, b) == pytest.approx(float(wanted), rel=1e-6)


def test_frechet_distance_of_known_gaussians():
    """Of N(0, I) and N(m, 4 I) in 3 dimensions: |m|^2 + 3 (1 + 4 - 2 * 2)."""
    grid = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=3)), dtype=torch.float64)
    a = grid * math.sqrt(7 / 8)  # of 8 points at +-1 the unbiased variance is 8 / 7
    assert samples.frechet_distance(a, 2 * a + 1) == pytest.approx(3 + 3, rel=1e-9)
    assert samples.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


def test_kernel_distance_is_torchmetrics(rng: np.random.Generator):
    torchmetrics = pytest.importorskip("torchmetrics.image.kid", reason="needs torchmetrics")
    a, b = sets(rng)
    b = torch.cat([b, b[:100] + 0.01])  # theirs wants as many
    assert samples.kernel_distance(a, b) == pytest.approx(float(torchmetrics.poly_mmd(a, b)), rel=1e-6)


def test_reach_by_counting(rng: np.random.Generator):
    a, b = (x[:60].numpy() for x in sets(rng))
    wanted = []
    for x in a:
        within = False
        for j, y in enumerate(b):
            others = sorted(np.linalg.norm(y - b[i]) for i in range(len(b)) if i != j)
            within |= bool(np.linalg.norm(x - y) <= others[2])
        wanted.append(within)
    assert samples.within_reach(torch.tensor(a), torch.tensor(b), 3).tolist() == wanted
    assert 0 < sum(wanted) < len(wanted)


def test_told_apart_as_well_as_can_be(rng: np.random.Generator):
    """Of N(0, 1) and N(d, 1) no classifier knows more than a share F(d / 2); of the same, a half."""
    a, b = rng.normal(size=(2, 3000, 1))
    assert samples.classify_sets(a, b, 0).mean() == pytest.approx(0.5, abs=0.03)
    assert samples.classify_sets(a, b + 2, 0).mean() == pytest.approx(stats.norm.cdf(1), abs=0.02)


def test_space_is_always_the_same(digits: np.ndarray):
    x = torch.tensor(digits[:50, None], dtype=torch.float32)
    a, b = Space(x), Space(x)
    assert torch.equal(a.features(x[:7]), b.features(x[:7]))
    torch.testing.assert_close(a.real.mean(0), torch.zeros(64, dtype=torch.float64), atol=1e-9, rtol=0)
    flat = Space(x.flatten(1))
    assert flat.real.shape == (50, 64)
    torch.testing.assert_close(flat.features(x.flatten(1)), flat.real)


def test_a_column_that_is_constant_among_few_rows_does_not_decide_the_distance(rng: np.random.Generator):
    """It varies a little in training: standardised by the rows compared, new ones would be a million times as far."""
    X = np.c_[rng.normal(size=(600, 3)), np.where(np.arange(600) < 500, rng.integers(0, 2, 600), 0)]
    model = narrows.VAE(2, max_epochs=5, random_state=0, device="cpu").fit(X[:500])
    found = narrows.evaluate(model, X[500:], train=X[:500], measures=["frechet"])
    assert found["frechet"] < 100


def test_new_examples(models: dict[str, Any], data: dict[str, Any]):
    names = ["frechet", "kernel", "precision", "recall", "c2st"]
    found = narrows.evaluate(models["vae"], data["X"], train=data["train"], measures=names)
    assert "fixed random convolutional network" in found.explained["frechet"]
    assert "real training examples have" in found.explained["frechet"]
    own = narrows.evaluate(models["vae"], data["X"], measures=names, features=models["ae"].transform)
    assert "transform" in own.explained["frechet"]
    for one in (found, own):
        assert 0 < one["frechet"]
        assert 0.5 < one["c2st"] <= 1
        assert 0 < one["recall"] <= 1
        assert 0 < one["precision"] <= 1
    with pytest.raises(ValueError, match="must return n x features"):
        narrows.evaluate(models["vae"], data["X"], measures=["frechet"], features=lambda X: X)


# Calibration


def test_calibration(models: dict[str, Any], data: dict[str, Any]):
    found = narrows.evaluate(models["vae"], data["X"], train=data["train"], measures=["flagged", "score_shift"])
    assert found["flagged"] == pytest.approx((models["vae"].predict(data["X"]) == -1).mean(), rel=1e-9)
    few = data["train"][np.linspace(0, 1199, 597).astype(int)]
    scores = models["vae"].score_samples(data["X"]), models["vae"].score_samples(few)
    assert found["score_shift"] == pytest.approx(stats.ks_2samp(*scores).statistic, rel=1e-6)
    assert "0.05 is expected of examples like the training examples" in found.explained["flagged"]


def test_distributions_apart(rng: np.random.Generator):
    a, b = rng.normal(size=70), rng.normal(0.5, 2, size=50)
    a[:20] = b[:20]  # ties
    assert calibration.kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic, rel=1e-9)


# Intervals


def test_the_bootstrap_is_the_normal_interval(rng: np.random.Generator):
    values = rng.exponential(size=2000)
    found = Resamples(0).mean(values)
    wanted = values.mean() + np.array([-1.96, 1.96]) * values.std() / math.sqrt(2000)
    np.testing.assert_allclose((found.low, found.high), wanted, atol=0.2 * (wanted[1] - wanted[0]))
    many = np.tile(values, 11)
    np.testing.assert_allclose(Resamples(0).mean(many).value, values.mean(), rtol=1e-12)


def test_intervals_of_shares_stay_within_0_and_1():
    few = Resamples(0).mean(np.arange(237) == 0)
    assert 0 <= few.low < few.high <= 1
    nearly_all = np.arange(60) > 0
    assert jackknife(lambda kept: float(nearly_all[kept].mean()), 60).high > 1
    assert jackknife(lambda kept: float(nearly_all[kept].mean()), 60, largest=1.0).high == 1


def test_intervals_hold_what_they_promise():
    """Of 200 samples of 60, about 95 % of the intervals hold the true mean; 185 is three deviations below 190."""
    rng = np.random.default_rng(3)
    held = {"bootstrap": 0, "jackknife": 0}
    for seed in range(200):
        values = rng.normal(1.0, 2.0, size=60)
        of_mean = Resamples(seed).mean(values)
        of_groups = jackknife(lambda kept, values=values: float(values[kept].mean()), 60)
        held["bootstrap"] += of_mean.low < 1 < of_mean.high
        held["jackknife"] += of_groups.low < 1 < of_groups.high
    assert all(175 <= count <= 199 for count in held.values()), held
