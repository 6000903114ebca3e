"""Bring data, see what narrows sees, train, stop, go back to another model."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import shutil
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi import Path as InPath
from fastapi.responses import StreamingResponse

from narrows.data import named
from narrows.studio import messages, uploads
from narrows.studio.jobs import Busy, Job, Jobs
from narrows.studio.messages import (
    ColumnEntry,
    DatasetName,
    LikelihoodEntry,
    Preview,
    State,
    SuggestedSettings,
    TrainingRequest,
    UploadState,
)
from narrows.studio.routes import asking
from narrows.studio.routes.asking import Here
from narrows.studio.routes.state import likelihood_help, whole_state
from narrows.studio.uploads import SIDE, Brought, Column
from narrows.studio.view import View

router = APIRouter(prefix="/api")
Number = Annotated[str, InPath(max_length=32, pattern="^[0-9a-z]+$")]
_POLL = 0.1  # seconds between two looks for events
_BEAT = 15.0  # seconds, after which a silent stream says that it is alive
_MAX_TIME = 60.0


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


def _job(request: Request, job: str) -> Job:
    return asking.there(_jobs(request).jobs.get(job), "There is no such training.")


@router.post(
    "/uploads",
    status_code=201,
    responses=asking.refusals(400, 413, 415, 422),
    openapi_extra=asking.raw_body("The bytes of a .csv, .tsv or .npy file, or of a .zip of images."),
)
async def upload(
    here: Here,
    request: Request,
    name: Annotated[str, Query(min_length=1, max_length=1000)],
    side: Annotated[int, Query(ge=8, le=512)] = SIDE,
) -> UploadState:
    """Bring data: a table of numbers, an array, or a zip of images."""
    jobs = _jobs(request)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > jobs.upload_bytes:
        raise HTTPException(413, f"At most {jobs.upload_bytes:,} bytes can be brought.")
    folder = here.folder / "uploads" / secrets.token_hex(6)
    folder.mkdir(parents=True)
    try:
        size = 0
        with open(folder / "raw", "wb") as stream:
            async for part in request.stream():
                size += len(part)
                if size > jobs.upload_bytes:
                    raise HTTPException(413, f"At most {jobs.upload_bytes:,} bytes can be brought.")
                stream.write(part)
        brought = await asking.in_thread(lambda: _read(jobs, folder / "raw", name, side))
    finally:
        await asking.in_thread(lambda: shutil.rmtree(folder, ignore_errors=True))
    return await asking.in_thread(lambda: _told(jobs.take(brought), brought))


@router.post("/uploads/dataset", status_code=201, responses=asking.refusals(400, 404, 413, 422))
def dataset(request: Request, body: DatasetName) -> UploadState:
    """Bring a named data set that is on this machine."""
    known = named.NAMES.get(body.name)
    if known is None or (known.files and not named.find(known.name)):
        raise HTTPException(404, "There is no such data set on this machine.")
    found = named.load(known.name)
    brought = uploads.of_examples(known.name, found.X, found.y)
    return _told(_jobs(request).take(brought), brought)


@router.get("/uploads/{upload}", responses=asking.refusals(404, 422))
def uploaded(request: Request, upload: Number) -> UploadState:
    """What narrows sees of data that were brought."""
    return _told(upload, _brought(request, upload))


@router.delete("/uploads/{upload}", status_code=204, responses=asking.refusals(404, 422))
def forget(request: Request, upload: Number) -> None:
    """Forget data that were brought; a training on them goes on."""
    _brought(request, upload)
    _jobs(request).uploads.pop(upload, None)


@router.post("/train", status_code=202, responses=asking.refusals(400, 404, 409, 413, 422))
def train(request: Request, body: TrainingRequest) -> messages.JobState:
    """Begin a training; there is one at a time."""
    try:
        return _jobs(request).start(body, _brought(request, body.upload)).told()
    except Busy as error:
        raise HTTPException(409, str(error)) from error


@router.get("/train/{job}", responses=asking.refusals(404, 422))
def training(request: Request, job: Number) -> messages.JobState:
    """How far a training is."""
    return _job(request, job).told()


@router.get(
    "/train/{job}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "Events: status, history, pictures, note.",
        },
        **asking.refusals(404, 422),
    },
)
async def events(
    request: Request, job: Number, after: Annotated[int | None, Query(ge=0, le=2**53)] = None
) -> StreamingResponse:
    """What happens in a training, from its beginning or from after an event (`Last-Event-ID`)."""
    found = _job(request, job)
    last = request.headers.get("last-event-id", "")
    start = after if after is not None else int(last) if last.isascii() and last.isdecimal() and len(last) < 16 else 0
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _stream(found, start, request.app.state.ended), media_type="text/event-stream", headers=headers
    )


async def _stream(job: Job, last: int, ended: Callable[[], bool]) -> AsyncIterator[str]:
    """Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    silent = 0.0
    yield "retry: 1000\n\n"
    while not ended():
        over = job.over and not job.thread.is_alive()
        for event in job.journal.after(last):
            last, silent = event.id, 0.0
            yield f"id: {event.id}\nevent: {event.kind}\ndata: {json.dumps(event.data)}\n\n"
        if over:
            return
        if silent >= _BEAT:
            silent = 0.0
            yield ": alive\n\n"
        await asyncio.sleep(_POLL)
        silent += _POLL


