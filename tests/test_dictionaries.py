"""Sparse dictionaries of other programs: read, loaded as an SAE, saved again. See dictionary_cases.py."""

import json
import pickle

import numpy as np
import pytest
import torch
from dictionary_cases import (
    CASES,
    D,
    K,
    N,
    Parts,
    examples,
    of_linear,
    of_products,
    plain,
    write_learning,
    write_llama_scope,
    write_llamascopium,
    write_saelens,
)
from sklearn.base import clone

import narrows
from narrows.dictionaries import SparseDictionary, load_dictionary, read_dictionary, save_dictionary


def assert_same_codes(z, expected):
    """The same support, but for units within rounding errors of their threshold, and values within 1e-5."""
    scale = np.abs(expected).max()
    assert np.abs(z - expected)[(z > 0) == (expected > 0)].max() <= 1e-5 * scale
    differs = (z > 0) != (expected > 0)
    assert differs.sum() <= 1e-5 * (expected > 0).sum()


@pytest.mark.parametrize("name", CASES)
def test_a_record_follows_the_formulas_of_its_format(name, tmp_path):
    case = CASES[name](tmp_path / name)
    record, X = read_dictionary(case.path), examples()
    x, expected = torch.from_numpy(X), case.encode(X)
    assert 0 < (expected > 0).mean() < 0.7
    z = record.encode(x)
    assert_same_codes(z.numpy(), expected)
    np.testing.assert_allclose(record.decode(z, x).numpy(), case.decode(z.numpy(), X), atol=2e-4)


@pytest.mark.parametrize("name", CASES)
def test_a_loaded_dictionary_is_a_fitted_sae(name, tmp_path):
    case, X = CASES[name](tmp_path / name), examples()
    model = load_dictionary(case.path)
    z = model.transform(X)
    assert_same_codes(z, case.encode(X))
    np.testing.assert_allclose(model.reconstruct(X), case.decode(z, X), atol=2e-4)
    model.save(tmp_path / "saved")
    again = narrows.load(tmp_path / "saved")
    np.testing.assert_array_equal(again.transform(X), z)
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))
    assert again.source_ == model.source_
    assert again.get_params()["network"][1].arguments == model.network[1].arguments


@pytest.mark.parametrize("name", CASES)
def test_saved_in_saelens_form_and_back_it_gives_the_same(name, tmp_path):
    case, X = CASES[name](tmp_path / name), examples()
    record = read_dictionary(case.path)
    if record.is_transcoder and record.activation == "topk":
        with pytest.raises(ValueError, match="SAELens has no topk transcoder"):
            save_dictionary(record, tmp_path / "out")
        return
    save_dictionary(load_dictionary(case.path), tmp_path / "out", metadata={"hook_name": "here"})
    again, x = read_dictionary(tmp_path / "out"), torch.from_numpy(X)
    # the magnitude of a gated code is written down in another way; the tensors of all others stay as they are
    tolerance = {"rtol": 1e-5, "atol": 1e-5} if record.activation == "gated" else {"rtol": 0, "atol": 0}
    torch.testing.assert_close(again.encode(x), record.encode(x), **tolerance)
    z = record.encode(x)
    torch.testing.assert_close(again.decode(z, x), record.decode(z, x), rtol=0, atol=0)
    assert again.metadata["hook_name"] == "here"
    assert again.metadata.get("license") == record.metadata.get("license")


ARCHITECTURES = {
    "topk": "topk",
    "batchtopk": "jumprelu",
    "matryoshka": "jumprelu",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "l1": "standard",
}


