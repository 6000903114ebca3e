"""The units of a sparse code over many examples, in one pass: how often each is active, and for which examples most.

Blocks of examples are encoded one after the other, and only active entries are looked at. The memory does not grow with
the number of examples: n examples are kept for each unit, and entries below the n-th best of their unit are dropped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.bottlenecks import as_sparse
from narrows.estimators import parallel
from narrows.estimators.inference import Inference
from narrows.estimators.sources import open_rows
from narrows.estimators.sparse_codes import encode_sparse
from narrows.model import Autoencoder
from narrows.params import Integer, Parameter, counted
from narrows.training.progress import Reporter

_BLOCK = 1024  # units whose cosines with all others are in memory at once
_MERGED = 1 << 20  # entries that are collected before the best ones of each unit are sorted out


class UnitSurvey(NamedTuple):
    """The units of a sparse code over many examples.

    Attributes
    ----------
    rows : (L, n) indices of the examples for which each unit is most active, strongest first; -1 where there are fewer.
    activations : (L, n) the unit's activation for them; 0 where there are fewer.
    density : (L,) share of the examples for which each unit is active.
    mean : (L,) mean activation of each unit over the examples for which it is active; 0 for a dead unit.
    n_examples : number of examples.
    """

    rows: np.ndarray
    activations: np.ndarray
    density: np.ndarray
    mean: np.ndarray
    n_examples: int

    @property
    def dead(self) -> np.ndarray:
        """Indices of the units that are active for no example."""
        return np.flatnonzero(self.density == 0)

    def top(self, unit: int) -> np.ndarray:
        """Return the indices of the examples for which `unit` is most active, strongest first: at most n."""
        return self.rows[unit][self.rows[unit] >= 0]

    def __repr__(self) -> str:
        sizes = f"{counted(len(self.rows), 'unit')}, {counted(self.n_examples, 'example')}"
        return f"UnitSurvey({sizes}, {len(self.dead)} dead)"


class ActiveEntries(NamedTuple):
    """Active entries of the codes of some examples: their activations, units, and examples (N numbers each)."""

    values: np.ndarray
    units: np.ndarray
    rows: np.ndarray


def survey_units(estimator: Inference, X: Any, n: int = 10) -> UnitSurvey:
    """Return the survey of the units over X, in one pass. See `SAE.survey_units`."""
    Parameter("n", 10, Integer(1), "").check("survey_units", n)
    best, done = _Best(estimator.module().bottleneck.n_components, n), 0
    for entries, n_rows in iterate_entries(estimator, X, "survey_units"):
        best.add(entries)
        done += n_rows
    return best.finish(done)


def find_top_rows(estimator: Inference, X: Any, unit: int, n: int) -> np.ndarray:
    """Return the rows of X for which one unit is most active, strongest first. See `SAE.top_examples`."""
    best = _Best(1, n)
    for entries, _ in iterate_entries(estimator, X, "top_examples"):
        is_its = entries.units == unit
        values, units, rows = (array[is_its] for array in entries)
        best.add(ActiveEntries(values, np.zeros_like(units), rows))
    return best.merge().rows


def iterate_entries(estimator: Inference, X: Any, owner: str) -> Iterator[tuple[ActiveEntries, int]]:
    """Yield the active entries of block after block of X, and the number of examples of each block.

    Parameters
    ----------
    X : examples as for `SAE.survey_units`.
    owner : name of the caller, for messages.
    """
    schema, model = estimator.schema_, estimator.module()
    source = open_rows(estimator, X)
    checker = parallel.RowChecker(schema, type(estimator).__name__, estimator.recipe.allows_gaps, source.locate)
    size, fewest = parallel.rows_per_block(schema, model, source.n), parallel.fewest_rows(schema, model)
    code = as_sparse(model.bottleneck)
    assert code is not None
    floor, done = code.floor, 0

    def work(block: np.ndarray, first: int) -> tuple[ActiveEntries, int]:
        raw = checker.check(block, first)
        return active_entries(model, parallel.prepare_rows(raw, schema, model), fewest, floor, first), len(raw)

    reporter = Reporter("auto" if estimator.verbose else 0, f"{type(estimator).__name__}.{owner}")
    with reporter as report, contextlib.closing(parallel.parallel_map(work, source.blocks(size), model)) as results:
        for entries, n_rows in results:
            yield entries, n_rows
            done += n_rows
            report.update(done / source.n if source.n else 0.0, {"examples": done})
    if not done:
        raise ValueError(f"X passed to {type(estimator).__name__}.{owner} holds no examples.")
    checker.finish()


def active_entries(model: Autoencoder, x: Tensor, fewest: int, floor: float, first: int = 0) -> ActiveEntries:
    """Return the entries above `floor` of the codes of prepared examples x (B x ...), on the CPU.

    Parameters
    ----------
    fewest : number of rows to which x is padded.
    first : number of the first row.
    """
    code = encode_sparse(model, x, fewest)
    rows, is_active = np.repeat(np.arange(first, first + len(code)), np.diff(code.starts)), code.values > floor
    return ActiveEntries(code.values[is_active], code.indices[is_active], rows[is_active])


class _Best:
    """The n largest entries of each unit, among those that were added so far; of equal ones, those added first."""

    def __init__(self, n_units: int, n: int) -> None:
        self.n_units, self.n = n_units, n
        self.best = ActiveEntries(np.empty(0, np.float32), np.empty(0, np.int64), np.empty(0, np.int64))
        self.collected: list[ActiveEntries] = []
        self.n_collected = 0
        self.lowest = np.zeros(n_units, np.float32)  # the n-th largest activation of each unit, 0 if there are fewer
        self.count, self.total = np.zeros(n_units, np.int64), np.zeros(n_units)

    def add(self, entries: ActiveEntries) -> None:
        """Add entries, whose rows come after all earlier ones."""
        values, units, _ = entries
        self.count += np.bincount(units, minlength=self.n_units)
        self.total += np.bincount(units, values, self.n_units)
        kept = np.flatnonzero(values > self.lowest[units])
        if len(kept):
            self.collected.append(ActiveEntries(*(array[kept] for array in entries)))
            self.n_collected += len(kept)
        if self.n_collected > max(_MERGED, 2 * self.n * self.n_units):
            self.merge()

    def merge(self) -> ActiveEntries:
        """Keep the n largest of each unit, and return them: unit after unit, the largest first."""
        values, units, rows = (np.concatenate(arrays) for arrays in zip(self.best, *self.collected, strict=True))
        order = np.lexsort((rows, -values, units))
        values, units, rows = values[order], units[order], rows[order]
        starts = np.searchsorted(units, np.arange(self.n_units))
        is_best = np.arange(len(units)) - starts[units] < self.n
        self.best = ActiveEntries(values[is_best], units[is_best], rows[is_best])
        self.collected, self.n_collected = [], 0
        n_th = np.flatnonzero(np.arange(len(units)) - starts[units] == self.n - 1)
        self.lowest[units[n_th]] = values[n_th]
        return self.best

    def finish(self, n_examples: int) -> UnitSurvey:
        """Return the survey."""
        values, units, rows = self.merge()
        place = np.arange(len(units)) - np.searchsorted(units, units)
        top = np.full((self.n_units, self.n), -1, np.int64)
        activations = np.zeros((self.n_units, self.n), np.float32)
        top[units, place], activations[units, place] = rows, values
        mean = self.total / self.count.clip(min=1)
        return UnitSurvey(top, activations, self.count / n_examples, mean, n_examples)


def unit_directions(model: Autoencoder) -> Tensor:
    """Return what each unit adds to the decoder's output: L x entries.

    A decoder without `directions` is applied to the units one by one.
    """
    directions = getattr(model.decoder, "directions", None)
    if isinstance(directions, Tensor):
        return directions.detach()
    return model.decode_units().flatten(1)


def nearest_units(directions: Tensor, n: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each unit, the n others whose directions have the largest cosine, and these cosines (L x n each).

    Parameters
    ----------
    directions : L x d, on any device.
    """
    n = max(0, min(n, len(directions) - 1))
    unit = torch.nn.functional.normalize(directions.detach().float(), dim=1)
    nearest, cosines = [], []
    for first in range(0, len(unit), _BLOCK):
        product = unit[first : first + _BLOCK] @ unit.T
        own = torch.arange(len(product), device=product.device)
        product[own, own + first] = -torch.inf
        cosine, index = product.topk(n, dim=1)
        nearest.append(index.cpu().numpy())
        cosines.append(cosine.cpu().numpy())
    return np.concatenate(nearest), np.concatenate(cosines)
