"""What a running studio prints on its terminal: one line for an error of the server, and no traceback."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("uvicorn", "narrows.studio", "asyncio")
_AT_THE_END = "timeout graceful shutdown exceeded"  # in uvicorn's words for what Ctrl-C ends


class OneLine(logging.Formatter):
    """Formats a record as one line. With NARROWS_TRACEBACK=1 a traceback follows."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        error = record.exc_info[1] if record.exc_info else None
        what = record.getMessage() if error is None else f"{type(error).__name__}: {error}".rstrip(": ")
        line = f"{record.levelname.lower()}: {' '.join(what.split())}"
        if error is None:
            return line
        if wants_traceback():
            return f"{line}\n{self.formatException(record.exc_info)}"  # type: ignore[arg-type]
        return f"{line} (NARROWS_TRACEBACK=1 shows where)"


def is_news(record: logging.LogRecord) -> bool:
    """Return False for what happens whenever a studio stops in the middle of a request, or a browser goes away."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt, ConnectionError)):
        return False
    return _AT_THE_END not in record.getMessage()


@contextmanager
def print_log_lines() -> Iterator[None]:
    """Print errors of the server on stderr within the block. With NARROWS_TRACEBACK=1, refused requests, too."""
    level = logging.DEBUG if wants_traceback() else logging.ERROR
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine())
    handler.addFilter(is_news)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(level if logger.name == "narrows.studio" else logging.ERROR)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, old_level, propagates in before:
            logger.removeHandler(handler)
            logger.setLevel(old_level)
            logger.propagate = propagates


def wants_traceback() -> bool:
    """Return True if the environment asks for tracebacks."""
    return os.environ.get("NARROWS_TRACEBACK", "") not in ("", "0")
