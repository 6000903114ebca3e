"""Labels of a conditional model. `fit` learns the C classes; the model sees a label as an index from 0 to C - 1."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.bottlenecks import UNKNOWN
from narrows.data import Schema
from narrows.data.labels import check_labels, find_classes, split_known
from narrows.model import Autoencoder, infer_label

_MAX_NAMES = 10  # largest number of classes that a message lists


class Labelled(ABC):
    """Abstract: the labels of a conditional model."""

    model_: Autoencoder
    schema_: Schema

    @abstractmethod
    def prepare(self, X: Any) -> Tensor:
        """Return X checked and on the model's scale: n x `schema_.shape`."""

    @abstractmethod
    def apply(self, function: Any, rows: np.ndarray | Tensor) -> Tensor:
        """Apply `function` to many examples."""

    @property
    def classes_(self) -> np.ndarray:
        """The labels that a conditional model was fitted with, sorted: (C,).

        Raises
        ------
        AttributeError
            If the model is not conditional, or not fitted.
        """
        if getattr(self, "schema_", None) is None or self.schema_.classes is None:
            raise AttributeError("There are no classes: fit(X, y) with conditional=True.")
        return np.asarray(self.schema_.classes)

    def infer_labels(self, X: Any) -> np.ndarray:
        """Infer the likeliest label of each example under a conditional model: (n,).

        If some training labels were missing, it is argmax_y q(y | x). Otherwise it is argmax_y log p(x | z, y) +
        log p(y) at the code z of the example, and the decoder runs once for each class.

        Raises
        ------
        AttributeError
            If the model is not conditional.
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on.
        """
        check_is_fitted(self)
        return self.classes_[self._infer_label_columns(X).argmax(1)]

    def _infer_label_columns(self, X: Any) -> np.ndarray:
        """Infer the likeliest label of each example: n x C, one-hot."""
        return self.apply(lambda x: infer_label(self.model_, x), self.prepare(X)).numpy()

    def _label_columns(self, X: Any, y: Any, n: int) -> np.ndarray:
        """Return `n` labels one-hot: n x C, with C = 0 for a model without labels. If `y` is None they are inferred."""
        n_classes, owner = self.model_.n_classes, type(self).__name__
        if n_classes == 0:
            if y is not None:
                raise ValueError(
                    f"This {owner} knows no labels, so it cannot use `y`. Leave `y` out, fit a sampler by label, "
                    "fit_sampler(X, 'mixture', y), or fit a model with conditional=True."
                )
            return np.empty((n, 0))
        if y is None:
            return self._infer_label_columns(X).astype(np.float64)
        return np.eye(n_classes)[label_indices(y, self.schema_, n, owner)]

    def _with_labels(self, z: np.ndarray, columns: np.ndarray) -> Tensor:
        """Return codes (n x L) followed by the columns of their labels (n x C)."""
        return torch.from_numpy(np.concatenate([np.asarray(z, dtype=np.float64), columns], axis=1))


def learn_classes(schema: Schema, y: Any, n: int, owner: str) -> Schema:
    """Return `schema` with the sorted classes in `y` and their frequencies. NaN or None is a missing label.

    Raises
    ------
    ValueError
        If `y` is None, does not hold one label for each of `n` examples, holds fractions, or has only
        one class.
    """
    if y is None:
        raise ValueError(f"{owner} with conditional=True needs labels: fit(X, y), with one label for each example.")
    labels, is_known = split_known(check_labels(y, n, owner))
    labels = _check_dtype(labels, owner)[is_known]
    if len(labels) == 0:
        raise ValueError(f"y passed to {owner} holds no labels. Pass some, or conditional=False.")
    classes, indices = find_classes(labels, owner, "pass examples of another class, or conditional=False")
    counts = np.bincount(indices)
    return replace(
        schema,
        classes=tuple(classes.tolist()),
        frequencies=tuple((counts / len(labels)).tolist()),
        unlabelled=1 - len(labels) / n,
    )


def label_indices_where_known(y: Any, schema: Schema, n: int, owner: str) -> np.ndarray:
    """Return the same as `label_indices`, with `UNKNOWN` for an example whose label is NaN or None."""
    labels, is_known = split_known(check_labels(y, n, owner))
    return np.where(is_known, label_indices(labels, schema, n, owner), UNKNOWN)


def label_indices(y: Any, schema: Schema, n: int, owner: str) -> np.ndarray:
    """Return the class index of each of `n` examples: n integers. A single label `y` is the label of all of them.

    Raises
    ------
    ValueError
        If `y` has another length, or holds a label that the model was not fitted with.
    """
    assert schema.classes is not None
    labels = _check_dtype(check_labels(np.full(n, y) if np.ndim(y) == 0 else y, n, owner), owner)
    classes = np.asarray(schema.classes)
    if (labels.dtype.kind in "US") != (classes.dtype.kind in "US"):
        unknown, indices = labels, np.zeros(n, dtype=np.int64)
    else:
        indices = np.searchsorted(classes, labels).clip(max=len(classes) - 1).astype(np.int64)
        unknown = labels[classes[indices] != labels]
    if len(unknown):
        names = ", ".join(map(repr, schema.classes[:_MAX_NAMES])) + (", ..." if len(classes) > _MAX_NAMES else "")
        raise ValueError(
            f"y passed to {owner} holds the label {unknown[0].item()!r}, but {owner} was fitted with {names}."
        )
    return indices


def _check_dtype(labels: np.ndarray, owner: str) -> np.ndarray:
    """Return `labels` if they are finite numbers or strings."""
    if labels.dtype.kind not in "biufUS" or (labels.dtype.kind == "f" and not np.isfinite(labels).all()):
        raise ValueError(
            f"y passed to {owner} must hold numbers or words, and none may be missing. Got dtype {labels.dtype}; drop "
            "the examples without a label."
        )
    return labels
