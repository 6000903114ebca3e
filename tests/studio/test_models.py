"""Models of a session: they are renamed, deleted and restored, their rows are written to files."""

import base64
import csv
import io

import numpy as np
import pytest
from PIL import Image

from narrows import VAE, storage
from narrows.estimators import load
from narrows.evaluation import evaluate
from narrows.studio.data import Colour, Data
from narrows.studio.session import Session


@pytest.fixture
def two(client_of, models, digits, tmp_path):
    """A client and its session, with a model in the folder of the studio, and one from elsewhere, which is open."""
    session = Session(keep=tmp_path / "kept")
    for name in ("theirs", "kept/ours"):
        load(models["vae"]).save(tmp_path / name)
    data = Data("digits", digits[:30], Colour.from_column(np.arange(30) % 10))
    for path in (tmp_path / "kept/ours", tmp_path / "theirs"):
        session.open(load(path), data, name=path.name, path=path, is_saved=True)
    with client_of(session) as client:
        yield client, session
    session.close()


def read_entries(answer) -> dict[str, dict]:
    assert answer.status_code == 200, answer.text
    return {entry["name"]: entry for entry in answer.json()["models"]}


def test_a_name_is_kept_in_the_folder(two, tmp_path):
    client, _ = two
    before = {path.name: path.read_bytes() for path in (tmp_path / "theirs").iterdir()}
    entries = read_entries(client.post("/api/models/current/rename", json={"name": " Wide\u202e code \n"}))
    assert list(entries) == ["ours", "Wide code"]
    assert client.get("/api/state").json()["model"]["name"] == "Wide code"
    assert storage.read_notes(tmp_path / "theirs").name == "Wide code"
    after = {path.name: path.read_bytes() for path in (tmp_path / "theirs").iterdir()}
    assert after.pop("notes.json")
    assert after == before
    for name, code in (("\n", 422), ("", 422), ("a" * 101, 422)):
        assert client.post("/api/models/current/rename", json={"name": name}).status_code == code
    assert client.post("/api/models/0/rename", json={"name": "x"}).status_code == 404


def test_a_name_that_cannot_be_written_is_not_taken(two, monkeypatch):
    client, _ = two

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(storage, "write_notes", refuse)
    answer = client.post("/api/models/current/rename", json={"name": "Other"})
    assert (answer.status_code, answer.json()["detail"]) == (409, "The server could not do this: Permission denied.")
    assert client.get("/api/state").json()["model"]["name"] == "theirs"


def test_a_deleted_model_can_be_restored_and_the_open_one_is_safe(two, tmp_path):
    client, session = two
    entries = read_entries(client.get("/api/state"))
    assert [entry["owned"] for entry in entries.values()] == [True, False]
    refused = client.delete(f"/api/models/{entries['theirs']['id']}")
    assert refused.status_code == 409
    assert "theirs is open, so it is not deleted" in refused.json()["detail"]
    assert client.delete("/api/models/current").status_code == 409
    ours = entries["ours"]["id"]
    answer = client.delete(f"/api/models/{ours}")
    assert list(read_entries(answer)) == ["theirs"]
    assert [entry["id"] for entry in answer.json()["deleted"]] == [ours]
    assert client.post(f"/api/models/{ours}/open").status_code == 404
    assert (tmp_path / "kept/ours/recipe.json").exists()
    assert set(read_entries(client.post(f"/api/models/{ours}/restore"))) == {"ours", "theirs"}
    assert client.post(f"/api/models/{ours}/restore").status_code == 404
    session.close()
    assert (tmp_path / "kept/ours/recipe.json").exists()  # it was restored


def test_only_folders_of_the_studio_are_deleted_and_only_at_the_end(two, tmp_path):
    client, session = two
    entries = read_entries(client.get("/api/state"))
    assert client.delete(f"/api/models/{entries['ours']['id']}").status_code == 200
    spare = session.open(load(tmp_path / "theirs"), None, name="spare")
    assert client.delete(f"/api/models/{entries['theirs']['id']}").status_code == 200
    assert session.current is spare
    assert (tmp_path / "kept/ours").exists()
    session.close()
    assert not (tmp_path / "kept/ours").exists()
    assert (tmp_path / "theirs/recipe.json").exists()


