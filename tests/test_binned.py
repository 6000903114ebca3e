"""The likelihood of masked tables against formulas, in float64: one distribution for each column over its levels."""

import itertools
import math

import binned_table
import numpy as np
import pandas as pd
import pytest
import torch

from narrows.data import GAP, Schema
from narrows.data.bins import Bins
from narrows.likelihoods import Bernoulli, Binned

UNSEEN = 1e-4  # probability of values that none of the training rows has
ROWS, SCHEMA = binned_table.infer_bins(binned_table.make_frame())
NAMES = [column.name for column in SCHEMA.used_columns]
NUMBERS = [j for j, column in enumerate(SCHEMA.used_columns) if not column.has_levels]
D, N_GAPS = len(NAMES), 4
by_number = pytest.mark.parametrize("j", NUMBERS, ids=[NAMES[j] for j in NUMBERS])


@pytest.fixture(scope="module")
def likelihood() -> Binned:
    return Binned(SCHEMA).double()


def make_params(likelihood: Binned, n: int, scale: float = 1.0, seed: int = 1) -> torch.Tensor:
    return scale * torch.randn(n, *likelihood.params_shape(()), generator=torch.manual_seed(seed), dtype=torch.float64)


def slices(likelihood: Binned) -> list[slice]:
    """The logits of each column among all outputs."""
    ends = np.cumsum([0, *likelihood.levels.sizes])
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]


def as_params(likelihood: Binned, probs: dict[int, np.ndarray]) -> torch.Tensor:
    """Outputs (1 x k) with given probabilities of the levels of some columns."""
    params = torch.zeros(1, *likelihood.params_shape(()), dtype=torch.float64)
    for j, p in probs.items():
        params[0, slices(likelihood)[j]] = torch.from_numpy(np.log(np.clip(p, 1e-12, None)))
    return params


def ends(likelihood: Binned, j: int) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the intervals of the levels of a column, on the model's scale."""
    part = slices(likelihood)[j]
    return likelihood.levels.left[part].numpy(), likelihood.levels.right[part].numpy()


# ------------------------------------------------------------------------------------------------ the distribution


def test_the_outputs_are_logits_of_levels_means_and_gaps(likelihood):
    n_levels = sum(column.n_levels if column.has_levels else len(column.bins) for column in SCHEMA.used_columns)
    assert likelihood.params_shape((D,)) == (n_levels + len(NUMBERS) + N_GAPS,)
    listed = [likelihood.outputs_of(j) for j in range(D)]
    assert sorted(torch.cat(listed).tolist()) == list(range(n_levels + len(NUMBERS) + N_GAPS))
    for j, outputs in enumerate(listed):
        has_gaps = SCHEMA.gaps[j] > 0
        assert len(outputs) == likelihood.levels.sizes[j] + (j in NUMBERS) + has_gaps
        part = slices(likelihood)[j]
        assert outputs[: likelihood.levels.sizes[j]].tolist() == list(range(part.start, part.stop))


def test_log_prob_is_that_of_the_formula(likelihood):
    x = binned_table.prepare(SCHEMA, ROWS)
    params = make_params(likelihood, len(x))
    found = likelihood.log_prob(params, x).numpy()
    log_p = [params[:, part].log_softmax(1).numpy() for part in slices(likelihood)]
    for j, column in enumerate(SCHEMA.used_columns):
        known = np.flatnonzero(~np.isnan(ROWS[:, j]))
        values = ROWS[known, j]
        if column.has_levels:
            np.testing.assert_allclose(found[known, j], log_p[j][known, values.astype(int)], rtol=1e-12)
            continue
        bins = Bins(column.bins)
        level = bins.find(values)
        expected = log_p[j][known, level]
        left, right = ends(likelihood, j)
        tail = bins.n_open / (bins.share * column.n_observed + 1)
        within = np.log(np.where(bins.is_value, 1 - UNSEEN, 1 - tail)) - np.where(
            bins.is_value, 0, np.log(np.where(bins.is_value, 1, right - left))
        )
        np.testing.assert_allclose(found[known, j], expected + within[level], rtol=1e-6, atol=1e-6)


