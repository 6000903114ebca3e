"""The parts of masked tables: which cells are hidden and count, what predictions depend on, and draws of whole rows."""

from typing import Any

import binned_table
import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from narrows import TableAE
from narrows.corruptions import CellMasking
from narrows.data import GAP
from narrows.estimators.drawing import draw_cells
from narrows.model import Autoencoder
from narrows.networks import LevelDecoder
from narrows.recipes import RECIPES
from narrows.types import Batch, split_missing

ROWS, SCHEMA = binned_table.infer_bins(binned_table.make_frame(200))
NAMES = [column.name for column in SCHEMA.used_columns]
D = len(NAMES)


def make_batch(x: Tensor) -> Batch:
    target, observed = split_missing(x)
    return Batch(x, target, observed)


@pytest.fixture(scope="module")
def model() -> Autoencoder:
    """A network with random weights, in double precision."""
    torch.manual_seed(0)
    network = RECIPES["tableae"].make(SCHEMA, 16, n_blocks=1).model.double().eval()
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return network


# ------------------------------------------------------------------------------------------------ hidden cells


class TestCellMasking:
    def hide(self, shares: tuple[tuple[float, float], ...], x: Tensor) -> tuple[Tensor, Tensor]:
        torch.manual_seed(0)
        x = x.clone()
        before = x.clone()
        corrupted = CellMasking(shares)(make_batch(x))
        torch.testing.assert_close(x, before, equal_nan=True, rtol=0, atol=0)  # the batch is not written to
        assert corrupted.scored is not None
        return corrupted.x, corrupted.scored

    @pytest.mark.parametrize("shares", [((0.0, 0.0),), ((0.05, 0.5), (0.0, 1.0)), ((1.0, 1.0),)])
    def test_each_row_hides_a_cell_and_its_weights_sum_to_its_cells(self, shares):
        x = torch.randn(4000, 6)
        x[torch.rand_like(x) < 0.4] = torch.nan
        shown, weight = self.hide(shares, x)
        is_hidden = weight > 0
        assert is_hidden.any(1).all()
        torch.testing.assert_close(weight.sum(1), torch.full((4000,), 6.0))
        assert torch.isnan(shown[is_hidden]).all()
        unhidden = ~torch.isnan(x) & ~is_hidden
        torch.testing.assert_close(shown[unhidden], x[unhidden], rtol=0, atol=0)
        if shares == ((0.0, 0.0),):
            assert (is_hidden.sum(1) == 1).all()

    def test_gaps_are_hidden_as_often_as_other_cells(self):
        """Otherwise the number of hidden cells would tell whether they are gaps, and drawn rows would have too few."""
        x = torch.randn(40_000, 3)
        x[:, 2] = torch.where(torch.rand(40_000) < 0.5, torch.nan, x[:, 2])
        is_gap = torch.isnan(x[:, 2])
        _, weight = self.hide(((0.0, 1.0),), x)
        only_last = ((weight > 0) == torch.tensor([False, False, True])).all(1)
        assert float(only_last[is_gap].double().mean()) == pytest.approx(
            float(only_last[~is_gap].double().mean()), abs=0.01
        )
        for part in (is_gap, ~is_gap):
            assert float(weight[part, 2].mean()) == pytest.approx(1, abs=0.03)

    def test_the_expected_weighted_loss_is_the_sum_over_all_cells(self):
        x = torch.randn(1, 5)
        x[0, 3] = torch.nan
        _, weight = self.hide(((0.0, 1.0),), x.expand(40_000, -1))
        costs = torch.tensor([1.0, 10.0, 100.0, 1e6, 1000.0])  # of the missing cell, too, which never counts
        observed = ~torch.isnan(x[0])
        sums = (weight * observed) @ costs
        assert float(sums.mean()) == pytest.approx(1111, abs=5 * float(sums.std()) / 200)
        for j in (0, 1, 2, 4):
            assert float(weight[:, j].mean()) == pytest.approx(1, abs=0.05)

    @pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
    def test_the_share_of_hidden_cells(self, share):
        shown, _ = self.hide(((share, share),), torch.randn(5000, 20))
        assert float(torch.isnan(shown).double().mean()) == pytest.approx(share, abs=0.01)

    def test_each_row_takes_one_of_the_ranges(self):
        shown, _ = self.hide(((0.1, 0.2), (0.8, 0.9)), torch.randn(4000, 200))
        shares = torch.isnan(shown).double().mean(1)
        assert float((shares < 0.35).double().mean()) == pytest.approx(0.5, abs=0.04)
        assert not ((shares > 0.35) & (shares < 0.65)).any()
        uniform, _ = self.hide(((0.0, 1.0),), torch.randn(4000, 200))
        quantiles = torch.isnan(uniform).double().mean(1).quantile(torch.tensor([0.25, 0.5, 0.75]).double())
        torch.testing.assert_close(quantiles, torch.tensor([0.25, 0.5, 0.75]).double(), rtol=0, atol=0.03)

    def test_hidden_cells_do_not_tell_which_are_missing(self):
        x = torch.randn(5000, 8)
        is_gap = torch.rand_like(x) < 0.3
        x[is_gap] = torch.nan
        shown, weight = self.hide(((0.05, 0.5), (0.0, 1.0)), x)
        assert torch.equal(torch.isnan(shown), weight > 0)  # missing or not
        assert torch.equal(torch.isinf(shown), is_gap & (weight == 0))
        hidden = torch.isnan(shown).double()
        assert float(hidden[is_gap].mean()) == pytest.approx(float(hidden[~is_gap].mean()), abs=0.02)

    def test_missing_cells_never_count(self, model):
        x = binned_table.prepare(SCHEMA, ROWS)
        torch.manual_seed(0)
        output = model(make_batch(x))
        assert output.weight is not None
        assert not output.weight[torch.isnan(x)].any()
        assert (output.weight[~torch.isnan(x)] >= 0).all()

    def test_a_row_without_a_value_scores_its_gaps_alone(self):
        shown, weight = self.hide(((0.0, 1.0),), torch.full((50, 3), torch.nan))
        torch.testing.assert_close(weight.sum(1), torch.full((50,), 3.0))
        assert torch.equal(torch.isinf(shown), weight == 0)


