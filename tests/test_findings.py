"""What a fitted model says about itself: findings that are true, changes that mend, and the verdict."""

import json
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from typer.testing import CliRunner

import narrows
from narrows import AE, DAE, SAE, VAE, TableAE
from narrows.cli import app
from narrows.cli.findings import as_options, mending_command
from narrows.cli.inputs import parse_duration, parse_parameters
from narrows.estimators.findings import FINDERS, all_changes, beside_verdict, say_verdict
from narrows.estimators.seen_rows import SeenRows, say_seen
from narrows.evaluation.scores import OutlierShare
from narrows.types import Finding

SMALL = {"hidden": (16,), "random_state": 0, "device": "cpu"}
DOCS = Path(__file__).parents[1] / "docs" / "findings.md"


def the(model, name: str) -> Finding | None:
    return next((finding for finding in model.findings_ if finding.name == name), None)


@pytest.fixture(scope="module")
def model(vectors):
    return AE(2, **SMALL, max_epochs=20).fit(vectors)


def curve(n_factors: int, noise: float) -> np.ndarray:
    """200 vectors of 30 columns near a curved surface."""
    rng = np.random.default_rng(1)
    X = np.tanh(2 * rng.normal(size=(200, n_factors)) @ rng.normal(size=(n_factors, 30)))
    return X + noise * rng.normal(size=(200, 30))


# ------------------------------------------------------------------------------------------- changes that mend


def words() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"size": rng.normal(size=200), "word": rng.choice([f"w{i}" for i in range(60)], 200)})


FIXED = {"random_state": 0, "device": "cpu"}
CASES = {
    "diverged": (AE(2, **SMALL, max_epochs=20, learning_rate=30.0), "vectors"),
    "unused_components": (VAE(2, **SMALL, max_epochs=40, beta=50.0, kl_warmup=0.0), "vectors"),
    "pca": (AE(2, **SMALL, max_epochs=10, start="random"), "vectors"),
    "dead_units": (SAE(64, max_epochs=16, **FIXED), "digits"),
    "dead_units of many": (SAE(256, max_epochs=60, **FIXED), "digits"),
    "overfitting": (AE(5, hidden=(256, 128), **FIXED), "noisy curve"),
    "time": (AE(3, hidden=(64,), max_epochs=60, **FIXED), "curve"),
    "held_out": (AE(2, **SMALL, max_epochs=5), "few"),
    "held_out by choice": (AE(2, **SMALL, max_epochs=5, early_stopping=False), "vectors"),
    "rare_levels": (AE(2, **SMALL, max_epochs=2, max_levels=20), "words"),
}
SLOW = {"dead_units", "dead_units of many"}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] if case in SLOW else []) for case in CASES]
)
def test_a_change_mends_what_was_found(case, vectors, digits):
    estimator, name = CASES[case]
    data = {"vectors": vectors, "few": vectors[:60], "words": words(), "digits": digits[:900]}
    X = (data | {"curve": curve(3, 0.1), "noisy curve": curve(5, 0.5)})[name]
    found = the(clone(estimator).fit(X), case.split()[0])
    assert found is not None
    assert not found.is_well
    assert found.change
    mended = the(clone(estimator).set_params(**found.change).fit(X), found.name)
    assert mended is None or mended.is_well


@pytest.mark.parametrize("contrast", [0.03, 0.015])
def test_beta_follows_the_contrast_of_the_pictures(contrast):
    """With the likelihood of 0 and 1, pictures of little contrast are all noise to a VAE with beta=1."""
    rng = np.random.default_rng(1)
    X = (0.5 + contrast * rng.normal(size=(300, 3)) @ rng.normal(size=(3, 64))).clip(0, 1)
    estimator = VAE(4, **SMALL, likelihood="bernoulli", max_epochs=40)
    found = the(estimator.fit(X), "unused_components")
    assert found.message == "4 of 4 components carry nothing."
    mended = clone(estimator).set_params(**found.change).fit(X)
    assert len(mended.unused_components_) < 4


