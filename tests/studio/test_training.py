"""Uploads, trainings, and models of a session: the whole way from a file to the dials."""

import gzip
import io
import json
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from narrows import VAE
from narrows.estimators import load
from narrows.studio import messages, requests, uploads, worker
from narrows.studio.event_log import EventLog
from narrows.studio.worker import LiveTracker

TABLE = "height,weight,kind,note\n1.5,60,cat,x\n1.6,,dog,y\n1.7,70,cat,z\n1.2,50,,x\n" + "1.1,40,dog,y\n" * 40


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


def wait_for_end(client, job: str, *, until: tuple[str, ...] = ("done", "failed", "cancelled")) -> dict:
    """Return the job once its status is one of `until`."""
    for _ in range(2500):  # a busy machine takes long to start a process
        state = client.get(f"/api/train/{job}").json()
        if state["status"] in until:
            return state
        time.sleep(0.1)
    raise AssertionError(state)


def parse_events(text: str) -> list[tuple[int, str, dict]]:
    """Return number, kind and data of each event."""
    parsed = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "id" in fields:
            parsed.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return parsed


# Uploads


def test_upload_of_a_table_with_strings_and_gaps(shared):
    pytest.importorskip("pandas", reason="needs the extra `tables`")
    info = upload(shared("none"), "people.csv", TABLE.encode())
    assert (info["kind"], info["support"], info["n"], info["name"]) == ("table", "mixed", 44, "people.csv")
    columns = {column["name"]: column for column in info["columns"]}
    assert {name: column["kind"] for name, column in columns.items()} == {
        "height": "real",
        "weight": "integer",
        "kind": "binary",
        "note": "categorical",
    }
    assert all(column["use"] and not column["problem"] for column in columns.values())
    assert columns["weight"]["missing"] == 1
    assert columns["weight"]["kinds"] == ["integer", "real", "heavy_tailed", "count", "categorical", "ordered"]
    assert "40 to 70" in columns["weight"]["description"]
    assert columns["kind"]["missing"] == 1
    assert columns["kind"]["examples"] == ["cat", "dog"]
    assert columns["note"]["kinds"] == ["categorical", "ordered"]
    assert info["suggested"]["label"] is None  # no column is left out because it holds words
    assert info["preview"]["rows"][:2] == [["1.5", "60", "cat", "x"], ["1.6", "", "dog", "y"]]


def test_upload_of_a_table_of_numbers(shared):
    rows = b"".join(b"%d\t%.1f\n" % (i % 7, (i * 37 % 11) / 2 - 1) for i in range(40))
    info = upload(shared("none"), "t.tsv", b"a\tb\n" + rows)
    assert info["n"] == 40
    assert [(column["name"], column["distinct"]) for column in info["columns"]] == [("a", 7), ("b", 11)]
    assert info["preview"]["sheet"] is None


def test_columns_without_use_are_left_out_by_name_and_said(shared):
    pytest.importorskip("pandas", reason="needs the extra `tables`")
    rng = np.random.default_rng(0)
    rows = "".join(
        f"{i},u{i},{rng.normal():.3f},2020-01-{1 + i % 28:02d},{rng.choice(['a', 'b', 'c'])},same\n" for i in range(60)
    )
    info = upload(shared("none"), "t.csv", f"id,user,x,day,group,always\n{rows}".encode())
    columns = {column["name"]: column for column in info["columns"]}
    assert {name: column["kind"] for name, column in columns.items()} == {
        "id": "identifier",
        "user": "identifier",
        "x": "real",
        "day": "datetime",
        "group": "categorical",
        "always": "constant",
    }
    assert [name for name, column in columns.items() if column["use"]] == ["x", "day", "group"]
    assert columns["id"]["kinds"][0] == "real"  # what it can be if it is wanted
    assert columns["always"]["kinds"] == []
    assert columns["day"]["description"].startswith("datetime, 2020-01-01 to 2020-01-28")
    assert columns["day"]["examples"][0] == "2020-01-01"
    assert "3 columns" in info["description"]


