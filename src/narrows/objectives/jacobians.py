"""Costs of encoders and decoders that change fast, and of codes far from 0.

    encoder = |dz / du|_F^2        contractive: z changes little with the example
    decoder = |du' / dz|_F^2       smooth: the decoded mean changes little with z
    norm    = |z|^2 / 2

u are the features that a network sees (`networks.Standardize`), and u' those of the decoded mean, so that neither the
units of a column nor the size of counts matter.

The squared Frobenius norm of a Jacobian J (rows: outputs) is E |v^T J|^2 over random signs v, Hutchinson's estimate, or
the sum of |e_i^T J|^2 over all unit vectors, which is exact. Each v takes one backward pass. Rifai, Vincent, Muller,
Glorot and Bengio, Contractive auto-encoders (2011), https://icml.cc/2011/papers/455_icmlpaper.pdf; Ghosh, Sajjadi,
Vergari, Black and Schölkopf, From variational to deterministic autoencoders (2020), https://arxiv.org/abs/1903.12436.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from narrows import rng
from narrows.data import MeanFeatures, Schema
from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue
from narrows.types import Batch, Output

_MOST_EXACT = 4  # components up to which a backward pass for each is worth its time
_N_PROBES = 2  # random vectors for codes of more


class EncoderJacobian(Cost):
    """The squared Frobenius norm of the encoder's Jacobian: exact for at most 4 components, else from 2 probes."""

    name = "jacobian"
    needs_gradient = True

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return the norm for each example (B)."""
        n = output.code.free.shape[1]
        like = output.code.free.detach()
        if n <= _MOST_EXACT:
            probes = list(torch.eye(n, dtype=like.dtype, device=like.device).unsqueeze(1).expand(n, len(like), n))
        else:
            probes = [_signs(like) for _ in range(_N_PROBES)]
        # methods, because a validation collects what calls of the encoder return
        encoder: Any = model.encoder
        encode, features = encoder.forward, batch.x
        if hasattr(encoder, "encode_features"):  # any module can be an encoder
            encode, features = encoder.encode_features, encoder.standardize(batch.x)
        total = squared_norms(lambda u: model.bottleneck.encode(encode(u)), features, probes)
        return CostValue(total if n <= _MOST_EXACT else total / _N_PROBES)


class DecoderJacobian(Cost):
    """The squared Frobenius norm of the Jacobian of the decoded mean, estimated with one probe.

    With it an autoencoder is the RAE-GP of Ghosh et al. (2020).

    Parameters
    ----------
    schema : schema of the decoded examples, for their features; None to take the decoded mean itself.
    """

    name = "slope"
    needs_gradient = True

    def __init__(self, schema: Schema | None = None) -> None:
        super().__init__()
        self.features = nn.Flatten() if schema is None else MeanFeatures(schema)

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return the estimate for each example (B)."""
        free, z = output.code.free, output.code.z
        label = z[:, free.shape[1] :]

        def features(params: Tensor) -> Tensor:
            mean: Tensor = self.features(model.likelihood.soft_mean(params))
            return mean

        probe = _signs(features(output.params).detach())
        value = squared_norms(lambda codes: features(model.decoder(torch.cat([codes, label], 1))), free, [probe])
        return CostValue(value)


class CodeNorm(Cost):
    """The cost |z|^2 / 2, which keeps codes near the origin."""

    name = "norm"

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return the cost of each example (B)."""
        z = output.code.free
        return CostValue(0.5 * z.to(torch.promote_types(z.dtype, torch.float32)).square().sum(1))


def squared_norms(function: Callable[[Tensor], Tensor], x: Tensor, probes: Sequence[Tensor]) -> Tensor:
    """Return the sum over the probes v of |v^T J|^2 for each row of x (B x ...): B numbers with a gradient.

    Parameters
    ----------
    function : function of each row alone, B x ... -> B x ...
    probes : vectors v, of the shape of the function's output.
    """
    with torch.enable_grad():  # a held-out loss is computed without gradients
        x = x if x.requires_grad else x.detach().requires_grad_()
        y = function(x)
        total = torch.zeros(len(x), dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
        for probe in probes:
            (gradient,) = torch.autograd.grad(y, x, probe.to(y.dtype), create_graph=True)
            total = total + gradient.to(total.dtype).square().flatten(1).sum(1)
    return total


def _signs(like: Tensor) -> Tensor:
    """Return random signs, 1 or -1, in the shape of `like`."""
    return torch.where(rng.rand_like(like) < 0.5, -1.0, 1.0).to(like.dtype)
