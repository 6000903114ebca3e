"""Labels as a conditional model has them: classes learned once, then numbers from 0 to C - 1."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from narrows.bottlenecks import UNKNOWN
from narrows.data import Schema
from narrows.data.labels import split_known

_SHOWN = 10  # classes named in a message, at most


class Labelled(ABC):
    """Abstract: the labels of a conditional model."""

    schema_: Schema

    @abstractmethod
    def _inferred(self, X: Any) -> np.ndarray:
        """The likeliest label of each example: n x C, one 1."""

    @property
    def classes_(self) -> np.ndarray:
        """The labels that a conditional model was fitted with, sorted."""
        if getattr(self, "schema_", None) is None or self.schema_.classes is None:
            raise AttributeError("There are no classes: fit(X, y) with conditional=True.")
        return np.asarray(self.schema_.classes)

    def infer_labels(self, X: Any) -> np.ndarray:
        """Infer the likeliest label of each example under a conditional model: (n,).

        It is argmax_y q(y | x) where some labels were missing, otherwise argmax_y log p(x | z, y) + log p(y) at the
        example's z, which takes a pass of the decoder for each class.

        Raises
        ------
        AttributeError
            If the model is not conditional.
        """
        check_is_fitted(self)
        return self.classes_[self._inferred(X).argmax(1)]


def learned(schema: Schema, y: Any, n: int, owner: str) -> Schema:
    """`schema` with the classes in `y` (n labels, NaN or None where there is none), sorted, and their frequencies.

    Raises
    ------
    ValueError
        If `y` is missing, is not one label for each of `n` examples, holds numbers that are no classes, or one class.
    """
    if y is None:
        raise ValueError(f"{owner} with conditional=True needs labels: fit(X, y), with one label for each example.")
    labels, known = split_known(y)
    given = _checked(labels, n, owner)[known]
    if len(given) == 0:
        raise ValueError(f"y passed to {owner} holds no label at all. Pass some, or conditional=False.")
    classes, counts = np.unique(given, return_counts=True)
    if len(classes) < 2:
        raise ValueError(
            f"y passed to {owner} holds one class, {classes[0].item()!r}: a conditional model learns from differences "
            "between classes. Pass examples of at least two, or conditional=False."
        )
    if classes.dtype.kind == "f" and (classes != np.rint(classes)).any():
        raise ValueError(
            f"y passed to {owner} must hold classes. Got numbers such as {classes[classes != np.rint(classes)][0]:g}: "
            "cut them into classes first, for instance with numpy.digitize."
        )
    return replace(
        schema,
        classes=tuple(classes.tolist()),
        frequencies=tuple((counts / len(given)).tolist()),
        unlabelled=1 - len(given) / n,
    )


def numbers_where_known(y: Any, schema: Schema, n: int, owner: str) -> np.ndarray:
    """Which of the schema's classes each of `n` examples is of: n integers, `UNKNOWN` where `y` is NaN or None."""
    labels, known = split_known(y)
    return np.where(known, numbers(labels, schema, n, owner), UNKNOWN)


def numbers(y: Any, schema: Schema, n: int, owner: str) -> np.ndarray:
    """Which of the schema's classes each of `n` examples is of: n integers. One label stands for all of them.

    Raises
    ------
    ValueError
        If `y` is of another length, or holds a label that the model was not fitted with.
    """
    assert schema.classes is not None
    given = _checked(np.full(n, y) if np.ndim(y) == 0 else y, n, owner)
    known = np.asarray(schema.classes)
    if (given.dtype.kind in "US") != (known.dtype.kind in "US"):
        strange = given
        place = np.zeros(n, dtype=np.int64)
    else:
        place = np.searchsorted(known, given).clip(max=len(known) - 1).astype(np.int64)
        strange = given[known[place] != given]
    if len(strange):
        names = ", ".join(map(repr, schema.classes[:_SHOWN])) + (", ..." if len(known) > _SHOWN else "")
        raise ValueError(
            f"y passed to {owner} holds the label {strange[0].item()!r}, which it was not fitted with: {names}."
        )
    return place


def _checked(y: Any, n: int, owner: str) -> np.ndarray:
    """`y` as an array of numbers or words, one for each of `n` examples."""
    labels = np.asarray(y)
    if labels.dtype.kind == "O" and all(isinstance(label, str) for label in labels.flat):
        labels = labels.astype(str)
    if labels.ndim != 1 or len(labels) != n:
        raise ValueError(f"y passed to {owner} must hold one label for each of {n} examples. Got shape {labels.shape}.")
    if labels.dtype.kind not in "biufUS" or (labels.dtype.kind == "f" and not np.isfinite(labels).all()):
        raise ValueError(
            f"y passed to {owner} must hold numbers or words, and none may be missing. Got dtype {labels.dtype}; drop "
            "the examples without a label."
        )
    return labels
