"""A model measured over several trainings, which differ by their seeds.

    mean +- t s / S^1/2        s: standard deviation over S trainings, t: the 97.5th percentile of Student's t, S - 1

The intervals of `evaluate` resample examples and keep the model. Dictionaries of two seeds share only a part of their
units (Paulo and Belrose, 2025, https://arxiv.org/abs/2501.16615), so one training says little about a method.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

from narrows.evaluation.measures import evaluate
from narrows.evaluation.table import Evaluation, Row
from narrows.fitted import FittedModel


def evaluate_seeds(models: Sequence[FittedModel], X: Any, y: Any = None, **options: Any) -> Evaluation:
    """Measure several fitted models of one kind on `X`: the means over models, with intervals over models.

    Parameters
    ----------
    models : at least two fitted estimators of one class, such as trainings with different `random_state`.
    X, y : as for `evaluate`.
    options : further parameters of `evaluate`.

    Returns
    -------
    Evaluation
        A table of the rows that all models have. Its intervals say how much trainings differ, not examples.

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two models, they are of several classes, or as `evaluate` does.

    Examples
    --------
    >>> import numpy as np, narrows
    >>> from narrows.evaluation import evaluate_seeds
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> models = [narrows.SAE(16, k=2, max_epochs=3, random_state=seed).fit(X) for seed in range(3)]
    >>> table = evaluate_seeds(models, X, measures=["explained_variance"])
    >>> low, high = table.interval("explained_variance")
    >>> low < table["explained_variance"] < high
    True
    """
    kinds = sorted({type(model).__name__ for model in models})
    if len(models) < 2 or len(kinds) > 1:
        raise ValueError(
            f"evaluate_seeds takes at least two models of one class. Got {len(models)}"
            + (f" of the classes {', '.join(kinds)}." if len(kinds) > 1 else ".")
        )
    tables = [evaluate(model, X, y, **options) for model in models]
    first = tables[0]
    result = Evaluation(first.model, first.other)
    for table in tables:
        result.missing.update(table.missing)
    for name, row in first.rows.items():
        if not all(name in table.rows for table in tables):
            continue
        rows = [table.rows[name] for table in tables]
        if name == "n":
            result.rows[name] = row
            continue
        low, high = _interval(np.array([each.value for each in rows]))
        result.rows[name] = Row(
            _mean([each.value for each in rows]),
            low,
            high,
            better=row.better,
            words=f"mean and interval of {len(models)} models; for the first: {row.words}",
            pca=None if row.pca is None else _mean([each.pca for each in rows]),
            other=row.other,
        )
    return result


def _interval(values: np.ndarray) -> tuple[float, float]:
    centre, n = float(values.mean()), len(values)
    error = float(student.ppf(0.975, n - 1) * values.std(ddof=1)) / math.sqrt(n)
    return centre - error, centre + error


def _mean(values: Sequence[float | None]) -> float:
    return float(np.mean([value for value in values if value is not None]))
