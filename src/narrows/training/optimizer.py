"""The optimizers, and the clipping of their gradients."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from narrows.training.muon import Muon, is_matrix
from narrows.training.parallel import is_sharded, shard_like, total_norm

_BETAS, _EPS = (0.9, 0.999), 1e-8
_OPPONENT_BETAS = (0.5, 0.9)


class GradientClipping:
    """Limits the norm of the gradients to `ratio` times its running mean, and skips non-finite steps.

    Losses are sums over entries, so the size of gradients depends on the data, and a fixed limit would not fit. The
    fused optimizer divides by `grad_scale` and skips by `found_inf`, so clipping costs one pass over the gradients and
    no device sync.

    Attributes
    ----------
    mean : running mean of the norm, a scalar on the device; 0 before the first step.
    """

    ratio = 2.0
    decay = 0.98

    def __init__(self, parameters: list[nn.Parameter], device: torch.device) -> None:
        self.parameters = parameters
        self.mean = torch.zeros((), device=device)

    @torch.no_grad()
    def clip(self, optimizer: torch.optim.Optimizer) -> None:
        """Set the divisor of this step's gradients in `optimizer`."""
        norm = total_norm([p.grad for p in self.parameters if p.grad is not None]).float()
        optimizer.grad_scale, finite = self.update_divisor(norm)  # type: ignore[attr-defined]
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]

    def update_divisor(self, norm: Tensor) -> tuple[Tensor, Tensor]:
        """Return the divisor of gradients with this norm, and whether the norm is finite; update the running mean."""
        finite = torch.isfinite(norm)
        first = self.mean == 0
        limit = torch.where(first, norm, self.ratio * self.mean)
        clipped = torch.minimum(norm, limit)
        mean = torch.where(finite, torch.where(first, clipped, torch.lerp(clipped, self.mean, self.decay)), self.mean)
        self.mean.copy_(mean)  # in place, because a CUDA graph keeps its address
        return (norm / limit).clamp(min=1.0).nan_to_num(1.0, 1.0, 1.0), finite


class ClippedOptimizer:
    """An optimizer with gradient clipping.

    Parameters
    ----------
    optimizer : fused optimizer of `parameters`.
    """

    def __init__(self, optimizer: torch.optim.AdamW, parameters: list[nn.Parameter], device: torch.device) -> None:
        self.optimizer, self.parameters = optimizer, parameters
        self.clipping = GradientClipping(parameters, device)

    def set_learning_rate(self, rate: float) -> None:
        """Set the learning rate, in place if it is a tensor."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def step(self) -> None:
        """Clip the gradients, update the parameters, and drop the gradients."""
        self.clipping.clip(self.optimizer)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def reset(self) -> None:
        """Drop the state of the optimizer."""
        self.optimizer.state.clear()

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores: tensors by parameter number and entry, and the running mean of the norm."""
        state = self.optimizer.state_dict()["state"]
        tensors = {f"{i}.{key}": torch.as_tensor(v) for i, entry in state.items() for key, v in entry.items()}
        return {"tensors": tensors, "norm": self.clipping.mean}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        entries: dict[int, dict[str, Tensor]] = {}
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        for name, tensor in state["tensors"].items():
            number, key = name.split(".", 1)
            like = parameters[int(number)]
            entries.setdefault(int(number), {})[key] = (
                _match_layout(tensor, like) if tensor.shape == like.shape else tensor
            )
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": entries})
        self.clipping.mean = state["norm"].to(self.clipping.mean.device)


def opponent_adamw(parameters: list[nn.Parameter], *, capturable: bool = False) -> torch.optim.AdamW:
    """Return AdamW for opponents, the networks that are trained against the model, without weight decay.

    Its momentum is smaller than the model's; otherwise the two would oscillate (Radford, Metz and Chintala,
    Unsupervised representation learning with deep convolutional generative adversarial networks, 2016,
    https://arxiv.org/abs/1511.06434).
    """
    return torch.optim.AdamW(_groups(parameters, 0.0), **{**_fused(parameters, capturable), "betas": _OPPONENT_BETAS})


def parameters_without_decay(modules: Iterable[nn.Module]) -> set[nn.Parameter]:
    """Return the parameters that the parts of `modules` name in `no_decay`: values, such as a prior's means.

    They are no weights of a network: pulling them to 0 favours nothing, and their rows are no directions.
    """
    return {getattr(m, name) for module in modules for m in module.modules() for name in getattr(m, "no_decay", ())}


def adamw(
    parameters: list[nn.Parameter],
    decay: float,
    *,
    capturable: bool = False,
    no_decay: Collection[nn.Parameter] = (),
) -> torch.optim.AdamW:
    """Return AdamW (Loshchilov and Hutter, 2019, https://arxiv.org/abs/1711.05101), in one fused pass over parameters.

    Matrices decay; biases, other vectors and the parameters in `no_decay` do not. The learning rate is set at each
    step. With `capturable`, for CUDA graphs, it is a tensor on the device.
    """
    return torch.optim.AdamW(_groups(parameters, decay, no_decay), **_fused(parameters, capturable))


def muon(
    parameters: list[nn.Parameter],
    decay: float,
    *,
    capturable: bool = False,
    no_decay: Collection[nn.Parameter] = (),
    dtype: torch.dtype = torch.float32,
) -> Muon:
    """Return Muon for wide matrices, with products in `dtype`, and `adamw` for the rest. Both share a learning rate."""
    matrices = [p for p in parameters if is_matrix(p) and p not in no_decay]
    rest = set(parameters) - set(matrices)
    groups = _groups([p for p in parameters if p in rest], decay, no_decay)
    if matrices:
        groups = [{"params": matrices, "weight_decay": decay, "orthogonal": True}, *groups]
    return Muon(groups, dtype=dtype, **_fused(parameters, capturable))


def _groups(
    parameters: list[nn.Parameter], decay: float, no_decay: Collection[nn.Parameter] = ()
) -> list[dict[str, Any]]:
    decays = {p for p in parameters if p.dim() > 1 and p not in no_decay}
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p in decays], "weight_decay": decay},
        {"params": [p for p in parameters if p.dim() > 0 and p not in decays], "weight_decay": 0.0},
        {"params": [p for p in parameters if p.dim() == 0], "weight_decay": 0.0},  # these are never sharded
    ]
    return [group for group in groups if group["params"]]


def _fused(parameters: list[nn.Parameter], capturable: bool) -> dict[str, Any]:
    rate = torch.zeros((), device=parameters[0].device) if capturable else 0.0
    return {"lr": rate, "betas": _BETAS, "eps": _EPS, "fused": True, "capturable": capturable}


def _match_layout(tensor: Tensor, like: Tensor) -> Tensor:
    """Return `tensor` with the strides of a parameter, because the fused optimizer reads both in memory order."""
    if is_sharded(like):
        return shard_like(tensor, like)
    return torch.empty_like(like, dtype=tensor.dtype, device=tensor.device, requires_grad=False).copy_(tensor)
