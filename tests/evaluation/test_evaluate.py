"""The table, and what is said where there is nothing to measure."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import narrows
from narrows.evaluation import MEASURES, Evaluation, Row

QUICK = ["mse", "trustworthiness", "kl"]


@pytest.fixture(scope="session")
def table(models: dict[str, Any], data: dict[str, Any]) -> Evaluation:
    return narrows.evaluate(models["vae"], data["X"], data["y"], train=data["train"], beside=models["ae"])


def test_everything_that_a_vae_has(table: Evaluation):
    rows = {"utility", "c2st_auc", "marginals", "pairs", "closer", "dcr", "copies"}
    of_dictionaries = {"explained_variance", "cosine", "l2_ratio", "relative_bias", "k_probe"}
    of_dictionaries |= {"l0", "dead_fraction", "density", "density_quantiles"}
    assert set(table.missing) == of_dictionaries | {"rmse", "accuracy"} | rows
    parts = {"kl_per_component": {f"kl_{i}" for i in range(6)}, "clustering": {"kmeans_ari", "kmeans_nmi"}}
    wanted = set().union(*(parts.get(name, {name}) for name in MEASURES if name not in table.missing))
    assert wanted | {"n"} == set(table.values)
    for name, row in table.rows.items():
        assert math.isfinite(row.value)
        assert row.words
        if name not in ("n", "score_shift"):
            assert row.low <= row.value <= row.high, name
    assert list(table.rows)[:4] == ["n", "mse", "psnr", "ssim"]
    assert table["n"] == 597


def test_columns_of_others(table: Evaluation, models: dict[str, Any], data: dict[str, Any]):
    alone = narrows.evaluate(models["ae"], data["X"], data["y"], train=data["train"])
    for name in ("mse", "ssim", "distortion", "knn_accuracy", "frechet", "c2st", "flagged"):
        assert table[f"other_{name}"] == pytest.approx(alone[name], rel=1e-6), name
    assert table.rows["kl"].other is None
    assert table.rows["kl"].pca is None
    assert table.rows["nll"].pca is not None
    assert table.other == "AE"


def test_the_forms_of_a_table(table: Evaluation):
    lines = repr(table).splitlines()
    assert lines[0].split()[:2] == ["measure", "VAE"]
    assert str(table) == repr(table)
    assert "Not measured: l0, dead_fraction, density, density_quantiles" in repr(table)
    assert ": the code is not sparse" in repr(table)
    assert table.interval("mse") == (table.rows["mse"].low, table.rows["mse"].high)
    found = json.loads(table.to_json())
    assert {row["measure"] for row in found["rows"]} == set(table.values)
    assert next(row for row in found["rows"] if row["measure"] == "n")["low"] is None
    frame = table.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["value", "low", "high", "pca", "other", "explanation"]
    assert frame.loc["mse", "pca"] == table["pca_mse"]
    assert table.to_dict()["pca_mse"] == table["pca_mse"] != table["mse"]
    with pytest.raises(KeyError, match="Did you mean 'mse'"):
        table["mes"]
    with pytest.raises(KeyError, match="the code is not sparse"):
        table["l0"]
    with pytest.raises(KeyError, match="no measure 'mes'"):
        table.interval("mes")


def test_a_column_that_nothing_fills_is_left_out():
    assert Evaluation("AE", None, {"mse": Row(0.5)}).cells()[0] == ("measure", "AE", "95 % interval", "description")


@pytest.mark.parametrize("name", ["ae", "sae", "dae"])
def test_what_is_not_there_is_said(models: dict[str, Any], data: dict[str, Any], name: str):
    X, model = data["X"][:100], models[name]
    owner = type(model).__name__
    found = narrows.evaluate(model, X)
    assert {"nll", "elbo", "kl", "active_components", "knn_accuracy", "score_shift"} <= set(found.missing)
    assert f"a code of {owner} is a point, not a distribution" in repr(found)
    assert ("frechet" in found.missing) == (name != "ae")
    with pytest.raises(ValueError, match=f"{owner} has no nll: a code of {owner} is a point, .* fit a VAE"):
        narrows.evaluate(model, X, measures=["mse", "nll"])
    if name == "dae":
        with pytest.raises(ValueError, match="DAE has no trustworthiness: this DAE has no codes, because n_comp"):
            narrows.evaluate(model, X, measures=["trustworthiness"])


def test_named_measures_that_are_missing_are_listed_and_those_of_the_other_model_stay(
    models: dict[str, Any], data: dict[str, Any]
):
    X, names = data["X"][:100], ["mse", "elbo", "l0"]
    found = narrows.evaluate(models["ae"], X, measures=names, skip_missing=True)
    assert (list(found.rows), list(found.missing)) == (["n", "mse"], ["elbo", "l0"])
    alone = narrows.evaluate(models["vae"], X, measures=["elbo"])
    beside = narrows.evaluate(models["ae"], X, beside=models["vae"], measures=names, skip_missing=True)
    assert list(beside.rows) == ["n", "mse", "elbo"]
    assert math.isnan(beside.rows["elbo"].value)
    assert "elbo" not in beside.values
    assert beside["other_elbo"] == pytest.approx(alone["elbo"], rel=1e-5)
    assert beside.rows["elbo"].better == 1
    line = next(row for row in beside.cells() if row[0] == "elbo")
    assert line[:4] == ("elbo", "", "", "")
    assert float(line[4]) == pytest.approx(alone["elbo"], rel=1e-3)
    assert (
        narrows.evaluate(models["vae"], X, beside=models["ae"], measures=names, skip_missing=True).rows["elbo"].other
        is None
    )


def test_same_seed_same_table(models: dict[str, Any], data: dict[str, Any]):
    X, names = data["X"][:150], ["mse", "nll", "frechet", "c2st"]
    state = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    a, b, c = (narrows.evaluate(models["vae"], X, measures=names, random_state=seed) for seed in (0, 0, 1))
    assert a.values == b.values
    assert a.interval("nll") == b.interval("nll")
    assert a["nll"] != c["nll"]
    assert a["frechet"] != c["frechet"]
    assert a["mse"] == c["mse"]
    assert torch.equal(state[0], torch.get_rng_state())
    assert state[1] == np.random.get_state()[1].tolist()  # noqa: NPY002


def test_frames_lists_and_tensors():
    X = np.random.default_rng(0).normal(size=(300, 8))
    frame = pd.DataFrame(X, columns=[f"p{i}" for i in range(8)])
    model = narrows.AE(2, hidden=(16,), max_epochs=1, random_state=0).fit(frame)
    first = narrows.evaluate(model, frame, measures=QUICK[:2])
    y = pd.Series(np.arange(300) % 2, index=np.arange(300)[::-1])
    assert narrows.evaluate(model, frame, y, measures=QUICK[:2]).values == first.values
    bare = narrows.AE(2, hidden=(16,), max_epochs=1, random_state=0).fit(X)
    for form in (X, torch.tensor(X), X.tolist()):
        assert narrows.evaluate(bare, form, measures=QUICK[:2]).values == pytest.approx(first.values)


def test_another_model_on_another_scale(data: dict[str, Any]):
    X = data["train"].reshape(1200, -1)[:, 10:24] * 3 + 1.0  # pixels that vary
    X[:, 0] += 100
    model = narrows.AE(4, hidden=(16,), max_epochs=4, random_state=0).fit(X[:600])
    other = narrows.AE(4, hidden=(16,), max_epochs=4, random_state=0).fit(X[600:] * 1.0001)
    assert model.schema_.scale != other.schema_.scale
    found = narrows.evaluate(model, X[600:], beside=other, measures=["mse"])
    scale = np.asarray(model.schema_.scale)
    error = (np.asarray(other.reconstruct(X[600:])) - X[600:]) / scale
    assert found["other_mse"] == pytest.approx(np.square(error).mean(), rel=1e-4)


def test_more_than_memory_has_room_for(models: dict[str, Any], data: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("narrows.evaluation.measures._MOST_NUMBERS", 64 * 120)
    X, y = data["X"], data["y"]
    for form in (X, list(X), torch.tensor(X)):
        found = narrows.evaluate(models["ae"], form, y, train=X, measures=["mse", "knn_accuracy"])
        assert found["n"] == 120
        assert "evenly spaced among 597" in found.explained["n"]
    few = np.linspace(0, 596, 120).astype(int)
    wanted = narrows.evaluate(models["ae"], X[few], y[few], train=X[few], measures=["mse", "knn_accuracy"])
    assert found.values == pytest.approx(wanted.values)


def test_scores_that_are_known_are_not_found_again(
    models: dict[str, Any], data: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    model, X = models["vae"], data["X"]
    scores = model.score_samples(X)
    wanted = narrows.evaluate(model, X, measures=["elbo"])
    monkeypatch.setattr(type(model), "score_samples", None)
    assert narrows.evaluate(model, X, measures=["elbo"], scores=scores).values == wanted.values
    monkeypatch.setattr("narrows.evaluation.measures._MOST_NUMBERS", 64 * 120)
    few = np.linspace(0, 596, 120).astype(int)
    found = narrows.evaluate(model, X, measures=["elbo"], scores=scores)
    assert found["elbo"] == pytest.approx(scores[few].mean())
    with pytest.raises(ValueError, match=r"result of model.score_samples\(X\), 597 numbers. Got shape \(596,\)"):
        narrows.evaluate(model, X, scores=scores[1:])


# Bad input


def test_labels_must_fit(models: dict[str, Any], data: dict[str, Any]):
    X, model = data["X"][:50], models["ae"]
    with pytest.raises(ValueError, match=r"one label for each of 50 examples, shape \(50,\). Got shape \(49,\)"):
        narrows.evaluate(model, X, np.arange(49))
    with pytest.raises(ValueError, match=r"Training examples are passed by name: train=X"):
        narrows.evaluate(model, X, X)
    with pytest.raises(ValueError, match="All 50 are of one class, 3: leave y out"):
        narrows.evaluate(model, X, np.full(50, 3))
    with pytest.raises(ValueError, match=r"must hold classes. Got numbers such as 0\.02"):
        narrows.evaluate(model, X, np.linspace(0, 1, 50))
    with pytest.raises(ValueError, match="none may be missing"):
        narrows.evaluate(model, X, [None, *range(49)])
    lonely = np.arange(50) == 7
    found = narrows.evaluate(model, X, lonely)
    assert "only one example" in found.missing["probe_accuracy"]
    assert found["knn_accuracy"] == pytest.approx(0.98)


@pytest.mark.parametrize("n", [1, 2, 9, 20])
def test_fewer_rows_than_neighbours(models: dict[str, Any], data: dict[str, Any], n: int):
    X, y = data["X"][:n], np.arange(n) % 2 if n > 1 else None
    found = narrows.evaluate(models["vae"], X, y)
    assert "trustworthiness" in found.missing
    assert found["n"] == n
    assert all(math.isfinite(value) for value in found.values.values())
    with pytest.raises(ValueError, match=f"10 neighbours need more than 20 examples, and there are {n}"):
        narrows.evaluate(models["vae"], X, measures=["continuity"])


def test_names_and_numbers(models: dict[str, Any], data: dict[str, Any]):
    X, model = data["X"][:50], models["ae"]
    with pytest.raises(ValueError, match=r"Unknown measure 'mes'. Did you mean 'mse'"):
        narrows.evaluate(model, X, measures=["mes"])
    with pytest.raises(TypeError, match=r"Pass \['mse'\]"):
        narrows.evaluate(model, X, measures="mse")
    with pytest.raises(ValueError, match=r"`n_draws` parameter of evaluate must be an int"):
        narrows.evaluate(model, X, n_draws=0)
    with pytest.raises(TypeError, match=r"fitted narrows estimator. Got ndarray"):
        narrows.evaluate(X, X)
    with pytest.raises(TypeError, match=r"fitted narrows estimator. Got str"):
        narrows.evaluate(model, X, beside="vae")
    with pytest.raises(ValueError, match="not fitted"):
        narrows.evaluate(narrows.AE(2), X)
    with pytest.raises(ValueError, match="fitted on shape"):
        narrows.evaluate(model, np.zeros((5, 9, 9)))
