"""Folders that narrows saved at an earlier commit still load, with the same results (see saved/make.py)."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import narrows
from narrows.tasks import Index
from narrows.training import plan

SAVED = Path(__file__).parent / "saved"
ESTIMATORS = sorted(
    path.parent.name for path in SAVED.glob("*/recipe.json") if path.parent.name not in ("outliers", "photos")
)
CLOSE = {"rtol": 1e-4, "atol": 1e-5}  # other processors round products differently


def _maker():
    spec = importlib.util.spec_from_file_location("make_saved", SAVED / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = _maker()


@pytest.fixture(scope="module")
def data():
    return load_file(SAVED / "data.safetensors")


def assert_gives(results, folder: str) -> None:
    expected = load_file(SAVED / folder / "expected.safetensors")
    assert results.keys() == expected.keys()
    for name, value in results.items():
        np.testing.assert_allclose(value, expected[name], **CLOSE, err_msg=name)


def rows_of(model, data):
    """Return the examples that the model was fitted on, in their original form."""
    if model.schema_.kind == "image":
        return data["images"]
    if model.schema_.support == "count":
        return data["counts"]
    if not hasattr(model, "feature_names_in_"):
        return data["vectors"]
    return pytest.importorskip("pandas").DataFrame(data["vectors"], columns=model.feature_names_in_)


@pytest.mark.parametrize("folder", ESTIMATORS)
def test_an_estimator_of_an_earlier_commit_gives_what_it_gave(folder, data):
    model = narrows.load(SAVED / folder, device="cpu")
    assert_gives(MAKER.outputs(model, rows_of(model, data)[: MAKER.N]), folder)


@pytest.mark.parametrize("folder", ESTIMATORS)
def test_an_estimator_of_an_earlier_commit_is_saved_and_trained_on(folder, data, tmp_path):
    model = narrows.load(SAVED / folder, device="cpu")
    model.save(tmp_path / folder)
    assert_gives(MAKER.outputs(narrows.load(tmp_path / folder, device="cpu"), rows_of(model, data)[: MAKER.N]), folder)
    epochs, y = model.n_iter_, None
    if getattr(model, "conditional", False):
        y = np.resize(model.classes_, len(data["labels"]))
    model.partial_fit(rows_of(model, data), y)
    assert model.n_iter_ == epochs + 1
    assert np.isfinite(model.history_[-1]["loss"])


def test_an_index_of_an_earlier_commit_finds_what_it_found(data):
    index = Index.load(SAVED / "index", narrows.load(SAVED / "vae", device="cpu"))
    rows, distances, _ = index.search(data["vectors"][: MAKER.N], k=3)
    assert_gives({"rows": rows, "distances": distances}, "index")


def test_an_outlier_detector_of_an_earlier_commit_scores_as_it_did(data):
    detector = narrows.load(SAVED / "outliers")
    X = data["vectors"][: MAKER.N]
    assert_gives({"score_samples": detector.score_samples(X), "explain": detector.explain(X)}, "outliers")


def test_a_denoiser_of_photos_of_an_earlier_commit_cleans_as_it_did(data):
    model = narrows.load(SAVED / "photos", device="cpu")
    assert_gives({"denoise": model.denoise(data["images"][0])}, "photos")


def test_a_training_that_an_earlier_commit_began_goes_on_to_the_same_weights(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(plan, "_FEW_ROWS", 0)  # the batch size and the learning rate of that commit
    monkeypatch.setattr(plan, "_BATCH", 32)
    folder = shutil.copytree(SAVED / "checkpoint-acfb3a0", tmp_path / "checkpoint")
    X = data["vectors"]
    resumed = narrows.VAE(**MAKER.INTERRUPTED, start="random", checkpoint=folder, verbose=2).fit(X)
    assert "resumed at step 21 of 40" in capsys.readouterr().err
    np.testing.assert_allclose(
        resumed.transform(X[: MAKER.N]), load_file(folder / "expected.safetensors")["transform"], rtol=1e-3, atol=1e-4
    )
