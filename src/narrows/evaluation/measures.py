"""What a fitted model is worth on some examples, beside PCA with as many components and beside another model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from narrows.data import count_rows, spaced_indices, take_rows
from narrows.data.labels import split_known
from narrows.evaluation import calibration, labels, likelihood, manifold, reconstruction, samples, sparsity
from narrows.evaluation.registry import MEASURES, Absent, Measure
from narrows.evaluation.subjects import OfModel, OfPCA, Scene, Subject
from narrows.evaluation.table import Evaluation, Row
from narrows.params import Integer, Parameter, did_you_mean
from narrows.training.progress import Reporter

if TYPE_CHECKING:
    from narrows.estimators import Estimator  # for the annotation only: evaluation stands below

# each registers its measures when it is imported; the table has them in this order, and others behind
_ORDER = [m.__name__ for m in (reconstruction, likelihood, manifold, labels, sparsity, samples, calibration)]
_MOST_NUMBERS = 1 << 25  # looked at: 128 MB of examples in single precision


def evaluate(
    model: Estimator,
    X: Any,
    y: Any = None,
    *,
    train: Any = None,
    beside: Estimator | None = None,
    measures: Sequence[str] | None = None,
    n_draws: int = 64,
    features: Callable[[Any], Any] | None = None,
    scores: Any = None,
    random_state: int = 0,
    verbose: int = 1,
) -> Evaluation:
    """Measure `model` on `X`.

    Parameters
    ----------
    model : a fitted estimator.
    X : examples, best ones that it was not fitted on.
    y : a label for each of them (n), for what tells classes apart.
    train : the examples that it was fitted on, to fit PCA on too; without them PCA is fitted on `X` itself, which
        favours PCA.
    beside : another fitted estimator for such examples, measured in the same way.
    measures : names of those to take; None takes all that the model and the data have.
    n_draws : K, draws of each posterior for the likelihood by importance sampling.
    features : the space to compare new examples with real ones in, from examples such as `X` to (n, features), for
        example another model's `transform`; None for a fixed random network.
    scores : what `model.score_samples(X)` gave (n), if that is known, which saves its time.
    random_state : an int; seed of everything random.
    verbose : 0 for silence, 1 for a progress bar on stderr where that is a terminal.

    Returns
    -------
    Evaluation
        A table with a 95 % interval for each measure that has one. docs/measures.md says what each measure is.

    Raises
    ------
    TypeError, ValueError
        If the model is not fitted, `y` or `scores` do not fit `X`, or a measure asked for by name is not to be had.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import AE
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> model = AE(2, hidden=(8,), max_epochs=1, random_state=0).fit(X)
    >>> sorted(evaluate(model, X, measures=["mse", "trustworthiness"]).values)
    ['mse', 'n', 'trustworthiness']
    """
    for given in (model, *([] if beside is None else [beside])):
        if not hasattr(given, "prepared"):
            raise TypeError(f"evaluate takes a fitted narrows estimator. Got {type(given).__name__}.")
        check_is_fitted(given)
    Parameter("n_draws", 64, Integer(1), "").check("evaluate", n_draws)
    Parameter("random_state", 0, Integer(0), "").check("evaluate", random_state)
    chosen = _chosen(measures)
    found = Evaluation(type(model).__name__, None if beside is None else _other_name(model, beside))
    with Reporter(verbose, "evaluate") as reporter:
        scene, scores = _scene(model, X, y, train, scores, found)
        scene.n_draws, scene.seed, scene.features = n_draws, random_state, features
        subjects: dict[str, Subject] = {"value": OfModel(model, scene, scores)}
        if model.model_.has_code and len(scene.rows if scene.train is None else scene.train) > 1:
            subjects["pca"] = _pca(subjects["value"], scene)
        if beside is not None:
            subjects["other"] = OfModel(beside, scene)
        for number, one in enumerate(chosen):
            reporter.update(number / len(chosen), {})
            try:
                _add(one, subjects, found)
            except Absent as reason:
                if measures is not None:
                    raise ValueError(f"{type(model).__name__} has no {one.name}: {reason}.") from reason
                found.missing[one.name] = str(reason)
    return found


def _add(one: Measure, subjects: dict[str, Subject], found: Evaluation) -> None:
    """Take the rows of a measure in. Raises Absent if the model itself has none."""
    rows = one.rows(subjects["value"])
    beside: dict[str, dict[str, float]] = {}
    for column, subject in subjects.items():
        if column == "value":
            continue
        try:
            beside[column] = {name: estimate.value for name, estimate in one.rows(subject).items()}
        except Absent:
            beside[column] = {}
    for name, (value, low, high, words) in rows.items():
        others = {column: values.get(name) for column, values in beside.items()}
        found.rows[name] = Row(value, low, high, better=one.better, words=words, **others)


def _scene(
    model: Estimator, X: Any, y: Any, train: Any, scores: Any, found: Evaluation
) -> tuple[Scene, np.ndarray | None]:
    """The examples, of which some speak for all where they are many, what is said of them, and their `scores`."""
    n = count_rows(X, "evaluate")
    y, scores = _checked_labels(y, n), _checked_scores(scores, n)
    index = _index(n, model)
    words = "examples"
    if len(index) < n:
        X, words = take_rows(X, index), f"examples, evenly spaced among {n:,}: more would not fit the memory set aside"
        y, scores = (None if known is None else known[index] for known in (y, scores))
    rows = model.prepared(X)
    if train is not None:
        some = _index(len(train), model)
        train = model.prepared(train if len(some) == len(train) else take_rows(train, some))
    found.rows["n"] = Row(len(rows), words=words)
    return Scene(X, rows, model.schema_, train, y), scores


def _pca(subject: Subject, scene: Scene) -> OfPCA:
    """PCA with as many components; a sparse code's numbers are those that are not 0."""
    assert isinstance(subject, OfModel)
    try:
        n_components = round(float(sparsity.active(subject).sum(1).mean()))
    except Absent:
        n_components = subject.bottleneck.n_components
    return OfPCA(scene, n_components, gaussian=subject.estimator.model_.likelihood.required_support is None)


