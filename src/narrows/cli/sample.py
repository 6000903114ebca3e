"""`narrows sample` and `narrows traverse`: new examples from codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, outputs, reading
from narrows.cli.app import USE, Model, Out, Overwrite, Seed, app
from narrows.cli.given import parse_given
from narrows.cli.reading_options import reads_data

if TYPE_CHECKING:
    import numpy as np

    from narrows.estimators import Estimator


_TABLEAE = "Tables (recipe tableae)"
Given = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=VALUE",
        help="A cell that all rows have; the others are drawn so that they fit. Repeatable.",
        rich_help_panel=_TABLEAE,
    ),
]
Last = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="A column to draw after all others, such as the target of a classifier. Repeatable.",
        rich_help_panel=_TABLEAE,
    ),
]
Rare = Annotated[
    bool,
    typer.Option(
        "--rare",
        help="Draw also values that fewer than 10 training rows have; they may identify a person.",
        rich_help_panel=_TABLEAE,
    ),
]


@app.command(rich_help_panel=USE)
@reads_data
def sample(
    model: Model,
    out: Out,
    number: Annotated[int, typer.Option("-n", "--number", help="Number of examples.")] = 64,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="Label of the examples, for a model or a sampler fitted with labels. Repeatable: they take turns."
        ),
    ] = None,
    sampler: Annotated[
        str, typer.Option(help="Source of the codes: prior, gaussian, mixture or flow; auto takes the last one fitted.")
    ] = "auto",
    temperature: Annotated[
        float, typer.Option(help="Spread of the codes; below 1 examples are more typical and less varied.")
    ] = 1.0,
    learn: Annotated[
        str | None,
        typer.Option("--fit", metavar="DATA", help="First fit the sampler to the codes of DATA, and save it in MODEL."),
    ] = None,
    given: Given = None,
    last: Last = None,
    rare: Rare = False,
    seed: Seed = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw new examples that look like those that the model learned from.

    A VAE is made for this, and for tables a TableAE, which also takes known
    cells. A plain autoencoder draws its codes from a Gaussian fitted to the
    training codes, with poorer results. For VAE and AE a mixture or a flow
    is better: fit it to the training data with --fit.

    For example:

        narrows sample digits-vae -n 64 --seed 1 -o samples.png

        narrows sample table-model -n 1000 --given income='>50K' -o rows.csv

        narrows sample digits-ae --sampler mixture --fit digits:train -o s.png

        narrows sample by-label --label 3 --label 5 --temperature 0.7 -o 35.png
    """
    from narrows.estimators import TableAE

    outputs.check_path(out, outputs.EXAMPLES, overwrite=overwrite)
    fitted = inputs.open_model(model, needs_code=True)
    outputs.check_pictures(out, fitted)
    of_codes = {"--label": label, "--sampler": sampler if sampler != "auto" else None, "--fit": learn}
    of_tables = {"--given": given, "--last": last, "--rare": rare}
    _check_options(fitted, of_codes if fitted.recipe.is_tabular else of_tables)
    if isinstance(fitted, TableAE):
        cells = parse_given(fitted, given or []) or None
        options: dict[str, Any] = {"rare": rare, "temperature": temperature, "random_state": seed}
        outputs.write_examples(out, fitted.sample(number, given=cells, last=last or (), **options), fitted)
        return
    if learn is not None:
        loaded, name = reading.read_dataset(learn, "train", fitted), "mixture" if sampler == "auto" else sampler
        fitted.fit_sampler(loaded.X, name, loaded.y if label and name == "mixture" else None).save(model)
    y = _parse_labels(fitted, label, number)
    examples = fitted.sample(number, y=y, sampler=sampler, temperature=temperature, random_state=seed)
    outputs.write_examples(out, examples, fitted)


@app.command(rich_help_panel=USE)
@reads_data
def traverse(
    model: Model,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="File to write: .png or .npy.", show_default=False)
    ],
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="Data with the example to start with.", show_default=False)
    ] = None,
    row: Annotated[int, typer.Option(help="Number (from 0) of the example of DATA to start with.")] = 0,
    dials: Annotated[int, typer.Option(help="Maximum number of dials; those that carry most come first.")] = 16,
    steps: Annotated[int, typer.Option(help="Number of positions of each dial.")] = 9,
    span: Annotated[float, typer.Option(help="How far to turn to both sides, in standard deviations.")] = 3.0,
    overwrite: Overwrite = False,
) -> None:
    """Turn one dial after another: each component of a code has a row.

    In each row one component goes from low to high and the others stay, so
    you see what it stands for. The components that carry most come first
    (for a VAE: most nats of KL). Without DATA all rows start from the mean
    code.

    For example:

        narrows traverse digits-vae -o dials.png

        narrows traverse digits-vae digits --row 7 --dials 4 -o seven.png
    """
    import numpy as np

    outputs.check_path(out, (".png", ".npy"), overwrite=overwrite)
    fitted = inputs.open_decoder(model, "Use `narrows sample` with --given to see what goes with a value.")
    outputs.check_pictures(out, fitted)
    start = None if data is None else reading.take_row(reading.read_dataset(data, "test", fitted).X, row, "DATA")
    components, labels = outputs.choose_dials(fitted, dials)
    examples = fitted.traverse(start, components=components, n_steps=steps, span=span)
    outputs.write_dials(out, np.asarray(examples), labels, fitted)


def _check_options(fitted: Estimator, others: dict[str, Any]) -> None:
    """Raise if an option is set that only models of the other kind have."""
    wrong = next((option for option, value in others.items() if value), None)
    if wrong is None:
        return
    if fitted.recipe.is_tabular:
        raise ValueError(
            f"{wrong} is for models that draw codes. This one ({fitted.recipe.name}) draws cells: it has --given, "
            "--last and --rare."
        )
    raise ValueError(
        f"{wrong} is for models of the recipe tableae, which draw one cell after the other. This one is "
        f"{fitted.recipe.name}."
    )


def _parse_labels(model: Estimator, labels: list[str] | None, n: int) -> np.ndarray | None:
    """Return labels for `n` examples, in turn, in the model's type: on the command line a 3 is a string."""
    import numpy as np

    if not labels:
        return None
    of_samplers = [sampler.classes for sampler in getattr(model, "samplers_", {}).values()]
    known = {str(label): label for classes in (*of_samplers, model.schema_.classes) for label in classes or ()}
    return np.resize(np.asarray([known.get(label, label) for label in labels]), n)
