"""Measures of a fitted model on examples, beside PCA with as many components and beside another model."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.data import count_rows, n_features, spaced_indices, take_rows
from narrows.data.labels import check_labels, find_classes, split_known
from narrows.evaluation import (
    calibration,
    fidelity,
    labels,
    likelihood,
    manifold,
    new_rows,
    probing,
    reconstruction,
    samples,
    sparsity,
)
from narrows.evaluation.absent import Absent
from narrows.evaluation.inspection import Inspection
from narrows.evaluation.intervals import Estimate
from narrows.evaluation.registry import MEASURES, Measure
from narrows.evaluation.row_sets import find_target
from narrows.evaluation.subjects import Comparison, ModelSubject, PCABaseline, Subject
from narrows.evaluation.table import Evaluation, Row
from narrows.fitted import FittedModel
from narrows.params import Integer, Parameter, did_you_mean
from narrows.training.progress import Reporter, Verbosity

# each module registers its measures when it is imported; the table lists them in this order, and any others last
_MODULES = (
    reconstruction,
    likelihood,
    manifold,
    labels,
    sparsity,
    fidelity,
    probing,
    samples,
    new_rows,
    calibration,
)
_ORDER = [module.__name__ for module in _MODULES]
_MOST_NUMBERS = 1 << 25  # in all examples together: 128 MB in single precision


def evaluate(
    model: FittedModel,
    X: Any,
    y: Any = None,
    *,
    train: Any = None,
    beside: FittedModel | None = None,
    measures: Sequence[str] | None = None,
    n_draws: int = 64,
    features: Callable[[Any], Any] | None = None,
    scores: Any = None,
    target: Any = None,
    skip_missing: bool = False,
    random_state: int = 0,
    verbose: Verbosity = "auto",
) -> Evaluation:
    """Measure `model` on `X`.

    Parameters
    ----------
    model : a fitted estimator.
    X : n examples, preferably ones that it was not fitted on.
    y : n labels, for the measures of classes.
    train : examples that the model was fitted on; PCA is fitted on them, too. None fits PCA on `X` itself, which
        favours PCA.
    beside : another fitted estimator for examples such as `X`, measured in the same way.
    measures : names of measures; None takes all that apply to the model and the data.
    n_draws : K, draws of each posterior for the likelihood by importance sampling.
    features : a function from examples such as `X` to features (n, d), in which new examples are compared with real
        ones, for example another model's `transform`; None for a fixed random network.
    scores : (n,), the result of `model.score_samples(X)`, if it is known: it is then not computed again.
    target : for a table, name of the column that the measure `utility` predicts; None for the last one with levels.
    skip_missing : True lists those of `measures` that the model does not have in `Evaluation.missing`; False raises.
    random_state : an int; seed of the random numbers.
    verbose : "auto" for a progress bar where it takes more than 2 seconds and somebody watches, 0 for silence, 1 for a
        bar at once.

    Returns
    -------
    Evaluation
        A table with a 95 % interval for each measure that has one. docs/measures.md explains each measure.

    Raises
    ------
    TypeError, ValueError
        If the model is not fitted, `y` or `scores` do not fit `X`, or `measures` names one that the model does not
        have and `skip_missing` is False.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import AE
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> model = AE(2, hidden=(8,), max_epochs=1, random_state=0).fit(X)
    >>> sorted(evaluate(model, X, measures=["mse", "trustworthiness"]).values)
    ['mse', 'n', 'trustworthiness']
    """
    for fitted in (model, *([] if beside is None else [beside])):
        if not hasattr(fitted, "prepare"):
            raise TypeError(f"evaluate takes a fitted narrows estimator. Got {type(fitted).__name__}.")
        check_is_fitted(fitted)
    Parameter("n_draws", 64, Integer(1), "").check("evaluate", n_draws)
    Parameter("random_state", 0, Integer(0), "").check("evaluate", random_state)
    _select(measures)  # refuses unknown names before any work
    n = count_rows(X, "evaluate")
    labels, scores = class_numbers(y, n, "evaluate"), _check_scores(scores, n)
    index, description = choose_rows(n, model), "examples"
    if len(index) < n:
        X, description = (
            take_rows(X, index),
            f"examples, evenly spaced among {n:,}, to limit memory",
        )
        labels, scores = (None if values is None else values[index] for values in (labels, scores))
    return evaluate_inspection(
        Inspection(model, X, scores=scores),
        labels,
        train=train,
        beside=None if beside is None else Inspection(beside, X),
        measures=measures,
        n_draws=n_draws,
        features=features,
        target=target,
        skip_missing=skip_missing,
        random_state=random_state,
        verbose=verbose,
        description=description,
    )


def evaluate_inspection(
    inspection: Inspection,
    labels: np.ndarray | None = None,
    *,
    train: Any = None,
    beside: Inspection | None = None,
    measures: Sequence[str] | None = None,
    n_draws: int = 64,
    features: Callable[[Any], Any] | None = None,
    target: Any = None,
    skip_missing: bool = False,
    random_state: int = 0,
    verbose: Verbosity = "auto",
    description: str = "examples",
    has_pca: bool = True,
    turn: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
) -> Evaluation:
    """Measure a model by its inspection, which other code may share. See `evaluate`.

    Parameters
    ----------
    inspection : the model on n examples.
    labels : n class numbers from 0, or None.
    beside : another model on the same examples.
    description : description of the row "n" of the table.
    has_pca : False leaves the column of PCA out.
    turn : each measure is taken inside of the context that it returns, so that others may get a turn between two.
    """
    model, selected = inspection.model, _select(measures)
    if target is not None:
        find_target(inspection.schema.used_columns, target, "evaluate")
    if beside is not None and inspection.schema.has_scale_of(beside.schema):
        beside.rows = inspection.rows  # one copy serves both
    evaluation = Evaluation(inspection.kind, None if beside is None else _other_name(inspection, beside))
    with Reporter(verbose, "evaluate", has_pulse=True) as reporter:
        evaluation.rows["n"] = Row(len(inspection.rows), words=description)
        comparison = Comparison(
            inspection, _prepare(model, train), labels, random_state, n_draws, features, train, target
        )
        subjects: dict[str, Subject] = {"value": ModelSubject(inspection, comparison)}
        n_train = len(comparison.rows if comparison.train is None else comparison.train)
        if has_pca and model.model_.decodes_codes and n_train > 1:
            subjects["pca"] = _pca(inspection, comparison)
        if beside is not None:
            subjects["other"] = ModelSubject(beside, comparison)
        for number, selected_measure in enumerate(selected):
            reporter.update(number / len(selected), {})
            with turn():
                reason = _add(selected_measure, subjects, evaluation)
            if reason is not None:
                if measures is not None and not skip_missing:
                    raise ValueError(f"{inspection.kind} has no {selected_measure.name}: {reason}.") from reason
                evaluation.missing[selected_measure.name] = str(reason)
    return evaluation


def fits_memory(n: int, model: FittedModel) -> bool:
    """Return True if `evaluate` uses all of n examples, rather than evenly spaced ones, to limit memory."""
    return len(choose_rows(n, model)) == n


def _add(selected: Measure, subjects: dict[str, Subject], evaluation: Evaluation) -> Absent | None:
    """Add the rows of a measure to the table. Return the reason if the model itself has none."""
    found: dict[str, dict[str, Estimate]] = {}
    reason = None
    for column, subject in subjects.items():
        if column == "pca" and reason is not None:
            continue
        try:
            found[column] = selected.rows(subject)
        except Absent as absent:
            if column == "value":
                reason = absent
    for name, row in found.get("value", found.get("other", {})).items():
        beside = {column: rows[name].value for column, rows in found.items() if column != "value" and name in rows}
        numbers = row[:3] if reason is None else (math.nan,) * 3
        evaluation.rows[name] = Row(*numbers, better=selected.better, words=row.description, **beside)
    return reason


def _prepare(model: FittedModel, train: Any) -> Tensor | None:
    """Return training examples on the model's scale, no more than the limit on memory allows."""
    if train is None:
        return None
    n = count_rows(train, "evaluate")
    index = choose_rows(n, model)
    return model.prepare(train if len(index) == n else take_rows(train, index))


