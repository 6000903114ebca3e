"""Runs one training at a time in a subprocess, streams its progress, and can stop or cancel it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from anyio import CapacityLimiter

import narrows.studio
from narrows.data import subsample_evenly
from narrows.estimators import estimator, load
from narrows.params import did_you_mean
from narrows.studio import messages
from narrows.studio.data import Colour, Data
from narrows.studio.event_log import EventLog
from narrows.studio.memory import check_memory
from narrows.studio.pictures import to_data_uri, to_display
from narrows.studio.session import Session
from narrows.studio.uploads import Upload, infer_schema, to_display_name
from narrows.studio.view import View
from narrows.studio.worker import N_EXAMPLES, add_names, save_examples

Status = Literal["starting", "training", "stopping", "done", "failed", "cancelled"]
_FINAL = ("done", "failed", "cancelled")
_MAX_UPLOADS, _MAX_JOBS = 4, 20
MAX_ARRIVALS = 4  # uploads that may arrive at once: each has a temporary file
_SAVE_TIMEOUT = 60  # seconds that a training has to save its model when the studio ends
_NICENESS = 5  # trainings run at a lower priority, so that the dials stay fast
# parameters that the page cannot set, or that are fields of the request
_RESERVED = (
    *("checkpoint", "track", "verbose", "device", "sharded"),
    *("max_time", "max_epochs", "n_components", "likelihood", "columns"),
)


class Busy(Exception):
    """Another training is running, or other files are being uploaded."""


class Job:
    """A training in a subprocess. The constructor starts it.

    Parameters
    ----------
    request : settings of the training.
    upload : data to train on.
    folder : temporary folder for the files that the subprocess reads.
    out : folder in which the model is saved.
    session : session that shows the model at the end.

    Raises
    ------
    ValueError
        If a parameter or a column name of the request is invalid.
    """

    def __init__(
        self, request: messages.TrainingRequest, upload: Upload, folder: Path, out: Path, session: Session
    ) -> None:
        self.id, self.request, self.upload = secrets.token_hex(6), request, upload
        self.folder, self.out, self.session = folder, out, session
        self.name = to_display_name(request.name) if request.name else f"{request.recipe} on {upload.name}"
        self.log = EventLog()
        self.status: Status = "starting"
        self.share: float | None = None
        self.detail: str | None = None
        self._started_at, self._ended_at = time.monotonic(), 0.0
        self._lock = threading.Lock()
        self._stderr_tail: deque[str] = deque(maxlen=20)
        X, self.columns, kinds = upload.select_examples(request.columns, request.label, request.kinds)
        parameters = _check_parameters(request, upload.is_image)
        check_memory(request.recipe, parameters, infer_schema(X, upload.name))
        self._map_labels()  # raises if the label column does not exist
        self.originals = subsample_evenly(X, N_EXAMPLES) if upload.is_image else None
        job = {
            "recipe": request.recipe,
            "parameters": parameters,
            "max_epochs": request.max_epochs,
            "columns": self.columns,
            "kinds": list(kinds.items()),
            "out": str(out),
            "labels": self._class_labels(len(X)) if request.parameters.get("conditional") else None,
        }
        folder.mkdir(parents=True)
        save_examples(folder, X)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        for note in upload.notes:
            self.log.add("note", {"words": note})
        self.process = _start_process(folder)
        self._log_status()
        threading.Thread(target=self._drain_stderr, daemon=True).start()
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    @property
    def is_over(self) -> bool:
        """True once the training is done, has failed or was cancelled."""
        return self.status in _FINAL

    def to_message(self) -> messages.JobState:
        """Return the state of the training as the page gets it."""
        return messages.JobState(
            job=self.id,
            status=self.status,
            name=self.name,
            recipe=self.request.recipe,
            seconds=round((self._ended_at or time.monotonic()) - self._started_at, 3),
            share=self.share,
            detail=self.detail if self.status == "failed" else None,
        )

    def stop(self) -> None:
        """End the training early and keep the best weights so far."""
        with self._lock:
            if self.status not in ("starting", "training"):
                return
            self.status = "stopping"
        self._log_status()
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write("stop\n")
            self.process.stdin.flush()

    def cancel(self) -> None:
        """End the training at once and keep nothing."""
        with self._lock:
            if self.is_over:
                return
            self.status, self._ended_at = "cancelled", time.monotonic()
        self.process.kill()
        self._log_status()

    def _log_status(self) -> None:
        self.log.add("status", self.to_message().model_dump())

    def _drain_stderr(self) -> None:
        """Read stderr and keep its last lines: a full pipe would block the subprocess."""
        assert self.process.stderr is not None
        with contextlib.suppress(ValueError):
            for line in self.process.stderr:
                self._stderr_tail.append(line.strip()[:500])

    def _follow(self) -> None:
        """Handle the events of the subprocess until it ends, then show the model."""
        assert self.process.stdout is not None
        is_saved = False
        with self.process.stdout as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                except ValueError:  # cut off, because the process was killed
                    continue
                is_saved = is_saved or event["kind"] == "saved"
                self._handle_event(event)
        code = self.process.wait()
        if is_saved:
            try:
                self._show()
            except Exception as error:  # the job must end, whatever error a model raises
                self.detail = f"The model was saved but cannot be shown: {error}"
        elif self.detail is None:
            self.detail = f"The training ended with code {code}. {next(reversed(self._stderr_tail), '')}".strip()
        with self._lock:
            if not self.is_over:
                self.status, self._ended_at = "failed", time.monotonic()
        if self.status == "cancelled":
            shutil.rmtree(self.out, ignore_errors=True)
        else:
            self._log_status()
        for stream in (self.process.stdin, self.process.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.close()  # type: ignore[union-attr]
        shutil.rmtree(self.folder, ignore_errors=True)
        del self.upload  # frees memory: the page still asks for the job, but not for its data

    def _handle_event(self, event: dict[str, Any]) -> None:
        kind = event.pop("kind")
        if kind == "started":
            with self._lock:
                if self.status == "starting":
                    self.status = "training"
            self._log_status()
        elif kind == "history":
            self.share = event["record"]["share"]
            self.log.add("history", event["record"])
        elif kind == "pictures":
            self.log.add("pictures", self._to_pictures(event), replace=True)
        elif kind == "note":
            self.log.add("note", event)
        elif kind == "failed":
            self.detail = event["detail"]

    def _to_pictures(self, event: dict[str, Any]) -> dict[str, Any]:
        schema = self.upload.schema
        if self.originals is None or schema is None:
            return event  # rows, which need no drawing
        reconstruction = np.asarray(event["reconstruction"], dtype=self.originals.dtype)

        def to_examples(rows: np.ndarray) -> list[dict[str, Any]]:
            return [{"picture": to_data_uri(image), "values": None} for image in to_display(rows, schema)]

        return {
            "epoch": event["epoch"],
            "original": to_examples(self.originals),
            "reconstruction": to_examples(reconstruction),
            "cells": None,
        }

    def _show(self) -> None:
        """Load the model and show it with its data."""
        model = load(self.out)
        X, columns, _ = self.upload.select_examples(self.request.columns, self.request.label, self.request.kinds)
        data = Data(
            self.upload.name,
            add_names(X, columns),
            self._map_labels(),
            self.upload.list_unused_columns(self.columns),
            self.upload.files,
        )
        view = View(
            model,
            data,
            self.session.compute_lock,
            name=self.name,
            path=self.out,
            is_saved=self.session.keep is not None,
        )
        with self._lock:  # the job is either cancelled or shown, never both
            if self.status != "cancelled":
                self.session.show(view)
                self.status, self.share, self._ended_at = "done", 1.0, time.monotonic()

    def _class_labels(self, n: int) -> list[str]:
        """Return the label of each of `n` examples, for a conditional model."""
        colour = self._map_labels()
        labels = [colour.to_text(row) for row in range(n)] if colour else []
        if not labels or None in labels:
            raise ValueError("A conditional model needs a label for each example: choose the column that holds it.")
        return [str(label) for label in labels]

    def _map_labels(self) -> Colour | None:
        """Return the labels that colour the map: the column that the request names, or the upload's labels."""
        if self.request.label is None:
            return self.upload.labels
        return self.upload.get_column(self.request.label)


