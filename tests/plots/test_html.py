"""Fitted models and evaluations as a notebook shows them."""

from __future__ import annotations

import json
import pickle
import re
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline

import narrows
from narrows import AE, VAE, TableAE
from narrows.evaluation.table import Evaluation, Row

TINY = {"hidden": (8,), "max_epochs": 2, "batch_size": 16, "random_state": 0, "device": "cpu"}
SCRIPT = "<script>alert(1)</script>"


def html_of(model) -> str:
    markup = model._repr_mimebundle_()["text/html"]
    assert markup == model._repr_html_()
    assert len(markup) < 150_000
    assert "<script" not in markup
    assert re.findall(r"https?://", markup) == []
    assert re.findall(r'src="(?!data:)', markup) == []
    return markup


@pytest.fixture(scope="module")
def pictures(digits):
    return VAE(2, network="mlp", **TINY).fit(digits[:200])


def test_a_fitted_model_shows_verdict_curve_data_examples_and_decisions(pictures):
    markup = html_of(pictures)
    text = re.sub(r"<[^>]*>", "", markup.partition("</style>")[2])
    assert text.index("VAE, 2 components, 2 epochs") < text.index(pictures.verdict_[:20]) < text.index("Data:")
    for finding in pictures.findings_:
        assert markup.count(finding.message[1:].replace("'", "&#x27;")) == 1  # the verdict has its first letter small
    assert "8 x 8 grey images in [0, 1]" in text
    assert text.count("device = cpu") == 1
    assert markup.count("<img ") == 16
    assert "8 held-out examples, which it did not learn from" in text
    assert f"held out {pictures.history_[-1]['valid_loss']:.3g}".replace("-", "−") in text


def test_kept_examples_are_held_out_rows_and_are_never_saved(pictures, digits, tmp_path):
    kept = pictures._kept
    assert kept.rows.shape == (8, 8, 8)
    assert kept.is_held_out
    assert all((digits[:200] == row).all((1, 2)).any() for row in kept.rows)
    pictures.save(tmp_path / "m")
    loaded = narrows.load(tmp_path / "m")
    for copied in (loaded, pickle.loads(pickle.dumps(pictures))):
        assert not hasattr(copied, "_kept")
        assert "A model that was loaded has no examples to show" in html_of(copied)
    assert "_kept" not in json.dumps(json.loads((tmp_path / "m" / "recipe.json").read_text()))


def test_a_fit_that_fails_leaves_no_examples_of_the_last_one(vectors):
    model = AE(2, **TINY).fit(vectors)
    with pytest.raises(ValueError, match="infinity"):
        model.fit(np.full((20, 3), np.inf))
    assert not hasattr(model, "_kept")


def test_vectors_and_series_are_cells_or_lines(vectors, rng):
    short = html_of(AE(2, **TINY, early_stopping=False).fit(vectors))
    assert short.count("<tr>") == 9
    assert "8 examples that it learned from" in short
    wide = html_of(AE(2, **TINY).fit(rng.normal(size=(60, 40))))
    assert wide.count('<svg width="420"') == 8
    gaps = np.where(rng.random((60, 40)) < 0.2, np.nan, rng.normal(size=(60, 40)))
    assert "nan" not in html_of(AE(2, **TINY).fit(gaps))


def test_cells_of_a_table_are_escaped():
    pandas = pytest.importorskip("pandas", reason="needs the extra `tables`")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({SCRIPT: rng.normal(size=60), "town": rng.choice(["Bern", SCRIPT], 60)})
    frame.loc[:30, SCRIPT] = np.nan
    for model in (AE(2, **TINY), TableAE(16, max_epochs=1, random_state=0, device="cpu")):
        markup = html_of(model.fit(frame))
        assert "&lt;script&gt;" in markup
        assert markup.count("<td>") == 16


def test_photos_are_small(rng):
    photos = rng.integers(0, 256, (24, 80, 96, 3)).astype(np.uint8)
    markup = html_of(AE(2, network="mlp", **TINY).fit(photos))
    assert markup.count("data:image/") == 16


def test_a_model_that_is_not_fitted_has_the_diagram_of_scikit_learn(pictures):
    assert "sk-estimator" in AE(2)._repr_html_()
    assert "sk-estimator" in make_pipeline(pictures)._repr_html_()
    with sklearn.config_context(display="text"):
        assert set(pictures._repr_mimebundle_()) == {"text/plain"}
        assert not hasattr(pictures, "_repr_html_")


def test_an_evaluation_is_a_table():
    table = Evaluation("VAE", rows={"mse<": Row(0.5, 0.4, 0.6, pca=0.7, words="a & b")}, missing={"nll": "no <code>"})
    markup = table._repr_html_()
    for cell in ("<th>mse&lt;</th>", ">0.5</td>", ">0.4 to 0.6</td>", ">0.7</td>", ">a &amp; b</td>"):
        assert cell in markup
    assert "Not measured: nll: no &lt;code&gt;." in markup


def test_grave_findings_are_warnings_for_the_user_alone():
    X = np.random.default_rng(0).normal(size=(100, 4))
    with pytest.warns(ConvergenceWarning, match=r"VAE: 2 of 2 components carry nothing\. Try beta=") as caught:
        VAE(2, beta=100.0, verbose=0, **{**TINY, "max_epochs": 30}).fit(X)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        narrows.sweep(
            VAE(beta=100.0, **{**TINY, "max_epochs": 30}), X, sizes=(1, 2)
        )  # it says itself which sizes are good
