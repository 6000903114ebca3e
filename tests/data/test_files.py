"""Files: reading all formats, and refusing other files with a message that says what to do."""

import csv
import errno
import gzip
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import narrows.data.files as files_module
from narrows.data.atomic import atomic_path
from narrows.data.files import read, write_array

TABLE = np.array([[1.5, -2.0, 3.0], [4.0, 5.25, 1e-30]])


def idx_bytes(array: np.ndarray) -> bytes:
    code = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}[array.dtype.str[1:]]
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def save_image(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


# .npy and .npz


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", ">f8", "bool"])
def test_npy_is_mapped_and_keeps_its_dtype(tmp_path, dtype):
    X = (TABLE > 2).astype(dtype)
    np.save(tmp_path / "small.npy", X)
    loaded = read(tmp_path / "small.npy")
    assert isinstance(loaded.X, np.memmap)
    assert loaded.X.dtype == dtype
    np.testing.assert_array_equal(loaded.X, X)
    assert loaded[1:] == (None, None, "small", None, None, ())


def test_npy_is_known_by_its_first_bytes(tmp_path):
    np.save(tmp_path / "a.npy", TABLE)
    (tmp_path / "a.npy").rename(tmp_path / "no_suffix")
    np.testing.assert_array_equal(read(tmp_path / "no_suffix").X, TABLE)


@pytest.mark.parametrize("key", ["X", "x", "images", "data", "counts", "arr_0", "any_other_name"])
@pytest.mark.parametrize("label_key", ["y", "labels", None])
def test_npz_keys(tmp_path, key, label_key):
    labels = {} if label_key is None else {label_key: np.array(["a", "b"])}
    np.savez_compressed(tmp_path / "a.npz", **labels, **{key: TABLE})
    loaded = read(tmp_path / "a.npz")
    np.testing.assert_array_equal(loaded.X, TABLE)
    assert (loaded.y is None) if label_key is None else (loaded.y.tolist() == ["a", "b"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"first": TABLE, "second": TABLE}, r"name the examples 'X'.*first, second"),
        ({"y": TABLE}, r"its arrays are y"),
        ({}, r"its arrays are none"),
        ({"X": TABLE, "y": np.zeros(3)}, r"one label for each example. Got 'y' of shape \(3,\)"),
        ({"X": np.array(["a", "b"])}, r"must hold numbers. Got an array of dtype <U1"),
        ({"X": np.array([TABLE, None], dtype=object)}, r"Python objects .dtype object.*does not read pickles"),
        ({"X": np.zeros((0, 3))}, r"at least one example. Got an array of shape \(0, 3\)"),
        ({"data": TABLE, "indices": TABLE, "indptr": TABLE, "shape": TABLE}, r"scipy.sparse.*toarray"),
    ],
)
def test_npz_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path / "a.npz")
    assert "a.npz" in str(caught.value)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.array([1, "a", None], dtype=object), r"Python objects .dtype object.*np.save"),
        (np.array([(1, None)], dtype=[("a", int), ("b", object)]), r"Python objects"),
        (np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]), r"must hold numbers"),
        (np.array(["a"]), r"must hold numbers. Got an array of dtype <U1"),
        (np.array([1j]), r"must hold numbers"),
        (np.array(3.0), r"at least one example. Got an array of shape \(\)"),
        (np.zeros((0, 5)), r"at least one example"),
    ],
)
def test_npy_refused(tmp_path, X, message):
    np.save(tmp_path / "a.npy", X, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "a.npy")


# What is damaged, empty or misnamed


def damaged_sources(folder: Path) -> dict[str, Path]:
    np.save(folder / "a.npy", TABLE)
    np.savez(folder / "a.npz", X=TABLE)
    np.savez_compressed(folder / "compressed.npz", X=pixels(50, 50))
    (folder / "a-idx2").write_bytes(idx_bytes(pixels(9, 9)))
    with gzip.open(folder / "a-idx2.gz", "wb") as stream:
        stream.write(idx_bytes(pixels(9, 9)))
    with gzip.open(folder / "a.csv.gz", "wt") as stream:
        stream.write("1.5,2.5\n" * 50)
    for suffix in ("png", "jpg", "bmp", "gif", "webp", "tif"):
        save_image(folder / f"a.{suffix}", pixels(16, 16))
    save_image(folder / "deep.png", pixels(16, 16).astype(np.uint16))
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95])
def test_truncated_files_are_refused_by_name(tmp_path, share):
    for name, path in damaged_sources(tmp_path).items():
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
        if share == 0.95 and name in ("a.png", "a.jpg", "a.bmp", "a.gif", "a.webp", "a.tif"):
            continue  # all pixels may be there
        with pytest.raises(ValueError, match=name):
            read(path)


