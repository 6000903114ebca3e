"""Runs a training in a subprocess: `python -m narrows.studio.worker`.

The first line on stdin names a folder, which holds job.json and the examples, in X.npy or, for a data frame, in
X.parquet. Until it comes the process waits, with all libraries loaded. Events are written to stdout, one JSON document
a line. "stop" on stdin ends the training as Ctrl-C does. When stdin closes, the studio is gone, and the process exits.
"""

from __future__ import annotations

import _thread
import json
import math
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from narrows.data import is_frame, spaced_indices, subsample_evenly, take_rows
from narrows.estimators import AE, estimator
from narrows.estimators.base import Estimator
from narrows.model import needs_gradient
from narrows.studio import cells, sketch
from narrows.training import choose_precision

N_EXAMPLES = 8  # examples whose reconstructions are shown
_PICTURE_INTERVAL = 1.0  # seconds between two pictures, at least
_PICTURE_SHARE = 0.2  # largest share of the time that pictures take
_POINT_GROWTH = 1.02  # ratio of the times of two points of the curve: a long training has few more than a short one


class LiveTracker:
    """A tracker that writes the progress, the losses, and reconstructions of a few examples, as events.

    Parameters
    ----------
    out : stream to which the events are written.
    """

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self._model: Estimator | None = None
        self._baseline: sketch.Baseline | None = None
        self._rows: Any = None  # on some of which PCA is fitted
        self._examples: Any = None  # that are drawn; numbers, once the columns of a table are known
        self._next_picture = self._next_point = 0.0  # time of the clock; seconds of the training
        self._is_started = self._is_encoded = False

    def watch(self, model: Estimator, rows: Any, baseline: sketch.Baseline | None) -> None:
        """Draw what `model` makes of some of its training rows, beside PCA if there is a baseline."""
        self._model, self._rows, self._baseline = model, rows, baseline
        self._examples = choose_examples(rows)

    def emit(self, event: str, **values: Any) -> None:
        """Write an event."""
        self.out.write(json.dumps({"event": event, **values}, allow_nan=False) + "\n")
        self.out.flush()

    def show(self, step: int, values: Mapping[str, float]) -> None:
        """Write how far the training is, a point of the curve, and pictures, each if it is time to."""
        seconds, share = values["seconds"], values["share"]
        if not self._is_started:
            self._is_started = True
            self.emit("started")
            if self._model is not None and self._model.schema_.kind != "image":
                self._emit_examples(self._model)
        n_steps = min(values["n_steps"], step / share) if step and share > 0 else values["n_steps"]
        loss = _finite(values.get("loss", math.nan))
        left = seconds * (1 - share) / share if step and share > 0 else None
        self.emit("progress", step=step, n_steps=max(step, round(n_steps)), share=share, seconds=seconds, left=left)
        if loss is not None and seconds >= self._next_point:
            self.emit("history", record={"step": step, "seconds": seconds, "loss": loss})
            self._next_point = seconds * _POINT_GROWTH
        if self._model is not None and time.monotonic() >= self._next_picture:
            start = time.monotonic()
            made = sketch.to_examples(self._model.schema_, self._reconstruct(self._model))
            is_best = bool(values.get("is_best"))
            self.emit("pictures", step=step, seconds=seconds, is_best=is_best, reconstruction=made)
            now = time.monotonic()
            self._next_picture = start + max(_PICTURE_INTERVAL, (now - start) / _PICTURE_SHARE)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write the losses of a validation."""
        self.emit("history", record={**{name: _finite(value) for name, value in values.items()}, "step": step})

    def finish(self) -> None:
        """Say what follows the training."""
        self.emit("stage", words="Measuring the model on rows that were held out")

    def _emit_examples(self, model: Estimator) -> None:
        """Write the examples of a table as the model describes its columns, and what PCA makes of them."""
        rows, self._rows = sketch.subsample(self._rows), None  # all others are not needed again
        if model.schema_.table is not None:
            rows = model.validate(rows, reset=False)
        self.emit("examples", **sketch.draw(model.schema_, rows, self._encode(model), self._baseline))

    def _encode(self, model: Estimator) -> np.ndarray:
        """Return the examples as numbers; those of a table by its columns."""
        if not self._is_encoded:
            is_table = model.schema_.table is not None
            self._examples = np.asarray(model.validate(self._examples, reset=False) if is_table else self._examples)
            self._is_encoded = True
        return self._examples

    def _reconstruct(self, estimator: Estimator) -> np.ndarray:
        """Reconstruct the examples with the model as it is between two training steps.

        Returns
        -------
        n x h x w x c bytes of images, series, or n x 2 x d or n x 3 x d rows (see `cells`).
        """
        model, schema = estimator.model_, estimator.schema_
        parameter, was_training = next(model.parameters()), model.training
        x = schema.prepare(torch.from_numpy(np.array(self._encode(estimator)))).to(parameter)
        model.eval()
        with torch.set_grad_enabled(needs_gradient(model)):
            if schema.kind == "table":
                decoded = cells.to_page(schema, cells.reconstruct(model, schema, x, x).detach().float().cpu())
            else:
                decoded = sketch.restore(schema, model.reconstruct(x).detach().float())
        model.train(was_training)
        return decoded


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def choose_examples(rows: Any) -> Any:
    """Return the rows whose reconstructions are shown."""
    if is_frame(rows):
        return take_rows(rows, spaced_indices(len(rows), N_EXAMPLES))
    return subsample_evenly(rows, N_EXAMPLES)


def save_examples(folder: Path, X: Any) -> None:
    """Save examples for `load_examples`.

    Raises
    ------
    ImportError
        If X is a data frame, and pyarrow is not installed.
    """
    if not is_frame(X):
        np.save(folder / "X.npy", X, allow_pickle=False)
        return
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError("Training on a table needs pyarrow: pip install 'narrows[tables]'.") from error
    try:
        table = pa.Table.from_pandas(X, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # objects of several types are compared as text
        objects = [name for name in X.columns if X[name].dtype == object]
        table = pa.Table.from_pandas(
            X.assign(**{name: X[name].astype(str).where(X[name].notna(), None) for name in objects}),
            preserve_index=False,
        )
    pyarrow.parquet.write_table(table, folder / "X.parquet")


def load_examples(folder: Path) -> Any:
    """Return the examples that `save_examples` saved: an array, or a data frame with its dtypes."""
    if (folder / "X.npy").exists():
        return np.load(folder / "X.npy", allow_pickle=False)
    import pandas as pd

    return pd.read_parquet(folder / "X.parquet")


def main(out: TextIO) -> None:
    """Wait for a folder on stdin; then train and save the model that its job.json describes. Events go to `out`."""
    folders: queue.SimpleQueue[Path] = queue.SimpleQueue()
    threading.Thread(target=_follow_stdin, args=(folders,), daemon=True).start()
    for warm_up in (_fit_nothing, _measure):
        if folders.empty():
            warm_up()
    folder = folders.get()
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    tracker = LiveTracker(out)
    tracker.emit("stage", words="Reading the data")
    try:
        train(job, add_names(load_examples(folder), job["columns"]), tracker)
    except KeyboardInterrupt:
        tracker.emit("failed", detail="The training was stopped before the model learned anything.")
    except (ValueError, TypeError, FloatingPointError, OSError, MemoryError, RuntimeError, ImportError) as error:
        tracker.emit("failed", detail=str(error) or type(error).__name__)


def _fit_nothing() -> None:
    """Train a tiny model: the first training of a process loads libraries, which takes seconds."""
    AE(1, hidden=(4,), max_epochs=1, device="cpu", precision="float32", verbose=0).fit(np.eye(8, 3))


def _measure() -> None:
    """Measure the speed of the CPU, which a training asks for and a process remembers."""
    choose_precision("auto", torch.device("cpu"))


def train(job: Mapping[str, Any], rows: Any, tracker: LiveTracker) -> None:
    """Train and save the model that `job` describes."""
    kinds = dict(map(tuple, job["kinds"])) or None  # pairs: keys of JSON objects are text
    model = estimator(job["recipe"])(
        **{**job["parameters"], "columns": kinds, "track": tracker, "checkpoint": job["checkpoint"], "verbose": 0}
    )
    tracker.watch(model, rows, job["baseline"] and sketch.Baseline(**job["baseline"]))
    tracker.emit("stage", words="Preparing the network")
    is_stopped = False
    try:
        model.fit(rows, job["labels"])
    except KeyboardInterrupt:
        if not model.__sklearn_is_fitted__():
            raise
        is_stopped = True
    model.set_params(track=None, checkpoint=None, verbose="auto")
    for line in model.report_:
        tracker.emit("note", words=line)
    tracker.emit("stage", words="Saving the model")
    model.save(Path(job["out"]))
    is_limited = any(finding.name == "time" and "max_time" in finding.change for finding in model.findings_)
    tracker.emit("saved", can_go_on=is_stopped or is_limited)


def add_names(rows: Any, columns: list[str] | None) -> Any:
    """Convert an array to a data frame, so that a model keeps the names of the columns, if pandas is installed."""
    if columns is None or is_frame(rows) or all(name == f"column {i + 1}" for i, name in enumerate(columns)):
        return rows
    try:
        import pandas as pd
    except ImportError:
        return rows
    return pd.DataFrame(rows, columns=columns)


def _follow_stdin(folders: queue.SimpleQueue[Path]) -> None:
    """Pass on the folder, interrupt the training when "stop" arrives, and exit when stdin closes."""
    for line in sys.stdin:
        if line.strip() != "stop":
            folders.put(Path(line.rstrip("\n")))
            continue
        # wait until the training handles Ctrl-C: before that, Ctrl-C would end the process at any line
        while signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            time.sleep(0.05)
        _thread.interrupt_main()
    os._exit(1)


if __name__ == "__main__":
    events, sys.stdout = sys.stdout, sys.stderr  # the output of a library must not get between the events
    main(events)
    os._exit(0)  # all is written; the interpreter would take seconds to take its modules apart
