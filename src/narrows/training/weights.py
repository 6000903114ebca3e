"""The weights of a training: copied, restored and saved."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from narrows.model import Autoencoder
from narrows.objectives import Objective
from narrows.training.parallel import shard_like


class Weights:
    """The parameters and buffers of a model and its objective, with names that start with "model." or "objective."."""

    def __init__(self, model: Autoencoder, objective: Objective) -> None:
        self.model, self.objective = model, objective

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors in use, not copies."""
        return {**self.model.state_dict(prefix="model."), **self.objective.state_dict(prefix="objective.")}

    def snapshot(self) -> dict[str, Tensor]:
        """Return a copy of all tensors."""
        return {name: tensor.detach().clone() for name, tensor in self.tensors().items()}

    def load_snapshot(self, tensors: dict[str, Tensor]) -> None:
        """Load the values of `tensors`, which must be sharded like the tensors in use."""
        for prefix, module in (("model.", self.model), ("objective.", self.objective)):
            state = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            module.load_state_dict(state)

    def distribute(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the full tensors, each moved to the device of the tensor in use, and sharded like it."""
        current = self.tensors()
        return {name: shard_like(tensor.to(current[name].device), current[name]) for name, tensor in tensors.items()}

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {"tensors": self.tensors(), "reviving": self.model.bottleneck.aux_active}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        self.load_snapshot(self.distribute(state["tensors"]))
        self.model.bottleneck.aux_active = state["reviving"]
