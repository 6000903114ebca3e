"""The command: data beside a model, errors in a line, a running server and its end."""

import asyncio
import contextlib
import http.cookiejar
import json
import logging
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import narrows
from narrows import load_dataset
from narrows.cli import app
from narrows.estimators import load
from narrows.studio import serving, terminal
from narrows.studio.data import Colour
from narrows.studio.session import Session
from narrows.tasks import OutlierDetector

SOURCE = str(Path(narrows.__file__).parents[1])


# Data beside a model


def test_named_data_and_their_labels(models):
    data = serving.prepare_data(load_dataset("digits", "test"), None, load(models["vae"]))
    assert (len(data), data.labels.categories) == (360, tuple(str(i) for i in range(10)))


def test_columns_that_the_model_does_not_take_become_colours(tmp_path, table):
    pandas = pytest.importorskip("pandas", reason="needs the extra `tables`")
    names = ["height", "weight", "age", "pulse"]
    model = narrows.AE(2, hidden=(4,), max_epochs=1, random_state=0).fit(pandas.DataFrame(table, columns=names))
    whole = pandas.DataFrame(table[:, ::-1], columns=names[::-1])
    whole.insert(1, "group", np.arange(len(table)) % 3)
    whole.insert(2, "spare", table.sum(1))
    whole.to_csv(tmp_path / "t.csv", index=False)
    data = serving.prepare_data(load_dataset(tmp_path / "t.csv"), "group", model)
    np.testing.assert_allclose(data.X, table)  # by name, whatever the order
    assert list(data.X.columns) == names
    assert data.labels.categories == ("0", "1", "2")
    assert list(data.columns) == ["spare"]
    whole.drop(columns="age").to_csv(tmp_path / "less.csv", index=False)
    with pytest.raises(ValueError, match="It lacks 'age'"):
        serving.prepare_data(load_dataset(tmp_path / "less.csv"), None, model)


def test_class_numbers_keep_their_digits_and_gaps_are_none():
    assert Colour.from_column(np.array([1234567, 1234568])).categories == ("1234567", "1234568")
    gapped = Colour.from_column(np.array(["a", np.nan, None], dtype=object))
    assert (gapped.categories, gapped.to_text(1), gapped.to_text(2)) == (("a",), None, None)


def test_labels_from_files(tmp_path, models):
    model = load(models["vae"])
    np.save(tmp_path / "y.npy", np.arange(360) % 2)
    assert serving.prepare_data(load_dataset("digits", "test"), str(tmp_path / "y.npy"), model).labels.categories == (
        "0",
        "1",
    )
    (tmp_path / "y.csv").write_text("\n".join("ab"[i % 2] for i in range(360)))
    assert serving.prepare_data(load_dataset("digits", "test"), str(tmp_path / "y.csv"), model).labels.categories == (
        "a",
        "b",
    )
    (tmp_path / "y.csv").write_text("a\nb")
    with pytest.raises(ValueError, match=r"one label for each of the 360 examples\. It holds 2"):
        serving.prepare_data(load_dataset("digits", "test"), str(tmp_path / "y.csv"), model)
    with pytest.raises(ValueError, match="a column of DATA or a file"):
        serving.prepare_data(load_dataset("digits", "test"), "nothing", model)


@pytest.mark.parametrize(
    ("column", "categories", "texts"),
    [
        ([2, 1, 2], ("1", "2"), ["2", "1", "2"]),
        ([0.5, np.nan, 1.5], None, ["0.5", None, "1.5"]),
        ([1.0, np.nan, 3.0], ("1", "3"), ["1", None, "3"]),
        (["b", None, "a"], ("a", "b"), ["b", None, "a"]),
        ([True, False], ("0", "1"), ["1", "0"]),
        (range(1000), None, ["0", "1", "2"]),
    ],
)
def test_colours(column, categories, texts):
    colour = Colour.from_column(list(column))
    assert colour.categories == categories
    assert [colour.to_text(i) for i in range(len(texts))] == texts
    assert np.isnan(colour.to_floats()[: len(texts)]).tolist() == [text is None for text in texts]


