"""Asks for the token of a studio: by a link, a cookie, a header, or the field of a page.

The token opens the studio. `narrows studio` prints a link that holds it; the first answer puts it into a cookie and
leads to the address without it. The browser that it starts gets a link with a code instead, which opens the studio once
and soon: other users of a machine can read the arguments of a program that is started.

Cookies are shared by all ports of a host, so the name of the cookie holds the port that the browser sees: two studios
on one host do not replace each other's cookie. The cookie is `SameSite=Strict`, so a browser does not send it where a
page of another site leads here; such a visit begins with an answer that only says "load this address again", and the
second request is the studio's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import time
from functools import cache
from importlib import resources
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope

_OPEN_PATHS = (
    "/api/health",
    *(f"/static/{name}" for name in ("parts.css", "login.css", "login.js", "theme.js", "icon.svg")),
    *(f"/static/vendor/{name}.woff2" for name in ("source-sans", "newsreader")),
)
_MISSING = "The studio needs its token: open the link that it printed when it was started."
_WRONG = "This is not the token of this studio. It is new each time that a studio is started."
_CODE_SECONDS = 120  # that a browser has to start and open the link
_MAX_FORM_BYTES = 4096  # of the page's form, which has one field


class Login:
    """Lets requests pass that carry the token, and answers the others.

    Parameters
    ----------
    token : the secret.
    code : secret of a link that opens the studio once, within two minutes; None for no such link.
    """

    def __init__(self, token: str, code: str | None = None) -> None:
        self.token, self._code = token, code
        self._code_ends = time.monotonic() + _CODE_SECONDS

    def allows(self, scope: Scope, headers: Headers) -> bool:
        """Return True if a request or a WebSocket carries the token, or asks for something that is no secret."""
        bearer = headers.get("authorization", "")
        tokens = [
            *_read_cookies(headers, cookie_name(headers)),
            *(value for name, value in _parse_query(scope) if name == "token"),
            bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else "",
        ]
        return scope["path"] in _OPEN_PATHS or any(self._is_token(token) for token in tokens)

    async def answer(self, scope: Scope, headers: Headers, receive: Receive) -> Response | None:
        """Return the answer to an HTTP request, or None if the studio shall answer it."""
        if _is_visit(scope, headers) and self._takes_code(scope):
            return self._admit(headers, "/")
        if self.allows(scope, headers):
            return self._keep_token(scope, headers)
        if _is_form(scope, headers):
            return await self._read_form(headers, receive)
        if not _is_visit(scope, headers):
            return JSONResponse({"detail": _MISSING}, 401, {"WWW-Authenticate": "Bearer"})
        is_led_here = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        return _lead_to("/") if is_led_here else _ask()

    def _keep_token(self, scope: Scope, headers: Headers) -> Response | None:
        """Return an answer to a visit by a link with the token: a cookie, and the address without the token."""
        if not _is_visit(scope, headers) or all(name != "token" for name, _ in _parse_query(scope)):
            return None
        return self._admit(headers, address_without_token(scope))

    def _takes_code(self, scope: Scope) -> bool:
        """Return True for the first visit in time by the link with the code."""
        codes = [value for name, value in _parse_query(scope) if name == "code"]
        if self._code is None or time.monotonic() > self._code_ends:
            return False
        if not any(_is_same(code, self._code) for code in codes):
            return False
        self._code = None
        return True

    async def _read_form(self, headers: Headers, receive: Receive) -> Response:
        """Return the answer to the page's form, whose field holds the token or the link with it."""
        try:
            text = (await _read_body(receive)).decode()
            fields = dict(parse_qsl(text, max_num_fields=4))
        except ValueError:
            return _ask(_WRONG)
        except HTTPException as error:  # too slow
            return _ask(str(error.detail), status=error.status_code)
        entered = fields.get("token", "").strip()
        with contextlib.suppress(ValueError):
            entered = dict(parse_qsl(urlsplit(entered).query)).get("token", entered)
        return self._admit(headers, "/") if self._is_token(entered) else _ask(_WRONG)

    def _admit(self, headers: Headers, address: str) -> Response:
        """Return an answer that puts the token into a cookie, and leads to an address of the studio."""
        is_own = headers.get("sec-fetch-site") in ("none", "same-origin")  # a redirect keeps the cookie then
        response = RedirectResponse(address, 303) if is_own else _lead_to(address)
        response.set_cookie(cookie_name(headers), self.token, httponly=True, samesite="strict")
        return response

    def _is_token(self, value: str) -> bool:
        return _is_same(value, self.token)


def _is_same(value: str, secret: str) -> bool:
    """Compare in constant time, so that the time tells nothing about the secret."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (value, secret)]
    return hmac.compare_digest(*digests)


def cookie_name(headers: Headers) -> str:
    """Return the name of the cookie of the studio that a request is for: it holds the port.

    >>> cookie_name(Headers({"host": "localhost:8760"})), cookie_name(Headers({"host": "[::1]"}))
    ('narrows-studio-8760', 'narrows-studio-80')
    """
    return f"narrows-studio-{urlsplit('//' + headers['host']).port or 80}"


def address_without_token(scope: Scope) -> str:
    r"""Return path and query of a request without the token. It always is an address of the studio.

    A path that is not the studio's, such as //host or /\host, which browsers take for another host, becomes "/".
    """
    rest = urlencode([(name, value) for name, value in _parse_query(scope) if name != "token"])
    path = scope["path"] if scope["path"].startswith(("/api/", "/static/")) else "/"
    return quote(path) + ("?" + rest if rest else "")


def _ask(problem: str = "", status: int = 401) -> Response:
    """Return the page that asks for the token."""
    note = f'<p class="problem" role="alert">{problem}</p>' if problem else ""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {"Connection": "close"}
    headers["Referrer-Policy"] = "same-origin"  # with no-referrer, browsers send the form with "Origin: null"
    return HTMLResponse(_read_page().replace("<!-- problem -->", note), status, headers)


@cache
def _read_page() -> str:
    return (resources.files("narrows.studio") / "static" / "login.html").read_text(encoding="utf-8")


def _lead_to(address: str) -> Response:
    """Return an empty page that loads an address at once. The request comes from the studio, so it has the cookie."""
    page = '<!doctype html><title>narrows studio</title><link rel="icon" href="/static/icon.svg" type="image/svg+xml">'
    return HTMLResponse(page, headers={"Refresh": f"0; url={address}"})


def _is_visit(scope: Scope, headers: Headers) -> bool:
    """Return True if a person opens an address in a browser."""
    mode = headers.get("sec-fetch-mode")  # browsers leave it out over HTTP, but for localhost
    is_page = mode == "navigate" if mode is not None else "text/html" in headers.get("accept", "")
    return scope["method"] == "GET" and is_page


def _is_form(scope: Scope, headers: Headers) -> bool:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return scope["method"] == "POST" and scope["path"] == "/" and media_type == "application/x-www-form-urlencoded"


async def _read_body(receive: Receive) -> bytes:
    """Return the body of a request. Raise ValueError if it is long."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _MAX_FORM_BYTES:
            raise ValueError("The form is too long.")
    return body


def _read_cookies(headers: Headers, name: str) -> list[str]:
    # not by SimpleCookie, which gives up at the first cookie that it cannot read; other programs on this host set some
    pairs = (pair.partition("=") for header in headers.getlist("cookie") for pair in header.split(";"))
    return [value.strip().strip('"') for key, _, value in pairs if key.strip() == name]


def _parse_query(scope: Scope) -> list[tuple[str, str]]:
    try:
        return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return []
