"""Train panel, first part: uploads, and what they hold."""

from __future__ import annotations

import functools
import secrets
import shutil
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from anyio import to_thread
from fastapi import APIRouter, HTTPException, Query, Request

from narrows.data import is_missing, named
from narrows.data.kinds import NUMBER_KINDS
from narrows.studio.cells import kind_of
from narrows.studio.jobs import Busy, Jobs
from narrows.studio.messages import (
    ColumnEntry,
    DatasetName,
    LikelihoodEntry,
    Preview,
    SuggestedSettings,
    UploadState,
)
from narrows.studio.routes.dependencies import Id, JobsDep, SessionDep, require
from narrows.studio.routes.responses import document_errors, document_raw_body
from narrows.studio.routes.state import describe_likelihoods
from narrows.studio.upload_columns import UploadColumn
from narrows.studio.uploads import SIDE, Upload, draw_preview, read_upload, suggest_label, wrap_examples

router = APIRouter(prefix="/api/uploads")
_MAX_TIME = 60.0  # suggested for a training, in seconds
_MAX_SIZE = 8  # components suggested
_ANY_KIND = ("auto", "gaussian", "heteroscedastic")  # likelihoods of tables with columns of any kind
_MAX_PREVIEW_COLUMNS, _MAX_PREVIEW_ROWS, _MAX_PREVIEW_TEXT = 50, 8, 40


@router.post(
    "",
    status_code=201,
    responses=document_errors(400, 413, 415, 422, 429),
    openapi_extra=document_raw_body("The bytes of a file."),
)
async def receive_upload(
    session: SessionDep,
    jobs: JobsDep,
    request: Request,
    name: Annotated[str, Query(min_length=1, max_length=1000)],
    side: Annotated[int, Query(ge=8, le=512)] = SIDE,
) -> UploadState:
    """Upload data: a table, an array, or a zip of images, in any format that the command line reads."""
    length = request.headers.get("content-length", "")
    _check_size(int(length) if length.isdecimal() else 0, jobs)
    try:
        with jobs.arrival():
            upload = await _receive(session.folder / "uploads" / secrets.token_hex(6), request, jobs, name, side)
    except Busy as error:
        raise HTTPException(429, str(error), {"Retry-After": "10"}) from error
    return await to_thread.run_sync(lambda: _describe(jobs.add_upload(upload), upload))


async def _receive(folder: Path, request: Request, jobs: Jobs, name: str, side: int) -> Upload:
    """Write the body of a request into a new folder, read it as a file of data, and delete the folder."""
    folder.mkdir(parents=True)
    try:
        size = 0
        with open(folder / "raw", "wb") as stream:
            async for part in request.stream():
                size += len(part)
                _check_size(size, jobs)
                stream.write(part)
        read = functools.partial(read_upload, folder / "raw", name, jobs.upload_bytes, side)
        return await to_thread.run_sync(read, limiter=jobs.reader)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@router.post("/dataset", status_code=201, responses=document_errors(400, 404, 413, 422))
def use_dataset(jobs: JobsDep, body: DatasetName) -> UploadState:
    """Make an upload of a named data set that is on this machine."""
    info = named.NAMES.get(body.name)
    if info is None or (info.files and not named.find(info.name)):
        raise HTTPException(404, "There is no such data set on this machine.")
    dataset = named.load(info.name)
    upload = wrap_examples(info.name, dataset.X, dataset.y)
    return _describe(jobs.add_upload(upload), upload)


@router.get("/{upload}", responses=document_errors(404, 422))
def get_upload(jobs: JobsDep, upload: Id) -> UploadState:
    """Describe an upload."""
    return _describe(upload, find_upload(jobs, upload))


@router.delete("/{upload}", status_code=204, responses=document_errors(404, 422))
def delete_upload(jobs: JobsDep, upload: Id) -> None:
    """Delete an upload. Trainings on it continue."""
    find_upload(jobs, upload)
    jobs.uploads.pop(upload, None)


def find_upload(jobs: Jobs, upload_id: str) -> Upload:
    """Return an upload; answer 404 if there is none with this id."""
    return require(jobs.uploads.get(upload_id), "These data are no longer on the server: upload them again.")


def _check_size(size: int, jobs: Jobs) -> None:
    if size > jobs.upload_bytes:
        raise HTTPException(
            413,
            f"At most {jobs.upload_bytes:,} bytes can be uploaded. Train on larger data with `narrows fit`, and show "
            "them with `narrows studio MODEL DATA`.",
        )


def _describe(upload_id: str, upload: Upload) -> UploadState:
    schema, labels, label = upload.schema, upload.labels, suggest_label(upload)
    columns = None if upload.columns is None else [_describe_column(c, label) for c in upload.columns]
    return UploadState(
        id=upload_id,
        name=upload.name,
        bytes=upload.size,
        n=len(upload),
        kind="table" if schema is None else kind_of(schema),
        description="no column that a model uses by itself: choose some" if schema is None else schema.describe(),
        shape=[0] if schema is None else list(schema.user_shape),
        support="mixed" if schema is None else schema.support,
        labels=labels is not None,
        classes=list(labels.categories) if labels is not None and labels.categories is not None else None,
        notes=list(upload.notes),
        columns=columns,
        likelihoods=[
            LikelihoodEntry(name=name, help=text, kinds=None if name in _ANY_KIND else list(NUMBER_KINDS))
            for name, text in describe_likelihoods().items()
        ],
        suggested=SuggestedSettings(
            recipe="vae",
            n_components=None if schema is None else _suggest_size(schema.n_entries),
            max_time=_MAX_TIME,
            likelihood="auto",
            label=label,
        ),
        preview=Preview(sheet=draw_preview(upload), rows=_preview_rows(upload)),
    )


def _suggest_size(n_entries: int) -> int:
    """Return the suggested number of components: half the entries, at most 8, and 2 for a map where that is possible.

    >>> [_suggest_size(n) for n in (1, 2, 3, 7, 30)]
    [1, 2, 2, 3, 8]
    """
    return min(n_entries, max(2, min(_MAX_SIZE, n_entries // 2)))


def _describe_column(column: UploadColumn, label: str | None) -> ColumnEntry:
    return ColumnEntry(
        name=column.name,
        kind=column.kind,
        kinds=list(column.kinds),
        use=column.is_used and column.name != label,
        description=column.description,
        problem=column.problem,
        missing=column.missing,
        distinct=column.distinct,
        examples=list(column.examples),
    )


def _preview_rows(upload: Upload) -> list[list[str]] | None:
    """Return the text of the first rows of a table, or None for images."""
    if upload.columns is None:
        return None
    first = upload.X[:_MAX_PREVIEW_ROWS]
    rows = np.asarray(first, dtype=object)[:, :_MAX_PREVIEW_COLUMNS].tolist()
    return [[_preview_cell(value) for value in row] for row in rows]


def _preview_cell(value: Any) -> str:
    if is_missing(value):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:_MAX_PREVIEW_TEXT]
