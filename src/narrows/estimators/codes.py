"""Codes that know the index of the data frame that they were made from; draws of codes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.data import is_sparse
from narrows.evaluation.scores import draw_posterior
from narrows.fitted import FittedModel
from narrows.model import inference_mode

_BLOCK = 500  # rows whose draws need passes through the decoder and back


class Codes(np.ndarray):
    """Codes of the rows of a pandas frame: an array like any other, with the frame's index.

    `inverse_transform` gives the index back, so that `df - model.inverse_transform(model.transform(df))` subtracts rows
    of the same examples. Slices, copies and results of arithmetic have no index, because their rows may be others.

    Attributes
    ----------
    index : index of the frame; None for codes that were derived from others.
    """

    index: Any = None

    def __array_finalize__(self, source: Any) -> None:
        """Leave the index out: NumPy calls this for every array that is made from another."""
        self.index = None


def with_index(codes: np.ndarray, X: Any) -> np.ndarray:
    """Return codes (n, L) of the rows X; with the index of X if X is a pandas frame."""
    index = getattr(X, "index", None) if hasattr(X, "iloc") else None
    if index is None or len(index) != len(codes):
        return codes
    named = codes.view(Codes)
    named.index = index
    return named


def index_of(Z: Any) -> Any:
    """Return the index of codes: that of `Codes`, or of a pandas frame; None without one."""
    return getattr(Z, "index", None) if isinstance(Z, Codes) or hasattr(Z, "iloc") else None


def in_float_dtype_of(rows: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Return `result` in the dtype of `rows`, if this dtype is a float."""
    return result.astype(rows.dtype, copy=False) if rows.dtype.kind == "f" else result


def check_codes(Z: Any, n_components: int, owner: str) -> Any:
    """Return codes as an array (n x L); sparse ones of SciPy as they are.

    Raises
    ------
    ValueError
        If they have another shape, or are not finite numbers.
    """
    Z = Z if is_sparse(Z) else np.asarray(Z)
    if Z.ndim != 2 or Z.shape[1] != n_components:
        raise ValueError(f"Codes for {owner} must have shape (n, {n_components}). Got {Z.shape}.")
    if Z.dtype.kind not in "biuf" or not np.isfinite(Z.tocsr().data if is_sparse(Z) else Z).all():
        raise ValueError(f"Codes for {owner} must be finite numbers.")
    return Z


def draw_codes(estimator: FittedModel, rows: Tensor, seed: int) -> Tensor:
    """Draw a stochastic code of each of `rows` (n x schema.shape, on the model's scale): n x L, in float64, on the CPU.

    The components are in the bottleneck's own order.
    """
    model, code = estimator.module(), estimator.module().stochastic
    assert code is not None
    eps = torch.randn(len(rows), code.n_noise, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    like = next(code.parameters(), eps)  # float64 for a code without parameters
    with inference_mode(model):
        if code.uses_likelihood:
            parts = zip(rows.split(_BLOCK), eps.split(_BLOCK), strict=True)
            z = torch.cat([draw_posterior(model, x.to(like), noise.to(like)).z.detach() for x, noise in parts])
        else:
            z = code.sample(estimator.apply(model.encoder, rows).to(like), eps.to(like)).z.detach()
    return z.double().cpu()