@by_number
def test_probabilities_and_densities_of_a_column_sum_to_one(likelihood, j):
    """The tails of bins end at the next value, so that a little less than 1 remains where values are."""
    params = make_params(likelihood, 1)
    bins = Bins(SCHEMA.used_columns[j].bins)
    left, right = ends(likelihood, j)
    values = torch.from_numpy(left[bins.is_value])
    cuts = likelihood.levels.cuts[NUMBERS.index(j), : len(bins.cuts)].double().numpy()
    first, last = (30 * (right[k] - left[k]) for k in (0, -1))
    edges = np.unique(np.concatenate([left, right, cuts, [left[0] - first, right[-1] + last]]))
    # the midpoints of 1,000 parts between each two edges, at which the density may jump
    points = torch.from_numpy(np.linspace(edges[:-1], edges[1:], 2001)[1::2].reshape(-1))
    widths = torch.from_numpy(np.tile(np.diff(edges) / 1000, 1000))
    cells = torch.zeros(len(values) + len(points), D, dtype=torch.float64)
    cells[:, j] = torch.cat([values, points])
    p = likelihood.log_prob(params.expand(len(cells), -1), cells)[:, j].exp()
    has_density = ~torch.from_numpy(bins.is_value)[likelihood.levels.find(cells)[:, j]]
    total = p[: len(values)].sum() + (p * has_density)[len(values) :] @ widths
    if bins.is_value.any():
        assert 0.9 < float(total) <= 1 + 1e-6
    else:
        assert float(total) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("name", ["city", "flag"])
def test_levels_of_words_sum_to_one(likelihood, name):
    j = NAMES.index(name)
    n, params = likelihood.levels.sizes[j], make_params(likelihood, 1)
    x = torch.zeros(n + 1, D, dtype=torch.float64)
    x[:, j] = torch.arange(n + 1)
    probs = likelihood.log_prob(params.expand(n + 1, -1), x)[:, j].exp()
    assert float(probs[:-1].sum()) == pytest.approx(1, abs=1e-12)
    assert float(probs[-1]) == pytest.approx(UNSEEN)
    torch.testing.assert_close(likelihood.level_probs(params, j)[0], probs[:-1])


def test_densities_of_cells_are_in_the_users_units():
    """The same table in other units has the same probabilities; densities change by the factor."""
    frame = binned_table.make_frame()[["real", "price", "gains"]]
    rows, schema = binned_table.infer_bins(frame)
    scaled, other = binned_table.infer_bins(frame * 1000)
    params = make_params(Binned(schema), len(rows))
    nats = []
    for data, each in ((rows, schema), (scaled, other)):
        found = Binned(each).double().log_prob(params, binned_table.prepare(each, data)).numpy()
        nats.append(found - each.entry_log_scale(data))
    known = ~np.isnan(rows)
    expected = np.where(rows == 0, 0.0, -math.log(1000))
    np.testing.assert_allclose((nats[1] - nats[0])[known], expected[known], atol=1e-4)


@by_number
def test_a_number_that_is_no_training_value_is_unlikely_but_possible(likelihood, j):
    params = make_params(likelihood, 1).expand(2, -1)
    x = binned_table.prepare(SCHEMA, ROWS[:1]).expand(2, -1).clone()
    x[0, j], x[1, j] = -1e4, 1e4
    nats = likelihood.log_prob(params, x)[:, j]
    assert torch.isfinite(nats).all()
    at_ends = torch.tensor([ends(likelihood, j)[0][0], ends(likelihood, j)[1][-1]], dtype=torch.float64)
    x[:, j] = at_ends
    assert (nats < likelihood.log_prob(params, x)[:, j] - 2).all()


def test_a_number_between_two_bins_is_as_likely_as_its_neighbors():
    """Otherwise most new rows of a small table would be outliers: between any two training values lies a gap."""
    train, new = (np.random.default_rng(seed).normal(size=(200, 1)) for seed in (0, 1))
    _, schema = binned_table.infer_bins(pd.DataFrame(train, columns=["a"]), 50)
    likelihood = Binned(schema).double()
    start = likelihood.inverse_mean(torch.zeros(1, dtype=torch.float64)).expand(200, -1)
    nats = likelihood.log_prob(start, binned_table.prepare(schema, new))[:, 0] - math.log(schema.scale[0])
    entropy = 0.5 * math.log(2 * math.pi * math.e)
    assert float(nats.mean()) > -entropy - 0.3
    assert float(nats.min()) > -12


