"""OutlierDetector: its contract with scikit-learn, its threshold, its reasons, and what its parts promise."""

import csv
import re

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks
from typer.testing import CliRunner

import narrows
from narrows import storage
from narrows.cli import app
from narrows.tasks import OutlierDetector
from narrows.tasks.outliers import reasons
from narrows.tasks.outliers.ensemble import Ensemble, train_ensemble
from narrows.tasks.outliers.marginals import Histograms, IsolationTrees
from narrows.tasks.outliers.parts import NeighborDistances, Residuals, Surprise, find_in_sorted, global_distances
from narrows.tasks.outliers.rows import Rows, row_keys
from narrows.tasks.outliers.scaler import AsinhScaler

QUICK = {"max_iter": 200, "random_state": 0}


@parametrize_with_checks([OutlierDetector(max_iter=10, n_members=2, random_state=0)])
def test_sklearn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def table():
    """Training rows whose last column follows from the first two, new rows like them, and rows that are strange."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 6))
    X[:, 5] = X[:, 0] - X[:, 1] + 0.1 * rng.normal(size=1200)
    strange = X[-100:].copy()
    strange[:, 5] += 2 * np.sign(rng.normal(size=100))
    return X[:600], X[600:], strange


@pytest.fixture(scope="module")
def detector(table):
    return OutlierDetector(0.1, **QUICK).fit(table[0])


# The score


def test_a_row_whose_columns_do_not_fit_each_other_is_found(detector, table):
    _, usual, strange = table
    y = np.repeat([1, 0], [len(usual), len(strange)])
    assert roc_auc_score(y, detector.score_samples(np.concatenate([usual, strange]))) > 0.9


def test_better_than_chance_on_real_tables():
    X, y = load_breast_cancer(return_X_y=True)  # 1 is benign
    benign = np.flatnonzero(y == 1)
    score = OutlierDetector(**QUICK).fit(X[benign[::2]]).score_samples(X)
    test = np.setdiff1d(np.arange(len(X)), benign[::2])
    assert roc_auc_score(y[test], score[test]) > 0.93


def test_a_cluster_of_outliers_among_the_training_rows_is_found(table):
    X = np.concatenate([table[0], 12 + 0.01 * np.random.default_rng(1).normal(size=(20, 6))])
    detector = OutlierDetector(**QUICK).fit(X)
    assert (detector.predict(X)[-20:] == -1).all()
    assert 20 / 620 <= detector.trimmed_ < 0.1


def test_further_away_is_stranger_without_end(detector):
    far = np.zeros((5, 6))
    far[:, 2] = [3, 10, 1e3, 1e6, 1e30]
    assert (np.diff(detector.score_samples(far)) < 0).all()


def test_units_of_columns_do_not_matter(table):
    X, usual, strange = table
    units, shift = np.array([1e-6, 1, 3, 1e5, 7, 0.1]), np.array([0, 5, -1e2, 1e6, 0, 1])
    plain = OutlierDetector(**QUICK).fit(X)
    other = OutlierDetector(**QUICK).fit(X * units + shift)
    rows = np.concatenate([usual, strange])
    assert other.score_samples(rows * units + shift) == pytest.approx(plain.score_samples(rows), rel=0.02, abs=0.02)
    assert other.offset_ == pytest.approx(plain.offset_, rel=0.01)


def test_constant_and_discrete_columns(table):
    X = table[0].copy()
    X[:, 2], X[:, 3] = 7.0, (X[:, 3] > 0.8)
    detector = OutlierDetector(**QUICK).fit(X)
    row = np.median(X, 0, keepdims=True)
    assert detector.predict(row) == 1
    row[0, 2] = 8.0  # never seen anything but 7
    assert detector.predict(row) == -1
    assert detector.explain(row).argmin() == 2
    assert np.isfinite(detector.score_samples(X)).all()


@pytest.mark.parametrize(("constant", "new"), [(0.001, -1e-4), (7.0, 0.05)])
def test_a_new_value_in_a_constant_column_is_judged_alike_in_all_units(table, constant, new):
    usual = table[0][:200, :3]
    rows = np.tile(np.append(np.median(usual, 0), constant), (2, 1))
    rows[1, 3] += new
    for units in (1e-9, 1, 1e4, 1e20):
        detector = OutlierDetector(**{**QUICK, "max_iter": 40}).fit(units * np.c_[usual, np.full(200, constant)])
        assert detector.predict(units * rows).tolist() == [1, -1], units
        assert detector.explain(units * rows)[1].argmin() == 3


def test_rounding_errors_of_a_constant_are_no_new_values(rng):
    scaler = AsinhScaler.fit(0.3 + 1e-16 * rng.normal(size=(50, 1)))
    assert scaler.transform(np.array([[0.3], [0.1 + 0.2], [np.float32(0.3)]])).tolist() == [[0.0], [0.0], [0.0]]
    assert (np.abs(scaler.transform(np.array([[0.30001], [0.0], [-1.7e308]]))) >= 1).all()


def test_the_whole_range_of_numbers_gives_finite_scores_in_order(detector, table):
    rows = np.zeros((7, 6))
    rows[:, 2] = [1e6, 1e20, 1e38, 1e39, 1e100, 1e200, 1.7e308]
    for sign in (1, -1):
        scores = detector.score_samples(sign * rows)
        assert np.isfinite(scores).all()
        assert (np.diff(scores) < 0).all()
        assert (detector.explain(sign * rows).argmin(1) == 2).all()
    X = np.c_[table[0], np.zeros(len(table[0]))]
    rows = np.c_[np.zeros((7, 6)), rows[:, 2]]
    scores = OutlierDetector(**QUICK).fit(X).score_samples(rows)
    assert np.isfinite(scores).all()
    assert (np.diff(scores) < 0).all()


@pytest.mark.parametrize("huge", [1e39, 1e160, 1.7e308])
def test_a_huge_value_among_the_training_rows_is_found(table, huge):
    X = table[0].copy()
    X[5, 2], X[6, 3], X[7, 3] = huge, huge, -huge
    scores = OutlierDetector(**QUICK).fit(X).score_samples(X)
    assert np.isfinite(scores).all()
    assert set(np.argsort(scores)[:3]) == {5, 6, 7}


@pytest.mark.parametrize("units", [1e-300, 1e300])
def test_units_at_the_ends_of_the_range_do_not_matter(table, units):
    X, usual, _ = table
    plain = OutlierDetector(**QUICK).fit(X)
    other = OutlierDetector(**QUICK).fit(units * X)
    for rows in (X, usual):
        assert other.score_samples(units * rows) == pytest.approx(plain.score_samples(rows), rel=0.02, abs=0.02)


def test_all_rows_equal():
    detector = OutlierDetector(**QUICK).fit(np.ones((20, 3)))
    assert detector.predict(np.ones((2, 3))).tolist() == [1, 1]
    assert detector.predict([[1.0, 1.0, 5.0]]).tolist() == [-1]


def test_one_row_to_score(detector, table):
    assert detector.score_samples(table[1][:1]) == pytest.approx(detector.score_samples(table[1])[:1], rel=1e-4)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_few_rows(n):
    X = np.random.default_rng(0).normal(size=(n, 3))
    detector = OutlierDetector(max_iter=5, random_state=0).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()
    assert np.isfinite(detector.explain(100 * X)).all()


def test_seed_and_clone(detector, table):
    again = clone(detector).fit(table[0])
    assert (again.score_samples(table[1]) == detector.score_samples(table[1])).all()
    other = clone(detector).set_params(random_state=1).fit(table[0])
    assert (other.score_samples(table[1]) != detector.score_samples(table[1])).any()


# The threshold


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_held_out_rows_are_called_outliers_as_often_as_said(table, share):
    X, usual, _ = table
    detector = OutlierDetector(share, **QUICK).fit(X)
    rate = (detector.predict(usual) == -1).mean()
    low, high = stats.binom.interval(0.999, len(usual), share)  # and the threshold itself is from 600 rows
    assert 0.6 * low < rate * len(usual) < 1.4 * high


def test_training_rows_are_scored_as_if_held_out(detector, table):
    X, usual, _ = table
    assert (detector.predict(X) == -1).mean() == pytest.approx(0.1, abs=0.002)
    gap = np.median(detector.score_samples(X)) - np.median(detector.score_samples(usual))
    assert abs(gap) < 0.2
    nearly = X + 1e-3  # no longer recognised
    assert detector.score_samples(nearly).mean() > detector.score_samples(X).mean()


def test_decision_function(detector, table):
    score = detector.score_samples(table[1])
    assert detector.decision_function(table[1]) == pytest.approx(score - detector.offset_)
    assert (detector.predict(table[1]) == np.where(score >= detector.offset_, 1, -1)).all()


# Reasons


def test_contributions_sum_to_the_score(detector, table):
    for rows in table:
        nats = detector.explain(rows)
        assert nats.shape == rows.shape
        assert (nats <= 0).all()
        assert nats.sum(1) == pytest.approx(detector.score_samples(rows), rel=1e-4)


@pytest.mark.parametrize("column", [2, 4])
def test_the_strange_column_is_named(detector, table, column):
    rows = table[1][:50].copy()
    rows[:, column] += 8
    assert (detector.explain(rows).argmin(1) == column).mean() > 0.95


def test_what_a_row_lets_expect(detector, table):
    usual = table[1]
    expected = detector.reconstruct(usual)
    assert expected.shape == usual.shape
    assert np.abs(expected[:, 5] - (usual[:, 0] - usual[:, 1])).mean() < 0.5  # the deviation is 1.4
    spoilt = usual.copy()
    spoilt[:, 5] = 1e30
    assert detector.reconstruct(spoilt)[:, 5] == pytest.approx(expected[:, 5], abs=1e-4)  # a value does not see itself
    low, high = table[0].min(0), table[0].max(0)
    assert (detector.reconstruct(spoilt) >= low - 1e-4).all()
    assert (detector.reconstruct(spoilt) <= high + 1e-4).all()


def test_expected_values_are_in_the_units_of_their_columns(table):
    units, shift = np.array([1e-6, 1, 3, 1e5, 7, 0.1]), np.array([0, 5, -1e2, 1e6, 0, 1])
    plain = OutlierDetector(**QUICK).fit(table[0])
    other = OutlierDetector(**QUICK).fit(np.c_[table[0] * units + shift, np.full(600, 7.0)])
    rows = np.c_[table[1] * units + shift, np.full(600, 9.0)]
    expected = other.reconstruct(rows)
    assert (expected[:, 6] == 7.0).all()  # a constant comes back exactly
    error = ((expected[:, :6] - shift) / units - plain.reconstruct(table[1])).std(0)
    assert (error < 0.35).all()  # another training, with a column more; the deviation of a column is 1


def test_reasons_hold_what_was_found_and_what_was_expected(detector, table):
    rows = table[1][:30].copy()
    rows[:, 4] += 9
    result = reasons(detector, rows, 2)
    place = np.arange(30), result.names[:, 0].astype(int)
    np.testing.assert_array_equal(result.found[:, 0], rows[place])
    np.testing.assert_array_equal(result.expected[:, 0], detector.reconstruct(rows)[place])
    assert list(result.columns())[2:6] == ["reason_1", "nats_1", "found_1", "expected_1"]
    model = narrows.AE(2, hidden=(16,), max_epochs=3, random_state=0).fit(table[0])
    result = reasons(model, rows, 1)
    place = np.arange(30), result.names[:, 0].astype(int)
    np.testing.assert_array_equal(result.found[:, 0], rows[place])
    np.testing.assert_allclose(result.expected[:, 0], model.reconstruct(rows)[place], rtol=1e-5)


def test_nats_of_the_features_of_a_column_are_added():
    rows = Rows(np.zeros((4, 2)), np.zeros((4, 3)), [np.array([0, 2]), np.array([1])])
    nats = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(rows.sum_features(nats), np.c_[nats[:, 0] + nats[:, 2], nats[:, 1]])


def test_images_and_series(digits):
    detector = OutlierDetector(n_members=2, max_iter=50, random_state=0).fit(digits[:400])
    spoilt = digits[400:420].copy()
    spoilt[:, 0, 0] = 1.0  # a corner that is always black
    nats = detector.explain(spoilt)
    assert nats.shape == (20, 8, 8)
    assert nats.sum((1, 2)) == pytest.approx(detector.score_samples(spoilt), rel=1e-4)
    assert (nats.reshape(20, -1).argmin(1) == 0).mean() > 0.8
    with pytest.raises(ValueError, match=r"rows of shape \(8, 8\). Got \(64,\)"):
        detector.predict(digits[:2].reshape(2, 64))


def test_reasons_of_a_detector_and_of_a_model(detector, table):
    rows = table[1][:30].copy()
    rows[:, 4] += 9
    ours = reasons(detector, rows, 2, names="abcdef")
    assert ours.names.shape == ours.nats.shape == (30, 2)
    assert (ours.names[:, 0] == "e").mean() > 0.95
    assert (ours.outlier == (detector.predict(rows) == -1)).all()
    model = narrows.AE(2, hidden=(16,), max_epochs=3, random_state=0).fit(table[0])
    rows = table[1][:30].copy()
    rows[3, 4] += 9
    theirs = reasons(model, rows)
    assert theirs.names[3, 0] == "4"
    assert theirs.score == pytest.approx(model.score_samples(rows))


def test_reasons_of_images_are_places(digits):
    model = narrows.VAE(2, network="mlp", hidden=(16,), max_epochs=2, random_state=0).fit(digits[:200])
    spoilt = digits[:20].copy()
    spoilt[3, 0, 7] = 1.0  # always black in the others
    result = reasons(model, spoilt, 1)
    assert result.names[3, 0] == "0:7"
    colour = np.stack([spoilt, digits[:20], digits[:20]], -1)
    model = narrows.VAE(2, network="mlp", hidden=(16,), max_epochs=2, random_state=0).fit(colour)
    assert reasons(model, colour, 1).names[3, 0] == "0:7:0"


# The parts


def test_columns_are_linear_in_the_middle_and_monotone_outside(rng):
    X = rng.normal(3, 2, (5000, 1))
    scaler = AsinhScaler.fit(X)
    assert scaler.transform(np.array([[3.0], [4.0]])).ravel() == pytest.approx([0, 0.5], abs=0.05)
    u = scaler.transform(np.array([[1e2], [1e4], [1e300]])).ravel()
    assert (np.diff(u) > 1).all()
    assert np.isfinite(u).all()


def test_neighbours_against_all_distances(rng):
    R, Q = rng.normal(size=(50, 3)), rng.normal(size=(20, 3))
    keys = np.arange(50, dtype=np.uint64)
    neighbors = NeighborDistances(R, keys, 3)
    distance = np.sort(((Q[:, None] - R) ** 2).sum(2), 1)
    strangers = np.full(20, 99, np.uint64)
    assert neighbors(Q, strangers) == pytest.approx(distance[:, :3].mean(1))
    assert neighbors.per_entry(Q, strangers).sum(1) == pytest.approx(neighbors(Q, strangers))
    expected = np.sort(((R[:, None] - R) ** 2).sum(2), 1)[:, 1:4].mean(1)  # the nearest of all is the row itself
    assert neighbors(R, keys) == pytest.approx(expected)
    assert neighbors.per_entry(R, keys).sum(1) == pytest.approx(expected)


def test_surprise_is_the_tail_of_a_log_logistic_law(rng):
    v = np.exp(0.7 + 0.3 * rng.logistic(size=200_000))
    surprise = Surprise.fit(v)
    at = np.array([1.0, 2.0, 4.0, 9.0])
    assert -np.log([(v > a).mean() for a in at]) == pytest.approx(
        np.log1p(9 * np.exp(surprise.standardize(at))), rel=0.03
    )
    assert surprise(np.exp(50.0)) == pytest.approx((50 - surprise.location) / surprise.spread)


def test_residuals_are_a_mahalanobis_distance(rng):
    errors = rng.normal(size=(4000, 3)) @ rng.normal(size=(3, 3))
    fold = np.arange(4000) % 2
    residuals = Residuals.fit(errors, fold, 2)
    squares = residuals.per_entry(np.stack([errors, errors])).sum(-1)
    expected = ((errors @ np.linalg.inv(np.cov(errors.T))) * errors).sum(1)
    assert np.corrcoef(squares[0], expected)[0, 1] > 0.98


def test_rare_values_of_a_column(rng):
    u = np.c_[np.repeat([0.0, 0.25, 1.0], [60, 39, 1]), np.zeros(100)].astype(np.float32)
    histograms = Histograms.fit(u)
    rows = np.array([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [1.1, -1.0]], np.float32)
    nats = histograms.per_entry(rows, np.zeros(4, bool))
    np.testing.assert_allclose(nats[:, 0], np.log(105 / np.array([60.5, 0.5, 1.5, 0.1])))
    np.testing.assert_allclose(nats[:, 1], np.log(105 / np.array([100.5, 100.5, 100.5, 0.1])))
    known = histograms.per_entry(rows[[0, 2]], np.ones(2, bool))[:, 0]  # as if the row had not been counted
    np.testing.assert_allclose(known, np.log(105 / np.array([59.5, 0.5])))


def test_isolation_trees_against_scikit_learn(rng):
    u = rng.normal(size=(400, 3)).astype(np.float32)
    new = (2 * rng.normal(size=(200, 3))).astype(np.float32)
    fold = np.arange(400) % 2
    trees = IsolationTrees.fit(u, fold, 2, seed=5)
    for i in range(2):
        forest = IsolationForest(random_state=5 + i).fit(u[fold != i])
        # scikit-learn divides by the depth for 200 rows, too
        assert trees(new, np.full(200, i)) == pytest.approx(-forest.score_samples(new), abs=1e-3)
    both = trees(new, np.full(200, -1))
    assert both**2 == pytest.approx(trees(new, np.zeros(200, int)) * trees(new, np.ones(200, int)))
    entries = trees.per_entry(new, np.full(200, -1))
    assert entries.sum(1) == pytest.approx(both)
    assert (entries >= 0).all()
    far = np.zeros((3, 3), np.float32)
    far[[0, 1, 2], [0, 1, 2]] = 8
    assert trees.per_entry(far, np.array([-1, 0, 1])).argmax(1).tolist() == [0, 1, 2]


def test_rows_of_many_columns_are_not_whitened(rng, tmp_path):
    X = rng.normal(size=(40, 1100)).astype(np.float32)
    detector = OutlierDetector(max_iter=2, n_members=2, random_state=0).fit(X)
    assert detector._residuals.whiten is None
    detector.save(tmp_path / "d")
    assert sum(file.stat().st_size for file in (tmp_path / "d").iterdir()) < 8e6  # a matrix for each member is 19e6
    np.testing.assert_allclose(OutlierDetector.load(tmp_path / "d").score_samples(X), detector.score_samples(X))
    np.testing.assert_allclose(detector.explain(X).sum(1), detector.score_samples(X), rtol=1e-5)


def test_neighbours_are_looked_for_in_parts(rng, monkeypatch):
    from narrows.tasks.outliers import parts

    references, u = rng.normal(size=(50, 3)), rng.normal(size=(23, 3))
    neighbors, keys = NeighborDistances(references, np.arange(50, dtype=np.uint64), 5), np.arange(23, dtype=np.uint64)
    whole = neighbors(u, keys), neighbors.per_entry(u, keys)
    monkeypatch.setattr(parts, "_BLOCK_NUMBERS", 100)
    np.testing.assert_array_equal(neighbors(u, keys), whole[0])
    np.testing.assert_array_equal(neighbors.per_entry(u, keys), whole[1])
    np.testing.assert_allclose(whole[1].sum(1), whole[0])


def test_a_fit_that_fails_leaves_no_mixture(table, monkeypatch):
    detector = OutlierDetector(**QUICK).fit(table[0])

    def failing(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(OutlierDetector, "_train", failing)
        with pytest.raises(KeyboardInterrupt):
            detector.fit(table[0] * 100)
    with pytest.raises(ValueError, match="not fitted"):
        detector.predict(table[0])


def test_members_do_not_see_the_columns_that_they_predict(rng):
    ensemble = Ensemble(3, 5, 8, 2, seed=1).requires_grad_(False)
    x = rng.normal(size=(4, 5)).astype(np.float32)
    other = x.copy()
    other[:, 2] += 1
    change = ensemble.residuals(other) - ensemble.residuals(x)
    assert change[:, :, 2] == pytest.approx(np.ones((3, 4)), abs=1e-5)


def test_members_learn_from_the_rows_of_other_folds_only(rng):
    x = rng.normal(size=(60, 4)).astype(np.float32)
    fold = np.arange(60) % 2
    other = x.copy()
    other[fold == 0] *= -1
    # one step, and no look at the held-out rows that could choose between weights
    a, b = (train_ensemble(rows, fold, 2, 1, seed=0) for rows in (x, other))
    assert (a.weights[0][0] == b.weights[0][0]).all()
    assert (a.weights[0][1] != b.weights[0][1]).any()


def keys_of(X):
    """Return the keys of rows whose columns single precision can hold."""
    return row_keys(X, np.zeros(X.shape), np.zeros(X.shape[1], bool))


def test_row_keys(rng):
    X = rng.normal(size=(1000, 3))
    X[500:] = X[:500]
    keys = keys_of(X)
    assert (keys[500:] == keys[:500]).all()
    assert len(np.unique(keys)) == 500
    assert (keys_of(X.astype(np.float32)) == keys).all()
    assert keys_of(np.array([[0.0]])) == keys_of(np.array([[-0.0]]))
    assert len(np.unique(keys_of(np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])))) == 4
    assert find_in_sorted(np.array([2, 4, 6]), np.array([4, 5, 7, 2])).tolist() == [1, -1, -1, 0]


@pytest.mark.parametrize("column", [1.7e12 + 100 * np.arange(300), 1e-60 * np.arange(300), 1e60 * np.arange(300)])
def test_rows_that_single_precision_cannot_tell_apart_have_keys_of_their_own(column):
    X = column[:, None]
    scaler = AsinhScaler.fit(X)
    assert len(np.unique(keys_of(X))) < 30
    assert len(np.unique(row_keys(X, scaler.transform(X), scaler.needs_scaling))) == 300


# Keeping


def test_save_and_load(detector, table, tmp_path):
    detector.save(tmp_path / "d")
    again = OutlierDetector.load(tmp_path / "d")
    for rows in table:
        assert again.score_samples(rows) == pytest.approx(detector.score_samples(rows), rel=1e-5)
        assert again.explain(rows) == pytest.approx(detector.explain(rows), rel=1e-4, abs=1e-6)
    assert again.get_params() == detector.get_params()
    assert again.offset_ == detector.offset_
    assert {p.name for p in (tmp_path / "d").iterdir()} == {"recipe.json", "weights.safetensors", "README.md"}


def test_a_folder_of_an_older_version(detector, table, tmp_path):
    older = clone(detector).fit(table[0])
    u, keys, _ = older._scale(older._rows(table[0], reset=False))
    older._global_rows, older._power = np.arange(0, len(older._local.keys), 2), 2
    older._global = global_distances(older._local.references[::2], older._local.keys[::2])
    older._surprises = {
        "residual": older._surprises["residual"],
        "local": older._surprises["local"],
        "global": Surprise.fit(older._global(u, keys)),
    }
    expected = older.score_samples(table[1]), older.explain(table[1])
    assert expected[1].sum(1) == pytest.approx(expected[0], rel=1e-4)
    older.save(tmp_path / "older")
    recipe, tensors = storage.read(tmp_path / "older")
    recipe["surprises"] = list(recipe.pop("parts").values())
    del recipe["power"], tensors["known.by_u"], tensors["columns.range"]
    storage.write(tmp_path / "older", recipe, tensors, "")
    again = OutlierDetector.load(tmp_path / "older")
    assert again.score_samples(table[1]) == pytest.approx(expected[0], rel=1e-5)
    assert again.explain(table[1]) == pytest.approx(expected[1], rel=1e-4, abs=1e-6)
    assert np.isfinite(again.reconstruct(table[1])).all()


def test_load_refuses_another_model(table, tmp_path):
    narrows.AE(2, hidden=(8,), max_epochs=1).fit(table[0]).save(tmp_path / "ae")
    with pytest.raises(ValueError, match=r"holds no OutlierDetector, but a model of the recipe 'ae'. Use narrows.load"):
        OutlierDetector.load(tmp_path / "ae")
    with pytest.raises(FileNotFoundError, match="No narrows model"):
        OutlierDetector.load(tmp_path / "nothing")


# Mistakes


@pytest.mark.parametrize("share", [0, -0.1, 0.51, 1, np.nan, "many", True])
def test_contamination_outside_its_range(share):
    message = re.escape("must be a float in the range (0, 0.5] or 'auto'. Got ")
    with pytest.raises(ValueError, match=f"The `contamination` parameter of OutlierDetector {message}"):
        OutlierDetector(share).fit(np.eye(5))


def test_gaps_that_were_not_there_in_training_are_taken_and_said(detector, table):
    X = table[0].copy()
    usual = detector.score_samples(X)
    X[5, 2] = np.nan
    with pytest.warns(UserWarning, match="has 1 missing value, but the detector was fitted on data without any"):
        scores = detector.score_samples(X)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(np.delete(scores, 5), np.delete(usual, 5))


def test_one_row_is_too_few():
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        OutlierDetector().fit([[1.0, 2.0]])
    with pytest.raises(ValueError, match="at least 2 rows"):
        OutlierDetector().fit(np.zeros((1, 4, 4)))


def test_words_and_other_columns(detector):
    with pytest.raises(ValueError, match="must hold numbers"):
        OutlierDetector().fit([["a", "b"], ["c", "d"]])
    with pytest.raises(ValueError, match="7 features, but OutlierDetector is expecting 6"):
        detector.predict(np.zeros((2, 7)))


# The command


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A table with a header, and the folder of a detector that the command made of it."""
    folder = tmp_path_factory.mktemp("outliers")
    X = load_wine().data[:, :4]
    X[7, 2] = 40
    np.savetxt(folder / "wine.csv", X, delimiter=",", header="alcohol,acid,ash,alkali", comments="")
    run("fit-outliers", folder / "wine.csv", "-o", folder / "usual", "--contamination", 0.1, "--max-iter", 200)
    return folder


