"""Presets: models of the literature that are another recipe with other values."""

from __future__ import annotations

from narrows.recipes.discrete import vqvae
from narrows.recipes.models import sae, vae
from narrows.recipes.registry import preset
from narrows.recipes.regularized import rae, wae

_BOUND = ("bound", "n_draws", "n_groups", "elbo_share")
_KL = ("free_nats", "capacity")
_PLAIN = (*_BOUND, *_KL)


@preset(vae, purpose="disentangle", defaults={"beta": 4.0}, without=(*_BOUND, "capacity"))
def betavae() -> None:
    """A VAE whose KL counts more: fewer components are used, and each of them is more independent of the others.

    Higgins et al., beta-VAE: Learning basic visual concepts with a constrained variational framework (2017),
    https://openreview.net/forum?id=Sy2fzU9gl.
    """


@preset(
    vae,
    purpose="disentangle",
    defaults={"beta": 10.0, "capacity": 10.0, "kl_warmup": 0.5},
    without=(*_BOUND, "free_nats"),
)
def disentangledbetavae() -> None:
    """A VAE whose code carries more and more nats, up to a capacity: one component after the other comes into use.

    Burgess et al., Understanding disentangling in beta-VAE (2018), https://arxiv.org/abs/1804.03599.
    """


@preset(
    vae,
    purpose="likelihood",
    defaults={"kl_warmup": 0.0},
    fixed={"bound": "iwae"},
    without=("beta", *_KL, "n_groups", "elbo_share"),
)
def iwae() -> None:
    """The importance-weighted autoencoder: a VAE with a tighter bound on the log-likelihood, from several draws.

    Burda, Grosse and Salakhutdinov, Importance weighted autoencoders (2016), https://arxiv.org/abs/1509.00519.
    """


@preset(
    vae,
    purpose="likelihood",
    defaults={"kl_warmup": 0.0},
    fixed={"bound": "miwae"},
    without=("beta", *_KL, "elbo_share"),
)
def miwae() -> None:
    """An IWAE with the mean of several bounds, each from a part of the draws: the encoder gets a better gradient.

    Rainforth et al., Tighter variational bounds are not necessarily better (2018), https://arxiv.org/abs/1802.04537.
    """


@preset(
    vae,
    purpose="likelihood",
    defaults={"kl_warmup": 0.0},
    fixed={"bound": "piwae"},
    without=("beta", *_KL, "elbo_share"),
)
def piwae() -> None:
    """An IWAE whose encoder learns from the mean of several bounds (MIWAE), and whose decoder from the tight one.

    Rainforth et al., Tighter variational bounds are not necessarily better (2018), https://arxiv.org/abs/1802.04537.
    """


@preset(
    vae, purpose="likelihood", defaults={"kl_warmup": 0.0}, fixed={"bound": "ciwae"}, without=("beta", *_KL, "n_groups")
)
def ciwae() -> None:
    """An IWAE whose bound is mixed with the ELBO, so that the encoder gets a better gradient.

    Rainforth et al., Tighter variational bounds are not necessarily better (2018), https://arxiv.org/abs/1802.04537.
    """


@preset(
    vae,
    purpose="generate",
    defaults={"n_modes": 100},
    fixed={"prior": "vamp"},
    without=(*_PLAIN, "posterior"),
)
def vamp() -> None:
    """A VAE whose prior is the mixture of the posteriors of learned examples, so that the prior fits the codes.

    Tomczak and Welling, VAE with a VampPrior (2018), https://arxiv.org/abs/1705.07120.
    """


@preset(vae, purpose="generate", fixed={"prior": "mixture"}, without=(*_PLAIN, "posterior"))
def gmvae() -> None:
    """A VAE whose prior is a mixture of Gaussians, which finds clusters: `predict_cluster`, `cluster_probs`.

    Dilokthanakul et al., Deep unsupervised clustering with Gaussian mixture variational autoencoders (2016),
    https://arxiv.org/abs/1611.02648.
    """


@preset(vae, purpose="likelihood", fixed={"posterior": "planar"}, without=_PLAIN)
def vae_linnf() -> None:
    """A VAE whose posterior is a Gaussian that planar steps, a linear normalising flow, give another shape.

    Rezende and Mohamed, Variational inference with normalizing flows (2015), https://arxiv.org/abs/1505.05770.
    """


@preset(vae, purpose="likelihood", fixed={"posterior": "flow"}, without=_PLAIN)
def vae_iaf() -> None:
    """A VAE whose posterior is a Gaussian that an inverse autoregressive flow gives another shape (extra `flows`).

    Kingma et al., Improving variational inference with inverse autoregressive flow (2016),
    https://arxiv.org/abs/1606.04934.
    """


@preset(vae, purpose="likelihood", fixed={"posterior": "ladder"}, without=(*_PLAIN, "prior", "n_modes"))
def laddervae() -> None:
    """A VAE with two groups of components, of which the first sets the prior of the second.

    Sonderby, Raiko, Maaloe, Sonderby and Winther, Ladder variational autoencoders (2016),
    https://arxiv.org/abs/1602.02282.
    """


@preset(wae, purpose="generate", defaults={"strength": 1.0}, fixed={"measure": "sliced"})
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


@preset(vqvae, purpose="discrete", defaults={"group_size": "auto"})
def pqvae() -> None:
    """A vector-quantised autoencoder whose code is a few longer vectors: product quantisation, for short codes.

    Each group of components has a codebook of its own, so G groups of K vectors give K^G codes with G K vectors.

    Jegou, Douze and Schmid, Product quantization for nearest neighbor search (2011),
    https://doi.org/10.1109/TPAMI.2010.57; in an autoencoder: Wu and Flierl, Learning product codebooks using
    vector-quantized autoencoders for image retrieval (2018), https://arxiv.org/abs/1807.04629.
    """


@preset(
    sae,
    purpose="sparse",
    defaults={"sparsity": "batchtopk", "scale": "layer"},
    without=("skip", "rate"),
    is_layered=True,
)
def crosscoder() -> None:
    """A sparse dictionary of several layers, or of several models: one code explains the activations of all of them.

        x_l' = b_l + sum_j f_j d_jl        units are counted and selected by f_j sum_l |d_jl|

    Lindsey, Templeton, Marcus, Conerly, Batson and Olah, Sparse crosscoders for cross-layer features and model diffing
    (2024), https://transformer-circuits.pub/2024/crosscoders/index.html, sparsity "l1"; Minder et al., Overcoming
    sparsity artifacts in crosscoders to interpret chat-tuning (2025), https://arxiv.org/abs/2504.02922, "batchtopk".
    """