def test_missing_cells_have_a_finite_score_and_no_gradient(likelihood):
    x = binned_table.prepare(SCHEMA, ROWS[:5]).float()
    x[:2] = torch.nan
    for scale in (0.0, 1.0, 1e3, 1e8):
        params = make_params(likelihood, 5, scale).float().requires_grad_()
        nats = Binned(SCHEMA).log_prob(params, x)
        assert torch.isfinite(nats).all()
        (nats * ~torch.isnan(x)).sum().backward()
        assert torch.isfinite(params.grad).all()
        assert not params.grad[:2].any()


def test_params_at_the_start_are_the_shares_of_training(likelihood):
    params = likelihood.inverse_mean(torch.zeros(1, dtype=torch.float64))[None]
    assert params.shape == (1, *likelihood.params_shape(()))
    for j, column in enumerate(SCHEMA.used_columns):
        shares = column.frequencies if column.has_levels else [each[0] for each in column.bins]
        np.testing.assert_allclose(likelihood.level_probs(params, j)[0], shares, rtol=1e-5)
    gaps = torch.sigmoid(params[0, -N_GAPS:]).numpy()
    np.testing.assert_allclose(gaps, [share for share in SCHEMA.gaps if share], rtol=1e-5)
    assert likelihood.contains(torch.tensor([[math.nan, GAP, 1.0]])).all()


def test_surprise_is_the_log_odds_of_another_rows_value(likelihood):
    x = binned_table.prepare(SCHEMA, ROWS)
    params = make_params(likelihood, len(x))
    found = likelihood.surprise(params, x).numpy()
    cells = likelihood.levels.find(x).numpy()
    for j, column in enumerate(SCHEMA.used_columns):
        known = np.flatnonzero(~np.isnan(ROWS[:, j]))
        p = likelihood.level_probs(params, j).numpy()[known, cells[known, j]]
        shares = np.array(column.frequencies if column.has_levels else [each[0] for each in column.bins])
        m = shares[cells[known, j]]
        np.testing.assert_allclose(found[known, j], np.log(m) + np.log(1 - p) - np.log(p), rtol=1e-5, atol=1e-5)
        assert not found[np.isnan(ROWS[:, j]), j].any()
    x[0, NAMES.index("city")] = 3  # not seen in training
    assert likelihood.surprise(params, x)[0, NAMES.index("city")] == pytest.approx(-math.log(UNSEEN))
    sure = as_params(likelihood, {NAMES.index("flag"): np.array([1.0, 0.0])})
    cell = torch.zeros(1, D, dtype=torch.float64)
    assert torch.isfinite(likelihood.surprise(sure, cell)).all()


# ------------------------------------------------------------------------------------------------ one number a cell


@by_number
def test_quantile_is_the_inverse_of_the_distribution_function(likelihood, j):
    """At the ends of each level the share below is known; within a level it follows the quantiles of its numbers."""
    p = np.random.default_rng(0).dirichlet(np.ones(likelihood.levels.sizes[j]))
    params = as_params(likelihood, {j: p})
    points = likelihood.levels.points[slices(likelihood)[j]].numpy()
    below = np.cumsum(p) - p

    def quantile(share: float) -> float:
        return float(likelihood.quantile(params, torch.full((1, len(NUMBERS)), share, dtype=torch.float64))[0, j])

    for level in range(len(p)):
        for k, place in enumerate(np.linspace(0, 1, points.shape[1])):
            share = below[level] + place * p[level]
            if 1e-6 < share < 1 - 1e-6 and 0 < k < points.shape[1] - 1 and p[level] > 1e-4:
                assert quantile(share) == pytest.approx(points[level, k], rel=1e-5, abs=1e-5)
    shares = torch.linspace(0, 1, 101, dtype=torch.float64)[:, None]
    values = likelihood.quantile(params.expand(101, -1), shares.expand(-1, len(NUMBERS)))[:, j]
    assert (values.diff() >= 0).all()
    assert float(values[0]) == pytest.approx(points[0, 0], abs=1e-5)
    assert float(values[-1]) == pytest.approx(points[-1, -1], abs=1e-5)


