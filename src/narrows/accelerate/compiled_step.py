"""A training step compiled by torch: as one graph where that is possible, otherwise the loss alone.

On a CPU the graph holds the optimizer too: AdamW and the clipping of its gradients become a few loops over all entries.
On a GPU the fused optimizer is one kernel as it is.

Gain, on 2 cores with AMX, batches of 128, ms a step: the VAE 784-512-256-16 2.8 instead of 4.7 (at 512 6.0 instead of
8.0), the AE 2.8 instead of 4.4, the SAE 1.6 instead of 3.1; compiling takes 8 to 12 s, 4 when cached
(docs/negative-results.md). Convolutions gain little. Measured by `python benchmarks/training.py vae-128 vae-512 ae`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from narrows.accelerate.base import Acceleration, TrainingStep, autocast, detached, first_line
from narrows.types import Batch

_COMPILER: dict[str, Any] = {"fallback_random": True}  # a compiled step draws the very numbers that a plain one draws
_MOST_GRAPHS = 32  # of one function that torch keeps: the models of a process that are compiled; torch has 8


def update(step: TrainingStep) -> CompiledStep | None:
    """Return `step` compiled, if that was decided."""
    return CompiledStep(step) if step.use_compile else None


class CompiledStep:
    """Does the update of a batch in compiled form: see `Acceleration.update`."""

    def __init__(self, step: TrainingStep) -> None:
        self.model, self.objective, self.add_note = step.model, step.objective, step.add_note
        self.optimizers = list(step.optimizers)
        self.parameters = [p for optimizer in self.optimizers for p in optimizer.parameters]
        self.autocast = functools.partial(autocast, step.device, step.precision)
        optimizer = self.optimizers[0].optimizer
        self.at_once = step.device.type == "cpu" and len(self.optimizers) == 1 and type(optimizer) is torch.optim.AdamW
        self.rate = torch.zeros((), device=step.device)
        self.constants = adamw_constants(optimizer, self.optimizers[0].parameters)
        self.graph: Callable[..., Any] | None = None
        self.forward: Callable[..., Any] | None = None
        if hasattr(torch._dynamo.config, "trace_autograd_ops"):
            self.graph = self._compile_graph()
        else:
            self._compile_forward()

    def __call__(self, batch: Batch) -> dict[str, Tensor] | None:
        """Do the update by `batch`, or return None, with nothing done, where nothing can be compiled."""
        terms = self._by_graph(batch) if self.graph is not None else None
        return self._in_parts(batch) if terms is None and self.forward is not None else terms

    def _by_graph(self, batch: Batch) -> dict[str, Tensor] | None:
        assert self.graph is not None
        inputs: tuple[Any, ...] = ()
        if self.at_once:
            optimizer = self.optimizers[0].optimizer
            self.rate.fill_(optimizer.param_groups[0]["lr"])
            inputs = self.rate, adamw_state(optimizer, self.parameters)
        try:
            outputs = self._run_graph(batch, *inputs)
        except torch._dynamo.exc.TorchDynamoException as error:  # a user's module may be no single graph
            self.graph = None
            self.add_note(f"The step could not be compiled as one graph, and is compiled in parts: {first_line(error)}")
            self._compile_forward()
            return None
        if self.at_once:
            return outputs
        terms, gradients = outputs
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient if gradient is None else laid_like(parameter, gradient)
        self._move()
        return terms

    def _compile_graph(self) -> Callable[..., Any]:
        function = self._update if self.at_once else self._terms_and_gradients
        return torch.compile(function, fullgraph=True, options=_COMPILER)

    def _run_graph(self, *inputs: Any) -> Any:
        assert self.graph is not None
        with torch._dynamo.config.patch(trace_autograd_ops=True, recompile_limit=_MOST_GRAPHS):
            try:
                return self.graph(*inputs)
            except torch._dynamo.exc.FailOnRecompileLimitHit:
                # this process has compiled as many models: forget their graphs
                for function in (type(self)._update, type(self)._terms_and_gradients):
                    torch._dynamo.reset_code(function.__code__)
                self.graph = self._compile_graph()
                return self.graph(*inputs)

    def _in_parts(self, batch: Batch) -> dict[str, Tensor] | None:
        assert self.forward is not None
        try:
            with self.autocast():
                loss = self.forward(self.model, batch)
        except torch._dynamo.exc.TorchDynamoException as error:  # such as a C++ compiler that lacks Python's headers
            self.forward = None
            self.add_note(f"The step could not be compiled, and is done as it is: {first_line(error)}")
            return None
        loss.total.backward()
        self._move()
        return detached(loss)

    def _compile_forward(self) -> None:
        """Compile the loss alone; the backward pass is then compiled apart from it."""
        self.forward = torch.compile(self.objective, options=_COMPILER)

    def _move(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()

    def _update(self, batch: Batch, rate: Tensor, state: AdamWState) -> dict[str, Tensor]:
        """Do the whole update, as a function that a compiler can make one graph of."""
        terms, gradients = self._terms_and_gradients(batch)
        with torch.no_grad():
            update_divisor = self.optimizers[0].clipping.update_divisor
            adamw_update(self.parameters, gradients, state, rate, update_divisor, self.constants)
        return terms

    def _terms_and_gradients(self, batch: Batch) -> tuple[dict[str, Tensor], tuple[Tensor | None, ...]]:
        """Return both, and leave nothing behind, so that a compiler can make one graph of it."""
        with self.autocast():
            loss = self.objective(self.model, batch)
        return detached(loss), torch.autograd.grad(loss.total, self.parameters, allow_unused=True)


def laid_like(parameter: Tensor, gradient: Tensor) -> Tensor:
    """Return `gradient` lying in memory as `parameter` does: fused optimizers ask for it, and `backward` does it."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


