"""Fill and draw: the form of a row, the distribution of each of its cells, and rows that are drawn from it."""

import numpy as np
import pandas as pd
import pytest
import torch

from narrows import TableAE
from narrows.estimators import load
from narrows.studio.filling import Form

NAMES = ["age", "income", "job", "town", "joined"]


@pytest.fixture(scope="module")
def client(people, people_models, open_people, client_of):
    from narrows.studio.session import Session

    session = Session()
    open_people(session, people, people_models["people-tableae"])
    with client_of(session) as made:
        yield made
    session.close()


@pytest.fixture(scope="module")
def model(people_models):
    return load(people_models["people-tableae"])


def fill(client, **cells) -> dict[str, dict]:
    body = {"cells": [{"column": NAMES.index(name), "value": value} for name, value in cells.items()]}
    answer = client.post("/api/fill", json=body)
    assert answer.status_code == 200, answer.text
    return {NAMES[column["column"]]: column for column in answer.json()["columns"]}


def test_the_state_has_the_panels_of_this_model(client):
    state = client.get("/api/state").json()
    assert state["model"]["can"] == ["fill", "map", "clean", "outliers", "search", "report"]
    assert (state["model"]["has_code"], state["model"]["decodes_codes"]) == (True, False)
    assert {entry["name"]: entry["tabular"] for entry in state["recipes"]}["tableae"] is True
    assert {entry["name"]: entry["tabular"] for entry in state["recipes"]}["vae"] is False


@pytest.mark.parametrize("path", ["dials", "random"])
def test_what_needs_decoded_codes_says_so(client, path):
    answer = client.get(f"/api/{path}")
    assert (answer.status_code, answer.json()["detail"]) == (404, "Codes of TableAE cannot be decoded.")
    code = [0.0] * 16
    assert client.post("/api/decode", json={"codes": [code]}).status_code == 404
    assert client.post("/api/encode", json={"row": 0}).status_code == 404
    assert client.post("/api/search", json={"code": code, "k": 3}).status_code == 200


def test_only_models_that_predict_cells_have_a_form(people_client, shared):
    for other in (people_client(), shared("vae")):
        for answer in (other.get("/api/fill"), other.post("/api/fill", json={"cells": []})):
            assert answer.status_code == 404
            assert "TableAE" in answer.json()["detail"]


def test_the_form_describes_each_column(client, people):
    columns = dict(zip(NAMES, client.get("/api/fill").json()["columns"], strict=True))
    assert (columns["town"]["n_choices"], columns["age"]["n_choices"]) == (3, 0)
    for column in columns.values():
        assert sum(column["share"]) == pytest.approx(1, abs=1e-5)
    for name in ("age", "income", "joined"):
        numbers = people[name].dropna()
        numbers = numbers.map(lambda day: day.timestamp()) if name == "joined" else numbers
        ticks = columns[name]["ticks"]
        assert ticks == sorted(set(ticks))
        assert ticks[0] == pytest.approx(numbers.min(), rel=1e-6)
        assert ticks[-1] == pytest.approx(numbers.max(), rel=1e-6)
        edges = np.array(columns[name]["edges"])
        inside = numbers.clip(edges[0], edges[-1])
        counts = np.histogram(inside, edges)[0] / len(numbers)
        # numbers within a bin are spread by its quantiles, so a few rows may fall beside
        assert np.abs(np.cumsum(counts) - np.cumsum(columns[name]["share"])).max() < 0.05
    steps = np.diff(columns["age"]["edges"])
    assert len(set(steps.round(6))) == 1
    assert steps[0] == round(steps[0])