# ------------------------------------------------------------------------------------------------ predictions


def test_some_outputs_are_the_same_columns_of_all(model):
    z = torch.randn(7, 16, dtype=torch.float64)
    decoder = model.decoder
    assert isinstance(decoder, LevelDecoder)
    whole = decoder(z)
    assert whole.shape == (7, *model.likelihood.params_shape(()))
    for j in range(D):
        outputs = model.likelihood.outputs_of(j)
        torch.testing.assert_close(decoder.decode_outputs(z, outputs), whole[:, outputs], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(model.decode_outputs(z, outputs), whole[:, outputs], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("j", range(D), ids=NAMES)
def test_the_parameters_of_a_column_do_not_depend_on_its_cell(model, j):
    x = binned_table.prepare(SCHEMA, ROWS)[:6]
    with torch.no_grad():
        params = model.decode_own(x)
        outputs, others = model.likelihood.outputs_of(j), model.likelihood.outputs_of((j + 1) % D)
        for value in (x[:, j].roll(1), torch.full((6,), torch.nan), torch.full((6,), GAP), torch.full((6,), 1.0)):
            changed = x.clone()
            changed[:, j] = value
            again = model.decode_own(changed)
            assert torch.equal(again[:, outputs], params[:, outputs])
        changed = x.clone()
        changed[:, j] = torch.where(torch.isnan(x[:, j]), 0.0, torch.nan)  # any cell counts for the others
        assert (model.decode_own(changed)[:, others] != params[:, others]).any(1).all()
    hidden = x.clone()
    hidden[:, j] = torch.nan
    with torch.no_grad():
        whole = model.decoder(model.bottleneck.encode(model.encoder(hidden)))
    torch.testing.assert_close(params[:, outputs], whole[:, outputs], rtol=1e-12, atol=1e-12)


def test_hidden_cells_gaps_and_unseen_levels_have_vectors(model):
    x = binned_table.prepare(SCHEMA, ROWS)[:1].nan_to_num()
    j = NAMES.index("city")
    variants = x.repeat(4, 1)
    variants[1, j], variants[2, j], variants[3, j] = torch.nan, GAP, 3.0  # 3 is a level that was not seen in training
    with torch.no_grad():
        codes = model.encoder(variants)
    assert torch.isfinite(codes).all()
    assert not torch.equal(codes[1], codes[2])
    assert not torch.equal(codes[0], codes[1])
    assert torch.equal(codes[1], codes[3])


def test_the_costs_of_numbers_and_of_gaps(model):
    """- log p of the hidden cells, the squared error of the hidden numbers, and the cross-entropy of which are gaps."""
    objective = RECIPES["tableae"].make(SCHEMA, 16).objective.double().eval()
    x = binned_table.prepare(SCHEMA, ROWS)
    batch = make_batch(x)
    with torch.no_grad():
        torch.manual_seed(3)
        terms = objective(model, batch).terms
        torch.manual_seed(3)
        output = model(batch)
    likelihood, levels = model.likelihood, model.likelihood.levels
    nats = likelihood.log_prob(output.params, batch.target)
    observed = ~torch.isnan(x)
    assert float(terms["nll"]) == pytest.approx(-float((nats * output.weight).sum(1).mean()), rel=1e-6)
    n_all, n_numbers, n_gaps = likelihood.sizes
    z = levels(batch.target).z
    error = (z - output.params[:, n_all : n_all + n_numbers]).square() * output.weight[:, levels.numbers]
    assert float(terms["squared_error"]) == pytest.approx(float(error.sum(1).mean()), rel=1e-6)
    probs = output.params[:, -n_gaps:].sigmoid()
    missing = ~observed[:, likelihood.gap_columns]
    entropy = -torch.where(missing, probs.log(), (1 - probs).log()) * output.scored[:, likelihood.gap_columns]
    assert float(terms["gaps"]) == pytest.approx(float(entropy.sum(1).mean()), rel=1e-6)


# ------------------------------------------------------------------------------------------------ draws

JOINT = np.array([[0.35, 0.05, 0.1], [0.02, 0.3, 0.18]])


@pytest.fixture(scope="module")
def joint() -> TableAE:
    """A model of two columns whose joint distribution is known, with a third that has gaps where the first is "a"."""
    rng = np.random.default_rng(0)
    cells = rng.choice(6, 4000, p=JOINT.reshape(-1))
    first, second = np.array(["a", "b"])[cells // 3], np.array(["u", "v", "w"])[cells % 3]
    third = np.where((first == "a") & (rng.random(4000) < 0.8), np.nan, rng.normal(size=4000))
    frame = pd.DataFrame({"first": first, "second": second, "third": third})
    return TableAE(16, n_blocks=1, max_epochs=40, batch_size=100, random_state=0, device="cpu").fit(frame)


def shares(frame: Any) -> np.ndarray:
    return pd.crosstab(frame["first"], frame["second"], normalize=True).to_numpy()


def test_drawn_rows_have_the_joint_distribution(joint):
    drawn = joint.sample(8000, random_state=0)
    np.testing.assert_allclose(shares(drawn), JOINT, atol=0.03)
    gaps = drawn["third"].isna()
    assert gaps[drawn["first"] == "a"].mean() == pytest.approx(0.8, abs=0.06)
    assert gaps[drawn["first"] == "b"].mean() == pytest.approx(0, abs=0.03)
    last = joint.sample(8000, last=["third"], random_state=0)
    assert last["third"].isna()[last["first"] == "a"].mean() == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("name", ["first", "second"])
def test_drawn_cells_follow_the_given_ones(joint, name):
    other = "second" if name == "first" else "first"
    p = JOINT if name == "first" else JOINT.T
    levels = [["a", "b"], ["u", "v", "w"]] if name == "first" else [["u", "v", "w"], ["a", "b"]]
    for k, value in enumerate(levels[0]):
        drawn = joint.sample(4000, given={name: value}, random_state=1)
        assert (drawn[name] == value).all()
        found = drawn[other].value_counts(normalize=True).reindex(levels[1]).fillna(0)
        np.testing.assert_allclose(found, p[k] / p[k].sum(), atol=0.05)


def test_imputed_draws_have_the_conditional_distribution(joint):
    gaps = pd.DataFrame({"first": [None] * 3000, "second": ["w"] * 3000, "third": [0.0] * 3000})
    (drawn,) = joint.impute(gaps, n_draws=1, random_state=0)
    assert not drawn.isna().any(axis=None)
    # given that the third cell has a value: P(a) 0.1 x 0.2, P(b) 0.18
    assert (drawn["first"] == "a").mean() == pytest.approx(0.02 / 0.2, abs=0.05)


def draw(model: TableAE, x: Tensor, last: tuple[int, ...] = (), gaps: bool = False) -> tuple[Tensor, list[Tensor]]:
    """Draw all hidden cells; also return what the encoder saw."""
    network, seen = model.module(), []
    handle = network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    excluded = torch.zeros(network.likelihood.levels.n_all, dtype=torch.bool)
    torch.manual_seed(0)
    with torch.no_grad():
        drawn = draw_cells(network, x, excluded, last, 1.0, gaps)
    handle.remove()
    return drawn, seen


def test_given_cells_stay_and_each_row_has_an_order_of_its_own(joint):
    x = torch.full((60, 3), torch.nan)
    x[:20, 0], x[20:25, :] = 1.0, 0.0
    drawn, seen = draw(joint, x)
    assert torch.isfinite(drawn).all()
    known = ~torch.isnan(x)
    assert torch.equal(drawn[known], x[known])
    assert [len(part) for part in seen] == [55, 55, 35]
    free = torch.isnan(seen[1][20:])  # rows without a given cell, after one turn
    assert {tuple(row) for row in free.tolist()} == {(False, True, True), (True, False, True), (True, True, False)}
    assert torch.equal(torch.isnan(x), ~known)  # the input is not written to


@pytest.mark.parametrize("last", [0, 1, 2])
def test_last_columns_are_drawn_after_all_others(joint, last):
    drawn, seen = draw(joint, torch.full((50, 3), torch.nan), (last,))
    others = [j for j in range(3) if j != last]
    for part in seen:
        assert torch.isnan(part[:, last]).all()
    assert not torch.isnan(seen[-1][:, others]).any()
    assert torch.isfinite(drawn).all()


def test_gaps_are_drawn_only_where_asked(joint):
    x = torch.full((300, 3), torch.nan)
    with_gaps, _ = draw(joint, x, gaps=True)
    assert torch.isinf(with_gaps[:, 2]).any()
    assert torch.isfinite(with_gaps[:, :2]).all()
    assert torch.isfinite(draw(joint, x)[0]).all()
    assert draw(joint, x[:0])[0].shape == (0, 3)
