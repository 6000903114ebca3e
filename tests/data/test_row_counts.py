"""Rows that are many times as long as most: they are counted, and named in the report."""

import numpy as np
import pytest
import torch

import narrows
from narrows.data.row_counts import RowCounts


@pytest.fixture
def X():
    X = np.random.default_rng(0).normal(size=(2_000, 6)).astype(np.float32)
    X[[70, 1_500]] *= 500
    return X


def make(**settings):
    return narrows.SAE(16, k=4, max_examples=4_000, random_state=0, verbose=0, **settings)


def long_rows_of(report, place):
    return [line for line in report if f"2 of 2,000 rows are over 10 times as long as most (first: {place})" in line]


def test_long_rows_are_named_in_the_report(X, tmp_path):
    squares = np.square(X, dtype=np.float64).sum(1)
    (line,) = long_rows_of(make().fit(X).report_, "row 70")
    assert f"have {squares[[70, 1_500]].sum() / squares.sum():.0%} of the sum of squares" in line
    assert long_rows_of(make().fit(X[i : i + 100] for i in range(0, 2_000, 100)).report_, "row 70")
    np.save(tmp_path / "rows.npy", X.astype(np.float16))
    (line,) = long_rows_of(make().fit(tmp_path / "rows.npy").report_, "row 70 of " + str(tmp_path / "rows.npy"))
    assert "norm_limit=10" in line


def test_there_is_no_word_without_such_rows(X):
    for rows in (X[100:1_400], np.clip(X, -5, 5)):
        assert not any("as long as most" in line for line in make().fit(rows).report_)
    few = X.copy()
    few[70], few[1_500] = 0, 10 * np.sign(few[1_500])  # long, with little of the sum of squares
    assert not any("as long as most" in line for line in make().fit(few).report_)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8])
def test_counts_are_the_same_in_parts_and_behind_a_checkpoint(dtype):
    rows = torch.full((300, 2, 3), 2).to(dtype)
    rows[[0, 5]], rows[[200, 250, 299]] = 0, 100
    whole, first, rest = RowCounts(), RowCounts(), RowCounts()
    whole.add(rows, 0)
    first.add(rows[:1], 0)  # a row of zeros, which sets no limit
    first.add(rows[1:220], 1)
    rest.restore(first.state())
    rest.add(rows[220:], 220)
    assert vars(rest) == pytest.approx(vars(whole))
    assert (rest.n_rows, rest.n_zero, rest.first_zero, rest.n_long, rest.first_long) == (300, 2, 0, 3, 200)
    assert rest.squares == pytest.approx(6 * (295 * 4 + 3 * 1e4))
    assert rest.describe(str)[1].startswith(
        "3 of 300 rows are over 10 times as long as most (first: 200), and have 96%"
    )