@pytest.mark.parametrize("sparsity", ARCHITECTURES)
def test_a_trained_sae_is_exported_with_its_standardisation_folded_in(sparsity, tmp_path):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((10_000, 12)) @ rng.standard_normal((12, 12)) * 5 + 30).astype(np.float32)
    X[:, 4] = 7.5  # a column that does not vary
    model = narrows.SAE(48, sparsity=sparsity, k=4, max_epochs=2, random_state=0, likelihood="gaussian").fit(X)
    with torch.no_grad():
        model.model_.decoder.directions.mul_(torch.rand(48, 1) + 0.5)  # their lengths do not matter
    save_dictionary(model, tmp_path / "out", metadata={"model_name": "none"})
    again = load_dictionary(tmp_path / "out")
    z = model.transform(X)
    assert_same_codes(again.transform(X), z)
    np.testing.assert_allclose(again.reconstruct(X), model.reconstruct(X), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(again.reconstruct(X)[:, 4], 7.5, rtol=1e-6)
    config = json.loads((tmp_path / "out/cfg.json").read_text())
    assert config["architecture"] == ARCHITECTURES[sparsity]
    assert config["metadata"]["sae_lens_version"].startswith("6.")
    assert config["metadata"]["model_name"] == "none"


def test_a_loaded_dictionary_does_what_an_sae_does(tmp_path):
    model = load_dictionary(CASES["saelens_topk"](tmp_path / "case").path)
    X = examples(200)
    z = model.transform(X)
    assert (model.active_units(X).count == (z > 0).sum(1)).all()
    unit = int((z > 0).sum(0).argmax())
    best = model.top_examples(X, unit, n=3)
    assert z[best, unit].tolist() == sorted(z[:, unit], reverse=True)[:3]
    np.testing.assert_allclose(model.inverse_transform(z), model.reconstruct(X), atol=1e-5)
    result = narrows.evaluate(model, X)
    assert result["l0"] == pytest.approx((z > 0).sum(1).mean())
    assert (model.predict(X) == 1).all()
    for again in (pickle.loads(pickle.dumps(model)), narrows.load(_saved(model, tmp_path))):
        np.testing.assert_array_equal(again.transform(X), z)
    assert clone(model).get_params()["k"] == K
    model.partial_fit(X)
    save_dictionary(model, tmp_path / "trained")  # the encoder's shift and the decoder's bias went apart
    assert_same_codes(load_dictionary(tmp_path / "trained").transform(X), model.transform(X))


def test_the_mean_number_of_active_units_is_kept_for_a_further_training(tmp_path):
    model = load_dictionary(CASES["gemma_scope"](tmp_path / "a").path)
    assert (model.sparsity, model.k, model.source_["l0"], model.source_["license"]) == (
        "jumprelu",
        71,
        71,
        "cc-by-4.0",
    )
    assert load_dictionary(CASES["gemma_scope_2"](tmp_path / "b").path).k == "auto"


def test_other_examples_than_the_dictionary_takes_are_refused(tmp_path):
    model = load_dictionary(CASES["saelens_topk"](tmp_path / "a").path)
    with pytest.raises(ValueError, match="This UnitEncoder takes 24 entries and gives 96 outputs"):
        clone(model).fit(examples(50)[:, :7])


def _saved(model, tmp_path):
    model.save(tmp_path / "model")
    return tmp_path / "model"


def test_the_card_keeps_the_origin(tmp_path):
    case = CASES["saelens_topk"](tmp_path / "release/sae")
    (tmp_path / "release/README.md").write_text("---\nlicense: mit\nbase_model: gpt2\n---\n# SAEs\n")
    model = load_dictionary(case.path, metadata={"url": "https://example.org"})
    assert model.source_["license"] == "mit"
    card = (_saved(model, tmp_path) / "README.md").read_text()
    for fact in (
        "- license: mit",
        '- hook_name: "blocks.8.hook_resid_pre"',
        '- model_name: "gpt2-small"',
        "example.org",
    ):
        assert fact in card
    save_dictionary(model, tmp_path / "out")
    metadata = json.loads((tmp_path / "out/cfg.json").read_text())["metadata"]
    assert metadata["license"] == "mit"
    assert metadata["url"] == "https://example.org"
    unstated = load_dictionary(CASES["saelens_standard"](tmp_path / "other").path)
    unstated.save(tmp_path / "unstated")
    assert "- license: not stated by the source" in (tmp_path / "unstated/README.md").read_text()


# ---------------------------------------------------------------------------------------------- bad input


class Code:
    """An object whose unpickling would run code."""

    def __reduce__(self):
        return print, ("this must never be printed",)


def test_a_pt_file_with_code_is_refused_and_not_run(tmp_path, capsys):
    path = write_learning(tmp_path / "a", {"encoder.weight": torch.zeros(N, D), "x": Code()}, "AutoEncoder")
    with pytest.raises(ValueError, match=r"holds Python code.* does not run code"):
        read_dictionary(path)
    np.savez(tmp_path / "params.npz", W_enc=np.array([Code()], dtype=object))
    with pytest.raises(ValueError, match="holds Python objects"):
        read_dictionary(tmp_path / "params.npz")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["saelens_topk", "learning_topk", "gemma_scope", "openai_topk", "sparsify"])
def test_a_truncated_file_is_refused(name, tmp_path):
    case = CASES[name](tmp_path / name)
    weights = max((p for p in (tmp_path / name).rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"{weights.name} is truncated or not"):
        read_dictionary(case.path)


@pytest.mark.parametrize("is_legacy", [False, True])
def test_a_pt_file_that_ends_anywhere_is_refused(is_legacy, tmp_path):
    path = tmp_path / "ae.pt"
    tensors = {"encoder.weight": torch.ones(3, 4), "k": torch.tensor(2)}
    torch.save(tensors, path, _use_new_zipfile_serialization=not is_legacy)
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=r"ae\.pt (is truncated or not|must hold|holds Python code|lacks)"):
            read_dictionary(path)


