"""From the words of the command line to a server that runs."""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from narrows.data.files import Loaded
from narrows.data.labels import read_labels
from narrows.estimators import load
from narrows.estimators.base import Estimator
from narrows.studio.data import Colour, Data
from narrows.studio.session import Session
from narrows.tasks.loading import saved_class

_LARGEST_MESSAGE = 8 << 20  # bytes of a message over the WebSocket
_GRACE = 2  # seconds for what is under way when the studio stops


def serve(
    model: Path | None = None,
    data: Loaded | None = None,
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
    model : the folder of a saved model; None begins with a training.
    data : examples for it.
    source : what `data` was read from, for people.
    labels : what the examples are: a column of the data, or a file with a label for each.
    keep : the folder for models trained on the page; None for a temporary one.
    host, port : where to listen; any host but this machine's own demands a token.
    browser : whether to open the page.

    Raises
    ------
    ImportError
        Without the extra `studio`.
    ValueError, OSError
        If the model, the data or the address is not what it must be.
    """
    check_installed()
    session = Session(keep)
    try:
        if model is not None:
            kind = saved_class(model)
            if not issubclass(kind, Estimator):
                raise ValueError(
                    f"The studio shows autoencoders. The model in {model} is of another kind: {kind.__name__}."
                )
            fitted = load(model)
            shown = None if data is None else examples(data, labels, fitted, source)
            session.open(fitted, shown, name=model.resolve().name, path=model, saved=True)
        run(session, host=host, port=port, browser=browser)
    finally:
        session.close()


def run(session: Session, *, host: str = "127.0.0.1", port: int = 8760, browser: bool = True) -> None:
    """Serve the page about `session` until Ctrl-C."""
    import uvicorn

    from narrows.studio.app import create

    token = None if is_loopback(host) else secrets.token_urlsafe(24)
    with contextlib.closing(listening(host, port)) as listener:
        app = create(session, token=token, hosts=names(host))
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws_max_size=_LARGEST_MESSAGE,
            ws_max_queue=8,
            ws_per_message_deflate=False,  # the bytes go a short way
            timeout_graceful_shutdown=_GRACE,
        )
        links = addresses(host, listener.getsockname()[1], token)

        class Server(uvicorn.Server):
            """Says where it is once it answers: by then Ctrl-C has its handler, even where a shell had it ignored."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                announce(links, kept=session.keep is not None)
                if browser:
                    threading.Thread(target=webbrowser.open, args=(links[0],), daemon=True).start()

        server = Server(config)
        app.state.ended = lambda: server.should_exit
        with contextlib.suppress(KeyboardInterrupt), terminating():
            server.run(sockets=[listener])
        if session.keep is None and any(not view.saved for view in session.views.values()):
            say("The models that were trained here are gone with their temporary folder.")


def announce(links: list[str], *, kept: bool) -> None:
    """Print the links, and what becomes of models trained on the page."""
    say("\n".join([f"narrows studio: {links[0]}", *(f"            or: {link}" for link in links[1:])]))
    if not kept:
        say("Models trained here are kept until you stop it; --keep DIR keeps them, or download them on the page.")
    say("Ctrl-C stops it.")


@contextlib.contextmanager
def terminating() -> Iterator[None]:
    """Let SIGTERM end the process as an exception does, so that what must be tidied up is."""

    def leave(*_: object) -> None:
        raise SystemExit(143)  # as a shell reports a program that SIGTERM ended

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def check_installed() -> None:
    """Raise an ImportError that names the extra, if the server's libraries are not there."""
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
        import websockets  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"The studio needs {error.name}, which is not installed: pip install 'narrows[studio]'."
        ) from error


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def names(host: str) -> list[str]:
    """What this machine may be called by those who can reach it at `host`."""
    return [] if is_loopback(host) else [host, socket.gethostname(), socket.getfqdn()]


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens at `host`; a `port` that is taken gives an error that says so."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise OSError(f"--host {host} is no address of this machine ({error.strerror}).") from error
    try:
        if sys.platform != "win32":  # where it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise OSError(f"Cannot listen at {host}, port {port}: {error.strerror}. Name another --port, or 0.") from error
    return listener


def addresses(host: str, port: int, token: str | None) -> list[str]:
    """The links to open, with the token."""
    end = f"/?token={token}" if token else "/"
    if host in ("0.0.0.0", "::"):
        return [f"http://{name}:{port}{end}" for name in (socket.gethostname(), "127.0.0.1")]
    return [f"http://{f'[{host}]' if ':' in host else host}:{port}{end}"]


def examples(found: Loaded, labels: str | None, model: Estimator, source: str | None = None) -> Data:
    """What was read as `model` takes it; what else the file holds colours the map.

    Parameters
    ----------
    labels : a column of the data, or a file with one label an example.
    source : what it was read from, for people.
    """
    X, wanted = found.X, model.schema_.columns
    columns: dict[str, Colour] = {}
    if X.ndim == 2 and found.columns:
        mine = [str(column) for column in wanted] if wanted else [c for c in found.columns if c != labels]
        columns = {c: Colour.of(X[:, i]) for i, c in enumerate(found.columns) if c not in mine}
        X = found.ordered(mine).X
    marked = None if found.y is None else Colour.of(found.y)
    if found.files and found.y is not None:  # a folder of classes
        marked = Colour.of([file.partition("/")[0] for file in found.files])
    if labels is not None:
        marked = columns.pop(labels) if labels in columns else _labels(labels, len(X))
    files = tuple(found.files) if found.files else None
    return Data(found.name, model.schema_.as_frame(np.asarray(X)), marked, columns, files, source=source)


def _labels(path: str, n: int) -> Colour:
    if not Path(path).expanduser().exists():
        raise ValueError(f"--labels must name a column of DATA or a file. There is no {path!r}.")
    return Colour.of(read_labels(path, n))


def say(words: str) -> None:
    """For whoever started it."""
    print(words, file=sys.stderr, flush=True)
