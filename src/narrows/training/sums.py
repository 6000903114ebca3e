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

    def add(self, terms: dict[str, Tensor]) -> None:
        """Add the losses of a step, scalars. The caller counts `n_steps`, because a replayed CUDA graph cannot."""
        for name, term in terms.items():
            if name not in self.sums:
                dtype = torch.float32 if term.device.type == "mps" else torch.float64
                self.sums[name] = torch.zeros((), dtype=dtype, device=term.device)
            self.sums[name].add_(term)

    def average_over_processes(self) -> None:
        """Replace the sums of each process by their mean over processes."""
        self.world.all_reduce_(self.sums)
        for total in self.sums.values() if self.world.size > 1 else ():
            total.div_(self.world.size)

    def read_means(self) -> dict[str, float]:
        """Return the mean of each loss over the steps. It waits for the device and for the other processes."""
        self.average_over_processes()
        return {name: float(total) / self.n_steps for name, total in self.sums.items()} if self.n_steps else {}

    def reset(self) -> None:
        """Set all sums to 0."""
        self.n_steps = 0
        for total in self.sums.values():
            total.zero_()

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {"sums": self.sums, "n_steps": self.n_steps}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        self.sums = {name: total.to(self.device) for name, total in state["sums"].items()}
        self.n_steps = state["n_steps"]
