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
from narrows.studio.data import MOST_ROWS, Data
from narrows.studio.turns import Turns
from narrows.tasks.search import Index

_BLOCK = 1024  # rows computed in one turn
_MOST_NUMBERS = 1 << 26  # in all codes together
_MOST_SCORED, _MOST_COSTS = (
    2_000,
    1 << 24,
)  # rows, and entries of them, from which the usual cost of an entry is computed
_SPAN = 3.0  # how far a dial turns to both sides, in standard deviations, as `traverse` does
_REPORTED = 2_000  # rows that a report is made from, so that it takes seconds
_TOP = 9  # examples shown for a unit
FARTHEST = 1e6  # the largest number in a code that is decoded

T = TypeVar("T")


@dataclass(frozen=True)
class Dial:
    """A component as a slider: see the contract of /api/dials."""

    component: int
    label: str
    carries: float
    used: bool
    low: float
    high: float
    mean: float


class View:
    """A model and, if there are any, examples for it.

    Parameters
    ----------
    model : fitted.
    data : examples such as the model was fitted on, or None.
    turns : lets one thread compute at a time.
    name : name for people.
    path : folder of the model, or None.
    saved : True if the folder outlasts the studio.

    Raises
    ------
    ValueError
        If the data are not such as the model was fitted on.
    """

    def __init__(
        self,
        model: Estimator,
        data: Data | None,
        turns: Turns,
        *,
        name: str,
        path: Path | None = None,
        saved: bool = False,
    ) -> None:
        self.model, self.turns, self.name, self.path, self.saved = model, turns, name, path, saved
        self.id = secrets.token_hex(4)
        self.schema, self.bottleneck = model.schema_, model.model_.bottleneck
        self.is_image = self.schema.kind == "image"
        self.has_code = model.model_.has_code
        self.sparse = self.bottleneck.is_sparse
        self.stochastic = self.bottleneck.is_stochastic
        if data is not None:
            data = data.bounded(max(2, min(MOST_ROWS, _MOST_NUMBERS // max(1, self.n_components))))
            with turns.turn():
                model.reconstruct(data.rows(slice(0, 64)))  # raises where they do not fit
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
        """The activation above which a unit of a sparse code fires."""
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
        """The names of a vector's entries."""
        if self.is_image:
            return None
        names = self.schema.columns
        return [str(n) for n in names] if names else [f"column {i + 1}" for i in range(self.schema.n_entries)]

    @property
    def classes(self) -> list[str] | None:
        """Names of the classes of a conditional model."""
        return None if self.class_index is None else [str(name) for name in self.schema.classes or ()]

    # ---------------------------------------------------------------------------------------------- examples

    def shown(self, examples: Any) -> np.ndarray:
        """Return examples in the user's units as the page gets them: n x `shape`, bytes or float32."""
        array = np.asarray(examples)
        if self.is_image:
            return pictures.to_display(array, self.schema)
        return np.nan_to_num(array.astype(np.float32, copy=False))

    def decoded(self, codes: np.ndarray, *, urgent: bool = True) -> np.ndarray:
        """Decode codes (n x L) into examples as the page gets them."""
        label = None if self.class_index is None else (self.schema.classes or ())[self.class_index]
        with self.turns.turn(urgent=urgent):
            return self.shown(self.model.inverse_transform(codes, label))

    def as_rows(self, values: np.ndarray) -> Any:
        """Return an array (n x d) as the model takes it."""
        return self.schema.as_frame(np.asarray(values, dtype=self.schema.dtype))

    def example(self, row: int) -> Any:
        """Return the example of a row as the model takes it, as an array or a frame of one."""
        assert self.data is not None
        return self.data.rows(slice(row, row + 1))

    def encoded(self, X: Any) -> np.ndarray:
        """Return the codes of a few examples, n x L."""
        with self.turns.turn(urgent=True):
            return np.asarray(self.model.transform(X), dtype=np.float32)

    def reconstructed(self, X: Any) -> np.ndarray:
        """Encode and decode a few examples; the result is as the page gets it."""
        with self.turns.turn(urgent=True):
            return self.shown(self.model.reconstruct(X))

    # ---------------------------------------------------------------------------------------------- computed once

    @property
    def codes(self) -> np.ndarray:
        """Codes of all rows: n x L, float32."""
        return self._once("codes", lambda: self._blocks(self.model.transform).astype(np.float32, copy=False))

    @property
    def scores(self) -> np.ndarray:
        """`score_samples` of all rows, (n,) nats; NaN where the likelihood cannot score one."""
        return self._once("scores", lambda: self._blocks(self._score))

    @property
    def index(self) -> Index:
        """Index of all rows, for searches by example that compare all of them."""
        return self._once("index", lambda: Index(self.model, exact=True).add_codes(self.codes))

    @property
    def inspection(self) -> Inspection:
        """The model on all rows, with their codes."""
        data = self.data
        assert data is not None
        return self._once("inspection", lambda: Inspection(self.model, data.X, codes=self.codes))

    @property
    def axes(self) -> Axes:
        """The two principal axes of the codes."""
        return self._once("axes", lambda: self.inspection.axes)

    @property
    def highest(self) -> np.ndarray:
        """The greatest activation of each unit over all rows, (L,)."""
        return self._once("highest", lambda: self.codes.max(0))

    @property
    def units(self) -> Units:
        """The units of a sparse code, over all rows."""
        return self._once("units", lambda: self.inspection.units)

    def top_rows(self, unit: int) -> np.ndarray:
        """Return the rows for which a unit fires most, strongest first."""
        return self._once(f"top rows of {unit}", lambda: self.inspection.top_rows(unit, _TOP))

    @property
    def usual_costs(self) -> np.ndarray:
        """Usual cost of each entry in nats, the median over rows: `schema.shape`."""

        def median() -> np.ndarray:
            assert self.data is not None
            n = max(2, min(_MOST_SCORED, _MOST_COSTS // self.schema.n_entries))
            rows, parts = spaced_indices(len(self.data), n), []
            for start in range(0, len(rows), 256):
                with self.turns.turn():
                    parts.append(self._entry_costs(rows[start : start + 256]))
            return usual_costs(np.concatenate(parts))

        return self._once("usual costs", median)

    @property
    def dials(self) -> list[Dial]:
        """All components, those first that carry most."""
        return self._once("dials", self._dials)

    def report(self) -> bytes:
        """Return the page about the model, written once. It takes no turns: dials go on meanwhile."""

        def write() -> bytes:
            from narrows.report import write_report  # imported here: the dials need not wait for it

            data = self.data
            assert data is not None
            y = None if data.labels is None else np.array([data.labels.word(row) or "" for row in range(len(data))])
            with tempfile.TemporaryDirectory(prefix="narrows-studio-") as folder:
                path = write_report(
                    self.model, data.X, Path(folder) / "report.html", y=y, name=data.name, max_examples=_REPORTED
                )
                return path.read_bytes()

        with self._reporting:
            if self._report is None:
                self._report = write()
            return self._report

    # ---------------------------------------------------------------------------------------------- inside

    def contributions(self, rows: np.ndarray) -> np.ndarray:
        """Return the nats that each entry of a few rows costs beyond its usual cost: n x `schema.shape`."""
        usual = self.usual_costs
        with self.turns.turn(urgent=True):
            costs = self._entry_costs(rows)
        return np.nan_to_num(costs - usual)

    def _entry_costs(self, rows: np.ndarray) -> np.ndarray:
        """Return -log p(x | z) of each entry at the example's own code, in nats: n x `schema.shape`."""
        assert self.data is not None
        return entry_costs(self.model, self.model.prepared(self.data.rows(rows)))

    def _score(self, X: Any) -> np.ndarray:
        likelihood = self.model.model_.likelihood
        if likelihood.required_support is None:
            return self.model.score_samples(X)
        scores = np.full(len(X), np.nan)
        within = np.flatnonzero(likelihood.contains(self.model.prepared(X)).flatten(1).all(1).cpu().numpy())
        if len(within):
            scores[within] = self.model.score_samples(take_rows(X, within))
        return scores

    def _blocks(self, work: Callable[[Any], Any]) -> np.ndarray:
        """Return `work` of all rows; each block takes a turn."""
        assert self.data is not None
        parts = []
        for start in range(0, len(self.data), _BLOCK):
            with self.turns.turn():
                parts.append(np.asarray(work(self.data.rows(slice(start, start + _BLOCK)))))
        return np.concatenate(parts)

    def _once(self, name: str, compute: Callable[[], T]) -> T:
        """Return the result of `compute`, computed once; other threads wait for it meanwhile."""
        if name not in self._results:
            with self._computing:
                if name not in self._results:
                    self._results[name] = compute()
        return cast(T, self._results[name])

    def _dials(self) -> list[Dial]:
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
        if self.sparse:
            low = np.zeros_like(mean)
            if self.data is not None:
                high = np.maximum(self.highest, 1e-6)
        order = Inspection(model).dial_order
        labels = [""] * len(order) if self.is_image else self._effects(order[:64], mean, low, high)
        labels += [""] * (len(order) - len(labels))
        return [
            Dial(int(i), label, float(carries[i]), bool(used[i]), float(low[i]), float(high[i]), float(mean[i]))
            for i, label in zip(order, labels, strict=True)
        ]

    def _effects(self, components: np.ndarray, mean: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[str]:
        """Return for each component the two columns that it changes most: 'height up, weight down'."""
        ends = np.tile(mean, (2 * len(components), 1))
        for k, i in enumerate(components):
            ends[2 * k, i], ends[2 * k + 1, i] = low[i], high[i]
        decoded = self.decoded(ends, urgent=False).astype(np.float64)
        change = (decoded[1::2] - decoded[::2]) / np.broadcast_to(self.schema.scale, decoded.shape[1:])
        names, labels = self.columns or [], []
        for moved in change:
            most = [j for j in np.argsort(-np.abs(moved))[:2] if abs(moved[j]) > 0.05 * np.abs(moved).max() + 1e-9]
            labels.append(", ".join(f"{names[j]} {'up' if moved[j] > 0 else 'down'}" for j in most))
        return labels
