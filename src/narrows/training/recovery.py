"""Recovery: a training is set back when its loss is not finite, and its costs begin again after posterior collapse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from narrows.objectives import Objective
from narrows.training.early_stopping import EarlyStopping
from narrows.training.health import non_finite
from narrows.training.parallel import Clock
from narrows.training.schedule import Schedule
from narrows.training.step import Step

_MOST_SET_BACK = 3


class Recovery:
    """The measures that are taken when a training goes wrong.

    Parameters
    ----------
    say : told what was done.

    Attributes
    ----------
    n_set_back : times that the loss was not finite.
    has_restarted : whether the costs have begun again after posterior collapse, which happens once.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.n_set_back, self.has_restarted = 0, False

    @property
    def rate_factor(self) -> float:
        """The factor of the learning rate: a half for each time that the training was set back."""
        return 0.5**self.n_set_back

    def recover_from_nan(self, step: Step, stopping: EarlyStopping, clock: Clock) -> None:
        """Go back to the weights that were kept, at half the learning rate.

        Raises
        ------
        FloatingPointError
            If that was done three times already.
        """
        self.n_set_back += 1
        step.sums.reset()
        if self.n_set_back > _MOST_SET_BACK:
            names = ", ".join(non_finite(step.model)[:3]) or "none, but the loss"
            raise FloatingPointError(
                f"The loss became NaN or infinite {self.n_set_back} times (parameters concerned: {names}). Lower "
                '`learning_rate`, pass precision="float32", or look for extreme values in X.'
            )
        stopping.load_snapshot()
        step.restart()
        clock.step += 1
        self.say(
            f"step {clock.step:,}: the loss was not finite. Back to the last good weights, at half the learning "
            "rate. Lower `learning_rate` to avoid this."
        )

    def check_collapse(self, health: dict[str, float], objective: Objective, schedule: Schedule, clock: Clock) -> None:
        """Let the costs grow once more from 0 where no component of the code carries anything, and say so."""
        if health.get("active_components") != 0 or not objective.complete or self.has_restarted:
            return
        if schedule.cooling(clock.step, clock.seconds):
            return
        self.has_restarted = True
        objective.restart(schedule.progress(clock.step, clock.seconds))
        self.say(
            f"step {clock.step:,}: posterior collapse, no component carries anything. The costs' weights begin "
            "again from 0. If it comes back, charge less for the code: lower `beta` or raise `free_nats`, where the "
            "model has them."
        )

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"n_set_back": self.n_set_back, "has_restarted": self.has_restarted}

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.n_set_back, self.has_restarted = state["n_set_back"], state["has_restarted"]
