"""The settings of a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Pace:
    """Batch size, learning rate and length of a training where the user leaves them open.

    Attributes
    ----------
    batch_size : examples per step.
    learning_rate : highest learning rate.
    n_epochs : passes over the data, if they take at least `fewest_steps` and at most `most_steps`.
    fewest_steps, most_steps : limits of the number of steps; there are at most 500 epochs.
    patience : number of validations without improvement that count as a plateau; None for the common one.
    decay_rows : largest number of training rows with a weight decay of 1; for more rows it falls with their square, to
        .03. None for the weight decay of the bottleneck.
    average : decay of the running mean of the weights, which is kept in their place; None for the weights themselves.
    """

    batch_size: int
    learning_rate: float
    n_epochs: int
    fewest_steps: int
    most_steps: int
    patience: int | None = None
    decay_rows: int | None = None
    average: float | None = None


@dataclass(frozen=True)
class Settings:
    """The settings of a training. "auto" leaves a decision to narrows, which reports it.

    Attributes
    ----------
    batch_size : examples per step, of all processes together.
    optimizer : "adamw" or "muon", see `narrows.training.muon`.
    learning_rate : highest learning rate of Adam.
    weight_decay : weight decay of AdamW: each step shrinks the weights by learning_rate * weight_decay.
    max_epochs : largest number of passes over the data.
    max_examples : largest number of examples in all steps, repeated ones counted each time; None for no limit.
    max_time : longest duration in seconds; None for no limit.
    early_stopping : if True, hold out rows to keep the best weights and to start the cool-down at a plateau.
    validation_fraction : share of held-out rows, in (0, 1).
    n_iter_no_change : number of validations without improvement that count as a plateau.
    device, precision : see `narrows.training.device`.
    compile : if True, compile the training step.
    seed : seed of all random numbers.
    verbose : "auto", 0, 1 or 2, see `narrows.training.progress`.
    checkpoint : folder for checkpoints, or None.
    checkpoint_every : seconds between checkpoints.
    constant : if True, the learning rate is constant, without warm-up or cool-down.
    sharded : if True, each of several processes holds a share of the model rather than all of it.
    track : trackers that receive the history during training, see `narrows.training.tracking`.
    pace : batch size, learning rate and length where they are "auto"; None for those of `narrows.training.plan`.
    """

    batch_size: int | Literal["auto"] = "auto"
    optimizer: Literal["adamw", "muon"] = "adamw"
    learning_rate: float | Literal["auto"] = "auto"
    weight_decay: float | Literal["auto"] = "auto"
    max_epochs: int | Literal["auto"] = "auto"
    max_examples: int | None = None
    max_time: float | None = None
    early_stopping: bool = True
    validation_fraction: float = 0.1
    n_iter_no_change: int | Literal["auto"] = "auto"
    device: str = "auto"
    precision: str = "auto"
    compile: bool | Literal["auto"] = "auto"
    seed: int = 0
    verbose: int | Literal["auto"] = "auto"
    checkpoint: Path | None = None
    checkpoint_every: float = 30.0
    constant: bool = False
    sharded: bool | Literal["auto"] = "auto"
    track: Any = None
    pace: Pace | None = None
