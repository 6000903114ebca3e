"""Sharding of a model that does not fit on one device: weights, gradients and optimizer state are split over processes.

The weights of a block are gathered while it computes (fully sharded data parallel, FSDP): Zhao et al., PyTorch FSDP
(2023), https://arxiv.org/abs/2304.11277. Buffers and scalar parameters are not sharded.
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


def shard_model(loss_module: LossModule, device: torch.device) -> LossModule:
    """Shard `loss_module` in place, and move it from the CPU to `device`.

    Its backward pass then computes the mean of all processes' gradients.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (loss_module.world.size,))
    scalars = {p for p in loss_module.parameters() if p.dim() == 0}  # these cannot be sharded
    for part in (loss_module.model.encoder, loss_module.model.decoder):
        for block in _blocks(part):
            fully_shard(block, mesh=mesh)
    fully_shard(loss_module, mesh=mesh, ignored_params=scalars or None)
    loss_module.to(device)  # scalars and buffers
    for scalar in scalars:
        scalar.register_post_accumulate_grad_hook(_average_gradient)
    return loss_module


@contextlib.contextmanager
def ignore_view_warnings() -> Iterator[None]:
    """Ignore torch's warning about blocks that return a view, as decoders do: nothing writes into these views."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view", category=UserWarning)
        yield


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the parts of a network that are always called as a whole. A user's module counts as one part."""
    is_container = isinstance(module, (nn.Sequential, nn.ModuleList)) or type(module).__module__.startswith("narrows.")
    if is_container and not list(module.parameters(recurse=False)):
        for child in module.children():
            yield from _blocks(child)
    elif any(p.dim() > 0 for p in module.parameters()):
        yield module


def _average_gradient(parameter: Tensor) -> None:
    assert parameter.grad is not None
    dist.all_reduce(parameter.grad)
    parameter.grad.div_(dist.get_world_size())


def is_sharded(tensor: Tensor) -> TypeGuard[DTensor]:
    """True if `tensor` is sharded over processes."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def full_tensor(tensor: Tensor) -> Tensor:
    """Return the whole `tensor`, gathered from the processes if it is sharded."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor


def full_tensors(tensors: Mapping[str, Tensor], keep: bool = True) -> dict[str, Tensor]:
    """Return each tensor whole, on the CPU. All processes must call it; those without `keep` get an empty dict."""
    result = {}
    for name, tensor in tensors.items():
        gathered = full_tensor(tensor.detach())
        if keep:
            result[name] = gathered.cpu()
    return result


def shard_like(tensor: Tensor, like: Tensor) -> Tensor:
    """Shard `tensor`, which every process holds as a whole, in the same way as `like`."""
    if not is_sharded(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    on_device = tensor.to(like.device)
    return distribute_tensor(on_device, like.device_mesh, like.placements, src_data_rank=None)


def total_norm(gradients: list[Tensor]) -> Tensor:
    """Return the Euclidean norm of all gradients together, a scalar."""
    groups = [[g for g in gradients if is_sharded(g) == sharded] for sharded in (False, True)]
    norms = [full_tensor(_norm(group)) for group in groups if group]
    return norms[0] if len(norms) == 1 else torch.stack(norms).norm()


def _norm(gradients: list[Tensor]) -> Tensor:
    if gradients[0].device.type != "cpu" or is_sharded(gradients[0]):
        return torch.nn.utils.get_total_norm(gradients)
    # on a CPU, a dot product is three times as fast as a norm
    flat = [gradient.reshape(-1) for gradient in gradients]
    return torch.stack([torch.dot(g, g) for g in flat]).sum().sqrt()
