"""Tables: rows of named columns as numbers, and back.

A `Table` holds what training rows looked like, column by column. `encode` turns a data frame into an array with one
number for each cell that the model sees, and `decode` turns such an array into a frame of the user's kind. The record
is JSON that a person can read, and enough to encode a single row without the training data.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
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
from narrows.data.columns import Column, list_unseen
from narrows.data.frames import Frame
from narrows.data.new_frames import NewColumn, build, build_numbers, build_rows
from narrows.data.plain import from_plain, to_plain
from narrows.params import counted

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

    def encode(self, X: Any, owner: str, optional: Sequence[Any] = ()) -> EncodedRows:
        """Return the rows of a frame, an array (n x all columns), a dict or a list of dicts as numbers.

        Columns are found by name, in any order, and other columns are ignored. A value of a category that was not seen
        in training becomes `Column.n_levels`, or the level `other`; one warning names such values.

        Parameters
        ----------
        optional : names of columns that X may lack; their cells are then missing.

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
        names = self._find_names(frame, owner, optional)
        numbers = np.empty((frame.n, len(self.used)), self.number_dtype)
        unseen: list[str] = []
        for j, column in enumerate(self.used):
            if column.name not in names:
                numbers[:, j] = np.nan
                continue
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
        if missing and (len(missing) == len(self.used) or any(str(name) not in self.texts for name in row)):
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
    def texts(self) -> frozenset[str]:
        """The names of all columns as text."""
        return frozenset(str(column.name) for column in self.columns)

    @functools.cached_property
    def _level_numbers(self) -> dict[Any, dict[Any, int]]:
        return {column.name: level_numbers(column) for column in self.used if column.has_levels}

    def _find_names(self, frame: Frame, owner: str, optional: Sequence[Any]) -> dict[Any, Any]:
        """Return the name in `frame` of each used column that it has."""
        if frame.kind == "array" and self.kind != "array":
            if len(frame.names) != len(self.columns):
                raise ValueError(
                    f"X passed to {owner} has {counted(len(frame.names), 'column')} without names, but the model was "
                    f"fitted on a table of {counted(len(self.columns), 'column')}. Pass a data frame with its names."
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
        is_gap = frame.kind == "rows" and names and all(str(name) in self.texts for name in frame.names)
        if not set(missing) <= set(optional) and not is_gap:
            raise _no_column(missing, frame.names, owner)
        return names

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