def test_a_column_that_no_model_takes_does_not_stop_the_others(tmp_path):
    pandas = pytest.importorskip("pandas", reason="needs the extra `tables`")
    frame = pandas.DataFrame({"a": np.arange(30.0) % 7, "b": [np.inf] * 30, "c": [1, "x"] * 15})
    read = uploads._make_upload("t", 1, frame, list(frame), None)
    by_name = {column.name: column for column in read.columns}
    assert "infinity" in by_name["b"].problem
    assert by_name["b"].kinds == ()
    assert "several types" in by_name["c"].problem
    assert [column.name for column in read.columns if column.is_used] == ["a"]
    with pytest.raises(ValueError, match="infinity"):
        read.select_examples(["a", "b"])
    X, names, kinds = read.select_examples(["a", "c"])
    assert (list(X), names, kinds) == (["a", "c"], ["a", "c"], {"c": "categorical"})
    worker.save_examples(tmp_path, X)  # values of several types are compared as text
    assert list(worker.load_examples(tmp_path)["c"][:2]) == ["1", "x"]


def test_chosen_columns_and_kinds(shared):
    pytest.importorskip("pandas", reason="needs the extra `tables`")
    rows = "".join(f"{i},{i * 0.5},{i % 2}\n" for i in range(20))
    info = upload(shared("none"), "t.csv", f"a,b,class\n{rows}".encode())
    assert info["suggested"]["label"] == "class"
    assert [column["use"] for column in info["columns"]] == [False, True, False]  # a row number, and the label
    sizes = "".join(f"{i % 7},{i * 0.37}\n" for i in range(80))
    assert upload(shared("none"), "d.csv", f"x,y\n{sizes}".encode())["suggested"]["label"] is None  # y is no class
    table = shared("none").app.state.jobs.uploads[info["id"]]
    assert table.select_examples(None, "b")[1:] == (["class"], {})
    assert table.select_examples(["a", "b"])[1:] == (["a", "b"], {"a": "real"})
    assert table.select_examples(["b", "class"], None, {"class": "categorical"})[2] == {"class": "categorical"}
    with pytest.raises(ValueError, match=r"'b' cannot be 'datetime'\. Possible kinds: real, "):
        table.select_examples(["b"], None, {"b": "datetime"})
    with pytest.raises(ValueError, match="no column 'zip'"):
        table.select_examples(None, None, {"zip": "categorical"})


def test_the_dtypes_of_a_frame_reach_the_training(tmp_path):
    pandas = pytest.importorskip("pandas", reason="needs the extra `tables`")
    pytest.importorskip("pyarrow", reason="needs the extra `tables`")
    frame = pandas.DataFrame(
        {
            "a": pandas.array([1, None, 3], "Int64"),
            "b": pandas.Categorical(["u", "v", "u"], ["v", "u", "w"], ordered=True),
            "c": pandas.to_datetime(["2020-01-01", None, "2021-01-01"]).tz_localize("Europe/Berlin"),
            "d": ["x", None, "y"],
            "e": [True, False, True],
        }
    )
    worker.save_examples(tmp_path, frame)
    pandas.testing.assert_frame_equal(worker.load_examples(tmp_path), frame)


def test_upload_of_an_array_of_images(shared, digits):
    pictures = np.rint(255 * digits[:50]).astype(np.uint8)
    info = upload(shared("none"), "digits.npy", npy(pictures))
    assert (info["kind"], info["shape"], info["support"]) == ("image", [8, 8], "unit")
    assert info["columns"] is None
    assert info["preview"]["sheet"].startswith("data:image/png;base64,")


def test_upload_of_a_zip_of_images_of_several_sizes_and_modes(shared):
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for i in range(4):
            archive.writestr(f"all/cats/{i}.png", png(rng.integers(0, 255, (40, 80), np.uint8)))
        archive.writestr("all/dogs/0.png", png(rng.integers(0, 255, (50, 50, 3), np.uint8)))
        archive.writestr("all/dogs/readme.txt", b"not an image")
        archive.writestr("__MACOSX/all/cats/._0.png", b"not an image either")
        archive.writestr("all/.hidden/0.png", b"nor this")
    info = upload(shared("none"), "pets.zip", stream.getvalue())
    assert (info["n"], info["shape"], info["classes"]) == (5, [32, 64, 3], ["cats", "dogs"])
    assert any("2 sizes" in note for note in info["notes"])
    assert any("from 80 x 40 to 64 x 32" in note for note in info["notes"])
    small = upload(shared("none"), "pets.zip", stream.getvalue(), side=16)
    assert small["shape"] == [8, 16, 3]