def test_an_npz_file_with_other_bytes_is_refused(tmp_path):
    path, rng = tmp_path / "params.npz", np.random.default_rng(0)
    np.savez_compressed(path, W_enc=rng.standard_normal((6, 8)).astype(np.float32), b_enc=np.zeros(8, np.float32))
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"params\.npz (is truncated or not|lacks|holds)"):
            read_dictionary(path)


def test_a_truncated_configuration_is_refused(tmp_path):
    case = CASES["saelens_topk"](tmp_path / "a")
    (case.path / "cfg.json").write_text('{"architecture": "to')
    with pytest.raises(ValueError, match=r"cfg\.json is truncated or not JSON"):
        read_dictionary(case.path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"architecture": "temporal"}, "no architecture 'temporal'"),
        ({"architecture": "matching_pursuit"}, "no architecture 'matching_pursuit'"),
        ({"architecture": "topk", "k": None}, "must name k"),
        ({"architecture": "standard", "activation_fn_str": "topk"}, "must name k"),
        ({"architecture": "topk", "k": N + 1}, f"k must be an int from 1 to {N}"),
        ({"architecture": "gated"}, "lacks the tensor b_gate"),
        ({"architecture": "jumprelu"}, "lacks the tensor threshold"),
        ({"architecture": "standard", "normalize_activations": "covariance_whitening"}, "cannot apply normalize_act"),
        ({"architecture": "standard", "activation_fn_str": "tanh-relu"}, "no activation 'tanh-relu'"),
        ({"architecture": ["x"]}, r"no architecture \['x'\]"),
        ({"architecture": "standard", "normalize_activations": ["a"]}, r"cannot apply normalize_activations=\['a'\]"),
        ({"architecture": "standard", "metadata": ["a"]}, r"metadata must be an object\. Got \['a'\]"),
        ({"architecture": "topk", "k": float("inf")}, "must name k, the number of active units, an int. Got inf"),
        ({"architecture": "topk", "k": float("nan")}, "must name k"),
    ],
)
def test_another_architecture_is_refused(config, message, tmp_path):
    path = write_saelens(tmp_path / "a", plain(Parts()), **config)
    with pytest.raises(ValueError, match=message) as error:
        read_dictionary(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"W_dec": None}, "lacks the tensor W_dec"),
        ({"W_dec": np.zeros((N - 1, D), np.float32)}, r"W_dec must have shape \(96, 24\). Got \(95, 24\)"),
        ({"b_enc": np.zeros(N + 1, np.float32)}, r"b_enc must have shape \(96,\)"),
        ({"W_enc": np.full((D, N), np.nan, np.float32)}, "W_enc holds NaN or infinity"),
        ({"scaling_factor": np.full(N, 2, np.float32)}, "scaling_factor that is not 1"),
    ],
)
def test_missing_and_wrong_tensors_are_refused(changed, message, tmp_path):
    tensors = {name: t for name, t in {**plain(Parts()), **changed}.items() if t is not None}
    path = write_saelens(tmp_path / "a", tensors, architecture="standard")
    with pytest.raises(ValueError, match=message) as error:
        load_dictionary(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"sae_type": "clt"}, "no sae_type 'clt'"),
        ({"act_fn": "batchtopk"}, "no act_fn 'batchtopk'"),
        ({"act_fn": "topk", "top_k": None}, "must name top_k"),
        ({"use_glu_encoder": True}, "gated linear unit"),
        ({"norm_activation": "batch-wise"}, "cannot apply norm_activation='batch-wise'"),
        ({"hook_point_in": "elsewhere"}, "of 'elsewhere' must be a number above 0. Got None"),
        ({}, "lacks the tensor activation_function.log_jumprelu_threshold"),
        ({"dataset_average_activation_norm": 3}, "dataset_average_activation_norm must be an object. Got 3"),
        ({"act_fn": "topk", "top_k": [3]}, r"must name top_k, an int\. Got \[3\]"),
        ({"hook_point_in": {}, "hook_point_out": "a"}, r"its format does not have there \(TypeError"),
    ],
)
def test_another_architecture_of_openmoss_is_refused(config, message, tmp_path):
    path = write_llamascopium(tmp_path / "a", of_products(Parts()), **config)
    with pytest.raises(ValueError, match=message) as error:
        read_dictionary(path)
    assert str(path) in str(error.value)