def _chosen(names: Sequence[str] | None) -> list[Measure]:
    ordered = sorted(
        MEASURES.values(), key=lambda one: [*_ORDER, one.function.__module__].index(one.function.__module__)
    )
    if names is None:
        return ordered
    if isinstance(names, str):
        raise TypeError(f"The `measures` parameter of evaluate must be a sequence of names. Pass [{names!r}].")
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        raise ValueError(f"Unknown measure {unknown[0]!r}. {did_you_mean(unknown[0], MEASURES)}")
    return [one for one in ordered if one.name in names]


def _checked_scores(scores: Any, n: int) -> np.ndarray | None:
    if scores is None:
        return None
    found = np.asarray(scores)
    if found.shape != (n,) or found.dtype.kind != "f":
        raise ValueError(
            f"The `scores` parameter of evaluate must be what model.score_samples(X) gave, {n} numbers. Got the shape "
            f"{found.shape}."
        )
    return found


def _checked_labels(y: Any, n: int) -> np.ndarray | None:
    """Labels as integers from 0."""
    if y is None:
        return None
    y = y.detach().cpu().numpy() if isinstance(y, torch.Tensor) else np.asarray(y)
    if y.shape != (n,):
        raise ValueError(
            f"The `y` parameter of evaluate must hold one label for each of {n} examples, shape ({n},). Got the shape "
            f"{y.shape}. Training examples are passed by name: train=X."
        )
    y, known = split_known(y)
    if not known.all() or (y.dtype.kind == "f" and not (np.isfinite(y) & (y == np.round(y))).all()):
        raise ValueError("The `y` parameter of evaluate must hold classes: no fractions, and none may be missing.")
    classes, numbers = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"The `y` parameter of evaluate must hold at least two classes. All {n} labels are "
            f"{classes.tolist()[0]!r}: leave y out."
        )
    return numbers.astype(np.int64)


def _index(n: int, model: Estimator) -> np.ndarray:
    """Which of n examples are looked at."""
    most = max(2, _MOST_NUMBERS // model.schema_.n_entries)
    return spaced_indices(n, most)


def _other_name(model: Estimator, beside: Estimator) -> str:
    name = type(beside).__name__
    return name if name != type(model).__name__ else f"other {name}"
