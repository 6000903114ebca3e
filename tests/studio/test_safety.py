"""Refusals of foreign requests, security headers, and limits of uploads and bodies."""

import contextlib
import gzip
import io
import struct
import zipfile

import anyio
import numpy as np
import pytest
from PIL import Image

from narrows.studio import bodies
from narrows.studio.jobs import MAX_ARRIVALS
from narrows.studio.safety import POLICY

HTTPException = pytest.importorskip("starlette.exceptions", reason="needs the extra `studio`").HTTPException
websockets = pytest.importorskip("starlette.websockets", reason="needs the extra `studio`")


# Origin of a request


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:8760", "[::1]:8760", "192.168.1.7", "localhost."]
)
def test_own_host_names_are_accepted(shared, host):
    assert shared("vae").get("/api/state", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8760",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "a b",
        "localhost/x",
        "localhost@evil.example",
        "evil.example@localhost",
        "localhost:port",
        "127.0.0.1.",
        "0x7f.1.evil",
        "[::1",
        "xn--1",
    ],
)
def test_other_host_names_are_refused(shared, host):
    answer = shared("vae").get("/api/state", headers={"host": host})
    assert answer.status_code == 403
    assert "detail" in answer.json()


def test_two_host_headers_are_refused(shared):
    headers = [("host", "localhost"), ("host", "evil.example")]
    assert shared("vae").get("/api/state", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "http://127.0.0.1", "x", "http://["]
)
def test_other_origins_are_refused(shared, origin):
    client = shared("vae")
    assert client.post("/api/decode", json={"codes": [[0.0] * 4]}, headers={"origin": origin}).status_code == 403
    assert client.get("/api/state", headers={"origin": origin}).status_code == 403
    with (
        pytest.raises(websockets.WebSocketDisconnect) as closed,
        client.websocket_connect("/api/decode", headers={"host": "127.0.0.1:8760", "origin": origin}),
    ):
        pass
    assert closed.value.code == 1008


def test_the_own_origin_is_accepted(shared):
    headers = {"origin": "http://127.0.0.1:8760"}
    assert shared("vae").post("/api/decode", json={"codes": [[0.0] * 4]}, headers=headers).status_code == 200
    with shared("vae").websocket_connect("/api/decode", headers={"host": "127.0.0.1:8760", **headers}) as socket:
        socket.send_bytes(struct.pack("<I4f", 1, 0, 0, 0, 0))
        assert len(socket.receive_bytes()) == 4 + 64