def test_uploads_of_what_the_command_line_reads(shared, digits, tmp_path):
    pictures, y = np.rint(255 * digits[:50]).astype(np.uint8), np.arange(50) % 3
    np.savez(tmp_path / "d.npz", X=pictures, y=y)
    info = upload(shared("none"), "d.npz", (tmp_path / "d.npz").read_bytes())
    assert (info["kind"], info["shape"], info["classes"]) == ("image", [8, 8], ["0", "1", "2"])
    idx = b"\0\0\x08\x03" + np.array(pictures.shape, ">u4").tobytes() + pictures.tobytes()
    for name, content in (("d-idx3-ubyte", idx), ("d-idx3-ubyte.gz", gzip.compress(idx))):
        assert upload(shared("none"), name, content)["shape"] == [8, 8]
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("folder/people.csv", TABLE)
    info = upload(shared("none"), "t.zip", (tmp_path / "t.zip").read_bytes())
    assert (info["kind"], info["n"], info["name"]) == ("table", 44, "t.zip")


def test_upload_of_a_parquet_file(shared, tmp_path):
    pytest.importorskip("pyarrow")
    from narrows.data.files import write_array

    write_array(tmp_path / "t.parquet", np.arange(40.0).reshape(20, 2), ["a", "b"])
    info = upload(shared("none"), "t.parquet", (tmp_path / "t.parquet").read_bytes())
    assert [column["name"] for column in info["columns"]] == ["a", "b"]


def test_upload_of_images_with_16_bits_and_of_broken_ones(shared):
    rng = np.random.default_rng(0)
    deep = rng.integers(0, 4096, (6, 20, 20), np.uint16)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for i, image in enumerate(deep):
            archive.writestr(f"{i}.png", png(image))
        archive.writestr("broken.png", png(deep[0])[:100])
    info = upload(shared("none"), "scans.zip", stream.getvalue())
    assert (info["n"], info["support"], info["description"]) == (
        6,
        "unit",
        "20 x 20 grey images in [0, 1], from values of 0 to 4095",
    )
    assert "Images that cannot be read are left out, 1 of 7: broken.png." in info["notes"]


def test_upload_of_a_named_data_set(shared):
    client = shared("none")
    info = client.post("/api/uploads/dataset", json={"name": "digits"}).json()
    assert (info["n"], info["classes"]) == (1437, [str(i) for i in range(10)])
    assert client.get(f"/api/uploads/{info['id']}").json() == info
    assert client.post("/api/uploads/dataset", json={"name": "../digits"}).status_code == 404


def test_old_uploads_are_dropped_and_uploads_can_be_deleted(opened):
    client = opened("none")
    numbers = [upload(client, "a.csv", b"a,b\n1,2\n3,4\n5,7\n")["id"] for _ in range(5)]
    assert client.get(f"/api/uploads/{numbers[0]}").status_code == 404
    assert client.delete(f"/api/uploads/{numbers[4]}").status_code == 204
    assert client.get(f"/api/uploads/{numbers[4]}").status_code == 404
    assert client.delete(f"/api/uploads/{numbers[4]}").status_code == 404


# Refusals before a training starts


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"recipe": "gan"}, 422, "Unknown recipe 'gan'"),
        ({"upload": "nothing"}, 404, "upload them again"),
        ({"likelihood": "cauchy"}, 422, "likelihood"),
        ({"max_time": 0.1}, 422, "max_time"),
        ({"n_components": 0}, 422, "n_components"),
        ({"parameters": {"beta": -1}}, 422, "beta"),
        ({"parameters": {"checkpoint": "/tmp/x"}}, 422, "no parameter 'checkpoint'"),
        ({"parameters": {"track": "x.jsonl"}}, 422, "no parameter 'track'"),
        ({"parameters": {"max_time": 9}}, 422, "no parameter 'max_time'"),
        ({"parameters": {"network": {"module": "os.system"}}}, 422, "network"),
        ({"kinds": {"kind": "real"}}, 422, "cannot be 'real'"),
        ({"kinds": {"nothing": "real"}}, 422, "no column"),
        ({"parameters": {"columns": {"kind": "binary"}}}, 422, "no parameter 'columns'"),
        ({"columns": ["nothing"]}, 422, "no column"),
        ({"columns": []}, 422, "no column to learn from"),
        ({"label": "nothing"}, 422, "no column"),
        ({"parameters": {"conditional": True}}, 422, "label for each example"),
        ({"more": 1}, 422, "more"),
    ],
)
def test_invalid_training_requests_are_refused(shared, change, code, message):
    client = shared("none")
    request = {"upload": upload(client, "people.csv", TABLE.encode())["id"], "recipe": "vae", "n_components": 1}
    answer = client.post("/api/train", json={**request, **change})
    assert answer.status_code == code, answer.text
    assert message in answer.json()["detail"]
    assert client.get("/api/state").json()["training"] is None


