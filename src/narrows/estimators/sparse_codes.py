"""Sparse codes of many examples as matrices of SciPy: made and decoded block by block, never all in one dense array.

A dense array of all codes takes n L numbers; of 1,000,000 examples and 12,288 units 49 GB. The active ones of k = 32
units take 0.26 GB.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import sklearn
import torch
from sklearn.utils._set_output import _get_output_config
from torch import Tensor

from narrows.data import SparseMemory, SparseRows, is_sparse
from narrows.data.streams import Source
from narrows.estimators import parallel
from narrows.model import Autoencoder
from narrows.params import BOOL, parameters
from narrows.training import NotEnoughMemory, memory
from narrows.types import SparseCode

SPARSE_TRANSFORM = "transform to sparse rows"  # the method of `transform` where its result is sparse
_CHECKED_BYTES = 1 << 24  # a result of more bytes is compared with the free memory


def _sparse_output(
    *,
    sparse_output: Annotated[
        bool, BOOL, "True to give codes as a sparse matrix of SciPy (CSR), which holds the active units alone"
    ] = False,
) -> None:
    """The parameter of estimators with sparse codes."""


SPARSE_OUTPUT = parameters(_sparse_output)


def gives_sparse(estimator: Any) -> bool:
    """Return True if the codes of an estimator are to be sparse matrices."""
    return bool(getattr(estimator, "sparse_output", False))


def refuse_frames(estimator: Any) -> None:
    """Raise ValueError if scikit-learn is asked to make data frames of the results, which are sparse."""
    output = _get_output_config("transform", estimator=estimator)["dense"]
    if output != "default":
        name = output.capitalize()
        raise ValueError(
            f"{name} output does not support sparse data. Set sparse_output=False to output {output} dataframes or "
            f'disable {name} output via `{type(estimator).__name__.lower()}.set_output(transform="default")`.'
        )


def writes_sparse(estimator: Any, sink: Any) -> bool:
    """Return True if codes go to `sink` as sparse rows: with sparse_output=True, and sparse codes in a .npz file."""
    is_npz = isinstance(sink, (str, os.PathLike)) and Path(sink).suffix.lower() == ".npz"
    return gives_sparse(estimator) or (is_npz and estimator.model_.bottleneck.is_sparse)


class Coded:
    """Mixin: the codes of rows in memory, dense or sparse, whatever `transform` gives."""

    _apply: Callable[..., Any]
    _as_source: Callable[[Any], Source]

    def compute_sparse_codes(self, X: Any) -> Any:
        """Return the codes of X as a `scipy.sparse.csr_array` (n x L) without zeros, each row by component.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on.
        """
        return self._apply(SPARSE_TRANSFORM, self._as_source(X), SparseMemory())

    def _compute_codes(self, X: Any) -> np.ndarray:
        return np.asarray(self._apply("transform", self._as_source(X)))

    def _transform_sparse(self, X: Any) -> Any:
        """Return the codes of X as `transform` does with sparse_output=True."""
        refuse_frames(self)
        return as_scikit_learn_does(self.compute_sparse_codes(X))


def as_scikit_learn_does(codes: Any) -> Any:
    """Return a csr_array as a csr_matrix, unless scikit-learn's configuration asks for sparse arrays; others as is."""
    if not is_sparse(codes) or sklearn.get_config().get("sparse_interface", "spmatrix") == "sparray":
        return codes
    import scipy.sparse as sp

    return sp.csr_matrix(codes)


def operation(model: Autoencoder) -> parallel.Operation:
    """Return the operation that gives the sparse codes of a block."""
    return parallel.Operation(
        model.encode, lambda rows, _: rows, compute=lambda x, fewest: encode_sparse(model, x, fewest)
    )


def encode_sparse(model: Autoencoder, x: Tensor, fewest: int) -> SparseRows:
    """Return the codes of prepared examples x (B x ...) on the CPU, each row by unit, without zeros.

    Parameters
    ----------
    fewest : number of rows to which x is padded.
    """
    code = model.encode_sparse(parallel.pad_batch(x, fewest))
    starts = code.starts[: len(x) + 1].cpu().numpy()
    n = int(starts[-1])
    values, indices = code.values[:n].detach().cpu(), code.indices[:n].int().cpu()
    return SparseRows(values.numpy(), indices.numpy(), starts, code.n_components)


def decode_block(model: Autoencoder, z: Tensor | SparseRows, fewest: int) -> Tensor:
    """Return the decoder's output (B x params_shape) for codes (B x L), which are padded to `fewest` rows."""
    like = next(model.parameters())
    if isinstance(z, Tensor):
        return model.decode(parallel.pad_batch(z.to(like.device, like.dtype), fewest))[: len(z)]
    n_padded = max(fewest, 1 << (len(z) - 1).bit_length())
    starts = np.pad(z.starts.astype(np.int64), (0, n_padded - len(z)), "edge")
    arrays = (z.values.astype(np.float64), z.indices.astype(np.int64), starts)  # copies: a file's are read-only
    values, indices, starts_of_rows = (torch.from_numpy(array) for array in arrays)
    code = SparseCode(values.to(like.dtype), indices, starts_of_rows, z.n_columns)
    return model.decode_sparse(SparseCode(*(t.to(like.device) for t in code[:3]), z.n_columns))[: len(z)]


def check_free(estimator: Any, n_bytes: int) -> None:
    """Check that a new array of results fits into the free memory.

    Raises
    ------
    NotEnoughMemory
        If it does not. It says what needs less.
    """
    if n_bytes <= _CHECKED_BYTES or n_bytes <= (free := memory.available_bytes()):
        return
    owner, needed = type(estimator).__name__, memory.format_bytes(n_bytes)
    smaller = (
        f"{owner}(sparse_output=True) gives a sparse matrix of the active units, on a fitted model "
        "`model.set_params(sparse_output=True)`. "
        if hasattr(estimator, "sparse_output")
        else ""
    )
    raise NotEnoughMemory(
        f"The result of {owner} as an array needs {needed}; {memory.format_bytes(free)} are free. {smaller}"
        "`stream(X, path)` writes results to a file, a block at a time."
    )
