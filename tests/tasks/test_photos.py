"""PhotoDenoiser: training, tiles, files, and bad input."""

import json
import signal
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from typer.testing import CliRunner

from narrows.cli import app
from narrows.corruptions import BlindSpot
from narrows.data.patches import Patches, white
from narrows.likelihoods import Gaussian
from narrows.tasks import PhotoDenoiser
from narrows.tasks.photos.images import estimate_noise_level
from narrows.tasks.photos.tiles import TiledDenoiser
from narrows.types import Batch

LEVEL = 0.15
SMALL = {"widths": (12, 24), "blocks": 1, "patch_size": 32, "batch_size": 8, "random_state": 0, "device": "cpu"}


@pytest.fixture(scope="session")
def colour() -> list[np.ndarray]:
    """Parts of scikit-learn's two photos, bytes, of two sizes; not to be written to."""
    from sklearn.datasets import load_sample_images

    china, flower = load_sample_images().images
    photos = [np.ascontiguousarray(china[100:292, 200:456]), np.ascontiguousarray(flower[100:260, 200:392])]
    for photo in photos:
        photo.setflags(write=False)
    return photos


@pytest.fixture(scope="session")
def grey(colour) -> list[np.ndarray]:
    return [np.rint(photo.mean(-1)).astype(np.uint8) for photo in colour]


def with_noise(photo: np.ndarray, level: float = LEVEL, seed: int = 0) -> np.ndarray:
    """The photo on the [0, 1] scale with Gaussian noise."""
    noise = np.random.default_rng(seed).normal(size=photo.shape)
    return (photo / white(photo.dtype) + level * noise).astype(np.float32)


def psnr(cleaned: np.ndarray, photo: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(cleaned - photo / 255).mean()))


@pytest.fixture(scope="session")
def model(grey) -> PhotoDenoiser:
    """Trained a little on clean photos."""
    return PhotoDenoiser(level=LEVEL, max_epochs=30, learning_rate=2e-3, **SMALL).fit(grey)


def untrained(**network) -> TiledDenoiser:
    """Return a denoiser with random weights, none of which is 0."""
    parts = PhotoDenoiser(**network)._assemble(Patches([np.zeros((1, 64, 64), np.uint8)], 64).schema, 0, paired=True)
    torch.manual_seed(0)
    for parameter in parts.model.parameters():
        torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return TiledDenoiser(parts.model.eval(), 1, ensemble=False)


# --------------------------------------------------------------------------------------------------------- learning


def test_clean_photos_teach_it_to_clean(model, grey):
    noisy = with_noise(grey[0])
    assert psnr(model.denoise(noisy), grey[0]) > psnr(noisy, grey[0]) + 5


def test_a_fit_that_fails_leaves_no_untrained_model(grey, monkeypatch):
    def failing(*_, **__):
        raise FloatingPointError("the loss stays infinite")

    monkeypatch.setattr("narrows.tasks.photos.denoiser.train", failing)
    failed = PhotoDenoiser(**SMALL)
    with pytest.raises(FloatingPointError):
        failed.fit(grey)
    with pytest.raises(ValueError, match="not fitted"):
        failed.denoise(grey[0])


@pytest.mark.parametrize(("method", "gain"), [("pairs", 5), ("recorrupt", 4), ("blind_spot", 3)])
def test_noisy_photos_teach_it_to_clean(method, gain, grey):
    noisy = [with_noise(photo, seed=number) for number, photo in enumerate(grey)]
    partners = grey if method == "pairs" else None
    model = PhotoDenoiser("clean" if method == "pairs" else method, max_epochs=30, learning_rate=2e-3, **SMALL)
    model.fit(noisy, partners)
    assert psnr(model.denoise(noisy[0]), grey[0]) > psnr(noisy[0], grey[0]) + gain
    if method == "recorrupt":
        assert model.levels_ == pytest.approx([LEVEL] * 2, rel=0.1)
        assert "estimated" in model.report_[0]


def test_colour_photos_are_learned_together(colour):
    model = PhotoDenoiser(level=LEVEL, max_epochs=12, learning_rate=2e-3, **SMALL).fit([*colour, colour[0][..., 0]])
    noisy = with_noise(colour[1])
    assert model.channels_ == 3
    assert psnr(model.denoise(noisy), colour[1]) > psnr(noisy, colour[1]) + 4
    assert model.denoise(colour[0][..., 1]).shape == colour[0].shape[:2]  # a grey photo