@router.post("/train/{job}/stop", status_code=202, responses=asking.refusals(404, 422))
def stop(request: Request, job: Number) -> messages.JobState:
    """Stop early: the best weights are kept, and the model opens."""
    found = _job(request, job)
    found.stop()
    return found.told()


@router.delete("/train/{job}", status_code=202, responses=asking.refusals(404, 422))
def cancel(request: Request, job: Number) -> messages.JobState:
    """Cancel: nothing is kept."""
    found = _job(request, job)
    found.cancel()
    return found.told()


@router.post("/models/{model}/open", responses=asking.refusals(404, 422))
def go_back(here: Here, request: Request, model: Number) -> State:
    """Show another model of this session."""
    here.show(_model(here, model))
    return whole_state(here, _jobs(request))


@router.get(
    "/models/{model}/download",
    response_class=Response,
    responses={
        200: {
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
            "description": "The model's folder.",
        },
        **asking.refusals(404, 422),
    },
)
def download(here: Here, model: Number) -> Response:
    """A model's folder as a zip; "current" is the one that is shown."""
    view = _model(here, model)
    path = view.path
    if path is None:
        path = here.folder / "downloads" / view.id
        with here.turns.turn():
            view.model.save(path)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for file in sorted(path.iterdir()):
            if file.is_file() and not file.name.startswith(".") and file.suffix in (".json", ".safetensors", ".md"):
                archive.write(file, f"{path.name}/{file.name}")
    name = "".join(c for c in path.name if c.isascii() and (c.isalnum() or c in "-_.")) or "model"
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return Response(stream.getvalue(), media_type="application/zip", headers=headers)


def _read(jobs: Jobs, path: Path, name: str, side: int) -> Brought:
    with jobs.reading:
        return uploads.bring(path, name, jobs.upload_bytes, side)


def _model(here: Here, model: str) -> View:
    return asking.there(here.current if model == "current" else here.views.get(model), "There is no such model.")


def _brought(request: Request, upload: str) -> Brought:
    return asking.there(_jobs(request).uploads.get(upload), "There are no such data any more: bring them again.")


def _told(number: str, brought: Brought) -> UploadState:
    schema, labels, label = brought.schema, brought.labels, uploads.suggested_label(brought)
    columns = None
    if schema.kind == "vector":
        columns = [_column(c, label) for c in brought.columns or _nameless(brought)]
    words = any(c.kind == "category" for c in brought.columns or ())
    many = schema.n_entries
    return UploadState(
        id=number,
        name=brought.name,
        bytes=brought.size,
        n=len(brought),
        kind="table" if words else "image" if schema.kind == "image" else "vector",
        description=schema.describe(),
        shape=list(schema.user_shape),
        support=schema.support,
        labels=labels is not None,
        classes=list(labels.categories) if labels is not None and labels.categories is not None else None,
        notes=list(brought.notes),
        columns=columns,
        likelihoods=[LikelihoodEntry(name=name, help=words) for name, words in likelihood_help().items()],
        suggested=SuggestedSettings(
            recipe="vae",
            n_components=max(1, min(8, many // 2)),
            max_time=_MAX_TIME,
            likelihood="auto",
            label=label,
        ),
        preview=Preview(sheet=uploads.sheet(brought), rows=_first_rows(brought)),
    )


def _nameless(brought: Brought) -> list[Column]:
    X = brought.X
    assert X is not None
    return [Column(f"column {i + 1}", "number", X[:, i].astype(np.float64)) for i in range(X.shape[1])]


def _column(column: Column, label: str | None) -> ColumnEntry:
    number = column.kind == "number"
    values: Any = column.values[np.isfinite(column.values)] if number else [v for v in column.values if v is not None]
    distinct = len(np.unique(values)) if number else len(set(values))
    shown = [f"{v:.6g}" for v in values[:5]] if number else [str(v)[:40] for v in dict.fromkeys(values)][:5]
    return ColumnEntry(
        name=column.name,
        kind=column.kind,
        use=number and column.name != label,
        missing=column.missing,
        low=float(values.min()) if number else None,
        high=float(values.max()) if number else None,
        mean=float(values.mean()) if number else None,
        distinct=distinct,
        examples=shown,
    )


def _first_rows(brought: Brought) -> list[list[str]] | None:
    if brought.schema.kind == "image":
        return None
    columns = list(brought.columns or _nameless(brought))[:50]
    n = min(8, len(brought))
    cells = [[f"{v:.6g}" if c.kind == "number" else str(v or "")[:40] for v in c.values[:n]] for c in columns]
    return [list(row) for row in zip(*cells, strict=True)]
