"""Models of the session: shows one of them, or downloads it."""

from __future__ import annotations

import io
import zipfile

from fastapi import APIRouter, Response

from narrows.studio.messages import State
from narrows.studio.routes.dependencies import Id, JobsDep, SessionDep, require
from narrows.studio.routes.responses import document_errors
from narrows.studio.routes.state import build_state
from narrows.studio.session import Session
from narrows.studio.view import View

router = APIRouter(prefix="/api/models")


@router.post("/{model}/open", responses=document_errors(404, 422))
def open_model(session: SessionDep, jobs: JobsDep, model: Id) -> State:
    """Show another model of this session."""
    session.show(_find_view(session, model))
    return build_state(session, jobs)


@router.get(
    "/{model}/download",
    response_class=Response,
    responses={
        200: {
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
            "description": "The model's folder.",
        },
        **document_errors(404, 422),
    },
)
def download_model(session: SessionDep, model: Id) -> Response:
    """Return a model's folder as a zip file; "current" is the model that is shown."""
    view = _find_view(session, model)
    path = view.path
    if path is None:
        path = session.folder / "downloads" / view.id
        with session.compute_lock.hold():
            view.model.save(path)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for file in sorted(path.iterdir()):
            if file.is_file() and not file.name.startswith(".") and file.suffix in (".json", ".safetensors", ".md"):
                archive.write(file, f"{path.name}/{file.name}")
    name = "".join(c for c in path.name if c.isascii() and (c.isalnum() or c in "-_.")) or "model"
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return Response(stream.getvalue(), media_type="application/zip", headers=headers)


def _find_view(session: Session, model_id: str) -> View:
    view = session.current if model_id == "current" else session.views.get(model_id)
    return require(view, "There is no such model.")
