"""Sums of losses, which stay on the device: nothing waits for it until their means are asked for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from narrows.training.parallel import World


class LossSums:
    """The sums of named losses over the steps since the last `reset`.

    Parameters
    ----------
    world : the processes, each of which sums over its own rows.
    device : where the losses are.
    """

    def __init__(self, world: World, device: torch.device) -> None:
        self.world, self.device = world, device
        self.sums: dict[str, Tensor] = {}
        self.n_steps = 0

    def add(self, terms: dict[str, Tensor]) -> None:
        """Add the losses of a step, scalars. A step that is played back does this, too, but does not count itself."""
        for name, term in terms.items():
            if name not in self.sums:
                wide = torch.float32 if term.device.type == "mps" else torch.float64
                self.sums[name] = torch.zeros((), dtype=wide, device=term.device)
            self.sums[name].add_(term)

    def settle(self) -> None:
        """Let every process have the mean over all of them as its sums."""
        self.world.all_reduce_(self.sums)
        for total in self.sums.values() if self.world.size > 1 else ():
            total.div_(self.world.size)

    def means(self) -> dict[str, float]:
        """Return the mean of each over the steps; this waits for the device and for the other processes."""
        self.settle()
        return {name: float(total) / self.n_steps for name, total in self.sums.items()} if self.n_steps else {}

    def reset(self) -> None:
        """Begin new sums."""
        self.n_steps = 0
        for total in self.sums.values():
            total.zero_()

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"sums": self.sums, "n_steps": self.n_steps}

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.sums = {name: total.to(self.device) for name, total in state["sums"].items()}
        self.n_steps = state["n_steps"]
