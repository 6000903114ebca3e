"""Applying a fitted model: to what is in memory, and from any source to any sink."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.accelerate import around_inference
from narrows.data import Schema, as_floats, check_form, check_rows, min_max, sinks, streams
from narrows.data.streams import Source
from narrows.estimators import parallel
from narrows.estimators.summary import support_message
from narrows.evaluation.scores import log_likelihood
from narrows.model import Autoencoder, inference_mode
from narrows.training import RandomStream, choose_device, draws_globally
from narrows.training.progress import Reporter

if TYPE_CHECKING:
    from narrows.estimators.base import Estimator


class Inference(ABC):
    """Abstract: what a fitted model is applied with. All of it goes through `blocks`."""

    model_: Autoencoder
    schema_: Schema
    device: str
    verbose: int
    get_feature_names_out: Callable[[], np.ndarray]

    @abstractmethod
    def validated(self, X: Any, reset: bool) -> np.ndarray:
        """X, in memory, as an array of numbers; its columns must be those of the fit, or are kept where `reset`."""

    def stream(
        self, source: Any, sink: Any = None, method: str = "transform", *, columns: Sequence[str] | None = None
    ) -> Any:
        """Apply `method` to all of `source` a block at a time, so that neither it nor the result need fit in memory.

        Parameters
        ----------
        source : an array, a memory map, a tensor, a data frame; the path of a .npy file (which is mapped), of a
            .parquet file or of a folder of such, or of another file that narrows reads; or an iterator of arrays or
            data frames with any numbers of rows.
        sink : the path of a .npy, .parquet, .csv or .tsv file; an array to fill, such as a memory map; or None for a
            new array. A file takes its place when it is whole: a failure leaves what was there.
        method : "transform", "reconstruct" or "score_samples", and "denoise" of a DAE.
        columns : of a table or of data frames that an iterator gives, those to read; None for those that the model was
            fitted on, if they had names, otherwise all.

        Returns
        -------
        The path or the array that was written. `verbose` says whether progress is shown.

        Raises
        ------
        ValueError, TypeError, OSError, ImportError
            If the source does not hold examples such as the model was fitted on, or the sink cannot take the result.

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
        owner, names = type(self).__name__, self.schema_.columns
        if columns is None and names is not None:
            columns = [str(name) for name in names]
        found = streams.source(source, owner, columns) or self._given(source)
        labels = self._labels(method, found)
        with sinks.opened(sink, found.n, labels) as opened, Reporter(self.verbose, f"{owner}.{method}") as report:
            result = self._streamed(method, found, opened, report)
        return Path(sink) if result is None else result

    def checked(self, X: Any) -> np.ndarray:
        """X as an array of floats or bytes in the user's units: n x `schema_.user_shape`, in memory.

        Raises
        ------
        ValueError
            If X does not hold examples such as the model was fitted on, or NaN or infinity.
        """
        check_is_fitted(self)
        rows = as_floats(self.validated(X, reset=False))
        check_rows(rows, self.schema_, type(self).__name__)
        return rows

    def prepared(self, X: Any) -> Tensor:
        """X checked and on the model's scale: n x `schema_.shape`, in memory."""
        rows = self.checked(X)
        return self.schema_.prepare(torch.from_numpy(np.array(rows)))

    def applied(self, function: Callable[[Tensor], Tensor], rows: np.ndarray | Tensor) -> Tensor:
        """`function`, of the model's tensors, over many examples in passes of bounded size; the result on the CPU.

        Parameters
        ----------
        function : from B x `schema_.shape` to B x anything, such as `model_.encode`.
        rows : the user's rows as an array, or prepared examples as a tensor.
        """
        model = self.module()
        like = next(model.parameters())

        def work(part: np.ndarray | Tensor, _: int) -> np.ndarray:
            if isinstance(part, Tensor):
                return parallel.run(function, part.to(like.device, like.dtype)).numpy()
            return parallel.run(function, parallel.prepare_rows(part, self.schema_, model)).numpy()

        n = parallel.rows_at_once(self.schema_, model, len(rows))
        sink = sinks.Memory(len(rows))
        pieces = (rows[i : i + n] for i in range(0, len(rows), n))
        with contextlib.closing(parallel.parallel_map(work, pieces, model)) as results:
            for block in results:
                sink.write(block)
        return torch.from_numpy(sink.finish())

    # ---------------------------------------------------------------------------------------------- inside

    def _given(self, X: Any) -> Source:
        """X, in memory, as a source of blocks, once its form is found to be that of the model's data."""
        check_is_fitted(self)
        rows = self.validated(X, reset=False)
        check_form(rows.shape, self.schema_, type(self).__name__)
        return streams.of_array(rows)

    def module(self) -> Autoencoder:
        """The model, where it is to compute."""
        device, _ = choose_device(self.device)
        if next(self.model_.parameters()).device != device:
            self.model_.to(device)
        return self.model_.eval()

    def _streamed(
        self, method: str, source: Source, sink: sinks.Sink | None = None, report: Reporter | None = None
    ) -> Any:
        """`method` of all blocks of `source`, into `sink` or a new array."""
        model, checks = self.module(), parallel.Checks(self.schema_, type(self).__name__)
        sink, report = sink or sinks.Memory(source.n), report or Reporter(0)
        return parallel.stream(model, self.schema_, self._step(method), source, sink, checks, report)

    def _step(self, method: str) -> parallel.Step:
        """What `method` does with a block."""
        model, schema = self.model_, self.schema_
        if method == "transform":
            return parallel.Step(self._encode, lambda z, rows: _as_float_of(rows, z.numpy()))
        if method == "score_samples":
            return parallel.Step(
                lambda x: log_likelihood(model, x),
                lambda score, _: score.double().numpy() - schema.log_scale,
                self._refuse_strange,
            )
        return parallel.Step(model.reconstruct, lambda x, _: schema.restore(x))

    def _encode(self, x: Tensor) -> Tensor:
        """The codes (B x L) of prepared examples."""
        return self.model_.encode(x)

    def check_method(self, method: str) -> None:
        """Raise for what `stream` cannot do with this model."""
        known = ["transform", "reconstruct", "score_samples", *(["denoise"] if hasattr(self, "denoise") else [])]
        if method not in known:
            raise ValueError(
                f"The `method` parameter of stream must be one of {', '.join(map(repr, known))}. "
                f"Got {method!r} instead."
            )
        if method == "transform" and not self.model_.has_code:
            raise ValueError(f"This {type(self).__name__} has no codes, because n_components=None. Use reconstruct.")

    def _labels(self, method: str, source: Source) -> list[str] | None:
        """The columns of what `method` gives, where they have names."""
        if method == "transform":
            return [str(name) for name in self.get_feature_names_out()]
        if method == "score_samples":
            return ["score"]
        names = source.columns or self.schema_.columns
        return [str(name) for name in names] if names else None

    def _decoded(self, z: Tensor, draw: int | None = None, like: Any = None) -> Any:
        model = self.module()
        parameter = next(model.parameters())
        parts = []
        stream = RandomStream(draw or 0, parameter.device, is_global=draws_globally(model))
        with inference_mode(model), around_inference(parameter.device), stream.use():
            for part in z.to(parameter.device, parameter.dtype).split(parallel.rows_at_once(self.schema_, model)):
                o = model.decode(parallel.pad_batch(part))[: len(part)]
                x = model.likelihood.mean(o) if draw is None else model.likelihood.sample(o)
                parts.append(x.detach().cpu())
        return self.schema_.as_frame(self.schema_.restore(torch.cat(parts)), like=like)

    def _codes(self, X: Any) -> np.ndarray:
        return self._streamed("transform", self._given(X))

    def _scores(self, rows: np.ndarray) -> np.ndarray:
        return self.applied(lambda x: log_likelihood(self.model_, x), rows).double().numpy() - self.schema_.log_scale

    def _check_support(self, rows: np.ndarray) -> None:
        likelihood = self.model_.likelihood
        if likelihood.required_support is None:
            return
        if (
            likelihood.required_support == "unit" and len(self.schema_.scale) == 1
        ):  # where the ends are within, all between is
            ends = (torch.tensor(min_max(rows, type(self).__name__)) - self.schema_.offset[0]) / self.schema_.scale[0]
            if bool(likelihood.contains(ends).all()):
                return
        strange = ~self.applied(lambda x: likelihood.contains(x).flatten(1).all(1), rows).numpy()
        if strange.any():
            raise ValueError(support_message(cast("Estimator", self), rows, np.flatnonzero(strange)))

    def _refuse_strange(self, x: Tensor, rows: np.ndarray, first: int) -> None:
        """Raise for a block (prepared, and as it came) with values that the likelihood cannot score."""
        likelihood = self.model_.likelihood
        if likelihood.required_support is None or bool((within := likelihood.contains(x)).all()):
            return
        strange = np.flatnonzero(~within.flatten(1).all(1).cpu().numpy())
        where = f"In rows {first:,} to {first + len(rows) - 1:,}: " if first else ""
        raise ValueError(where + support_message(cast("Estimator", self), rows, strange, first))


def _as_float_of(rows: np.ndarray, result: np.ndarray) -> np.ndarray:
    """`result` in the dtype of `rows`, if that is a float."""
    return result.astype(rows.dtype, copy=False) if rows.dtype.kind == "f" else result
