"""`narrows fit-denoiser` and `narrows denoise`: train a denoiser, and clean noisy examples or photos of any size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, outputs, reading
from narrows.cli.app import TRAIN, USE, Data, Model, OutOrFolder, Overwrite, Seed, app, say
from narrows.cli.reading_options import reads_data
from narrows.params import counted

if TYPE_CHECKING:
    import numpy as np

    from narrows.estimators import Estimator


@app.command(rich_help_panel=TRAIN)
def fit_denoiser(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of photos.", show_default=False)],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="MODEL", help="Folder for the model.", show_default=False)
    ],
    clean: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder with a clean version of each photo, if PHOTOS are noisy.",
            show_default="none",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help="How to learn: clean for clean PHOTOS or with --clean; recorrupt or blind_spot for noisy PHOTOS "
            "without clean partners."
        ),
    ] = "clean",
    max_time: Annotated[
        str | None, typer.Option(metavar="TIME", help="Time limit, such as 90s, 5m or 1.5h.", show_default="no limit")
    ] = None,
    max_epochs: Annotated[
        int | None, typer.Option(help="Maximum number of passes over the photos.", show_default="4,000 steps")
    ] = None,
    random_state: Annotated[int, typer.Option("--seed", help="Seed of the random numbers.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in MODEL.")] = False,
) -> None:
    """Train a denoiser for photos of any size and any level of noise.

    It learns from clean PHOTOS and adds the noise itself. If PHOTOS are
    noisy, name their clean partners with --clean. Without partners, use
    --method recorrupt (for noise that is nearly Gaussian) or blind_spot
    (for any noise that is independent between pixels; the results are
    less sharp). `narrows denoise` applies the model. An interrupted
    training continues where it stopped if you repeat the command.

    For example:

        narrows fit-denoiser photos/ --max-time 30m -o cleaner

        narrows fit-denoiser scans/ --method recorrupt -o cleaner
    """
    from narrows.tasks import PhotoDenoiser

    inputs.prepare_folder(out, resume=inputs.checkpoint_path(out).exists() and not overwrite, overwrite=overwrite)
    model = PhotoDenoiser(
        method,
        max_time=None if max_time is None else inputs.parse_duration(max_time),
        max_epochs="auto" if max_epochs is None else max_epochs,
        checkpoint=out,
        random_state=random_state,
        verbose=1,
    )
    model.fit(photos, clean).save(out)
    say(f"{out}: a denoiser for {'grey' if model.channels_ == 1 else 'colour'} photos")


@app.command(rich_help_panel=USE)
@reads_data
def denoise(
    model: Model,
    data: Data,
    out: OutOrFolder,
    noise: Annotated[
        float | None,
        typer.Option(
            help="For a test on clean DATA: first add noise of this level, of the model's kind.", metavar="LEVEL"
        ),
    ] = None,
    seed: Seed = None,
    ensemble: Annotated[
        bool,
        typer.Option("--ensemble", help="Average over eight flips and rotations; only for models of fit-denoiser."),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Clean noisy DATA with a denoising model (recipe dae, or fit-denoiser).

    A .png shows each noisy example above the clean one. A folder gets one
    picture for each example, with the name of its file in DATA. Use
    --noise only to test a model on clean data.

    A model of fit-denoiser cleans photos of any size. DATA is then a
    folder (with its sub-folders), in which each photo keeps its format,
    mode and metadata, or one photo in a .npy file, which may be larger
    than memory.

    For example:

        narrows denoise cleaner scans/ -o cleaned/

        narrows denoise cleaner digits --noise 0.3 -o trial.png
    """
    outputs.check_path(out, outputs.EXAMPLES, overwrite=overwrite, folder=True)
    if _is_photo_denoiser(model):
        _denoise_photos(model, data, out, noise=noise, ensemble=ensemble)
        return
    fitted = inputs.open_model(model)
    outputs.check_pictures(out, fitted)
    _check_denoiser(fitted, ensemble)
    if noise is None and outputs.write_in_blocks(out, fitted, data, "denoise"):
        return
    loaded = reading.read_dataset(data, "test", fitted)
    clean, compared = _denoise_examples(fitted, loaded.X, noise, seed)
    outputs.write_examples(out, clean, fitted, loaded, compared, reading.row_names(loaded))


def _denoise_photos(model: Path, data: str, out: Path, *, noise: float | None, ensemble: bool) -> None:
    """Clean photos with a model of fit-denoiser."""
    from narrows.data.images import Options
    from narrows.tasks import PhotoDenoiser

    if noise is not None:
        raise ValueError("--noise is for models of the recipe dae. Leave it out.")
    if reading.image_options() != Options():
        raise ValueError("A model of fit-denoiser takes photos of any size: leave out --resize and --on-bad.")
    written = PhotoDenoiser.load(model).denoise_files(data, out, ensemble=ensemble)
    say(f"{out}: {counted(len(written), 'photo')}")


def _is_photo_denoiser(model: Path) -> bool:
    """Return True if the model in that folder was made by fit-denoiser."""
    from narrows.tasks.loading import PhotoDenoiser, saved_class

    with inputs.note_unfinished(model):
        return saved_class(model) is PhotoDenoiser


def _check_denoiser(model: Estimator, ensemble: bool) -> None:
    if ensemble:
        raise ValueError("--ensemble is for models of fit-denoiser. Leave it out.")
    if model.recipe.name != "dae":
        other = "impute" if model.recipe.is_tabular else "reconstruct"
        raise ValueError(f"denoise needs a model of the recipe dae. This one is {model.recipe.name}; try {other}.")


def _denoise_examples(
    model: Estimator, X: np.ndarray, noise: float | None, seed: int | None
) -> tuple[Any, dict[str, Any]]:
    """Return X cleaned, and the rows of a comparison picture. If `noise` is a level, add that noise to X first."""
    from narrows import corruptions
    from narrows.estimators.signature import as_seed
    from narrows.training import RandomStream
    from narrows.types import Batch

    if noise is None:
        clean = model.reconstruct(X)
        return clean, {"noisy": X, "clean": clean}
    rows = model.prepare(X)
    with RandomStream(as_seed(seed), rows.device, is_global=False).use():
        noisy = corruptions.noise(model.noise, noise)(Batch(rows, rows)).x
    schema = model.schema_
    clean = schema.as_frame(schema.restore(model.apply(model.model_.reconstruct, noisy)), like=X)
    return clean, {"original": X, "noisy": schema.as_frame(schema.restore(noisy), like=X), "clean": clean}
