"""Makes the ASGI application of a session: routes, page, error handlers."""

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

from narrows.data.images import TooLarge
from narrows.studio.decoder import Decoder
from narrows.studio.images import BadFile
from narrows.studio.jobs import Jobs
from narrows.studio.routes import (
    clean,
    compare,
    data,
    dials,
    export,
    fill,
    map,
    models,
    outliers,
    report,
    search,
    state,
    train,
    units,
    uploads,
)
from narrows.studio.routes.responses import takes_file
from narrows.studio.safety import Guard
from narrows.studio.session import Session
from narrows.version import __version__

MAX_UPLOAD_BYTES = 256 << 20
_log = logging.getLogger("narrows.studio")


def create_app(
    session: Session,
    *,
    token: str | None = None,
    code: str | None = None,
    hosts: Iterable[str] = (),
    upload_bytes: int = MAX_UPLOAD_BYTES,
) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    session : session that the page shows.
    token : secret that requests must carry; None if no other program can send requests, as in a notebook.
    code : secret of a link that opens the studio once, within two minutes; None for no such link.
    hosts : host names of this machine that are accepted, besides localhost and IP addresses.
    upload_bytes : largest size of an upload, in bytes. An archive may unpack to four times this size.
    """
    app = FastAPI(
        title="narrows studio",
        version=__version__,
        docs_url=None,  # its page would load scripts from other servers
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=_lifespan,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.session, app.state.decoder, app.state.decode_sockets = session, Decoder(), set()
    app.state.jobs = Jobs(session, upload_bytes)
    app.state.is_stopping = lambda: False  # the server sets it, so that event streams end
    parts = (
        state,
        dials,
        fill,
        data,
        map,
        clean,
        units,
        outliers,
        search,
        uploads,
        train,
        models,
        export,
        compare,
        report,
    )
    for part in parts:
        app.include_router(part.router)
    static = Path(str(resources.files("narrows.studio"))) / "static"

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(static / "index.html", media_type="text/html")

    app.mount("/static", StaticFiles(directory=static, check_dir=False), name="static")
    app.add_exception_handler(RequestValidationError, _handle_invalid_request)
    app.add_exception_handler(HTTPException, _handle_http_error)
    app.add_exception_handler(BadFile, _handle_bad_file)
    app.add_exception_handler(TooLarge, _handle_too_large)
    for kind in (ValueError, TypeError, ImportError, FloatingPointError):
        app.add_exception_handler(kind, _handle_user_error)
    app.add_exception_handler(OSError, _handle_os_error)
    app.add_exception_handler(MemoryError, _handle_memory_error)
    app.add_exception_handler(ClientDisconnect, _handle_disconnect)
    file_paths = [route.path for part in parts for route in part.router.routes if takes_file(route)]
    app.add_middleware(Guard, token=token, code=code, hosts=tuple(hosts), file_paths=file_paths)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.jobs.close()


async def _handle_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 405:  # Starlette names the methods of one route only, but a path may have several routes
        paths: dict[str, dict[str, object]] = request.app.openapi()["paths"]
        matching = (methods for path, methods in paths.items() if compile_path(path)[0].match(request.url.path))
        methods = paths.get(request.url.path) or next(matching, {"GET": None})
        headers["Allow"] = ", ".join(sorted(method.upper() for method in methods))
    if error.status_code == 408:  # the rest of the body may never come
        headers["Connection"] = "close"
    return _make_problem(error.status_code, str(error.detail), headers)


async def _handle_invalid_request(_: Request, error: Exception) -> Response:
    """Answer with the first validation error, in one sentence."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _make_problem(400, "The body is not valid JSON.")
    field = ".".join(str(part) for part in first["loc"][1:])
    return _make_problem(422, f"{field or 'The body'}: {first['msg']}.")


async def _handle_bad_file(_: Request, error: Exception) -> Response:
    return _make_problem(415, str(error))


async def _handle_too_large(_: Request, error: Exception) -> Response:
    return _make_problem(413, str(error))


async def _handle_user_error(_: Request, error: Exception) -> Response:
    """Answer with the library's error message, which says how to fix the request."""
    _log.debug("refused", exc_info=error)
    return _make_problem(422, str(error))


async def _handle_os_error(_: Request, error: Exception) -> Response:
    """Answer 409 if a disk is full or a folder is gone."""
    _log.debug("refused", exc_info=error)
    return _make_problem(409, f"The server could not do this: {getattr(error, 'strerror', None) or error}.")


async def _handle_memory_error(_: Request, error: Exception) -> Response:
    _log.debug("refused", exc_info=error)
    return _make_problem(413, "This needs more memory than the server has.")


async def _handle_disconnect(_: Request, error: Exception) -> Response:
    """Answer although the client has left, so that no error is logged."""
    return _make_problem(400, "The connection was closed before the request was complete.")


def _make_problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    # JSON may hold lone surrogates, which have no UTF-8 encoding
    return JSONResponse({"detail": detail.encode("utf-8", "replace").decode("utf-8")}, status, headers)
