"""Rows of files that stay on disk: the same numbers as in memory, the same models, and clear errors."""

import re
import struct

import numpy as np
import pytest
import torch
from interrupting import interrupt_at
from PIL import Image
from safetensors.torch import save_file

from narrows import AE, SAE, VAE
from narrows.data import open_mapped, open_path

WIDTH = 6


@pytest.fixture
def X(rng) -> np.ndarray:
    return (rng.normal(size=(300, 3)) @ rng.normal(size=(3, WIDTH))).astype(np.float32)


def save_shards(folder, X, n=3, dtype=np.float32, shape=None):
    folder.mkdir()
    for i, part in enumerate(np.array_split(X, n)):
        np.save(folder / f"{i:03}.npy", (part if shape is None else part.reshape(shape)).astype(dtype))
    return folder


def weights(model):
    return [p.clone() for p in model.model_.state_dict().values()]


def make(kind=SAE, **parameters):
    return kind(**{"n_components": 4, "max_epochs": 2, "random_state": 0, "device": "cpu", "verbose": 0, **parameters})


def equal(a, b):
    return all(torch.equal(p, q) for p, q in zip(weights(a), weights(b), strict=True))


def test_files_are_joined_in_the_order_of_their_names(tmp_path, X):
    rows = open_mapped(save_shards(tmp_path / "a", X))
    assert rows.shape == X.shape
    assert len(rows) == 300
    np.testing.assert_array_equal(rows[:], X)
    np.testing.assert_array_equal(rows[95:205], X[95:205])
    np.testing.assert_array_equal(rows[::7], X[::7])
    assert rows[len(rows) :].shape == rows[5:2].shape == (0, WIDTH)
    np.testing.assert_array_equal(rows[[299, 0, 100, -1]], X[[299, 0, 100, -1]])
    np.testing.assert_array_equal(rows[X[:, 0] > 0], X[X[:, 0] > 0])
    np.testing.assert_array_equal(rows[-3], X[-3])
    with pytest.raises(IndexError):
        rows[300]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_half_precision_of_safetensors_is_read(tmp_path, X, dtype):
    tensor = torch.from_numpy(X).to(dtype)
    save_file({"activations": tensor, "positions": torch.zeros(3)}, tmp_path / "x.safetensors")
    rows = open_mapped(tmp_path / "x.safetensors")
    assert rows.tensor_dtype == dtype
    assert torch.equal(rows.take(torch.tensor([5, 299, 5])), tensor[[5, 299, 5]])
    assert rows[:].dtype == np.float32
    np.testing.assert_array_equal(rows[:], tensor.float().numpy())


def test_an_npz_without_compression_is_mapped_and_one_with_it_is_refused(tmp_path, X):
    for name in "ab":
        (tmp_path / name).mkdir()
    np.savez(tmp_path / "a" / "x.npz", X=X, y=np.zeros(3))
    np.testing.assert_array_equal(open_mapped(tmp_path / "a")[:], X)
    np.savez_compressed(tmp_path / "b" / "x.npz", X=X)
    with pytest.raises(ValueError, match=r"x\.npz is compressed"):
        open_mapped(tmp_path / "b")


def test_files_of_several_dtypes_are_joined(tmp_path, X):
    folder = save_shards(tmp_path / "a", X[:200], 2, np.float16)
    np.save(folder / "z.npy", X[200:])
    rows = open_mapped(folder)
    assert rows.tensor_dtype == torch.float32
    np.testing.assert_array_equal(rows[:200], X[:200].astype(np.float16).astype(np.float32))
    np.testing.assert_array_equal(rows[200:], X[200:])


def test_floats_with_three_axes_in_a_file_are_tokens_and_in_memory_they_are_not(tmp_path, X):
    folder = save_shards(tmp_path / "a", X, 3, np.float16, (10, 10, WIDTH))
    rows = open_mapped(folder)
    assert rows.shape == (300, WIDTH)
    assert "each token is an example" in rows.describe()
    assert rows.locate(123) == f"sequence 2, token 3 of {folder / '001.npy'}"
    np.save(tmp_path / "pictures.npy", np.zeros((4, 8, 8), np.uint8))
    assert open_path(tmp_path / "pictures.npy").shape == (4, 8, 8)


