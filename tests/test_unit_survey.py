"""The survey of units, against sorted dense codes."""

import numpy as np
import pytest
import torch

from narrows import SAE
from narrows.estimators import units
from narrows.estimators.units import nearest_units

N = 5


@pytest.fixture(scope="module", params=["topk", "l1", "kl"])
def model(request):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 8)).astype(np.float32)
    return SAE(24, sparsity=request.param, k=3, max_epochs=2, random_state=0).fit(X)


@pytest.fixture(scope="module")
def rows():
    X = np.random.default_rng(1).standard_normal((3_000, 8)).astype(np.float32)
    X[1_000:1_500] = X[:500]  # equal activations: the first of equal rows comes first
    return X


def expected_top(z, floor, unit):
    order = np.argsort(-z[:, unit], kind="stable")[:N]
    return order[z[order, unit] > floor]


@pytest.mark.parametrize("merged", [1, 1 << 20])
def test_it_is_what_sorting_all_codes_gives(model, rows, merged, monkeypatch):
    monkeypatch.setattr(units, "_MERGED", merged)
    survey, z, floor = model.survey_units(rows, N), model.transform(rows), model._floor
    is_active = z > floor
    for unit in range(24):
        top = survey.top(unit)
        np.testing.assert_array_equal(top, expected_top(z, floor, unit))
        np.testing.assert_array_equal(top, model.top_examples(rows, unit, N))
        np.testing.assert_allclose(survey.activations[unit, : len(top)], z[top, unit], rtol=1e-6)
        assert (survey.activations[unit, len(top) :] == 0).all()
        assert (survey.rows[unit, len(top) :] == -1).all()
    np.testing.assert_allclose(survey.density, is_active.mean(0))
    np.testing.assert_allclose(survey.mean, (z * is_active).sum(0) / is_active.sum(0).clip(min=1), rtol=1e-5)
    assert survey.n_examples == len(rows)
    np.testing.assert_array_equal(survey.dead, np.flatnonzero(~is_active.any(0)))
    assert repr(survey) == f"UnitSurvey(24 units, 3,000 examples, {len(survey.dead)} dead)"


def test_the_top_examples_of_one_unit_take_no_room_for_the_others(model, rows):
    survey = model.survey_units(rows, 7)
    for unit in (0, int(survey.density.argmax())):
        np.testing.assert_array_equal(model.top_examples(rows, unit, 7), survey.top(unit))
        assert len(model.top_examples(rows, unit, 10**12)) == round(survey.density[unit] * len(rows))


def test_files_and_iterators_give_the_same(model, rows, tmp_path):
    np.save(tmp_path / "rows.npy", rows)
    expected = model.survey_units(rows, N)
    for source in (tmp_path / "rows.npy", iter([rows[:7], rows[7:2_000], rows[2_000:]]), rows.tolist()):
        survey = model.survey_units(source, N)
        np.testing.assert_array_equal(survey.rows, expected.rows)
        np.testing.assert_array_equal(survey.density, expected.density)


def test_bad_arguments_are_refused(model, rows):
    with pytest.raises(ValueError, match="`n` parameter of survey_units must be an int"):
        model.survey_units(rows, 0)
    with pytest.raises(ValueError, match="NaN" if not model.recipe.allows_gaps else "infin"):
        model.survey_units(np.full((3, 8), np.inf if model.recipe.allows_gaps else np.nan))
    with pytest.raises(ValueError, match="8"):
        model.survey_units(rows[:, :5])
    with pytest.raises(ValueError, match="no examples"):
        model.survey_units(iter([]))


def test_the_nearest_units_have_the_largest_cosines(monkeypatch):
    monkeypatch.setattr(units, "_BLOCK", 7)
    directions = torch.randn(30, 6, generator=torch.Generator().manual_seed(0))
    nearest, cosines = nearest_units(directions, 4)
    unit = torch.nn.functional.normalize(directions, dim=1).numpy()
    products = unit @ unit.T - 2 * np.eye(30)
    np.testing.assert_array_equal(nearest, np.argsort(-products, axis=1)[:, :4])
    np.testing.assert_allclose(cosines, np.take_along_axis(products, nearest, 1), rtol=1e-5)
    assert nearest_units(directions[:1])[0].shape == (1, 0)
