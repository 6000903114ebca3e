"""Containers that are no arrays. Each is refused at once, with what to pass, before NumPy tries to make an array of it.

They are known by the names of their classes, so that none of their packages is imported.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping, Set
from typing import Any

import torch
from torch import Tensor

_DATASET = "pass the examples as one array: np.stack([x for x, *_ in X])"
_COMPUTE = "pass X.compute()"

# what to pass, by package and class
_ADVICE = {
    ("anndata", "AnnData"): "pass X.to_df(), or the array X.X (X.X.toarray() if it is sparse)",
    ("mudata", "MuData"): "pass one of its modalities, X.mod[NAME].to_df()",
    ("scipy", "_spbase"): "pass X.toarray(), after selecting columns if that is too large",
    ("scipy", "spmatrix"): "pass X.toarray(), after selecting columns if that is too large",
    ("sparse", "SparseArray"): "pass X.todense(), after selecting columns if that is too large",
    ("polars", "LazyFrame"): "pass X.collect()",
    ("narwhals", "LazyFrame"): "pass X.collect()",
    ("dask", "Array"): _COMPUTE,
    ("dask", "DataFrame"): _COMPUTE,
    ("dask", "FrameBase"): _COMPUTE,
    ("dask", "Bag"): _COMPUTE,
    ("xarray", "Dataset"): "pass one of its variables, X[NAME], or X.to_dataframe()",
    ("xarray", "DataTree"): "pass a variable of one of its data sets, X[PATH][NAME]",
    (
        "torch",
        "DataLoader",
    ): "pass the examples as one array: np.concatenate([x for x, *_ in X]), or `max_examples`, "
    "with which `fit` of AE, VAE and SAE reads blocks",
    ("torch", "TensorDataset"): "pass one of its tensors, X.tensors[0]",
    ("torch", "Dataset"): _DATASET,
    ("tensorflow", "DatasetV2"): "pass the examples as one array: np.stack(list(X.as_numpy_iterator()))",
    ("datasets", "Dataset"): "pass X.to_pandas(), or one column of arrays, X.with_format('numpy')[NAME]",
    ("datasets", "DatasetDict"): "pass one of its splits, X[NAME].to_pandas()",
    ("datasets", "IterableDataset"): "pass the examples as one array: np.stack([x[NAME] for x in X])",
    ("pyspark", "DataFrame"): "pass X.toPandas()",
    ("duckdb", "DuckDBPyRelation"): "pass X.df()",
    ("ibis", "Table"): "pass X.to_pandas()",
}


def check_container(X: Any, owner: str, *, takes_iterators: bool = False) -> None:
    """Check that X may be an array, a tensor, a list or a data frame. It is not read.

    Parameters
    ----------
    X : what a user passed.
    owner : name of the caller, for messages.
    takes_iterators : True if the caller reads iterables of blocks of rows, such as a `DataLoader`.

    Raises
    ------
    TypeError
        If X is another container: a sparse matrix, a lazy frame, a data set, a dict, a set, a path or an iterator.
    """
    advice = _advice(X, takes_iterators)
    if advice is not None:
        raise TypeError(f"X passed to {owner} is {_name(X)}: {advice}.")


def _advice(X: Any, takes_iterators: bool) -> str | None:
    if isinstance(X, Tensor) and X.layout is not torch.strided:
        return "pass X.to_dense()"
    is_read = takes_iterators and isinstance(X, Iterable)
    for cls in type(X).__mro__:
        key = cls.__module__.partition(".")[0], cls.__name__
        if key in _ADVICE and not (is_read and key[0] == "torch"):
            return _ADVICE[key]
    if isinstance(X, (str, os.PathLike)):
        return "read the file first: narrows.data.files.read(PATH).X"
    if isinstance(X, Mapping):
        return "pass one array, such as np.column_stack(list(X.values())), or pandas.DataFrame(X)"
    if isinstance(X, Set):
        return "pass a list or an array, which has an order"
    if isinstance(X, Iterable) and not is_read and not hasattr(X, "__array__") and not hasattr(X, "__len__"):
        return (
            "pass the examples as one array, np.stack(list(X)), or np.concatenate(list(X)) if it gives blocks of rows. "
            "`fit` of AE, VAE and SAE with the parameter `max_examples` reads iterators; with a fitted model `stream`, "
            "`survey_units`, `active_units`, `write_units`, `write_map` and `write_report` do so"
        )
    if inspect.isroutine(X):
        return "pass the rows that it makes. `fit` of AE, VAE and SAE with the parameter `max_examples` calls it"
    return None


def _name(X: Any) -> str:
    name, module = type(X).__name__, type(X).__module__.partition(".")[0]
    if module == "scipy":
        name = f"scipy.sparse {name}"
    elif isinstance(X, Tensor):
        name = "sparse torch tensor"
    elif module not in ("builtins", "narrows"):
        name = f"{module}.{name}"
    return f"{'an' if name[0].lower() in 'aeioux' else 'a'} {name}"
