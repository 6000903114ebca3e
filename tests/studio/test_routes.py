"""The routes about a model: state, dials, decoding, data, map, clean, units, outliers, search, report."""

import base64
import io
import struct
import threading
import time

import numpy as np
import pytest
import scipy.sparse
import torch
from PIL import Image

from narrows import AE, VAE
from narrows.data import infer
from narrows.estimators import load
from narrows.studio import view
from narrows.studio.compute_lock import ComputeLock
from narrows.studio.data import Colour, Data
from narrows.studio.images import fit_image
from narrows.studio.session import Session
from narrows.tasks import Index
from narrows.tasks.outliers import reasons as outlier_reasons


def to_array(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    shape = [int(n) for n in answer.headers["x-shape"].split(",")]
    return np.frombuffer(answer.content, np.dtype(answer.headers["x-dtype"]).newbyteorder("<")).reshape(shape)


def to_pixels(answer) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def decode_uri(uri: str) -> np.ndarray:
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))


def check_refusal(answer, code: int, message: str = "") -> None:
    assert answer.status_code == code, answer.text
    assert set(answer.json()) == {"detail"}
    assert message in answer.json()["detail"]


# State


def test_state_without_a_model(shared):
    state = shared("none").get("/api/state").json()
    assert state["model"] is None
    assert state["data"] is None
    assert state["version"] == 0
    assert "digits" in [entry["name"] for entry in state["datasets"]]
    vae = next(entry for entry in state["recipes"] if entry["name"] == "vae")
    assert {"name": "beta", "default": 1.0}.items() <= next(p for p in vae["parameters"] if p["name"] == "beta").items()
    assert not {"checkpoint", "track", "device"} & {p["name"] for p in vae["parameters"]}


def test_state_of_a_model(shared, models):
    state = shared("vae").get("/api/state").json()
    model = state["model"]
    assert (model["recipe"], model["kind"], model["shape"], model["n_components"]) == ("vae", "image", [8, 8, 1], 4)
    assert model["can"] == ["dials", "map", "clean", "outliers", "search", "report"]
    assert (model["low"], model["high"]) == (0.0, 1.0)
    assert str(models["vae"]) in model["python"]
    assert state["data"]["n"] == 200
    assert state["data"]["classes"] == [str(i) for i in range(10)]
    assert [entry["current"] for entry in state["models"]] == [True]


@pytest.mark.parametrize(
    ("name", "panels"),
    [
        ("dae", ["clean", "outliers", "report"]),
        ("sae", ["dials", "map", "clean", "units", "outliers", "search", "report"]),
        ("table", ["dials", "map", "clean", "outliers", "search", "report"]),
    ],
)
def test_panels_follow_the_model(shared, name, panels):
    assert shared(name).get("/api/state").json()["model"]["can"] == panels


def test_without_data_there_are_dials_and_clean_only(opened):
    client = opened("vae", data=False)
    assert client.get("/api/state").json()["model"]["can"] == ["dials", "clean"]
    check_refusal(client.get("/api/map"), 404, "No data")
    check_refusal(client.get("/api/data/0"), 404, "No data")
    assert len(client.get("/api/random").json()["code"]) == 4


@pytest.mark.parametrize(
    "path", ["dials", "random", "map", "data/0", "units", "outliers", "map/colours", "sprites?rows=0"]
)
def test_without_a_model_routes_give_404(shared, path):
    check_refusal(shared("none").get(f"/api/{path}"), 404, "No model is open")


def test_health(shared):
    assert shared("none").get("/api/health").json() == {"status": "ok"}


# Dials


def test_dials_are_sorted_by_nats(shared, models):
    result = shared("vae").get("/api/dials").json()
    carries = [dial["carries"] for dial in result["dials"]]
    assert result["unit"] == "nats"
    assert carries == sorted(carries, reverse=True)
    assert carries == pytest.approx(load(models["vae"]).components_kl_)
    assert all(dial["low"] < dial["mean"] < dial["high"] for dial in result["dials"])
    assert len(shared("vae").get("/api/dials?limit=2").json()["dials"]) == 2


def test_dials_of_a_sparse_model_begin_at_zero(shared):
    result = shared("sae").get("/api/dials").json()
    assert result["unit"] == "share"
    assert {dial["low"] for dial in result["dials"]} == {0.0}
    assert sum(dial["carries"] for dial in result["dials"]) == pytest.approx(1.0)


def test_dials_of_a_table_name_the_columns_that_they_move(client_of, table):
    pandas = pytest.importorskip("pandas", reason="needs the extra `tables`")

    frame = pandas.DataFrame(table, columns=["height", "weight", "age", "pulse"])
    model = AE(2, hidden=(), max_epochs=5, random_state=0).fit(frame)
    session = Session()
    session.open(model, None, name="people")
    with client_of(session) as client:
        labels = [dial["label"] for dial in client.get("/api/dials").json()["dials"]]
        values = client.post("/api/decode", json={"codes": [[0.0, 0.0]], "format": "json"}).json()
    session.close()
    assert all(" up" in label or " down" in label for label in labels)
    assert all(label.split()[0] in frame.columns for label in labels)
    assert len(values["examples"][0]["values"]) == 4


def test_a_strip_equals_traverse(shared, models):
    strip = to_pixels(shared("vae").get("/api/dials/1/strip?steps=5"))
    expected = load(models["vae"]).traverse(components=[1], n_steps=5)[0]
    assert strip.shape == (8, 40)
    np.testing.assert_allclose(strip.reshape(8, 5, 8).swapaxes(0, 1), 255 * expected, atol=1.0)


