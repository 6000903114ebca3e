"""What one example is: looked at once, saved with the model, and undone on the way out.

A schema turns rows as the user has them into the tensors a model sees (`prepare`) and back (`restore`):

    model = (raw - offset) / scale        per column for real-valued vectors, one number for images

No torch module depends on where the data came from; everything it needs to know is here.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from narrows.data.arrays import min_max, subsample_evenly

Kind = Literal["vector", "image"]
Support = Literal["binary", "unit", "real", "count"]

SMALLEST_IMAGE = 8
_LARGEST = 1e100  # of which squares and their sums are finite in double precision
_NEAR = 8  # deviations of an offset from 0, for which single precision has nothing to lose
_NARROW = (torch.float32, torch.float16, torch.uint8, torch.int8, torch.bool)  # of which float32 holds every number
_SAMPLE_ROWS = 20_000  # looked at for means and deviations, at most


@dataclass(frozen=True)
class Schema:
    """One example's form and units.

    Attributes
    ----------
    kind : "vector" or "image".
    shape : what a model sees of one example: (d,) or (channels, height, width).
    layout : how the user has it: "d", "hw", "hwc" or "chw".
    dtype : the user's dtype, by name; whole 8-bit images come back as such, other integers as floats.
    support : where values lie after `prepare`: "binary" {0, 1}, "unit" [0, 1], "real", "count" 0, 1, 2, ...
    offset, scale : one number each, or one for each column of a vector.
    mean, std : what the prepared values average to, for each column of a vector or each channel of an image:
        encoders standardise their input with them, decoders start from them.
    columns : the columns' names, if the user's data had names.
    frame : "pandas" if a data frame came in, so that one goes out.
    classes : the labels that a conditional model is told, sorted; None for other models.
    frequencies : the share that each class has of the training examples with a label.
    unlabelled : the share of the training examples without one.
    """

    kind: Kind
    shape: tuple[int, ...]
    layout: str
    dtype: str
    support: Support
    offset: tuple[float, ...]
    scale: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    columns: tuple[str | int, ...] | None = None
    frame: str | None = None
    classes: tuple[bool | int | float | str, ...] | None = None
    frequencies: tuple[float, ...] | None = None
    unlabelled: float = 0.0

    @property
    def n_entries(self) -> int:
        """Numbers in one example."""
        return int(np.prod(self.shape))

    @property
    def user_shape(self) -> tuple[int, ...]:
        """The shape of one example as the user has it."""
        if self.layout in ("d", "chw"):
            return self.shape
        c, h, w = self.shape
        return (h, w) if self.layout == "hw" else (h, w, c)

    @property
    def log_scale(self) -> float:
        """Sum over entries of log(scale): what turns a density of prepared vectors into one of the user's.

        Images are scored on the [0, 1] scale, whatever theirs is, and counts and binary values have no density.
        """
        if self.kind == "image" or self.support != "real":
            return 0.0
        return float(np.log(np.asarray(self.scale)).sum() * (self.n_entries / len(self.scale)))

    @property
    def limits(self) -> tuple[float, float] | None:
        """Which of the user's values are black and white; None for images without bounds."""
        if self.support not in ("unit", "binary"):
            return None
        return self.offset[0], self.offset[0] + self.scale[0]

    @functools.cached_property
    def centred(self) -> bool:
        """Whether anything is subtracted."""
        return any(self.offset)

    @functools.cached_property
    def _offsets(self) -> Tensor:
        return torch.tensor(self.offset, dtype=torch.float64)

    @functools.cached_property
    def _factors(self) -> Tensor:
        return 1 / torch.tensor(self.scale, dtype=torch.float64)

    @functools.cached_property
    def _near(self) -> bool:
        """Whether x factor - offset factor loses no more to rounding than a millionth of a deviation."""
        return float((self._offsets * self._factors).abs().max()) <= _NEAR

    # high and low in (x - offset) factor = (x - high) factor + low, as float32; high is 0 where `_near`. Elsewhere high
    # is nearly the offset: x - high is then rounded relative to itself, and low is what float32 could not hold of it.

    @functools.cached_property
    def _high(self) -> Tensor:
        return torch.zeros_like(self._offsets).float() if self._near else self._offsets.float()

    @functools.cached_property
    def _low(self) -> Tensor:
        return ((self._high.double() - self._offsets) * self._factors).float()

    @functools.cached_property
    def _placed(self) -> dict[tuple[str, torch.device, torch.dtype], Tensor]:
        return {}

    def _constant(self, name: str, device: torch.device, dtype: torch.dtype) -> Tensor:
        """The one called `name` on `device`, copied once: a step that is recorded can copy nothing from the CPU."""
        key = name, device, dtype
        if key not in self._placed:
            with torch.inference_mode(False):  # whoever asks first, all may use it
                self._placed[key] = getattr(self, name).to(device, dtype)
        return self._placed[key]

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: a GPU that constants were copied to may be missing where it is read."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def prepare(self, rows: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """From the user's rows (B x `user_shape`, any dtype) to the model's tensor (B x `shape`)."""
        x = rows
        if self.layout == "hw":
            x = x.unsqueeze(1)
        elif self.layout == "hwc":
            x = x.permute(0, 3, 1, 2)
        if not self.centred:
            own = x.to(dtype)
            if self.scale == (1.0,):
                return own
            factors = self._constant("_factors", x.device, dtype)
            return own * factors if own is x else own.mul_(factors)
        # a column of 1.7e9 and something must not lose the something
        if dtype != torch.float64 and (x.dtype in _NARROW or x.device.type == "mps"):
            # single precision is enough for numbers that it holds, and in one pass it is twenty times as fast
            single = torch.float32
            low, factors = (self._constant(name, x.device, single) for name in ("_low", "_factors"))
            x = x.to(single)
            if not self._near:
                x = x - self._constant("_high", x.device, single)
            return torch.addcmul(low, x, factors).to(dtype)
        wide = torch.float64
        offsets, factors = (self._constant(name, x.device, wide) for name in ("_offsets", "_factors"))
        return ((x.to(wide) - offsets) * factors).to(dtype)

    def restore(self, x: Tensor) -> np.ndarray:
        """From the model's tensor (B x `shape`) to the user's rows (B x `user_shape`), in the user's dtype."""
        out = x.detach().cpu()
        if self.centred or self.scale != (1.0,):
            out = out.double() / self._factors + self._offsets
        out = out.reshape(-1, *self.shape)
        if self.layout == "hw":
            out = out[:, 0]
        elif self.layout == "hwc":
            out = out.permute(0, 2, 3, 1)
        array = out.numpy()
        dtype = np.dtype(self.dtype)
        if dtype == np.uint8:
            return np.clip(np.rint(array), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(array.astype(dtype if dtype.kind == "f" else np.float32))

    def channels_last(self, images: np.ndarray) -> np.ndarray:
        """Images as the user has them (n x `user_shape`) with their channels, where they have an axis, behind."""
        return np.moveaxis(images, 1, -1) if self.layout == "chw" else images

    def as_frame(self, array: np.ndarray, like: Any = None) -> Any:
        """`array` as a data frame with the user's columns if one came in (and the index of `like`), else as it is."""
        if self.frame != "pandas":
            return array
        import pandas as pd

        index = like.index if hasattr(like, "iloc") else None  # a list has an index, too, which is another thing
        return pd.DataFrame(array, columns=list(self.columns or ()), index=index)

    def describe(self) -> str:
        """One line for people, such as '28 x 28 grey images in [0, 1]'."""
        where = {"binary": "of 0 and 1", "unit": "in [0, 1]", "real": "of real values", "count": "of counts"}
        if self.scale == (255.0,):
            where["unit"] = "in [0, 1], from values of 0 to 255"
        if self.kind == "vector":
            return f"vectors of {self.shape[0]} columns {where[self.support]}"
        c, h, w = self.shape
        colour = {1: "grey ", 3: "colour "}.get(c, f"{c}-channel ")
        return f"{h} x {w} {colour}images {where[self.support]}"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and strings, for recipe.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Schema:
        """The inverse of `to_dict`."""
        whole: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**whole)


