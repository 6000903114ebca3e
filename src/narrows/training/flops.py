"""The floating-point operations of a step, counted by watching a pass: epochs, threads, compilation rest on them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from narrows.data import Examples
from narrows.model import Autoencoder, needs_gradient
from narrows.objectives import Objective
from narrows.training.rng import RandomStream, draws_globally
from narrows.types import Batch

_COMPILED_SAVES, _COMPILED_CONVOLUTIONS_SAVE = 0.35, 0.1  # of a training's time (docs/negative-results.md)


def flops_per_example(model: Autoencoder, objective: Objective, rows: Examples) -> float:
    """Count the floating-point operations that one example costs a step: those forward, and twice as many backward.

    Parameters
    ----------
    objective : of whose pass over two examples the products are counted.
    rows : the examples, where the training has them.
    """
    counted = 0.0

    def count(module: nn.Module, given: tuple[object, ...], out: object) -> None:
        nonlocal counted
        weights = [p for p in module.parameters(recurse=False) if p.dim() > 1]
        image = given[0] if isinstance(module, nn.ConvTranspose2d) else out  # the smaller one, of two
        if isinstance(out, Tensor) and isinstance(image, Tensor):
            # each weight meets each example once, in a convolution once at each place of the image
            counted += sum(2 * w.numel() * len(out) * (image[0, 0].numel() if w.dim() > 2 else 1) for w in weights)

    hooks = [module.register_forward_hook(count) for part in (model, objective) for module in part.modules()]
    device = next(model.parameters()).device  # the CPU, where the model will be sharded
    stream = RandomStream(0, rows.device, draws_globally(model, objective))
    with stream.use(), torch.set_grad_enabled(needs_gradient(model)):
        batch = rows.batch(torch.arange(2, device=rows.device))
        batch = Batch._make(None if part is None else part.to(device) for part in batch)
        if objective.neighbors is not None:  # they are yet to be found: the examples stand in for them
            batch = batch._replace(neighbor=batch.x)
        objective.eval()(model.eval(), batch)
    for hook in hooks:
        hook.remove()
    return 3 * counted / 2


def saved_by_compiling(model: Autoencoder, device: torch.device) -> float:
    """The share of a training's time that compiling its step saves; what convolutions take on a CPU stays theirs."""
    if device.type != "cpu":
        return _COMPILED_SAVES
    if any(getattr(part, "slower_compiled", False) for part in model.modules()):
        return 0.0
    return _COMPILED_CONVOLUTIONS_SAVE if any(p.dim() > 2 for p in model.parameters()) else _COMPILED_SAVES
