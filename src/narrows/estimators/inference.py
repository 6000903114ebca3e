"""Inference: apply a fitted model to arrays in memory, or to any source, and write the results to any sink."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from sklearn.utils.validation import _check_feature_names, check_is_fitted, validate_data
from torch import Tensor

from narrows.accelerate import around_inference
from narrows.data import (
    N_BINS,
    EncodedRows,
    Frame,
    MappedRows,
    Schema,
    SparseRows,
    as_array,
    as_cells,
    as_floats,
    check_container,
    check_form,
    check_numeric,
    check_rows,
    has_words,
    infer_table,
    is_frame,
    min_max,
    open_frame,
    open_path,
    open_sparse_sink,
    sinks,
    streams,
    target_of,
)
from narrows.data.streams import Source
from narrows.estimators import parallel, sparse_codes
from narrows.estimators.codes import in_float_dtype_of
from narrows.estimators.sources import open_rows
from narrows.estimators.sparse_codes import SPARSE_CODES, SPARSE_TRANSFORM, Coded, decode_block, limit_memory
from narrows.estimators.summary import contains, support_message
from narrows.evaluation.scores import log_likelihood, missing_scores
from narrows.fitted import FittedModel, check_no_targets
from narrows.likelihoods import LIKELIHOODS
from narrows.model import Autoencoder, inference_mode
from narrows.params import Parameter
from narrows.recipes import Recipe
from narrows.training import RandomStream, choose_device, draws_globally
from narrows.training.progress import Reporter, Verbosity


class Inference(Coded, ABC):
    """Abstract: methods that apply a fitted model to blocks of examples (see `parallel`)."""

    model_: Autoencoder
    schema_: Schema
    device: str
    verbose: Verbosity
    n_features_in_: int
    recipe: ClassVar[Recipe]
    feature_names_in_: np.ndarray
    offset_: float
    usual_scores_: np.ndarray
    columns: Any
    max_levels: Any
    get_feature_names_out: Callable[[], np.ndarray]

    @classmethod
    @abstractmethod
    def parameters(cls) -> dict[str, Parameter]:
        """Return all parameters by name."""

    def stream(
        self, source: Any, sink: Any = None, method: str = "transform", *, columns: Sequence[str] | None = None
    ) -> Any:
        """Apply `method` to `source` block by block. The source and the result may be larger than memory.

        If it takes more than 2 seconds, or the parameter `verbose` is above 0, a progress bar is shown.

        Parameters
        ----------
        source : an array, a memory map, a tensor or a data frame; the path of a .npy file (which is mapped), .parquet
            file or folder of them, or any other file that narrows reads; or an iterator of arrays or data frames.
        sink : the path of a .npy, .parquet, .csv or .tsv file; an array to fill, such as a memory map; or None for a
            new array. A file is replaced only when it is complete. None makes a data frame of reconstructed rows of a
            table; a .npy file and an array cannot hold its words and dates. A .npz file holds codes as
            `save_npz` of SciPy does. With sparse_output=True a .parquet has lists, and None makes a sparse matrix.
        method : "transform", "reconstruct" or "score_samples"; for a DAE also "denoise".
        columns : names of the columns to read; None for those that the model was fitted on, or all if they had none.

        Returns
        -------
        The path of the file, the data frame, or the array, of shape (n, n_components), (n, ...) or (n,).

        Raises
        ------
        ValueError, TypeError
            If an argument is not valid, or `source` does not hold examples like those that the model was fitted on.
        OSError, ImportError
            If a file cannot be read or written, or its format needs a package that is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import AE
        >>> X = np.random.default_rng(0).normal(size=(300, 5))
        >>> model = AE(2, hidden=(8,), max_epochs=1).fit(X)
        >>> model.stream(iter([X[:100], X[100:]])).shape
        (300, 2)
        """
        check_is_fitted(self)
        self.check_method(method)
        is_table, blocks = self.schema_.kind == "table", open_rows(self, source, columns)
        names = self._column_names(method, blocks)
        reporter, check = Reporter(self.verbose, f"{type(self).__name__}.{method}"), limit_memory(self, method)
        as_frame = self.schema_.as_frame if is_table and method in ("reconstruct", "denoise") else None
        if method == "transform" and sparse_codes.writes_sparse(self, sink):
            with open_sparse_sink(sink, blocks.n, names) as opened, reporter as report:
                result = self._apply(SPARSE_TRANSFORM, blocks, opened, report)
            return Path(sink).expanduser() if result is None else sparse_codes.as_scikit_learn_does(result)
        with sinks.open_sink(sink, blocks.n, names, as_frame, check) as opened, reporter as report:
            result = self._apply(method, blocks, opened, report)
        if as_frame is not None and sink is None:
            return as_frame(result, like=source)
        return Path(sink).expanduser() if result is None else result

    def validate(self, X: Any, reset: bool) -> np.ndarray:
        """Return X, in memory or the path of files, as an array of numbers of any shape, or as `MappedRows`.

        Parameters
        ----------
        reset : True to store the columns of X (for `fit`), False to require the columns that the model was fitted on.

        Raises
        ------
        ValueError, TypeError
            If X does not hold numbers, or has other columns.
        """
        owner = type(self).__name__
        if isinstance(X, EncodedRows):
            return X
        X = open_path(X, has_tokens=not self.recipe.is_layered if reset else self.schema_.takes_tokens)
        if not is_frame(X):
            check_container(X, owner)
        X = as_array(X, owner) if isinstance(X, np.ma.MaskedArray) else X
        if not reset and self.schema_.table is not None:
            return self._encode_table(X)
        if reset and (frame := self._open_table(X)) is not None:
            return self._look_at_table(frame)
        if isinstance(X, (list, tuple)):
            X = as_array(X, owner)
        is_image = not reset and self.schema_.kind == "image"  # `check_form` checks them
        if getattr(X, "ndim", 2) == 2 and not isinstance(X, (Tensor, MappedRows)) and not is_image:
            rows = as_array(X, owner)  # its error names the place of a string
            rows = validate_data(
                self,
                X if hasattr(X, "columns") else rows,
                reset=reset,
                dtype="numeric",
                ensure_min_samples=2 if reset else 1,
                ensure_all_finite=False,  # `infer` and `min_max` check this, also for images
                order="C" if reset else None,  # later each block is copied into this order on its own
            )
            return check_numeric(rows, owner)
        rows = cast(np.ndarray, X) if isinstance(X, MappedRows) else check_numeric(as_array(X, owner), owner)
        if reset:
            self.n_features_in_ = int(np.prod(rows.shape[1:]))
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
        return rows

    def _open_table(self, X: Any) -> Frame | None:
        """Return training rows as a frame if they are a data frame, have words, or columns of named kinds."""
        owner = type(self).__name__
        if is_frame(X):
            return open_frame(X, owner)
        if isinstance(X, (list, tuple)) and X and isinstance(X[0], (list, tuple)):
            is_mixed = any(isinstance(cell, str) for row in X for cell in row)
            X = np.asarray(X, dtype=object) if is_mixed else X
        if self.recipe.is_tabular:
            return self._open_any_table(X)
        if not isinstance(X, np.ndarray) or X.ndim != 2:
            if self.columns is not None:
                raise ValueError(f"The `columns` parameter of {owner} needs a table, a data frame or an array (n, d).")
            return None
        if self.columns is not None or has_words(X):
            return open_frame(np.asarray(X), owner)
        return None

    def _open_any_table(self, X: Any) -> Frame:
        """Return an array of numbers or objects as a frame, for a model of tables only."""
        owner = type(self).__name__
        rows = X if isinstance(X, np.ndarray) and has_words(X) else check_numeric(as_array(X, owner), owner)
        if rows.ndim != 2:
            raise ValueError(
                f"X passed to {owner} must be a table, rows and columns (n, d), or a data frame. Got {rows.shape}."
            )
        return open_frame(rows, owner)

    def _look_at_table(self, frame: Frame) -> np.ndarray:
        """Set `schema_` and the names of the columns from a training table, and return its rows as numbers."""
        likelihood = LIKELIHOODS.get(getattr(self, "likelihood", "auto"))
        self.n_features_in_ = len(frame.names)
        if hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        if frame.kind != "array" and all(isinstance(name, str) for name in frame.names):
            self.feature_names_in_ = np.asarray(frame.names, dtype=object)
        with Reporter("auto" if self.verbose else 0, f"{type(self).__name__}: columns") as progress:
            rows, self.schema_ = infer_table(
                frame,
                type(self).__name__,
                self.columns,
                self.max_levels,
                likelihood.required_support if likelihood else None,
                lambda done: progress.update(done, {}),
                getattr(self, "n_bins", N_BINS) if self.recipe.is_tabular else None,
            )
        return rows

    def _encode_table(self, X: Any) -> np.ndarray:
        """Return rows of a table as numbers. An array has its columns in the order of the training table."""
        owner, table = type(self).__name__, self.schema_.table
        assert table is not None
        if not is_frame(X):
            X = as_array(X, owner) if isinstance(X, Tensor) else as_cells(X)
            if X.ndim != 2:
                raise ValueError(f"X passed to {owner} must be a table (n, d). Got shape {X.shape}. Reshape your data.")
            if table.kind != "array" and hasattr(self, "feature_names_in_"):
                _check_feature_names(self, X, reset=False)  # warns that X has no names
        return table.encode(X, owner)

    def check(self, X: Any) -> np.ndarray:
        """Return X as an array of floats or bytes in the user's units: n x `schema_.user_shape`, in memory.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on, or holds NaN or infinity.
        """
        return np.asarray(self._check(X))

    def prepare(self, X: Any) -> Tensor:
        """Return X checked and on the model's scale: n x `schema_.shape`, in memory. Raises as `check` does."""
        rows = self.check(X)
        return self.schema_.prepare(torch.from_numpy(np.array(rows)))

    def apply(self, function: Callable[[Tensor], Tensor], rows: np.ndarray | Tensor) -> Tensor:
        """Apply `function` to many examples in batches of bounded size, and return the result on the CPU.

        Parameters
        ----------
        function : function from a tensor B x `schema_.shape` on the model's device to a tensor with B rows, such as
            `model_.encode`.
        rows : the user's rows as an array, or prepared examples as a tensor.
        """
        model = self.module()
        like, fewest = next(model.parameters()), parallel.fewest_rows(self.schema_, model)

        def work(part: np.ndarray | Tensor, _: int) -> np.ndarray:
            if isinstance(part, Tensor):
                return parallel.run(function, part.to(like.device, like.dtype), fewest).numpy()
            return parallel.run(function, parallel.prepare_rows(part, self.schema_, model), fewest).numpy()

        n = parallel.rows_per_block(self.schema_, model, len(rows))
        sink = sinks.Memory(len(rows))
        pieces = (rows[i : i + n] for i in range(0, len(rows), n))
        with contextlib.closing(parallel.parallel_map(work, pieces, model)) as results:
            for block in results:
                sink.write(block)
        return torch.from_numpy(sink.finish())

    # ---------------------------------------------------------------------------------------------- inside

    def _check(self, X: Any) -> np.ndarray:
        """Return X as `check` does, but rows of files as `MappedRows`."""
        check_is_fitted(self)
        rows = as_floats(self.validate(X, reset=False))
        check_rows(rows, self.schema_, type(self).__name__, self.recipe.allows_gaps)
        return rows

    def _as_source(self, X: Any) -> Source:
        """Return X, in memory or the path of files, as a source of blocks. Its form is checked."""
        check_is_fitted(self)
        rows = self.validate(X, reset=False)
        check_form(rows.shape, self.schema_, type(self).__name__)
        return streams.from_array(rows)

    def module(self) -> Autoencoder:
        """Return the model, moved to the device on which it computes."""
        device, _ = choose_device(self.device)
        if next(self.model_.parameters()).device != device:
            self.model_.to(device)
        return self.model_.eval()

    def _apply(
        self, method: str, source: Source, sink: sinks.Sink | None = None, report: Reporter | None = None
    ) -> Any:
        """Apply `method` to all blocks of `source`, and write the results into `sink` or a new array."""
        model = self.module()
        checker = parallel.RowChecker(self.schema_, type(self).__name__, self.recipe.allows_gaps, source.locate)
        sink, operation = sink or sinks.Memory(source.n, limit_memory(self, method)), self._operation(method)
        if report is not None:
            return parallel.stream(model, self.schema_, operation, source, sink, checker, report)
        with Reporter("auto" if self.verbose else 0, f"{type(self).__name__}.{method}") as report:
            return parallel.stream(model, self.schema_, operation, source, sink, checker, report)

    def _operation(self, method: str) -> parallel.Operation:
        """Return the operation of `method` on a block."""
        model, target = self.model_, target_of(self.schema_)
        if method == "transform":
            return parallel.Operation(self._encode, lambda z, rows: in_float_dtype_of(rows, z.numpy()))
        if method in (SPARSE_TRANSFORM, SPARSE_CODES):
            return sparse_codes.make_operation(self, method)
        if method in ("score_samples", "decision_function"):
            check_no_targets(cast(FittedModel, self), method)
            finish = self._finish_scores if method == "score_samples" else self._finish_decisions
            return parallel.Operation(lambda x: log_likelihood(model, x), finish, self._check_block_support)
        return parallel.Operation(model.reconstruct, lambda x, _: target.restore(x))

    def _finish_scores(self, scores: Tensor, rows: np.ndarray) -> np.ndarray:
        return scores.double().numpy() - self.schema_.log_scale(rows)

    def _finish_decisions(self, scores: Tensor, rows: np.ndarray) -> np.ndarray:
        # a model that an older narrows saved has no usual scores
        usual = getattr(self, "usual_scores_", np.zeros(1))
        return self._finish_scores(scores, rows) + missing_scores(usual, rows) - self.offset_

    def _encode(self, x: Tensor) -> Tensor:
        """Return the codes (B x L) of prepared examples."""
        return self.model_.encode(x)

    def check_method(self, method: str) -> None:
        """Raise ValueError if `stream` cannot apply `method` with this model."""
        known = ["transform", "reconstruct", "score_samples", *(["denoise"] if hasattr(self, "denoise") else [])]
        if method not in known:
            raise ValueError(
                f"The `method` parameter of stream must be one of {', '.join(map(repr, known))}. "
                f"Got {method!r} instead."
            )
        if method == "transform" and not self.model_.has_code:
            raise ValueError(f"This {type(self).__name__} has no codes, because n_components=None. Use reconstruct.")

    def _column_names(self, method: str, source: Source) -> list[str] | None:
        """Return the names of the columns in the result of `method`, or None."""
        if method == "transform":
            return [str(name) for name in self.get_feature_names_out()]
        if method == "score_samples":
            return ["score"]
        names = source.columns or self.schema_.columns
        return [str(name) for name in names] if names else None

    def _decode(self, z: Tensor | SparseRows, draw: int | None = None, like: Any = None) -> Any:
        """Decode codes (with the columns of their labels) to means; if a seed `draw` is given, to random draws."""
        model = self.module()
        parameter = next(model.parameters())
        n, fewest = parallel.rows_per_block(self.schema_, model), parallel.fewest_rows(self.schema_, model)
        parts = []
        stream = RandomStream(draw or 0, parameter.device, is_global=draws_globally(model))
        with inference_mode(model), around_inference(parameter.device), stream.use():
            for part in z.split(n):
                params = decode_block(model, part, fewest)
                x = model.likelihood.mean(params) if draw is None else model.likelihood.sample(params)
                parts.append(x.detach().cpu())
        target = target_of(self.schema_)
        return target.as_frame(target.restore(torch.cat(parts)), like=like, clip=draw is not None)

    def _score_rows(self, rows: np.ndarray) -> np.ndarray:
        return self._finish_scores(self.apply(lambda x: log_likelihood(self.model_, x), rows), rows)

    def _check_support(self, rows: np.ndarray) -> None:
        """Raise ValueError if some of the rows hold values that the likelihood cannot score."""
        likelihood = self.model_.likelihood
        if likelihood.required_support is None or target_of(self.schema_) is not self.schema_:
            return
        if likelihood.required_support == "unit" and len(self.schema_.scale) == 1:
            # if both ends are in the support, so are all values between them
            ends = (
                torch.tensor(min_max(rows, type(self).__name__, allow_nan=True)) - self.schema_.offset[0]
            ) / self.schema_.scale[0]
            if bool(likelihood.contains(ends).all()):
                return
        outside = ~self.apply(lambda x: contains(likelihood, x).flatten(1).all(1), rows).numpy()
        if outside.any():
            raise ValueError(support_message(cast(FittedModel, self), rows, np.flatnonzero(outside)))

    def _check_block_support(self, x: Tensor, rows: np.ndarray, first: int) -> None:
        """Raise ValueError if a block holds values that the likelihood cannot score. `x` is the block, prepared."""
        likelihood = self.model_.likelihood
        if likelihood.required_support is None or bool((within := contains(likelihood, x)).all()):
            return
        outside = np.flatnonzero(~within.flatten(1).all(1).cpu().numpy())
        prefix = f"In rows {first:,} to {first + len(rows) - 1:,}: " if first else ""
        raise ValueError(prefix + support_message(cast(FittedModel, self), rows, outside, first))
