"""Units that predict a target, against scikit-learn, NumPy and a planted truth; and steering."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from narrows import AE, SAE
from narrows.estimators import predictive


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    X = np.abs(rng.normal(size=(600, 8))).astype(np.float32) * 5 + 100
    return SAE(24, k=4, max_epochs=20, learning_rate=1e-2, random_state=0).fit(X)


@pytest.fixture(scope="module")
def rows():
    return np.abs(np.random.default_rng(1).normal(size=(500, 8))).astype(np.float32) * 5 + 100


def halves(n, seed=0):
    order = np.random.default_rng(seed).permutation(n)
    return order[: n // 2], order[n // 2 :]


def test_classes_against_scikit_learn(model, rows):
    y = np.array(["low", "high", "middle"])[np.digitize(rows[:, 0], [102, 105])]
    found, z = model.predictive_units(rows, y, n=4), model.transform(rows)
    first, second = halves(len(rows))
    assert len(found.unit) == 12
    assert set(found.target) == {"low", "high", "middle"}
    for name in set(y):
        t = (y == name).astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            r = np.nan_to_num([np.corrcoef(z[first, j], t[first])[0, 1] for j in range(24)])
        chosen = np.flatnonzero(found.target == name)
        np.testing.assert_allclose(np.abs(found.chosen[chosen]), np.sort(np.abs(r))[::-1][:4], rtol=1e-5)
        for i in chosen:
            activation = z[second, found.unit[i]]
            assert found.chosen[i] == pytest.approx(r[found.unit[i]], rel=1e-5)
            assert found.held_out[i] == pytest.approx(np.corrcoef(activation, t[second])[0, 1], rel=1e-5)
            assert found.auc[i] == pytest.approx(roc_auc_score(t[second], activation))
            on = activation > 0
            assert found.effect[i] == pytest.approx(t[second][on].mean() - t[second][~on].mean())
    assert list(found.to_frame().columns[:2]) == ["unit", "target"]
    assert "confirmed" in repr(found)


def test_a_unit_predicts_its_own_activation(model, rows):
    z = model.transform(rows)
    unit = int(np.argmax(z.std(0)))
    found = model.predictive_units(rows, z[:, unit].astype(np.float64), n=3)
    assert found.unit[0] == unit
    assert found.held_out[0] == pytest.approx(1, abs=1e-5)
    assert found.is_confirmed[0]
    assert np.isnan(found.auc).all()
    assert set(found.target) == {"y"}
    two = model.predictive_units(rows, z[:, unit] > np.median(z[:, unit]), n=2)
    assert two.target.tolist() == [True, True]


def test_noise_is_confirmed_as_often_as_by_chance(model, rows):
    rng = np.random.default_rng(5)
    found = [model.predictive_units(rows, rng.normal(size=500), n=10, random_state=s) for s in range(20)]
    share = np.mean([units.share_confirmed for units in found])
    chance = np.mean([units.by_chance for units in found])
    assert chance == pytest.approx(0.025, abs=0.015)  # one side of a normal distribution
    assert share == pytest.approx(chance, abs=0.04)


def test_a_rare_class_has_a_share_by_chance(model, rows):
    y = np.arange(len(rows)) == halves(len(rows))[0][0]  # once, so that many shuffles choose no unit
    found = model.predictive_units(rows, y)
    assert 0 <= found.by_chance <= 1


def test_wrong_targets(model, rows):
    with pytest.raises(ValueError, match="at least 20 examples"):
        model.predictive_units(rows[:10], np.arange(10.0))
    with pytest.raises(ValueError, match="none may be missing"):
        model.predictive_units(rows, np.full(500, np.nan))
    with pytest.raises(ValueError, match="at most 100 classes"):
        model.predictive_units(rows, np.arange(500))
    with pytest.raises(ValueError, match="one target for each of 500 examples"):
        model.predictive_units(rows, np.arange(3))
    assert np.isnan(predictive._auc(np.zeros(4), np.ones(4, bool)))


def test_steering_keeps_the_error(model, rows):
    z = model.transform(rows)
    np.testing.assert_array_equal(model.steer(rows, {}), rows)
    values = {2: 1.5, 7: 0.0}
    edited = z.copy()
    for unit, value in values.items():
        edited[:, unit] = value
    steered = model.steer(rows, values)
    wanted = rows + model.inverse_transform(edited) - model.inverse_transform(z)
    np.testing.assert_allclose(steered, wanted, atol=1e-3)
    error = rows - model.reconstruct(rows)
    np.testing.assert_allclose(steered - model.inverse_transform(edited), error, atol=1e-3)
    assert steered.dtype == np.float32
    with pytest.raises(ValueError, match="`unit` parameter of steer"):
        model.steer(rows, {24: 1.0})
    with pytest.raises(ValueError, match="finite"):
        model.steer(rows, {3: np.inf})


def test_a_transcoder_is_not_steered(rows):
    model = SAE(8, k=2, max_epochs=1, random_state=0).fit(rows, rows[:, :3])
    with pytest.raises(ValueError, match="steer needs a model of X alone"):
        model.steer(rows, {1: 1.0})
    assert not hasattr(AE, "steer")


def test_steered_images_of_bytes_are_neither_rounded_nor_clipped():
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    model = SAE(8, k=2, max_epochs=2, random_state=0).fit(images)
    off, little, much = (model.steer(images, {3: value}) for value in (0.0, 1e-2, 1e3))
    assert off.dtype == np.float32
    assert 0 < np.abs(little - off).max() < 0.5
    assert much.min() < 0 or much.max() > 255
