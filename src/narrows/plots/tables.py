"""A fitted model on rows of a table, column by column: originals, reconstructions, costs, and what codes change.

d is the number of columns that the model sees. Cells are numbers in the user's units, as in `narrows.data.columns`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from narrows.data import Column, EncodedRows, Schema
from narrows.evaluation.cells import cell_errors
from narrows.evaluation.inspection import Inspection
from narrows.evaluation.scores import entry_costs
from narrows.fitted import CellModel
from narrows.model import infer_label
from narrows.plots.cells import format_cell, format_level

if TYPE_CHECKING:
    from narrows.likelihoods.binned import Binned
    from narrows.likelihoods.mixed import Mixed

MOST_COLUMNS = 20  # columns that a picture or a table of cells shows
_FAR = 1.0  # standard deviations of a column from which an error is large
_MOST_TERMS = 2  # terms of one column in a picture of effects
_LEAST_EXCESS = 0.5  # nats of a cell that are worth a word
_MOST_LEVELS = 40  # levels of a column whose probabilities are looked at


class Quality(NamedTuple):
    """Reconstruction of one column.

    Attributes
    ----------
    value : R2 of numbers, on the model's scale; share of right levels. NaN without an observed cell that varies.
    is_accuracy : True for levels.
    usual : share of the most frequent level of these rows; 0 for numbers.
    skill : 1 if all is right, 0 for a model that knows the column's mean or most frequent level only.
    """

    value: float
    is_accuracy: bool
    usual: float
    skill: float


class Reason(NamedTuple):
    """A cell that makes a row unusual.

    Attributes
    ----------
    column : name of the column.
    cell, expected : what it holds, and what the model expected.
    chance : probability of a level; None for a number.
    excess : nats that it costs beyond the usual cost of the column.
    """

    column: str
    cell: str
    expected: str
    chance: float | None
    excess: float


class Term(NamedTuple):
    """A number that describes a decoded column: the standardised number, or the probability of a level.

    Attributes
    ----------
    column : position of the column.
    level : number of the level; None for numbers.
    """

    column: int
    level: int | None


class TableView:
    """A fitted model on rows of a table.

    Parameters
    ----------
    inspection : the model on n rows. Without rows, only what codes change is known.
    """

    def __init__(self, inspection: Inspection) -> None:
        self.inspection, self.model = inspection, inspection.model
        self.schema: Schema = inspection.schema
        self.columns: tuple[Column, ...] = self.schema.used_columns

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [str(column.name) for column in self.columns]

    @functools.cached_property
    def cells(self) -> np.ndarray:
        """The cells, n x d, NaN where missing."""
        assert self.schema.table is not None
        X = self.inspection.X
        rows = X if isinstance(X, EncodedRows) else self.schema.table.encode(X, self.inspection.kind)
        return np.asarray(rows, dtype=np.float64)

    @functools.cached_property
    def expected(self) -> np.ndarray:
        """The reconstructed cells, n x d: also what the model puts in place of a missing cell."""
        return np.asarray(self.schema.restore(self.inspection.reconstructions), dtype=np.float64)

    @functools.cached_property
    def costs(self) -> np.ndarray:
        """-log p of each cell at the row's own code, n x d nats on the model's scale; NaN where it is missing."""
        costs = entry_costs(self.model, self.inspection.rows)
        return np.where(np.isnan(self.cells), np.nan, costs)

    @functools.cached_property
    def row_costs(self) -> np.ndarray:
        """Mean cost of the observed cells of each row, (n,) nats."""
        n = (~np.isnan(self.costs)).sum(1)
        return np.nansum(self.costs, 1) / np.maximum(n, 1)

    @functools.cached_property
    def is_wrong(self) -> np.ndarray:
        """True where another level is reconstructed, or a number more than a standard deviation away, n x d."""
        errors = cell_errors(self.inspection.reconstructions, self.inspection.rows, self.schema).cpu().numpy()
        has_levels = np.array([column.has_levels for column in self.columns])
        return errors > np.where(has_levels, 0.0, _FAR**2)  # False where a cell is missing

    @functools.cached_property
    def quality(self) -> list[Quality]:
        """Reconstruction of each column on these rows."""
        x, y = (standardize(self.schema, rows) for rows in (self.inspection.rows, self.inspection.reconstructions))
        return [self._quality(j, x[:, j], y[:, j]) for j in range(len(self.columns))]

    def _quality(self, j: int, x: np.ndarray, y: np.ndarray) -> Quality:
        observed = ~np.isnan(self.cells[:, j])
        if self.columns[j].has_levels:
            levels = self.cells[observed, j]
            if not len(levels):
                return Quality(np.nan, True, np.nan, 0.0)
            usual = float(np.unique(levels, return_counts=True)[1].max() / len(levels))
            right = float((levels == self.expected[observed, j]).mean())
            return Quality(right, True, usual, (right - usual) / (1 - usual) if usual < 1 else 0.0)
        x, y = x[observed], y[observed]
        total = float(np.square(x - x.mean()).sum()) if len(x) else 0.0
        if total <= 1e-12 * max(len(x), 1):
            return Quality(np.nan, False, 0.0, 0.0)
        r2 = 1 - float(np.square(x - y).sum()) / total
        return Quality(r2, False, 0.0, r2)

    @functools.cached_property
    def main(self) -> list[int]:
        """Positions of the columns to show, in the table's order: those that the model reconstructs best."""
        skill = np.array([quality.skill for quality in self.quality])
        return sorted(np.argsort(-skill, kind="stable")[:MOST_COLUMNS].tolist())

    def choice(self, shown: Sequence[int]) -> str:
        """Return a sentence that says which columns are shown, '' for all."""
        if len(shown) == len(self.columns):
            return ""
        return f"{len(shown)} of {len(self.columns)} columns are shown: those that the model reconstructs best."

    @functools.cached_property
    def medians(self) -> np.ndarray:
        """Median of each number and likeliest level of each category, given the other cells of its row: n x d."""
        network = self.model.module()
        found = self.model.apply(lambda x: self._binned.median(network.decode_own(x)), self.inspection.rows)
        return np.asarray(self.schema.restore(found), dtype=np.float64)

    @functools.cached_property
    def surprise(self) -> np.ndarray:
        """Surprise of each cell in its row (`TableAE.surprise`), n x d nats; NaN where it is missing."""
        return cast(CellModel, self.model).surprise_numbers(self.inspection.X)

    @functools.cached_property
    def usual(self) -> np.ndarray:
        """The median of each number and the most frequent level of each category in training, (d,)."""
        shares = self._binned.inverse_mean(torch.zeros(1))[None]
        return np.asarray(self.schema.restore(self._binned.median(self._on_device(shares)).cpu()), dtype=np.float64)[0]

    @functools.cached_property
    def rarity(self) -> np.ndarray:
        """Distance of each cell from the usual, n x d: standard deviations from the mean, or nats of a rare level."""
        far = np.abs(standardize(self.schema, self.inspection.rows))
        for j, column in enumerate(self.columns):
            if column.has_levels:
                shares = np.append(np.asarray(column.frequencies), 1e-4)
                level = np.nan_to_num(self.cells[:, j]).astype(int).clip(0, len(shares) - 1)
                far[:, j] = np.sqrt(2 * np.log(shares.max() / np.maximum(shares[level], 1e-4)))
        return np.where(np.isnan(self.cells), 0.0, far)

    def reasons(self, row: int, n: int = 3) -> list[Reason]:
        """Return the cells of a row that cost more than such cells usually do, those that cost most first."""
        excess = self.inspection.excess_costs[row]
        worst = [j for j in np.argsort(-excess, kind="stable")[:n].tolist() if excess[j] > _LEAST_EXCESS]
        return [self._reason(row, j, float(excess[j])) for j in worst if not np.isnan(self.cells[row, j])]

    def _reason(self, row: int, j: int, excess: float) -> Reason:
        cell, expected = (self.text(j, numbers[row, j]) for numbers in (self.cells, self.expected))
        chance = float(np.exp(-self.costs[row, j])) if self.columns[j].has_levels else None
        return Reason(self.names[j], cell, expected, chance, excess)

    def text(self, j: int, number: float) -> str:
        """Return a number of column `j` as text."""
        return format_cell(self.columns[j], number)

    def term_name(self, term: Term) -> str:
        """Return the name of a term, such as 'Price' or 'Home = rent'."""
        column = self.columns[term.column]
        return str(column.name) if term.level is None else f"{column.name} = {format_level(column, term.level)}"

    # ---------------------------------------------------------------------------------------------- codes

    def turn(self, x: Tensor | None, components: Sequence[int], n_steps: int, span: float) -> Tensor:
        """Return the decoder's outputs while one component at a time is turned: components x n_steps x params.

        Parameters
        ----------
        x : the row to start from, prepared (1 x d); None for the mean of the training codes.
        components : indices of components.
        n_steps, span : number of steps, and their distance from the mean in standard deviations of the codes.
        """
        network, mean = self.model.module(), np.asarray(self.model.code_mean_, dtype=np.float64)
        start = mean if x is None else self.model.apply(network.encode, x).numpy()[0].astype(np.float64)
        z = np.tile(start, (len(components), n_steps, 1))
        spread = self.model.dial_scale()
        for i, component in enumerate(components):
            z[i, :, component] = mean[component] + spread[component] * np.linspace(-span, span, n_steps)
        codes = network.project(torch.from_numpy(z.reshape(-1, z.shape[-1])).to(next(network.parameters())))
        if network.n_classes and x is not None:
            label = self.model.apply(lambda rows: infer_label(network, rows), x).to(codes)
            codes = torch.cat([codes, label.expand(len(codes), -1)], 1)
        return self.decode(codes).reshape(len(components), n_steps, -1)

    def decode(self, codes: Tensor) -> Tensor:
        """Return the decoder's outputs (n x params) for codes (n x L)."""
        return self.model.apply(self.model.module().decode, codes)

    @functools.cached_property
    def terms(self) -> list[Term]:
        """The terms of all columns: a number, the second of two levels, or each of the most frequent levels."""
        terms = []
        for j, column in enumerate(self.columns):
            if not column.has_levels:
                terms.append(Term(j, None))
                continue
            order = np.argsort(-np.asarray(column.frequencies), kind="stable")[:_MOST_LEVELS]
            terms += [Term(j, 1)] if column.n_levels == 2 else [Term(j, level) for level in sorted(order.tolist())]
        return terms

    def values(self, params: Tensor) -> np.ndarray:
        """Return the terms of decoder's outputs (... x params): ... x terms."""
        flat = params.reshape(-1, params.shape[-1])
        numbers = standardize(self.schema, self._likelihood.mean(self._on_device(flat)))
        probs = {j: self.level_probs(flat, j) for j, column in enumerate(self.columns) if column.has_levels}
        parts = [numbers[:, j] if level is None else probs[j][:, level] for j, level in self.terms]
        return np.stack(parts, 1).reshape(*params.shape[:-1], -1)

    def means(self, params: Tensor) -> np.ndarray:
        """Return the expected cells (n x d) of decoder's outputs (n x params), in the user's units."""
        return np.asarray(self.schema.restore(self._likelihood.mean(self._on_device(params))), dtype=np.float64)

    def level_probs(self, params: Tensor, j: int) -> np.ndarray:
        """Return the probability of each level of column `j` (n x levels)."""
        return self._likelihood.level_probs(self._on_device(params), j).detach().double().cpu().numpy()

    @property
    def _likelihood(self) -> Mixed:
        return cast("Mixed", self.model.module().likelihood)  # as all likelihoods of tables

    @property
    def _binned(self) -> Binned:
        return cast("Binned", self.model.module().likelihood)  # that of a model that predicts hidden cells

    def _on_device(self, params: Tensor) -> Tensor:
        return params.to(next(self.model.module().parameters()).device)

    def moving(self, changes: np.ndarray, most: int = MOST_COLUMNS) -> list[int]:
        """Return the indices of the terms that change most, largest first, at most two of one column.

        Parameters
        ----------
        changes : changes of the terms, ... x terms.
        most : largest number of terms.
        """
        size = np.abs(changes).reshape(-1, changes.shape[-1]).max(0)
        kept: list[int] = []
        counts: dict[int, int] = {}
        for i in np.argsort(-size, kind="stable").tolist():
            j = self.terms[i].column
            if counts.get(j, 0) < _MOST_TERMS and len(kept) < most:
                kept.append(i)
                counts[j] = counts.get(j, 0) + 1
        return kept


def standardize(schema: Schema, x: Tensor) -> np.ndarray:
    """Return prepared rows (n x d) as numbers of mean 0 and variance 1; log(1 + x) of counts; levels unchanged."""
    rows = x.detach().double().cpu().numpy()
    counts = [j for j, column in enumerate(schema.used_columns) if column.kind == "count"]
    rows[:, counts] = np.log1p(np.clip(rows[:, counts], 0, None))
    return (rows - np.asarray(schema.mean)) / np.asarray(schema.std)
