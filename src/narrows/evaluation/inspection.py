"""A fitted model on examples: codes, reconstructions, scores and more, each computed once, when it is first used.

Evaluation, plots, report and studio all take their numbers from here. Examples are on the model's scale
(`Schema.prepare`), n x `schema.shape`. L is the number of components of a code.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import LinearOperator, svds
from torch import Tensor

from narrows.bottlenecks import Bottleneck, Sparse, Stochastic, as_sparse
from narrows.data import Schema, as_dense, principal_axes, spaced_indices
from narrows.evaluation.absent import Absent
from narrows.evaluation.cells import cell_errors, effects_on_columns, example_errors
from narrows.evaluation.scores import apply_to_code, draw_kl, entry_costs, usual_costs
from narrows.fitted import FittedModel, check_no_targets

_MOST_DENSE = 512  # units of which a dense array of codes is made for the principal axes
_MOST_FOR_AXES = 20_000  # codes from which their principal axes are computed


class Axes(NamedTuple):
    """The two directions in which codes vary most.

    Attributes
    ----------
    mean : (L,) mean code.
    directions : 2 x L, the largest variance first; the entries of each sum to at least 0. The second is 0 if L is 1.
    share : (2,) share of the codes' variance along each direction.
    """

    mean: np.ndarray
    directions: np.ndarray
    share: np.ndarray


class Plane(NamedTuple):
    """Codes as positions on a map.

    Attributes
    ----------
    places : n x 2.
    names : names of both axes, to display.
    is_projected : True if the codes have more than two components.
    mean, directions : (L,) and 2 x L; a code has the position (code - mean) @ directions.T.
    """

    places: np.ndarray
    names: tuple[str, str]
    is_projected: bool
    mean: np.ndarray
    directions: np.ndarray


class Units(NamedTuple):
    """The units of a sparse code.

    Attributes
    ----------
    rate : (L,) share of examples for which each unit fires.
    strength : (L,) mean activation of each unit where it fires, 0 if it never does.
    order : indices of all units, those that fire most often first.
    """

    rate: np.ndarray
    strength: np.ndarray
    order: np.ndarray


def sparse_axes(codes: Any) -> Axes:
    """Return the two principal axes of codes (n x L, scipy.sparse), without a dense array of them.

    They are the right singular vectors of codes - mean, whose products with vectors are found without the difference.
    """
    sample = codes[spaced_indices(codes.shape[0], _MOST_FOR_AXES)].astype(np.float64)
    mean = np.asarray(sample.mean(0)).ravel()
    ones = np.ones(sample.shape[0])
    centred = LinearOperator(
        sample.shape,
        matvec=lambda v: sample @ v.ravel() - mean @ v.ravel(),
        rmatvec=lambda u: sample.T @ u.ravel() - mean * u.sum(),
        dtype=np.float64,
    )
    _, lengths, directions = svds(centred, 2, v0=ones if sample.shape[0] <= sample.shape[1] else mean + 1)
    directions = directions[::-1] * np.where(directions[::-1].sum(1) < 0, -1, 1)[:, None]  # the sign is free
    total = float(np.square(sample.data).sum() - len(ones) * np.square(mean).sum())
    return Axes(np.asarray(codes.mean(0)).ravel(), directions, np.square(lengths[::-1]) / max(total, 1e-300))


class Inspection:
    """A fitted model on examples. A result that cannot be computed raises `Absent` with the reason.

    Parameters
    ----------
    model : a fitted estimator.
    X : n examples in the user's units, in memory; None if no result needs examples.
    y : n labels, or None.
    scores, codes : results of `model.score_samples(X)` (n) and `model.transform(X)` (n x L), if they are known; codes
        may be a csr_array.
    """

    def __init__(
        self,
        model: FittedModel,
        X: Any = None,
        y: np.ndarray | None = None,
        *,
        scores: np.ndarray | None = None,
        codes: Any = None,
    ) -> None:
        check_no_targets(model, "An inspection")
        self.model, self.X, self.y = model, X, y
        self.schema: Schema = model.schema_
        if scores is not None:
            self.scores = scores
        if codes is not None:
            self.all_codes = codes

    # ---------------------------------------------------------------------------------------------- the model

    @property
    def kind(self) -> str:
        """Name of the model's class."""
        return type(self.model).__name__

    @property
    def bottleneck(self) -> Bottleneck:
        """The bottleneck of the model."""
        return self.model.model_.bottleneck

    @property
    def stochastic(self) -> Stochastic:
        """The stochastic code. Raises Absent for any other."""
        code = self.model.model_.stochastic
        if code is None:
            raise Absent(
                f"a code of {self.kind} is a point, not a distribution, so the model has no likelihood of x and no KL: "
                "fit a VAE"
            )
        return code

    @property
    def sparse(self) -> Sparse:
        """The sparse code. Raises Absent for any other."""
        code = as_sparse(self.bottleneck)
        if code is None:
            raise Absent("the code is not sparse: only an SAE has units")
        return code

    @property
    def predicts_hidden(self) -> bool:
        """True for a model that predicts each entry from all others, such as TableAE."""
        return self.model.model_.corruption.predicts_hidden

    @property
    def has_dials(self) -> bool:
        """True if codes can be drawn and decoded."""
        return self.model.model_.decodes_codes and self.bottleneck.default_sampler is not None

    @property
    def can_sample(self) -> bool:
        """True if new examples can be drawn: from codes, or one entry after the other."""
        return self.has_dials or self.predicts_hidden

    @property
    def has_nats(self) -> bool:
        """True if the nats of each component are known."""
        return hasattr(self.model, "components_kl_")

    @property
    def carried(self) -> np.ndarray:
        """Amount that each component carries, (L,): its nats, or without them its standard deviation."""
        return np.asarray(self.model.components_kl_ if self.has_nats else self.model.code_std_)

    @property
    def dial_order(self) -> np.ndarray:
        """Indices of all components, those that carry most first."""
        return np.argsort(-self.carried, kind="stable")

    @functools.cached_property
    def unit_directions(self) -> np.ndarray:
        """Effect of each unit on the decoder's output, L x `schema.shape`; only the first number of each entry.

        For a column of a table with levels it is the largest change of a logit beside the mean change of all.
        """
        added = self.model.model_.decode_units().float().cpu()
        if self.schema.kind == "table":
            return effects_on_columns(added, self.schema).numpy()
        return added.numpy()[:, : self.schema.shape[0]]

    # ---------------------------------------------------------------------------------------------- the examples

    @functools.cached_property
    def rows(self) -> Tensor:
        """The examples on the model's scale, n x `schema.shape`."""
        return self.model.prepare(self.X)

    @functools.cached_property
    def h(self) -> Tensor:
        """Output of the encoder, n x n_inputs."""
        return self.model.apply(self.model.model_.encoder, self.rows)

    @functools.cached_property
    def codes(self) -> np.ndarray:
        """The codes, n x L. Raises Absent if the model has no codes."""
        return as_dense(self.all_codes)

    @functools.cached_property
    def all_codes(self) -> Any:
        """The codes, n x L; a `scipy.sparse.csr_array` for a sparse code. Raises Absent if the model has no codes."""
        if not self.model.model_.has_code:
            raise Absent(f"this {self.kind} has no codes, because n_components=None")
        if self.bottleneck.is_sparse:
            return self.model.compute_sparse_codes(self.X)
        return self.model.apply(self.model.model_.encode, self.rows).numpy()

    @functools.cached_property
    def reconstructions(self) -> Tensor:
        """The examples encoded and decoded, n x `schema.shape`."""
        return self.model.apply(self.model.model_.reconstruct, self.rows)

    @functools.cached_property
    def errors(self) -> np.ndarray:
        """Mean error of each example over its observed entries, (n,): see `narrows.evaluation.cells`."""
        return example_errors(self.reconstructions, self.rows, self.schema)

    @functools.cached_property
    def relative_errors(self) -> np.ndarray:
        """Error of each entry, n x entries, in units of the mean for that entry: 1 is usual; 0 where it is missing."""
        if self.schema.kind == "table":
            errors = cell_errors(self.reconstructions, self.rows, self.schema).double().numpy()
        else:
            difference = self.reconstructions.numpy() - self.rows.numpy()
            errors = np.square(difference, dtype=np.float64).reshape(len(self.rows), -1)
        n_observed = (~np.isnan(errors)).sum(0)
        squares = np.nan_to_num(errors)
        usual = squares.sum(0) / n_observed.clip(min=1)
        # an entry that is always reconstructed exactly would make the least error infinitely strange
        return np.asarray(squares / np.maximum(usual, 0.01 * max(float(usual.mean()), 1e-12)))

    @functools.cached_property
    def scores(self) -> np.ndarray:
        """`score_samples` of the examples, (n,) nats; higher is more usual."""
        return np.asarray(self.model.score_samples(self.X))

    @functools.cached_property
    def outlier_scores(self) -> np.ndarray:
        """Scores that `offset_` is compared with, (n,) nats: `scores` plus what is usual for each missing entry."""
        if not torch.isnan(self.rows).any():
            return self.scores
        return np.asarray(self.model.decision_function(self.X)) + self.model.offset_

    @functools.cached_property
    def excess_costs(self) -> np.ndarray:
        """Cost of each entry beyond its usual cost, n x `schema.shape` nats: why an example is strange.

        It is 0 where an entry is missing.
        """
        costs, is_missing = entry_costs(self.model, self.rows), torch.isnan(self.rows).numpy()
        if not is_missing.any():
            return costs - usual_costs(costs)
        costs[is_missing] = np.nan
        return np.nan_to_num(costs - usual_costs(costs))

    # ---------------------------------------------------------------------------------------------- the code

    @functools.cached_property
    def kl_per_component(self) -> Tensor:
        """KL of the posterior from the prior, n x L nats. Raises Absent where there is no closed form."""
        kl = apply_to_code(self.model.module(), self.stochastic.kl_per_component, self.h)
        if kl is None:
            raise Absent(f"the KL of this {self.kind} has no closed form for each component")
        return kl

    @functools.cached_property
    def kl(self) -> np.ndarray:
        """KL of the posterior from the prior, (n,) nats: in closed form, or estimated by the draws that scores use."""
        code, network = self.stochastic, self.model.module()
        if code.uses_likelihood or (kl := apply_to_code(network, code.kl, self.h)) is None:
            kl = self.model.apply(lambda x: draw_kl(network, x), self.rows)
        return kl.double().numpy()

    @functools.cached_property
    def axes(self) -> Axes:
        """The two principal axes of the codes."""
        if sp.issparse(self.all_codes) and min(self.all_codes.shape) > _MOST_DENSE:
            return sparse_axes(self.all_codes)
        n, n_components = self.all_codes.shape
        sample = as_dense(self.all_codes[spaced_indices(n, _MOST_FOR_AXES)]).astype(np.float64)
        _, axes, variance = principal_axes(torch.from_numpy(sample))
        widest, share = axes.flip(1)[:, :2].t().numpy(), variance.flip(0).numpy()
        directions, shares = np.zeros((2, n_components)), np.zeros(2)
        directions[: len(widest)] = widest * np.where(widest.sum(1) < 0, -1, 1)[:, None]  # the sign is free
        shares[: len(widest)] = share[:2] / max(float(share.sum()), 1e-300)
        return Axes(np.asarray(self.all_codes.mean(0, dtype=np.float64)).ravel(), directions, shares)

    @functools.cached_property
    def plane(self) -> Plane:
        """The codes on a map: up to two components unchanged, more of them on their principal axes."""
        codes = self.all_codes.astype(np.float64)
        n_components = codes.shape[1]
        if n_components <= 2:
            directions = np.eye(2)[:, :n_components]
            names = ("component 0", "component 1" if n_components == 2 else "")
            return Plane(codes @ directions.T, names, False, np.zeros(n_components), directions)
        mean, directions, share = self.axes
        first, second = (f"principal axis {i + 1}, {part:.0%} of the codes' variance" for i, part in enumerate(share))
        return Plane(codes @ directions.T - mean @ directions.T, (first, second), True, mean, directions)

    @functools.cached_property
    def units(self) -> Units:
        """The units of a sparse code. Raises Absent for any other."""
        firing, n_units = self.firing, self.bottleneck.n_components
        count = np.bincount(firing.indices, minlength=n_units)
        rate, total = count / firing.shape[0], np.bincount(firing.indices, firing.data, n_units)
        return Units(rate, total / count.clip(min=1), np.argsort(-rate, kind="stable"))

    @functools.cached_property
    def firing(self) -> Any:
        """Activations of the units that fire, as a `scipy.sparse.csr_array` (n x L). Raises Absent for other codes."""
        floor = self.sparse.floor  # asked first: no codes are computed in vain
        codes = sp.csr_array(self.all_codes, copy=True)
        codes.data[codes.data <= np.float64(floor)] = 0
        codes.eliminate_zeros()
        return codes

    def title_unit(self, unit: int) -> str:
        """Return the number of a unit and, if it has one, its name, to display."""
        name = getattr(self.model, "unit_names_", {}).get(unit)
        return f"Unit {unit}: {name}" if name else f"Unit {unit}"

    def top_rows(self, unit: int, n: int) -> np.ndarray:
        """Return the indices of at most `n` examples for which a unit fires most, strongest first."""
        start, end = self._by_unit.indptr[unit : unit + 2]
        rows, activations = self._by_unit.indices[start:end], self._by_unit.data[start:end]
        return rows[np.argsort(-activations, kind="stable")[:n]]

    @functools.cached_property
    def _by_unit(self) -> Any:
        return self.firing.tocsc()
