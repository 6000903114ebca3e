"""Forecast of a training: the network, its size, and about how much memory and time `narrows fit` takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from narrows.data import Schema
    from narrows.estimators import Estimator
    from narrows.model import Autoencoder
    from narrows.training.device import Choice
    from narrows.training.plan import Plan

_SAMPLE = 64  # rows with which a step is tried
_WEIGHT_BYTES = 16  # a weight, its gradient and two moments, in float32
_VECTOR_FLOPS = 12  # forward, backward, and twice for what is not a product, as in the plan
_STEP_FACTOR = 3  # outputs of layers, their gradients and temporary copies


@dataclass(frozen=True)
class Forecast:
    """The model that a training would start with, and what it takes.

    Attributes
    ----------
    schema : what the model sees.
    likelihood : name of the likelihood.
    n_parameters : number of weights.
    choices : decisions of the recipe: network, likelihood, ...
    plan : decisions of the training.
    data_bytes, model_bytes, step_bytes : memory of the encoded rows, of the weights with gradients and moments, and of
        the layers' outputs in a step.
    seconds : about the longest time that the training takes.
    """

    schema: Schema
    likelihood: str
    n_parameters: int
    choices: tuple[Choice, ...]
    plan: Plan
    data_bytes: int
    model_bytes: int
    step_bytes: int
    seconds: float

    @property
    def total_bytes(self) -> int:
        """Memory of all parts, in bytes."""
        return self.data_bytes + self.model_bytes + self.step_bytes

    def describe_memory(self) -> str:
        """Return one line about the memory, such as "about 1.2 GB (1.1 GB for 68,000,000 weights, ...)"."""
        from narrows.training.memory import format_bytes

        total, model, step, data = map(
            format_bytes, (self.total_bytes, self.model_bytes, self.step_bytes, self.data_bytes)
        )
        return (
            f"about {total}: {model} for {self.n_parameters:,} weights with their gradients and moments, {step} for a "
            f"step of {self.plan.batch_size} examples, {data} for the data"
        )

    def describe_time(self) -> str:
        """Return one line about the time, such as "at most about 40 s (12,000 steps)"."""
        from narrows.training.progress_displays import format_seconds

        return (
            f"at most about {format_seconds(max(1.0, self.seconds))} on {self.plan.place.device} "
            f"({self.plan.n_epochs} epochs, {self.plan.n_steps:,} steps); it ends when the held-out loss stops falling"
        )


def forecast(model: Estimator, X: Any, y: Any = None) -> Forecast:
    """Build the model that `model.fit(X, y)` would train, and plan its training. Nothing is trained.

    Raises ValueError or TypeError if `fit` would.
    """
    import numpy as np
    import torch

    from narrows.data import Rows
    from narrows.training.plan import choose_place, make_plan
    from narrows.training.plan_inputs import gather_plan_inputs

    rows = model._start_fit(X)
    labels = model._label_indices(y, len(rows))
    parts = model._assemble(0, len(rows))
    n_parameters = sum(p.numel() for p in parts.model.parameters())
    settings = model.settings(0, checkpoint=None, track=None)
    place = choose_place(settings, n_parameters, 1, {})
    net, objective = parts.model.to(place.device, place.dtype), parts.objective.to(place.device, place.dtype)
    index = np.linspace(0, len(rows) - 1, min(_SAMPLE, len(rows))).astype(int)
    sample_labels = None if labels is None else labels[index]
    sample = Rows(np.ascontiguousarray(rows[index]), model.schema_, place.device, place.dtype, sample_labels)
    inputs = replace(gather_plan_inputs(net, objective, sample, place.precision, 1, {}), n_rows=len(rows))
    plan = make_plan(settings, place, inputs, type(model).__name__)
    with torch.no_grad():
        n_outputs = _count_outputs(net, sample.batch(torch.zeros(1, dtype=torch.long, device=place.device)).x)
    # products of the likelihood itself, for columns of very many levels: the plan does not count them
    n_vectors = sum(p.numel() for p in net.likelihood.parameters() if p.dim() > 1)
    n_outputs += sum(column.n_levels for column in model.schema_.used_columns)
    seconds = plan.seconds + plan.n_steps * plan.batch_size * _VECTOR_FLOPS * n_vectors / inputs.matmul_flops_per_second
    return Forecast(
        model.schema_,
        net.likelihood.name,
        n_parameters,
        parts.choices,
        plan,
        int(rows.nbytes),
        _WEIGHT_BYTES * n_parameters,
        _STEP_FACTOR * 4 * n_outputs * plan.batch_size,
        min(seconds, settings.max_time or math.inf),
    )


def _count_outputs(model: Autoencoder, x: Any) -> int:
    """Return how many numbers the layers give for one example."""
    import torch

    total = 0

    def count(_: nn.Module, __: Any, out: Any) -> None:
        nonlocal total
        total += out.numel() if isinstance(out, torch.Tensor) else 0

    hooks = [part.register_forward_hook(count) for part in model.modules() if not list(part.children())]
    model.eval().reconstruct(x)
    for hook in hooks:
        hook.remove()
    return total
