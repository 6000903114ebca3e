"""`TableImputer`: gaps of a table filled in a scikit-learn pipeline, by a masked autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_array, check_is_fitted

from narrows import storage
from narrows.data import EncodedRows, is_frame, open_frame
from narrows.estimators import TableAE
from narrows.estimators import load as load_estimator
from narrows.estimators.card import card
from narrows.estimators.saving import documents
from narrows.estimators.signature import reset_fitted
from narrows.params import OneOf, Parameter
from narrows.training import checkpoint

ENTRY = "imputer"  # of recipe.json: what the folder of a TableImputer has beside that of its estimator
_STATISTICS = ("median", "mean", "mode")


class TableImputer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Transformer that fills the gaps of tables with words, dates and numbers, for pipelines of scikit-learn.

    It learns each column from all others, also where rows have gaps, and gives back the columns of the training table
    with their types: a frame for a frame of the same library, an array for an array. Cells that are there stay as they
    are. Identifiers, texts and columns that had no value in training keep their gaps.

    Parameters
    ----------
    estimator : a `TableAE`. An unfitted one is copied and fitted; a fitted one is used as it is (`clone` makes it
        unfitted, and `FrozenEstimator` keeps it). None takes `TableAE()`.
    statistic : "median", "mean" or "mode" of columns of numbers, as in `TableAE.impute`.

    Attributes
    ----------
    estimator_ : the fitted TableAE.
    n_features_in_ : int, number of columns.
    feature_names_in_ : names of the columns, if all are strings.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.ensemble import HistGradientBoostingClassifier
    >>> from sklearn.pipeline import Pipeline
    >>> from narrows import TableAE
    >>> from narrows.tasks import TableImputer
    >>> rng = np.random.default_rng(0)
    >>> age = rng.integers(18, 80, 300)
    >>> X = pd.DataFrame({"age": age.astype(float), "plan": pd.Categorical(np.where(age > 50, "basic", "plus"))})
    >>> X.loc[rng.random(300) < 0.2, "age"] = np.nan
    >>> impute = TableImputer(TableAE(16, max_epochs=5, random_state=0))
    >>> int(impute.fit_transform(X)["age"].isna().sum())
    0
    >>> model = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=10)
    >>> Pipeline([("impute", impute), ("model", model)]).fit(X, age > 50).predict(X).shape
    (300,)
    """

    def __init__(self, estimator: TableAE | None = None, *, statistic: str = "median") -> None:
        self.estimator, self.statistic = estimator, statistic

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        """Return True after `fit`."""
        return hasattr(self, "estimator_")

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the columns of X from each other. X may have gaps, but need not.

        Parameters
        ----------
        X : data frame, list of dicts, or array (n, d).
        y : ignored.

        Raises
        ------
        ValueError, TypeError
            If a parameter or X is not valid.
        """
        reset_fitted(self)
        self._check_statistic()
        estimator = self.estimator.estimator if isinstance(self.estimator, FrozenEstimator) else self.estimator
        if estimator is not None and not isinstance(estimator, TableAE):
            raise TypeError(
                "The `estimator` parameter of TableImputer must be a TableAE, fitted or not, or None: only this model "
                f"fills gaps. Got {type(estimator).__name__} instead."
            )
        X = _checked(X)
        if estimator is not None and estimator.__sklearn_is_fitted__():
            estimator.check(X)
            return self._take(estimator)
        return self._take((TableAE() if estimator is None else clone(estimator)).fit(X))

    def transform(self, X: Any) -> Any:
        """Return the columns of the training table with all gaps filled, in the form of X.

        Parameters
        ----------
        X : rows like those of `fit`; columns are found by name, and other columns are left out.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            If X has not all columns, or holds other kinds of values than in training.
        """
        check_is_fitted(self)
        self._check_statistic()
        return self.estimator_.impute(self._select(_checked(X)), statistic=self.statistic)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean over rows of the sum of log p(cell | all others), in nats: higher is better.

        `GridSearchCV` compares settings by it. `y` is ignored. Raises as `transform` does.
        """
        check_is_fitted(self)
        return self.estimator_.score(X)

    # ---------------------------------------------------------------------------------------------- saving

    def save(self, folder: str | Path) -> None:
        """Write the imputer into `folder`, as `TableAE.save` does. The folder serves as that of its TableAE, too.

        Raises
        ------
        NotFittedError
            Before `fit`.
        OSError
            If `folder` is a file, contains files that narrows did not write, or cannot be written.
        """
        check_is_fitted(self)
        recipe, tensors = documents(self.estimator_)
        about = card(self.estimator_) + "\n## Use\n\n`model.transform(X)` fills the gaps of X: it is a TableImputer.\n"
        storage.write(Path(folder), {**recipe, ENTRY: {"statistic": self.statistic}}, tensors, about)
        (Path(folder).expanduser() / checkpoint.NAME).unlink(missing_ok=True)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "auto") -> TableImputer:
        """Return the imputer that is saved in `folder`, or one of the TableAE in it.

        Raises
        ------
        FileNotFoundError, ValueError
            If `folder` holds no complete TableAE.
        """
        about = storage.describe(Path(folder))
        if about["recipe"] != TableAE.recipe.name:
            raise ValueError(
                f"Only a TableAE fills gaps. {folder} holds a model of the recipe {about['recipe']!r}; "
                "use narrows.load."
            )
        fitted = load_estimator(folder, device=device)
        return cls(clone(fitted), statistic=saved_statistic(folder))._take(fitted)

    # ---------------------------------------------------------------------------------------------- inside

    def _check_statistic(self) -> None:
        Parameter("statistic", "median", OneOf(_STATISTICS), "").check("TableImputer", self.statistic)

    def _take(self, fitted: Any) -> Self:
        """Use a fitted TableAE, and take the number and the names of the columns from it."""
        self.n_features_in_ = fitted.n_features_in_
        if hasattr(fitted, "feature_names_in_"):
            self.feature_names_in_ = fitted.feature_names_in_
        self.estimator_: TableAE = fitted
        return self

    def _select(self, X: Any) -> Any:
        """Return the frame X with the columns of the training table, in their order; other X as they are."""
        table = self.estimator_.schema_.table
        assert table is not None
        if not is_frame(X) or isinstance(X, (Mapping, list, tuple)) or table.kind in ("array", "rows"):
            return X
        frame = open_frame(X, type(self).__name__)
        by_text = {str(name): name for name in frame.names}
        names = [str(column.name) for column in table.columns]
        missing = [name for name in names if name not in by_text]
        if missing:
            raise ValueError(
                f"X passed to {type(self).__name__} must have the columns that it was fitted on. It lacks "
                f"{', '.join(map(repr, missing[:20]))}."
            )
        chosen = [by_text[name] for name in names]
        if chosen == list(frame.names):
            return X
        return frame.data[chosen] if frame.kind == "pandas" else frame.data.select(chosen)


def saved_statistic(folder: str | Path) -> str:
    """Return the statistic of the imputer that is saved in `folder`; the default if it holds another model."""
    return str(storage.describe(Path(folder)).get(ENTRY, {}).get("statistic", "median"))


def _checked(X: Any) -> Any:
    """Return a frame as it is, and anything else as an array (n, d). Raises ValueError for other shapes."""
    if is_frame(X) or isinstance(X, EncodedRows):
        return X
    return check_array(X, dtype=None, ensure_all_finite=False, estimator="TableImputer", input_name="X")
