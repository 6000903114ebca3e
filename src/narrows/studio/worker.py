"""Runs a training in a subprocess: `python -m narrows.studio.worker FOLDER`.

FOLDER holds job.json and the examples, in X.npy or, for a data frame, in X.parquet. Events are written to stdout, one
JSON document a line. "stop" on stdin ends the training as Ctrl-C does. When stdin closes, the studio is gone, and the
process exits.
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

from narrows.data import is_frame, spaced_indices, subsample_evenly, take_rows
from narrows.estimators import estimator
from narrows.estimators.base import Estimator
from narrows.model import needs_gradient
from narrows.studio import cells

N_EXAMPLES = 8  # examples whose reconstructions are shown
_MAX_COLUMNS = 24  # of a row that are shown
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
        self._rows: list[dict[str, Any]] | None = None  # the examples of a table, as the page gets them

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
            self._emit_pictures(self.model, int(values.get("epoch", 0)))
            self._shown_at = time.monotonic()

    def finish(self) -> None:
        """Do nothing: there is no file to close."""

    def _emit_pictures(self, model: Estimator, epoch: int) -> None:
        """Write the examples and what the model makes of them between two training steps.

        Images are drawn by the studio. Of rows, the cells of the first columns are written.
        """
        schema = model.schema_
        if schema.kind == "image":
            self.emit("pictures", epoch=epoch, reconstruction=self.reconstruct(model)[:, 0].tolist())
            return
        described = cells.describe_columns(schema) or [
            cells.CellColumn(name, "real", None, 0.0, 1.0, 0.0, 1.0, 0.0) for name in self._names(schema.n_entries)
        ]
        if self._rows is None:
            rows = np.asarray(model.validate(self.examples, reset=False), dtype=np.float64)
            self._rows = _to_examples(cells.as_given(rows))
        self.emit(
            "pictures",
            epoch=epoch,
            original=self._rows,
            reconstruction=_to_examples(self.reconstruct(model)),
            cells=[column._asdict() for column in described[:_MAX_COLUMNS]],
        )

    def _names(self, n: int) -> list[str]:
        return [str(name) for name in getattr(self.examples, "columns", [f"column {i + 1}" for i in range(n)])]

    def reconstruct(self, estimator: Estimator) -> np.ndarray:
        """Reconstruct the examples with the model as it is between two training steps.

        Returns
        -------
        n x 1 x ... images in the user's units, or n x 2 x d rows (see `cells`).
        """
        model, schema = estimator.model_, estimator.schema_
        parameter, was_training = next(model.parameters()), model.training
        rows = self.examples if schema.kind == "image" else estimator.validate(self.examples, reset=False)
        x = schema.prepare(torch.from_numpy(np.array(rows))).to(parameter)
        model.eval()
        with torch.set_grad_enabled(needs_gradient(model)):
            if schema.kind == "table":
                decoded = cells.to_page(schema, cells.reconstruct(model, schema, x).detach().float().cpu())
            else:
                decoded = np.nan_to_num(schema.restore(model.reconstruct(x).detach().float()).astype(np.float64))
                decoded = cells.as_given(decoded) if schema.kind == "vector" else decoded[:, None]
        model.train(was_training)
        return decoded


def _to_examples(rows: np.ndarray) -> list[dict[str, Any]]:
    """Return rows (n x 2 x d) as the page gets them, without the columns that it does not show."""

    def to_json(values: np.ndarray) -> list[float | None]:
        return [None if math.isnan(v) else v for v in values[:_MAX_COLUMNS].tolist()]

    return [
        {"picture": None, "values": to_json(values), "probs": None if np.isnan(probs).all() else to_json(probs)}
        for values, probs in rows
    ]


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


def main(folder: Path, out: TextIO) -> None:
    """Train and save the model that job.json in `folder` describes, and write events to `out`."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    threading.Thread(target=_follow_stdin, daemon=True).start()
    rows = add_names(load_examples(folder), job["columns"])
    if is_frame(rows):
        shown = take_rows(rows, spaced_indices(len(rows), N_EXAMPLES))
    else:
        shown = subsample_evenly(rows, N_EXAMPLES)
    tracker = LiveTracker(shown, out, job["parameters"]["max_time"], job["max_epochs"])
    try:
        kinds = dict(map(tuple, job["kinds"])) or None  # pairs: keys of JSON objects are text
        model = estimator(job["recipe"])(**{**job["parameters"], "columns": kinds, "track": tracker, "verbose": 0})
        tracker.model = model
        tracker.emit("started")
        try:
            model.fit(rows, job["labels"])
        except KeyboardInterrupt:
            if not model.__sklearn_is_fitted__():
                raise
        model.set_params(track=None, verbose="auto", max_time=job["parameters"]["max_time"])
        for line in model.report_:
            tracker.emit("note", words=line)
        model.save(Path(job["out"]))
        tracker.emit("saved")
    except KeyboardInterrupt:
        tracker.emit("failed", detail="The training was stopped before the model learned anything.")
    except (ValueError, TypeError, FloatingPointError, OSError, MemoryError, RuntimeError, ImportError) as error:
        tracker.emit("failed", detail=str(error) or type(error).__name__)


def add_names(rows: Any, columns: list[str] | None) -> Any:
    """Convert an array to a data frame, so that a model keeps the names of the columns, if pandas is installed."""
    if columns is None or is_frame(rows) or all(name == f"column {i + 1}" for i, name in enumerate(columns)):
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
