"""`narrows encode`, `narrows decode` and `narrows reconstruct`: from examples to codes and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from narrows.cli import inputs, outputs, reading
from narrows.cli.app import USE, Data, Model, Out, OutOrFolder, Overwrite, app
from narrows.cli.reading_options import reads_data


@app.command(rich_help_panel=USE)
@reads_data
def encode(
    model: Model,
    data: Data,
    out: Annotated[
        Path,
        typer.Option(
            "-o", "--out", metavar="FILE", help="File: .npy, .parquet, .csv; of a sparse code .npz.", show_default=False
        ),
    ],
    sparse: Annotated[
        bool, typer.Option("--sparse", help="Write the active units alone, as .npz or .parquet.", show_default=False)
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write the codes of DATA: a few numbers for each example.

    Each row of codes belongs to the same row of DATA. A classifier, a
    search or a map can use the codes instead of the examples. For a named
    data set the test split is used, unless you write digits:train. DATA
    may be larger than memory: .npy and .parquet are read and written in
    blocks. If the rows have names (--id, files, an index) they are the
    first column of a .csv or .parquet. Of a sparse code, a .npz file and
    --sparse hold only the units that are active: scipy.sparse.load_npz
    reads the .npz, and a .parquet has lists of indices and values.

    For example:

        narrows encode digits-vae digits:train -o codes.npy

        narrows encode table-ae table.parquet -o codes.parquet --id customer
    """
    outputs.check_path(out, outputs.SPARSE if sparse else outputs.CODES, overwrite=overwrite)
    fitted = inputs.open_model(model, needs_code=True)
    outputs.check_sparse(out, fitted, is_sparse=sparse)
    rows, names = reading.open_rows(data, "test", fitted)
    outputs.write_stream(out, fitted, rows, "transform", names)


@app.command(rich_help_panel=USE)
def decode(
    model: Model,
    codes: Annotated[
        str, typer.Argument(metavar="CODES", help="File of codes, as `encode` writes it.", show_default=False)
    ],
    out: Out,
    overwrite: Overwrite = False,
) -> None:
    """Decode CODES and write the examples.

    CODES is a .npy or .csv file with a row for each example and a column
    for each component, or a file of sparse codes. `encode` writes such files; you may change them.
    The names of the rows are kept.

    For example:

        narrows decode digits-vae codes.npy -o digits.png
    """
    outputs.check_path(out, outputs.EXAMPLES, overwrite=overwrite)
    fitted = inputs.open_decoder(model, "Use `narrows reconstruct` with the rows, or `narrows sample` for new ones.")
    outputs.check_pictures(out, fitted)
    Z, names = reading.read_codes(codes, fitted)
    outputs.write_examples(out, fitted.inverse_transform(Z), fitted, names=names)


@app.command(rich_help_panel=USE)
@reads_data
def reconstruct(model: Model, data: Data, out: OutOrFolder, overwrite: Overwrite = False) -> None:
    """Encode and decode DATA, and write the reconstructions.

    A .png shows each example above its reconstruction. A table gets its
    columns, words and dates again; names of rows (--id, an index) come
    first.

    For example:

        narrows reconstruct digits-vae digits -o pairs.png

        narrows reconstruct table-ae table.csv -o smooth.csv
    """
    outputs.check_path(out, outputs.EXAMPLES, overwrite=overwrite, folder=True)
    fitted = inputs.open_model(model)
    outputs.check_pictures(out, fitted)
    if outputs.write_in_blocks(out, fitted, data, "reconstruct"):
        return
    loaded = reading.read_dataset(data, "test", fitted)
    result = fitted.reconstruct(loaded.X)
    compared = {"original": loaded.X, "reconstructed": result}
    outputs.write_examples(out, result, fitted, loaded, compared, reading.row_names(loaded))
