"""Training: the only loop, and what it needs."""

from narrows.training.device import PRECISIONS, Choice, choose_device, choose_precision
from narrows.training.generators import own_generators
from narrows.training.health import n_looked_at
from narrows.training.loop import fit
from narrows.training.result import Interrupted, Result
from narrows.training.settings import Settings

__all__ = [
    "PRECISIONS",
    "Choice",
    "Interrupted",
    "Result",
    "Settings",
    "choose_device",
    "choose_precision",
    "fit",
    "n_looked_at",
    "own_generators",
]
