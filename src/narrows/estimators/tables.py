"""The masked autoencoder for tables: fill gaps, draw rows, predict any column from any others, find strange cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.accelerate import around_inference
from narrows.data import EncodedRows, Table, decode_column, fill_missing, is_frame, open_frame
from narrows.estimators import constructors, parallel
from narrows.estimators.drawing import draw_cells
from narrows.estimators.given import find_column, read_given
from narrows.estimators.signature import as_seed
from narrows.estimators.surprises import find_odds, find_surprise
from narrows.extensions import extension
from narrows.likelihoods import Binned
from narrows.model import inference_mode
from narrows.params import Integer, OneOf, Parameter, Real
from narrows.training import RandomStream, draws_globally

_FEWEST_ROWS = 10  # levels of fewer training rows may name persons, and are not drawn
_STATISTICS = ("median", "mean", "mode")
_ROWS_PER_DRAW = 4_096


class TableAE(constructors.TableAE, recipe="tableae"):
    """The masked autoencoder for tables: it predicts any cells of a row from any others, and gives all their chances.

    In training, cells of each row are hidden, and the model learns them from the others. Each column has a categorical
    distribution over its levels: categories, distinct numbers, or bins of numbers. One fit serves all tasks:

    - `impute` fills gaps, with one value or with several draws.
    - `sample` draws new rows, also with given cells: `sample(100, given={"income": ">50K"})`.
    - `predict(X, column)` and `predict_proba(X, column)` predict a column from all others.
    - `score_samples` is the sum of log p(cell | all others); `surprise` and `explain` find strange cells.
    - `transform` gives the last hidden state of each row. It cannot be decoded, so there is no `inverse_transform`;
      `reconstruct` gives each cell from all others. Take AE or VAE for short codes and dials.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from narrows import TableAE
    >>> rng = np.random.default_rng(0)
    >>> age = rng.integers(18, 80, 300)
    >>> frame = pd.DataFrame({"age": age, "plan": np.where(age > 50, "basic", "plus"), "visits": rng.poisson(age / 20)})
    >>> model = TableAE(32, max_epochs=30, random_state=0).fit(frame)
    >>> gaps = frame.assign(plan=frame["plan"].where(rng.random(300) < 0.8))
    >>> bool((model.impute(gaps)["plan"] == frame["plan"]).mean() > 0.95)
    True
    >>> set(model.sample(20, given={"plan": "basic"}, random_state=0)["plan"])
    {'basic'}
    >>> model.predict_proba(frame, "plan").shape, model.levels("plan")
    ((300, 2), ['basic', 'plus'])
    """

    def impute(self, X: Any, *, statistic: str = "median", n_draws: int | None = None, random_state: Any = None) -> Any:
        """Fill the missing cells of X; all other cells stay as they are.

        Parameters
        ----------
        X : rows, in the form of the training table.
        statistic : "median" has the smallest absolute error of numbers, "mean" the smallest squared error, "mode" is
            the likeliest value. Categories always get the likeliest level.
        n_draws : number of draws for multiple imputation, at least 1. Each draw is a table in which the gaps hold
            values that could stand there together, so that analyses of all draws tell how uncertain they are
            (`narrows.tasks.pool_estimates`). None for one table with `statistic`.
        random_state : seed of the draws; None gives other values in each call.

        Returns
        -------
        A table in the form of X, or a list of `n_draws` tables.

        Raises
        ------
        ValueError, TypeError
            If an argument is not valid, or X is no such table.
        """
        Parameter("statistic", "median", OneOf(_STATISTICS), "").check("impute", statistic)
        rows, excluded = self.check(X), self._is_other()
        if n_draws is not None:
            Parameter("n_draws", 1, Integer(1), "").check("impute", n_draws)
            seeds = np.random.default_rng(as_seed(random_state)).integers(2**31, size=n_draws)
            return [self._fill(X, rows, self._draw(rows, excluded, int(seed), gaps=False)) for seed in seeds]
        return self._fill(X, rows, self._predict_cells(rows, statistic))

    def sample(
        self,
        n_samples: int = 1,
        *,
        given: Any = None,
        last: Sequence[Any] = (),
        rare: bool = False,
        temperature: float = 1.0,
        random_state: Any = None,
        noise: bool | None = None,
    ) -> Any:
        """Draw new rows, one column after the other in an order of its own for each row.

        Parameters
        ----------
        n_samples : number of rows, at least 1.
        given : cells that are known: a dict from columns to one value or to `n_samples` values, or a table of
            `n_samples` rows or of one, whose missing cells are drawn. None draws all cells.
        last : columns to draw after all others, such as the target of a classifier.
        rare : True to draw also levels that fewer than 10 training rows have. They may be names, or identify a person.
        temperature : above 0; below 1, usual values are drawn more often than in the training data.
        random_state : seed; None gives other rows in each call.
        noise : only None and True, because a row is always drawn.

        Returns
        -------
        n_samples rows, in the form of the training table. Columns with gaps in training have gaps.

        Raises
        ------
        ValueError, TypeError
            If an argument is not valid, or `given` holds a value that was not seen in training.
        """
        check_is_fitted(self)
        Parameter("n_samples", 1, Integer(1), "").check("sample", n_samples)
        Parameter("temperature", 1.0, Real(0, np.inf, open_low=True, open_high=True), "").check("sample", temperature)
        if noise is False:
            raise ValueError("The `noise` parameter of sample must be None or True for TableAE: its rows are drawn.")
        rows = read_given(given, n_samples, cast(Table, self.schema_.table))
        excluded = self._is_other() if rare else self._is_other() | self._is_rare()
        positions = [self._position(name) for name in ([last] if isinstance(last, str) else last)]
        drawn = self._draw(rows, excluded, as_seed(random_state), True, positions, temperature)
        return self.schema_.as_frame(np.where(np.isnan(rows), drawn, rows))

    def predict(self, X: Any, column: Any = None, *, statistic: str = "mean") -> np.ndarray:
        """Predict a column from all others; without `column`, tell usual rows (1) from outliers (-1).

        Parameters
        ----------
        X : rows. The cells of `column` are not looked at, and the column may be absent.
        column : name of the column, or its position in an array; None for outliers.
        statistic : "mean", "median" or "mode" of a column of numbers; medians and modes are rounded as the column is.
            Categories get the likeliest level.

        Returns
        -------
        (n,) values of the column, or 1 and -1.

        Raises
        ------
        ValueError, TypeError
            If an argument is not valid.
        """
        if column is None:
            return super().predict(X)
        Parameter("statistic", "mean", OneOf(_STATISTICS), "").check("predict", statistic)
        j, rows = self._position(column), self._rows_without(X, column)
        values = self._predict_cells(rows, statistic)[:, j]
        found = self.schema_.used_columns[j]
        if found.has_levels:
            return np.array(found.levels)[values.astype(int)]
        is_number = found.kind not in ("datetime", "duration")
        return values if is_number and statistic == "mean" else decode_column(found, values).values

    def predict_proba(self, X: Any, column: Any) -> np.ndarray:
        """Return the probability of each level of a column, given all others: (n, levels), in the order of `levels`.

        Parameters
        ----------
        X, column : as for `predict`. The column must have levels: categories, or few distinct numbers.

        Raises
        ------
        ValueError, TypeError
            If an argument is not valid.
        """
        j, n = self._position(column), len(self.levels(column))

        def probs(params: Tensor) -> Tensor:
            return self._likelihood.level_probs(params, j)[:, :n]

        found = self._decode_visible(self._rows_without(X, column), probs).double().numpy()
        return found / found.sum(1, keepdims=True)  # without the level `other`

    def levels(self, column: Any) -> list[Any]:
        """Return the values to which `predict_proba` gives probabilities.

        Raises
        ------
        ValueError
            If the column is unknown, or its numbers are in bins.
        """
        j = self._position(column)
        found = self.schema_.used_columns[j]
        if found.has_levels:
            return list(found.levels)
        if any(len(each) > 3 for each in found.bins):
            raise ValueError(
                f"The column {found.name!r} has no levels: it holds {found.kind} numbers in bins. Use predict(X, "
                f"{found.name!r}), or impute(X, n_draws=...) for its distribution."
            )
        return decode_column(found, np.array([value for _, value, _ in found.bins])).values.tolist()

    def surprise(self, X: Any, *, per: str = "cell") -> Any:
        """Return how strange each cell is in its row: the log odds that it holds another row's value, nats.

        It is log m + log(1 - p) - log p for the probability p of the cell's level given all other cells, and its share
        m in training: the log odds at even chances. Values are comparable between columns. High is strange. A wrong
        cell makes others look wrong, so the two strangest cells of a row are also judged without each other
        (`narrows.estimators.surprises`).

        Parameters
        ----------
        X : rows, in the form of the training table.
        per : "cell", or "row" for the log odds that one cell of the row is wrong, log sum exp over its cells, each
            judged alone. This finds rows with a wrong cell better than `score_samples` does.

        Returns
        -------
        A table of numbers in the form of X, as `score_entries` gives it, NaN where a cell is missing; for rows (n,),
        -inf where all cells are missing.

        Raises
        ------
        ValueError, TypeError
            If X is no such table, or `per` is neither.
        """
        Parameter("per", "cell", OneOf(("cell", "row")), "").check("surprise", per)
        if per == "row":
            rows, model = self.check(X), self.module()
            return self.apply(lambda x: find_odds(model, x).logsumexp(1), rows).double().numpy()
        found = self.surprise_numbers(X)  # first, because it checks that the model is fitted
        return cast(Table, self.schema_.table).as_numbers(found, like=X)

    def surprise_numbers(self, X: Any) -> np.ndarray:
        """Return `surprise` as an array of the columns that the model sees: (n, D). Raises as `surprise` does."""
        rows, model = self.check(X), self.module()
        found = self.apply(lambda x: find_surprise(model, x), rows).double().numpy()
        return np.where(np.isnan(rows), np.nan, found)

    def explain(self, X: Any, n: int = 3) -> list[list[dict[str, Any]]]:
        """Return the strangest cells of each row: what was found, and what all other cells let expect.

        Parameters
        ----------
        X : rows, in the form of the training table.
        n : largest number of cells of a row, at least 1.

        Returns
        -------
        A list for each row, the strangest cell first: dicts with `column`, `found`, `expected` (as `reconstruct` gives
        it) and `surprise` (nats; as a rule, a cell below 2 is not strange).

        Raises
        ------
        ValueError, TypeError
            If X is no such table, or `n` is below 1.
        """
        Parameter("n", 3, Integer(1), "").check("explain", n)
        found = extension("strange_entries")(self, X, n)
        return [
            [
                {"column": name, "found": cell, "expected": expected, "surprise": -float(nats)}
                for name, nats, cell, expected in zip(*row, strict=True)
                if not np.isnan(nats)
            ]
            for row in zip(*found, strict=True)
        ]

    # ---------------------------------------------------------------------------------------------- inside

    @property
    def _likelihood(self) -> Binned:
        return cast(Binned, self.model_.likelihood)

    def _statistic(self, name: str) -> Callable[[Tensor], Tensor]:
        return {"median": self._likelihood.median, "mean": self._likelihood.mean, "mode": self._likelihood.mode}[name]

    def _is_other(self) -> Tensor:
        """Return True for the level `other` of each column: (T,)."""
        flags = torch.zeros(self._likelihood.levels.n_all, dtype=torch.bool)
        for j, column in enumerate(self.schema_.used_columns):
            if column.n_rare:
                flags[int(self._likelihood.levels.start[j]) + column.n_levels - 1] = True
        return flags

    def _is_rare(self) -> Tensor:
        """Return True for levels of categories that few training rows have: (T,). Some level of each column is kept."""
        flags = torch.zeros(self._likelihood.levels.n_all, dtype=torch.bool)
        for j, column in enumerate(self.schema_.used_columns):
            if column.has_levels:
                counts = np.array(column.frequencies[: len(column.levels)]) * column.n_observed
                is_rare = counts < min(_FEWEST_ROWS - 0.5, counts.max())
                start = int(self._likelihood.levels.start[j])
                flags[start : start + len(counts)] = torch.from_numpy(is_rare)
        return flags

    def _position(self, column: Any) -> int:
        """Return the position of a column among those that the model sees."""
        check_is_fitted(self)
        return find_column(column, cast(Table, self.schema_.table), type(self).__name__)

    def _rows_without(self, X: Any, column: Any) -> np.ndarray:
        """Return the rows X as numbers (n x D) with a hidden column, which X may lack."""
        j = self._position(column)
        table = cast(Table, self.schema_.table)
        if is_frame(X):
            X = table.encode(X, type(self).__name__, optional=(table.used[j].name,))
        rows = np.array(self.check(X))
        rows[:, j] = np.nan
        return rows

    def _predict_cells(self, rows: np.ndarray, statistic: str) -> np.ndarray:
        """Return all cells, given those that are not missing in `rows`: n x D, in the user's units."""
        excluded, choose = self._is_other(), self._statistic(statistic)

        def predict(params: Tensor) -> Tensor:
            return choose(self._likelihood.without_levels(params, excluded.to(params.device)))

        return self.schema_.restore(self._decode_visible(rows, predict))

    def _decode_visible(self, rows: np.ndarray, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Return `function` of the parameters of all cells, given those that are not missing in `rows`."""
        model = self.module()
        return self.apply(lambda x: function(model.decoder(model.bottleneck.encode(model.encoder(x)))), rows)

    def _draw(
        self,
        rows: np.ndarray,
        excluded: Tensor,
        seed: int,
        gaps: bool,
        last: Sequence[int] = (),
        temperature: float = 1.0,
    ) -> np.ndarray:
        """Return the rows (n x D, in the user's units) with drawn cells where they are missing; NaN for a drawn gap."""
        model = self.module()
        parameter = next(model.parameters())
        stream = RandomStream(seed, parameter.device, is_global=draws_globally(model))
        excluded, parts = excluded.to(parameter.device), []
        with inference_mode(model), around_inference(parameter.device), stream.use():
            for start in range(0, len(rows), _ROWS_PER_DRAW):
                x = parallel.prepare_rows(rows[start : start + _ROWS_PER_DRAW], self.schema_, model)
                drawn = draw_cells(model, x, excluded, last, temperature, gaps)
                parts.append(drawn.masked_fill(torch.isinf(drawn), torch.nan).cpu())
        return self.schema_.restore(torch.cat(parts))

    def _fill(self, X: Any, rows: np.ndarray, filled: np.ndarray) -> Any:
        """Return X with the cells of `filled` (n x D, in the user's units) where cells are missing."""
        made = self.schema_.as_frame(np.where(np.isnan(rows), filled, rows), like=X, clip=True)
        if isinstance(X, EncodedRows):
            return made
        if isinstance(X, Mapping):
            return fill_missing([X], made, "rows")[0]
        table = cast(Table, self.schema_.table)
        if not is_frame(X) and table.kind != "array":  # an array of rows of a frame: as dicts, and back
            old = np.asarray(X)
            names = [column.name for column in table.columns]
            dicts = self._fill([dict(zip(names, row, strict=True)) for row in old.tolist()], rows, filled)
            new = np.empty(old.shape, dtype=object)
            new[:] = [[row[name] for name in names] for row in dicts]
            return new.astype(old.dtype)
        kind = open_frame(X, type(self).__name__).kind if is_frame(X) else "array"
        return fill_missing(X, made, kind)
