"""Cells as levels and numbers, in single and in double precision."""

import json

import binned_table
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from narrows.data import GAP, Levels, Schema
from narrows.data.bins import Bins

ROWS, SCHEMA = binned_table.infer_bins(binned_table.make_frame(2000))
NUMBERS = [j for j, column in enumerate(SCHEMA.used_columns) if not column.has_levels]
NAMES = [column.name for column in SCHEMA.used_columns]
by_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
by_number = pytest.mark.parametrize("j", NUMBERS, ids=[NAMES[j] for j in NUMBERS])


@pytest.fixture(scope="module")
def levels() -> Levels:
    return Levels(SCHEMA)


def test_the_columns_are_of_all_kinds():
    kinds = {column.name: column.kind for column in SCHEMA.used_columns}
    assert kinds == {
        "real": "real",
        "price": "heavy_tailed",
        "gains": "real",
        "age": "integer",
        "visits": "count",
        "big": "integer",
        "day": "datetime",
        "city": "categorical",
        "flag": "binary",
    }


@by_dtype
def test_each_training_cell_has_the_level_of_its_bins(levels, dtype):
    cells = levels(binned_table.prepare(SCHEMA, ROWS, dtype))
    assert cells.level.shape == ROWS.shape
    for j, column in enumerate(SCHEMA.used_columns):
        known = ~np.isnan(ROWS[:, j])
        found = cells.level[:, j].numpy()
        values = ROWS[known, j]
        expected = values if column.has_levels else Bins(column.bins).find(values)
        np.testing.assert_array_equal(found[known], expected, err_msg=column.name)
        assert (found[~known] == -1).all()


def test_levels_are_found_in_single_precision_among_many_near_numbers():
    rng = np.random.default_rng(0)
    n = 100_000
    columns = {"dense": rng.random(n), "far": 1e9 + rng.random(n), "wide": np.exp(4 * rng.normal(size=n))}
    rows, schema = binned_table.infer_bins(pd.DataFrame(columns), 50)
    found = Levels(schema)(binned_table.prepare(schema, rows, torch.float32)).level.numpy()
    for j, column in enumerate(schema.used_columns):
        expected = Bins(column.bins).find(rows[:, j])
        assert np.abs(found[:, j] - expected).max() <= 1  # a number beside a cut may round to it
        assert np.mean(found[:, j] != expected) < 1e-3


@by_number
def test_place_grows_from_0_to_1_within_a_bin(levels, j):
    i, each = NUMBERS.index(j), Bins(SCHEMA.used_columns[j].bins)
    x = binned_table.prepare(SCHEMA, ROWS)
    cells = levels(x)
    place, level = cells.place[:, i], cells.level[:, j]
    known = level >= 0
    assert ((place >= 0) & (place <= 1)).all()
    assert not place[~known].any()
    for number in range(len(each.share)):
        inside = level == number
        if each.is_value[number]:
            assert (place[inside] == 1).all()
            continue
        order = x[inside, j].argsort()
        assert (place[inside][order].diff() >= 0).all()
        assert float(place[inside].min()) == pytest.approx(0, abs=1e-5)
        assert float(place[inside].max()) == pytest.approx(1, abs=1e-5)


@by_number
def test_rank_is_the_normal_quantile_of_the_share_of_smaller_numbers(levels, j):
    i = NUMBERS.index(j)
    cells = levels(binned_table.prepare(SCHEMA, ROWS))
    known = ~np.isnan(ROWS[:, j])
    values = ROWS[known, j]
    below = (values[:, None] > values).mean(1)
    equal = (values[:, None] == values).mean(1)
    found = norm.cdf(cells.rank[:, i].numpy()[known])
    widest = max(each[0] for each in SCHEMA.used_columns[j].bins if len(each) > 3) if j != NAMES.index("visits") else 0
    np.testing.assert_allclose(found, np.clip(below + equal / 2, 1e-4, 1 - 1e-4), atol=widest + 1e-6)
    assert not cells.rank[:, i].numpy()[~known].any()


@by_number
def test_z_is_in_standard_deviations_from_the_mean(levels, j):
    i = NUMBERS.index(j)
    z = levels(binned_table.prepare(SCHEMA, ROWS)).z[:, i].numpy()
    known = ~np.isnan(ROWS[:, j])
    values = ROWS[known, j]
    inside = np.abs(z[known]) < 8  # farther numbers are brought to 8
    centred = values - values.mean()
    slope, start = np.polyfit(centred[inside], z[known][inside], 1)
    np.testing.assert_allclose(z[known][inside], (start + slope * centred)[inside], atol=1e-4)
    assert start == pytest.approx(0, abs=1e-3)
    assert 1 / slope == pytest.approx(values.std(), rel=0.05 if inside.all() else 0.5)


def test_standardize_and_unstandardize_are_inverse(levels):
    z = torch.linspace(-7.9, 7.9, 201, dtype=torch.float64)[:, None].expand(-1, len(NUMBERS))
    torch.testing.assert_close(levels.standardize(levels.unstandardize(z)), z, rtol=1e-9, atol=1e-9)
    x = binned_table.prepare(SCHEMA, ROWS)[:, NUMBERS]
    x = x[~torch.isnan(x).any(1)]
    z = levels.standardize(x)
    back = levels.unstandardize(z)
    near = z.abs() < 8
    torch.testing.assert_close(back[near], x[near], rtol=1e-5, atol=1e-5)
    assert torch.isfinite(levels.unstandardize(torch.full((1, len(NUMBERS)), 1e30))).all()
    assert torch.isfinite(levels.standardize(torch.full((1, len(NUMBERS)), 1e30))).all()


@by_dtype
def test_missing_cells_gaps_and_unseen_levels_have_no_level(levels, dtype):
    x = binned_table.prepare(SCHEMA, ROWS[:6], dtype)
    x[0], x[1], x[2] = torch.nan, GAP, -GAP
    city, flag = NAMES.index("city"), NAMES.index("flag")
    x[3, city], x[4, flag] = 3, 2  # the number of a level that was not seen in training
    cells = levels(x)
    assert (cells.level[:3] == -1).all()
    assert cells.level[3, city] == cells.level[4, flag] == -1
    for part in (cells.place, cells.rank, cells.z):
        assert not part[:3].any()
        assert part.dtype == dtype
        assert torch.isfinite(part).all()


@by_dtype
def test_numbers_beyond_the_training_range_belong_to_the_last_levels(levels, dtype):
    x = binned_table.prepare(SCHEMA, ROWS[:2], dtype)
    x[0, NUMBERS], x[1, NUMBERS] = -1e6, 1e6
    cells = levels(x)
    last = levels.n_levels[NUMBERS] - 1
    assert not cells.level[0, NUMBERS].any()
    assert (cells.level[1, NUMBERS] == last).all()
    assert (cells.z[0] == -8).all()
    assert (cells.z[1] == 8).all()


def test_a_table_of_words_has_no_numbers():
    frame = binned_table.make_frame(60)[["city", "flag"]]
    rows, schema = binned_table.infer_bins(frame)
    levels = Levels(schema)
    cells = levels(binned_table.prepare(schema, rows))
    assert cells.place.shape == (60, 0)
    assert levels.sizes == [3, 2]


def test_a_schema_with_bins_goes_through_json_unchanged():
    again = Schema.from_dict(json.loads(json.dumps(SCHEMA.to_dict())))
    assert again == SCHEMA
    first, second = Levels(SCHEMA), Levels(again)
    for (name, mine), theirs in zip(first.named_buffers(), second.buffers(), strict=True):
        assert torch.equal(mine, theirs), name