def test_median_of_known_bins(likelihood):
    for j in NUMBERS:
        n = likelihood.levels.sizes[j]
        for level in (0, n // 2, n - 1):
            p = np.eye(n)[level]
            median = likelihood.median(as_params(likelihood, {j: p}))[0, j]
            middle = likelihood.levels.points[slices(likelihood)[j]][level, 5]
            assert float(median) == pytest.approx(float(middle), rel=1e-5, abs=1e-5)
    halves = as_params(likelihood, {0: np.r_[0.5, np.zeros(likelihood.levels.sizes[0] - 2), 0.5]})
    low, high = (float(likelihood.levels.points[slices(likelihood)[0]][k, e]) for k, e in ((0, -1), (-1, 0)))
    assert low - 1e-5 <= float(likelihood.median(halves)[0, 0]) <= high + 1e-5


def test_the_mean_joins_the_levels_and_the_number(likelihood):
    params = make_params(likelihood, 50, 0.3)
    found = likelihood.mean(params)
    n_all = likelihood.levels.n_all
    for i, j in enumerate(NUMBERS):
        part = slices(likelihood)[j]
        by_level = likelihood.level_probs(params, j) @ likelihood.levels.mean[part]
        z = 0.7 * by_level + 0.3 * params[:, n_all + i]
        linear = (z - likelihood.levels.shift[i].double()) / likelihood.levels.factor[i].double()
        expected = linear.asinh() if SCHEMA.used_columns[j].kind == "heavy_tailed" else linear
        low, high = likelihood.levels.low[part][0].double(), likelihood.levels.high[part][-1].double()
        torch.testing.assert_close(found[:, j], expected.clamp(low, high), rtol=1e-5, atol=1e-5)
    for j in set(range(D)) - set(NUMBERS):
        torch.testing.assert_close(found[:, j], params[:, slices(likelihood)[j]].argmax(1).double())
    far = make_params(likelihood, 50, 100.0)
    for statistic in (likelihood.mean, likelihood.median, likelihood.mode, likelihood.sample):
        restored = SCHEMA.restore(statistic(far))
        for j in NUMBERS:
            column = SCHEMA.used_columns[j]
            slack = 1e-5 * (column.high - column.low)
            assert (restored[:, j] >= column.low - slack).all(), NAMES[j]
            assert (restored[:, j] <= column.high + slack).all(), NAMES[j]


def test_the_mode_of_a_density_with_an_atom(likelihood):
    j = NAMES.index("gains")
    bins = Bins(SCHEMA.used_columns[j].bins)
    (atom,) = np.flatnonzero(bins.is_value)
    n = len(bins.share)
    others = [level for level in range(n) if level != atom]
    p = np.zeros(n)
    p[atom], p[others] = 0.3, 0.7 / (n - 1)  # each bin is less likely than the atom
    assert float(SCHEMA.restore(likelihood.mode(as_params(likelihood, {j: p})))[0, j]) == 0.0
    p[atom] = 0.04  # less likely than bins: the densest bin, which is not the atom
    p[others] = 0.96 / (n - 1)
    left, right = ends(likelihood, j)
    densest = max(others, key=lambda level: p[level] / (right[level] - left[level]))
    middle = (likelihood.levels.low + likelihood.levels.high)[slices(likelihood)[j]][densest] / 2
    assert float(likelihood.mode(as_params(likelihood, {j: p}))[0, j]) == pytest.approx(float(middle), abs=1e-6)
    city = NAMES.index("city")
    assert likelihood.mode(as_params(likelihood, {city: np.array([0.2, 0.5, 0.3])}))[0, city] == 1


def test_samples_have_the_frequencies_of_the_levels(likelihood):
    """Pearson's chi-square of 20,000 draws stays below its mean plus five standard deviations."""
    n = 20_000
    params = make_params(likelihood, 1)
    torch.manual_seed(0)
    drawn = likelihood.sample(params.expand(n, -1))
    levels = likelihood.levels.find(drawn)
    for j in range(D):
        p = likelihood.level_probs(params, j)[0].numpy()
        counts = np.bincount(levels[:, j].numpy(), minlength=len(p))
        chi_square = float(((counts - n * p) ** 2 / (n * p)).sum())
        assert chi_square < len(p) - 1 + 5 * math.sqrt(2 * (len(p) - 1)), NAMES[j]
    torch.manual_seed(0)
    for j in range(D):
        outputs = params[:, likelihood.outputs_of(j)].expand(n, -1)
        excluded = torch.zeros(likelihood.levels.n_all, dtype=torch.bool)
        cells = likelihood.sample_column(outputs, j, excluded, 1.0, gaps=True)
        is_gap = torch.isinf(cells)
        share = torch.sigmoid(params[0, likelihood.outputs_of(j)[-1]]).item() if SCHEMA.gaps[j] else 0.0
        assert float(is_gap.double().mean()) == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / n) + 1e-12)
        x = torch.zeros(n, D, dtype=torch.float64)
        x[:, j] = torch.where(is_gap, torch.nan, cells)
        found = likelihood.levels.find(x)[~is_gap, j]
        p = likelihood.level_probs(params, j)[0].numpy()
        counts = np.bincount(found.numpy(), minlength=len(p))
        expected = p * len(found)
        assert float(((counts - expected) ** 2 / expected).sum()) < len(p) - 1 + 5 * math.sqrt(2 * (len(p) - 1))


