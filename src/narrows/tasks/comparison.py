"""Two fitted models on the same rows: reconstructions, the error of each row, and all measures side by side.

Errors are those of `narrows.evaluation.cells`, on the scale of the first model, so that they can be compared.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.data import count_rows, take_rows
from narrows.evaluation.absent import Absent
from narrows.evaluation.inspection import Inspection
from narrows.evaluation.measures import choose_rows, class_numbers, evaluate_inspection
from narrows.evaluation.subjects import Comparison, ModelSubject
from narrows.evaluation.table import Evaluation
from narrows.fitted import FittedModel
from narrows.params import Integer, Parameter
from narrows.plots import content
from narrows.plots.drawing import format_number
from narrows.training.progress import Verbosity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 3  # rows that differ most, in each direction, in the text of a comparison


class ModelComparison:
    """Two fitted models on the same rows. `print` shows a summary and the table of measures.

    Attributes
    ----------
    names : names of the models.
    rows : (n,) positions in X of the rows that are compared: all, or evenly spaced ones to limit memory.
    errors : n x 2, the mean error of each row over its observed entries, by the first and by the second model.
    difference : (n,) error of the second model minus that of the first; below 0 where the second is nearer.
    evaluation : table of measures of the first model, with those of the second as `other`.
    """

    def __init__(
        self,
        names: tuple[str, str],
        rows: np.ndarray,
        subjects: tuple[ModelSubject, ModelSubject],
        evaluation: Evaluation,
    ) -> None:
        self.names, self.rows, self.evaluation, self._subjects = names, rows, evaluation, subjects
        self.errors = np.stack([subject.errors for subject in subjects], axis=1)
        self.difference = self.errors[:, 1] - self.errors[:, 0]

    @functools.cached_property
    def reconstructions(self) -> tuple[Any, Any]:
        """The rows by the first and by the second model, in the user's units and form."""
        schema = self._subjects[0].comparison.schema
        first, second = (schema.as_frame(schema.restore(subject.reconstructions)) for subject in self._subjects)
        return first, second

    @property
    def share_nearer(self) -> float:
        """Share of the rows that the second model reconstructs better; rows with equal errors count half."""
        return float(np.mean((self.difference < 0) + 0.5 * (self.difference == 0)))

    def most_different(self, n: int = _SHOWN) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that the first model reconstructs better by most, and those of the second: at most n each.

        They are positions in `errors`.
        """
        Parameter("n", 1, Integer(1), "").check("most_different", n)
        order = np.argsort(self.difference, kind="stable")
        second, first = order[:n], order[::-1][:n]
        return first[self.difference[first] > 0], second[self.difference[second] < 0]

    def plot(self, n: int = 4, *, ax: Axes | None = None) -> Axes:
        """Draw the n images of each model by which it is better by most; of other rows, the errors of both as points.

        Parameters
        ----------
        n : number of images, at least 1.
        """
        from narrows.plots import drawing, style

        comparison = self._subjects[0].comparison
        if comparison.schema.kind != "image":
            ax = style.new_axes(4.4, 4.2) if ax is None else ax
            drawing.draw_points(ax, self.errors, None, None)
            ends = [0, float(np.nanmax(self.errors, initial=0))]
            ax.plot(ends, ends, color=style.LINE, zorder=0)
            axes = [f"error of {name}" for name in self.names]
            return style.style_axes(ax, x=axes[0], y=axes[1], grid="both")
        first, second = self.most_different(n)
        index = np.concatenate([first, second])
        rows = comparison.rows.numpy()
        versions = [rows, *(subject.reconstructions.numpy() for subject in self._subjects)]
        lines = [
            (name, content.as_pictures(images[index]))
            for name, images in zip(("original", *self.names), versions, strict=True)
        ]
        width = 0.62 * max(len(index), 1) + 0.2 + 0.075 * max(len(name) for name, _ in lines)
        ax = style.new_axes(width, 0.62 * len(lines) + 0.35, "compressed") if ax is None else ax
        starts = ((0, self.names[0], first), (len(first), self.names[1], second))
        heads = [(start, f"{name} is nearer") for start, name, kept in starts if len(kept)]
        breaks = [len(first)] if len(heads) == 2 else []
        drawing.draw_images(ax, lines, heads, content.pixel_limits(comparison.schema, rows), breaks)
        return ax

    def summary(self) -> list[str]:
        """Return the comparison of the errors in sentences."""
        first, second = self.names
        means = [format_number(float(mean)) for mean in self.errors.mean(0)]
        lines = [
            f"{first} and {second} on {len(self.errors):,} rows: mean errors {means[0]} and {means[1]}. {second} is "
            f"nearer on {self.share_nearer:.0%} of the rows."
        ]
        for name, rows in zip(self.names, self.most_different(), strict=True):
            if len(rows):
                shown = ", ".join(
                    f"{self.rows[row]} ({format_number(self.errors[row, 0])} and {format_number(self.errors[row, 1])})"
                    for row in rows.tolist()
                )
                lines.append(f"Rows by which {name} is better by most, with both errors: {shown}.")
        return lines

    def __repr__(self) -> str:
        return "\n".join([*self.summary(), "", repr(self.evaluation)])

    def _repr_html_(self) -> str:
        """Return the summary and the table as HTML, for a notebook."""
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in self.summary())
        return f"<div>{lines}{self.evaluation._repr_html_()}</div>"


def compare(
    a: FittedModel,
    b: FittedModel,
    X: Any,
    y: Any = None,
    *,
    train: Any = None,
    names: tuple[str, str] | None = None,
    measures: Sequence[str] | None = None,
    random_state: int = 0,
    verbose: Verbosity = "auto",
) -> ModelComparison:
    """Compare two fitted models on the same rows.

    Parameters
    ----------
    a, b : fitted estimators for rows such as X.
    X : n examples in the user's units, preferably ones that neither was fitted on.
    y : n labels, for the measures of classes.
    train : examples that the models were fitted on, as for `evaluate`.
    names : names of the models; None for those of their classes.
    measures : names of measures that the first model has; None takes all that apply to either model.
    random_state : seed of the measures.
    verbose : as for `evaluate`.

    Raises
    ------
    TypeError
        If `a` or `b` is no fitted model.
    ValueError
        If X or y do not fit, the models see other columns, or `names` are not two different ones.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import AE
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> small, large = (AE(n, hidden=(8,), max_epochs=2, random_state=0).fit(X) for n in (1, 4))
    >>> compare(small, large, X, names=("one", "four"), measures=["mse"]).errors.shape
    (200, 2)
    """
    for model in (a, b):
        if not hasattr(model, "prepare") or not hasattr(model, "offset_"):
            raise TypeError(f"compare takes two fitted narrows estimators. Got {type(model).__name__}.")
    if names is not None and (len(names) != 2 or names[0] == names[1]):
        raise ValueError(f"The `names` parameter of compare must be two different names. Got {names!r}.")
    n = count_rows(X, "compare")
    labels, rows = class_numbers(y, n, "compare"), min((choose_rows(n, model) for model in (a, b)), key=len)
    if len(rows) < n:
        X, labels = take_rows(X, rows), None if labels is None else labels[rows]
    first, second = Inspection(a, X), Inspection(b, X)
    comparison = Comparison(first, labels=labels, seed=random_state)
    subjects = ModelSubject(first, comparison), ModelSubject(second, comparison)
    evaluation = evaluate_inspection(
        *(first, labels), beside=second, train=train, measures=measures, random_state=random_state, verbose=verbose
    )
    if names is not None:
        evaluation.model, evaluation.other = map(str, names)
    try:
        return ModelComparison((evaluation.model, str(evaluation.other)), rows, subjects, evaluation)
    except Absent as reason:
        raise ValueError(f"compare needs models of the same columns: {reason}.") from reason