def read_csv(answer) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_codes_scores_and_labels_as_csv(shared, models, digits):
    body = {"rows": [9, 3], "parts": ["codes", "scores", "columns"], "distances": [0.5, 1.5]}
    rows = read_csv(shared("vae").post("/api/export", json=body))
    model = load(models["vae"])
    names = list(model.get_feature_names_out())
    assert list(rows[0]) == ["row", "distance", "label", "score", *names]
    assert [(row["row"], row["distance"], row["label"]) for row in rows] == [("9", "0.5", "9"), ("3", "1.5", "3")]
    codes = [[float(row[name]) for name in names] for row in rows]
    np.testing.assert_allclose(codes, model.transform(digits[[9, 3]]), rtol=1e-5)
    np.testing.assert_allclose(
        [float(row["score"]) for row in rows], model.score_samples(digits[:200])[[9, 3]], rtol=1e-5
    )
    assert len(read_csv(shared("vae").post("/api/export", json={"parts": ["codes"]}))) == 200


def test_numbers_of_vectors_are_those_of_the_user(shared, table):
    rows = read_csv(shared("table").post("/api/export", json={"parts": ["columns"]}))
    written = [[float(row[f"column {i}"]) for i in range(1, 5)] for row in rows]
    np.testing.assert_array_equal(written, table)
    assert [row["group"] for row in rows[:2]] == ["b", "a"]


def test_cells_of_a_table_without_formulas(client_of, people, people_models, open_people):
    pyarrow = pytest.importorskip("pyarrow.parquet", reason="needs the extra `tables`")
    frame = people.assign(user=[f"=HYPERLINK({i})" for i in range(len(people))], row="mine")
    session = Session()
    open_people(session, frame, people_models["people"])
    with client_of(session) as client:
        body = {"rows": [3, 5], "parts": ["columns"]}
        first, second = read_csv(client.post("/api/export", json=body))
        assert (first["row"], first["row_"], first["user"]) == ("3", "mine", "'=HYPERLINK(3)")
        assert (first["income"], second["job"]) == ("", "")  # gaps
        assert first["joined"] == str(people["joined"][3].date())
        assert first["town"] == people["town"][3]
        stored = client.post("/api/export", json={**body, "format": "parquet"})
        table = pyarrow.read_table(io.BytesIO(stored.content))
        assert table["user"].to_pylist() == ["=HYPERLINK(3)", "=HYPERLINK(5)"]
        assert table["income"].to_pylist() == [None, people["income"][5]]
        assert table["row"].to_pylist() == [3, 5]
    session.close()


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"parts": ["codes"], "rows": [200]}, 404, "no row 200"),
        ({"parts": ["codes"], "rows": [1], "distances": [1.0, 2.0]}, 422, "one distance for each row"),
        ({"parts": ["weights"]}, 422, "parts"),
        ({"parts": ["codes"], "format": "xls"}, 422, "format"),
    ],
)
def test_an_invalid_export(shared, body, code, message):
    answer = shared("vae").post("/api/export", json=body)
    assert answer.status_code == code
    assert message in answer.json()["detail"]


@pytest.fixture
def pair(client_of, models, digits, table):
    """A client whose session has a VAE on digits, which is open, a DAE and an SAE on digits, and a VAE on a table."""
    session = Session()
    data = Data("digits", digits[:200], Colour.from_column(np.arange(200) % 10))
    for name, examples in (("table", Data("table", table)), ("dae", data), ("sae", None), ("vae", data)):
        session.open(load(models[name]), examples, name=name)
    with client_of(session) as client:
        yield client, {view.name: view.id for view in session.views.values()}
    session.close()


