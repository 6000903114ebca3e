"""Whole numbers that a float64 may confuse, and Arrow tables that were pandas frames with an index."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from narrows import AE

SMALL = {"hidden": (8,), "max_epochs": 1, "random_state": 0}


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 200
    return pd.DataFrame(
        {
            "key": rng.permutation(n) + 2**62,
            "group": np.where(rng.random(n) > 0.5, 10**17 + 1, 10**17 + 2),
            "site": np.full(n, 10**17 + 5),
            "far": rng.integers(0, 30, n).astype(np.uint64) + np.uint64(2**64 - 2000),
            "number": rng.normal(size=n),
        }
    )


def test_large_whole_numbers_are_compared_one_by_one(frame):
    model = AE(2, **SMALL).fit(frame)
    kinds = {column.name: column.kind for column in model.schema_.table.columns}
    assert kinds == {
        "key": "identifier",
        "group": "binary",
        "site": "constant",
        "far": "categorical",
        "number": "real",
    }
    for like in (frame, pl.from_pandas(frame)):
        back = model.reconstruct(like)
        back = back.to_pandas() if isinstance(back, pl.DataFrame) else back
        assert (back.dtypes == frame.dtypes).all()
        assert (back["key"] == frame["key"]).all()
        assert (back["site"] == frame["site"]).all()
        assert set(back["group"]) <= set(frame["group"])
        assert set(back["far"]) <= set(frame["far"])
    assert "key" in " ".join(model.report_)


def test_large_whole_numbers_may_be_named_categories(frame):
    model = AE(2, columns={"key": "categorical"}, max_levels=None, **SMALL).fit(frame)
    assert len(model.schema_.table.columns[0].levels) == len(frame)
    assert set(model.reconstruct(frame)["key"]) <= set(frame["key"])


def test_the_index_of_a_frame_in_an_arrow_table_is_no_column():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc"))
    frame.index = np.random.default_rng(1).integers(0, 40, 60)
    table = pa.Table.from_pandas(frame)
    assert "__index_level_0__" in table.column_names
    model = AE(2, **SMALL).fit(table)
    assert model.n_features_in_ == 3
    assert model.reconstruct(table).column_names == ["a", "b", "c"]
    np.testing.assert_allclose(model.transform(table), model.transform(frame))


def test_rare_levels_are_said():
    words = [f"word {i}" for i in range(40)] * 2 + ["often"] * 100
    frame = pd.DataFrame({"word": words, "number": np.arange(180) % 7 + 0.5})
    model = AE(1, max_levels=3, **SMALL).fit(frame)
    assert any("rare values are one level" in line and "'word' (38 values" in line for line in model.report_)


def test_whole_numbers_are_described_in_full():
    frame = pd.DataFrame({"day": np.arange(20200101, 20200161), "word": ["a", "b", "c"] * 20})
    column = AE(1, **SMALL).fit(frame).schema_.table.columns[0]
    assert column.describe() == "integer, 20200101 to 20200160"
