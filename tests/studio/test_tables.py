"""Models of tables in the studio: words, dates and gaps, in the user's units, on every panel."""

import struct

import numpy as np
import pytest
import torch

from narrows.data.files import read
from narrows.estimators import load
from narrows.studio import effects, serving

NAMES = ["age", "income", "job", "town", "joined"]


def decode(client, codes) -> list[dict]:
    answer = client.post("/api/decode", json={"codes": np.asarray(codes).tolist(), "format": "json"})
    assert answer.status_code == 200, answer.text
    return answer.json()["examples"]


def test_the_state_describes_the_columns(people_client):
    state = people_client().get("/api/state").json()
    model = state["model"]
    assert (model["kind"], model["shape"], model["columns"]) == ("table", [5], NAMES)
    described = {column["name"]: column for column in model["cells"]}
    assert {name: column["kind"] for name, column in described.items()} == {
        "age": "integer",
        "income": "real",
        "job": "binary",
        "town": "categorical",
        "joined": "datetime",
    }
    assert sorted(described["town"]["levels"]) == ["Bern", "Oslo", "Rome"]
    assert described["age"]["levels"] is None
    assert (described["age"]["step"], described["joined"]["step"]) == (1, 86400)
    assert model["can"] == ["dials", "map", "clean", "outliers", "search", "report"]
    assert state["data"]["description"].startswith("120 rows of a table of 5 columns")


def test_a_row_has_its_cells_gaps_and_other_columns(people_client, people):
    client = people_client()
    row = client.get("/api/data/3").json()
    seconds = people["joined"][3].timestamp()
    values = dict(zip(NAMES, row["example"]["values"], strict=True))
    assert (values["age"], values["income"], values["joined"]) == (people["age"][3], None, seconds)
    assert row["example"]["probs"] is None
    assert row["columns"] == {"user": "u3", "kind": "person"}
    assert client.get("/api/data/5").json()["example"]["values"][2] is None


def test_decoded_rows_are_those_of_the_model(people_client, people_models):
    client, model = people_client(), load(people_models["people"])
    codes = np.array([[0.0, 0.0], [1.5, -1.0], [-2.0, 0.5]], np.float32)
    frame = model.inverse_transform(codes)
    described = client.get("/api/state").json()["model"]["cells"]
    with torch.no_grad():
        params = model.model_.decode(torch.from_numpy(codes))
    for i, example in enumerate(decode(client, codes)):
        for j, column in enumerate(described):
            value, prob, expected = example["values"][j], example["probs"][j], frame[column["name"]].iloc[i]
            if column["levels"]:
                assert column["levels"][value := int(value)] == expected
                assert prob == pytest.approx(float(model.model_.likelihood.level_probs(params, j)[i, value]), abs=1e-5)
            elif column["kind"] == "datetime":
                assert value == expected.timestamp()
                assert prob is None
            else:
                assert value == pytest.approx(expected, rel=1e-6)
    raw = client.post("/api/decode", json={"codes": codes.tolist()})
    assert (raw.headers["x-shape"], raw.headers["x-dtype"]) == ("3,2,5", "float64")
    with client.websocket_connect("/api/decode", headers={"host": "localhost"}) as socket:
        socket.send_bytes(struct.pack("<I", 9) + codes[1].tobytes())
        answer = socket.receive_bytes()
    assert struct.unpack("<I", answer[:4]) == (9,)
    np.testing.assert_allclose(np.frombuffer(answer[4:], "<f8"), np.frombuffer(raw.content, "<f8")[10:20], rtol=1e-5)


def test_dials_name_the_columns_and_levels_that_they_change(people_client):
    dials = people_client().get("/api/dials").json()["dials"]
    assert all(dial["columns"] for dial in dials if dial["used"])
    strongest = dials[0]
    codes = np.zeros((2, 2))
    codes[:, strongest["component"]] = strongest["low"], strongest["high"]
    low, high = (example["values"] for example in decode(people_client(), codes))
    assert set(strongest["columns"]) <= set(range(5))
    first = strongest["label"].split(", ")[0]
    if ": " in first:
        assert first.split(": ")[0] in NAMES
    else:
        name, direction = first.rsplit(" ", 1)
        grows = high[NAMES.index(name)] > low[NAMES.index(name)]
        assert direction == ("up" if grows else "down")


