"""Training: the only loop, and what it needs."""

from narrows.training.device import PRECISIONS, Choice, choose_device, choose_precision
from narrows.training.health import FEWEST_TO_TELL, find_overfitting, n_health_rows, remaining_fall
from narrows.training.loop import fit
from narrows.training.memory import NotEnoughMemory
from narrows.training.result import Interrupted, Result, StreamFailed
from narrows.training.rng import RandomStream, draws_globally, forked_rng, seeded_init
from narrows.training.settings import Pace, Settings

__all__ = [
    "FEWEST_TO_TELL",
    "PRECISIONS",
    "Choice",
    "Interrupted",
    "NotEnoughMemory",
    "Pace",
    "RandomStream",
    "Result",
    "Settings",
    "StreamFailed",
    "choose_device",
    "choose_precision",
    "draws_globally",
    "find_overfitting",
    "fit",
    "forked_rng",
    "n_health_rows",
    "remaining_fall",
    "seeded_init",
]
