"""Columns of a map's page: what its colours, histograms and table show; the clusters of the map, and their names."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.ndimage
from scipy.cluster.hierarchy import DisjointSet

from narrows.data import EncodedRows, cells
from narrows.data.frames import Frame
from narrows.plots import content
from narrows.plots.cells import format_level
from narrows.plots.drawing import format_label
from narrows.report.display import Display

_MOST_COLUMNS = 12  # columns of the data on the page
_MOST_LEVELS = 60_000  # levels are 16-bit numbers
_MOST_NAMED = 40  # levels of a column that have a name on the map
_MISSING = 65_535
_LABEL_CLASSES = 40  # different whole numbers up to which labels are classes
_BINS, _WIDTH = 96, 2.0  # cells of the grid of densities along each side, and the width of its kernel, in cells
_SADDLE = 0.6  # two peaks are one cluster if the density between them is this share of the lower one's
_SMALLEST = 0.005  # share of the rows in the smallest cluster
_MEDOID_SAMPLE = 500
_CLEAR = 0.9  # share of a label from which a cluster is named without the share
_SHORT = 3  # letters of a level that says nothing without the name of its column, such as yes
_ROUNDING = 1e-6  # a smaller standard deviation, as a share of the mean, is one of rounding
_LEAST_DIFFERENCE = 0.5  # standard deviations of a mean that are worth a word


class MapColumn(NamedTuple):
    """A column of n rows: numbers or levels.

    Attributes
    ----------
    name : its name.
    values : (n,) floats, NaN where missing; or the position of each level in `levels`, -1 where missing.
    levels : names of the levels; None for numbers.
    is_date : True for seconds since 1970.
    is_cluster : True for the clusters of the map.
    """

    name: str
    values: np.ndarray
    levels: list[str] | None = None
    is_date: bool = False
    is_cluster: bool = False

    @property
    def has_values(self) -> bool:
        """True if at least one row has a value."""
        return bool((np.isfinite(self.values) if self.levels is None else self.values >= 0).any())

    def pack(self, places: np.ndarray) -> dict[str, Any]:
        """Return the column as JSON values, with a row in the middle of each level on a map (n x 2)."""
        if self.levels is None:
            kind = "date" if self.is_date else "number"
            dtype = np.float64 if self.is_date else np.float32
            return {"name": self.name, "kind": kind, "data": pack_array(self.values.astype(dtype))}
        named = range(len(self.levels)) if len(self.levels) <= _MOST_NAMED else range(0)
        codes = np.where(self.values < 0, _MISSING, self.values).astype(np.uint16)
        middles = [medoid(places, np.flatnonzero(self.values == level)) for level in named]
        packed = {"name": self.name, "kind": "level", "data": pack_array(codes), "levels": self.levels}
        return packed | {"medoids": middles, "isCluster": self.is_cluster}


def pack_array(values: np.ndarray) -> str:
    """Return the bytes of an array, little-endian, as base64."""
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode("ascii")


def label_column(name: str, labels: Any, n: int) -> MapColumn:
    """Return labels of n rows as a column. Words and few whole numbers are levels."""
    values = content.map_labels(labels, n, "write_map")
    if content.label_classes(values, _LABEL_CLASSES) is None:
        return MapColumn(name, _finite(values))
    levels, codes = np.unique(values, return_inverse=True)
    if len(levels) > _MOST_LEVELS:
        raise ValueError(f"The column {name!r} has {len(levels):,} levels; a map takes at most {_MOST_LEVELS:,}.")
    # `map_labels` has the word for a gap
    is_gap = np.isnan(levels) if levels.dtype.kind == "f" else levels.astype(str) == "missing"
    numbers = np.where(is_gap, -1, np.cumsum(~is_gap) - 1)
    return MapColumn(name, numbers[codes.ravel()], [format_label(level) for level in levels[~is_gap].tolist()])


def data_columns(display: Display, more: Mapping[str, np.ndarray]) -> list[MapColumn]:
    """Return the columns of a display's rows that have values, and `more` columns of the same rows by name.

    Columns of words with more levels than a map takes are left out.
    """
    n, view = len(display.rows), display.view
    given = (_value_column(name, values) for name, values in more.items())
    columns = [each for each in given if each is not None]
    taken = set(more)
    if display.frame is not None:
        columns += [c for c in _frame_columns(display.frame) if c.name not in taken]
    elif view is not None and isinstance(display.inspection.X, EncodedRows):
        for j, column in enumerate(view.columns):
            numbers, is_date = view.cells[:, j], column.kind == "datetime"
            if column.has_levels:
                levels = [format_level(column, level) for level in range(len(column.levels) + 1)]
                columns.append(MapColumn(str(column.name), np.nan_to_num(numbers, nan=-1).astype(int), levels))
            else:
                columns.append(MapColumn(str(column.name), numbers, is_date=is_date))
    elif display.schema.kind == "vector":
        flat = np.asarray(display.inspection.X).reshape(n, -1)
        names = content.entry_names(display.schema)
        if flat.shape[1] == len(names):
            label = "" if display.schema.columns else "column "
            columns += [MapColumn(label + names[j], flat[:, j].astype(float)) for j in range(len(names))]
    return [each for each in columns if each.has_values]


def _value_column(name: str, values: np.ndarray) -> MapColumn | None:
    """Return values of any type as a column. Few whole numbers are levels, as for labels."""
    if values.dtype.kind in "iuf":
        return label_column(name, values, len(values))
    return _as_column(name, cells.from_array(values))


def _frame_columns(frame: Frame) -> list[MapColumn]:
    columns = (_as_column(str(name), frame.cells(name)) for name in frame.names)
    return [column for column in columns if column is not None]


def _as_column(name: str, values: cells.Cells) -> MapColumn | None:
    """Return cells as a column; None for too many levels."""
    if values.type == "bool" and values.numbers is not None:
        return MapColumn(name, np.nan_to_num(values.numbers, nan=-1).astype(int), ["no", "yes"])
    if values.numbers is not None:
        return MapColumn(name, _finite(values.numbers), is_date=values.type == "date")
    if values.codes is None or len(values.values) > _MOST_LEVELS:
        return None
    return MapColumn(name, values.codes.astype(int), [str(value) for value in values.values])


def _finite(values: np.ndarray) -> np.ndarray:
    """Return numbers in double precision, NaN where they are not finite."""
    numbers = values.astype(float)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def choose(columns: Sequence[MapColumn], clusters: np.ndarray, first: Sequence[str]) -> list[MapColumn]:
    """Return at most twelve columns: those named `first`, and those that differ most between the clusters."""
    kept = [column for column in columns if column.name in first][:_MOST_COLUMNS]
    others = [column for column in columns if column.name not in first]
    if len(others) + len(kept) > _MOST_COLUMNS:
        strength = [_separation(column, clusters) for column in others]
        best = np.argsort(-np.asarray(strength), kind="stable")[: _MOST_COLUMNS - len(kept)]
        others = [others[i] for i in np.sort(best)]
    return kept + others


def _separation(column: MapColumn, clusters: np.ndarray) -> float:
    """Return the share of the variance between clusters, for levels that of the commonest one."""
    values = column.values.astype(float)
    if column.levels is not None:
        codes = column.values[column.values >= 0]
        values = (column.values == (np.bincount(codes).argmax() if len(codes) else 0)).astype(float)
    values = np.nan_to_num(values, nan=float(np.nanmean(values)) if np.isfinite(values).any() else 0.0)
    groups = clusters + 1
    counts = np.bincount(groups)
    means = np.bincount(groups, values) / counts.clip(min=1)
    total = float(values.var())
    return float((counts * np.square(means - values.mean())).sum() / len(values) / total) if total > 0 else 0.0


def medoid(places: np.ndarray, rows: np.ndarray) -> int:
    """Return the one of `rows` with the smallest sum of distances to the others on a map; -1 without rows."""
    if not len(rows):
        return -1
    sample = rows[:: -(-len(rows) // _MEDOID_SAMPLE)]
    apart = np.linalg.norm(places[sample][:, None] - places[sample][None], axis=2)
    return int(sample[apart.sum(1).argmin()])


def find_clusters(places: np.ndarray) -> np.ndarray:
    """Return the cluster of each place on a map (n x 2), the largest first; -1 for places between clusters.

    A cluster is a peak of the density with all cells of a grid from which the steepest way up ends there. Two peaks are
    one cluster if the density hardly falls between them.
    """
    low, high = np.quantile(places, [0.001, 0.999], axis=0)
    unit = ((places - low) / np.maximum(high - low, 1e-12)).clip(0, 1 - 1e-9)
    cell = np.ravel_multi_index(tuple((unit * _BINS).astype(int).T), (_BINS, _BINS))
    counts = np.bincount(cell, minlength=_BINS * _BINS).reshape(_BINS, _BINS).astype(float)
    width = _WIDTH * max(1.0, (2_000 / len(places)) ** (1 / 4))
    density = scipy.ndimage.gaussian_filter(counts, width, mode="constant")
    padded, numbers = np.pad(density, 1, constant_values=-1), np.pad(np.arange(_BINS * _BINS).reshape(_BINS, -1), 1)
    windows = [(slice(i, i + _BINS), slice(j, j + _BINS)) for i, j in itertools.product(range(3), repeat=2)]
    steepest = np.stack([padded[w] for w in windows]).argmax(0)
    up = np.choose(steepest, [numbers[w] for w in windows]).ravel()
    while (up[up] != up).any():
        up = up[up]
    clusters = _merge(up, density.ravel())[cell]
    values, sizes = np.unique(clusters, return_counts=True)
    kept = values[np.argsort(-sizes, kind="stable")][: int((sizes >= max(5, _SMALLEST * len(places))).sum())]
    number = {value: i for i, value in enumerate(kept.tolist())}
    return np.array([number.get(value, -1) for value in clusters.tolist()])


def _merge(peak: np.ndarray, density: np.ndarray) -> np.ndarray:
    """Return the peak of each cell after peaks with a high saddle between them became one, the higher."""
    grid = np.arange(len(peak)).reshape(_BINS, _BINS)
    sides = [(grid[:, :-1], grid[:, 1:]), (grid[:-1], grid[1:]), (grid[:-1, :-1], grid[1:, 1:])]
    a, b = (np.concatenate([pair[k].ravel() for pair in sides]) for k in range(2))
    differs = peak[a] != peak[b]
    a, b = a[differs], b[differs]
    saddle = np.minimum(density[a], density[b])
    joined = DisjointSet(np.unique(peak).tolist())
    highest = {root: root for root in joined}
    for i in np.argsort(-saddle, kind="stable").tolist():
        roots = joined[int(peak[a[i]])], joined[int(peak[b[i]])]
        tops = sorted((highest[root] for root in roots), key=lambda cell: float(density[cell]))
        if roots[0] != roots[1] and saddle[i] >= _SADDLE * density[tops[0]]:
            joined.merge(*roots)
            highest[joined[roots[0]]] = tops[1]
    return np.array([highest[joined[int(cell)]] for cell in peak])


def name_clusters(
    clusters: np.ndarray,
    label: MapColumn | None,
    columns: Sequence[MapColumn],
    codes: Any,
    *,
    is_sparse: bool,
    has_names: bool,
) -> list[str]:
    """Return a name for each cluster: its commonest label, or what distinguishes it from all rows.

    Labels that few clusters differ by, such as yes and no, are one of the columns.

    Parameters
    ----------
    label : labels with levels, or None.
    columns : columns that may distinguish clusters.
    codes : codes (n x L), which distinguish clusters if no column does; an array or a `scipy.sparse` one.
    is_sparse : True if the entries of a code are units.
    has_names : True if the columns have names. Units say more than the numbers of columns.
    """
    columns = [] if is_sparse and not has_names else [column for column in columns if column.has_values]
    label = label if label is not None and label.has_values else None
    n, names, spread = (
        int(clusters.max(initial=-1)) + 1,
        list[str](),
        _Spread(codes, "unit" if is_sparse else "component"),
    )
    if label is not None and 2 * len({_commonest(label, clusters == i)[0] for i in range(n)}) < n:
        columns, label = [label, *columns], None
    for cluster in range(n):
        inside = clusters == cluster
        name, share = ("", 0.0) if label is None else _commonest(label, inside)
        if not share:  # there is no label, or none is known here
            name = _differences(columns, spread, inside)
        elif share < _CLEAR:
            name = f"{name} {share:.0%}"
        same = sum(other == name or other.startswith(f"{name} (") for other in names)
        names.append(f"{name} ({same + 1})" if same else name)
    return names


def _commonest(label: MapColumn, inside: np.ndarray) -> tuple[str, float]:
    """Return the commonest label of the rows `inside`, and its share among them; 0 if none is known."""
    assert label.levels is not None
    codes = label.values[inside]
    counts = np.bincount(codes[codes >= 0], minlength=len(label.levels))
    return label.levels[int(counts.argmax())], float(counts.max() / max(len(codes), 1))


class _Spread:
    """Means and standard deviations of the components of codes (n x L). `word` is what a component is called."""

    def __init__(self, codes: Any, word: str) -> None:
        self.codes, self.word = codes, word
        self.mean = np.asarray(codes.mean(0, dtype=np.float64)).ravel()
        if isinstance(codes, np.ndarray):
            self.std = codes.std(0, dtype=np.float64)
        else:
            self.std = np.sqrt((np.asarray((codes * codes).mean(0, dtype=np.float64)).ravel() - self.mean**2).clip(0))

    def strongest(self, inside: np.ndarray) -> list[tuple[float, str]]:
        """Return the two components whose means inside differ most: by how many standard deviations, and in words."""
        apart = np.asarray(self.codes[np.flatnonzero(inside)].mean(0, dtype=np.float64)).ravel() - self.mean
        varies = self.std > _ROUNDING * np.abs(self.mean)
        z = np.divide(apart, self.std, out=np.zeros_like(apart), where=varies & (self.std > 0))
        best = np.argsort(-np.abs(z), kind="stable")[:2].tolist()
        directions = ["" if self.word == "unit" else " high" if z[i] > 0 else " low" for i in best]
        return [(abs(float(z[i])), f"{self.word} {i}{way}") for i, way in zip(best, directions, strict=True)]


def _differences(columns: Sequence[MapColumn], spread: _Spread, inside: np.ndarray) -> str:
    """Return the two strongest differences of the rows `inside` from all rows, in words."""
    found: list[tuple[float, str]] = []
    for column in columns:
        if column.levels is None:
            z = _distance(np.nan_to_num(column.values, nan=float(np.nanmean(column.values))), inside)
            found.append((abs(z), f"{column.name} {'high' if z > 0 else 'low'}"))
            continue
        n_levels = len(column.levels)
        share = [np.bincount(v[v >= 0], minlength=n_levels) / len(v) for v in (column.values[inside], column.values)]
        z_levels = (share[0] - share[1]) / np.sqrt((share[1] * (1 - share[1])).clip(1e-3))
        best = int(z_levels.argmax())
        level = column.levels[best]
        speaks = len(level) > _SHORT and not level[0].isdigit()  # without the name of its column
        found.append((float(z_levels[best]), level if speaks else f"{column.name} {level}"))
    if not found or max(found)[0] < _LEAST_DIFFERENCE:
        found += spread.strongest(inside)
    found.sort(key=lambda pair: -pair[0])
    # a level may stand in two columns, such as the labels and the column that they come from
    strong = list(dict.fromkeys(text for strength, text in found if strength >= _LEAST_DIFFERENCE))
    return ", ".join(strong[:2] or [found[0][1]])


def _distance(values: np.ndarray, inside: np.ndarray) -> float:
    """Return the mean inside minus the mean of all, in standard deviations of all; 0 for a constant."""
    mean, std = float(values.mean()), float(values.std())
    return float(values[inside].mean() - mean) / std if std > _ROUNDING * abs(mean) else 0.0
