"""A model with its data, and results about them, each computed once, when it is first needed."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from narrows.data import spaced_indices, take_rows
from narrows.estimators.base import Estimator
from narrows.evaluation.inspection import Axes, Inspection, Units
from narrows.evaluation.scores import entry_costs, usual_costs
from narrows.studio import pictures
from narrows.studio.compute_lock import ComputeLock
from narrows.studio.data import MAX_SHOWN_ROWS, Data
from narrows.tasks.search import Index

_BLOCK = 1024  # rows computed while the lock is held once
_MAX_CODE_NUMBERS = 1 << 26  # numbers in the codes of all rows
_MAX_COST_ROWS, _MAX_COSTS = 2_000, 1 << 24  # rows for the usual costs, and entries in all of them
_SPAN = 3.0  # range of a dial to each side of the mean, in standard deviations, as in `traverse`
_MAX_REPORT_ROWS = 2_000  # rows of a report, so that it takes only seconds
_N_TOP = 9  # examples shown for a unit
MAX_ABS_CODE = 1e6  # the largest number in a code that is decoded

T = TypeVar("T")


@dataclass(frozen=True)
class Dial:
    """A component of the code as a slider.

    Attributes
    ----------
    component : index of the component.
    label : the columns that it changes most, such as "height up, weight down"; empty for images.
    carries : its nats, or its share of the variance if the nats are not known.
    used : False if the component carries nothing.
    low, high, mean : range of the slider, and the mean of the component over the training rows.
    """

    component: int
    label: str
    carries: float
    used: bool
    low: float
    high: float
    mean: float


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
    ) -> None:
        self.model, self.compute_lock, self.name, self.path, self.is_saved = model, compute_lock, name, path, is_saved
        self.id = secrets.token_hex(4)
        self.schema, self.bottleneck = model.schema_, model.model_.bottleneck
        self.is_image = self.schema.kind == "image"
        self.has_code = model.model_.has_code
        self.is_sparse = self.bottleneck.is_sparse
        self.is_stochastic = self.bottleneck.is_stochastic
        if data is not None:
            data = data.subsample(max(2, min(MAX_SHOWN_ROWS, _MAX_CODE_NUMBERS // max(1, self.n_components))))
            with compute_lock.hold():
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
    def floor(self) -> float:
        """Activation above which a unit of a sparse code fires."""
        return Inspection(self.model).sparse.floor

    @property
    def n_components(self) -> int:
        """Number of components of a code, 0 without one."""
        return self.bottleneck.n_components

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an example as the page gets it: (h, w, c) bytes or (d,) floats."""
        return pictures.display_shape(self.schema) if self.is_image else (self.schema.n_entries,)

    @property
    def columns(self) -> list[str] | None:
        """Names of a vector's entries, or None for images."""
        if self.is_image:
            return None
        names = self.schema.columns
        return [str(n) for n in names] if names else [f"column {i + 1}" for i in range(self.schema.n_entries)]

    @property
    def classes(self) -> list[str] | None:
        """Names of the classes of a conditional model."""
        return None if self.class_index is None else [str(name) for name in self.schema.classes or ()]

    # ---------------------------------------------------------------------------------------------- examples

    def to_page(self, examples: Any) -> np.ndarray:
        """Convert examples in the user's units to what the page gets: n x `shape`, bytes or float32."""
        array = np.asarray(examples)
        if self.is_image:
            return pictures.to_display(array, self.schema)
        return np.nan_to_num(array.astype(np.float32, copy=False))

    def decode(self, codes: np.ndarray, *, urgent: bool = True) -> np.ndarray:
        """Decode codes (n x L) to examples as the page gets them."""
        label = None if self.class_index is None else (self.schema.classes or ())[self.class_index]
        with self.compute_lock.hold(urgent=urgent):
            return self.to_page(self.model.inverse_transform(codes, label))

    def to_rows(self, values: np.ndarray) -> Any:
        """Convert an array (n x d) to examples as the model takes them."""
        return self.schema.as_frame(np.asarray(values, dtype=self.schema.dtype))

    def get_example(self, row: int) -> Any:
        """Return the example of a row as the model takes it, as an array or a frame of one."""
        assert self.data is not None
        return self.data.get_rows(slice(row, row + 1))

    def encode(self, X: Any) -> np.ndarray:
        """Return the codes of a few examples, n x L."""
        with self.compute_lock.hold(urgent=True):
            return np.asarray(self.model.transform(X), dtype=np.float32)

    def reconstruct(self, X: Any) -> np.ndarray:
        """Encode and decode a few examples, and return them as the page gets them."""
        with self.compute_lock.hold(urgent=True):
            return self.to_page(self.model.reconstruct(X))

    # ---------------------------------------------------------------------------------------------- computed once

    @property
    def codes(self) -> np.ndarray:
        """Codes of all rows: n x L, float32."""
        return self._cache("codes", lambda: self._apply_in_blocks(self.model.transform).astype(np.float32, copy=False))

    @property
    def scores(self) -> np.ndarray:
        """`score_samples` of all rows, (n,) nats; NaN for rows that the likelihood cannot score."""
        return self._cache("scores", lambda: self._apply_in_blocks(self._score))

    @property
    def index(self) -> Index:
        """Index of all rows, for searches by example that compare all of them."""
        return self._cache("index", lambda: Index(self.model, exact=True).add_codes(self.codes))

    @property
    def inspection(self) -> Inspection:
        """The model on all rows, with their codes."""
        data = self.data
        assert data is not None
        return self._cache("inspection", lambda: Inspection(self.model, data.X, codes=self.codes))

    @property
    def axes(self) -> Axes:
        """The two principal axes of the codes."""
        return self._cache("axes", lambda: self.inspection.axes)

    @property
    def max_activations(self) -> np.ndarray:
        """Highest activation of each unit over all rows, (L,)."""
        return self._cache("max activations", lambda: self.codes.max(0))

    @property
    def units(self) -> Units:
        """The units of a sparse code, over all rows."""
        return self._cache("units", lambda: self.inspection.units)

    def find_top_rows(self, unit: int) -> np.ndarray:
        """Return the rows for which a unit fires most, strongest first."""
        return self._cache(f"top rows of {unit}", lambda: self.inspection.top_rows(unit, _N_TOP))

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

    def get_report(self) -> bytes:
        """Return the report about the model, written once. The lock is not held, so that the dials stay fast."""

        def write() -> bytes:
            from narrows.report import write_report  # imported late, for a fast start of the studio

            data = self.data
            assert data is not None
            y = None if data.labels is None else np.array([data.labels.to_text(row) or "" for row in range(len(data))])
            with tempfile.TemporaryDirectory(prefix="narrows-studio-") as folder:
                path = write_report(
                    self.model, data.X, Path(folder) / "report.html", y=y, name=data.name, max_examples=_MAX_REPORT_ROWS
                )
                return path.read_bytes()

        with self._reporting:
            if self._report is None:
                self._report = write()
            return self._report

    # ---------------------------------------------------------------------------------------------- inside

    def compute_excess_costs(self, rows: np.ndarray) -> np.ndarray:
        """Return the nats that each entry of a few rows costs beyond its usual cost: n x `schema.shape`."""
        usual = self.usual_costs
        with self.compute_lock.hold(urgent=True):
            costs = self._entry_costs(rows)
        return np.nan_to_num(costs - usual)

    def _entry_costs(self, rows: np.ndarray) -> np.ndarray:
        """Return -log p(x | z) of each entry at the example's own code, in nats: n x `schema.shape`."""
        assert self.data is not None
        return entry_costs(self.model, self.model.prepare(self.data.get_rows(rows)))

    def _score(self, X: Any) -> np.ndarray:
        likelihood = self.model.model_.likelihood
        if likelihood.required_support is None:
            return self.model.score_samples(X)
        scores = np.full(len(X), np.nan)
        within = np.flatnonzero(likelihood.contains(self.model.prepare(X)).flatten(1).all(1).cpu().numpy())
        if len(within):
            scores[within] = self.model.score_samples(take_rows(X, within))
        return scores

    def _apply_in_blocks(self, function: Callable[[Any], Any]) -> np.ndarray:
        """Apply a function to all rows in blocks, and release the lock between them."""
        assert self.data is not None
        parts = []
        for start in range(0, len(self.data), _BLOCK):
            with self.compute_lock.hold():
                parts.append(np.asarray(function(self.data.get_rows(slice(start, start + _BLOCK)))))
        return np.concatenate(parts)

    def _cache(self, name: str, compute: Callable[[], T]) -> T:
        """Return the result of `compute`, which is called once. Other threads wait for it."""
        if name not in self._results:
            with self._computing:
                if name not in self._results:
                    self._results[name] = compute()
        return cast(T, self._results[name])

    def _make_dials(self) -> list[Dial]:
        model = self.model
        mean, std = np.asarray(model.code_mean_), np.asarray(model.code_std_)
        if self.has_nats:
            carries, scale = np.asarray(model.components_kl_), model.dial_scale()
            used = ~np.isin(np.arange(len(mean)), model.unused_components_)
        else:
            variance = std**2
            carries, scale = variance / max(float(variance.sum()), 1e-300), np.maximum(std, 1e-6)
            used = std > 1e-6
        low, high = mean - _SPAN * scale, mean + _SPAN * scale
        if self.is_sparse:
            low = np.zeros_like(mean)
            if self.data is not None:
                high = np.maximum(self.max_activations, 1e-6)
        order = Inspection(model).dial_order
        labels = [""] * len(order) if self.is_image else self._describe_effects(order[:64], mean, low, high)
        labels += [""] * (len(order) - len(labels))
        return [
            Dial(int(i), label, float(carries[i]), bool(used[i]), float(low[i]), float(high[i]), float(mean[i]))
            for i, label in zip(order, labels, strict=True)
        ]

    def _describe_effects(
        self, components: np.ndarray, mean: np.ndarray, low: np.ndarray, high: np.ndarray
    ) -> list[str]:
        """Return for each component the two columns that it changes most: 'height up, weight down'."""
        ends = np.tile(mean, (2 * len(components), 1))
        for k, i in enumerate(components):
            ends[2 * k, i], ends[2 * k + 1, i] = low[i], high[i]
        decoded = self.decode(ends, urgent=False).astype(np.float64)
        changes = (decoded[1::2] - decoded[::2]) / np.broadcast_to(self.schema.scale, decoded.shape[1:])
        names, labels = self.columns or [], []
        for change in changes:
            floor = 0.05 * np.abs(change).max() + 1e-9
            largest = [j for j in np.argsort(-np.abs(change))[:2] if abs(change[j]) > floor]
            labels.append(", ".join(f"{names[j]} {'up' if change[j] > 0 else 'down'}" for j in largest))
        return labels
