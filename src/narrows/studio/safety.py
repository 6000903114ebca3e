"""Refuses requests of other sites and of clients without the token, and limits what a browser does with responses.

Pages of other sites can make a browser send requests to 127.0.0.1, and can make a host name of theirs point there
(DNS rebinding: https://en.wikipedia.org/wiki/DNS_rebinding). So a request must name this machine in `Host`. If the
browser says where the request comes from (`Origin`, `Sec-Fetch-Site`), that must be the studio's own page. If other
machines can reach the studio, the request must carry the token.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from narrows.studio.bodies import MAX_BYTES, limit_body
from narrows.studio.login import Login

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_SAFE = ("GET", "HEAD", "OPTIONS")


class Guard:
    """ASGI middleware that refuses requests without permission, limits bodies, and adds security headers.

    Parameters
    ----------
    app : the application.
    token : secret that requests must carry; None if no other program can send requests.
    code : secret of a link that opens the studio once; see `Login`.
    hosts : host names of this machine that are accepted, besides localhost and IP addresses.
    file_paths : paths of the routes that take files. They limit the bytes of a body themselves.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None = None,
        code: str | None = None,
        hosts: Iterable[str] = (),
        file_paths: Iterable[str] = (),
    ) -> None:
        self.app, self.file_paths = app, frozenset(file_paths)
        self.login = None if token is None else Login(token, code)
        self.hosts = {"localhost", *(host.lower().rstrip(".") for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on to the application, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._check_origin(scope, headers)
        if scope["type"] == "websocket":
            is_allowed = refusal is None and (self.login is None or self.login.allows(scope, headers))
            await (self.app(scope, receive, send) if is_allowed else _close_socket(receive, send))
            return
        receive, send = (
            limit_body(receive, None if scope["path"] in self.file_paths else MAX_BYTES),
            add_headers(scope, send),
        )
        answer: Response | None = None if refusal is None else JSONResponse({"detail": refusal}, 403)
        if answer is None and self.login is not None:
            answer = await self.login.answer(scope, headers, receive)
        await (answer or self.app)(scope, receive, send)

    def _check_origin(self, scope: Scope, headers: Headers) -> str | None:
        """Return why a request is refused that may come from another site, otherwise None."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_this_machine(host):
            return "Open the studio at localhost, at an IP address of this machine, or at the name that --host gives."
        origin = headers.get("origin")
        if origin is not None and split_origin(origin) != host.lower():
            return "This request came from a page of another site."
        site = headers.get("sec-fetch-site", "none")
        is_link = headers.get("sec-fetch-mode") == "navigate" and scope.get("method") in _SAFE
        if site not in ("same-origin", "none") and not (is_link and scope["path"] == "/"):
            return "This request came from a page of another site."
        return None

    def _is_this_machine(self, host: str) -> bool:
        """True if a Host header names this machine. IP addresses are safe: no DNS entry can have such a name."""
        name = split_host(host)
        if name is None:
            return False
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(name)
            return True
        return name.rstrip(".") in self.hosts


def split_origin(origin: str) -> str | None:
    """Return host:port of an origin in lower case, or None if it has no host, such as 'null'."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") and parts.netloc else None


def split_host(host: str) -> str | None:
    """Return the name in a Host header without its port, or None if the header is invalid.

    >>> split_host("localhost:8000"), split_host("[::1]:80"), split_host("a b")
    ('localhost', '::1', None)
    """
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018 (raises if it is no number)
    except ValueError:
        return None
    is_valid = parts.netloc == host and "@" not in host and not parts.path and not any(c.isspace() for c in host)
    return parts.hostname if is_valid else None


def add_headers(scope: Scope, send: Send) -> Send:
    """Wrap `send` to add the security headers, except those that the response already has."""

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            is_private = scope["path"].startswith("/api") or message["status"] in (303, 401)
            headers.setdefault("Cache-Control", "no-store" if is_private else "no-cache")
        await send(message)

    return add


async def _close_socket(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1008, "reason": ""})