@pytest.mark.parametrize("kind", [SAE, AE])
def test_a_model_of_files_is_that_of_their_array(tmp_path, X, kind):
    folder = save_shards(tmp_path / "a", X)
    np.save(tmp_path / "x.npy", X)
    model = make(kind).fit(X)
    for path in (folder, str(tmp_path / "x.npy"), sorted(folder.iterdir())):
        assert equal(model, make(kind).fit(path))
    half = save_shards(tmp_path / "half", X, 2, np.float16)
    assert equal(make(kind).fit(half), make(kind).fit(X.astype(np.float16)))
    (tmp_path / "short").mkdir()
    short = torch.from_numpy(X).bfloat16()
    save_file({"X": short}, tmp_path / "short" / "x.safetensors")
    assert equal(make(kind).fit(tmp_path / "short"), make(kind).fit(short.float().numpy()))


def test_methods_of_a_fitted_model_read_paths(tmp_path, X):
    folder = save_shards(tmp_path / "a", X)
    model = make().fit(folder)
    np.testing.assert_array_equal(model.transform(folder), model.transform(X))
    np.testing.assert_array_equal(model.score_samples(folder), model.score_samples(X))
    np.testing.assert_array_equal(model.reconstruct(folder), model.reconstruct(X))
    np.testing.assert_array_equal(model.stream(folder), model.transform(X))
    np.testing.assert_array_equal(model.partial_fit(folder).check(folder), X)


def test_pictures_in_a_file_stay_pictures_for_a_model_of_pictures(tmp_path, digits):
    X = digits[:120].astype(np.float32)
    np.save(tmp_path / "x.npy", X)
    model = AE(2, max_epochs=1, random_state=0, verbose=0).fit(X)
    np.testing.assert_array_equal(model.transform(tmp_path / "x.npy"), model.transform(X))
    np.testing.assert_array_equal(model.stream(tmp_path / "x.npy"), model.transform(X))


def test_pictures_of_bfloat16_are_their_numbers_and_not_their_bits(tmp_path, rng):
    pictures = torch.from_numpy(rng.random((40, 1, 8, 8)).astype(np.float32)).bfloat16()
    save_file({"X": pictures}, tmp_path / "x.safetensors")
    model = make(AE, n_components=2).fit(tmp_path / "x.safetensors")
    assert model.schema_.kind == "image"
    assert model.schema_.support == "unit"
    X = pictures.float().numpy()
    assert equal(model, make(AE, n_components=2).fit(X))
    np.testing.assert_array_equal(model.transform(tmp_path / "x.safetensors"), model.transform(X))
    np.testing.assert_array_equal(model.check(tmp_path / "x.safetensors"), X)


def test_pictures_by_class_are_read_beside_a_file_that_could_be_mapped(tmp_path, rng):
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.fromarray(rng.integers(0, 255, (9, 9), np.uint8)).save(tmp_path / name / f"{i}.png")
    np.save(tmp_path / "labels.npy", np.zeros((6, 2)))
    assert open_path(tmp_path).shape == (6, 9, 9)
    (tmp_path / "a" / "0.png").rename(tmp_path / "0.png")
    for folder in (tmp_path / "a", tmp_path / "b"):
        for path in folder.iterdir():
            path.unlink()
    assert open_path(tmp_path).shape == (1, 9, 9)
    (tmp_path / "0.png").unlink()
    assert open_path(tmp_path).shape == (6, 2)


def test_a_table_is_read_from_its_file(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "\n".join(f"{i},{i * i % 7}" for i in range(60)))
    assert make(AE, n_components=1).fit(path).schema_.kind == "table"


def test_a_budget_of_examples_limits_the_steps(X):
    model = SAE(8, batch_size=30, max_examples=900, random_state=0, verbose=0).fit(X)
    assert model.history_[-1]["step"] == 30
    assert any(line.startswith("max_examples = 900: 30 steps") for line in model.report_)
    short = SAE(8, batch_size=30, max_examples=90, random_state=0, verbose=0).fit(X)
    assert short.history_[-1]["step"] == 3
    both = SAE(8, batch_size=30, max_examples=900, max_epochs=1, random_state=0, verbose=0).fit(X)
    assert both.history_[-1]["step"] == 9


# ------------------------------------------------------------------------------------------------ bad files


def test_widths_that_differ_are_named(tmp_path, X):
    folder = save_shards(tmp_path / "a", X)
    np.save(folder / "z.npy", X[:5, :4])
    with pytest.raises(ValueError, match=r"one width.*000\.npy has rows of 6 numbers.*z\.npy of 4 numbers"):
        make().fit(folder)


