"""Streams: from any source to any sink, with the numbers of the methods on arrays, in bounded memory, whole or not."""

from __future__ import annotations

import itertools
import mmap
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import narrows
from narrows import AE, DAE, SAE, VAE
from narrows.data import parquet, sinks, streams
from narrows.data.files import read, write_array
from narrows.estimators import parallel

SMALL = {"hidden": (16,), "max_epochs": 1, "random_state": 0, "verbose": 0, "device": "cpu"}
ROWS = 5000  # of two blocks and a bit


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ROWS, 6)).astype(np.float32) * 3 + 7


@pytest.fixture(scope="module")
def model(X: np.ndarray) -> VAE:
    return VAE(2, **SMALL).fit(X[:300])


@pytest.fixture(params=[1, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def slowly(model: VAE, X: np.ndarray, method: str) -> np.ndarray:
    """Row by row, which is one block each."""
    return np.concatenate([getattr(model, method)(X[i : i + 1]) for i in range(0, len(X), 97)])


# Sources


def sources(X: np.ndarray, folder: Path) -> dict[str, object]:
    """The same examples in every form."""
    np.save(folder / "x.npy", X)
    np.save(folder / "f.npy", np.asfortranarray(X))
    names = list("abcdef")
    write_array(folder / "x.parquet", X, names)
    (folder / "parts").mkdir()
    for i, start in enumerate(range(0, ROWS, 1999)):
        frame = pd.DataFrame(X[start : start + 1999], columns=names)
        frame.to_parquet(folder / "parts" / f"{i}.parquet", row_group_size=700)
    (folder / "parts" / "_SUCCESS").write_text("")
    np.save(folder / "flat.npy", X.ravel())
    pd.DataFrame({"row": list(X)}).to_parquet(folder / "lists.parquet")
    mapped = np.load(folder / "x.npy", mmap_mode="r")
    raw = np.memmap(folder / "flat.npy", np.float32, "r+", offset=(folder / "flat.npy").stat().st_size - X.nbytes)
    buffer = np.empty((10, 6), np.float32)

    def reusing():
        for start in range(0, ROWS, 10):
            buffer[:] = X[start : start + 10]
            yield buffer

    return {
        "array": X,
        "list": X.tolist(),
        "tensor": torch.from_numpy(X),
        "memory map": mapped,
        "part of a map": raw.reshape(ROWS, 6),
        "private map": np.load(folder / "x.npy", mmap_mode="c"),
        "columns first": np.asfortranarray(X),
        "npy": folder / "x.npy",
        "npy, columns first": str(folder / "f.npy"),
        "parquet": folder / "x.parquet",
        "parquet folder": folder / "parts",
        "parquet of lists": folder / "lists.parquet",
        "iterator": (piece for piece in np.array_split(X, 37)),
        "one large array": iter([X]),
        "empty pieces": iter([X[:0], X[:3], X[:0], torch.from_numpy(X[3:])]),
        "one buffer": reusing(),
    }


def test_every_source_gives_the_same(X, model, tmp_path, threads):
    expected = {m: slowly(model, X, m) for m in ("transform", "reconstruct", "score_samples")}
    for method, rows in expected.items():
        for name, source in sources(X, Path(tmp_path / method)).items() if _made(tmp_path / method) else ():
            result = model.stream(source, method=method)
            assert len(result) == ROWS, name
            np.testing.assert_allclose(result[::97], rows, rtol=2e-5, atol=2e-5, err_msg=name)
    assert torch.get_num_threads() == threads


def _made(folder: Path) -> bool:
    folder.mkdir()
    return True


@pytest.mark.parametrize("dtype", ["float64", "float16", "int16", "int64", "uint8", "bool", ">f4"])
def test_dtypes_are_those_of_the_methods(dtype, tmp_path):
    X = np.random.default_rng(1).integers(0, 2, (ROWS, 5)).astype(dtype)
    model = AE(2, **SMALL).fit(X[:100])
    np.save(tmp_path / "x.npy", X)
    for method in ("transform", "reconstruct", "score_samples"):
        one, result = getattr(model, method)(X[:9]), model.stream(tmp_path / "x.npy", method=method)
        assert result.dtype == one.dtype
        np.testing.assert_allclose(result[:9].astype(float), one.astype(float), rtol=1e-5, atol=1e-5)


def test_blocks_of_an_iterator():
    rows = np.arange(23)[:, None]
    pieces = [rows[:4], rows[4:5], rows[5:19], rows[19:]]
    blocks = list(streams.regroup(iter(pieces), 6))
    assert [len(block) for block in blocks] == [6, 6, 6, 5]
    np.testing.assert_array_equal(np.concatenate(blocks), rows)


def test_an_iterator_is_read_no_further_than_needed(model, X):
    produced, written, most = [], [], parallel.rows_per_block(model.schema_, model.model_)

    class Slow(sinks.Memory):
        def write(self, block):
            written.append(len(block))
            super().write(block)
            assert len(produced) * 100 <= sum(written) + (4 * parallel._MAX_WORKERS + 3) * most

    def endless():
        for _ in range(2000):
            produced.append(1)
            yield X[:100]

    source = streams.open_source(endless(), "VAE")
    assert model._apply("transform", source, Slow()).shape == (200_000, 2)


def test_parquet_columns_by_name(X, tmp_path):
    frame = pd.DataFrame(X[:200], columns=list("abcdef"))
    frame.assign(id=[f"n{i}" for i in range(200)])[[*"fedcba", "id"]].to_parquet(tmp_path / "x.parquet")
    of_frame, of_array = AE(2, **SMALL).fit(frame), AE(2, **SMALL).fit(X[:200])
    expected = of_frame.transform(frame)
    np.testing.assert_allclose(of_frame.stream(tmp_path / "x.parquet"), expected, rtol=1e-5, atol=1e-6)
    codes = of_array.stream(tmp_path / "x.parquet", columns=list("abcdef"))
    np.testing.assert_allclose(codes, of_array.transform(X[:200]), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"Column 'id' holds (large_)?string: name the columns to read"):
        of_array.stream(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"must have a column 'g'. It has f, e, d"):
        of_array.stream(tmp_path / "x.parquet", columns=["a", "g"])
    with pytest.raises(ValueError, match=r"examples of shape \(2,\), but the model was fitted on shape \(6,\)"):
        of_array.stream(tmp_path / "x.parquet", columns=["a", "b"])


def test_columns_of_tables_and_frames_by_name(X, tmp_path):
    frame = pd.DataFrame(X[:200], columns=[f"c{i}" for i in range(6)])
    model = AE(2, **SMALL).fit(frame)
    codes = model.transform(frame)
    other = frame[frame.columns[::-1]].assign(more=1.0)
    other.to_csv(tmp_path / "x.csv", index=False)
    np.testing.assert_allclose(model.stream(tmp_path / "x.csv"), codes, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.stream(piece for piece in (other[:7], other[7:])), codes, rtol=1e-5, atol=1e-6)
    less = other.drop(columns="c1")
    less.to_csv(tmp_path / "x.csv", index=False)
    for source in (tmp_path / "x.csv", iter([less])):
        with pytest.raises(ValueError, match="lacks 'c1'; it has 'c5'"):
            model.stream(source)


def test_parquet_refused(model, tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing else, PAR1")
    with pytest.raises(ValueError, match=r"bad.parquet is damaged or not a Parquet file"):
        model.stream(tmp_path / "bad.parquet")
    with pytest.raises(FileNotFoundError, match="There is no file or folder"):
        model.stream(tmp_path / "none.parquet")
    pd.DataFrame({"a": pd.array([1, None], "UInt8")}).to_parquet(tmp_path / "holes.parquet")
    with pytest.raises(ValueError, match=r"number in every cell. Column 'a' has empty cells"):
        list(parquet.open_table(tmp_path / "holes.parquet").batches(10))
    pd.DataFrame({"a": [[1.0, 2.0], [3.0]]}).to_parquet(tmp_path / "ragged.parquet")
    with pytest.raises(ValueError, match=r"lists of 2 numbers in 'a'"):
        list(parquet.open_table(tmp_path / "ragged.parquet").batches(10))
    pd.DataFrame({"a": [[1, 2], [3, 4, 5], [6]]}).to_parquet(tmp_path / "ragged.parquet")  # as many as if all had two
    with pytest.raises(ValueError, match=r"lists of 2 numbers in 'a'"):
        list(parquet.open_table(tmp_path / "ragged.parquet").batches(10))
    pd.DataFrame({"a": [1.0], "b": [2.0]}).iloc[:0].to_parquet(tmp_path / "empty.parquet")
    with pytest.raises(ValueError, match=r"at least one example. Got 0 rows of 2 columns"):
        model.stream(tmp_path / "empty.parquet")
    (tmp_path / "parts").mkdir()
    for name, column in (("1", "a"), ("2", "b")):
        pd.DataFrame({column: [1.0, 2.0]}).to_parquet(tmp_path / "parts" / f"{name}.parquet")
    with pytest.raises(ValueError, match=r"2.parquet must have the columns of .*1.parquet. It has no column 'a'"):
        list(parquet.open_table(tmp_path / "parts").batches(10))


def test_parts_of_parquet_may_have_dtypes_of_their_own(tmp_path):
    pd.DataFrame({"a": np.array([1, 2], np.uint8), "b": [True, False]}).to_parquet(tmp_path / "0.parquet")
    pd.DataFrame({"a": [300, -1], "b": [2.5, 5]}).to_parquet(tmp_path / "1.parquet")
    rows = np.concatenate(list(parquet.open_table(tmp_path).batches(10)))
    np.testing.assert_array_equal(rows, [[1, 1], [2, 0], [300, 2.5], [-1, 5]])
    pd.DataFrame({"a": ["x"], "b": [1.0]}).to_parquet(tmp_path / "2.parquet")
    with pytest.raises(ValueError, match=r"2.parquet must hold numbers. Column 'a'"):
        parquet.open_table(tmp_path)


def test_parquet_can_be_read_whole_and_fitted_on(tmp_path):
    X = np.random.default_rng(0).integers(0, 255, (50, 3))
    pd.DataFrame(X, columns=["a", "b", "c"]).to_parquet(tmp_path / "x.parquet")
    dataset = read(tmp_path / "x.parquet")
    np.testing.assert_array_equal(dataset.X, X)
    assert (dataset.columns, dataset.name) == (["a", "b", "c"], "x")
    assert AE(2, **SMALL).fit(dataset.X).transform(dataset.X).shape == (50, 2)


def test_without_pyarrow_the_extra_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"reading .parquet needs pyarrow: pip install 'narrows\[tables\]'"):
        model.stream(tmp_path / "x.parquet")
    with pytest.raises(ImportError, match=r"writing .parquet needs pyarrow"):
        model.stream(np.zeros((3, 6)), tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []


# Sinks


def test_every_sink_gets_the_same(X, model, tmp_path):
    expected = model.transform(X)
    names = list(model.get_feature_names_out())
    for suffix in ("npy", "csv", "tsv", "parquet"):
        for name, source in (("known", X), ("unknown", iter(np.array_split(X, 7)))):
            path = tmp_path / f"{name}.{suffix}"
            assert model.stream(source, str(path)) == path
            dataset = read(path)
            np.testing.assert_allclose(dataset.X, expected, rtol=1e-6, atol=1e-6)
            assert dataset.columns == (None if suffix == "npy" else names)
    array = np.full((ROWS, 2), np.nan, np.float64)
    assert model.stream(X, array) is array
    np.testing.assert_allclose(array, expected, rtol=1e-6, atol=1e-6)
    mapped = np.lib.format.open_memmap(tmp_path / "m.npy", "w+", np.float32, (ROWS, 2))
    model.stream(iter([X]), mapped)
    np.testing.assert_allclose(np.load(tmp_path / "m.npy"), expected, rtol=1e-6, atol=1e-6)


def test_columns_of_a_result(X, model, tmp_path):
    model.stream(X[:9], tmp_path / "s.csv", "score_samples")
    assert (tmp_path / "s.csv").read_text().startswith("score\n")
    model.stream(X[:9], tmp_path / "r.parquet", "reconstruct")
    assert read(tmp_path / "r.parquet").columns == [f"x{i}" for i in range(6)]
    frame = pd.DataFrame(X[:99], columns=list("abcdef"))
    AE(2, **SMALL).fit(frame).stream(frame, tmp_path / "f.csv", "reconstruct")
    assert (tmp_path / "f.csv").read_text().startswith("a,b,c,d,e,f\n")


def test_a_file_of_unknown_length_is_as_numpy_writes_it(tmp_path):
    for shape in ((3, 2), (100, 8, 8), (7,)):
        X = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        with sinks.open_sink(tmp_path / "x.npy") as sink:
            for piece in np.array_split(X, 3):
                sink.write(piece)
            sink.finish()
        np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), X)
        np.save(tmp_path / "y.npy", X)
        assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "y.npy").read_bytes()


