"""The page about a masked autoencoder of a table: what each cell's row tells about it, strange cells, new rows."""

import re

import numpy as np
import pandas as pd
import pytest
from mixed_table import LONG, make_frame

import narrows
from narrows.report import columns, masked, tables, verdict, write_report
from narrows.report.dependence import measure_dependence
from narrows.report.display import Display


@pytest.fixture(scope="module")
def mixed():
    return make_frame()


@pytest.fixture(scope="module")
def model(mixed):
    return narrows.TableAE(16, max_epochs=3, random_state=0, device="cpu", precision="float32").fit(mixed)


@pytest.fixture(scope="module")
def display(model, mixed):
    return Display(model, mixed)


@pytest.fixture(scope="module")
def twins():
    """Rows of two columns that are the same, and one that has nothing to do with them."""
    rng = np.random.default_rng(0)
    first = rng.choice(["a", "b"], 400)
    return pd.DataFrame({"first": first, "copy": first, "coin": rng.choice(["head", "tail"], 400)})


@pytest.fixture(scope="module")
def of_twins(twins):
    return narrows.TableAE(16, max_epochs=40, random_state=0, device="cpu", precision="float32").fit(twins)


def cells_of(markup):
    """Return the texts of the cells of each row of the tables in `markup`."""
    rows = re.findall(r"<tr.*?</tr>", markup, re.DOTALL)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[dh].*?</t[dh]>", row, re.DOTALL)] for row in rows]


def test_the_page_has_sections_for_what_the_model_can_do(model, mixed, tmp_path):
    markup = write_report(model, mixed, tmp_path / "page.html", y="home").read_text(encoding="utf-8")
    sections = re.findall(r'<section id="(\w+)"', markup)
    assert sections[:7] == ["diagnosis", "decisions", "columns", "training", "reconstructions", "depends", "map"]
    assert sections[7] == "samples"
    assert sections[-4:] == ["strange", "outliers", "numbers", "made"]
    assert not {"dials", "units"} & set(sections)
    assert "decoder-" not in markup  # nothing on the page decodes
    assert "predicts each cell of a row from all others" in markup
    assert "PCA has codes" not in markup  # with as many components as columns it would copy the cells
    assert "<b>pulse</b>" not in re.sub(r"<script.*?</script>", "", markup, flags=re.DOTALL)
    assert "nan" not in re.findall(r">([^<>]{1,12})<", markup)
    ids = re.findall(r'\bid="([^"]+)"', markup)
    assert len(ids) == len(set(ids))


def test_each_column_is_compared_with_a_guess_that_knows_nothing_of_the_row(display, model, mixed):
    body = masked.reconstructions(display).body
    rows = {line[0]: line for line in cells_of(body.partition("</table>")[0].replace("<small>", " / "))[1:]}
    assert len(rows) == 8
    levels = model.schema_.used_columns[display.view.names.index("grade")]
    most = levels.levels[int(np.argmax(levels.frequencies))]
    predicted = model.predict(mixed.drop(columns="grade"), "grade")
    assert rows["grade"][1] == f"{(predicted == mixed['grade'].to_numpy()).mean():.0%} right"
    assert rows["grade"][2] == f"{(mixed['grade'] == most).mean():.0%} right / {most}"
    height = mixed["height"].dropna()
    medians = model.predict(mixed.loc[height.index].drop(columns="height"), "height", statistic="median")
    assert rows["height"][1].startswith("off by ")
    assert float(rows["height"][1].split()[-1]) == pytest.approx(np.abs(height - medians).mean(), rel=0.01)
    guess = np.abs(height - height.median()).mean()
    assert float(rows["height"][2].split()[2]) == pytest.approx(guess, rel=0.02)
    assert re.match(r"off by \d+ d", rows["since"][1])  # the distance of dates is a time


