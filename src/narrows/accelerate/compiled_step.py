"""A training step compiled by torch: as one graph if possible, otherwise the loss only.

On a CPU, the graph includes the optimizer: AdamW and gradient clipping become a few loops over all entries. On a GPU,
the fused optimizer is a single kernel already.

Gain, on 2 cores with AMX, batches of 128, ms per step: the VAE 784-512-256-16 2.8 instead of 4.7 (at 512 6.0 instead of
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

from narrows.accelerate.base import Acceleration, TrainingStep, autocast, detach_terms, first_line
from narrows.types import Batch

_COMPILER: dict[str, Any] = {"fallback_random": True}  # a compiled step draws the same random numbers as a plain one
_MOST_GRAPHS = 32  # compiled models per process; torch's default is 8


def make_update(step: TrainingStep) -> CompiledStep | None:
    """Return the compiled update of `step`, if the plan says so."""
    return CompiledStep(step) if step.use_compile else None


class CompiledStep:
    """The compiled update by a batch: see `Acceleration.make_update`."""

    def __init__(self, step: TrainingStep) -> None:
        self.model, self.objective, self.add_note = step.model, step.objective, step.add_note
        self.optimizers = list(step.optimizers)
        self.parameters = [p for optimizer in self.optimizers for p in optimizer.parameters]
        self.autocast = functools.partial(autocast, step.device, step.precision)
        optimizer = self.optimizers[0].optimizer
        self.includes_optimizer = (
            step.device.type == "cpu" and len(self.optimizers) == 1 and type(optimizer) is torch.optim.AdamW
        )
        self.rate = torch.zeros((), device=step.device)
        self.constants = adamw_constants(optimizer, self.optimizers[0].parameters)
        self.graph: Callable[..., Any] | None = None
        self.forward: Callable[..., Any] | None = None
        if hasattr(torch._dynamo.config, "trace_autograd_ops"):
            self.graph = self._compile_graph()
        else:
            self._compile_forward()

    def __call__(self, batch: Batch) -> dict[str, Tensor] | None:
        """Do the update by `batch`; return None, without doing anything, if nothing can be compiled."""
        terms = self._run_one_graph(batch) if self.graph is not None else None
        return self._run_in_parts(batch) if terms is None and self.forward is not None else terms

    def _run_one_graph(self, batch: Batch) -> dict[str, Tensor] | None:
        assert self.graph is not None
        inputs: tuple[Any, ...] = ()
        if self.includes_optimizer:
            optimizer = self.optimizers[0].optimizer
            self.rate.fill_(optimizer.param_groups[0]["lr"])
            inputs = self.rate, adamw_state(optimizer, self.parameters)
        try:
            outputs = self._run_graph(batch, *inputs)
        except torch._dynamo.exc.TorchDynamoException as error:  # a user's module may break the graph
            self.graph = None
            self.add_note(f"The step could not be compiled as one graph, and is compiled in parts: {first_line(error)}")
            self._compile_forward()
            return None
        if self.includes_optimizer:
            return outputs
        terms, gradients = outputs
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient if gradient is None else match_strides(parameter, gradient)
        self._step_optimizers()
        return terms

    def _compile_graph(self) -> Callable[..., Any]:
        function = self._full_update if self.includes_optimizer else self._terms_and_gradients
        return torch.compile(function, fullgraph=True, options=_COMPILER)

    def _run_graph(self, *inputs: Any) -> Any:
        assert self.graph is not None
        with torch._dynamo.config.patch(trace_autograd_ops=True, recompile_limit=_MOST_GRAPHS):
            try:
                return self.graph(*inputs)
            except torch._dynamo.exc.FailOnRecompileLimitHit:
                # this process has compiled the maximum number of models: drop their graphs
                for function in (type(self)._full_update, type(self)._terms_and_gradients):
                    torch._dynamo.reset_code(function.__code__)
                self.graph = self._compile_graph()
                return self.graph(*inputs)

    def _run_in_parts(self, batch: Batch) -> dict[str, Tensor] | None:
        assert self.forward is not None
        try:
            with self.autocast():
                loss = self.forward(self.model, batch)
        except torch._dynamo.exc.TorchDynamoException as error:  # for example without Python's C headers
            self.forward = None
            self.add_note(f"The step could not be compiled, and runs uncompiled: {first_line(error)}")
            return None
        loss.total.backward()
        self._step_optimizers()
        return detach_terms(loss)

    def _compile_forward(self) -> None:
        """Compile the loss only. Its backward pass is then compiled separately."""
        self.forward = torch.compile(self.objective, options=_COMPILER)

    def _step_optimizers(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()

    def _full_update(self, batch: Batch, learning_rate: Tensor, state: AdamWState) -> dict[str, Tensor]:
        """Do the update including the optimizer, without breaks in the graph."""
        terms, gradients = self._terms_and_gradients(batch)
        with torch.no_grad():
            update_divisor = self.optimizers[0].clipping.update_divisor
            adamw_update(self.parameters, gradients, state, learning_rate, update_divisor, self.constants)
        return terms

    def _terms_and_gradients(self, batch: Batch) -> tuple[dict[str, Tensor], tuple[Tensor | None, ...]]:
        """Return the loss with its terms, and the gradients, without side effects, so that it compiles to one graph."""
        with self.autocast():
            loss = self.objective(self.model, batch)
        return detach_terms(loss), torch.autograd.grad(loss.total, self.parameters, allow_unused=True)


def match_strides(parameter: Tensor, gradient: Tensor) -> Tensor:
    """Return `gradient` with the strides of `parameter`, as `backward` does, because fused optimizers need it."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


