"""Sparse codes of many examples as matrices of SciPy: made and decoded block by block, never all in one dense array.

A dense array of all codes takes n L numbers; of 1,000,000 examples and 12,288 units 49 GB. The active ones of k = 32
units take 0.26 GB.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast

import numpy as np
import sklearn
import torch
from sklearn.utils._set_output import _get_output_config
from torch import Tensor

from narrows.accelerate import autocast
from narrows.data import SparseMemory, SparseRows, as_shared_tensor, is_sparse
from narrows.data.streams import Source
from narrows.estimators import parallel
from narrows.estimators.codes import with_index
from narrows.estimators.sources import Reader, open_rows
from narrows.model import Autoencoder
from narrows.params import BOOL, Parameter, parameters
from narrows.training import NotEnoughMemory, memory
from narrows.types import SparseCode

# methods of `_apply`: codes in the estimator's precision, for the user, and in full precision, to look at the units
SPARSE_TRANSFORM, SPARSE_CODES = "sparse transform", "sparse codes"
_CHECKED_BYTES = 1 << 24  # a result of more bytes is compared with the free memory


def _sparse_output(
    *,
    sparse_output: Annotated[
        bool,
        BOOL,
        "True to give codes as a sparse matrix of SciPy (CSR) of the active units; with precision='bfloat16' the "
        "products for it are in bfloat16, faster and less exact",
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
    """Mixin: the codes of rows in memory, dense or sparse, whatever `transform` gives.

    Attributes
    ----------
    own_parameters : parameters of an estimator's class, on which the network does not depend.
    """

    own_parameters: ClassVar[dict[str, Parameter]] = {}
    _apply: Callable[..., Any]
    _as_source: Callable[[Any], Source]

    def compute_sparse_codes(self, X: Any) -> Any:
        """Return the codes of X as a `scipy.sparse.csr_array` (n x L) without zeros, each row by component.

        Parameters
        ----------
        X : examples as for `stream`.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on.
        OSError, ImportError
            If a file cannot be read.
        """
        return self._apply(SPARSE_CODES, open_rows(cast(Reader, self), X), SparseMemory())

    def _compute_codes(self, X: Any) -> np.ndarray:
        return np.asarray(self._apply("transform", self._as_source(X)))

    def _transform(self, X: Any) -> Any:
        """Return the codes of X as `transform` gives them."""
        if not gives_sparse(self):
            return with_index(self._compute_codes(X), X)
        refuse_frames(self)
        return as_scikit_learn_does(self._apply(SPARSE_TRANSFORM, self._as_source(X), SparseMemory()))


def as_scikit_learn_does(codes: Any) -> Any:
    """Return a csr_array as a csr_matrix, unless scikit-learn's configuration asks for sparse arrays; others as is."""
    if not is_sparse(codes) or sklearn.get_config().get("sparse_interface", "spmatrix") == "sparray":
        return codes
    import scipy.sparse as sp

    return sp.csr_matrix(codes)


def make_operation(estimator: Any, method: str) -> parallel.Operation:
    """Return the operation of `SPARSE_TRANSFORM` or `SPARSE_CODES`, which gives the sparse codes of a block."""
    model: Autoencoder = estimator.model_
    is_short = method == SPARSE_TRANSFORM and getattr(estimator, "precision", "auto") == "bfloat16"
    dtype = torch.bfloat16 if is_short else torch.float32

    def compute(x: Tensor, fewest: int) -> SparseRows:
        with autocast(x.device, dtype):
            return encode_sparse(model, x, fewest)

    return parallel.Operation(model.encode, lambda rows, _: rows, compute=compute)


def encode_sparse(model: Autoencoder, x: Tensor, fewest: int) -> SparseRows:
    """Return the codes of prepared examples x (B x ...) on the CPU, each row by unit, without zeros.

    Parameters
    ----------
    fewest : number of rows to which x is padded.
    """
    code, dtype = model.encode_sparse(parallel.pad_batch(x, fewest)), next(model.parameters()).dtype
    starts = code.starts[: len(x) + 1].cpu().numpy()
    n = int(starts[-1])
    values, indices = code.values[:n].detach().to("cpu", dtype), code.indices[:n].int().cpu()
    return SparseRows(values.numpy(), indices.numpy(), starts, code.n_components)


def decode_block(model: Autoencoder, z: Tensor | SparseRows, fewest: int) -> Tensor:
    """Return the decoder's output (B x params_shape) for codes (B x L), which are padded to `fewest` rows."""
    like = next(model.parameters())
    if isinstance(z, Tensor):
        return model.decode(parallel.pad_batch(z.to(like.device, like.dtype), fewest))[: len(z)]
    n_padded = max(fewest, 1 << (len(z) - 1).bit_length())
    starts = np.pad(z.starts.astype(np.int64), (0, n_padded - len(z)), "edge")
    values, indices, places = (as_shared_tensor(array).to(like.device) for array in (z.values, z.indices, starts))
    return model.decode_sparse(SparseCode(values.to(like.dtype), indices.long(), places, z.n_columns))[: len(z)]


def limit_memory(estimator: Any, method: str) -> Callable[[int], None]:
    """Return a function of a number of bytes, which checks that an array of the results of `method` fits."""
    return functools.partial(check_free, estimator, method)


def check_free(estimator: Any, method: str, n_bytes: int) -> None:
    """Check that a new array of the results of `method` fits into the free memory.

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
        if method == "transform" and hasattr(estimator, "sparse_output")
        else ""
    )
    raise NotEnoughMemory(
        f"The result of {owner} as an array needs {needed}; {memory.format_bytes(free)} are free. {smaller}"
        "`stream(X, path)` writes results to a file, a block at a time."
    )
