"""Early stopping: keeps the best weights, and starts the cool-down at a plateau of the held-out loss."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor

from narrows.objectives import Objective
from narrows.params import counted
from narrows.training.parallel import Clock
from narrows.training.schedule import Schedule
from narrows.training.weights import Weights

_MIN_IMPROVEMENT = 1e-4  # relative to the held-out loss


class EarlyStopping:
    """Watches the held-out loss, and keeps the best weights.

    Parameters
    ----------
    weights : weights of the training.
    patience : number of validations without improvement that count as a plateau.
    add_note : function that records a message for the user.

    Attributes
    ----------
    best_loss : lowest held-out loss, nats per example; infinite before the first validation.
    n_without_improvement : number of validations since the last improvement.
    best : weights with the lowest held-out loss; without held-out rows, the last weights.
    """

    def __init__(self, weights: Weights, patience: int, add_note: Callable[[str], None]) -> None:
        self.weights, self.patience, self.add_note = weights, patience, add_note
        self.best_loss, self.n_without_improvement = math.inf, 0
        self.best: dict[str, Tensor] = {}

    def begin(self, loss: float | None) -> None:
        """Keep the weights before the first step; `loss` is their held-out loss, or None where it does not matter."""
        self.best_loss = math.inf if loss is None else loss
        self.snapshot()

    def update(self, loss: float | None, objective: Objective, schedule: Schedule, clock: Clock) -> None:
        """Keep the current weights if they are the best, and start the cool-down of `schedule` at a plateau.

        Parameters
        ----------
        loss : held-out loss, nats per example, or None without held-out rows. Then the last weights are kept.
        """
        if loss is None:
            self.snapshot()
            return
        if not objective.complete:
            return  # while the weights of costs still grow, the held-out loss says little
        self._compare(loss)
        step, seconds = clock.step, clock.seconds
        if self.n_without_improvement >= self.patience and not schedule.is_cooling(step, seconds):
            schedule.start_cooldown(step, seconds)
            self.add_note(
                f"step {step:,}: the held-out loss has not improved for "
                f"{counted(self.n_without_improvement, 'validation')}; cooling down. Raise `n_iter_no_change` to wait "
                "longer."
            )

    def keep_if_best(self, loss: float | None) -> None:
        """Keep the current weights if `loss` is the lowest held-out loss, or None, as it is without held-out rows."""
        if loss is None or not loss >= self.best_loss:
            self.snapshot()

    def _compare(self, loss: float) -> None:
        margin = _MIN_IMPROVEMENT * abs(self.best_loss) if math.isfinite(self.best_loss) else 0.0
        self.n_without_improvement = 0 if loss < self.best_loss - margin else self.n_without_improvement + 1
        if loss < self.best_loss:
            self.best_loss = loss
            self.snapshot()

    def snapshot(self) -> None:
        """Keep a copy of the current weights."""
        self.best = self.weights.snapshot()

    def load_snapshot(self) -> None:
        """Load the weights that were kept."""
        self.weights.load_snapshot(self.best)

    @contextlib.contextmanager
    def use(self) -> Iterator[None]:
        """Give the model the weights that were kept inside the context, and its own again at the end."""
        own = self.weights.snapshot()
        self.load_snapshot()
        try:
            yield
        finally:
            self.weights.load_snapshot(own)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {
            "best_loss": self.best_loss,
            "n_without_improvement": self.n_without_improvement,
            "best": self.best,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        self.best_loss, self.n_without_improvement = state["best_loss"], state["n_without_improvement"]
        self.best = self.weights.distribute(state["best"])
