"""The pace of a training: batch size, learning rate and length that suit a kind of model."""

from __future__ import annotations

import math
from dataclasses import replace

from narrows.params import counted
from narrows.training.device import Choice
from narrows.training.settings import Settings

_LEAST_DECAY = 0.03
_MOST_EPOCHS = 500  # a table of a hundred rows is not looked at two thousand times


def follow_pace(settings: Settings, n_train: int) -> tuple[Settings, tuple[Choice, ...]]:
    """Return the settings with the values of their pace where they were "auto", and the choices to report.

    Parameters
    ----------
    n_train : number of training rows.
    """
    pace = settings.pace
    if pace is None:
        return settings, ()
    choices = []
    if settings.batch_size == "auto":
        settings = replace(settings, batch_size=min(pace.batch_size, n_train))
        choices.append(Choice("batch_size", str(settings.batch_size), "suits this kind of model"))
    if settings.learning_rate == "auto":
        settings = replace(settings, learning_rate=pace.learning_rate)
        choices.append(Choice("learning_rate", f"{pace.learning_rate:g}", "suits this kind of model"))
    if settings.max_epochs == "auto":
        batch_size = settings.batch_size
        assert isinstance(batch_size, int)
        steps = math.ceil(n_train / batch_size)
        n_steps = min(max(pace.n_epochs * steps, pace.fewest_steps), pace.most_steps)
        epochs = min(max(1, round(n_steps / steps)), _MOST_EPOCHS)
        settings = replace(settings, max_epochs=epochs)
        reason = f"{counted(epochs * steps, 'step')} of {counted(batch_size, 'row')}"
        choices.append(Choice("max_epochs", str(epochs), reason))
    if settings.n_iter_no_change == "auto" and pace.patience is not None:
        settings = replace(settings, n_iter_no_change=pace.patience)
        choices.append(
            Choice("n_iter_no_change", str(pace.patience), "the loss of hidden cells falls in fits and starts")
        )
    if settings.weight_decay == "auto" and pace.decay_rows is not None:
        decay = min(1.0, max(_LEAST_DECAY, (pace.decay_rows / n_train) ** 2))
        settings = replace(settings, weight_decay=decay)
        choices.append(
            Choice("weight_decay", f"{decay:.2g}", f"for {counted(n_train, 'row')}; fewer are learned by heart sooner")
        )
    return settings, tuple(choices)
