"""Costs of opponents that tell codes from draws from the prior, and decoded examples from data.

    codes:      cost = - log D(z),     D's loss = - E_p(z) log D - E_q(z) log (1 - D)        nats
    examples:   cost = |f(x) - f(x')|^2 / 2 - w (log D(x') + log D(x_p)) / 2
                D's loss = - log D(x) - (log (1 - D(x')) + log (1 - D(x_p))) / 2

D is the opponent's probability of a draw from the prior, or of data. x' is the reconstruction of x, x_p the decoded
draw z_p ~ p(z), and f the last hidden layer of D. An encoder that lowers the first cost makes the codes of all examples
together follow the prior: Makhzani, Shlens, Jaitly, Goodfellow and Frey, Adversarial autoencoders (2015),
https://arxiv.org/abs/1511.05644. A decoder that lowers the second one gives examples that look like data: Larsen,
Sønderby, Larochelle and Winther, Autoencoding beyond pixels using a learned similarity metric (2016),
https://arxiv.org/abs/1512.09300.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows import rng
from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue, frozen
from narrows.objectives.opponents import discriminator
from narrows.types import Batch, Output


class CodeAdversary(Cost):
    """The cost of codes that a discriminator tells from draws from the prior.

    Parameters
    ----------
    n_components : L.
    """

    name = "adversary"

    def __init__(self, n_components: int) -> None:
        super().__init__(discriminator(n_components, 1))

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return - log D(z) of each example (B), and the discriminator's loss (not validated)."""
        code = model.prior_code
        assert code is not None  # recipes give this cost to codes with a prior
        assert self.opponent is not None
        z = _widened(output.code.free)
        draws = code.from_prior(rng.randn_like(z.new_empty(len(z), code.n_prior_noise))).detach()
        fooled = F.softplus(-_widened(frozen(self.opponent, z))).squeeze(1)
        of_draws, of_codes = (_widened(self.opponent(codes)) for codes in (draws, z.detach()))
        return CostValue(fooled, (F.softplus(-of_draws) + F.softplus(of_codes)).mean())


class ExampleAdversary(Cost):
    """The cost of examples that a network tells from data, and of their distance from the data in its hidden layer.

    Parameters
    ----------
    features : f, a network from examples (B x shape) to the hidden layer (B x F).
    n_features : F.
    realism : w, weight of the decoder's gain from being taken for data.
    """

    name = "adversary"

    def __init__(self, features: nn.Module, n_features: int, realism: float) -> None:
        super().__init__(nn.Sequential(features, nn.Linear(n_features, 1)))
        self.realism = realism

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue | None:
        """Return the cost of each example (B), and the opponent's loss (not validated). None outside of a training.

        The scale of the features changes while the opponent learns: losses of two epochs would not be comparable.
        """
        if not self.training:
            return None
        code = model.prior_code
        assert code is not None  # recipes give this cost to codes with a prior
        assert isinstance(self.opponent, nn.Sequential)
        features = self.opponent[0]
        mean, z, real = model.likelihood.mean, output.code.z, batch.target
        restored = mean(output.params)
        if batch.observed is not None:  # a missing entry is as it was decoded
            real = torch.where(batch.observed > 0, real, restored.detach().to(real.dtype))
        eps = rng.randn_like(z.new_empty(len(z), code.n_prior_noise, dtype=_widened(z).dtype))
        # the label, if there is one, stays; the encoder gains nothing from being taken for data
        drawn = torch.cat([code.from_prior(eps).detach(), z[:, output.code.free.shape[1] :].detach()], 1)
        made = [mean(model.complete(model.decoder(c), batch.x, output.skipped)) for c in (z.detach(), drawn)]
        distance = 0.5 * (frozen(features, real) - frozen(features, restored)).float().square().sum(1)
        fooled = [F.softplus(-_widened(frozen(self.opponent, x))).squeeze(1) for x in made]
        taken = [F.softplus(_widened(self.opponent(x.detach()))) for x in made]
        loss = F.softplus(-_widened(self.opponent(real))) + (taken[0] + taken[1]) / 2
        return CostValue(distance + self.realism * (fooled[0] + fooled[1]) / 2, loss.mean())


def _widened(x: Tensor) -> Tensor:
    """Return x in at least single precision: a mean in bfloat16 is too coarse."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
