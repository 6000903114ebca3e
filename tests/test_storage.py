"""A saved model is complete, or it is refused with the reason."""

import errno
import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest

import narrows
from narrows import AE, VAE, storage
from narrows.storage import CARD, RECIPE, WEIGHTS

SMALL = {"hidden": (16,), "max_epochs": 2, "random_state": 0, "device": "cpu", "precision": "float32"}


@pytest.fixture
def model(vectors):
    return VAE(2, **SMALL).fit(vectors)


@pytest.fixture
def other(vectors):
    return VAE(2, **{**SMALL, "random_state": 1}).fit(vectors)


@pytest.fixture
def folder(model, tmp_path) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"


def assert_holds(folder: Path, model, X) -> None:
    np.testing.assert_array_equal(narrows.load(folder, device="cpu").transform(X), model.transform(X))


def test_a_folder_holds_json_tensors_and_a_card(folder, model, vectors):
    assert sorted(path.name for path in folder.iterdir()) == [CARD, RECIPE, WEIGHTS]
    recipe = json.loads((folder / RECIPE).read_text())
    assert recipe["format"] == storage.FORMAT
    assert recipe["recipe"] == "vae"
    assert recipe["narrows"] == narrows.__version__
    assert recipe["parameters"]["n_components"] == 2
    card = (folder / CARD).read_text()
    assert "narrows.load" in card
    assert "likelihood = gaussian" in card
    assert storage.describe(folder)["recipe"] == "vae"
    assert_holds(folder, model, vectors)
    assert_holds(str(folder), model, vectors)


def test_what_is_loaded_goes_on_to_be_used(folder, model, vectors, tmp_path):
    loaded = narrows.load(folder, device="cpu")
    assert loaded.get_params()["n_components"] == 2
    loaded.save(tmp_path / "again")
    assert_holds(tmp_path / "again", model, vectors)
    np.testing.assert_array_equal(loaded.predict(vectors), model.predict(vectors))
    assert loaded.offset_ == model.offset_
    loaded.partial_fit(vectors)
    assert not np.array_equal(loaded.transform(vectors), model.transform(vectors))


def test_saving_over_an_older_model(folder, other, vectors):
    other.save(folder)
    assert sorted(path.name for path in folder.iterdir()) == [CARD, RECIPE, WEIGHTS]
    assert_holds(folder, other, vectors)


def test_a_model_that_is_not_fitted_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        AE().save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_other_peoples_files_are_not_replaced(model, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match=r"Cannot save a model to .*file: it is a file. Name a folder"):
        model.save(tmp_path / "file")
    (tmp_path / "cake").mkdir()
    for content in ('{"title": "apple cake"}', "flour, butter, apples"):
        (tmp_path / "cake" / RECIPE).write_text(content)
        with pytest.raises(FileExistsError, match=r"its recipe.json was not written by narrows. Name another folder"):
            model.save(tmp_path / "cake")
        assert (tmp_path / "cake" / RECIPE).read_text() == content
    assert (tmp_path / "file").read_text() == "mine"


# ----------------------------------------------------------------------------------------------- damaged folders


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated_weights_are_refused(folder, share):
    path = folder / WEIGHTS
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"weights.safetensors is truncated or belongs to another model"):
        narrows.load(folder)


def test_a_flipped_bit_is_noticed(folder):
    path = folder / WEIGHTS
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="SHA-256"):
        narrows.load(folder)


def test_swapped_weights_are_refused(folder, other, tmp_path):
    other.save(tmp_path / "other")
    os.replace(tmp_path / "other" / WEIGHTS, folder / WEIGHTS)
    with pytest.raises(ValueError, match=r"belongs to another model.*Restore both files from one save"):
        narrows.load(folder)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_recipe_is_refused(folder, share):
    path = folder / RECIPE
    text = path.read_text()
    path.write_text(text[: int(share * len(text))])
    with pytest.raises(ValueError, match=r"recipe.json is truncated or not JSON"):
        narrows.load(folder)
    with pytest.raises(ValueError, match=r"recipe.json is truncated or not JSON"):
        storage.describe(folder)


@pytest.mark.parametrize("content", ["[]", "{}", '{"format": "1"}', '"text"', "null"])
def test_json_that_is_no_recipe_is_refused(folder, content):
    (folder / RECIPE).write_text(content)
    with pytest.raises(ValueError, match="is not a recipe of narrows: it has no `format`"):
        narrows.load(folder)


@pytest.mark.parametrize("key", ["recipe", "parameters", "schema", "fitted", "weights_sha256"])
def test_a_recipe_that_lacks_something_is_refused(folder, key):
    recipe = json.loads((folder / RECIPE).read_text())
    del recipe[key]
    (folder / RECIPE).write_text(json.dumps(recipe))
    with pytest.raises(ValueError, match=f"is not a complete recipe of narrows: it lacks '{key}'"):
        narrows.load(folder)


def test_a_newer_format_is_refused(folder):
    recipe = json.loads((folder / RECIPE).read_text())
    (folder / RECIPE).write_text(json.dumps({"format": storage.FORMAT + 1, "narrows": "9.9", "new": "things"}))
    with pytest.raises(
        ValueError, match=r"has format 2, written by narrows 9.9; this version reads formats up to 1. Update narrows"
    ):
        narrows.load(folder)
    (folder / RECIPE).write_text(json.dumps({**recipe, "recipe": "vea"}))
    with pytest.raises(ValueError, match=r"Unknown recipe 'vea'. Did you mean 'vae'"):
        narrows.load(folder)
    (folder / RECIPE).write_text(json.dumps({**recipe, "parameters": {**recipe["parameters"], "betta": 1}}))
    with pytest.raises(ValueError, match=r"VAE has no parameter 'betta'. Did you mean 'beta'"):
        narrows.load(folder)


