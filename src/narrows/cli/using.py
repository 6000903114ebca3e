"""What one does with a model: encode, decode, reconstruct, denoise, sample, traverse, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, outputs, photos, printing
from narrows.cli.app import USE, Data, Json, Model, Train, app

if TYPE_CHECKING:
    import numpy as np

    from narrows.estimators import Estimator

Examples = Annotated[
    Path,
    typer.Option("-o", "--out", metavar="FILE", help=".npy, .parquet, .csv, or .png for a sheet.", show_default=False),
]
ExamplesOrFolder = Annotated[
    Path,
    typer.Option(
        "-o",
        "--out",
        metavar="PATH",
        help=".npy, .parquet, .csv, .png for a sheet, or a new folder for one picture each.",
        show_default=False,
    ),
]
Seed = Annotated[int | None, typer.Option(help="Of the random numbers.", show_default="anew each time")]


@app.command(rich_help_panel=USE)
def encode(
    model: Model,
    data: Data,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help=".npy, .parquet or .csv.", show_default=False)
    ],
) -> None:
    """Write the codes of DATA: a few numbers for each example.

    A row of codes stands for a row of DATA; they are what a classifier,
    a search or a map works with instead of the examples. Of a named data
    set the test part is taken, unless you write digits:train. DATA may be
    larger than memory: .npy and .parquet are read and written in pieces.

    For example:

        narrows encode digits-vae digits:train -o codes.npy

        narrows encode table-ae table.parquet -o codes.parquet
    """
    outputs.check(out, outputs.ARRAYS)
    fitted = inputs.opened(model, needs_code=True)
    outputs.write_stream(out, fitted, inputs.source(data, "test", fitted), "transform")


@app.command(rich_help_panel=USE)
def decode(
    model: Model,
    codes: Annotated[str, typer.Argument(metavar="CODES", help="What `encode` wrote.", show_default=False)],
    out: Examples,
) -> None:
    """Write the examples that CODES stand for.

    CODES is a .npy or .csv file with a row for each example and a column
    for each component: what `encode` wrote, or what you made of it.

    For example:

        narrows decode digits-vae codes.npy -o digits.png
    """
    from narrows.data.files import read

    outputs.check(out, outputs.EXAMPLES)
    fitted = inputs.opened(model, needs_code=True)
    outputs.check_pictures(out, fitted)
    examples = fitted.inverse_transform(read(codes).X)
    outputs.write_examples(out, examples, fitted)


@app.command(rich_help_panel=USE)
def reconstruct(model: Model, data: Data, out: ExamplesOrFolder) -> None:
    """Put DATA through the narrow place and back, and write what comes out.

    A .png shows each example above its reconstruction.

    For example:

        narrows reconstruct digits-vae digits -o pairs.png

        narrows reconstruct table-ae table.csv -o smooth.csv
    """
    outputs.check(out, outputs.EXAMPLES, folder=True)
    fitted = inputs.opened(model)
    outputs.check_pictures(out, fitted)
    if out.suffix.lower() in outputs.ARRAYS:
        outputs.write_stream(out, fitted, inputs.source(data, "test", fitted), "reconstruct")
        return
    given = inputs.dataset(data, "test", fitted)
    result = fitted.reconstruct(given.X)
    outputs.write_examples(out, result, fitted, given, {"original": given.X, "reconstructed": result})


@app.command(rich_help_panel=USE)
def denoise(
    model: Model,
    data: Data,
    out: ExamplesOrFolder,
    noise: Annotated[
        float | None,
        typer.Option(
            help="First add the model's kind of noise at this level, to clean DATA as a trial.", metavar="LEVEL"
        ),
    ] = None,
    seed: Seed = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Average over eight flips and turns; for models of fit-denoiser.")
    ] = False,
) -> None:
    """Clean noisy DATA with a denoising model (recipe dae, or fit-denoiser).

    A .png shows each noisy example above the clean one; a folder gets one
    picture for each, under the names of DATA's files. DATA is taken as it
    is: --noise is for trying a model out on data that is clean.

    A model of fit-denoiser cleans photos of any size: those of a folder
    and its sub-folders, each of which keeps its format, mode and metadata,
    or one in a .npy file, which may be larger than memory.

    For example:

        narrows denoise cleaner scans/ -o cleaned/

        narrows denoise cleaner digits --noise 0.3 -o trial.png
    """
    outputs.check(out, outputs.EXAMPLES, folder=True)
    if photos.is_denoiser(model):
        photos.denoise(model, data, out, noise=noise, ensemble=ensemble)
        return
    fitted = inputs.opened(model)
    outputs.check_pictures(out, fitted)
    _check_denoiser(fitted, ensemble)
    if noise is None and out.suffix.lower() in outputs.ARRAYS:
        outputs.write_stream(out, fitted, inputs.source(data, "test", fitted), "denoise")
        return
    given = inputs.dataset(data, "test", fitted)
    clean, rows = _denoised(fitted, given.X, noise, seed)
    outputs.write_examples(out, clean, fitted, given, rows)


@app.command(rich_help_panel=USE)
def sample(
    model: Model,
    out: Examples,
    number: Annotated[int, typer.Option("-n", "--number", help="How many.")] = 64,
    label: Annotated[
        list[str] | None,
        typer.Option(help="Of what: a label that the model, or the sampler, was fitted with. Repeatable: in turn."),
    ] = None,
    sampler: Annotated[
        str, typer.Option(help="Where codes come from: prior, gaussian, mixture, flow; auto is the last one fitted.")
    ] = "auto",
    temperature: Annotated[float, typer.Option(help="Spread of the codes: below 1 more usual, less varied.")] = 1.0,
    learn: Annotated[
        str | None,
        typer.Option("--fit", metavar="DATA", help="First fit the sampler to DATA, and keep it in MODEL."),
    ] = None,
    seed: Seed = None,
) -> None:
    """Draw new examples that look like those the model learned from.

    A VAE is made for this. A plain autoencoder draws its codes from a
    Gaussian that fits the training codes, which is rougher; a mixture or a
    flow, fitted to the codes of the training data, is better for both.

    For example:

        narrows sample digits-vae -n 64 --seed 1 -o samples.png

        narrows sample digits-ae --sampler mixture --fit digits:train -o s.png

        narrows sample by-label --label 3 --label 5 --temperature 0.7 -o 35.png
    """
    outputs.check(out, outputs.EXAMPLES)
    fitted = inputs.opened(model, needs_code=True)
    outputs.check_pictures(out, fitted)
    if learn is not None:
        given, name = inputs.dataset(learn, "train", fitted), "mixture" if sampler == "auto" else sampler
        fitted.fit_sampler(given.X, name, given.y if label and name == "mixture" else None).save(model)
    y = _asked(fitted, label, number)
    drawn = fitted.sample(number, y=y, sampler=sampler, temperature=temperature, random_state=seed)
    outputs.write_examples(out, drawn, fitted)


@app.command(rich_help_panel=USE)
def traverse(
    model: Model,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help=".png or .npy.", show_default=False)],
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="Where the example to start from is.", show_default=False)
    ] = None,
    row: Annotated[int, typer.Option(help="Which example of DATA to start from.")] = 0,
    dials: Annotated[int, typer.Option(help="At most so many dials, those first that carry most.")] = 16,
    steps: Annotated[int, typer.Option(help="Positions of each dial.")] = 9,
    span: Annotated[float, typer.Option(help="How far to turn, in standard deviations.")] = 3.0,
) -> None:
    """Turn one dial after another: each component of a code has a row.

    In a row one component goes from low to high while the others stay, so
    one sees what it stands for. Rows come in the order of what they carry
    (for a VAE: nats of KL). Without DATA all start from the mean code.

    For example:

        narrows traverse digits-vae -o dials.png

        narrows traverse digits-vae digits --row 7 --dials 4 -o seven.png
    """
    outputs.check(out, (".png", ".npy"))
    fitted = inputs.opened(model, needs_code=True)
    outputs.check_pictures(out, fitted)
    start = None if data is None else inputs.row(inputs.dataset(data, "test", fitted).X, row, "DATA")
    chosen, labels = outputs.dial_order(fitted, dials)
    turned = fitted.traverse(start, components=chosen, n_steps=steps, span=span)
    outputs.write_dials(out, turned, labels, fitted)


@app.command(rich_help_panel=USE)
def evaluate(
    model: Model,
    data: Data,
    train: Train = None,
    beside: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Another model to measure in the same way.", show_default=False)
    ] = None,
    measures: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Only these: mse,nll,...", show_default="all that there are"),
    ] = None,
    draws: Annotated[int, typer.Option(help="K, draws of each code for the likelihood.")] = 64,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    json: Json = False,
) -> None:
    """Measure a model on DATA, best on data that it has not seen.

    Prints a table of what fits the model and the data, with 95 % intervals,
    beside PCA with as many components: reconstruction, nats per example,
    neighbours kept, sparsity, how good new examples are, whether the outlier
    threshold holds; with DATA that has labels, how well codes tell them apart.
    Of a named data set the test part is taken, unless you write digits:train.

    For example:

        narrows evaluate digits-vae digits --json

        narrows evaluate digits-vae digits --beside digits-ae --measures mse,ssim
    """
    from narrows.evaluation import evaluate as measure

    fitted, other = inputs.opened(model), None if beside is None else inputs.opened(beside)
    given, train = inputs.dataset(data, "test", fitted), train or inputs.training_part(data)
    found = measure(
        fitted,
        given.X,
        _classes(given.y),
        train=None if train is None else inputs.dataset(train, "train", fitted).X,
        beside=other,
        measures=None if measures is None else [name.strip().replace("-", "_") for name in measures.split(",")],
        n_draws=draws,
        random_state=seed,
    )
    printing.show_evaluation(found, json=json)


def _classes(y: np.ndarray | None) -> np.ndarray | None:
    """Labels that came with the data, where they say anything: there are at least two."""
    return None if y is None or (y == y[0]).all() else y


def _check_denoiser(model: Estimator, ensemble: bool) -> None:
    if ensemble:
        raise ValueError("--ensemble is for models of fit-denoiser. Leave it out.")
    if model.recipe.name != "dae":
        raise ValueError(f"denoise needs a model of the recipe dae. This one is {model.recipe.name}; try reconstruct.")


def _denoised(model: Estimator, X: np.ndarray, noise: float | None, seed: int | None) -> tuple[Any, dict[str, Any]]:
    """X cleaned, and the rows of a picture that shows it; with a level of `noise`, X with that noise cleaned."""
    from narrows import corruptions
    from narrows.estimators.signature import as_seed
    from narrows.training import RandomStream
    from narrows.types import Batch

    if noise is None:
        clean = model.reconstruct(X)
        return clean, {"noisy": X, "clean": clean}
    rows = model.prepared(X)
    with RandomStream(as_seed(seed), rows.device, is_global=False).use():
        noisy = corruptions.noise(model.noise, noise)(Batch(rows, rows)).x
    clean = model.schema_.restore(model.applied(model.model_.reconstruct, noisy))
    return clean, {"original": X, "noisy": model.schema_.restore(noisy), "clean": clean}


def _asked(model: Estimator, words: list[str] | None, n: int) -> np.ndarray | None:
    """Labels for `n` examples, the given ones in turn, as the model has them: a 3 of the command line is a word."""
    import numpy as np

    if not words:
        return None
    fitted = [sampler.classes for sampler in getattr(model, "samplers_", {}).values()]
    known = {str(label): label for classes in (*fitted, model.schema_.classes) for label in classes or ()}
    return np.resize(np.asarray([known.get(word, word) for word in words]), n)
