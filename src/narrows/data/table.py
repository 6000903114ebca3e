"""Tables: rows of named columns as numbers, and back.

A `Table` holds what training rows looked like, column by column. `encode` turns a data frame into an array with one
number for each cell that the model sees, and `decode` turns such an array into a frame of the user's kind. The record
is JSON that a person can read, and enough to encode a single row without the training data.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from narrows.data import cells as cell_types
from narrows.data import frames
from narrows.data.cells import Cells
from narrows.data.column_codec import (
    as_cells,
    decode_column,
    empty,
    encode_column,
    encode_levels,
    level_numbers,
    repeat,
    with_dtype_of,
)
from narrows.data.columns import MAX_LEVELS, Column, list_unseen, look_at
from narrows.data.frames import Frame
from narrows.data.kinds import ColumnKind, check_kinds
from narrows.data.new_frames import NewColumn, build, build_numbers, build_rows
from narrows.data.plain import from_plain, to_plain

_CHUNK_ROWS = 65_536
_MAX_COLUMNS = 100_000  # each is looked at on its own, which takes about a millisecond
_SINGLE = ("float32", "Float32", "float", "float32[pyarrow]")  # names of the dtype in pandas, polars and pyarrow


class EncodedRows(np.ndarray):
    """Rows of a table as numbers, as `Table.encode` gives them (n x used columns).

    The class marks them, and slices keep it: methods of a fitted model take them in place of the user's table.
    """


@dataclass(frozen=True)
class Table:
    """Columns of the user's table.

    Attributes
    ----------
    columns : all columns in the user's order, also those that the model does not see.
    kind : library of the user's frame, as in `Frame.kind`.
    """

    columns: tuple[Column, ...]
    kind: str

    @functools.cached_property
    def used(self) -> tuple[Column, ...]:
        """The columns that the model sees, in the order of its numbers."""
        return tuple(column for column in self.columns if column.is_used)

    @functools.cached_property
    def left_out(self) -> tuple[Column, ...]:
        """The identifiers and texts, which the model does not see."""
        return tuple(column for column in self.columns if column.kind in ("identifier", "text"))

    @functools.cached_property
    def number_dtype(self) -> np.dtype:
        """The dtype of encoded rows: float32 if all columns have it, otherwise float64."""
        is_single = all(column.dtype in _SINGLE for column in self.used)
        return np.dtype(np.float32 if is_single else np.float64)

    def list_facts(self) -> list[str]:
        """Return lines for people: which columns and levels the model does not see, and why."""
        return list_unseen(self.columns)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the cached properties out of a pickle."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    # ------------------------------------------------------------------------------------------ to numbers

    def encode(self, X: Any, owner: str) -> EncodedRows:
        """Return the rows of a frame, an array (n x all columns), a dict or a list of dicts as numbers.

        Columns are found by name, in any order, and other columns are ignored. A value of a category that was not seen
        in training becomes `Column.n_levels`, or the level `other`; one warning names such values.

        Returns
        -------
        (n, len(used)) floats, NaN where a cell is missing.

        Raises
        ------
        ValueError
            If a column is missing, or holds infinity, or text where the training rows held numbers.
        TypeError
            If a column holds objects that are neither numbers, dates nor text.
        """
        if isinstance(X, Mapping):
            return self._encode_row(X, owner).astype(self.number_dtype, copy=False).view(EncodedRows)
        frame = frames.open_frame(X, owner)
        names = self._find_names(frame, owner)
        numbers = np.empty((frame.n, len(self.used)), self.number_dtype)
        unseen: list[str] = []
        for j, column in enumerate(self.used):
            cells = read_cells(frame, names[column.name], owner)
            numbers[:, j], new = encode_column(column, cells, owner)
            if new:
                unseen.append(f"{column.name!r} ({', '.join(new[:3])}{', ...' if len(new) > 3 else ''})")
        _warn_of_unseen(unseen, owner)
        return numbers.view(EncodedRows)

    def _encode_row(self, row: Mapping[Any, Any], owner: str) -> np.ndarray:
        """Return one row as 1 x len(used) numbers; a missing key is a missing cell if no key is unknown."""
        numbers = np.full((1, len(self.used)), np.nan)
        missing = [column.name for column in self.used if column.name not in row]
        if missing and (len(missing) == len(self.used) or any(str(name) not in self._texts for name in row)):
            raise _no_column(missing, list(row), owner)
        unseen: list[str] = []
        for j, column in enumerate(self.used):
            value = row.get(column.name)
            if cell_types.is_missing(value):
                continue
            if column.has_levels and column.cell_type not in ("date", "duration"):
                code = self._level_numbers[column.name].get(value)
                if code is None:
                    codes, new = encode_levels(column, [value])
                    code = int(codes[0])
                    unseen += [f"{column.name!r} ({name})" for name in new]
                numbers[0, j] = code
            elif isinstance(value, (int, float)):
                numbers[0, j] = value
            else:
                cells = as_cells(column, [value], owner)
                numbers[0, j] = encode_column(column, cells, owner)[0][0]
            if np.isinf(numbers[0, j]):
                raise ValueError(f"The column {column.name!r} of X passed to {owner} holds infinity.")
        _warn_of_unseen(unseen, owner)
        return numbers

    @functools.cached_property
    def _texts(self) -> frozenset[str]:
        return frozenset(str(column.name) for column in self.columns)

    @functools.cached_property
    def _level_numbers(self) -> dict[Any, dict[Any, int]]:
        return {column.name: level_numbers(column) for column in self.used if column.has_levels}

    def _find_names(self, frame: Frame, owner: str) -> dict[Any, Any]:
        """Return the name in `frame` of each used column."""
        if frame.kind == "array" and self.kind != "array":
            if len(frame.names) != len(self.columns):
                raise ValueError(
                    f"X passed to {owner} has {len(frame.names)} columns without names, but the model was fitted on a "
                    f"table of {len(self.columns)} columns. Pass a data frame with its names."
                )
            return {column.name: i for i, column in enumerate(self.columns)}
        if frame.kind == "array":
            if len(frame.names) != len(self.columns):
                raise ValueError(
                    f"X has {len(frame.names)} features, but {owner} is expecting {len(self.columns)} features as "
                    "input."
                )
            return {column.name: column.name for column in self.columns}
        by_text = {str(name): name for name in frame.names}
        exact = set(frame.names)
        names, missing = {}, []
        for column in self.used:
            if column.name in exact:
                names[column.name] = column.name
            elif str(column.name) in by_text:  # names of a file are text
                names[column.name] = by_text[str(column.name)]
            else:
                missing.append(column.name)
        # a key that a dict lacks is a missing cell, unless another key may be its misspelling
        is_gap = frame.kind == "rows" and names and all(str(name) in self._texts for name in frame.names)
        if missing and not is_gap:
            raise _no_column(missing, frame.names, owner)
        return {**names, **{name: name for name in missing}}

    # ------------------------------------------------------------------------------------------ from numbers

    def decode(self, numbers: np.ndarray, like: Any = None) -> Any:
        """Return numbers of `encode` (n x len(used)) as a frame with the user's columns and dtypes.

        Numbers are rounded where the user's were whole. Unknown levels and the level `other` become missing cells.

        Parameters
        ----------
        like : rows that the numbers belong to. The result has their index, library and, where the model saw no values
            (identifiers, text), their cells. None for a frame of the training table's library without such columns.
        """
        frame = self._open_like(like, len(numbers))
        kind = self.kind if frame is None else frame.kind
        positions = {column.name: j for j, column in enumerate(self.used)}
        columns, copied = [], {}
        for column in self.columns:
            if column.name in positions:
                user = column if frame is None else self._as_in(frame, column)
                new = decode_column(user, numbers[:, positions[column.name]])
            elif column.kind == "constant":
                new = repeat(column if frame is None else self._as_in(frame, column), len(numbers))
            elif kind in ("array", "rows") or (frame is not None and column.name in set(frame.names)):
                copied[column.name] = column  # of an array, so that the others keep their positions
                new = empty(column, len(numbers))
            else:
                continue
            columns.append(new)
        if kind == "array":
            return self._as_array(columns, None if frame is None else frame.data)
        if kind == "rows":
            return build_rows(columns, None if frame is None else frame.data, list(copied))
        kept = [column for column in columns if column.name not in copied]
        result = build(kind, kept, None if frame is None else frame.index)
        return result if frame is None else frames.copy_columns(result, frame, [c.name for c in columns], list(copied))

    def as_numbers(self, values: np.ndarray, like: Any = None) -> Any:
        """Return one number for each cell (n x len(used)) in the form of `like`: its library, index and names.

        An array has NaN in the columns that the model does not see; frames and dicts do not have these columns.
        """
        frame = self._open_like(like, len(values))
        kind = frame.kind if frame is not None else self.kind
        if kind == "array":
            result = np.full((len(values), len(self.columns)), np.nan)
            result[:, [column.is_used for column in self.columns]] = values
            return result
        names = [column.name for column in self.used]
        result = build_numbers(kind, names, values, None if frame is None else frame.index)
        return result if frame is None else frames.copy_columns(result, frame, names, [])

    def _open_like(self, like: Any, n: int) -> Frame | None:
        """Return `like` as a frame if it is one, or rows of the training array's form."""
        if frames.is_frame(like):
            return frames.open_frame(like, "decode")
        if self.kind == "array" and isinstance(like, (np.ndarray, list, tuple)) and not isinstance(like, EncodedRows):
            array = np.asarray(like, dtype=object)
            if array.shape == (n, len(self.columns)):
                return frames.open_frame(array, "decode")
        return None

    def _as_in(self, frame: Frame, column: Column) -> Column:
        """Return the column with the dtype that it has in a frame of another library than the training table."""
        if frame.kind in (self.kind, "rows"):
            return column
        try:
            return with_dtype_of(column, frame.cells(column.name))
        except (KeyError, TypeError, ValueError):
            return column

    def _as_array(self, columns: Sequence[NewColumn], source: np.ndarray | None) -> np.ndarray:
        dtypes = [np.dtype(c.dtype) for c in columns if c.categories is None]
        dtype = np.result_type(*dtypes) if dtypes else np.dtype(object)
        copied = set() if source is None else {column.name for column in self.left_out}
        has_gaps = any(column.missing.any() for column in columns if column.name not in copied)
        is_text = dtype.kind in "US"
        if is_text:
            dtype = np.dtype(object)  # text of any length
        if dtype.kind in "biu" and has_gaps:
            dtype = np.dtype(np.float64)
        array = np.empty((len(columns[0].values), len(columns)), dtype=dtype)
        for j, column in enumerate(columns):
            if source is not None and column.name in copied:
                array[:, j] = source[:, j]
                continue
            values = column.values
            if dtype.kind in "iu" and values.dtype.kind == "f":
                values = np.rint(values)
            array[:, j] = values
            if has_gaps:
                array[column.missing, j] = np.nan if dtype.kind == "f" else None
        return array.astype(str) if is_text and not has_gaps else array

    # ------------------------------------------------------------------------------------------ JSON

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain numbers, strings, lists and dicts. Fields that have their default are left out."""
        defaults = {field.name: field.default for field in fields(Column)}
        columns = [
            {name: to_plain(v) for name, v in asdict(column).items() if v != defaults.get(name)}
            for column in self.columns
        ]
        return {"kind": self.kind, "columns": columns}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Table:
        """Return the table from a result of `to_dict`, also after a journey through JSON."""
        columns = [Column(**{name: from_plain(v) for name, v in column.items()}) for column in values["columns"]]
        return cls(tuple(columns), values["kind"])


def look_at_table(
    frame: Frame,
    owner: str,
    kinds: Mapping[Any, ColumnKind] | None = None,
    max_levels: int | None = MAX_LEVELS,
    report: Callable[[float], None] = lambda done: None,
) -> tuple[Table, EncodedRows]:
    """Return the columns of a training table, and its rows as numbers (n x len(used)).

    Parameters
    ----------
    frame : the training rows.
    owner : name of the caller, for messages.
    kinds : kinds that the user names, by column; "identifier" leaves a column out.
    max_levels : largest number of levels of a column; None for all.
    report : called with the share of the columns that are done, in [0, 1].

    Raises
    ------
    ValueError
        If there are no rows or columns, or no column that the model can learn from, or `kinds` names an unknown column
        or kind, or a column holds infinity or values that do not fit the named kind.
    TypeError
        If a column holds objects that are neither numbers, dates nor text.
    """
    named = check_kinds(kinds, frame.names, owner)
    if not frame.names or not frame.n:
        what = "sample(s)" if frame.names else "feature(s)"
        raise ValueError(
            f"Found array with 0 {what} (shape={(frame.n, len(frame.names))}) while a minimum of 1 is required by "
            f"{owner}: the table is empty."
        )
    if len(frame.names) > _MAX_COLUMNS:
        raise ValueError(
            f"X passed to {owner} is a table of {len(frame.names):,} columns; at most {_MAX_COLUMNS:,} can each have a "
            "kind of their own. Pass an array if all columns are alike (X.to_numpy()), or fewer columns."
        )
    columns: list[Column] = []
    numbers = np.empty((frame.n, len(frame.names)))
    n_used = 0
    for position, name in enumerate(frame.names):
        report(position / len(frame.names))
        cells = read_cells(frame, name, owner)
        kind = named.get(name)
        if frame.kind == "array" and kind is None and cells.type in ("number", "bool"):
            kind = "real"  # numbers without names are never dropped or made categories
        try:
            column = look_at(name, cells, kind, max_levels)
        except ValueError as error:
            raise ValueError(f"X passed to {owner} cannot be used: {error}") from None
        columns.append(column)
        if column.is_used:
            numbers[:, n_used] = encode_column(column, cells, owner)[0]
            n_used += 1
    table = Table(tuple(columns), frame.kind)
    if not n_used:
        reasons = "; ".join(f"{c.name!r} is {c.kind} ({c.reason})" for c in columns[:5])
        could_vary = next((c.name for c in columns if c.kind != "constant"), None)
        remedy = "Pass columns that vary."
        if could_vary is not None:
            remedy = f"Name the kind of a column to use it, for instance columns={{{could_vary!r}: 'categorical'}}."
        raise ValueError(f"X passed to {owner} has no column to learn from: {reasons}. {remedy}")
    kept = _keep_columns(numbers, n_used)
    return table, kept.astype(table.number_dtype, copy=False).view(EncodedRows)


def _keep_columns(numbers: np.ndarray, n: int) -> np.ndarray:
    """Return the first `n` columns as a contiguous array, without a second array of that size."""
    if n == numbers.shape[1]:
        return numbers
    flat = numbers.reshape(-1)
    for start in range(0, len(numbers), _CHUNK_ROWS):
        piece = numbers[start : start + _CHUNK_ROWS, :n].copy()
        flat[start * n : start * n + piece.size] = piece.reshape(-1)
    return flat[: len(numbers) * n].reshape(-1, n)


def read_cells(frame: Frame, name: Any, owner: str) -> Cells:
    """Return the cells of one column. Raises TypeError, which names the column, for objects that are no cells."""
    try:
        return frame.cells(name)
    except TypeError as error:
        raise TypeError(f"The column {name!r} of X passed to {owner} cannot be used: {error}.") from None


def _no_column(missing: Sequence[Any], names: Sequence[Any], owner: str) -> ValueError:
    shown = ", ".join(map(repr, list(names)[:20])) + (", ..." if len(names) > 20 else "")
    return ValueError(
        f"X passed to {owner} must have the columns that the model was fitted on. It lacks "
        f"{', '.join(map(repr, list(missing)[:20]))}; it has {shown}."
    )


def _warn_of_unseen(unseen: Sequence[str], owner: str) -> None:
    if unseen:
        warnings.warn(
            f"X passed to {owner} holds values that were not seen in training, in {', '.join(unseen[:5])}"
            f"{', ...' if len(unseen) > 5 else ''}. Each counts as an unknown level of its column.",
            UserWarning,
            stacklevel=2,
        )
