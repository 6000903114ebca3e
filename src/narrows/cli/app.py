"""The application, the arguments that commands share, and error messages.

A mistake of the user ends with one line on stderr and exit code 1. The code is 2 if the command line itself is wrong,
and 130 after Ctrl-C. Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from narrows.version import __version__

TRAIN, USE, LOOK = "Train", "Use a model", "Look around"  # the panels of `narrows --help`
_PANELS = (TRAIN, USE, LOOK)
# the first commands of each panel; the others follow in the order of their imports
_ORDER = (
    *("fit", "encode", "decode", "reconstruct", "denoise", "impute", "predict", "sample", "traverse", "evaluate"),
    *("report", "studio"),
)
_VALUES = {"bool": "", "int": "N", "float": "NUMBER", "str": "TEXT", "path": "PATH"}  # in the help
_PATIENCE = 2.0  # seconds that threads have to end
_USER_ERRORS = (ValueError, TypeError, OSError, FloatingPointError, ImportError)
_OF_TYPER: tuple[type[BaseException], ...] = (
    typer.Exit,
    typer.Abort,
    *(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "ClickException"),
)

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A named data set: digits, mnist or fashion-mnist (digits:train and digits:test are splits). Or a path: "
        "a table (.csv, .parquet, .xlsx, ...), .npy, .npz, IDX, an image, a folder of images or a .zip.",
        show_default=False,
    ),
]
Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL", help="Folder of a saved model, such as `narrows fit --out` makes.", show_default=False
    ),
]
Train = Annotated[
    str | None,
    typer.Option(
        metavar="DATA",
        help="Data that the model was fitted on; PCA is fitted on it, too.",
        show_default="the training split of named data; otherwise DATA",
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "-o",
        "--out",
        metavar="FILE",
        help="File to write: .npy, .parquet, .csv, or .png for a sheet of pictures.",
        show_default=False,
    ),
]
OutOrFolder = Annotated[
    Path,
    typer.Option(
        "-o",
        "--out",
        metavar="PATH",
        help="File to write: .npy, .parquet, .csv, or .png for a sheet of pictures. Or a new folder, for a picture of "
        "each example.",
        show_default=False,
    ),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A parameter that `narrows recipes RECIPE` lists. Repeatable."),
]
MaxEpochs = Annotated[int | None, typer.Option(help="Maximum number of passes over the data.", show_default="auto")]
TrainingSeed = Annotated[int | None, typer.Option(help="Seed of the random numbers.", show_default="0")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.", show_default="auto")]
Seed = Annotated[int | None, typer.Option(help="Seed of the random numbers.", show_default="a new one each time")]
OnBad = Annotated[
    str, typer.Option(help="What to do with images that cannot be read: error, or skip to leave them out.")
]
Resize = Annotated[
    str | None,
    typer.Option(
        metavar="PIXELS",
        help="Crop and resize all images to a square, such as 64, or to height and width, such as 48x64.",
        show_default="images have one size",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def _position(name: str) -> int:
    """Return the position of a command in its panel. Commands of `_ORDER` come first."""
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _name_values(parameters: list[Any], ctx: Any) -> list[Any]:
    """Name the values of parameters in the help as people do: N, TEXT, and nothing for a flag or an argument.

    Newer versions of typer show the types of Python, such as <int>, and <bool> for a flag.
    """
    for parameter in parameters:
        shown = getattr(parameter, "display_type_rich", None)
        if shown is not None and parameter.param_type_name == "argument":
            parameter.display_type_rich = lambda ctx: None
        elif shown is not None and parameter.metavar is None:
            parameter.metavar = _VALUES.get(re.sub(r"[<>]|list\[|\]| range", "", shown(ctx=ctx)), "VALUE")
    return parameters


def _name_arguments(pieces: list[str]) -> list[str]:
    """Return the parts of the line "Usage", with DATA in the place of {DATA}."""
    return [re.sub(r"^\{(.*)\}(\.\.\.)?$", r"\1\2", piece) for piece in pieces]


class Command(TyperCommand):
    """A command with plain words in its help."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, whose values have names."""
        return _name_values(super().get_params(ctx), ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the line "Usage"."""
        return _name_arguments(super().collect_usage_pieces(ctx))


class Commands(TyperGroup):
    """The commands. An error in one of them is printed in one line, without a traceback."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters, whose values have names."""
        return _name_values(super().get_params(ctx), ctx)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands, panel by panel."""
        commands: Mapping[str, Any] = self.commands
        return sorted(commands, key=lambda name: (_PANELS.index(commands[name].rich_help_panel), _position(name)))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that `ctx` names."""
        with _errors_in_a_line():
            result = super().invoke(ctx)
            sys.stdout.flush()  # a closed pipe or a full disk raises here, and not when Python exits
            return result


class Application(typer.Typer):
    """The application. Each of its commands is a `Command`."""

    def command(self, *args: Any, **settings: Any) -> Any:
        """Return a decorator for the function of a command."""
        return super().command(*args, cls=Command, **settings)


app = Application(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Environment variables: NARROWS_DATA is a folder with data sets; NARROWS_TRACEBACK=1 shows where an error "
    "comes from.",
)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        print(f"narrows {__version__}")
        raise typer.Exit


@app.callback()
def narrows(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Autoencoders for the data you have: plain, variational, denoising, sparse and, for tables, masked.

    Begin with these:

        narrows demo

        narrows fit digits --recipe vae --n-components 8 --out digits-vae

        narrows traverse digits-vae -o dials.png
    """


def main() -> None:
    """Run the command line."""
    warnings.showwarning = lambda message, *_args, **_kwargs: say(f"warning: {message}")
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell, as in >&-
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    code: object = 0
    try:
        with _errors_in_a_line():  # of reading the command line and of its help; `Commands` handles the others
            app(prog_name="narrows")
    except typer.Exit as ended:
        code = ended.exit_code
    except SystemExit as ended:
        code = ended.code
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while Python exits would print a traceback
    leave_threads_behind(code)
    sys.exit(code)  # type: ignore[arg-type]


@contextlib.contextmanager
def _errors_in_a_line() -> Iterator[None]:
    """Print an error of the block in one line, without a traceback, and exit."""
    try:
        yield
    except _OF_TYPER:
        raise
    except BrokenPipeError as closed:
        _give_up_stdout()
        raise typer.Exit(141) from closed  # the code that a shell reports after SIGPIPE
    except KeyboardInterrupt as stopped:
        if wants_traceback():
            raise
        say(str(stopped) or "Stopped.")
        raise typer.Exit(130) from stopped
    except Exception as error:
        if wants_traceback():
            raise
        _give_up_stdout()
        print_error(error)
        raise typer.Exit(1) from error


def _give_up_stdout() -> None:
    """Let what is not written yet go nowhere if it cannot be written: Python would complain when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def leave_threads_behind(code: object) -> None:
    """End the process if threads of the studio still compute, such as for an upload: Python would wait for them."""
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("AnyIO worker")]
    for thread in threads:
        thread.join(_PATIENCE / len(threads))
    if any(thread.is_alive() for thread in threads):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def say(message: str) -> None:
    """Print a message for people on stderr. It is not wrapped."""
    print(message, file=sys.stderr, flush=True)


def print_error(error: BaseException) -> None:
    """Print an error on one line, and its notes on the next lines."""
    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    elif isinstance(error, MemoryError) or "can't allocate memory" in message:
        message = "There is not enough memory. Use fewer rows, a smaller network or a smaller batch_size."
    elif not isinstance(error, _USER_ERRORS):
        message = f"{type(error).__name__}: {message}. This is a fault of narrows; NARROWS_TRACEBACK=1 shows where."
    color = None if is_coloured() else False
    typer.secho("error: ", fg="red", bold=True, err=True, nl=False, color=color)
    say("\n".join([message, *getattr(error, "__notes__", [])]))


def is_coloured() -> bool:
    """Return False if the user or the terminal wants no colours: https://no-color.org."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def wants_traceback() -> bool:
    """Return True if the environment asks for tracebacks."""
    return os.environ.get("NARROWS_TRACEBACK", "") not in ("", "0")