def test_changed_bytes_raise_nothing_but_value_errors(tmp_path):
    rng = np.random.default_rng(0)
    for path in damaged_sources(tmp_path).values():
        whole = path.read_bytes()
        for _ in range(30):
            changed = bytearray(whole)
            for position in rng.integers(0, min(len(whole), 200), 3):
                changed[position] = rng.integers(256)
            path.write_bytes(changed)
            try:
                read(path)
            except ValueError as error:
                assert str(tmp_path) in str(error)  # noqa: PT017 - that nothing is raised is fine, too


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv", "a.tsv", "a.png", "a-idx3-ubyte", "a.what"])
def test_empty_file(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=f"{name} is empty"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv.gz", "a-idx3-ubyte.gz"])
def test_empty_gzip(tmp_path, name):
    gzip.open(tmp_path / name, "wb").close()
    with pytest.raises(ValueError, match=f"{name} is empty"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.pkl", "a.pickle", "a.npy", "a.npz", "a.csv", "a.png", "a"])
def test_pickles_are_never_opened(tmp_path, name, monkeypatch):
    (tmp_path / name).write_bytes(pickle.dumps(TABLE))
    monkeypatch.setattr(pickle, "load", lambda *a, **k: pytest.fail("unpickled"))
    with pytest.raises(ValueError, match=r"is a pickle.*any code.*np.save"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.pt", "a.pth", "a.ckpt", "a.joblib"])
def test_names_of_pickles_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK\3\4 a zip with a pickle in it")
    with pytest.raises(ValueError, match="is a pickle, or named like one"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_misnamed_arrays(tmp_path, name):
    (tmp_path / name).write_bytes(b"1,2,3\n")
    with pytest.raises(ValueError, match=r"begins with b'1,2,3\\n'.*np.save"):
        read(tmp_path / name)


def test_unknown_kind_lists_the_known(tmp_path):
    (tmp_path / "a.xls").write_bytes(b"\xd0\xcf\x11\xe0 and more")
    with pytest.raises(
        ValueError, match=r"the formats that narrows reads: .npy, .npz, text \(.csv.*begins with b'.xd0"
    ):
        read(tmp_path / "a.xls")


def test_missing_path_names_the_near(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_array(tmp_path / "spectra.npy", TABLE)
    with pytest.raises(FileNotFoundError, match=r"Did you mean .*spectra.npy.*named data sets are digits, mnist"):
        read(tmp_path / "Spectre.npy")
    with pytest.raises(FileNotFoundError, match=r"Did you mean mnist \(a named data set\)"):
        read("minst")
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist"):
        read(tmp_path / "nowhere" / "a.npy")
    with pytest.raises(FileNotFoundError, match="No similar name exists there"):
        read("qqqqqq")


# IDX


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "odd.name"])
def test_idx(tmp_path, dtype, name):
    X = (pixels(5, 4, 3) // 2).astype(dtype)
    opener = gzip.open if name.endswith(".gz") else open
    with opener(tmp_path / name, "wb") as stream:
        stream.write(idx_bytes(X))
    loaded = read(tmp_path / name)
    np.testing.assert_array_equal(loaded.X, X)
    assert loaded.X.dtype.isnative
    assert loaded.X.flags.writeable
    assert not loaded.name.endswith(".gz")


def test_idx_larger_than_a_block(tmp_path):
    X = pixels(3, 1000, 1000)
    (tmp_path / "big-idx3").write_bytes(idx_bytes(X))
    np.testing.assert_array_equal(read(tmp_path / "big-idx3").X, X)


def test_idx_with_wrong_lengths(tmp_path):
    whole = idx_bytes(pixels(4, 3))
    path = tmp_path / "a-idx2"
    path.write_bytes(whole + b"x")
    with pytest.raises(ValueError, match=r"holds more data than the array of shape \(4, 3\)"):
        read(path)
    path.write_bytes(whole[:-1])
    with pytest.raises(ValueError, match="the last 1 of 12 bytes are missing"):
        read(path)
    path.write_bytes(struct.pack(">HBBII", 0, 8, 2, 2**32 - 1, 2**32 - 1))  # must not ask for 16 EiB
    with pytest.raises(ValueError, match="file is too small"):
        read(path)
    with gzip.open(tmp_path / "a.gz", "wb") as stream:
        stream.write(whole[:-1])
    with pytest.raises(ValueError, match="the last 1 of 12 bytes are missing"):
        read(tmp_path / "a.gz")


# Tables


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("1,2\n3,4\n", None),
        ("a,b\n1,2\n3,4\n", ["a", "b"]),
        ('"a","the, second"\n1,2\n3,4\n', ["a", "the, second"]),
        ("# a,b\n1,2\n3,4\n", ["a", "b"]),
        ("\ufeffa,b\r\n1,2\r\n3,4\r\n", ["a", "b"]),
        ("a,b\n\n 1, 2\n\n3,4\n\n", ["a", "b"]),
        ('"1","2"\n"3","4"', None),
        ("1e0,+2\n3.0,4", None),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "A.CSV", "a.tsv", "a.tsv.gz"])
def test_table(tmp_path, text, columns, name):
    if "tsv" in name:
        text = text.replace(",", "\t")
        columns = columns and [column.replace(",", "\t") for column in columns]
    opener = gzip.open if name.endswith(".gz") else open
    with opener(tmp_path / name, "wt", encoding="utf-8", newline="") as stream:
        stream.write(text)
    loaded = read(tmp_path / name)
    np.testing.assert_array_equal(loaded.X, [[1, 2], [3, 4]])
    assert loaded.columns == columns
    assert loaded.name.lower() == "a"


def test_table_shapes_and_headers_of_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1\n2\n3\n")
    assert read(path).X.shape == (3, 1)
    path.write_text("1,2,3\n")
    assert read(path).X.shape == (1, 3)
    path.write_text("0,1,2\n5,6,7\n")  # pandas' header of columns without names
    assert read(path).columns == ["0", "1", "2"]
    path.write_text("nan,inf\n1,2\n")
    assert np.isnan(read(path).X[0, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3,4,5\n", r"Line 2 has 3, the lines before it have 2"),
        ("a,b\n\n1,2\n3\n", r"Line 4 has 1, the lines before it have 2"),
        ("a,b,c\n1,2\n3,4\n", r"Line 2 has 2, the lines before it have 3"),
        ('a,b\n"x, y", 1\nz, "2", 3\n', r"Line 3 has 3, the lines before it have 2"),
        ('a,b\n1,2\n"3,4\n', r"Line 3 has 1, .*A quotation mark may not be closed"),
        ("a,b,\n1,2,3\n", r"Column 3 has no name. Name it, remove it, or pass header=False"),
        ("a,b,a\n1,2,3\n", r"a different name for each column. It has more than one 'a'"),
        ("a,b\n", r"holds a header \(a,b\) but no rows"),
        ("\n \n", r"blank lines only"),
        ("#comment\n1,2\n", r"Line 2 has 2, the lines before it have 1"),
    ],
)
def test_table_refused(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read(path)
    assert "a.csv" in str(caught.value)


@pytest.mark.parametrize("data", [b"1,\0\n", b'"' * 200_000, b"\xff\xfea,b\n1,2"])
def test_table_that_is_no_text(tmp_path, data):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.csv"):
        read(tmp_path / "a.csv")


# Images


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "PNG"])
def test_single_image(tmp_path, suffix):
    grey, colour = pixels(6, 5), pixels(6, 5, 3)
    save_image(tmp_path / f"grey.{suffix}", grey)
    save_image(tmp_path / f"colour.{suffix}", colour)
    loaded = read(tmp_path / f"grey.{suffix}")
    np.testing.assert_array_equal(loaded.X, grey[None])
    assert loaded[1:5] == (None, None, "grey", [f"grey.{suffix}"])
    np.testing.assert_array_equal(read(tmp_path / f"colour.{suffix}").X, colour[None])


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "gif", "webp", "tiff"])
def test_other_formats(tmp_path, suffix):
    save_image(tmp_path / f"a.{suffix}", np.full((16, 16, 3), 100, np.uint8))
    X = read(tmp_path / f"a.{suffix}").X
    assert X.shape == (1, 16, 16, 3)
    assert np.abs(X.astype(int) - 100).max() < 6