def test_a_grey_model_cleans_colours_one_by_one(model, colour):
    noisy = with_noise(colour[0])
    expected = np.stack([model.denoise(noisy[..., c]) for c in range(3)], -1)
    np.testing.assert_allclose(model.denoise(noisy), expected, atol=1e-5)


def test_the_same_seed_gives_the_same_model_and_another_one_another(grey):
    models = [PhotoDenoiser(max_epochs=1, **{**SMALL, "random_state": seed}).fit(grey) for seed in (0, 0, 1)]
    a, b, c = (model.denoise(with_noise(grey[0])) for model in models)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_training_that_was_stopped_goes_on_to_the_same_weights(grey, tmp_path, monkeypatch):
    options = {**SMALL, "max_epochs": 3, "precision": "float32"}
    whole = PhotoDenoiser(**options).fit(grey)
    n_batches = 0
    batch = Patches.batch

    def stopped_at_ten(self, index):
        nonlocal n_batches
        n_batches += 1
        if n_batches == 10:
            signal.raise_signal(signal.SIGINT)
        return batch(self, index)

    monkeypatch.setattr(Patches, "batch", stopped_at_ten)
    with pytest.raises(KeyboardInterrupt, match="fit again to continue"):
        PhotoDenoiser(checkpoint=tmp_path, **options).fit(grey)
    assert 10 <= n_batches < whole.history_[-1]["step"]
    resumed = PhotoDenoiser(checkpoint=tmp_path, **options).fit(grey)
    for name, weight in whole.model_.state_dict().items():
        assert torch.equal(weight, resumed.model_.state_dict()[name]), name


def test_the_checkpoint_keeps_a_seed_that_was_drawn(grey, tmp_path, monkeypatch):
    options = {**SMALL, "max_epochs": 2, "random_state": None, "checkpoint": tmp_path}
    batch = Patches.batch

    def stopped(self, index):
        monkeypatch.setattr(Patches, "batch", batch)
        signal.raise_signal(signal.SIGINT)
        return batch(self, index)

    monkeypatch.setattr(Patches, "batch", stopped)
    with pytest.raises(KeyboardInterrupt, match="fit again to continue"):
        PhotoDenoiser(**options).fit(grey)
    assert PhotoDenoiser(**options).fit(grey).n_iter_ == 2
    with pytest.raises(ValueError, match="`random_state` parameter of PhotoDenoiser must be an int"):
        PhotoDenoiser(random_state="seed").fit(grey)
    with pytest.raises(ValueError, match=r"Got shape \(\)"):
        PhotoDenoiser().fit(None)


def test_save_and_load(model, grey, tmp_path):
    model.save(tmp_path)
    again = PhotoDenoiser.load(tmp_path)
    noisy = with_noise(grey[1])
    assert np.array_equal(model.denoise(noisy), again.denoise(noisy))
    assert again.get_params() == {**model.get_params(), "device": "auto"}
    assert again.history_ == model.history_
    assert "PhotoDenoiser.load" in (tmp_path / "README.md").read_text()


def test_load_refuses_what_is_no_denoiser(digits, tmp_path):
    from narrows import AE

    AE(2, hidden=(4,), max_epochs=1).fit(digits[:50]).save(tmp_path)
    with pytest.raises(ValueError, match=r"is not a PhotoDenoiser, but of the recipe 'ae'. Load it with narrows.load"):
        PhotoDenoiser.load(tmp_path)


# ------------------------------------------------------------------------------------------------------------ parts


def test_pieces_are_parts_of_their_photo_and_of_its_partner(rng):
    photo = rng.integers(0, 256, (1, 9, 12), dtype=np.uint8)
    patches = Patches([photo], 4, targets=[255 - photo])
    torch.manual_seed(0)
    batch = patches.batch(torch.arange(len(patches)).repeat(4))
    assert batch.x.shape == (4 * len(patches), 1, 4, 4)
    torch.testing.assert_close(batch.x + batch.target, torch.ones_like(batch.x))
    windows = torch.from_numpy(photo[0]).unfold(0, 4, 1).unfold(1, 4, 1).reshape(-1, 4, 4)
    symmetries = [torch.rot90(w, k, (1, 2)) for w in (windows, windows.flip(-1)) for k in range(4)]
    known = {tuple(window.flatten().tolist()) for group in symmetries for window in group}
    pieces = {tuple(piece.flatten().tolist()) for piece in (batch.x * 255).round().int()}
    assert pieces <= known
    assert len(pieces) > 150  # of 54 places in 8 orientations, in 264 draws


