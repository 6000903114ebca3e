"""What all commands share: the application, the common arguments, and how an error reaches a person.

A user's mistake is one line on stderr and exit code 1 (2 where the command line itself is wrong, 130 after Ctrl-C).
Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from narrows.version import __version__

TRAIN, USE, LOOK = "Train", "Use a model", "Look around"  # the panels of `narrows --help`
_PANELS = (TRAIN, USE, LOOK)
# the first of each panel; others follow as they are imported
_ORDER = ("fit", "encode", "decode", "reconstruct", "denoise", "sample", "traverse", "evaluate", "report", "studio")
_MISTAKES = (ValueError, TypeError, OSError, FloatingPointError, ImportError)

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="digits, mnist, fashion-mnist (or digits:train, digits:test), or a path: .npy, .npz, .csv, .parquet, IDX, "
        "an image, a folder of images.",
        show_default=False,
    ),
]
Model = Annotated[
    Path, typer.Argument(metavar="MODEL", help="The folder that `narrows fit --out` made.", show_default=False)
]
Train = Annotated[
    str | None,
    typer.Option(
        metavar="DATA",
        help="What the model was fitted on, to fit PCA on too.",
        show_default="a named set's training part, else DATA",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def _place(name: str) -> int:
    """Where a command stands in its panel: those of `_ORDER` first."""
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


class Commands(TyperGroup):
    """The commands; what goes wrong in one of them is said in a line, without a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Panel by panel, whatever the order of the imports was."""
        commands: Mapping[str, Any] = self.commands
        return sorted(commands, key=lambda name: (_PANELS.index(commands[name].rich_help_panel), _place(name)))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that `ctx` names."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # so that a closed pipe shows here, and not when Python exits
            return result
        except BrokenPipeError as closed:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise typer.Exit(141) from closed  # as a shell reports a program that SIGPIPE ended
        except KeyboardInterrupt as stopped:
            if _tracebacks():
                raise
            say(str(stopped) or "Stopped.")
            raise typer.Exit(130) from stopped
        except _MISTAKES as error:
            if _tracebacks():
                raise
            complain(error)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="NARROWS_DATA names a folder with data sets. NARROWS_TRACEBACK=1 shows where an error comes from.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"narrows {__version__}")
        raise typer.Exit


@app.callback()
def narrows(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Autoencoders for the data you have: plain, variational, denoising and sparse.

    Begin with these:

        narrows demo

        narrows fit digits --recipe vae --n-components 8 --out digits-vae

        narrows traverse digits-vae -o dials.png
    """


def main() -> None:
    """Run the command line."""
    warnings.showwarning = lambda message, *_args, **_kwargs: say(f"warning: {message}")
    app(prog_name="narrows")


def say(words: str) -> None:
    """A line for people, on stderr, never broken."""
    print(words, file=sys.stderr, flush=True)


def complain(error: BaseException) -> None:
    """An error in one line, and its notes in further ones."""
    words = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        words = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
    say("\n".join([words, *getattr(error, "__notes__", [])]))


def _tracebacks() -> bool:
    return os.environ.get("NARROWS_TRACEBACK", "") not in ("", "0")