def test_parquet_is_written_in_groups(tmp_path, monkeypatch):
    pq = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(sinks, "_GROUP_NUMBERS", 100)
    with sinks.open_sink(tmp_path / "x.parquet") as sink:
        for i in range(10):
            sink.write(np.full((30, 2), i))
        sink.finish()
    table = pq.ParquetFile(tmp_path / "x.parquet")
    assert table.metadata.num_row_groups == 5
    np.testing.assert_array_equal(table.read().to_pandas().to_numpy(), np.repeat(np.arange(10), 30)[:, None] * [1, 1])


@pytest.mark.parametrize(
    ("sink", "error", "message"),
    [
        ("x.txt", ValueError, r"must end in .npy, .parquet, .csv, .tsv"),
        ("none/x.npy", FileNotFoundError, "the folder .*none does not exist"),
        (np.zeros((3, 3)), ValueError, r"a row of shape \(2,\) for each example. Got an array of shape \(3, 3\)"),
        (np.zeros((3, 2)), ValueError, r"shape \(3, 2\) for at least 5 examples"),
        (np.zeros((9, 2)), ValueError, r"has 9 rows. It got 5 examples"),
        (np.zeros((5, 2), int), ValueError, r"must accept float32. Got an array of int64"),
        (7, TypeError, "must be None, an array or a path. Got int"),
    ],
)
def test_sinks_refused(X, model, tmp_path, sink, error, message):
    with pytest.raises(error, match=message):
        model.stream(X[:5], tmp_path / sink if isinstance(sink, str) else sink)
    assert list(tmp_path.iterdir()) == []


