"""What several sections of a page need of one model and the examples that it is shown on, computed once."""

from __future__ import annotations

import functools
import itertools
from typing import Any, NamedTuple

import numpy as np
import torch

from narrows.data import as_array
from narrows.estimators.base import Estimator
from narrows.plots import picks, style
from narrows.plots.accessor import Plots
from narrows.plots.drawing import MOST_BARS, name_of, number
from narrows.plots.picks import Plane, Rebuilt
from narrows.report.live import packed_decoder

_MOST_KINDS = 20  # of labels that a map tells apart
_STEPS = 7  # of a scale of values


class Groups(NamedTuple):
    """Examples told apart on a map.

    Attributes
    ----------
    names : of the groups, in order.
    of : n integers, the group of each example.
    ordered : whether the groups are steps of a scale.
    title : what is told apart.
    """

    names: list[str]
    of: np.ndarray
    ordered: bool
    title: str


class Subject:
    """A fitted model and examples.

    Parameters
    ----------
    model : a fitted estimator.
    X : n examples as the user has them, in memory, best such as it was not fitted on.
    y : n labels, or None.
    seed : of what is drawn.
    """

    def __init__(self, model: Estimator, X: Any, y: Any = None, seed: int = 0) -> None:
        self.model, self.seed = model, seed
        self.X = X if hasattr(X, "iloc") else as_array(X, type(model).__name__)
        self.rows = model.prepared(X).numpy()
        self.y = None if y is None else picks.map_labels(y, len(self.rows), "A page about a model")
        self.schema = model.schema_
        self.is_image = self.schema.kind == "image"
        self.kind = type(model).__name__
        self.plots = Plots(model, style.own_axes)

    @property
    def noun(self) -> str:
        """What an example is called."""
        return "picture" if self.is_image else "row"

    @functools.cached_property
    def rebuilt(self) -> Rebuilt:
        """The examples and what comes out of them."""
        return picks.rebuilt(self.model, self.X)

    @functools.cached_property
    def scores(self) -> np.ndarray:
        """Nats of each example, higher is more usual."""
        return self.model.score_samples(self.X)

    @functools.cached_property
    def codes(self) -> np.ndarray:
        """n x n_components."""
        return np.asarray(self.model.transform(self.X), dtype=np.float64)

    @functools.cached_property
    def plane(self) -> Plane:
        """The codes as places on a map."""
        return picks.plane(self.codes)

    @functools.cached_property
    def limits(self) -> tuple[float, float]:
        """What is black and what is white."""
        return picks.limits(self.schema, self.rows)

    @functools.cached_property
    def decoder(self) -> dict[str, Any] | None:
        """The decoder for the page's script, where that can compute it."""
        return packed_decoder(self.model, self.limits if self.is_image else (0.0, 1.0))

    @property
    def decoder_name(self) -> str:
        """By which sections find the decoder on the page."""
        return f"decoder-{self.kind.lower()}"

    def pictures(self, rows: np.ndarray) -> np.ndarray:
        """Images on the model's scale as values in [0, 1]: n x h x w, or n x h x w x 3."""
        low, high = self.limits
        return ((picks.pictures(rows) - low) / (high - low)).clip(0, 1)

    @functools.cached_property
    def error_per_entry(self) -> np.ndarray:
        """Squared errors as shares of what is usual for their entry: n x entries; 1 is usual."""
        squares = np.square(self.rebuilt.rebuilt - self.rows, dtype=np.float64).reshape(len(self.rows), -1)
        usual = np.nanmean(squares, 0)
        # an entry that always comes out right would make the least slip infinitely strange
        return np.asarray(squares / np.maximum(usual, 0.01 * max(float(usual.mean()), 1e-12)))

    @functools.cached_property
    def groups(self) -> Groups:
        """By label; without labels, by how unusual the model finds an example."""
        if self.y is None:
            return _steps(-self.scores, "surprise in nats")
        kinds = picks.classes(self.y, _MOST_KINDS)
        if kinds is None:
            return _steps(self.y.astype(float), "label")
        names = [name_of(kind) for kind in kinds]
        of = np.full(len(self.y), len(kinds))
        for i, kind in enumerate(kinds):
            of[self.y == kind] = i
        if (of == len(kinds)).any():
            names.append("other")
        return Groups(names, of, False, "label")

    def value(self, row: int, entry: int) -> str:
        """An entry of an example in the user's units."""
        return _words(self._cells[row, entry])

    @functools.cached_property
    def _cells(self) -> np.ndarray:
        cells = np.asarray(self.X).reshape(len(self.rows), -1)
        return cells if cells.shape[1] == self.schema.n_entries else self.rows.reshape(len(self.rows), -1)

    @functools.cached_property
    def _expected(self) -> np.ndarray:
        if np.asarray(self.X[:1]).size != self.schema.n_entries:
            return self.rebuilt.rebuilt.reshape(len(self.rows), -1)
        return self.schema.restore(torch.from_numpy(self.rebuilt.rebuilt)).reshape(len(self.rows), -1)

    def reasons(self, row: int, n: int = 3) -> list[str]:
        """The entries in which an example is stranger than others, strongest first."""
        names, share = picks.entries(self.schema), self.error_per_entry[row]
        strongest = [int(i) for i in np.argsort(-np.nan_to_num(share), kind="stable")[:n] if share[i] > 1]
        label = "" if self.schema.columns else "column "
        return [
            f"{label}{names[i]} is {self.value(row, i)}, where {_words(self._expected[row, i])} was expected: "
            f"{share[i]:.2g} times the usual squared error"
            for i in strongest
        ]

    def unusual(self, rows: np.ndarray, n: int = 5) -> list[list[str]]:
        """For each of `rows` the columns in which it is farthest from the mean, with their values."""
        flat = self.rows.reshape(len(self.rows), -1)
        names = picks.entries(self.schema)
        far = np.abs(np.nan_to_num((flat - np.nanmean(flat, 0)) / np.maximum(np.nanstd(flat, 0), 1e-12)))
        n = min(n, len(names))
        return [[f"{names[i]} {self.value(row, i)}" for i in np.argsort(-far[row], kind="stable")[:n]] for row in rows]

    @property
    def has_many_columns(self) -> bool:
        """Whether vectors are drawn as lines."""
        return not self.is_image and self.schema.n_entries > MOST_BARS


def _steps(values: np.ndarray, title: str) -> Groups:
    """Values in steps of about as many examples each."""
    finite = np.nan_to_num(values, nan=float(np.nanmedian(values)))
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, _STEPS + 1)))
    of = np.clip(np.searchsorted(edges, finite, side="right") - 1, 0, max(len(edges) - 2, 0))
    names = [f"{number(a)} to {number(b)}" for a, b in itertools.pairwise(edges)] or [number(edges[0])]
    return Groups(names, of, True, title)


def _words(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return number(float(value)) if abs(float(value)) < 1e6 else f"{value:.4g}"
    return str(value)
