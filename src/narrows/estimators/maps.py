"""Maps: an autoencoder whose codes keep neighbours together, and a measure of trust in each part of the map.

    trust(x) = 1 - 2 / (k (2n - 3k - 1)) sum_{j in U_k(x)} (r(x, j) - k)

x is compared with n - 1 reference examples. U_k(x) holds those reference examples that are among the k nearest to x on
the map, but not among the k nearest in the data. r(x, j) is the rank of reference example j by its distance from x in
the data. trust(x) is 1 if the neighbours on the map are the neighbours in the data, and about 0.5 for a random map. It
is the term of one example in the trustworthiness of Venna and Kaski, Neighborhood preservation in nonlinear projection
methods (2001), https://doi.org/10.1007/3-540-44668-0_68.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.data import leading_axes, spaced_indices
from narrows.estimators import constructors
from narrows.evaluation.cells import as_points
from narrows.training import choose_precision

_N_REFERENCES = 2_000  # training examples that new ones are compared with
_N_NEIGHBORS = 20  # k: a hundredth of them
_USUAL = 0.95  # share of the reference examples whose distance to their neighbours on the map counts as usual
_BLOCK = 1_000  # number of examples to compare at the same time


class MapAE(constructors.MapAE, recipe="mapae"):
    """The autoencoder as a map: near examples have near codes, and each place on the map can be decoded.

    It makes a map of the data in two dimensions, as UMAP and t-SNE do, but with an encoder and a decoder. `transform`
    places examples on the map, also new ones, `inverse_transform` decodes any place, and `trust` tells how reliable the
    place of each example is.

    Attributes
    ----------
    reference_codes_ : (r, n_components) codes of some training examples.
    reference_trust_ : (r,) trust in the places of these examples, in [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import MapAE
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> model = MapAE(hidden=(32,), max_epochs=5, random_state=0).fit(X)
    >>> Z = model.transform(X)
    >>> Z.shape, model.trust(X).shape, model.trust_at(Z).shape, model.inverse_transform(Z).shape
    ((200, 2), (200,), (200,), (200, 5))
    """

    reference_codes_: np.ndarray
    reference_trust_: np.ndarray
    reference_points_: np.ndarray
    reference_mean_: np.ndarray
    reference_axes_: np.ndarray
    reference_reach_: float

    def trust(self, X: Any) -> np.ndarray:
        """Return the trust in the place of each example on the map: (n,) in [0, 1].

        It is high if the neighbours of an example on the map are similar to it. It is low where the map tears or folds
        the data, and for examples that are unlike all training examples. The formula is at the top of
        `narrows/estimators/maps.py`.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on.
        """
        rows = self.check(X)
        points = self.apply(self._point, rows)
        codes = self.apply(self._encode, rows)
        return self._compute_trust(points, codes, is_reference=False).numpy()

    def trust_at(self, Z: Any) -> np.ndarray:
        """Return the trust in each place on the map: (n,) in [0, 1], for places Z (n, n_components).

        It is the mean trust in the training examples nearest to a place. Far from all of them it is multiplied by
        (usual distance / distance) ** 2. The distance is that to the k-th nearest training example, and it is at most
        the usual one around 95 % of the training examples.

        Raises
        ------
        ValueError
            If Z does not hold finite numbers of that shape.
        """
        check_is_fitted(self)
        Z = torch.from_numpy(np.asarray(Z, dtype=np.float64))
        codes = torch.from_numpy(self.reference_codes_).double()
        if Z.dim() != 2 or Z.shape[1] != codes.shape[1] or not torch.isfinite(Z).all():
            raise ValueError(
                f"Codes for {type(self).__name__} must be finite numbers of shape (n, {codes.shape[1]}). "
                f"Got {tuple(Z.shape)}."
            )
        trusts = torch.from_numpy(self.reference_trust_)
        result = torch.empty(len(Z), dtype=torch.float64)  # filled in place: see `narrows.evaluation.distances.nearest`
        for rows in _blocks(len(Z)):
            reach, indices = torch.cdist(Z[rows], codes).topk(_n_neighbors(len(codes)), largest=False)
            emptiness = (reach[:, -1] / self.reference_reach_).clamp(min=1)
            result[rows] = trusts[indices].mean(1) / emptiness.square()
        return result.numpy()

    # ---------------------------------------------------------------------------------------------- inside

    def _encode(self, x: Tensor) -> Tensor:
        """Encode in the precision of the training. It is faster, and a map does not show such small differences."""
        dtype, _ = choose_precision(self.precision, x.device)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            return self.model_.encode(x).to(x.dtype)

    def _after_fit(self, sample: np.ndarray) -> None:
        rows = sample[spaced_indices(len(sample), _N_REFERENCES)]
        flat = self.apply(self._flat, rows)
        mean, axes = leading_axes(flat)
        points, codes = (flat - mean) @ axes, self.apply(self._encode, rows)
        for name, value in (("mean", mean), ("axes", axes), ("points", points), ("codes", codes)):
            setattr(self, f"reference_{name}_", value.numpy())
        self.reference_trust_ = self._compute_trust(points, codes, is_reference=True).numpy()
        k = min(_n_neighbors(len(codes)) + 1, len(codes))  # the nearest one is the example itself
        reach = torch.cat(
            [torch.cdist(block, codes).topk(k, largest=False).values[:, -1] for block in codes.split(_BLOCK)]
        )
        self.reference_reach_ = max(float(reach.double().quantile(_USUAL)), 1e-12)

    def _flat(self, x: Tensor) -> Tensor:
        """Return x as vectors on the scale on which the training measures distances."""
        x = as_points(x, self.schema_).flatten(1)
        return x.clamp(min=0).log1p() if self.schema_.support == "count" else x

    def _point(self, x: Tensor) -> Tensor:
        mean, axes = (torch.from_numpy(part).to(x) for part in (self.reference_mean_, self.reference_axes_))
        return (self._flat(x) - mean) @ axes

    def _compute_trust(self, points: Tensor, codes: Tensor, is_reference: bool) -> Tensor:
        """Return the trust in examples (n numbers), from their points (n x p) in the data and their codes (n x L).

        If `is_reference`, these are the reference examples themselves, and each is compared with the others.
        """
        references = [torch.from_numpy(part).double() for part in (self.reference_points_, self.reference_codes_)]
        n = len(references[0]) + (0 if is_reference else 1)
        k = _n_neighbors(n - 1)
        if n < 3:
            return torch.ones(len(points), dtype=torch.float64)
        result = torch.empty(len(points), dtype=torch.float64)
        for rows in _blocks(len(points)):
            in_data, on_map = (
                torch.cdist(a[rows].double(), b) for a, b in zip((points, codes), references, strict=True)
            )
            if is_reference:
                for distances in (in_data, on_map):
                    distances.diagonal(rows.start).fill_(torch.inf)
            of_neighbors = in_data.gather(1, on_map.topk(k, largest=False).indices)
            ranks = torch.searchsorted(in_data.sort(dim=1).values, of_neighbors) + 1
            result[rows] = 1 - 2 / (k * (2 * n - 3 * k - 1)) * (ranks - k).clamp(min=0).sum(1).double()
        return result


def _blocks(n: int) -> list[slice]:
    """Return slices of at most `_BLOCK` rows that cover n rows."""
    return [slice(start, start + _BLOCK) for start in range(0, n, _BLOCK)]


def _n_neighbors(n_others: int) -> int:
    """Return k for `n_others` reference examples: at most a quarter of them, so that trust stays in [0, 1]."""
    return max(1, min(_N_NEIGHBORS, n_others // 4))