@pytest.mark.parametrize(
    ("site", "code"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
def test_requests_of_other_sites_are_refused(shared, site, code):
    assert shared("vae").get("/api/state", headers={"sec-fetch-site": site}).status_code == code


def test_links_of_other_sites_may_open_the_page_only(shared):
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert shared("vae").get("/", headers=followed).status_code != 403
    assert shared("vae").get("/api/report", headers=followed).status_code == 403
    assert shared("vae").post("/", headers=followed).status_code == 403


def test_there_are_no_cors_headers(shared):
    preflight = {"origin": "http://127.0.0.1:8760", "access-control-request-method": "POST"}
    answer = shared("vae").options("/api/decode", headers=preflight)
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_of_another_site_cannot_post_json(shared, kind):
    answer = shared("vae").post("/api/decode", content=b'{"codes": [[0, 0, 0, 0]]}', headers={"content-type": kind})
    assert answer.status_code == 422


# Headers


@pytest.mark.parametrize(
    "path", ["/api/state", "/api/nowhere", "/api/data/x", "/static/nothing.js", "/api/dials/0/strip", "/"]
)
def test_headers_of_every_response(shared, path):
    headers = shared("vae").get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-store" if path.startswith("/api") else "no-cache")


def test_the_policy_allows_scripts_in_files_only():
    rules = dict(rule.strip().split(" ", 1) for rule in POLICY.split(";"))
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert "unsafe" not in POLICY
    assert "http" not in POLICY


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/..\\app.py"],
)
def test_paths_cannot_leave_the_static_folder(shared, path):
    answer = shared("vae").get(path)
    assert answer.status_code == 404
    assert "def create_app" not in answer.text


def test_the_openapi_schema_documents_errors(shared):
    assert shared("vae").get("/docs").status_code == shared("vae").get("/redoc").status_code == 404
    whole = shared("vae").get("/api/openapi.json").json()
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            if path != "/api/health" and path != "/api/state":
                assert {"404", "422"} & set(operation["responses"]), (method, path)
            for code, response in operation["responses"].items():
                if code.startswith("4") and "content" in response:
                    assert response["content"]["application/json"]["schema"]["$ref"].endswith("/Problem")


# Limits


@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream"])
def test_bodies_are_limited(shared, kind):
    content = b" " * (bodies.MAX_BYTES + 1)
    answer = shared("vae").post("/api/decode", content=content, headers={"content-type": kind})
    assert answer.status_code == 413
    assert f"{bodies.MAX_BYTES:,} bytes" in answer.json()["detail"]


def test_deep_json_is_refused(shared):
    answer = shared("vae").post("/api/decode", content=b"[" * 200_000, headers={"content-type": "application/json"})
    assert answer.status_code == 400


def test_uploads_are_limited(opened):
    client = opened("none", upload_bytes=10_000)
    for content in (b"x" * 10_001, iter([b"x" * 6_000] * 2)):  # with a length, and without
        answer = client.post(
            "/api/uploads?name=a.csv", content=content, headers={"content-type": "application/octet-stream"}
        )
        assert answer.status_code == 413
        assert "10,000" in answer.json()["detail"]
    assert not list((client.app.state.session.folder / "uploads").iterdir())


def upload(client, name: str, content: bytes, **query):
    return client.post(
        "/api/uploads",
        params={"name": name, **query},
        content=content,
        headers={"content-type": "application/octet-stream"},
    )


def encode_png(array: np.ndarray, **settings) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", **settings)
    return stream.getvalue()


def make_zip(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_a_zip_that_unpacks_to_too_many_bytes(opened):
    client = opened("none", upload_bytes=200_000)
    bomb = make_zip({f"{i}.png": b"\0" * 500_000 for i in range(2)})
    assert len(bomb) < 10_000
    answer = upload(client, "bomb.zip", bomb)
    assert answer.status_code == 413
    assert "unpacks to 1,000,000 bytes" in answer.json()["detail"]


def test_a_zip_that_declares_a_wrong_size(opened):
    client = opened("none")
    honest = make_zip({f"{i}.png": b"\0" * 500_000 for i in range(2)})
    lying = honest.replace(struct.pack("<I", 500_000), struct.pack("<I", 5))
    assert lying != honest
    assert upload(client, "bomb.zip", lying).status_code == 415


def make_huge_png(side: int) -> bytes:
    """Return a small PNG whose header claims a size of `side` x `side`."""
    small = bytearray(encode_png(np.zeros((8, 8), np.uint8)))
    small[16:24] = struct.pack(">II", side, side)
    import zlib

    small[29:33] = struct.pack(">I", zlib.crc32(small[12:29]))
    return bytes(small)


@pytest.mark.parametrize("side", [9_000, 10_000, 60_000])
def test_images_that_claim_a_huge_size(opened, side):
    client = opened("vae")
    assert client.post("/api/encode/image", content=make_huge_png(side)).status_code == 413
    assert client.post("/api/clean/image", content=make_huge_png(side)).status_code == 413
    answer = upload(client, "bomb.zip", make_zip({"a.png": make_huge_png(side), "b.png": make_huge_png(side)}))
    assert answer.status_code == 413


def test_images_that_decode_to_too_many_bytes(opened):
    client = opened("none", upload_bytes=20_000)
    image = encode_png(np.zeros((100, 100), np.uint8))
    members = {f"{i}.png": image for i in range(30)}
    assert upload(client, "many.zip", make_zip(members), side=512).status_code == 413
    assert upload(client, "few.zip", make_zip(dict(list(members.items())[:3])), side=512).status_code == 201


def test_a_small_zip_of_many_large_images(opened, monkeypatch):
    client = opened("none")
    stream = io.BytesIO()
    Image.new("1", (8_000, 8_000)).save(stream, "PNG")
    bomb = make_zip({f"{i}.png": stream.getvalue() for i in range(60)})
    assert len(bomb) < 100_000
    monkeypatch.setattr("narrows.data.images.Scan.decode", None)  # nothing is decoded
    answer = upload(client, "bomb.zip", bomb)
    assert answer.status_code == 413
    assert "3,840,000,000 pixels" in answer.json()["detail"]


@pytest.mark.parametrize("first", [b"", b"a,b\n1,2\n"])
def test_bodies_that_hang_end(monkeypatch, first):
    """A body of which nothing comes any more, and one that comes too slowly."""
    monkeypatch.setattr(bodies, "PATIENCE", 0.05 if first else 0.0)
    messages = [{"type": "http.request", "body": first, "more_body": True}] if first else []

    async def receive():
        return messages.pop() if messages else await anyio.sleep_forever()

    async def read():
        limited = bodies.limit_body(receive)
        for _ in range(2):
            await limited()

    with pytest.raises(HTTPException, match="arrived too slowly") as error:
        anyio.run(read)
    assert error.value.status_code == 408


def test_the_limit_of_time_ends_with_the_body(monkeypatch):
    """A response may wait for the end of its connection as long as it likes."""
    monkeypatch.setattr(bodies, "PATIENCE", 0.02)
    messages = [{"type": "http.request", "body": b"1"}]

    async def receive():
        if not messages:
            await anyio.sleep(0.06)
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def read():
        limited = bodies.limit_body(receive)
        return [(await limited())["type"] for _ in range(2)]

    assert anyio.run(read) == ["http.request", "http.disconnect"]


def test_few_files_are_uploaded_at_once(opened):
    client = opened("none")
    jobs = client.app.state.jobs
    with contextlib.ExitStack() as others:
        for _ in range(MAX_ARRIVALS):
            others.enter_context(jobs.arrival())
        answer = upload(client, "a.csv", b"a,b\n1,2\n3,4\n")
        assert answer.status_code == 429
        assert "4 files are being uploaded already" in answer.json()["detail"]
        assert answer.headers["retry-after"]
    assert upload(client, "a.csv", b"a,b\n1,2\n3,4\n").status_code == 201
    assert upload(client, "a.csv", b"").status_code == 415
    assert upload(client, "a.csv", b"a,b\n1,2\n3,4\n").status_code == 201


def test_tables_of_many_cells_in_few_bytes(opened):
    client = opened("none")
    zeros = gzip.compress((b"0," * 99 + b"0\n") * 700_000, 1)
    answer = upload(client, "t.csv.gz", zeros)
    assert answer.status_code == 413
    assert "t.csv.gz has about 70,000,001 cells" in answer.json()["detail"]
    assert upload(client, "t.csv.gz", gzip.compress(gzip.compress(b"1,2\n"))).status_code == 415
    assert upload(client, "t.csv.gz", gzip.compress(b"a,b\n1,2\n3,4\n")).json()["n"] == 2


def make_sheet(rows: bytes) -> bytes:
    """Return an Excel file whose sheet has these rows of XML."""
    openpyxl = pytest.importorskip("openpyxl", reason="needs the extra `tables`")
    stream, target = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(stream)
    with zipfile.ZipFile(stream) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            content = source.read(name)
            if "sheet1" in name:
                content = content.partition(b"<sheetData")[0] + b"<sheetData>" + rows + b"</sheetData></worksheet>"
            archive.writestr(name, content)
    return target.getvalue()


def test_sheets_of_many_cells_in_few_bytes(opened):
    client = opened("none")
    row = b"<row>" + b"<c><v>1</v></c>" * 1000 + b"</row>"
    answer = upload(client, "t.xlsx", make_sheet(row * 300))
    assert answer.status_code == 413
    assert "t.xlsx has about 300,3" in answer.json()["detail"]
    column = b"".join(b'<row r="%d"><c r="A%d"><v>1</v></c></row>' % (i, i) for i in range(1, 100))
    answer = upload(client, "t.xlsx", make_sheet(column + b'<row r="100"><c r="XFD100"><v>1</v></c></row>'))
    assert answer.status_code == 415
    assert "delete those that lie far away" in answer.json()["detail"]


def test_gzipped_files_that_unpack_to_too_many_bytes(opened):
    client = opened("none", upload_bytes=10_000)
    for name in ("t.csv.gz", "train-images-idx3-ubyte.gz"):
        answer = upload(client, name, gzip.compress(b"1,2\n" * 20_000))
        assert answer.status_code == 413
        assert name in answer.json()["detail"]
    stream = io.BytesIO()
    np.savez_compressed(stream, X=np.zeros((1000, 100)))
    assert upload(client, "x.npz", stream.getvalue()).status_code == 413


def test_a_parquet_file_of_too_many_cells(opened, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    stream = io.BytesIO()
    parquet.write_table(pyarrow.table({"a": np.zeros(2000), "b": np.zeros(2000)}), stream)
    monkeypatch.setattr("narrows.studio.uploads._MAX_CELLS", 3999)
    assert upload(opened("none"), "t.parquet", stream.getvalue()).status_code == 413


def test_file_names_are_never_paths(opened, tmp_path):
    client = opened("none")
    picture = encode_png(np.random.default_rng(0).integers(0, 255, (8, 8), np.uint8))
    names = ["../../evil/a.png", "/etc/evil/b.png", "..\\..\\pets\\c.png", "C:\\evil\\d.png"]
    before = set(tmp_path.parent.rglob("*"))
    answer = upload(client, "../../x/../evil.zip", make_zip(dict.fromkeys(names, picture)))
    assert answer.status_code == 201
    state = answer.json()
    assert state["name"] == "evil.zip"
    assert state["classes"] == ["evil", "pets"]
    assert state["n"] == 4
    assert set(tmp_path.parent.rglob("*")) == before
    assert not list((client.app.state.session.folder / "uploads").iterdir())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\3\4",
        b"PK\5\6" + b"\0" * 18,
        b"\x93NUMPY",
        b"\x93NUMPY\1\0\xff\xff{",
        b"\x80\4.",
        b"\0" * 100,
        b"a,b\n",
        b"a,b\n1,2\n1\n",
        b'"',
        b"\xff\xfe,\n1\n2\n",
        b"a,b\n" + b"x" * 300_000 + b",1\n2,3\n",
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.npy", "a.zip", "a", "\0.csv", "é" * 900])
def test_damaged_files_are_refused(shared, name, content):
    answer = upload(shared("none"), name, content)
    assert answer.status_code in (413, 415, 422)
    assert len(answer.json()["detail"]) < 2_000
    assert "/tmp" not in answer.json()["detail"]


def npy(array: np.ndarray, **settings) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **settings)
    return stream.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.array(1.0),
        np.zeros(3),
        np.zeros((0, 3)),
        np.zeros((2, 2, 2, 2, 2)),
        np.array(["a", "b"]),
        np.zeros((3, 3), complex),
        np.full((3, 3), np.nan),
        np.full((3, 3), np.inf),
        np.full((3, 3), 1e200),
        np.zeros((3, 4, 4)),
        np.zeros((1, 3)),
        np.zeros(3, dtype=[("a", "f4")]),
    ],
)
def test_arrays_that_are_no_examples_are_refused(shared, array):
    answer = upload(shared("none"), "a.npy", npy(array))
    assert answer.status_code in (415, 422), answer.text


