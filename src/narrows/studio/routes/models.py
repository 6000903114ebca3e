"""Models of the session: shows, renames, deletes and restores one of them, or downloads it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Response
from pydantic import BaseModel, Field

from narrows import storage
from narrows.estimators import estimator, load
from narrows.studio.messages import Body, State
from narrows.studio.routes.dependencies import Id, JobsDep, SessionDep, require
from narrows.studio.routes.responses import document_errors
from narrows.studio.routes.state import build_state
from narrows.studio.session import Session
from narrows.studio.uploads import to_printable
from narrows.studio.view import View

router = APIRouter(prefix="/api/models")
_MAX_KEPT = 200  # models of earlier studios that are listed
FolderName = Annotated[str, Path(max_length=255)]


class ModelName(Body):
    """Another name of a model."""

    name: Annotated[str, Field(min_length=1, max_length=100)]


class KeptModel(BaseModel):
    """A model that an earlier studio kept: its folder, its name, and its recipe."""

    folder: str
    name: str
    recipe: str


@router.get("/kept", responses=document_errors(422))
def list_kept_models(session: SessionDep) -> list[KeptModel]:
    """Return the models in the folder that `--keep` names which are not in the list of this session, 200 at most."""
    kept = []
    for folder in session.list_kept()[:_MAX_KEPT]:
        try:
            recipe = estimator(storage.describe(folder)["recipe"]).recipe.name
            name = storage.read_notes(folder).name or folder.name
        except (ValueError, OSError):  # it is damaged, or no autoencoder
            continue
        kept.append(KeptModel(folder=folder.name, name=name, recipe=recipe))
    return kept


@router.post("/kept/{folder}/open", responses=document_errors(404, 409, 422))
def open_kept_model(session: SessionDep, jobs: JobsDep, folder: FolderName) -> State:
    """Show a model that an earlier studio kept, with the rows that are shown if they fit it."""
    session.show(_view_kept(session, folder))
    return build_state(session, jobs)


@router.delete("/kept/{folder}", responses=document_errors(404, 409, 422))
def delete_kept_model(session: SessionDep, jobs: JobsDep, folder: FolderName) -> State:
    """Delete a model that an earlier studio kept. It can be restored until the studio stops, as any model can."""
    session.delete(_view_kept(session, folder))
    return build_state(session, jobs)


def _view_kept(session: Session, folder: str) -> View:
    """Return a view of a model that an earlier studio kept, with the rows that are shown if they fit it.

    Of two requests at once, both get the same view.
    """
    known = next((view for view in session.views.values() if view.path == session.models / folder), None)
    if known is not None:
        return known
    path = require(next((p for p in session.list_kept() if p.name == folder), None), "There is no such kept model.")
    model, current = load(path), session.current
    options: dict[str, Any] = {
        "name": storage.read_notes(path).name or path.name,
        "path": path,
        "is_saved": session.keep is not None,
    }
    data = None if current is None or current.data is None else replace(current.data, X=current.given)
    try:
        return View(model, data, session.compute_lock, **options)
    except (ValueError, TypeError):  # other rows, which it does not take
        return View(model, None, session.compute_lock, **options)


@router.post("/{model}/open", responses=document_errors(404, 422))
def open_model(session: SessionDep, jobs: JobsDep, model: Id) -> State:
    """Show another model of this session."""
    session.show(find_view(session, model))
    return build_state(session, jobs)


@router.post("/{model}/rename", responses=document_errors(400, 404, 409, 413, 422))
def rename_model(session: SessionDep, jobs: JobsDep, model: Id, body: ModelName) -> State:
    """Give a model of this session another name, which is kept in its folder."""
    session.rename(find_view(session, model), check_name(body.name))
    return build_state(session, jobs)


@router.delete("/{model}", responses=document_errors(404, 409, 422))
def delete_model(session: SessionDep, jobs: JobsDep, model: Id) -> State:
    """Delete a model that is not shown. It can be restored until the studio stops.

    Only then the folder of a model in the studio's own folder is deleted. Folders of other models are never deleted.
    """
    view = find_view(session, model)
    try:
        session.delete(view)
    except ValueError as error:
        raise HTTPException(409, str(error)) from None
    return build_state(session, jobs)


@router.post("/{model}/restore", responses=document_errors(404, 422))
def restore_model(session: SessionDep, jobs: JobsDep, model: Id) -> State:
    """Put a deleted model back into the list."""
    session.restore(require(session.deleted.get(model), "There is no such deleted model."))
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
    view = find_view(session, model)
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


def check_name(text: str) -> str:
    """Return a name without what cannot be printed; answer 422 if nothing is left."""
    name = to_printable(text)
    if not name:
        raise HTTPException(422, "A name needs a letter, a digit or another sign that can be seen.")
    return name


def find_view(session: Session, model_id: str) -> View:
    """Return the view of an id, or the one that is shown for "current"; answer 404 if there is none."""
    view = session.current if model_id == "current" else session.views.get(model_id)
    return require(view, "There is no such model.")
