"""Bring data, see what narrows sees, train, stop, cancel, go back: the whole way from a file to the dials."""

import io
import json
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from narrows.data import infer
from narrows.estimators import load
from narrows.studio import messages
from narrows.studio.jobs import EventLog
from narrows.studio.uploads import Column, Upload
from narrows.studio.worker import LiveTracker

WORDS = "height,weight,kind,note\n1.5,60,cat,x\n1.6,,dog,y\n1.7,70,cat,z\n1.2,50,,x\n" + "1.1,40,dog,y\n" * 40


def upload(client, name: str, content: bytes, code: int = 201, **query):
    raw = {"content-type": "application/octet-stream"}
    answer = client.post("/api/uploads", params={"name": name, **query}, content=content, headers=raw)
    assert answer.status_code == code, answer.text
    return answer.json()


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def over(client, job: str, *, until: tuple[str, ...] = ("done", "failed", "cancelled")) -> dict:
    """The job once its status is one of `until`."""
    for _ in range(2500):  # a busy machine takes long to start a process
        state = client.get(f"/api/train/{job}").json()
        if state["status"] in until:
            return state
        time.sleep(0.1)
    raise AssertionError(state)


def events(text: str) -> list[tuple[int, str, dict]]:
    """Number, kind and data of each event."""
    state = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "id" in fields:
            state.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return state


# What narrows sees


def test_a_table_with_words_and_gaps(shared):
    state = upload(shared("none"), "people.csv", WORDS.encode())
    assert (state["kind"], state["n"], state["name"]) == ("table", 44, "people.csv")
    columns = {column["name"]: column for column in state["columns"]}
    assert {name: column["kind"] for name, column in columns.items()} == {
        "height": "number",
        "weight": "number",
        "kind": "category",
        "note": "category",
    }
    assert [columns[name]["use"] for name in ("height", "kind")] == [True, False]
    assert columns["weight"]["missing"] == 1
    assert columns["weight"]["low"] == 40
    assert columns["kind"]["missing"] == 1
    assert state["suggested"]["label"] == "kind"
    assert any("1 gaps in 'weight'" in note for note in state["notes"])
    assert state["preview"]["rows"][0] == ["1.5", "60", "cat", "x"]
    assert state["support"] == "real"


def test_a_table_of_numbers(shared):
    state = upload(shared("none"), "t.tsv", b"a\tb\n" + b"1\t2.5\n3\t4\n" * 20)
    assert (state["kind"], state["n"]) == ("vector", 40)
    assert [column["distinct"] for column in state["columns"]] == [2, 2]
    assert state["preview"]["sheet"] is None


def test_a_column_of_classes_is_not_learned_from(shared):
    rows = "".join(f"{i},{i * 0.5},{i % 2}\n" for i in range(20))
    state = upload(shared("none"), "t.csv", f"a,b,class\n{rows}".encode())
    assert state["suggested"]["label"] == "class"
    assert [column["use"] for column in state["columns"]] == [True, True, False]
    table = Upload("t", 1, None, tuple(Column(n, "number", np.arange(3.0)) for n in "ab"), infer(np.zeros((2, 1)), "t"))
    assert table.select_examples(None, "b")[1] == ["a"]


def test_an_array_of_images(shared, digits):
    pictures = np.rint(255 * digits[:50]).astype(np.uint8)
    state = upload(shared("none"), "digits.npy", npy(pictures))
    assert (state["kind"], state["shape"], state["support"]) == ("image", [8, 8], "unit")
    assert state["columns"] is None
    assert state["preview"]["sheet"].startswith("data:image/png;base64,")


def test_a_zip_of_images_of_several_sizes_and_modes(shared):
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for i in range(4):
            archive.writestr(f"all/cats/{i}.png", png(rng.integers(0, 255, (40, 80), np.uint8)))
        archive.writestr("all/dogs/0.png", png(rng.integers(0, 255, (50, 50, 3), np.uint8)))
        archive.writestr("all/dogs/readme.txt", b"not an image")
        archive.writestr("__MACOSX/all/cats/._0.png", b"not an image either")
        archive.writestr("all/.hidden/0.png", b"nor this")
    state = upload(shared("none"), "pets.zip", stream.getvalue())
    assert (state["n"], state["shape"], state["classes"]) == (5, [32, 64, 3], ["cats", "dogs"])
    assert any("2 sizes" in note for note in state["notes"])
    assert any("from 80 x 40 to 64 x 32" in note for note in state["notes"])
    small = upload(shared("none"), "pets.zip", stream.getvalue(), side=16)
    assert small["shape"] == [8, 16, 3]


