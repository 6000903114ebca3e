"""Autoencoders whose code is a point on circles: for data that repeat, such as turned pictures or times of the day."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows import rng
from narrows.batch_sharding import batch_rows
from narrows.bottlenecks import Bottleneck, LinearStart
from narrows.data import Schema
from narrows.likelihoods import LIKELIHOODS, Likelihood
from narrows.likelihoods.links import ArrayLink
from narrows.model import Autoencoder
from narrows.objectives import Objective
from narrows.params import Real
from narrows.recipes import Components, Hidden, Network, Parts, Start, assemble, register
from narrows.types import Batch, Code, Loss

_SMALLEST_SCALE = 1e-3


class Torus(Bottleneck):
    """Pairs of components, each a point on the circle of radius 1.

    Parameters
    ----------
    n_components : L, an even number: two for each circle.
    """

    def __init__(self, n_components: int) -> None:
        super().__init__()
        if n_components % 2:
            raise ValueError(
                "The `n_components` parameter of torusae must be even, two for each circle. "
                f"Got {n_components} instead."
            )
        self.n_components = self.n_inputs = n_components

    def forward(self, h: Tensor) -> Code:
        """Return the points (B x L), which cost nothing."""
        return Code(self.encode(h), {})

    def encode(self, h: Tensor) -> Tensor:
        """Return the points (B x L): each pair of h divided by its length."""
        return F.normalize(h.unflatten(1, (-1, 2)), dim=2).flatten(1)

    def linear_start(self, variances: Tensor, noise: float, weight: float) -> LinearStart:
        """Return PCA: the angle in the plane of two principal components. A random start may go around no circle."""
        radius = variances.view(-1, 2).sum(1).sqrt().clamp(min=1e-6).repeat_interleave(2)
        return LinearStart(torch.diag(1 / radius), torch.zeros_like(radius), radius)

    def project(self, z: Tensor) -> Tensor:
        """Return the nearest points on the circles (n x L)."""
        return self.encode(z)

    def interpolate(self, first: Tensor, last: Tensor, t: Tensor) -> Tensor:
        """Return points along the shorter arcs (n x L)."""
        (a, b), (c, d) = first.view(-1, 2).unbind(1), last.view(-1, 2).unbind(1)
        start, end = torch.atan2(b, a), torch.atan2(d, c)
        arc = torch.remainder(end - start + torch.pi, 2 * torch.pi) - torch.pi
        angle = start + t * arc
        return torch.stack([angle.cos(), angle.sin()], 2).flatten(1)


class Trimmed(Objective):
    """The negative log-likelihood without the worst examples of each batch, which may be errors in the data.

    Parameters
    ----------
    share : share of each batch that is left out, in [0, 1).
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.kept = 1 - share

    def check(self, model: Autoencoder) -> None:
        """Any model will do."""

    def forward(self, model: Autoencoder, batch: Batch) -> Loss:
        """Return the mean loss of the examples that are kept; of all examples outside of the training."""
        output = model(batch)
        nll = -model.likelihood.score(output.params, batch.target, output.weight)
        if self.training:
            limit = batch_rows(nll.detach()).quantile(self.kept)  # of all processes, if several share the batch
            nll = torch.where(nll <= limit, nll, nll.detach())
        return self.add_costs(nll.mean(), model, batch, output)


class LaplaceLikelihood(Likelihood):
    """log p(x) = - |x - m| / s - log 2 s, with m and s of each entry from the decoder: far values count less."""

    name = "laplace"
    support = "(-inf, inf)"
    n_params = 2

    def split(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return m and s of each entry (B x shape each)."""
        m, s = params.chunk(2, 1)
        return m, F.softplus(s) + _SMALLEST_SCALE

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Return the log density of each entry in nats (B x shape)."""
        m, s = self.split(params)
        return -(x - m).abs() / s - (2 * s).log()

    def mean(self, params: Tensor) -> Tensor:
        """Return m (B x shape)."""
        return self.split(params)[0]

    def sample(self, params: Tensor) -> Tensor:
        """Draw each entry (B x shape) by the inverse of its distribution function."""
        m, s = self.split(params)
        u = rng.rand_like(m) - 0.5
        return m - s * u.sign() * torch.log1p(-2 * u.abs().clamp(max=0.5 - 1e-7))

    def inverse_mean(self, m: Tensor) -> Tensor:
        """Return m, followed by numbers that make the scale about 0.7."""
        return torch.cat([m, torch.zeros_like(m)])

    def link(self, schema: Schema) -> nn.Module:
        """Return the identity: the linear path gives m."""
        return ArrayLink(schema, None, n_more=1)

    def contains(self, x: Tensor) -> Tensor:
        """Return True for finite entries."""
        return torch.isfinite(x)


LIKELIHOODS[LaplaceLikelihood.name] = LaplaceLikelihood  # before the recipe, whose default it is


@register(purpose="geometry")
def torusae(
    schema: Schema,
    n_components: Components = 2,
    *,
    trim: Annotated[
        float, Real(0, 0.5), "share of the examples of each batch, the worst ones, that are left out"
    ] = 0.02,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: str = "laplace",
    start: Start = "pca",
) -> Parts:
    """An autoencoder whose code is a point on circles, for data that repeat.

    After Falorsi et al., Explorations in homeomorphic variational auto-encoding (2018),
    https://arxiv.org/abs/1807.04689.
    """
    return assemble(
        schema, Torus(n_components), Trimmed(trim), network=network, hidden=hidden, likelihood=likelihood, start=start
    )
