"""The five parts put together.

    x  -> corrupt -> encode -> bottleneck -> decode -> likelihood

B is the batch, L the number of components, shape that of one example.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from narrows.bottlenecks import Bottleneck, Estimate, Guess
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
    frequencies : of the C classes, for a model that is told each example's label; empty for others. Its decoder takes
        B x (L + C): the code, and 1 in the label's column (p(x | z, y): Kingma et al., Semi-supervised learning with
        deep generative models, 2014, https://arxiv.org/abs/1406.5298). The encoder sees the example alone, q(z | x),
        so that codes need no label.
    guess : q(y | x) on what the encoder gives, for a model that is not told the label of every example, or that learns
        to estimate a number of each; otherwise None.

    Attributes
    ----------
    order : L integers; component i of a code, as users see it, is the bottleneck's component `order[i]`.
    log_frequencies : C numbers, nats.
    """

    order: Tensor
    log_frequencies: Tensor | None

    def __init__(
        self,
        corruption: Corruption,
        encoder: nn.Module,
        bottleneck: Bottleneck,
        decoder: nn.Module,
        likelihood: Likelihood,
        frequencies: Sequence[float] = (),
        guess: Guess | Estimate | None = None,
    ) -> None:
        super().__init__()
        self.corruption, self.encoder, self.bottleneck = corruption, encoder, bottleneck
        self.decoder, self.likelihood, self.guess = decoder, likelihood, guess
        self.register_buffer("order", torch.arange(bottleneck.n_components))
        self.register_buffer("log_frequencies", torch.tensor(frequencies).log() if frequencies else None)

    @property
    def n_classes(self) -> int:
        """C, the labels that the decoder is told one of; 0 for a model without."""
        return 0 if self.log_frequencies is None else len(self.log_frequencies)

    @property
    def has_code(self) -> bool:
        """Whether there is a narrow place at all; a denoiser without one has no codes."""
        return self.bottleneck.n_components > 0

    @property
    def n_widest(self) -> int:
        """Numbers that an example is on its way through, where it is widest, as far as the parts say; otherwise 0."""
        return max(int(getattr(part, "n_widest", 0)) for part in (self.encoder, self.decoder))

    def forward(self, batch: Batch) -> Output:
        """A pass as the loss needs it: corrupted, coded (a draw where the code is stochastic), decoded."""
        seen = self.corruption(batch)
        h = self.encoder(seen.x)
        code = self.bottleneck(h)
        if self.guess is None and not self.n_classes:
            return Output(code, self.decoder(code.z), seen.weight)
        assert batch.label is not None  # rows come with labels where the model is to know any
        if self.guess is None:
            told = self.marked(batch.label, code.z)
        else:
            told, costs = self.guess(h, batch.label)
            code = code._replace(costs={**code.costs, **costs})
        z = torch.cat([code.z, told.to(code.z.dtype)], 1) if self.n_classes else code.z
        return Output(code, self.decoder(z), seen.weight)

    @property
    def costs(self) -> tuple[str, ...]:
        """The names of the costs that a pass states."""
        return (*self.bottleneck.costs, *(self.guess.costs if self.guess is not None else ()))

    def encode(self, x: Tensor) -> Tensor:
        """The code (B x L) of clean examples; the posterior mean where there is a posterior."""
        z = self.bottleneck.encode(self.encoder(x))
        return z[:, self.order] if self.has_code else z

    def decode(self, z: Tensor) -> Tensor:
        """The likelihood's numbers (B x shape) for codes as `encode` gives them, with the labels' columns behind.

        Without those columns a conditional model takes the most frequent label.
        """
        if not self.has_code:
            return self.decoder(z)
        codes, label = z[:, self.order.argsort()], z[:, len(self.order) :]
        if self.log_frequencies is None:
            return self.decoder(codes)
        if label.shape[1] == 0:
            label = self.marked(self.log_frequencies.argmax().expand(len(z)), z)
        return self.decoder(torch.cat([codes, label], 1))

    def reconstruct(self, x: Tensor) -> Tensor:
        """The mean of the likelihood at the code of x (B x shape), and at its likeliest label."""
        return self.likelihood.mean(self.at_own_code(x))

    def at_own_code(self, x: Tensor) -> Tensor:
        """The likelihood's numbers (B x shape) at the code of x, and at its likeliest label."""
        z = self.encode(x)
        return self.decode(torch.cat([z, self.infer(x)], 1) if self.n_classes else z)

    def infer(self, x: Tensor) -> Tensor:
        """The likeliest label of clean examples: B x C, one 1.

        It is argmax_y q(y | x) where the model has that, otherwise argmax_y log p(x | z, y) + log p(y) at their codes.
        """
        assert self.log_frequencies is not None
        h = self.encoder(x)
        z = self.bottleneck.encode(h)
        if isinstance(self.guess, Guess):
            return self.marked(self.guess.log_probabilities(h).argmax(1), z)
        labels = torch.arange(self.n_classes, device=x.device)
        scores = [
            self.likelihood.score(self.decoder(torch.cat([z, self.marked(y.expand(len(x)), z)], 1)), x) for y in labels
        ]
        return self.marked((torch.stack(scores, 1) + self.log_frequencies).argmax(1), z)

    def marked(self, label: Tensor, like: Tensor) -> Tensor:
        """B class numbers as B x C with a 1 in the class's column, in the dtype of `like`."""
        return (label[:, None] == torch.arange(self.n_classes, device=label.device)).to(like.dtype)
