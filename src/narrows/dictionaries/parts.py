"""A sparse dictionary as a fitted SAE, and a fitted SAE as a sparse dictionary. Both compute the same.

Loaded: the schema says real vectors as they are, without a standardisation; `UnitEncoder` and `FreeDictionary` hold the
tensors of the source, so that codes agree in single precision. Saved: a linear SAE standardises its columns,
x_m = f (x - m), and has directions of unit length. Both are folded, in double precision:

    W_enc = f W^T        b_enc = b - W (f m)        W_dec = (D_j / |D_j|) / f        b_dec = m + c / f

The numbers h before the activation are the same, and with them the threshold.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from narrows.data import PairSchema, Schema, target_of
from narrows.dictionaries.record import SparseDictionary
from narrows.estimators import SAE, UnitEstimator
from narrows.model import Autoencoder
from narrows.networks import Dictionary, FreeDictionary, LinearSkip, MLPEncoder, UnitEncoder
from narrows.networks.sparse import compute_lengths

NO_THRESHOLD = float(np.finfo(np.float32).min)  # of scores: without training rows there are no outliers


def to_estimator(record: SparseDictionary, device: str = "auto") -> SAE:
    """Return `record` as a fitted SAE.

    Parameters
    ----------
    device : device on which it will compute.
    """
    d, n = record.n_features, record.n_units
    encoder = UnitEncoder(d, n, scaling=record.scaling, has_shift=record.subtracts_bias)
    decoder = FreeDictionary(record.n_outputs, n, scaling=record.scaling)
    model = SAE(n, network=(encoder, decoder), likelihood="gaussian", device=device, **_parameters(record))
    model.schema_ = _schema(d)
    if record.is_transcoder:
        model.schema_ = PairSchema.of(model.schema_, _schema(record.n_outputs))
    model.n_features_in_ = d
    model.model_ = model._assemble(0).model.eval()
    _copy_tensors(record, model.model_)
    model.history_, model.findings_, model.n_iter_ = [], [], 0
    model.report_ = [model.schema_.describe(), f"loaded: {record.describe()}"]
    # there are no training rows: codes are counted from 0, in their own units, and nothing is an outlier
    model.code_mean_, model.code_std_ = np.zeros(n), np.ones(n)
    model.source_ = dict(record.metadata)
    model.offset_ = float("nan") if record.is_transcoder else NO_THRESHOLD  # X alone has no score beside targets
    return model


def _schema(n: int) -> Schema:
    """Return the schema of vectors of n real numbers, which are used as they are."""
    return Schema("vector", (n,), "d", "float32", "real", offset=(0.0,), scale=(1.0,), mean=(0.0,) * n, std=(1.0,) * n)


def _parameters(record: SparseDictionary) -> dict[str, Any]:
    """Return the parameters of SAE for the activation of `record`."""
    sparsity = "l1" if record.activation == "relu" else record.activation
    k, l0 = record.k, record.metadata.get("l0")
    if k is None and record.activation == "jumprelu" and isinstance(l0, (int, float)) and l0 > 0:
        k = max(1, min(record.n_units, round(l0)))  # only a further training asks for it
    return {"sparsity": sparsity, "skip": record.W_skip is not None} | ({} if k is None else {"k": k})


@torch.no_grad()
def _copy_tensors(record: SparseDictionary, network: Autoencoder) -> None:
    """Copy the tensors of `record` into the parts of a model."""
    encoder, decoder, bottleneck = network.encoder, network.decoder, cast(Any, network.bottleneck)
    if record.threshold is not None:
        bottleneck.threshold.copy_(record.threshold.clamp(min=0))
    if record.r_mag is not None and record.b_mag is not None:
        # e^r u W + b_mag = e^r (h - b_enc) + b_mag, where h = u W + b_enc
        bottleneck.log_scale.copy_(record.r_mag)
        bottleneck.shift.copy_(record.b_mag.double() - record.r_mag.double().exp() * record.b_enc.double())
    assert isinstance(encoder, UnitEncoder)
    assert isinstance(decoder, FreeDictionary)
    encoder.linear.weight.copy_(record.W_enc.T)
    encoder.linear.bias.copy_(record.b_enc)
    if encoder.shift is not None:
        encoder.shift.copy_(record.b_dec)
    decoder.directions.copy_(record.W_dec)
    decoder.bias.copy_(record.b_dec)
    if record.W_skip is not None:
        assert isinstance(network.skip, LinearSkip)
        network.skip.map.weight.copy_(record.W_skip.T)


@torch.no_grad()
def from_estimator(model: UnitEstimator) -> SparseDictionary:
    """Return a fitted SAE or crosscoder with a linear encoder as a dictionary in the units of the user's rows.

    The rows of a crosscoder are those of its layers, one after the other.

    Raises
    ------
    ValueError
        If the model is no such SAE: of images, tables or bounded values, with hidden layers, or a network of the user.
    """
    network, schema = model.module(), model.schema_
    encoder, decoder = network.encoder, network.decoder
    for described in (schema, target_of(schema)):
        if described.kind != "vector" or described.support != "real":
            raise ValueError(
                f"To be saved as a dictionary, an SAE must be of real vectors. Got {described.describe()}."
            )
    if network.likelihood.name != "gaussian":
        raise ValueError(
            "To be saved as a dictionary, an SAE must have likelihood='gaussian': others do not decode to a sum of "
            f"directions. Got {network.likelihood.name!r}."
        )
    sparsity: str = model.sparsity
    if sparsity == "kl":
        raise ValueError("An SAE with sparsity='kl' has no counterpart among the dictionaries of other programs.")
    metadata = dict(getattr(model, "source_", {"format": "narrows"}))
    metadata |= {"is_transcoder": True} if target_of(schema) is not schema else {}
    metadata |= {"n_layers": schema.n_layers} if schema.n_layers > 1 else {}
    if isinstance(encoder, UnitEncoder) and isinstance(decoder, (FreeDictionary, Dictionary)):
        loaded = _loaded_record(encoder, decoder, _skip(network, schema), metadata)
        return _with_activation(loaded, sparsity, network.bottleneck)
    if isinstance(encoder, MLPEncoder) and len(encoder.layers) == 1 and isinstance(decoder, Dictionary):
        folded = _folded_record(encoder, decoder, schema, _skip(network, schema), metadata)
        return _with_activation(folded, sparsity, network.bottleneck)
    raise ValueError(
        "To be saved as a dictionary, an SAE must have a linear encoder, hidden=(), and no network of your own. Got "
        f"hidden={model.hidden!r} and network={model.network!r}."
    )


def _loaded_record(
    encoder: UnitEncoder, decoder: FreeDictionary | Dictionary, skip: _Skip | None, metadata: dict[str, Any]
) -> SparseDictionary:
    """Return the record of a dictionary of rows that the schema leaves as they are: loaded, or with a layer norm."""
    b_enc, shift = encoder.linear.bias.double(), encoder.shift
    b_dec = _single(decoder.bias.double().cpu() + (0.0 if skip is None else skip.bias))
    directions = decoder.directions.double()
    if isinstance(decoder, Dictionary):
        directions = directions / compute_lengths(directions, *decoder.parts)[:, None]
    if shift is not None and not torch.equal(shift.cpu(), b_dec):  # trained here, each has its own values
        b_enc, shift = b_enc - encoder.linear.weight.double() @ shift.double(), None
    return SparseDictionary(
        _single(encoder.linear.weight.T),
        _single(b_enc),
        _single(directions),
        b_dec,
        W_skip=None if skip is None else _single(skip.weight),
        subtracts_bias=shift is not None,
        scaling=encoder.scaling,
        metadata=metadata,
    )


def _folded_record(
    encoder: MLPEncoder, decoder: Dictionary, schema: Schema, skip: _Skip | None, metadata: dict[str, Any]
) -> SparseDictionary:
    """Return the record of an SAE that narrows trained, with the standardisation and the unit length folded in."""
    linear = encoder.layers[0]
    assert isinstance(linear, nn.Linear)
    d = schema.n_entries
    # indicators of missing entries follow the first d features; they are 0 for a complete row
    weight, bias = linear.weight.double().cpu()[:, :d], linear.bias.double().cpu()
    directions = decoder.directions.double().cpu()
    directions = directions / compute_lengths(directions, *decoder.parts)[:, None]
    mean, factor, _ = _scale(schema)
    shift, _, scale = _scale(target_of(schema))
    return SparseDictionary(
        _single((weight * factor).T),
        _single(bias - weight @ (mean * factor)),
        _single(directions * scale),
        _single(shift + decoder.bias.double().cpu() * scale + (0.0 if skip is None else skip.bias)),
        W_skip=None if skip is None else _single(skip.weight),
        metadata=metadata,
    )


class _Skip(NamedTuple):
    """A skip connection in the units of the rows and the targets, y = x W + b, in double precision."""

    weight: Tensor
    bias: Tensor


def _skip(network: Autoencoder, schema: Schema) -> _Skip | None:
    """Return the skip connection of a model, with the standardisations folded in."""
    if network.skip is None:
        return None
    assert isinstance(network.skip, LinearSkip)
    linear = network.skip.map
    mean, factor, _ = _scale(schema)
    _, _, scale = _scale(target_of(schema))
    weight = linear.weight.double().cpu()[:, : schema.n_entries] * factor
    return _Skip((weight * scale[:, None]).T, scale * (linear.bias.double().cpu() - weight @ mean))


def _scale(schema: Schema) -> tuple[Tensor, Tensor, Tensor]:
    """Return m, f and s (d,) of x_m = f (x - m) and x = m + s x_m.

    Both f and s are 0 for a constant column: the encoder does not see it, and it comes back as it was.
    """
    d = schema.n_entries
    mean, scale = (torch.tensor(v, dtype=torch.float64).expand(d) for v in (schema.offset, schema.scale))
    varies = torch.ones(d, dtype=torch.float64)
    varies[list(schema.constant)] = 0.0
    return mean, varies / scale, varies * scale


def _with_activation(record: SparseDictionary, sparsity: str, bottleneck: Any) -> SparseDictionary:
    """Return a record of relu(h) with the activation of a bottleneck, which has the attributes of its `sparsity`."""
    if sparsity == "l1":
        return record
    if sparsity == "topk":
        return replace(record, activation="topk", k=int(bottleneck.k))
    if sparsity == "jumprelu":
        return replace(record, activation="jumprelu", threshold=_single(bottleneck.threshold.clamp(min=0)))
    if sparsity in ("batchtopk", "matryoshka"):
        # active at the threshold, too, which a JumpReLU is only above it: h >= t is h > the next number below t
        below = torch.nextafter(
            bottleneck.threshold.float(), torch.tensor(-torch.inf, device=bottleneck.threshold.device)
        )
        return replace(record, activation="jumprelu", threshold=_single(below.clamp(min=0).expand(record.n_units)))
    assert sparsity == "gated", sparsity
    scale = bottleneck.log_scale.double().exp().cpu()
    return replace(
        record,
        activation="gated",
        r_mag=_single(bottleneck.log_scale),
        b_mag=_single(bottleneck.shift.double().cpu() + scale * record.b_enc.double()),
    )


def _single(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().float().contiguous()
