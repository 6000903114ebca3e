"""The ASGI application of a session, and how it is served."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import compile_path

from narrows.studio.decoder import Decoder
from narrows.studio.images import BadFile, TooLarge
from narrows.studio.jobs import Jobs
from narrows.studio.routes import clean, data, dials, map, outliers, report, search, state, train, units
from narrows.studio.safety import Guard
from narrows.studio.session import Session
from narrows.version import __version__

UPLOAD_BYTES = 256 << 20
_log = logging.getLogger("narrows.studio")


def create(
    session: Session, *, token: str | None = None, hosts: Iterable[str] = (), upload_bytes: int = UPLOAD_BYTES
) -> FastAPI:
    """The application.

    Parameters
    ----------
    session : what is shown.
    token : that whoever asks must know; None where only this machine can ask.
    hosts : names by which this machine may be called, besides localhost and IP addresses.
    upload_bytes : of an upload, at most, and four times that once it is unpacked.
    """
    app = FastAPI(
        title="narrows studio",
        version=__version__,
        docs_url=None,  # they would fetch scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=_lifespan,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.session, app.state.decoder, app.state.turning = session, Decoder(), set()
    app.state.jobs = Jobs(session, upload_bytes)
    app.state.ended = lambda: False  # whether the server is to stop, so that streams end
    for part in (state, dials, data, map, clean, units, outliers, search, train, report):
        app.include_router(part.router)
    static = Path(str(resources.files("narrows.studio"))) / "static"

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(static / "index.html", media_type="text/html")

    app.mount("/static", StaticFiles(directory=static, check_dir=False), name="static")
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(BadFile, _unread)
    app.add_exception_handler(TooLarge, _too_large)
    for kind in (ValueError, TypeError, ImportError, FloatingPointError):
        app.add_exception_handler(kind, _mistaken)
    app.add_exception_handler(OSError, _unable)
    app.add_exception_handler(MemoryError, _too_much)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_middleware(Guard, token=token, hosts=tuple(hosts))
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.jobs.close()


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:  # a route has one method; the others of its address are other routes'
        paths: dict[str, dict[str, object]] = request.app.openapi()["paths"]
        fitting = (methods for path, methods in paths.items() if compile_path(path)[0].match(request.url.path))
        methods = paths.get(request.url.path) or next(fitting, {"GET": None})
        headers["Allow"] = ", ".join(sorted(method.upper() for method in methods))
    return _problem(error.status_code, str(error.detail), headers)


async def _invalid(_: Request, error: Exception) -> Response:
    """What must hold of a request and does not, in one sentence."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _problem(400, "The body is no JSON.")
    place = ".".join(str(part) for part in first["loc"][1:])
    return _problem(422, f"{place or 'The body'}: {first['msg']}.")


async def _unread(_: Request, error: Exception) -> Response:
    return _problem(415, str(error))


async def _too_large(_: Request, error: Exception) -> Response:
    return _problem(413, str(error))


async def _mistaken(_: Request, error: Exception) -> Response:
    """What the library refuses is the user's to mend, and its words say how."""
    _log.debug("refused", exc_info=error)
    return _problem(422, str(error))


async def _unable(_: Request, error: Exception) -> Response:
    """A disk that is full, a folder that went away."""
    _log.warning("refused", exc_info=error)
    return _problem(409, f"The machine cannot do it: {getattr(error, 'strerror', None) or error}.")


async def _too_much(_: Request, error: Exception) -> Response:
    _log.warning("refused", exc_info=error)
    return _problem(413, "It needs more memory than there is.")


async def _gone(_: Request, error: Exception) -> Response:
    """For nobody: whoever asked has left in the middle of the request."""
    return _problem(400, "The request broke off.")


def _problem(status: int, words: str, headers: dict[str, str] | None = None) -> JSONResponse:
    # half a character, as JSON can have it, is no UTF-8
    detail = words.encode("utf-8", "replace").decode("utf-8")
    return JSONResponse({"detail": detail}, status, headers)