def test_images_are_no_table(tmp_path, digits):
    model = AE(2, **SMALL).fit(digits[:100])
    with pytest.raises(ValueError, match=r"a table has 1 or 2 axes, the array has 3. Use .npy"):
        model.stream(digits, tmp_path / "x.csv", "reconstruct")
    assert model.stream(iter([digits]), tmp_path / "x.npy", "reconstruct").exists()
    np.testing.assert_allclose(np.load(tmp_path / "x.npy"), model.reconstruct(digits), atol=1e-6)


# What goes wrong


@pytest.mark.parametrize("name", ["x.npy", "x.csv", "x.parquet"])
def test_a_failure_leaves_what_was_there(X, model, tmp_path, name, threads):
    model.stream(X[:3], tmp_path / name)
    before = (tmp_path / name).read_bytes()
    bad = X.copy()
    bad[4321, 2], bad[4500, 1] = np.nan, np.inf  # a missing value is taken

    def breaks():
        yield X
        raise RuntimeError("the source broke")

    for source, error, message in (
        (bad, ValueError, r"passed to VAE contains infinity \(first at index \(4500, 1\)\)"),
        (iter(np.array_split(bad, 9)), ValueError, r"contains infinity \(first at index \(4500, 1\)\)"),
        (breaks(), RuntimeError, "the source broke"),
        (iter([X, X[:, :5]]), ValueError, "shape|dimensions"),
        (iter([X[:5, :5]]), ValueError, r"examples of shape \(5,\), but the model was fitted on shape \(6,\)"),
        (iter([]), ValueError, r"0 sample\(s\)"),
        (iter([np.array([["a"]])]), ValueError, "must hold numbers"),
        (X[:0], ValueError, r"0 sample\(s\)"),
        (3, TypeError, "reads arrays, paths and iterators of arrays. Got int"),
    ):
        with pytest.raises(error, match=message):
            model.stream(source, tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
        assert [entry.name for entry in tmp_path.iterdir()] == [name]
    with pytest.raises(ValueError, match=r"contains infinity \(first at index \(4500, 1\)\)"):
        model.transform(bad)
    assert torch.get_num_threads() == threads
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("narrows")]


