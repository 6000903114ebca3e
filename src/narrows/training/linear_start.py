"""The start of a training: at the best linear model, and of a prior at the first codes.

The linear model is PCA, or probabilistic PCA for a code with a posterior.

Encoder and decoder have a linear path beside the network, whose last layer starts at 0. The training sets the linear
path from the principal components of the training rows' features. So a model that is kept by its held-out loss is never
worse than PCA.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from narrows.data import Examples, spaced_indices
from narrows.model import Autoencoder, inference_mode
from narrows.networks import Decoder, Encoder
from narrows.objectives import Objective
from narrows.training.batches import Batches
from narrows.training.device import Choice
from narrows.training.rng import RandomStream, draws_globally

_ROWS, _NUMBERS = 20_000, 50_000_000  # most rows, and most numbers of their features, from which PCA is computed
_EXACT = 1_500  # largest number of rows or features for which the components are exact
_OVERSAMPLING, _POWERS = 10, 4  # of randomized PCA
_BLOCK = 500  # rows of one pass
_SCALE_BLOCKS = 10  # passes from which the likelihood learns its scale
_SMALLEST = 1e-6  # variance beside that of the first component below which there is none, in single precision
_SEED = 1_000_033


def start_linear(model: Autoencoder, objective: Objective, rows: Examples, batches: Batches) -> Choice | None:
    """Set the linear path of a new model to PCA of the training rows, and the likelihood's scale to its errors.

    Halko, Martinsson and Tropp, Finding structure with randomness (2011), https://arxiv.org/abs/0909.4061, for data
    with more than 1,500 rows and features.

    Returns
    -------
    Choice
        What was done, to report; None for a model without a linear path, or one that has begun to learn.
    """
    encoder, decoder = model.encoder, model.decoder
    if not isinstance(encoder, Encoder) or not isinstance(decoder, Decoder):
        return None
    if encoder.linear_path is None or decoder.linear_path is None or len(batches.training) < 2:
        return None
    if bool(encoder.linear_path.weight.any()) or bool(encoder.linear_path.bias.any()):
        return None
    is_global = draws_globally(model, objective)
    with RandomStream(_SEED, rows.device, is_global).use(), inference_mode(model):
        features = _read_features(encoder, rows, batches.training)
        mean = features.mean(0)
        features -= mean
        n_components = decoder.linear_path.map.in_features
        variances, directions = principal_components(features, n_components)
        weight = float(objective.weights.get("kl", 1.0))
        n_varied = int((features.abs().amax(0) > 0).sum())
        total = float(features.square().sum()) / len(features)
        start = model.bottleneck.linear_start(variances, _find_noise(variances, total, n_varied, weight), weight)
        assert start is not None  # a recipe gives a linear path only to codes that can be linear
        encode = start.encode.to(directions) @ directions
        _set(encoder.linear_path, encode, start.bias.to(mean) - encode @ mean)
        _set(decoder.linear_path.map, (start.scale.to(directions)[:, None] * directions).T, mean)
        _learn_scale(model, rows, batches.training)
    explained = float(variances.sum()) / total if total > 0 else 1.0
    return Choice("start", "pca", f"{n_components} principal components explain {explained:.0%} of the variance")


def start_prior(model: Autoencoder, objective: Objective, rows: Examples, batches: Batches) -> None:
    """Start the prior of a new model at training rows and their codes, if it has such a start."""
    n = model.bottleneck.n_start_rows
    if n == 0 or len(batches.training) == 0:
        return
    with RandomStream(_SEED, rows.device, draws_globally(model, objective)).use(), inference_mode(model):
        model.eval()
        index = batches.training[torch.from_numpy(spaced_indices(len(batches.training), n)).to(batches.training.device)]
        parts = [rows.batch(part).x.to(_find_device(model)) for part in index.split(_BLOCK)]
        h = torch.cat([model.encoder(part) for part in parts])
        model.bottleneck.start_prior(torch.cat(parts), h)
        model.train()


def principal_components(x: Tensor, n_components: int) -> tuple[Tensor, Tensor]:
    """Return the variances (L) and directions (L x d) of the first principal components of x (n x d, of mean 0).

    Where x has fewer than L components, the further ones have variance 0 and direction 0.
    """
    n, d = x.shape
    k = min(n_components, n, d)
    if min(n, d) <= _EXACT:
        basis = None
    else:
        generator = torch.Generator().manual_seed(_SEED)
        basis = torch.randn(d, k + _OVERSAMPLING, generator=generator).to(x)
        for _ in range(_POWERS):
            basis = torch.linalg.qr(x.T @ (x @ basis)).Q
        x = x @ basis
    if x.shape[0] < x.shape[1]:
        values, vectors = torch.linalg.eigh((x @ x.T).cpu().double())
        values, vectors = values.flip(0)[:k].clamp(min=0), vectors.flip(1)[:, :k]
        directions = vectors.T.to(x) @ x / values.sqrt().clamp(min=1e-12).to(x)[:, None]
    else:
        values, vectors = torch.linalg.eigh((x.T @ x).cpu().double())
        values, directions = values.flip(0)[:k].clamp(min=0), vectors.flip(1)[:, :k].T.to(x)
    if basis is not None:
        directions = directions @ basis.T
    is_real = values > _SMALLEST * values.max().clamp(min=1e-30)
    values, directions = values * is_real / n, directions * is_real[:, None].to(directions)
    more = n_components - k
    if more:
        values = torch.cat([values, values.new_zeros(more)])
        directions = torch.cat([directions, directions.new_zeros(more, d)])
    return values.to(directions), directions


def _find_noise(variances: Tensor, total: float, n_features: int, weight: float) -> float:
    """Return the noise variance of a feature in probabilistic PCA with the weight `weight` of the KL.

    Components whose variance is below the noise carry nothing, and what they would carry is noise, too.
    """
    values, rest = variances.tolist(), total
    best = total / max(n_features, 1)
    for active in range(1, len(values) + 1):
        rest -= values[active - 1]
        left = n_features - weight * active
        if left <= 0:
            break
        noise = max(rest, 0.0) / left
        if values[active - 1] <= weight * noise:
            break
        best = noise
    return best


def _read_features(encoder: Encoder, rows: Examples, index: Tensor) -> Tensor:
    """Return the features of evenly spaced rows among `index`: n x n_shared, float32 or wider."""
    n = min(len(index), _ROWS, max(2, _NUMBERS // encoder.standardize.n_shared))
    index = index[torch.from_numpy(spaced_indices(len(index), n)).to(index.device)]
    standardize = encoder.standardize.eval()
    device = _find_device(encoder)
    parts = [encoder.shared(standardize(rows.batch(part).x.to(device))) for part in index.split(_BLOCK)]
    return torch.cat([part.to(torch.promote_types(part.dtype, torch.float32)) for part in parts])


def _learn_scale(model: Autoencoder, rows: Examples, index: Tensor) -> None:
    """Pass training rows through the model, as in training, so that the likelihood learns its scale."""
    model.train()
    for part in index[: _SCALE_BLOCKS * _BLOCK].split(_BLOCK):
        batch = rows.batch(part).to(_find_device(model))
        output = model(batch)
        model.likelihood.update_scale(output.params.to(batch.target.dtype), batch.target, output.weight)


def _find_device(module: nn.Module) -> torch.device:
    """Return the device of the weights: the CPU if the model is still to be sharded."""
    return next(module.parameters()).device


def _set(layer: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
