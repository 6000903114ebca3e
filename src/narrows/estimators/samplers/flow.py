"""A normalising flow over codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.estimators.samplers.base import (
    LabelledSampler,
    mean_and_std,
    split_codes,
    tensors_below,
    train_by_likelihood,
)
from narrows.params import LAYER_WIDTHS, Integer, OneOf, Parameter, Rule
from narrows.training import forked_rng

KINDS = ("spline", "maf", "iaf")


class Flow(LabelledSampler):
    """A normalising flow: z = f(eps), eps ~ N(0, I), where f is autoregressive. Needs the extra `flows` (zuko).

    With many codes it is more exact than a mixture. It is slower to fit and to draw from. With labels each class
    has its own flow.

    Parameters
    ----------
    transforms : number of autoregressive layers, at least 1.
    kind : what a layer does to a component, given those before it. "spline": a monotonic spline, so that few layers
        are enough (Durkan et al., Neural spline flows, 2019, https://arxiv.org/abs/1906.04032). "maf": a scale and a
        shift, given the components of z; a density takes one pass, a draw L passes (Papamakarios et al., Masked
        autoregressive flow for density estimation, 2017, https://arxiv.org/abs/1705.07057). "iaf": the inverse of
        "maf", given the components of eps; a draw takes one pass, a density L passes, and so does each step of the fit
        (Kingma et al., Improving variational inference with inverse autoregressive flow, 2016,
        https://arxiv.org/abs/1606.04934).
    hidden : widths of the hidden layers of the networks that compute the splines, or the scales and shifts.
    max_epochs : largest number of passes over the codes; fewer if held-out codes become no likelier before.
    """

    name = "flow"

    def __init__(
        self,
        transforms: int = 3,
        *,
        kind: str = "spline",
        hidden: tuple[int, ...] = (128, 128),
        max_epochs: int = 100,
    ) -> None:
        self.transforms, self.kind, self.hidden, self.max_epochs = transforms, kind, hidden, max_epochs
        self.name = "flow" if kind == "spline" else kind
        self.tensors = {}

    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "transforms": self.transforms,
            "kind": self.kind,
            "hidden": list(self.hidden),
            "max_epochs": self.max_epochs,
        }

    def check(self) -> None:
        """Raise a ValueError for a setting that is not valid."""
        owner = type(self).__name__
        rules: dict[str, Rule] = {
            "transforms": Integer(1),
            "kind": OneOf(KINDS),
            "hidden": LAYER_WIDTHS,
            "max_epochs": Integer(1),
        }
        for name, rule in rules.items():
            Parameter(name, None, rule, "").check(owner, getattr(self, name))

    def fit_one(self, Z: Tensor, seed: int) -> dict[str, Tensor]:
        """Fit one flow to codes Z (n x L) by maximum likelihood. Raises an ImportError without zuko."""
        mean, std = mean_and_std(Z)
        train, held_out = map(torch.from_numpy, split_codes(((Z - mean) / std).float().numpy(), seed))
        with forked_rng(seed):
            flow = self._make_flow(Z.shape[1])
            state = train_by_likelihood(flow, lambda part: flow().log_prob(part), train, held_out, self.max_epochs)
        return {"mean": mean, "std": std, **{f"flow.{name}": tensor for name, tensor in state.items()}}

    def draw_one(
        self, tensors: dict[str, Tensor], n: int, generator: np.random.Generator, temperature: float
    ) -> Tensor:
        """Draw codes from one flow."""
        eps = torch.from_numpy(generator.standard_normal((n, len(tensors["mean"]))) * temperature)
        flow = self._load_flow(tensors)
        with torch.inference_mode():
            z = torch.cat([flow().transform.inv(part) for part in eps.float().split(4096)])
        return z.double() * tensors["std"] + tensors["mean"]

    def log_prob_one(self, tensors: dict[str, Tensor], Z: Tensor) -> Tensor:
        """Return log N(f^-1(z); 0, I) + log |det J|, where J is the Jacobian of f^-1: n numbers, nats."""
        mean, std, flow = tensors["mean"], tensors["std"], self._load_flow(tensors)
        with torch.inference_mode():
            nats = torch.cat([flow().log_prob(part) for part in ((Z - mean) / std).float().split(4096)])
        return nats.double() - std.log().sum()

    def _make_flow(self, n_components: int) -> Any:
        try:
            import zuko
        except ImportError as error:
            raise ImportError("A flow needs zuko. Install it: pip install 'narrows[flows]'.") from error
        make = zuko.flows.NSF if self.kind == "spline" else zuko.flows.MAF
        flow = make(n_components, transforms=self.transforms, hidden_features=tuple(self.hidden))
        return zuko.flows.Flow(flow.transform.inv, flow.base) if self.kind == "iaf" else flow

    def _load_flow(self, tensors: dict[str, Tensor]) -> Any:
        with forked_rng(0):
            flow = self._make_flow(len(tensors["mean"]))
        flow.load_state_dict(tensors_below(tensors, "flow."))
        return flow.eval()
