"""The part of the outlier score for tables with categories: cells that contradict the rest of their row."""

import numpy as np
import pandas as pd
import pytest

from narrows.tasks import OutlierDetector
from narrows.tasks.outliers import reasons
from narrows.tasks.outliers.cells import ContradictingCells


def make_frame(n: int = 500, seed: int = 0) -> pd.DataFrame:
    """Two words that say the same, a number that follows from them, and three columns that follow from nothing."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 12, n)
    return pd.DataFrame(
        {
            "kind": np.array([f"kind {i}" for i in range(12)])[kind],
            "sound": np.array([f"sound {i}" for i in range(12)])[kind],
            "size": np.where(rng.random(n) < 0.05, np.nan, kind + rng.normal(size=n)),
            "noise": rng.normal(size=n),
            "word": rng.choice(list("abcdefgh"), n),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D"),
        }
    )


def swap_sounds(frame: pd.DataFrame) -> pd.DataFrame:
    """Give each row the sound of another kind."""
    number = frame["sound"].str.removeprefix("sound ").astype(int)
    return frame.assign(sound=[f"sound {(i + 5) % 12}" for i in number])


@pytest.fixture(scope="module")
def detector() -> OutlierDetector:
    return OutlierDetector(max_iter=300, random_state=0).fit(make_frame())


def test_contradicting_words_are_found_and_explained(detector):
    usual, wrong = make_frame(100, seed=1), swap_sounds(make_frame(100, seed=1))
    scores = detector.score_samples(usual), detector.score_samples(wrong)
    assert (scores[1] < np.quantile(scores[0], 0.05)).mean() > 0.9
    nats = detector.explain(wrong)
    np.testing.assert_allclose(nats.sum(axis=1), scores[1], rtol=1e-6)
    result = reasons(detector, wrong, 1)
    assert np.isin(result.names[:, 0], ["sound", "kind"]).mean() > 0.9
    is_sound = result.names[:, 0] == "sound"
    assert (result.found[is_sound, 0] == wrong["sound"].to_numpy()[is_sound]).all()


def test_known_rows_are_judged_by_the_model_that_did_not_see_them(detector):
    rows = detector._rows(make_frame(), reset=False)
    _, keys, cells = detector._scale(rows)
    fold, part = detector._unseen_fold(keys), detector._cells
    assert set(fold) == set(range(5))
    both = [ContradictingCells([model, model])(cells, fold) for model in part.models]
    np.testing.assert_allclose(part(cells, fold), np.where(fold % 2 == 0, both[0], both[1]), rtol=1e-5)
    new = np.full(len(fold), -1)
    np.testing.assert_allclose(part(cells, new), np.mean(both, axis=0), rtol=1e-5)
    np.testing.assert_allclose(part.per_entry(cells, new).sum(1), part(cells, new), rtol=1e-5)


def test_levels_that_one_half_lacks_and_gaps_have_no_odds(detector):
    rows = detector._rows(make_frame(3), reset=False)
    cells = np.array(rows.cells, dtype=float)
    cells[0] = np.nan
    cells[1, 0] = 99.0  # no level of the training
    new = np.full(3, -1)
    entries = detector._cells.per_entry(cells, new)
    assert (entries[0] == 0).all()
    assert entries[1, 0] == 0 < entries[1, 1]


def test_the_part_is_saved(detector, tmp_path):
    detector.save(tmp_path / "d")
    loaded = OutlierDetector.load(tmp_path / "d")
    frame = swap_sounds(make_frame(20, seed=2))
    np.testing.assert_array_equal(loaded.score_samples(frame), detector.score_samples(frame))
    pd.testing.assert_frame_equal(loaded.reconstruct(frame), detector.reconstruct(frame))
    OutlierDetector(max_iter=5, random_state=0).fit(frame[["size", "noise"]].fillna(0)).save(tmp_path / "d")
    assert OutlierDetector.load(tmp_path / "d")._cells is None


@pytest.mark.parametrize("columns", [["size", "noise"], ["size", "noise", "day"]])
def test_tables_without_categories_do_not_have_it(columns):
    detector = OutlierDetector(max_iter=5, random_state=0).fit(make_frame()[columns])
    assert detector._cells is None
    assert "cells" not in detector._surprises


def test_few_rows_do_not_have_it():
    assert OutlierDetector(max_iter=5, random_state=0).fit(make_frame(60))._cells is None