class AdamWState(NamedTuple):
    """The state of AdamW for each parameter: its steps, the running means of its gradients and of their squares."""

    steps: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]


def adamw_state(optimizer: torch.optim.AdamW, parameters: list[nn.Parameter]) -> AdamWState:
    """Return the state of `parameters` as the optimizer keeps it; it begins at zero."""
    states = [optimizer.state[p] for p in parameters]
    if not all(states):
        taken = max((float(state["step"]) for state in states if state), default=0.0)
        for p, state in zip(parameters, states, strict=True):
            if not state:
                state["step"] = torch.tensor(taken, device=p.device)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
    return AdamWState(*([state[name] for state in states] for name in ("step", "exp_avg", "exp_avg_sq")))


class AdamWConstants(NamedTuple):
    """The constants of AdamW: its betas, its epsilon and the weight decay of each parameter."""

    betas: tuple[float, float]
    eps: float
    decays: list[float]


def adamw_constants(optimizer: torch.optim.AdamW, parameters: list[nn.Parameter]) -> AdamWConstants:
    """Return the constants by which `optimizer` moves `parameters`."""
    decay_of = {p: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    defaults = optimizer.defaults
    return AdamWConstants(defaults["betas"], defaults["eps"], [decay_of[p] for p in parameters])


def adamw_update(
    parameters: list[nn.Parameter],
    gradients: Sequence[Tensor | None],
    state: AdamWState,
    rate: Tensor,
    update_divisor: Callable[[Tensor], tuple[Tensor, Tensor]],
    constants: AdamWConstants,
) -> None:
    """Take the step of torch's AdamW with clipped gradients, as a function that a compiler can make loops of.

    Parameters
    ----------
    rate : the learning rate, a scalar.
    update_divisor : from the norm of all gradients to what divides them, and to whether that norm is finite.
    """
    (beta1, beta2), eps = constants.betas, constants.eps
    norm = torch.stack([g.float().square().sum() for g in gradients if g is not None]).sum().sqrt()
    divisor, finite = update_divisor(_once(norm))
    share, step = _once(1 / divisor), state.steps[0] + 1
    for taken in state.steps:
        taken.copy_(torch.where(finite, step, taken))
    unbiased, unbiased_square = (-torch.expm1(step * math.log(beta)) for beta in (beta1, beta2))  # 1 - beta^step
    size, scale = _once(rate / unbiased), _once(unbiased_square.rsqrt())
    kept = {decay: _once(1 - rate * decay) for decay in set(constants.decays)}
    for p, g, m, v, decay in zip(parameters, gradients, state.means, state.squares, constants.decays, strict=True):
        if g is None:
            continue
        g = g.to(p.dtype) * share
        mean, square = m.lerp(g, 1 - beta1), v * beta2 + g * g * (1 - beta2)
        moved = p * kept[decay] - size * mean / (square.sqrt() * scale + eps)
        for old, new in ((p, moved), (m, mean), (v, square)):
            old.copy_(torch.where(finite, new, old))


def _once(scalar: Tensor) -> Tensor:
    """Return `scalar` as a reduction: the compiler would compute anything else anew for each entry it goes with."""
    return (scalar * torch.ones(16, dtype=scalar.dtype, device=scalar.device)).amax()


ACCELERATION = Acceleration(update=update)