def test_missing_files_are_named(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No narrows model at .*nowhere: no such folder"):
        narrows.load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"it holds no recipe.json"):
        narrows.load(tmp_path / "empty")
    (folder / WEIGHTS).unlink()
    with pytest.raises(FileNotFoundError, match=r"has a recipe.json but no weights.safetensors"):
        narrows.load(folder)


# --------------------------------------------------------------------------------------- crashes and full disks


def die_at(monkeypatch, call: int) -> None:
    """End the process at this rename: all earlier writes are on disk, later ones do not happen."""
    replace, calls = os.replace, []

    def dying(source, target):
        calls.append(target)
        if len(calls) == call:
            raise SystemExit("power cut")
        replace(source, target)

    monkeypatch.setattr(os, "replace", dying)


# the renames of a save: the new recipe under a temporary name, the weights, the recipe, the card
@pytest.mark.parametrize(("call", "new"), [(1, False), (2, False), (3, True), (4, True)])
@pytest.mark.parametrize("there", [True, False])
def test_a_crash_leaves_the_old_model_or_the_new(model, other, vectors, tmp_path, monkeypatch, call, new, there):
    folder = tmp_path / "m"
    if there:
        model.save(folder)
    with monkeypatch.context() as patched:
        die_at(patched, call)
        with pytest.raises(SystemExit):
            other.save(folder)
    if new or there:
        assert_holds(folder, other if new else model, vectors)
    else:
        with pytest.raises(FileNotFoundError, match="No narrows model"):
            narrows.load(folder)
    # the next save still works
    other.save(folder)
    assert_holds(folder, other, vectors)
    assert sorted(path.name for path in folder.iterdir()) == [CARD, RECIPE, WEIGHTS]


@pytest.mark.parametrize("call", [1, 2])
def test_a_full_disk_leaves_the_last_good_model(folder, model, other, vectors, monkeypatch, call):
    replace, calls = os.replace, []

    def full(source, target):
        calls.append(target)
        if len(calls) == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            other.save(folder)
    assert_holds(folder, model, vectors)


@pytest.mark.parametrize("name", [WEIGHTS, RECIPE])
def test_files_that_cannot_grow_leave_the_last_good_model(model, other, vectors, tmp_path, name):
    folder = tmp_path / "m"
    model.report_ = ["x" * 50_000] if name == RECIPE else []  # the longer of the two files is the one that fails
    other.report_ = model.report_
    model.save(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    limit = len(before[name]) // 2
    assert (limit < len(before[WEIGHTS])) == (name == WEIGHTS)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        with pytest.raises(OSError, match=r"Cannot write to|File too large"):
            other.save(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert_holds(folder, model, vectors)


def test_load_opens_whatever_was_saved(tmp_path):
    from narrows.tasks import OutlierDetector, PhotoDenoiser

    X = np.random.default_rng(0).normal(size=(60, 3))
    OutlierDetector(max_iter=20, random_state=0).fit(X).save(tmp_path / "detector")
    detector = narrows.load(tmp_path / "detector")
    assert isinstance(detector, OutlierDetector)
    assert np.isfinite(detector.score_samples(X)).all()
    photos = np.random.default_rng(0).integers(0, 256, size=(2, 40, 40), dtype=np.uint8)
    cleaner = PhotoDenoiser(widths=(4, 4), blocks=1, patch_size=16, max_epochs=1, random_state=0).fit(photos)
    cleaner.save(tmp_path / "cleaner")
    again = narrows.load(tmp_path / "cleaner")
    assert isinstance(again, PhotoDenoiser)
    np.testing.assert_array_equal(again.denoise(photos[0]), cleaner.denoise(photos[0]))


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = narrows.AE(1, hidden=(4,), max_epochs=1, checkpoint="~/checkpoints", random_state=0).fit(X)
    model.save("~/model")
    assert (tmp_path / "model" / "recipe.json").exists()
    assert not (tmp_path / "~").exists()
    np.testing.assert_array_equal(narrows.load("~/model").transform(X), model.transform(X))
    narrows.tasks.Index(model).add(X).save("~/index")
    assert len(narrows.tasks.Index.load("~/index", model)) == len(X)
    assert str(model.stream(X, "~/codes.npy")) == str(tmp_path / "codes.npy")


def test_names_of_units_are_kept_in_a_file_of_their_own(vectors, tmp_path):
    folder = tmp_path / "sae"
    model = narrows.SAE(8, k=2, **SMALL).fit(vectors)
    model.save(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    storage.write_notes(folder, storage.Notes(name="My dictionary", units={3: "=1+1 ü", 5: ""}))
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != storage.NOTES} == before
    assert storage.read_notes(folder) == storage.Notes("My dictionary", {3: "=1+1 ü"})
    loaded = narrows.load(folder, device="cpu")
    assert loaded.unit_names_ == {3: "=1+1 ü"}
    loaded.save(tmp_path / "again")
    assert narrows.load(tmp_path / "again", device="cpu").unit_names_ == {3: "=1+1 ü"}
    assert not hasattr(loaded.fit(vectors), "unit_names_")  # its units are others
    loaded.save(folder)
    assert not (folder / storage.NOTES).exists()


@pytest.mark.parametrize("text", ["[", "[1]", '{"units": {"a": "b"}}', '{"units": {"1": 2}}', '{"name": 3}'])
def test_damaged_notes_say_what_to_do(folder, text):
    (folder / storage.NOTES).write_text(text)
    with pytest.raises(ValueError, match=r"notes\.json does not hold notes.*delete it"):
        narrows.load(folder)
