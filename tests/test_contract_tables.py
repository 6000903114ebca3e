"""The contract of every registered recipe on tables and on gaps: words, dates and missing cells are taken."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from interrupting import interrupt_at
from recipe_cases import OTHERS, REPRESENTATIVES, Case
from sklearn.utils import get_tags

import narrows
from narrows import AE, VAE, recipes
from narrows.bottlenecks import Plain
from narrows.data import Schema
from narrows.evaluation.scores import missing_scores
from narrows.recipes import Components, Hidden, Parts, assemble, register
from narrows.types import Batch

N = 48
FAST = {"random_state": 0, "device": "cpu", "precision": "float32"}


def takes_tables(case: Case) -> bool:
    """False for a choice of columns, and for modes that are learned examples: levels cannot be learned."""
    return case.recipe not in ("concreteae", "vamp") and case.parameters.get("prior") != "vamp"


ALL = (*REPRESENTATIVES, *OTHERS)
every_case = pytest.mark.parametrize("case", [case for case in ALL if takes_tables(case)], ids=lambda case: case.id)


def make_frame(n: int = N, seed: int = 0) -> pd.DataFrame:
    """A frame of each kind of column, in which all columns depend on one hidden number, with gaps."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "height": z + 0.1 * rng.normal(size=n),
            "city": np.where(z + 0.2 * rng.normal(size=n) > 0, "a", np.where(z > -1, "b", "c")),
            "price": np.exp(2 * z),
            "visits": rng.poisson(np.exp(z / 2)),
            "day": pd.Timestamp("2020-06-01") + pd.to_timedelta(np.round(50 * z), unit="D"),
            "flag": z > 0.3,
            "name": [f"row {i}" for i in range(n)],
        },
        index=pd.Index(np.arange(n)[::-1] * 2, name="key"),
    )
    for name, share in {"height": 0.2, "city": 0.15, "price": 0.1, "day": 0.1}.items():
        frame.loc[rng.random(n) < share, name] = None
    return frame


FRAME = make_frame()


@pytest.mark.parametrize("case", [case for case in ALL if not takes_tables(case)], ids=lambda case: case.id)
def test_models_that_take_no_tables_say_what_to_do(case):
    with pytest.raises(ValueError, match=r"table.*(Use estimator|pass the columns)"):
        case.fit(case.make(max_epochs=2), FRAME)


