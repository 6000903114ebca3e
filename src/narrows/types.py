"""The records that travel between the parts. B is the batch, L the number of components."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Batch(NamedTuple):
    """Examples on their way into a model.

    Attributes
    ----------
    x : B x ... what the model is given, in the model's units (see `narrows.data.Schema.prepare`).
    target : B x ... what the likelihood scores; the same tensor as `x` unless a task pairs them.
    weight : B x ... or None. 1 marks an observed entry, 0 a missing one; None means that all are observed.
    label : B integers or None, which of the schema's classes each example is of.
    near : B x ... or None, for each example another that is near it in the data.
    """

    x: Tensor
    target: Tensor
    weight: Tensor | None = None
    label: Tensor | None = None
    near: Tensor | None = None


class Corrupted(NamedTuple):
    """What the encoder sees (`x`), and which entries the likelihood scores (`weight`, None for all)."""

    x: Tensor
    weight: Tensor | None = None


class Code(NamedTuple):
    """What a bottleneck gives.

    Attributes
    ----------
    z : B x L, the code.
    costs : one value per example (B) for each named cost, in nats where it is a divergence.
    spare : B x L or None, a code on dead units only, which an objective may use to revive them.
    """

    z: Tensor
    costs: dict[str, Tensor]
    spare: Tensor | None = None


class Output(NamedTuple):
    """One pass through a model: the code, the likelihood's parameters, and the entries that are scored."""

    code: Code
    parameters: Tensor
    weight: Tensor | None


class Loss(NamedTuple):
    """The scalar to minimise, and every named term (scalars, nats per example) for the history."""

    total: Tensor
    terms: dict[str, Tensor]
