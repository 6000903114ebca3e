"""A batch that several processes share: taken together it is treated as one process would treat it.

While a batch is `sharded` each process holds consecutive rows of it. What a part takes over a whole batch it asks for
here, and then all processes answer together. What is drawn for each row (`_SameDraws`) every process draws for the
whole batch and keeps its own rows of, so that the numbers do not depend on how many processes there are. A batch that
is not sharded is whole, and then nothing here does anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Shard(NamedTuple):
    """Rows `start` to `stop` of a batch of `of`."""

    start: int
    stop: int
    of: int

    @property
    def rows(self) -> int:
        """How many those are; 0 where there are more processes than rows."""
        return self.stop - self.start


_shard: Shard | None = None  # a module's variable rather than a ContextVar, which torch.compile does not look through


@contextlib.contextmanager
def split_batch(shard: Shard | None) -> Iterator[None]:
    """Say that the batch at hand is these rows of one that all processes share; None says that it is whole."""
    global _shard
    before, _shard = _shard, shard
    try:
        with contextlib.nullcontext() if shard is None else _SameDraws(shard):
            yield
    finally:
        _shard = before


def batch_length(n: int) -> int:
    """Rows of the whole batch, where this process has `n` of them."""
    return n if _shard is None else _shard.of


def batch_sum(mine: Tensor) -> Tensor:
    """The sum over the whole batch, given the sum over this process's rows; gradients flow to all processes."""
    return mine if _shard is None else _Sum.apply(mine)


def batch_mean(mine: Tensor) -> Tensor:
    """The mean over the whole batch, given the mean over this process's rows; gradients flow to all processes."""
    if _shard is None:
        return mine
    return batch_sum(mine * _shard.rows if _shard.rows else torch.zeros_like(mine)) / _shard.of


def batch_rows(mine: Tensor) -> Tensor:
    """The rows of the whole batch, given this process's; gradients flow to all processes."""
    if _shard is None:
        return mine
    before, behind = _shard.start, _shard.of - _shard.stop
    return batch_sum(F.pad(mine, (0, 0) * (mine.dim() - 1) + (before, behind)))


def batch_any(mine: Tensor) -> Tensor:
    """Whether it is so anywhere in the batch, given whether it is in this process's rows (booleans)."""
    return mine if _shard is None else _Sum.apply(mine.float()) > 0


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes. Its gradient is the sum of theirs."""

    @staticmethod
    def forward(_context: Any, mine: Tensor) -> Tensor:
        return _summed(mine)

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        return _summed(gradient)


def _summed(mine: Tensor) -> Tensor:
    whole = mine.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(whole)
    return whole


class _SameDraws(TorchFunctionMode):
    """Random numbers for tensors whose first axis is the batch are those that one process would draw.

    A draw that depends on nothing but a shape is made for the whole batch. For one that depends on values
    (`torch.poisson` takes a varying number of random numbers) the values of all processes are brought together first.
    """

    def __init__(self, shard: Shard) -> None:
        super().__init__()
        self.shard, self.mine = shard, slice(shard.start, shard.stop)

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        draw = _DRAWS.get(function)
        if draw is None or not args or not isinstance(args[0], Tensor) or not self.along_batch(args[0]):
            return function(*args, **kwargs)
        return draw(self, function, args, kwargs)

    def along_batch(self, value: Any) -> bool:
        """Whether `value` has a row for each of this process's examples."""
        return isinstance(value, Tensor) and value.dim() > 0 and len(value) == self.shard.rows

    def empty(self, x: Tensor) -> Tensor:
        """Room for the whole batch, laid out in memory as `x` is: draws follow the layout."""
        return x.new_empty_strided((self.shard.of, *x.shape[1:]), x.stride())

    def gathered(self, value: Any) -> Any:
        """The rows of all processes, if `value` has rows."""
        if not self.along_batch(value):
            return value
        whole = self.empty(value).zero_()
        whole[self.mine] = value.detach()
        return _summed(whole)

    def like(self, function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """`randn_like` and its kin."""
        return function(self.empty(args[0]), *args[1:], **kwargs)[self.mine]

    def in_place(self, function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """`Tensor.normal_` and its kin."""
        return args[0].copy_(function(self.empty(args[0]), *args[1:], **kwargs)[self.mine])

    def by_value(self, function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """`poisson` and its kin."""
        return function(*map(self.gathered, args), **{k: self.gathered(v) for k, v in kwargs.items()})[self.mine]

    def dropout(self, function: Callable[..., Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Dropout, as a product with what it makes of ones."""
        ones = self.empty(args[0]).fill_(1)
        kept = function(ones, *args[1:], **{**kwargs, "inplace": False})[self.mine]
        return args[0] * kept


_DRAWS: dict[Any, Callable[..., Tensor]] = {
    **dict.fromkeys((torch.randn_like, torch.rand_like, torch.randint_like), _SameDraws.like),
    **dict.fromkeys((torch.poisson, torch.bernoulli, torch.normal), _SameDraws.by_value),
    **dict.fromkeys((F.dropout, F.dropout1d, F.dropout2d, F.dropout3d), _SameDraws.dropout),
    **dict.fromkeys(
        (Tensor.normal_, Tensor.uniform_, Tensor.bernoulli_, Tensor.exponential_, Tensor.random_), _SameDraws.in_place
    ),
}
