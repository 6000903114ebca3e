"""The command line on tables with words, dates and gaps: options for columns, results with names, and bad input."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import narrows
from narrows.cli import app, outputs, reading, reading_options
from narrows.data.files import read
from narrows.likelihoods import name_likelihood

N = 90
TINY = ["--recipe", "ae", "--max-epochs", "1", "--verbose", "0", "--set", "hidden=8"]


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})
    assert result.exit_code == code, (result.output, result.exception)
    return result


def fails(*arguments: object, code: int = 1) -> str:
    """Run a command that must fail and print nothing on stdout; return its stderr in one line."""
    result = run(*arguments, code=code)
    assert result.stdout == ""
    return " ".join(result.stderr.replace("│", " ").split())


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "customer": [f"c{i:03d}" for i in range(N)],
            "income": rng.gamma(2.0, 1000.0, N),
            "age": rng.integers(18, 90, N),
            "town": rng.choice(["Ulm", "Köln", "Bonn"], N),
            "since": pd.date_range("2020-01-01", periods=N, freq="D"),
            "bad": rng.choice(["yes", "no"], N),
        }
    )
    table.loc[3:6, "income"] = np.nan
    table.loc[8, "town"] = None
    return table


@pytest.fixture(scope="module")
def files(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tables")
    paths = {suffix: folder / f"t.{suffix}" for suffix in ("csv", "parquet", "xlsx")}
    frame.to_csv(paths["csv"], index=False)
    frame.to_parquet(paths["parquet"])
    frame.to_excel(paths["xlsx"], index=False)
    return paths


@pytest.fixture(scope="module")
def model(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted") / "m"
    run("fit", files["csv"], "--out", folder, "--label", "bad", "--n-components", "2", *TINY)
    return folder


def test_evaluate_measures_new_rows(files: dict[str, Path], model: Path) -> None:
    more = ["--train", files["csv"], "--target", "town"]
    measured = json.loads(run("evaluate", model, files["csv"], *more, "--json").stdout)
    fitted, X = narrows.load(model), read(files["csv"]).X
    expected = narrows.evaluate(fitted, X, train=X, target="town", measures=["marginals", "utility"], verbose=0)
    assert measured["marginals"] == expected["marginals"]
    assert measured["utility"] == expected["utility"]
    assert measured["copies_real"] == 1.0  # the held-out rows are the training rows
    printed = run("evaluate", model, files["csv"], *more, "--measures", "utility,c2st-auc").stdout
    assert "accuracy of 'town'" in " ".join(printed.split())
    assert "target" in fails("evaluate", model, files["csv"], "--target", "customer")


# Columns


def test_fit_says_what_is_left_out_and_prints_each_decision_once(files: dict[str, Path], tmp_path: Path) -> None:
    more = ["--drop", "since", "--label", "bad", "--id", "customer", "--recipe", "ae", "--max-epochs", "1"]
    done = run("fit", files["csv"], "--out", tmp_path / "a", *more)
    fitted = narrows.load(tmp_path / "a")
    assert [column.name for column in fitted.schema_.table.columns] == ["income", "age", "town"]
    assert "categorical: town (3)" in done.stdout
    assert "missing cells: income 4.4%, town 1.1%" in done.stdout
    assert f"{files['csv']} --label bad --id customer" in done.stderr
    for decision in ("batch_size", "learning_rate", "likelihood", "network"):
        assert done.output.count(decision) == 1, decision
    done = run("fit", files["csv"], "--out", tmp_path / "b", *TINY)
    assert "left out: customer (identifier: 100% of the cells differ)" in done.stdout
    assert "batch_size" in done.stdout  # with --verbose 0 nothing was printed before


def test_kinds_columns_and_levels_by_option(files: dict[str, Path], tmp_path: Path) -> None:
    options = ["--columns", "town,age,income", "--column", "age=categorical", "--column", "income=heavy-tailed"]
    run("fit", files["csv"], "--out", tmp_path / "m", *options, "--max-levels", "2", *TINY)
    table = narrows.load(tmp_path / "m").schema_.table
    kinds = {column.name: column.kind for column in table.columns}
    assert kinds == {"town": "categorical", "age": "categorical", "income": "heavy_tailed"}
    assert all(column.n_rare > 0 for column in table.columns if column.has_levels)
    said = run("score", tmp_path / "m", files["csv"], "-o", tmp_path / "s.csv", "--column", "age=real").stderr
    assert "are for commands that fit a model" in said
    fit = ["fit", files["csv"], "--out", tmp_path / "n"]
    assert "--column must be NAME=KIND" in fails(*fit, "--column", "age", code=2)
    assert "Did you mean 'categorical'?" in fails(*fit, "--column", "age=categoric")
    assert "--drop must name columns of t. Got 'agee'. Did you mean 'age'?" in fails(*fit, "--drop", "agee")
    assert "--label names the column 'age', which `columns` names" in fails(*fit, "--columns", "age", "--label", "age")
    assert "--max-levels must be a whole number, or none" in fails(*fit, "--max-levels", "all", code=2)
    assert "columns is given twice" in fails(*fit, "--column", "age=real", "--set", "columns={'age':'real'}", code=2)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
def test_a_model_takes_its_columns_by_name(
    files: dict[str, Path], frame: pd.DataFrame, model: Path, tmp_path: Path, suffix: str
) -> None:
    data, fitted = files[suffix], narrows.load(model)
    run("encode", model, data, "-o", tmp_path / "c.csv", "--id", "customer")
    codes = pd.read_csv(tmp_path / "c.csv")
    assert list(codes.columns) == ["customer", "ae0", "ae1"]
    assert codes["customer"].tolist() == frame["customer"].tolist()
    np.testing.assert_allclose(codes[["ae0", "ae1"]], fitted.transform(frame), atol=1e-5)
    run("encode", model, data, "-o", tmp_path / "c.npy")
    np.testing.assert_allclose(np.load(tmp_path / "c.npy"), fitted.transform(frame), atol=1e-5)
    run("reconstruct", model, data, "-o", tmp_path / "r.parquet")
    rows = pd.read_parquet(tmp_path / "r.parquet")
    assert list(rows.columns) == ["customer", "income", "age", "town", "since"]
    assert rows["customer"].tolist() == frame["customer"].tolist()
    assert set(rows["town"]) <= {"Ulm", "Köln", "Bonn"}
    assert (rows["age"].dtype.kind, rows["since"].dtype.kind) == ("i", "M")
    run("decode", model, tmp_path / "c.csv", "-o", tmp_path / "d.csv")
    decoded = pd.read_csv(tmp_path / "d.csv")
    assert decoded["customer"].tolist() == frame["customer"].tolist()
    assert decoded["age"].tolist() == rows["age"].tolist()


def test_score_names_rows_and_shows_found_and_expected_cells(
    files: dict[str, Path], frame: pd.DataFrame, model: Path, tmp_path: Path
) -> None:
    moved = frame[["bad", "town", "income", "since", "age", "customer"]].assign(extra="?")
    moved.to_csv(tmp_path / "moved.csv", index=False)
    run("score", model, tmp_path / "moved.csv", "-o", tmp_path / "s.csv", "--id", "customer")
    run("score", model, files["csv"], "-o", tmp_path / "t.csv")
    scores, others = pd.read_csv(tmp_path / "s.csv"), pd.read_csv(tmp_path / "t.csv")
    assert scores["customer"].tolist() == frame["customer"].tolist()
    assert list(others.columns[:6]) == ["score", "outlier", "reason_1", "nats_1", "found_1", "expected_1"]
    np.testing.assert_allclose(scores["score"], narrows.load(model).score_samples(frame), rtol=1e-4)
    for i in (0, 40):
        name, cell = scores.loc[i, "reason_1"], str(scores.loc[i, "found_1"])
        assert cell[:6] == str(frame.loc[i, name])[:6]
    indexed = frame.set_index("customer")
    indexed.to_parquet(tmp_path / "indexed.parquet")
    run("score", model, tmp_path / "indexed.parquet", "-o", tmp_path / "i.csv")
    assert pd.read_csv(tmp_path / "i.csv")["customer"].tolist() == frame["customer"].tolist()
    run("encode", model, tmp_path / "indexed.parquet", "-o", tmp_path / "i.parquet")
    assert pd.read_parquet(tmp_path / "i.parquet")["customer"].tolist() == frame["customer"].tolist()


def test_time_stamp_and_answer_can_be_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "timestamp": pd.date_range("2024-01-01", periods=N, freq="h").astype(str),
            "value": rng.normal(size=N),
            "load": rng.normal(size=N),
            "is_anomaly": (np.arange(N) % 9 == 0).astype(int),
        }
    )
    table.to_csv(tmp_path / "x.csv", index=False)
    data, fitted = tmp_path / "x.csv", tmp_path / "m"
    run("fit", data, "--drop", "timestamp", "--label", "is_anomaly", "--out", fitted, *TINY)
    assert [c.name for c in narrows.load(fitted).schema_.table.columns] == ["value", "load"]
    run("score", fitted, data, "-o", tmp_path / "s.csv", "--id", "timestamp")
    assert pd.read_csv(tmp_path / "s.csv")["timestamp"].tolist() == table["timestamp"].tolist()
    measures = json.loads(run("evaluate", fitted, data, "--label", "is_anomaly", "--json").stdout)
    assert any("linear" in name or "knn" in name or "accuracy" in name for name in measures)
    conditional = ["--recipe", "vae", "--set", "conditional=true"]
    run("fit", data, "--drop", "timestamp", "--label", "is_anomaly", "--out", tmp_path / "c", *TINY[2:], *conditional)
    assert narrows.load(tmp_path / "c").classes_.tolist() == [0, 1]


def test_labels_are_a_column_or_a_file(files: dict[str, Path], frame: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(frame["bad"]))
    with reading_options.labelled_by(str(tmp_path / "labels.txt")) as path:
        assert path == tmp_path / "labels.txt"
    with reading_options.labelled_by("bad") as path:
        assert path is None
        loaded = reading.read_dataset(str(files["csv"]), "test")
    assert loaded.y is not None
    assert loaded.y.tolist() == frame["bad"].tolist()
    assert "bad" not in (loaded.columns or [])
    with reading_options.labelled_by("none.csv") as path:
        assert path == Path("none.csv")  # reading it says that there is none


def test_arrays_without_names_have_columns_by_number(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(60, 4))
    X[:, 3] = np.arange(60) % 2
    np.savetxt(tmp_path / "x.csv", X, delimiter=",")
    done = run("fit", tmp_path / "x.csv", "--out", tmp_path / "m", "--drop", "0", "--label", "3", *TINY)
    assert f"{tmp_path / 'x.csv'} --drop 0 --label 3" in done.stderr
    run("encode", tmp_path / "m", tmp_path / "x.csv", "--drop", "0", "--label", "3", "-o", tmp_path / "c.npy")
    expected = narrows.load(tmp_path / "m").transform(X[:, 1:3])
    np.testing.assert_allclose(np.load(tmp_path / "c.npy"), expected, atol=1e-5)


def test_sample_writes_words_and_dates(model: Path, tmp_path: Path) -> None:
    run("sample", model, "-n", "7", "--seed", "1", "-o", tmp_path / "x.csv")
    rows = pd.read_csv(tmp_path / "x.csv", parse_dates=["since"])
    assert list(rows.columns) == ["income", "age", "town", "since"]
    assert set(rows["town"]) <= {"Ulm", "Köln", "Bonn"}
    assert rows["since"].between("2020-01-01", "2020-03-31").all()
    assert "the rows hold words or dates" in fails("sample", model, "-o", tmp_path / "x.npy")


# Files of results


def test_files_are_replaced_only_when_asked(files: dict[str, Path], model: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.csv"
    out.write_text("mine")
    for command in (["encode", model, files["csv"]], ["score", model, files["csv"]], ["sample", model]):
        assert f"{out} exists already. Name another file, or pass --overwrite" in fails(*command, "-o", out)
        assert out.read_text() == "mine"
    assert "exists already" in fails("report", model, files["csv"], "-o", _touch(tmp_path / "r.html"))
    run("encode", model, files["csv"], "-o", out, "--overwrite")
    assert out.read_text().startswith("ae0,ae1\n")


def _touch(path: Path) -> Path:
    path.write_text("")
    return path


def test_formulas_are_escaped_in_text_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = ["=cmd()", "+1", "-x", "@y", "-1.5", "a=b", "-"]
    table = pd.DataFrame({"=name": cells, "n": [-1.0, 2, 3, 4, 5, 6, 7]})
    outputs.write_frame(tmp_path / "x.csv", table)
    assert (tmp_path / "x.csv").read_text().splitlines()[:5] == [
        "'=name,n",
        "'=cmd(),-1.0",
        "+1,2.0",
        "'-x,3.0",
        "'@y,4.0",
    ]
    assert "begins like a formula has an apostrophe in front (4 x)" in capsys.readouterr().err
    outputs.write_frame(tmp_path / "x.parquet", table)
    assert pd.read_parquet(tmp_path / "x.parquet")["=name"].tolist() == cells
    assert table.columns[0] == "=name"  # the user's frame is as it was


# narrows info DATA


def test_info_describes_a_table(files: dict[str, Path]) -> None:
    text = run("info", files["csv"], "--recipe", "ae", "--set", "hidden=8").stdout
    for line in (
        "90 rows",
        "customer",
        "identifier",
        "left out",
        "3 levels (",
        "4.4% missing",
        "2020-01-01 to 2020-03-30",
    ):
        assert line in text
    assert "memory" in text
    assert "at most about" in text
    document = json.loads(run("info", files["parquet"], "--recipe", "ae", "--set", "hidden=8", "--json").stdout)
    by_name = {column["name"]: column for column in document["columns"]}
    assert (document["rows"], document["kind"]) == (N, "table")
    assert by_name["customer"] | {"reason": ""} == {
        "name": "customer", "kind": "identifier", "dtype": "str", "reason": "", "used": False, "missing": 0.0,
        "likelihood": None,
    }  # fmt: skip
    assert (by_name["town"]["n_levels"], by_name["town"]["likelihood"]) == (3, "categorical")
    assert by_name["age"]["low"] >= 18
    assert by_name["income"]["missing"] == pytest.approx(4 / N)
    built = narrows.AE(2, hidden=(8,), max_epochs=1).fit(read(files["parquet"]).X)
    assert document["model"]["n_parameters"] == sum(p.numel() for p in built.model_.parameters())
    assert document["training"]["bytes"] == sum(
        document["training"][f"{part}_bytes"] for part in ("data", "model", "step")
    )
    assert document["training"]["seconds"] > 0


def test_info_of_other_data_and_of_models(files: dict[str, Path], model: Path, tmp_path: Path) -> None:
    document = json.loads(run("info", "digits", "--json").stdout)
    assert (document["kind"], document["columns"], document["images"]["shape"]) == ("image", [], [8, 8])
    assert sum(document["images"]["classes"].values()) == document["rows"] == document["images"]["count"]
    assert "10 classes: 0 (" in run("info", "digits").stdout
    assert "ae for a table of 4 columns" in run("info", model).stdout
    assert "There is no file or folder" in fails("info", tmp_path / "nothing.csv")
    assert "No narrows model at" in fails("info", tmp_path / "nothing")
    assert "No narrows model at" in fails("info", tmp_path)


def test_all_levels_are_stated_with_their_memory(tmp_path: Path) -> None:
    words = [f"w{i:04d}" for i in range(900)]
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(1800, 3)), columns=list("xyz")).assign(word=words * 2)
    table.to_csv(tmp_path / "x.csv", index=False)
    sizes = {}
    for levels in ("4", "none"):
        arguments = ["info", tmp_path / "x.csv", "--max-levels", levels, "--json", *TINY[:2], *TINY[-2:]]
        document = json.loads(run(*arguments).stdout)
        sizes[levels] = document["training"]["model_bytes"]
    assert sizes["none"] > sizes["4"] + 16 * 800 * 8  # at least a row of the embedding for each level
    done = run("fit", tmp_path / "x.csv", "--max-levels", "none", "--out", tmp_path / "m", *TINY)
    assert "memory: about " in done.stderr
    assert narrows.load(tmp_path / "m").schema_.table.columns[3].n_levels == 900


def test_likelihoods_have_names(frame: pd.DataFrame) -> None:
    kinds = {"age": "count", "income": "heavy_tailed"}
    fitted = narrows.AE(2, hidden=(8,), max_epochs=1, columns=kinds).fit(frame)
    names = {c.name: name_likelihood(c) for c in fitted.schema_.table.used}
    assert names == {
        "income": "normal, of the asinh", "age": "negative binomial", "town": "categorical", "since": "normal",
        "bad": "categorical",
    }  # fmt: skip


# Bad input


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,a,b\n" + "1,2,3\n" * 9, "must have a different name for each column. It has more than one 'a'"),
        ("a,b\n1,2\n3,inf\n5,6\n", "The column 'b' holds infinity"),
        ("a,b,c\n1,2,x\n3,4,y\n5,6\n7,8,z\n", "Line 4 has 2, the lines before it have 3"),
        ("a,b\n", "holds a header (a,b) but no rows"),
        ("", "is empty (0 bytes)"),
        ("id\n" + "\n".join(f"k{i}" for i in range(40)), "On the command line: --column id=categorical"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.csv").write_text(text)
    assert message in fails("fit", tmp_path / "x.csv", "--out", tmp_path / "m", *TINY)
    assert not (tmp_path / "m" / "recipe.json").exists()


def test_a_parquet_file_cut_off_or_empty(
    files: dict[str, Path], frame: pd.DataFrame, model: Path, tmp_path: Path
) -> None:
    whole = files["parquet"].read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    frame[:0].to_parquet(tmp_path / "empty.parquet")
    for file, message, in_blocks in (
        ("cut", "cut.parquet is damaged or not a Parquet file", "cut.parquet is damaged or not a Parquet file"),
        ("empty", "empty.parquet must hold at least one example", "Found array with 0 sample(s)"),
    ):
        data = tmp_path / f"{file}.parquet"
        assert message in fails("fit", data, "--out", tmp_path / "m")
        assert in_blocks in fails("encode", model, data, "-o", tmp_path / "x.csv")
        assert message in fails("score", model, data, "-o", tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


def test_mixed_types_and_missing_columns_are_named_and_counted(
    files: dict[str, Path], frame: pd.DataFrame, model: Path, tmp_path: Path
) -> None:
    table = frame.astype(object).assign(nothing=np.nan, mixed=["1", "2", "three"] * (N // 3))
    text = table.to_csv(index=False)
    (tmp_path / "x.csv").write_text(text.rstrip("\n"))  # no end of line after the last row
    done = run("fit", tmp_path / "x.csv", "--out", tmp_path / "m", *TINY)
    assert f"{N:,} rows of 8 columns" in done.stderr
    assert f"Column 'mixed' is read as words: {N // 3} cells are no number, such as 'three'." in done.stderr
    assert "not learned, because constant: nothing (no value)" in done.stdout
    frame.drop(columns="town").to_csv(tmp_path / "less.csv", index=False)
    message = fails("score", model, tmp_path / "less.csv", "-o", tmp_path / "s.csv")
    assert "It lacks 'town'" in message
    frame.assign(age=np.inf).to_csv(tmp_path / "inf.csv", index=False)
    assert "The column 'age'" in fails("score", model, tmp_path / "inf.csv", "-o", tmp_path / "s.csv")


def test_a_category_that_was_not_seen_is_one_warning(frame: pd.DataFrame, model: Path, tmp_path: Path) -> None:
    frame.assign(town="Rome").to_csv(tmp_path / "x.csv", index=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        run("encode", model, tmp_path / "x.csv", "-o", tmp_path / "c.csv")
    assert sum("'town' ('Rome')" in str(w.message) for w in caught) == 1


def test_a_formula_as_a_name(frame: pd.DataFrame, tmp_path: Path) -> None:
    table = frame.rename(columns={"age": "=1+1"})
    table.to_csv(tmp_path / "x.csv", index=False)
    run("fit", tmp_path / "x.csv", "--out", tmp_path / "m", *TINY)
    done = run("reconstruct", tmp_path / "m", tmp_path / "x.csv", "-o", tmp_path / "r.csv")
    assert "begins like a formula" in done.stderr
    assert "'=1+1" in (tmp_path / "r.csv").read_text().splitlines()[0]
