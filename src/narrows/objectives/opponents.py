"""Networks of opponents, which costs train against the model."""

from __future__ import annotations

from itertools import pairwise

from torch import nn


def discriminator(n_inputs: int, n_outputs: int, width: int = 256, depth: int = 3) -> nn.Sequential:
    """Return a multilayer perceptron of leaky ReLUs from codes (B x n_inputs) to logits (B x n_outputs).

    Parameters
    ----------
    width : number of units in each hidden layer.
    depth : number of hidden layers.
    """
    sizes = [n_inputs, *[width] * depth]
    hidden = [layer for n_in, n_out in pairwise(sizes) for layer in (nn.Linear(n_in, n_out), nn.LeakyReLU(0.2))]
    return nn.Sequential(*hidden, nn.Linear(width, n_outputs))
