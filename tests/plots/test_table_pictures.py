"""Pictures of tables: cells in the user's units, each column on its own scale, levels by name, gaps as gaps."""

import numpy as np
import pandas as pd
import pytest
import torch
from mixed_table import LONG, MARKUP, make_frame

import narrows
from narrows.data import Column
from narrows.evaluation.inspection import Inspection
from narrows.plots import Plots, style
from narrows.plots.cells import GAP, UNSEEN, format_cell
from narrows.plots.tables import MOST_COLUMNS, TableView, standardize

TINY = {"hidden": (32,), "max_epochs": 12, "random_state": 0, "device": "cpu", "precision": "float32"}
DAY = 86_400.0


@pytest.fixture(scope="session")
def mixed():
    return make_frame()


@pytest.fixture(scope="session")
def table_models(mixed):
    return {
        "ae": narrows.AE(3, **TINY).fit(mixed),
        "vae": narrows.VAE(2, **TINY).fit(mixed),
        "sae": narrows.SAE(8, k=2, **TINY).fit(mixed),
        "dae": narrows.DAE(2, **TINY).fit(mixed),
    }


@pytest.fixture(scope="session")
def view(table_models, mixed):
    return TableView(Inspection(table_models["ae"], mixed))


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(
    ("column", "number", "text"),
    [
        (Column("a", "real", "float64", scale=0.02), 42.0349, "42.035"),
        (Column("a", "real", "float64", scale=300.0), -1234.5, "−1234"),
        (Column("a", "real", "float64", scale=300.0), 12345.6, "12,346"),
        (Column("a", "real", "float64", scale=0.02), -0.0001, "0.000"),
        (Column("a", "real", "float64", scale=1e-9), 2.5e-9, "2.5e−09"),
        (Column("a", "integer", "int64", step=1.0, scale=9.0), 1973.2, "1973"),
        (Column("a", "count", "int64", step=1.0), 12_000.0, "12,000"),
        (Column("a", "datetime", "datetime64[ns]", scale=30 * DAY, step=1.0), 18 * DAY + 5, "1970-01-19"),
        (Column("a", "datetime", "datetime64[ns]", scale=DAY, step=1.0), 18 * DAY + 65, "1970-01-19 00:01"),
        (Column("a", "datetime", "datetime64[ns]", scale=5.0, step=1.0), 65.0, "1970-01-01 00:01:05"),
        (Column("a", "duration", "timedelta64[ns]", scale=DAY), 3 * DAY + 4 * 3600, "3 d 4 h"),
        (Column("a", "duration", "timedelta64[ns]", scale=9.0), -0.25, "−0.25 s"),
        (Column("a", "categorical", "object", levels=("x", "y"), frequencies=(0.5, 0.5)), 1.0, "y"),
        (Column("a", "categorical", "object", levels=("x", " "), frequencies=(0.5, 0.5)), 1.0, "' '"),
        (Column("a", "categorical", "object", levels=("x",), frequencies=(0.5, 0.5), n_rare=4), 1.0, "other"),
        (Column("a", "categorical", "object", levels=("x", "y"), frequencies=(0.5, 0.5)), 2.0, UNSEEN),
        (Column("a", "binary", "bool", levels=(False, True), frequencies=(0.5, 0.5)), 1.0, "True"),
        (Column("a", "binary", "float64", levels=(0.5, 2.0), frequencies=(0.5, 0.5)), 1.0, "2"),
        (Column("a", "real", "float64"), float("nan"), GAP),
    ],
)
def test_cells_are_written_as_people_write_them(column, number, text):
    assert format_cell(column, number) == text


@pytest.mark.parametrize("name", ["ae", "vae", "sae", "dae"])
@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_each_model_of_a_table_has_its_pictures(table_models, mixed, name, kind):
    model, X = table_models[name], mixed
    if kind != "pandas":
        library = pytest.importorskip(kind)
        plain = mixed.reset_index(drop=True)
        X = library.from_pandas(plain) if kind == "polars" else library.Table.from_pandas(plain, preserve_index=False)
    plot = Plots(model, style.detached_axes)
    drawn = [plot.curves(), plot.reconstructions(X), plot.map(X), plot.map(X, "home"), plot.dials(X[:1]), plot.dials()]
    drawn += [plot.units(X)] if name == "sae" else [plot.samples(), plot.samples(X=X)]
    for ax in drawn:
        ax.figure.canvas.draw()
        assert ax.get_children()


