"""A sparse dictionary of any origin in one neutral form, with the field's formulas.

    u = n(x) - b_dec [if `subtracts_bias`]       n, the scaling of a row (`narrows.data.scale_rows`)
    h = u W_enc + b_enc
    z = relu(h)                                  relu
        the k largest of relu(h), the others 0   topk
        relu(h) [h > threshold]                  jumprelu; also a BatchTopK and a Matryoshka dictionary at inference
        [h > 0] relu(exp(r_mag) u W_enc + b_mag) gated; `b_enc` is the bias of the gate
    x' = n_x^-1(z W_dec + b_dec) + x W_skip

d is the number of entries of an example, L the number of units, m the entries of the output: m = d but for a
transcoder, which predicts another layer. Gated: Rajamanoharan et al. (2024), https://arxiv.org/abs/2404.16014;
JumpReLU: https://arxiv.org/abs/2407.14435; TopK: https://arxiv.org/abs/2406.04093; BatchTopK:
https://arxiv.org/abs/2412.06410; Matryoshka: https://arxiv.org/abs/2503.17547.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from narrows.data import SCALINGS, Scaling, scale_rows

Activation = Literal["relu", "topk", "jumprelu", "gated"]
ACTIVATIONS = ("relu", "topk", "jumprelu", "gated")


@dataclass(frozen=True, eq=False)
class SparseDictionary:
    """A sparse dictionary: its tensors, its activation, and where it comes from.

    Attributes
    ----------
    W_enc : d x L.
    b_enc : (L,).
    W_dec : L x m, the direction of each unit.
    b_dec : (m,).
    activation : one of `ACTIVATIONS`.
    k : number of active units ("topk"), otherwise None.
    threshold : (L,) numbers ("jumprelu"), otherwise None. One below 0 does what 0 does.
    r_mag, b_mag : (L,) log scale and bias of the magnitude ("gated"), otherwise None.
    W_skip : d x m, or None.
    subtracts_bias : True if `b_dec` is subtracted from the scaled input.
    scaling : scaling of each row, one of `narrows.data.SCALINGS`.
    metadata : origin: format, licence, model name, hook and whatever else the source says, as JSON values.
    """

    W_enc: Tensor
    b_enc: Tensor
    W_dec: Tensor
    b_dec: Tensor
    activation: Activation = "relu"
    k: int | None = None
    threshold: Tensor | None = None
    r_mag: Tensor | None = None
    b_mag: Tensor | None = None
    W_skip: Tensor | None = None
    subtracts_bias: bool = False
    scaling: Scaling = "none"
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the form: names, shapes, finite numbers. Raises ValueError."""
        if self.activation not in ACTIVATIONS or self.scaling not in SCALINGS:
            raise ValueError(f"unknown activation {self.activation!r} or scaling {self.scaling!r}")
        if self.W_enc.dim() != 2 or self.W_dec.dim() != 2:
            raise ValueError(
                f"W_enc and W_dec must be matrices. Got shapes {_shape(self.W_enc)} and {_shape(self.W_dec)}"
            )
        (d, n), m = self.W_enc.shape, self.W_dec.shape[1]
        shapes: dict[str, tuple[int, ...]] = {"b_enc": (n,), "W_dec": (n, m), "b_dec": (m,)}
        optional: dict[str, tuple[int, ...]] = {"threshold": (n,), "r_mag": (n,), "b_mag": (n,), "W_skip": (d, m)}
        needed = {"jumprelu": {"threshold"}, "gated": {"r_mag", "b_mag"}}.get(self.activation, set())
        for name, shape in {"W_enc": (d, n), **shapes, **optional}.items():
            tensor = getattr(self, name)
            if tensor is None:
                if name in needed:
                    raise ValueError(f"the {self.activation} dictionary lacks {name}")
                continue
            if tuple(tensor.shape) != shape:
                raise ValueError(f"{name} must have shape {shape}. Got {_shape(tensor)}")
            # NaN and infinity stay in a sum, and finite numbers cannot overflow in double precision
            if not bool(torch.isfinite(tensor.sum(dtype=torch.float64))):
                raise ValueError(f"{name} holds NaN or infinity")
        if self.activation == "topk" and not (isinstance(self.k, int) and 1 <= self.k <= n):
            raise ValueError(f"k must be an int from 1 to {n}, the number of units. Got {self.k!r}")
        if self.subtracts_bias and m != d:
            raise ValueError(f"b_dec has {m} entries, so it cannot be subtracted from an input of {d}")
        if self.scaling != "none" and (m != d or self.W_skip is not None):
            raise ValueError(f"a transcoder cannot scale its rows by {self.scaling!r}")

    @property
    def n_features(self) -> int:
        """d, the number of entries of an example."""
        return self.W_enc.shape[0]

    @property
    def n_units(self) -> int:
        """L, the number of units."""
        return self.W_enc.shape[1]

    @property
    def n_outputs(self) -> int:
        """m, the number of entries of the output."""
        return self.W_dec.shape[1]

    @property
    def is_transcoder(self) -> bool:
        """True if the output is another array than the input, or not made from the code alone."""
        is_other = self.n_outputs != self.n_features or self.W_skip is not None
        return is_other or bool(self.metadata.get("is_transcoder"))

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes (B x L) of examples x (B x d)."""
        u = scale_rows(x, self.scaling).rows
        u = u - self.b_dec if self.subtracts_bias else u
        products = u @ self.W_enc
        h = products + self.b_enc
        if self.activation == "topk":
            assert self.k is not None
            values, index = h.topk(self.k, dim=1)
            return torch.zeros_like(h).scatter(1, index, values.relu())
        if self.activation == "jumprelu":
            assert self.threshold is not None
            return h.relu() * (h > self.threshold)
        if self.activation == "gated":
            assert self.r_mag is not None
            assert self.b_mag is not None
            return (h > 0) * (products * self.r_mag.exp() + self.b_mag).relu()
        return h.relu()

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        """Return the output (B x m) for the codes z (B x L) of the examples x (B x d)."""
        out = scale_rows(x, self.scaling).undo(z @ self.W_dec + self.b_dec)
        return out if self.W_skip is None else out + x @ self.W_skip

    def describe(self) -> str:
        """Return one line for people, such as 'topk, 768 entries, 32768 units, k = 32'."""
        kind = "transcoder" if self.is_transcoder else "dictionary"
        out = "" if self.n_outputs == self.n_features else f" to {self.n_outputs}"
        k = "" if self.k is None else f", k = {self.k}"
        return f"{self.activation} {kind}, {self.n_features}{out} entries, {self.n_units} units{k}"


def fold_norms(record: SparseDictionary) -> SparseDictionary:
    """Return the same dictionary with directions of unit length, where h |D_j| stands for h before the activation.

    W_enc_j |D_j|, b_enc_j |D_j|, D_j / |D_j|; the threshold is on this scale already.
    """
    norms = record.W_dec.double().norm(dim=1).clamp(min=1e-8)
    return replace_tensors(
        record,
        W_enc=record.W_enc.double() * norms,
        b_enc=record.b_enc.double() * norms,
        W_dec=record.W_dec.double() / norms[:, None],
    )


def replace_tensors(record: SparseDictionary, **tensors: Tensor) -> SparseDictionary:
    """Return a record with other tensors, in the precision of those that they replace."""
    same = {name: tensor.to(getattr(record, name).dtype) for name, tensor in tensors.items()}
    return SparseDictionary(**{**vars(record), **same})


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