def test_scale_is_judged_by_all_rows(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3000, 9, 9)).astype(np.uint8)
    model = AE(2, **SMALL).fit(pixels[:200])
    dark = np.zeros((ROWS, 9, 9), np.float32)
    dark[0] = 0.5
    with pytest.raises(ValueError, match=r"lies in \[0, 1\], but the model was fitted on pixels from 0 to 255"):
        model.stream(dark, tmp_path / "x.npy")
    assert list(tmp_path.iterdir()) == []
    dark[-1] = 255  # the last block says that these are pixels, most of them black
    assert model.transform(dark).shape == (ROWS, 2)
    with pytest.raises(ValueError, match=r"holds values up to 3000, but the model was fitted on images"):
        model.transform(dark * np.float32(3000 / 255))


def test_what_a_likelihood_cannot_score_is_refused_where_it_is():
    X = (np.random.default_rng(0).random((ROWS, 6)) < 0.5).astype(float)
    model = VAE(2, **SMALL).fit(X[:200])
    X[4100, 2] = 3.0
    with pytest.raises(
        ValueError, match=r"In rows 4,096 to 4,999: X holds 1 value outside \[0, 1\] \(min 3, max 3, the fir"
    ):
        model.score_samples(X)
    X[0, 1] = -2.0
    with pytest.raises(ValueError, match=r"^X holds 1 value outside \[0, 1\] \(min -2, max -2, .* in column 1\)"):
        model.stream(iter([X]), method="score_samples")


