"""Measures of new rows of a table: of use, like real ones, and no copies of training rows.

    utility     a model trained on new rows, tested on real ones: AUC, accuracy, or R2      Esteban et al. (2017),
                https://arxiv.org/abs/1706.02633
    C2ST        AUC of a classifier that tells new rows from real ones; 0.5 is chance       Lopez-Paz and Oquab (2017),
                https://arxiv.org/abs/1610.06545
    marginals   1/2 sum over bins |p - q|, the total variation, mean over columns
    pairs       the same of the tables of two columns, mean over pairs
    closer      share of new rows that are closer to a training row than to a held-out one
    DCR         distance to the closest record                                              Park et al. (2018),
                https://arxiv.org/abs/1806.03384
    copies      share of new rows that equal a training row

A model of a table is measured by the rows that it draws; `evaluate_rows` measures rows of any origin.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from narrows.data import spaced_indices
from narrows.evaluation.absent import Absent
from narrows.evaluation.intervals import N_GROUPS, Estimate, jackknife
from narrows.evaluation.registry import measure
from narrows.evaluation.row_sets import RowSets
from narrows.evaluation.subjects import Subject
from narrows.params import counted

_FEWEST = 2 * N_GROUPS  # rows of a set
_N_FOLDS = 3
_C2ST_ROUNDS = 60
_MOST_ROUNDS, _MOST_TREES = 100, 400  # of the classifier of `utility`; with many classes there are fewer rounds
_MOST_CLASSES = 20  # further levels of the target are one class
_MOST_PAIRS = 1_000

RowFunction = Callable[[RowSets], Estimate | Mapping[str, Estimate]]
ROW_FUNCTIONS: dict[str, RowFunction] = {}


def row_measure(better: int = 0) -> Callable[[RowFunction], RowFunction]:
    """Register a function of rows as the measure of its name, of models and of rows. See `registry.measure`."""

    def register(function: RowFunction) -> RowFunction:
        @functools.wraps(function)
        def of_subject(subject: Subject) -> Estimate | Mapping[str, Estimate]:
            return function(subject.row_sets)

        measure(better)(of_subject)
        ROW_FUNCTIONS[function.__name__] = function
        return function

    return register


# ------------------------------------------------------------------------------------------------ of use


@row_measure(better=1)
def utility(sets: RowSets) -> dict[str, Estimate]:
    """Skill of trees fitted to new rows at predicting a column of real rows, beside trees fitted to real rows."""
    train = sets.known_train
    column = sets.columns[sets.target]
    name = f"{str(column.name)!r}"
    new, train, test = (rows[~np.isnan(_labels(sets, rows))] for rows in (sets.new, train, sets.real))
    n = min(len(new), len(train))
    if min(n, len(test)) < _FEWEST:
        raise Absent(f"it needs at least {_FEWEST} rows of each kind with a value of {name}")
    kind = "R2" if not column.has_levels else "AUC" if column.n_levels == 2 else "accuracy"
    by_new, by_real = (_tested(sets, rows[spaced_indices(len(rows), n)], test, kind) for rows in (new, train))
    beside = f"{kind} of {name} in {len(test):,} real rows, by gradient-boosted trees that are fitted to {n:,}"
    description = f"{beside} new rows; fitted to as many real training rows: {by_real.value:.3g}"
    return {
        "utility": by_new._replace(description=description),
        "utility_real": by_real._replace(description="the same, fitted to real training rows"),
    }


def _labels(sets: RowSets, rows: np.ndarray) -> np.ndarray:
    """Return the target of rows: numbers, or classes from the most frequent one on; NaN if missing or unseen."""
    column, cells = sets.columns[sets.target], rows[:, sets.target]
    if not column.has_levels:
        return cells
    classes = sets.as_categories(rows)[0][:, sets.target]
    return np.where(cells < column.n_levels, classes.clip(max=_MOST_CLASSES), np.nan)


def _tested(sets: RowSets, fitted: np.ndarray, test: np.ndarray, kind: str) -> Estimate:
    """Fit trees to rows, and test them on real ones."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    (x, has_levels), y, truth = sets.as_categories(fitted), _labels(sets, fitted), _labels(sets, test)
    x, test = (np.delete(rows, sets.target, axis=1) for rows in (x, sets.as_categories(test)[0]))
    settings = {"categorical_features": np.delete(has_levels, sets.target), "random_state": sets.resamples.seed}
    if not x.shape[1]:
        raise Absent("there is one column, and none to predict it from")
    if kind == "R2":
        predicted = HistGradientBoostingRegressor(**settings).fit(x, y).predict(test)
        return jackknife(lambda mask: _r2(truth[mask], predicted[mask]), len(test), largest=1.0)
    classes = np.unique(y)
    shares = np.ones((len(test), 1))
    if len(classes) > 1:
        rounds = min(_MOST_ROUNDS, max(20, _MOST_TREES // len(classes)))
        trees = HistGradientBoostingClassifier(max_iter=rounds, **settings)
        shares = trees.fit(x, y).predict_proba(test)
    if kind == "accuracy":
        return sets.resamples.mean(classes[shares.argmax(1)] == truth)
    score = shares[:, -1] if len(classes) > 1 else np.zeros(len(test))
    return jackknife(lambda mask: auc(truth[mask] == 1, score[mask]), len(test), largest=1.0)


def auc(is_positive: np.ndarray, score: np.ndarray) -> float:
    """Return the share of pairs in which the positive row has the higher score; a tie counts half. NaN for one class.

    Parameters
    ----------
    is_positive, score : (n,) booleans and numbers.
    """
    from scipy.stats import rankdata

    n = int(is_positive.sum())
    if n in (0, len(score)):
        return float("nan")
    return float((rankdata(score)[is_positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))


def _r2(truth: np.ndarray, predicted: np.ndarray) -> float:
    return float(1 - np.square(truth - predicted).sum() / max(np.square(truth - truth.mean()).sum(), 1e-300))


# ------------------------------------------------------------------------------------------------ like real rows


@row_measure(better=-1)
def c2st_auc(sets: RowSets) -> Estimate:
    """AUC of a classifier that tells new rows from real ones."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    n = min(len(sets.new), len(sets.real))
    if n < _FEWEST:
        raise Absent(f"it needs at least {_FEWEST} rows of each kind, and there are {n}")
    x, has_levels = sets.as_categories(np.concatenate([r[spaced_indices(len(r), n)] for r in (sets.new, sets.real)]))
    is_new = np.arange(2 * n) < n
    fold = np.random.default_rng(sets.resamples.seed).permutation(2 * n) % _N_FOLDS
    score = np.empty(2 * n)
    for k in range(_N_FOLDS):
        trees = HistGradientBoostingClassifier(
            max_iter=_C2ST_ROUNDS, categorical_features=has_levels, random_state=sets.resamples.seed
        )
        score[fold == k] = trees.fit(x[fold != k], is_new[fold != k]).predict_proba(x[fold == k])[:, 1]
    description = (
        f"AUC of gradient-boosted trees that tell {n:,} new rows from as many real ones, {_N_FOLDS}-fold; 0.5 is "
        f"chance, the best value{sets.gap_note}"
    )
    return jackknife(lambda mask: auc(is_new[mask], score[mask]), 2 * n, description, largest=1.0)


@row_measure(better=-1)
def marginals(sets: RowSets) -> dict[str, Estimate]:
    """Mean total variation of the columns, beside that of real training rows."""
    columns = [(j,) for j in range(len(sets.columns))]
    what = f"total variation between new and held-out rows, in [0, 1], mean over {counted(len(columns), 'column')}"
    return _variations(sets, "marginals", columns, what)


@row_measure(better=-1)
def pairs(sets: RowSets) -> dict[str, Estimate]:
    """Mean total variation of the tables of two columns, beside that of real training rows."""
    if len(sets.columns) < 2:
        raise Absent("there is one column, and no pair")
    every = list(itertools.combinations(range(len(sets.columns)), 2))
    some = np.random.default_rng(sets.resamples.seed).permutation(len(every))[:_MOST_PAIRS]
    chosen = [every[i] for i in np.sort(some)]
    of = "" if len(chosen) == len(every) else f" of {len(every):,}"
    what = f"the same of the tables of two columns, mean over {counted(len(chosen), 'pair')}{of}"
    return _variations(sets, "pairs", chosen, what)


def _variations(sets: RowSets, name: str, groups: Sequence[tuple[int, ...]], description: str) -> dict[str, Estimate]:
    (new, real, train), sizes = sets.bins
    rows = {name: Estimate(_variation(new, real, groups, sizes), description=description)}
    if train is not None:
        floor = f"the same of {len(train):,} real training rows: new rows need not be nearer"
        rows[f"{name}_real"] = Estimate(_variation(train, real, groups, sizes), description=floor)
    return rows


def _variation(a: np.ndarray, b: np.ndarray, groups: Sequence[tuple[int, ...]], sizes: np.ndarray) -> float:
    """Return the mean over groups of columns of the total variation between two sets of rows of bins."""
    values = []
    for group in groups:
        shape = tuple(sizes[list(group)])
        shares = [
            np.bincount(np.ravel_multi_index(tuple(rows[:, group].T), shape), minlength=math.prod(shape)) / len(rows)
            for rows in (a, b)
        ]
        values.append(np.abs(shares[0] - shares[1]).sum() / 2)
    return float(np.mean(values))


# ------------------------------------------------------------------------------------------------ no copies


@row_measure()
def closer(sets: RowSets) -> Estimate:
    """Share of new rows that are closer to a training row than to a held-out one."""
    to_train, to_held_out, n = sets.distances
    description = (
        f"share of {len(to_train):,} new rows that are closer to one of {n:,} training rows than to one of as many "
        "held-out rows, ties count half; 0.5 is no memory of training rows"
    )
    return sets.resamples.mean((to_train < to_held_out) + 0.5 * (to_train == to_held_out), description)


@row_measure()
def dcr(sets: RowSets) -> dict[str, Estimate]:
    """Distance of new rows to the closest training row, and to the closest held-out row."""
    to_train, to_held_out, n = sets.distances
    unit = "; 1 is a standard deviation of a number, or another level"
    rows = {}
    for name, words, distances in (
        ("train", f"training rows{unit}", to_train),
        ("held_out", "held-out rows", to_held_out),
    ):
        description = f"median distance of a new row from the closest of {n:,} {words}"
        rows[f"dcr_{name}"] = Estimate(float(np.median(distances)), description=description)
        rows[f"dcr_{name}_5"] = Estimate(float(np.quantile(distances, 0.05)), description="5 % quantile of it")
    return rows


@row_measure(better=-1)
def copies(sets: RowSets) -> dict[str, Estimate]:
    """Share of new rows that equal a training row, beside that of held-out rows."""
    train = sets.known_train
    known = {row.tobytes() for row in _plain(train)}
    shares = {}
    for name, words, rows in (("copies", "new", sets.new), ("copies_real", "held-out", sets.real)):
        is_copy = np.array([row.tobytes() in known for row in _plain(rows)])
        description = f"share of {len(rows):,} {words} rows that equal one of {len(train):,} training rows"
        estimate = sets.resamples.mean(is_copy, description)
        shares[name] = estimate._replace(low=max(0.0, estimate.low))  # without a rounding error
    return shares


def _plain(rows: np.ndarray) -> np.ndarray:
    """Return rows in which equal cells have equal bytes, also missing ones and zeros of either sign."""
    return np.where(np.isnan(rows), np.nan, rows + 0.0)
