"""The processes that train. One may wait, with its libraries loaded, so that a training begins at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import narrows.studio

_NICENESS = 5  # trainings, and the process that waits for one, run at a lower priority: the dials stay fast
_DELAY = 1.0  # seconds after which the process is started: first the page is served
_IDLE = 900.0  # seconds that a process waits for a training, since it takes about 400 MB of memory


class Workers:
    """Starts the processes of trainings. See `narrows.studio.worker` for what they read and write.

    Attributes
    ----------
    is_warm : True to keep a process waiting whenever a training is likely: see `expect_training`.
    """

    def __init__(self) -> None:
        self.is_warm = False
        self._waiting: subprocess.Popen[str] | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def expect_training(self, delay: float = _DELAY) -> None:
        """Start a process that waits for a training soon, unless one waits. It ends if none comes for long."""
        with self._lock:
            if self.is_warm:
                self._set_timer(delay, self._start_waiting)

    def take(self, folder: Path) -> tuple[subprocess.Popen[str], bool]:
        """Return the process that trains what `folder` describes, and whether it was ready before."""
        with self._lock:
            self._set_timer(0.0, None)
            process, self._waiting = self._waiting, None
        if process is not None:
            with contextlib.suppress(OSError, ValueError):  # it has ended: start another one
                if process.poll() is None:
                    _send(process, folder)
                    return process, True
            _end(process)
        process = _start_process()
        _send(process, folder)
        return process, False

    def close(self) -> None:
        """End the process that waits."""
        with self._lock:
            self.is_warm = False
            self._set_timer(0.0, None)
            process, self._waiting = self._waiting, None
        if process is not None:
            _end(process)

    def _start_waiting(self) -> None:
        with self._lock:
            if not self.is_warm:
                return
            if self._waiting is None or self._waiting.poll() is not None:
                self._waiting = _start_process()
            self._set_timer(_IDLE, self._end_waiting)

    def _end_waiting(self) -> None:
        with self._lock:
            process, self._waiting = self._waiting, None
        if process is not None:
            _end(process)

    def _set_timer(self, seconds: float, call: Callable[[], None] | None) -> None:
        """Replace the timer by one that calls `call`, or by none. The lock is held."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if call is not None:
            self._timer = threading.Timer(seconds, call)
            self._timer.daemon = True
            self._timer.start()


def _start_process() -> subprocess.Popen[str]:
    source = str(Path(narrows.studio.__path__[0]).parents[1])
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", "narrows.studio.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICENESS)
    return process


def _send(process: subprocess.Popen[str], folder: Path) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{folder}\n")
    process.stdin.flush()


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
