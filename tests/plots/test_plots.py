"""Pictures from Python: each shows the numbers it says, on the axes it is given, and leaves no trace elsewhere."""

import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

import narrows
from narrows.evaluation.inspection import Inspection
from narrows.plots import Plots, content, drawing, style

TINY = {"hidden": (32,), "max_epochs": 4, "random_state": 0, "device": "cpu", "precision": "float32"}
COLUMNS = ["height", "weight", "age", "pulse", "sleep", "income"]


@pytest.fixture(autouse=True)
def nothing_global():
    """No setting of matplotlib changes."""
    before = dict(mpl.rcParams)
    yield
    assert dict(mpl.rcParams) == before


@pytest.fixture(scope="session")
def images(digits):
    return digits[:300]


@pytest.fixture(scope="session")
def labels():
    from sklearn.datasets import load_digits

    return load_digits().target[:300]


@pytest.fixture(scope="session")
def frame(vectors):
    return pd.DataFrame(vectors, columns=COLUMNS)


@pytest.fixture(scope="session")
def models(images, frame):
    """By what they are fitted on."""
    rng = np.random.default_rng(0)
    series = np.cumsum(rng.normal(size=(100, 60)), 1)
    return {
        "vae": (narrows.VAE(3, **TINY).fit(images), images),
        "ae": (narrows.AE(2, **TINY).fit(images), images),
        "one": (narrows.AE(1, **TINY).fit(images), images),
        "sae": (narrows.SAE(12, k=3, **TINY).fit(images), images),
        "dae": (narrows.DAE(2, **TINY).fit(images), images),
        "colour": (narrows.VAE(2, **TINY).fit(np.stack([images] * 3, -1)), np.stack([images] * 3, -1)),
        "table": (narrows.VAE(2, **TINY).fit(frame), frame),
        "units": (narrows.SAE(8, k=2, **TINY).fit(frame), frame),
        "series": (narrows.AE(2, **TINY).fit(series), series),
    }


@pytest.mark.parametrize("name", ["vae", "ae", "one", "sae", "dae", "colour", "table", "units", "series"])
def test_every_model_has_its_pictures(models, name):
    model, X = models[name]
    plot = Plots(model, style.detached_axes)
    drawn = [plot.curves(), plot.reconstructions(X), plot.map(X), plot.dials(X[:1])]
    if Inspection(model).can_sample:
        drawn += [plot.samples(), plot.samples(X=X), plot.dials()]
    else:
        drawn.append(plot.units(X))
    for ax in drawn:
        ax.figure.canvas.draw()
        assert ax.get_children()


@pytest.mark.parametrize("method", ["curves", "reconstructions", "map", "dials", "samples"])
@pytest.mark.parametrize("name", ["vae", "table"])
def test_the_axes_given_are_drawn_on_and_returned(models, name, method):
    from matplotlib.figure import Figure

    model, X = models[name]
    given = Figure().add_subplot()
    arguments = {"reconstructions": (X,), "map": (X,)}.get(method, ())
    assert getattr(model.plot, method)(*arguments, ax=given) is given
    assert len(given.figure.axes) == 1


def test_curves_are_the_history(models):
    model, _ = models["vae"]
    ax = Plots(model, style.detached_axes).curves()
    held_out, training = (line.get_xydata() for line in ax.get_lines())
    assert np.array_equal(held_out[:, 0], [r["epoch"] for r in model.history_])
    top = ax.get_ylim()[1]
    assert np.allclose(held_out[:, 1], np.minimum([r["valid_loss"] for r in model.history_], top))
    assert np.allclose(training[:, 1], np.minimum([r["loss"] for r in model.history_], top))
    words = " ".join(text.get_text() for text in ax.texts)
    assert drawing.format_number(model.history_[-1]["valid_loss"]) in words


def test_two_components_are_the_map_and_more_are_projected(models):
    model, X = models["ae"]
    points = Plots(model, style.detached_axes).map(X).collections[0].get_offsets()
    assert np.allclose(points, model.transform(X))
    model, X = models["vae"]
    ax = Plots(model, style.detached_axes).map(X)
    codes = model.transform(X).astype(float)
    pca = PCA(2).fit(codes)
    expected, points = pca.transform(codes), np.asarray(ax.collections[0].get_offsets())
    assert np.allclose(np.abs(points), np.abs(expected), atol=1e-6)
    assert f"{pca.explained_variance_ratio_[0]:.0%}" in ax.get_xlabel()
    plane = Inspection(model, X).plane
    assert np.allclose((codes[:3] - plane.mean) @ plane.directions.T, plane.places[:3])