class Jobs:
    """The uploads of a session, and the trainings on them.

    Parameters
    ----------
    session : session that shows the trained models.
    upload_bytes : largest size of an upload, in bytes.

    Attributes
    ----------
    uploads, jobs : dictionaries by id, the oldest first.
    reader, picture_reader : limiters of the threads that read uploads and single pictures: few at a time bound the
        memory.
    """

    def __init__(self, session: Session, upload_bytes: int) -> None:
        self.session, self.upload_bytes = session, upload_bytes
        self.uploads: dict[str, Upload] = {}
        self.reader, self.picture_reader = CapacityLimiter(1), CapacityLimiter(2)
        self._n_arriving = 0
        self.jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    @property
    def running(self) -> Job | None:
        """The running training, or None."""
        return next((job for job in list(self.jobs.values()) if not job.is_over), None)

    @contextlib.contextmanager
    def arrival(self) -> Iterator[None]:
        """Count an upload within the block as one that arrives or is read. To be used on the event loop.

        Raises
        ------
        Busy
            If there are `MAX_ARRIVALS` already.
        """
        if self._n_arriving >= MAX_ARRIVALS:
            raise Busy(f"{MAX_ARRIVALS} files are being uploaded already. Try again when one of them is done.")
        self._n_arriving += 1
        try:
            yield
        finally:
            self._n_arriving -= 1

    def add_upload(self, upload: Upload) -> str:
        """Keep an upload and return its new id. The oldest uploads are dropped."""
        upload_id = secrets.token_hex(6)
        with self._lock:
            self.uploads[upload_id] = upload
            while len(self.uploads) > _MAX_UPLOADS:
                del self.uploads[next(iter(self.uploads))]
        return upload_id

    def start(self, request: messages.TrainingRequest, upload: Upload) -> Job:
        """Start a training.

        Raises
        ------
        Busy
            If another training is running.
        ValueError
            If a parameter of the request is invalid.
        """
        with self._lock:
            if self.running:
                raise Busy("A training is already running: stop or cancel it first.")
            folder = self.session.folder / "jobs" / secrets.token_hex(6)
            job = Job(request, upload, folder, _new_folder(self.session.models, request, upload), self.session)
            self.jobs[job.id] = job
            while len(self.jobs) > _MAX_JOBS:
                del self.jobs[next(iter(self.jobs))]
        return job

    def close(self) -> None:
        """End the running training. If the session keeps models, it first saves its best weights."""
        for job in list(self.jobs.values()):
            if self.session.keep is not None:
                job.stop()
                job.thread.join(timeout=_SAVE_TIMEOUT)
            job.cancel()
            job.thread.join(timeout=10)


