"""A fitted model applied to a Ray data set. Each worker opens the model once and applies it to many batches.

Ray moves the data, restarts workers that fail and adds workers; this module is only the work of one of them.
https://docs.ray.io/en/latest/data
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ray.data import Dataset

RESULTS = {"transform": "code", "reconstruct": "reconstruction", "denoise": "clean", "score_samples": "score"}


class Apply:
    """A class for `Dataset.map_batches`, which adds the results of a model to each batch.

    Parameters
    ----------
    folder : folder of the saved model, which every worker can read.
    method : "transform", "reconstruct" or "score_samples"; for a DAE also "denoise". The results go into a column
        called "code", "reconstruction", "score" or "clean".
    columns : names of the columns with the examples: one whose values are arrays, or one for each number. None for the
        columns that the model was fitted on, if they had names, otherwise all.
    keep : names of the columns to keep beside the result; None for all.
    device : device that computes; "auto" is the GPU that Ray gave the worker, if any.

    Raises
    ------
    FileNotFoundError
        If there is no model in `folder`.
    ValueError
        If `method` is not one of the model's. A call raises it if a batch lacks a column, or does not hold examples
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
        """Return the batch with the results in a further column."""
        result = self.model.stream(iter([self._examples(batch)]), method=self.method)
        kept = batch if self.keep is None else {name: _column(batch, name) for name in self.keep}
        return {**kept, RESULTS[self.method]: result}

    def _examples(self, batch: dict[str, np.ndarray]) -> np.ndarray:
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
    concurrency : number of workers, or the smallest and the largest number; None for one worker.
    options : `columns`, `keep` and `device` of `Apply`, and further arguments of `map_batches`, such as `num_gpus=1`.

    Returns
    -------
    A `ray.data.Dataset`, which computes when it is used.
    """
    of_apply: dict[str, Any] = {name: options.pop(name) for name in ("columns", "keep", "device") if name in options}
    settings: dict[str, Any] = {"batch_format": "numpy", "batch_size": 4096, "concurrency": concurrency or 1, **options}
    arguments: dict[str, Any] = {"folder": str(folder), "method": method, **of_apply}
    return dataset.map_batches(Apply, fn_constructor_kwargs=arguments, **settings)


def _column(batch: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in batch:
        raise ValueError(f"The data set must have a column {name!r}. It has {', '.join(batch)}.")
    return batch[name]