def test_score_with_a_detector(files):
    done = run("score", files / "usual", files / "wine.csv", "-o", files / "scores.csv")
    said = " ".join(done.stderr.split())
    assert "178 rows, 18 of them outliers" in said
    assert "10.0% outliers expected, 10.1% found" in said
    assert "differ from" not in said
    with open(files / "scores.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [
        "score",
        "outlier",
        *(f"{w}_{i}" for i in (1, 2, 3) for w in ("reason", "nats", "found", "expected")),
    ]
    assert len(rows) == 178
    assert rows[7]["reason_1"] == "ash"
    assert float(rows[7]["found_1"]) == 40
    assert 1.5 < float(rows[7]["expected_1"]) < 3.5  # all other wines are between 1.36 and 3.23
    assert rows[7]["outlier"] == "1"
    assert min(range(178), key=lambda i: float(rows[i]["score"])) == 7
    assert sum(row["outlier"] == "1" for row in rows) == 18


def test_score_with_a_model(files):
    narrows.VAE(2, hidden=(16,), max_epochs=3, random_state=0, verbose=0).fit(load_wine().data[:, :4]).save(files / "v")
    run("score", files / "v", files / "wine.csv", "-o", files / "v.tsv", "--reasons", 1)
    with open(files / "v.tsv", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert rows[7]["reason_1"] == "ash"
    assert list(rows[0]) == ["score", "outlier", "reason_1", "nats_1", "found_1", "expected_1"]
    np.savetxt(
        files / "far.csv", load_wine().data[:, :4] * 3, delimiter=",", header="alcohol,acid,ash,alkali", comments=""
    )
    done = run("score", files / "v", files / "far.csv", "-o", files / "far-scores.csv")
    said = " ".join(done.stderr.split())
    assert "5.0% outliers expected, 100.0% found. These examples differ from those of the training." in said


def test_score_mistakes(files):
    message = run("score", files / "usual", files / "wine.csv", "-o", files / "scores.png", code=1).stderr
    assert "must end in .csv, .tsv" in message
    message = run("score", files / "nothing", files / "wine.csv", "-o", files / "s.csv", code=1).stderr
    assert "No narrows model" in message


def test_columns_are_found_by_their_names(files):
    X = np.loadtxt(files / "wine.csv", delimiter=",", skiprows=1)
    np.savetxt(files / "turned.csv", X[:, ::-1], delimiter=",", header="alkali,ash,acid,alcohol", comments="")
    np.savetxt(files / "other.csv", X, delimiter=",", header="alcohol,acid,ash,salt", comments="")
    for name in ("wine", "turned"):
        run("score", files / "usual", files / f"{name}.csv", "-o", files / f"of-{name}.csv")
    assert (files / "of-wine.csv").read_text() == (files / "of-turned.csv").read_text()
    message = run("score", files / "usual", files / "other.csv", "-o", files / "s.csv", code=1).stderr
    assert "It lacks 'alkali'; it has 'alcohol', 'acid', 'ash', 'salt'." in message


def test_a_model_is_not_replaced_unless_asked(files):
    before = (files / "usual" / "recipe.json").read_text()
    message = run("fit-outliers", files / "wine.csv", "-o", files / "usual", "--max-iter", 5, code=1).stderr
    assert "already holds a finished model" in message
    message = run("fit-outliers", files / "wine.csv", "-o", files / "new", "--max-iter", 0, code=1).stderr
    assert "`max_iter` parameter of OutlierDetector must be an int in the range [1, inf) or 'auto'. Got 0" in message
    assert (files / "usual" / "recipe.json").read_text() == before


def test_other_commands_say_what_a_detector_is_for(files):
    message = run("encode", files / "usual", files / "wine.csv", "-o", files / "codes.npy", code=1).stderr
    assert "was made by `narrows fit-outliers`. Use it with `narrows score`." in message
    message = run("info", files / "usual").stdout
    assert "200 steps" in message
    assert "threshold" in message
