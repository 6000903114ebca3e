"""Features of prepared rows: numbers with a mean of 0 and a variance of about 1, without gaps.

Networks, neighbours and principal axes work with them. For a table:

    numbers     (x - mean) / std, 0 where missing
    levels      (1[x = level] - frequency) / c for each level, c^2 = sum of frequency (1 - frequency); 0 where missing,
                and for a value that was not seen in training
    atoms       (1[x = atom] - share) / c, c^2 = share (1 - share), for a number that many cells of a column share
    gaps        1 where a cell is missing, for each column with gaps in training
    dates       sine and cosine of the time of day, of the week and of the year, where the dates span several of them
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from narrows.data.schema import Schema

LEVEL_VECTOR = 32  # length of the learned vector of a level, for columns with more levels than these
MAX_ONE_HOT = 512  # columns with more levels have no features here: networks learn vectors for their levels
_PERIODS = {"day": 86_400.0, "week": 7 * 86_400.0, "year": 365.2425 * 86_400.0}
_MONDAY = 4 * 86_400.0  # 1970-01-05, the first Monday after time 0


class ArrayScale(NamedTuple):
    """Mean and scale of the features of vectors and images: feature = (x - mean) / std, with log(1 + x) for counts.

    Attributes
    ----------
    mean, std : one number for each column or channel; `std` is infinite for a column that is constant.
    """

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, schema: Schema) -> ArrayScale:
        """Return the scale of a schema of vectors or images."""
        mean, std = torch.tensor(schema.mean), torch.tensor(schema.std)
        if schema.support != "count":
            # one std for all pixels or binary columns, so that a pixel that is nearly always 0 is not amplified
            std = std.square().mean().sqrt().expand_as(std).clone()
        if schema.support == "real" and schema.kind == "vector":  # these are standardised already
            mean, std = torch.zeros_like(mean), torch.ones_like(std)
            std[list(schema.constant)] = torch.inf
        return cls(mean, std)


class Layout(NamedTuple):
    """Positions of a table's columns, in the order in which features and a likelihood's parameters have them.

    Attributes
    ----------
    numeric : columns of real numbers, in the order of the table.
    counts : columns of counts.
    atoms : those of the `numeric` columns that have an atom.
    dense : columns with at most `MAX_ONE_HOT` levels.
    large : columns with more levels.
    """

    numeric: tuple[int, ...]
    counts: tuple[int, ...]
    atoms: tuple[int, ...]
    dense: tuple[int, ...]
    large: tuple[int, ...]

    @classmethod
    def of(cls, schema: Schema) -> Layout:
        """Return the layout of the columns of a table's schema."""
        numeric: list[int] = []
        counts: list[int] = []
        dense: list[int] = []
        large: list[int] = []
        for j, column in enumerate(schema.used_columns):
            if column.has_levels:
                (dense if column.n_levels <= MAX_ONE_HOT else large).append(j)
            else:
                (counts if column.kind == "count" else numeric).append(j)
        atoms = [j for j in numeric if schema.used_columns[j].atom is not None]
        return cls(tuple(numeric), tuple(counts), tuple(atoms), tuple(dense), tuple(large))


def prepared_atoms(schema: Schema) -> Tensor:
    """Return the atom of each column in `Layout.atoms` on the model's scale."""
    layout = Layout.of(schema)
    raw = np.zeros((1, len(schema.used_columns)))
    raw[0, list(layout.atoms)] = [schema.used_columns[j].atom for j in layout.atoms]
    return schema.prepare(torch.from_numpy(raw))[0, list(layout.atoms)]


def is_atom(x: Tensor, atoms: Tensor) -> Tensor:
    """Return True where x (B x columns with an atom) holds the atom of its column, up to rounding."""
    return (x - atoms).abs() <= 1e-5 * (1 + atoms.abs())