def test_data_of_many_rows_are_subsampled(monkeypatch):
    from narrows.studio.data import Data

    whole = Data(
        "a",
        np.arange(1000)[:, None],
        Colour.from_column(np.arange(1000) % 3),
        {"b": Colour.from_column(np.arange(1000) / 7)},
    )
    data = whole.subsample(100)
    assert (len(data), data.total) == (100, 1000)
    assert data.labels.to_text(50) == f"{data.X[50, 0] % 3}"
    assert data.columns["b"].values[50] == pytest.approx(data.X[50, 0] / 7)
    assert whole.subsample(1000).X is whole.X


# Errors on the command line


def get_error(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["studio", "--no-browser", *map(str, arguments)])
    assert result.exit_code == 1, result.output
    return " ".join(result.stderr.split())


def test_errors_are_one_line(models, tmp_path, monkeypatch):
    assert "No narrows model at" in get_error(tmp_path / "nothing")
    assert "There is no file or folder" in get_error(models["vae"], tmp_path / "nothing.npy")
    X = np.random.default_rng(0).normal(size=(60, 3))
    OutlierDetector(max_iter=20, random_state=0).fit(X).save(tmp_path / "detector")
    assert "is of another kind: OutlierDetector" in get_error(tmp_path / "detector")
    np.save(tmp_path / "X.npy", np.zeros((5, 9, 9)))
    assert "examples of shape (9, 9), but the model was fitted on shape (8, 8)" in get_error(
        models["vae"], tmp_path / "X.npy"
    )
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "Choose another --port" in get_error("--port", taken.getsockname()[1])
    assert "--host nowhere.invalid" in get_error("--host", "nowhere.invalid")
    for name in ("fastapi", "uvicorn", "websockets"):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, name, None)
            assert "pip install 'narrows[studio]'" in get_error()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("my-machine", False),
        ("192.168.1.2", False),
    ],
)
def test_loopback_addresses(host, loopback):
    assert serving.is_loopback(host) == loopback


def test_links():
    assert serving.make_links("127.0.0.1", 80, "token=abc") == ["http://127.0.0.1:80/?token=abc"]
    assert serving.make_links("::1", 80, "token=abc") == ["http://[::1]:80/?token=abc"]
    assert serving.make_links("0.0.0.0", 80, "token=abc")[1] == "http://127.0.0.1:80/?token=abc"


def log(level: int, message: str, error: BaseException | None = None) -> logging.LogRecord:
    info = None if error is None else (type(error), error, None)
    return logging.LogRecord("uvicorn.error", level, "file", 1, message, (), info)


def test_an_error_of_the_server_is_one_line(monkeypatch):
    record = log(logging.ERROR, "Exception in ASGI application\n", ValueError("a\nb"))
    assert terminal.OneLine().format(record) == "error: ValueError: a b (NARROWS_TRACEBACK=1 shows where)"
    monkeypatch.setenv("NARROWS_TRACEBACK", "1")
    assert terminal.OneLine().format(record).splitlines() == ["error: ValueError: a b", "ValueError: a", "b"]


def test_ends_of_connections_are_no_news(capsys):
    errors = (asyncio.CancelledError(), KeyboardInterrupt(), ConnectionResetError())
    assert not any(terminal.is_news(log(logging.ERROR, "Exception in ASGI application\n", error)) for error in errors)
    assert not terminal.is_news(log(logging.ERROR, "Cancel 1 running task(s), timeout graceful shutdown exceeded"))
    logger = logging.getLogger("narrows.studio")
    with terminal.print_log_lines():
        logger.error("one")
        logger.debug("two", exc_info=OSError("full"))
    assert capsys.readouterr().err == "error: one\n"
    assert (logger.handlers, logger.propagate) == ([], True)


# A running server


