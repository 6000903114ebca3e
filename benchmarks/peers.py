"""The trainings that `training.py` compares: by narrows and by each peer, measured alike.

A peer is imported when it is first used, so that a process which measures one side's memory holds no other.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from common import SEED, timed
from torch import Tensor, nn

import narrows
from narrows import recipes
from narrows.data import infer

N_COMPONENTS = 16
HIDDEN = (512, 256)
_DRAWS = 8
_PASS = 1000  # test images at a time

Networks = tuple[nn.Module, nn.Module]  # images -> 2 L numbers (mean, log variance); L -> a logit for each entry


@dataclass(frozen=True)
class Work:
    """The work of one comparison, the same for all sides.

    Attributes
    ----------
    X, T : images to learn from and to test on, n x h x w or n x h x w x c, 8 bits.
    networks : function that makes an untrained encoder and decoder, for sides that take modules.
    ours : parameters of narrows' estimators for the same networks.
    """

    X: np.ndarray
    T: np.ndarray
    networks: Callable[[], Networks]
    ours: dict[str, Any]
    batch_size: int
    epochs: int
    device: torch.device
    seed: int = SEED


class Trained(NamedTuple):
    """Results of a training; some come from narrows only.

    Attributes
    ----------
    seconds : time of the whole call.
    loss : loss on the test images.
    step : seconds of a step, without the set-up; None if the training was too short to tell.
    outside : seconds of `fit` before and after the training itself.
    notes : decisions with their reasons.
    """

    seconds: float
    loss: float
    step: float | None = None
    outside: float = 0.0
    notes: Sequence[str] = ()


def unit(images: np.ndarray) -> Tensor:
    """Return images as floats in [0, 1], n x c x h x w."""
    x = torch.from_numpy(images).float() / 255
    return x.unsqueeze(1) if x.dim() == 3 else x.permute(0, 3, 1, 2).contiguous()


def mlp(n_entries: int = 784, shape: tuple[int, ...] = (1, 28, 28)) -> Networks:
    """Return MLPs 784-512-256-32 and 16-256-512-784 with GELU, as in narrows."""
    a, b = HIDDEN
    encoder = nn.Sequential(
        nn.Flatten(), nn.Linear(n_entries, a), nn.GELU(), nn.Linear(a, b), nn.GELU(), nn.Linear(b, 2 * N_COMPONENTS)
    )
    decoder = nn.Sequential(
        nn.Linear(N_COMPONENTS, b),
        nn.GELU(),
        nn.Linear(b, a),
        nn.GELU(),
        nn.Linear(a, n_entries),
        nn.Unflatten(1, shape),
    )
    return encoder, decoder


def conv() -> Networks:
    """Return three strided convolutions of 32, 64 and 128 channels on 3 x 32 x 32, and their mirror image."""

    def down(n_in: int, n_out: int) -> list[nn.Module]:
        return [nn.Conv2d(n_in, n_out, 4, 2, 1), nn.ReLU()]

    def up(n_in: int, n_out: int) -> list[nn.Module]:
        return [nn.ReLU(), nn.ConvTranspose2d(n_in, n_out, 4, 2, 1)]

    encoder = nn.Sequential(
        *down(3, 32), *down(32, 64), *down(64, 128), nn.Flatten(), nn.Linear(2048, 2 * N_COMPONENTS)
    )
    first = [nn.Linear(N_COMPONENTS, 2048), nn.Unflatten(1, (128, 4, 4))]
    decoder = nn.Sequential(*first, *up(128, 64), *up(64, 32), *up(32, 3))
    return encoder, decoder


def conv_own(X: np.ndarray) -> Networks:
    """Return the convolutional networks that narrows makes for the images X."""
    model = recipes.get("vae").make(infer(X, "X"), N_COMPONENTS, network="conv").model
    return model.encoder, model.decoder


def published() -> Networks:
    """Return the convolutional VAE for which pythae publishes times, for 1 x 28 x 28: 128 to 1,024 channels."""

    def down(n_in: int, n_out: int) -> list[nn.Module]:
        return [nn.Conv2d(n_in, n_out, 4, 2, 1), nn.BatchNorm2d(n_out), nn.ReLU()]

    encoder = nn.Sequential(
        *(layer for sizes in pairwise((1, 128, 256, 512, 1024)) for layer in down(*sizes)),
        nn.Flatten(),
        nn.Linear(1024, 2 * N_COMPONENTS),
    )
    decoder = nn.Sequential(
        nn.Linear(N_COMPONENTS, 1024 * 4 * 4),
        nn.Unflatten(1, (1024, 4, 4)),
        *(nn.ConvTranspose2d(1024, 512, 3, 2, 1), nn.BatchNorm2d(512), nn.ReLU()),
        *(nn.ConvTranspose2d(512, 256, 3, 2, 1, 1), nn.BatchNorm2d(256), nn.ReLU()),
        nn.ConvTranspose2d(256, 1, 3, 2, 1, 1),
    )
    return encoder, decoder


@torch.no_grad()
def negative_elbo(
    encode: Callable[[Tensor], tuple[Tensor, Tensor]], decode: Callable[[Tensor], Tensor], work: Work
) -> float:
    """Return the mean over test images of the cross-entropy (summed over entries, `_DRAWS` draws) plus the KL, in nats.

    All sides use this function. `encode` returns mean and log standard deviation, `decode` the mean of each entry.
    """
    generator = torch.Generator().manual_seed(SEED)
    total = 0.0
    for part in unit(work.T).to(work.device).split(_PASS):
        mean, log_std = encode(part)
        nats = (0.5 * (mean.square() + (2 * log_std).exp() - 1) - log_std).sum(1)
        for _ in range(_DRAWS):
            eps = torch.randn(mean.shape, generator=generator).to(mean)
            p = decode(mean + log_std.exp() * eps).flatten(1)
            nats = nats + F.binary_cross_entropy(p, part.flatten(1), reduction="none").sum(1) / _DRAWS
        total += float(nats.sum())
    return total / len(work.T)


def narrows_vae(work: Work, **changes: Any) -> Trained:
    """Train narrows' VAE on its defaults, but for the network, the batch size and a fixed number of epochs."""
    settings = {"batch_size": work.batch_size, "max_epochs": work.epochs, "early_stopping": False, **changes}
    model, seconds, step, outside = _narrows(narrows.VAE, work, likelihood="bernoulli", **settings)
    parts = model.model_
    loss = negative_elbo(
        lambda x: parts.bottleneck.split(parts.encoder(x)), lambda z: parts.likelihood.mean(parts.decoder(z)), work
    )
    return Trained(seconds, loss, step, outside, model.report_)