def test_larger_photos_are_seen_more_often():
    patches = Patches([np.zeros((1, 40, 80), np.uint8), np.full((1, 40, 40), 255, np.uint8)], 20)
    assert len(patches) == 72  # six times (8 + 4), to have 64
    assert patches.batch(torch.arange(72)).x.mean().item() == pytest.approx(1 / 3)


def test_recorrupted_noise_is_uncorrelated_and_of_the_stated_levels():
    noise = np.random.default_rng(0).normal(size=(1, 200, 200)).astype(np.float32)
    patches = Patches([0.2 * noise], 40, levels=[0.2])
    torch.manual_seed(0)
    batch = patches.batch(torch.zeros(400, dtype=torch.long))
    x, target, weight = (part.flatten(1).double() for part in (batch.x, batch.target, batch.weight))
    share = (weight[:, 0] / (1 - weight[:, 0])).sqrt()  # weight = a^2 / (1 + a^2)
    ones = torch.ones(400, dtype=torch.float64)
    torch.testing.assert_close(x.var(1) / (0.04 * (1 + share**2)), ones, atol=0.2, rtol=0)
    torch.testing.assert_close(target.var(1) * weight[:, 0] / 0.04, ones, atol=0.2, rtol=0)
    correlation = (x * target).mean(1) / (x.var(1) * target.var(1)).sqrt()
    assert abs(float(correlation.mean())) < 0.01


def test_a_blind_spot_is_a_neighbour_s_value_and_alone_is_scored():
    x = torch.arange(2 * 3 * 7 * 9.0).reshape(2, 3, 7, 9)
    torch.manual_seed(0)
    for _ in range(20):
        seen, scored = BlindSpot(share=0.4)(Batch(x, x))
        assert torch.equal(seen != x, scored == 1)  # all values differ
        assert (scored == scored[:, :1]).all()  # a pixel's channels go together
        for image, channel, row, column in scored.nonzero().tolist():
            window = x[image, channel, max(0, row - 2) : row + 3, max(0, column - 2) : column + 3]
            assert (window == seen[image, channel, row, column]).any()


def test_a_scale_of_each_example_s_own_has_the_gradient_of_its_psnr():
    torch.manual_seed(0)
    o, x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True), torch.randn(3, 5, dtype=torch.float64)
    (ours,) = torch.autograd.grad(Gaussian(each=0.1).score(o, x).sum(), o)
    (expected,) = torch.autograd.grad(-2.5 * ((o - x).square().mean(1) + 0.01).log().sum(), o)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("level", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("shape", [(160, 192), (97, 131, 3)])
def test_a_noise_level_is_found(level, shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    smooth = np.sin(rows / 20) * np.cos(columns / 30) / 2
    noise = np.random.default_rng(0).normal(size=shape)
    photo = (smooth if len(shape) == 2 else smooth[..., None]) + level * noise
    assert estimate_noise_level(photo) == pytest.approx(level, rel=0.06)


# ------------------------------------------------------------------------------------------------------------ tiles


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("widths", [(6,), (6, 8), (6, 8, 10)])
def test_tiles_give_what_the_whole_photo_gives(widths, blocks, rng):
    tiles = untrained(widths=widths, blocks=blocks)
    tiles.model.double()  # what comes out is up to 10, of which single precision keeps less on some processors
    photo = rng.random((163, 218)).astype(np.float32)
    whole = tiles.clean(photo)
    tiles.size = 5 * tiles.step
    assert len(list(tiles._tile_slices(*photo.shape))) > 8
    assert np.abs(whole - photo).max() > 0.05
    np.testing.assert_allclose(tiles.clean(photo), whole, atol=1e-5)
    tiles.margin = 0
    assert np.abs(tiles.clean(photo) - whole).max() > 1e-3


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (3, 5), (8, 8), (2, 3, 3), (33, 17, 4)])
def test_photos_of_any_size_come_back_in_their_shape(model, shape, rng):
    photo = rng.integers(0, 256, shape, dtype=np.uint8)
    cleaned = model.denoise(photo, ensemble=True)
    assert cleaned.shape == shape
    assert cleaned.dtype == np.uint8


