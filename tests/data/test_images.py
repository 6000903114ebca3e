"""Images: their depth, their orientation, unlike sizes, broken ones, and the way back to a file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from narrows import AE, load_dataset
from narrows.data import infer
from narrows.data.files import read
from narrows.data.images import decode_image


def pixels(*shape: int, high: int = 256, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, high, shape, dtype=dtype)


def save(folder: Path, **images: np.ndarray) -> None:
    for name, image in images.items():
        Image.fromarray(image).save(folder / f"{name}.png")


# Orientation


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exif_orientation_is_applied(tmp_path, suffix):
    landscape = np.zeros((32, 48, 3), np.uint8)
    landscape[:16, :24] = 255  # the upper left quarter of the file is the upper right one of the scene
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a", "b"):
        Image.fromarray(landscape).save(tmp_path / f"{name}.{suffix}", exif=exif, quality=95)
    Image.fromarray(np.rot90(landscape, -1)).save(tmp_path / "upright.png")  # of the same size, once all are upright
    X = read(tmp_path).X.astype(int)
    assert X.shape == (3, 48, 32, 3)
    assert np.abs(X - np.rot90(landscape, -1)).max() < 40
    photo = decode_image(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(photo, X[0])


# Depth


def test_12_bit_images_are_kept_and_come_back(tmp_path):
    deep = pixels(12, 10, 9, high=4096, dtype=np.uint16)
    deep[0, 0, 0] = 4095
    save(tmp_path, **{f"{i:02d}": image for i, image in enumerate(deep)})
    loaded = read(tmp_path)
    np.testing.assert_array_equal(loaded.X, deep)
    assert loaded.X.dtype == np.uint16
    assert "12 images have 16 bits; the largest value is 4,095." in loaded.notes
    model = AE(2, hidden=(8,), max_epochs=1, random_state=0).fit(loaded.X)
    assert (model.schema_.support, model.schema_.scale, model.schema_.dtype) == ("unit", (4095.0,), "uint16")
    reconstructed = model.reconstruct(loaded.X)
    assert reconstructed.dtype == np.uint16
    assert reconstructed.max() > 255


@pytest.mark.parametrize(("high", "scale"), [(7, 255), (255, 255), (256, 511), (4095, 4095), (40_000, 65_535)])
def test_the_scale_of_16_bits_is_that_of_their_highest_bit(high, scale):
    deep = pixels(5, 8, 8, high=high, dtype=np.uint16)
    deep[0, 0, 0] = high
    schema = infer(deep.astype(np.float32), "X", dtype=deep.dtype)
    assert (schema.support, schema.scale) == ("unit", (scale,))
    import torch

    restored = schema.restore(schema.prepare(torch.from_numpy(deep.astype(np.float32))))
    np.testing.assert_array_equal(restored, deep)
    assert restored.dtype == np.uint16
    clipped = schema.restore(torch.tensor([-1.0, 1e4]).repeat(32).reshape(1, 1, 8, 8))
    assert set(clipped.ravel().tolist()) == {0, 65_535}
    assert f"from values of 0 to {scale}" in schema.describe()


def test_bytes_for_a_model_of_16_bits_are_refused():
    deep = pixels(12, 10, 9, high=4096, dtype=np.uint16)
    model = AE(2, hidden=(8,), max_epochs=1, random_state=0).fit(deep)
    with pytest.raises(ValueError, match=r"holds bytes, but .* 16 bits, from 0 to 4095\. .*\* 4095 / 255"):
        model.transform((deep >> 4).astype(np.uint8))
    with pytest.raises(ValueError, match=r"lies in \[0, 1\], .* from 0 to 4095\. Multiply X by 4095"):
        model.transform(deep / 4095)


def test_8_bits_among_16_are_stretched(tmp_path):
    save(tmp_path, a=pixels(8, 8), b=pixels(8, 8, high=65_536, dtype=np.uint16))
    loaded = read(tmp_path)
    np.testing.assert_array_equal(loaded.X[0], pixels(8, 8).astype(np.uint16) * 257)
    np.testing.assert_array_equal(loaded.X[1], pixels(8, 8, high=65_536, dtype=np.uint16))
    assert "The others have 8 bits and are multiplied by 257." in loaded.notes[0]


def test_12_bits_among_colour_are_scaled_by_their_range(tmp_path):
    deep = pixels(8, 8, high=4096, dtype=np.uint16)
    deep[0, 0] = 4095
    save(tmp_path, a=pixels(8, 8, 3), b=deep)
    loaded = read(tmp_path)
    np.testing.assert_array_equal(loaded.X[1], np.stack([deep >> 4] * 3, -1))
    assert "1 image is grey with 16 bits, reduced to 8, because others have colour." in loaded.notes


def test_colour_with_16_bits_is_said(tmp_path):
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    deep = pixels(8, 8, 3, high=65_536, dtype=np.uint16)
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in deep)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0))  # 16 bits of RGB, which Pillow cannot write
    content = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content)
    loaded = read(tmp_path)
    np.testing.assert_array_equal(loaded.X[0], deep >> 8)
    assert loaded.notes == ("1 image has 16 bits a channel, of which only the upper 8 are read.",)


def test_transparent_parts_are_laid_on_white_and_said(tmp_path):
    image = np.zeros((8, 8, 4), np.uint8)
    image[:4, :, 3] = 255
    save(tmp_path, a=image, opaque=np.full((8, 8, 4), 255, np.uint8))
    loaded = read(tmp_path)
    assert (loaded.X[0, :4] == 0).all()
    assert (loaded.X[0, 4:] == 255).all()
    assert loaded.notes == ("1 image has transparent parts, which are laid on white.",)


def test_grey_with_transparency_stays_grey(tmp_path):
    Image.fromarray(np.dstack([pixels(8, 8), np.full((8, 8), 255, np.uint8)])).save(tmp_path / "a.png")
    loaded = read(tmp_path)
    np.testing.assert_array_equal(loaded.X[0], pixels(8, 8))
    assert loaded.notes == ()


# Sizes and broken files


@pytest.mark.parametrize(("resize", "shape"), [(8, (8, 8)), ((6, 9), (6, 9)), ([6, 9], (6, 9))])
def test_unlike_sizes_are_cropped_and_resized(tmp_path, resize, shape):
    wide = np.repeat(np.uint8([0, 100, 100, 0]), 10)[None].repeat(20, 0)  # the middle of the width has one colour
    save(tmp_path, a=wide, b=np.full((30, 30), 100, np.uint8))
    loaded = read(tmp_path, resize=resize)
    assert loaded.X.shape == (2, *shape)
    np.testing.assert_array_equal(load_dataset(tmp_path, resize=resize).X, loaded.X)
    assert (loaded.X[:, :, shape[1] // 2] == 100).all()
    assert any("2 sizes" in note for note in loaded.notes)
    if shape == (8, 8):
        assert np.abs(loaded.X[0].astype(int) - 100).max() < 20  # cropped, not squeezed


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_deep_images_are_resized_within_their_range(tmp_path, dtype):
    deep = (pixels(40, 40) > 127).astype(dtype) * dtype(4095)
    Image.fromarray(deep).save(tmp_path / "a.tif")
    X = read(tmp_path, resize=10).X
    assert (X.dtype, X.shape, X.min() >= 0, X.max() <= 4095) == (dtype, (1, 10, 10), True, True)
    assert 1500 < X.mean() < 2600


def test_broken_images_are_skipped_and_named(tmp_path):
    save(tmp_path, a=pixels(32, 32), b=pixels(32, 32), c=pixels(32, 32), d=pixels(32, 32))
    (tmp_path / "b.png").write_text("nothing")
    (tmp_path / "c.png").write_bytes((tmp_path / "c.png").read_bytes()[:500])  # its header is whole
    frames = [Image.fromarray(pixels(32, 32) // (i + 1)) for i in range(3)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r'b\.png is damaged or not an image.*on_bad="skip" \(--on-bad skip\)'):
        read(tmp_path)
    loaded = read(tmp_path, on_bad="skip")
    assert loaded.files == ["a.png", "d.png"]
    np.testing.assert_array_equal(loaded.X, [pixels(32, 32)] * 2)
    assert loaded.notes == ("Images that cannot be read are left out, 3 of 5: b.png, film.gif, c.png.",)


def test_classes_without_a_whole_image_are_left_out(tmp_path):
    for name in ("cat", "dog", "eel"):
        (tmp_path / name).mkdir()
        save(tmp_path / name, a=pixels(8, 8))
    (tmp_path / "dog" / "a.png").write_text("nothing")
    loaded = read(tmp_path, on_bad="skip")
    assert (loaded.files, loaded.y.tolist()) == (["cat/a.png", "eel/a.png"], [0, 1])


def test_a_folder_of_broken_images(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.png").write_text("nothing")
    with pytest.raises(ValueError, match=r"None of 2 images can be read: .*a\.png is damaged"):
        read(tmp_path, on_bad="skip")


@pytest.mark.parametrize("wrong", [0, -1, True, (8,), (8, 0), (8, 8, 8), 8.5, "8"])
def test_wrong_sizes(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"`resize` parameter of read must be .* Got "):
        read(tmp_path, resize=wrong)


def test_wrong_treatment_of_bad_images(tmp_path):
    with pytest.raises(ValueError, match=r'`on_bad` parameter of read must be "error" or "skip". Got \'ignore\''):
        read(tmp_path, on_bad="ignore")