def test_a_strip_starts_from_a_code(shared):
    client = shared("vae")
    code = "1,-1,0.5,2"
    whole = to_pixels(client.get(f"/api/dials/0/strip?steps=3&code={code}"))
    dial = next(d for d in client.get("/api/dials").json()["dials"] if d["component"] == 0)
    last = to_array(client.post("/api/decode", json={"codes": [[dial["high"], -1.0, 0.5, 2.0]]}))
    np.testing.assert_array_equal(whole[:, 16:], last[0, :, :, 0])
    check_refusal(client.get("/api/dials/0/strip?code=1,2"), 422, "4 numbers")
    check_refusal(client.get("/api/dials/0/strip?code=1,2,x,4"), 422, "separated by commas")
    check_refusal(client.get("/api/dials/4/strip"), 404, "no component 4")
    check_refusal(client.get("/api/dials/0/strip?steps=1"), 422, "steps")


def test_decoding_equals_inverse_transform(shared, models):
    codes = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    expected = load(models["vae"]).inverse_transform(codes)
    result = to_array(shared("vae").post("/api/decode", json={"codes": codes.tolist()}))
    assert (result.shape, result.dtype) == ((3, 8, 8, 1), np.uint8)
    np.testing.assert_allclose(result[..., 0], 255 * expected, atol=0.51)
    picture = to_pixels(shared("vae").post("/api/decode", json={"codes": codes.tolist(), "format": "png", "scale": 2}))
    np.testing.assert_array_equal(picture[::2, ::2].reshape(8, 3, 8).swapaxes(0, 1), result[..., 0])
    written = shared("vae").post("/api/decode", json={"codes": codes.tolist(), "format": "json"}).json()
    np.testing.assert_array_equal(decode_uri(written["examples"][1]["picture"]), result[1, ..., 0])


def test_decoding_a_vector(shared, models):
    expected = load(models["table"]).inverse_transform(np.array([[0.3, -1.0]]))
    result = to_array(shared("table").post("/api/decode", json={"codes": [[0.3, -1.0]]}))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    check_refusal(shared("table").post("/api/decode", json={"codes": [[0.0, 0.0]], "format": "png"}), 404, "not images")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"codes": [[0.0]]}, 422, "4 numbers"),
        ({"codes": []}, 422, "codes"),
        ({"codes": [[0.0, 0.0, 0.0, 1e30]]}, 422, "less than or equal"),
        ({"codes": [[0.0, 0.0, 0.0, "1"]]}, 422, "codes"),
        ({"codes": [[0.0, 0.0, 0.0, None]]}, 422, "codes"),
        ({"codes": [[0.0] * 4], "format": "gif"}, 422, "format"),
        ({"codes": [[0.0] * 4], "more": 1}, 422, "more"),
        ({"codes": [[0.0] * 4] * 257}, 422, "codes"),
    ],
)
def test_decoding_refuses(shared, body, code, message):
    check_refusal(shared("vae").post("/api/decode", json=body), code, message)


