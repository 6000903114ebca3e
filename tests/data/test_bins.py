"""Bins of the numbers of a column: disjoint levels in order, which hold all training values."""

from dataclasses import replace

import numpy as np
import pytest

from narrows.data.bins import N_POINTS, Bins, find_bins, has_density_at, with_bins
from narrows.data.columns import Column
from narrows.data.table import Table

rng = np.random.default_rng(0)
COLUMNS = {
    "normal": rng.normal(5, 2, 3000),
    "heavy-tailed": np.exp(3 * rng.normal(size=3000)),
    "many whole numbers": rng.integers(18, 90, 3000).astype(float),
    "few whole numbers": rng.poisson(2, 3000).astype(float),
    "atom at the end": np.where(rng.random(3000) < 0.6, 0.0, rng.exponential(50, 3000)),
    "atom inside": np.where(rng.random(3000) < 0.3, 5.0, rng.uniform(0, 10, 3000)),
    "two atoms": np.where(rng.random(3000) < 0.5, rng.choice([-1.0, 3.0], 3000), rng.normal(0, 4, 3000)),
    "ties": np.round(rng.normal(size=3000), 1),
    "dates": 1.6e9 + rng.integers(0, 86_400 * 900, 3000),
    "larger than 2 ** 52": 2.0**52 + rng.integers(0, 100_000, 3000),
    "near 1e-300": 1e-300 * rng.random(3000),
    "two values": np.array([1.0, 2.0, 1.0, 1.0]),
    "one value": np.full(7, 3.5),
    "one cell": np.array([2.0]),
    "few rows": rng.normal(size=23),
    "neighbours in double precision": np.repeat([1.0, np.nextafter(1, 2), np.nextafter(1, 2) + 2**-52], 4),
}
every_column = pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)


@every_column
@pytest.mark.parametrize("n", [2, 10, 50])
class TestAnyColumn:
    def test_levels_are_disjoint_and_in_order(self, values, n):
        bins = Bins(find_bins(values, n))
        assert (bins.low <= bins.high).all()
        assert (bins.high[:-1] < bins.low[1:]).all()
        assert (bins.high[:-1] <= bins.cuts).all()
        assert (bins.cuts < bins.low[1:]).all()
        assert (np.diff(bins.points, axis=1) >= 0).all()
        assert bins.points.shape == (len(bins.share), N_POINTS)
        assert len(bins.share) <= 2 * n + 1

    def test_each_value_lies_in_its_level(self, values, n):
        bins = Bins(find_bins(values, n))
        found = bins.find(values)
        assert (values >= bins.low[found]).all()
        assert (values <= bins.high[found]).all()
        counts = np.bincount(found, minlength=len(bins.share))
        np.testing.assert_allclose(bins.share, counts / len(values), rtol=1e-12)
        assert bins.share.sum() == pytest.approx(1, abs=1e-12)
        assert (counts > 0).all()
        for level, mean in enumerate(bins.mean):
            held = values[found == level]
            np.testing.assert_allclose(mean, held.mean(), rtol=1e-12)
            assert bins.is_value[level] == (len(np.unique(held)) == 1)
        np.testing.assert_array_equal(bins.holds_value(values), bins.is_value[found])

    def test_bins_side_by_side_meet_and_others_end_at_their_values(self, values, n):
        bins = Bins(find_bins(values, n))
        meets = ~bins.is_value[:-1] & ~bins.is_value[1:]
        np.testing.assert_array_equal(bins.right[:-1][meets], bins.left[1:][meets])
        np.testing.assert_array_equal(bins.right[:-1][meets], bins.cuts[meets])
        np.testing.assert_array_equal(bins.right[:-1][~meets], bins.high[:-1][~meets])
        np.testing.assert_array_equal(bins.left[1:][~meets], bins.low[1:][~meets])
        assert bins.left[0] == bins.low[0]
        assert bins.right[-1] == bins.high[-1]
        n_neighbors = np.append(False, meets).astype(int) + np.append(meets, False)
        np.testing.assert_array_equal(bins.n_open, np.where(bins.is_value, 0, 2 - n_neighbors))

    def test_the_order_of_the_cells_does_not_matter(self, values, n):
        assert find_bins(values[::-1], n) == find_bins(values, n)


