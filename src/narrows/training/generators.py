"""Random numbers of one's own, drawn from the global generators and leaving no trace in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch


@contextlib.contextmanager
def own_generators(seed: int) -> Iterator[None]:
    """Seed torch's global generators, and put them back as they were found afterwards.

    The global ones are used, rather than a generator passed around, because dropout and other modules of users draw
    from them, and because a compiled step can.
    """
    # a GPU that nobody has used yet stays so: a process that has set one up cannot fork, and a seed given to it now
    # would wait for it until it is
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    apple = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    with torch.random.fork_rng(gpus):
        if gpus or apple is not None:
            torch.manual_seed(seed)
        else:
            torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            if apple is not None:
                torch.mps.set_rng_state(apple)


class TorchGenerators:
    """The state of torch's global generators on the CPU and on the device of a training."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        state = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self.device)
        if self.device.type == "mps":
            state["mps"] = torch.mps.get_rng_state()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint, which may be of another device."""
        torch.set_rng_state(state["cpu"])
        if "cuda" in state and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self.device)
        if "mps" in state and self.device.type == "mps":
            torch.mps.set_rng_state(state["mps"])
