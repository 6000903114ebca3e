"""Warm-up, hold, cool-down.

    rate(f) = learning_rate * warm * cool          f, the share of the training that is over, in [0, 1]
    warm = min(1, (step + 1) / warmup_steps)       cool = 1 until the hold ends, then linear to 0

f is the larger of steps done over steps planned and time spent over time allowed. The hold ends when a share
`COOLDOWN` of the training is left, or at a plateau; then a cool-down in the same proportion to the hold follows, so
that stopping early never means stopping hot. Hägele et al., Scaling laws and compute-optimal training beyond fixed
training durations (2024), https://arxiv.org/abs/2405.18392.
"""

from __future__ import annotations

from typing import Any

COOLDOWN = 0.3
_WARMUP_STEPS = 200


class Schedule:
    """The multiplier of the learning rate, and the end of the training.

    Parameters
    ----------
    n_steps : number of planned steps, at most.
    max_time : allowed seconds, or None.
    constant : if True, the learning rate is constant.
    """

    def __init__(self, n_steps: int, max_time: float | None = None, constant: bool = False) -> None:
        self.n_steps, self.max_time = n_steps, max_time
        self.warmup_steps = 1 if constant else max(1, min(_WARMUP_STEPS, n_steps // 10))
        self.cool_from, self.cool_to = 1.0 if constant else 1 - COOLDOWN, 1.0

    def progress(self, step: int, seconds: float) -> float:
        """Return the share of the training that is done, in [0, 1]."""
        spent = seconds / self.max_time if self.max_time else 0.0
        return max(step / self.n_steps, spent)

    def rate_multiplier(self, step: int, seconds: float) -> float:
        """Return the factor of the learning rate at this step, in [0, 1]."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        progress = self.progress(step, seconds)
        if progress < self.cool_from:
            return warm
        return warm * max(0.0, (self.cool_to - progress) / max(self.cool_to - self.cool_from, 1e-12))

    def is_cooling(self, step: int, seconds: float) -> bool:
        """True if the hold is over."""
        return self.progress(step, seconds) >= self.cool_from

    def is_over(self, step: int, seconds: float) -> bool:
        """True if the training is over."""
        return self.progress(step, seconds) >= self.cool_to

    def ended_by(self, step: int, seconds: float) -> str:
        """Return what ended the training: "plateau", "time" or "epochs"; "pass" for a constant learning rate."""
        if self.cool_to < 1 or self.cool_from == 1:
            return "pass" if self.cool_from == 1 else "plateau"
        return "time" if self.progress(step, seconds) > self.progress(step, 0.0) else "epochs"

    def start_cooldown(self, step: int, seconds: float) -> None:
        """End the hold now, and start the cool-down."""
        self.cool_from = self.progress(step, seconds)
        self.cool_to = min(1.0, self.cool_from / (1 - COOLDOWN))

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {"cool_from": self.cool_from, "cool_to": self.cool_to}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        self.cool_from, self.cool_to = state["cool_from"], state["cool_to"]
