"""A model with its data, and results about them, each computed once, when it is first needed."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from narrows.data import EncodedRows, as_dense, spaced_indices, take_rows
from narrows.estimators.base import Estimator
from narrows.estimators.seen_rows import say_seen
from narrows.evaluation.inspection import Axes, Inspection
from narrows.evaluation.scores import entry_costs, usual_costs
from narrows.studio import cells, effects, pictures
from narrows.studio.compute_lock import ComputeLock
from narrows.studio.data import MAX_SHOWN_ROWS, Colour, Data
from narrows.studio.dials import Description, Dial, make_dials
from narrows.studio.dictionary import Dictionary, count_numbers
from narrows.studio.filling import Form
from narrows.studio.neighbor_map import NeighborMap
from narrows.tasks.search import Index
from narrows.tasks.sparse_search import SparseIndex, index_codes

_BLOCK = 1024  # rows computed while the lock is held once
_MAX_CODE_NUMBERS = 1 << 26  # numbers in the codes of all rows
_MAX_COST_ROWS, _MAX_COSTS = 2_000, 1 << 24  # rows for the usual costs, and entries in all of them
_MAX_REPORT_ROWS = 2_000  # rows of a report, so that it takes only seconds
MAX_ABS_CODE = 1e6  # the largest number in a code that is decoded

T = TypeVar("T")


class View:
    """A model, its data, and results about them as the page gets them.

    Parameters
    ----------
    model : fitted model.
    data : examples for it, or None.
    compute_lock : lock that lets one thread compute at a time.
    name : display name.
    path : folder of the model, or None.
    is_saved : True if the folder remains when the studio stops.
    job : id of the training that made the model on its rows, or None.

    Attributes
    ----------
    data : the shown examples; rows of a frame are encoded (n x d numbers).
    given : the same examples as the user gave them.

    Raises
    ------
    ValueError
        If the data do not fit the model.
    """

    def __init__(
        self,
        model: Estimator,
        data: Data | None,
        compute_lock: ComputeLock,
        *,
        name: str,
        path: Path | None = None,
        is_saved: bool = False,
        job: str | None = None,
    ) -> None:
        self.model, self.compute_lock, self.name, self.path, self.is_saved = model, compute_lock, name, path, is_saved
        self.job = job
        self.id = secrets.token_hex(4)
        self.schema, self.bottleneck = model.schema_, model.model_.bottleneck
        self.is_series, self.is_table = self.schema.is_series, self.schema.kind == "table"
        self.is_image = self.schema.kind == "image" and not self.is_series
        self.has_code, self.decodes_codes = model.model_.has_code, model.model_.decodes_codes
        self.predicts_hidden = model.model_.corruption.predicts_hidden
        self.is_sparse = self.bottleneck.is_sparse
        self.is_stochastic = self.bottleneck.is_stochastic
        if data is not None:
            most = _MAX_CODE_NUMBERS // max(1, count_numbers(model, data, compute_lock))
            data = data.subsample(max(2, min(MAX_SHOWN_ROWS, most)))
            self.given = data.X
            with compute_lock.hold():
                if self.schema.table is not None:  # once: rows of a frame are encoded column by column
                    data = replace(data, X=model.validate(data.X, reset=False))
                model.reconstruct(data.get_rows(slice(0, 64)))  # raises if they do not fit
        self.data = data
        frequencies = self.schema.frequencies or ()
        self.class_index = int(np.argmax(frequencies)) if frequencies else None
        """Number of the class that is decoded; None for a model without labels."""
        self._results: dict[str, Any] = {}
        self._computing, self._reporting = threading.RLock(), threading.Lock()
        self._report: bytes | None = None

    @property
    def has_nats(self) -> bool:
        """True if the nats of each component are known."""
        return Inspection(self.model).has_nats

    @property
    def n_components(self) -> int:
        """Number of components of a code, 0 without one."""
        return self.bottleneck.n_components

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an example as the page gets it: (h, w, c) bytes, (steps, channels) floats, or (d,) floats."""
        if self.is_series:
            return cells.series_shape(self.schema)
        return pictures.display_shape(self.schema) if self.is_image else (self.schema.n_entries,)

    @property
    def columns(self) -> list[str] | None:
        """Names of the columns of a table or a vector, or of the channels of a series; None for images."""
        return cells.name_columns(self.schema)

    @property
    def classes(self) -> list[str] | None:
        """Names of the classes of a conditional model."""
        return None if self.class_index is None else [str(name) for name in self.schema.classes or ()]

    # ---------------------------------------------------------------------------------------------- examples

    def to_page(self, examples: Any) -> np.ndarray:
        """Convert the user's examples to what the page gets.

        Images become bytes, vectors and series float32 with NaN where missing, n x `shape`. Rows of a table, encoded
        or not, become float64, n x 2 x d: the numbers of the cells (see `cells`), and the probabilities of the levels.
        """
        if self.is_table:
            is_encoded = isinstance(examples, np.ndarray)
            return cells.as_given(examples if is_encoded else self.model.validate(examples, reset=False))
        array = np.asarray(examples)
        if self.is_image:
            return pictures.to_display(array, self.schema)
        if self.is_series:
            return cells.series_to_page(array, self.schema)
        return np.nan_to_num(array.astype(np.float32, copy=False), nan=np.nan)

    def decode(self, codes: np.ndarray, *, urgent: bool = True) -> np.ndarray:
        """Decode codes (n x L) to examples as the page gets them."""
        label = None if self.class_index is None else (self.schema.classes or ())[self.class_index]
        with self.compute_lock.hold(urgent=urgent):
            if self.is_table:
                network = self.model.module()
                decoded = self.model.apply(lambda z: cells.decode(network, self.schema, z), self._with_label(codes))
                return cells.to_page(self.schema, decoded)
            return self.to_page(self.model.inverse_transform(codes, label))

    def _with_label(self, codes: np.ndarray) -> Tensor:
        """Return codes with the columns of the chosen class, if the model has classes."""
        z = torch.from_numpy(np.asarray(codes, dtype=np.float32))
        if self.class_index is None:
            return z
        columns = torch.zeros(len(z), len(self.schema.classes or ()))
        columns[:, self.class_index] = 1
        return torch.cat([z, columns], 1)

    def to_rows(self, values: np.ndarray) -> Any:
        """Convert an array (n x d; d = steps * channels for series) to examples as the model takes them."""
        if self.is_table:
            return np.asarray(values, dtype=np.float64).view(EncodedRows)
        if self.is_series:
            series = np.asarray(values, dtype=self.schema.dtype).reshape(-1, *self.shape)
            return series if self.schema.layout == "tc" else series.swapaxes(1, 2)
        return self.schema.as_frame(np.asarray(values, dtype=self.schema.dtype))

    def get_example(self, row: int) -> Any:
        """Return the example of a row as the model takes it, as an array or a frame of one."""
        assert self.data is not None
        return self.data.get_rows(slice(row, row + 1))

    def encode(self, X: Any) -> np.ndarray:
        """Return the codes of a few examples, n x L."""
        with self.compute_lock.hold(urgent=True):
            return as_dense(self.model.transform(X)).astype(np.float32, copy=False)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Encode and decode a few examples, and return them as `reconstruct_prepared` does."""
        with self.compute_lock.hold(urgent=True):
            x = self.model.prepare(X)
            return self.reconstruct_prepared(x, x)

    def reconstruct_prepared(self, x: Tensor, truth: Tensor) -> np.ndarray:
        """Encode and decode prepared examples. The caller holds the lock.

        Parameters
        ----------
        x, truth : the examples, and the same ones before noise was added; both n x `schema.shape`.

        Returns
        -------
        The examples as the page gets them; rows of a table are n x 3 x d, with the probabilities of the true levels.
        """
        network = self.model.module()
        if not self.is_table:
            return self.to_page(self.schema.restore(self.model.apply(network.reconstruct, x)))
        d = x.shape[1]
        decoded = self.model.apply(
            lambda both: cells.reconstruct(network, self.schema, both[:, :d], both[:, d:]), torch.cat([x, truth], 1)
        )
        return cells.to_page(self.schema, decoded)

    def restore(self, x: Tensor) -> np.ndarray:
        """Convert prepared examples (n x `schema.shape`) to what the page gets."""
        return self.to_page(self.schema.restore(x))

    def get_column(self, name: str) -> Colour:
        """Return the values of a column that the model takes, or the means of a channel, for all rows."""
        assert self.data is not None
        j, rows = (self.columns or []).index(name), self.data.X
        if self.is_series:
            return Colour(self.to_page(rows)[:, :, j].mean(1))
        if not self.is_table:
            return Colour(self.to_page(rows)[:, j])
        column, values = self.schema.used_columns[j], np.asarray(rows[:, j], dtype=np.float64)
        if not column.has_levels:
            return Colour(values, is_date=column.kind == "datetime")
        texts = cells.level_texts(column)
        codes = np.where(values < len(texts), values, -1)  # NaN is not less
        return Colour(codes.astype(np.int32), tuple(texts))

    # ---------------------------------------------------------------------------------------------- computed once

    @property
    def all_codes(self) -> Any:
        """Codes of all rows: n x L, float32; a csr_array for a sparse code, else an array."""
        encode = self.model.compute_sparse_codes if self.is_sparse else self.model.transform
        return self._cache("all codes", lambda: self._apply_in_blocks(encode))

    def codes_of(self, rows: Any, components: Any = slice(None)) -> np.ndarray:
        """Return the codes of k rows, or l components of them: k x l, float32."""
        return as_dense(self.all_codes[rows][:, components]).astype(np.float32, copy=False)

    @property
    def scores(self) -> np.ndarray:
        """`score_samples` of all rows, (n,) nats; NaN for rows that the likelihood cannot score."""
        return self._cache("scores", lambda: self._apply_in_blocks(self._score))

    @property
    def seen(self) -> str:
        """A sentence about whether the rows are among those that the model was fitted on."""
        data, seen_rows = self.data, getattr(self.model, "seen_rows_", None)
        assert data is not None
        return self._cache("seen", lambda: say_seen(seen_rows, self.model.check(data.X)))

    @property
    def index(self) -> Index | SparseIndex:
        """Index of all rows, for searches by example that compare all of them."""
        return self._cache("index", lambda: index_codes(self.model, self.all_codes))

    @property
    def inspection(self) -> Inspection:
        """The model on all rows, with their codes."""
        data = self.data
        assert data is not None
        return self._cache("inspection", lambda: Inspection(self.model, data.X, codes=self.all_codes))

    @property
    def axes(self) -> Axes:
        """The two principal axes of the codes."""
        return self._cache("axes", lambda: self.inspection.axes)

    @property
    def neighbors(self) -> NeighborMap:
        """The neighbour layout of all codes; the first call starts it."""
        return self._cache("neighbors", lambda: NeighborMap(self.inspection))

    def stop(self) -> None:
        """End what the view computes in the background."""
        if "neighbors" in self._results:
            self.neighbors.stop()

    @property
    def dictionary(self) -> Dictionary:
        """The units of a sparse code, over all rows."""
        data = self.data
        assert data is not None
        return self._cache("units", lambda: Dictionary(self.model, self.inspection, data.labels, self.path))

    @property
    def usual_costs(self) -> np.ndarray:
        """Usual cost of each entry in nats, the median over rows: `schema.shape`."""

        def median() -> np.ndarray:
            assert self.data is not None
            n = max(2, min(_MAX_COST_ROWS, _MAX_COSTS // self.schema.n_entries))
            rows, parts = spaced_indices(len(self.data), n), []
            for start in range(0, len(rows), 256):
                with self.compute_lock.hold():
                    parts.append(self._entry_costs(rows[start : start + 256]))
            return usual_costs(np.concatenate(parts))

        return self._cache("usual costs", median)

    @property
    def dials(self) -> list[Dial]:
        """All components as sliders; those that carry most come first."""
        return self._cache("dials", self._make_dials)

    @property
    def form(self) -> Form:
        """A row as a form, for a model that predicts hidden cells."""
        return self._cache("form", lambda: Form(self.model))

    def get_report(self) -> bytes:
        """Return the report about the model, written once. The lock is not held, so that the dials stay fast."""

        def write() -> bytes:
            from narrows.report import write_report  # imported late, for a fast start of the studio

            data = self.data
            assert data is not None
            y = None if data.labels is None else np.array([data.labels.to_text(row) or "" for row in range(len(data))])
            with tempfile.TemporaryDirectory(prefix="narrows-studio-") as folder:
                options: dict[str, Any] = {"y": y, "name": data.name, "max_examples": _MAX_REPORT_ROWS}
                return write_report(self.model, self.given, Path(folder) / "report.html", **options).read_bytes()

        with self._reporting:
            if self._report is None:
                self._report = write()
            return self._report

    def compute_effects(self, codes: np.ndarray) -> list[list[effects.Effect]]:
        """Return what changes in each column or channel between the codes of each pair (2k x L)."""
        if not self.is_table:
            return effects.compare_numbers(self.schema, self.decode(codes, urgent=False))
        with self.compute_lock.hold():
            return effects.compare_rows(self.model, self._with_label(codes))

    # ---------------------------------------------------------------------------------------------- inside

    def compute_excess_costs(self, rows: np.ndarray) -> np.ndarray:
        """Return the nats that each entry of a few rows costs beyond its usual cost: n x `schema.shape`."""
        usual = self.usual_costs
        with self.compute_lock.hold(urgent=True):
            costs = self._entry_costs(rows)
        return np.nan_to_num(costs - usual)

    def sum_by_column(self, costs: np.ndarray) -> np.ndarray:
        """Sum costs of entries (n x `schema.shape`) over the steps of series: n x columns or channels."""
        if not self.is_series:
            return costs
        return costs[:, 0].sum(1 if self.schema.layout == "tc" else 2)

    def _make_dials(self) -> list[Dial]:
        highest = self.dictionary.highest if self.is_sparse and self.data is not None else None
        return make_dials(self.model, highest, None if self.is_image else self._describe_effects)

    def _describe_effects(self, ends: np.ndarray) -> list[Description]:
        """Return, for both ends of k dials (2k x L), the two columns that change most, and all that change."""
        return [
            (", ".join(effect.describe() for effect in changes[:2]), tuple(effect.column for effect in changes))
            for changes in self.compute_effects(ends)
        ]

    def _entry_costs(self, rows: np.ndarray) -> np.ndarray:
        """Return -log p(x | z) of each entry at the example's own code, in nats: n x `schema.shape`."""
        assert self.data is not None
        return entry_costs(self.model, self.model.prepare(self.data.get_rows(rows)))

    def _score(self, X: Any) -> np.ndarray:
        likelihood = self.model.model_.likelihood
        if likelihood.required_support is None:
            return self._outlier_scores(X)
        scores = np.full(len(X), np.nan)
        x = self.model.prepare(X)
        within = np.flatnonzero((likelihood.contains(x) | torch.isnan(x)).flatten(1).all(1).cpu().numpy())
        if len(within):
            scores[within] = self._outlier_scores(take_rows(X, within))
        return scores

    def _outlier_scores(self, X: Any) -> np.ndarray:
        """Return `score_samples`, with what is usual for each missing entry."""
        return self.model.decision_function(X) + self.model.offset_

    def _apply_in_blocks(self, function: Callable[[Any], Any]) -> Any:
        """Apply a function to all rows in blocks, and release the lock between them."""
        assert self.data is not None
        parts = []
        for start in range(0, len(self.data), _BLOCK):
            with self.compute_lock.hold():
                parts.append(function(self.data.get_rows(slice(start, start + _BLOCK))))
        return sp.vstack(parts, "csr") if sp.issparse(parts[0]) else np.concatenate(parts)

    def _cache(self, name: str, compute: Callable[[], T]) -> T:
        """Return the result of `compute`, which is called once. Other threads wait for it."""
        if name not in self._results:
            with self._computing:
                if name not in self._results:
                    self._results[name] = compute()
        return cast(T, self._results[name])
