"""`narrows fit`: train a model into a folder, stop, resume."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, printing, reading
from narrows.cli.app import TRAIN, Assignments, Data, Device, Json, MaxEpochs, TrainingSeed, app, say
from narrows.cli.reading_options import reads_data

if TYPE_CHECKING:
    from narrows.data.files import Dataset
    from narrows.estimators import Estimator
    from narrows.training.parallel import World


@app.command(rich_help_panel=TRAIN)
@reads_data
def fit(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the model.", show_default=False)],
    recipe: Annotated[str, typer.Option(help="Kind of model: see `narrows recipes`.")] = "vae",
    n_components: Annotated[
        int | None, typer.Option(help="Number of components of a code.", show_default="depends on the recipe")
    ] = None,
    assignments: Assignments = None,
    max_time: Annotated[
        float | None,
        typer.Option(parser=inputs.parse_duration, metavar="TIME", help="Time limit, such as 90s, 5m or 1.5h."),
    ] = None,
    max_epochs: MaxEpochs = None,
    seed: TrainingSeed = None,
    device: Device = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the unfinished training in DIR.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is in DIR.")] = False,
    verbose: Annotated[
        int | None,
        typer.Option(
            help="0: silent; 1: a progress bar and the decisions; 2: a line for each epoch.", show_default="1"
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Train an autoencoder on DATA and save it in a folder.

    Options that you do not set are decided from the data, and each decision
    is printed with its reason. A table may hold words, dates and gaps;
    `narrows info DATA` shows what is seen in it. After Ctrl-C a checkpoint stays in the
    folder: the same command with --resume continues from it and ends with
    the same weights.

    For example:

        narrows fit digits --recipe vae --n-components 8 --out digits-vae

        narrows fit photos --recipe dae --set level=0.1,0.5 --max-time 5m --out d

        narrows fit digits --set conditional=true --out by-label

        narrows fit sales.csv --drop timestamp --label is_fraud --out s

        narrows fit table.csv --recipe tableae --out t

        narrows fit table.csv --recipe ae --set hidden=512,256 --out t --resume

        torchrun --nproc-per-node 4 -m narrows fit photos --out p
    """
    options: dict[str, Any] = {"n_components": n_components, "max_time": max_time, "max_epochs": max_epochs}
    options |= {"random_state": seed, "device": device, "verbose": verbose}
    with _join_processes(device or "auto") as world:
        if world.n_restarts and inputs.checkpoint_path(out).exists():
            resume, overwrite = True, False
        elif world.n_restarts and (out / "recipe.json").exists() and not overwrite:
            return  # the failure came after the model was saved
        model = inputs.make_estimator(recipe, assignments or [], options, verbose=1).set_params(checkpoint=str(out))
        model.says_findings = False  # they are printed with the options that mend them
        world.on_rank_zero(lambda: inputs.prepare_folder(out, resume=resume, overwrite=overwrite))
        loaded = world.rank_zero_first(lambda: reading.read_dataset(data, "train"))
        _state_memory(model, loaded)
        with _hint_at_resume(out, resume=resume):
            model.fit(loaded.X, loaded.y)
        if loaded.columns is not None and model.schema_.table is None:  # without pandas; columns are found by name
            model.schema_ = dataclasses.replace(model.schema_, columns=tuple(loaded.columns))
        is_said = model.verbose > 0
        model.set_params(checkpoint=None, track=None, verbose="auto")
        world.on_rank_zero(lambda: model.save(out))
        printing.show_fit(model, out, data, json=json, is_said=is_said)


@contextlib.contextmanager
def _join_processes(device: str) -> Iterator[World]:
    """Join the processes that torchrun started, if any. Only rank 0 prints, and the first process that has an error."""
    from narrows.training import parallel

    with contextlib.ExitStack() as stack:
        try:
            world = parallel.join(device)
            if world.rank > 0:
                null = stack.enter_context(open(os.devnull, "w"))
                stack.enter_context(contextlib.redirect_stdout(null))
                stack.enter_context(contextlib.redirect_stderr(null))
            yield world
        except (Exception, KeyboardInterrupt) as error:
            if parallel.is_first_to_report():
                raise
            raise typer.Exit(130 if isinstance(error, KeyboardInterrupt) else 1) from error


def _state_memory(model: Estimator, loaded: Dataset) -> None:
    """Print the memory of the training if all levels of a column are kept: it grows with their number."""
    if model.max_levels is not None:
        return
    from sklearn.base import clone

    from narrows.cli.forecast import forecast

    say(f"memory: {forecast(clone(model), loaded.X, loaded.y).describe_memory()}")


@contextlib.contextmanager
def _hint_at_resume(out: Path, *, resume: bool) -> Iterator[None]:
    """Say how to resume the training inside after Ctrl-C, or after a ValueError with --resume."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        message = str(stopped) or "Stopped."
        if not inputs.checkpoint_path(out).exists():
            raise KeyboardInterrupt(f"{message} Nothing was saved: there was no checkpoint yet.") from stopped
        raise KeyboardInterrupt(f"{message}\nContinue with:\n\n  {_resume_command()}\n") from stopped
    except ValueError as error:
        if resume and inputs.checkpoint_path(out).exists():
            error.add_note(
                "--resume needs the data and the options that the training started with; --overwrite starts again."
            )
        raise


def _resume_command() -> str:
    """Return the command line that resumes the training of this one."""
    program = ["python", "-m", "narrows"] if Path(sys.argv[0]).stem == "__main__" else ["narrows"]
    if "TORCHELASTIC_RUN_ID" in os.environ:
        program = ["torchrun", "--nproc-per-node", os.environ["LOCAL_WORLD_SIZE"], "-m", "narrows"]
    arguments = [argument for argument in sys.argv[1:] if argument not in ("--overwrite", "--resume")]
    return shlex.join([*program, *arguments, "--resume"])
