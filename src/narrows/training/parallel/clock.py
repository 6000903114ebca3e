"""The time of a training, of which all its processes must have the same idea."""

from __future__ import annotations

import threading
import time
from typing import Any

import torch
import torch.distributed as dist

from narrows.training.parallel.world import World

_AGREE_EVERY = 0.5  # seconds
_AGREE_STEPS = 50  # at most


class Clock:
    """Steps done and seconds spent since a training began, over all its runs, and whether to stop.

    All are the same in all processes.

    Each process has a clock and a Ctrl-C of its own. Rank 0's clock and everyone's Ctrl-C are brought together about
    twice a second and at least every 50 steps; in between, steps are taken to last as long as the last ones did.
    """

    def __init__(self, world: World, device: torch.device) -> None:
        self.world, self.device = world, device
        self.step = 0
        self.started = time.perf_counter()
        self.interrupted = threading.Event()
        self._stopped = False
        self._agreed = self._due = 0
        self._seconds = self._pace = 0.0

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C was pressed, as far as all know of it."""
        return self.interrupted.is_set() if self.world.size == 1 else self._stopped

    @property
    def seconds(self) -> float:
        """Spent so far."""
        if self.world.size == 1:
            return time.perf_counter() - self.started
        return self._seconds + self._pace * (self.step - self._agreed)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"step": self.step, "seconds": self.seconds}

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.started = time.perf_counter() - state["seconds"]
        self.step = self._agreed = self._due = state["step"]
        self._seconds, self._pace = state["seconds"], 0.0

    def tick(self) -> None:
        """Count a step, and bring clocks together if it is time; every process calls this after the same steps."""
        self.step += 1
        step = self.step
        if self.world.size == 1 or step < self._due:
            return
        mine = time.perf_counter() - self.started if self.world.rank == 0 else 0.0
        dtype = torch.float64
        both = torch.tensor([mine, float(self.interrupted.is_set())], dtype=dtype, device=self.device)
        dist.all_reduce(both)
        seconds, asked = both.tolist()
        if step > self._agreed:
            self._pace = max(0.0, seconds - self._seconds) / (step - self._agreed)
        self._agreed, self._seconds, self._stopped = step, seconds, self._stopped or asked > 0
        self._due = step + max(1, min(_AGREE_STEPS, int(_AGREE_EVERY / max(self._pace, 1e-9))))