@pytest.mark.parametrize("name", ["few whole numbers", "two values", "one value", "neighbours in double precision"])
def test_few_values_that_repeat_are_levels(name):
    values = COLUMNS[name]
    bins = Bins(find_bins(values))
    distinct, counts = np.unique(values, return_counts=True)
    assert bins.is_value.all()
    np.testing.assert_array_equal(bins.low, distinct)
    np.testing.assert_array_equal(bins.mean, distinct)
    np.testing.assert_allclose(bins.share, counts / len(values))
    assert not bins.n_open.any()


def test_bins_have_equal_shares():
    bins = Bins(find_bins(COLUMNS["normal"], 50))
    assert len(bins.share) == 50
    np.testing.assert_allclose(bins.share, 1 / 50, atol=1 / 3000)
    assert list(bins.n_open) == [1, *[0] * 48, 1]


@pytest.mark.parametrize(("name", "atoms"), [("atom inside", [5.0]), ("two atoms", [-1.0, 3.0])])
def test_an_atom_splits_the_bins_around_it(name, atoms):
    values = COLUMNS[name]
    bins = Bins(find_bins(values, 10))
    assert list(bins.low[bins.is_value]) == atoms
    for atom in atoms:
        level = int(bins.find(np.array([atom]))[0])
        assert bins.share[level] == pytest.approx(np.mean(values == atom))
        assert bins.high[level - 1] < atom < bins.low[level + 1]
        assert bins.n_open[level - 1] >= 1
        assert bins.n_open[level + 1] >= 1
    others = ~bins.is_value
    share = np.mean(~np.isin(values, atoms))
    assert abs(others.sum() - 10 * share) <= len(atoms) + 1  # in proportion to their share


def test_few_rows_get_bins_of_at_least_five_cells():
    values = np.random.default_rng(1).normal(size=60)
    bins = Bins(find_bins(values, 50))
    assert not bins.is_value.any()
    assert (np.round(60 * bins.share) >= 5).all()
    assert len(bins.share) == 12
    closed = np.repeat(np.arange(12.0), 5)
    assert Bins(find_bins(closed, 50)).is_value.all()


def test_a_number_between_or_beyond_the_levels_belongs_to_the_nearest():
    bins = Bins(find_bins(np.array([0.0, 0.0, 1.0, 1.0, 4.0, 4.0])))
    np.testing.assert_array_equal(bins.find(np.array([-9.0, 0.4, 0.6, 2.4, 2.6, 99.0])), [0, 0, 1, 1, 2, 2])


def test_many_cells_are_thinned_with_both_ends():
    values = np.random.default_rng(0).normal(size=250_000)
    bins = Bins(find_bins(values, 50))
    assert bins.low[0] == values.min()
    assert bins.high[-1] == values.max()
    found = np.bincount(bins.find(values), minlength=50) / len(values)
    np.testing.assert_allclose(bins.share, found, atol=1e-4)


def test_a_table_gets_bins_of_its_numbers_and_counts_of_its_cells():
    number, word = Column("a", "real", "float64"), Column("b", "categorical", "str", levels=("x", "y"))
    left_out = Column("c", "identifier", "str")
    rows = np.array([[1.0, 0], [np.nan, 1], [2, np.nan], [1, 0]])
    table = with_bins(Table((number, word, left_out), "pandas"), rows, 50)
    first, second, third = table.columns
    assert first.bins == ((2 / 3, 1.0, 1.0), (1 / 3, 2.0, 2.0))
    assert (first.n_observed, second.n_observed, third.n_observed) == (3, 3, 0)
    assert second.bins == third.bins == ()
    assert all(type(number) is float for each in first.bins for number in each)


def test_density_or_probability():
    values = COLUMNS["atom at the end"]
    column = replace(Column("a", "real", "float64"), bins=find_bins(values))
    np.testing.assert_array_equal(has_density_at(column, np.array([0.0, 30.0])), [False, True])
    np.testing.assert_array_equal(
        has_density_at(replace(column, bins=(), atom=0.0), np.array([0.0, 1.0])), [False, True]
    )
    assert has_density_at(replace(column, bins=()), np.array([0.0, 1.0])).all()
