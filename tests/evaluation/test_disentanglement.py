"""Disentanglement: perfect codes, mixed ones and noise; the formulas beside other programs' and by hand."""

import itertools
from statistics import median

import numpy as np
import pytest
from scipy.linalg import hadamard
from scipy.stats import entropy as scipy_entropy
from scipy.stats import ortho_group, spearmanr
from sklearn.linear_model import Lasso
from sklearn.metrics import mutual_info_score

import narrows
from narrows.evaluation import (
    evaluate_disentanglement,
    measure_disentanglement,
    rank_disentanglement,
    synthetic_sprites,
)
from narrows.evaluation.disentanglement import (
    beta_vae_score,
    dci,
    explicitness,
    factor_vae_score,
    factors,
    irs,
    mig,
    modularity,
    prediction,
    rank_codes,
    sap,
)

COUNTS = (3, 4, 5, 6)
GRID = np.array(list(itertools.product(*map(range, COUNTS)))).repeat(3, axis=0)  # 1,080 rows
MEASURES = (beta_vae_score, factor_vae_score, mig, sap, modularity, explicitness, irs)


def perfect():
    """The factors in another order, scaled, with both signs, and a component that never varies."""
    return np.column_stack([-2.0 * GRID[:, 2], 0.5 * GRID[:, 0], np.full(len(GRID), 7.0), GRID[:, 3], -GRID[:, 1]])


def noise():
    return np.random.default_rng(1).normal(size=(len(GRID), 5))


def mixed():
    """A rotation after which each component has as much of each factor, with either sign."""
    return (GRID - GRID.mean(0)) / GRID.std(0) @ hadamard(4) / 2


def turned():
    """A rotation that leaves most of a factor in one component."""
    return (GRID - GRID.mean(0)) / GRID.std(0) @ ortho_group.rvs(4, random_state=np.random.default_rng(0))


@pytest.fixture(scope="module")
def measured():
    codes = {"perfect": perfect(), "mixed": mixed(), "noise": noise()}
    return {name: measure_disentanglement(code, GRID) for name, code in codes.items()}


def test_a_perfect_code_has_the_maximum_of_each_measure(measured):
    values = dict(measured["perfect"].values)
    assert np.isnan(values.pop("mig_sampled"))
    assert values.pop("informativeness") > 0.99  # a forest, on held-out rows
    assert values == pytest.approx(dict.fromkeys(values, 1.0), abs=1e-6)


def test_a_rotation_gets_clearly_less(measured):
    values = measured["mixed"].values
    for name in ("beta_vae_score", "factor_vae_score"):
        assert values[name] < 0.35, name
    for name in ("mig", "sap", "disentanglement", "completeness", "modularity", "irs"):
        assert values[name] < 0.2, name
    # a rotation loses nothing, and a linear classifier undoes it
    assert values["explicitness"] > 0.95
    assert values["informativeness"] > 0.9


def test_noise_gets_chance(measured):
    values = measured["noise"].values
    for name in ("beta_vae_score", "factor_vae_score"):
        assert values[name] == pytest.approx(1 / 4, abs=0.08), name
    for name in ("mig", "sap", "explicitness", "informativeness", "disentanglement", "completeness", "irs"):
        assert abs(values[name]) < 0.08, name


@pytest.mark.parametrize("score", MEASURES, ids=lambda f: f.__name__)
def test_order_and_sign_of_components_are_free(score):
    code = turned()
    changed = code[:, [2, 0, 3, 1]] * [1, -1, 1, -1]
    # boundaries of bins and the classifier's tolerance are all that differs
    assert score(changed, GRID) == pytest.approx(score(code, GRID), abs=0.02)


def test_order_and_sign_are_free_for_dci():
    code, order = turned(), [2, 0, 3, 1]
    a, b = dci(code, GRID), dci(code[:, order] * [1, -1, 1, -1], GRID)
    np.testing.assert_allclose(b.importance, a.importance[order], atol=0.03)
    assert b[:3] == pytest.approx(a[:3], abs=0.03)


def test_a_component_that_never_varies_changes_nothing():
    code, constant = turned(), np.full((len(GRID), 1), 3.0)
    for score in MEASURES:
        assert score(np.hstack([code, constant]), GRID) == pytest.approx(score(code, GRID), abs=0.01)


