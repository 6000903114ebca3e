"""A batch that several processes share: the results are those that one process with the whole batch would get.

Inside `split_batch(shard)` each process holds consecutive rows of the batch. A part that needs a sum, a mean or all
rows of the whole batch calls the functions of this module; all processes must call them together. Gradients flow to all
processes. Random numbers for each row (`_SameDraws`) are drawn for the whole batch in every process, and each keeps
the numbers of its own rows, so that they do not depend on the number of processes. Outside of `split_batch` a batch is
whole, and the functions return their argument.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Shard(NamedTuple):
    """Rows `start` to `stop` of a batch of `of` rows."""

    start: int
    stop: int
    of: int

    @property
    def rows(self) -> int:
        """Number of these rows; 0 for some processes if there are more processes than rows."""
        return self.stop - self.start


_shard: Shard | None = None  # no ContextVar: torch.compile cannot trace one


@contextlib.contextmanager
def split_batch(shard: Shard | None) -> Iterator[None]:
    """Treat batches inside the block as the rows `shard` of a batch that all processes share; with None, as whole."""
    global _shard
    before, _shard = _shard, shard
    try:
        with contextlib.nullcontext() if shard is None else _SameDraws(shard):
            yield
    finally:
        _shard = before


def is_shared() -> bool:
    """Return True inside `split_batch` with a shard, where several processes share the batch."""
    return _shard is not None


def draw_without_rows() -> AbstractContextManager[None]:
    """Return a context in which all processes draw the same numbers, whatever their shape: none belong to a row."""
    return contextlib.nullcontext() if _shard is None else split_batch(None)


def batch_length(n: int) -> int:
    """Return the number of rows of the whole batch, of which this process has `n`."""
    return n if _shard is None else _shard.of


def row_numbers(rows: Tensor) -> Tensor:
    """Return the number of each of this process's `rows` in the whole batch: B integers."""
    start = 0 if _shard is None else _shard.start
    return torch.arange(start, start + len(rows), device=rows.device)


def batch_sum(part: Tensor) -> Tensor:
    """Return the sum over the whole batch; `part` is the sum over this process's rows."""
    return part if _shard is None else _Sum.apply(part)


def batch_mean(part: Tensor) -> Tensor:
    """Return the mean over the whole batch; `part` is the mean over this process's rows."""
    if _shard is None:
        return part
    return batch_sum(part * _shard.rows if _shard.rows else torch.zeros_like(part)) / _shard.of


def batch_rows(rows: Tensor) -> Tensor:
    """Return the rows of the whole batch; `rows` are this process's."""
    if _shard is None:
        return rows
    n_before, n_after = _shard.start, _shard.of - _shard.stop
    return batch_sum(F.pad(rows, (0, 0) * (rows.dim() - 1) + (n_before, n_after)))


def batch_any(part: Tensor) -> Tensor:
    """Return True where `part` (booleans about this process's rows) is True in any process."""
    return part if _shard is None else _Sum.apply(part.float()) > 0


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes. Its gradient is the sum of their gradients."""

    @staticmethod
    def forward(_context: Any, part: Tensor) -> Tensor:
        return _all_reduced(part)

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        return _all_reduced(gradient)


def _all_reduced(part: Tensor) -> Tensor:
    whole = part.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(whole)
    return whole


class _SameDraws(TorchFunctionMode):
    """A mode in which tensors whose first axis is the batch get the random numbers that one process would draw.

    A draw that depends only on a shape is made for the whole batch. For a draw that depends on values (`torch.poisson`
    uses a varying number of random numbers) the values of all processes are gathered first.
    """

    def __init__(self, shard: Shard) -> None:
        super().__init__()
        self.shard, self.rows = shard, slice(shard.start, shard.stop)

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        draw = _DRAWS.get(function)
        if draw is None or not args or not isinstance(args[0], Tensor) or not self.has_batch_axis(args[0]):
            return function(*args, **kwargs)
        return draw(self, function, args, kwargs)

    def has_batch_axis(self, value: Any) -> bool:
        """Return True if `value` is a tensor with a row for each of this process's examples."""
        return isinstance(value, Tensor) and value.dim() > 0 and len(value) == self.shard.rows and _shard is self.shard

    def empty_batch(self, x: Tensor) -> Tensor:
        """Return an empty tensor for the whole batch with the memory layout of `x`, which draws follow."""
        return x.new_empty_strided((self.shard.of, *x.shape[1:]), x.stride())

    def gather(self, value: Any) -> Any:
        """Return the rows of all processes if `value` has rows, otherwise `value`."""
        if not self.has_batch_axis(value):
            return value
        whole = self.empty_batch(value).zero_()
        whole[self.rows] = value.detach()
        return _all_reduced(whole)

    def like(self, function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Draw for `randn_like` and similar functions."""
        return function(self.empty_batch(args[0]), *args[1:], **kwargs)[self.rows]

    def in_place(self, function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Draw for `Tensor.normal_` and similar methods."""
        return args[0].copy_(function(self.empty_batch(args[0]), *args[1:], **kwargs)[self.rows])

    def by_value(self, function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Draw for `poisson` and other functions that depend on values."""
        return function(*map(self.gather, args), **{k: self.gather(v) for k, v in kwargs.items()})[self.rows]

    def dropout(self, function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Multiply by a mask: dropout of a batch of ones."""
        ones = self.empty_batch(args[0]).fill_(1)
        mask = function(ones, *args[1:], **{**kwargs, "inplace": False})[self.rows]
        return args[0] * mask


_DRAWS: dict[Any, Callable[..., Tensor]] = {
    **dict.fromkeys((torch.randn_like, torch.rand_like, torch.randint_like), _SameDraws.like),
    **dict.fromkeys((torch.poisson, torch.bernoulli, torch.normal), _SameDraws.by_value),
    **dict.fromkeys((F.dropout, F.dropout1d, F.dropout2d, F.dropout3d), _SameDraws.dropout),
    **dict.fromkeys(
        (Tensor.normal_, Tensor.uniform_, Tensor.bernoulli_, Tensor.exponential_, Tensor.random_), _SameDraws.in_place
    ),
}
