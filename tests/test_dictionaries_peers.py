"""Sparse dictionaries against the programs whose they are: skipped where these are not installed.

pip install sae-lens eai-sparsify dictionary-learning
"""

import json
import sys
import types
import warnings

import numpy as np
import pytest
import torch
from dictionary_cases import CASES, D, K, N, Parts, examples

import narrows
from narrows.dictionaries import load_dictionary, read_dictionary, save_dictionary

N_ROWS = 10_000
SAELENS = [name for name in CASES if name.startswith("saelens_") and "checkpoint" not in name]


def import_or_skip(name: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def quietly(function, *args, **kwargs):
    """Call a function of another program, whose warnings are not ours."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def assert_same(z, expected, reconstruction, expected_reconstruction):
    """The same support and values within 1e-5, relative to the largest."""
    z, expected = np.asarray(z), np.asarray(expected)
    assert 0 < (expected > 0).mean() < 0.7
    assert ((z > 0) != (expected > 0)).sum() == 0
    assert np.abs(z - expected).max() <= 1e-5 * np.abs(expected).max()
    error = np.abs(np.asarray(reconstruction) - np.asarray(expected_reconstruction)).max()
    assert error <= 1e-5 * np.abs(np.asarray(expected_reconstruction)).max()


@pytest.mark.parametrize("name", SAELENS)
def test_it_computes_what_sae_lens_computes(name, tmp_path):
    sae_lens = import_or_skip("sae_lens")
    path, X = CASES[name](tmp_path / name).path, examples(N_ROWS)
    peer = quietly(sae_lens.SAE.load_from_disk, path)
    if name == "saelens_topk_rescaled":
        peer.fold_W_dec_norm()  # narrows keeps the folded form, in which SAELens exports
        peer.cfg.rescale_acts_by_decoder_norm = False
    x = torch.from_numpy(X)
    model = load_dictionary(path)
    assert_same(model.transform(X), quietly(peer.encode, x), model.reconstruct(X), quietly(peer, x))


@pytest.mark.parametrize("name", [n for n in CASES if "sparsify_skip" not in n])
def test_sae_lens_reads_what_narrows_saves(name, tmp_path):
    sae_lens = import_or_skip("sae_lens")
    record, X = read_dictionary(CASES[name](tmp_path / name).path), examples(N_ROWS)
    save_dictionary(record, tmp_path / "out")
    peer, x = quietly(sae_lens.SAE.load_from_disk, tmp_path / "out"), torch.from_numpy(X)
    z = record.encode(x)
    assert_same(z, quietly(peer.encode, x), record.decode(z, x), quietly(peer, x))
    again = peer.cfg.metadata
    assert again.model_name == record.metadata.get("model_name")


@pytest.mark.parametrize("sparsity", ["topk", "batchtopk", "matryoshka", "jumprelu", "gated", "l1"])
def test_sae_lens_reads_an_sae_that_narrows_trained(sparsity, tmp_path):
    sae_lens = import_or_skip("sae_lens")
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((N_ROWS, D)) @ rng.standard_normal((D, D)) * 3 + 10).astype(np.float32)
    model = narrows.SAE(N, sparsity=sparsity, k=K, max_epochs=2, random_state=0).fit(X)
    save_dictionary(model, tmp_path / "out")
    peer, x = quietly(sae_lens.SAE.load_from_disk, tmp_path / "out"), torch.from_numpy(X)
    assert_same(model.transform(X), quietly(peer.encode, x), model.reconstruct(X), quietly(peer, x))


def test_a_checkpoint_of_sae_lens_is_folded_as_its_export_is(tmp_path):
    import_or_skip("sae_lens")
    from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig

    p, scale, X = Parts(), 0.7, examples(N_ROWS)
    config = BatchTopKTrainingSAEConfig(
        d_in=D, d_sae=N, k=K, rescale_acts_by_decoder_norm=True, normalize_activations="expected_average_only_in"
    )
    peer = BatchTopKTrainingSAE(config)
    for name, value in {"W_enc": p.W, "b_enc": p.b, "W_dec": p.V, "b_dec": p.c}.items():
        getattr(peer, name).data = torch.from_numpy(value)
    peer.topk_threshold = torch.tensor(9.0, dtype=torch.double)
    quietly(peer.save_model, tmp_path / "checkpoint")
    (tmp_path / "checkpoint/activation_scaler.json").write_text(json.dumps({"scaling_factor": scale}))
    peer.fold_activation_norm_scaling_factor(scale)
    quietly(peer.save_inference_model, tmp_path / "export")
    checkpoint, export = read_dictionary(tmp_path / "checkpoint"), read_dictionary(tmp_path / "export")
    assert export.activation == checkpoint.activation == "jumprelu"
    x = torch.from_numpy(X)
    z, expected = checkpoint.encode(x), export.encode(x)
    assert_same(z, expected, checkpoint.decode(z, x), export.decode(expected, x))


@pytest.mark.parametrize("transcode", [False, True])
def test_it_computes_what_sparsify_computes(transcode, tmp_path):
    import_or_skip("sparsify")
    from sparsify import SparseCoder
    from sparsify.config import SparseCoderConfig

    torch.manual_seed(0)
    coder = SparseCoder(D, SparseCoderConfig(num_latents=N, k=K, transcode=transcode, skip_connection=transcode))
    p, X = Parts(), examples(N_ROWS)
    coder.W_dec.data, coder.b_dec.data = torch.from_numpy(p.V), torch.from_numpy(p.c)
    if transcode:
        coder.W_skip.data = torch.from_numpy(p.S)
    coder.save_to_disk(tmp_path / "layers.3")
    coder, x = SparseCoder.load_from_disk(tmp_path / "layers.3"), torch.from_numpy(X)
    code = quietly(coder.encode, x)
    expected = torch.zeros(N_ROWS, N).scatter(1, code.top_indices, code.top_acts)
    model = load_dictionary(tmp_path / "layers.3")
    assert_same(model.transform(X), expected, model.reconstruct(X), quietly(coder, x).sae_out)


def dictionary_learning_modules():
    """Import the dictionaries of dictionary_learning, without the language model library that only its buffer needs."""
    import importlib

    try:
        import nnsight  # noqa: F401
    except ImportError:
        stub = types.ModuleType("nnsight")
        stub.LanguageModel = object
        sys.modules["nnsight"] = stub
    import_or_skip("dictionary_learning")
    names = ("dictionary", "trainers.top_k", "trainers.batch_top_k", "trainers.matryoshka_batch_top_k")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        modules = [importlib.import_module(f"dictionary_learning.{name}") for name in names]
    return {name: value for module in modules for name, value in vars(module).items()}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("learning_standard", "AutoEncoder"),
        ("learning_new", "AutoEncoderNew"),
        ("learning_topk", "AutoEncoderTopK"),
        ("learning_batchtopk", "BatchTopKSAE"),
        ("learning_matryoshka", "MatryoshkaBatchTopKSAE"),
        ("learning_jumprelu", "JumpReluAutoEncoder"),
        ("learning_gated", "GatedAutoEncoder"),
    ],
)
def test_it_computes_what_dictionary_learning_computes(name, kind, tmp_path):
    classes = dictionary_learning_modules()
    path, X = CASES[name](tmp_path / name).path, examples(N_ROWS)
    options = {"normalize_decoder": False} if kind == "AutoEncoder" else {}
    peer = quietly(classes[kind].from_pretrained, str(path / "ae.pt"), **options)
    x = torch.from_numpy(X)
    model = load_dictionary(path)
    assert_same(model.transform(X), quietly(peer.encode, x), model.reconstruct(X), quietly(peer, x))
