"""The optimizer, and the limit on its gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from narrows.model import Autoencoder
from narrows.training.device import Choice
from narrows.training.muon import Muon, is_matrix
from narrows.training.sharding import total_norm

_BETAS, _EPS = (0.9, 0.999), 1e-8


def choose_decay(asked: float | str, model: Autoencoder) -> tuple[float, Choice]:
    """The weight decay asked for, or what did best on held-out Fashion-MNIST (docs/negative-results.md)."""
    if not isinstance(asked, str):
        return asked, Choice("weight_decay", f"{asked:g}", "as asked")
    decay, reason = model.bottleneck.weight_decay
    return decay, Choice("weight_decay", f"{decay:g}", reason)


class GradientLimit:
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
        """What to divide gradients of that norm by, and whether it is finite; the running mean goes on by it."""
        finite = torch.isfinite(norm)
        first = self.mean == 0
        limit = torch.where(first, norm, self.ratio * self.mean)
        held = torch.minimum(norm, limit)
        mean = torch.where(finite, torch.where(first, held, torch.lerp(held, self.mean, self.decay)), self.mean)
        self.mean.copy_(mean)  # in place: a recorded step finds it there
        return (norm / limit).clamp(min=1.0).nan_to_num(1.0, 1.0, 1.0), finite


class OpponentOptimizer:
    """The optimizer of the networks that play against the model, with a limit on gradients of its own.

    Its momentum is less than the model's, or the two would circle about each other (Radford, Metz and Chintala,
    Unsupervised representation learning with deep convolutional generative adversarial networks, 2016,
    https://arxiv.org/abs/1511.06434).
    """

    betas = (0.5, 0.9)

    def __init__(self, parameters: list[nn.Parameter], device: torch.device, *, recorded: bool) -> None:
        options = {**_fused(parameters, recorded), "betas": self.betas}
        self.optimizer = torch.optim.AdamW(_groups(parameters, 0.0), **options)
        self.limiter = GradientLimit(parameters, device)

    def step(self) -> None:
        """Move the parameters by the gradients that they hold, and forget those."""
        self.limiter.limit(self.optimizer)
        self.optimizer.step()
        self.optimizer.zero_grad()


def adamw(parameters: list[nn.Parameter], decay: float, *, recorded: bool = False) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101), in one fused pass over all parameters.

    Weights decay; biases and other vectors do not. The learning rate is set at each step; one that is `recorded` on a
    device reads it there.
    """
    return torch.optim.AdamW(_groups(parameters, decay), **_fused(parameters, recorded))


def muon(
    parameters: list[nn.Parameter], decay: float, *, recorded: bool = False, dtype: torch.dtype = torch.float32
) -> Muon:
    """Muon for wide matrices, by products in `dtype`, and `adamw` for the rest, whose learning rate is the one set."""
    matrices = [p for p in parameters if is_matrix(p)]
    groups = _groups([p for p in parameters if not is_matrix(p)], decay)
    if matrices:
        groups = [{"params": matrices, "weight_decay": decay, "orthogonal": True}, *groups]
    return Muon(groups, dtype=dtype, **_fused(parameters, recorded))


class Moments(NamedTuple):
    """What AdamW remembers of each parameter: its steps, the running means of its gradients and of their squares."""

    steps: list[Tensor]
    means: list[Tensor]
    squares: list[Tensor]


def moments(optimizer: torch.optim.AdamW, parameters: list[nn.Parameter]) -> Moments:
    """Those of `parameters`, as the optimizer keeps them; they begin at zero."""
    states = [optimizer.state[p] for p in parameters]
    if not all(states):
        taken = max((float(state["step"]) for state in states if state), default=0.0)
        for p, state in zip(parameters, states, strict=True):
            if not state:
                state["step"] = torch.tensor(taken, device=p.device)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
    return Moments(*([state[name] for state in states] for name in ("step", "exp_avg", "exp_avg_sq")))


def move(
    parameters: list[nn.Parameter],
    gradients: Sequence[Tensor | None],
    found: Moments,
    rate: Tensor,
    limiter: GradientLimit,
    decays: list[float],
) -> None:
    """The step that `adamw` takes within the limit of `limiter`, as a function that a compiler can make loops of.

    Parameters
    ----------
    rate : the learning rate, a scalar.
    decays : of each parameter.
    """
    (beta1, beta2), eps = _BETAS, _EPS
    norm = torch.stack([g.float().square().sum() for g in gradients if g is not None]).sum().sqrt()
    divisor, finite = limiter.divisor(_once(norm))
    share, step = _once(1 / divisor), found.steps[0] + 1
    for taken in found.steps:
        taken.copy_(torch.where(finite, step, taken))
    unbiased, unbiased_square = (-torch.expm1(step * math.log(beta)) for beta in _BETAS)  # 1 - beta^step
    size, scale = _once(rate / unbiased), _once(unbiased_square.rsqrt())
    kept = {decay: _once(1 - rate * decay) for decay in set(decays)}
    for p, g, m, v, decay in zip(parameters, gradients, found.means, found.squares, decays, strict=True):
        if g is None:
            continue
        g = g.to(p.dtype) * share
        mean, square = m.lerp(g, 1 - beta1), v * beta2 + g * g * (1 - beta2)
        moved = p * kept[decay] - size * mean / (square.sqrt() * scale + eps)
        for old, new in ((p, moved), (m, mean), (v, square)):
            old.copy_(torch.where(finite, new, old))


def _once(scalar: Tensor) -> Tensor:
    """`scalar` as a reduction: torch's compiler would compute anything else anew for each entry that it goes with."""
    return (scalar * torch.ones(16, dtype=scalar.dtype, device=scalar.device)).amax()


def _groups(parameters: list[nn.Parameter], decay: float) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
        {"params": [p for p in parameters if p.dim() == 0], "weight_decay": 0.0},  # these are never shared out
    ]
    return [group for group in groups if group["params"]]


def _fused(parameters: list[nn.Parameter], recorded: bool) -> dict[str, Any]:
    rate = torch.zeros((), device=parameters[0].device) if recorded else 0.0
    return {"lr": rate, "betas": _BETAS, "eps": _EPS, "fused": True, "capturable": recorded}