def test_a_named_data_set(shared):
    client = shared("none")
    state = client.post("/api/uploads/dataset", json={"name": "digits"}).json()
    assert (state["n"], state["classes"]) == (1437, [str(i) for i in range(10)])
    assert client.get(f"/api/uploads/{state['id']}").json() == state
    assert client.post("/api/uploads/dataset", json={"name": "../digits"}).status_code == 404


def test_uploads_are_few_and_can_be_forgotten(opened):
    client = opened("none")
    numbers = [upload(client, "a.csv", b"a,b\n1,2\n3,4\n5,7\n")["id"] for _ in range(5)]
    assert client.get(f"/api/uploads/{numbers[0]}").status_code == 404
    assert client.delete(f"/api/uploads/{numbers[4]}").status_code == 204
    assert client.get(f"/api/uploads/{numbers[4]}").status_code == 404
    assert client.delete(f"/api/uploads/{numbers[4]}").status_code == 404


# What is refused before anything runs


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"recipe": "gan"}, 422, "Unknown recipe 'gan'"),
        ({"upload": "nothing"}, 404, "bring them again"),
        ({"likelihood": "cauchy"}, 422, "likelihood"),
        ({"max_time": 0.1}, 422, "max_time"),
        ({"n_components": 0}, 422, "n_components"),
        ({"parameters": {"beta": -1}}, 422, "beta"),
        ({"parameters": {"checkpoint": "/tmp/x"}}, 422, "no parameter 'checkpoint'"),
        ({"parameters": {"track": "x.jsonl"}}, 422, "no parameter 'track'"),
        ({"parameters": {"max_time": 9}}, 422, "no parameter 'max_time'"),
        ({"parameters": {"network": {"module": "os.system"}}}, 422, "network"),
        ({"columns": ["kind"]}, 422, "no numbers"),
        ({"columns": ["nothing"]}, 422, "no column"),
        ({"columns": []}, 422, "no column of numbers"),
        ({"label": "nothing"}, 422, "no column"),
        ({"parameters": {"conditional": True}}, 422, "label for each example"),
        ({"more": 1}, 422, "more"),
    ],
)
def test_orders_that_cannot_be_filled(shared, change, code, words):
    client = shared("none")
    order = {"upload": upload(client, "people.csv", WORDS.encode())["id"], "recipe": "vae", "n_components": 1}
    answer = client.post("/api/train", json={**order, **change})
    assert answer.status_code == code, answer.text
    assert words in answer.json()["detail"]
    assert client.get("/api/state").json()["training"] is None