def test_pickles_and_truncated_arrays_are_refused(shared):
    assert upload(shared("none"), "a.npy", npy(np.array([{}, {}], object), allow_pickle=True)).status_code == 415
    lying = npy(np.zeros((3, 10))).replace(b"(3, 10)", b"(9**9, 9)"[:9].ljust(7))
    assert upload(shared("none"), "a.npy", lying).status_code == 415
    large = npy(np.zeros((3, 10))).replace(b"(3, 10), }  ", b"(3000, 10), }"[:12])
    assert upload(shared("none"), "a.npy", large).status_code in (415, 422)


def test_wrong_methods_and_paths(shared):
    client = shared("vae")
    assert client.delete("/api/state").status_code == 405
    assert client.get("/api/decode").status_code == 405
    assert client.put("/api/uploads/0").headers["allow"] == "DELETE, GET"
    assert client.put("/api/uploads/dataset").headers["allow"] == "POST"
    assert client.post("/").headers["allow"] == "GET"
    assert client.get("/api/nothing").status_code == 404
    assert set(client.get("/api/nothing").json()) == {"detail"}
    assert client.get("/api/data/%00").status_code == 422
    assert client.get("/api/data/%ff%fe").status_code == 422


def test_an_internal_error_tells_no_details(opened, monkeypatch):
    client = opened("vae")
    monkeypatch.setattr(client.app.state.session.current, "decode", lambda *_: 1 / 0)
    answer = client.post("/api/decode", json={"codes": [[0.0] * 4]})
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError(28, "No space left on device"), 409, "No space left on device"),
        (MemoryError(), 413, "more memory"),
        (ImportError("pip install pandas"), 422, "pip install pandas"),
        (FloatingPointError("inf"), 422, "inf"),
    ],
)
def test_errors_of_the_machine_are_reported(opened, monkeypatch, error, code, message):
    client = opened("vae")

    def fail(*_):
        raise error

    monkeypatch.setattr(client.app.state.session.current, "decode", fail)
    answer = client.post("/api/decode", json={"codes": [[0.0] * 4]})
    assert answer.status_code == code
    assert message in answer.json()["detail"]


def test_temporary_files_go_with_the_session(opened):
    client = opened("none")
    session = client.app.state.session
    folder = session.folder
    assert folder.exists()
    session.close()
    assert not folder.exists()
