"""Data: files, named sets, schemas and batches. A schema describes the rows, and scales them in both directions."""

from narrows.data.arrays import (
    as_array,
    as_floats,
    as_rows,
    as_shared_tensor,
    check_numeric,
    count_entries,
    count_rows,
    min_max,
    spaced_indices,
    subsample_evenly,
    take_rows,
)
from narrows.data.axes import PrincipalAxes, principal_axes
from narrows.data.bins import N_BINS
from narrows.data.blocks import BlockError, Blocks, is_blocks
from narrows.data.cells import as_cells, has_words, is_missing
from narrows.data.column_codec import decode_column
from narrows.data.columns import MAX_LEVELS, Column
from narrows.data.containers import check_container
from narrows.data.examples import Examples
from narrows.data.features import (
    LEVEL_VECTOR,
    ArrayScale,
    Layout,
    MeanFeatures,
    TableFeatures,
    as_features,
    is_atom,
    n_features,
    prepared_atoms,
)
from narrows.data.files.mapped import MappedRows, open_mapped, scan_rows
from narrows.data.filling import fill_missing
from narrows.data.frames import Frame, is_frame, open_frame
from narrows.data.infer import infer, infer_layers, white_level
from narrows.data.infer_table import infer_table
from narrows.data.kinds import KINDS, ColumnKind
from narrows.data.levels import GAP, Cells, Levels
from narrows.data.mixing import MixingBuffer
from narrows.data.neighbors import leading_axes
from narrows.data.normalizing import CENTERS, SCALES, normalize
from narrows.data.paired import PairedRows, PairSchema, read_schema, target_of, write_schema
from narrows.data.patches import Patches
from narrows.data.row_checks import check_form, check_range, check_rows, count_gaps, warn_of_gaps
from narrows.data.row_scaling import SCALINGS, ScaledRows, Scaling, scale_rows, weigh_rows
from narrows.data.rows import Rows, free_bytes
from narrows.data.schema import Schema, Support
from narrows.data.single import first_row, is_one, one_row, row_labels
from narrows.data.sparse_rows import SparseRows, as_dense, is_sparse, read_row_names, read_sparse_rows
from narrows.data.sparse_sinks import SPARSE_SUFFIXES, SparseMemory, open_sparse_sink, write_sparse_rows
from narrows.data.streams import open_path
from narrows.data.table import EncodedRows, Table
from narrows.data.training_table import look_at_table

__all__ = [
    "CENTERS",
    "GAP",
    "KINDS",
    "LEVEL_VECTOR",
    "MAX_LEVELS",
    "N_BINS",
    "SCALES",
    "SCALINGS",
    "SPARSE_SUFFIXES",
    "ArrayScale",
    "BlockError",
    "Blocks",
    "Cells",
    "Column",
    "ColumnKind",
    "EncodedRows",
    "Examples",
    "Frame",
    "Layout",
    "Levels",
    "MappedRows",
    "MeanFeatures",
    "MixingBuffer",
    "PairSchema",
    "PairedRows",
    "Patches",
    "PrincipalAxes",
    "Rows",
    "ScaledRows",
    "Scaling",
    "Schema",
    "SparseMemory",
    "SparseRows",
    "Support",
    "Table",
    "TableFeatures",
    "as_array",
    "as_cells",
    "as_dense",
    "as_features",
    "as_floats",
    "as_rows",
    "as_shared_tensor",
    "check_container",
    "check_form",
    "check_numeric",
    "check_range",
    "check_rows",
    "count_entries",
    "count_gaps",
    "count_rows",
    "decode_column",
    "fill_missing",
    "first_row",
    "free_bytes",
    "has_words",
    "infer",
    "infer_layers",
    "infer_table",
    "is_atom",
    "is_blocks",
    "is_frame",
    "is_missing",
    "is_one",
    "is_sparse",
    "leading_axes",
    "look_at_table",
    "min_max",
    "n_features",
    "normalize",
    "one_row",
    "open_frame",
    "open_mapped",
    "open_path",
    "open_sparse_sink",
    "prepared_atoms",
    "principal_axes",
    "read_row_names",
    "read_schema",
    "read_sparse_rows",
    "row_labels",
    "scale_rows",
    "scan_rows",
    "spaced_indices",
    "subsample_evenly",
    "take_rows",
    "target_of",
    "warn_of_gaps",
    "weigh_rows",
    "white_level",
    "write_schema",
    "write_sparse_rows",
]
