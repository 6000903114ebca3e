"""Maps: an autoencoder whose codes keep neighbours, and how far each part of the map can be trusted.

    trust(x) = 1 - 2 / (k (2n - 3k - 1)) sum_{j in U_k(x)} (r(x, j) - k)

U_k(x): those of the k reference examples nearest to x on the map that are not among the k nearest in the data; r(x, j):
the rank of reference example j by its distance from x in the data; n - 1 reference examples. It is one example's term
of the trustworthiness of Venna and Kaski, Neighborhood preservation in nonlinear projection methods (2001),
https://doi.org/10.1007/3-540-44668-0_68: 1 if its neighbours on the map are its neighbours in the data, about 0.5 for a
map that is drawn at random.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.data import principal_axes, spaced_indices
from narrows.estimators import constructors
from narrows.training import choose_precision

_N_REFERENCES = 2_000  # training examples that are kept to compare with
_N_NEIGHBORS = 20  # of them: one in a hundred
_USUAL = 0.95  # of the reference examples are where the map is no emptier than this
_BLOCK = 1_000  # examples that are compared at once


class MapAE(constructors.MapAE, recipe="mapae"):
    """The autoencoder as a map: what is near in the data is near in the code, and each place can be decoded.

    A map in two dimensions such as UMAP or t-SNE draw, made by an encoder: new examples find their place at once,
    every place of the map can be decoded, and `trust` says how far each part can be relied upon.

    Attributes
    ----------
    reference_codes_ : (r, n_components), the codes of some training examples.
    reference_trust_ : (r,) the trust in each of them, in [0, 1].

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
        """How far the place of each example on the map can be trusted: (n,) in [0, 1].

        High where the examples that the map shows around it are those that are like it; low where the map had to tear
        or to fold the data, and for examples unlike all that it was fitted on. The formula stands at the top of
        `narrows/estimators/maps.py`.

        Raises
        ------
        ValueError
            If X does not hold examples such as the model was fitted on.
        """
        rows = self.checked(X)
        points = self.applied(self._point, rows)
        codes = self.applied(self._encode, rows)
        return self._trusts(points, codes, own=False).numpy()

    def trust_at(self, Z: Any) -> np.ndarray:
        """How far places on the map can be trusted: (n,) in [0, 1], for the codes Z (n, n_components).

        The mean trust in the training examples nearest to each place; where the map is emptier than around 95 % of
        them, times the square of how many times emptier: (usual distance / distance) ** 2.
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
        found = torch.empty(len(Z), dtype=torch.float64)  # filled in place: see `narrows.evaluation.distances.nearest`
        for rows in _blocks(len(Z)):
            reach, near = torch.cdist(Z[rows], codes).topk(_n_neighbors(len(codes)), largest=False)
            emptiness = (reach[:, -1] / self.reference_reach_).clamp(min=1)
            found[rows] = trusts[near].mean(1) / emptiness.square()
        return found.numpy()

    # ---------------------------------------------------------------------------------------------- inside

    def _encode(self, x: Tensor) -> Tensor:
        """By products in the precision of the training: on a map nobody sees the third digit, but all wait for it."""
        dtype, _ = choose_precision(self.precision, x.device)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            return self.model_.encode(x).to(x.dtype)

    def _after_fit(self, sample: np.ndarray) -> None:
        rows = sample[spaced_indices(len(sample), _N_REFERENCES)]
        flat = self.applied(self._flat, rows)
        mean, axes = principal_axes(flat)
        points, codes = (flat - mean) @ axes, self.applied(self._encode, rows)
        for name, value in (("mean", mean), ("axes", axes), ("points", points), ("codes", codes)):
            setattr(self, f"reference_{name}_", value.numpy())
        self.reference_trust_ = self._trusts(points, codes, own=True).numpy()
        k = min(_n_neighbors(len(codes)) + 1, len(codes))  # the nearest is the example itself
        reach = torch.cat(
            [torch.cdist(block, codes).topk(k, largest=False).values[:, -1] for block in codes.split(_BLOCK)]
        )
        self.reference_reach_ = max(float(reach.double().quantile(_USUAL)), 1e-12)

    def _flat(self, x: Tensor) -> Tensor:
        """Examples as the points between which distances are taken, as the training took them."""
        x = x.flatten(1)
        return x.clamp(min=0).log1p() if self.schema_.support == "count" else x

    def _point(self, x: Tensor) -> Tensor:
        mean, axes = (torch.from_numpy(part).to(x) for part in (self.reference_mean_, self.reference_axes_))
        return (self._flat(x) - mean) @ axes

    def _trusts(self, points: Tensor, codes: Tensor, own: bool) -> Tensor:
        """The trust in examples (n numbers), from their points (n x p) and codes (n x L).

        `own` says that they are the reference examples themselves, each to be compared with the others.
        """
        there = [torch.from_numpy(part).double() for part in (self.reference_points_, self.reference_codes_)]
        n = len(there[0]) + (0 if own else 1)
        k = _n_neighbors(n - 1)
        if n < 3:
            return torch.ones(len(points), dtype=torch.float64)
        found = torch.empty(len(points), dtype=torch.float64)
        for rows in _blocks(len(points)):
            apart, shown = (torch.cdist(a[rows].double(), b) for a, b in zip((points, codes), there, strict=True))
            if own:
                for distances in (apart, shown):
                    distances.diagonal(rows.start).fill_(torch.inf)
            chosen = apart.gather(1, shown.topk(k, largest=False).indices)
            ranks = torch.searchsorted(apart.sort(dim=1).values, chosen) + 1
            found[rows] = 1 - 2 / (k * (2 * n - 3 * k - 1)) * (ranks - k).clamp(min=0).sum(1).double()
        return found


def _blocks(n: int) -> list[slice]:
    """The numbers from 0 to n - 1 in parts that are compared at once."""
    return [slice(start, start + _BLOCK) for start in range(0, n, _BLOCK)]


def _n_neighbors(n_others: int) -> int:
    """k, for so many reference examples: at most a quarter of them, so that the formula stays in [0, 1]."""
    return max(1, min(_N_NEIGHBORS, n_others // 4))
