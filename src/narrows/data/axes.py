"""Principal axes: the directions in which vectors vary most."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class PrincipalAxes(NamedTuple):
    """Mean and principal axes of vectors.

    Attributes
    ----------
    mean : (d,) mean of the vectors.
    axes : (d, d) unit vectors as columns, sorted by variance; the largest is last.
    variance : (d,) variance along each axis.
    """

    mean: Tensor
    axes: Tensor
    variance: Tensor


def principal_axes(X: Tensor) -> PrincipalAxes:
    """Return the principal axes of X (n x d, float), from the eigenvectors of its d x d scatter matrix.

    >>> X = torch.tensor([[-2.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> principal_axes(X).variance.tolist()
    [0.5, 2.0]
    """
    mean = X.mean(0)
    centred = X - mean
    scatter, axes = torch.linalg.eigh(centred.t() @ centred)
    return PrincipalAxes(mean, axes, scatter.clamp(min=0) / len(X))
