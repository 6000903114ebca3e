"""Runs a training in a subprocess: `python -m narrows.studio.worker FOLDER`.

FOLDER holds job.json, and X.npy with the examples. Events are written to stdout, one JSON document a line. "stop" on
stdin ends the training as Ctrl-C does. When stdin closes, the studio is gone, and the process exits.
"""

from __future__ import annotations

import _thread
import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from narrows.data import subsample_evenly
from narrows.estimators import estimator
from narrows.estimators.base import Estimator
from narrows.model import needs_gradient

N_EXAMPLES = 8  # examples whose reconstructions are shown
_PICTURE_INTERVAL = 0.5  # seconds between two pictures


class LiveTracker:
    """A tracker that writes the losses, and reconstructions of a few examples, as events.

    Parameters
    ----------
    examples : examples to reconstruct.
    out : stream to which the events are written.
    max_time : longest duration of the training, in seconds.
    max_epochs : largest number of epochs, or None.
    """

    def __init__(self, examples: Any, out: TextIO, max_time: float, max_epochs: int | None) -> None:
        self.examples, self.out = examples, out
        self.max_time, self.max_epochs = max_time, max_epochs
        self.model: Estimator | None = None
        self._shown_at = 0.0

    def emit(self, kind: str, **values: Any) -> None:
        """Write an event."""
        self.out.write(json.dumps({"kind": kind, **values}, allow_nan=False) + "\n")
        self.out.flush()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write the losses, and from time to time reconstructions."""
        share = values.get("seconds", 0.0) / self.max_time
        if self.max_epochs:
            share = max(share, values.get("epoch", 0.0) / self.max_epochs)
        finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self.emit("history", record={**finite, "step": step, "share": min(1.0, share)})
        if self.model is not None and time.monotonic() - self._shown_at >= _PICTURE_INTERVAL:
            reconstruction = self.reconstruct(self.model)
            self.emit("pictures", epoch=int(values.get("epoch", 0)), reconstruction=reconstruction.tolist())
            self._shown_at = time.monotonic()

    def finish(self) -> None:
        """Do nothing: there is no file to close."""

    def reconstruct(self, estimator: Estimator) -> np.ndarray:
        """Reconstruct the examples with the model as it is between two training steps."""
        model, schema = estimator.model_, estimator.schema_
        parameter, was_training = next(model.parameters()), model.training
        x = schema.prepare(torch.from_numpy(np.array(self.examples))).to(parameter)
        model.eval()
        with torch.set_grad_enabled(needs_gradient(model)):
            examples = schema.restore(model.reconstruct(x).detach().float())
        model.train(was_training)
        return np.nan_to_num(examples.astype(np.float64))


def main(folder: Path, out: TextIO) -> None:
    """Train and save the model that job.json in `folder` describes, and write events to `out`."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    threading.Thread(target=_follow_stdin, daemon=True).start()
    rows = np.load(folder / "X.npy", allow_pickle=False)
    tracker = LiveTracker(subsample_evenly(rows, N_EXAMPLES), out, job["parameters"]["max_time"], job["max_epochs"])
    try:
        model = estimator(job["recipe"])(**{**job["parameters"], "track": tracker})
        tracker.model = model
        tracker.emit("started")
        try:
            model.fit(_add_names(rows, job["columns"]), job["labels"])
        except KeyboardInterrupt:
            if not model.__sklearn_is_fitted__():
                raise
        model.set_params(track=None, max_time=job["parameters"]["max_time"])
        for line in model.report_:
            tracker.emit("note", words=line)
        model.save(Path(job["out"]))
        tracker.emit("saved")
    except KeyboardInterrupt:
        tracker.emit("failed", detail="The training was stopped before the model learned anything.")
    except (ValueError, TypeError, FloatingPointError, OSError, MemoryError, RuntimeError, ImportError) as error:
        tracker.emit("failed", detail=str(error) or type(error).__name__)


def _add_names(rows: np.ndarray, columns: list[str] | None) -> Any:
    """Convert rows to a data frame, so that the model keeps the column names; do nothing without names or pandas."""
    if columns is None:
        return rows
    try:
        import pandas as pd
    except ImportError:
        return rows
    return pd.DataFrame(rows, columns=columns)


def _follow_stdin() -> None:
    """Interrupt the training when "stop" arrives, and exit when stdin closes."""
    for line in sys.stdin:
        if line.strip() == "stop":
            # wait until the training handles Ctrl-C: before that, Ctrl-C would end the process at any line
            while signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                time.sleep(0.05)
            _thread.interrupt_main()
    os._exit(1)


if __name__ == "__main__":
    events, sys.stdout = sys.stdout, sys.stderr  # the output of a library must not get between the events
    main(Path(sys.argv[1]), events)
