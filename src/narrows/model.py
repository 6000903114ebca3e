"""The five parts put together.

    x  -> corrupt -> encode -> bottleneck -> decode -> likelihood

B is the batch, L the number of components, shape that of one example.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from narrows.bottlenecks import Bottleneck
from narrows.corruptions import Corruption
from narrows.likelihoods import Likelihood
from narrows.types import Batch, Output


class Autoencoder(nn.Module):
    """Corruption, encoder, bottleneck, decoder, likelihood.

    Parameters
    ----------
    corruption : what the encoder is shown instead of the example by `forward`; `encode` never corrupts.
    encoder : B x shape -> B x bottleneck.n_inputs.
    bottleneck : B x n_inputs -> code, B x L.
    decoder : B x L -> B x shape, one number for each entry.
    likelihood : of the target, given the decoder's numbers.

    Attributes
    ----------
    order : L integers; component i of a code, as users see it, is the bottleneck's component `order[i]`.
    """

    order: Tensor

    def __init__(
        self,
        corruption: Corruption,
        encoder: nn.Module,
        bottleneck: Bottleneck,
        decoder: nn.Module,
        likelihood: Likelihood,
    ) -> None:
        super().__init__()
        self.corruption, self.encoder, self.bottleneck = corruption, encoder, bottleneck
        self.decoder, self.likelihood = decoder, likelihood
        self.register_buffer("order", torch.arange(bottleneck.n_components))

    @property
    def has_code(self) -> bool:
        """Whether there is a narrow place at all; a denoiser without one has no codes."""
        return self.bottleneck.n_components > 0

    def forward(self, batch: Batch) -> Output:
        """A pass as the loss needs it: corrupted, coded (a draw where the code is stochastic), decoded."""
        seen = self.corruption(batch)
        code = self.bottleneck(self.encoder(seen.x))
        return Output(code, self.decoder(code.z), seen.weight)

    def encode(self, x: Tensor) -> Tensor:
        """The code (B x L) of clean examples; the posterior mean where there is a posterior."""
        z = self.bottleneck.encode(self.encoder(x))
        return z[:, self.order] if self.has_code else z

    def decode(self, z: Tensor) -> Tensor:
        """The likelihood's numbers (B x shape) for codes as `encode` gives them."""
        return self.decoder(z[:, self.order.argsort()] if self.has_code else z)

    def reconstruct(self, x: Tensor) -> Tensor:
        """The mean of the likelihood at the code of x (B x shape)."""
        return self.likelihood.mean(self.decode(self.encode(x)))
