"""The concrete autoencoder, which selects columns or pixels."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
from sklearn.utils.validation import check_is_fitted

from narrows.bottlenecks import Selector
from narrows.estimators import constructors


class SelectedFeatures(NamedTuple):
    """The columns that a concrete autoencoder has selected, one for each component of its code.

    Attributes
    ----------
    indices : (L,) number of the column; of images, of the entry of an example in the user's layout, flattened. Two
        components may have selected the same one.
    names : names of the columns where the data had names, else "x0", "x1", ...; of images such as "pixel 3, 5".
    """

    indices: np.ndarray
    names: list[str]


class ConcreteAE(constructors.ConcreteAE, recipe="concreteae"):
    """The choice of the columns, or pixels, from which all others can be restored best.

    Each component of the code is one column of the data. In the training it is a mixture of columns, which narrows down
    to one. `selected_features_` tells the columns, `transform` gives them (standardised), and `reconstruct` restores
    all columns from them. There are at most `n_components` columns.

    Attributes
    ----------
    selected_features_ : SelectedFeatures, indices and names of the selected columns.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import estimator
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> model = estimator("concreteae")(n_components=2, hidden=(32,), max_epochs=5, random_state=0).fit(X)
    >>> len(model.selected_features_.indices), int(model.get_support().sum()) <= 2
    (2, True)
    """

    @property
    def selected_features_(self) -> SelectedFeatures:
        """Indices and names of the selected columns, in the order of the components."""
        check_is_fitted(self)
        schema = self.schema_
        own = cast(Selector, self.model_.bottleneck).selected[self.model_.order].cpu().numpy()
        if schema.kind != "image":
            columns = schema.columns or [f"x{j}" for j in range(schema.n_entries)]
            return SelectedFeatures(own, [str(columns[j]) for j in own])
        channel, row, column = np.unravel_index(own, schema.shape)
        places = {"hwc": (row, column, channel), "chw": (channel, row, column)}.get(schema.layout, (row, column))
        indices = np.ravel_multi_index(places, schema.user_shape)
        return SelectedFeatures(indices, ["pixel " + ", ".join(map(str, at)) for at in zip(*places, strict=True)])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the selected columns, one for each component."""
        del input_features  # the names of the columns are those of the fit
        return np.asarray(self.selected_features_.names, dtype=object)

    def get_support(self, indices: bool = False) -> np.ndarray:
        """Return which columns are selected, as scikit-learn's selectors do.

        Parameters
        ----------
        indices : True for the sorted numbers of the columns; False for a mask over all columns.
        """
        selected = np.unique(self.selected_features_.indices)
        if indices:
            return selected
        mask = np.zeros(int(np.prod(self.schema_.user_shape)), dtype=bool)
        mask[selected] = True
        return mask