@every_case
def test_a_frame_with_words_dates_and_gaps(case, tmp_path):
    model = case.fit(case.make(max_epochs=2), FRAME)
    assert model.schema_.kind == "table"
    assert [column.name for column in model.schema_.table.left_out] == ["name"]
    assert get_tags(model).input_tags.allow_nan

    result = model.reconstruct(FRAME)
    assert result.dtypes.equals(FRAME.dtypes)
    assert result.index.equals(FRAME.index)
    assert result["name"].equals(FRAME["name"])
    assert not result.isna().any(axis=None)
    assert set(result["city"]) <= {"a", "b", "c"}

    scores = model.score_samples(FRAME)
    assert scores.shape == (N,)
    assert np.isfinite(scores).all()
    decisions = scores + missing_scores(model.usual_scores_, np.asarray(model.check(FRAME))) - model.offset_
    np.testing.assert_allclose(model.decision_function(FRAME), decisions, rtol=1e-9, atol=1e-9)

    entries = model.score_entries(FRAME)
    assert entries.index.equals(FRAME.index)
    used = FRAME.drop(columns="name")
    assert list(entries.columns) == list(used.columns)
    assert entries.isna().equals(used.isna())

    if case.n_components is not None:
        Z = model.transform(FRAME)
        assert Z.shape == (N, case.n_components)
        assert np.isfinite(Z).all()
        np.testing.assert_allclose(model.transform(FRAME.iloc[3].to_dict()), Z[3:4], atol=1e-5)  # one row as a dict
    if case.n_components is not None and model.model_.bottleneck.default_sampler is not None:
        drawn = model.sample(7, random_state=0)
        assert len(drawn) == 7
        assert list(drawn.columns) == list(used.columns)
        assert drawn.dtypes.equals(used.dtypes)

    model.save(tmp_path / "model")
    for again in (narrows.load(tmp_path / "model", device="cpu"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.score_samples(FRAME), scores)
        np.testing.assert_array_equal(again.decision_function(FRAME), model.decision_function(FRAME))
        pd.testing.assert_frame_equal(again.reconstruct(FRAME), result)


@every_case
def test_infinity_is_refused_everywhere(case):
    bad = FRAME.copy()
    bad.loc[bad.index[5], "height"] = np.inf
    with pytest.raises(ValueError, match="column 'height' holds infinity"):
        case.fit(case.make(max_epochs=1), bad)
    model = case.fit(case.make(max_epochs=1), FRAME)
    methods = ["reconstruct", "score_samples", "score_entries", "decision_function", "predict", "partial_fit"]
    for name in [*methods, *(["transform"] if case.n_components else [])]:
        with pytest.raises(ValueError, match=r"column 'height' .*holds infinity \(first in row 5\)"):
            getattr(model, name)(bad)
    scores = model.score_samples(FRAME)
    np.testing.assert_allclose(
        model.stream(iter([FRAME, FRAME]), method="score_samples"), [*scores, *scores], rtol=1e-5
    )
    with pytest.raises(ValueError, match=r"column 'height' .*holds infinity"):
        model.stream(iter([FRAME, bad]), method="score_samples")
    numbers = np.random.default_rng(0).normal(size=(N, 4))
    numbers[3, 1], numbers[7, 2] = np.nan, -np.inf
    with pytest.raises(ValueError, match=r"(contains|column 2 holds) infinity"):
        case.fit(case.make(max_epochs=1), numbers)


@pytest.mark.parametrize("case", [*filter(takes_tables, REPRESENTATIVES)], ids=lambda case: case.id)
def test_an_interrupted_training_on_a_table_goes_on(case, tmp_path, monkeypatch):
    settings = {"max_epochs": 4, "checkpoint": str(tmp_path / "checkpoint")}
    whole = case.fit(case.make(max_epochs=4), FRAME)
    stopped = case.make(**settings)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            case.fit(stopped, FRAME)
    resumed = case.fit(case.make(**settings), FRAME)
    for name, value in whole.model_.state_dict().items():
        torch.testing.assert_close(resumed.model_.state_dict()[name], value, rtol=0, atol=0, equal_nan=True, msg=name)


@pytest.fixture
def closed_recipe():
    """A recipe whose networks cannot take gaps."""

    @register(allows_gaps=False)
    def closed(schema: Schema, n_components: Components = 2, *, hidden: Hidden = (8,)) -> Parts:
        """An autoencoder for complete rows."""
        return assemble(schema, Plain(n_components), hidden=hidden)

    yield narrows.estimator("closed")
    recipes.RECIPES.pop("closed")


def test_a_recipe_without_gaps_refuses_them(closed_recipe, vectors):
    gaps = vectors.copy()
    gaps[3, 2] = np.nan
    model = closed_recipe(max_epochs=1, **FAST)
    assert not get_tags(model).input_tags.allow_nan
    for X, value in ((gaps, "NaN"), (np.where(np.isnan(gaps), np.inf, gaps), "infinity")):
        with pytest.raises(ValueError, match=rf"contains {value} \(first at index \(3, 2\)\)"):
            model.fit(X)
    model.fit(vectors)
    assert not hasattr(model, "usual_scores_")
    for call in (model.transform, model.score_samples, model.reconstruct, model.decision_function, model.score_entries):
        with pytest.raises(ValueError, match="contains NaN"):
            call(gaps)
    with pytest.raises(ValueError, match="contains NaN"):
        model.stream(iter([gaps]))
    with pytest.raises(ValueError, match=r"contains NaN \(first in row \d+, column '\w+'\)"):
        closed_recipe(max_epochs=1, **FAST).fit(FRAME)


def test_a_table_is_streamed_from_frames_and_files(tmp_path):
    model = AE(2, hidden=(8,), max_epochs=1, **FAST).fit(FRAME)
    FRAME.reset_index().to_csv(tmp_path / "table.csv", index=False)
    for source in (FRAME, iter([FRAME[:20], FRAME[20:]]), tmp_path / "table.csv"):
        np.testing.assert_allclose(model.stream(source), model.transform(FRAME), rtol=1e-4, atol=1e-5)
    rows = model.stream(iter([FRAME[:20], FRAME[20:]]), method="reconstruct")
    expected = model.reconstruct(FRAME).drop(columns="name").reset_index(drop=True)
    assert rows.dtypes.equals(expected.dtypes)
    assert rows["city"].equals(expected["city"])
    model.stream(FRAME, tmp_path / "out.csv", "reconstruct")
    written = narrows.data.files.read(tmp_path / "out.csv").X
    assert list(written["city"]) == list(expected["city"])
    np.testing.assert_allclose(written["height"], expected["height"], rtol=1e-5)


# ------------------------------------------------------------------------------------------------ scores by hand


def test_the_score_is_the_log_density_of_the_observed_cells(vectors):
    X = vectors * [1, 10, 100, 1, 1, 1] + [0, 5, 0, 1e4, 0, 0]
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    model = AE(2, hidden=(8,), max_epochs=3, **FAST).fit(X)
    scale = np.array(model.schema_.scale)
    std = np.sqrt(model.model_.likelihood.variance.double().numpy()) * scale
    mean = model.reconstruct(X)
    nats = -0.5 * ((X - mean) / std) ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(model.score_entries(X), nats, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(model.score_samples(X), np.nansum(nats, 1), rtol=1e-3, atol=1e-3)


def test_the_score_of_a_table_is_the_sum_over_its_cells():
    model = AE(2, hidden=(16,), max_epochs=3, **FAST).fit(FRAME)
    entries = model.score_entries(FRAME)
    np.testing.assert_allclose(entries.sum(axis=1), model.score_samples(FRAME), rtol=1e-6)
    likelihood, schema = model.model_.likelihood, model.schema_
    with torch.no_grad():
        params = model.model_.decode_own(model.prepare(FRAME))
        probs = likelihood.level_probs(params, schema.columns.index("city")).double().numpy()
        means = likelihood.mean(params).double().numpy()
    levels = schema.used_columns[schema.columns.index("city")].levels
    for i in np.flatnonzero(FRAME["city"].notna())[:9]:
        nats = np.log(probs[i, levels.index(FRAME["city"].iloc[i])] * (1 - 1e-4))
        assert entries["city"].iloc[i] == pytest.approx(nats, rel=1e-4)
    price = schema.used_columns[schema.columns.index("price")]
    assert price.kind == "heavy_tailed"
    std = float(likelihood.variance[1].sqrt())  # height, price, day
    u = (FRAME["price"].to_numpy() - price.center) / price.scale
    density = -0.5 * ((np.arcsinh(u) - means[:, 2]) / std) ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi)
    density -= np.log(price.scale) + 0.5 * np.log1p(u**2)  # by the change of variables
    np.testing.assert_allclose(entries["price"], density, rtol=1e-3, atol=1e-3)


def test_decisions_take_a_missing_cell_for_what_is_usual_in_its_column():
    train, new = make_frame(1500), make_frame(600, seed=1).drop(columns="name")
    model = AE(2, hidden=(32,), max_epochs=20, **FAST).fit(train)
    costly = int(np.argmin(model.usual_scores_))
    full = new.dropna()
    holes = full.copy()
    holes.iloc[:, costly] = None
    raw = np.mean(model.score_samples(holes) - model.score_samples(full))
    decided = np.mean(model.decision_function(holes) - model.decision_function(full))
    assert raw > 2  # nats: without the cell that costs most, each row would be more usual
    assert abs(decided) < 0.25 * raw
    nothing = dict.fromkeys(new.columns)
    assert model.score_samples(nothing) == 0
    assert model.decision_function(nothing) == pytest.approx(model.usual_scores_.sum() - model.offset_)
    assert model.decision_function(nothing) < np.quantile(model.decision_function(full), 0.95)
    assert 0.01 < np.mean(model.predict(new) == -1) < 0.12  # contamination is 5 %, with gaps as in training


def test_usual_scores_are_means_over_observed_cells(vectors):
    X = vectors.copy()
    X[::3, 1] = np.nan
    model = AE(2, hidden=(8,), max_epochs=3, early_stopping=False, **FAST).fit(X)
    np.testing.assert_allclose(model.usual_scores_, np.nanmean(model.score_entries(X), 0), rtol=1e-9)
    images = np.random.default_rng(0).random((40, 8, 8))
    model = AE(2, hidden=(8,), max_epochs=1, early_stopping=False, **FAST).fit(images)
    np.testing.assert_allclose(model.usual_scores_, [model.score_entries(images).mean()], rtol=1e-9)
    images[0, :4] = np.nan
    with pytest.warns(UserWarning, match="has 32 missing values"):
        difference = model.decision_function(images) - (model.score_samples(images) - model.offset_)
    np.testing.assert_allclose(difference[0], 32 * model.usual_scores_[0])
    assert not difference[1:].any()


def test_scores_of_entries_have_the_form_of_x(digits):
    for images in (digits[:60], digits[:60, :, :, None].repeat(3, 3), digits[:60, None].repeat(3, 1)):
        model = AE(2, hidden=(8,), max_epochs=1, **FAST).fit(images)
        entries = model.score_entries(images)
        assert entries.shape == images.shape
        np.testing.assert_allclose(entries.reshape(60, -1).sum(1), model.score_samples(images), rtol=1e-5)
    X = np.c_[np.arange(N), np.arange(N) % 3, np.sin(np.arange(N))]
    model = AE(1, columns={0: "identifier", 1: "categorical"}, hidden=(8,), max_epochs=1, **FAST).fit(X)
    assert np.isnan(model.score_entries(X)).all(0).tolist() == [True, False, False]
    table = AE(1, hidden=(8,), max_epochs=1, **FAST).fit(FRAME)
    rows = table.score_entries(FRAME[:2].to_dict("records"))
    np.testing.assert_allclose(pd.DataFrame(rows), table.score_entries(FRAME[:2]))


# ------------------------------------------------------------------------------------------------ gaps in arrays


@pytest.mark.parametrize("kind", ["vectors", "images"])
def test_missing_entries_have_no_gradient_and_the_encoder_knows_them(kind, vectors, digits):
    X = vectors.copy() if kind == "vectors" else digits[:100].copy()
    X[np.random.default_rng(0).random(X.shape) < 0.3] = np.nan
    model = AE(2, hidden=(8,), max_epochs=1, **FAST).fit(X)
    network, schema = model.module(), model.schema_
    x = schema.prepare(torch.from_numpy(X))
    params = torch.full((len(x), *network.likelihood.params_shape(schema.shape)), 0.3, requires_grad=True)
    missing = torch.isnan(x)
    network.likelihood.score(params, x.masked_fill(missing, 0.0), (~missing).float()).sum().backward()
    assert not params.grad[missing].any()
    assert params.grad[~missing].all()
    at_mean = torch.nan_to_num(x, nan=0.0) if kind == "vectors" else x.nanmean(0).expand_as(x)
    filled = torch.where(missing, at_mean, x)
    with torch.no_grad():
        assert not torch.allclose(network.encoder(x), network.encoder(filled))


@pytest.mark.parametrize("cls", [AE, VAE])
def test_masked_cells_are_better_than_the_means_of_their_columns(cls):
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(2000, 3)) @ rng.normal(size=(3, 20)) + 0.1 * rng.normal(size=(2000, 20))
    is_missing = rng.random(whole.shape) < 0.2
    X = np.where(is_missing, np.nan, whole)
    model = cls(3, hidden=(64,), max_epochs=60, **FAST).fit(X)
    error = np.sqrt(np.mean((model.reconstruct(X) - whole)[is_missing] ** 2))
    means = np.sqrt(np.mean((np.nanmean(X, 0) - whole)[is_missing] ** 2))
    assert error < 0.6 * means


