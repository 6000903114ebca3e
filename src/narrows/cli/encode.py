"""`narrows encode`, `narrows decode` and `narrows reconstruct`: from examples to codes and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from narrows.cli import inputs, outputs
from narrows.cli.app import USE, Data, Model, Out, OutOrFolder, app


@app.command(rich_help_panel=USE)
@inputs.reads_data
def encode(
    model: Model,
    data: Data,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="FILE", help="File to write: .npy, .parquet or .csv.", show_default=False),
    ],
) -> None:
    """Write the codes of DATA: a few numbers for each example.

    Each row of codes belongs to the same row of DATA. A classifier, a
    search or a map can use the codes instead of the examples. For a named
    data set the test split is used, unless you write digits:train. DATA
    may be larger than memory: .npy and .parquet are read and written in
    blocks.

    For example:

        narrows encode digits-vae digits:train -o codes.npy

        narrows encode table-ae table.parquet -o codes.parquet
    """
    outputs.check_path(out, outputs.ARRAYS)
    fitted = inputs.open_model(model, needs_code=True)
    outputs.write_stream(out, fitted, inputs.open_source(data, "test", fitted), "transform")


@app.command(rich_help_panel=USE)
def decode(
    model: Model,
    codes: Annotated[
        str, typer.Argument(metavar="CODES", help="File of codes, as `encode` writes it.", show_default=False)
    ],
    out: Out,
) -> None:
    """Decode CODES and write the examples.

    CODES is a .npy or .csv file with a row for each example and a column
    for each component. `encode` writes such files; you may change them.

    For example:

        narrows decode digits-vae codes.npy -o digits.png
    """
    from narrows.data.files import read

    outputs.check_path(out, outputs.EXAMPLES)
    fitted = inputs.open_model(model, needs_code=True)
    outputs.check_pictures(out, fitted)
    examples = fitted.inverse_transform(read(codes).as_numbers().X)
    outputs.write_examples(out, examples, fitted)


@app.command(rich_help_panel=USE)
@inputs.reads_data
def reconstruct(model: Model, data: Data, out: OutOrFolder) -> None:
    """Encode and decode DATA, and write the reconstructions.

    A .png shows each example above its reconstruction.

    For example:

        narrows reconstruct digits-vae digits -o pairs.png

        narrows reconstruct table-ae table.csv -o smooth.csv
    """
    outputs.check_path(out, outputs.EXAMPLES, folder=True)
    fitted = inputs.open_model(model)
    outputs.check_pictures(out, fitted)
    if out.suffix.lower() in outputs.ARRAYS:
        outputs.write_stream(out, fitted, inputs.open_source(data, "test", fitted), "reconstruct")
        return
    loaded = inputs.read_dataset(data, "test", fitted)
    result = fitted.reconstruct(loaded.X)
    outputs.write_examples(out, result, fitted, loaded, {"original": loaded.X, "reconstructed": result})