def test_labels_have_a_colour_and_a_marker_each(models, labels):
    model, X = models["vae"]
    ax = Plots(model, style.detached_axes).map(X, labels)
    groups = ax.collections
    assert [len(group.get_offsets()) for group in groups] == np.bincount(labels).tolist()
    assert len({tuple(group.get_facecolor()[0]) for group in groups}) == 10
    assert len({group.get_paths()[0].vertices.tobytes() for group in groups}) == 10
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [str(i) for i in range(10)]


@pytest.mark.parametrize(
    ("y", "kinds"),
    [
        (np.array(["b", "a", "b"] * 100), ["a", "b"]),
        (np.repeat([1.0, 2.0, np.nan], 100), ["1", "2"]),
        (np.array([None, "a", "b"] * 100, dtype=object), ["a", "b", "missing"]),
        (np.array([f"w{i % 30}" for i in range(300)]), None),
        (np.zeros(300), ["0"]),
    ],
)
def test_kinds_of_labels(models, y, kinds):
    model, X = models["vae"]
    ax = Plots(model, style.detached_axes).map(X, y)
    found = [t.get_text() for t in ax.get_legend().get_texts()]
    if kinds is None:
        assert len(found) == 11
        assert found[-1] == "other"
    else:
        assert [name for name in found if name != "other"] == kinds


def test_measurements_are_a_scale(models):
    model, X = models["vae"]
    ax = Plots(model, style.detached_axes).map(X, np.linspace(0, 1, 300))
    assert len(ax.figure.axes) == 2  # the second is the scale's
    assert ax.collections[0].get_cmap().name == style.SEQUENCE


def test_best_typical_and_worst(models):
    model, X = models["vae"]
    out = np.asarray(model.reconstruct(X))
    error = np.square(out - X).mean((1, 2))
    errors = Inspection(model, X).errors
    assert np.allclose(errors, error, atol=1e-6)
    chosen = content.best_typical_worst(errors, 4)
    order = np.argsort(errors, kind="stable")
    assert set(chosen[:4]) == set(order[:4])
    assert set(chosen[-4:]) == set(order[-4:])
    assert abs(np.median(error) - error[chosen[4:8]].mean()) < error.std()
    assert len(content.best_typical_worst(np.array([3.0, 1.0]), 4)) <= 3


def test_dials_come_in_the_order_of_what_they_carry(models):
    model, X = models["vae"]
    ax = Plots(model, style.detached_axes).dials(X[0])
    assert [t.get_text()[0] for t in ax.get_yticklabels()] == ["0", "1", "2"]
    assert all("nats" in t.get_text() for t in ax.get_yticklabels())
    model, X = models["ae"]
    order, _ = content.dial_labels(Inspection(model), 5)
    assert order == np.argsort(-model.code_std_).tolist()
    turned = Plots(model).turn_dials(X[0], [1], 5, 2.0)
    assert np.allclose(turned[0, :, 0], model.traverse(X[:1], components=[1], n_steps=5, span=2.0)[0], atol=1e-6)


def test_columns_have_their_names(models):
    model, X = models["table"]
    for ax in (Plots(model, style.detached_axes).reconstructions(X), Plots(model, style.detached_axes).samples(X=X)):
        assert [t.get_text() for t in ax.get_xticklabels()] == COLUMNS
    model, X = models["series"]
    assert Plots(model, style.detached_axes).reconstructions(X).get_xlabel().startswith("columns by number")


def test_bars_are_the_values(models):
    model, X = models["table"]
    ax = Plots(model, style.detached_axes).reconstructions(X)
    inspection = Inspection(model, X)
    best = content.best_typical_worst(inspection.errors, 1)[0]
    heights = np.array([bar.get_height() for bar in ax.patches[: len(COLUMNS)]])
    assert np.corrcoef(heights, inspection.rows[best])[0, 1] > 0.999999