def test_the_parts_of_a_llama_scope_folder_are_found(tmp_path):
    path = write_llama_scope(tmp_path / "a", of_linear(Parts()))
    for place in (path, path / "checkpoints", path / "checkpoints/final.safetensors"):
        assert read_dictionary(place).metadata["name"] == path.name
    (path / "hyperparams.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"hyperparams\.json, which describes the dictionary"):
        read_dictionary(path)


def test_a_place_without_a_dictionary_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        load_dictionary(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds no dictionary of SAELens"):
        load_dictionary(tmp_path)
    CASES["sparsify"](tmp_path / "run")
    with pytest.raises(FileNotFoundError, match=r"It holds .*layers\.3: name one of those"):
        load_dictionary(tmp_path / "run")
    (tmp_path / "a.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="is no dictionary of SAELens"):
        load_dictionary(tmp_path / "a.bin")
    narrows.AE(2, hidden=(4,), max_epochs=1).fit(examples(50)).save(tmp_path / "model")
    with pytest.raises(FileNotFoundError, match="is a model of narrows"):
        load_dictionary(tmp_path / "model")


@pytest.mark.parametrize("name", ["saelens_topk", "sparsify"])
def test_a_folder_without_its_description_is_refused(name, tmp_path):
    case = CASES[name](tmp_path / "a")
    (case.path / "cfg.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*cfg\.json, which describes the dictionary"):
        load_dictionary(case.path)


def test_an_sae_of_a_data_frame_is_exported_with_the_columns_that_it_sees(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(examples(300) * np.arange(1, D + 1), columns=[f"c{i}" for i in range(D)])
    model = narrows.SAE(N, k=K, max_epochs=1, random_state=0).fit(frame)
    save_dictionary(model, tmp_path / "out")
    assert_same_codes(
        load_dictionary(tmp_path / "out").transform(frame.to_numpy(np.float32)), np.asarray(model.transform(frame))
    )


def test_a_cross_layer_transcoder_is_refused(tmp_path):
    from safetensors.numpy import save_file

    p = Parts()
    wide = np.zeros((N, 3, D), np.float32)
    save_file(
        {"w_enc": p.W, "w_dec": wide, "b_enc": p.b, "b_dec": p.c, "threshold": p.t}, tmp_path / "params.safetensors"
    )
    with pytest.raises(ValueError, match="cross-layer transcoder"):
        read_dictionary(tmp_path)


def test_a_transcoder_has_targets_of_its_own(tmp_path):
    p, x = Parts(), torch.from_numpy(examples(50))
    tensors = map(torch.from_numpy, (p.W, p.b, p.V[:, :5], p.c[:5]))
    record = SparseDictionary(*tensors, W_skip=torch.from_numpy(p.S[:, :5]))
    save_dictionary(record, tmp_path / "out")
    assert json.loads((tmp_path / "out/cfg.json").read_text())["architecture"] == "skip_transcoder"
    model = load_dictionary(tmp_path / "out")
    expected = record.decode(record.encode(x), x).numpy()
    for loaded in (model, narrows.load(_saved(model, tmp_path))):
        np.testing.assert_allclose(loaded.reconstruct(x.numpy()), expected, atol=1e-4)
        assert np.isfinite(loaded.score(x.numpy(), expected))
    with pytest.raises(ValueError, match="needs a model of X alone"):
        model.score_samples(x.numpy())


@pytest.mark.parametrize(("sparsity", "skip"), [("jumprelu", True), ("l1", False), ("l1", True)])
def test_a_trained_transcoder_is_exported(sparsity, skip, tmp_path):
    rng = np.random.default_rng(0)
    X = (rng.standard_normal((2_000, 8)) * 3 + 20).astype(np.float32)
    Y = (np.abs(X - 20) @ rng.standard_normal((8, 5)) - 7).astype(np.float32)
    X[:, 2] = 5  # a constant column
    model = narrows.SAE(32, sparsity=sparsity, skip=skip, k=4, max_epochs=2, random_state=0).fit(X, Y)
    with torch.no_grad():
        if skip:
            model.model_.skip.map.bias.normal_()
    save_dictionary(model, tmp_path / "out")
    again = load_dictionary(tmp_path / "out")
    assert_same_codes(again.transform(X), model.transform(X))
    np.testing.assert_allclose(again.reconstruct(X), model.reconstruct(X), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda X: narrows.SAE(8, k=2, hidden=(6,), max_epochs=1).fit(X), r"hidden=\(\)"),
        (lambda X: narrows.SAE(8, sparsity="kl", max_epochs=1).fit(X), "has no counterpart"),
        (lambda X: narrows.SAE(8, k=2, max_epochs=1).fit(X > 0), "must be of real vectors"),
        (lambda X: narrows.SAE(8, k=2, max_epochs=1).fit(np.tile(X, 4)[:, :64].reshape(-1, 8, 8)), "real vectors"),
        (lambda X: narrows.SAE(8, k=2, max_epochs=1, likelihood="heteroscedastic").fit(X), "likelihood='gaussian'"),
    ],
)
def test_a_model_without_a_counterpart_is_not_saved(make, message, tmp_path):
    model = make(examples(60))
    with pytest.raises(ValueError, match=message):
        save_dictionary(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()
