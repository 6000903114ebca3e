"""Counts what a step computes and keeps with forward hooks, for the choice of epochs, threads and compilation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from narrows.data import Examples
from narrows.model import Autoencoder, needs_gradient
from narrows.objectives import Objective
from narrows.training.rng import RandomStream, draws_globally

_COMPILED_SAVES, _COMPILED_CONVOLUTIONS_SAVE = 0.35, 0.1  # shares of a training's time (docs/negative-results.md)


class Costs(NamedTuple):
    """Costs of a step for each example.

    Attributes
    ----------
    flops : floating-point operations. The backward pass counts as two forward passes.
    kept : numbers that are kept for the backward pass, at least: the inputs of the layers with weights.
    """

    flops: float
    kept: int


def count_costs(model: Autoencoder, objective: Objective, rows: Examples) -> Costs:
    """Count the costs of a step per example.

    Parameters
    ----------
    objective : the objective; its matrix products in a pass over two examples are counted.
    rows : the examples, on the device of the training.
    """
    flops = 0.0
    kept: dict[int, Tensor] = {}  # by address; they stay, so that no address is used twice

    def count(module: nn.Module, inputs: tuple[object, ...], out: object) -> None:
        nonlocal flops
        weights = [p for p in module.parameters(recurse=False) if p.dim() > 1]
        if any(p.requires_grad for p in weights) and isinstance(inputs[0], Tensor):
            kept[inputs[0].data_ptr()] = inputs[0]
        image = inputs[0] if isinstance(module, nn.ConvTranspose2d) else out  # the smaller one of input and output
        if isinstance(out, Tensor) and isinstance(image, Tensor):
            # a weight multiplies once per example; in a convolution, once per example and pixel
            flops += sum(2 * w.numel() * len(out) * (image[0, 0].numel() if w.dim() > 2 else 1) for w in weights)

    hooks = [module.register_forward_hook(count) for part in (model, objective) for module in part.modules()]
    device = next(model.parameters()).device  # the CPU if the model will be sharded
    stream = RandomStream(0, rows.device, draws_globally(model, objective))
    with stream.use(), torch.set_grad_enabled(needs_gradient(model)):
        batch = rows.batch(torch.arange(2, device=rows.device) % len(rows)).to(device)
        if objective.neighbors is not None:  # neighbors are not known yet: use the examples themselves
            batch = batch._replace(neighbor=batch.x)
        objective.eval()(model.eval(), batch)
    for hook in hooks:
        hook.remove()
    return Costs(3 * flops / 2, sum(part.numel() for part in kept.values()) // 2)


def compile_saving(model: Autoencoder, device: torch.device) -> float:
    """Return the share of a training's time that compilation saves, in [0, 1]. CPU convolutions gain little."""
    if device.type != "cpu":
        return _COMPILED_SAVES
    if any(getattr(part, "slower_compiled", False) for part in model.modules()):
        return 0.0
    return _COMPILED_CONVOLUTIONS_SAVE if any(p.dim() > 2 for p in model.parameters()) else _COMPILED_SAVES
