"""Weights of convolutions that lie in memory with their channels last, as convolutions read them.

A user's module that cannot have it so says which layout it takes (`narrows.networks.OwnEncoder.layout`).

Gain, on 2 cores with AMX: a step of three strided convolutions and their mirror image takes 24.6 ms instead of 27.2
(docs/negative-results.md). Measured by `python benchmarks/training.py conv`.
"""

from __future__ import annotations

import torch

from narrows.accelerate.base import Acceleration
from narrows.model import Autoencoder


def prepare_model(model: Autoencoder) -> None:
    """Lay out the weights of the encoder and of the decoder, in place."""
    for part in (model.encoder, model.decoder):
        layout = getattr(part, "layout", torch.channels_last)
        part.to(memory_format=layout)  # type: ignore[call-overload]


ACCELERATION = Acceleration(prepare_model=prepare_model)
