"""Clusters of examples by a prior that is a mixture: p(k | z) of each mode k, at the code z of an example."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.estimators.base import Estimator


class Clusters(Estimator):
    """Abstract: an estimator that assigns examples to the modes of its prior, if that is a mixture."""

    def cluster_probs(self, X: Any) -> np.ndarray:
        """Return the probability of each mode of the prior for each example: (n, n_modes), rows sum to 1.

        The modes of a category are its values, of which one has the probability 1.

        Raises
        ------
        ValueError, TypeError
            If the prior is not a mixture, or X does not hold examples like those that the model was fitted on.
        """
        check_is_fitted(self)
        code = self.model_.stochastic
        if code is None or code.n_modes == 0:
            raise ValueError(
                f"This {type(self).__name__} has no clusters, because its prior has no modes. Fit a VAE with "
                "prior='mixture', or estimator('gmvae') or ('jointvae')."
            )
        model = self.module()

        def compute_probs(x: Tensor) -> Tensor:
            assert model.stochastic is not None
            probs = model.stochastic.mode_probs(model.bottleneck.encode(model.encoder(x)))
            assert probs is not None
            return probs

        return np.asarray(self.apply(compute_probs, self.check(X)).double().numpy())

    def predict_cluster(self, X: Any) -> np.ndarray:
        """Return the likeliest mode of the prior for each example: (n,) integers.

        Raises
        ------
        ValueError, TypeError
            As `cluster_probs` does.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import VAE
        >>> X = np.random.default_rng(0).normal(size=(200, 5)) + 8 * (np.arange(200) % 2)[:, None]
        >>> model = VAE(2, prior="mixture", n_modes=2, hidden=(32,), max_epochs=5, random_state=0).fit(X)
        >>> clusters = model.predict_cluster(X)
        >>> bool((clusters[::2] == clusters[0]).all() and (clusters[1::2] == 1 - clusters[0]).all())
        True
        """
        return np.asarray(self.cluster_probs(X).argmax(1))