def test_a_model_of_tables_only_is_refused_for_images(shared, digits):
    client = shared("none")
    upload_id = upload(client, "d.npy", npy(digits[:50]))["id"]
    answer = client.post("/api/train", json={"upload": upload_id, "recipe": "tableae"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("TableAE learns from tables only, and the upload holds images.")


def test_a_model_of_tables_trains_and_fills_rows(opened, people):
    client = opened("none")
    info = upload(client, "people.csv", people.to_csv(index=False).encode())
    request = {"upload": info["id"], "recipe": "tableae", "n_components": 16, "max_epochs": 2}
    end = wait_for_end(client, client.post("/api/train", json=request).json()["job"])
    assert end["status"] == "done", end
    state = client.get("/api/state").json()
    assert state["model"]["can"][0] == "fill"
    found = client.post("/api/fill", json={"cells": []}).json()["columns"]
    assert len(found) == len(state["model"]["columns"])
    assert client.get("/api/report").status_code == 200


@pytest.mark.parametrize("name", ["digits", "people"])
def test_a_network_that_does_not_fit_into_memory_is_refused_at_once(shared, digits, name):
    client = shared("none")
    if name == "people":
        pytest.importorskip("pandas", reason="needs the extra `tables`")
    files = {"digits": ("d.npy", npy(digits[:50])), "people": ("people.csv", TABLE.encode())}
    request = {"upload": upload(client, *files[name])["id"], "recipe": "vae", "n_components": 1}
    answer = client.post("/api/train", json={**request, "parameters": {"hidden": [10**12], "network": "mlp"}})
    assert answer.status_code == 422
    assert "GB are free" in answer.json()["detail"]
    assert client.get("/api/state").json()["training"] is None


def test_display_names_are_printable(opened):
    from narrows.studio.uploads import to_display_name

    assert to_display_name("a\ud800b/c\0d\u202e.csv") == "cd.csv"
    assert to_display_name("../..") == ".."
    assert to_display_name("\0") == "upload"
    client = opened("none")
    request = {"upload": upload(client, "a.csv", TABLE.encode())["id"], "recipe": "vae"}
    body = json.dumps({**request, "name": "\ud800", "label": "\ud800"})  # a lone surrogate, which JSON can hold
    answer = client.post("/api/train", content=body.encode(), headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_unknown_trainings_give_404(shared):
    for method, path in (("get", ""), ("get", "/events"), ("post", "/stop"), ("delete", "")):
        assert getattr(shared("none"), method)(f"/api/train/nothing{path}").status_code == 404


# Trainings


@pytest.mark.timeout(300)
def test_train_on_a_table_and_return_to_the_first_model(opened):
    pytest.importorskip("pandas", reason="needs the extra `tables`: column names are kept in data frames")
    client = opened("vae")
    first = client.get("/api/state").json()
    info = upload(client, "people.csv", TABLE.encode())
    request = {
        "upload": info["id"],
        "recipe": "vae",
        "n_components": 1,
        "max_epochs": 3,
        "label": "kind",
        "name": "my people",
        "parameters": {"hidden": [8], "precision": "float32"},
    }
    started = client.post("/api/train", json=request)
    assert started.status_code == 202
    job = started.json()["job"]
    assert client.get("/api/state").json()["training"] == job
    assert client.post("/api/train", json=request).status_code == 409
    end = wait_for_end(client, job)
    assert end["status"] == "done", end
    assert end["share"] == 1.0

    logged = parse_events(client.get(f"/api/train/{job}/events").text)
    kinds = [kind for _, kind, _ in logged]
    assert [number for number, _, _ in logged] == sorted({number for number, _, _ in logged})
    assert [kinds.count(kind) for kind in ("pictures", "examples", "progress", "stage")] == [1] * 4  # the latest
    assert [data["status"] for _, kind, data in logged if kind == "status"] == ["starting", "training", "done"]
    history = [data for _, kind, data in logged if kind == "history"]
    assert {"epoch", "step", "seconds", "loss"} <= set(history[-1])
    (progress,) = [data for _, kind, data in logged if kind == "progress"]
    assert 0 <= progress["step"] <= progress["n_steps"] == 3
    (examples,) = [data for _, kind, data in logged if kind == "examples"]
    (pictures,) = [data for _, kind, data in logged if kind == "pictures"]
    assert len(examples["original"]) == len(examples["pca"]["reconstruction"]) == len(pictures["reconstruction"]) == 8
    assert [(cell["name"], cell["levels"]) for cell in examples["cells"]] == [
        ("height", None),
        ("weight", None),
        ("note", ["y", "x", "z"]),
    ]
    assert examples["original"][0]["values"] == [1.5, 60.0, 1.0]
    assert examples["original"][0]["probs"] is None
    assert (examples["pca"]["n_components"], examples["pca"]["loss"]) == (1, None)
    assert 0 < pictures["reconstruction"][0]["probs"][2] <= 1
    assert pictures["reconstruction"][0]["true_probs"][2] <= pictures["reconstruction"][0]["probs"][2]
    assert (examples["kind"], examples["n_columns"]) == ("table", len(examples["cells"]))

    state = client.get("/api/state").json()
    assert state["version"] > first["version"]
    assert state["training"] is None
    assert state["model"]["name"] == "my people"
    assert state["model"]["columns"] == ["height", "weight", "note"]
    assert state["data"]["columns"] == ["kind"]
    assert state["data"]["classes"] == ["cat", "dog"]
    assert state["model"]["verdict"].startswith(("It is well", "Not yet"))
    assert all(finding["message"] for finding in state["model"]["findings"])
    assert (state["model"]["job"], state["model"]["more_seconds"]) == (job, None)  # all epochs were done
    assert client.post(f"/api/train/{job}/again", json={"more_seconds": 60}).status_code == 422
    assert [model["name"] for model in state["models"]] == ["vae", "my people"]
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


def test_the_event_log_continues_after_an_event():
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
def test_a_training_that_is_stopped_before_its_first_step_keeps_nothing(opened, digits):
    client = opened("none")
    info = upload(client, "digits.npy", npy(digits.astype(np.float32)))
    job = client.post("/api/train", json={"upload": info["id"], "recipe": "ae"}).json()["job"]
    stopped = client.post(f"/api/train/{job}/stop").json()
    assert stopped["status"] == "cancelled"
    assert stopped["detail"] == "It was stopped before the model had learned anything: nothing was kept."
    assert client.get("/api/state").json()["training"] is None
    assert client.get(f"/api/uploads/{info['id']}").status_code == 200  # the way back


def test_likelihoods_say_which_columns_they_take(shared):
    pandas = pytest.importorskip("pandas", reason="needs the extra `tables`")
    info = upload(shared("none"), "people.csv", TABLE.encode())
    kinds = {entry["name"]: entry["kinds"] for entry in info["likelihoods"]}
    assert [name for name, taken in kinds.items() if taken is None] == ["auto", "gaussian", "heteroscedastic"]
    words = pandas.read_csv(io.StringIO(TABLE))[["note", "weight"]]
    for name, taken in kinds.items():
        if taken is not None:
            assert "categorical" not in taken
            with pytest.raises(ValueError, match=r"categorical columns such as 'note'|'heteroscedastic' for a table"):
                VAE(2, likelihood=name, max_epochs=1).fit(words)


@pytest.mark.slow
def test_stopping_saves_the_best_weights_in_the_keep_folder(client_of, digits, tmp_path):
    from narrows.studio.session import Session

    session = Session(keep=tmp_path / "kept")
    with client_of(session) as client:
        info = upload(client, "digits.npy", npy(digits.astype(np.float32)))
        request = {
            "upload": info["id"],
            "recipe": "ae",
            "max_time": 3600,
            "parameters": {"hidden": [16], "early_stopping": False},
        }
        job = client.post("/api/train", json={**request, "max_epochs": 1_000_000}).json()["job"]
        assert wait_for_end(client, job, until=("training", "failed"))["status"] == "training"
        stopped = client.post(f"/api/train/{job}/stop")
        assert stopped.json()["status"] == "stopping"
        assert wait_for_end(client, job)["status"] == "done"
        model = client.get("/api/state").json()["model"]
        assert model["saved"]
        logged = parse_events(client.get(f"/api/train/{job}/events", headers={"last-event-id": "0"}).text)
        last = logged[-1][0]
        assert logged[-1][2]["status"] == "done"
        rest = client.get(f"/api/train/{job}/events", headers={"last-event-id": str(logged[-2][0])}).text
        assert [number for number, _, _ in parse_events(rest)] == [last]
        assert parse_events(client.get(f"/api/train/{job}/events?after={last}").text) == []
        assert client.post(f"/api/train/{job}/stop").json()["status"] == "done"  # too late to stop
        assert client.delete(f"/api/train/{job}").json()["status"] == "done"
    session.close()
    assert load(tmp_path / "kept" / "digits-ae").transform(digits[:2]).shape == (2, 2)


def test_cancelling_saves_nothing(opened, digits):
    client = opened("vae")
    version = client.get("/api/state").json()["version"]
    info = upload(client, "digits.npy", npy(digits.astype(np.float32)))
    request = {"upload": info["id"], "recipe": "vae", "max_time": 3600, "max_epochs": 1_000_000}
    job = client.post("/api/train", json=request).json()["job"]
    process = client.app.state.jobs.jobs[job].process
    assert client.delete(f"/api/train/{job}").json()["status"] == "cancelled"
    assert process.wait(10) != 0
    state = client.get("/api/state").json()
    assert (state["training"], state["version"], state["model"]["name"]) == (None, version, "vae")
    assert not list(client.app.state.session.models.iterdir())


@pytest.mark.slow
def test_a_failed_training_gives_the_library_s_error_message(opened, digits):
    client = opened("none")
    info = upload(client, "digits.npy", npy(digits.astype(np.float32)))
    job = client.post("/api/train", json={"upload": info["id"], "recipe": "ae", "n_components": 65}).json()["job"]
    end = wait_for_end(client, job)
    assert end["status"] == "failed"
    assert "n_components" in end["detail"]
    assert parse_events(client.get(f"/api/train/{job}/events").text)[-1][2]["detail"] == end["detail"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_training_goes_on_from_its_weights_and_is_repeated_with_another_parameter(opened, digits):
    client = opened("none")
    info = upload(client, "digits.npy", npy(digits.astype(np.float32)))
    settings = {"upload": info["id"], "recipe": "vae", "n_components": 3, "max_time": 2, "name": "first"}
    job = client.post("/api/train", json={**settings, "parameters": {"network": "mlp"}}).json()["job"]
    assert wait_for_end(client, job)["status"] == "done"
    model = client.get("/api/state").json()["model"]
    assert (model["job"], model["more_seconds"]) == (job, 180)
    before = [data for _, kind, data in parse_events(client.get(f"/api/train/{job}/events").text) if kind == "history"]

    longer = client.post(f"/api/train/{job}/again", json={"more_seconds": 2}).json()["job"]
    assert wait_for_end(client, longer)["status"] == "done"
    after = [
        data for _, kind, data in parse_events(client.get(f"/api/train/{longer}/events").text) if kind == "history"
    ]
    assert after[0]["step"] > before[-1]["step"]  # it did not begin again
    assert after[-1]["seconds"] > before[-1]["seconds"]
    assert client.get("/api/state").json()["model"]["name"] == "first, longer"

    again = client.post(f"/api/train/{longer}/again", json={"change": {"beta": 0.25, "max_time": 1.0}}).json()["job"]
    assert wait_for_end(client, again)["status"] == "done"
    assert client.get("/api/state").json()["model"]["name"] == "first, beta=0.25, max_time=1.0"
    assert client.app.state.session.current.model.beta == 0.25
    assert client.post(f"/api/train/{job}/again", json={"more_seconds": 2}).status_code == 422  # its state is gone
    client.app.state.jobs.uploads.clear()
    answer = client.post(f"/api/train/{again}/again", json={"change": {"beta": 1.0}})
    assert (answer.status_code, "upload" in answer.json()["detail"]) == (422, True)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["vae", "ae"])
def test_a_conditional_model_trains_with_labels_and_decodes_the_chosen_class(opened, recipe):
    client = opened("none")
    info = client.post("/api/uploads/dataset", json={"name": "digits"}).json()
    request = {
        "upload": info["id"],
        "recipe": recipe,
        "max_epochs": 5,
        "parameters": {"conditional": True, "hidden": [32]},
    }
    assert wait_for_end(client, client.post("/api/train", json=request).json()["job"])["status"] == "done"
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


def test_a_training_ends_with_the_studio(client_of, digits):
    from narrows.studio.session import Session

    session = Session()
    with client_of(session) as client:
        info = upload(client, "digits.npy", npy(digits.astype(np.float32)))
        job = client.post("/api/train", json={"upload": info["id"], "recipe": "vae"}).json()["job"]
        process = client.app.state.jobs.jobs[job].process
    session.close()
    assert process.poll() is not None
    assert not session.current


@pytest.mark.timeout(300)
def test_a_training_is_saved_in_the_keep_folder_when_the_studio_ends(client_of, digits, tmp_path):
    from narrows.studio.session import Session

    session = Session(keep=tmp_path / "kept")
    with client_of(session) as client:
        info = upload(client, "digits.npy", npy(digits.astype(np.float32)))
        request = {"upload": info["id"], "recipe": "ae", "max_time": 3600, "parameters": {"hidden": [16]}}
        job = client.post("/api/train", json=request).json()["job"]
        assert wait_for_end(client, job, until=("training", "failed"))["status"] == "training"
    session.close()
    assert load(tmp_path / "kept" / "digits-ae").transform(digits[:2]).shape == (2, 2)


def events_of(tracker: LiveTracker) -> list[dict]:
    """Return the events that a tracker wrote."""
    return [json.loads(line) for line in tracker.out.getvalue().splitlines()]


def test_events_hold_null_for_nan():
    tracker = LiveTracker(io.StringIO())
    tracker.log(3, {"loss": float("nan"), "epoch": 2.0, "seconds": 1.0})
    (event,) = events_of(tracker)
    assert event == {"event": "history", "record": {"loss": None, "epoch": 2.0, "seconds": 1.0, "step": 3}}


def test_progress_says_how_much_is_left_and_the_curve_gets_fewer_points_with_time():
    tracker = LiveTracker(io.StringIO())
    tracker.show(0, {"share": 0.0, "n_steps": 900.0, "seconds": 0.0})
    tracker.show(30, {"share": 0.25, "n_steps": 900.0, "seconds": 5.0, "loss": 4.0})
    tracker.show(31, {"share": 0.26, "n_steps": 900.0, "seconds": 5.05, "loss": 3.0})
    events = events_of(tracker)
    assert [event["event"] for event in events] == ["started", "progress", "progress", "history", "progress"]
    assert events[1] == {"event": "progress", "step": 0, "n_steps": 900, "share": 0, "seconds": 0, "left": None}
    assert events[2] == {"event": "progress", "step": 30, "n_steps": 120, "share": 0.25, "seconds": 5, "left": 15}
    assert events[3]["record"] == {"step": 30, "seconds": 5, "loss": 4}


def test_the_next_try_of_a_training():
    request = messages.TrainingRequest(upload="a", recipe="vae", parameters={"hidden": [8], "beta": 1.0}, max_time=60)
    change = {"beta": 0.25, "n_components": 3, "hidden": (4, 4)}
    again = requests.change_request(request, "people, beta=1", "beta=0.25", change)
    assert again.parameters == {"hidden": (4, 4), "beta": 0.25}
    assert (again.n_components, again.max_time, again.upload) == (3, 60, "a")
    assert again.name == "people, beta=0.25"
    with pytest.raises(ValueError, match="max_time"):
        requests.change_request(request, "people", "", {"max_time": -1.0})


def test_training_requests_are_strict():
    with pytest.raises(ValueError, match="max_time"):
        messages.TrainingRequest(upload="a", recipe="vae", max_time=float("inf"))
    with pytest.raises(ValueError, match="n_components"):
        messages.TrainingRequest(upload="a", recipe="vae", n_components=True)
