"""Presets: models of the literature that are another recipe with other values."""

from __future__ import annotations

from narrows.recipes.models import vae
from narrows.recipes.registry import preset
from narrows.recipes.regularized import rae, wae


@preset(vae, purpose="disentangle", defaults={"beta": 4.0})
def betavae() -> None:
    """A VAE whose KL counts more: fewer components are used, and each of them is more independent of the others.

    Higgins et al., beta-VAE: Learning basic visual concepts with a constrained variational framework (2017),
    https://openreview.net/forum?id=Sy2fzU9gl.
    """


@preset(wae, purpose="generate", fixed={"measure": "sliced"})
def swae() -> None:
    """A Wasserstein autoencoder that compares codes and prior along random lines.

    Kolouri, Pope, Martin and Rohde, Sliced-Wasserstein autoencoder (2018), https://arxiv.org/abs/1804.01947.
    """


@preset(rae, purpose="generate", defaults={"slope_weight": 0.1})
def raegp() -> None:
    """A regularised autoencoder whose decoder is kept smooth by a penalty on its slope.

    Ghosh, Sajjadi, Vergari, Black and Schölkopf, From variational to deterministic autoencoders (2020),
    https://arxiv.org/abs/1903.12436, RAE-GP.
    """