def test_the_strangest_cells_come_first_with_what_was_expected(model, mixed):
    changed = mixed.copy()
    changed.loc["p7", "height"] = 230.0
    display = Display(model, changed)
    wanted = model.surprise(changed).reindex(columns=display.view.names).to_numpy(dtype=float)
    np.testing.assert_allclose(display.view.surprise, wanted, rtol=1e-5, atol=1e-5)  # also of the two strangest cells
    lines = cells_of(masked.strange_cells(display).body)[1:]
    surprise = model.surprise(changed).reindex(columns=display.view.names)
    flat = np.sort(np.nan_to_num(surprise.to_numpy(dtype=float), nan=-np.inf), axis=None)[::-1]
    found = [float(line[4].replace("\N{MINUS SIGN}", "-")) for line in lines]
    np.testing.assert_allclose(found, flat[: len(found)], rtol=0.01)
    for row, column, cell, *_ in lines:
        column = column.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        assert column in display.view.names
        if column == "home":
            value = str(changed.loc[row, "home"])
            assert cell.startswith(value[:20].replace("<", "&lt;").replace(">", "&gt;")) or value == LONG


def test_a_column_depends_on_its_copy_and_not_on_a_coin(of_twins, twins):
    loss, n = measure_dependence(of_twins, of_twins.prepare(twins), [0, 1, 2])
    assert n == 200
    assert np.isnan(np.diag(loss)).all()
    # without its copy, a fair coin is left: log 2 nats
    np.testing.assert_allclose([loss[0, 1], loss[1, 0]], np.log(2), atol=0.1)
    np.testing.assert_allclose(loss[[0, 1, 2, 2], [2, 2, 0, 1]], 0, atol=0.05)


@pytest.mark.filterwarnings("ignore:X passed to TableAE has")
def test_dependence_is_the_fall_of_the_models_own_probability(of_twins, twins):
    """The same numbers, from `predict_proba` on rows whose cells are missing."""
    rows = twins.iloc[:50].astype(object)
    loss, _ = measure_dependence(of_twins, of_twins.prepare(rows), [0, 1])
    levels = of_twins.levels("first")
    own = [levels.index(value) for value in rows["first"]]
    seen = of_twins.predict_proba(rows, "first")[range(50), own]
    blind = of_twins.predict_proba(rows.assign(copy=None), "first")[range(50), own]
    assert loss[0, 1] == pytest.approx(float((np.log(seen) - np.log(blind)).mean()), abs=1e-4)


def test_the_matrix_names_both_columns(of_twins, twins):
    section = masked.dependence(Display(of_twins, twins))
    lines = cells_of(section.body)
    assert lines[0][1:] == ["first", "copy", "coin"]
    assert [line[0] for line in lines[1:]] == ["first", "copy", "coin"]
    assert float(lines[1][2]) == pytest.approx(np.log(2), abs=0.1)
    assert lines[1][1] == ""
    assert float(lines[1][3] or 0) < 0.05
    assert "mean of 200 rows" in section.intro


def test_the_other_sections_say_what_this_model_does(display, model):
    assert {cells[4] for cells in cells_of(columns.columns(display).body)[1:]} >= {"categorical"}
    assert "levels or bins" in columns.columns(display).body
    assert "one cell after the other" in tables.samples(display, "").intro
    assert "New rows have no gaps" not in tables.samples(display, "").body
    finding = next(
        f
        for f in verdict.find_all(display, narrows.evaluate(model, display.inspection.X, verbose=0))
        if "columns are predicted better" in f.message
    )
    n = sum(quality.skill > 0 for quality in display.view.quality)
    assert finding.message.startswith(f"{n} of 8 columns")


def test_a_page_of_many_columns_shows_the_best_and_bounds_the_matrix(mixed):
    rng = np.random.default_rng(0)
    z = rng.normal(size=150)
    X = pd.DataFrame({f"c_{i}": np.round(z + rng.normal(size=150), 1) for i in range(34)})
    model = narrows.TableAE(16, max_epochs=1, random_state=0, device="cpu").fit(X)
    display = Display(model, X[:40])
    assert "<summary>14 other columns</summary>" in masked.reconstructions(display).body
    matrix = masked.dependence(display).body
    assert "30 of 34 columns are shown" in matrix
    assert len(cells_of(matrix)) == 31
