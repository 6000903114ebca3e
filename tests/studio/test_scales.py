"""Vectors and series in the studio: the scale of each column or channel, and the map of one component."""

import numpy as np
import pytest

from narrows.estimators import load
from narrows.studio.cells import describe_columns
from narrows.studio.routes.map import stack


def get_array(answer) -> np.ndarray:
    shape = [int(n) for n in answer.headers["x-shape"].split(",")]
    return np.frombuffer(answer.content, answer.headers["x-dtype"]).reshape(shape)


def test_columns_of_counts_and_of_0_and_1_have_their_own_scale(models, others):
    counts = describe_columns(load(models["counts"]).schema_)
    assert {column.kind for column in counts} == {"count"}
    logs = np.log1p(others["counts"])
    np.testing.assert_allclose([column.mean for column in counts], logs.mean(0), rtol=1e-4)
    np.testing.assert_allclose([column.std for column in counts], logs.std(0), rtol=1e-4)
    flags = describe_columns(load(models["flags"]).schema_)
    assert {(column.kind, column.offset, column.scale) for column in flags} == {("unit", 0.0, 1.0)}
    np.testing.assert_allclose([column.mean for column in flags], others["flags"].mean(0), rtol=1e-4)


def test_a_series_is_no_picture(shared, others, models):
    client = shared("series")
    state = client.get("/api/state").json()["model"]
    assert (state["kind"], state["shape"]) == ("series", [20, 8])
    assert state["columns"] == [f"channel {i + 1}" for i in range(8)]
    series = others["series"]
    for channel, described in enumerate(state["cells"]):
        values = series[..., channel]
        place = (values - described["offset"]) / described["scale"]
        assert (place.mean(), place.std()) == pytest.approx((described["mean"], described["std"]), abs=1e-3)
    row = client.get("/api/data/3").json()
    np.testing.assert_allclose(row["example"]["values"], series[3].ravel(), rtol=1e-6)
    codes = np.zeros((2, 3), np.float32)
    decoded = get_array(client.post("/api/decode", json={"codes": codes.tolist()}))
    np.testing.assert_allclose(decoded, load(models["series"]).inverse_transform(codes), rtol=1e-4, atol=1e-4)
    for path in ("/api/dials/0/strip", "/api/data/3/picture", "/api/sprites?rows=1"):
        assert client.get(path).status_code == 404


def test_panels_of_series(shared, others):
    client = shared("series")
    dials = client.get("/api/dials").json()["dials"]
    assert all(set(dial["columns"]) <= set(range(8)) for dial in dials)
    assert any(dial["label"].startswith("channel ") for dial in dials)
    cleaned = client.post("/api/clean", json={"row": 1, "noise": 0.3}).json()
    assert len(cleaned["clean"]["values"]) == 160
    assert cleaned["psnr_clean"] is None
    detail = client.get("/api/outliers/1").json()
    assert detail["heat"] is None
    assert {entry["column"] for entry in detail["contributions"]} == set(range(8))
    nats = [entry["nats"] for entry in detail["contributions"]]
    assert nats == sorted(nats, reverse=True)
    values = others["series"][5].ravel().tolist()
    encoded = client.post("/api/encode", json={"values": values}).json()
    np.testing.assert_allclose(encoded["code"], client.post("/api/encode", json={"row": 5}).json()["code"], atol=1e-4)
    colour = get_array(client.get("/api/map/colour?by=column:channel 8"))
    np.testing.assert_allclose(colour, others["series"][..., 7].mean(1), rtol=1e-5)


def test_series_with_channels_first(client_of, others):
    from narrows import AE
    from narrows.studio.data import Data
    from narrows.studio.session import Session

    X, session = others["series"].swapaxes(1, 2), Session()
    model = AE(2, hidden=(8,), network="mlp", max_epochs=1, random_state=0).fit(X)
    session.open(model, Data("x", X), name="x")
    with client_of(session) as client:
        assert client.get("/api/state").json()["model"]["shape"] == [20, 8]
        np.testing.assert_allclose(client.get("/api/data/4").json()["example"]["values"], X[4].T.ravel(), rtol=1e-6)
        values = X[4].T.ravel().tolist()
        assert client.post("/api/encode", json={"values": values}).json()["code"] == pytest.approx(
            client.post("/api/encode", json={"row": 4}).json()["code"], abs=1e-4
        )
    session.close()


def test_units_of_vectors_say_what_they_change(shared, models):
    client, model = shared("counts"), load(models["counts"])
    unit = next(entry for entry in client.get("/api/units").json()["units"] if entry["effect"])
    changes = client.get(f"/api/units/{unit['unit']}").json()["columns"]
    codes = np.zeros((2, 12), np.float32)
    codes[1, unit["unit"]] = unit["highest"]
    off, on = model.inverse_transform(codes).astype(np.float64)
    sizes = (np.log1p(on) - np.log1p(off)) / model.schema_.std
    assert [entry["column"] for entry in changes] == np.argsort(-np.abs(sizes), kind="stable")[: len(changes)].tolist()
    for entry in changes:
        assert entry["value"] == pytest.approx(on[entry["column"]] - off[entry["column"]], abs=1e-5)
        assert entry["size"] == pytest.approx(sizes[entry["column"]], abs=1e-4)
        assert entry["level"] is None


def test_the_map_of_one_component_is_a_histogram(shared, models, others):
    client = shared("line")
    codes = load(models["line"]).transform(others["line"])[:, 0]
    places = get_array(client.get("/api/map?x=0&y=1"))
    np.testing.assert_allclose(places[:, 0], codes, rtol=1e-5)
    assert not np.allclose(places[:, 0], places[:, 1])
    assert client.get("/api/map?x=0&y=2").status_code == 404


@pytest.mark.parametrize("values", [np.zeros(5), np.array([3.0]), np.repeat([0.0, 1.0], [7, 3]), np.arange(1000.0)])
def test_stacks_hold_each_number_once(values):
    places = stack(values.astype(np.float32))
    assert places.shape == (len(values), 2)
    assert np.isfinite(places).all()
    np.testing.assert_array_equal(places[:, 0], values)
    assert places[:, 1].min() == 0
    assert len(np.unique(places, axis=0)) == len(values)
    if len(values) == 10:
        assert np.ptp(places[:7, 1]) == pytest.approx(3 * np.ptp(places[7:, 1]))  # seven above each other, and three