def test_units(model, grey):
    small = grey[0][:40, :56]
    expected = model.denoise(small / 255)
    for photo in (small.astype(np.uint16) * 257, (small / 255).astype(np.float32)):
        cleaned = model.denoise(photo)
        assert cleaned.dtype == photo.dtype
        np.testing.assert_allclose(cleaned / white(photo.dtype), expected.clip(0, 1), atol=2e-5)
    assert np.abs(model.denoise(small).astype(float) - 255 * expected.clip(0, 1)).max() <= 0.51


def test_an_ensemble_turns_with_the_photo_and_is_better(model, grey):
    noisy = with_noise(grey[0])
    cleaned = model.denoise(noisy, ensemble=True)
    for turned in (np.rot90, np.transpose, np.flipud):
        np.testing.assert_allclose(model.denoise(turned(noisy), ensemble=True), turned(cleaned), atol=1e-5)
    assert psnr(cleaned, grey[0]) > psnr(model.denoise(noisy), grey[0])


def test_several_photos(model, grey):
    both = model.denoise(grey)
    assert [photo.shape for photo in both] == [photo.shape for photo in grey]
    stacked = model.denoise(np.stack([grey[0][:32, :40]] * 5))
    assert stacked.shape == (5, 32, 40)


def test_a_memory_map_is_cleaned_tile_by_tile(model, rng, tmp_path):
    photo = rng.integers(0, 256, (120, 160), dtype=np.uint8)
    np.save(tmp_path / "big.npy", photo)
    read = []

    class Watched(np.memmap):
        def __getitem__(self, index):
            part = super().__getitem__(index)
            read.append(part.size)
            return part.view(np.ndarray)

    mapped = np.load(tmp_path / "big.npy", mmap_mode="r").view(Watched)
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", np.uint8, photo.shape)
    tiles = TiledDenoiser(model.model_, 1, ensemble=False, size=16)
    tiles.clean(mapped, out)
    assert len(read) == 8 * 10
    assert max(read) <= (16 + 2 * tiles.margin) ** 2 < photo.size
    cleaned = np.load(tmp_path / "out.npy").astype(int)
    assert np.abs(cleaned - model.denoise(photo)).max() <= 1  # where rounding tips over
    assert model.denoise_files(tmp_path / "big.npy", tmp_path / "whole.npy") == [tmp_path / "whole.npy"]
    assert np.array_equal(np.load(tmp_path / "whole.npy"), model.denoise(photo))


# ------------------------------------------------------------------------------------------------------------ files


def write_photos(folder: Path, photo: np.ndarray) -> None:
    """One photo in many formats and modes, with metadata."""
    from PIL import ImageCms

    (folder / "sub").mkdir(parents=True)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0110] = "a camera"
    exif[0x0112] = 6  # lies on its side
    about = PngInfo()
    about.add_text("Author", "somebody")
    rgb = Image.fromarray(photo)
    grey = rgb.convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 256)
    clear = rgb.copy()
    clear.putalpha(Image.linear_gradient("L").resize(rgb.size))
    whole = {"exif": exif, "icc_profile": profile}
    rgb.save(folder / "a b.JPG", "JPEG", dpi=(300, 300), subsampling=0, comment=b"hello", **whole)
    grey.save(folder / "grey.jpeg")
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    rgb.save(folder / "rgb.png", dpi=(72, 72), pnginfo=about, **whole)
    clear.save(folder / "sub" / "rgba.png")
    rgb.convert("LA").save(folder / "la.png")
    rgb.quantize(16).save(folder / "palette.png", transparency=bytes([0, 128]))
    rgb.quantize(16).save(folder / "palette.gif", transparency=3)
    deep.save(folder / "16.png")
    deep.save(folder / "16.tif", dpi=(100, 100))
    rgb.save(folder / "lzw.tiff", compression="tiff_lzw", dpi=(200, 200), description="a note", icc_profile=profile)
    rgb.save(folder / "photo.webp", **whole)
    rgb.save(folder / "plain.bmp", dpi=(100, 100))
    rgb.convert("1").save(folder / "bits.png")


