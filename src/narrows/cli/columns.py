"""Columns of a table as commands show them: kinds, gaps, ranges and likelihoods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from narrows.params import counted

if TYPE_CHECKING:
    from narrows.data import Schema
    from narrows.data.columns import Column
    from narrows.data.table import Table

_MOST_NAMES = 12  # in a line
_MOST_LEVELS = 8  # in the JSON document


def describe_column(column: Column, likelihood: str | None) -> dict[str, Any]:
    """Return a column as a record for `narrows info --json`.

    `likelihood` is that of all columns, or None if each column has that of its kind.
    """
    from narrows.likelihoods import name_likelihood

    record: dict[str, Any] = {
        "name": str(column.name),
        "kind": column.kind,
        "dtype": column.dtype,
        "reason": column.reason,
        "used": column.is_used,
        "missing": column.gaps,
        "likelihood": (likelihood or name_likelihood(column)) if column.is_used else None,
    }
    if column.has_levels:
        shares = zip(column.levels[:_MOST_LEVELS], column.frequencies, strict=False)
        record |= {"n_levels": len(column.levels), "n_rare": column.n_rare}
        record["levels"] = [{"value": level, "share": share} for level, share in shares]
    elif column.kind == "constant":
        record["value"] = column.levels[0] if column.levels else None
    elif column.is_used:
        record |= {"low": column.low, "high": column.high}
        if column.atom is not None:
            record |= {"atom": column.atom, "atom_share": column.atom_share}
    return record


def list_cells(table: Table, likelihood: str | None) -> list[tuple[str, str, str, str]]:
    """Return a row for each column: name, what it holds, likelihood, and the reason for its kind."""
    from narrows.likelihoods import name_likelihood

    return [
        (
            str(column.name),
            column.describe(),
            (likelihood or name_likelihood(column)) if column.is_used else "left out",
            column.reason,
        )
        for column in table.columns
    ]


def summarize_columns(schema: Schema) -> list[str]:
    """Return lines about the kinds of the columns, those that are left out, and gaps; none for arrays."""
    table = schema.table
    if table is None or table.kind == "array":
        return []
    by_kind: dict[str, list[Column]] = {}
    for column in table.used:
        by_kind.setdefault(column.kind, []).append(column)
    lines = [f"{kind.replace('_', '-')}: {_join(map(_name_with_levels, group))}" for kind, group in by_kind.items()]
    if len(lines) == 1 and schema.kind != "table":
        lines = []
    for kind in ("identifier", "text"):
        lines += [f"left out: {c.name} ({kind}: {c.reason})" for c in table.columns if c.kind == kind]
    constants = [c for c in table.columns if c.kind == "constant"]
    if constants:
        lines.append(f"not learned, because constant: {_join(_name_with_value(c) for c in constants)}")
    gaps = [f"{c.name} {c.gaps:.1%}" for c in sorted(table.used, key=lambda c: -c.gaps) if c.gaps]
    if gaps:
        lines.append(f"missing cells: {_join(gaps)}")
    rare = [
        f"{c.name} ({counted(c.n_rare, 'level')}, {c.frequencies[-1]:.1%} of the cells)" for c in table.used if c.n_rare
    ]
    if rare:
        lines.append(f"rare levels, together as `other`: {_join(rare)}; --max-levels none keeps all")
    return lines


def _name_with_levels(column: Column) -> str:
    return f"{column.name} ({column.n_levels:,})" if column.has_levels and column.n_levels > 2 else str(column.name)


def _name_with_value(column: Column) -> str:
    return f"{column.name} ({f'always {column.levels[0]}' if column.levels else 'no value'})"


def _join(names: Any) -> str:
    listed: Sequence[str] = list(names)
    more = f" and {len(listed) - _MOST_NAMES:,} more" if len(listed) > _MOST_NAMES else ""
    return ", ".join(listed[:_MOST_NAMES]) + more
