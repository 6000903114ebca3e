"""Two models beside each other: their errors against a direct computation, the table, the texts and the picture."""

import numpy as np
import pandas as pd
import pytest

import narrows
from narrows import compare

SMALL = {"hidden": (16,), "max_epochs": 3, "random_state": 0}


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(300, 3)) @ rng.normal(size=(3, 6)) + 0.1 * rng.normal(size=(300, 6))) * 5 + 2


@pytest.fixture(scope="module")
def models(X):
    noisy = X[:40] + np.random.default_rng(1).normal(scale=6, size=(40, 6))
    return narrows.AE(2, **SMALL).fit(X), narrows.AE(2, **SMALL).fit(noisy)


def test_errors_are_those_of_the_reconstructions(X, models):
    both = compare(*models, X, measures=["mse"], names=("clean", "noisy"))
    prepare = models[0].prepare  # the common scale
    for k, model in enumerate(models):
        expected = (prepare(model.reconstruct(X)) - prepare(X)).square().mean(1).numpy()
        np.testing.assert_allclose(both.errors[:, k], expected, rtol=1e-3)
        np.testing.assert_allclose(both.reconstructions[k], model.reconstruct(X), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(both.difference, both.errors[:, 1] - both.errors[:, 0])
    assert both.share_nearer == (both.difference < 0).mean()
    assert both.evaluation["mse"] == pytest.approx(both.errors[:, 0].mean(), rel=1e-4)
    assert both.evaluation["other_mse"] == pytest.approx(both.errors[:, 1].mean(), rel=1e-4)
    assert 0 < both.share_nearer < 0.5  # the second has learned from few and noisy rows
    first, second = both.most_different(2)
    assert first[0] == both.difference.argmax()
    assert second[0] == both.difference.argmin()


def test_it_is_read_at_once(X, models):
    both = compare(*models, X, measures=["mse"], names=("clean", "<noisy>"))
    text = repr(both)
    assert text.startswith("clean and <noisy> on 300 rows: mean errors ")
    assert f"{both.share_nearer:.0%} of the rows" in text
    assert "mse" in text
    assert "&lt;noisy&gt;" in both._repr_html_()
    assert "<noisy>" not in both._repr_html_()
    ax = both.plot()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("error of clean", "error of <noisy>")
    np.testing.assert_allclose(ax.collections[0].get_offsets(), both.errors)


def test_a_model_beside_itself_is_as_near(X, models):
    both = compare(models[0], models[0], X, measures=["mse"])
    assert both.share_nearer == 0.5
    assert [len(rows) for rows in both.most_different()] == [0, 0]
    assert both.names == ("AE", "other AE")


def test_models_of_other_scales_have_one(X, models):
    other = narrows.AE(3, **SMALL).fit(X * 10)  # its scale is wider
    both = compare(models[0], other, X, measures=["mse"])
    prepare = models[0].prepare
    expected = (prepare(other.reconstruct(X)) - prepare(X)).square().mean(1).numpy()
    np.testing.assert_allclose(both.errors[:, 1], expected, rtol=1e-3)


def test_images_and_tables():
    images, y = narrows.load_dataset("digits", "test")[:2]
    models = [narrows.VAE(n, network="mlp", **SMALL).fit(images) for n in (2, 8)]
    ax = compare(*models, images[:60], y[:60], measures=["mse", "knn_accuracy"]).plot(3)
    assert {text.get_text() for text in ax.texts} | {label.get_text() for label in ax.get_yticklabels()}
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=60), "b": ["x", "y", "z"] * 20})
    tables = [narrows.AE(n, **SMALL).fit(frame) for n in (1, 2)]
    both = compare(*tables, frame, measures=["rmse"])
    assert list(both.reconstructions[1].columns) == ["a", "b"]
    assert both.errors.shape == (60, 2)


def test_bad_arguments_are_refused(X, models):
    with pytest.raises(TypeError, match=r"compare takes two fitted narrows estimators\. Got AE"):
        compare(models[0], narrows.AE(2), X)
    with pytest.raises(ValueError, match="two different names"):
        compare(*models, X, names=("a", "a"))
    with pytest.raises(ValueError, match=r"Got shape \(2,\)"):
        compare(*models, X, [1, 2])
    with pytest.raises(ValueError, match="expecting 4 features"):
        compare(models[0], narrows.AE(2, **SMALL).fit(X[:, :4]), X)
