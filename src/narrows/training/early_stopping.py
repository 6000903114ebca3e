"""Early stopping: the best weights are kept, and a plateau of the held-out loss ends the hold of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from narrows.objectives import Objective
from narrows.training.parallel import Clock
from narrows.training.schedule import Schedule
from narrows.training.weights import Weights

_IMPROVEMENT = 1e-4  # of the held-out loss, relative, that counts as one


class EarlyStopping:
    """Watches the held-out loss.

    Parameters
    ----------
    weights : of the training, of which the best are kept.
    patience : validations without improvement that make a plateau.
    say : told of a plateau.

    Attributes
    ----------
    best_loss : held-out, nats per example; infinite until the first validation.
    best : the weights that had it, or the last good ones.
    """

    def __init__(self, weights: Weights, patience: int, say: Callable[[str], None]) -> None:
        self.weights, self.patience, self.say = weights, patience, say
        self.best_loss, self.n_without_improvement = math.inf, 0
        self.best: dict[str, Tensor] = {}

    def update(self, loss: float | None, objective: Objective, schedule: Schedule, clock: Clock) -> None:
        """Keep the weights as they are if they are the best, and end the hold of `schedule` at a plateau.

        Parameters
        ----------
        loss : held-out, nats per example; None where nothing is held out, where the last weights are kept.
        """
        if loss is None:
            self.snapshot()
            return
        if not objective.complete:
            return  # while costs still grow, the held-out loss in full says little
        self._compare(loss)
        step, seconds = clock.step, clock.seconds
        if self.n_without_improvement >= self.patience and not schedule.cooling(step, seconds):
            schedule.cool(step, seconds)
            self.say(
                f"step {step:,}: the held-out loss has not improved for {self.n_without_improvement} looks; cooling "
                "down. Raise `n_iter_no_change` to wait longer."
            )

    def _compare(self, loss: float) -> None:
        needed = _IMPROVEMENT * abs(self.best_loss) if math.isfinite(self.best_loss) else 0.0
        self.n_without_improvement = 0 if loss < self.best_loss - needed else self.n_without_improvement + 1
        if loss < self.best_loss:
            self.best_loss = loss
            self.snapshot()

    def snapshot(self) -> None:
        """Keep the weights as they are."""
        self.best = self.weights.snapshot()

    def load_snapshot(self) -> None:
        """Take the weights that were kept."""
        self.weights.load_snapshot(self.best)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "best_loss": self.best_loss,
            "n_without_improvement": self.n_without_improvement,
            "best": self.best,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.best_loss, self.n_without_improvement = state["best_loss"], state["n_without_improvement"]
        self.best = self.weights.lay_out(state["best"])