def test_effects_are_the_changes_of_decoded_rows(people_models):
    model = load(people_models["people"])
    z = torch.tensor([[-2.0, 0.0], [2.0, 0.0]])
    (changes,) = effects.compare_rows(model, z)
    frame = model.inverse_transform(z.numpy())
    with torch.no_grad():
        probs = model.model_.likelihood.level_probs(model.model_.decode(z), 2)
    assert [abs(effect.size) for effect in changes] == sorted((abs(effect.size) for effect in changes), reverse=True)
    for effect in changes:
        if effect.name == "income":
            assert effect.change == pytest.approx(frame["income"][1] - frame["income"][0], rel=1e-3)
            assert effect.describe() == f"income {'up' if effect.change > 0 else 'down'}"
        if effect.name == "job":
            moved = probs[1] - probs[0]
            assert effect.change == pytest.approx(float(moved.max()), abs=1e-5)
            level = model.schema_.used_columns[2].levels[int(moved.argmax())]
            assert effect.describe() == f"job: {level}"


def test_identifiers_neither_name_clusters_nor_filter(people_client):
    client = people_client()
    columns = [entry["title"] for entry in client.get("/api/map/columns").json()]
    assert {"age", "income", "job", "town", "joined"} <= set(columns)
    assert "user" not in columns
    names = [entry["name"] for entry in client.get("/api/map/names").json()["clusters"]]
    assert names
    assert not any("u1" in name for name in names)


def test_the_map_is_coloured_by_any_column(people_client, people):
    client = people_client()
    entries = {entry["by"]: entry for entry in client.get("/api/map/colours").json()}
    assert entries["column:town"]["kind"] == "category"
    assert entries["column:joined"]["kind"] == "date"
    assert entries["column:age"]["kind"] == "number"
    assert next(iter(entries)) == "score"  # shown first: other columns may be identifiers
    assert "column:user" in entries

    def colour(by: str) -> np.ndarray:
        return np.frombuffer(client.get("/api/map/colour", params={"by": by}).content, "<f4")

    towns = entries["column:town"]["categories"]
    assert [towns[int(i)] for i in colour("column:town")] == people["town"].tolist()
    np.testing.assert_array_equal(np.isnan(colour("column:income")), people["income"].isna())
    assert np.isnan(colour("column:job")[5])
    np.testing.assert_allclose(colour("column:joined"), people["joined"].map(lambda day: day.timestamp()), rtol=1e-6)
    low, high = (float(client.get("/api/map/colour?by=column:joined").headers[f"x-{end}"]) for end in ("low", "high"))
    assert low < high


def test_clean_changes_numbers_and_takes_levels_of_other_rows(people_client):
    client = people_client()
    request = {"row": 3, "noise": 1.0, "seed": 1}
    result = client.post("/api/clean", json=request).json()
    noisy = result["noisy"]["values"]
    assert result["original"]["values"][1] is None
    assert noisy[1] is None  # a gap stays one
    assert noisy[0] != result["original"]["values"][0]
    assert noisy[2] in (0, 1)
    assert None not in result["clean"]["values"]
    assert result["clean"]["probs"][2] > 0
    assert client.post("/api/clean", json=request).json() == result
    levels = {client.post("/api/clean", json={**request, "seed": i}).json()["noisy"]["values"][3] for i in range(12)}
    assert len(levels) > 1
    assert levels <= {0, 1, 2}
    as_it_is = client.post("/api/clean", json={"row": 3, "noise": 0}).json()
    assert as_it_is["original"] is None
    masked = client.post("/api/clean", json={**request, "kind": "masking"})
    assert masked.status_code == 200


def test_rows_are_encoded_from_cells_by_name(people_client, people, people_models):
    client = people_client()
    row = {"age": 31, "job": "clerk", "town": "Oslo", "joined": "2020-05-01"}
    answer = client.post("/api/encode", json={"cells": row}).json()
    np.testing.assert_allclose(answer["code"], load(people_models["people"]).transform(row)[0], rtol=1e-5)
    assert answer["example"]["values"][1] is None  # what is not named is missing
    assert client.post("/api/encode", json={"cells": {"height": 3}}).status_code == 422
    assert client.post("/api/encode", json={"cells": {"age": "old"}}).status_code == 422
    found = client.post("/api/search", json={"row": 2, "k": 4}).json()["results"]
    assert len(found) == 4
    assert 2 not in [neighbor["row"] for neighbor in found]


def test_cells_are_refused_by_other_models(shared):
    answer = shared("vae").post("/api/encode", json={"cells": {"a": 1}})
    assert answer.status_code == 422


