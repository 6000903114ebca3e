"""Random numbers: every part of narrows draws by these functions.

Inside `drawing_from(generators)` the draws of this thread come from those generators. Outside, and in a compiled step,
they come from torch's global generator. Both give the same numbers for the same seed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

Generators = Mapping[str, torch.Generator]  # device type -> generator of numbers on such devices


class _Current(threading.local):
    generators: Generators | None = None


_current = _Current()


@contextlib.contextmanager
def drawing_from(generators: Generators | None) -> Iterator[None]:
    """Draw from `generators` in this thread inside the block; with None, from torch's global generators."""
    before, _current.generators = _current.generators, generators
    try:
        yield
    finally:
        _current.generators = before


def _generator(device: torch.device) -> torch.Generator | None:
    """Return the generator for tensors on `device`; None for torch's global one."""
    # the first test keeps a compiler away from thread-local data, which it cannot trace
    if torch.compiler.is_compiling() or _current.generators is None:
        return None
    return _current.generators[device.type]


def randn_like(x: Tensor) -> Tensor:
    """Return draws from N(0, 1), with the shape, device and layout of `x`."""
    generator = _generator(x.device)
    if generator is None:
        return torch.randn_like(x)
    return torch.empty_like(x).normal_(generator=generator)


def rand_like(x: Tensor) -> Tensor:
    """Return draws from [0, 1), with the shape, device and layout of `x`."""
    generator = _generator(x.device)
    if generator is None:
        return torch.rand_like(x)
    return torch.empty_like(x).uniform_(generator=generator)


def randint_like(x: Tensor, high: int) -> Tensor:
    """Return whole numbers from 0 to `high` - 1, with the shape, device and layout of `x`."""
    generator = _generator(x.device)
    if generator is None:
        return torch.randint_like(x, high)
    return torch.empty_like(x).random_(0, high, generator=generator)


def exponential_like(x: Tensor) -> Tensor:
    """Return draws from the exponential distribution of mean 1, with the shape, device and layout of `x`."""
    return torch.empty_like(x).exponential_(generator=_generator(x.device))


def randn(size: Sequence[int]) -> Tensor:
    """Return draws from N(0, 1), of shape `size`, on the CPU."""
    return randn_like(torch.empty(tuple(size)))


def rand(size: Sequence[int], device: torch.device | None = None) -> Tensor:
    """Return draws from [0, 1), of shape `size`."""
    return rand_like(torch.empty(tuple(size), device=device))


def uniform(low: float, high: float, size: Sequence[int]) -> Tensor:
    """Return draws from [`low`, `high`), of shape `size`, on the CPU."""
    x = torch.empty(tuple(size))
    return x.uniform_(low, high, generator=_generator(x.device))


def randint(high: int, size: Sequence[int], device: torch.device | None = None) -> Tensor:
    """Return whole numbers from 0 to `high` - 1, of shape `size`."""
    return randint_like(torch.empty(tuple(size), dtype=torch.int64, device=device), high)


def bernoulli(p: Tensor) -> Tensor:
    """Return 1 with probability `p`, otherwise 0, for each entry of `p`."""
    return torch.bernoulli(p, generator=_generator(p.device))


def poisson(rate: Tensor) -> Tensor:
    """Return a count of mean `rate`, for each entry of `rate`."""
    return torch.poisson(rate, generator=_generator(rate.device))


def gamma(shape: Tensor, rate: Tensor) -> Tensor:
    """Return a draw (above 0) from the gamma distribution of mean `shape` / `rate`, for each entry of both."""
    draws = torch._standard_gamma(shape.detach(), generator=_generator(shape.device)) / rate.detach()
    return draws.clamp_(min=torch.finfo(draws.dtype).tiny)
