"""The settings of a training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


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