def test_folder_skips_what_is_no_image(tmp_path):
    for name in ("b.png", "a.png", ".hidden.png"):
        save_image(tmp_path / name, pixels(6, 5))
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "empty").mkdir()
    loaded = read(tmp_path)
    assert loaded.files == ["a.png", "b.png"]
    assert loaded.X.shape == (2, 6, 5)
    assert loaded.X.dtype == np.uint8
    assert loaded.y is None
    assert loaded.name == tmp_path.name


def test_folder_of_classes(tmp_path):
    for name in ("dog/1.png", "cat/2.png", "cat/1.png", ".git/1.png"):
        save_image(tmp_path / name, pixels(6, 5))
    loaded = read(str(tmp_path))
    assert loaded.files == ["cat/1.png", "cat/2.png", "dog/1.png"]
    assert loaded.y.tolist() == [0, 0, 1]


def test_grey_and_colour_together_are_colour(tmp_path):
    grey, colour = pixels(6, 5), pixels(6, 5, 3)
    save_image(tmp_path / "a.png", grey)
    save_image(tmp_path / "b.png", colour)
    save_image(tmp_path / "c.png", grey.astype(np.uint16) * 256)
    X = read(tmp_path).X
    np.testing.assert_array_equal(X, [np.stack([grey] * 3, -1), colour, np.stack([grey] * 3, -1)])


