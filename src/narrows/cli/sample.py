"""`narrows sample` and `narrows traverse`: new examples from codes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from narrows.cli import inputs, outputs
from narrows.cli.app import USE, Model, Out, Seed, app

if TYPE_CHECKING:
    import numpy as np

    from narrows.estimators import Estimator


@app.command(rich_help_panel=USE)
def sample(
    model: Model,
    out: Out,
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
    outputs.check_path(out, outputs.EXAMPLES)
    fitted = inputs.open_model(model, needs_code=True)
    outputs.check_pictures(out, fitted)
    if learn is not None:
        loaded, name = inputs.read_dataset(learn, "train", fitted), "mixture" if sampler == "auto" else sampler
        fitted.fit_sampler(loaded.X, name, loaded.y if label and name == "mixture" else None).save(model)
    y = _parse_labels(fitted, label, number)
    examples = fitted.sample(number, y=y, sampler=sampler, temperature=temperature, random_state=seed)
    outputs.write_examples(out, examples, fitted)


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
    outputs.check_path(out, (".png", ".npy"))
    fitted = inputs.open_model(model, needs_code=True)
    outputs.check_pictures(out, fitted)
    start = None if data is None else inputs.take_row(inputs.read_dataset(data, "test", fitted).X, row, "DATA")
    components, labels = outputs.choose_dials(fitted, dials)
    examples = fitted.traverse(start, components=components, n_steps=steps, span=span)
    outputs.write_dials(out, examples, labels, fitted)


def _parse_labels(model: Estimator, labels: list[str] | None, n: int) -> np.ndarray | None:
    """Return labels for `n` examples, in turn, in the model's type: a 3 of the command line is a string."""
    import numpy as np

    if not labels:
        return None
    of_samplers = [sampler.classes for sampler in getattr(model, "samplers_", {}).values()]
    known = {str(label): label for classes in (*of_samplers, model.schema_.classes) for label in classes or ()}
    return np.resize(np.asarray([known.get(label, label) for label in labels]), n)