@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_a_truncated_file_is_named_with_its_bytes(tmp_path, X, suffix):
    folder = save_shards(tmp_path / "a", X)
    path = folder / f"zz{suffix}"
    np.save(path, X) if suffix == ".npy" else save_file({"X": torch.from_numpy(X)}, path)
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    with pytest.raises(ValueError, match=rf"zz\{suffix} is truncated.*\(300, 6\).*7,200 bytes, and 7,100 are there"):
        make().fit(folder)
    path.write_bytes(data[:7])
    with pytest.raises(ValueError, match=rf"zz\{suffix}.*damaged"):
        make().fit(folder)


def test_a_header_that_lies_is_refused(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    with pytest.raises(ValueError, match=r"x\.safetensors is damaged: its header is longer than the file"):
        open_mapped(tmp_path / "x.safetensors")


def test_nan_in_a_token_is_named_by_file_and_place(tmp_path, X):
    X[123, 4] = np.nan
    folder = save_shards(tmp_path / "a", X, 3, np.float16, (10, 10, WIDTH))
    place = re.escape(f"NaN (first in column 4, sequence 2, token 3 of {folder / '001.npy'})")
    with pytest.raises(ValueError, match=place):
        make().fit(folder)
    model = make().fit(np.nan_to_num(X))
    for use in (model.transform, model.stream, model.check):
        with pytest.raises(ValueError, match=place):
            use(folder)


def test_a_survey_of_files_with_nan_is_refused(tmp_path, X):
    model = make().fit(X)
    X[123, 4] = np.nan
    folder = save_shards(tmp_path / "a", X)
    with pytest.raises(ValueError, match=r"NaN \(first in column 4, row 23 of .*001\.npy"):
        model.survey_units(folder)


def test_a_model_of_data_with_gaps_reads_them_from_files(tmp_path, X):
    X[::7, 2] = np.nan
    np.save(tmp_path / "x.npy", X)
    model = make(AE).fit(X)
    assert model.schema_.has_gaps
    np.testing.assert_array_equal(model.transform(tmp_path / "x.npy"), model.transform(X))
    np.testing.assert_array_equal(model.stream(tmp_path / "x.npy"), model.transform(X))
    np.testing.assert_array_equal(model.score_samples(save_shards(tmp_path / "a", X)), model.score_samples(X))
    np.testing.assert_array_equal(model.check(tmp_path / "x.npy"), X)
    assert np.isfinite(model.partial_fit(tmp_path / "x.npy").transform(X)).all()


def test_overflow_of_float16_is_explained(tmp_path, X):
    X[7, 0] = 1e6
    with np.errstate(over="ignore"):
        folder = save_shards(tmp_path / "a", X, 3, np.float16)
    message = r"infinity \(first in column 0, row 7 of .*000\.npy\).*float16 holds numbers up to 65,504.*bfloat16"
    with pytest.raises(ValueError, match=message):
        make().fit(folder)


def test_rows_of_zeros_are_counted_and_learned_from(tmp_path, X):
    X[[5, 150]] = 0
    model = make().fit(save_shards(tmp_path / "a", X))
    assert any(re.search(r"2 of 300 rows are all zero \(first: row 5 of .*000\.npy\)", line) for line in model.report_)
    assert np.isfinite(model.score_samples(X)).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5), r"must hold rows \(n, width\).*\(5,\)"),
        (np.array(["a", "b"]), "must hold numbers"),
        (np.asfortranarray(np.ones((4, 3, 2))), "Fortran order"),
    ],
)
def test_files_without_rows_are_refused(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ValueError, match=rf"x\.npy.*{message}"):
        SAE(2).fit(tmp_path / "x.npy")


def test_a_path_without_a_file_names_similar_ones(tmp_path, X):
    np.save(tmp_path / "acts.npy", X)
    with pytest.raises(FileNotFoundError, match=r"Did you mean .*acts\.npy"):
        SAE(2).fit(tmp_path / "act.npy")


def test_a_training_on_files_is_resumed(tmp_path, X, monkeypatch):
    folder = save_shards(tmp_path / "a", X)
    whole = make(max_epochs=20).fit(folder)
    with monkeypatch.context() as context:
        interrupt_at(context, 25)
        with pytest.raises(KeyboardInterrupt):
            make(max_epochs=20, checkpoint=tmp_path / "run").fit(folder)
    assert equal(whole, make(max_epochs=20, checkpoint=tmp_path / "run").fit(folder))