def infer(
    X: np.ndarray,
    owner: str,
    columns: list[str | int] | None = None,
    frame: str | None = None,
    asked: Support | None = None,
) -> Schema:
    """Look at rows (as `as_rows` gives them) and describe them.

    Parameters
    ----------
    asked : the support that a likelihood named by the user needs ("unit" or "count"): values then keep a scale on
        which it can score them, whatever they look like.

    Raises
    ------
    ValueError
        If X is empty, has NaN or infinity, or images smaller than 8 x 8.
    """
    if X.shape[0] < 2:
        raise ValueError(
            f"X passed to {owner} holds {X.shape[0]} sample(s) (shape={X.shape}) while a minimum of 2 is required: "
            "an autoencoder learns from differences between examples."
        )
    layout, shape = _layout(X, owner)
    low, high = min_max(X, owner)
    sample = subsample_evenly(X, _SAMPLE_ROWS)
    if max(-low, high) > _LARGEST:
        column = int(np.unravel_index(np.argmax(np.abs(X)), X.shape)[-1])
        where = f" (in column {columns[column] if columns else column})" if X.ndim == 2 else ""
        raise ValueError(
            f"X passed to {owner} holds values up to {max(-low, high):.3g}{where}, whose squares are beyond what "
            "computers count with. Rescale them, or take their logarithm."
        )
    kind: Kind = "vector" if layout == "d" else "image"
    support, offset, scale = _units(X, sample, kind, low, high)
    if asked is not None and support != asked and not (asked == "unit" and support == "binary"):
        support, offset, scale = asked, (0.0,), (1.0,)
    schema = Schema(
        kind=kind,
        shape=shape,
        layout=layout,
        dtype=str(X.dtype),
        support=support,
        offset=offset,
        scale=scale,
        mean=(0.0,),
        std=(1.0,),
        columns=tuple(columns) if columns is not None else None,
        frame=frame,
    )
    prepared = schema.prepare(torch.from_numpy(np.ascontiguousarray(sample)), torch.float32)
    if support == "count":
        prepared = prepared.log1p()
    axes = [0] if kind == "vector" else [0, 2, 3]
    std, mean = torch.std_mean(prepared, axes, correction=0)
    return replace(schema, mean=_floats(mean), std=tuple(s if s > 1e-6 else 1.0 for s in _floats(std)))


