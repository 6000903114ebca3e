"""Costs of sparse dictionaries that need the decoder: of the first units alone, and of gates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue, frozen
from narrows.types import Batch, Output, SparseCode


class Prefixes(Cost):
    """The cost "prefixes": the first units alone reconstruct the target, too, so that they learn what is most common.

        prefixes = - mean over the sizes m of log p(target | z_1, ..., z_m, 0, ...)        nats per example

    Together with the negative log-likelihood of all units, each with its share, this is the mean over nested
    dictionaries. Bussmann, Nabeshima, Karvonen and Nanda, Learning multi-level features with Matryoshka sparse
    autoencoders (2025), https://arxiv.org/abs/2503.17547.

    Parameters
    ----------
    sizes : numbers of first units, increasing, each below the number of all units.
    """

    name = "prefixes"

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return the mean over the prefixes of the negative log-likelihood of each example, in nats (B)."""
        total = torch.zeros((), device=output.params.device)
        for decoded in self._decode(model, output):
            params = model.complete(decoded, batch.x, output.skipped)
            total = total - model.likelihood.score(params, batch.target, output.weight)
        return CostValue(total / len(self.sizes))

    def _decode(self, model: Autoencoder, output: Output) -> Sequence[Tensor]:
        """Return the decoder's outputs (B x params_shape) for each prefix."""
        code, sum_prefixes = output.code, getattr(model.decoder, "sum_prefixes", None)
        if code.sparse is not None and sum_prefixes is not None:
            return list(sum_prefixes(code.sparse, self.sizes).unbind(1))
        unit = torch.arange(code.z.shape[1], device=code.z.device)
        is_label = unit >= code.z.shape[1] - code.n_classes
        return [model.decoder(code.z * ((unit < m) | is_label)) for m in self.sizes]


class GateReconstruction(Cost):
    """The cost "gates": the gates of a code reconstruct the target through a constant decoder, in nats per example.

    It is the auxiliary term of `bottlenecks.Gated`, by which the gates get a gradient.
    """

    name = "gates"

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return the negative log-likelihood of each example given its gates as a code, in nats (B)."""
        gates = output.code.gate_code
        assert gates is not None
        if isinstance(gates, SparseCode) and not model.decoder_takes_sparse:
            gates = gates.to_dense()
        if getattr(model.decoder, "takes_constant", False):
            decoded = model.decoder(gates, constant=True)
        else:
            decoded = frozen(model.decoder, gates)
        params = model.complete(decoded, batch.x, output.skipped)
        return CostValue(-model.likelihood.score(params, batch.target, output.weight))
