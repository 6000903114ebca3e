"""Named data sets: found on the machine or downloaded once, and never partial or wrong."""

import errno
import gzip
import hashlib
import http.server
import io
import os
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from narrows.data import named as named_module
from narrows.data.named import NAMES, NamedSet, find, load

FILES = list(NAMES["mnist"].files)
SHAPES = ((6, 2, 3), (6,), (4, 2, 3), (4,))
ARRAYS = {
    file: (np.arange(np.prod(shape)) % 7).reshape(shape).astype(np.uint8)
    for file, shape in zip(FILES, SHAPES, strict=True)
}


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def put_files(folder: Path, gzipped: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file, array in ARRAYS.items():
        if gzipped:
            (folder / file).write_bytes(gzip.compress(idx(array)))
        else:
            (folder / file.removesuffix(".gz")).write_bytes(idx(array))
    return folder


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder on this machine; `short_by` bytes are left out of every body."""

    short_by = 0
    requests: list[str]


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    public = put_files(tmp_path / "public")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, directory=str(public), **kwargs)

        def do_GET(self):
            self.server.requests.append(Path(self.path).name)
            super().do_GET()

        def copyfile(self, source, outputfile):
            body = source.read()
            outputfile.write(body[: len(body) - self.server.short_by])

        def log_message(self, *args):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        server.requests = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> NamedSet:
    """A set like MNIST with ten examples, which is not on this machine, and whose address refuses connections."""
    monkeypatch.delenv("NARROWS_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    digests = {file: hashlib.sha256(idx(array)).hexdigest() for file, array in ARRAYS.items()}
    tiny = replace(
        NAMES["mnist"], name="tiny", n_train=6, n_test=4, shape=(2, 3), files=digests, url="http://127.0.0.1:9/tiny/"
    )
    monkeypatch.setitem(NAMES, "tiny", tiny)
    return tiny


@pytest.fixture
def served(tiny, server, monkeypatch) -> NamedSet:
    """`tiny`, with a server at its address."""
    served = replace(tiny, url=f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setitem(NAMES, "tiny", served)
    return served


def assert_is_tiny(folder: Path) -> None:
    assert find("tiny") == folder
    train, test = load("tiny"), load("tiny", split="test")
    np.testing.assert_array_equal(train.X, ARRAYS[FILES[0]])
    np.testing.assert_array_equal(train.y, ARRAYS[FILES[1]])
    np.testing.assert_array_equal(test.X, ARRAYS[FILES[2]])
    np.testing.assert_array_equal(test.y, ARRAYS[FILES[3]])
    assert train.X.dtype == np.uint8
    assert train.y.dtype == np.int64
    assert train.name == "tiny"


# The sets themselves


def test_names_describe_themselves():
    assert list(NAMES) == ["digits", "mnist", "fashion-mnist"]
    for name, named in NAMES.items():
        assert named.name == name
        assert named.summary
        assert named.licence
        assert named.source
        assert all(len(digest) == 64 for digest in named.files.values())
        assert bool(named.files) == named.url.endswith("/")


def test_digits():
    train, test = load("digits"), load("digits", "test")
    assert (train.X.shape, test.X.shape) == ((1437, 8, 8), (360, 8, 8))
    assert (len(train.X), len(test.X)) == (NAMES["digits"].n_train, NAMES["digits"].n_test)
    assert train.X.dtype == np.float32
    assert (train.X.min(), train.X.max()) == (0, 1)
    assert len(train.y) == 1437
    assert set(test.y) == set(range(10))
    assert find("digits") is None

    from sklearn.datasets import load_digits

    images = load_digits().images / 16
    np.testing.assert_array_equal(test.X[:3], images[[0, 5, 10]])
    np.testing.assert_array_equal(train.X[:5], images[[1, 2, 3, 4, 6]])


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_real_files(name):
    folder = find(name)
    if folder is None:
        pytest.skip(f"{name} is not on this machine; set NARROWS_DATA to a folder that has it")
    for split, n in (("train", 60_000), ("test", 10_000)):
        loaded = load(name, split)
        assert loaded.X.shape == (n, 28, 28)
        assert loaded.X.dtype == np.uint8
        assert set(loaded.y) == set(range(10))
    for file, digest in NAMES[name].files.items():
        path = named_module._find_file(folder, file)
        assert named_module._unpacked_sha256(path) == digest


def test_a_path_is_read(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 2)))
    assert load(str(tmp_path / "a.npy")).X.shape == (3, 2)
    assert load(tmp_path / "a.npy").name == "a"


def test_a_name_comes_before_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("digits").write_bytes(idx(np.ones((3, 2), np.uint8)))
    assert load("digits").X.shape == (1437, 8, 8)
    assert load("./digits").X.shape == (3, 2)
    assert load(Path("digits")).X.shape == (3, 2)


def test_unknown_names_and_splits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"Did you mean fashion-mnist \(a named"):
        load("Fashion_MNIST")
    with pytest.raises(FileNotFoundError, match="named data sets are digits, mnist, fashion-mnist"):
        load("cifar10")
    with pytest.raises(ValueError, match=r"no data set named 'minst'. Known: digits, mnist"):
        find("minst")
    with pytest.raises(ValueError, match=r"`split` parameter of load must be 'train' or 'test'. Got 'valid'"):
        load("digits", "valid")
    with pytest.raises(ValueError, match=r"Only named data sets .* have a test split"):
        load("a.npy", "test")


# Where they are found


@pytest.mark.parametrize("gzipped", [True, False])
@pytest.mark.parametrize("place", ["own", "own_by_name", "system", "cache"])
def test_places(tmp_path, monkeypatch, tiny, place, gzipped):
    assert find("tiny") is None
    folder = {
        "own": tmp_path / "own",
        "own_by_name": tmp_path / "own" / "tiny",
        "system": tmp_path / "system",
        "cache": tmp_path / "cache" / "narrows" / "tiny",
    }[place]
    put_files(folder, gzipped)
    if place.startswith("own"):
        monkeypatch.setenv("NARROWS_DATA", str(tmp_path / "own"))
    if place == "system":
        monkeypatch.setitem(NAMES, "tiny", replace(tiny, system_folders=(str(folder),)))
    assert_is_tiny(folder)


def test_default_cache_is_below_home(tmp_path, monkeypatch, tiny):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert_is_tiny(put_files(tmp_path / ".cache" / "narrows" / "tiny"))


def test_another_set_with_the_same_file_names_is_not_taken_for_it(tmp_path, monkeypatch, tiny):
    other = put_files(tmp_path / "own")
    (other / FILES[3]).write_bytes(gzip.compress(idx(ARRAYS[FILES[3]] + 1)))
    monkeypatch.setenv("NARROWS_DATA", str(other))
    assert find("tiny") is None


def test_a_folder_with_some_of_the_files_is_passed_over(tmp_path, monkeypatch, tiny):
    put_files(tmp_path / "own" / "tiny")
    (tmp_path / "own" / "tiny" / FILES[2]).unlink()
    monkeypatch.setenv("NARROWS_DATA", str(tmp_path / "own"))
    assert find("tiny") is None


@pytest.mark.parametrize("array", [np.zeros((6, 3, 3), np.uint8), np.zeros((5, 2, 3), np.uint8)])
def test_files_of_another_shape_are_refused(tmp_path, tiny, array):
    folder = put_files(tmp_path / "cache" / "narrows" / "tiny")
    (folder / FILES[0]).write_bytes(gzip.compress(idx(array)))
    with pytest.raises(ValueError, match=r"train-images.* must hold uint8 of shape \(6, 2, 3\).*Delete it"):
        load("tiny")


def test_a_damaged_local_file_is_named(tmp_path, tiny):
    folder = put_files(tmp_path / "cache" / "narrows" / "tiny")
    (folder / FILES[0]).write_bytes((folder / FILES[0]).read_bytes()[:30])
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte.gz is damaged or truncated"):
        load("tiny")


# Fetching


def test_fetched_once_into_the_cache(tmp_path, served, server):
    load("tiny")
    assert server.requests == FILES
    folder = tmp_path / "cache" / "narrows" / "tiny"
    assert_is_tiny(folder)
    assert server.requests == FILES
    assert sorted(os.listdir(folder)) == sorted(FILES)


def test_only_what_is_missing_is_fetched(tmp_path, served, server):
    folder = put_files(tmp_path / "cache" / "narrows" / "tiny", gzipped=False)
    (folder / FILES[1].removesuffix(".gz")).unlink()
    assert load("tiny").X.shape == (6, 2, 3)
    assert server.requests == [FILES[1]]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_for_terminals(monkeypatch, served, is_terminal):
    class Stream(io.StringIO):
        def isatty(self):
            return is_terminal

    stream = Stream()
    monkeypatch.setattr("sys.stderr", stream)
    load("tiny")
    assert ("train-images-idx3-ubyte.gz" in stream.getvalue()) == is_terminal


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"something else"), gzip.compress(idx(ARRAYS[FILES[0]]))[:-9], b"<html>log in first</html>", b""],
    ids=["another file", "cut off", "a page", "empty"],
)
def test_wrong_bytes_are_not_kept(tmp_path, served, body):
    (tmp_path / "public" / FILES[0]).write_bytes(body)
    with pytest.raises(ValueError, match=r"train-images.*must unpack to the bytes with SHA-256.*was not kept"):
        load("tiny")
    assert not os.listdir(tmp_path / "cache" / "narrows" / "tiny")


def assert_says_what_to_do(error: BaseException, folder: Path) -> None:
    message = str(error)
    assert "tiny is not on this machine" in message
    assert all(file in message for file in FILES)
    assert str(folder) in message
    assert "NARROWS_DATA" in message


def test_offline(tmp_path, tiny):
    with pytest.raises(ConnectionError, match="could not be downloaded") as caught:
        load("tiny")
    folder = tmp_path / "cache" / "narrows" / "tiny"
    assert_says_what_to_do(caught.value, folder)
    assert not os.listdir(folder)


def test_offline_debian_hint(tmp_path, monkeypatch, tiny):
    monkeypatch.setitem(NAMES, "tiny", replace(tiny, hint=NAMES["fashion-mnist"].hint))
    with pytest.raises(ConnectionError, match=r"`apt install dataset-fashion-mnist` installs them.$"):
        load("tiny")


def test_not_on_the_server(tmp_path, served):
    (tmp_path / "public" / FILES[2]).unlink()
    with pytest.raises(ConnectionError, match="404") as caught:
        load("tiny")
    folder = tmp_path / "cache" / "narrows" / "tiny"
    assert_says_what_to_do(caught.value, folder)
    assert sorted(os.listdir(folder)) == sorted(FILES[:2])


def test_a_connection_that_breaks_off(tmp_path, served, server):
    server.short_by = 5
    with pytest.raises(ConnectionError, match=r"the download stopped after|IncompleteRead") as caught:
        load("tiny")
    folder = tmp_path / "cache" / "narrows" / "tiny"
    assert_says_what_to_do(caught.value, folder)
    assert not os.listdir(folder)


def test_a_server_that_does_not_answer(monkeypatch, tiny):
    import socket

    monkeypatch.setattr(named_module, "_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setitem(NAMES, "tiny", replace(tiny, url=url))
        with pytest.raises(ConnectionError, match="timed out"):
            load("tiny")


def test_a_full_disk_is_no_network_error(tmp_path, monkeypatch, served):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        load("tiny")
    assert not isinstance(caught.value, ConnectionError)
    assert not os.listdir(tmp_path / "cache" / "narrows" / "tiny")