def check_rows(X: np.ndarray, schema: Schema, owner: str) -> None:
    """Raise unless `X` has the form that the model was fitted with, and only finite values."""
    check_form(X.shape, schema, owner)
    check_range(min_max(X, owner)[1], X.dtype, schema, owner)


def check_form(shape: tuple[int, ...], schema: Schema, owner: str) -> None:
    """Raise unless an array of that shape holds examples such as the model was fitted with."""
    if shape[0] == 0:
        raise ValueError(f"Found array with 0 sample(s) (shape={shape}) while a minimum of 1 is required by {owner}.")
    if shape[1:] != schema.user_shape:
        raise ValueError(
            f"X passed to {owner} has examples of shape {shape[1:]}, but the model was fitted on shape "
            f"{schema.user_shape} ({schema.describe()}). Resize or select columns so that they agree."
        )


def check_range(high: float, dtype: np.dtype, schema: Schema, owner: str) -> None:
    """Raise if the greatest value of all shows that X is on another scale than what the model was fitted on."""
    if schema.scale == (255.0,) and dtype.kind == "f" and 0 < high <= 1:
        raise ValueError(
            f"X passed to {owner} lies in [0, 1], but the model was fitted on pixels from 0 to 255. Multiply X by 255, "
            "or fit on images in [0, 1]."
        )
    if schema.kind == "image" and schema.support == "unit" and high > 10 * schema.scale[0]:
        raise ValueError(
            f"X passed to {owner} holds values up to {high:g}, but the model was fitted on images from 0 to "
            f"{schema.scale[0]:g}. Bring X to that range."
        )


def _layout(X: np.ndarray, owner: str) -> tuple[str, tuple[int, ...]]:
    if X.ndim == 2:
        return "d", (X.shape[1],)
    if X.ndim == 3:
        layout, shape = "hw", (1, X.shape[1], X.shape[2])
    elif X.shape[3] > 4 and X.shape[1] <= 4:
        layout, shape = "chw", X.shape[1:]
    else:
        layout, shape = "hwc", (X.shape[3], X.shape[1], X.shape[2])
    if min(shape[1:]) < SMALLEST_IMAGE:
        raise ValueError(
            f"X passed to {owner} holds images of {shape[1]} x {shape[2]} pixels; at least {SMALLEST_IMAGE} x "
            f"{SMALLEST_IMAGE} are needed. Pass them as vectors instead: X.reshape(len(X), -1)."
        )
    return layout, tuple(int(i) for i in shape)


def _units(
    X: np.ndarray, sample: np.ndarray, kind: Kind, low: float, high: float
) -> tuple[Support, tuple[float, ...], tuple[float, ...]]:
    """Support, offset and scale: the rules by which a look at the values says what they are."""
    one, nought = (1.0,), (0.0,)
    whole = X.dtype.kind in "bui" or bool((sample == np.rint(sample)).all())
    if whole and (low, high) == (0.0, 1.0):
        return "binary", nought, one
    if X.dtype == np.uint8 and kind == "image":
        return "unit", nought, (255.0,)
    pixels = low >= 0 and 127 < high <= 255
    if pixels and (kind == "image" or (whole and low == 0 and (X.dtype == np.uint8 or X.shape[1] >= 64))):
        return "unit", nought, (255.0,)  # also after a cast to float, or flattened
    if 0 <= low and high <= 1 and (kind == "image" or (low, high) == (0.0, 1.0)):
        return "unit", nought, one
    if kind == "image":
        mean, std = float(sample.mean(dtype=np.float64)), float(sample.std(dtype=np.float64))
        return "real", (mean,), (std if std > 0 else 1.0,)
    if whole and low >= 0 and high > 1 and float((sample == 0).mean()) >= 0.5:
        return "count", nought, one
    means, stds = sample.mean(0, dtype=np.float64), sample.std(0, dtype=np.float64)
    # a constant column, up to the rounding of its own magnitude, is only centred
    stds = np.where(stds > 1e-7 * np.maximum(1e-300, np.abs(means)), stds, 1.0)
    return "real", tuple(means.tolist()), tuple(stds.tolist())


def _floats(x: Tensor) -> tuple[float, ...]:
    return tuple(float(v) for v in x.double().reshape(-1))
