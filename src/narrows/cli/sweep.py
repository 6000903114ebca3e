"""`narrows sweep`: how many components are enough."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, printing, reading
from narrows.cli.app import TRAIN, Assignments, Data, Device, Json, MaxEpochs, TrainingSeed, app, say
from narrows.cli.reading_options import reads_data

if TYPE_CHECKING:
    from narrows.tasks.sweep import Sweep


@app.command(rich_help_panel=TRAIN)
@reads_data
def sweep(
    data: Data,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the results.", show_default=False)
    ],
    recipe: Annotated[str, typer.Option(help="Kind of model: see `narrows recipes`.")] = "ae",
    sizes: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Numbers of components to try.", show_default="1,2,4,... up to 32"),
    ] = None,
    share: Annotated[
        float, typer.Option(help="Fraction of the best size's improvement over no code that is enough.")
    ] = 0.95,
    test: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Held-out data to compare the sizes on.",
            show_default="the test split of named data; otherwise a tenth of DATA",
        ),
    ] = None,
    assignments: Assignments = None,
    max_epochs: MaxEpochs = None,
    seed: TrainingSeed = None,
    device: Device = None,
    separate: Annotated[bool, typer.Option("--separate", help="Train each size from the start.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the sweep in DIR.")] = False,
    json: Json = False,
) -> None:
    """Find out how many components are enough.

    The largest size is trained first. If the model allows it, each smaller
    one is made from the next larger one: all together take less than twice as
    long as the largest. DIR gets a plot of quality against size (sweep.png),
    the results (sweep.json) and the model of each size (size-8, ...). After
    Ctrl-C the same command continues with the sizes that are not done.

    For example:

        narrows sweep digits --recipe ae --sizes 1,2,4,8,16,32 -o sizes

        narrows evaluate sizes/size-16 digits
    """
    from narrows.tasks.sweep import sweep as run

    numbers = None if sizes is None else _parse_sizes(sizes)  # before anything is read
    named = [assignment.partition("=")[0].strip().replace("-", "_") for assignment in assignments or []]
    if "n_components" in named:
        raise typer.BadParameter("the sweep varies n_components: name the numbers with --sizes.")
    parameters = {"max_epochs": max_epochs, "random_state": seed, "device": device}
    inputs.check_sizes_apply(recipe)
    model = inputs.make_estimator(recipe, assignments or [], parameters, verbose=1)
    X: Any = reading.read_dataset(data, "train").X
    test = test or _find_test_split(data)
    options: dict[str, Any] = {
        "sizes": numbers,
        "test": None if test is None else reading.read_dataset(test, "test").X,
        "folder": out,
        "warm_start": False if separate else "auto",
        "overwrite": overwrite,
    }
    _show(run(model, X, share=share, **options), out, json=json)


def _parse_sizes(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"--sizes must be whole numbers, such as 1,2,4,8. Got {text!r}.") from error


def _find_test_split(data: str) -> str | None:
    """Return the name of the test split if `data` is a named data set or its training split, otherwise None."""
    name = data.removesuffix(":train")
    return (
        f"{name}:test" if reading.find_training_split(f"{name}:test") == f"{name}:train" and ":" not in name else None
    )


def _show(result: Sweep, out: Path, *, json: bool) -> None:
    if json:
        printing.show_json({**result.to_dict(), "folder": str(out)})
        return
    print(result)
    say(f"\nPicture: {out / 'sweep.png'}\nTry next:\n  narrows info {out / f'size-{result.recommended}'}")