def test_methods(X, model):
    message = "must be one of 'transform', 'reconstruct', 'score_samples'. Got 'denoise' instead"
    with pytest.raises(ValueError, match=message):
        model.stream(X, method="denoise")
    cleaner = DAE(**SMALL).fit(X[:99])
    np.testing.assert_allclose(cleaner.stream(X, method="denoise"), cleaner.denoise(X), atol=1e-5)
    with pytest.raises(ValueError, match="This DAE has no codes"):
        cleaner.stream(X)
    with pytest.raises(ValueError, match="not fitted yet"):
        SAE(4).stream(X)


def test_progress_is_shown_where_wanted(X, model, tmp_path, monkeypatch):
    seen: list[tuple[float, dict]] = []
    monkeypatch.setattr("narrows.training.progress.Reporter.update", lambda self, p, t: seen.append((p, t)))
    model.stream(X, tmp_path / "x.npy")
    assert [t["examples"] for _, t in seen] == [1024, 2048, 3072, 4096, 5000]
    assert seen[-1][0] == 1.0


# How it is done


def test_a_users_module_is_never_in_two_threads_and_may_write_to_its_input(threads, tmp_path):
    class Own(nn.Module):
        busy = False

        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(6, 4)

        def forward(self, x):
            assert not Own.busy
            Own.busy = True
            time.sleep(0.001)
            Own.busy = False
            return self.linear(nn.functional.relu(x, inplace=True))

    X = np.where(np.random.default_rng(0).random((3 * ROWS, 6)) < 0.5, 0.0, 1.0).astype(np.float32)
    X[0] = -0.5
    model = AE(2, network=Own(), **SMALL, likelihood="gaussian").fit(X[:200])
    np.save(tmp_path / "x.npy", X)
    before = X.copy()
    np.testing.assert_allclose(model.transform(X), model.stream(tmp_path / "x.npy"), atol=1e-6)
    np.testing.assert_array_equal(X, before)


