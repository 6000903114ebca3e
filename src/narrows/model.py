"""The autoencoder: five parts put together.

    x  -> corrupt -> encode -> bottleneck -> decode -> likelihood

B is the batch, L the number of components, C the number of labels, shape the shape of one example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TypeVar

import torch
from torch import Tensor, nn

from narrows.bottlenecks import Bottleneck, Label, PriorCode, Sample, Stochastic, as_prior_code, as_stochastic, label_of
from narrows.corruptions import Corruption
from narrows.likelihoods import Likelihood
from narrows.networks import Decoder, LevelDecoder
from narrows.types import Batch, Code, DeferredLinear, Output, SparseCode, product, split_missing

_BLOCK = 1024  # components that are decoded at once
_T = TypeVar("_T")


class Autoencoder(nn.Module):
    """Corruption, encoder, bottleneck, decoder, likelihood.

    Parameters
    ----------
    corruption : change of the encoder's input in `forward`; `encode` never corrupts.
    encoder : B x shape -> B x bottleneck.n_inputs.
    bottleneck : B x n_inputs -> code, B x (L + C).
    decoder : B x (L + C) -> B x the likelihood's `params_shape`.
    likelihood : distribution of the target, given the decoder's output.
    skip : B x shape -> what is added to the decoder's output, from the input itself; None for nothing. A model with a
        skip needs targets, and `decode` leaves it out.

    Attributes
    ----------
    order : L integers; component i of the codes that users see is the bottleneck's component `order[i]`.
    """

    order: Tensor

    def __init__(
        self,
        corruption: Corruption,
        encoder: nn.Module,
        bottleneck: Bottleneck,
        decoder: nn.Module,
        likelihood: Likelihood,
        skip: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.skip = skip
        self.corruption, self.encoder = corruption, encoder
        self.decoder, self.likelihood, self.bottleneck = decoder, likelihood, bottleneck
        self.register_buffer("order", torch.arange(bottleneck.n_components))

    @property
    def label(self) -> Label | None:
        """The part of the code that holds labels; None for a model without labels."""
        return label_of(self.bottleneck)

    @property
    def n_classes(self) -> int:
        """C, the number of label columns that follow a code; 0 for a model without labels."""
        return self.bottleneck.n_classes

    @property
    def has_code(self) -> bool:
        """False for a denoiser without a narrow place, which has no codes."""
        return self.bottleneck.n_components > 0

    @property
    def decodes_codes(self) -> bool:
        """True if codes can be decoded: False without codes, and for a model that only predicts hidden entries."""
        return self.has_code and not self.corruption.predicts_hidden

    @property
    def n_widest(self) -> int:
        """Largest number of activations of an example in one layer, from the parts' `n_widest`; 0 if no part has it."""
        return max(int(getattr(part, "n_widest", 0)) for part in (self.encoder, self.decoder))

    @property
    def stochastic(self) -> Stochastic | None:
        """The bottleneck if its codes are drawn from a posterior and have a prior; None for other codes."""
        return as_stochastic(self.bottleneck)

    @property
    def prior_code(self) -> PriorCode | None:
        """The bottleneck if its codes have a prior to draw from; None for other codes."""
        return as_prior_code(self.bottleneck)

    def forward(self, batch: Batch) -> Output:
        """Corrupt, encode and decode a batch, as the loss needs it. A stochastic code is drawn."""
        corrupted = self.corruption(batch)
        h = self.encode_for_code(corrupted.x)
        # a batch has labels if the code has columns for them
        code = self.bottleneck(h, batch.label) if self.bottleneck.n_classes else self.bottleneck(h)
        decoder = self.decoder
        by_scale = decoder.weigh_examples(batch.x) if isinstance(decoder, Decoder) and decoder.undoes_scaling else None
        weight = product(corrupted.scored, batch.observed, batch.weight, by_scale)
        if (stochastic := self.stochastic) is not None and stochastic.uses_likelihood:
            assert isinstance(h, Tensor)  # only sparse codes take a deferred layer
            columns = code.z[:, self.bottleneck.n_components :]
            z, log_q, log_p = self.draw(h, stochastic.noise(h), batch.target, weight, columns)
            code = code._replace(dense=torch.cat([z, columns], 1), costs={**code.costs, "kl": log_q - log_p})
        skipped = None if self.skip is None else self.skip(corrupted.x)
        params = self.complete(self.decode_code(code), corrupted.x, skipped)
        return Output(code, params, weight, h, corrupted.scored, skipped)

    def draw(
        self, h: Tensor, eps: Tensor, target: Tensor, weight: Tensor | None = None, columns: Tensor | None = None
    ) -> Sample:
        """Draw a stochastic code from the posterior of each example: the posterior of which `Sample` is a draw.

        Parameters
        ----------
        h : B x n_inputs, output of the encoder.
        eps : B x n_noise.
        target : B x ... data that the likelihood scores, without NaN.
        weight : weight of each entry of the target, or None for 1.
        columns : B x C, the columns of labels; None without labels.
        """
        code = self.stochastic
        assert code is not None

        def log_likelihood(z: Tensor) -> Tensor:
            params = self.decoder(z if columns is None else torch.cat([z, columns], 1))
            return self.likelihood.score(params, target, weight)

        return code.sample_given(h, eps, log_likelihood)

    def complete(self, decoded: Tensor, x: Tensor, skipped: Tensor | None) -> Tensor:
        """Return the parameters of the likelihood from the decoder's output for any code (B x params_shape each).

        Parameters
        ----------
        x : B x shape, the examples whose codes these are: the output gets their scale, where rows are scaled.
        skipped : B x params_shape, the part that does not come from a code (`Output.skipped`), or None.
        """
        params = self.undo_scaling(decoded, x)
        return params if skipped is None else params + skipped

    def undo_scaling(self, params: Tensor, x: Tensor) -> Tensor:
        """Return the decoder's output (B x params_shape) on the scale of x (B x shape), where rows are scaled."""
        decoder = self.decoder
        return decoder.undo_scaling(params, x) if isinstance(decoder, Decoder) and decoder.undoes_scaling else params

    def encode_for_code(self, x: Tensor) -> Tensor | DeferredLinear:
        """Return the encoder's output (B x n_inputs) for x (B x shape), for the bottleneck.

        It is a `DeferredLinear` if encoder, bottleneck and decoder all can do without a dense one.
        """
        defer = getattr(self.encoder, "defer", None)
        if defer is not None and self.decoder_takes_sparse and self.bottleneck.takes_deferred(x.device):
            deferred: DeferredLinear | None = defer(x)
            if deferred is not None:
                return deferred
        h: Tensor = self.encoder(x)
        return h

    @property
    def decoder_takes_sparse(self) -> bool:
        """True if the decoder takes a `SparseCode`."""
        return bool(getattr(self.decoder, "takes_sparse", False))

    def decode_code(self, code: Code) -> Tensor:
        """Return the decoder's output (B x params_shape) for a code of the bottleneck."""
        if code.sparse is not None and self.decoder_takes_sparse:
            return self.decoder(code.sparse)
        return self.decoder(code.z)

    def encode(self, x: Tensor) -> Tensor:
        """Return the code (B x L) of clean examples x (B x shape); the posterior mean if there is a posterior."""
        z = self.bottleneck.encode(self.encoder(x))
        return z[:, self.order] if self.has_code else z

    def encode_sparse(self, x: Tensor) -> SparseCode:
        """Return the same code as `encode`, without zeros, each row by component."""
        h, n = self.encode_for_code(x), len(self.order)
        if isinstance(h, DeferredLinear):
            code = self.bottleneck(h).sparse
            assert code is not None  # a code that takes a deferred layer is sparse
            values, units, rows = code.values, code.indices, code.rows
        else:
            z = self.bottleneck.encode(h)
            rows, units = z.nonzero(as_tuple=True)
            values = z[rows, units]
        is_active = values != 0
        place = (rows * n + self.order.argsort()[units])[is_active]
        place, order = place.sort()
        starts = torch.searchsorted(place, torch.arange(len(x) + 1, device=place.device) * n)
        return SparseCode(values[is_active][order], place % n, starts, n)

    def decode_sparse(self, code: SparseCode) -> Tensor:
        """Return what `decode` does, for codes of `encode_sparse`."""
        if not self.decoder_takes_sparse or self.label is not None:
            return self.decode(code.to_dense())
        return self.decoder(code._replace(indices=self.order[code.indices]))

    def decode(self, z: Tensor) -> Tensor:
        """Return the decoder's output (B x params_shape) for codes of `encode` (B x L).

        A conditional model also takes codes followed by the columns of labels (B x (L + C)); without these columns it
        uses the most frequent label.
        """
        if not self.has_code:
            return self.decoder(z)
        codes, columns, label = self.to_own_order(z[:, : len(self.order)]), z[:, len(self.order) :], self.label
        if label is None:
            return self.decoder(codes)
        if columns.shape[1] == 0:
            columns = label.one_hot(label.log_frequencies.argmax().expand(len(z)), z)
        return self.decoder(torch.cat([codes, columns], 1))

    def decode_units(self) -> Tensor:
        """Return the change of the decoder's output if one component of 0 becomes 1, for each: L x params_shape."""
        n, parameter = self.bottleneck.n_components, next(self.parameters())
        with inference_mode(self):
            zero = self.decode(parameter.new_zeros(1, n))
            blocks = [self.decode(block) - zero for block in torch.eye(n).to(parameter).split(_BLOCK)]
        return torch.cat(blocks).detach()

    def reconstruct(self, x: Tensor, edit: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Return the mean of the likelihood (B x shape) at the code of x (B x shape), and at its likeliest label.

        A model that predicts hidden entries gives each entry from all others. `edit` is that of `decode_own`.
        """
        return self.likelihood.mean(self.decode_own(x, edit))

    def decode_own(self, x: Tensor, edit: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Return the decoder's output (B x params_shape) at the code of x (B x shape), and at its likeliest label.

        A model that predicts hidden entries gives the parameters of each entry of x (B x columns) from all others.

        Parameters
        ----------
        edit : a function of the codes (B x L) that returns the codes to decode; None to decode them as they are.
        """
        if self.corruption.predicts_hidden:
            return self._decode_hidden(x)
        z = self.encode(x) if edit is None else edit(self.encode(x))
        params = self.decode(torch.cat([z, infer_label(self, x)], 1) if self.n_classes else z)
        return self.complete(params, x, None if self.skip is None else self.skip(x))

    def _decode_hidden(self, x: Tensor) -> Tensor:
        """Return the parameters of each column of x (B x columns), decoded while this column is hidden."""
        params = x.new_zeros(len(x), *self.likelihood.params_shape(tuple(x.shape[1:])))
        for column in range(x.shape[1]):
            outputs = self.likelihood.outputs_of(column)
            hidden = x.index_fill(1, torch.tensor([column], device=x.device), torch.nan)
            z = self.bottleneck.encode(self.encoder(hidden))
            params[:, outputs] = self.decode_outputs(z, outputs).to(params.dtype)
        return params

    def decode_outputs(self, z: Tensor, outputs: Tensor) -> Tensor:
        """Return only the decoder's outputs of the given numbers (k integers) for codes z (B x L): B x k."""
        if isinstance(self.decoder, LevelDecoder):
            return self.decoder.decode_outputs(z, outputs)
        return self.decoder(z)[:, outputs]

    def project(self, z: Tensor) -> Tensor:
        """Return, for each z (n x L), the nearest code that `encode` can give."""
        return self._to_user_order(self.bottleneck.project(self.to_own_order(z)))

    def interpolate(self, first: Tensor, last: Tensor, t: Tensor) -> Tensor:
        """Return codes (n x L) on the path between two codes of `encode` (L numbers each), at fractions t (n x 1)."""
        first, last = self.to_own_order(first[None])[0], self.to_own_order(last[None])[0]
        return self._to_user_order(self.bottleneck.interpolate(first, last, t))

    def to_own_order(self, z: Tensor) -> Tensor:
        """Reorder the components of codes (n x L, on any device) from the users' order to the bottleneck's."""
        return z[:, self.order.argsort().to(z.device)]

    def _to_user_order(self, z: Tensor) -> Tensor:
        """Undo `to_own_order`."""
        return z[:, self.order.to(z.device)]


def infer_label(model: Autoencoder, x: Tensor) -> Tensor:
    """Return the likeliest label of clean examples x (B x shape) as B x C, 1 in the column of the label.

    It is argmax_y q(y | x) if the model has q(y | x); otherwise argmax_y log p(x | z, y) + log p(y) at the codes of x,
    which takes a pass of the decoder for each class.
    """
    label = model.label
    assert label is not None
    h = model.encoder(x)
    z = model.bottleneck.encode(h)
    if label.head is not None:
        return label.one_hot(label.head.log_probs(h).argmax(1), z)
    return label.one_hot((log_prob_by_label(model, z, x) + label.log_frequencies).argmax(1), z)


def log_prob_by_label(model: Autoencoder, z: Tensor, x: Tensor) -> Tensor:
    """Return log p(x | z, y) for each label y: B x C, nats, summed over the entries.

    Parameters
    ----------
    z : B x L, codes in the bottleneck's own order of components.
    x : B x shape.
    """
    label = model.label
    assert label is not None
    target, observed = split_missing(x)
    scores = []
    for y in torch.arange(label.n_classes, device=x.device):
        columns = label.one_hot(y.expand(len(x)), z)
        params = model.undo_scaling(model.decoder(torch.cat([z, columns], 1)), x)
        scores.append(model.likelihood.score(params, target, observed))
    return torch.stack(scores, 1)


def rename_old_state(state: Mapping[str, _T]) -> dict[str, _T]:
    """Return a saved state with today's names: earlier conditional models had their labels outside of the code."""
    if "log_frequencies" not in state:
        return dict(state)
    prefixes = {"guess.": "bottleneck.label.head.", "bottleneck.": "bottleneck.free."}
    renamed = {"bottleneck.label.log_frequencies": state["log_frequencies"]}
    for name, value in state.items():
        old = next((prefix for prefix in prefixes if name.startswith(prefix)), "")
        if name != "log_frequencies":
            renamed[prefixes.get(old, "") + name.removeprefix(old)] = value
    return renamed


def needs_gradient(model: nn.Module) -> bool:
    """Return True if a part needs gradients when the model is applied; such a part has `needs_gradient = True`."""
    return any(getattr(part, "needs_gradient", False) for part in model.modules())


def inference_mode(model: nn.Module) -> AbstractContextManager[object]:
    """Return the context in which a fitted model is applied: without gradients, unless one of its parts needs them.

    Results must be detached.
    """
    return torch.enable_grad() if needs_gradient(model) else torch.inference_mode()
