"""Apply a fitted model to a Ray data set. Each worker loads the model once and applies it to many batches.

Ray moves the data, restarts workers that fail and adds workers (https://docs.ray.io/en/latest/data). This module is
only the work of a single worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.data import as_dense, is_frame, open_frame

if TYPE_CHECKING:
    from ray.data import Dataset

RESULTS = {"transform": "code", "reconstruct": "reconstruction", "denoise": "clean", "score_samples": "score"}


class Apply:
    """A class for `Dataset.map_batches`. It adds the results of a model to each batch.

    Parameters
    ----------
    folder : folder of the saved model; every worker must be able to read it.
    method : "transform", "reconstruct" or "score_samples"; for a DAE also "denoise". The results go into a column
        called "code", "reconstruction", "score" or "clean". Reconstructed rows of a table with words go into a column
        for each of the table's, such as "reconstruction age".
    columns : names of the columns with the examples: either one column of arrays, or one column for each entry. None
        for the columns that the model was fitted on, if they had names, otherwise for all columns.
    keep : names of the columns to keep beside the result; None for all.
    device : device that computes; "auto" is the GPU that Ray gave the worker, if any.

    Raises
    ------
    FileNotFoundError
        If there is no model in `folder`.
    ValueError
        If the model has no such `method`. A call raises ValueError if a batch lacks a column, or does not hold examples
        like those that the model was fitted on.

    Examples
    --------
    >>> arguments = {"folder": "/shared/model", "method": "transform"}
    >>> codes = ds.map_batches(  # doctest: +SKIP
    ...     narrows.cluster.Apply, fn_constructor_kwargs=arguments, concurrency=2, batch_format="numpy"
    ... )
    """

    def __init__(
        self,
        folder: str | Path,
        method: str = "transform",
        *,
        columns: Sequence[str] | None = None,
        keep: Sequence[str] | None = None,
        device: str = "auto",
    ) -> None:
        from narrows.estimators import load

        self.model = load(folder, device=device).set_params(verbose=0)
        self.model.check_method(method)
        self.method, self.keep = method, keep
        names = self.model.schema_.columns
        self.columns = [str(name) for name in names] if columns is None and names else columns

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        """Return the batch with the results in one more column, or in one for each column of a reconstructed table."""
        result = self.model.stream(iter([self._examples(batch)]), method=self.method)
        kept = batch if self.keep is None else {name: _column(batch, name) for name in self.keep}
        name = RESULTS[self.method]
        if is_frame(result):
            frame = open_frame(result, "Apply")
            return {**kept, **{f"{name} {column}": np.asarray(frame.data[column]) for column in frame.names}}
        return {**kept, name: as_dense(result)}

    def _examples(self, batch: dict[str, np.ndarray]) -> Any:
        if self.model.schema_.kind == "table":
            names = self.columns or list(batch)
            columns = [_column(batch, name).tolist() for name in names]
            return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        values = [_column(batch, name) for name in (batch if self.columns is None else self.columns)]
        if len(values) == 1 and (values[0].ndim > 1 or values[0].dtype.kind == "O"):
            return values[0] if values[0].dtype.kind != "O" else np.stack(list(values[0]))
        return np.column_stack(values)


def apply(
    dataset: Dataset, folder: str | Path, method: str = "transform", *, concurrency: Any = None, **options: Any
) -> Any:
    """Apply the model in `folder` to each row of `dataset`: `dataset.map_batches(Apply, ...)`.

    Parameters
    ----------
    dataset : a `ray.data.Dataset`.
    folder, method : as in `Apply`.
    concurrency : number of workers, or a pair of the smallest and the largest number; None for one worker.
    options : `columns`, `keep` and `device` of `Apply`, and further arguments of `map_batches`, such as `num_gpus=1`.

    Returns
    -------
    A `ray.data.Dataset`, which is computed when it is used.
    """
    apply_options: dict[str, Any] = {
        name: options.pop(name) for name in ("columns", "keep", "device") if name in options
    }
    settings: dict[str, Any] = {"batch_format": "numpy", "batch_size": 4096, "concurrency": concurrency or 1, **options}
    arguments: dict[str, Any] = {"folder": str(folder), "method": method, **apply_options}
    return dataset.map_batches(Apply, fn_constructor_kwargs=arguments, **settings)


def _column(batch: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in batch:
        raise ValueError(f"The data set must have a column {name!r}. It has {', '.join(batch)}.")
    return batch[name]
