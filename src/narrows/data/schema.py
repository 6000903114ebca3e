"""The schema: a description of one example, with the scale of its values. It is saved with the model.

A schema turns the user's rows into the tensors that a model sees (`prepare`), and back (`restore`):

    model = (raw - offset) / scale        for each column of real-valued vectors, for each channel of such images

`infer` makes a schema from rows, and `infer_table` from a data frame. The entries of vectors and images share one
`Support`; the columns of a table have a kind each (`narrows.data.columns`). NaN means missing, and passes through.
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from narrows.data import layouts
from narrows.data.arrays import resolution
from narrows.data.bins import has_density_at
from narrows.data.columns import Column
from narrows.data.plain import from_plain, to_plain
from narrows.data.scaling import FAR, bring_near, changes
from narrows.data.table import Table
from narrows.params import counted, enumerate_names

Kind = Literal["vector", "image", "table"]
Support = Literal["binary", "unit", "real", "count", "mixed"]
VERSION = 2  # of the record that `to_dict` writes

_LARGEST_ASINH = 200.0  # sinh of larger numbers overflows, squared
_NEAR = 8  # offsets of up to so many standard deviations lose nothing in single precision
_NARROW = (torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int8, torch.bool)  # exact in float32


@dataclass(frozen=True)
class Schema:
    """Form and units of one example.

    Attributes
    ----------
    kind : "vector" (columns of one support), "image", or "table" (columns of several kinds).
    shape : shape of one example in the model: (d,) or (channels, height, width).
    layout : axes of the user's examples (`narrows.data.layouts`); a series has a scale for each channel.
    dtype : name of the user's dtype. `restore` gives bytes and 16-bit images as such, and floats for other integers.
    support : range of the values after `prepare`: "binary" {0, 1}, "unit" [0, 1], "real", "count" 0, 1, 2, ..., or
        "mixed" for a table.
    offset, scale : a single number each, or one for each column of a vector, channel of an image or of a series.
    mean, std : mean and standard deviation of the prepared values (of log(1 + x) for counts), for each column of a
        vector or each channel of an image. Encoders standardise their input with both; decoders start at the mean.
    columns : names of the columns, if the user's data had names.
    constant : indices of the columns of a vector that do not vary. The encoder does not see them, and they are given
        back as they were. Another value there is unusual; how much depends on its share of the constant only.
    n_layers : number of layers of activations (layout "ld"), which have the same number of columns; 1 for all others.
    frame : library of the user's data frame ("pandas", "polars", "pyarrow"); results are then data frames, too.
    table : all columns of the user's frame; None for arrays. For a "table", `columns` names those that the model sees.
    gaps : share of missing training values of each column or channel; () if nothing was missing.
    classes : labels of a conditional model, sorted; None for other models.
    frequencies : share of each class in the training examples with a label.
    unlabelled : share of the training examples without a label.
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
    columns: tuple[Any, ...] | None = None
    frame: str | None = None
    table: Table | None = None
    gaps: tuple[float, ...] = ()
    classes: tuple[bool | int | float | str, ...] | None = None
    frequencies: tuple[float, ...] | None = None
    unlabelled: float = 0.0
    constant: tuple[int, ...] = ()
    n_layers: int = 1

    @property
    def n_entries(self) -> int:
        """Number of entries in one example."""
        return int(np.prod(self.shape))

    @property
    def used_columns(self) -> tuple[Column, ...]:
        """The columns that the model sees; () for arrays."""
        return () if self.table is None else self.table.used

    @property
    def has_gaps(self) -> bool:
        """True if some training values were missing."""
        return any(self.gaps)

    @property
    def user_shape(self) -> tuple[int, ...]:
        """Shape of one example in the user's data."""
        return layouts.user_shape(self.layout, self.shape, self.n_layers)

    @property
    def takes_tokens(self) -> bool:
        """True if floats with three axes in files are rows of tokens: an example has one axis."""
        return len(self.user_shape) == 1

    @property
    def is_series(self) -> bool:
        """True if an example is a series of steps x channels, or of channels x steps."""
        return self.layout in layouts.SERIES

    @functools.cached_property
    def _entry_log_scales(self) -> np.ndarray | None:
        """log(scale) of each entry that has a density in the user's units, 0 for others; None if all are 0.

        Images are always scored on the [0, 1] scale; counts and binary values have probabilities and no density.
        """
        if self.kind == "table":
            has_density = np.array([not (c.has_levels or c.kind == "count") for c in self.used_columns])
            return np.where(has_density, np.log(np.asarray(self.scale)), 0.0)
        if self.kind == "image" or self.support != "real":
            return None
        return np.broadcast_to(np.log(np.asarray(self.scale)), (self.n_entries,))

    def log_scale(self, rows: np.ndarray) -> float | np.ndarray:
        """Return log |dx / d(prepared x)| of rows in the user's units, summed over their observed entries, in nats.

        log p(user's row) = log p(prepared row) - log_scale. It is one number, or one for each row (n,) where rows have
        gaps or heavy-tailed columns.
        """
        scales = self._entry_log_scales
        if scales is None:
            return 0.0
        rows = np.asarray(rows)
        if not self._special_columns and not (rows.dtype.kind == "f" and np.isnan(rows).any()):
            return float(scales.sum())
        return self.entry_log_scale(rows).sum(1)

    def entry_log_scale(self, rows: np.ndarray) -> np.ndarray:
        """Return log |dx / d(prepared x)| of each entry: (n, n_entries) nats, 0 if it is missing or has no density."""
        scales, rows = self._entry_log_scales, np.asarray(rows).reshape(len(rows), -1)
        if scales is None:
            return np.zeros(rows.shape)
        has_density = ~np.isnan(rows) if rows.dtype.kind == "f" else np.ones(rows.shape, dtype=bool)
        columns = self.used_columns
        for j in self._special_columns:
            has_density[:, j] &= has_density_at(columns[j], rows[:, j])
        nats = np.where(has_density, scales, 0.0)
        for j in self._special_columns:
            if columns[j].kind == "heavy_tailed":
                u = (rows[:, j] - columns[j].center) / columns[j].scale
                nats[:, j] += np.where(has_density[:, j], 0.5 * np.log1p(np.nan_to_num(u) ** 2), 0.0)
        return nats

    @functools.cached_property
    def _special_columns(self) -> list[int]:
        """Columns of a table whose density depends on the value."""
        columns = self.used_columns if self.kind == "table" else ()
        return [j for j, c in enumerate(columns) if c.kind == "heavy_tailed" or c.atom is not None or c.bins]

    @property
    def limits(self) -> tuple[float, float] | None:
        """The user's values for black and white; None for values without bounds."""
        if self.support not in ("unit", "binary") or self.kind == "table":
            return None
        return self.offset[0], self.offset[0] + self.scale[0]

    @functools.cached_property
    def is_centred(self) -> bool:
        """True if `prepare` subtracts an offset."""
        return any(self.offset)

    def _spread(self, values: tuple[float, ...]) -> Tensor:
        """Return one number, or one for each column or channel, as a tensor to broadcast with B x `shape`."""
        x = torch.tensor(values, dtype=torch.float64)
        if self.kind != "image" or len(values) == 1:
            return x
        return x.reshape({"tc": (1, 1, -1), "ct": (1, -1, 1)}.get(self.layout, (-1, 1, 1)))

    @functools.cached_property
    def _offsets(self) -> Tensor:
        return self._spread(self.offset)

    @functools.cached_property
    def _factors(self) -> Tensor:
        return 1 / self._spread(self.scale)

    @functools.cached_property
    def _constant_columns(self) -> Tensor:
        return torch.tensor(self.constant)

    @functools.cached_property
    def _is_near_zero(self) -> bool:
        """True if x * factor - offset * factor has a rounding error of at most a millionth of a standard deviation."""
        return float((self._offsets * self._factors).abs().max()) <= _NEAR

    # `_high` and `_low` in float32: (x - offset) * factor = (x - high) * factor + low. If `_is_near_zero`, high is 0.
    # Otherwise high is the offset in float32, so that x - high is exact near the offset, and low is the remainder.

    @functools.cached_property
    def _high(self) -> Tensor:
        return torch.zeros_like(self._offsets).float() if self._is_near_zero else self._offsets.float()

    @functools.cached_property
    def _low(self) -> Tensor:
        return ((self._high.double() - self._offsets) * self._factors).float()

    @functools.cached_property
    def _constants(self) -> dict[tuple[str, torch.device, torch.dtype], Tensor]:
        return {}

    def _constant(self, name: str, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return the constant `name` on `device`. It is copied once, because a CUDA graph cannot copy from the CPU."""
        key = name, device, dtype
        if key not in self._constants:
            with torch.inference_mode(False):  # the first caller may be in inference mode, and later callers not
                self._constants[key] = getattr(self, name).to(device, dtype)
        return self._constants[key]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the cached constants out of a pickle: it may be read on a machine without their GPU."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @functools.cached_property
    def _heavy(self) -> tuple[Tensor, ...]:
        """The positions of heavy-tailed columns, if there are any."""
        heavy = [j for j, column in enumerate(self.used_columns) if column.kind == "heavy_tailed"]
        return (torch.tensor(heavy),) if heavy and self.kind == "table" else ()

    def prepare(self, rows: Tensor, dtype: torch.dtype = torch.float32, *, check_far: bool = True) -> Tensor:
        """Turn the user's rows (B x `user_shape`, any dtype) into the model's tensor (B x `shape`, `dtype`).

        NaN stays NaN. A heavy-tailed column of a table becomes asinh((x - offset) / scale).

        Parameters
        ----------
        rows, dtype : B x `user_shape`, and the dtype of the result.
        check_far : True to bring values beyond 1e8 nearer, in their order, so that their squares are finite. It costs
            a look at all values, which training rows do not need: the scale is theirs.
        """
        x = self._prepare(rows, dtype, check_far)
        for heavy in self._heavy:
            index = heavy.to(x.device)
            x[:, index] = x[:, index].asinh()
        return x

    def _prepare(self, rows: Tensor, dtype: torch.dtype, check_far: bool) -> Tensor:
        x = layouts.to_model_axes(rows, self.layout)
        scaled = self._standardize(x, dtype)
        if check_far and x.device.type != "meta" and bool((scaled.abs() > FAR).any()):
            scaled = self._bring_near(x).to(dtype)
        if self.constant:
            # not in place: `scaled` may be the user's own memory
            columns = self._constant("_constant_columns", x.device, torch.int64)
            scaled = scaled.index_copy(1, columns, self._changes(x, columns).to(dtype))
        return scaled

    def _standardize(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Return (x - offset) / scale in `dtype`."""
        if not self.is_centred:
            converted = x.to(dtype)
            if self.scale == (1.0,):
                return converted
            factors = self._constant("_factors", x.device, dtype)
            return converted * factors if converted is x else converted.mul_(factors)
        # a column of large numbers with small differences must keep the differences
        if dtype != torch.float64 and (x.dtype in _NARROW or x.device.type == "mps"):
            # for values that it holds exactly, single precision is exact enough, and twenty times as fast
            single = torch.float32
            low, factors = (self._constant(name, x.device, single) for name in ("_low", "_factors"))
            x = x.to(single)
            if not self._is_near_zero:
                x = x - self._constant("_high", x.device, single)
            return torch.addcmul(low, x, factors).to(dtype)
        wide = torch.float64
        offsets, factors = (self._constant(name, x.device, wide) for name in ("_offsets", "_factors"))
        return ((x.to(wide) - offsets) * factors).to(dtype)

    def _bring_near(self, x: Tensor) -> Tensor:
        wide = torch.float32 if x.device.type == "mps" else torch.float64
        offsets, factors = (self._constant(name, x.device, wide) for name in ("_offsets", "_factors"))
        return bring_near((x.to(wide) - offsets) * factors)

    def _changes(self, x: Tensor, columns: Tensor) -> Tensor:
        """Return how unusual the values of the constant columns are."""
        constants = self._constant("_offsets", x.device, torch.float32 if x.device.type == "mps" else torch.float64)
        return changes(x[:, columns], constants[columns], resolution(np.dtype(self.dtype)))

    def restore(self, x: Tensor) -> np.ndarray:
        """Turn the model's tensor (B x `shape`) into the user's rows (B x `user_shape`), in the user's dtype.

        Bytes and 16-bit images are rounded and clipped to their range. Other integers become float32.
        """
        out = x.detach().cpu()
        for heavy in self._heavy:
            out = out.double()
            out[:, heavy] = out[:, heavy].clamp(-_LARGEST_ASINH, _LARGEST_ASINH).sinh()
        if self.is_centred or self.scale != (1.0,):
            out = out.double() / self._factors + self._offsets
        for j, c in enumerate(self.used_columns if self.kind == "table" else ()):
            if c.atom is not None:  # without rounding errors: an atom has a probability, a number beside it a density
                is_near = (out[:, j] - c.atom).abs() <= 1e-5 * (c.scale + abs(c.atom - c.center))
                out[:, j] = out[:, j].masked_fill(is_near, c.atom)
        if self.constant:
            constants = self._offsets[self._constant_columns].to(out)
            out = out.index_copy(1, self._constant_columns, constants.expand(len(out), -1))
        array = self.as_user_axes(out.reshape(-1, *self.shape).numpy())
        dtype = np.dtype(self.dtype)
        if dtype in (np.uint8, np.uint16):
            return np.clip(np.rint(array), 0, np.iinfo(dtype).max).astype(dtype)
        return np.ascontiguousarray(array.astype(dtype if dtype.kind == "f" else np.float32))

    def as_user_axes(self, array: np.ndarray) -> np.ndarray:
        """Return `array` (n x `shape`) with the axes of the user's examples (n x `user_shape`)."""
        return layouts.to_user_axes(array, self.layout, self.n_layers)

    def channels_last(self, images: np.ndarray) -> np.ndarray:
        """Move the channel axis of the user's images (n x `user_shape`) to the end, if they have one."""
        return np.moveaxis(images, 1, -1) if self.layout == "chw" else images

    def as_frame(self, array: np.ndarray, like: Any = None, clip: bool = False) -> Any:
        """Return `array` (n x columns, as `restore` gives it) in the user's form: a data frame if the data was one.

        The frame has the user's columns and dtypes, and the index of `like` if `like` is a data frame. With `clip`,
        numbers of a table stay between the smallest and the largest of the training rows.
        """
        if self.table is None:
            return array
        if clip and self.kind == "table":
            bounds = [(-np.inf, np.inf) if c.has_levels else (c.low, c.high) for c in self.used_columns]
            array = np.clip(array, *np.array(bounds).T)
        return self.table.decode(array, like)

    def has_scale_of(self, other: Schema) -> bool:
        """Return True if examples have the same tensors under both schemas."""
        mine, others = ((s.shape, s.layout, s.offset, s.scale, s.constant) for s in (self, other))
        if "table" in (self.kind, other.kind) and self.used_columns != other.used_columns:  # names and levels
            return False
        return mine == others

    def describe(self) -> str:
        """Return one line for people, such as '28 x 28 grey images in [0, 1]'."""
        where = {"binary": "of 0 and 1", "unit": "in [0, 1]", "real": "of real values", "count": "of counts"}
        if self.scale[0] > 1:
            where["unit"] = f"in [0, 1], from values of 0 to {self.scale[0]:g}"
        if self.kind == "table":
            kinds = Counter(column.kind.replace("_", "-") for column in self.used_columns)
            listed = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
            return f"a table of {counted(self.shape[0], 'column')} ({listed})"
        if self.layout == layouts.LAYERS:
            return f"activations of {counted(self.n_layers, 'layer')} x {counted(self.user_shape[1], 'column')}"
        if self.kind == "vector":
            return f"vectors of {counted(self.shape[0], 'column')} {where[self.support]}"
        c, h, w = self.shape
        if self.is_series:
            steps, channels = (h, w) if self.layout == "tc" else (w, h)
            return f"series of {steps} steps x {channels} channels {where[self.support]}"
        colour = {1: "grey ", 3: "colour "}.get(c, f"{c}-channel ")
        return f"{h} x {w} {colour}images {where[self.support]}"

    def list_facts(self) -> list[str]:
        """Return lines for people: `describe()`, and the columns that are left out or held constant."""
        facts = [self.describe(), *(() if self.table is None else self.table.list_facts())]
        if self.constant:
            names = [repr(self.columns[i]) if self.columns else str(i) for i in self.constant]
            facts.append(f"columns held constant, because they do not vary: {enumerate_names(names)}")
        return facts

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain numbers, strings, lists and dicts, for recipe.json."""
        values = {k: v for k, v in self.__getstate__().items() if (k, v) != ("n_layers", 1)}  # as before layers
        values["columns"] = None if self.columns is None else [to_plain(name) for name in self.columns]
        return {"version": VERSION, **values, "table": None if self.table is None else self.table.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Schema:
        """Return the schema from a result of `to_dict`, in which tuples may have become lists, or of older versions.

        Raises
        ------
        TypeError
            If a field is missing or unknown.
        ValueError
            If the record is of a later version.
        """
        if (version := (values := dict(values)).pop("version", 1)) > VERSION:
            raise ValueError(f"The schema has the version {version}; this narrows reads versions up to {VERSION}.")
        table = values.pop("table", None)
        attributes: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        attributes["columns"] = from_plain(attributes.get("columns"))
        if table is not None:
            attributes["table"] = Table.from_dict(table)
        elif attributes.get("frame") == "pandas":  # version 1 knew only real columns
            names = attributes["columns"] or ()
            attributes["table"] = Table(tuple(Column(name, "real", attributes["dtype"]) for name in names), "pandas")
        return cls(**attributes)
