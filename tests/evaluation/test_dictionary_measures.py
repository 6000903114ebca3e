"""Measures of sparse dictionaries: closed forms, scikit-learn, and planted truths."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score

import narrows
from narrows.evaluation import evaluate_seeds, intervals, labels, manifold, measures, probing
from narrows.evaluation.inspection import Inspection
from narrows.evaluation.intervals import Resamples
from narrows.evaluation.labels import split_folds
from narrows.evaluation.measures import evaluate_inspection

FIDELITY = ["explained_variance", "cosine", "l2_ratio", "relative_bias"]


@pytest.fixture(scope="module")
def vectors() -> tuple[np.ndarray, np.ndarray]:
    """600 rows of 8 columns of different scales, far from 0, and their 3 classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=600)
    X = rng.normal(size=(600, 8)) + 3 * np.eye(8)[y]
    return (50 + X * np.geomspace(0.1, 20, 8)).astype(np.float32), y


@pytest.fixture(scope="module")
def sae(vectors: tuple[np.ndarray, np.ndarray]) -> Any:
    return narrows.SAE(24, k=4, max_epochs=40, learning_rate=1e-2, random_state=0).fit(vectors[0][:400])


def test_fidelity_in_the_units_of_the_user(sae: Any, vectors: tuple[np.ndarray, np.ndarray]):
    X = vectors[0][400:]
    table = narrows.evaluate(sae, X, train=vectors[0][:400], measures=FIDELITY)
    back = sae.reconstruct(X)
    x, y = X.astype(np.float64), back.astype(np.float64)
    assert table["explained_variance"] == pytest.approx(r2_score(x, y, multioutput="variance_weighted"), rel=1e-5)
    lengths = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    assert table["cosine"] == pytest.approx(((x * y).sum(1) / lengths[0] / lengths[1]).mean(), rel=1e-6)
    assert table["l2_ratio"] == pytest.approx((lengths[1] / lengths[0]).mean(), rel=1e-6)
    assert table["relative_bias"] == pytest.approx((y * y).sum() / (x * y).sum(), rel=1e-6)
    for name in FIDELITY:
        low, high = table.interval(name)
        assert low < table[name] < high, name
    pca = PCA(4, random_state=0).fit(sae.prepare(vectors[0][:400]).numpy())
    projected = sae.schema_.restore(torch.tensor(pca.inverse_transform(pca.transform(sae.prepare(X).numpy()))))
    wanted = r2_score(x, projected, multioutput="variance_weighted")
    assert table["pca_explained_variance"] == pytest.approx(wanted, rel=1e-4)


def test_fidelity_is_for_sparse_codes(models: dict[str, Any], data: dict[str, Any]):
    with pytest.raises(ValueError, match=r"AE has no explained_variance: the code is not sparse"):
        narrows.evaluate(models["ae"], data["X"], measures=["explained_variance"])


def test_both_intervals_of_a_ratio_agree(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator):
    b = rng.gamma(2, size=3_000)
    a = b * rng.uniform(size=3_000)
    bootstrap = Resamples(0).ratio(a, b)
    monkeypatch.setattr(intervals, "MOST_RESAMPLED", 100)
    normal = Resamples(0).ratio(a, b)
    assert bootstrap.value == normal.value == pytest.approx(a.sum() / b.sum())
    assert bootstrap.high - bootstrap.low == pytest.approx(normal.high - normal.low, rel=0.1)


def test_density_quantiles_by_counting(sae: Any, vectors: tuple[np.ndarray, np.ndarray]):
    table = narrows.evaluate(sae, vectors[0], measures=["density_quantiles"])
    share = (sae.transform(vectors[0]) > 0).mean(0)
    share = share[share > 0]
    for percent in (5, 25, 75, 95):
        assert table[f"density_{percent}"] == pytest.approx(np.quantile(share, percent / 100))
    assert table["density_often"] == pytest.approx((share > 0.1).mean())


def test_a_planted_unit_is_found_by_the_probe(rng: np.random.Generator):
    labels = rng.integers(2, size=300)
    codes = rng.random((300, 30))
    codes[:, 17] += 2 * labels
    assert probing.choose_units(codes, labels, 1).tolist() == [[17], [17]]
    difference = np.abs(codes[labels == 1].mean(0) - codes[labels == 0].mean(0))
    np.testing.assert_array_equal(probing.choose_units(codes, labels, 30)[0], np.argsort(-difference, kind="stable"))
    folds = split_folds(labels, 0)
    assert probing._probe(codes, labels, folds)[1].mean() == 1
    by_chance = probing._probe(codes, rng.permutation(labels), folds)
    assert by_chance[1].mean() == pytest.approx(0.5, abs=0.1)
    assert set(by_chance) == {1, 5, 20}


def test_each_class_has_its_own_unit(rng: np.random.Generator):
    labels = rng.integers(4, size=400)
    codes = np.concatenate([rng.random((400, 10)), np.eye(4)[labels]], axis=1)
    assert probing._probe(codes, labels, split_folds(labels, 0))[1].mean() == 1


def test_random_directions(rng: np.random.Generator):
    vectors = rng.normal(3, 1, size=(50, 6)).astype(np.float32)
    dense = probing.codes_of_random(vectors, 20, 20, seed=1)
    codes = probing.codes_of_random(vectors, 20, 3, seed=1)
    assert ((codes > 0).sum(1) == 3).all()
    assert np.array_equal(np.sort(dense, axis=1)[:, -3:], np.sort(codes, axis=1)[:, -3:])
    # E (x . d)^2 = |x|^2 / 6 for a random unit vector d, of which positive products are half
    many = probing.codes_of_random(vectors, 20_000, 20_000, seed=1)
    centred = vectors - vectors.mean(0)
    np.testing.assert_allclose(np.square(many).mean(1) * 2 * 6, np.square(centred).sum(1), rtol=0.1)


