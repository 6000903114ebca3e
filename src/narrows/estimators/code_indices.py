"""Discrete codes as whole numbers: the indices that stand for a code."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.bottlenecks import Discrete, as_discrete
from narrows.estimators.clusters import Clusters
from narrows.estimators.generation import Generation


class CodeIndices(Clusters, Generation):
    """Abstract: an estimator that gives discrete codes as whole numbers, and decodes these."""

    def code_indices(self, X: Any) -> np.ndarray:
        """Return the indices of the code of each example: (n, G) integers, each less than its number of values.

        A vector-quantised code has an index for each group of components, a residual one for each level (the first are
        the coarsest), and other discrete codes one for each component or category.

        Raises
        ------
        ValueError, TypeError
            If the codes are not discrete, or X does not hold examples like those that the model was fitted on.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import estimator
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> model = estimator("vqvae")(4, n_codes=8, hidden=(32,), max_epochs=5, random_state=0).fit(X)
        >>> index = model.code_indices(X)
        >>> index.shape, bool(np.allclose(model.decode_indices(index), model.reconstruct(X), atol=1e-5))
        ((200, 4), True)
        """
        self._discrete()
        model = self.module()
        code = as_discrete(model.bottleneck)
        assert code is not None

        def find(x: Tensor) -> Tensor:
            return code.indices(model.bottleneck.encode(model.encoder(x)))

        return np.asarray(self.apply(find, self.check(X)).numpy(), dtype=np.int64)

    def decode_indices(self, index: Any, y: Any = None) -> Any:
        """Return the examples (n, ...) of the indices (n, G) of codes. `y` is as for `inverse_transform`.

        Raises
        ------
        ValueError, TypeError
            If the codes are not discrete, or an index is not a whole number below its number of values.
        """
        code = self._discrete()
        whole, sizes = np.asarray(index), np.asarray(code.n_values)
        is_whole = whole.ndim == 2 and whole.shape[1] == len(sizes) and whole.dtype.kind in "iu"
        if not is_whole or (whole < 0).any() or (whole >= sizes).any():
            most = ", ".join(map(str, sizes[:8])) + (", ..." if len(sizes) > 8 else "")
            raise ValueError(
                f"The `index` parameter of decode_indices must have {len(sizes)} whole numbers for each code, below "
                f"{most}, as `code_indices` gives them. Got shape {whole.shape} and dtype {whole.dtype}."
            )
        with torch.inference_mode():
            z = code.from_indices(torch.from_numpy(whole.astype(np.int64)).to(self.model_.order.device))
        return self.inverse_transform(z[:, self.model_.order].double().cpu().numpy(), y=y)

    def _discrete(self) -> Discrete:
        check_is_fitted(self)
        code = as_discrete(self.model_.bottleneck)
        if code is None:
            raise ValueError(
                f"The codes of this {type(self).__name__} are real numbers, which have no indices. Fit a model with "
                "discrete codes, such as estimator('vqvae')."
            )
        return code
