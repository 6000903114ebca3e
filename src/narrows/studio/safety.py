"""Who may ask the studio, and what a browser may do with its answers.

Pages of other sites can make a browser ask 127.0.0.1 for anything, and a name that they own can be made to point there
(DNS rebinding: https://en.wikipedia.org/wiki/DNS_rebinding). So whoever asks must name this machine in `Host`, come
from the studio's own page where the browser says from where (`Origin`, `Sec-Fetch-Site`), and know the token where the
studio is open to a network.
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
MOST_BODY = 8 << 20  # bytes of a body, but of uploads, which count for themselves


class Guard:
    """ASGI middleware that turns away who may not ask, and puts the headers on each answer.

    Parameters
    ----------
    token : that must be known; None where only this machine can ask.
    hosts : names by which this machine may be called, besides localhost and any IP address.
    """

    def __init__(self, app: ASGIApp, *, token: str | None = None, hosts: Iterable[str] = ()) -> None:
        self.app, self.token = app, token
        self.hosts = {"localhost", *(host.lower().rstrip(".") for host in hosts)}
        self.cookie = "narrows-studio"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._site(scope, headers) or self._stranger(scope, headers)
        if refused is not None:
            await _refuse(scope, receive, send, *refused)
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        if self.token is not None and scope["method"] == "GET" and (place := self._without_token(scope)):
            await self._admit(send, place)
            return
        await self.app(scope, _bounded(scope, headers, receive), _decorated(scope, send))

    def _site(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Why a request may come from another site, or None."""
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_own(host):
            return (
                403,
                "The studio answers to localhost, to an IP address, and to names that --host gives. Open it under one.",
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit_host(origin) != host.lower():
            return 403, "This came from a page of another site."
        site = headers.get("sec-fetch-site", "none")
        navigates = headers.get("sec-fetch-mode") == "navigate" and scope.get("method") in _SAFE
        if site not in ("same-origin", "none") and not (navigates and scope["path"] == "/"):
            return 403, "This came from a page of another site."
        return None

    def _is_own(self, host: str) -> bool:
        """Whether a Host header names this machine. No name of another's can pass for an IP address."""
        name = urlsplit_name(host)
        if name is None:
            return False
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(name)
            return True
        return name.rstrip(".") in self.hosts

    def _stranger(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Why a request lacks the token, or None."""
        if self.token is None or scope["path"] in _OPEN_PATHS:
            return None
        bearer = headers.get("authorization", "")
        given = [
            *_cookies(headers, self.cookie),
            *(value for name, value in _query(scope) if name == "token"),
            bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else "",
        ]
        if any(_same(one, self.token) for one in given):
            return None
        return 401, "The studio wants its token: open the link that it printed when it was started."

    def _without_token(self, scope: Scope) -> str | None:
        """The address without the token, if it has one."""
        query = _query(scope)
        if not any(name == "token" for name, _ in query):
            return None
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        path = "/" + scope["path"].lstrip("/")  # never another host's, as in //name
        return path + ("?" + rest if rest else "") if path.isascii() and path.isprintable() else "/"

    async def _admit(self, send: Send, place: str) -> None:
        """Put the token into a cookie, and send the browser to the address without it."""
        cookie = f"{self.cookie}={self.token}; Path=/; HttpOnly; SameSite=Lax"
        headers = {
            **_HEADERS,
            "Location": place,
            "Set-Cookie": cookie,
            "Cache-Control": "no-store",
            "Content-Length": "0",
        }
        raw = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 303, "headers": raw})
        await send({"type": "http.response.body", "body": b""})


def urlsplit_host(origin: str) -> str | None:
    """host:port of an origin, lower case; None if it is none, such as 'null'."""
    try:
        found = urlsplit(origin)
    except ValueError:
        return None
    return found.netloc.lower() if found.scheme in ("http", "https") and found.netloc else None


def urlsplit_name(host: str) -> str | None:
    """The name in a Host header, without its port.

    >>> urlsplit_name("localhost:8000"), urlsplit_name("[::1]:80"), urlsplit_name("a b")
    ('localhost', '::1', None)
    """
    try:
        found = urlsplit(f"//{host}")
        found.port  # noqa: B018 (raises where it is no number)
    except ValueError:
        return None
    whole = found.netloc == host and "@" not in host and not found.path and not any(c.isspace() for c in host)
    return found.hostname if whole else None


def _same(given: str, token: str) -> bool:
    """Whether they are equal, in a time that does not depend on where they differ."""
    digests = [hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest() for value in (given, token)]
    return hmac.compare_digest(*digests)


def _cookies(headers: Headers, name: str) -> list[str]:
    found = []
    for header in headers.getlist("cookie"):
        with contextlib.suppress(CookieError):
            cookie = SimpleCookie(header).get(name)
            found += [cookie.value] if cookie else []
    return found


def _query(scope: Scope) -> list[tuple[str, str]]:
    try:
        return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return []


def _bounded(scope: Scope, headers: Headers, receive: Receive) -> Receive:
    """`receive` that refuses bodies above `MOST_BODY`; raw bytes are counted by whoever reads them."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() == "application/octet-stream":
        return receive
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MOST_BODY:
            raise HTTPException(413, f"The body has more than {MOST_BODY:,} bytes.")
        return message

    return counted


def _decorated(scope: Scope, send: Send) -> Send:
    """`send` that adds the headers, but for those that the answer has already."""

    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store" if scope["path"].startswith("/api") else "no-cache")
        await send(message)

    return add


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, words: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    body = json.dumps({"detail": words}).encode()
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
