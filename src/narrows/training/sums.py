"""Sums of losses on the device, so that steps need no device sync."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from narrows.training.parallel import World


class LossSums:
    """The sums of named losses over the steps since the last `reset`.

    Parameters
    ----------
    world : the processes; each sums over its own rows.
    device : device of the losses.
    """

    def __init__(self, world: World, device: torch.device) -> None:
        self.world, self.device = world, device
        self.sums: dict[str, Tensor] = {}
        self.n_steps = 0
        self._seen: tuple[int, dict[str, float]] = (0, {})  # steps and sums at the last `read_recent`

    def add(self, terms: dict[str, Tensor]) -> None:
        """Add the losses of a step, scalars. The caller counts `n_steps`, because a replayed CUDA graph cannot."""
        for name, term in terms.items():
            if name not in self.sums:
                dtype = torch.float32 if term.device.type == "mps" else torch.float64
                self.sums[name] = torch.zeros((), dtype=dtype, device=term.device)
            self.sums[name].add_(term)

    def average_over_processes(self) -> None:
        """Replace the sums of each process by their mean over processes."""
        if self.world.size == 1:
            return
        self.world.all_reduce_(self.sums)
        self._seen = 0, {}  # those were of this process
        for total in self.sums.values():
            total.div_(self.world.size)

    def read_means(self) -> dict[str, float]:
        """Return the mean of each loss over the steps. It waits for the device and for the other processes."""
        self.average_over_processes()
        return {name: float(total) / self.n_steps for name, total in self.sums.items()} if self.n_steps else {}

    def read_recent(self) -> dict[str, float]:
        """Return this process's mean of each loss over the steps since the last call, or since the last `reset`.

        It waits for the device, but for no other process. It is empty if there was no step.
        """
        (n, before), sums = self._seen, {name: float(total) for name, total in self.sums.items()}
        self._seen = self.n_steps, sums
        if self.n_steps == n:
            return {}
        return {name: (total - before.get(name, 0.0)) / (self.n_steps - n) for name, total in sums.items()}

    def reset(self) -> None:
        """Set all sums to 0."""
        self.n_steps, self._seen = 0, (0, {})
        for total in self.sums.values():
            total.zero_()

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {"sums": self.sums, "n_steps": self.n_steps}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        self.sums = {name: total.to(self.device) for name, total in state["sums"].items()}
        self.n_steps, self._seen = state["n_steps"], (0, {})
