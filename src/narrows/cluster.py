"""A fitted model applied to a Ray data set: each worker opens the model once, and batches come to it.

Ray moves the data, restarts what fails and adds workers; this is only what a worker does. https://docs.ray.io/en/latest/data
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
    """For `Dataset.map_batches`: adds to each batch what the model makes of it.

    Parameters
    ----------
    folder : of the saved model, where every worker can read it.
    method : "transform", "reconstruct" or "score_samples", and "denoise" of a DAE. The results go into a column called
        "code", "reconstruction", "score" or "clean".
    columns : those that hold the examples: one whose values are arrays, or one for each number. None for the columns
        that the model was fitted on, if they had names, otherwise all.
    keep : the columns that stay beside the result; None for all.
    device : where to compute; "auto" is the GPU that Ray gave the worker, if it gave one.

    Raises
    ------
    ValueError
        If a batch lacks a column, or does not hold examples such as the model was fitted on.

    Examples
    --------
    >>> how = {"folder": "/shared/model", "method": "transform"}
    >>> codes = ds.map_batches(  # doctest: +SKIP
    ...     narrows.cluster.Apply, fn_constructor_kwargs=how, concurrency=2, batch_format="numpy"
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
        """The batch with the result in a column of its own."""
        found = self.model.stream(iter([self._examples(batch)]), method=self.method)
        kept = batch if self.keep is None else {name: _column(batch, name) for name in self.keep}
        return {**kept, RESULTS[self.method]: found}

    def _examples(self, batch: dict[str, np.ndarray]) -> np.ndarray:
        values = [_column(batch, name) for name in (batch if self.columns is None else self.columns)]
        if len(values) == 1 and (values[0].ndim > 1 or values[0].dtype.kind == "O"):
            return values[0] if values[0].dtype.kind != "O" else np.stack(list(values[0]))
        return np.column_stack(values)


def apply(
    dataset: Dataset, folder: str | Path, method: str = "transform", *, concurrency: Any = None, **how: Any
) -> Any:
    """`dataset` with what the model in `folder` makes of each row: `dataset.map_batches(Apply, ...)`.

    Parameters
    ----------
    dataset : a `ray.data.Dataset`.
    folder, method : as in `Apply`.
    concurrency : how many workers, or the least and the most; None leaves it to Ray.
    how : `columns`, `keep` and `device` of `Apply`, and anything that `map_batches` takes, such as `num_gpus=1`.

    Returns
    -------
    A `ray.data.Dataset`, not yet computed.
    """
    own: dict[str, Any] = {name: how.pop(name) for name in ("columns", "keep", "device") if name in how}
    settings: dict[str, Any] = {"batch_format": "numpy", "batch_size": 4096, "concurrency": concurrency or 1, **how}
    arguments: dict[str, Any] = {"folder": str(folder), "method": method, **own}
    return dataset.map_batches(Apply, fn_constructor_kwargs=arguments, **settings)


def _column(batch: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in batch:
        raise ValueError(f"The data set must have a column {name!r}. It has {', '.join(batch)}.")
    return batch[name]
