"""The optimizer, and the limit on its gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from narrows.bottlenecks import Gaussian, Sparse
from narrows.model import Autoencoder
from narrows.training.device import Choice
from narrows.training.muon import Muon, is_matrix
from narrows.training.sharding import total_norm

_BETAS, _EPS = (0.9, 0.999), 1e-8


def choose_decay(asked: float | str, model: Autoencoder) -> tuple[float, Choice]:
    """The weight decay asked for, or what did best on held-out Fashion-MNIST (docs/negative-results.md)."""
    if not isinstance(asked, str):
        return asked, Choice("weight_decay", f"{asked:g}", "as asked")
    if isinstance(model.bottleneck, Sparse):
        return 0.1, Choice("weight_decay", "0.1", "a sparse code: more of it lets units die")
    if isinstance(model.bottleneck, Gaussian):
        return 0.03, Choice("weight_decay", "0.03", "the noise of a stochastic code keeps from over-fitting already")
    return 0.3, Choice("weight_decay", "0.3", "against over-fitting; 0 for the exact optimum of a small model")


class GradientClipping:
    """Holds a gradient's norm under `ratio` times its running mean, and skips steps whose gradient is not finite.

    The losses here are sums over entries, so their gradients have no natural size, and a fixed limit would mean
    something else for each data set. The fused optimizer divides by `grad_scale` and heeds `found_inf` on its way, so
    the limit costs one pass over the gradients and no wait for the device.
    """

    ratio = 2.0
    decay = 0.98

    def __init__(self, parameters: list[nn.Parameter], device: torch.device) -> None:
        self.parameters = parameters
        self.mean = torch.zeros((), device=device)

    @torch.no_grad()
    def limit(self, optimizer: torch.optim.Optimizer) -> None:
        """Tell `optimizer` what to divide this step's gradients by."""
        norm = total_norm([p.grad for p in self.parameters if p.grad is not None]).float()
        optimizer.grad_scale, finite = self.divisor(norm)  # type: ignore[attr-defined]
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]

    def divisor(self, norm: Tensor) -> tuple[Tensor, Tensor]:
        """Return what to divide gradients of that norm by, and whether it is finite; the running mean goes on by it."""
        finite = torch.isfinite(norm)
        first = self.mean == 0
        limit = torch.where(first, norm, self.ratio * self.mean)
        held = torch.minimum(norm, limit)
        mean = torch.where(finite, torch.where(first, held, torch.lerp(held, self.mean, self.decay)), self.mean)
        self.mean.copy_(mean)  # in place: a recorded step finds it there
        return (norm / limit).clamp(min=1.0).nan_to_num(1.0, 1.0, 1.0), finite


class ClippedOptimizer:
    """An optimizer and the limit on its gradients.

    Parameters
    ----------
    optimizer : of `parameters`, a fused one.
    """

    def __init__(self, optimizer: torch.optim.AdamW, parameters: list[nn.Parameter], device: torch.device) -> None:
        self.optimizer, self.parameters = optimizer, parameters
        self.clipping = GradientClipping(parameters, device)

    def set_rate(self, rate: float) -> None:
        """Set the learning rate; one that lies on the device is written there."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def step(self) -> None:
        """Move the parameters by the gradients that they hold, and drop those."""
        self.clipping.limit(self.optimizer)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def restart(self) -> None:
        """Forget what the optimizer has gathered."""
        self.optimizer.state.clear()


def adamw(parameters: list[nn.Parameter], decay: float, *, capturable: bool = False) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101), in one fused pass over all parameters.

    Weights decay; biases and other vectors do not. The learning rate is set at each step; one that a
    CUDA graph can capture (`capturable`) reads it on the device.
    """
    return torch.optim.AdamW(_groups(parameters, decay), **_fused(parameters, capturable))


def muon(
    parameters: list[nn.Parameter], decay: float, *, capturable: bool = False, dtype: torch.dtype = torch.float32
) -> Muon:
    """Muon for wide matrices, by products in `dtype`, and `adamw` for the rest, whose learning rate is the one set."""
    matrices = [p for p in parameters if is_matrix(p)]
    groups = _groups([p for p in parameters if not is_matrix(p)], decay)
    if matrices:
        groups = [{"params": matrices, "weight_decay": decay, "orthogonal": True}, *groups]
    return Muon(groups, dtype=dtype, **_fused(parameters, capturable))


def _groups(parameters: list[nn.Parameter], decay: float) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
        {"params": [p for p in parameters if p.dim() == 0], "weight_decay": 0.0},  # these are never shared out
    ]
    return [group for group in groups if group["params"]]


def _fused(parameters: list[nn.Parameter], capturable: bool) -> dict[str, Any]:
    rate = torch.zeros((), device=parameters[0].device) if capturable else 0.0
    return {"lr": rate, "betas": _BETAS, "eps": _EPS, "fused": True, "capturable": capturable}
