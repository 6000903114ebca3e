"""A compiled step has the results of a plain one, up to rounding."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from interrupting import interrupt_at
from torch import nn

from narrows import AE, SAE, VAE
from narrows.accelerate import compiled_step
from narrows.networks import conv
from narrows.training.checkpoint import NAME, read_without_tensors
from narrows.training.flops import compile_saving

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler (g++)")


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda **k: VAE(2, **k), lambda **k: SAE(16, k=2, **k)])
def test_compiling_changes_nothing_but_rounding(make, rng):
    X = rng.normal(size=(200, 6))
    common = {"max_epochs": 3, "random_state": 0, "precision": "float32", "device": "cpu"}
    plain, compiled = make(compile=False, **common).fit(X), make(compile=True, **common).fit(X)
    assert "compile = True: as asked" in compiled.report_
    np.testing.assert_allclose(compiled.score_samples(X), plain.score_samples(X), rtol=1e-3, atol=1e-3)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["vae", "sae"])
def test_a_compiled_training_goes_on_to_the_same_weights(recipe, rng, tmp_path, monkeypatch):
    X = rng.normal(size=(200, 6))
    make = {"vae": lambda **k: VAE(2, **k), "sae": lambda **k: SAE(64, k=2, **k)}[recipe]
    common = {"max_epochs": 30, "random_state": 0, "precision": "float32", "device": "cpu", "compile": True}
    whole = make(**common).fit(X)
    with monkeypatch.context() as patched:
        interrupt_at(patched, 77)
        with pytest.raises(KeyboardInterrupt):
            make(checkpoint=tmp_path, **common).fit(X)
    assert read_without_tensors(tmp_path / NAME)["clock"]["step"] == 78
    again = make(checkpoint=tmp_path, **common).fit(X)
    np.testing.assert_array_equal(again.score_samples(X), whole.score_samples(X))


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("size", [(18, 15), (16, 12)])  # images that are enlarged to one less than twice, and to twice
def test_a_compiled_step_of_convolutions_is_the_plain_one(size, rng):
    X = rng.integers(0, 256, (60, *size), dtype=np.uint8)
    common = {"max_epochs": 2, "random_state": 0, "precision": "float32", "device": "cpu", "network": "conv"}
    plain, compiled = (VAE(2, compile=use, **common).fit(X) for use in (False, True))
    assert "compile = True: as asked" in compiled.report_
    np.testing.assert_allclose(compiled.score_samples(X), plain.score_samples(X), rtol=1e-3)


@pytest.mark.parametrize("size", [(8, 8), (7, 7), (5, 8), (14, 13)])
def test_images_grow_alike_compiled_or_not(size, monkeypatch):
    h = torch.randn(2, 3, (size[0] + 1) // 2, (size[1] + 1) // 2)
    plain = conv._enlarge(h, size)
    monkeypatch.setattr("torch.compiler.is_compiling", lambda: True)
    torch.testing.assert_close(conv._enlarge(h, size), plain, rtol=0, atol=0)
    assert plain.shape[2:] == size


@pytest.mark.slow
def test_where_nothing_can_be_compiled_it_is_said_and_done_as_it_is(rng, monkeypatch):
    def failing(*_, **__):
        raise RuntimeError("fatal error: Python.h: No such file or directory")

    monkeypatch.setattr("torch._inductor.compile_fx.compile_fx", failing)
    torch._dynamo.reset()
    X = rng.normal(size=(200, 6))
    common = {"max_epochs": 2, "random_state": 0, "precision": "float32", "device": "cpu"}
    plain, stuck = VAE(2, compile=False, **common).fit(X), VAE(2, compile=True, **common).fit(X)
    torch._dynamo.reset()
    assert any("could not be compiled, and runs uncompiled" in line for line in stuck.report_)
    np.testing.assert_allclose(stuck.score_samples(X), plain.score_samples(X), rtol=1e-4)


class Broken(nn.Module):
    """An encoder that no compiler can make one graph of."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 4)

    def forward(self, x):
        torch._dynamo.graph_break()
        return self.linear(x)


@needs_compiler
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch's compiler reads it
def test_a_step_that_is_no_single_graph_is_compiled_in_parts(rng):
    X = rng.normal(size=(200, 6))
    common = {"network": (Broken(), "mlp"), "max_epochs": 3, "random_state": 0, "precision": "float32", "device": "cpu"}
    plain, compiled = AE(2, compile=False, **common).fit(X), AE(2, compile=True, **common).fit(X)
    assert any("compiled in parts" in line for line in compiled.report_)
    np.testing.assert_allclose(compiled.score_samples(X), plain.score_samples(X), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("make", "saves"),
    [
        (lambda: VAE(2), 0.35),
        (lambda: VAE(2, network="conv"), 0.0),
        (lambda: VAE(2, network=(nn.Sequential(nn.Conv2d(1, 4, 8), nn.Flatten(), nn.Linear(4, 4)), "mlp")), 0.1),
    ],
)
def test_what_compiling_saves_depends_on_the_network(make, saves, rng):
    model = make().set_params(max_epochs=1, random_state=0, device="cpu").fit(rng.uniform(size=(60, 8, 8)))
    assert compile_saving(model.model_, torch.device("cpu")) == saves


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("make", [AE, VAE])
def test_a_model_with_a_linear_path_is_one_graph_in_bfloat16(make, rng):
    options = {"hidden": (32, 16), "precision": "bfloat16", "compile": True, "max_epochs": 1, "device": "cpu"}
    model = make(4, random_state=0, **options).fit(rng.normal(size=(300, 40)))
    assert not any("could not be compiled" in line for line in model.report_)


@needs_compiler
@pytest.mark.slow
def test_more_models_are_compiled_than_torch_keeps_graphs(monkeypatch):
    monkeypatch.setattr(compiled_step, "_MOST_GRAPHS", 2)
    X = np.random.default_rng(0).normal(size=(64, 5))
    for width in (4, 5, 6, 7):
        # from PCA the first gradients are rounding errors, which Adam makes as large as any others
        options = {"hidden": (width,), "start": "random", "max_epochs": 2, "random_state": 0}
        options |= {"device": "cpu", "precision": "float32"}
        plain, compiled = (AE(2, compile=use, **options).fit(X) for use in (False, True))
        assert not any("could not be compiled" in line for line in compiled.report_)
        np.testing.assert_allclose(compiled.transform(X), plain.transform(X), rtol=1e-3, atol=1e-3)
