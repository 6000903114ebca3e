"""Rules for a step that a GPU can record, tested without a GPU.

The "meta" device stands in for the GPU. Its tensors have shapes and no values, so reading a value raises an error, as
it would in a recording. Copies from the CPU are counted.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from recipe_cases import REPRESENTATIVES, SIZES
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import narrows
from narrows.accelerate.compiled_step import match_strides
from narrows.accelerate.cuda_graphs import CUDAGraphRunner
from narrows.data import Rows, as_rows, infer
from narrows.recipes import RECIPES
from narrows.training.device import Choice
from narrows.training.parallel import World
from narrows.training.plan import Place, make_plan
from narrows.training.plan_inputs import PlanInputs
from narrows.training.settings import Settings
from narrows.training.step import Step

N = 40
META = torch.device("meta")
CHOICE = Choice("", "", "as asked")
PLACE = Place(META, torch.float32, False, CHOICE, CHOICE)


class Crossings(TorchDispatchMode):
    """Lists functions that use tensors on several devices."""

    def __init__(self) -> None:
        super().__init__()
        self.functions: list[str] = []
        self.n_calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
        self.n_calls += 1
        if len({tensor.device.type for tensor in tensors}) > 1:
            self.functions.append(str(func))
        return result


def data(kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    if kind == "vectors":
        return rng.normal(3, 2, (N, 7)).astype(np.float32)
    if kind == "gaps":
        X = rng.normal(3, 2, (N, 7)).astype(np.float32)
        return np.where(rng.random(X.shape) < 0.2, np.float32(np.nan), X)
    if kind == "far vectors":
        return rng.normal(1e6, 2, (N, 7)).astype(np.float32)
    if kind == "wide vectors":
        return rng.normal(3, 2, (N, 7))
    if kind == "counts":
        return rng.poisson(3, (N, 7)).astype(float)
    return rng.integers(0, 256, (N, 8, 8, 3) if kind == "colour" else (N, 9, 10), dtype=np.uint8)


def make_step(model: Any, X: np.ndarray, labels: np.ndarray | None, optimizer: str) -> Step:
    """Return a step of `model` on X, with all tensors on the meta device."""
    rows = model._start_fit(X)
    if labels is not None:
        model.fit(X, labels)  # to learn the classes
        labels = np.searchsorted(model.classes_, labels)
    parts = model._assemble(0)
    objective = parts.objective
    rows_on_meta = Rows(rows, model.schema_, torch.device("cpu"), labels=labels)
    if objective.neighbors is not None:
        rows_on_meta.find_neighbors(3, torch.arange(N))
        rows_on_meta.neighbors = rows_on_meta.neighbors.to(META)
    rows_on_meta.rows, rows_on_meta.device = rows_on_meta.rows.to(META), META
    if labels is not None:
        rows_on_meta.labels = rows_on_meta.labels.to(META)
    for module in (parts.model, objective):
        module._apply(lambda t: t.to(META)).train()
    return Step(
        parts.model,
        objective,
        rows_on_meta,
        make_plan(Settings(weight_decay=0.1), PLACE, PlanInputs(N, parts.model.bottleneck)),
        optimizer,
        World(),
        pytest.fail,
    )


CASES = [
    (name, {}, kind)
    for name, recipe in RECIPES.items()
    for kind in ("vectors", "counts", "grey", "colour")
    if not (recipe.is_visual if kind in ("vectors", "counts") else recipe.is_tabular or recipe.is_layered)
]
CASES += [("ae", {}, "far vectors"), ("ae", {}, "wide vectors"), ("ae", {"network": "conv"}, "colour")]
CASES += [("ae", {}, "gaps"), ("tableae", {}, "gaps")]
CASES += [("vae", {"network": "conv", "beta": 2.0, "kl_warmup": 0.5, "free_nats": 0.1}, "grey")]
CASES += [("vae", {"conditional": True}, "grey"), ("vae", {"likelihood": "continuous_bernoulli"}, "grey")]
CASES += [("vae", {"likelihood": "negative_binomial"}, "counts")]
CASES += [("vae", {"posterior": "laplace"}, "vectors"), ("vae", {"posterior": "flow", "prior": "mixture"}, "vectors")]
CASES += [("vae", {"likelihood": "heteroscedastic"}, "grey"), ("vae", {"conditional": True}, "vectors")]
CASES += [("sae", {"sparsity": sparsity}, "vectors") for sparsity in ("l1", "kl")]
CASES += [("dae", {"noise": noise}, "grey") for noise in ("masking", "salt_and_pepper", "poisson")]


REPRESENTED = {case.recipe for case in REPRESENTATIVES}


def as_parameters(name: str, changes: dict[str, Any], kind: str, optimizer: str) -> Any:
    """A case, slow if it is of a recipe that does not stand for a seam, and no first one of it."""
    is_quick = name in REPRESENTED or (kind in ("vectors", "grey") and optimizer == "adamw")
    return pytest.param(name, changes, kind, optimizer, marks=() if is_quick else pytest.mark.slow)


@pytest.mark.parametrize(
    ("name", "changes", "kind", "optimizer"),
    [as_parameters(*case, optimizer) for case in CASES for optimizer in ("adamw", "muon")],
)
def test_a_step_copies_nothing_to_its_device_and_waits_for_nothing(name, changes, kind, optimizer, monkeypatch):
    # the meta device has no fused optimizer, but torch knows the shapes of its results
    monkeypatch.setattr(
        sys.modules["torch.optim.optimizer"], "_get_fused_kernels_supported_devices", lambda: ["cpu", "meta"]
    )
    monkeypatch.setattr(
        torch, "autocast", lambda *_args, **_kwargs: contextlib.nullcontext()
    )  # it does not know this device
    cls = narrows.estimator(name)
    size = SIZES.get(name, 4)
    parameters = {"n_components": size, "hidden": (16,), "device": "cpu", "max_epochs": 1, "verbose": 0, **changes}
    model = cls(**{key: value for key, value in parameters.items() if key in cls.parameters()})
    step = make_step(model, data(kind), np.arange(N) % 3 if changes.get("conditional") else None, optimizer)
    index = torch.zeros(16, dtype=torch.long, device=META)
    step.run(index, 1e-3)  # constants are copied, and the optimizer initialises itself
    with Crossings() as crossings:
        step.run(index, 1e-3)  # reading a value on the meta device raises an error
    assert crossings.n_calls > 50
    assert crossings.functions == []


def test_gradients_of_one_graph_are_laid_as_their_parameters_are():
    """A fused optimizer on a GPU refuses others; `backward` sees to it, `torch.autograd.grad` does not."""
    rows = as_rows(data("colour"), "test")
    model = narrows.VAE(4, network="conv", device="cpu")
    model.schema_ = infer(rows, "test")
    parts = model._assemble(0)
    parameters = [*parts.model.parameters()]
    loss = parts.objective(parts.model, Rows(rows, model.schema_, torch.device("cpu")).batch(torch.arange(8)))
    gradients = torch.autograd.grad(loss.total, parameters)
    assert any(gradient.stride() != p.stride() for p, gradient in zip(parameters, gradients, strict=True))
    for p, gradient in zip(parameters, gradients, strict=True):
        result = match_strides(p, gradient)
        assert result.stride() == p.stride()
        assert torch.equal(result, gradient)


class FakeCUDA:
    """Stands in for `torch.cuda`, and logs the calls of a runner. A fake recording runs the step that it records."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
        self.log: list[str] = []
        log = self.log

        class Stream:
            def wait_stream(self, _other: object) -> None:
                log.append("wait")

        class Graph:
            def replay(self) -> None:
                log.append("replay")

        @contextlib.contextmanager
        def graph(_graph: Graph, *, stream: Stream, capture_error_mode: str):
            assert isinstance(stream, Stream)
            assert capture_error_mode == "thread_local"
            log.append("record")
            try:
                yield
            except RuntimeError as error:
                raise RuntimeError("the capture was invalidated") from error
            if fails:
                raise RuntimeError("nothing is recorded here")

        self.now = Stream()
        cuda: dict[str, Callable[..., Any]] = {
            "Stream": Stream,
            "CUDAGraph": Graph,
            "graph": graph,
            "device": lambda _device: contextlib.nullcontext(),
            "stream": lambda _stream: contextlib.nullcontext(),
            "current_stream": lambda: self.now,
            "set_stream": lambda stream: log.append("back" if stream is self.now else "elsewhere"),
            "synchronize": lambda: log.append("synchronize"),
        }
        for name, fake in cuda.items():
            monkeypatch.setattr(torch.cuda, name, fake)


