"""A model that does not fit one device: each process keeps a share of every weight, gradient and optimizer state.

A block's weights are brought together for the moment in which it computes (fully sharded data parallel, FSDP): Zhao et
al., PyTorch FSDP (2023), https://arxiv.org/abs/2304.11277. Buffers and single numbers stay whole everywhere.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeGuard

import torch
import torch.distributed as dist
from torch import Tensor, nn

from narrows.training.parallel.ddp import LossModule

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor  # its import takes half a second


def shard_model(learner: LossModule, device: torch.device) -> LossModule:
    """Let each process keep its share of `learner` (on the CPU before, on `device` afterwards), which stays the same
    object; its backward pass leaves the mean of all processes' gradients.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (learner.world.size,))
    numbers = {p for p in learner.parameters() if p.dim() == 0}  # which cannot be shared out
    for part in (learner.model.encoder, learner.model.decoder):
        for block in _blocks(part):
            fully_shard(block, mesh=mesh)
    fully_shard(learner, mesh=mesh, ignored_params=numbers or None)
    learner.to(device)  # those numbers, and buffers
    for number in numbers:
        number.register_post_accumulate_grad_hook(_average)
    return learner


@contextlib.contextmanager
def ignore_view_warnings() -> Iterator[None]:
    """Without torch's warning of blocks that return a view, as decoders here do: nothing writes into it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view", category=UserWarning)
        yield


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The parts of a network that are called as a whole; of a user's own module nothing is known, so it is one."""
    known = isinstance(module, (nn.Sequential, nn.ModuleList)) or type(module).__module__.startswith("narrows.")
    if known and not list(module.parameters(recurse=False)):
        for child in module.children():
            yield from _blocks(child)
    elif any(p.dim() > 0 for p in module.parameters()):
        yield module


def _average(parameter: Tensor) -> None:
    assert parameter.grad is not None
    dist.all_reduce(parameter.grad)
    parameter.grad.div_(dist.get_world_size())


def is_sharded(tensor: Tensor) -> TypeGuard[DTensor]:
    """Whether other processes hold the rest of `tensor`."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def full_tensor(tensor: Tensor) -> Tensor:
    """All of `tensor`, brought together where it is shared out."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor


def full_tensors(tensors: Mapping[str, Tensor], keep: bool = True) -> dict[str, Tensor]:
    """All of all tensors, on the CPU; every process must take part, and may `keep` nothing."""
    found = {}
    for name, tensor in tensors.items():
        together = full_tensor(tensor.detach())
        if keep:
            found[name] = together.cpu()
    return found


def shard_like(tensor: Tensor, like: Tensor) -> Tensor:
    """`tensor`, of which every process has all, shared out as `like` is."""
    if not is_sharded(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    there = tensor.to(like.device)
    return distribute_tensor(there, like.device_mesh, like.placements, src_data_rank=None)


def total_norm(gradients: list[Tensor]) -> Tensor:
    """The Euclidean norm of all gradients together."""
    groups = [[g for g in gradients if is_sharded(g) == shared] for shared in (False, True)]
    norms = [full_tensor(_norm(group)) for group in groups if group]
    return norms[0] if len(norms) == 1 else torch.stack(norms).norm()


def _norm(gradients: list[Tensor]) -> Tensor:
    if gradients[0].device.type != "cpu" or is_sharded(gradients[0]):
        return torch.nn.utils.get_total_norm(gradients)
    # on a CPU a product of a vector with itself is three times as fast as its norm
    flat = [gradient.reshape(-1) for gradient in gradients]
    return torch.stack([torch.dot(g, g) for g in flat]).sum().sqrt()