def test_units_are_the_busiest(models):
    model, X = models["sae"]
    active = model.active_units(X)
    inspection = Inspection(model, X)
    assert np.array_equal(inspection.units.rate, active.rate)
    busiest = int(inspection.units.order[0])
    assert busiest == active.rate.argmax()
    assert np.array_equal(inspection.top_rows(busiest, 4), model.top_examples(X, busiest, 4))
    ax = Plots(model, style.detached_axes).units(X, n_units=5)
    assert ax.get_yticklabels()[0].get_text().startswith(f"unit {busiest}, ")


def test_samples_follow_the_seed(models):
    model, _ = models["vae"]
    a, b, c = (
        Plots(model, style.detached_axes).samples(4, random_state=seed).images[0].get_array() for seed in (0, 0, 1)
    )
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize(
    ("name", "call", "words"),
    [
        ("vae", lambda p, X: p.units(X), r"plot.units needs a sparse code, and this VAE has none"),
        ("sae", lambda p, X: p.samples(), r"plot.samples draws random codes; this SAE has no distribution of codes"),
        (
            "vae",
            lambda p, X: p.map(X, [1, 2]),
            r"y passed to plot.map must hold one label for each of 300 examples, shape \(300,\). Got shape \(2,\)",
        ),
        ("vae", lambda p, X: p.reconstructions(X, 0), r"The `n` parameter of plot.reconstructions must be an int"),
        ("vae", lambda p, X: p.map(X[:, :4]), r"the model was fitted on shape \(8, 8\)"),
        ("vae", lambda p, X: p.map(X[:0]), r"0 sample"),
    ],
)
def test_what_is_refused(models, name, call, words):
    model, X = models[name]
    with pytest.raises(ValueError, match=words):
        call(model.plot, X)


def test_a_model_without_a_code_says_so(images):
    model = narrows.DAE(network="mlp", **TINY).fit(images)
    with pytest.raises(ValueError, match=r"plot.map needs codes, and this DAE has none, because n_components=None"):
        model.plot.map(images)
    with pytest.raises(Exception, match="not fitted"):
        narrows.AE(2).plot  # noqa: B018


def test_a_notebook_gets_figures_of_pyplot(models, monkeypatch):
    model, X = models["ae"]
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    model.plot.map(X)
    assert "matplotlib.pyplot" not in sys.modules
    monkeypatch.setattr(style, "_in_notebook", lambda: True)
    ax = model.plot.map(X)
    from matplotlib import pyplot

    assert ax.figure.number in pyplot.get_fignums()


def test_the_pictures_are_named(models):
    model, _ = models["vae"]
    names = repr(model.plot).removeprefix("VAE.plot: ").split(", ")
    assert all(callable(getattr(model.plot, name)) for name in names)
    assert len(names) == 6


# ------------------------------------------------------------------------------------------------- the style


def luminance(colour: str) -> float:
    """See https://www.w3.org/TR/WCAG21/#dfn-relative-luminance."""
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", [style.LIGHT, style.DARK])
def test_text_can_be_read(theme):
    for name in ("ink", "soft", "sea", "sea-2", *(f"d{i}" for i in range(10))):
        for ground in ("paper", "raised"):
            high, low = sorted((luminance(theme[name]), luminance(theme[ground])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (name, ground)
    assert theme.keys() == style.LIGHT.keys()


def test_a_chart_on_a_page_has_the_pages_colours_and_ids_of_its_own(models):
    import re
    from xml.etree import ElementTree

    model, X = models["table"]
    ids = []
    for name in ("a", "b"):
        words = style.to_svg(Plots(model, style.detached_axes).reconstructions(X), 'a "chart" & more', name)
        ElementTree.fromstring(words.replace("xlink:", ""))
        assert "var(--sea)" in words
        assert not re.search(r"url\(|DejaVu|<metadata", words)
        assert not {colour for colour in style.LIGHT.values() if colour in words}
        ids += re.findall(r' id="([^"]+)"', words)
    assert len(ids) == len(set(ids))


def test_missing_values_are_drawn_as_gaps():
    ax = style.detached_axes(4, 2)
    drawing.draw_lanes(ax, [("a", [("x", np.array([1.0, np.nan, -2.0]))])], ["a", "b", "c"], "units")
    ax.figure.canvas.draw()
    up, gap, down = (bar.get_height() for bar in ax.patches)
    assert up > 0 > down
    assert np.isnan(gap)
    drawing.draw_ranges(style.detached_axes(4, 2), {"a": np.array([[1.0, np.nan], [2.0, 3.0]])}, ["a", "b"], "units")
