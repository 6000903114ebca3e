"""Muon: the steps of weight matrices have nearly equal singular values, so all directions learn at the same speed.

    m <- mu m + (1 - mu) g           u = (1 - mu) g + mu m
    W <- W - lr c 0.2 sqrt(max(rows, columns)) NS(u)

NS, five Newton-Schulz iterations, approximates U V' for u = U S V'. The factor 0.2 sqrt(...) makes the entries of a
step as large as in a step of Adam, and c = 4 enlarges them. A convolution's weight counts as a matrix with one row per
output channel (per input channel, if transposed).

Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024), https://kellerjordan.github.io/posts/muon;
Liu et al., Muon is scalable for LLM training (2025), https://arxiv.org/abs/2502.16982.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
_STEP_FACTOR = 4.0  # c: size of a step, relative to Adam's
_MIN_WIDTH = 32  # smallest number of rows, and of columns, of a matrix
_ITERATIONS, _COEFFICIENTS = 5, (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.AdamW):
    """Muon for parameter groups with `orthogonal: True`, AdamW for the others.

    Parameters
    ----------
    groups : parameter groups, as AdamW takes them.
    dtype : dtype of matrix products in the iterations.
    rest : further arguments of AdamW.
    """

    def __init__(self, groups: list[dict[str, Any]], *, dtype: torch.dtype = torch.float32, **rest: Any) -> None:
        super().__init__(groups, **rest)
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take a step in all groups."""
        for group in self.param_groups:
            if group.get("orthogonal"):
                self._orthogonal_step(group)
        return super().step(closure)

    def __setstate__(self, state: dict[str, Any]) -> None:
        torch.optim.Optimizer.__setstate__(self, state)  # AdamW would look for entries that Muon's states lack

    def _orthogonal_step(self, group: dict[str, Any]) -> None:
        """Take a Muon step in `group`. Its gradients are removed, so that AdamW skips these parameters."""
        skipped, scale = getattr(self, "found_inf", None), getattr(self, "grad_scale", None)
        parameters = [p for p in group["params"] if p.grad is not None]
        gradients = [p.grad for p in parameters]
        for p in parameters:
            p.grad = None
        if skipped is not None and skipped.device.type == "cpu":  # reading it takes no device sync
            if skipped > 0:
                return
            skipped = None
        if scale is not None:
            torch._foreach_mul_(gradients, 1 / scale)
        by_shape: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
        for p, g in zip(parameters, gradients, strict=True):
            state = self.state[p]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(p)
            mean = state["momentum_buffer"]
            if skipped is not None:
                g = torch.where(skipped > 0, mean, g)
            mean.lerp_(g, 1 - _MOMENTUM)
            weights, update = _matrix(p, p), _matrix(g.lerp_(mean, _MOMENTUM), p)
            by_shape.setdefault(tuple(update.shape), []).append((weights, update.to(self.dtype)))
        rate = group["lr"] if skipped is None else group["lr"] * (1 - skipped)
        for shape, pairs in by_shape.items():
            size = rate * _STEP_FACTOR * 0.2 * max(shape) ** 0.5
            updates = orthogonalize(torch.stack([update for _, update in pairs]))
            for (weights, _), update in zip(pairs, updates, strict=True):
                if group["weight_decay"]:
                    weights.mul_(1 - rate * group["weight_decay"])
                weights.sub_(update.mul_(size))


def orthogonalize(matrices: Tensor) -> Tensor:
    """Return approximately U V' for each matrix U S V' (n x rows x columns), computed in its dtype.

    The singular values of the result lie between 0.7 and 1.2.
    """
    x = matrices
    if is_tall := x.shape[1] > x.shape[2]:
        x = x.mT
    x = x / (torch.linalg.matrix_norm(x.float(), keepdim=True) + 1e-7).to(x.dtype)
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x


def is_matrix(parameter: nn.Parameter) -> bool:
    """True if a parameter is a matrix or a convolution's weight, and wide enough for Muon."""
    return parameter.dim() in (2, 4) and min(len(parameter), parameter[0].numel()) >= _MIN_WIDTH


def _matrix(tensor: Tensor, weights: Tensor) -> Tensor:
    """Return `tensor` as rows x columns, ordered as `weights` are in memory, so that the result is a view of them."""
    return tensor.flatten(1) if weights.is_contiguous() else tensor.permute(0, 2, 3, 1).flatten(1)
