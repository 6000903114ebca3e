"""The command `narrows`. A module has the name of its first command; heavy imports wait until a command runs."""

from narrows.cli import (  # noqa: F401 (they register their commands)
    demo,
    denoise,
    encode,
    evaluate,
    fit,
    impute,
    info,
    map,
    report,
    sample,
    score,
    search,
    studio,
    sweep,
    units,
)
from narrows.cli.app import app, main

__all__ = ["app", "main"]
