"""Loads the model and the data of the command line, and runs the server until Ctrl-C."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from narrows import storage
from narrows.data import is_frame
from narrows.data.files import Dataset
from narrows.data.images import class_names
from narrows.data.labels import read_labels
from narrows.estimators import load
from narrows.estimators.base import Estimator
from narrows.studio.data import Colour, Data, other_columns
from narrows.studio.session import Session
from narrows.studio.terminal import print_log_lines
from narrows.tasks.loading import saved_class

_MAX_HEAD_BYTES = 256 << 10  # of the address and headers of a request: an address may hold a long code
_MAX_MESSAGE_BYTES = 8 << 20  # bytes of one message over the WebSocket
_SHUTDOWN_TIMEOUT = 2  # seconds that running requests get when the studio stops


def serve(
    model: Path | None = None,
    data: Dataset | None = None,
    *,
    source: str | None = None,
    labels: str | None = None,
    keep: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8760,
    browser: bool = True,
) -> None:
    """Open a model, and serve the page until Ctrl-C.

    Parameters
    ----------
    model : folder of a saved model; None opens the page for training one.
    data : examples for the model.
    source : name or path that `data` was read from, as the page shows it.
    labels : column of `data` with the labels, or path of a file with one label for each example.
    keep : folder for models trained on the page; None for a temporary one.
    host, port : address to listen at.
    browser : True to open the page in a browser.

    Raises
    ------
    ImportError
        If the extra `studio` is not installed.
    ValueError
        If the model is not an autoencoder, or if the data or the labels do not fit it.
    OSError
        If the model cannot be read, or if the server cannot listen at the address.
    """
    check_installed()
    if keep is not None:
        check_folder(keep)
    session = Session(keep)
    try:
        if model is not None:
            kind = saved_class(model)
            if not issubclass(kind, Estimator):
                raise ValueError(
                    f"The studio shows autoencoders. The model in {model} is of another kind: {kind.__name__}."
                )
            fitted = load(model)
            examples = None if data is None else prepare_data(data, labels, fitted, source)
            name = storage.read_notes(model).name or model.resolve().name
            session.open(fitted, examples, name=name, path=model, is_saved=True)
        run(session, host=host, port=port, browser=browser)
    finally:
        session.close()


def run(session: Session, *, host: str = "127.0.0.1", port: int = 8760, browser: bool = True) -> None:
    """Serve the page of `session` until Ctrl-C.

    Raises
    ------
    OSError
        If the server cannot listen at the address.
    """
    import uvicorn

    from narrows.studio.app import create_app
    from narrows.studio.protocol import PatientProtocol

    token, code = secrets.token_urlsafe(24), secrets.token_urlsafe(24) if browser else None
    with contextlib.closing(open_listener(host, port)) as listener, print_log_lines():
        app = create_app(session, token=token, code=code, hosts=list_host_names(host))
        workers = app.state.jobs.workers
        workers.is_warm = True
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="error",
            access_log=False,
            http=PatientProtocol,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
            ws_max_size=_MAX_MESSAGE_BYTES,
            ws_max_queue=8,
            ws_per_message_deflate=False,  # saves little on a local connection, and takes time
            timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT,
        )
        port = listener.getsockname()[1]
        links = make_links(host, port, f"token={token}")

        class Server(uvicorn.Server):
            """Prints the links once it answers. By then Ctrl-C has its handler, even if the shell had it ignored."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                print_links(links, is_kept=session.keep is not None)
                if session.current is None:
                    workers.expect_training()
                if browser:
                    link = make_links(host, port, f"code={code}")[0]
                    threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()

        server = Server(config)
        app.state.is_stopping = lambda: server.should_exit
        with contextlib.suppress(KeyboardInterrupt), exit_on_sigterm():
            server.run(sockets=[listener])
        if session.keep is None and any(not view.is_saved for view in session.views.values()):
            _print("The models trained here were deleted with their temporary folder.")


def print_links(links: list[str], *, is_kept: bool) -> None:
    """Print the links, and say whether models trained on the page are kept."""
    _print("\n".join([f"narrows studio: {links[0]}", *(f"            or: {link}" for link in links[1:])]))
    if not is_kept:
        _print("Models trained here are deleted when the studio stops. Download them on the page, or use --keep DIR.")
    _print("Press Ctrl-C to stop.")