def test_results_do_not_depend_on_the_threads(X, model):
    results = []
    before = torch.get_num_threads()
    for n in (1, 2, 5):
        torch.set_num_threads(n)
        results.append(model.transform(X))
    torch.set_num_threads(before)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize(
    ("network", "onednn", "rows"), [("mlp", False, 1024), ("mlp", True, 2048), ("conv", True, 128)]
)
def test_blocks_are_bounded_where_a_network_is_widest(network, onednn, rows, monkeypatch):
    monkeypatch.setattr(parallel, "block_factor", lambda _device: 2 if onednn else 1)
    images = np.random.default_rng(0).random((40, 32, 32), np.float32)  # 16 channels of that size are 16,384 numbers
    model = AE(2, network=network, **SMALL).fit(images)
    assert parallel.rows_per_block(model.schema_, model.model_) == rows


def test_memory_maps_are_read_through_a_window(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "_AHEAD", 1 << 16)
    monkeypatch.setattr(streams, "_BEHIND", 1 << 16)
    advice = []
    monkeypatch.setattr(streams._Window, "_advise", lambda self, option, a, b: advice.append((option, a, b)))
    X = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (4096, 64))
    views = list(streams.from_array(X[1024:]).blocks(256))
    assert sum(len(block) for block in views) == 3072
    ahead = [(a, b) for option, a, b in advice if option == mmap.MADV_WILLNEED]
    behind = [(a, b) for option, a, b in advice if option == mmap.MADV_DONTNEED]
    size = (tmp_path / "x.npy").stat().st_size
    start = size - 3072 * 256
    assert ahead[0][0] == behind[0][0] == start  # nothing before the rows that were asked for
    assert ahead[-1][1] == size
    assert all(a[1] == b[0] for pieces in (ahead, behind) for a, b in itertools.pairwise(pieces))
    assert behind[-1][1] == size - 256 * 256 - (1 << 16)
    assert streams._Window.of(np.asarray(X)[::2]) is None  # its rows have gaps
    assert streams._Window.of(np.load(tmp_path / "x.npy", mmap_mode="c")) is None  # what was written would be lost


PEAK = """
import sys, numpy as np, torch, narrows
torch.set_num_threads(2)
X = np.random.default_rng(0).normal(size=(300, 784)).astype(np.float32)
model = narrows.AE(16, hidden=(64,), max_epochs=1, random_state=0, verbose=0, device="cpu").fit(X)
model.transform(np.concatenate([X] * 20))
def peak():
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
model.stream(sys.argv[1], sys.argv[2], sys.argv[3])
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak memory")
@pytest.mark.parametrize("method", ["transform", "reconstruct"])
def test_memory_is_bounded(tmp_path, method):
    big = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (200_000, 784))
    big[:] = np.random.default_rng(0).normal(size=(1000, 784)).astype(np.float32).repeat(200, 0)
    big.flush()
    assert big.nbytes > 600e6
    command = [sys.executable, "-c", PEAK, str(tmp_path / "x.npy"), str(tmp_path / "y.npy"), method]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 300  # MB; the file has 627
    assert len(np.load(tmp_path / "y.npy", mmap_mode="r")) == 200_000


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(narrows.__file__).parents[1])}


# Words, dates and gaps


def test_tables_are_encoded_block_by_block(tmp_path, threads):
    rng = np.random.default_rng(0)
    n = 3000
    frame = pd.DataFrame(
        {
            "key": [f"k{i}" for i in range(n)],
            "x": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "word": rng.choice(["a", "b", "c"], n),
            "at": pd.date_range("2020-01-01", periods=n, freq="h"),
        }
    )
    model = AE(2, **SMALL).fit(frame)
    expected = model.transform(frame)
    frame[["word", "at", "x"]].assign(other=1).to_parquet(tmp_path / "x.parquet")
    frame.to_csv(tmp_path / "x.csv", index=False)
    pieces = [frame[["at", "word", "x"]][:70], frame[70:71], frame[71:]]
    for source in (tmp_path / "x.parquet", tmp_path / "x.csv", iter(pieces), frame):
        np.testing.assert_allclose(model.stream(source), expected, atol=1e-6)
    frame[["word", "at"]].to_parquet(tmp_path / "y.parquet")
    with pytest.raises(ValueError, match="It lacks 'x'; it has 'word', 'at'"):
        model.stream(tmp_path / "y.parquet")
