"""Photos of any size: train a denoiser on them, and clean them under their names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from narrows.cli import inputs
from narrows.cli.app import TRAIN, app, say


@app.command(rich_help_panel=TRAIN)
def fit_denoiser(
    photos: Annotated[Path, typer.Argument(metavar="PHOTOS", help="A folder of photos.", show_default=False)],
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="MODEL", help="The folder for the model.", show_default=False)
    ],
    clean: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Clean partners of PHOTOS, which are noisy.", show_default="none"),
    ] = None,
    method: Annotated[
        str, typer.Option(help="What PHOTOS are: clean; or noisy without partners, recorrupt or blind_spot.")
    ] = "clean",
    max_time: Annotated[
        str | None, typer.Option(metavar="TIME", help="90s, 5m or 1.5h, at most.", show_default="no limit")
    ] = None,
    max_epochs: Annotated[
        int | None, typer.Option(help="Passes over the photos, at most.", show_default="4,000 steps")
    ] = None,
    random_state: Annotated[int, typer.Option("--seed", help="Of everything random.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start anew over what is in MODEL.")] = False,
) -> None:
    """Train a denoiser for photos of any size and any level of noise.

    It learns from clean PHOTOS, to which it adds noise itself; from noisy
    ones with --clean; or from noisy ones alone with --method recorrupt
    (noise that is nearly Gaussian) or blind_spot (any noise that is
    independent between pixels, with coarser results). `narrows denoise`
    applies it. A training that was interrupted goes on where it stood.

    For example:

        narrows fit-denoiser photos/ --max-time 30m -o cleaner

        narrows fit-denoiser scans/ --method recorrupt -o cleaner
    """
    from narrows.tasks import PhotoDenoiser

    inputs.prepare(out, resume=inputs.checkpoint(out).exists() and not overwrite, overwrite=overwrite)
    model = PhotoDenoiser(
        method,
        max_time=None if max_time is None else inputs.duration(max_time),
        max_epochs="auto" if max_epochs is None else max_epochs,
        checkpoint=out,
        random_state=random_state,
        verbose=1,
    )
    model.fit(photos, clean).save(out)
    say(f"{out}: a denoiser for {'grey' if model.channels_ == 1 else 'colour'} photos")


def denoise(model: Path, data: str, out: Path, *, noise: float | None, ensemble: bool) -> None:
    """What `narrows denoise` does with a model of this kind."""
    if noise is not None:
        raise ValueError("--noise is for models of the recipe dae. Leave it out.")
    from narrows.tasks import PhotoDenoiser

    written = PhotoDenoiser.load(model).denoise_files(data, out, ensemble=ensemble)
    say(f"{out}: {len(written):,} photo{'s' if len(written) > 1 else ''}")


def is_denoiser(model: Path) -> bool:
    """Whether the model in that folder is one of these."""
    from narrows.tasks.loading import PhotoDenoiser, saved_class

    with inputs.unfinished_noted(model):
        return saved_class(model) is PhotoDenoiser