class AdamWState(NamedTuple):
    """The state of AdamW per parameter: step counts, running means of the gradients and of their squares."""

    steps: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]


def adamw_state(optimizer: torch.optim.AdamW, parameters: list[nn.Parameter]) -> AdamWState:
    """Return the optimizer's state of `parameters`, without copies. Missing entries are initialised."""
    states = [optimizer.state[p] for p in parameters]
    if not all(states):
        n_steps = max((float(state["step"]) for state in states if state), default=0.0)
        for p, state in zip(parameters, states, strict=True):
            if not state:
                state["step"] = torch.tensor(n_steps, device=p.device)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
    return AdamWState(*([state[name] for state in states] for name in ("step", "exp_avg", "exp_avg_sq")))


class AdamWConstants(NamedTuple):
    """The constants of AdamW: betas, epsilon, and the weight decay of each parameter."""

    betas: tuple[float, float]
    eps: float
    decays: list[float]


def adamw_constants(optimizer: torch.optim.AdamW, parameters: list[nn.Parameter]) -> AdamWConstants:
    """Return the constants of `optimizer` for `parameters`."""
    decay_of = {p: group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    defaults = optimizer.defaults
    return AdamWConstants(defaults["betas"], defaults["eps"], [decay_of[p] for p in parameters])


def adamw_update(
    parameters: list[nn.Parameter],
    gradients: Sequence[Tensor | None],
    state: AdamWState,
    learning_rate: Tensor,
    update_divisor: Callable[[Tensor], tuple[Tensor, Tensor]],
    constants: AdamWConstants,
) -> None:
    """Take a step of AdamW with clipped gradients, as torch does, in operations that a compiler can fuse.

    Parameters
    ----------
    gradients : gradients of `parameters`; None for a parameter that the loss does not use.
    learning_rate : learning rate, a scalar tensor.
    update_divisor : function from the norm of all gradients to their divisor, and to whether the norm is finite.
    """
    (beta1, beta2), eps = constants.betas, constants.eps
    norm = torch.stack([g.float().square().sum() for g in gradients if g is not None]).sum().sqrt()
    divisor, finite = update_divisor(_as_reduction(norm))
    scale, step = _as_reduction(1 / divisor), state.steps[0] + 1
    for count in state.steps:
        count.copy_(torch.where(finite, step, count))
    unbiased, unbiased_square = (-torch.expm1(step * math.log(beta)) for beta in (beta1, beta2))  # 1 - beta^step
    size, root_scale = _as_reduction(learning_rate / unbiased), _as_reduction(unbiased_square.rsqrt())
    shrink = {decay: _as_reduction(1 - learning_rate * decay) for decay in set(constants.decays)}
    for p, g, m, v, decay in zip(parameters, gradients, state.means, state.squares, constants.decays, strict=True):
        if g is None:
            continue
        g = g.to(p.dtype) * scale
        mean, square = m.lerp(g, 1 - beta1), v * beta2 + g * g * (1 - beta2)
        updated = p * shrink[decay] - size * mean / (square.sqrt() * root_scale + eps)
        for old, new in ((p, updated), (m, mean), (v, square)):
            old.copy_(torch.where(finite, new, old))


def _as_reduction(scalar: Tensor) -> Tensor:
    """Return `scalar` as the result of a reduction. Otherwise the compiler would recompute it for each entry."""
    return (scalar * torch.ones(16, dtype=scalar.dtype, device=scalar.device)).amax()


ACCELERATION = Acceleration(make_update=make_update)
