"""`narrows units`: a page of all units of a sparse autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from narrows.cli import inputs, outputs, reading
from narrows.cli.app import USE, Data, Model, Overwrite, app, say
from narrows.cli.reading_options import reads_data


@app.command(rich_help_panel=USE)
@reads_data
def units(
    model: Model,
    data: Data,
    texts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A text for each example, one on each line, such as the documents or the tokens that DATA encodes.",
            show_default=False,
        ),
    ] = None,
    context: Annotated[
        int, typer.Option(help="Number of lines before and after each text to show with it, for tokens.")
    ] = 0,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="File to write: .html.")] = Path(
        "units.html"
    ),
    n: Annotated[int, typer.Option("--n", "-n", help="Number of examples to show for each unit.")] = 10,
    overwrite: Overwrite = False,
) -> None:
    """Write a page about all units of a sparse autoencoder on DATA, as one HTML file.

    It lists each unit with how often it is active, the examples for which
    it is most active, and similar units, to search, filter and sort. DATA is
    read once, and may be larger than memory. MODEL may be a folder of
    SAELens, sparsify, dictionary_learning, Gemma Scope or Llama Scope, too.

    For example:

        narrows units embeddings-sae embeddings.npy --texts documents.txt -o units.html
    """
    from narrows.report import write_units

    outputs.check_path(out, (".html",), overwrite=overwrite)
    fitted = _open_model(model)
    X: Any = reading.open_blocks(data, fitted)
    if X is None:
        X = reading.read_dataset(data, "test", fitted).X
    lines = None if texts is None else _read_lines(texts.expanduser())
    write_units(fitted, X, out, texts=lines, context=context, n=n, title=f"The units of {model.resolve().name}")
    say(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def _open_model(folder: Path) -> Any:
    """Open an SAE or a crosscoder of narrows, or a dictionary of another program."""
    from narrows.dictionaries import load_dictionary
    from narrows.estimators import UnitEstimator

    is_ours = not folder.exists() or (folder / "recipe.json").exists()
    fitted = inputs.open_model(folder) if is_ours else load_dictionary(folder)
    if not isinstance(fitted, UnitEstimator):
        raise ValueError(f"The model in {folder} ({fitted.recipe.name}) has no units: fit one with --recipe sae.")
    return fitted


def _read_lines(path: Path) -> list[str]:
    """Read the lines of a file, which end in a line feed or in a carriage return and one.

    A text may hold what `str.splitlines` takes for an end, such as U+2028 or a carriage return alone.
    """
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8 ({error}). Save it as UTF-8.") from error
    return [line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]