def test_reconstructions_show_cells_side_by_side_and_mark_what_is_wrong(table_models, mixed, view):
    ax = Plots(table_models["ae"], style.detached_axes).reconstructions(mixed)
    shown = texts(ax)
    assert all(name in shown for name in ("height", "=1+1", MARKUP, "since", "original", "reconstructed"))
    assert "id" not in shown
    assert "notes" not in shown
    order = np.argsort(view.row_costs, kind="stable")
    worst, home = int(order[-1]), view.names.index("home")
    assert any(text.startswith("worst, ") for text in shown)
    assert view.text(view.names.index("height"), view.cells[worst, view.names.index("height")]) in shown
    bold = [text.get_text() for text in ax.texts if text.get_weight() == "bold"]
    marked = [j for j in range(len(view.columns)) if view.is_wrong[worst, j]]
    assert marked
    assert all(view.text(j, view.expected[worst, j])[:15] in " ".join(bold) for j in marked if j != home)


def test_what_is_wrong_is_another_level_or_a_standard_deviation_away(table_models, mixed, view):
    back = table_models["ae"].reconstruct(mixed)
    for name in ("home", "grade", "smokes"):
        j = view.names.index(name)
        differs = (back[name].astype(object) != mixed[name].astype(object)) & mixed[name].notna()
        assert view.is_wrong[:, j].tolist() == differs.tolist()
        assert view.quality[j].value == pytest.approx(1 - differs.sum() / mixed[name].notna().sum())
    j = view.names.index("height")
    error = (back["height"] - mixed["height"]).to_numpy()
    std = table_models["ae"].schema_.std[j] * table_models["ae"].schema_.scale[j]
    assert view.is_wrong[:, j].tolist() == (np.abs(error) > std).tolist()
    observed = mixed["height"].dropna()
    expected = 1 - np.nansum(error**2) / ((observed - observed.mean()) ** 2).sum()
    assert view.quality[j].value == pytest.approx(expected, abs=1e-4)


def test_a_gap_is_no_error_and_has_what_the_model_would_put_there(view):
    is_missing = np.isnan(view.cells)
    assert is_missing[3, view.names.index("height")]
    assert not view.is_wrong[is_missing].any()
    assert np.isnan(view.costs[is_missing]).all()
    assert np.isfinite(view.expected).all()
    assert view.row_costs[3] == pytest.approx(np.nanmean(view.costs[3]))


def test_dials_move_each_column_on_its_own_scale(table_models, mixed):
    model = table_models["vae"]
    ax = Plots(model, style.detached_axes).dials(mixed[:1], span=2.0)
    names = [label.get_text() for label in ax.get_xticklabels()]
    assert "income" in names
    assert "smokes = True" in names
    assert not any(name.startswith("smokes = False") for name in names)  # it says the same as True
    bars = [bar.get_height() for bar in ax.patches]
    assert max(map(abs, bars)) <= 0.42 + 1e-9
    turned = TableView(Inspection(model)).turn(model.prepare(mixed[:1]), [1], 5, 2.0)
    z = np.tile(model.transform(mixed[:1]).astype(np.float64), (5, 1))
    z[:, 1] = model.code_mean_[1] + model.dial_scale()[1] * np.linspace(-2, 2, 5)
    decoded = TableView(Inspection(model)).means(turned[0])
    expected = model.schema_.table.encode(model.inverse_transform(z), "test")
    numbers = [j for j, column in enumerate(model.schema_.used_columns) if column.kind in ("real", "heavy_tailed")]
    assert np.allclose(decoded[:, numbers], np.asarray(expected)[:, numbers], rtol=1e-4)