def narrows_ae(work: Work, **changes: Any) -> Trained:
    """Train narrows' AE in the same way; the loss is the squared error a pixel, on [0, 1]."""
    settings = {"batch_size": work.batch_size, "max_epochs": work.epochs, "early_stopping": False, **changes}
    model, seconds, step, outside = _narrows(narrows.AE, work, **settings)
    with torch.no_grad():
        parts = [model.model_.reconstruct(part).cpu() for part in unit(work.T).to(work.device).split(_PASS)]
    return Trained(seconds, _squared_error(torch.cat(parts).numpy(), work), step, outside, model.report_)


def _narrows(kind: Any, work: Work, **settings: Any) -> tuple[Any, float, float | None, float]:
    model = kind(N_COMPONENTS, device=str(work.device), random_state=work.seed, **work.ours, **settings)
    _, seconds = timed(lambda: model.fit(work.X), work.device)
    model.module()  # moves it to its device
    first, last = model.history_[0], model.history_[-1]
    steps = last["step"] - first["step"]
    step = (last["seconds"] - first["seconds"]) / steps if steps else None
    return model, seconds, step, seconds - last["seconds"]


def pythae_vae(work: Work, **changes: Any) -> Trained:
    """Train by pythae's BaseTrainer on its defaults, but for network, batch size, epochs and learning rate.

    The learning rate is 1e-3, at which its loss is better than at its default of 1e-4. The time does not include
    converting the data and making the trainer.
    """
    from pythae.data.datasets import BaseDataset
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Encoder(BaseEncoder):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Tensor) -> Any:
            mean, log_variance = self.module(x).chunk(2, 1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)

    class Decoder(BaseDecoder):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

        def forward(self, z: Tensor) -> Any:
            return ModelOutput(reconstruction=self.module(z).sigmoid())

    x = unit(work.X)
    torch.manual_seed(work.seed)
    encoder, decoder = work.networks()
    model = VAE(
        VAEConfig(input_dim=tuple(x.shape[1:]), latent_dim=N_COMPONENTS, reconstruction_loss="bce"),
        encoder=Encoder(encoder),
        decoder=Decoder(decoder),
    )
    config = {"learning_rate": 1e-3, "per_device_train_batch_size": work.batch_size, **changes}
    with tempfile.TemporaryDirectory() as folder, quiet():
        settings = BaseTrainerConfig(
            output_dir=folder, num_epochs=work.epochs, seed=work.seed, no_cuda=work.device.type != "cuda", **config
        )
        trainer = BaseTrainer(model, BaseDataset(x, torch.ones(len(x))), training_config=settings)
        _, seconds = timed(trainer.train, work.device)
    best = trainer._best_model.eval()

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        code = best.encoder(x)
        return code.embedding, code.log_covariance / 2

    return Trained(seconds, negative_elbo(encode, lambda z: best.decoder(z).reconstruction, work))


def sklearn_ae(work: Work) -> Trained:
    """Train scikit-learn's MLPRegressor(X, X); it runs on the CPU only."""
    from sklearn.neural_network import MLPRegressor

    widths = (*HIDDEN, N_COMPONENTS, *reversed(HIDDEN))
    model = MLPRegressor(
        hidden_layer_sizes=widths, batch_size=work.batch_size, max_iter=work.epochs, random_state=work.seed
    )
    x = unit(work.X).flatten(1).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged
        _, seconds = timed(lambda: model.fit(x, x))
    return Trained(seconds, _squared_error(model.predict(unit(work.T).flatten(1).numpy()), work))


def pyod_ae(work: Work) -> Trained:
    """Train pyod's AutoEncoder without batch normalisation, dropout and standardisation, which the others lack."""
    from pyod.models.auto_encoder import AutoEncoder

    model = AutoEncoder(
        hidden_neuron_list=[*HIDDEN, N_COMPONENTS],
        batch_size=work.batch_size,
        epoch_num=work.epochs,
        batch_norm=False,
        dropout_rate=0,
        preprocessing=False,
        device=work.device,
        random_state=work.seed,
        verbose=0,
    )
    x = unit(work.X).flatten(1).numpy()
    _, seconds = timed(lambda: model.fit(x), work.device)
    with torch.no_grad():
        reconstructions = model.model.eval()(unit(work.T).flatten(1).to(work.device)).cpu().numpy()
    return Trained(seconds, _squared_error(reconstructions, work))


def _squared_error(reconstructions: np.ndarray, work: Work) -> float:
    return float(np.square(reconstructions.reshape(len(work.T), -1) - unit(work.T).flatten(1).numpy()).mean())


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide progress bars, whose drawing would be timed."""
    logging.disable(logging.INFO)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
