"""The weights of a training: what is copied aside, put back and saved."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from narrows.model import Autoencoder
from narrows.objectives import Objective
from narrows.training.parallel import laid_out


class Weights:
    """The parameters and buffers of a model and of its objective, by names that begin with "model." or "objective."."""

    def __init__(self, model: Autoencoder, objective: Objective) -> None:
        self.model, self.objective = model, objective

    def tensors(self) -> dict[str, Tensor]:
        """Return all of them, as they are in use."""
        return {**self.model.state_dict(prefix="model."), **self.objective.state_dict(prefix="objective.")}

    def snapshot(self) -> dict[str, Tensor]:
        """Return a copy."""
        return {name: tensor.detach().clone() for name, tensor in self.tensors().items()}

    def load_snapshot(self, tensors: dict[str, Tensor]) -> None:
        """Take the values of `tensors`, which are laid out among processes as those in use."""
        for prefix, module in (("model.", self.model), ("objective.", self.objective)):
            own = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            module.load_state_dict(own)

    def lay_out(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return whole tensors, laid out among processes and devices as those in use."""
        like = self.tensors()
        return {name: laid_out(tensor.to(like[name].device), like[name]) for name, tensor in tensors.items()}

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"tensors": self.tensors(), "reviving": self.model.bottleneck.aux_active}

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.load_snapshot(self.lay_out(state["tensors"]))
        self.model.bottleneck.aux_active = state["reviving"]