def test_two_models_on_the_same_rows(pair, models, digits):
    client, ids = pair
    answer = client.get(f"/api/compare/{ids['sae']}").json()
    vae, sae = (load(models[name]) for name in ("vae", "sae"))
    measures = {line["name"]: line for line in answer["measures"]}
    expected = evaluate(vae, digits[:200], np.arange(200) % 10, beside=sae, measures=["mse", "psnr", "knn_accuracy"])
    for name in ("mse", "psnr", "knn_accuracy"):
        row = expected.rows[name]
        assert measures[name]["values"] == pytest.approx([row.value, row.other], rel=1e-4)
        assert measures[name]["better"] == row.better
    assert measures["elbo"]["values"][1] is None  # an SAE has none
    assert measures["l0"]["values"] == [None, pytest.approx(evaluate(sae, digits[:200], measures=["l0"])["l0"])]
    assert [model["title"] for model in answer["models"]] == ["VAE", "SAE"]
    assert [len(model["dials"]) for model in answer["models"]] == [4, 6]
    rows = client.get(f"/api/compare/{ids['sae']}/rows?rows=9,3").json()
    assert [(row["row"], row["label"]) for row in rows] == [(9, "9"), (3, "3")]
    for place, model in enumerate((vae, sae)):
        made = 255 * np.clip(model.reconstruct(digits[[9, 3]]), 0, 1)
        for row, picture in zip(rows, made, strict=True):
            uri = row["reconstructions"][place]["picture"].partition(",")[2]
            np.testing.assert_allclose(np.asarray(Image.open(io.BytesIO(base64.b64decode(uri)))), picture, atol=1)


def test_models_of_other_examples_are_not_compared(pair):
    client, ids = pair
    refused = client.get(f"/api/compare/{ids['table']}")
    assert refused.status_code == 422
    assert "vae and table cannot be compared: one takes 8 x 8" in refused.json()["detail"]
    assert client.get("/api/compare/0").status_code == 404
    assert client.get(f"/api/compare/{ids['dae']}/rows?rows=200").status_code == 404


def test_models_with_their_own_scales_are_no_contest(client_of, models, table):
    session = Session()
    for name, rows in (("other", 10 * table), ("table", table)):
        model = (
            load(models["table"]) if name == "table" else VAE(2, hidden=(8,), max_epochs=1, random_state=0).fit(rows)
        )
        session.open(model, Data("table", table), name=name)
    other = next(view for view in session.views.values() if view.name == "other")
    with client_of(session) as client:
        measures = {line["name"]: line for line in client.get(f"/api/compare/{other.id}").json()["measures"]}
    assert (measures["mse"]["better"], measures["trustworthiness"]["better"]) == (0, 1)
    assert measures["mse"]["words"].endswith("each model has its own scale")
    session.close()


def test_rows_of_a_sample_also_have_their_number_in_the_file(client_of, models, digits):
    session = Session()
    session.open(load(models["vae"]), Data("digits", digits[:100]).subsample(30), name="vae")
    with client_of(session) as client:
        rows = read_csv(client.post("/api/export", json={"parts": ["codes"]}))
    numbers = [int(row["row_of_file"]) for row in rows]
    assert len(numbers) == 30
    code = [float(rows[17][f"vae{i}"]) for i in range(4)]
    np.testing.assert_allclose(code, load(models["vae"]).transform(digits[[numbers[17]]])[0], rtol=1e-4)
    session.close()


