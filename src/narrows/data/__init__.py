"""Data: files, named sets, schemas and batches. A schema describes the rows, and scales them in both directions."""

from narrows.data.arrays import (
    as_array,
    as_floats,
    as_rows,
    as_shared_tensor,
    check_numeric,
    count_rows,
    min_max,
    spaced_indices,
    subsample_evenly,
    take_rows,
)
from narrows.data.axes import PrincipalAxes, principal_axes
from narrows.data.examples import Examples
from narrows.data.infer import infer, white_level
from narrows.data.neighbors import leading_axes
from narrows.data.patches import Patches
from narrows.data.rows import Rows, free_bytes
from narrows.data.schema import Schema, Support, check_form, check_range, check_rows

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
    "as_shared_tensor",
    "check_form",
    "check_numeric",
    "check_range",
    "check_rows",
    "count_rows",
    "free_bytes",
    "infer",
    "leading_axes",
    "min_max",
    "principal_axes",
    "spaced_indices",
    "subsample_evenly",
    "take_rows",
    "white_level",
]
