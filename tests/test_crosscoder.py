"""Crosscoders: one dictionary of several layers, whose units are counted by the sum of their norms in the layers."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

import narrows
from narrows.data import Blocks
from narrows.networks import Dictionary
from narrows.networks.sparse import compute_lengths, layer_lengths, sum_of_directions
from narrows.studio.effects import compare_numbers
from narrows.types import SparseCode, UnitBlock

Crosscoder = narrows.estimator("crosscoder")
N_LAYERS, WIDTH, N_FEATURES, N_UNITS = 3, 8, 12, 24
SCALES = np.array([1.0, 5.0, 20.0])[:, None]


def features(n: int = 1_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Activations (n, layers, width) of known features: their strengths, and the share of each layer in their norms.

    The first four live in layer 0 only, the next two in layer 1 only. Each layer has a scale of its own.
    """
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(N_FEATURES, N_LAYERS, WIDTH))
    directions[:4, 1:] = directions[4:6, [0, 2]] = 0
    directions /= np.linalg.norm(directions, axis=2).sum(1)[:, None, None]
    strength = (rng.random((n, N_FEATURES)) < 0.1) * (1 + rng.random((n, N_FEATURES)))
    X = np.einsum("nf,fld->nld", strength, directions) + 0.002 * rng.normal(size=(n, N_LAYERS, WIDTH))
    return (SCALES * X + 3).astype(np.float32), strength, np.linalg.norm(directions, axis=2)


@pytest.fixture(scope="module")
def fitted():
    X = features()[0]
    settings = {"max_epochs": 30, "batch_size": 64, "learning_rate": 1e-2, "random_state": 0, "verbose": 0}
    return Crosscoder(N_UNITS, sparsity="l1", **settings).fit(X)


def test_units_tell_in_which_layers_their_feature_lives(fitted):
    X, strength, _ = features()
    Z = fitted.transform(X)
    alike = np.corrcoef(Z.T + 1e-9 * np.random.default_rng(0).normal(size=Z.T.shape), strength.T)[:N_UNITS, N_UNITS:]
    units, feature = linear_sum_assignment(-alike)
    shares = fitted.layer_shares_[units[np.argsort(feature)]]
    assert alike[units, feature].min() > 0.9
    assert (shares[:4, 0] > 0.9).all()
    assert (shares[4:6, 1] > 0.9).all()
    assert (shares[6:].max(1) < 0.9).all()  # the others live in all layers


def test_every_layer_is_reconstructed_in_its_own_units(fitted):
    X = features()[0]
    errors, deviations = (X - fitted.reconstruct(X)) ** 2, (X - X.mean(0)) ** 2
    assert (errors.sum((0, 2)) / deviations.sum((0, 2)) < 0.05).all()
    np.testing.assert_allclose(fitted.inverse_transform(fitted.transform(X)), fitted.reconstruct(X), atol=1e-4)
    assert fitted.inverse_transform(fitted.transform(X)).shape == X.shape
    np.testing.assert_allclose(fitted.layer_shares_.sum(1), 1, rtol=1e-6)
    assert "3 layers x 8 columns" in fitted.report_[0]


def test_each_layer_has_one_scale(fitted):
    scale = np.array(fitted.schema_.scale).reshape(N_LAYERS, WIDTH)
    X = features()[0]
    np.testing.assert_allclose(scale, np.sqrt(X.var(0).mean(1, keepdims=True)).repeat(WIDTH, 1), rtol=1e-4)


def test_a_unit_steers_all_layers(fitted):
    X = features(50)[0]
    unit = int(fitted.active_units(X).rate.argmax())
    scale = np.array(fitted.schema_.scale).reshape(N_LAYERS, WIDTH)
    added = (fitted.steer(X, {unit: 2.0}) - X)[fitted.transform(X)[:, unit] == 0] / scale
    lengths = np.linalg.norm(added, axis=2)
    np.testing.assert_allclose(lengths, np.broadcast_to(2 * fitted.layer_shares_[unit], lengths.shape), atol=1e-3)
    assert len(fitted.top_examples(X, unit)) > 1


def test_the_studio_names_what_a_unit_changes_by_layer(fitted):
    decoded = fitted.inverse_transform(np.stack([np.zeros(N_UNITS), np.eye(N_UNITS)[3]]))
    ((effect, *_),) = compare_numbers(fitted.schema_, decoded)
    scale = np.array(fitted.schema_.scale).reshape(N_LAYERS, WIDTH)
    layer, column = np.unravel_index(np.abs((decoded[1] - decoded[0]) / scale).argmax(), (N_LAYERS, WIDTH))
    assert effect.name == f"layer {layer + 1}, column {column + 1}"