def test_a_code_that_never_varies_gets_no_more_than_chance():
    values = measure_disentanglement(np.ones((len(GRID), 2)), GRID).values
    for name in ("beta_vae_score", "factor_vae_score"):
        assert values.pop(name) < 0.35
    values.pop("mig_sampled")
    assert values == pytest.approx(dict.fromkeys(values, 0.0), abs=1e-9)


def test_one_component_is_enough_to_measure():
    measured = measure_disentanglement(GRID[:, :1] * 1.0, GRID)
    for value in (measured.mig, measured.sap, measured.informativeness):
        assert value == pytest.approx(1 / 4, abs=0.01)
    assert measured.completeness == measured.modularity == 1


def test_mutual_information_is_that_of_scikit_learn():
    code = noise()
    bins = np.stack([np.digitize(z, np.linspace(z.min(), z.max(), 21)[1:-1]) for z in code.T], axis=1)
    expected = [[mutual_info_score(b, v) for v in GRID.T] for b in bins.T]
    np.testing.assert_allclose(factors.mutual_information(code, GRID), expected, atol=1e-12)
    counts = [np.bincount(v) for v in GRID.T]
    np.testing.assert_allclose(factors.entropy(GRID), [scipy_entropy(c) for c in counts])


def test_mig_by_hand():
    """Two components with the same factor leave no gap; half of a factor's information leaves half of it."""
    v = np.array(list(itertools.product(range(4), range(2)))).repeat(2, axis=0)
    assert mig(np.column_stack([v[:, 0], v[:, 1], v[:, 0]]), v) == pytest.approx(1 / 2)
    assert mig(np.column_stack([v[:, 0] // 2, v[:, 1]]), v) == pytest.approx((1 / 2 + 1) / 2)


def test_draws_carry_less_than_means(measured):
    blurred = perfect() + np.random.default_rng(0).normal(size=(len(GRID), 5))
    sampled = measure_disentanglement(perfect(), GRID, draws=blurred)
    assert sampled.mig == measured["perfect"].mig
    assert sampled.mig_sampled == mig(blurred, GRID) < 0.5


def test_modularity_by_hand():
    """One component with two independent factors of the same entropy: 1 - 1 / (F - 1)."""
    v = np.array(list(itertools.product(range(4), repeat=3)))
    assert modularity((v[:, 0] + 4.0 * v[:, 1])[:, None], v) == pytest.approx(1 - 1 / 2)


def test_sap_by_hand():
    z, v = turned() + noise()[:, :4], GRID
    squares = np.square([[np.corrcoef(a, b)[0, 1] for b in v.T] for a in z.T])
    ordered = np.sort(squares, axis=0)
    assert sap(z, v) == pytest.approx((ordered[-1] - ordered[-2]).mean())
    # a categorical factor: a linear classifier reads it fully from one component, and 1 of 3 values from the others
    assert sap(perfect(), v, categorical=[0]) == pytest.approx((2 / 3 + 3) / 4, abs=0.02)
    words = np.array(["square", "ellipse", "heart"])[v[:, 0]]
    named = np.column_stack([words.astype(object), *v[:, 1:].T])
    assert sap(perfect(), named) == pytest.approx((2 / 3 + 3) / 4, abs=0.02)


def test_dci_is_the_entropy_of_the_importance():
    found = dci(mixed(), GRID)
    R = found.importance
    np.testing.assert_allclose(R.sum(0), 1)
    by_component = 1 - scipy_entropy(R.T, base=4)
    assert found.disentanglement == pytest.approx(np.average(by_component, weights=R.sum(1)))
    assert found.completeness == pytest.approx((1 - scipy_entropy(R, base=4)).mean())


def test_irs_by_hand():
    """A step of 1 between the levels of a factor, and 0.25 to both sides within them."""
    v = np.array(list(itertools.product(range(2), range(2)))).repeat(10, axis=0)
    z = v[:, :1] + 0.5 * v[:, 1:]
    # with factor 0 fixed it moves by 0.25, of at most 0.75; with factor 1 fixed by 0.5
    assert irs(z, v) == pytest.approx(1 - 0.25 / 0.75)


def test_a_factor_with_many_values_is_binned_unless_they_are_whole_numbers():
    rng = np.random.default_rng(0)
    v = rng.random((3_000, 2))
    measured = measure_disentanglement(v[:, ::-1] * [1.0, -3.0], v)
    assert measured.mig > 0.9
    assert measured.beta_vae_score > 0.99
    whole = np.column_stack([np.arange(40).repeat(2), np.tile([0, 1], 40)])
    assert factors.check_known(np.ones((80, 1)), whole, "test").n_levels.tolist() == [40, 2]
    assert factors.check_known(np.ones((3_000, 1)), v, "test").n_levels.tolist() == [20, 20]


def test_rows_of_a_set_share_their_level():
    rng, levels = np.random.default_rng(0), np.array([0, 1, 1, 2, 2, 2, 3])
    rows = factors.draw_of_common_level(levels, 2_000, 3, rng, "test")
    assert (levels[rows] == levels[rows[:, :1]]).all()
    assert (rows[:, 1:] != rows[:, :1]).all()
    assert set(rows.ravel()) == {1, 2, 3, 4, 5}  # the only rows of their levels have no partner
    np.testing.assert_allclose(np.bincount(rows[:, 0], minlength=7)[1:6] / 2_000, 0.2, atol=0.04)


@pytest.mark.parametrize(
    ("codes", "v", "message"),
    [
        (np.ones((4, 2)), np.array([[0, 1], [1, 1], [2, 1], [3, 1]]), "Factor 1 of mig must have at least two values"),
        (np.ones((4, 2)), np.arange(4)[:, None], "at least two columns"),
        (np.ones((4, 2)), np.arange(4), "at least two columns"),
        (np.ones((4, 2)), np.arange(10).reshape(5, 2), "one row for each of 4 codes"),
        (np.ones(4), np.arange(8).reshape(4, 2), "`codes` parameter of mig must be numbers"),
        (np.full((4, 2), np.nan), np.arange(8).reshape(4, 2), "`codes` parameter of mig must be finite"),
        (np.ones((4, 2)), np.array([[0, 1], [1, np.nan], [2, 1], [3, 2]]), "Factor 1 of mig must have a finite value"),
    ],
)
def test_wrong_arrays(codes, v, message):
    with pytest.raises(ValueError, match=message):
        mig(codes, v)


def test_other_wrong_parameters():
    v = np.arange(8).reshape(4, 2)
    with pytest.raises(ValueError, match="beta_vae_score needs rows that share their value"):
        beta_vae_score(np.ones((4, 2)), v)
    with pytest.raises(ValueError, match="`categorical` parameter of sap must be an int in the range"):
        sap(np.ones((4, 2)), v, categorical=[2])
    with pytest.raises(ValueError, match="`n_bins` parameter of mig"):
        mig(np.ones((4, 2)), v, n_bins=1)
    with pytest.raises(TypeError, match="takes a fitted narrows estimator"):
        evaluate_disentanglement(np.ones(3), v, v)


def test_regressions_take_no_more_rows_than_they_say(monkeypatch):
    monkeypatch.setattr(prediction, "_MOST_FITTED", 300)
    assert explicitness(perfect(), GRID) > 0.99


@pytest.fixture(scope="module")
def sprites():
    return synthetic_sprites(400, size=16, n_values=(3, 2, 4, 6, 6))


@pytest.fixture(scope="module")
def vaes(sprites):
    options = {"network": "mlp", "hidden": (32,), "max_epochs": 6, "device": "cpu"}
    return [narrows.VAE(4, random_state=seed, **options).fit(sprites.X) for seed in range(3)]


def test_a_fitted_model(sprites, vaes):
    vae = vaes[0]
    measured = evaluate_disentanglement(vae, sprites.X, sprites.factors, categorical=[0])
    codes = vae.transform(sprites.X)
    assert measured.mig == pytest.approx(mig(codes, sprites.factors), abs=1e-3)
    assert measured.sap == pytest.approx(sap(codes, sprites.factors, categorical=[0]), abs=1e-3)
    assert repr(measured).startswith("Disentanglement of 4 components, 5 factors, n = 400\n  beta_vae_score ")
    ae = narrows.AE(3, network="mlp", hidden=(16,), max_epochs=1, random_state=0).fit(sprites.X)
    assert np.isnan(evaluate_disentanglement(ae, sprites.X, sprites.factors).mig_sampled)


def test_models_are_ranked_by_their_informative_components(sprites, vaes):
    ranking = rank_disentanglement(vaes, sprites.X)
    assert ranking.scores.shape == (3,)
    assert ((ranking.scores >= 0) & (ranking.scores <= 1)).all()
    informative = [vae.components_kl_ > 0.01 for vae in vaes]
    assert ranking.n_informative.tolist() == [keep.sum() for keep in informative]
    by_codes = rank_codes([vae.transform(sprites.X) for vae in vaes], informative)
    np.testing.assert_allclose(by_codes.scores, ranking.scores, atol=1e-3)
    ae = narrows.AE(3, network="mlp", hidden=(16,), max_epochs=1, random_state=0).fit(sprites.X)
    with pytest.raises(ValueError, match="rank_disentanglement needs the KL of each component"):
        rank_disentanglement([ae, ae], sprites.X)
    with pytest.raises(TypeError, match="takes fitted narrows estimators"):
        rank_disentanglement([vaes[0], np.ones(3)], sprites.X)


def udr_of_the_paper(R):
    """UDR_ij in loops."""
    total = sum(max(R[:, b]) ** 2 / sum(R[:, b]) for b in range(R.shape[1]))
    total += sum(max(row) ** 2 / sum(row) for row in R)
    return total / sum(R.shape)


@pytest.mark.parametrize("method", ["spearman", "lasso"])
def test_udr_is_the_formula_of_the_paper(method):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(400, 3))
    codes = [base @ rng.normal(size=(3, d)) + 0.3 * rng.normal(size=(400, d)) for d in (3, 4, 2)]
    standard = [(code - code.mean(0)) / code.std(0) for code in codes]

    def similarity(i, j):
        if method == "lasso":
            return np.abs(Lasso(alpha=0.1).fit(standard[j], standard[i]).coef_)
        return np.abs([[spearmanr(a, b).statistic for b in codes[j].T] for a in codes[i].T])

    ranking = rank_codes(codes, method=method)
    for i in range(3):
        pairs = {j: udr_of_the_paper(similarity(i, j)) for j in range(3) if j != i}
        for j, expected in pairs.items():
            assert ranking.similarity[i, j] == pytest.approx(expected)
        assert ranking.scores[i] == pytest.approx(median(pairs.values()))


def test_udr_prefers_codes_that_agree_up_to_order_and_sign():
    rng = np.random.default_rng(0)
    v = rng.normal(size=(2_000, 4))
    alike = [v[:, rng.permutation(4)] * rng.choice([-1, 1], 4) for _ in range(3)]
    rotated = [v @ ortho_group.rvs(4, random_state=rng) for _ in range(2)]
    ranking = rank_codes([*rotated, *alike])
    assert set(ranking.order[:3]) == {2, 3, 4}
    assert ranking.similarity[2, 3] == pytest.approx(0.95, abs=0.05)
    assert rank_codes(alike).scores.min() > 0.85  # by chance, samples of independent factors are a little correlated
    assert "is best" in repr(ranking)


def test_udr_of_components_that_carry_nothing():
    rng = np.random.default_rng(0)
    v = rng.normal(size=(500, 2))
    codes = [np.column_stack([v, rng.normal(size=500)]) for _ in range(2)]
    keep = [np.array([True, True, False])] * 2
    np.testing.assert_allclose(rank_codes(codes, keep).scores, rank_codes([v, v]).scores)
    none = rank_codes([*codes, codes[0]], [*keep, np.zeros(3, bool)])
    assert none.similarity[0, 2] == none.scores[2] == 0
    assert none.n_informative.tolist() == [2, 2, 0]
    assert rank_codes([*codes, codes[0]], [*keep, np.zeros(3, bool)], method="lasso").scores[2] == 0
    with pytest.raises(ValueError, match="`method` parameter of rank_codes"):
        rank_codes(codes, method="pearson")
    with pytest.raises(ValueError, match="codes of the same examples by at least two models"):
        rank_codes(codes[:1])
