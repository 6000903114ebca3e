"""The optimizer, and the limit on its gradients."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from narrows.training.muon import Muon, is_matrix
from narrows.training.parallel import is_sharded, shard_like, total_norm

_BETAS, _EPS = (0.9, 0.999), 1e-8
_OPPONENT_BETAS = (0.5, 0.9)


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

    def state(self) -> dict[str, Any]:
        """For a checkpoint: tensors named by parameter number and entry, and the running norm of the gradients."""
        state = self.optimizer.state_dict()["state"]
        tensors = {f"{i}.{key}": torch.as_tensor(v) for i, entry in state.items() for key, v in entry.items()}
        return {"tensors": tensors, "norm": self.clipping.mean}

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        entries: dict[int, dict[str, Tensor]] = {}
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        for name, tensor in state["tensors"].items():
            number, key = name.split(".", 1)
            like = parameters[int(number)]
            entries.setdefault(int(number), {})[key] = _beside(tensor, like) if tensor.shape == like.shape else tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": entries})
        self.clipping.mean = state["norm"].to(self.clipping.mean.device)


def opponent_adamw(parameters: list[nn.Parameter], *, capturable: bool = False) -> torch.optim.AdamW:
    """AdamW for the networks that play against the model, without weight decay.

    Its momentum is less than the model's, or the two would circle about each other (Radford, Metz and Chintala,
    Unsupervised representation learning with deep convolutional generative adversarial networks, 2016,
    https://arxiv.org/abs/1511.06434).
    """
    return torch.optim.AdamW(_groups(parameters, 0.0), **{**_fused(parameters, capturable), "betas": _OPPONENT_BETAS})


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


def _beside(tensor: Tensor, like: Tensor) -> Tensor:
    """Return `tensor` in the order in memory of a parameter: the fused optimizer goes through both at once."""
    if is_sharded(like):
        return shard_like(tensor, like)
    return torch.empty_like(like, dtype=tensor.dtype, device=tensor.device, requires_grad=False).copy_(tensor)