class TableFeatures(nn.Module):
    """B x columns prepared numbers (NaN where missing) -> B x `n_features`.

    The first `n_shared` features belong to the parameters of `likelihoods.Mixed` one by one: numbers, counts,
    atoms, levels.
    """

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        layout, columns = Layout.of(schema), schema.used_columns
        self.n_numeric, self.has_counts = len(layout.numeric), bool(layout.counts)
        numbers = [*layout.numeric, *layout.counts]
        self._register("numbers", torch.tensor(numbers, dtype=torch.long))
        self._register("mean", torch.tensor([schema.mean[j] for j in numbers], dtype=torch.float32))
        self._register("factor", 1 / torch.tensor([schema.std[j] for j in numbers], dtype=torch.float32))
        self._register("with_atom", torch.tensor(layout.atoms, dtype=torch.long))
        self._register("atoms", prepared_atoms(schema))
        shares = torch.tensor([columns[j].atom_share for j in layout.atoms])
        self._register("atom_share", shares)
        self._register("atom_factor", (shares * (1 - shares)).rsqrt())
        owner, level, shift, scale = [], [], [], []
        for j in layout.dense:
            frequencies = columns[j].frequencies
            c = math.sqrt(sum(f * (1 - f) for f in frequencies)) or 1.0
            for code, share in enumerate(frequencies):
                owner.append(j)
                level.append(code)
                shift.append(share)
                scale.append(1 / c)
        self._register("owner", torch.tensor(owner, dtype=torch.long))
        self._register("level", torch.tensor(level, dtype=torch.float32))
        self._register("share", torch.tensor(shift, dtype=torch.float32))
        self._register("level_factor", torch.tensor(scale, dtype=torch.float32))
        self._register("n_levels", torch.tensor([float(columns[j].n_levels) for j in owner]))
        self._register("gaps", torch.tensor([j for j, share in enumerate(schema.gaps) if share > 0], dtype=torch.long))
        self._register_periods(schema)
        self.n_shared = len(numbers) + len(layout.atoms) + len(owner)
        self.n_features = self.n_shared + len(self.gaps) + 2 * len(self.dates)

    def forward(self, x: Tensor) -> Tensor:
        """B x columns -> B x n_features, float32 or wider."""
        x = x if x.dtype == torch.float64 else x.float()
        numbers = x[:, self.numbers]
        if self.has_counts:
            counts = numbers[:, self.n_numeric :].clamp(min=0).log1p()
            numbers = torch.cat([numbers[:, : self.n_numeric], counts], 1)
        parts = [torch.nan_to_num((numbers - self.mean) * self.factor)]
        if len(self.with_atom):
            cells = x[:, self.with_atom]
            holds = (is_atom(cells, self.atoms).to(x.dtype) - self.atom_share) * self.atom_factor
            parts.append(holds.masked_fill(torch.isnan(cells), 0.0))
        if len(self.owner):
            cells = x[:, self.owner]
            is_known = (cells >= 0) & (cells < self.n_levels)  # False for NaN
            one_hot = ((cells == self.level).to(x.dtype) - self.share) * self.level_factor
            parts.append(torch.where(is_known, one_hot, torch.zeros_like(one_hot)))
        if len(self.gaps):
            parts.append(torch.isnan(x[:, self.gaps]).to(x.dtype))
        if len(self.dates):
            # in single precision a time of day is exact to a minute, because the offset is reduced to a period first
            turns = torch.nan_to_num(x[:, self.dates]) * self.turns_per_unit + self.start_turns
            angle = 2 * math.pi * (turns - turns.floor())
            is_missing = torch.isnan(x[:, self.dates])
            parts += [part.masked_fill(is_missing, 0.0) for part in (angle.sin(), angle.cos())]
        return torch.cat(parts, 1)

    def _register(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value, persistent=False)

    def _register_periods(self, schema: Schema) -> None:
        dates, turns, starts = [], [], []
        for j, column in enumerate(schema.used_columns):
            if column.kind != "datetime":
                continue
            for name, period in _PERIODS.items():
                if column.high - column.low < 2 * period or (name == "day" and column.step >= period):
                    continue
                dates.append(j)
                turns.append(column.scale / period)
                starts.append(math.fmod((column.center - _MONDAY * (name == "week")) / period, 1.0))
        self._register("dates", torch.tensor(dates, dtype=torch.long))
        self._register("turns_per_unit", torch.tensor(turns, dtype=torch.float32))
        self._register("start_turns", torch.tensor(starts, dtype=torch.float32))

    numbers: Tensor
    with_atom: Tensor
    atoms: Tensor
    atom_share: Tensor
    atom_factor: Tensor
    mean: Tensor
    factor: Tensor
    owner: Tensor
    level: Tensor
    share: Tensor
    level_factor: Tensor
    n_levels: Tensor
    gaps: Tensor
    dates: Tensor
    turns_per_unit: Tensor
    start_turns: Tensor


class MeanFeatures(nn.Module):
    """Means of entries -> the features of an example that has these values: B x n_shared.

    The means are those of `Likelihood.soft_mean`: of a table, means of numbers and counts, and probabilities of atoms
    and levels, in the order of the features.
    """

    center: Tensor
    factor: Tensor
    is_count: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        if schema.kind == "table":
            table = TableFeatures(schema)
            center = torch.cat([table.mean, table.atom_share, table.share])
            factor = torch.cat([table.factor, table.atom_factor, table.level_factor])
            at = torch.arange(len(center))
            is_count = (at >= table.n_numeric) & (at < len(table.mean))
        else:
            center, std = (v.repeat_interleave(schema.n_entries // len(v)) for v in ArrayScale.of(schema))
            factor, is_count = 1 / std, torch.full(center.shape, schema.support == "count")
        for name, value in (("center", center), ("factor", factor), ("is_count", is_count)):
            self.register_buffer(name, value, persistent=False)

    def forward(self, means: Tensor) -> Tensor:
        """B x ... -> B x n_shared."""
        flat = means.flatten(1)
        logs = flat.clamp(min=0).log1p()
        return (torch.where(self.is_count, logs, flat) - self.center) * self.factor


def n_features(schema: Schema) -> int:
    """Return the number of features of one example, as a network sees it; of entries for vectors and images."""
    if schema.kind != "table":
        return schema.n_entries
    return TableFeatures(schema).n_features + LEVEL_VECTOR * len(Layout.of(schema).large)


def as_features(x: Tensor, schema: Schema) -> Tensor:
    """Return prepared examples (B x shape) as B x features without gaps.

    Tables have the features of `TableFeatures`. Vectors and images are flattened; a missing entry becomes the mean.
    """
    if schema.kind == "table":
        return TableFeatures(schema).to(x.device)(x)
    flat = x.flatten(1)
    is_missing = torch.isnan(flat)
    if not bool(is_missing.any()):
        return flat
    mean = torch.tensor(schema.mean, device=x.device, dtype=x.dtype)
    if schema.support == "count":
        mean = mean.expm1()  # the schema has that of log(1 + x)
    mean = mean.repeat_interleave(flat.shape[1] // len(mean))
    return torch.where(is_missing, mean, flat)