def test_probing_through_evaluate(sae: Any, vectors: tuple[np.ndarray, np.ndarray]):
    X, y = vectors
    table = narrows.evaluate(sae, X, y, train=X, measures=["k_probe"])
    rows = {f"k_probe_{k}{kind}" for k in (1, 5, 20) for kind in ("", "_random")} | {"k_probe_raw"}
    assert set(table.rows) - {"n"} == rows
    assert table["k_probe_raw"] > 0.9
    assert table["k_probe_5"] > 0.7
    assert table.rows["k_probe_5"].pca > 0.9
    assert table.rows["k_probe_20"].pca is None, "there are 8 components"
    low, high = table.interval("k_probe_5_random")
    assert 1 / 3 < low < table["k_probe_5_random"] < high < 1
    with pytest.raises(ValueError, match="pass y="):
        narrows.evaluate(sae, X, measures=["k_probe"])


@pytest.mark.parametrize("sparsity", ["topk", "gated"])
def test_a_frozen_decoder_keeps_its_random_directions(
    sparsity: str, vectors: tuple[np.ndarray, np.ndarray], tmp_path: Path
):
    def fit(n_epochs: int, **settings: Any) -> Any:
        sae = narrows.SAE(24, k=4, sparsity=sparsity, max_epochs=n_epochs, random_state=0, **settings)
        return sae.fit(vectors[0][:400])

    short, long, learned = fit(1, frozen_decoder=True), fit(6, frozen_decoder=True), fit(6)
    directions = [model.model_.decoder.directions.detach().numpy() for model in (short, long, learned)]
    np.testing.assert_array_equal(directions[0], directions[1])
    assert np.abs(directions[2] - directions[1]).max() > 1e-3
    X, before = vectors[0][400:], short.model_.encoder.state_dict()
    assert any(not torch.equal(value, before[name]) for name, value in long.model_.encoder.state_dict().items())
    assert np.square(long.reconstruct(X) - X).mean() < np.square(short.reconstruct(X) - X).mean()
    long.save(tmp_path / "m")
    again = narrows.load(tmp_path / "m").partial_fit(vectors[0][:400])
    np.testing.assert_array_equal(again.model_.decoder.directions.detach().numpy(), directions[1])


def test_only_the_dictionary_of_narrows_is_frozen(vectors: tuple[np.ndarray, np.ndarray]):
    with pytest.raises(ValueError, match="frozen_decoder=True of SAE needs its own dictionary"):
        narrows.SAE(24, frozen_decoder=True, network=("auto", torch.nn.Linear(24, 8))).fit(vectors[0])


def test_only_the_rows_of_a_measure_are_dense(
    sae: Any, vectors: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    X, y = vectors[0][:250], vectors[1][:250]
    for module, name in ((manifold, "_MOST"), (labels, "_MOST"), (labels, "MOST_PROBED"), (probing, "MOST_PROBED")):
        monkeypatch.setattr(module, name, 100)
    measured = ["trustworthiness", "continuity", "knn_accuracy", "probe_accuracy", "clustering", "k_probe"]
    dense = evaluate_inspection(Inspection(sae, X, codes=sae.transform(X)), y, measures=measured)
    shapes, to_array = [], csr_array.toarray
    monkeypatch.setattr(csr_array, "toarray", lambda self: shapes.append(self.shape) or to_array(self))
    sparse = evaluate_inspection(Inspection(sae, X), y)
    assert {(100, 24)} <= set(shapes) <= {(100, 24), (1, 24)}
    assert {"continuity", "knn_accuracy", "probe_accuracy", "kmeans_ari", "k_probe_1"} <= set(dense)
    for name, value in dense.to_dict().items():
        assert value == pytest.approx(sparse[name], rel=1e-9, nan_ok=True), name


def test_a_dense_code_longer_than_an_example_limits_the_rows(
    sae: Any, vectors: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    long = narrows.estimator("catvae")(16, hidden=(8,), max_epochs=1, random_state=0).fit(vectors[0])
    monkeypatch.setattr(measures, "_MOST_NUMBERS", 16 * 100)
    assert narrows.evaluate(long, vectors[0], measures=["mse"])["n"] == 100
    assert narrows.evaluate(sae, vectors[0], measures=["mse"])["n"] == 200  # by its 8 columns


def test_intervals_over_seeds(vectors: tuple[np.ndarray, np.ndarray]):
    X = vectors[0]
    models = [narrows.SAE(12, k=3, max_epochs=5, random_state=seed).fit(X[:400]) for seed in range(3)]
    options = {"train": X[:400], "measures": ["l0", "explained_variance"]}
    table = evaluate_seeds(models, X[400:], **options)
    values = [narrows.evaluate(model, X[400:], **options)["explained_variance"] for model in models]
    assert table["explained_variance"] == pytest.approx(np.mean(values))
    wanted = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert table.interval("explained_variance") == pytest.approx(wanted)
    assert table["n"] == 200
    assert table.rows["explained_variance"].pca is not None
    with pytest.raises(ValueError, match="at least two models of one class"):
        evaluate_seeds(models[:1], X)
    with pytest.raises(ValueError, match="of the classes AE, SAE"):
        evaluate_seeds([models[0], narrows.AE(2)], X)
