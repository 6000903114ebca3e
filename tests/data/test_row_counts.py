"""Rows that are many times as long as most: they are counted, and named in the report."""

import numpy as np
import pytest
import torch

import narrows
from narrows.data import Blocks
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


def test_the_rows_of_a_crosscoder_are_counted(X):
    layers = np.stack([X, 2 * X], 1)
    crosscoder = narrows.estimator("crosscoder")(16, k=4, max_examples=4_000, random_state=0, verbose=0)
    assert long_rows_of(crosscoder.fit(layers).report_, "row 70")


def test_dense_models_are_not_told_of_long_rows(X, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    model = narrows.AE(3, max_epochs=1, random_state=0, verbose=0).fit(tmp_path / "rows.npy")
    assert not any("as long as most" in line for line in model.report_)


def test_a_gap_hides_no_long_row(X):
    X[3, 2] = np.nan
    assert long_rows_of(make().fit(X).report_, "row 70")


def test_the_first_block_may_be_one_row():
    rows = torch.ones(9_000, 4)
    rows[0], rows[5_000] = 0.01, 1_000.0
    counts = RowCounts()
    counts.add(rows[:1], 0)
    counts.add(rows[1:], 1)
    (line,) = counts.describe_long(str)
    assert line.startswith("1 of 9,000 rows are over 10 times as long as most (first: 5000), and have 99%")
    later = RowCounts()
    later.add(torch.cat([rows[1:5_000], 30 * rows[1:5_000]]), 0)
    assert later.n_long == 4_999
    assert later.describe_long(str) == [], "half of the rows are not longer than most"


def test_tiny_rows_are_not_zero_and_a_stream_of_zeros_has_no_long_rows():
    counts = RowCounts()
    counts.add(torch.full((5, 3), 1e-25), 0)
    counts.add(torch.zeros(7, 3), 5)
    assert (counts.n_zero, counts.first_zero) == (7, 5)
    assert counts.describe_long(str) == []
    counts = RowCounts()
    counts.add(torch.zeros(5_000, 3), 0)
    assert counts.describe_long(str) == []


@pytest.mark.parametrize("n", [300, 9_000])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_counts_are_the_same_in_parts_and_behind_a_checkpoint(dtype, n):
    rows = torch.full((n, 2, 3), 2).to(dtype)
    rows[[0, 5]], rows[[200, 250, 299]] = 0, 1_000
    whole, first, rest = RowCounts(), RowCounts(), RowCounts()
    whole.add(rows, 0)
    first.add(rows[:1], 0)
    first.add(rows[1:220], 1)
    rest.restore(first.state())
    for start in range(220, n, 80):
        rest.add(rows[start : start + 80], start)
    assert rest.describe_zero(str) == [whole.describe_zero(str)[0]]
    assert rest.describe_long(str) == [whole.describe_long(str)[0]]
    assert (rest.n_rows, rest.n_zero, rest.first_zero, rest.n_long, rest.first_long) == (n, 2, 0, 3, 200)
    assert rest.squares == pytest.approx(6 * ((n - 5) * 4 + 3 * 1e6), rel=1e-6)
    assert first.n_long == 0, "a state is a copy"


def test_whole_numbers_have_no_length():
    counts = RowCounts()
    counts.add(torch.tensor([[0, 0], [1, 1], [255, 255]], dtype=torch.uint8), 0)
    assert (counts.n_zero, counts.n_long, counts.squares, counts.waiting) == (1, 0, 0, [])


def test_a_checkpoint_of_before_goes_on_with_its_zeros():
    blocks = Blocks(lambda: iter([torch.ones(4, 2), torch.zeros(3, 2)]), "SAE")
    blocks.read(5)
    older = {name: value for name, value in blocks.state().items() if name != "counts"}
    again = Blocks(blocks.source, "SAE")
    again.restore({**older, "n_zero": 1, "first_zero": 4})
    again.read(2)
    assert again.counts.describe_zero(str)[0].startswith("3 of 7 rows are all zero (first: 4)")
