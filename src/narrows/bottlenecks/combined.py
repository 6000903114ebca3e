"""Several stochastic codes side by side, such as real numbers and categories.

    z = (z_1, z_2, ...)    q(z | x) = prod_i q_i(z_i | x)    p(z) = prod_i p_i(z_i)    kl = sum_i KL_i
    capacity = sum_i |mean KL_i - C_i|                       nats; C_i grows from 0 in the training

With the cost "capacity" instead of "kl", each part carries about C_i nats, so that no part makes the others idle.

Dupont, Learning disentangled joint continuous and discrete representations (2018), https://arxiv.org/abs/1804.00104.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from narrows.batch_sharding import batch_mean
from narrows.bottlenecks.base import Sample, Stochastic
from narrows.params import counted
from narrows.types import Code

_GROWTH = 0.5  # share of the training in which the capacities grow


class Combined(Stochastic):
    """The components of several stochastic codes, one code after the other.

    Parameters
    ----------
    parts : the codes; each must give the KL of its components.
    capacities : C_i, nats of each part for the cost "capacity"; None for 0.

    Raises
    ------
    ValueError
        If there are not as many capacities as parts, or a part has `free_nats` or no closed form of its KL.

    >>> import torch
    >>> from narrows.bottlenecks import Categorical, Gaussian
    >>> code = Combined([Gaussian(2), Categorical(3, n_categories=3)])
    >>> code.n_inputs, code.eval()(torch.zeros(5, 7)).z.shape
    (7, torch.Size([5, 5]))
    """

    costs = ("kl", "capacity")
    capacities: Tensor
    share: Tensor

    def __init__(self, parts: Sequence[Stochastic], capacities: Sequence[float] | None = None) -> None:
        super().__init__()
        capacities = [0.0] * len(parts) if capacities is None else list(capacities)
        if len(capacities) != len(parts):
            raise ValueError(
                f"The `capacities` parameter of Combined must hold {counted(len(parts), 'number')}. Got "
                f"{len(capacities)}."
            )
        for part in parts:
            if getattr(part, "free_nats", 0.0) > 0:
                raise ValueError(
                    "The parts of Combined must have no `free_nats`: the KL of each part is charged whole."
                )
            with torch.no_grad():
                if part.kl_per_component(torch.zeros(1, part.n_inputs)) is None:
                    raise ValueError(
                        "The parts of Combined must give the KL of each component in closed form. "
                        f"{type(part).__name__} does not, or not with its prior: pass another code or prior."
                    )
        self.parts = nn.ModuleList(parts)
        self.n_components = sum(part.n_components for part in parts)
        self.n_inputs, self.n_noise = sum(part.n_inputs for part in parts), sum(part.n_noise for part in parts)
        self.n_unscaled_noise = sum(part.n_unscaled_noise for part in parts)
        self.n_prior_noise = sum(part.n_prior_noise for part in parts)
        self.is_overcomplete = any(part.is_overcomplete for part in parts)
        self.has_categories = any(part.has_categories for part in parts)
        self.register_buffer("capacities", torch.tensor(capacities), persistent=False)
        self.register_buffer("share", torch.zeros(()))

    def advance(self, progress: float) -> None:
        """Let the capacities grow, and pass the progress of the training to the parts."""
        self.share.fill_(min(1.0, progress / _GROWTH))
        for part in self._parts:
            part.advance(progress)

    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """Draw each part from its posterior (B x L)."""
        noise = eps.split([part.n_noise for part in self._parts], 1)
        draws = [part.sample(x, e) for part, x, e in zip(self._parts, self._inputs(h), noise, strict=True)]
        z, log_q, log_p = zip(*draws, strict=True)
        return Sample(torch.cat(z, 1), torch.stack(log_q).sum(0), torch.stack(log_p).sum(0))

    def from_prior(self, eps: Tensor) -> Tensor:
        """Draw each part from its prior (n x L). The noise that a temperature does not scale comes first, for all."""
        unscaled = eps[:, : self.n_unscaled_noise].split([part.n_unscaled_noise for part in self._parts], 1)
        sizes = [part.n_prior_noise - part.n_unscaled_noise for part in self._parts]
        scaled = eps[:, self.n_unscaled_noise :].split(sizes, 1)
        noise = [torch.cat(pair, 1) for pair in zip(unscaled, scaled, strict=True)]
        return torch.cat([part.from_prior(e) for part, e in zip(self._parts, noise, strict=True)], 1)

    def log_prior(self, z: Tensor) -> Tensor:
        """Return the sum of the parts' log p (B)."""
        return torch.stack([part.log_prior(x) for part, x in self._split(z)]).sum(0)

    def kl_per_component(self, h: Tensor) -> Tensor:
        """Return the KL of each component, part after part (B x L)."""
        return torch.cat(self._kls(h), 1)

    def code(self, h: Tensor, eps: Tensor) -> Code:
        """Return z (B x L) with the costs "kl" and "capacity"."""
        kls = [kl.sum(1) for kl in self._kls(h)]
        means = torch.stack([batch_mean(kl.mean(0)) for kl in kls])
        targets = self.capacities * self.share if self.training else self.capacities
        distance = (means - targets.to(means.dtype)).abs().sum()
        return Code(self.sample(h, eps).z, {"kl": torch.stack(kls).sum(0), "capacity": distance.expand(len(h))})

    @property
    def prior_std(self) -> Tensor | None:
        """Standard deviation of each component under the prior (L); None where one is not known."""
        stds = [part.prior_std for part in self._parts]
        known = [std for std in stds if std is not None]
        return torch.cat(known) if len(known) == len(stds) else None

    @property
    def n_modes(self) -> int:
        """Number of modes of the first part that has modes, such as a category; 0 if none has."""
        return next((part.n_modes for part in self._parts if part.n_modes), 0)

    def mode_probs(self, z: Tensor) -> Tensor | None:
        """Return the probabilities of these modes (B x K)."""
        return next((part.mode_probs(x) for part, x in self._split(z) if part.n_modes), None)

    def encode(self, h: Tensor) -> Tensor:
        """Return the code of each part (B x L)."""
        return torch.cat([part.encode(x) for part, x in zip(self._parts, self._inputs(h), strict=True)], 1)

    def project(self, z: Tensor) -> Tensor:
        """Return the nearest code of each part (n x L)."""
        return torch.cat([part.project(x) for part, x in self._split(z)], 1)

    def health(self, h: Tensor) -> dict[str, float]:
        """Return the health of the parts; numbers of active components are added up."""
        health: dict[str, float] = {}
        for part, x in zip(self._parts, self._inputs(h), strict=True):
            for name, value in part.health(x).items():
                health[name] = value + (health.get(name, 0.0) if name == "active_components" else 0.0)
        return health

    def interpolate(self, first: Tensor, last: Tensor, t: Tensor) -> Tensor:
        """Return codes (n x L) on the path of each part."""
        pairs = zip(self._split(first[None]), self._split(last[None]), strict=True)
        return torch.cat([part.interpolate(a[0], b[0], t) for (part, a), (_, b) in pairs], 1)

    @property
    def _parts(self) -> list[Stochastic]:
        return list(self.parts)  # type: ignore[arg-type]  # nn.ModuleList has no item type

    def _inputs(self, h: Tensor) -> tuple[Tensor, ...]:
        """Return the encoder's outputs for each part."""
        return h.split([part.n_inputs for part in self._parts], 1)

    def _split(self, z: Tensor) -> list[tuple[Stochastic, Tensor]]:
        """Return each part with its components of z (n x L)."""
        return list(zip(self._parts, z.split([part.n_components for part in self._parts], 1), strict=True))

    def _kls(self, h: Tensor) -> list[Tensor]:
        kls = [part.kl_per_component(x) for part, x in zip(self._parts, self._inputs(h), strict=True)]
        return [kl for kl in kls if kl is not None]  # none is, as the constructor checks