def test_a_conditional_model_learns_from_a_path(tmp_path, X):
    y = np.arange(300) % 3
    folder = save_shards(tmp_path / "a", X)
    assert equal(make(VAE, conditional=True).fit(folder, y), make(VAE, conditional=True).fit(X, y))


def test_targets_and_labels_that_are_not_read_are_refused(tmp_path, X):
    np.save(tmp_path / "y.npy", X[:, :3])
    for kind, y in ((AE, str(tmp_path / "y.npy")), (VAE, tmp_path / "y.npy"), (AE, [tmp_path / "y.npy"])):
        with pytest.raises(ValueError, match=rf"`y` of {kind.__name__} must be labels in memory.*y\.npy"):
            make(kind).fit(X, y)
    for y in (iter(X), lambda: iter(X)):
        with pytest.raises(ValueError, match=r"`y` of SAE must be in memory, or in a file.*Got an iterator"):
            make().fit(X, y)
    with pytest.raises(ValueError, match="no labels for the rows of an iterator, and no targets"):
        make(max_examples=300, max_epochs="auto").fit(lambda: [X], str(tmp_path / "y.npy"))
    with pytest.raises(ValueError, match="one row of numbers for each of the 200 examples"):
        make().fit(X[:200], tmp_path / "y.npy")
    with pytest.raises(FileNotFoundError):
        make().fit(X, tmp_path / "z.npy")
    np.save(tmp_path / "y.npy", X[:, :1])
    with pytest.raises(ValueError, match=r"must have several columns. Got shape \(300, 1\) in .*y\.npy"):
        make().fit(X, tmp_path / "y.npy")
    np.save(tmp_path / "y.npy", np.full((300, 3), np.nan))
    with pytest.raises(ValueError, match=r"NaN .*row 0 of .*y\.npy"):
        make().fit(X, tmp_path / "y.npy")
    assert equal(make().fit(X, ["word"] * 300), make().fit(X))


def test_pages_of_files_are_given_back(tmp_path, X, monkeypatch):
    monkeypatch.setattr("narrows.data.files.mapped._TOUCHED", 1)
    rows = open_mapped(save_shards(tmp_path / "a", X))
    np.testing.assert_array_equal(rows[:], X)
    np.testing.assert_array_equal(rows.take(torch.arange(299, -1, -1)).numpy(), X[::-1])


def test_large_files_are_described_from_a_sample(tmp_path, X, monkeypatch):
    folder = save_shards(tmp_path / "a", X)
    whole = make().fit(folder)
    monkeypatch.setattr("narrows.estimators.training_rows._SCHEMA_BYTES", 1)
    monkeypatch.setattr("narrows.estimators.training_rows._SAMPLE_ROWS", 100)
    sampled = make().fit(folder)
    np.testing.assert_allclose(sampled.schema_.scale, whole.schema_.scale, rtol=0.3)
    assert sampled.schema_.scale != whole.schema_.scale


def test_a_folder_of_layers_says_which_to_pass(tmp_path, X):
    (tmp_path / "manifest.json").write_text("{}")
    save_shards(tmp_path / "layer.1", X)
    with pytest.raises(ValueError, match=r"holds a folder for each layer: layer\.1"):
        make().fit(tmp_path)


def test_a_transcoder_learns_from_a_path_and_units_are_found_in_one(tmp_path, X):
    folder, Y = save_shards(tmp_path / "a", X, dtype=np.float16), X[:, :3] * 2
    model = make(n_components=8).fit(folder, Y)
    assert equal(model, make(n_components=8).fit(X.astype(np.float16), Y))
    targets = save_shards(tmp_path / "y", Y)
    np.save(tmp_path / "y.npy", Y)
    for path in (targets, str(tmp_path / "y.npy"), sorted(targets.iterdir())):
        other = make(n_components=8).fit(folder, path)
        assert equal(model, other)
        assert other.findings_ == model.findings_
        assert other.score(folder, path) == model.score(X.astype(np.float16), Y)
    resumable = make(n_components=8, checkpoint=tmp_path / "run").fit(folder, targets)
    assert equal(resumable, make(n_components=8, checkpoint=tmp_path / "run").fit(folder, Y))
    sae = make(n_components=8).fit(folder)
    np.testing.assert_array_equal(sae.top_examples(folder, unit=0), sae.top_examples(open_mapped(folder)[:], unit=0))
