"""The session in which a training runs: a notebook, a terminal, or a worker that nobody watches."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import warnings
from types import FrameType
from typing import Any

_OWN = ("narrows", "sklearn", "joblib")
_TESTING = {"PYTEST_CURRENT_TEST", "PYTEST_VERSION"}  # variables that pytest sets


def find_ipython() -> Any:
    """Return IPython's shell, of a notebook or of a terminal; None elsewhere."""
    ipython: Any = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def find_notebook() -> Any:
    """Return IPython's shell if it shows HTML, as in Jupyter, VS Code and Colab; None elsewhere."""
    shell = find_ipython()
    return shell if hasattr(shell, "kernel") else None


def is_watched() -> bool:
    """Return False in a worker process, in a thread other than the main one, and in a test of pytest."""
    return (
        threading.current_thread() is threading.main_thread()
        and multiprocessing.parent_process() is None  # as in processes of joblib and of DataLoader
        and not _TESTING & os.environ.keys()
    )


def is_called_by_user(method: FrameType) -> bool:
    """Return True if a running method was called by the user, also through scikit-learn, not by work of narrows."""
    frame: FrameType | None = method
    while frame is not None and _is_of(frame, (method.f_globals["__name__"], *_OWN[1:])):
        frame = frame.f_back
    return frame is None or not _is_of(frame, _OWN[:1])


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn, and name the user's line as the place."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_of(frame, _OWN):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_of(frame: FrameType, packages: tuple[str, ...]) -> bool:
    name = frame.f_globals.get("__name__", "")
    return any(name == package or name.startswith(f"{package}.") for package in packages)