@contextlib.contextmanager
def exit_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into an exception within the block, so that temporary files are removed."""

    def leave(*_: object) -> None:
        raise SystemExit(143)  # 128 + SIGTERM, as shells report it

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check_installed() -> None:
    """Check that the libraries of the server are installed.

    Raises
    ------
    ImportError
        If one of them is not. The message names the extra to install.
    """
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
        import websockets  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"The studio needs {error.name}, which is not installed: pip install 'narrows[studio]'."
        ) from error


def check_folder(keep: Path) -> None:
    """Make the folder for the models that are kept.

    Raises
    ------
    OSError
        If it is a file, or nothing can be written there.
    """
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"--keep {keep} must be a folder that can be made: {error.strerror}. Name another one."
        ) from error
    if not os.access(keep, os.W_OK):
        raise PermissionError(f"--keep {keep} must be a folder that you may write to. Name another one.")


def is_loopback(host: str) -> bool:
    """True if only this machine can reach the address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def list_host_names(host: str) -> list[str]:
    """Return the host names that other machines may use for this one if it listens at `host`."""
    return [] if is_loopback(host) else [host, socket.gethostname(), socket.getfqdn()]


def open_listener(host: str, port: int) -> socket.socket:
    """Open a socket that listens at an address.

    Raises
    ------
    OSError
        If `host` is not an address of this machine, or if `port` is in use.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise OSError(f"--host {host} is not an address of this machine ({error.strerror}).") from error
    try:
        if sys.platform != "win32":  # on Windows, two servers could then share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise OSError(
            f"Cannot listen at {host}, port {port}: {error.strerror}. Choose another --port, or 0 for any free one."
        ) from error
    return listener


def make_links(host: str, port: int, secret: str) -> list[str]:
    """Return the links that open the page; `secret` is their query, with the token or the code."""
    path = f"/?{secret}"
    if host in ("0.0.0.0", "::"):
        return [f"http://{name}:{port}{path}" for name in (socket.gethostname(), "127.0.0.1")]
    return [f"http://{f'[{host}]' if ':' in host else host}:{port}{path}"]


def prepare_data(loaded: Dataset, labels: str | None, model: Estimator, source: str | None = None) -> Data:
    """Select the columns that `model` takes. The other columns of the file colour the map.

    Parameters
    ----------
    loaded : the file's content.
    labels : column of the data, or path of a file with one label for each example.
    model : fitted model.
    source : name or path that the data was read from, as the page shows it.

    Raises
    ------
    ValueError
        If columns that the model takes are missing, or if the labels do not fit the examples.
    """
    X: Any = loaded.X
    names = model.schema_.columns
    columns: dict[str, Colour] = {}
    if X.ndim == 2 and loaded.columns:
        inputs = [str(name) for name in names] if names else [c for c in loaded.columns if c != labels]
        if is_frame(X):
            columns = other_columns(X, inputs)
        else:
            columns = {c: Colour.from_column(X[:, i]) for i, c in enumerate(loaded.columns) if c not in inputs}
        X = loaded.ordered(inputs).X
    colour = None if loaded.y is None else Colour.from_column(loaded.y)
    if loaded.files and loaded.y is not None:  # images in one folder for each class
        colour = Colour.from_column(class_names(loaded.files))
    if labels is not None:
        if labels not in columns and is_frame(loaded.X) and labels in (loaded.columns or ()):  # the model takes it, too
            columns |= other_columns(loaded.select([labels]).X, ())
        colour = columns.pop(labels) if labels in columns else _read_label_file(labels, len(X))
    if not is_frame(X) and model.schema_.kind != "table":
        X = model.schema_.as_frame(np.asarray(X))
    names_of_rows = loaded.files if loaded.files else loaded.ids
    files = None if names_of_rows is None else tuple(map(str, names_of_rows))
    return Data(loaded.name, X, colour, columns, files, source=source)


def _read_label_file(path: str, n: int) -> Colour:
    if not Path(path).expanduser().exists():
        raise ValueError(f"--labels must name a column of DATA or a file. There is no {path!r}.")
    return Colour.from_column(read_labels(path, n))


def _print(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
