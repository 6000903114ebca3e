"""Channels-last memory layout of convolution weights, which convolutions read faster.

A user's module that needs another layout has it in its attribute `layout` (`narrows.networks.OwnEncoder`).

Gain, on 2 cores with AMX: a step of three strided convolutions and their mirror image takes 24.6 ms instead of 27.2
(docs/negative-results.md). Measured by `python benchmarks/training.py conv`.
"""

from __future__ import annotations

import torch

from narrows.accelerate.base import Acceleration
from narrows.model import Autoencoder


def prepare_model(model: Autoencoder) -> None:
    """Change the memory layout of the encoder's and the decoder's weights, in place."""
    for part in (model.encoder, model.decoder):
        layout = getattr(part, "layout", torch.channels_last)
        part.to(memory_format=layout)  # type: ignore[call-overload]


ACCELERATION = Acceleration(prepare_model=prepare_model)
