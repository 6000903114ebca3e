"""The clock of a training, which all its processes share."""

from __future__ import annotations

import threading
import time
from typing import Any

import torch
import torch.distributed as dist

from narrows.training.parallel.world import World

_SYNC_SECONDS = 0.5  # time between two syncs
_MOST_STEPS_BETWEEN_SYNCS = 50


class Clock:
    """Number of steps and seconds since the start of a training, over all its runs, and whether to stop.

    All values are the same in all processes. Processes share rank 0's time and each one's Ctrl-C about twice a second,
    and at least every 50 steps. In between, the time is extrapolated from the duration of the last steps.

    Attributes
    ----------
    step : number of steps that were done.
    interrupted : event that Ctrl-C sets in this process.
    """

    def __init__(self, world: World, device: torch.device) -> None:
        self.world, self.device = world, device
        self.step = 0
        self.started = time.perf_counter()
        self.interrupted = threading.Event()
        self._stopped = False
        self._synced_step = self._next_sync = 0
        self._synced_seconds = self._seconds_per_step = 0.0

    @property
    def is_stopped(self) -> bool:
        """True if Ctrl-C was pressed in any process, and all know it."""
        return self.interrupted.is_set() if self.world.size == 1 else self._stopped

    @property
    def seconds(self) -> float:
        """Seconds since the start of the training, over all its runs."""
        if self.world.size == 1:
            return time.perf_counter() - self.started
        return self._synced_seconds + self._seconds_per_step * (self.step - self._synced_step)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {"step": self.step, "seconds": self.seconds}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        self.started = time.perf_counter() - state["seconds"]
        self.step = self._synced_step = self._next_sync = state["step"]
        self._synced_seconds, self._seconds_per_step = state["seconds"], 0.0

    def tick(self) -> None:
        """Count a step, and synchronise the clocks if due. All processes call it after the same steps."""
        self.step += 1
        step = self.step
        if self.world.size == 1 or step < self._next_sync:
            return
        rank_0_seconds = time.perf_counter() - self.started if self.world.rank == 0 else 0.0
        dtype = torch.float64
        values = torch.tensor([rank_0_seconds, float(self.interrupted.is_set())], dtype=dtype, device=self.device)
        dist.all_reduce(values)
        seconds, n_interrupted = values.tolist()
        if step > self._synced_step:
            self._seconds_per_step = max(0.0, seconds - self._synced_seconds) / (step - self._synced_step)
        self._synced_step, self._synced_seconds, self._stopped = step, seconds, self._stopped or n_interrupted > 0
        self._next_sync = step + max(
            1, min(_MOST_STEPS_BETWEEN_SYNCS, int(_SYNC_SECONDS / max(self._seconds_per_step, 1e-9)))
        )
