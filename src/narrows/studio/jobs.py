"""Runs one training at a time in a subprocess, streams its progress, and can stop, cancel or continue it."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from anyio import CapacityLimiter

from narrows.data import Schema
from narrows.estimators import load
from narrows.studio import messages, requests, sketch
from narrows.studio.data import Colour, Data
from narrows.studio.event_log import EventLog
from narrows.studio.session import Session
from narrows.studio.uploads import Upload, infer_schema, to_display_name
from narrows.studio.view import View
from narrows.studio.worker import add_names, choose_examples, save_examples
from narrows.studio.workers import Workers

Status = Literal["starting", "training", "stopping", "done", "failed", "cancelled"]
_FINAL = ("done", "failed", "cancelled")
_MAX_UPLOADS, _MAX_JOBS = 4, 20
_FEWEST_MORE = 180.0  # seconds for which a training goes on
_PAUSE = 10.0  # seconds between a training and the start of the process for the next one
MAX_ARRIVALS = 4  # uploads that may arrive at once: each has a temporary file
_SAVE_TIMEOUT = 60  # seconds that a training has to save its model when the studio ends


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
    checkpoint : temporary folder for the state of the training, from which it goes on if there is one.
    session : session that shows the model at the end.
    workers : starts the subprocess.

    Raises
    ------
    ValueError
        If a parameter or a column name of the request is invalid, or the training does not fit into memory.
    """

    def __init__(
        self,
        request: messages.TrainingRequest,
        upload: Upload,
        folder: Path,
        out: Path,
        checkpoint: Path,
        session: Session,
        workers: Workers,
    ) -> None:
        self.id, self.request, self.upload = secrets.token_hex(6), request, upload
        self.folder, self.out, self.checkpoint, self.session, self.workers = folder, out, checkpoint, session, workers
        self.name = to_display_name(request.name) if request.name else f"{request.recipe} on {upload.name}"
        self.log = EventLog()
        self.status: Status = "starting"
        self.share: float | None = None
        self.detail: str | None = None
        self.trained_seconds, self._is_limited = 0.0, False
        self.decided: dict[str, Any] = {}  # values of parameters that were "auto"
        self._started_at, self._ended_at = time.monotonic(), 0.0
        self._lock = threading.Lock()
        self._stderr_tail: deque[str] = deque(maxlen=20)
        X, self.columns, kinds = upload.select_examples(request.columns, request.label, request.kinds)
        parameters = requests.check_parameters(request, upload.is_image)
        schema = infer_schema(X, upload.name)
        baseline = sketch.find_baseline(requests.assemble(request.recipe, parameters, schema, len(X)))
        self._map_labels()  # raises if the label column does not exist
        job = {
            "recipe": request.recipe,
            "parameters": parameters,
            "columns": self.columns,
            "kinds": list(kinds.items()),
            "out": str(out),
            "checkpoint": str(checkpoint),
            "labels": self._class_labels(len(X)) if request.parameters.get("conditional") else None,
            "baseline": baseline and baseline._asdict(),
        }
        folder.mkdir(parents=True)
        save_examples(folder, X)
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        for note in upload.notes:
            self.log.add("note", {"words": note})
        self.process, is_warm = workers.take(folder)
        self._log_stage("Starting" if is_warm else "Starting: Python and its libraries are loaded")
        self._log_status()
        threading.Thread(target=self._drain_stderr, daemon=True).start()
        threading.Thread(target=self._draw_examples, args=(upload.name, schema, X, baseline), daemon=True).start()
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
            detail=self.detail if self.status in ("failed", "cancelled") else None,
        )

    def stop(self) -> None:
        """End the training early and keep the best weights so far. Before its first step there are none to keep."""
        with self._lock:
            if self.status not in ("starting", "training"):
                return
            is_early = self.status == "starting"
            if is_early:
                self.detail = "It was stopped before the model had learned anything: nothing was kept."
            else:
                self.status = "stopping"
        if is_early:
            self.cancel()
            return
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

    @property
    def more_seconds(self) -> float | None:
        """Seconds for which the training can sensibly go on from its present weights; None if it is at its end.

        A time limit or the user must have ended it.
        """
        can_go_on = self.is_over and self._is_limited and self.checkpoint.exists()
        most = messages.MAX_SECONDS - self.trained_seconds
        return min(most, max(_FEWEST_MORE, 2 * self.trained_seconds)) if can_go_on and most >= _FEWEST_MORE else None

    def _log_status(self) -> None:
        self.log.add("status", self.to_message().model_dump())

    def _log_stage(self, words: str) -> None:
        self.log.add("stage", {"words": words}, replace=True)

    def _draw_examples(self, name: str, schema: Schema, X: Any, baseline: sketch.Baseline | None) -> None:
        """Show examples, and what PCA makes of them, before the training has begun."""
        table, parts = schema.table, (sketch.subsample(X), choose_examples(X))
        rows, shown = parts if table is None else (table.encode(part, name) for part in parts)
        drawn = sketch.draw(schema, rows, shown, baseline)
        if "examples" not in self.log:  # those of a table may have come from the training, which knows its columns best
            self.log.add("examples", drawn, replace=True)

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
                if event["event"] == "saved":
                    is_saved, self._is_limited = True, event["can_go_on"]
                self._handle_event(event)
        code = self.process.wait()
        if is_saved:
            self._log_stage("Opening the model")
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
        self.workers.expect_training(_PAUSE)
        del self.upload  # frees memory: the page still asks for the job, but not for its data

    def _handle_event(self, event: dict[str, Any]) -> None:
        kind = event.pop("event")
        if kind == "started":
            with self._lock:
                if self.status == "starting":
                    self.status = "training"
            self._log_status()
        elif kind == "progress":
            self.share, self.trained_seconds = event["share"], event["seconds"]
            self.log.add("progress", event, replace=True)
        elif kind == "history":
            self.log.add("history", event["record"])
        elif kind in ("stage", "examples", "pictures"):
            self.log.add(kind, event, replace=True)
        elif kind == "note":
            self.log.add("note", event)
        elif kind == "failed":
            self.detail = event["detail"]

    def _show(self) -> None:
        """Load the model and show it with its data."""
        model = load(self.out)
        self.decided = dict(model.decided_)
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
            job=self.id,
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
    workers : the processes that train.
    """

    def __init__(self, session: Session, upload_bytes: int) -> None:
        self.session, self.upload_bytes = session, upload_bytes
        self.uploads: dict[str, Upload] = {}
        self.reader, self.picture_reader = CapacityLimiter(1), CapacityLimiter(2)
        self._n_arriving = 0
        self.jobs: dict[str, Job] = {}
        self.workers = Workers()
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
        self.workers.expect_training()
        return upload_id

    def start(self, request: messages.TrainingRequest, upload: Upload, checkpoint: Path | None = None) -> Job:
        """Start a training, or let it go on from its `checkpoint`.

        Raises
        ------
        Busy
            If another training is running.
        ValueError
            If a parameter of the request is invalid, or the training does not fit into memory.
        """
        with self._lock:
            if self.running:
                raise Busy("A training is already running: stop or cancel it first.")
            folder = self.session.folder / "jobs" / secrets.token_hex(6)
            if checkpoint is None:
                checkpoint = self.session.folder / "checkpoints" / folder.name
            out = requests.new_folder(self.session.models, request, upload.name)
            job = Job(request, upload, folder, out, checkpoint, self.session, self.workers)
            for other in self.jobs.values():  # only the latest training can go on
                if other.checkpoint != checkpoint:
                    shutil.rmtree(other.checkpoint, ignore_errors=True)
            self.jobs[job.id] = job
            while len(self.jobs) > _MAX_JOBS:
                del self.jobs[next(iter(self.jobs))]
        return job

    def start_again(self, job: Job, change: Mapping[str, Any], more_seconds: float | None) -> Job:
        """Repeat a training with other parameters, or let it go on for `more_seconds`.

        Raises
        ------
        Busy
            If a training is running.
        ValueError
            If a parameter is invalid, the training cannot go on, or its upload is gone.
        """
        upload = self.uploads.get(job.request.upload)
        if upload is None:
            raise ValueError("The data of this training are no longer here: upload them again.")
        if more_seconds is None:
            words = ", ".join(f"{name}={value}" for name, value in change.items())
            return self.start(requests.change_request(job.request, job.name, words, change), upload)
        if job.more_seconds is None:
            raise ValueError("This training cannot go on: its state is gone, or it is at its end. Train again instead.")
        # sizes that follow the time limit stay as they are
        change = {**job.decided, "max_time": job.trained_seconds + more_seconds}
        return self.start(requests.change_request(job.request, job.name, "longer", change), upload, job.checkpoint)

    def close(self) -> None:
        """End the running training. If the session keeps models, it first saves its best weights."""
        self.workers.close()
        for job in list(self.jobs.values()):
            if self.session.keep is not None:
                job.stop()
                job.thread.join(timeout=_SAVE_TIMEOUT)
            job.cancel()
            job.thread.join(timeout=10)
