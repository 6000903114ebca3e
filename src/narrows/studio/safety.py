"""Refuses requests of other sites and of clients without the token, and limits what a browser does with responses.

Pages of other sites can make a browser send requests to 127.0.0.1, and can make a host name of theirs point there
(DNS rebinding: https://en.wikipedia.org/wiki/DNS_rebinding). So a request must name this machine in `Host`. If the
browser says where the request comes from (`Origin`, `Sec-Fetch-Site`), that must be the studio's own page. If other
machines can reach the studio, the request must carry the token.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; "
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
_OPEN_PATHS = ("/api/health",)
MAX_BODY_BYTES = 8 << 20  # of a request's body; raw bytes, such as uploads, have their own limits


class Guard:
    """ASGI middleware that refuses requests without permission and adds security headers to all responses.

    Parameters
    ----------
    app : the application.
    token : secret that requests must carry; None if only this machine can send requests.
    hosts : host names of this machine that are accepted, besides localhost and IP addresses.
    """

    def __init__(self, app: ASGIApp, *, token: str | None = None, hosts: Iterable[str] = ()) -> None:
        self.app, self.token = app, token
        self.hosts = {"localhost", *(host.lower().rstrip(".") for host in hosts)}
        self.cookie = "narrows-studio"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on to the application, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._check_origin(scope, headers) or self._check_token(scope, headers)
        if refusal is not None:
            await _refuse(scope, receive, send, *refusal)
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        if self.token is not None and scope["method"] == "GET" and (location := _strip_token(scope)):
            await self._set_cookie(send, location)
            return
        await self.app(scope, _limit_body(headers, receive), _add_headers(scope, send))

    def _check_origin(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Return status and message of the refusal if a request may come from another site, otherwise None."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_this_machine(host):
            return (
                403,
                "Open the studio at localhost, at an IP address of this machine, or at the name that --host gives.",
            )
        origin = headers.get("origin")
        if origin is not None and split_origin(origin) != host.lower():
            return 403, "This request came from a page of another site."
        site = headers.get("sec-fetch-site", "none")
        is_link = headers.get("sec-fetch-mode") == "navigate" and scope.get("method") in _SAFE
        if site not in ("same-origin", "none") and not (is_link and scope["path"] == "/"):
            return 403, "This request came from a page of another site."
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

    def _check_token(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Return status and message of the refusal if a request lacks the token, otherwise None."""
        if self.token is None or scope["path"] in _OPEN_PATHS:
            return None
        bearer = headers.get("authorization", "")
        tokens = [
            *_read_cookies(headers, self.cookie),
            *(value for name, value in _parse_query(scope) if name == "token"),
            bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else "",
        ]
        if any(_is_equal(token, self.token) for token in tokens):
            return None
        return 401, "The studio needs its token: open the link that it printed when it was started."

    async def _set_cookie(self, send: Send, location: str) -> None:
        """Put the token into a cookie, and redirect the browser to the address without it."""
        cookie = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Lax"
        headers = {
            **_HEADERS,
            "Location": location,
            "Set-Cookie": cookie,
            "Cache-Control": "no-store",
            "Content-Length": "0",
        }
        raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 303, "headers": raw})
        await send({"type": "http.response.body", "body": b""})


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


def _is_equal(value: str, token: str) -> bool:
    """Compare in constant time, so that the time tells nothing about the token."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (value, token)]
    return hmac.compare_digest(*digests)


def _read_cookies(headers: Headers, name: str) -> list[str]:
    values = []
    for header in headers.getlist("cookie"):
        with contextlib.suppress(CookieError):
            cookie = SimpleCookie(header).get(name)
            values += [cookie.value] if cookie else []
    return values


def _parse_query(scope: Scope) -> list[tuple[str, str]]:
    try:
        return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return []


def _strip_token(scope: Scope) -> str | None:
    """Return the address without the token, or None if it holds no token."""
    query = _parse_query(scope)
    if not any(name == "token" for name, _ in query):
        return None
    rest = urlencode([(name, value) for name, value in query if name != "token"])
    path = "/" + scope["path"].lstrip("/")  # two slashes would begin the name of another host
    return path + ("?" + rest if rest else "") if path.isascii() and path.isprintable() else "/"


def _limit_body(headers: Headers, receive: Receive) -> Receive:
    """Wrap `receive` to refuse bodies above `MAX_BODY_BYTES`. Routes that take raw bytes count them themselves."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() == "application/octet-stream":
        return receive
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            raise HTTPException(413, f"The body has more than {MAX_BODY_BYTES:,} bytes.")
        return message

    return counted


def _add_headers(scope: Scope, send: Send) -> Send:
    """Wrap `send` to add the security headers, except those that the response already has."""

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store" if scope["path"].startswith("/api") else "no-cache")
        await send(message)

    return add


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, detail: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    body = json.dumps({"detail": detail}).encode()
    headers = {
        **_HEADERS,
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
    }
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
