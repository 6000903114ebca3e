"""A normalising flow over codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.estimators.samplers.base import Sampler, mean_and_std, split_codes, train_by_likelihood
from narrows.params import LAYER_WIDTHS, Integer, Parameter
from narrows.training import forked_rng


class Flow(Sampler):
    """A normalising flow: z = f(eps), eps ~ N(0, I), where f is made of splines. Needs the extra `flows` (zuko).

    Durkan et al., Neural spline flows (2019), https://arxiv.org/abs/1906.04032. With many codes it is more
    exact than a mixture. It is slower to fit and to draw from.

    Parameters
    ----------
    transforms : number of autoregressive layers of splines, at least 1.
    hidden : widths of the hidden layers of the networks that compute the splines.
    max_epochs : largest number of passes over the codes; fewer if held-out codes become no likelier before.
    """

    name = "flow"

    def __init__(self, transforms: int = 3, *, hidden: tuple[int, ...] = (128, 128), max_epochs: int = 100) -> None:
        self.transforms, self.hidden, self.max_epochs = transforms, hidden, max_epochs
        self.tensors = {}

    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"transforms": self.transforms, "hidden": list(self.hidden), "max_epochs": self.max_epochs}

    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> Flow:
        """Fit to codes Z (n x L) by maximum likelihood.

        Raises
        ------
        ValueError
            If `labels` are given, or a setting is not valid.
        ImportError
            If zuko is not installed.
        """
        if labels is not None:
            raise ValueError("A flow takes no labels: leave `y` out, or use a mixture, which handles labels.")
        owner = type(self).__name__
        for name, rule in (("transforms", Integer(1)), ("hidden", LAYER_WIDTHS), ("max_epochs", Integer(1))):
            Parameter(name, None, rule, "").check(owner, getattr(self, name))
        mean, std = mean_and_std(Z)
        train, held_out = map(torch.from_numpy, split_codes(((Z - mean) / std).float().numpy(), seed))
        with forked_rng(seed):
            flow = self._make_flow(Z.shape[1])
            state = train_by_likelihood(flow, lambda part: flow().log_prob(part), train, held_out, self.max_epochs)
        self.tensors = {"mean": mean, "std": std, **{f"flow.{name}": tensor for name, tensor in state.items()}}
        return self

    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """Draw new codes; `labels` are ignored."""
        eps = torch.from_numpy(generator.standard_normal((n, len(self.tensors["mean"]))) * temperature)
        flow = self._load_flow()
        with torch.inference_mode():
            z = torch.cat([flow().transform.inv(part) for part in eps.float().split(4096)])
        return z.double() * self.tensors["std"] + self.tensors["mean"]

    def log_prob(self, Z: Tensor) -> Tensor:
        """Return log N(f^-1(z); 0, I) + log |det J|, where J is the Jacobian of f^-1: n numbers, nats."""
        mean, std, flow = self.tensors["mean"], self.tensors["std"], self._load_flow()
        with torch.inference_mode():
            nats = torch.cat([flow().log_prob(part) for part in ((Z - mean) / std).float().split(4096)])
        return nats.double() - std.log().sum()

    def _make_flow(self, n_components: int) -> Any:
        try:
            import zuko
        except ImportError as error:
            raise ImportError("A flow needs zuko. Install it: pip install 'narrows[flows]'.") from error
        return zuko.flows.NSF(n_components, transforms=self.transforms, hidden_features=tuple(self.hidden))

    def _load_flow(self) -> Any:
        with forked_rng(0):
            flow = self._make_flow(len(self.tensors["mean"]))
        flow.load_state_dict({k.removeprefix("flow."): t for k, t in self.tensors.items() if k.startswith("flow.")})
        return flow.eval()