@pytest.mark.parametrize("kind", ["vectors", "images", "table"])
def test_a_model_fitted_without_gaps_meets_gaps(kind, vectors, digits):
    whole = {"vectors": vectors, "images": digits[:60], "table": FRAME.dropna()}[kind]
    model = AE(2, hidden=(8,), max_epochs=1, **FAST).fit(whole)
    gaps = whole.copy()
    if kind == "table":
        gaps.iloc[0, 0] = None
    else:
        gaps[(0,) * gaps.ndim] = np.nan
    for call in (model.transform, model.reconstruct, model.score_samples, model.predict, model.score_entries):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call(gaps)
        assert len(caught) == 1
        assert "has 1 missing value, but the model was fitted on data without any" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.transform(whole)


def test_a_batch_says_what_is_observed():
    from narrows.data import infer
    from narrows.data.rows import Rows

    X = np.random.default_rng(0).normal(size=(20, 3))
    X[3, 1] = np.nan
    batch = Rows(X, infer(X, "test", allow_nan=True), torch.device("cpu")).batch(torch.arange(20))
    assert isinstance(batch, Batch)
    assert torch.isnan(batch.x[3, 1])
    assert batch.target[3, 1] == 0
    assert (batch.observed == (~torch.isnan(batch.x)).float()).all()