def test_names_are_words_that_can_be_shown(opened):
    from narrows.studio.uploads import to_display_name

    assert to_display_name("a\ud800b/c\0d\u202e.csv") == "cd.csv"
    assert to_display_name("../..") == ".."
    assert to_display_name("\0") == "upload"
    client = opened("none")
    order = {"upload": upload(client, "a.csv", WORDS.encode())["id"], "recipe": "vae"}
    half = json.dumps({**order, "name": "\ud800", "label": "\ud800"})  # of a character, which JSON can have
    answer = client.post("/api/train", content=half.encode(), headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_there_is_no_such_training(shared):
    for method, path in (("get", ""), ("get", "/events"), ("post", "/stop"), ("delete", "")):
        assert getattr(shared("none"), method)(f"/api/train/nothing{path}").status_code == 404


# From a file to the dials


@pytest.mark.timeout(300)
def test_from_a_table_to_the_dials_and_back(opened):
    pytest.importorskip("pandas", reason="needs the extra `tables`: column names are kept in data frames")
    client = opened("vae")
    first = client.get("/api/state").json()
    state = upload(client, "people.csv", WORDS.encode())
    order = {
        "upload": state["id"],
        "recipe": "vae",
        "n_components": 1,
        "max_epochs": 3,
        "label": "kind",
        "name": "my people",
        "parameters": {"hidden": [8], "precision": "float32"},
    }
    started = client.post("/api/train", json=order)
    assert started.status_code == 202
    job = started.json()["job"]
    assert client.get("/api/state").json()["training"] == job
    assert client.post("/api/train", json=order).status_code == 409
    end = over(client, job)
    assert end["status"] == "done", end
    assert end["share"] == 1.0

    told = events(client.get(f"/api/train/{job}/events").text)
    kinds = [kind for _, kind, _ in told]
    assert [number for number, _, _ in told] == sorted({number for number, _, _ in told})
    assert kinds.count("pictures") == 1
    assert [data["status"] for _, kind, data in told if kind == "status"] == ["starting", "training", "done"]
    history = [data for _, kind, data in told if kind == "history"]
    assert {"epoch", "step", "seconds", "loss", "share"} <= set(history[-1])
    assert any("gaps in 'weight'" in data["words"] for _, kind, data in told if kind == "note")
    (pictures,) = [data for _, kind, data in told if kind == "pictures"]
    assert len(pictures["original"]) == len(pictures["reconstruction"]) == 8
    assert len(pictures["original"][0]["values"]) == 2

    state = client.get("/api/state").json()
    assert state["version"] > first["version"]
    assert state["training"] is None
    assert state["model"]["name"] == "my people"
    assert state["model"]["columns"] == ["height", "weight"]
    assert state["data"]["columns"] == ["kind", "note"]
    assert state["data"]["classes"] == ["cat", "dog"]
    assert [one["name"] for one in state["models"]] == ["vae", "my people"]
    assert client.get("/api/dials").json()["dials"][0]["label"]
    assert client.get("/api/data/0").json()["label"] == "cat"

    saved = client.get("/api/models/current/download")
    assert saved.headers["content-disposition"] == 'attachment; filename="my-people.zip"'
    with zipfile.ZipFile(io.BytesIO(saved.content)) as archive:
        assert sorted(archive.namelist()) == [
            f"my-people/{name}" for name in ("README.md", "recipe.json", "weights.safetensors")
        ]

    back = client.post(f"/api/models/{first['models'][0]['id']}/open").json()
    assert back["model"]["name"] == "vae"
    assert back["version"] > state["version"]
    assert client.post("/api/models/nothing/open").status_code == 404
    assert client.get("/api/models/nothing/download").status_code == 404


def test_a_stream_goes_on_where_it_broke_off():
    log = EventLog()
    log.add("status", 1)
    log.add("pictures", "old", replace=True)
    log.add("history", 2)
    log.add("pictures", "new", replace=True)
    assert [(event.kind, event.data) for event in log.list_after(0)] == [
        ("status", 1),
        ("history", 2),
        ("pictures", "new"),
    ]
    seen = log.list_after(0)[1].id
    assert [event.data for event in log.list_after(seen)] == ["new"]
    assert log.list_after(log.list_after(0)[-1].id) == []
    for i in range(10_000):
        log.add("history", i)
    assert len(log.list_after(0)) == 4_000


@pytest.mark.timeout(300)
def test_stopping_keeps_the_best_weights_in_the_folder_that_was_named(client_of, digits, tmp_path):
    from narrows.studio.session import Session

    session = Session(keep=tmp_path / "kept")
    with client_of(session) as client:
        state = upload(client, "digits.npy", npy(digits.astype(np.float32)))
        order = {
            "upload": state["id"],
            "recipe": "ae",
            "max_time": 3600,
            "parameters": {"hidden": [16], "early_stopping": False},
        }
        job = client.post("/api/train", json={**order, "max_epochs": 1_000_000}).json()["job"]
        assert over(client, job, until=("training", "failed"))["status"] == "training"
        stopped = client.post(f"/api/train/{job}/stop")
        assert stopped.json()["status"] == "stopping"
        assert over(client, job)["status"] == "done"
        model = client.get("/api/state").json()["model"]
        assert model["saved"]
        seen = events(client.get(f"/api/train/{job}/events", headers={"last-event-id": "0"}).text)
        last = seen[-1][0]
        assert seen[-1][2]["status"] == "done"
        rest = client.get(f"/api/train/{job}/events", headers={"last-event-id": str(seen[-2][0])}).text
        assert [number for number, _, _ in events(rest)] == [last]
        assert events(client.get(f"/api/train/{job}/events?after={last}").text) == []
        assert client.post(f"/api/train/{job}/stop").json()["status"] == "done"  # too late to stop
        assert client.delete(f"/api/train/{job}").json()["status"] == "done"
    session.close()
    assert load(tmp_path / "kept" / "digits-ae").transform(digits[:2]).shape == (2, 2)


def test_cancelling_keeps_nothing_and_the_next_training_can_begin(opened, digits):
    client = opened("vae")
    version = client.get("/api/state").json()["version"]
    state = upload(client, "digits.npy", npy(digits.astype(np.float32)))
    order = {"upload": state["id"], "recipe": "vae", "max_time": 3600, "max_epochs": 1_000_000}
    job = client.post("/api/train", json=order).json()["job"]
    process = client.app.state.jobs.jobs[job].process
    assert client.delete(f"/api/train/{job}").json()["status"] == "cancelled"
    assert process.wait(10) != 0
    state = client.get("/api/state").json()
    assert (state["training"], state["version"], state["model"]["name"]) == (None, version, "vae")
    assert not list(client.app.state.session.models.iterdir())


@pytest.mark.slow
def test_what_cannot_be_learned_fails_with_the_library_s_own_words(opened, digits):
    client = opened("none")
    state = upload(client, "digits.npy", npy(digits.astype(np.float32)))
    job = client.post("/api/train", json={"upload": state["id"], "recipe": "ae", "n_components": 65}).json()["job"]
    end = over(client, job)
    assert end["status"] == "failed"
    assert "n_components" in end["detail"]
    assert events(client.get(f"/api/train/{job}/events").text)[-1][2]["detail"] == end["detail"]


@pytest.mark.slow
def test_a_conditional_model_learns_from_the_labels_and_decodes_what_is_chosen(opened, digits):
    client = opened("none")
    state = client.post("/api/uploads/dataset", json={"name": "digits"}).json()
    order = {
        "upload": state["id"],
        "recipe": "vae",
        "max_epochs": 5,
        "parameters": {"conditional": True, "hidden": [32]},
    }
    assert over(client, client.post("/api/train", json=order).json()["job"])["status"] == "done"
    model = client.get("/api/state").json()["model"]
    assert model["classes"] == [str(i) for i in range(10)]
    code = {"codes": [[0.0] * model["n_components"]]}
    pictures = []
    for name in ("0", "1"):
        assert client.post("/api/class", json={"name": name}).json()["model"]["class_"] == name
        pictures.append(client.post("/api/decode", json=code).content)
    assert pictures[0] != pictures[1]
    assert client.post("/api/class", json={"name": "10"}).status_code == 404
    assert client.get("/api/outliers/3").status_code == 200


def test_a_training_ends_with_its_studio(client_of, digits):
    from narrows.studio.session import Session

    session = Session()
    with client_of(session) as client:
        state = upload(client, "digits.npy", npy(digits.astype(np.float32)))
        job = client.post("/api/train", json={"upload": state["id"], "recipe": "vae"}).json()["job"]
        process = client.app.state.jobs.jobs[job].process
    session.close()
    assert process.poll() is not None
    assert not session.current


@pytest.mark.timeout(300)
def test_a_training_whose_model_is_to_be_kept_is_kept_when_its_studio_ends(client_of, digits, tmp_path):
    from narrows.studio.session import Session

    session = Session(keep=tmp_path / "kept")
    with client_of(session) as client:
        state = upload(client, "digits.npy", npy(digits.astype(np.float32)))
        order = {"upload": state["id"], "recipe": "ae", "max_time": 3600, "parameters": {"hidden": [16]}}
        job = client.post("/api/train", json=order).json()["job"]
        assert over(client, job, until=("training", "failed"))["status"] == "training"
    session.close()
    assert load(tmp_path / "kept" / "digits-ae").transform(digits[:2]).shape == (2, 2)


def test_what_is_told_of_a_training_has_no_odd_numbers(digits):
    out = io.StringIO()
    tracker = LiveTracker(digits[:2], out, max_time=10.0, max_epochs=4)
    tracker.log(3, {"loss": float("nan"), "epoch": 2.0, "seconds": 1.0})
    told = json.loads(out.getvalue())
    assert told == {"kind": "history", "record": {"loss": None, "epoch": 2.0, "seconds": 1.0, "step": 3, "share": 0.5}}


def test_orders_are_strict():
    with pytest.raises(ValueError, match="max_time"):
        messages.TrainingRequest(upload="a", recipe="vae", max_time=float("inf"))
    with pytest.raises(ValueError, match="n_components"):
        messages.TrainingRequest(upload="a", recipe="vae", n_components=True)