def test_the_page_of_units_names_their_layers(fitted, tmp_path):
    shares = fitted.layer_shares_
    page = narrows.write_units(fitted, features(60)[0], tmp_path / "units.html").read_text(encoding="utf-8")
    names = json.loads(re.search(r'<script[^>]*class="units-data">(.*?)</script>', page, re.DOTALL).group(1))["names"]
    unit = int(shares[:, 0].argmax())
    assert names[unit] == "layer 1"
    spread = int(shares.max(1).argmin())
    first = int(shares[spread].argmax())
    assert names[spread].startswith(f"layer {first + 1} {shares[spread, first]:.0%}, layer ")


def test_it_is_saved_with_its_layers(fitted, tmp_path):
    X = features(50)[0]
    fitted.save(tmp_path / "model")
    loaded = narrows.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.transform(X), fitted.transform(X))
    np.testing.assert_array_equal(loaded.layer_shares_, fitted.layer_shares_)


def test_as_a_dictionary_it_takes_the_layers_one_after_the_other(fitted, tmp_path):
    X = features(50)[0]
    narrows.save_dictionary(fitted, tmp_path)
    dictionary = narrows.load_dictionary(tmp_path)
    flat = X.reshape(len(X), -1)
    np.testing.assert_allclose(dictionary.transform(flat), fitted.transform(X), atol=1e-3)
    np.testing.assert_allclose(dictionary.reconstruct(flat).reshape(X.shape), fitted.reconstruct(X), atol=1e-2)
    assert dictionary.source_["n_layers"] == N_LAYERS


def test_files_and_iterators_of_layers_are_read(tmp_path):
    X = features(600)[0]
    np.save(tmp_path / "a.npy", X[:400])
    np.save(tmp_path / "b.npy", X[400:])
    settings = {"k": 2, "random_state": 0, "verbose": 0}
    in_memory = Crosscoder(16, max_epochs=1, **settings).fit(X)
    on_disk = Crosscoder(16, max_epochs=1, **settings).fit(tmp_path)
    np.testing.assert_array_equal(on_disk.transform(tmp_path), in_memory.transform(X))
    sequences = X.reshape(60, 10, N_LAYERS, WIDTH)  # blocks may be tokens of sequences
    streamed = Crosscoder(16, max_examples=600, buffer_size=384, **settings).fit(lambda: iter([sequences]))
    assert streamed.stream(iter([X[:5], X[5:9]])).shape == (9, 16)
    assert streamed.reconstruct(X[:4]).shape == (4, N_LAYERS, WIDTH)
    assert Blocks(iter([sequences]), "test", has_layers=True).read(5).shape == (5, N_LAYERS, WIDTH)


def test_files_of_a_layer_each_are_put_side_by_side(tmp_path):
    X = features(600)[0]
    settings = {"k": 2, "random_state": 0, "verbose": 0}
    folders = [tmp_path / name for name in ("first", "second", "third")]
    for i, folder in enumerate(folders):
        folder.mkdir()
        np.save(folder / "0.npy", X[: 200 + 100 * i, i])  # the files of layers need not have the same rows
        np.save(folder / "1.npy", X[200 + 100 * i :, i])
        np.save(tmp_path / f"{i}.npy", X[:, i].astype(np.float16 if i else np.float32))
    in_memory = Crosscoder(16, max_epochs=1, **settings).fit(X)
    on_disk = Crosscoder(16, max_epochs=1, **settings).fit(folders)
    expected = in_memory.transform(X)
    np.testing.assert_array_equal(on_disk.transform(list(map(str, folders))), expected)
    np.testing.assert_array_equal(in_memory.transform(folders), expected)
    np.testing.assert_array_equal(in_memory.stream(folders), expected)
    assert in_memory.survey_units(folders).n_examples == 600
    assert any("3 layers side by side, each of 2 files, 600 rows of" in line for line in on_disk.report_)
    files = [tmp_path / f"{i}.npy" for i in range(N_LAYERS)]
    np.testing.assert_allclose(in_memory.reconstruct(files), in_memory.reconstruct(X), atol=0.05)
    assert Crosscoder(16, max_epochs=1, **settings).fit(files).layer_shares_.shape == (16, N_LAYERS)


def test_layers_of_other_rows_are_named(tmp_path):
    X = features(50)[0]
    np.save(tmp_path / "a.npy", X[:, 0])
    np.save(tmp_path / "b.npy", X[:40, 1])
    np.save(tmp_path / "c.npy", X[:, 2, :3])
    (tmp_path / "empty").mkdir()
    for other, said in (("b.npy", f"b.npy 40 rows of {WIDTH}"), ("c.npy", "c.npy 50 rows of 3")):
        with pytest.raises(
            ValueError, match=rf"same number of rows of one width. .*a.npy holds 50 rows .*{said} numbers"
        ):
            Crosscoder(4).fit([tmp_path / "a.npy", tmp_path / other])
    with pytest.raises(ValueError, match=r"empty holds no \.npy or \.safetensors file"):
        Crosscoder(4).fit([tmp_path / "a.npy", tmp_path / "empty"])
    bad = X[:, 1].copy()
    bad[7, 2] = np.nan
    np.save(tmp_path / "b.npy", bad)
    with pytest.raises(ValueError, match=r"NaN.*row 7 of .*a.npy and of 1 other layer"):
        Crosscoder(4).fit([tmp_path / "a.npy", tmp_path / "b.npy"])


