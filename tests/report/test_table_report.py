"""The page about a model of a table: its columns, cells in the user's units, dials, new rows and outliers."""

import re

import numpy as np
import pandas as pd
import pytest
from mixed_table import LONG, MARKUP, make_frame
from opened_page import Opened

import narrows
from narrows.evaluation import Row
from narrows.report import columns, new_rows, page, sections, write_report
from narrows.report.display import Display, percent
from narrows.report.sampling import draw_sample
from narrows.report.table_dials import TurnedDials

TINY = {"hidden": (32,), "max_epochs": 12, "random_state": 0, "device": "cpu", "precision": "float32"}


@pytest.fixture(scope="session")
def mixed():
    return make_frame()


@pytest.fixture(scope="session")
def models(mixed):
    return {
        "ae": narrows.AE(3, **TINY).fit(mixed),
        "vae": narrows.VAE(2, **TINY).fit(mixed),
        "sae": narrows.SAE(8, k=2, **TINY).fit(mixed),
        "dae": narrows.DAE(2, **TINY).fit(mixed),
        "cleaner": narrows.DAE(network="mlp", **TINY).fit(mixed),
    }


@pytest.fixture(scope="session")
def pages(models, mixed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    labels = {"vae": "home", "ae": mixed["grade"]}
    return {
        name: write_report(model, mixed, folder / f"{name}.html", y=labels.get(name)) for name, model in models.items()
    }


@pytest.fixture(scope="session")
def displays(models, mixed):
    return {name: Display(model, mixed) for name, model in models.items()}


def cells_of(markup):
    """Return the texts of the cells of each row of the tables in `markup`."""
    rows = re.findall(r"<tr.*?</tr>", markup, re.DOTALL)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[dh].*?</t[dh]>", row, re.DOTALL)] for row in rows]


START, END = ["diagnosis", "decisions", "columns", "training", "reconstructions"], ["outliers", "numbers", "made"]


@pytest.mark.parametrize(
    ("name", "between"),
    [
        ("vae", ["map", "dials", "samples", "newrows"]),
        ("ae", ["map", "dials", "samples", "newrows"]),
        ("sae", ["map", "units"]),
        ("dae", ["cleaning", "map", "dials", "samples", "newrows"]),
        ("cleaner", ["cleaning"]),
    ],
)
def test_each_model_of_a_table_has_a_page(pages, name, between):
    markup = pages[name].read_text(encoding="utf-8")
    assert re.findall(r'<section id="(\w+)"', markup) == START + between + END
    assert markup.index('class="verdict') < markup.index("<section")
    assert "<b>pulse</b>" not in re.sub(r"<script.*?</script>", "", markup, flags=re.DOTALL)
    assert "<i>rent</i>" not in markup
    assert "&lt;b&gt;pulse&lt;/b&gt; &amp; $x^2$" in markup
    assert "nan" not in re.findall(r">([^<>]{1,12})<", markup)
    ids = re.findall(r'\bid="([^"]+)"', markup)
    assert len(ids) == len(set(ids))


def test_columns_are_listed_with_what_the_model_does_with_them(displays):
    display = displays["ae"]
    section = columns.columns(display)
    assert "11 columns, and the model sees 8" in section.intro
    assert "Left out as identifiers: id." in section.intro
    assert "Left out as free text: notes." in section.intro
    assert "Left out as constant: fixed." in section.intro
    rows = {cells[0]: cells for cells in cells_of(section.body)}
    escaped = MARKUP.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    others = ["=1+1", "home", "grade", "smokes", "since", "fixed", "notes"]
    assert list(rows)[1:] == ["id", "height", "income", escaped, *others]
    assert rows["fixed"][2] == "always 7.5"
    assert rows["since"][1].startswith("datetime")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d to 20\d\d-\d\d-\d\d", rows["since"][2])
    assert rows["=1+1"][4] == "normal, and a probability of 0"
    assert rows["income"][4].startswith("normal, of the asinh")
    assert rows["grade"][2].startswith("3 levels")
    quality = display.view.quality[display.view.names.index("grade")]
    assert rows["grade"][5].startswith(f"{quality.value:.0%} right")
    costs = display.view.costs[:, display.view.names.index("height")]
    assert float(rows["height"][6].replace("−", "-")) == pytest.approx(-np.nanmean(costs), rel=0.01)
    gaps = display.schema.table.columns[1].gaps
    assert rows["height"][3] == (f"{gaps:.1%}" if gaps < 0.1 else f"{gaps:.0%}")
    assert rows["id"][5:] == ["", ""]


def test_of_many_columns_those_that_matter_come_first():
    rng = np.random.default_rng(0)
    z = rng.normal(size=200)
    X = pd.DataFrame({f"c_{i}": z if i >= 30 else rng.normal(size=200) for i in range(50)}).assign(
        word=["a", "b"] * 100
    )
    display = Display(narrows.AE(1, **{**TINY, "max_epochs": 60}).fit(X), X)
    body = columns.columns(display).body
    first, rest = body.split("<details>")
    assert [cells[0] for cells in cells_of(first)[1:]] == [f"c_{i}" for i in range(30, 50)]
    assert "These are the columns that the model reconstructs best." in first
    assert rest.startswith("<summary>31 other columns</summary>")
    assert "20 of 51 columns are shown" in sections.reconstructions(display).body


def test_reconstructions_stand_beside_the_originals(displays, mixed):
    display = displays["ae"]
    view = display.view
    section = sections.reconstructions(display)
    order = np.argsort(view.row_costs, kind="stable").tolist()
    assert f"worst: row p{order[-1]}, " in section.body
    rows = {cells[0]: cells[1:] for cells in cells_of(section.body)[2:]}
    j = view.names.index("=1+1")
    best = [view.text(j, numbers[order[0], j]) for numbers in (view.cells, view.expected)]
    assert rows["=1+1"][:2] == [best[0], best[1] + (" (wrong)" if view.is_wrong[order[0], j] else "")]
    assert section.body.count('class="wrong"') == section.body.count("(wrong)") > 0
    assert f"Of all cells, {percent(view.is_wrong.sum() / (~np.isnan(view.cells)).sum())} come" in section.intro


def test_a_gap_shows_what_the_model_would_put_there(models, mixed):
    rows = mixed.iloc[[3, 3, 3]]
    display = Display(models["ae"], rows)
    lines = cells_of(sections.reconstructions(display).body)
    height = next(cells for cells in lines if cells[0] == "height")
    expected = models["ae"].reconstruct(rows)["height"].iloc[0]
    assert height[1] == "—"
    assert float(height[2]) == pytest.approx(expected, abs=0.51)


def test_outliers_name_the_cells_found_and_expected(models, mixed):
    rows = mixed.copy()
    rows.loc["p7", "height"] = 260.0
    rows.loc["p9", "home"] = "castle"
    with pytest.warns(UserWarning, match="not seen in training"):
        display = Display(models["ae"], rows)
    body = sections.outliers(display).body
    card = next(part for part in body.split("<h3>") if part.startswith("Row p7<"))
    found = next(cells for cells in cells_of(card) if cells[0] == "height")
    assert found[1] == "260"
    assert 120 < float(found[2]) < 220
    assert found[3].startswith("+")
    reasons = display.reasons(9, n=1)
    assert re.fullmatch(
        r"home is not seen in training \(probability .*\), but .* was expected: .* more than usual", reasons[0]
    )


def test_a_map_can_be_coloured_by_each_column(displays):
    display = displays["ae"]
    titles = [groups.title for groups in display.colourings]
    assert titles == ["surprise in nats", *display.view.names]
    home = display.colourings[1 + display.view.names.index("home")]
    assert set(home.names) == {"<i>rent</i>", "owner", LONG, "missing"}
    assert home.names[home.numbers[3]] == "missing"
    assert home.has_missing
    grade = display.colourings[1 + display.view.names.index("grade")]
    assert grade.names == ["low", "mid", "high"]
    assert grade.is_ordered
    since = display.colourings[1 + display.view.names.index("since")]
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d to 20\d\d-\d\d-\d\d", name) for name in since.names[:-1])


def test_each_dial_says_what_it_moves(displays):
    display = displays["vae"]
    turned = TurnedDials(display.view, display.inspection.rows[[0]], [0, 1], 3.0)
    moved = turned.moved(0)
    size = np.abs(turned.changes[0]).max(0)
    of_columns = [max(s for s, term in zip(size, display.view.terms, strict=True) if term.column == j) for j in moved]
    assert of_columns == sorted(of_columns, reverse=True)
    cards = turned.cards(["0", "1"])
    names = [cells[0] for cells in cells_of(cards.split("</li>")[0])[1:]]
    assert len(names) == len(moved) <= 6
    means = display.view.means(turned.params[0])
    numbers = [j for j in moved if not display.view.columns[j].has_levels]
    assert numbers
    for j in numbers:
        assert display.view.text(j, means[0, j]) in cards
        assert display.view.text(j, means[-1, j]) in cards


def test_new_rows_stand_beside_real_ones(displays):
    section = sections.samples(displays["vae"], note="A note.")
    heads = cells_of(section.body)
    assert heads[0][1:] == ["new rows", "real rows"]
    assert len(heads[1]) == 9
    assert "A note." in section.body
    assert "samples-chart" not in section.body or 'class="chart"' in section.body


def test_cleaning_counts_levels_and_numbers(displays):
    section = sections.cleaning(displays["cleaner"])
    assert re.search(r"right levels from \d+% to \d+%", section.intro.replace(".", ""))
    assert "mean squared error of numbers (in standard deviations)" in section.intro
    assert cells_of(section.body)[1][1:4] == ["original", "noisy", "cleaned"]


def test_frames_of_any_library_and_rows_as_dicts_make_a_page(models, mixed, tmp_path):
    plain = mixed.reset_index(drop=True)
    frames = {"dicts": plain.head(40).to_dict("records")}
    for name in ("polars", "pyarrow"):
        library = pytest.importorskip(name)
        frames[name] = (
            library.from_pandas(plain) if name == "polars" else library.Table.from_pandas(plain, preserve_index=False)
        )
    for name, X in frames.items():
        path = write_report(models["vae"], X, tmp_path / f"{name}.html", y="grade", max_examples=30)
        assert "with the column grade as label" in path.read_text(encoding="utf-8")
        assert draw_sample(models["vae"], X, None, 30, 0).n == len(X)


def test_a_report_says_whether_new_rows_are_real_of_use_and_no_copies(models, mixed, tmp_path):
    half = mixed.iloc[:120]
    path = write_report(models["vae"], mixed.iloc[120:], tmp_path / "n.html", y="home", train=half)
    section = path.read_text(encoding="utf-8").split('<section id="newrows"')[1].split("</section>")[0]
    table = narrows.evaluate(models["vae"], mixed.iloc[120:], train=half, target="home", verbose=0)
    assert f"from real ones (C2ST {table['c2st_auc']:.2f}, where 0.5 is chance" in section
    assert "Trees fitted to them reach" in section
    assert "accuracy of &#x27;home&#x27;" in section
    lines = {cells[0]: cells[1:] for cells in cells_of(section)}
    assert float(lines["closer to a training row"][0]) == pytest.approx(table["closer"], abs=0.006)
    assert float(lines["difference of pairs of columns"][1]) == pytest.approx(table["pairs_real"], abs=0.006)
    assert "nearer to a training row than to a held-out row" in section
    alone = write_report(models["vae"], mixed, tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Pass the training rows" in alone
    assert "the training examples were not given" in alone.split('<section id="newrows"')[1].split("</section>")[0]


def test_the_verdict_about_new_rows_depends_on_their_measures(mixed):
    measured = narrows.evaluate_rows(mixed.iloc[:120], mixed.iloc[120:], train=mixed.iloc[:120], target="grade")
    remembered = new_rows.verdict(measured.rows)
    assert "Many are close to training rows: 100% are nearer" in remembered
    assert "100% equal a training row, and 0.0% of the held-out rows do" in remembered
    honest = {**measured.rows, "closer": Row(0.51), "copies": Row(0.0), "copies_real": Row(0.0), "c2st_auc": Row(0.54)}
    words = new_rows.verdict(honest)
    assert "New rows can hardly be told from real ones (C2ST 0.54" in words
    assert "They are not copies: 51% are nearer to a training row than to a held-out row" in words
    assert "are easily told" in new_rows.verdict({"c2st_auc": Row(0.97)})
    assert "Some are copies: 5.0% equal" in new_rows.verdict({**honest, "copies": Row(0.05)})


def test_files_and_iterators_of_tables_are_sampled(models, mixed, tmp_path):
    plain = mixed.reset_index(drop=True)
    plain.to_csv(tmp_path / "t.csv", index=False)
    plain.to_parquet(tmp_path / "t.parquet")
    table = models["vae"].schema_.table
    for X in (tmp_path / "t.csv", tmp_path / "t.parquet", iter([plain[:100], plain[100:]])):
        sample = draw_sample(models["vae"], X, None, 30, 0)
        expected = table.encode(plain.iloc[sample.rows], "test")
        assert sample.n == len(plain)
        assert np.array_equal(np.asarray(sample.X), np.asarray(expected), equal_nan=True)
        assert Display(models["vae"], sample.X).rows.shape == (30, len(table.used))


def test_columns_of_a_vector_are_listed_if_some_are_left_out(vectors, tmp_path):
    X = pd.DataFrame(vectors, columns=list("abcdef")).assign(key=[f"k{i}" for i in range(200)], same=1.0)
    display = Display(narrows.AE(2, **TINY).fit(X), X)
    assert display.schema.kind == "vector"
    section = columns.columns(display)
    assert "Left out as identifiers: key. Left out as constant: same." in section.intro
    assert len(cells_of(section.body)) == 9
    path = write_report(display.model, X, tmp_path / "v.html")
    assert 'id="columns"' in path.read_text(encoding="utf-8")


def test_arrays_with_gaps_make_a_page(vectors, tmp_path):
    X = vectors.copy()
    X[::7, 2] = np.nan
    for model in (narrows.VAE(2, **TINY), narrows.DAE(2, **TINY), narrows.SAE(8, k=2, **TINY)):
        markup = write_report(model.fit(X), X, tmp_path / "gaps.html").read_text(encoding="utf-8")
        assert "nan" not in re.findall(r">([^<>]{1,12})<", markup)


def test_a_name_may_break_after_an_underscore():
    assert page.breakable("a_b<") == "a_<wbr>b&lt;"


# ------------------------------------------------------------------------------------------------- in a browser


@pytest.mark.parametrize("name", ["vae", "ae", "sae", "dae", "cleaner"])
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_page_of_a_table_opens_without_complaint(chromium, pages, name, width, scheme):
    with Opened(chromium, pages[name], width, color_scheme=scheme) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_dials_turn_the_model_of_a_table(chromium, pages, models):
    model = models["vae"]
    with Opened(chromium, pages["vae"]) as tab:
        tab.locator("[data-start]").nth(1).click()
        z = [float(v.replace("−", "-")) for v in tab.locator(".dial output").all_inner_texts()]
        components = [int(name.removeprefix("Dial ")) for name in tab.locator(".dial-name").all_inner_texts()]
        names = tab.locator(".bars li > span").all_inner_texts()
        shown = dict(zip(names, tab.locator(".bars output").all_inner_texts(), strict=True))
    codes = np.zeros((1, 2))
    codes[0, components] = z
    expected = model.inverse_transform(codes * model.dial_scale()).iloc[0]
    assert shown["home"].partition("% ")[2] in expected["home"] + "…"
    assert shown["grade"].partition("% ")[2] == expected["grade"]
    assert shown["smokes"].partition("% ")[2] == str(expected["smokes"])
    assert float(shown["height"]) == pytest.approx(expected["height"], abs=0.8)
    assert float(shown["income"].replace(",", "")) == pytest.approx(expected["income"], rel=0.05)
    assert abs(pd.Timestamp(shown["since"]) - expected["since"]) < pd.Timedelta(days=3)


def test_the_box_above_the_map_changes_the_colours(chromium, pages, displays):
    with Opened(chromium, pages["ae"]) as tab:
        before = tab.locator(".spot").nth(3).get_attribute("class")
        assert tab.locator("[data-legend='0']").is_visible()
        position = 1 + displays["ae"].view.names.index("home")
        tab.locator("[data-colouring]").select_option(str(position))
        assert not tab.locator("[data-legend='0']").is_visible()
        assert tab.locator(f"[data-legend='{position}'] button").count() == 4
        assert tab.locator(".spot").nth(3).get_attribute("class") == "spot gap" != before
        tab.locator(f"[data-legend='{position}'] [data-group='3']").click()
        missing = int(np.isnan(displays["ae"].view.cells[:, position - 1]).sum())
        assert tab.locator(".spot:not(.off)").count() == missing
