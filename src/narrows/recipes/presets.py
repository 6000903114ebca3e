"""Presets: models of the literature that are another recipe with other values."""

from __future__ import annotations

from narrows.recipes.discrete import vqvae
from narrows.recipes.models import vae
from narrows.recipes.registry import preset


@preset(vae, purpose="disentangle", defaults={"beta": 4.0})
def betavae() -> None:
    """A VAE whose KL counts more: fewer components are used, and each of them is more independent of the others.

    Higgins et al., beta-VAE: Learning basic visual concepts with a constrained variational framework (2017),
    https://openreview.net/forum?id=Sy2fzU9gl.
    """


@preset(vqvae, purpose="discrete", defaults={"group_size": "auto"})
def pqvae() -> None:
    """A vector-quantised autoencoder whose code is a few longer vectors: product quantisation, for short codes.

    Each group of components has a codebook of its own, so G groups of K vectors give K^G codes with G K vectors.

    Jegou, Douze and Schmid, Product quantization for nearest neighbor search (2011),
    https://doi.org/10.1109/TPAMI.2010.57; in an autoencoder: Wu and Flierl, Learning product codebooks using
    vector-quantized autoencoders for image retrieval (2018), https://arxiv.org/abs/1807.04629.
    """