def test_modes(tmp_path):
    grey = pixels(6, 5)
    for mode in ("1", "L", "LA"):
        Image.fromarray(grey).convert(mode).save(tmp_path / f"{mode}.png")
    assert read(tmp_path).X.shape == (3, 6, 5)
    for mode in ("P", "RGBA"):
        Image.fromarray(grey).convert("RGB").convert(mode).save(tmp_path / f"{mode}.png")
    assert read(tmp_path).X.shape == (5, 6, 5, 3)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_grey_is_kept(tmp_path, name):
    grey = pixels(6, 5).astype(np.uint16) * 256 + 77
    save_image(tmp_path / name, grey)
    loaded = read(tmp_path / name)
    np.testing.assert_array_equal(loaded.X, grey[None])
    assert loaded.X.dtype == np.uint16


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_32_bits_are_kept(tmp_path, dtype):
    deep = (pixels(6, 5).astype(np.float64) * 3e6).astype(dtype)
    save_image(tmp_path / "a.tif", deep)
    loaded = read(tmp_path)
    np.testing.assert_array_equal(loaded.X, deep[None])
    assert loaded.X.dtype == dtype
    save_image(tmp_path / "b.tif", pixels(6, 5))
    with pytest.raises(ValueError, match=r"a\.tif has 32-bit (floats|integers), .*b\.tif has 8 bits per channel"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["a.gif", "a.tif"])
def test_films_are_refused(tmp_path, name):
    first, *others = [Image.fromarray(pixels(6, 5) // (i + 1)) for i in range(3)]
    first.save(tmp_path / name, save_all=True, append_images=others)
    with pytest.raises(ValueError, match=r"must hold one image. It holds 3"):
        read(tmp_path)


def test_two_sizes_name_two_files(tmp_path):
    save_image(tmp_path / "a.png", pixels(6, 5))
    save_image(tmp_path / "b.png", pixels(7, 5))
    with pytest.raises(ValueError, match=r"a\.png is 5 x 6, .*b\.png is 5 x 7 \(width x height\).*resize=\(6, 5\)"):
        read(tmp_path)


def test_damaged_image_in_a_folder_is_named(tmp_path):
    save_image(tmp_path / "a.png", pixels(32, 32))
    save_image(tmp_path / "b.png", pixels(32, 32))
    whole = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[:500])
    with pytest.raises(ValueError, match=r"b\.png is damaged"):
        read(tmp_path)
    (tmp_path / "b.png").write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"b\.png is damaged or not an image"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], r"It holds nothing"),
        (["train/cat/1.png", "test/cat/1.png"], r"one level deep. It holds test, train"),
        (["1.png", "cat/2.png"], r"either directly or in one sub-folder for each class. It has 1.png and cat.2.png"),
    ],
)
def test_folder_refused(tmp_path, names, message):
    for name in names:
        save_image(tmp_path / name, pixels(6, 5))
    with pytest.raises(ValueError, match=message):
        read(tmp_path)


