"""The units of a sparse code as a dictionary: how often, how strongly and for which rows and labels each is active."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from narrows import storage
from narrows.data import as_dense
from narrows.estimators.base import Estimator
from narrows.estimators.units import unit_directions
from narrows.evaluation.inspection import Inspection
from narrows.studio.compute_lock import ComputeLock
from narrows.studio.data import Colour, Data

_N_TOP = 9  # rows shown for a unit
_N_BARS = 24  # of a histogram
_N_SIMILAR = 6
_MAX_LABELS = 1000  # different labels; names of more are identifiers
Order = Literal["rate", "seldom", "strength", "highest", "label", "name", "index"]


class Histogram(NamedTuple):
    """The activations of a unit that fires.

    Attributes
    ----------
    low, high : ends of the scale.
    counts : numbers of rows in intervals of the same width.
    n_silent : number of rows for which it does not fire.
    """

    low: float
    high: float
    counts: list[int]
    n_silent: int


class LabelShare(NamedTuple):
    """A label, its number of rows, and the share of them for which a unit fires."""

    label: str
    n: int
    share: float


def count_numbers(model: Estimator, data: Data, compute_lock: ComputeLock) -> int:
    """Return how many numbers are stored of a code: L, or of a sparse one the most active units of 64 rows, and places.

    Raises
    ------
    ValueError
        If the model is sparse and the rows do not fit it.
    """
    if not model.model_.bottleneck.is_sparse:
        return model.model_.bottleneck.n_components
    with compute_lock.hold():
        codes = model.compute_sparse_codes(data.get_rows(slice(0, 64)))
    return 2 * int(np.diff(codes.indptr).max())


class Dictionary:
    """The units of a sparse code over n rows.

    Parameters
    ----------
    model : a model with a sparse code.
    inspection : the model on the rows, with their codes.
    labels : labels of the rows, or None.
    path : folder of the model, in which names are kept, or None.

    Attributes
    ----------
    rate, strength, highest : (L,) share of rows for which each unit fires, its mean activation there, and its highest.
    """

    def __init__(self, model: Estimator, inspection: Inspection, labels: Colour | None, path: Path | None) -> None:
        self.model, self.inspection, self.path = model, inspection, path
        has_few = labels is not None and labels.categories is not None and len(labels.categories) <= _MAX_LABELS
        self.labels = labels if has_few else None
        self.floor = inspection.sparse.floor
        self.rate, self.strength, _ = inspection.units
        self.highest = as_dense(inspection.all_codes.max(0)).ravel()
        self._lock = threading.Lock()

    # ---------------------------------------------------------------------------------------------- names

    @property
    def names(self) -> dict[int, str]:
        """Names of units by number."""
        return getattr(self.model, "unit_names_", {})

    def name(self, unit: int, text: str) -> None:
        """Name a unit; "" takes its name away. The name is kept in the model's folder, whose other files stay.

        Raises
        ------
        OSError
            If nothing can be written to the folder; the unit then keeps its name.
        """
        with self._lock:
            if self.path is None:
                self.model.unit_names_ = {u: name for u, name in {**self.names, unit: text}.items() if name}
            else:
                self.model.unit_names_ = dict(storage.edit_notes(self.path, units={unit: text}).units)

    # ---------------------------------------------------------------------------------------------- the list

    def find(self, query: str, order: Order) -> np.ndarray:
        """Return the units that a query finds, in order, (k,).

        Parameters
        ----------
        query : the number of a unit, or a part of its name or of its main label in any case; "" finds all units.
        order : "rate", "strength" and "highest" put the largest first; "seldom" those that fire seldom, but do; "label"
            those that tell most about their main label; "name" those with a name.
        """
        n, words = len(self.rate), query.strip().casefold()
        if order in ("rate", "strength", "highest"):
            units = np.argsort(-getattr(self, order), kind="stable")
        elif order == "seldom":
            units = np.lexsort((self.rate, self.rate == 0))
        elif order == "label":
            units = np.argsort(-self._main_labels[1], kind="stable")
        elif order == "name":
            names = [self.names.get(unit, "").casefold() for unit in range(n)]
            units = np.array(sorted(range(n), key=lambda unit: (not names[unit], names[unit])), dtype=np.int64)
        else:
            units = np.arange(n)
        if not words:
            return units
        if words.isdecimal() and len(words) < 10 and int(words) < n:
            return np.array([int(words)])
        found = [any(words in text.casefold() for text in self._texts(unit)) for unit in units.tolist()]
        return units[np.array(found, dtype=bool)]

    def _texts(self, unit: int) -> tuple[str, str]:
        return self.names.get(unit, ""), self.main_label(unit) or ""

    def main_label(self, unit: int) -> str | None:
        """Return the label for whose rows a unit fires most often; None without labels, or if it never fires."""
        place = self._main_labels[0][unit]
        return None if place < 0 else self._categories[place]

    @functools.cached_property
    def _categories(self) -> tuple[str, ...]:
        return () if self.labels is None or self.labels.categories is None else self.labels.categories

    @functools.cached_property
    def _shares(self) -> np.ndarray:
        """Share of the rows of each label for which each unit fires, labels x L."""
        assert self.labels is not None
        known = np.flatnonzero(self.labels.values >= 0)
        shape = len(self._categories), self.inspection.firing.shape[0]
        member = sp.csr_array((np.ones(len(known), np.float32), (self.labels.values[known], known)), shape=shape)
        fires = self.inspection.firing.astype(bool).astype(np.float32)
        return as_dense(member @ fires) / np.maximum(self._sizes, 1)[:, None]

    @functools.cached_property
    def _sizes(self) -> np.ndarray:
        assert self.labels is not None
        values = self.labels.values
        return np.bincount(values[values >= 0], minlength=len(self._categories))

    @functools.cached_property
    def _main_labels(self) -> tuple[np.ndarray, np.ndarray]:
        """The main label of each unit, -1 for none, and by how much its share exceeds that of all rows, (L,) each."""
        if not self._categories:
            return np.full(len(self.rate), -1), np.zeros(len(self.rate))
        best = self._shares.argmax(0)
        excess = self._shares.max(0) - self.rate
        return np.where(self.rate > 0, best, -1), excess

    # ---------------------------------------------------------------------------------------------- one unit

    def top_rows(self, unit: int) -> list[int]:
        """Return the rows for which a unit fires most, strongest first."""
        return self.inspection.top_rows(unit, _N_TOP).tolist()

    def count(self, unit: int) -> Histogram:
        """Return the histogram of a unit's activations where it fires."""
        n = self.inspection.firing.shape[0]
        rows = self.inspection.top_rows(unit, n)
        high = float(self.highest[unit])
        low = min(self.floor, high)
        if not len(rows):
            return Histogram(low, max(high, low), [], n)
        values = as_dense(self.inspection.firing[rows][:, [unit]]).ravel()
        counts, edges = np.histogram(values, bins=_N_BARS, range=(low, high) if high > low else None)
        return Histogram(float(edges[0]), float(edges[-1]), counts.tolist(), n - len(rows))

    def share_by_label(self, unit: int) -> list[LabelShare]:
        """Return how often a unit fires for the rows of each label, those with the largest share first."""
        if not self._categories:
            return []
        shares = self._shares[:, unit]
        order = np.argsort(-shares, kind="stable")
        return [LabelShare(self._categories[i], int(self._sizes[i]), float(shares[i])) for i in order if self._sizes[i]]

    def similar(self, unit: int) -> list[tuple[int, float]]:
        """Return the units whose directions in the decoder have the largest cosines with that of a unit."""
        cosines = self._directions @ self._directions[unit]
        cosines[unit] = -torch.inf
        nearest = cosines.topk(min(_N_SIMILAR, len(cosines) - 1))
        return list(zip(nearest.indices.tolist(), nearest.values.tolist(), strict=True))

    @functools.cached_property
    def _directions(self) -> Tensor:
        return nn.functional.normalize(unit_directions(self.model.module()).float().cpu(), dim=1)