def _start_process(folder: Path) -> subprocess.Popen[str]:
    """Start the subprocess that trains what `folder` describes."""
    source = str(Path(narrows.studio.__path__[0]).parents[1])
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", "narrows.studio.worker", str(folder)],
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


def _check_parameters(request: messages.TrainingRequest, is_image: bool) -> dict[str, Any]:
    """Return the checked parameters of the estimator."""
    cls = estimator(request.recipe)
    if cls.recipe.is_tabular and is_image:
        raise ValueError(f"{cls.__name__} learns from tables only, and the upload holds images. Choose another recipe.")
    declared = cls.parameters()
    settable = [name for name in declared if name not in _RESERVED]
    for name in request.parameters:
        if name not in settable:
            raise ValueError(f"{cls.__name__} has no parameter {name!r} to set here. {did_you_mean(name, settable)}")
    values = {
        **request.parameters,
        "max_time": request.max_time,
        "max_epochs": request.max_epochs or "auto",
    }
    if "likelihood" in declared:
        values["likelihood"] = request.likelihood
    if request.n_components is not None:
        values["n_components"] = request.n_components
    for name, value in values.items():
        declared[name].check(cls.__name__, value)
    return {"random_state": 0, **values}


def _new_folder(parent: Path, request: messages.TrainingRequest, upload: Upload) -> Path:
    """Return a path for the model that does not exist yet, named after the training."""
    title = request.name or f"{Path(upload.name).stem}-{request.recipe}"
    name = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()[:48] or "model"
    number, path = 2, parent / name
    while path.exists():
        path, number = parent / f"{name}-{number}", number + 1
    return path