def test_a_start_that_no_epoch_improves_on_is_named():
    """On linear data PCA is best: no epoch is named whose weights are not kept, and no longer training advised."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(120, 2)) @ rng.normal(size=(2, 20)) + rng.normal(size=(120, 20))
    fitted = AE(2, hidden=(256, 128), **FIXED).fit(X)
    found = the(fitted, "overfitting")
    assert found.message.startswith("The linear model of the start, PCA, is kept")
    assert not found.is_well
    assert found.change == {"hidden": "auto"}
    assert the(fitted, "pca").message == "Its held-out error is PCA's with 2 components."
    assert the(fitted, "time") is None


def test_what_a_longer_time_changes_is_the_limit(vectors):
    fitted = AE(2, **SMALL, max_time=0.05).fit(vectors)
    found = the(fitted, "time")
    assert not found.is_well
    assert "at its time limit of 0.05 s" in found.message
    assert found.change == {"max_time": pytest.approx(0.15)}


# ------------------------------------------------------------------------------------------- what is found


def test_the_error_of_a_linear_model_is_that_of_pca(vectors):
    linear = AE(2, hidden=(), max_epochs=2, random_state=0, device="cpu").fit(vectors)
    assert the(linear, "pca") == Finding("pca", True, "Its held-out error is PCA's with 2 components.", {})
    rng = np.random.default_rng(0)
    exact = rng.normal(size=(300, 1)) @ rng.normal(size=(1, 5))
    fitted = AE(1, **SMALL, max_epochs=2).fit(exact)
    assert the(fitted, "pca").is_well  # PCA's error is 0 but for rounding: their ratio says nothing
    assert the(AE(6, **SMALL, max_epochs=2).fit(vectors), "pca") is None  # PCA would copy the rows


def test_models_of_tables_and_denoisers_have_their_own_confirmation():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 4, 300)
    X = pd.DataFrame({"first": first, "double": 2 * first, "id": [f"name {i}" for i in range(300)], "one": 1})
    table = TableAE(16, max_epochs=40, random_state=0, device="cpu").fit(X)
    assert the(table, "prediction").is_well
    assert the(table, "pca") is None
    assert "'id' (identifier)" in the(table, "columns").message
    cleaner = DAE(**SMALL, max_epochs=60).fit(X[["first", "double"]].to_numpy(float) + rng.normal(size=(300, 2)) / 9)
    assert re.fullmatch(r"It takes away \d+% of the noise of held-out rows\.", the(cleaner, "denoising").message)


def test_constant_columns_are_named(vectors):
    X = np.c_[vectors, np.ones(len(vectors))]
    found = the(AE(2, **SMALL, max_epochs=2).fit(X), "columns")
    assert found == Finding("columns", True, "It learns nothing from 1 column: 6.", {})


@pytest.mark.parametrize("cls", [AE, VAE, SAE, DAE, narrows.MapAE])
def test_a_finding_is_plain(cls, vectors):
    fitted = cls(2, **SMALL, max_epochs=2).fit(vectors)
    assert fitted.verdict_
    for finding in fitted.findings_:
        assert finding.name in FINDERS
        assert type(finding.is_well) is bool
        assert finding.message.endswith(".")
        assert json.loads(json.dumps(finding._asdict()))["name"] == finding.name
        clone(fitted).set_params(**finding.change)._check_parameters()


def test_passes_over_streams_are_not_judged_by_their_length(vectors):
    fitted = AE(2, **SMALL)
    for part in np.array_split(vectors, 4):
        fitted.partial_fit(part)
    assert [finding.name for finding in fitted.findings_] == ["outliers"]


# ------------------------------------------------------------------------------------------- the verdict


WELL = Finding("pca", True, "Its error is .62 of PCA's.", {})
SPARE = Finding("unused_components", True, "1 of 3 components carries nothing.", {"n_components": 2})
BAD = Finding("overfitting", False, "It over-fits.", {"hidden": (64, 32)})
WORSE = Finding("diverged", False, "The loss was not finite.", {"hidden": (8,), "learning_rate": 1e-3})


def test_the_verdict_is_the_first_reason():
    assert say_verdict([]) == ""
    assert say_verdict([SPARE, WELL]) == "It is well: its error is .62 of PCA's."
    assert say_verdict([SPARE]) == "It is well: 1 of 3 components carries nothing."
    assert say_verdict([WELL, BAD]) == "Not yet: it over-fits. Try hidden=(64, 32)."
    said = say_verdict([WORSE, BAD, WELL])
    assert said == "Not yet: the loss was not finite. Try hidden=(8,), learning_rate=0.001. 1 more point to look at."
    assert beside_verdict([WORSE, WELL, BAD, SPARE]) == [BAD, SPARE]
    assert all_changes([WORSE, BAD, SPARE]) == {"hidden": (8,), "learning_rate": 1e-3}


def test_fit_says_the_verdict(vectors, capsys):
    fitted = AE(2, **SMALL, max_epochs=4, start="random", verbose=1).fit(vectors)
    said = " ".join(capsys.readouterr().err.split())
    verdict = say_verdict(fitted.findings_, is_counted=False)
    assert verdict.endswith("with 2 components. Try start='pca'.")
    assert said.endswith(f"{verdict} - {the(fitted, 'time').message} Try max_epochs=16.")


def test_every_finding_is_documented():
    of_models, of_pages = DOCS.read_text(encoding="utf-8").split("The report adds")
    listed = [re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|", part, re.MULTILINE) for part in (of_models, of_pages)]
    names = [name for name in listed[0] if name not in Finding._fields]
    names.remove("targets")  # of models of targets alone, which have no finder for it
    assert names == [*FINDERS]
    assert listed[1] == ["columns_predicted", "memory", "outliers", "rows"]


# ------------------------------------------------------------------------------------------- kept with the model


def test_findings_are_saved_and_pickled_and_not_cloned(model, tmp_path):
    odd = Finding("odd", False, "Something is odd.", {"hidden": (8, 4), "beta": 0.25})
    changed = pickle.loads(pickle.dumps(model))
    assert changed.findings_ == model.findings_
    changed.findings_ = [odd, *model.findings_]
    changed.save(tmp_path / "model")
    again = narrows.load(tmp_path / "model")
    assert again.findings_ == [odd, *model.findings_]
    assert again.n_threshold_ == model.n_threshold_ == 20
    assert again.verdict_.startswith("Not yet: something is odd. Try hidden=(8, 4), beta=0.25.")
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# AE\n\n**Not yet: something is odd. Try hidden=(8, 4), beta=0.25.**\n\n- ")
    assert not hasattr(clone(model), "findings_")


def test_a_model_of_an_older_version_has_no_findings():
    older = narrows.load(Path(__file__).parent / "saved" / "vae")
    assert older.findings_ == []
    assert older.verdict_ == ""
    assert "It is not known" in say_seen(getattr(older, "seen_rows_", None), np.zeros((30, 2)))


# ------------------------------------------------------------------------------------------- rows seen before


def test_rows_of_the_training_are_known_again(vectors, tmp_path):
    fitted = AE(2, **SMALL, max_epochs=1).fit(vectors[:120])
    fitted.save(tmp_path / "model")
    for known in (fitted, narrows.load(tmp_path / "model"), pickle.loads(pickle.dumps(fitted))):
        assert known.seen_rows_.find(vectors[:120]) == 1
        assert known.seen_rows_.find(vectors[120:]) == 0
        assert known.seen_rows_.find(vectors) == pytest.approx(0.6, abs=0.15)
        assert known.seen_rows_.find(vectors[:9]) is None  # a few rows are not told apart
    assert say_seen(fitted.seen_rows_, vectors[:50]) == "These 50 rows are among those that the model was fitted on."
    assert "are not among" in say_seen(fitted.seen_rows_, vectors[120:], "picture")
    fitted.partial_fit(vectors)
    assert not hasattr(fitted, "seen_rows_")


def test_a_single_row_leaves_hardly_a_trace(rng):
    seen = SeenRows.of(rng.normal(size=(5000, 8)), salt=3)
    new = rng.normal(size=(5000, 8))
    found = [
        SeenRows(seen.bits, seen.n_positions, seen.salt, 1.0).find(np.repeat(row[None], 20, 0)) for row in new[:400]
    ]
    assert 0.4 < np.mean(np.array(found) == 1) < 0.6  # half of all new rows are found, too
    assert seen.bits.nbytes < 1.5 * 5000 / 8 + 50


def test_rows_are_compared_in_single_precision_and_with_gaps(rng):
    X = rng.normal(size=(100, 3))
    X[::7, 1] = np.nan
    X[::5, 2] = 0.0
    seen = SeenRows.of(X, salt=1)
    same = X.astype(np.float32)
    same[::5, 2] = -0.0
    assert seen.find(same) == 1


def test_equal_rows_tell_nothing(rng):
    X = rng.integers(0, 2, size=(300, 3)).astype(float)
    assert SeenRows.of(X, salt=1).find(X) is None


# ------------------------------------------------------------------------------------------- shares of outliers


def test_more_outliers_than_by_chance_are_said():
    assert OutlierShare(0.05, 0.17, 300).hint == ". These examples differ from those of the training."
    assert OutlierShare(0.05, 0.17, 300, n_threshold=20).hint == ""  # 20 rows hardly tell where 5 % begin
    assert OutlierShare(0.05, 0.06, 1000, n_threshold=1000).hint == ""
    assert OutlierShare(0.05, 0.01, 2000, n_threshold=2000).hint.startswith(". So few are usual")
    assert OutlierShare(0.05, 0.0, 50, n_threshold=1000).hint == ""


def test_the_chance_of_a_share_is_that_of_new_rows(rng):
    """Thresholds of 100 scores are put to 200 new ones: the chance that is computed is the share that is seen."""
    scores = rng.normal(size=(4000, 300))
    thresholds = np.sort(scores[:, :100])[:, 4]  # (100 + 1) 0.05 = 5.05: about the fifth
    found = (scores[:, 100:] < thresholds[:, None]).mean(1)
    for share in (0.01, 0.1, 0.15):
        tail = np.mean(found <= share) if share < 0.05 else np.mean(found >= share - 1e-9)
        assert OutlierShare(0.0495, share, 200, n_threshold=100).chance == pytest.approx(tail, abs=0.02)


# ------------------------------------------------------------------------------------------- the command line


def test_a_change_is_written_as_options_that_are_read_again():
    change = {"beta": 0.25, "hidden": (64, 32), "max_epochs": 40, "max_time": 180.0, "early_stopping": True}
    assert as_options(change) == (
        "--set beta=0.25 --set hidden=64,32 --max-epochs 40 --max-time 3m --set early_stopping=true"
    )
    assert as_options({"hidden": (64,), "max_levels": None, "n_components": 3, "max_time": 90}) == (
        "--set hidden=64 --max-levels none --n-components 3 --max-time 90s"
    )
    assert [parse_duration(text) for text in ("3m", "90s")] == [180, 90]
    assert parse_parameters(VAE, ["beta=0.25", "hidden=64,32", "early_stopping=true"], {}) == {
        "beta": 0.25,
        "hidden": (64, 32),
        "early_stopping": True,
    }


def test_the_mending_command_replaces_what_it_sets():
    arguments = ["fit", "my digits", "--set", "hidden=16", "--set=k=4", "--max-epochs", "4", "--out", "m", "--resume"]
    change = Finding("time", False, "", {"hidden": (8,), "max_epochs": 16})
    expected = "fit 'my digits' --set k=4 --out m --set hidden=8 --max-epochs 16 --overwrite"
    assert mending_command(arguments, [change]) == expected
    assert mending_command(["fit", "digits", "--max-epochs=4", "-o", "m"], [change]).count("--max-epochs") == 1
    assert mending_command(arguments, [WELL, SPARE]) is None
    assert mending_command(["-x", "tests"], [change]) is None


def test_fit_info_and_score_say_the_verdict(tmp_path, vectors, monkeypatch):
    table, folder = tmp_path / "t.csv", tmp_path / "m"
    np.savetxt(table, vectors, delimiter=",", header="a,b,c,d,e,f", comments="")
    options = ["--recipe", "ae", "--max-epochs", "4", "--set", "start=random", "--out", str(folder)]
    monkeypatch.setattr("sys.argv", ["narrows", "fit", str(table), *options])
    done = CliRunner().invoke(app, ["fit", str(table), *options])
    lines = done.stdout.splitlines()
    assert lines[1].startswith("Not yet: its held-out error is ")
    assert lines[1].endswith(" times PCA's with 2 components. Try --set start=pca.")
    assert lines[2].startswith("- The training ended after 4 epochs")
    assert lines[2].endswith(". Try --max-epochs 16.")
    assert done.stderr.count("held-out error") == 0  # not twice
    assert "--max-epochs 16 --set start=pca --overwrite" in done.stderr.split("Mend it with:")[1].splitlines()[1]
    about = CliRunner().invoke(app, ["info", str(folder)]).stdout.splitlines()
    assert about[2:4] == lines[1:3]
    document = json.loads(CliRunner().invoke(app, ["info", str(folder), "--json"]).stdout)
    assert document["verdict"].startswith("Not yet: its held-out error is ")
    assert document["findings"][0]["change"] == {"start": "pca"}
    said = CliRunner().invoke(app, ["score", str(folder), str(table), "-o", str(tmp_path / "s.csv")]).stderr
    assert "5.0% outliers expected, " in said
    assert "These 200 rows are among those that the model was fitted on." in said
