"""The records that travel between the parts. B is the batch, L the number of components, C that of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from narrows.renamed import warn

if TYPE_CHECKING:
    from torch import Tensor


class Batch(NamedTuple):
    """Examples on their way into a model.

    Attributes
    ----------
    x : B x ... input of the model, in the model's units (see `narrows.data.Schema.prepare`).
    target : B x ... data that the likelihood scores; the same tensor as `x` unless a task pairs them. Its shape may
        differ from that of `x`.
    observed : B x ... mask of `target`, or None where nothing is missing. 1 marks an observed entry, 0 a missing one.
    weight : B x ... weight of each entry of `target` in the loss, or None for 1 everywhere.
    label : B integers or None, the number of each example's class in the schema.
    neighbor : B x ... or None, for each example another one that is near it in the data.
    """

    x: Tensor
    target: Tensor
    observed: Tensor | None = None
    weight: Tensor | None = None
    label: Tensor | None = None
    neighbor: Tensor | None = None

    @property
    def near(self) -> Tensor | None:
        """Deprecated name of `neighbor`."""
        warn("Batch", "near", "neighbor", stacklevel=3)
        return self.neighbor


class Corrupted(NamedTuple):
    """Input of the encoder (`x`), and a mask of the entries that the loss counts (`scored`, None for all)."""

    x: Tensor
    scored: Tensor | None = None


class SparseCode(NamedTuple):
    """A code of which few components are not 0.

    Attributes
    ----------
    values : B x k, the activations.
    indices : B x k integers, the components that they belong to; no component twice in a row.
    n_components : L.
    """

    values: Tensor
    indices: Tensor
    n_components: int

    def to_dense(self) -> Tensor:
        """Return the same code as B x L numbers."""
        zeros = self.values.new_zeros(len(self.values), self.n_components)
        return zeros.scatter(1, self.indices, self.values)


class Code(NamedTuple):
    """Output of a bottleneck.

    Attributes
    ----------
    dense : B x (L + C), the code with the columns of its label behind it, C = 0 without labels. None where the code
        travels as `sparse`; read `z`, which is dense in both cases.
    costs : one value per example (B) for each named cost, in nats where it is a divergence.
    aux_code : B x (L + C) or None, a code on dead units only, which an objective may use to revive them.
    sparse : the same code as a record, for decoders that take it (`Dictionary`), or None.
    n_classes : C.
    """

    dense: Tensor | None
    costs: dict[str, Tensor]
    aux_code: Tensor | None = None
    sparse: SparseCode | None = None
    n_classes: int = 0

    @property
    def spare(self) -> Tensor | None:
        """Deprecated name of `aux_code`."""
        warn("Code", "spare", "aux_code", stacklevel=3)
        return self.aux_code

    @property
    def z(self) -> Tensor:
        """Input of the decoder: B x (L + C)."""
        if self.dense is not None:
            return self.dense
        assert self.sparse is not None
        return self.sparse.to_dense()

    @property
    def free(self) -> Tensor:
        """The code without the columns of its label: B x L."""
        return self.z[:, : -self.n_classes] if self.n_classes else self.z


class Output(NamedTuple):
    """The results of a pass through a model.

    Attributes
    ----------
    code : of the batch.
    params : B x ... output of the decoder, from which the likelihood makes its parameters.
    weight : B x ... weight of each entry of the target in the loss (0 where it is missing or hidden), or None for 1.
    h : B x n_inputs, output of the encoder.
    """

    code: Code
    params: Tensor
    weight: Tensor | None
    h: Tensor


class Loss(NamedTuple):
    """Result of an objective.

    Attributes
    ----------
    total : the scalar to minimise, nats per example.
    terms : every named term (scalars, nats per example) for the history.
    not_validated : the part of `total` that early stopping leaves out, because it says nothing about the model: losses
        of opponents, the revival of dead units. A scalar, or None.
    """

    total: Tensor
    terms: dict[str, Tensor]
    not_validated: Tensor | None = None

    @property
    def validated(self) -> Tensor:
        """The scalar that held-out examples are judged by."""
        return self.total if self.not_validated is None else self.total - self.not_validated


def product(*weights: Tensor | None) -> Tensor | None:
    """Multiply the weights that are not None; None where all are."""
    result: Tensor | None = None
    for weight in weights:
        if weight is not None:
            result = weight if result is None else result * weight
    return result
