"""`narrows impute`, `predict`, `sample --given` and `score --cells` on files, and other commands with a TableAE."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_cli_tables import fails, run

import narrows
from narrows.cli import filled, written
from narrows.data.files import read
from narrows.tasks import TableImputer

N = 80
TINY = ["--recipe", "tableae", "--n-components", "16", "--max-epochs", "3", "--verbose", "0"]
GAPPY = ["income", "age", "town", "since", "member"]


def make_rows() -> list[list[str]]:
    """Return the cells of a table as text: a header, and N rows with gaps that are written in several ways."""
    rng = np.random.default_rng(0)
    rows = [["customer", "income", "age", "town", "since", "member", "remark", "kids"]]
    for i in range(N):
        cells = [f"{x:.2f}" for x in rng.gamma(2.0, 1000.0, 1)] + [str(rng.integers(18, 90))]
        cells += [str(rng.choice(["Ulm", "Köln", "=Bonn"])), f"2020-0{rng.integers(1, 9)}-1{rng.integers(0, 9)}"]
        cells += [str(rng.choice(["TRUE", "FALSE"]))]
        cells = [str(rng.choice(["", "NA", "?"])) if rng.random() < 0.15 else cell for cell in cells]
        rows.append([f"0{i:03d}", *cells, f'He said "{i}, and so on", as ever', str(rng.poisson(1.0))])
    return rows


ROWS = make_rows()


def write_text(path: Path, delimiter: str = ",", end: str = "\n", encoding: str = "utf-8") -> Path:
    with open(path, "w", newline="", encoding=encoding) as stream:
        csv.writer(stream, delimiter=delimiter, lineterminator=end).writerows(ROWS)
    return path


def read_cells(path: Path, delimiter: str = ",", encoding: str = "utf-8") -> list[list[str]]:
    with open(path, newline="", encoding=encoding) as stream:
        return list(csv.reader(stream, delimiter=delimiter))


def check_filled(cells: list[list[str]]) -> None:
    """Check that cells are those of `ROWS`, and that gaps hold values written as the others of their column."""
    assert cells[0] == ROWS[0]
    assert len(cells) == len(ROWS)
    for old, new in zip(ROWS[1:], cells[1:], strict=True):
        for name, was, now in zip(ROWS[0], old, new, strict=True):
            assert (was == now) is (was not in ("", "NA", "?")), (name, was, now)
        income, age, town, since, member = new[1:6]
        assert len(income.partition(".")[2]) == 2
        assert age.isdecimal()
        assert town in ("Ulm", "Köln", "=Bonn")
        assert pd.Timestamp(since).strftime("%Y-%m-%d") == since
        assert member in ("TRUE", "FALSE")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text(tmp_path_factory.mktemp("impute") / "t.csv")


@pytest.fixture(scope="module")
def model(data: Path) -> Path:
    done = run("fit", data, *TINY, "--out", data.parent / "m")
    assert f"narrows impute {data.parent / 'm'} {data} -o filled.csv" in done.stderr
    return data.parent / "m"


# The file with its gaps filled


def test_only_gaps_change_in_a_text(data: Path, model: Path, tmp_path: Path) -> None:
    done = run("impute", model, data, "-o", tmp_path / "f.csv")
    check_filled(read_cells(tmp_path / "f.csv"))
    old, new = data.read_text().splitlines(), (tmp_path / "f.csv").read_text().splitlines()
    changed = [i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    assert changed == [i for i, row in enumerate(ROWS) if {"", "NA", "?"} & set(row)]
    counts = {name: sum(row[i] in ("", "NA", "?") for row in ROWS) for i, name in enumerate(ROWS[0])}
    assert f"{sum(counts.values())} cells filled: " in done.stderr
    assert all(f"{name} {counts[name]}" in done.stderr for name in GAPPY)
    expected = narrows.load(model).impute(read(data).X)
    pd.testing.assert_series_equal(read(tmp_path / "f.csv").X["town"], expected["town"])
    run("impute", model, data, "-o", tmp_path / "g.csv", "--statistic", "mode")
    assert (tmp_path / "g.csv").read_text() != (tmp_path / "f.csv").read_text()


def test_dialect_and_encoding_stay(model: Path, tmp_path: Path) -> None:
    source = write_text(tmp_path / "t.csv", ";", "\r\n", "utf-8-sig")
    run("impute", model, source, "-o", tmp_path / "f.csv")
    check_filled(read_cells(tmp_path / "f.csv", ";", "utf-8-sig"))
    assert (tmp_path / "f.csv").read_bytes().count(b"\r\n") == N + 1
    run("impute", model, source, "-o", tmp_path / "f.tsv")
    check_filled(read_cells(tmp_path / "f.tsv", "\t", "utf-8-sig"))
    source.write_text(source.read_text("utf-8-sig"), encoding="cp1252")
    run("impute", model, source, "-o", tmp_path / "g.csv")
    check_filled(read_cells(tmp_path / "g.csv", ";", "cp1252"))


def test_a_sheet_keeps_its_format(model: Path, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in ROWS:
        sheet.append(row)
    for row in sheet.iter_rows(min_row=2, min_col=2, max_col=3):
        for cell in row:
            cell.value = None if cell.value in ("", "NA", "?") else float(str(cell.value))
    for row in sheet.iter_rows(min_row=1, min_col=4, max_col=4):
        row[0].data_type = "s"
    sheet["A1"].font = openpyxl.styles.Font(bold=True)
    book.create_sheet("more").append(["untouched"])
    book.save(tmp_path / "t.xlsx")
    run("impute", model, tmp_path / "t.xlsx", "-o", tmp_path / "f.xlsx")
    made = openpyxl.load_workbook(tmp_path / "f.xlsx")
    assert made.sheetnames == ["Sheet", "more"]
    assert made["Sheet"]["A1"].font.bold
    table = [[cell.value for cell in row] for row in made["Sheet"].iter_rows()]
    assert all(isinstance(row[1], (int, float)) and isinstance(row[2], int) for row in table[1:])
    check_filled([ROWS[0]] + [[row[0], f"{row[1]:.2f}", str(row[2]), *row[3:]] for row in table[1:]])
    assert all(row[3].data_type == "s" for row in made["Sheet"].iter_rows())  # "=Bonn" is no formula


def test_parquet_keeps_its_types(data: Path, model: Path, tmp_path: Path) -> None:
    frame = read(data).X
    table = pa.Table.from_pandas(frame.astype({"town": "category"}), preserve_index=False)
    nested = pa.array([[1, 2]] * N)
    table = table.append_column("nested", nested).set_column(7, "kids", table["kids"].cast(pa.int8()))
    pq.write_table(table, tmp_path / "t.parquet")
    run("impute", model, tmp_path / "t.parquet", "-o", tmp_path / "f.parquet")
    made = pq.read_table(tmp_path / "f.parquet")
    assert made.column("nested").combine_chunks() == nested
    assert made.schema.names == table.schema.names
    assert [t for t in made.schema.types if not pa.types.is_dictionary(t)] == [
        t for t in table.schema.types if not pa.types.is_dictionary(t)
    ]
    back = made.to_pandas()
    assert back["town"].dtype == "category"
    for name in GAPPY:
        assert back[name].notna().all()
        seen = frame[name].notna()
        assert back[name][seen].tolist() == frame[name][seen].tolist()


def test_other_formats_and_draws(data: Path, model: Path, tmp_path: Path) -> None:
    for name in ("f.parquet", "f.xlsx"):
        run("impute", model, data, "-o", tmp_path / name)
        made = read(tmp_path / name).X
        assert list(made.columns) == ROWS[0]
        assert made.notna().all().all()
        assert made["customer"].tolist() == [row[0] for row in ROWS[1:]]
        assert set(made["town"]) == {"Ulm", "Köln", "=Bonn"}
    run("impute", model, data, "-o", tmp_path / "d.csv", "--draws", "3", "--seed", "5")
    drawn = [(tmp_path / f"d-{i}.csv").read_text() for i in (1, 2, 3)]
    assert len(set(drawn)) == 3
    assert not (tmp_path / "d.csv").exists()
    check_filled(read_cells(tmp_path / "d-2.csv"))
    run("impute", model, data, "-o", tmp_path / "e.csv", "--draws", "3", "--seed", "5")
    assert [(tmp_path / f"e-{i}.csv").read_text() for i in (1, 2, 3)] == drawn
    assert "d-1.csv exists already" in fails("impute", model, data, "-o", tmp_path / "d.csv", "--draws", "3")
    assert "give one of them" in fails(
        "impute", model, data, "-o", tmp_path / "x.csv", "--draws", "2", "--statistic", "mean", code=2
    )
    assert "--seed is for --draws" in fails("impute", model, data, "-o", tmp_path / "x.csv", "--seed", "1", code=2)


def test_arrays_without_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4)).round(2)
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 0] = np.arange(60)
    lines = [",".join("" if np.isnan(x) else f"{x:g}" for x in row) for row in X]
    (tmp_path / "x.csv").write_text("\n".join(lines) + "\n")
    np.save(tmp_path / "x.npy", X)
    run("fit", tmp_path / "x.csv", "--drop", "0", "--out", tmp_path / "m", *TINY)
    run("impute", tmp_path / "m", tmp_path / "x.csv", "--drop", "0", "-o", tmp_path / "f.csv")
    made = np.loadtxt(tmp_path / "f.csv", delimiter=",")
    assert not np.isnan(made).any()
    np.testing.assert_array_equal(made[~np.isnan(X)], X[~np.isnan(X)])
    run("impute", tmp_path / "m", tmp_path / "x.npy", "--drop", "0", "-o", tmp_path / "f.npy")
    np.testing.assert_allclose(np.load(tmp_path / "f.npy"), made, atol=0.006)  # text has two decimals
    run("predict", tmp_path / "m", tmp_path / "x.npy", "1", "--drop", "0", "-o", tmp_path / "p.csv")
    expected = narrows.load(tmp_path / "m").predict(X[:, 1:], 1)
    np.testing.assert_allclose(pd.read_csv(tmp_path / "p.csv")["1"], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("values", "cells", "new"),
    [
        ([1.5, 2.25, 0.123], ["1.5", "2.25", ""], "0.12"),
        ([1.5, 2.0, 3.0], ["1.5", "2.0", ""], "3.0"),
        ([10, 20, 12.6], ["10%", "20%", ""], "13%"),
        ([1234.5, 2.5, 7.25], ["1.234,5", "2,5", "?"], "7,2"),
        ([1234567.0, 2.5, 7000.25], ["1,234,567.0", "2.5", "?"], "7000.2"),
        ([1e-5, 2e-5, 1.25e-5], ["1e-5", "2e-5", "?"], "1.25e-05"),
        ([3.0, 4.0, 5.0], ["", "", ""], "5"),
    ],
)
def test_numbers_are_written_as_the_others(values: list[float], cells: list[str], new: str) -> None:
    mask = np.array([cell in ("", "?") for cell in cells])
    assert written.write_like(pd.Series(values, dtype=float), mask, cells)[2] == new


def test_dates_words_and_whole_numbers_are_written_as_the_others() -> None:
    mask = np.array([False, True])
    for cell in ("2020-01-02", "2020-01-02T10:30", "2020-01-02 10:30:00"):
        made = written.write_like(
            pd.Series(pd.to_datetime([cell, "2021-03-04 05:06:07"], format="ISO8601")), mask, [cell, ""]
        )
        assert len(made[1]) == len(cell)
        assert pd.Timestamp(made[1]).date() == pd.Timestamp("2021-03-04").date()
    assert written.write_like(pd.Series([True, False]), mask, ["TRUE", ""]) == {1: "FALSE"}
    assert written.write_like(pd.Series([True, False]), mask, ["True", ""]) == {1: "False"}
    assert written.write_like(pd.Series([3, 4], dtype="Int64"), np.array([True, True]), ["", ""]) == {0: "3", 1: "4"}
    assert written.write_like(pd.Series(["a", "b"]), mask, ["a", ""]) == {1: "b"}


# Bad input


def test_impute_without_gaps_and_with_a_column_of_gaps(data: Path, model: Path, tmp_path: Path) -> None:
    run("impute", model, data, "-o", tmp_path / "f.csv")
    done = run("impute", model, tmp_path / "f.csv", "-o", tmp_path / "g.csv")
    assert "No cell was filled." in done.stderr
    assert (tmp_path / "g.csv").read_bytes() == (tmp_path / "f.csv").read_bytes()
    frame = pd.read_csv(tmp_path / "f.csv", dtype=str)
    frame.assign(town="", age="", since="", remark="").to_csv(tmp_path / "h.csv", index=False)
    done = run("impute", model, tmp_path / "h.csv", "-o", tmp_path / "i.csv")
    made = pd.read_csv(tmp_path / "i.csv", dtype=str)
    assert set(made["town"]) <= {"Ulm", "Köln", "'=Bonn"}  # no other cell says how such text is written
    assert made["age"].str.fullmatch(r"\d\d").all()
    assert pd.to_datetime(made["since"]).notna().all()
    assert made["remark"].isna().all()
    assert "still with gaps, because the model does not see them: remark" in done.stderr


def test_mistakes_of_impute(data: Path, model: Path, tmp_path: Path) -> None:
    before = data.read_bytes()
    assert "is DATA itself" in fails("impute", model, data, "-o", data, "--overwrite")
    assert data.read_bytes() == before
    frame = pd.read_csv(data, dtype=str)
    frame.drop(columns="town").to_csv(tmp_path / "less.csv", index=False)
    out = ["-o", tmp_path / "x.csv"]
    assert "lacks 'town'" in fails("impute", model, tmp_path / "less.csv", *out)
    assert "No narrows model at" in fails("impute", tmp_path / "none", data, *out)
    assert "must end in .csv, .tsv, .parquet, .xlsx" in fails("impute", model, data, "-o", tmp_path / "x.png")
    assert "hold words or dates" in fails("impute", model, data, "-o", tmp_path / "x.npy")
    assert "`statistic`" in fails("impute", model, data, *out, "--statistic", "average")
    run(
        "fit", data, "--recipe", "dae", "--set", "hidden=8", "--max-epochs", "1", "--verbose", "0", "-o", tmp_path / "d"
    )
    message = fails("impute", tmp_path / "d", data, *out)
    assert "Only a TableAE can fill gaps. The model in" in message
    assert "is of the recipe dae. Fit one: narrows fit DATA --recipe tableae" in message
    assert "Only a TableAE can predict columns" in fails("predict", tmp_path / "d", data, "town", *out)
    assert not (tmp_path / "x.csv").exists()


def test_a_value_that_was_not_seen_stays(data: Path, model: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(data, dtype=str, keep_default_na=False)
    frame.assign(town=frame["town"].replace("Ulm", "Rom")).to_csv(tmp_path / "u.csv", index=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run("impute", model, tmp_path / "u.csv", "-o", tmp_path / "f.csv")
    assert any("'town' ('Rom')" in str(w.message) for w in caught)
    made = pd.read_csv(tmp_path / "f.csv", dtype=str)
    assert ((made["town"] == "Rom") == (frame["town"] == "Ulm")).all()
    assert made["town"].notna().all()


def test_rows_that_do_not_fit_the_source_are_written_anew(data: Path, model: Path, tmp_path: Path) -> None:
    loaded = read(data)
    table = filled.Filled(loaded._replace(X=loaded.X.head(10)), {1: np.arange(10) == 3})
    filled.write(tmp_path / "f.csv", data, table)
    assert len(read(tmp_path / "f.csv").X) == 10
    filled.write(tmp_path / "f.xlsx", data, table)
    assert len(read(tmp_path / "f.xlsx").X) == 10


# Predict, sample, score


def test_predict(data: Path, model: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(data, dtype=str, keep_default_na=False)
    frame.drop(columns="town").to_csv(tmp_path / "less.csv", index=False)
    for source in (data, tmp_path / "less.csv"):
        run("predict", model, source, "town", "-o", tmp_path / "p.csv", "--proba", "--id", "customer", "--overwrite")
        made = pd.read_csv(tmp_path / "p.csv", dtype={"customer": str})
        assert made["customer"].tolist() == frame["customer"].tolist()
        levels = [name for name in made.columns if name.startswith("town=")]
        assert set(levels) == {"town=Ulm", "town=Köln", "town==Bonn"}
        assert made[levels].sum(axis=1).to_numpy() == pytest.approx(1)
        likeliest = made[levels].idxmax(axis=1).str.removeprefix("town=")
        assert made["town"].str.lstrip("'").tolist() == likeliest.tolist()  # in a .csv, "=" has an apostrophe in front
    run("predict", model, data, "income", "-o", tmp_path / "i.parquet", "--statistic", "median")
    expected = narrows.load(model).predict(read(data).X, "income", statistic="median")
    np.testing.assert_allclose(pd.read_parquet(tmp_path / "i.parquet")["income"], expected)
    out = ["-o", tmp_path / "x.csv"]
    assert "does not predict the column 'twn'. Did you mean 'town'?" in fails("predict", model, data, "twn", *out)
    assert "has no levels" in fails("predict", model, data, "income", *out, "--proba")


def test_sample_with_known_cells(model: Path, tmp_path: Path) -> None:
    given = ["--given", "town==Bonn", "--given", "age=30", "--given", "since=2020-03-11", "--given", "member=True"]
    run("sample", model, "-n", "6", *given, "--last", "income", "--seed", "1", "-o", tmp_path / "s.parquet")
    rows = pd.read_parquet(tmp_path / "s.parquet")
    assert len(rows) == 6
    assert set(rows["town"]) == {"=Bonn"}
    assert set(rows["age"]) == {30}
    assert set(rows["since"]) == {pd.Timestamp("2020-03-11")}
    assert rows["member"].all()
    assert rows["income"].nunique() > 1
    run("sample", model, "-n", "6", *given, "--last", "income", "--seed", "1", "-o", tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), rows)
    run("sample", model, "-n", "3", "--rare", "--temperature", "0.5", "-o", tmp_path / "u.csv")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--given", "town=Rom"], 1, "--given town=Rom: the column has no such value. It has '"),
        (["--given", "twn=Ulm"], 1, "--given names 'twn', which is no column of the model. Did you mean 'town'?"),
        (["--given", "customer=c1"], 1, "which is no column of the model"),
        (["--given", "age=old"], 1, "--given age=old: the column holds numbers, from 1"),
        (["--given", "age=nan"], 1, "the column holds numbers"),
        (["--given", "since=soon"], 1, "--given since=soon: the column holds dates, such as 2020-12-31"),
        (["--given", "town"], 2, "--given must be COLUMN=VALUE, such as age=30. Got 'town'"),
        (["--given", "age=30", "--given", "age=31"], 2, "--given names 'age' twice"),
        (["--last", "twn"], 1, "does not predict the column 'twn'"),
        (["--sampler", "flow"], 1, "--sampler is for models that draw codes. This one (tableae) draws cells"),
        (["--label", "3"], 1, "--label is for models that draw codes"),
        (["--temperature", "0"], 1, "`temperature` parameter of sample"),
    ],
)
def test_mistakes_of_sample(model: Path, tmp_path: Path, options: list[str], code: int, message: str) -> None:
    assert message in fails("sample", model, "-o", tmp_path / "x.csv", *options, code=code)


def test_given_is_for_tables_only(data: Path, tmp_path: Path) -> None:
    run("fit", data, "--recipe", "ae", "--set", "hidden=8", "--max-epochs", "1", "--verbose", "0", "-o", tmp_path / "a")
    for options in (["--given", "age=30"], ["--last", "age"], ["--rare"]):
        message = fails("sample", tmp_path / "a", "-o", tmp_path / "x.csv", *options)
        assert f"{options[0]} is for models of the recipe tableae" in message


def test_score_of_each_cell(data: Path, model: Path, tmp_path: Path) -> None:
    out, cells = tmp_path / "s.csv", tmp_path / "cells.csv"
    run("score", model, data, "-o", out, "--cells", cells, "--id", "customer")
    expected = narrows.load(model).surprise(read(data).X)
    made, scores = pd.read_csv(cells, dtype={"customer": str}), pd.read_csv(out)
    assert list(made.columns) == ["customer", *expected.columns]
    np.testing.assert_allclose(made[expected.columns], expected, atol=1e-4)
    strangest = expected.max(axis=1)
    np.testing.assert_allclose(scores["nats_1"], -strangest, atol=1e-4)
    assert scores["reason_1"].tolist() == expected.idxmax(axis=1).tolist()
    assert "cells.csv exists already" in fails("score", model, data, "-o", tmp_path / "t.csv", "--cells", cells)


def test_cells_of_other_models(data: Path, tmp_path: Path) -> None:
    run("fit", data, "--recipe", "ae", "--set", "hidden=8", "--max-epochs", "1", "--verbose", "0", "-o", tmp_path / "a")
    run("score", tmp_path / "a", data, "-o", tmp_path / "s.csv", "--cells", tmp_path / "c.parquet")
    made, scores = pd.read_parquet(tmp_path / "c.parquet"), pd.read_csv(tmp_path / "s.csv")
    assert made["income"].isna().equals(read(data).X["income"].isna())
    np.testing.assert_allclose(made.max(axis=1), -scores["nats_1"], atol=1e-6)
    run("fit-outliers", data, "--max-iter", "20", "-o", tmp_path / "o")
    run("score", tmp_path / "o", data, "-o", tmp_path / "t.csv", "--cells", tmp_path / "d.csv")
    sums = -pd.read_csv(tmp_path / "d.csv").sum(axis=1)
    np.testing.assert_allclose(sums, pd.read_csv(tmp_path / "t.csv")["score"], rtol=1e-4)


# Other commands


def test_commands_that_decode_codes_refuse(data: Path, model: Path, tmp_path: Path) -> None:
    run("encode", model, data, "-o", tmp_path / "c.csv")
    assert pd.read_csv(tmp_path / "c.csv").shape == (N, 16)
    message = fails("decode", model, tmp_path / "c.csv", "-o", tmp_path / "x.csv")
    assert "cannot be decoded: it predicts cells from other cells. Use `narrows reconstruct`" in message
    assert "Use `narrows sample` with --given" in fails("traverse", model, "-o", tmp_path / "x.npy")
    assert "recipe dae. This one is tableae; try impute" in fails("denoise", model, data, "-o", tmp_path / "x.csv")
    message = fails("sweep", data, "--recipe", "tableae", "-o", tmp_path / "w")
    assert "A sweep compares lengths of codes" in message
    assert not (tmp_path / "w").exists()


def test_other_commands_work(data: Path, model: Path, tmp_path: Path) -> None:
    run("reconstruct", model, data, "-o", tmp_path / "r.csv")
    assert pd.read_csv(tmp_path / "r.csv").columns.tolist() == ROWS[0]
    found = json.loads(run("search", model, data, "--in", data, "-n", "2", "--json").stdout)
    assert found["matches"][0]["row"] == 0
    assert "tableae" in run("recipes").stdout
    assert "mask_rate" in run("recipes", "tableae").stdout
    assert "tableae for a table of 6 columns" in run("info", model).stdout
    document = json.loads(run("info", data, "--recipe", "tableae", "--json").stdout)
    likelihoods = {column["name"]: column["likelihood"] for column in document["columns"]}
    assert likelihoods["town"] == "categorical"
    assert "levels or bins" in likelihoods["income"]
    assert document["model"]["recipe"] == "tableae"


def test_the_folder_of_an_imputer_serves_all_commands(data: Path, model: Path, tmp_path: Path) -> None:
    imputer = TableImputer(narrows.load(model), statistic="mean").fit(read(data).X)
    imputer.save(tmp_path / "i")
    assert isinstance(narrows.load(tmp_path / "i"), TableImputer)
    run("impute", model, data, "-o", tmp_path / "a.csv", "--statistic", "mean")
    run("impute", tmp_path / "i", data, "-o", tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    run("score", tmp_path / "i", data, "-o", tmp_path / "s.csv")
    assert "tableae for a table" in run("info", tmp_path / "i").stdout