@pytest.mark.parametrize(
    "body", [b"{", b"", b"\xff", b'{"codes": [[NaN, 0, 0, 0]]}', b"[" * 100_000, b'{"codes": "\\ud800"}']
)
def test_decoding_refuses_invalid_json(shared, body):
    answer = shared("vae").post("/api/decode", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert isinstance(answer.json()["detail"], str)


def test_encoding_a_row_and_values(shared, models, table):
    expected = load(models["table"]).transform(table[5:6])[0]
    by_row = shared("table").post("/api/encode", json={"row": 5}).json()
    by_values = shared("table").post("/api/encode", json={"values": table[5].tolist()}).json()
    np.testing.assert_allclose(by_row["code"], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(by_values["code"], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(by_row["example"]["values"], table[5], rtol=1e-5)
    check_refusal(shared("table").post("/api/encode", json={"values": [1.0]}), 422, "4 values")
    check_refusal(shared("table").post("/api/encode", json={"row": 80}), 404, "no row 80")
    check_refusal(shared("vae").post("/api/encode", json={"values": [0.0] * 64}), 422, "encode/image")


def encode_png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(("layout", "white"), [("hw", 4095), ("hwc", 1)])
def test_an_image_of_16_bits_is_in_the_units_of_the_model(layout, white):
    deep = np.random.default_rng(0).integers(0, 4096, (9, 8), np.uint16)
    deep[0, 0] = 4095
    data = np.stack([deep] * 4) if layout == "hw" else np.stack([deep] * 12, -1).reshape(4, 9, 8, 3) / 4095.0
    example = fit_image(encode_png(deep), infer(data.astype(np.float32), "X", dtype=data.dtype))
    expected = deep if layout == "hw" else np.stack([deep] * 3, -1) / 4095
    np.testing.assert_allclose(example[0], expected, atol=1e-3)
    assert example.dtype == (np.uint16 if layout == "hw" else np.float32)
    assert example.max() == white


def test_encoding_an_image_of_another_size_and_mode(shared, digits, models):
    grey = np.rint(255 * digits[3]).astype(np.uint8)
    exact = shared("vae").post("/api/encode/image", content=encode_png(grey)).json()
    np.testing.assert_allclose(exact["code"], load(models["vae"]).transform(digits[3:4])[0], atol=0.05)
    colour = np.stack([grey.repeat(4, 0).repeat(4, 1)] * 3, axis=-1)
    larger = shared("vae").post("/api/encode/image", content=encode_png(colour)).json()
    assert decode_uri(larger["example"]["picture"]).shape == (8, 8)
    np.testing.assert_allclose(larger["code"], exact["code"], atol=0.7)
    check_refusal(shared("vae").post("/api/encode/image", content=b"no image"), 415, "damaged or not an image")
    check_refusal(shared("table").post("/api/encode/image", content=encode_png(grey)), 404, "not images")


def test_random_codes_depend_on_the_seed_only(shared):
    first, again, other = (shared("vae").get(f"/api/random?seed={seed}").json() for seed in (1, 1, 2))
    assert first == again
    assert first["code"] != other["code"]
    drawn = shared("vae").get("/api/random").json()
    assert shared("vae").get(f"/api/random?seed={drawn['seed']}").json() == drawn
    sparse = shared("sae").get("/api/random?seed=3").json()["code"]
    assert 0 < np.count_nonzero(sparse) <= 4


def test_random_codes_come_from_the_fitted_sampler(client_of, digits):
    model = AE(2, hidden=(8,), max_epochs=1, random_state=0).fit(digits).fit_sampler(digits, "mixture")
    session = Session()
    session.open(model, None, name="mixed")
    with client_of(session) as client:
        result = client.get("/api/random?seed=5").json()["code"]
    session.close()
    expected = model.sampler("mixture").draw(1, np.random.default_rng(5))[0]
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert not np.allclose(result, model.sampler("gaussian").draw(1, np.random.default_rng(5))[0])


def test_codes_of_rows(shared, models, digits):
    result = to_array(shared("vae").get("/api/codes?rows=3,1"))
    np.testing.assert_allclose(result, load(models["vae"]).transform(digits[[3, 1]]), atol=1e-5)
    check_refusal(shared("vae").get("/api/codes?rows=1,200"), 404, "no row 200")
    check_refusal(shared("vae").get("/api/codes?rows=1,-2"), 422, "rows")
    check_refusal(shared("vae").get("/api/codes?rows="), 422, "rows")
    check_refusal(shared("vae").get("/api/codes"), 422, "rows")


# The WebSocket


def pack_message(number: int, code) -> bytes:
    return struct.pack("<I", number) + np.asarray(code, "<f4").tobytes()


def test_the_socket_decodes_an_image(shared, models):
    code = [0.5, -0.5, 1.0, 0.0]
    with shared("vae").websocket_connect("/api/decode", headers={"host": "127.0.0.1:8760"}) as socket:
        socket.send_bytes(pack_message(7, code))
        answer = socket.receive_bytes()
    assert struct.unpack("<I", answer[:4]) == (7,)
    expected = 255 * load(models["vae"]).inverse_transform(np.array([code]))[0]
    np.testing.assert_allclose(np.frombuffer(answer[4:], np.uint8).reshape(8, 8), expected, atol=0.51)


def test_the_socket_decodes_a_vector(shared, models):
    with shared("table").websocket_connect("/api/decode", headers={"host": "localhost"}) as socket:
        socket.send_bytes(pack_message(1, [1.0, 2.0]))
        answer = socket.receive_bytes()
    expected = load(models["table"]).inverse_transform(np.array([[1.0, 2.0]]))[0]
    np.testing.assert_allclose(np.frombuffer(answer[4:], "<f4"), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"abc",
        pack_message(5, [0.0]),
        pack_message(5, [np.nan] * 4),
        pack_message(5, [np.inf] * 4),
        pack_message(5, [1e7] * 4),
    ],
)
def test_a_wrong_message_is_answered_and_the_socket_stays(shared, wrong):
    with shared("vae").websocket_connect("/api/decode", headers={"host": "localhost"}) as socket:
        socket.send_bytes(wrong)
        answer = socket.receive_json()
        assert answer["seq"] == (5 if len(wrong) >= 4 else None)
        assert answer["detail"]
        socket.send_bytes(pack_message(6, [0.0] * 4))
        assert socket.receive_bytes()[:4] == struct.pack("<I", 6)


def test_text_on_the_socket_is_answered(shared):
    with shared("none").websocket_connect("/api/decode", headers={"host": "localhost"}) as socket:
        socket.send_text("hello")
        assert "No model" in socket.receive_json()["detail"]


def test_the_latest_code_wins(opened, monkeypatch):
    """Only the last of the codes that arrive during a decoding is answered."""
    client = opened("vae")
    view = client.app.state.session.current
    has_begun, may_continue, decoded = threading.Event(), threading.Event(), view.decode

    def slowly(codes, **settings):
        has_begun.set()
        assert may_continue.wait(10)
        return decoded(codes, **settings)

    monkeypatch.setattr(view, "decode", slowly)
    with client.websocket_connect("/api/decode", headers={"host": "localhost"}) as socket:
        socket.send_bytes(pack_message(0, [0.0] * 4))
        assert has_begun.wait(10)
        for number in range(1, 51):
            socket.send_bytes(pack_message(number, [0.0] * 4))
        (decode_socket,) = client.app.state.decode_sockets
        while decode_socket.latest != pack_message(50, [0.0] * 4):
            time.sleep(0.01)
        may_continue.set()
        answers = [struct.unpack("<I", socket.receive_bytes()[:4])[0] for _ in range(2)]
    assert answers == [0, 50]


def test_codes_of_several_sockets_are_decoded_together(opened, monkeypatch):
    client = opened("vae")
    view = client.app.state.session.current
    sizes, decoded = [], view.decode
    may_continue = threading.Event()

    def counted(codes, **settings):
        sizes.append(len(codes))
        if len(sizes) == 1:
            assert may_continue.wait(10)
        return decoded(codes, **settings)

    monkeypatch.setattr(view, "decode", counted)
    sockets = [client.websocket_connect("/api/decode", headers={"host": "localhost"}) for _ in range(4)]
    entered = [socket.__enter__() for socket in sockets]
    entered[0].send_bytes(pack_message(0, [0.0] * 4))
    while not sizes:
        time.sleep(0.01)
    for socket in entered[1:]:
        socket.send_bytes(pack_message(1, [1.0] * 4))
    while len(client.app.state.decoder.queue) < 3:
        time.sleep(0.01)
    may_continue.set()
    answers = [socket.receive_bytes() for socket in entered]
    for socket in sockets:
        socket.__exit__(None, None, None)
    assert sizes == [1, 3]
    assert answers[1] == answers[2] == answers[3] != answers[0]


# Data and map


def test_a_row(shared, digits, models):
    result = shared("vae").get("/api/data/13").json()
    assert (result["row"], result["label"], result["name"]) == (13, "3", "row 13")
    np.testing.assert_allclose(decode_uri(result["example"]["picture"]), 255 * digits[13], atol=0.51)
    np.testing.assert_allclose(result["code"], load(models["vae"]).transform(digits[13:14])[0], atol=1e-5)
    picture = to_pixels(shared("vae").get("/api/data/13/picture"))
    np.testing.assert_array_equal(picture, decode_uri(result["example"]["picture"]))
    assert shared("dae").get("/api/data/13").json()["code"] is None


def test_a_row_of_a_table(shared, table):
    result = shared("table").get("/api/data/3").json()
    np.testing.assert_allclose(result["example"]["values"], table[3], rtol=1e-6)
    assert result["columns"] == {"group": "a", "spread": f"{table[3].std():.6g}"}
    check_refusal(shared("table").get("/api/data/3/picture"), 404, "not images")


@pytest.mark.parametrize(
    ("row", "code"), [("200", 404), ("-1", 422), ("x", 422), ("1e3", 422), ("9" * 30, 422), ("1.5", 422)]
)
def test_invalid_rows(shared, row, code):
    check_refusal(shared("vae").get(f"/api/data/{row}"), code)


def test_sprites(shared, digits):
    result = to_pixels(shared("vae").get("/api/sprites?rows=5,6,7&columns=2"))
    assert result.shape == (16, 16)
    np.testing.assert_allclose(result[8:, :8], 255 * digits[7], atol=0.51)
    assert (result[8:, 8:] == 255).all()
    check_refusal(shared("vae").get("/api/sprites?rows=" + "1," * 1000 + "1"), 422, "rows")


def test_the_map_of_two_components(shared, models, digits):
    expected = load(models["vae"]).transform(digits[:200])
    np.testing.assert_allclose(to_array(shared("vae").get("/api/map?x=2&y=0")), expected[:, [2, 0]], atol=1e-5)
    check_refusal(shared("vae").get("/api/map?x=4"), 404, "no such component")
    check_refusal(shared("vae").get("/api/map?projection=umap"), 422, "projection")
    check_refusal(shared("dae").get("/api/map"), 404, "no codes")


def test_the_map_by_principal_axes_equals_scikit_learn(shared, models, digits):
    from sklearn.decomposition import PCA

    answer = shared("vae").get("/api/map?projection=pca")
    codes = load(models["vae"]).transform(digits[:200]).astype(np.float64)
    pca = PCA(2).fit(codes)
    share = [float(word) for word in answer.headers["x-explained"].split(",")]
    np.testing.assert_allclose(share, pca.explained_variance_ratio_, atol=1e-4)
    result, expected = to_array(answer), codes @ pca.components_.T
    signs = np.sign((result * expected).sum(0))
    np.testing.assert_allclose(result * signs, expected, atol=1e-4)


def test_the_map_of_neighbours_is_refined_in_the_background(opened, models, digits):
    from narrows.evaluation.inspection import Inspection
    from narrows.evaluation.layout import lay_out

    client = opened("vae")
    steps, after = [], -1
    while True:
        answer = client.get(f"/api/map/neighbors?after={after}")
        after, n_steps = (int(number) for number in answer.headers["x-steps"].split(","))
        places = to_array(answer)
        if len(places):
            steps.append(after)
        if after == n_steps:
            break
    assert steps == sorted(set(steps))
    expected = lay_out(Inspection(load(models["vae"]), digits[:200]), "neighbours").places
    np.testing.assert_allclose(places, expected, atol=1e-2 * expected.std())
    assert to_array(client.get(f"/api/map/neighbors?after={after}")).shape == (0, 2)
    np.testing.assert_array_equal(to_array(client.get("/api/map/neighbors")), places)  # kept
    check_refusal(opened("dae").get("/api/map/neighbors"), 404, "no codes")
    check_refusal(opened("vae", data=False).get("/api/map/neighbors"), 404, "No data")


def test_names_on_the_map_are_those_of_the_page_of_a_map(shared):
    from narrows.report.map_columns import find_clusters, medoid

    client = shared("vae")
    places = to_array(client.get("/api/map?projection=pca"))
    names = client.get("/api/map/names?projection=pca").json()
    rows = [np.flatnonzero(np.arange(200) % 10 == label) for label in range(10)]
    assert names["classes"] == [{"name": str(i), "row": medoid(places, rows[i])} for i in range(10)]
    clusters = find_clusters(places)
    medoids = [medoid(places, np.flatnonzero(clusters == i)) for i in range(clusters.max() + 1)]
    assert [entry["row"] for entry in names["clusters"]] == medoids
    assert len({entry["name"] for entry in names["clusters"]}) == len(medoids)
    groups = shared("table").get("/api/map/names?by=column:group").json()
    assert [entry["name"] for entry in groups["classes"]] == ["a", "b"]
    by_component = shared("sae").get("/api/map/names?by=component:0").json()["classes"]
    assert [entry["name"] for entry in by_component] == [str(i) for i in range(10)]  # those of the labels
    check_refusal(shared("vae").get("/api/map/names?x=99"), 404, "no such component")


def test_the_histograms_of_the_map(shared):
    def names(name):
        return [entry["by"] for entry in shared(name).get("/api/map/columns").json()]

    assert names("vae") == ["label", *(f"component:{i}" for i in range(4))]
    assert names("table") == ["column:group", "column:spread", *(f"column:column {i}" for i in range(1, 5))]
    check_refusal(shared("vae").get("/api/map/columns?x=99"), 404, "no such component")


def test_colours(shared, digits, models, table):
    offered = {entry["by"]: entry for entry in shared("vae").get("/api/map/colours").json()}
    assert offered["label"]["categories"] == [str(i) for i in range(10)]
    np.testing.assert_array_equal(to_array(shared("vae").get("/api/map/colour?by=label")), np.arange(200) % 10)
    scores = to_array(shared("vae").get("/api/map/colour?by=score"))
    np.testing.assert_allclose(scores, load(models["vae"]).score_samples(digits[:200]), rtol=1e-4)
    code = to_array(shared("vae").get("/api/map/colour?by=component:1"))
    np.testing.assert_allclose(code, to_array(shared("vae").get("/api/map?x=1&y=0"))[:, 0])
    answer = shared("table").get("/api/map/colour?by=column:column 2")
    np.testing.assert_allclose(to_array(answer), table[:, 1], rtol=1e-6)
    assert float(answer.headers["x-low"]) == pytest.approx(np.percentile(table[:, 1], 2), rel=1e-4)
    assert {entry["by"]: entry["kind"] for entry in shared("table").get("/api/map/colours").json()}[
        "column:group"
    ] == "category"
    for by in offered:
        assert shared("vae").get("/api/map/colour", params={"by": by}).status_code == 200
    check_refusal(shared("vae").get("/api/map/colour?by=column:x"), 404)
    check_refusal(shared("vae").get("/api/map/colour?by=component:99"), 404)
    check_refusal(shared("table").get("/api/map/colour?by=label"), 404)


def test_the_manifold_decodes_places_of_the_map(shared):
    client = shared("vae")
    dials = {dial["component"]: dial for dial in client.get("/api/dials").json()["dials"]}
    answer = client.get("/api/map/manifold?x=0&y=2&left=-1&right=1&bottom=-2&top=2&size=2")
    result = to_pixels(answer)
    codes = [[0.5, 0, -1, 0], [-0.5, 0, 1, 0]]  # right and below, left and above
    codes = [[dials[i]["mean"] if i in (1, 3) else float(v) for i, v in enumerate(code)] for code in codes]
    right_below, left_above = to_array(client.post("/api/decode", json={"codes": codes}))[..., 0].astype(int)
    np.testing.assert_allclose(result[8:, 8:], right_below, atol=1)
    np.testing.assert_allclose(result[:8, :8], left_above, atol=1)
    assert to_pixels(client.get("/api/map/manifold?projection=pca&left=-1&right=1&bottom=-1&top=1&size=3")).shape == (
        24,
        24,
    )
    check_refusal(client.get("/api/map/manifold?left=-1&right=nan&bottom=-1&top=1"), 422, "right")
    check_refusal(client.get("/api/map/manifold"), 422)
    check_refusal(shared("sae").get("/api/map/manifold?left=0&right=1&bottom=0&top=1"), 404, "sparse")


# Clean


def test_cleaning_a_row(shared, digits, models):
    result = shared("dae").post("/api/clean", json={"row": 4, "noise": 0.2, "seed": 5}).json()
    again = shared("dae").post("/api/clean", json={"row": 4, "noise": 0.2, "seed": 5}).json()
    other = shared("dae").post("/api/clean", json={"row": 4, "noise": 0.2, "seed": 6}).json()
    assert result == again
    assert result["noisy"] != other["noisy"]
    assert result["method"] == "denoise"
    assert shared("vae").post("/api/clean", json={"row": 4}).json()["method"] == "reconstruct"
    np.testing.assert_allclose(decode_uri(result["original"]["picture"]), 255 * digits[4], atol=0.51)
    assert result["psnr_noisy"] == pytest.approx(20 * np.log10(1 / 0.2), abs=2)
    assert shared("table").post("/api/clean", json={"row": 4}).json()["psnr_clean"] is None


def test_cleaning_an_image(shared, digits, models):
    grey = np.rint(255 * digits[4]).astype(np.uint8)
    result = shared("dae").post("/api/clean/image", content=encode_png(grey)).json()
    assert result["original"] is result["psnr_noisy"] is None
    expected = load(models["dae"]).denoise(digits[4:5])[0]
    np.testing.assert_allclose(decode_uri(result["clean"]["picture"]), 255 * np.clip(expected, 0, 1), atol=2)
    spoiled = shared("dae").post("/api/clean/image?noise=0.3&kind=masking", content=encode_png(grey)).json()
    assert spoiled["psnr_noisy"] > 0
    check_refusal(shared("dae").post("/api/clean/image", content=b""), 415)
    check_refusal(shared("dae").post("/api/clean/image?noise=1.5&kind=masking", content=encode_png(grey)), 422, "level")
    check_refusal(shared("dae").post("/api/clean", json={"row": 4, "noise": 3}), 422, "noise")


def test_cleaning_leaves_the_global_random_state_alone(shared):

    before = torch.get_rng_state()
    shared("dae").post("/api/clean", json={"row": 4})
    assert torch.equal(before, torch.get_rng_state())


# Units


def test_the_list_of_units(shared, models, digits):
    model = load(models["sae"])
    z, active = model.transform(digits[:200]), model.active_units(digits[:200])
    pages = [shared("sae").get(f"/api/units?page={page}&size=10").json() for page in range(3)]
    assert [page["pages"] for page in pages] == [3, 3, 3]
    units = [unit for page in pages for unit in page["units"]]
    assert sorted(unit["unit"] for unit in units) == list(range(24))
    rates = [unit["rate"] for unit in units]
    assert rates == sorted(rates, reverse=True)
    for unit in units:
        number = unit["unit"]
        assert unit["rate"] == pytest.approx(active.rate[number])
        assert unit["highest"] == pytest.approx(z[:, number].max(), rel=1e-4)
        top = model.top_examples(digits[:200], number)
        np.testing.assert_allclose(z[unit["top"], number], z[top, number], rtol=1e-4)
    assert shared("sae").get("/api/units?page=9").json()["units"] == []
    assert [u["unit"] for u in shared("sae").get("/api/units?sort=index&size=3").json()["units"]] == [0, 1, 2]


def test_active_units_and_another_activation(shared, models, digits):
    client = shared("sae")
    z = load(models["sae"]).transform(digits[9:10])[0]
    result = client.get("/api/units/for/9").json()["units"]
    assert [unit["unit"] for unit in result] == [int(u) for u in np.argsort(-z, kind="stable") if z[u] > 0]
    assert result[0]["activation"] == pytest.approx(z.max(), rel=1e-4)
    unit = result[0]["unit"]
    other = int(np.flatnonzero(z == 0)[0])
    settings = [{"unit": unit, "value": 0.0}, {"unit": other, "value": 1.5}]
    effect = client.post("/api/units/for/9", json={"activations": settings}).json()
    assert effect["was"] == pytest.approx([z[unit], 0], rel=1e-4)
    z[[unit, other]] = 0, 1.5
    expected = 255 * np.clip(load(models["sae"]).inverse_transform(z[None])[0], 0, 1)
    np.testing.assert_allclose(decode_uri(effect["after"]["picture"]), expected, atol=1)
    assert effect["before"] != effect["after"]
    whole = client.get(f"/api/units/{unit}").json()
    assert decode_uri(whole["adds"]).shape == (8, 8, 4)
    check_refusal(client.get("/api/units/24"), 404, "no unit 24")
    body = {"activations": [{"unit": 24, "value": 0.0}]}
    check_refusal(client.post("/api/units/for/9", json=body), 404, "no unit 24")
    check_refusal(client.post("/api/units/for/9", json={"activations": []}), 422)
    check_refusal(shared("vae").get("/api/units"), 404, "not sparse")


def test_a_unit_has_a_histogram_labels_and_similar_units(shared, models, digits):
    client, model = shared("sae"), load(models["sae"])
    z = model.transform(digits[:200])
    labels = np.arange(200) % 10
    unit = int((z > 0).mean(0).argmax())
    whole = client.get(f"/api/units/{unit}").json()
    bars, active = whole["histogram"], z[z[:, unit] > 0, unit]
    assert (sum(bars["counts"]), bars["silent"]) == (len(active), 200 - len(active))
    expected, _ = np.histogram(active, 24, (bars["low"], bars["high"]))
    assert np.abs(np.cumsum(bars["counts"]) - np.cumsum(expected)).max() <= 1  # one may lie at an edge
    shares = {line["label"]: line["share"] for line in whole["labels"]}
    assert shares == pytest.approx({str(k): float((z[labels == k, unit] > 0).mean()) for k in range(10)})
    assert whole["label"] == whole["labels"][0]["label"]
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    with torch.no_grad():  # on the model's scale
        decoded = model.model_.decode(torch.cat([torch.zeros(1, 24), torch.eye(24)])).flatten(1).numpy()
    directions = (decoded[1:] - decoded[0]) / np.linalg.norm(decoded[1:] - decoded[0], axis=1, keepdims=True)
    nearest = {similar["unit"]: similar["cosine"] for similar in whole["similar"]}
    cosines = directions @ directions[unit]
    assert nearest == pytest.approx({other: cosines[other] for other in nearest}, abs=1e-4)
    assert set(nearest) == set(np.argsort(-cosines)[1:7].tolist())


def test_units_are_named_and_found(client_of, models, digits, tmp_path):
    unnamed = load(models["sae"])
    unnamed.unit_names_ = {}  # the page's tests may be naming it
    unnamed.save(tmp_path / "sae")
    session = Session()
    data = Data("digits", digits[:200], Colour.from_column([f"no {row % 10}" for row in range(200)]))
    session.open(load(tmp_path / "sae"), data, name="sae", path=tmp_path / "sae")
    with client_of(session) as client:

        def find(query: str, sort: str = "index") -> list[int]:
            page = client.get("/api/units", params={"query": query, "sort": sort, "size": 100}).json()
            assert page["found"] == len(page["units"])
            return [unit["unit"] for unit in page["units"]]

        named = client.put("/api/units/7/name", json={"name": " Upper\nArc "}).json()
        assert (named["unit"], named["name"]) == (7, "UpperArc")
        client.put("/api/units/3/name", json={"name": "a loop"})
        assert load(tmp_path / "sae").unit_names_ == {3: "a loop", 7: "UpperArc"}
        assert find("arc") == [7]
        assert find("7") == [7]
        assert find("", "name")[:2] == [3, 7]
        by_label = [
            unit["unit"]
            for unit in client.get("/api/units?size=100&sort=index").json()["units"]
            if unit["label"] == "no 4"
        ]
        assert find("NO 4") == by_label
        assert sorted(find("", "seldom")) == sorted(find("", "label")) == list(range(24))
        rates = {unit["unit"]: unit["rate"] for unit in client.get("/api/units?size=100").json()["units"]}
        seldom = [rates[unit] for unit in find("", "seldom") if rates[unit]]
        assert seldom == sorted(seldom)
        assert client.get(f"/api/units/{7}").json()["name"] == "UpperArc"
        dials = {dial["component"]: dial["label"] for dial in client.get("/api/dials").json()["dials"]}
        assert (dials[3], dials[7], dials[0]) == ("a loop", "UpperArc", "")
        client.put("/api/units/3/name", json={"name": " "})
        client.put("/api/units/3/name", json={"name": ""})  # it has none to lose
        assert load(tmp_path / "sae").unit_names_ == {7: "UpperArc"}
        assert client.get("/api/units?query=loop").json()["pages"] == 1
        check_refusal(client.put("/api/units/24/name", json={"name": "x"}), 404, "no unit 24")
        check_refusal(client.put("/api/units/1/name", json={"name": "x" * 101}), 422)
        client.post("/api/models/current/rename", json={"name": "Mine"})
        assert load(tmp_path / "sae").unit_names_ == {7: "UpperArc"}  # both are in one file
    session.close()


# Outliers and search


def test_outliers(shared, models, table):
    model = load(models["table"])
    result = shared("table").get("/api/outliers?n=5").json()
    scores = model.score_samples(table)
    assert [row["row"] for row in result["rows"]] == np.argsort(scores)[:5].tolist()
    assert result["rows"][0]["row"] == 7  # the fixture made this row an outlier
    assert result["rows"][0]["outlier"]
    assert result["threshold"] == pytest.approx(model.offset_)
    n_outliers = (scores < model.offset_).sum()
    assert result["n_outliers"] == n_outliers  # of all rows, not of the five
    assert result["shares"].startswith(f"5.0% outliers expected, {n_outliers / len(table):.1%} found")
    assert result["shares"].endswith("These 80 rows are among those that the model was fitted on.")
    assert sum(reason["share"] for reason in result["rows"][0]["reasons"]) <= 1.0 + 1e-6
    detail = shared("table").get("/api/outliers/7").json()
    nats = [entry["nats"] for entry in detail["contributions"]]
    assert nats == sorted(nats, reverse=True)
    assert detail["contributions"][0]["name"] == result["rows"][0]["reasons"][0]["name"]
    assert detail["heat"] is None


def test_contributions_are_costs_above_the_median(opened, table):
    view = opened("table").app.state.session.current
    excess = view.compute_excess_costs(np.arange(len(table)))
    np.testing.assert_allclose(np.median(excess, axis=0), 0, atol=1e-6)

    model = view.model.model_
    x = view.model.prepare(table)
    with torch.inference_mode():
        cost = -model.likelihood.score(model.decode(model.encode(x)), x).double().numpy()
    np.testing.assert_allclose(excess.sum(1) - excess.sum(1).mean(), cost - cost.mean(), rtol=1e-4, atol=1e-4)


def test_contributions_are_the_reasons_of_the_outlier_task(opened, table):
    view = opened("table").app.state.session.current
    reasons = outlier_reasons(view.model, table, n_reasons=1)
    excess = view.compute_excess_costs(np.arange(len(table)))
    np.testing.assert_allclose(-excess.max(1), reasons.nats[:, 0], rtol=1e-4, atol=1e-5)


def test_an_outlier_that_is_an_image(shared):
    row = shared("vae").get("/api/outliers?n=1").json()["rows"][0]
    assert row["reasons"] == []
    detail = shared("vae").get(f"/api/outliers/{row['row']}").json()
    heat = decode_uri(detail["heat"])
    assert heat.shape == (8, 8, 4)
    assert heat[..., 3].max() == 255
    assert detail["contributions"] is None
    assert detail["score"] == pytest.approx(row["score"])


def test_rows_that_cannot_be_scored_are_left_out(client_of, digits):

    X = digits[:50].copy()
    X[3] += 0.5
    model = VAE(2, hidden=(8,), network="mlp", likelihood="bernoulli", max_epochs=1, random_state=0).fit(digits[:50])
    session = Session()
    session.open(model, Data("odd", X), name="odd")
    with client_of(session) as client:
        rows = [row["row"] for row in client.get("/api/outliers?n=50").json()["rows"]]
        assert len(rows) == 49
        assert client.get("/api/outliers/3").json()["score"] is None
        assert np.isnan(to_array(client.get("/api/map/colour?by=score"))[3])
    session.close()


def test_search_equals_an_index(shared, models, digits):
    model = load(models["vae"])
    rows, distances, _ = Index(model).add(digits[:200]).search(digits[11], 7)
    result = shared("vae").post("/api/search", json={"row": 11, "k": 6}).json()["results"]
    assert [entry["row"] for entry in result] == [int(row) for row in rows[0] if row != 11]
    np.testing.assert_allclose([entry["distance"] for entry in result], distances[0, 1:], atol=1e-5)
    assert result[0]["label"] == str(result[0]["row"] % 10)
    code = model.transform(digits[11:12])[0].tolist()
    by_code = shared("vae").post("/api/search", json={"code": code, "k": 3}).json()["results"]
    assert by_code[0]["row"] == 11
    assert by_code[0]["distance"] == pytest.approx(0, abs=1e-5)
    assert len(shared("vae").post("/api/search", json={"row": 0, "k": 200}).json()["results"]) == 199
    check_refusal(shared("vae").post("/api/search", json={"code": [0.0], "k": 3}), 422)
    check_refusal(shared("vae").post("/api/search", json={"row": 500}), 404)
    check_refusal(shared("vae").post("/api/search", json={"row": 1, "k": 0}), 422)


def test_a_sparse_code_is_dense_only_where_a_page_needs_it(client_of, new_session, models, digits, monkeypatch):
    model = load(models["sae"])
    z = model.transform(digits[:200])
    rows, distances, _ = Index(model).add(digits[:200]).search(digits[11], 7)
    sizes, make_dense = [], scipy.sparse.csr_array.toarray
    monkeypatch.setattr(scipy.sparse.csr_array, "toarray", lambda self: sizes.append(self.shape) or make_dense(self))
    session = new_session("sae")
    with client_of(session) as client:
        result = client.post("/api/search", json={"row": 11, "k": 6}).json()["results"]
        by_code = client.post("/api/search", json={"code": z[11].tolist(), "k": 3}).json()["results"]
        places = to_array(client.get("/api/map?x=3&y=7"))
        colour = to_array(client.get("/api/map/colour?by=component:7"))
        codes = to_array(client.get("/api/codes?rows=5,2"))
    session.close()
    wanted = {int(row): distance for row, distance in zip(rows[0], distances[0], strict=True) if row != 11}
    assert {entry["row"] for entry in result} == set(wanted)
    np.testing.assert_allclose([entry["distance"] for entry in result], list(wanted.values()), atol=1e-5)
    assert (by_code[0]["row"], by_code[0]["distance"]) == (11, pytest.approx(0, abs=1e-5))
    np.testing.assert_allclose(places, z[:, [3, 7]], atol=1e-5)
    np.testing.assert_allclose(colour, z[:, 7], atol=1e-5)
    np.testing.assert_allclose(codes, z[[5, 2]], atol=1e-5)
    assert sizes
    assert all(n * width <= 2 * len(z) for n, width in sizes)  # all codes are 200 x 24


def test_active_units_limit_the_rows_of_a_sparse_model(models, digits, monkeypatch):
    monkeypatch.setattr(view, "_MAX_CODE_NUMBERS", 50 * 2 * 4)  # 4 activations and their places, not 24 numbers
    shown = view.View(load(models["sae"]), Data("digits", digits[:200]), ComputeLock(), name="sae")
    assert len(shown.data) == 50


# The report


def test_the_report_is_sandboxed(shared):
    answer = shared("table").get("/api/report")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert b"<html" in answer.content
    kept = shared("table").get("/api/report?download=true")
    assert kept.headers["content-disposition"].startswith("attachment")
    assert kept.content == answer.content  # written once


@pytest.mark.parametrize("name", ["dae", "table"])
def test_every_panel_of_a_model_answers(opened, name, models):
    """Also for a model without codes, and for one fitted on a data frame."""
    client = opened(name)
    if name == "table":
        pandas = pytest.importorskip("pandas", reason="needs the extra `tables`")
        X = client.app.state.session.current.data.X
        frame = pandas.DataFrame(X, columns=list("abcd"))
        model = VAE(2, hidden=(8,), max_epochs=1, random_state=0).fit(frame)
        client.app.state.session.open(model, Data("frame", frame), name="frame")
    state = client.get("/api/state").json()["model"]
    requests = {
        "dials": [("get", "/api/dials", None), ("get", "/api/random", None)],
        "map": [("get", "/api/map", None), ("get", "/api/map?projection=pca", None), ("get", "/api/map/colours", None)],
        "clean": [("post", "/api/clean", {"row": 3})],
        "outliers": [("get", "/api/outliers?n=3", None), ("get", "/api/outliers/3", None)],
        "search": [("post", "/api/search", {"row": 3})],
        "report": [],
    }
    always = [("get", "/api/data/3", None), ("get", "/api/models/current/download", None)]
    for method, path, body in [*always, *(request for panel in state["can"] for request in requests[panel])]:
        answer = client.request(method, path, json=body)
        assert answer.status_code == 200, (path, answer.text)
    if name == "table":
        assert client.get("/api/outliers/3").json()["contributions"][0]["name"] in "abcd"
        assert client.post("/api/encode", json={"values": [0.0, 1.0, 2.0, 3.0]}).status_code == 200
