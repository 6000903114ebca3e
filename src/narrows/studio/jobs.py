"""Trainings: one at a time, each in a process of its own, told of as it goes, stopped or cancelled at any moment."""

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
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

import narrows.studio
from narrows.data import subsample_evenly
from narrows.estimators import estimator, load
from narrows.params import did_you_mean
from narrows.studio import messages
from narrows.studio.data import Colour, Data
from narrows.studio.pictures import displayed, uri
from narrows.studio.session import Session
from narrows.studio.uploads import Brought, shown_name
from narrows.studio.view import View

Status = Literal["starting", "training", "stopping", "done", "failed", "cancelled"]
_OVER = ("done", "failed", "cancelled")
_MOST_UPLOADS, _MOST_JOBS = 4, 20
_MOST_EVENTS = 4_000
_LAST_WORDS = 60  # seconds for a training that is to be kept to save what it has
_NICE = 5  # trainings give way to dials
_OURS = ("checkpoint", "track", "verbose", "device", "sharded", "max_time", "max_epochs", "n_components", "likelihood")


class Busy(Exception):
    """A training runs already."""


class Event(NamedTuple):
    """Something that happened, with its number."""

    id: int
    kind: str
    data: Any


class Journal:
    """What happened, for whoever comes late: all of it, but of pictures only the newest."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=_MOST_EVENTS)
        self._last = 0
        self._lock = threading.Lock()

    def add(self, kind: str, data: Any, *, instead: bool = False) -> None:
        """Something happened; with `instead`, what was told of this kind before is not told again."""
        with self._lock:
            self._last += 1
            if instead:
                kept = [event for event in self._events if event.kind != kind]
                self._events = deque(kept, maxlen=_MOST_EVENTS)
            self._events.append(Event(self._last, kind, data))

    def after(self, number: int) -> list[Event]:
        """What happened after the event of that number."""
        with self._lock:
            return [event for event in self._events if event.id > number]


class Job:
    """A training.

    Parameters
    ----------
    order : what to train.
    brought : on what.
    folder : its own, which holds the examples and the orders to the process.
    out : the folder for the model.
    session : where the model is shown when it is done.
    """

    def __init__(self, order: messages.TrainingRequest, brought: Brought, folder: Path, out: Path, session: Session) -> None:
        self.id, self.order, self.brought = secrets.token_hex(6), order, brought
        self.folder, self.out, self.session = folder, out, session
        self.name = shown_name(order.name) if order.name else f"{order.recipe} on {brought.name}"
        self.journal = Journal()
        self.status: Status = "starting"
        self.share: float | None = None
        self.detail: str | None = None
        self._began, self._ended = time.monotonic(), 0.0
        self._lock = threading.Lock()
        self._words: deque[str] = deque(maxlen=20)
        X, self.columns, notes = brought.examples(order.columns, order.label)
        self.parameters = _parameters(order)
        self._label()  # raises for a column that is not there
        self.originals = subsample_evenly(X, 8)
        job = {
            "recipe": order.recipe,
            "parameters": self.parameters,
            "max_epochs": order.max_epochs,
            "columns": self.columns,
            "out": str(out),
            "labels": self._told(len(X)) if order.parameters.get("conditional") else None,
        }
        folder.mkdir(parents=True)
        np.save(folder / "X.npy", X, allow_pickle=False)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        for words in [*brought.notes, *notes]:
            self.journal.add("note", {"words": words})
        source = str(Path(narrows.studio.__path__[0]).parents[1])
        paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
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
            os.setpriority(os.PRIO_PROCESS, self.process.pid, _NICE)
        self._tell()
        threading.Thread(target=self._overhear, daemon=True).start()
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in _OVER

    def told(self) -> messages.JobState:
        """What the page is told of it."""
        return messages.JobState(
            job=self.id,
            status=self.status,
            name=self.name,
            recipe=self.order.recipe,
            seconds=round((self._ended or time.monotonic()) - self._began, 3),
            share=self.share,
            detail=self.detail if self.status == "failed" else None,
        )

    def stop(self) -> None:
        """End it early, with the best weights so far."""
        with self._lock:
            if self.status not in ("starting", "training"):
                return
            self.status = "stopping"
        self._tell()
        self._say("stop\n")

    def cancel(self) -> None:
        """End it at once; nothing is kept."""
        with self._lock:
            if self.over:
                return
            self.status, self._ended = "cancelled", time.monotonic()
        self.process.kill()
        self._tell()

    def _say(self, line: str) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(line)
            self.process.stdin.flush()

    def _tell(self) -> None:
        self.journal.add("status", self.told().model_dump())

    def _overhear(self) -> None:
        """Keep the last words on stderr, so that the process never waits for someone to read them."""
        assert self.process.stderr is not None
        with contextlib.suppress(ValueError):
            for line in self.process.stderr:
                self._words.append(line.strip()[:500])

    def _follow(self) -> None:
        """Read what the process tells, to its end."""
        assert self.process.stdout is not None
        saved = False
        with self.process.stdout as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                except ValueError:  # cut off, where the process was killed
                    continue
                saved = saved or event["kind"] == "saved"
                self._hear(event)
        code = self.process.wait()
        if saved:
            try:
                self._show()
            except Exception as error:  # the job must end, whatever a model may do
                self.detail = f"The model was saved but cannot be shown: {error}"
        elif self.detail is None:
            self.detail = f"The training ended with code {code}. {next(reversed(self._words), '')}".strip()
        with self._lock:
            if not self.over:
                self.status, self._ended = "failed", time.monotonic()
        if self.status == "cancelled":
            shutil.rmtree(self.out, ignore_errors=True)
        else:
            self._tell()
        for stream in (self.process.stdin, self.process.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.close()  # type: ignore[union-attr]
        shutil.rmtree(self.folder, ignore_errors=True)
        del self.brought  # what was brought may be large, and the page goes on showing what became of it

    def _hear(self, event: dict[str, Any]) -> None:
        kind = event.pop("kind")
        if kind == "started":
            with self._lock:
                if self.status == "starting":
                    self.status = "training"
            self._tell()
        elif kind == "history":
            self.share = event["record"]["share"]
            self.journal.add("history", event["record"])
        elif kind == "pictures":
            self.journal.add("pictures", self._pictures(event), instead=True)
        elif kind == "note":
            self.journal.add("note", event)
        elif kind == "failed":
            self.detail = event["detail"]

    def _pictures(self, event: dict[str, Any]) -> dict[str, Any]:
        made = np.asarray(event["reconstruction"], dtype=self.originals.dtype)
        schema = self.brought.schema

        def told(rows: np.ndarray) -> list[dict[str, Any]]:
            if schema.kind == "image":
                return [{"picture": uri(one), "values": None} for one in displayed(rows, schema)]
            return [{"picture": None, "values": row.tolist()} for row in rows.astype(float)]

        return {"epoch": event["epoch"], "original": told(self.originals), "reconstruction": told(made)}

    def _show(self) -> None:
        """Open the model with its data."""
        model = load(self.out)
        X, _, _ = self.brought.examples(self.order.columns, self.order.label)
        data = Data(
            self.brought.name,
            model.schema_.as_frame(X),
            self._label(),
            self.brought.further(self.columns),
            self.brought.files,
        )
        view = View(model, data, self.session.turns, name=self.name, path=self.out, saved=self.session.keep is not None)
        with self._lock:  # so that it is either cancelled or shown
            if self.status != "cancelled":
                self.session.show(view)
                self.status, self.share, self._ended = "done", 1.0, time.monotonic()

    def _told(self, n: int) -> list[str]:
        """The label of each example, for a conditional model."""
        label = self._label()
        words = [label.word(row) for row in range(n)] if label else []
        if not words or None in words:
            raise ValueError("A conditional model needs a label for each example: choose the column that holds it.")
        return [str(word) for word in words]

    def _label(self) -> Colour | None:
        """What colours the map: a column that was named, or the labels that came along."""
        if self.order.label is None:
            return self.brought.labels
        column = next((c for c in self.brought.columns or () if c.name == self.order.label), None)
        if column is None:
            raise ValueError(f"{self.brought.name} has no column {self.order.label[:100]!r}.")
        return Colour.of(column.values)


class Jobs:
    """What was brought, and the trainings on it.

    Parameters
    ----------
    upload_bytes : of an upload, at most.

    Attributes
    ----------
    uploads, jobs : by number, the oldest first.
    reading : held while something that was brought is read, so that memory is bounded.
    """

    def __init__(self, session: Session, upload_bytes: int) -> None:
        self.session, self.upload_bytes = session, upload_bytes
        self.uploads: dict[str, Brought] = {}
        self.reading = threading.Lock()
        self.jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    @property
    def running(self) -> Job | None:
        """The training that runs."""
        return next((job for job in list(self.jobs.values()) if not job.over), None)

    def take(self, brought: Brought) -> str:
        """Keep what was brought, and give it a number; of many, the oldest goes."""
        number = secrets.token_hex(6)
        with self._lock:
            self.uploads[number] = brought
            while len(self.uploads) > _MOST_UPLOADS:
                del self.uploads[next(iter(self.uploads))]
        return number

    def start(self, order: messages.TrainingRequest, brought: Brought) -> Job:
        """Begin a training.

        Raises
        ------
        Busy
            If one runs already.
        ValueError
            If a parameter is not what it must be.
        """
        with self._lock:
            if self.running:
                raise Busy("A training runs already: stop or cancel it first.")
            folder = self.session.folder / "jobs" / secrets.token_hex(6)
            job = Job(order, brought, folder, _new_folder(self.session.models, order, brought), self.session)
            self.jobs[job.id] = job
            while len(self.jobs) > _MOST_JOBS:
                del self.jobs[next(iter(self.jobs))]
        return job

    def close(self) -> None:
        """End what runs: where models are kept with its best weights so far, otherwise at once."""
        for job in list(self.jobs.values()):
            if self.session.keep is not None:
                job.stop()
                job.thread.join(timeout=_LAST_WORDS)
            job.cancel()
            job.thread.join(timeout=10)


def _parameters(order: messages.TrainingRequest) -> dict[str, Any]:
    """What the estimator is made with, checked."""
    cls = estimator(order.recipe)
    declared = cls.parameters()
    known = [name for name in declared if name not in _OURS]
    for name in order.parameters:
        if name not in known:
            raise ValueError(f"{cls.__name__} has no parameter {name!r} to set here. {did_you_mean(name, known)}")
    values = {
        **order.parameters,
        "max_time": order.max_time,
        "max_epochs": order.max_epochs or "auto",
    }
    if "likelihood" in declared:
        values["likelihood"] = order.likelihood
    if order.n_components is not None:
        values["n_components"] = order.n_components
    for name, value in values.items():
        declared[name].check(cls.__name__, value)
    return {"random_state": 0, **values}


def _new_folder(parent: Path, order: messages.TrainingRequest, brought: Brought) -> Path:
    """A folder that is not there yet, with a name that says what is in it."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", order.name or f"{Path(brought.name).stem}-{order.recipe}").strip("-").lower()
    name = words[:48] or "model"
    number, path = 2, parent / name
    while path.exists():
        path, number = parent / f"{name}-{number}", number + 1
    return path
