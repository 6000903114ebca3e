"""Train panel, second part: starts trainings, streams their events, and stops or cancels them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import StreamingResponse

from narrows.studio.jobs import Busy, Job, Jobs
from narrows.studio.messages import AgainRequest, JobState, TrainingRequest
from narrows.studio.routes.dependencies import Id, JobsDep, require
from narrows.studio.routes.responses import document_errors
from narrows.studio.routes.uploads import find_upload

router = APIRouter(prefix="/api/train")
_POLL = 0.1  # seconds between two checks for events
_KEEPALIVE = 15.0  # seconds without an event after which a comment keeps the connection open


@router.post("", status_code=202, responses=document_errors(400, 404, 409, 413, 422))
def start_training(jobs: JobsDep, body: TrainingRequest) -> JobState:
    """Start a training. Only one can run at a time."""
    try:
        return jobs.start(body, find_upload(jobs, body.upload)).to_message()
    except Busy as error:
        raise HTTPException(409, str(error)) from error


@router.post("/{job}/again", status_code=202, responses=document_errors(400, 404, 409, 422))
def repeat_training(jobs: JobsDep, job: Id, body: AgainRequest) -> JobState:
    """Repeat a training with other parameters, or let it go on for longer."""
    try:
        return jobs.start_again(_find_job(jobs, job), body.change, body.more_seconds).to_message()
    except Busy as error:
        raise HTTPException(409, str(error)) from error


@router.get("/{job}", responses=document_errors(404, 422))
def get_training(jobs: JobsDep, job: Id) -> JobState:
    """Return the progress of a training."""
    return _find_job(jobs, job).to_message()


@router.get(
    "/{job}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
            "description": "Events: status, stage, examples, progress, history, pictures, note.",
        },
        **document_errors(404, 422),
    },
)
async def stream_events(
    jobs: JobsDep, request: Request, job: Id, after: Annotated[int | None, Query(ge=0, le=2**53)] = None
) -> StreamingResponse:
    """Stream the events of a training, from its start or from after an event (`Last-Event-ID`)."""
    training = _find_job(jobs, job)
    last = request.headers.get("last-event-id", "")
    start = after if after is not None else int(last) if last.isascii() and last.isdecimal() and len(last) < 16 else 0
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(
        _stream(training, start, request.app.state.is_stopping), media_type="text/event-stream", headers=headers
    )


async def _stream(job: Job, last: int, is_stopping: Callable[[], bool]) -> AsyncIterator[str]:
    """Yield server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    silent = 0.0
    yield "retry: 1000\n\n"
    while not is_stopping():
        is_over = job.is_over and not job.thread.is_alive()
        for event in job.log.list_after(last):
            last, silent = event.id, 0.0
            yield f"id: {event.id}\nevent: {event.kind}\ndata: {json.dumps(event.data)}\n\n"
        if is_over:
            return
        if silent >= _KEEPALIVE:
            silent = 0.0
            yield ": alive\n\n"
        await asyncio.sleep(_POLL)
        silent += _POLL


@router.post("/{job}/stop", status_code=202, responses=document_errors(404, 422))
def stop_training(jobs: JobsDep, job: Id) -> JobState:
    """Stop a training early. Its best weights are kept, and the model is shown."""
    training = _find_job(jobs, job)
    training.stop()
    return training.to_message()


@router.delete("/{job}", status_code=202, responses=document_errors(404, 422))
def cancel_training(jobs: JobsDep, job: Id) -> JobState:
    """Cancel a training. Nothing is kept."""
    training = _find_job(jobs, job)
    training.cancel()
    return training.to_message()


def _find_job(jobs: Jobs, job_id: str) -> Job:
    return require(jobs.jobs.get(job_id), "There is no such training.")