def test_distributions_are_those_of_the_model(client, model, people):
    """The same probabilities as `predict_proba` of rows that have only these cells."""
    towns = model.schema_.used_columns[3].levels
    found = fill(client, age=30, town=1)
    row = pd.DataFrame({"age": [30], "income": [None], "job": [None], "town": [towns[1]], "joined": [pd.NaT]})
    expected = model.predict_proba(row, "job")[0]
    jobs = found["job"]["probs"]
    np.testing.assert_allclose(np.array(jobs) / sum(jobs), expected, atol=1e-5)
    assert found["job"]["best"] == expected.argmax()
    assert 0 < found["job"]["gap"] < 1
    assert found["age"]["gap"] is None
    median = model.predict(row, "income", statistic="median")[0]
    assert found["income"]["best"] == pytest.approx(median, rel=1e-5)
    assert found["income"]["low"] < median < found["income"]["high"]
    assert sum(found["income"]["probs"]) == pytest.approx(1, abs=1e-5)
    # a cell that is set is predicted from the others: from the age alone
    np.testing.assert_allclose(found["town"]["probs"], model.predict_proba(row.assign(town=None), "town")[0], atol=1e-5)


def test_without_cells_distributions_are_those_of_no_knowledge(client, model):
    found = fill(client)
    network = model.module()
    with torch.no_grad():
        params = network.decoder(network.bottleneck.encode(network.encoder(torch.full((1, 5), torch.nan))))
    np.testing.assert_allclose(found["town"]["probs"], network.likelihood.level_probs(params, 3)[0], atol=1e-5)


def test_drawn_rows_have_the_cells_that_are_set(client, people):
    body = {"cells": [{"column": 0, "value": 33}, {"column": 3, "value": 2}], "n": 7, "seed": 4}
    rows = client.post("/api/fill/draw", json=body).json()["rows"]
    assert len(rows) == 7
    assert {(row[0], row[3]) for row in rows} == {(33, 2)}
    assert len({row[1] for row in rows}) > 1
    assert client.post("/api/fill/draw", json=body).json()["rows"] == rows
    free = client.post("/api/fill/draw", json={"cells": []}).json()
    assert len(free["rows"]) == 10
    low, high = people["age"].min(), people["age"].max()
    assert all(low <= row[0] <= high for row in free["rows"])


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"column": 9, "value": 1}, "no column 9"),
        ({"column": 3, "value": 3}, "from 0 to 2"),
        ({"column": 3, "value": 0.5}, "from 0 to 2"),
        ({"column": -1, "value": 0}, "column"),
    ],
)
def test_impossible_cells_are_refused(client, cell, message):
    for path in ("/api/fill", "/api/fill/draw"):
        answer = client.post(path, json={"cells": [cell]})
        assert answer.status_code == 422
        assert message in answer.json()["detail"]


def test_a_form_of_an_array_with_rare_levels_counts_and_atoms():
    rng = np.random.default_rng(0)
    n = 300
    words = rng.choice([f"w{i}" for i in range(12)], n, p=[0.3] + [0.7 / 11] * 11).astype(object)
    gain = np.where(rng.random(n) < 0.8, 0.0, np.exp(rng.normal(8, 2, n)))
    X = np.stack([words, rng.poisson(3, n), gain, rng.normal(size=n)], 1).astype(object)
    model = TableAE(16, max_epochs=1, max_levels=9, random_state=0, device="cpu").fit(X)
    form = Form(model)
    word, count, gains, _real = form.columns
    assert word.n_choices == 9
    assert len(word.share) == 10
    assert count.values == sorted({float(value) for value in X[:, 1]})
    assert gains.edges is not None
    assert (np.diff(gains.edges) > 0).all()
    assert sum(gains.share) == pytest.approx(1)
    found = form.predict({1: 2.0, 0: 8.0})
    assert len(found[0].levels) == 6
    assert 8 in found[0].levels
    assert all(sum(each.probs) == pytest.approx(1, abs=1e-5) for each in found[1:])
    drawn = form.draw({1: 2.0, 0: 8.0}, 5, seed=1)
    assert (drawn[:, :2] == [8, 2]).all()
    with pytest.raises(ValueError, match="from 0 to 8"):
        form.predict({0: 9.0})


def test_a_notebook_says_that_there_are_no_dials(model):
    notebook = pytest.importorskip("narrows.studio.notebook", reason="needs the extra `notebook`")
    with pytest.raises(ValueError, match="codes of TableAE cannot be decoded"):
        notebook.Studio(model)