def test_the_terms_are_standardised_numbers_and_probabilities(table_models):
    model = table_models["vae"]
    view = TableView(Inspection(model))
    params = view.decode(torch.zeros(1, 2))
    values = view.values(params)[0]
    mean = standardize(model.schema_, model.model_.likelihood.mean(params))[0]
    for (j, level), value in zip(view.terms, values, strict=True):
        expected = mean[j] if level is None else view.level_probs(params, j)[0, level]
        assert value == pytest.approx(expected)
    home = [value for (j, level), value in zip(view.terms, values, strict=True) if view.names[j] == "home"]
    assert sum(home) == pytest.approx(1.0)
    changes = np.zeros((1, len(view.terms)))
    changes[0, [i for i, term in enumerate(view.terms) if view.names[term.column] == "home"]] = [3, 2, 1]
    assert [view.term_name(view.terms[i]) for i in view.moving(changes, 2)] == ["home = owner", "home = <i>rent</i>"]


def test_samples_are_drawn_in_the_users_units(table_models, mixed):
    plot = Plots(table_models["vae"], style.detached_axes)
    drawn = plot.sample_cells(50, 0)
    frame = table_models["vae"].sample(50, random_state=0)
    j = [column.name for column in table_models["vae"].schema_.used_columns].index("height")
    assert np.allclose(drawn[:, j], frame["height"])
    ax = plot.samples(X=mixed)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert "fixed" not in names
    assert "height" in names
    assert any(text == "owner" for text in texts(ax))
    assert any(LONG.startswith(text[:-1]) for text in texts(ax) if text.endswith("…"))
    assert ax.get_legend().get_texts()[0].get_text() == "new, above"


def test_of_many_columns_the_best_known_are_shown():
    rng = np.random.default_rng(0)
    z = rng.normal(size=200)
    X = pd.DataFrame({f"c{i}": z if i >= 30 else rng.normal(size=200) for i in range(50)}).assign(word=["a", "b"] * 100)
    model = narrows.AE(1, **{**TINY, "max_epochs": 60}).fit(X)
    view = TableView(Inspection(model, X))
    assert [view.names[j] for j in view.main] == [f"c{i}" for i in range(30, 50)]
    ax = Plots(model, style.detached_axes).reconstructions(X)
    assert ax.get_xlabel() == "20 of 51 columns are shown: those that the model reconstructs best."
    assert len(view.main) == MOST_COLUMNS


def test_units_of_a_table_change_columns(table_models, mixed):
    model = table_models["sae"]
    ax = Plots(model, style.detached_axes).units(mixed, n_units=3)
    assert len(ax.get_yticklabels()) == 3
    assert max(abs(bar.get_height()) for bar in ax.patches) > 0


def test_a_map_is_coloured_by_a_column(table_models, mixed):
    plot = Plots(table_models["ae"], style.detached_axes)
    by_name, by_cells = plot.map(mixed, "home"), plot.map(mixed, mixed["home"])
    labels = [[text.get_text() for text in ax.get_legend().get_texts()] for ax in (by_name, by_cells)]
    assert labels[0] == labels[1]
    assert "owner" in labels[0]
    dates = plot.map(mixed, "since")  # not one of the classes: a scale
    assert dates.get_legend() is None
    with pytest.raises(ValueError, match=r"name a column of X. Got 'nothing'; columns of X: id, height"):
        plot.map(mixed, "nothing")
    with pytest.raises(ValueError, match="X has no columns with names"):
        plot.map(mixed.to_numpy(), "home")


def test_frames_of_real_numbers_keep_their_bars(vectors):
    X = pd.DataFrame(vectors, columns=list("abcdef")).assign(key=[f"k{i}" for i in range(200)], same=1.0)
    model = narrows.VAE(2, **TINY).fit(X)
    assert model.schema_.kind == "vector"
    plot = Plots(model, style.detached_axes)
    for ax in (plot.reconstructions(X), plot.dials(X[:1]), plot.samples(X=X)):
        assert [label.get_text() for label in ax.get_xticklabels()] == list("abcdef")