@contextlib.contextmanager
def running(*arguments: object):
    """Run a server and yield its process and the link that it printed."""
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    command = [sys.executable, "-m", "narrows", "studio", "--no-browser", "--port", "0", *map(str, arguments)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        output = ""
        while "Ctrl-C" not in output:
            line = process.stderr.readline()
            assert line, output
            output += line
        yield process, re.search(r"http://127.0.0.1\S+", output)[0]
    finally:
        process.kill()
        process.communicate()


async def decode_zero(link: str, cookie: str) -> bytes:
    import websockets

    address = link.replace("http", "ws").partition("?")[0] + "api/decode"
    async with websockets.connect(address, additional_headers={"cookie": cookie}) as socket:
        await socket.send(struct.pack("<I4f", 9, 0, 0, 0, 0))
        return await socket.recv()


@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_server_with_a_token_from_its_link_to_its_end(models, tmp_path, monkeypatch):
    pytest.importorskip("websockets", reason="needs the extra `studio`")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with running(models["vae"], "--host", "0.0.0.0") as (process, link):
        assert "?token=" in link
        base = link.partition("?")[0]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(base)
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        opener.open(urllib.request.Request(link, headers={"accept": "text/html"}))
        state = json.load(opener.open(f"{base}api/state"))
        assert state["model"]["name"] == "vae"
        (cookie,) = jar
        assert cookie.name == f"narrows-studio-{urllib.parse.urlsplit(base).port}"
        answer = asyncio.run(decode_zero(link, f"{cookie.name}={cookie.value}"))
        assert (answer[:4], len(answer)) == (struct.pack("<I", 9), 4 + 64)
        upload = urllib.request.Request(
            f"{base}api/uploads?name=a.csv",
            b"a,b\n1,2\n3,4\n5,7\n",
            {"content-type": "application/octet-stream"},
        )
        json.load(opener.open(upload))
        assert list(tmp_path.glob("narrows-studio-*"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
        assert not list(tmp_path.glob("narrows-studio-*"))


def half_request(link: str, path: str, content: bytes, length: int) -> socket.socket:
    """Send the head of a request, and the first part of its body."""
    address = urllib.parse.urlsplit(link)
    connection = socket.create_connection((address.hostname, address.port))
    head = [f"POST {path} HTTP/1.1", f"Host: {address.netloc}", f"Authorization: Bearer {address.query[6:]}"]
    head += ["Content-Type: application/octet-stream", f"Content-Length: {length}", "", ""]
    connection.sendall("\r\n".join(head).encode() + content)
    return connection


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_ctrl_c_in_the_middle_of_requests_prints_nothing():
    table = b",".join([b"1.25"] * 50) + b"\n"
    with running() as (process, link), contextlib.ExitStack() as connections:
        for path in ("/api/uploads?name=a.csv", "/api/decode"):  # they hang, and then the browser is gone
            half_request(link, path, b"1,2\n", 1000).close()
            connections.enter_context(half_request(link, path, b"1,2\n", 1000))
        whole = table * 300_000  # is read for seconds
        connections.enter_context(half_request(link, "/api/uploads?name=b.csv", whole, len(whole)))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("sent", "answer"), [(b"", b""), (b"GET / HTTP/1.1\r\nHost: ", b""), (b"POST / HTTP/1.0\r\n\r\n", b"HTTP/1.1 403")]
)
def test_a_head_that_hangs_ends(monkeypatch, client_of, sent, answer):
    uvicorn = pytest.importorskip("uvicorn", reason="needs the extra `studio`")
    from narrows.studio import protocol

    monkeypatch.setattr(protocol, "PATIENCE", 0.1)
    session = Session()
    config = uvicorn.Config(client_of(session).app, http=protocol.PatientProtocol, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        with socket.create_connection(address) as connection:
            connection.sendall(sent)
            connection.settimeout(30)
            assert connection.recv(12) == answer
        server.should_exit = True
        thread.join(30)
    session.close()