# Writing


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", "bool"])
@pytest.mark.parametrize("name", ["a.npy", "a.csv", "a.tsv"])
def test_written_arrays_read_back_as_they_were(tmp_path, name, dtype):
    X = (np.random.default_rng(0).standard_normal((5000, 2)) * 10).astype(dtype)
    write_array(tmp_path / name, X, columns=["a", "b, c"])
    loaded = read(tmp_path / name)
    np.testing.assert_array_equal(loaded.X.astype(dtype), X)
    assert loaded.columns == (None if name == "a.npy" else ["a", "b, c"])
    assert os.listdir(tmp_path) == [name]


def test_a_vector_is_written_as_one_column(tmp_path):
    write_array(tmp_path / "a.csv", np.array([0.1, np.nan], dtype=np.float32))
    assert (tmp_path / "a.csv").read_text() == "0.1\nnan\n"


@pytest.mark.parametrize(
    ("name", "array", "columns", "message"),
    [
        ("a.txt", TABLE, None, r"must end in .npy, .parquet, .csv, .tsv"),
        ("a", TABLE, None, r"must end in"),
        ("a.csv", TABLE[None], None, r"1 or 2 axes, the array has 3"),
        ("a.csv", TABLE, ["a"], r"each of the 3 columns. Got 1 names"),
        ("a.npy", np.array([None]), None, r"must hold numbers. Got dtype object"),
    ],
)
def test_write_refused(tmp_path, name, array, columns, message):
    with pytest.raises(ValueError, match=message):
        write_array(tmp_path / name, array, columns)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("name", ["a.npy", "a.csv"])
@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_last_good_file(tmp_path, monkeypatch, name, where):
    write_array(tmp_path / name, TABLE)
    before = (tmp_path / name).read_bytes()

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        if where == "write":
            patch.setattr(np, "save", full)
            patch.setattr(csv, "writer", full)
        else:
            patch.setattr(os, where, full)
        with pytest.raises(OSError, match="No space left"):
            write_array(tmp_path / name, TABLE + 1)
    assert (tmp_path / name).read_bytes() == before
    assert os.listdir(tmp_path) == [name]


def test_a_write_that_the_system_cuts_off_leaves_the_last_good_file(tmp_path):
    resource = pytest.importorskip("resource", reason="limits of file sizes are POSIX")
    write_array(tmp_path / "a.npy", TABLE)
    before = (tmp_path / "a.npy").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match=r"File too large|written"):
            write_array(tmp_path / "a.npy", np.zeros((1000, 1000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "a.npy").read_bytes() == before
    assert os.listdir(tmp_path) == ["a.npy"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_atomic_path_removes_the_temporary_on_any_error(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")

    def write_half() -> None:
        with atomic_path(tmp_path / "a.txt") as temporary:
            assert temporary.parent == tmp_path
            assert temporary.suffix == ".txt"
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(error):
        write_half()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_atomic_path_says_where_it_cannot_write(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"nowhere does not exist. Create it"),
        atomic_path(tmp_path / "nowhere/a"),
    ):
        pass
    with pytest.raises(IsADirectoryError, match="it is a folder"), atomic_path(tmp_path):
        pass
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "never_written"):
        pass


def test_atomic_path_writes_through_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with atomic_path(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_file_can_be_rewritten_from_its_own_map(tmp_path):
    write_array(tmp_path / "a.npy", TABLE)
    write_array(tmp_path / "a.npy", read(tmp_path / "a.npy").X)
    np.testing.assert_array_equal(read(tmp_path / "a.npy").X, TABLE)


def test_importing_is_light():
    """These modules alone, whatever the package above them imports."""
    code = (
        "import sys, types\n"
        "package = types.ModuleType('narrows.data')\n"
        f"package.__path__ = [{str(Path(files_module.__file__).parents[1])!r}]\n"
        "sys.modules['narrows.data'] = package\n"
        "import narrows.data.named\n"
        "print({'torch', 'sklearn', 'PIL', 'rich', 'urllib.request'} & set(sys.modules))"
    )
    paths = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