def test_made_rows_come_with_the_probability_of_the_true_level(people_client, people_models, people):
    client, model = people_client(), load(people_models["people"])
    described = client.get("/api/state").json()["model"]["cells"]
    town = described[3]
    shares = people["town"].value_counts(normalize=True)
    assert town["frequencies"] == pytest.approx([shares[level] for level in town["levels"]])
    assert described[0]["frequencies"] is None
    true = town["levels"].index(people["town"][2])
    with torch.no_grad():
        params = model.model_.decode_own(model.prepare(people[2:3]))
        probs = model.model_.likelihood.level_probs(params, 3)[0]
    expected = client.get("/api/outliers/2").json()["expected"]
    assert expected["true_probs"][3] == pytest.approx(float(probs[true]), abs=1e-5)
    assert expected["probs"][3] == pytest.approx(float(probs.max()), abs=1e-5)
    assert expected["true_probs"][0] is None  # a number
    # after noise, the true level is still that of the row
    cleaned = client.post("/api/clean", json={"row": 5, "noise": 1.0, "seed": 1}).json()
    assert cleaned["clean"]["true_probs"][2] is None  # a gap
    assert 0 < cleaned["clean"]["true_probs"][3] < 1
    assert cleaned["noisy"]["true_probs"] is None


def test_outliers_compare_cells_with_what_was_expected(people_client):
    client = people_client()
    outlier = client.get("/api/outliers/5").json()
    by_name = {entry["name"]: entry for entry in outlier["contributions"]}
    assert [by_name[name]["column"] for name in NAMES] == list(range(5))
    assert by_name["job"]["value"] is None
    assert 0 < by_name["job"]["prob"] <= 1
    assert by_name["age"]["prob"] is None
    listed = client.get("/api/outliers?n=5").json()["rows"]
    assert all(reason["name"] in NAMES for row in listed for reason in row["reasons"])


def test_units_say_what_they_change(people_client):
    client = people_client("people-sae")
    page = client.get("/api/units").json()
    assert any(unit["effect"] for unit in page["units"])
    unit = page["units"][0]
    detail = client.get(f"/api/units/{unit['unit']}").json()
    assert {entry["name"] for entry in detail["columns"]} <= set(NAMES)
    assert all((entry["level"] is not None) == (entry["name"] in ("job", "town")) for entry in detail["columns"])
    body = {"activations": [{"unit": unit["unit"], "value": 2.0}]}
    turned = client.post("/api/units/for/0", json=body).json()
    assert len(turned["after"]["values"]) == 5


def test_a_file_with_more_columns_is_shown(people, people_models, tmp_path):
    more = people.assign(spare=np.arange(len(people)) / 7, label=["a", "b"] * 60)[
        ["label", *people.columns[::-1], "spare"]
    ]
    more.to_csv(tmp_path / "more.csv", index=False)
    model, loaded = load(people_models["people"]), read(tmp_path / "more.csv")
    data = serving.prepare_data(loaded, "label", model)
    assert data.labels.categories == ("a", "b")
    assert set(data.columns) == {"user", "kind", "spare"}
    np.testing.assert_allclose(model.transform(data.X), model.transform(people), atol=1e-5)
    assert serving.prepare_data(loaded, "town", model).labels.categories == ("Bern", "Oslo", "Rome")
    with pytest.raises(ValueError, match="It lacks 'town'"):
        serving.prepare_data(read(tmp_path / "more.csv").select(drop=["town"]), None, model)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frames_of_any_library_in_a_notebook(people, people_models, library):
    pytest.importorskip("anywidget", reason="needs the extra `notebook`")
    frame = people
    if library == "polars":
        frame = pytest.importorskip("polars").from_pandas(people)
    elif library == "pyarrow":
        frame = pytest.importorskip("pyarrow").Table.from_pandas(people)
    widget = load(people_models["people"]).studio(frame, people["town"])
    view = widget._app.state.session.current
    assert view.data.labels.categories == ("Bern", "Oslo", "Rome")
    assert list(view.data.columns) == ["user", "kind"]
    assert view.to_page(view.get_example(5))[0, 0, 0] == people["age"][5]


def test_gaps_of_an_array_are_gaps(client_of):
    from narrows import VAE
    from narrows.studio.data import Data
    from narrows.studio.session import Session

    X = np.random.default_rng(0).normal(size=(60, 3))
    X[4, 1] = np.nan
    session = Session()
    session.open(VAE(2, hidden=(8,), max_epochs=1, random_state=0).fit(X), Data("x", X), name="x")
    with client_of(session) as client:
        assert client.get("/api/data/4").json()["example"]["values"][1] is None
        assert client.get("/api/outliers/4").json()["contributions"][0]["nats"] is not None
        described = client.get("/api/state").json()["model"]["cells"]
    session.close()
    assert [column["kind"] for column in described] == ["real"] * 3
    assert described[0]["offset"] == pytest.approx(X[:, 0].mean(), abs=1e-6)
