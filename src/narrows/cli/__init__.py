"""The command `narrows`. Its modules name the commands; nothing heavy is imported before one of them runs."""

from narrows.cli import fitting, listing, photos, reporting, scoring, searching, studio, sweeping, using  # noqa: F401 (they register their commands)
from narrows.cli.app import app, main

__all__ = ["app", "main"]
