"""The length of a training that has a budget of examples, and the epochs into which it is divided.

An epoch is a pass over the training rows. Where the budget is shorter than many passes, an epoch is a part of a pass,
so that there are enough validations; of an iterator it is what the mixing buffer gives at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from narrows.params import counted
from narrows.training.device import Choice
from narrows.training.settings import Settings

MOST_HELD_OUT = 10_000  # largest number of held-out rows in a validation
_MOST_VALIDATIONS = 100
_TRAINING_PER_HELD_OUT = 9  # fewest training rows between two validations, for each held-out row
_FEWEST_STEPS = 50  # between two validations


@dataclass(frozen=True)
class Length:
    """The length of a training.

    Attributes
    ----------
    n_epochs : largest number of epochs.
    epoch_rows : rows of an epoch; None for all training rows.
    most_steps : largest number of steps; None without a budget.
    epochs_per_validation : number of epochs between two validations, at least.
    choices : the decisions to report.
    """

    n_epochs: int
    epoch_rows: int | None = None
    most_steps: int | None = None
    epochs_per_validation: int = 1
    choices: tuple[Choice, ...] = ()


def limit_length(
    settings: Settings,
    n_epochs: int,
    n_train: int,
    n_valid: int,
    batch_size: int,
    n_buffer: int | None,
    owner: str = "fit",
) -> Length:
    """Return the length of a training of `n_epochs` passes, limited by the budget of `settings`.

    Parameters
    ----------
    n_train, n_valid : numbers of training rows and of held-out rows; of an iterator, of all that are to be read.
    n_buffer : rows in memory of an iterator, held-out ones included; None for rows that can be drawn in any order.
    owner : name of the estimator, for the message.

    Raises
    ------
    ValueError
        If the buffer holds less than two batches.
    """
    between = max(_TRAINING_PER_HELD_OUT * min(n_valid, MOST_HELD_OUT), _FEWEST_STEPS * batch_size)
    if n_buffer is not None:
        if n_buffer - n_valid < 2 * batch_size:
            raise ValueError(
                f"The `buffer_size` parameter of {owner} must be at least {3 * batch_size:,}, three batches of "
                f"{batch_size:,}. Got {n_buffer:,} instead."
            )
        n_steps = max(1, n_train // batch_size)
        epoch_rows = max(1, (n_buffer - n_valid) // 2 // batch_size) * batch_size
        between = max(between, n_train // _MOST_VALIDATIONS)
        reason = (
            f"{counted(n_steps, 'step')} of {counted(batch_size, 'example')} from a buffer of "
            f"{counted(n_buffer - n_valid, 'row')}"
        )
        choice = Choice("max_examples", f"{n_train + n_valid:,}", reason)
        n_epochs = math.ceil(n_steps * batch_size / epoch_rows)
        return Length(n_epochs, epoch_rows, n_steps, max(1, between // epoch_rows), (choice,))
    if settings.max_examples is None:
        return Length(n_epochs)
    n_steps = min(max(1, settings.max_examples // batch_size), n_epochs * math.ceil(n_train / batch_size))
    between = max(between, n_steps * batch_size // _MOST_VALIDATIONS)
    choice = Choice("max_examples", f"{settings.max_examples:,}", counted(n_steps, "step"))
    if between >= n_train:
        return Length(math.ceil(n_steps * batch_size / n_train), None, n_steps, 1, (choice,))
    epoch_rows = math.ceil(between / batch_size) * batch_size
    return Length(math.ceil(n_steps * batch_size / epoch_rows), epoch_rows, n_steps, 1, (choice,))