def test_models_that_an_earlier_studio_kept_are_opened_with_the_rows_that_are_shown(
    client_of, models, digits, tmp_path
):
    for name, folder in (("vae", "b"), ("table", "a"), ("dae", "now")):
        load(models[name]).save(tmp_path / folder)
    storage.write_notes(tmp_path / "b", storage.Notes(name="Bee"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/recipe.json").write_text("{")
    session = Session(keep=tmp_path)
    session.open(load(tmp_path / "now"), Data("digits", digits[:50]), name="now", path=tmp_path / "now")
    with client_of(session) as client:
        kept = client.get("/api/models/kept").json()
        assert [(entry["folder"], entry["name"], entry["recipe"]) for entry in kept] == [
            ("a", "a", "vae"),
            ("b", "Bee", "vae"),
        ]
        state = client.post("/api/models/kept/b/open").json()
        assert (state["model"]["name"], state["data"]["n"], state["model"]["saved"]) == ("Bee", 50, True)
        state = client.post("/api/models/kept/a/open").json()
        assert (state["model"]["name"], state["data"]) == ("a", None)  # it does not take images
        assert client.get("/api/models/kept").json() == []
        for folder in ("broken", "..", "%2e%2e%2fx"):
            assert client.post(f"/api/models/kept/{folder}/open").status_code in (404, 405, 422)
    session.close()


def test_a_model_that_an_earlier_studio_kept_is_deleted_at_the_end_unless_it_is_restored(
    client_of, models, digits, tmp_path
):
    for folder in ("gone", "back", "now"):
        load(models["vae"]).save(tmp_path / folder)
    session = Session(keep=tmp_path)
    session.open(load(tmp_path / "now"), Data("digits", digits[:50]), name="now", path=tmp_path / "now")
    with client_of(session) as client:
        client.delete("/api/models/kept/gone")
        answer = client.delete("/api/models/kept/back")
        deleted = {entry["name"]: entry for entry in answer.json()["deleted"]}
        assert [(name, entry["owned"]) for name, entry in deleted.items()] == [("gone", True), ("back", True)]
        assert list(read_entries(answer)) == ["now"]
        assert client.get("/api/models/kept").json() == []
        assert set(read_entries(client.post(f"/api/models/{deleted['back']['id']}/restore"))) == {"now", "back"}
        for folder in ("gone", "other", ".."):
            assert client.delete(f"/api/models/kept/{folder}").status_code in (404, 405, 422)
    assert (tmp_path / "gone/recipe.json").exists()
    session.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back", "now"]


def test_two_requests_at_once_open_one_view_and_the_folder_of_an_open_model_is_safe(client_of, models, tmp_path):
    for folder in ("a", "b"):
        load(models["vae"]).save(tmp_path / folder)
    session = Session(keep=tmp_path)
    with client_of(session) as client:
        first = client.post("/api/models/kept/a/open").json()["model"]
        assert client.post("/api/models/kept/a/open").json()["model"] == first
        assert list(read_entries(client.get("/api/state"))) == ["a"]
        same = session.open(load(tmp_path / "a"), None, name="again", path=tmp_path / "a", is_saved=True)
        old = next(view for view in session.views.values() if view is not same)
        client.delete(f"/api/models/{old.id}")
    session.close()
    assert (tmp_path / "a/recipe.json").exists()  # a view of it was open


def test_the_oldest_of_many_models_can_be_opened_again(client_of, models, tmp_path, monkeypatch):
    monkeypatch.setattr("narrows.studio.session._MAX_VIEWS", 2)
    session = Session()
    alone = session.open(load(models["vae"]), None, name="in memory")
    for name in ("a", "b", "c"):
        load(models["vae"]).save(session.models / name)
        session.open(load(session.models / name), None, name=name, path=session.models / name)
    assert [view.name for view in session.views.values()] == ["in memory", "c"]
    assert alone.id in session.views
    with client_of(session) as client:
        assert [entry["folder"] for entry in client.get("/api/models/kept").json()] == ["a", "b"]
        state = client.post("/api/models/kept/a/open").json()
        assert (state["model"]["name"], state["model"]["saved"]) == ("a", False)
    session.close()


def test_names_written_meanwhile_stay(client_of, models, digits, tmp_path):
    load(models["sae"]).save(tmp_path / "sae")
    session = Session(keep=tmp_path)
    session.open(load(tmp_path / "sae"), Data("digits", digits[:50]), name="sae", path=tmp_path / "sae", is_saved=True)
    with client_of(session) as client:
        assert client.put("/api/units/3/name", json={"name": "loop"}).status_code == 200
        storage.edit_notes(tmp_path / "sae", units={5: "stroke"})  # another program
        client.post("/api/models/current/rename", json={"name": "Mine"})
        assert client.put("/api/units/4/name", json={"name": "dot"}).status_code == 200
        assert client.put("/api/units/3/name", json={"name": ""}).status_code == 200
    assert storage.read_notes(tmp_path / "sae") == storage.Notes("Mine", {4: "dot", 5: "stroke"})
    session.close()


def test_rows_of_the_file_after_two_subsamplings(digits):
    data = Data("digits", np.arange(300)[:, None]).subsample(100).subsample(30)
    np.testing.assert_array_equal(data.rows, data.X[:, 0])
    assert (data.total, len(data)) == (300, 30)