NAMES = ["a b.JPG", "grey.jpeg", "cmyk.jpg", "rgb.png", "sub/rgba.png", "la.png", "palette.png", "palette.gif"]
NAMES += ["16.png", "16.tif", "lzw.tiff", "photo.webp", "plain.bmp", "bits.png"]


@pytest.fixture(scope="session")
def cleaned(model, colour, tmp_path_factory) -> Path:
    """A folder whose `in` holds those photos, and `out` what they became."""
    folder = tmp_path_factory.mktemp("photos")
    write_photos(folder / "in", (255 * with_noise(colour[1][:64, :80], 0.1).clip(0, 1)).astype(np.uint8))
    written = model.denoise_files(folder / "in", folder / "out")
    assert {path.relative_to(folder / "out").as_posix() for path in written} == set(NAMES)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_file_keeps_format_mode_and_metadata(name, cleaned):
    with Image.open(cleaned / "in" / name) as before, Image.open(cleaned / "out" / name) as after:
        before.load()
        after.load()
        assert (after.format, after.mode, after.size) == (before.format, before.mode, before.size)
        infos = [{k: v for k, v in image.info.items() if k != "compression"} for image in (before, after)]
        assert infos[0] == infos[1]
        if before.format == "TIFF":
            assert after.tag_v2.get(270) == before.tag_v2.get(270)
        else:
            assert dict(after.getexif()) == dict(before.getexif())
        if before.mode in ("RGBA", "LA"):
            assert after.getchannel("A").tobytes() == before.getchannel("A").tobytes()
        if before.mode == "P":
            assert after.getpalette()[:48] == before.getpalette()[:48]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                opacity = [np.asarray(image.convert("RGBA"))[..., 3] for image in (before, after)]
            assert np.array_equal(*opacity)
        if before.mode != "1":  # whose noise is all that there is
            assert not np.array_equal(np.asarray(after), np.asarray(before))


def test_a_file_s_pixels_are_those_of_the_array(model, cleaned):
    for name in ("rgb.png", "16.png"):
        with Image.open(cleaned / "in" / name) as before, Image.open(cleaned / "out" / name) as after:
            pixels = np.asarray(before).astype(np.uint16 if name == "16.png" else np.uint8)
            assert np.array_equal(np.asarray(after), model.denoise(pixels))


def test_files_are_learned_from_whatever_their_modes(cleaned):
    fitted = PhotoDenoiser(max_epochs=1, **SMALL).fit(cleaned / "in")
    assert fitted.channels_ == 3
    fitted = PhotoDenoiser(max_epochs=1, **SMALL).fit(cleaned / "in" / "16.png")
    assert fitted.channels_ == 1


