"""The interfaces of all objectives, and of costs that a bottleneck cannot compute alone."""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from narrows.model import Autoencoder
from narrows.types import Batch, Loss, Output


class NeighborPairs(NamedTuple):
    """Request of a cost for near examples in each batch (`Batch.neighbor`).

    Attributes
    ----------
    n_neighbors : number of nearest rows from which the near example is drawn; None for "auto".
    metric : "euclidean" or "cosine", the distance by which the rows are near; None for "auto".
    """

    n_neighbors: int | None
    metric: str | None


class CostValue(NamedTuple):
    """Value of a cost.

    Attributes
    ----------
    value : one number for each example (B), to be multiplied by the weight of the cost; or None.
    not_validated : a scalar that is added without a weight, and that early stopping leaves out: the loss of an
        opponent, the revival of dead units; or None.
    """

    value: Tensor | None
    not_validated: Tensor | None = None


class Cost(nn.Module, ABC):
    """Abstract: a cost of a whole pass through the model.

    Attributes
    ----------
    name : key of its weight in an objective.
    neighbors : the near examples that each batch must contain, or None.
    opponent : network that is trained against the model, or None. It has an optimizer and gradient clipping of its own,
        and is part of checkpoints.
    needs_gradient : True if it computes gradients of the networks itself, so that their weights cannot be sharded.
    """

    name: str
    needs_gradient: bool = False
    neighbors: NeighborPairs | None = None

    def __init__(self, opponent: nn.Module | None = None) -> None:
        super().__init__()
        self.opponent = opponent

    def start(self, n_examples: int) -> None:
        """Receive the number of training examples before the first step, for a cost of the whole data set."""
        return

    @abstractmethod
    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue | None:
        """Return the cost of the pass `output` of `model` over `batch`; None if there is none."""


class Objective(nn.Module, ABC):
    """Abstract: the loss that a training step minimises, in nats per example.

    A subclass implements `forward` and `check`. This class lets the weights grow, and sums the costs.

    Parameters
    ----------
    weights : one number for each named cost.
    warmup : the share of the training, in [0, 1], over which the weights grow linearly from 0, so that a code carries
        information before it costs (Bowman et al., 2016, https://arxiv.org/abs/1511.06349).
    costs : costs of a whole pass, in addition to the costs of the bottleneck.

    Raises
    ------
    ValueError
        If a weight is not a finite number, or a cost has no name or the same name as another.
    """

    share: Tensor

    def __init__(
        self, weights: dict[str, float] | None = None, warmup: float = 0.0, costs: tuple[Cost, ...] = ()
    ) -> None:
        super().__init__()
        _check_weights(type(self).__name__, weights or {}, costs)
        self.costs = nn.ModuleList(costs)
        self.weights, self.warmup, self.begin = dict(weights or {}), warmup, 0.0
        self.complete = warmup == 0
        # the factor of all weights: a tensor, so that a change does not compile the step again
        self.register_buffer("share", torch.tensor(1.0), persistent=False)

    @abstractmethod
    def forward(self, model: Autoencoder, batch: Batch) -> Loss:
        """Return the loss of one batch; in training with the weights grown so far, otherwise with full weights."""

    @abstractmethod
    def check(self, model: Autoencoder) -> None:
        """Check that the loss can be computed for `model`.

        Raises
        ------
        ValueError
            If it cannot.
        """

    @property
    def neighbors(self) -> NeighborPairs | None:
        """The near examples that each batch must contain, or None."""
        return next((cost.neighbors for cost in self.pass_costs() if cost.neighbors is not None), None)

    def pass_costs(self) -> Iterator[Cost]:
        """Yield the costs of a whole pass."""
        for cost in self.costs:
            assert isinstance(cost, Cost)
            yield cost

    def opponent_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the costs' opponents, which have an optimizer of their own."""
        return [p for cost in self.pass_costs() if cost.opponent is not None for p in cost.opponent.parameters()]

    def weigh(self, name: str, value: Tensor) -> Tensor:
        """Return `value` (a scalar or B numbers) times the weight of the cost `name`, which grows during training."""
        return (self.weights[name] * self.share if self.training else self.weights[name]) * value

    def add_costs(self, nll: Tensor, model: Autoencoder, batch: Batch, output: Output) -> Loss:
        """Return `nll` (a scalar, nats per example) plus the weighted costs of the pass, with all terms by name.

        Raises
        ------
        TypeError
            If a cost returns anything but a CostValue or None.
        """
        values, not_validated = dict(output.code.costs), None
        for cost in self.pass_costs():
            result = cost(model, batch, output)
            if result is None:
                continue
            if not isinstance(result, CostValue):
                raise TypeError(
                    f"The cost {type(cost).__name__} must return a CostValue with one number for each example, or "
                    f"None. Got {type(result).__name__} instead."
                )
            if result.value is not None:
                values[cost.name] = result.value
            if result.not_validated is not None:
                added = result.not_validated
                not_validated = added if not_validated is None else not_validated + added
        terms = {"nll": nll, **{name: value.mean() for name, value in values.items()}}
        total = nll * self.weights["nll"] if "nll" in self.weights else nll
        for name, mean in terms.items():
            if name in self.weights and name != "nll":
                total = total + self.weigh(name, mean)
        return Loss(total if not_validated is None else total + not_validated, terms, not_validated)

    def start(self, n_examples: int) -> None:
        """Pass the number of training examples to the costs. Called before the first step of a training."""
        for cost in self.pass_costs():
            cost.start(n_examples)

    def advance(self, progress: float) -> None:
        """Let the weights grow according to the progress of the training, in [0, 1]."""
        if self.complete:
            return
        self.complete = progress >= self.begin + self.warmup
        self.share.fill_(1.0 if self.complete else (progress - self.begin) / self.warmup)

    def restart(self, progress: float, warmup: float | None = None) -> None:
        """Let the weights grow from 0 again, from `progress` on, over the share `warmup` of the training.

        None takes the previous share, but at least a tenth; 0 sets the full weights at once.
        """
        if warmup is None:  # which must end before the training does
            warmup = min(max(self.warmup, 0.1), max(0.9 - progress, 0.05))
        self.begin, self.warmup, self.complete = progress, warmup, warmup == 0
        self.share.fill_(float(self.complete))

    def state(self) -> dict[str, float]:
        """Return the growth of the weights, for a checkpoint."""
        return {"begin": self.begin, "warmup": self.warmup, "share": float(self.share), "complete": self.complete}

    def restore(self, state: dict[str, float]) -> None:
        """Restore the growth of the weights from a result of `state`."""
        self.begin, self.warmup, self.complete = state["begin"], state["warmup"], bool(state["complete"])
        self.share.fill_(state["share"])


def _check_weights(owner: str, weights: dict[str, float], costs: tuple[Cost, ...]) -> None:
    for key, weight in weights.items():
        if not isinstance(weight, numbers.Real) or not math.isfinite(weight):
            raise ValueError(f"The `weights` of {owner} must be finite numbers. Got {weight!r} for {key!r} instead.")
    names = [getattr(cost, "name", None) for cost in costs]
    for cost, name in zip(costs, names, strict=True):
        if not isinstance(name, str) or name == "nll" or names.count(name) > 1:
            raise ValueError(
                f"The `costs` of {owner} must each have a `name` of its own, which is not 'nll'. Got {name!r} for "
                f"{type(cost).__name__} instead."
            )


def frozen(module: nn.Module, *inputs: Any) -> Tensor:
    """Return `module(*inputs)` with its parameters detached: only the inputs get gradients."""
    return functional_call(module, {name: p.detach() for name, p in module.named_parameters()}, inputs)
