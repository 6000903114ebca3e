"""Strange cells of rows: `TableAE.surprise`, `TableAE.explain`, and two suspects judged together."""

import numpy as np
import pandas as pd
import pytest
import torch

from narrows import TableAE
from narrows.estimators.surprises import find_odds, find_surprise
from narrows.likelihoods import Binned
from narrows.tasks import OutlierDetector
from narrows.tasks.outliers import reasons


def make_frame(n: int = 600, seed: int = 0) -> pd.DataFrame:
    """Three columns that say the same, a number that follows from them, and a number that follows from nothing."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 4, n)
    return pd.DataFrame(
        {
            "kind": np.array(["cat", "dog", "cow", "hen"])[kind],
            "sound": np.array(["meow", "woof", "moo", "cluck"])[kind],
            "food": np.array(["fish", "bone", "grass", "corn"])[kind],
            "weight": np.array([4.0, 20.0, 600.0, 2.0])[kind] * rng.uniform(0.8, 1.2, n),
            "tag": np.where(rng.random(n) < 0.02, np.nan, rng.normal(size=n)),
        }
    )


@pytest.fixture(scope="module")
def model() -> TableAE:
    return TableAE(32, max_epochs=60, random_state=0).fit(make_frame())


class Exact:
    """The conditional distributions of two columns with a known joint distribution, as a model gives them."""

    def __init__(self, joint: np.ndarray, likelihood: Binned) -> None:
        self.joint, self.likelihood = torch.from_numpy(joint), likelihood

    def decode_own(self, x: torch.Tensor) -> torch.Tensor:
        """Return log p(a | b) and log p(b | a), or log p(a) and log p(b) where the other is hidden."""
        parts = []
        for j, joint in ((1, self.joint), (0, self.joint.t())):
            other = x[:, j]
            given = (joint / joint.sum(0))[:, torch.nan_to_num(other).long()].t()
            parts.append(torch.where(torch.isnan(other)[:, None], joint.sum(1)[None], given).log())
        return torch.cat(parts, 1)


def exact_posterior(joint: np.ndarray, a: int, b: int, prior: float) -> np.ndarray:
    """Return the log odds that a and that b was swapped, by summing over what all swapped cells were before."""
    of_a, of_b = joint.sum(1), joint.sum(0)
    weights = {
        (0, 0): (1 - prior) ** 2 * joint[a, b],
        (1, 0): (1 - prior) * prior * of_a[a] * (of_b[b] - joint[a, b]),
        (0, 1): (1 - prior) * prior * of_b[b] * (of_a[a] - joint[a, b]),
        (1, 1): prior**2 * of_a[a] * of_b[b] * (1 - of_a[a] - of_b[b] + joint[a, b]),
    }
    odds = [sum(w for k, w in weights.items() if k[i]) / sum(w for k, w in weights.items() if not k[i]) for i in (0, 1)]
    return np.log(odds) - np.log(prior / (1 - prior))


def test_two_suspects_have_their_posterior_odds():
    n = 12
    joint = np.full((n, n), 1e-4)
    joint[np.arange(n), np.arange(n)] += np.arange(n, 0.0, -1)  # b says the same as a; some values are rarer
    joint /= joint.sum()
    words = np.repeat([f"w{i:02d}" for i in range(n)], np.round(1_000 * joint.sum(1)).astype(int))
    fitted = TableAE(8, max_epochs=1, random_state=0).fit(pd.DataFrame({"a": words, "b": words}))
    assert fitted.levels("a") == fitted.levels("b") == sorted({*words})
    exact = Exact(joint, Binned(fitted.schema_))
    x = torch.tensor([[0.0, 11.0], [11.0, 0.0], [3.0, 7.0], [5.0, 5.0]], dtype=torch.float64)
    found = find_surprise(exact, x).numpy()
    expected = np.stack([exact_posterior(joint, int(a), int(b), 0.02) for a, b in x])
    # the mean of two ways counts the chance that a swapped cell keeps its value, up to 0.15, too often or too seldom
    np.testing.assert_allclose(found[:3], expected[:3], atol=0.2)
    assert (find_odds(exact, x).numpy()[:3] > expected[:3] + 3).all()
    assert (found[3] < -5).all()  # nothing is strange, so each is judged alone
    np.testing.assert_allclose(found[3], find_odds(exact, x[3:]).numpy()[0], rtol=1e-6)


def test_one_wrong_cell_is_found_among_cells_that_contradict_it(model):
    frame = make_frame(200, seed=1)
    usual = model.surprise(frame)
    words = ["kind", "sound", "food"]
    assert (usual[words] < 0).all(axis=None)
    wrong = frame.assign(sound=np.where(frame["sound"] == "moo", "woof", "moo"))
    alone = model.apply(lambda x: find_odds(model.module(), x), model.prepare(wrong)).numpy()
    together = model.surprise(wrong)
    assert (together[words].idxmax(axis=1) == "sound").mean() > 0.97
    # what is related to the wrong cell is less suspect than it is on its own
    assert (together["kind"] < alone[:, 0]).mean() > 0.9
    assert (model.surprise(wrong, per="row") > model.surprise(frame, per="row").max()).all()


def test_records_say_what_was_found_and_what_was_expected(model):
    row = {"kind": "cow", "sound": "meow", "food": "grass", "weight": 600.0, "tag": None}
    (found,) = model.explain(row, n=4)
    assert found[0] == {"column": "sound", "found": "meow", "expected": "moo", "surprise": found[0]["surprise"]}
    assert found[0]["surprise"] > 3 > 0 > found[1]["surprise"]
    assert {record["column"] for record in found} == {"kind", "sound", "food", "weight"}  # a gap is not strange
    with pytest.raises(ValueError, match="`n` parameter of explain"):
        model.explain(row, n=0)


def test_a_row_has_the_log_sum_of_the_odds_of_its_cells(model):
    frame = make_frame(50, seed=2)
    frame.loc[3, "food"] = None
    odds = model.apply(lambda x: find_odds(model.module(), x), model.prepare(frame)).double().numpy()
    np.testing.assert_allclose(model.surprise(frame, per="row"), np.logaddexp.reduce(odds, axis=1), atol=1e-5)
    cells = model.surprise(frame)
    assert cells.isna().equals(frame.isna())
    assert np.isneginf(odds[3, 2])
    with pytest.raises(ValueError, match="`per` parameter of surprise"):
        model.surprise(frame, per="table")


def test_numbers_beyond_the_training_range_are_strange_by_their_distance(model):
    far = make_frame(1, seed=3).assign(tag=20.0)
    farther = far.assign(tag=40.0)
    first, second = (model.surprise(rows)["tag"].iloc[0] for rows in (far, farther))
    assert first > 8
    assert second - first == pytest.approx(float((model.prepare(farther) - model.prepare(far))[0, -1]), abs=0.1)
    assert np.isfinite(model.surprise(far.assign(tag=1e30))["tag"].iloc[0])


def test_reasons_of_a_table_model_are_its_surprise(model):
    frame = make_frame(20, seed=4)
    result = reasons(model, frame, 2)
    surprise = model.surprise(frame)
    np.testing.assert_allclose(-result.nats[:, 0], surprise.max(axis=1), atol=1e-5)
    assert list(result.names[:, 0]) == list(surprise.idxmax(axis=1))
    np.testing.assert_array_equal(result.score, model.score_samples(frame))


def test_reasons_of_rows_as_dicts_are_those_of_their_frame():
    frame = make_frame(100)
    detector = OutlierDetector(max_iter=10, random_state=0).fit(frame)
    of_dicts, of_frame = (reasons(detector, rows, 2) for rows in (frame.head(3).to_dict("records"), frame.head(3)))
    assert of_dicts.names.tolist() == of_frame.names.tolist()
    assert of_dicts.found.tolist() == of_frame.found.tolist()