def test_excluded_levels_and_a_low_temperature(likelihood):
    city = NAMES.index("city")
    params = as_params(likelihood, {city: np.array([0.5, 0.3, 0.2])})[:, likelihood.outputs_of(city)].expand(5000, -1)
    excluded = torch.zeros(likelihood.levels.n_all, dtype=torch.bool)
    excluded[slices(likelihood)[city].start] = True
    torch.manual_seed(0)
    cells = likelihood.sample_column(params, city, excluded, 1.0, gaps=False)
    assert set(cells.tolist()) == {1.0, 2.0}
    assert float((cells == 1).double().mean()) == pytest.approx(0.6, abs=0.03)
    cold = likelihood.sample_column(params, city, torch.zeros_like(excluded), 0.5, gaps=False)
    assert float((cold == 0).double().mean()) == pytest.approx(0.25 / 0.38, abs=0.03)
    allowed = likelihood.without_levels(as_params(likelihood, {city: np.array([0.5, 0.3, 0.2])}), excluded)
    assert likelihood.mode(allowed)[0, city] == 1


def test_drawn_numbers_within_a_bin_follow_the_training_numbers():
    values = np.random.default_rng(0).exponential(size=5000)
    _, schema = binned_table.infer_bins(pd.DataFrame({"a": values}), 2)
    likelihood = Binned(schema).double()
    start = likelihood.inverse_mean(torch.zeros(1, dtype=torch.float64)).expand(20_000, -1)
    torch.manual_seed(0)
    drawn = schema.restore(likelihood.sample(start))[:, 0]
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert np.quantile(drawn, share) == pytest.approx(np.quantile(values, share), rel=0.06)


def test_other_likelihoods_have_no_outputs_of_a_column():
    with pytest.raises(ValueError, match="'bernoulli' cannot predict hidden cells column by column"):
        Bernoulli().outputs_of(0)


def test_a_table_of_words_or_of_numbers_alone():
    for names in (["city", "flag"], ["real", "price"]):
        rows, schema = binned_table.infer_bins(binned_table.make_frame()[names])
        assert isinstance(schema, Schema)
        likelihood = Binned(schema).double()
        params = make_params(likelihood, len(rows))
        x = binned_table.prepare(schema, rows)
        assert torch.isfinite(likelihood.log_prob(params, x)).all()
        for statistic in (likelihood.mean, likelihood.median, likelihood.mode, likelihood.sample):
            assert statistic(params).shape == x.shape
