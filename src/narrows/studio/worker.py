"""A training in a process of its own: `python -m narrows.studio.worker FOLDER`.

FOLDER holds job.json, and X.npy with the examples. What happens goes to stdout, a JSON document a line. "stop" on stdin
ends the training as Ctrl-C does; when stdin closes, whoever wanted the training is gone, and so it ends.
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

_SHOWN = 8  # examples whose reconstructions are shown
_EVERY = 0.5  # seconds between two pictures


class Live:
    """A tracker that tells of each look at the losses, and of what the model makes of a few examples.

    Parameters
    ----------
    examples : of those to show.
    out : where a line goes for each event.
    max_time, max_epochs : when the training ends at the latest.
    """

    def __init__(self, examples: Any, out: TextIO, max_time: float, max_epochs: int | None) -> None:
        self.examples, self.out = examples, out
        self.max_time, self.max_epochs = max_time, max_epochs
        self.model: Estimator | None = None
        self.shown = 0.0

    def tell(self, kind: str, **values: Any) -> None:
        """One event."""
        self.out.write(json.dumps({"kind": kind, **values}, allow_nan=False) + "\n")
        self.out.flush()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """A look at the losses."""
        share = values.get("seconds", 0.0) / self.max_time
        if self.max_epochs:
            share = max(share, values.get("epoch", 0.0) / self.max_epochs)
        finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self.tell("history", record={**finite, "step": step, "share": min(1.0, share)})
        if self.model is not None and time.monotonic() - self.shown >= _EVERY:
            made = self.reconstructed(self.model)
            self.tell("pictures", epoch=int(values.get("epoch", 0)), reconstruction=made.tolist())
            self.shown = time.monotonic()

    def finish(self) -> None:
        """Nothing to close."""

    def reconstructed(self, estimator: Estimator) -> np.ndarray:
        """The examples through the model as it stands, between two of its steps."""
        model, schema = estimator.model_, estimator.schema_
        parameter, training = next(model.parameters()), model.training
        x = schema.prepare(torch.from_numpy(np.array(self.examples))).to(parameter)
        model.eval()
        with torch.set_grad_enabled(needs_gradient(model)):
            made = schema.restore(model.reconstruct(x).detach().float())
        model.train(training)
        return np.nan_to_num(made.astype(np.float64))


def main(folder: Path, out: TextIO) -> None:
    """Train what job.json in `folder` says."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    threading.Thread(target=_listen, daemon=True).start()
    rows = np.load(folder / "X.npy", allow_pickle=False)
    live = Live(subsample_evenly(rows, _SHOWN), out, job["parameters"]["max_time"], job["max_epochs"])
    try:
        model = estimator(job["recipe"])(**{**job["parameters"], "track": live})
        live.model = model
        live.tell("started")
        try:
            model.fit(_named(rows, job["columns"]), job["labels"])
        except KeyboardInterrupt:
            if not model.__sklearn_is_fitted__():
                raise
        model.set_params(track=None, max_time=job["parameters"]["max_time"])
        for words in model.report_:
            live.tell("note", words=words)
        model.save(Path(job["out"]))
        live.tell("saved")
    except KeyboardInterrupt:
        live.tell("failed", detail="It was stopped before it had learned anything.")
    except (ValueError, TypeError, FloatingPointError, OSError, MemoryError, RuntimeError, ImportError) as error:
        live.tell("failed", detail=str(error) or type(error).__name__)


def _named(rows: np.ndarray, columns: list[str] | None) -> Any:
    """A data frame where the columns have names and pandas is there, so that the model keeps them."""
    if columns is None:
        return rows
    try:
        import pandas as pd
    except ImportError:
        return rows
    return pd.DataFrame(rows, columns=columns)


def _listen() -> None:
    """Do what stdin says."""
    for line in sys.stdin:
        if line.strip() == "stop":
            # a Ctrl-C is safe once the training listens to it: before, it would end the process somewhere
            while signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                time.sleep(0.05)
            _thread.interrupt_main()
    os._exit(1)


if __name__ == "__main__":
    events, sys.stdout = sys.stdout, sys.stderr  # whatever a library prints is no event
    main(Path(sys.argv[1]), events)
