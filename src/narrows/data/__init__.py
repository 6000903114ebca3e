"""Data: what comes in is described once, batched in the right place, and undone on the way out."""

from narrows.data.arrays import (
    as_array,
    as_floats,
    as_rows,
    check_numeric,
    counted,
    evenly,
    extremes,
    shared,
    spaced,
    taken,
)
from narrows.data.axes import PrincipalAxes, principal_axes
from narrows.data.examples import Examples
from narrows.data.neighbours import leading_axes
from narrows.data.patches import Patches
from narrows.data.rows import Rows, free_bytes
from narrows.data.schema import Schema, Support, check_form, check_range, check_rows, infer

__all__ = [
    "Examples",
    "Patches",
    "PrincipalAxes",
    "Rows",
    "Schema",
    "Support",
    "as_array",
    "as_floats",
    "as_rows",
    "check_form",
    "check_numeric",
    "check_range",
    "check_rows",
    "counted",
    "evenly",
    "extremes",
    "free_bytes",
    "infer",
    "leading_axes",
    "principal_axes",
    "shared",
    "spaced",
    "taken",
]
