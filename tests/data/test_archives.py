"""Zips of images, or of one table or array: read in memory, within limits, without paths to other places."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from narrows.data.files import read
from narrows.data.files.archives import Limits, check_unpacked, read_zip
from narrows.data.images import Options, TooLarge


def png(*shape: int, seed: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def make_zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_zip_of_classes_is_read_as_its_folder_is(tmp_path):
    names = ("cat/2.png", "cat/1.png", "dog/1.png", ".git/1.png")
    images = {name: png(6, 5, seed=i) for i, name in enumerate(names)}
    for name, content in images.items():
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / name).write_bytes(content)
    members = {f"pets/{name}": content for name, content in images.items()}
    path = make_zip(tmp_path / "pets.zip", **members, **{"__MACOSX/pets/cat/._1.png": b"", "pets/readme.txt": b"x"})
    folder, archive = read(tmp_path / "pets"), read(path)
    np.testing.assert_array_equal(archive.X, folder.X)
    np.testing.assert_array_equal(archive.y, folder.y)
    assert (archive.files, archive.name, archive.columns) == (folder.files, "pets", None)
    assert archive.notes == ("Files that are no images are ignored, 1 of 4: pets/readme.txt.",)


def test_classes_at_any_depth_and_images_without(tmp_path):
    deep = read(make_zip(tmp_path / "a.zip", **{"x/train/cat/1.png": png(6, 5), "x/test/dog/1.png": png(6, 5)}))
    assert (deep.files, deep.y.tolist()) == (["test/dog/1.png", "train/cat/1.png"], [1, 0])
    flat = read(make_zip(tmp_path / "b.zip", **{"x/y/1.png": png(6, 5), "x/y/2.png": png(6, 5, 3)}))
    assert (flat.files, flat.y, flat.X.shape) == (["1.png", "2.png"], None, (2, 6, 5, 3))
    mixed = make_zip(tmp_path / "c.zip", **{"1.png": png(6, 5), "cat/2.png": png(6, 5)})
    with pytest.raises(
        ValueError, match=r"c\.zip must hold its images either directly or .* It has 1.png and cat/2.png"
    ):
        read(mixed)


def test_names_never_lead_out_of_a_folder(tmp_path):
    names = ["../../evil/a.png", "/etc/evil/b.png", "..\\..\\evil\\c.png", "C:\\evil\\a.png", "./evil/a.png"]
    loaded = read(make_zip(tmp_path / "a.zip", **dict.fromkeys(names, png(6, 5))))
    assert loaded.files == ["etc/evil/b.png", "evil/a.png", "evil/a (2).png", "evil/a (3).png", "evil/c.png"]


def test_options_reach_the_images(tmp_path):
    path = make_zip(tmp_path / "a.zip", **{"1.png": png(9, 9), "2.png": png(12, 8), "3.png": b"nothing"})
    with pytest.raises(ValueError, match=r"a\.zip/3\.png is damaged"):
        read(path)
    with pytest.raises(ValueError, match=r"a\.zip/1\.png is 9 x 9, .*a\.zip/2\.png is 8 x 12"):
        read(path, on_bad="skip")
    assert read(path, on_bad="skip", resize=8).X.shape == (2, 8, 8)


def test_a_member_with_a_wrong_checksum_is_one_bad_image(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("1.png", png(9, 9))
        archive.writestr("2.png", png(9, 9, seed=1))
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[60] ^= 1
    (tmp_path / "a.zip").write_bytes(content)
    assert read(tmp_path / "a.zip", on_bad="skip").files == ["2.png"]


@pytest.mark.parametrize("name", ["t.csv", "folder/t.npy", "t.npz"])
def test_one_other_file(tmp_path, name):
    X = np.arange(6.0).reshape(3, 2)
    inner = tmp_path / Path(name).name
    if name.endswith("csv"):
        inner.write_text("a,b\n0,1\n2,3\n4,5\n")
    else:
        np.save(inner, X) if name.endswith("npy") else np.savez(inner, X=X)
    loaded = read(make_zip(tmp_path / "table.zip", **{name: inner.read_bytes()}))
    np.testing.assert_array_equal(loaded.X, X)
    assert loaded.name == "table"
    assert not isinstance(loaded.X, np.memmap)


def test_errors_name_the_member(tmp_path):
    path = make_zip(tmp_path / "table.zip", **{"folder/t.csv": b"a,b\n1,2\n3\n"})
    with pytest.raises(ValueError, match=r"table\.zip/t\.csv must have the same number of cells"):
        read(path)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, r"It holds nothing"),
        ({"a.csv": b"1", "b.csv": b"2"}, r"must hold images .*, or one table or array. It holds a.csv, b.csv"),
        ({"inner.zip": b"PK\3\4"}, r"It holds inner.zip\. Unpack it"),
        ({"code.pkl": b"\x80\4."}, r"code\.pkl is a pickle"),
    ],
)
def test_zips_without_data(tmp_path, members, message):
    with pytest.raises(ValueError, match=message):
        read(make_zip(tmp_path / "a.zip", **members))


def test_damaged_zips(tmp_path):
    whole = make_zip(tmp_path / "a.zip", **{"1.png": png(9, 9), "2.png": png(9, 9)}).read_bytes()
    for size in range(4, len(whole), 17):
        (tmp_path / "a.zip").write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"a\.zip is damaged"):
            read(tmp_path / "a.zip")


def test_sizes_are_checked_before_anything_is_unpacked(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "a.zip", **{"t.csv": b"0" * (1 << 20)})
    monkeypatch.setattr("narrows.data.files.archives._FREE", 1000)
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    with pytest.raises(TooLarge, match=r"unpacks to 1,048,576 bytes; at most"):
        read(path)
    with pytest.raises(TooLarge, match="at most 9,999"):
        check_unpacked(path, 9_999)
    check_unpacked(path, 1 << 20)


def test_pixels_are_checked_before_anything_is_decoded(tmp_path, monkeypatch):
    stream = io.BytesIO()
    Image.new("L", (1000, 1000)).save(stream, "PNG")
    path = make_zip(tmp_path / "a.zip", **{f"{i}.png": stream.getvalue() for i in range(4)})
    monkeypatch.setattr("narrows.data.images.Scan.decode", None)
    for limits, message in (
        (Limits(pixels=3_999_999), r"4,000,000 pixels; at most 3,999,999"),
        (Limits(image_pixels=999_999), r"a\.zip/0\.png has 1000 x 1000 pixels"),
        (Limits(n_images=3), r"holds 4 images; at most 3"),
        (Limits(unpacked=3_999_999), r"decodes to 4,000,000 bytes"),
    ):
        with pytest.raises(TooLarge, match=message):
            read_zip(path, Options(on_bad="skip"), read, limits)
    monkeypatch.setattr("narrows.data.files.archives._FREE_PIXELS", 1000)
    with pytest.raises(TooLarge, match="4,000,000 pixels"):
        read(path)


def test_a_zip_with_a_password(tmp_path):
    path = make_zip(tmp_path / "a.zip", **{"t.csv": b"a,b\n1,2\n3,4\n"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1  # the flag of encryption, in the directory
    content[6] |= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.zip/t\.csv is damaged or has a password .*encrypted"):
        read(path)