def test_layers_of_a_model_are_read_in_one_pass(tmp_path):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 6), torch.nn.Linear(6, 2))
    inputs = list(torch.randn(20, 30, 4))
    with narrows.hook(net, ["1", "2", "3"]) as hooked:
        model = Crosscoder(12, k=2, max_examples=600, buffer_size=384, random_state=0, verbose=0)
        model.fit(hooked.blocks(inputs, ["2", "1"]))
        block = next(iter(hooked.blocks(inputs, ["2", "1"])))
        torch.testing.assert_close(block[:, 1], net[:2](inputs[0]))
        torch.testing.assert_close(block[:, 0], net[:3](inputs[0]))
        with pytest.raises(ValueError, match="one width"):
            next(iter(hooked.blocks(inputs, ["1", "3"])))
        with pytest.raises(ValueError, match="or a list"):
            hooked.blocks(inputs)
        with pytest.raises(ValueError, match="must name a layer"):
            hooked.blocks(inputs, [])
        folders = hooked.save(inputs, tmp_path, dtype="float32")
        saved = Crosscoder(12, k=2, max_epochs=1, random_state=0, verbose=0).fit([folders["2"], folders["1"]])
        np.testing.assert_allclose(
            saved.transform([folders["2"], folders["1"]])[:30], saved.transform(block), atol=1e-5
        )
        with pytest.raises(ValueError, match="one width"):
            saved.fit([folders["1"], folders["3"]])
    assert model.reconstruct(block.detach().numpy()).shape == (30, 2, 6)


def test_other_rows_are_refused(fitted):
    with pytest.raises(ValueError, match=r"\(n, layers, width\)"):
        Crosscoder(4).fit(np.zeros((9, 2, 3, 4)))
    with pytest.raises(ValueError, match="a layer and a column"):
        Crosscoder(4).fit(np.zeros((9, 0, 4)))
    with pytest.raises(ValueError, match="fitted on shape"):
        fitted.transform(np.zeros((5, 2, WIDTH)))
    with pytest.raises(ValueError, match="targets"):
        Crosscoder(4).fit(features(50)[0], np.zeros((50, 3)))


def test_rows_with_one_axis_are_of_one_layer():
    X = features(200)[0][:, 0]
    one = Crosscoder(8, k=2, max_epochs=2, random_state=0).fit(X)
    sae = narrows.SAE(8, k=2, sparsity="batchtopk", scale="all", max_epochs=2, random_state=0).fit(X)
    np.testing.assert_array_equal(one.transform(X), sae.transform(X))
    np.testing.assert_array_equal(one.layer_shares_, np.ones((8, 1), np.float32))


def test_lengths_are_summed_over_the_layers():
    directions = torch.randn(5, 12, dtype=torch.float64)
    parts = directions.reshape(5, 3, 4)
    torch.testing.assert_close(layer_lengths(directions, 3), parts.norm(dim=2))
    torch.testing.assert_close(compute_lengths(directions, 3), parts.norm(dim=2).sum(1))
    # an output with two numbers for each entry: both of a layer count for this layer
    twice = torch.cat([directions, 2 * directions], 1)
    torch.testing.assert_close(layer_lengths(twice, 3, 4), 5**0.5 * parts.norm(dim=2))


@pytest.mark.parametrize("width", [4, 2])
def test_a_sum_of_layered_directions_has_autograds_gradients(width):
    generator = torch.Generator().manual_seed(0)
    values, directions, upstream = (
        torch.randn(*shape, dtype=torch.float64, generator=generator) for shape in ((6,), (5, 12), (3, 12))
    )
    values.requires_grad_()
    directions[4, :4] = 0  # a unit that is missing in a layer
    directions.requires_grad_()
    code = SparseCode(values, torch.tensor([0, 1, 4, 2, 3, 0]), torch.tensor([0, 3, 5, 6]), 5)
    ours = sum_of_directions(code, directions, 3, width)
    dense = code.to_dense() / compute_lengths(directions, 3, width)[:, None].T @ directions
    torch.testing.assert_close(ours, dense)
    results = [torch.autograd.grad(out, (values, directions), upstream, retain_graph=True) for out in (ours, dense)]
    torch.testing.assert_close(*results)


def test_sparse_dense_and_auxiliary_codes_of_a_layered_dictionary_agree():
    dictionary = Dictionary((12,), 5, 3).double()
    z = torch.rand(3, 5, dtype=torch.float64)
    sparse = SparseCode.of_rows(z, torch.arange(5).expand(3, 5), 5)
    units = UnitBlock(z, torch.arange(5), 5)
    torch.testing.assert_close(dictionary(sparse), dictionary(z))
    torch.testing.assert_close(dictionary(units) + dictionary.bias, dictionary(z))
