"""Muon: weight matrices take steps whose singular values are all alike, so that no direction waits for the others.

    m <- mu m + (1 - mu) g           u = (1 - mu) g + mu m
    W <- W - lr c 0.2 sqrt(max(rows, columns)) NS(u)

NS, five Newton-Schulz iterations, gives about U V' for u = U S V'; 0.2 sqrt(...) makes the entries of a step as large
as those of Adam's, and c = 4 is how much larger they may be here. A convolution's weight counts as a matrix of as many
rows as it has outputs (inputs, if transposed).

Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024), https://kellerjordan.github.io/posts/muon;
Liu et al., Muon is scalable for LLM training (2025), https://arxiv.org/abs/2502.16982.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
_LARGER = 4.0  # than a step of Adam
_NARROWEST = 32  # rows and columns of a matrix that is worth it
_ITERATIONS, _COEFFICIENTS = 5, (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.AdamW):
    """AdamW, but for the groups that say `orthogonal`.

    Parameters
    ----------
    groups : as AdamW takes them; one may say `orthogonal`.
    dtype : of the iterations' products.
    """

    def __init__(self, groups: list[dict[str, Any]], *, dtype: torch.dtype = torch.float32, **rest: Any) -> None:
        super().__init__(groups, **rest)
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """A step of all groups."""
        for group in self.param_groups:
            if group.get("orthogonal"):
                self._turn(group)
        return super().step(closure)

    def __setstate__(self, state: dict[str, Any]) -> None:
        torch.optim.Optimizer.__setstate__(self, state)  # what AdamW looks for in states is not in those of Muon

    def _turn(self, group: dict[str, Any]) -> None:
        """A step of the parameters in `group`, whose gradients are used up by it."""
        skipped, scale = getattr(self, "found_inf", None), getattr(self, "grad_scale", None)
        found = [p for p in group["params"] if p.grad is not None]
        gradients = [p.grad for p in found]
        for p in found:
            p.grad = None
        if skipped is not None and skipped.device.type == "cpu":  # where to look takes no waiting
            if skipped > 0:
                return
            skipped = None
        if scale is not None:
            torch._foreach_mul_(gradients, 1 / scale)
        alike: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
        for p, g in zip(found, gradients, strict=True):
            state = self.state[p]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(p)
            mean = state["momentum_buffer"]
            if skipped is not None:
                g = torch.where(skipped > 0, mean, g)
            mean.lerp_(g, 1 - _MOMENTUM)
            weights, update = _matrix(p, p), _matrix(g.lerp_(mean, _MOMENTUM), p)
            alike.setdefault(tuple(update.shape), []).append((weights, update.to(self.dtype)))
        rate = group["lr"] if skipped is None else group["lr"] * (1 - skipped)
        for shape, pairs in alike.items():
            size = rate * _LARGER * 0.2 * max(shape) ** 0.5
            turned = orthogonal(torch.stack([update for _, update in pairs]))
            for (weights, _), update in zip(pairs, turned, strict=True):
                if group["weight_decay"]:
                    weights.mul_(1 - rate * group["weight_decay"])
                weights.sub_(update.mul_(size))


def orthogonal(matrices: Tensor) -> Tensor:
    """About U V' for each of the matrices U S V' (n x rows x columns), by products in their dtype.

    The singular values come to lie between 0.7 and 1.2.
    """
    x = matrices
    if upright := x.shape[1] > x.shape[2]:
        x = x.mT
    x = x / (torch.linalg.matrix_norm(x.float(), keepdim=True) + 1e-7).to(x.dtype)
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if upright else x


def is_matrix(parameter: nn.Parameter) -> bool:
    """Whether a parameter is wide enough for steps of this kind."""
    return parameter.dim() in (2, 4) and min(len(parameter), parameter[0].numel()) >= _NARROWEST


def _matrix(tensor: Tensor, weights: Tensor) -> Tensor:
    """Rows x columns, these in the order that the weights have in memory, so that theirs are a view."""
    return tensor.flatten(1) if weights.is_contiguous() else tensor.permute(0, 2, 3, 1).flatten(1)