def test_a_damaged_photo_stops_no_other(model, cleaned, tmp_path):
    whole = (cleaned / "in" / "a b.JPG").read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "in" / "b.jpg").write_bytes(whole)
    with pytest.raises(ValueError, match=r"a.jpg is damaged or not an image.* Of 2 photos 1 were written"):
        model.denoise_files(tmp_path / "in", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.jpg"]


def test_16_bits_of_colour_are_refused_rather_than_lost(model, tmp_path):
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    rows = (b"\0" + bytes(8 * 6)) * 8
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    with pytest.raises(ValueError, match=r"deep.png has colour or transparency of 16 bits a channel"):
        model.denoise_files(tmp_path / "deep.png", tmp_path / "out")


# -------------------------------------------------------------------------------------------------------- bad input

BAD_TO_FIT = {
    "nothing": ([], "holds no photos"),
    "a vector": ([np.zeros(5)], r"\(h, w\) or \(h, w, c\), with c up to 4. Got shape \(5,\)"),
    "words": (["a"], "is a str: read the file first"),
    "integers": ([np.zeros((20, 20), np.int64)], "Got dtype int64"),
    "floats up to 255": ([np.full((20, 20), 200.0)], "Got values up to 200. Divide them by"),
    "NaN": ([np.full((20, 20), np.nan)], "NaN"),
    "a pixel": ([np.zeros((1, 1), np.uint8)], "a photo of 1 x 1 pixels, and at least 8 x 8"),
    "two channels": ([np.zeros((20, 20, 2), np.uint8)], "1 channel or 3 to learn from. Got 2"),
}


@pytest.mark.parametrize("case", BAD_TO_FIT)
def test_bad_photos_to_learn_from(case):
    X, message = BAD_TO_FIT[case]
    with pytest.raises((ValueError, TypeError), match=message):
        PhotoDenoiser(max_epochs=1, **SMALL).fit(X)


def test_bad_folders(tmp_path, model):
    with pytest.raises(ValueError, match=r"must hold photos .* It holds none"):
        PhotoDenoiser(**SMALL).fit(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no file or folder"):
        model.denoise_files(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"a.png is damaged or not an image"):
        PhotoDenoiser(**SMALL).fit(tmp_path)
    with pytest.raises(ValueError, match="it is the folder of the noisy photos"):
        model.denoise_files(tmp_path, tmp_path)


BAD_PARAMETERS = [
    ({"method": "noisy"}, "must be one of 'clean', 'recorrupt', 'blind_spot'. Got 'noisy'"),
    ({"level": -1}, "`level` parameter of PhotoDenoiser must be"),
    ({"widths": ()}, "`widths` parameter of PhotoDenoiser must"),
    ({"patch_size": 20}, "must be a multiple of 8"),
    ({"method": "recorrupt", "level": (0, 1)}, 'must be one number or "auto"'),
]


@pytest.mark.parametrize(("parameters", "message"), BAD_PARAMETERS)
def test_bad_parameters(parameters, message, grey):
    with pytest.raises(ValueError, match=message):
        PhotoDenoiser(**parameters).fit(grey)


def test_bad_partners(grey):
    with pytest.raises(ValueError, match="must hold a partner for each of 2 photos, not 1"):
        PhotoDenoiser(**SMALL).fit(grey, grey[:1])
    with pytest.raises(ValueError, match="must hold partners of the same size"):
        PhotoDenoiser(**SMALL).fit(grey, grey[::-1])
    with pytest.raises(ValueError, match=r"learns from X alone. Leave `y` out"):
        PhotoDenoiser("blind_spot", **SMALL).fit(grey, grey)


def test_bad_photos_to_clean(model, grey, tmp_path):
    with pytest.raises(ValueError, match="Divide them by the value of white"):
        model.denoise(grey[0].astype(np.float32))
    with pytest.raises(ValueError, match="must be an array of uint8 of shape"):
        model.denoise(grey[0], out=np.empty(3))
    photo = grey[0].copy()
    with pytest.raises(ValueError, match="must not share memory or a file with the photo"):
        model.denoise(photo, out=photo)
    np.save(tmp_path / "photo.npy", photo)
    read, write = (np.load(tmp_path / "photo.npy", mmap_mode=mode) for mode in ("r", "r+"))
    with pytest.raises(ValueError, match="must not share memory or a file with the photo"):
        model.denoise(read, out=write)
    np.testing.assert_array_equal(write, grey[0])
    with pytest.raises(ValueError, match="must be None where X holds several photos"):
        model.denoise(grey, out=np.empty(3))
    with pytest.raises(TypeError, match=r"Got str. Files are cleaned by `denoise_files`"):
        model.denoise("photo")
    with pytest.raises(ValueError, match="not fitted"):
        PhotoDenoiser().denoise(grey[0])


# ----------------------------------------------------------------------------------------------------- command line


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_the_command_line(cleaned, tmp_path):
    photos = cleaned / "in" / "sub"
    code, output = run("fit-denoiser", photos, "--max-epochs", 1, "--seed", 0, "-o", tmp_path / "model")
    assert (code, "a denoiser for colour photos" in output) == (0, True), output
    assert json.loads((tmp_path / "model" / "recipe.json").read_text())["recipe"] == "photo_denoiser"
    code, output = run("denoise", tmp_path / "model", photos, "-o", tmp_path / "out", "--ensemble")
    assert code == 0, output
    with Image.open(tmp_path / "out" / "rgba.png") as image:
        assert image.mode == "RGBA"
    for wrong, message in [
        (("-o", tmp_path / "new", "--noise", 0.1), "--noise is for models of the recipe dae"),
        (("-o", tmp_path / "sheet.png"), "name a folder"),
        (("-o", tmp_path / "out"), "not an empty folder"),
    ]:
        code, output = run("denoise", tmp_path / "model", photos, *wrong)
        assert code == 1
        assert message in output
