"""What a training is asked to do, and what is decided where the user leaves it open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from narrows.training.device import Choice

_AUTO_STEPS = 15_000  # enough for the networks here to settle on data of common sizes
_AUTO_EPOCHS = (20, 300)
_HEAVY = 10e9  # floating-point operations a step, from which on a training makes do with fewer, longer steps
_HEAVY_STEPS, _HEAVY_EPOCHS = 4_000, (5, 300)
_RATE = 1e-3  # of Adam, at the batch size below
_RATE_BATCH = 64
_FEWEST_HELD_OUT = 20  # rows under which a held-out loss says nothing


@dataclass(frozen=True)
class Settings:
    """How to train. "auto" leaves the decision to narrows, which says what it decided.

    Attributes
    ----------
    batch_size : examples a step.
    optimizer : "adamw" or "muon", see `narrows.training.muon`.
    learning_rate : of Adam, at its height.
    weight_decay : of AdamW: each step shrinks the weights by learning_rate * weight_decay.
    max_epochs : passes over the data, at most.
    max_time : seconds, at most; None for no limit.
    early_stopping : whether rows are held out, to end the hold at a plateau and to keep the best weights.
    validation_fraction : the share of rows held out.
    n_iter_no_change : looks at the held-out loss without improvement that make a plateau.
    device, precision, compile : see `narrows.training.device`.
    seed : of everything random.
    verbose : 0, 1 or 2.
    checkpoint : the folder for checkpoints, or None.
    checkpoint_every : seconds between checkpoints.
    constant : whether the learning rate stays at its height, without warm-up or cool-down.
    sharded : whether each of several processes holds a share of the model rather than all of it.
    track : where the history goes while it is made, see `narrows.training.tracking`.
    """

    batch_size: int | Literal["auto"] = "auto"
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float | Literal["auto"] = "auto"
    weight_decay: float | Literal["auto"] = "auto"
    max_epochs: int | Literal["auto"] = "auto"
    max_time: float | None = None
    early_stopping: bool = True
    validation_fraction: float = 0.1
    n_iter_no_change: int | Literal["auto"] = "auto"
    device: str = "auto"
    precision: str = "auto"
    compile: bool | Literal["auto"] = "auto"
    seed: int = 0
    verbose: int = 0
    checkpoint: Path | None = None
    checkpoint_every: float = 30.0
    constant: bool = False
    sharded: bool | Literal["auto"] = "auto"
    track: Any = None


@dataclass(frozen=True)
class Plan:
    """Settings with the open ones decided, for a certain number of rows."""

    n_train: int
    n_valid: int
    batch_size: int
    learning_rate: float
    epochs: int
    choices: tuple[Choice, ...]

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass; the last batch is filled up from the pass's own beginning, so that all have one size."""
        return math.ceil(self.n_train / self.batch_size)

    @property
    def epochs_per_look(self) -> int:
        """Epochs between two looks at the held-out loss: at least fifty steps."""
        return max(1, math.ceil(50 / self.steps_per_epoch))


def plan(settings: Settings, n: int, operations: float = 0.0, processes: int = 1) -> Plan:
    """Decide what `settings` leave open, for `n` rows, each of which costs a step so many `operations`.

    A batch is that of all `processes` together, each of which must have a row of it.

    Raises
    ------
    ValueError
        If there are fewer rows to train on than processes.
    """
    choices = []
    n_valid = round(settings.validation_fraction * n) if settings.early_stopping else 0
    if settings.early_stopping and n_valid < _FEWEST_HELD_OUT:
        reason = f"{n_valid} of {n} rows are too few to judge by; all are trained on, and the last weights kept"
        choices.append(Choice("early_stopping", "False", reason))
        n_valid = 0
    n_valid = min(n_valid, n - 1)
    n_train = n - n_valid
    if settings.batch_size == "auto":
        batch = 128 if n_train >= 10_000 else 64 if n_train >= 1_000 else 32
        choices.append(Choice("batch_size", str(min(batch, n_train)), f"for {n_train:,} rows"))
    else:
        batch = settings.batch_size
    if processes > n_train:
        raise ValueError(f"{processes} processes are too many for {n_train} training rows. Start fewer.")
    if batch < processes:
        choices.append(Choice("batch_size", str(processes), f"an example for each of {processes} processes"))
        batch = processes
    batch = min(batch, n_train)
    if processes > 1:
        choices.append(
            Choice("processes", str(processes), f"each takes its own share of the {batch} examples of a step")
        )
    if settings.learning_rate == "auto":
        rate = _RATE * math.sqrt(min(batch, 1024) / _RATE_BATCH)
        choices.append(Choice("learning_rate", f"{rate:.2g}", f"grows with the root of the batch size, {batch}"))
    else:
        rate = settings.learning_rate
    if settings.max_epochs == "auto":
        steps = math.ceil(n_train / batch)
        heavy = operations * batch > _HEAVY
        wanted, (fewest, most) = (_HEAVY_STEPS, _HEAVY_EPOCHS) if heavy else (_AUTO_STEPS, _AUTO_EPOCHS)
        epochs = min(max(round(wanted / steps), fewest), most)
        words = f"{epochs * steps:,} steps of {batch} examples, {operations * batch / 1e9:.2g} GFLOP each"
        choices.append(Choice("max_epochs", str(epochs), words))
    else:
        epochs = settings.max_epochs
    return Plan(n_train, n_valid, batch, rate, epochs, tuple(choices))