def _pca(inspection: Inspection, comparison: Comparison) -> PCABaseline:
    """Return PCA with as many components; for a sparse code, as the mean number of units that fire."""
    try:
        n_components = round(float(np.diff(inspection.firing.indptr).mean()))
    except Absent:
        n_components = inspection.bottleneck.n_components
    is_gaussian = inspection.model.model_.likelihood.required_support is None and inspection.schema.kind != "table"
    return PCABaseline(comparison, n_components, is_gaussian=is_gaussian)


def _select(names: Sequence[str] | None) -> list[Measure]:
    """Return the measures of these names, or all, in the order of the table."""
    ordered = sorted(MEASURES.values(), key=lambda m: [*_ORDER, m.function.__module__].index(m.function.__module__))
    if names is None:
        return ordered
    if isinstance(names, str):
        raise TypeError(f"The `measures` parameter of evaluate must be a sequence of names. Pass [{names!r}].")
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise ValueError(f"Unknown measure {unknown[0]!r}. {did_you_mean(unknown[0], MEASURES)}")
    return [selected for selected in ordered if selected.name in names]


def _check_scores(scores: Any, n: int) -> np.ndarray | None:
    if scores is None:
        return None
    checked = np.asarray(scores)
    if checked.shape != (n,) or checked.dtype.kind != "f":
        raise ValueError(
            f"The `scores` parameter of evaluate must be the result of model.score_samples(X), {n} numbers. Got shape "
            f"{checked.shape}."
        )
    return checked


def class_numbers(y: Any, n: int, owner: str) -> np.ndarray | None:
    """Return the class of each example as an integer from 0; None without labels.

    Raises
    ------
    ValueError
        If y does not hold a label for each example, or its labels are no classes.
    """
    if y is None:
        return None
    y, known = split_known(check_labels(y, n, owner, hint=" Training examples are passed by name: train=X."))
    if not known.all():
        raise ValueError(f"y passed to {owner} must hold a label for each example: none may be missing.")
    return find_classes(y, owner, "leave y out")[1]


def choose_rows(n: int, model: FittedModel) -> np.ndarray:
    """Return the indices of the examples to use, of n, evenly spaced: no more than the limit on memory allows."""
    bottleneck = model.model_.bottleneck
    n_dense = 0 if bottleneck.is_sparse else bottleneck.n_components
    most = max(2, _MOST_NUMBERS // max(model.schema_.n_entries, n_features(model.schema_), n_dense))
    return spaced_indices(n, most)


def _other_name(inspection: Inspection, beside: Inspection) -> str:
    return beside.kind if beside.kind != inspection.kind else f"other {beside.kind}"
