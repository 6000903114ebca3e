"""A model applied by Ray Data."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import narrows
from narrows import AE, DAE
from narrows.cluster import RESULTS, Apply, apply

SMALL = {"hidden": (8,), "max_epochs": 1, "random_state": 0, "verbose": 0, "device": "cpu"}
X = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
FRAME = pd.DataFrame(X, columns=list("abcd"))


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    AE(2, **SMALL).fit(X).save(folder / "arrays")
    AE(2, **SMALL).fit(FRAME).save(folder / "frames")
    DAE(**SMALL).fit(X).save(folder / "dae")
    return {name: folder / name for name in ("arrays", "frames", "dae")}


def batch(**more: np.ndarray) -> dict[str, np.ndarray]:
    return {**{name: FRAME[name].to_numpy() for name in "dcba"}, **more}


def test_a_worker_adds_a_column(folders):
    model = narrows.load(folders["arrays"])
    for method, name in RESULTS.items():
        if method != "denoise":
            expected = getattr(model, method)(X)
            result = Apply(folders["arrays"], method)({"data": X})
            assert list(result) == ["data", name]
            np.testing.assert_allclose(result[name], expected, rtol=1e-6)
    result = Apply(folders["dae"], "denoise")({"data": X})["clean"]
    np.testing.assert_allclose(result, narrows.load(folders["dae"]).denoise(X), rtol=1e-6)


def test_columns_are_taken_by_name(folders):
    names = np.array([f"row {i}" for i in range(len(X))])
    expected = narrows.load(folders["frames"]).transform(FRAME)
    result = Apply(folders["frames"], keep=["name"])(batch(name=names))  # in the model's order, not in the batch's
    assert list(result) == ["name", "code"]
    np.testing.assert_allclose(result["code"], expected, rtol=1e-6)
    np.testing.assert_array_equal(result["name"], names)
    result = Apply(folders["arrays"], columns=list("abcd"))(batch(name=names))
    np.testing.assert_allclose(result["code"], narrows.load(folders["arrays"]).transform(X), rtol=1e-6)
    lists = np.empty(len(X), object)
    lists[:] = list(X)
    result = Apply(folders["arrays"], columns=["row"], keep=[])({"row": lists, "name": names})
    assert list(result) == ["code"]
    np.testing.assert_allclose(result["code"], narrows.load(folders["arrays"]).transform(X), rtol=1e-6)


def test_mistakes_are_named(folders, tmp_path):
    with pytest.raises(FileNotFoundError, match="No narrows model at"):
        Apply(tmp_path / "none")
    with pytest.raises(ValueError, match=r"must be one of 'transform'.* Got 'predict' instead"):
        Apply(folders["arrays"], "predict")
    with pytest.raises(ValueError, match="This DAE has no codes"):
        Apply(folders["dae"])
    with pytest.raises(ValueError, match=r"must have a column 'a'. It has data"):
        Apply(folders["frames"])({"data": X})
    with pytest.raises(ValueError, match=r"must have a column 'id'. It has data"):
        Apply(folders["arrays"], keep=["id"])({"data": X})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # warnings of Ray
def test_a_local_ray(folders, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="needs the extra ray: pip install 'narrows[ray]'")
    # workers are separate processes, which must import this narrows
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(narrows.__file__).parents[1]), *sys.path]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        FRAME.assign(id=range(len(X))).to_parquet(tmp_path / "x.parquet")
        rows = ray.data.read_parquet(str(tmp_path / "x.parquet")).repartition(5)
        how = {"folder": str(folders["frames"]), "keep": ["id"]}
        raw = rows.map_batches(Apply, fn_constructor_kwargs=how, concurrency=2, batch_format="numpy")
        quick = apply(rows, folders["frames"], concurrency=2, keep=["id"], batch_size=64)
        expected = narrows.load(folders["frames"]).transform(FRAME)
        for dataset in (raw, quick):
            result = dataset.to_pandas().sort_values("id")
            assert result["id"].tolist() == list(range(len(X)))  # every row, once
            np.testing.assert_allclose(np.stack(list(result["code"])), expected, rtol=1e-5, atol=1e-6)
        scores = apply(ray.data.from_numpy(X), folders["arrays"], "score_samples", keep=[]).to_pandas()["score"]
        np.testing.assert_allclose(
            np.sort(scores), np.sort(narrows.load(folders["arrays"]).score_samples(X)), rtol=1e-5
        )
    finally:
        ray.shutdown()
