"""The same on a GPU as on the CPU. Run with scripts/test -m gpu."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import narrows
from narrows import AE, DAE, SAE, VAE
from narrows.data import MixingBuffer, Rows, open_mapped

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

SMALL = {"max_epochs": 3, "random_state": 0, "device": "cuda"}


@pytest.mark.parametrize("make", [AE, VAE, DAE, lambda **k: SAE(32, **k)])
def test_a_model_fitted_on_a_gpu_computes_the_same_on_the_cpu(make, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # which leaves three digits
    model = make(**SMALL).fit(digits)
    model.save(tmp_path / "model")
    again = narrows.load(tmp_path / "model", device="cpu")
    np.testing.assert_allclose(again.reconstruct(digits), model.reconstruct(digits), atol=1e-3)
    np.testing.assert_allclose(again.score_samples(digits), model.score_samples(digits), rtol=1e-2, atol=0.5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_rows_stay_in_their_dtype_on_the_device(precision, digits):
    pixels = (255 * digits).astype(np.uint8)
    model = VAE(2, precision=precision, **SMALL).fit(pixels)
    assert np.isfinite(model.score(pixels))
    assert model.reconstruct(pixels).dtype == np.uint8


def test_the_global_cuda_generator_is_left_alone(digits):
    before = torch.cuda.get_rng_state()
    VAE(2, **SMALL).fit(digits)
    assert torch.equal(torch.cuda.get_rng_state(), before)


@pytest.mark.parametrize("kind", ["unit", "bytes", "real"])
@pytest.mark.parametrize("make", [AE, VAE, DAE, lambda **k: SAE(32, **k), lambda **k: VAE(2, network="conv", **k)])
def test_recorded_steps_learn_what_plain_ones_learn(make, kind, digits):
    X = {"unit": digits, "bytes": np.rint(255 * digits).astype(np.uint8), "real": 4 * digits.reshape(-1, 64) - 3}[kind]
    if kind == "real" and make().network == "conv":
        pytest.skip("convolutions are for images")
    common = {**SMALL, "precision": "float32"}
    recorded, plain = make(**common).fit(X), make(compile=False, **common).fit(X)
    assert any(line.startswith("cuda_graphs = True") for line in recorded.report_)
    assert not any("could not be recorded" in line for line in recorded.report_)
    np.testing.assert_allclose(recorded.score_samples(X), plain.score_samples(X), rtol=1e-2, atol=0.5)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_a_compiled_step_learns_what_a_plain_one_learns(network, digits):
    common = {**SMALL, "precision": "float32", "network": network}
    compiled, plain = (VAE(2, compile=choice, **common).fit(digits) for choice in (True, False))
    assert not any("could not be" in line for line in compiled.report_)
    np.testing.assert_allclose(compiled.score_samples(digits), plain.score_samples(digits), rtol=1e-2, atol=0.5)


def test_a_module_that_waits_for_the_device_is_trained_all_the_same(digits):
    class Waiting(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(64, 4)

        def forward(self, x):
            assert float(x.sum()) == float(x.sum())
            return self.linear(x.flatten(1))

    model = AE(2, network=(Waiting(), "mlp"), **SMALL).fit(digits)
    assert any("could not be recorded" in line for line in model.report_)
    assert np.isfinite(model.score(digits))
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


@pytest.mark.parametrize(
    "make", [VAE, lambda **k: VAE(prior="mixture", **k), lambda **k: VAE(posterior="laplace", **k)]
)
def test_codes_are_drawn_and_moved_between_beside_a_gpu(make, digits):
    model = make(n_components=3, **SMALL).fit(digits)
    model.model_.order.copy_(torch.tensor([2, 0, 1]))
    on_gpu = model.sample(4, random_state=0), model.interpolate(digits[0], digits[1]), model.traverse(n_steps=3)
    density = model.sampler("prior").log_prob(torch.from_numpy(model.transform(digits[:5])))
    model.device = "cpu"
    for from_gpu, again in zip(
        on_gpu,
        (model.sample(4, random_state=0), model.interpolate(digits[0], digits[1]), model.traverse(n_steps=3)),
        strict=True,
    ):
        np.testing.assert_allclose(from_gpu, again, atol=1e-3)
    again = model.sampler("prior").log_prob(torch.from_numpy(model.transform(digits[:5])))
    torch.testing.assert_close(density, again, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("compile", [False, "auto"])
def test_rows_of_files_and_of_iterators_are_on_the_device_in_half_precision(tmp_path, compile):
    X = np.random.default_rng(0).normal(size=(4_000, 16)).astype(np.float16)
    np.save(tmp_path / "x.npy", X)
    settings = {"device": "cuda", "compile": compile, "random_state": 0, "verbose": 0}
    seen, batch = set(), MixingBuffer.batch
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MixingBuffer, "batch", lambda b, i: seen.add((b.rows.dtype, b.rows.device.type)) or batch(b, i))
        streamed = SAE(32, max_examples=3_000, buffer_size=800, **settings).fit(lambda: np.split(X, 40))
    assert seen == {(torch.float16, "cuda")}
    rows = Rows(open_mapped(tmp_path / "x.npy"), streamed.schema_, torch.device("cuda"))
    assert rows.resident
    assert rows.rows.dtype == torch.float16
    mapped, whole = (SAE(32, max_epochs=2, **settings).fit(data) for data in (tmp_path, X))
    for model in (streamed, mapped):
        assert np.isfinite(model.score_samples(X)).all()
    np.testing.assert_allclose(mapped.transform(X), whole.transform(X), atol=1e-3)


def test_activations_that_are_on_the_device_stay_there(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh()).cuda()
    batches = list(torch.randn(40, 100, 8))
    with narrows.hook(model, "1") as hooked:
        assert next(iter(hooked.blocks(batches))).device.type == "cuda"
        sae = SAE(32, max_examples=3_000, buffer_size=800, device="cuda", verbose=0).fit(hooked.blocks(batches))
        folder = hooked.save(batches, tmp_path)["1"]
    assert sae.transform(folder).shape == (4_000, 32)
