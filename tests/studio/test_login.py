"""Who has the token gets in: by a link, a cookie, a header or a field. The others are asked for it."""

import pytest

from narrows.studio import login
from narrows.studio.safety import POLICY
from narrows.studio.session import Session

websockets = pytest.importorskip("starlette.websockets", reason="needs the extra `studio`")
TOKEN = "a-token-that-is-long-enough"
VISIT = {"accept": "text/html,*/*", "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}
COOKIE = "narrows-studio-8760"


@pytest.fixture
def guarded(client_of):
    """A client of a studio that other machines can reach."""
    session = Session()
    with client_of(session, token=TOKEN, hosts=["my-machine"]) as client:
        client.base_url = "http://my-machine:8760"
        yield client
    session.close()


def test_without_the_token_only_health_and_the_look_of_its_page_answer(guarded):
    for path in ("/api/health", "/static/parts.css", "/static/login.css", "/static/vendor/newsreader.woff2"):
        assert guarded.get(path).status_code == 200
    for path in ("/", "/api/state", "/static/index.html", "/static/main.js", "/api/openapi.json", "/nowhere"):
        answer = guarded.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "link that it printed" in answer.json()["detail"]
    with (
        pytest.raises(websockets.WebSocketDisconnect),
        guarded.websocket_connect("/api/decode", headers={"host": "my-machine:8760"}),
    ):
        pass


class TestCode:
    """The link that the studio opens by itself holds a code, which other users of the machine may read."""

    @pytest.fixture
    def coded(self, client_of):
        session = Session()
        with client_of(session, token=TOKEN, code="a-code-that-works-once") as client:
            client.base_url = "http://localhost:8760"
            yield client
        session.close()

    def visit(self, client, code):
        client.cookies.clear()
        return client.get(f"/?code={code}", headers=VISIT, follow_redirects=False)

    def test_it_opens_the_studio_once(self, coded):
        assert self.visit(coded, "a-code-that-works-onc").status_code == 401
        answer = self.visit(coded, "a-code-that-works-once")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert coded.get("/api/state").status_code == 200  # with the cookie
        assert self.visit(coded, "a-code-that-works-once").status_code == 401

    def test_it_ends_after_two_minutes(self, coded, monkeypatch):
        now = login.time.monotonic()
        monkeypatch.setattr(login.time, "monotonic", lambda: now + 121)
        assert self.visit(coded, "a-code-that-works-once").status_code == 401

    def test_it_is_no_token(self, coded):
        for headers in (
            {"authorization": "Bearer a-code-that-works-once"},
            {"cookie": f"{COOKIE}=a-code-that-works-once"},
        ):
            assert coded.get("/api/state", headers=headers).status_code == 401
        assert coded.get("/api/state?code=a-code-that-works-once").status_code == 401
        assert self.visit(coded, "a-code-that-works-once").status_code == 303  # none of these used it up


@pytest.mark.parametrize("wrong", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é", "%ff"])
def test_wrong_tokens_are_refused(guarded, wrong):
    assert guarded.get(f"/api/state?token={wrong}").status_code == 401
    assert guarded.get("/api/state", headers={"authorization": f"Bearer {wrong}".encode()}).status_code == 401
    assert guarded.get("/api/state", headers={"cookie": f"{COOKIE}={wrong}".encode()}).status_code == 401


def test_a_link_sets_a_cookie_and_leads_to_the_address_without_the_token(guarded):
    answer = guarded.get(f"/?token={TOKEN}&x=1", headers=VISIT, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?x=1"
    assert answer.headers["cache-control"] == "no-store"
    cookie, *settings = answer.headers["set-cookie"].split("; ")
    assert cookie == f"{COOKIE}={TOKEN}"
    assert sorted(settings) == ["HttpOnly", "Path=/", "SameSite=strict"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert guarded.get("/api/state").status_code == 200  # with the cookie
    headers = {"host": "my-machine:8760", "cookie": cookie}
    with guarded.websocket_connect("/api/decode", headers=headers) as socket:
        socket.send_bytes(b"")
        assert socket.receive_json()["detail"]


@pytest.mark.parametrize("other", ['g_state={"i_l":0}', "nameless", "=empty", "a b=c", "x=\xc3\xa9"])
def test_cookies_of_other_programs_are_in_no_way(guarded, other):
    for cookies in (f"{other}; {COOKIE}={TOKEN}", f"{COOKIE}={TOKEN}; {other}"):
        assert guarded.get("/api/state", headers={"cookie": cookies.encode("latin-1")}).status_code == 200


def test_each_port_has_a_cookie_of_its_own(guarded):
    other = {"host": "my-machine:9999"}
    answer = guarded.get(f"/?token={TOKEN}", headers={**VISIT, **other}, follow_redirects=False)
    assert answer.headers["set-cookie"].startswith("narrows-studio-9999=")
    guarded.cookies.clear()
    assert guarded.get("/api/state", headers={**other, "cookie": f"{COOKIE}={TOKEN}"}).status_code == 401
    both = f"{COOKIE}=of-another-studio; narrows-studio-9999={TOKEN}"
    assert guarded.get("/api/state", headers={**other, "cookie": both}).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["//evil.example/", "/%5cevil.example/", "/%5C%5Cevil.example", "/%09/evil.example", "/.//evil.example", "/x"],
)
def test_a_link_leads_to_no_other_host(guarded, path):
    answer = guarded.get(f"http://my-machine:8760{path}?token={TOKEN}", headers=VISIT, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    odd = guarded.get(
        f"http://my-machine:8760/api/%5c%0d%0ax?token={TOKEN}&a=%0d%0ab", headers=VISIT, follow_redirects=False
    )
    assert odd.headers["location"] == "/api/%5C%0D%0Ax?a=%0D%0Ab"


def test_programs_get_their_answer_at_once(guarded):
    answer = guarded.get(f"/api/state?token={TOKEN}", follow_redirects=False)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert guarded.get("/api/state", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
def test_a_link_on_another_site_keeps_the_cookie(guarded, site):
    """A strict cookie is not sent after a redirect from there: an empty page of the studio loads the address."""
    headers = {name: value for name, value in {**VISIT, "sec-fetch-site": site}.items() if value is not None}
    answer = guarded.get(f"/?token={TOKEN}", headers=headers, follow_redirects=False)
    assert (answer.status_code, answer.headers["refresh"]) == (200, "0; url=/")
    assert f"{COOKIE}={TOKEN}" in answer.headers["set-cookie"]
    assert TOKEN not in answer.text
    guarded.cookies.clear()
    if site is not None:  # the cookie may be there, and not have been sent
        answer = guarded.get("/", headers=headers, follow_redirects=False)
        assert (answer.status_code, answer.headers["refresh"]) == (200, "0; url=/")
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("headers", [VISIT, {"accept": "text/html,*/*"}])
@pytest.mark.parametrize("path", ["/", "/api/report", "/?token=old"])
def test_a_browser_is_asked_for_the_token_on_a_page(guarded, path, headers):
    answer = guarded.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == POLICY
    assert "refresh" not in answer.headers
    assert "narrows studio</code> printed a link" in answer.text


@pytest.mark.parametrize("entered", [TOKEN, f" {TOKEN} ", f"http://my-machine:8760/?token={TOKEN}"])
def test_the_field_of_the_page_takes_the_token_or_the_link(guarded, entered):
    answer = guarded.post("/", data={"token": entered}, follow_redirects=False)
    assert answer.headers["refresh"] == "0; url=/"
    assert guarded.get("/api/state").status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"token=wrong", b"token=", b"token=http://[", b"\xff", b"token=" + b"x" * 10_000, b"&" * 4000]
)
def test_the_field_of_the_page_refuses_anything_else(guarded, body):
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = guarded.post("/", content=body, headers=form, follow_redirects=False)
    assert answer.status_code == 401
    assert "This is not the token of this studio" in answer.text
    assert "set-cookie" not in answer.headers
    other = {**form, "origin": "http://evil.example"}
    assert guarded.post("/", data={"token": TOKEN}, headers=other).status_code == 403