def test_a_step_is_done_three_times_then_recorded_then_played_back(monkeypatch):
    cuda, done = FakeCUDA(monkeypatch, fails=False), []
    runner = CUDAGraphRunner(lambda: cuda.log.append("undo"), pytest.fail)
    for number in range(6):
        runner(lambda index: done.append(int(index)), torch.tensor(number), key=())
    assert done == [0, 1, 2, 3]
    assert cuda.log == 3 * ["wait", "wait"] + ["record", "replay", "replay", "replay"]
    assert int(runner.index) == 5
    runner(lambda index: done.append(int(index)), torch.tensor(6), key="another variant")
    assert done[-1] == 6


@pytest.mark.parametrize("in_the_step", [False, True])
def test_what_cannot_be_recorded_is_undone_and_done_as_it_is(in_the_step, monkeypatch):
    cuda, done, notes = FakeCUDA(monkeypatch, fails=not in_the_step), [], []
    runner = CUDAGraphRunner(lambda: cuda.log.append("undo"), notes.append)

    def step(index: torch.Tensor) -> None:
        if in_the_step and cuda.log[-1] == "record":
            raise RuntimeError("this waits for the device")
        done.append(int(index))

    for number in range(6):
        runner(step, torch.tensor(number), key=())
    assert cuda.log[6:] == ["record", "back", "synchronize", "undo"]
    # a fake recording does the step that it records
    assert done == [0, 1, 2, 3, 4, 5] if in_the_step else done == [0, 1, 2, 3, 3, 4, 5]
    reason = "this waits for the device" if in_the_step else "nothing is recorded here"
    assert notes == [f"The step could not be recorded, and runs one kernel at a time: {reason}"]
