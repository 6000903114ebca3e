"""The studio's page in Chromium: every panel, by pointer and by keyboard.

After each test the console must be empty, and no request may have gone to another server.
"""

import base64
import csv
import io
import os
import re
import shutil
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from narrows.estimators import load
from narrows.studio.session import Session

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
uvicorn = pytest.importorskip("uvicorn", reason="needs the extra `studio`")
CHROMIUM = os.environ.get("NARROWS_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, such as Debian's package `chromium`")

WIDTHS = {"phone": (390, 844), "tablet": (820, 1180), "desk": (1440, 900)}
PANELS = {
    "vae": ["dials", "map", "clean", "outliers", "search", "train", "report"],
    "sae": ["dials", "units"],
    "table": ["dials", "map", "outliers", "search"],
    "people": ["dials", "map", "clean", "outliers", "search"],
    "people-sae": ["units"],
    "people-tableae": ["fill", "map", "clean", "outliers", "search", "report"],
    "counts": ["units", "clean"],
    "series": ["dials", "clean", "outliers"],
    "line": ["map"],
    "pair": ["models", "compare"],
    "none": ["train"],
}
AXE = Path(__file__).parent / "vendor" / "axe.min.js"


class Studio:
    """A server in a thread, which can be stopped and restarted at the same port."""

    def __init__(self, new_session: Callable[[], Session], token: str | None = None) -> None:
        self.new_session, self.token = new_session, token
        self.port = 0
        self.start()

    def start(self) -> None:
        from narrows.studio.app import create_app

        self.session = self.new_session()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)  # early clients wait until the server is up
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        app = create_app(self.session, token=self.token)
        config = uvicorn.Config(app, log_level="error", access_log=False, timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        self.session.close()


@pytest.fixture(scope="module")
def launch() -> Iterator[Callable[..., object]]:
    with sync_api.sync_playwright() as playwright:
        yield lambda *flags: playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *flags])


@pytest.fixture(scope="module")
def browser(launch) -> Iterator[object]:
    # WebGL in software, as on a machine without a GPU
    chromium = launch("--enable-unsafe-swiftshader", "--disable-background-networking")
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def studio(new_session, request, open_people) -> Iterator[Callable[[str], Studio]]:
    """Function that returns the server of a model, the same for all tests of this module."""
    servers: dict[str, Studio] = {}

    def make_session(name: str) -> Session:
        if name == "keep":
            return Session(keep=request.getfixturevalue("models")["vae"].parent)
        if name == "pair":
            session = new_session("dae")
            session.open(load(request.getfixturevalue("models")["vae"]), session.current.data, name="vae")
            return session
        if not name.startswith("people"):
            return new_session(name)
        session = Session()
        open_people(session, request.getfixturevalue("people"), request.getfixturevalue("people_models")[name])
        return session

    def get(name: str) -> Studio:
        if name not in servers:
            servers[name] = Studio(lambda: make_session(name))
        return servers[name]

    yield get
    for server in servers.values():
        server.stop()


_IGNORED = ("GL Driver Message", "too many errors, no more", "WebSocket is closed before the connection is established")


@pytest.fixture
def visit(browser, studio) -> Iterator[Callable[..., object]]:
    """Function that opens the page of a model. The test fails if the console shows errors or warnings."""
    contexts, problems = [], []

    def go(name: str = "vae", panel: str = "", *, size: str = "desk", expected: str | None = None, **settings):
        width, height = WIDTHS[size]
        server = studio(name)
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)

        def check_message(message) -> None:
            # Chromium remarks on WebGL in software, and on a page that is left while its socket opens
            if any(text in message.text for text in _IGNORED):
                return
            if message.type in ("error", "warning") and not (expected and re.search(expected, message.text)):
                problems.append(f"{message.type}: {message.text}")

        def check_request(request) -> None:
            if not request.url.startswith((server.url, "data:", "blob:")):
                problems.append(f"a request to {request.url}")

        page.on("console", check_message)
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.on("request", check_request)
        page.on("websocket", lambda socket: None if "127.0.0.1" in socket.url else problems.append(socket.url))
        page.goto(f"{server.url}/{panel}")
        page.locator("h1").wait_for()
        return page

    yield go
    for context in contexts:
        context.close()
    assert problems == []


def wait_until(page, condition: Callable[[], object], seconds: float = 15):
    """Return the value of `condition` as soon as it is true."""
    for _ in range(int(seconds * 20)):
        if value := condition():
            return value
        page.wait_for_timeout(50)
    raise AssertionError("the condition did not become true in time")


def get_picture(page) -> str:
    """Return the decoded picture as a data URI."""
    return page.locator(".stage-picture canvas").evaluate("canvas => canvas.toDataURL()")


def sliders(page):
    return page.locator(".dial:not(.waiting) input[type=range]")


def get_values(page) -> list[float]:
    # in one call: the page may be drawn again between two
    return sliders(page).evaluate_all("all => all.map(one => Number(one.value))")


def get_all_values(page) -> list[float]:
    """Return the values of all dials, those of unused components included."""
    page.evaluate("document.querySelectorAll('.unused:not([hidden]):not([open])').forEach(one => { one.open = true; })")
    return get_values(page)


def wait_for_dials(page, n: int | None = 4) -> None:
    """Wait until all `n` dials are there and the first picture is drawn."""
    sliders(page).first.wait_for()
    if n:
        wait_until(page, lambda: len(get_all_values(page)) == n)
    page.locator(".stage-picture canvas").wait_for()
    blank = "c => Object.assign(document.createElement('canvas'), {width: c.width, height: c.height}).toDataURL()"
    empty = page.locator(".stage-picture canvas").evaluate(blank)
    wait_until(page, lambda: get_picture(page) != empty)


def png_file(image: np.ndarray) -> dict:
    stream = io.BytesIO()
    Image.fromarray(np.rint(255 * image).astype(np.uint8)).save(stream, "PNG")
    return {"name": "mine.png", "mimeType": "image/png", "buffer": stream.getvalue()}


def read_csv(download) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(Path(download.path()).read_text(encoding="utf-8"))))


# Dials


def test_a_dial_changes_the_picture_and_undo_restores_it(visit):
    page = visit()
    assert page.locator("h1").inner_text() == "Dials"
    wait_for_dials(page)
    before, start = get_picture(page), get_values(page)
    sliders(page).first.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    wait_until(page, lambda: get_picture(page) != before)
    assert get_values(page)[0] > start[0]
    page.keyboard.press("Control+z")
    assert get_values(page)[0] > start[0]
    for _ in range(7):
        page.get_by_role("button", name="Undo").click()
    assert get_values(page) == pytest.approx(start)
    wait_until(page, lambda: get_picture(page) == before)
    assert page.get_by_role("button", name="Undo").is_disabled()
    page.get_by_role("button", name="Redo").click()
    assert get_values(page)[0] > start[0]
    # each has its strip, which is loaded
    strips = page.locator(".dial .tiles")
    assert strips.count() == 4
    wait_until(page, lambda: "strip?steps=9" in strips.first.locator("i").last.evaluate("i => i.style.backgroundImage"))


def test_the_last_of_many_values_is_shown(visit):
    page = visit()
    wait_for_dials(page)
    # a hundred positions within two frames
    sliders(page).first.evaluate(
        """slider => {
            for (let i = 0; i <= 100; i++) {
                slider.value = slider.min + (slider.max - slider.min) * i / 100;
                slider.value = -2 + 4 * i / 100;
                slider.dispatchEvent(new Event("input", {bubbles: true}));
            }
        }"""
    )
    code = page.evaluate("location.hash") and get_values(page)
    expected_picture = page.evaluate(
        """async (code) => {
            const answer = await fetch("/api/decode", {method: "POST", headers: {"Content-Type": "application/json"},
                body: JSON.stringify({codes: [code], format: "png"})});
            const image = await createImageBitmap(await answer.blob());
            const canvas = Object.assign(document.createElement("canvas"), {width: image.width, height: image.height});
            canvas.getContext("2d").drawImage(image, 0, 0);
            return canvas.toDataURL();
        }""",
        to_code(page, code),
    )
    wait_until(page, lambda: get_picture(page) == expected_picture)
    # all of it is one step back
    page.get_by_role("button", name="Undo").click()
    assert page.get_by_role("button", name="Undo").is_disabled()


ENCODE = """row => fetch("/api/encode", {method: "POST", headers: {"Content-Type": "application/json"},
    body: JSON.stringify({row})}).then(answer => answer.json())"""


def to_code(page, slider_values: list[float]) -> list[float]:
    """Return the code. The sliders are sorted by what they carry, not by component."""
    names = page.locator(".dial:not(.waiting) b").all_inner_texts()
    code = [0.0] * len(slider_values)
    for name, value in zip(names, slider_values, strict=True):
        code[int(name[1:])] = value
    return code


def test_random_reset_and_lock(visit):
    page = visit()
    wait_for_dials(page)
    start = get_values(page)
    page.get_by_role("button", name=re.compile("Lock z")).nth(1).click()
    page.get_by_role("button", name="Random", exact=True).click()
    wait_until(page, lambda: get_values(page) != start)
    drawn = get_values(page)
    assert drawn[1] == start[1]
    assert all(now != then for now, then in zip(drawn[::2], start[::2], strict=True))
    page.get_by_role("button", name="Reset").click()
    dials = page.evaluate("fetch('/api/dials').then(answer => answer.json())")["dials"]
    means = [dial["mean"] for dial in sorted(dials, key=lambda dial: dial["component"])]
    locked = int(page.locator(".dial.locked b").inner_text()[1:])
    code = to_code(page, get_values(page))
    assert code.pop(locked) == drawn[1]
    means.pop(locked)
    assert code == pytest.approx(means, abs=1e-3)


def test_a_link_restores_the_dials(visit, studio):
    page = visit()
    wait_for_dials(page)
    start = get_values(page)
    page.get_by_label("Start from row").fill("7")
    page.keyboard.press("Enter")
    wait_until(page, lambda: get_values(page) != start)
    page.get_by_role("button", name=re.compile("Lock z")).first.click()
    page.get_by_role("button", name="Link").click()
    link = page.evaluate("navigator.clipboard.readText()")
    assert "#dials?z=" in link
    assert "lock=" in link
    wait_until(page, lambda: page.url == link)
    code, picture = get_values(page), get_picture(page)
    again = visit("vae", link.partition("/#")[2] and "#" + link.partition("/#")[2])
    wait_for_dials(again)
    assert get_values(again) == pytest.approx(code, abs=1e-3)
    assert again.locator(".dial.locked").count() == 1
    wait_until(again, lambda: get_picture(again) == picture)


def test_copied_code_and_saved_picture(visit, models):
    page = visit()
    wait_for_dials(page)
    page.get_by_role("button", name="Random", exact=True).click()
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Code").click()
    code = page.evaluate("navigator.clipboard.readText()")
    assert np.array(eval(code)).shape == (4,)
    page.get_by_role("button", name="Python").click()
    program = page.evaluate("navigator.clipboard.readText()")
    namespace: dict = {}
    exec(program, namespace)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="PNG").click()
    with Image.open(downloading.value.path()) as image:
        saved = np.asarray(image.convert("L"))
    assert saved.shape == (512, 512)
    assert saved[32::64, 32::64] == pytest.approx(255 * np.clip(namespace["example"], 0, 1), abs=3)


def test_dials_of_a_vector_show_its_columns(visit):
    page = visit("table")
    rows = page.locator(".cells tbody tr")
    wait_until(page, rows.count)
    assert page.locator(".cells th").all_inner_texts() == ["column 1", "column 2", "column 3", "column 4"]
    before = page.locator(".cells .value").all_inner_texts()
    sliders(page).first.focus()
    page.keyboard.press("PageUp")
    wait_until(page, lambda: page.locator(".cells .value").all_inner_texts() != before)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="PNG").click()
    with Image.open(downloading.value.path()) as saved:
        assert saved.width == 640


def line_of(place, name: str):
    """Return the line of a column in a table of cells."""
    return place.locator("tbody tr").filter(has=place.page.locator(f'th[title="{name}"]'))


def test_the_dials_of_a_table_show_its_row_and_what_changes(visit):
    page = visit("people")
    rows = page.locator(".cells tbody tr")
    wait_until(page, lambda: rows.count() == 5)
    wait_until(page, lambda: rows.nth(2).locator(".value").inner_text() != "")
    texts = [text.replace("\n", " ") for text in page.locator(".cells .value").all_inner_texts()]
    assert re.fullmatch(r"\d+", texts[0])
    assert re.fullmatch(r"(clerk|pilot) [\d.]+ %", texts[2])
    assert re.fullmatch(r"(Bern|Oslo|Rome) [\d.]+ %", texts[3])
    assert re.fullmatch(r"202\d-\d\d-\d\d", texts[4])
    assert page.locator(".cells tr.changed").count() == 0
    sliders(page).first.fill("-2.5" if float(sliders(page).first.input_value()) > 0 else "2.5")
    wait_until(page, lambda: page.locator(".cells tr.changed").count() > 0)
    page.get_by_role("button", name="Reset").click()
    wait_until(page, lambda: page.locator(".cells tr.changed").count() == 0)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="PNG").click()
    with Image.open(downloading.value.path()) as saved:
        assert saved.size == (640, 5 * 22 + 20)


def test_each_panel_of_a_table_shows_cells_as_words_dates_and_gaps(visit, people):
    page = visit("people", "#clean")
    line_of(page.locator(".compare"), "joined").wait_for()
    page.get_by_label("Row", exact=True).fill("5")
    page.keyboard.press("Enter")
    job = line_of(page.locator(".compare"), "job")
    wait_until(page, lambda: job.locator(".value").first.inner_text() == "missing")
    assert job.locator(".track").first.get_attribute("class").split() == ["track", "gap"]  # hatched, no bar
    assert re.match(r"clerk|pilot", job.locator(".value").nth(2).inner_text())
    assert page.locator(".compare thead th").all_inner_texts() == ["original", "noisy", "reconstructed"]
    day = line_of(page.locator(".compare"), "joined").locator(".value").first
    assert day.inner_text() == str(people["joined"][5].date())
    page = visit("people", "#search")
    page.locator(".results b").first.wait_for()
    shown = {
        line.locator("th").inner_text(): line.locator(".value").inner_text()
        for line in page.locator(".stage-picture tbody tr").all()
    }
    assert shown == {
        "age": str(people["age"][0]),
        "income": f"{people['income'][0]:,.0f}",
        "job": people["job"][0],
        "town": people["town"][0],
        "joined": str(people["joined"][0].date()),
    }
    page = visit("people", "#outliers")
    town = line_of(page.locator(".detail"), "town")
    town.wait_for()
    texts = [" ".join(text.split()) for text in town.locator(".value").all_inner_texts()]
    assert texts[0] in ("Bern", "Oslo", "Rome")
    # the likeliest level, and the true one, which is marked
    assert re.fullmatch(r"(\w+ [\d.]+ % )?\w+ (< )?[\d.]+ % ✓", texts[1])
    assert f"{texts[0]} " in texts[1]
    page = visit("people", "#map?by=column:joined")
    page.locator(".ramp small").first.wait_for()
    assert re.fullmatch(r"202\d-\d\d-\d\d", page.locator(".ramp small").first.inner_text())


def test_columns_of_a_vector_have_a_scale_each(visit, studio):
    """The bar of a column shows how far its value is from the mean, in standard deviations, whatever the others are."""
    page = visit("table", "#search")
    page.locator(".cells .centred i").first.wait_for()
    described = page.request.get(f"{studio('table').url}/api/state").json()["model"]["cells"]
    values = page.request.get(f"{studio('table').url}/api/data/0").json()["example"]["values"]
    places = {
        column["name"]: (value - column["offset"]) / column["scale"]
        for value, column in zip(values, described, strict=True)
    }
    lines = page.locator(".cells tbody tr").all()
    names = [line.locator("th").inner_text() for line in lines]
    assert names == sorted(places, key=lambda name: -abs(places[name]))  # those furthest from the mean first
    shown = [line.locator(".centred i").first.get_attribute("style") for line in lines]
    widths = [float(re.search(r"scaleX\(([\d.e-]+)\)", style)[1]) for style in shown]
    assert widths == pytest.approx([min(1, abs(places[name]) / 3) / 2 for name in names], abs=1e-3)
    said = [line.locator(".sr").first.text_content() for line in lines]
    ends = ["below the mean" if places[name] < 0 else "above the mean" for name in names]
    assert [text.split(" deviations ")[1] for text in said] == ends


def test_a_few_of_many_columns_are_shown_those_that_moved_most_first(visit, studio, others):
    page = visit("counts", "#clean")
    lines = page.locator(".compare tbody tr")
    wait_until(page, lambda: lines.count() == 24)
    more = page.locator(".compare .cells-more")
    assert more.locator("span").inner_text() == "24 of 40 columns, those that moved most first"
    url = studio("counts").url
    described = page.request.get(f"{url}/api/state").json()["model"]["cells"]
    body = {"row": 0, "noise": 0.3, "kind": "gaussian", "seed": 0}
    result = page.request.post(f"{url}/api/clean", data=body).json()
    rows = np.array([result[name]["values"] for name in ("original", "noisy", "clean")], float)
    places = np.log1p(np.maximum(rows, 0)) / [column["std"] for column in described]
    moves = np.abs(places[1:] - places[0]).max(0)
    names = [described[i]["name"] for i in np.argsort(-moves, kind="stable")]
    assert page.locator(".compare th[scope=row]").all_inner_texts() == names[:24]
    more.get_by_role("button", name="Show all 40").press("Enter")
    wait_until(page, lambda: lines.count() == 40)
    more.get_by_role("button", name="Show 24 only").click()
    wait_until(page, lambda: lines.count() == 24)

    page = visit("counts", "#search")
    page.locator(".results .line").first.wait_for()
    wait_until(page, lambda: page.locator(".results button:not(:has(.name))").count() == 0)  # each is drawn by itself
    assert "6 of 40 columns" in page.locator(".beside .note").inner_text()
    cards = [card.locator(".name").all_inner_texts() for card in page.locator(".results button").all()]
    first = page.locator(".stage-picture th[scope=row]").all_inner_texts()[:6]
    assert cards
    assert cards == [first] * len(cards)  # the same columns in each card


@pytest.mark.slow
def test_series_are_drawn_as_lines(visit):
    page = visit("series")
    paths = page.locator(".stage-picture path.line-1-0")
    wait_until(page, lambda: paths.count() == 8 and (paths.first.get_attribute("d") or "").count("L") == 19)
    before = paths.first.get_attribute("d")
    page.get_by_role("button", name="Random", exact=True).click()
    wait_until(page, lambda: paths.first.get_attribute("d") != before)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="PNG").click()
    with Image.open(downloading.value.path()) as saved:
        assert saved.size == (640, 8 * 90 + 10)
        assert len(set(np.asarray(saved.convert("L")).ravel().tolist())) > 2  # lines, and not only paper
    page = visit("series", "#outliers")
    page.locator(".detail .channels svg").first.wait_for()
    assert page.locator(".detail .series-legend span").all_inner_texts() == ["value", "expected"]
    page = visit("series", "#map")
    page.locator(".stage[aria-busy=false]").wait_for()
    page.locator(".stage").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".tip svg").first.wait_for()
    page.keyboard.press("Enter")
    page.get_by_text("and what the decoder makes of its code").wait_for()


FUNCTIONS = """async () => {
    const { distanceOf, formatCell, placeOf, shortNames, surpriseOf } = await import("/static/cells.js");
    const { barOf } = await import("/static/cell-parts.js");
    const none = { levels: null, frequencies: null, offset: 0, scale: 1, mean: 0, std: 1, step: 0 };
    const real = { ...none, kind: "real", offset: 10, scale: 2 };
    const count = { ...none, kind: "count", mean: 1, std: 0.5 };
    const unit = { ...none, kind: "unit", scale: 255, mean: 0.2, std: 0.1 };
    const word = { ...none, kind: "categorical", levels: ["a", "b", "c"], frequencies: [0.5, 0.5, 0.005] };
    const names = (...all) => shortNames(all.map((name) => ({ name })));
    return {
        texts: [formatCell(real, 12.3456), formatCell(real, -0), formatCell(real, null), formatCell(word, 1),
                formatCell(word, 7), formatCell({ ...real, scale: 2000 }, 2012.7), formatCell(unit, 254.6)],
        places: [placeOf(real, 14), placeOf(count, Math.E ** 2 - 1)],
        surprises: [surpriseOf(real, 6), surpriseOf(real, NaN), surpriseOf(word, 0), surpriseOf(word, 2) > 3],
        distances: [distanceOf(real, 10, 14), distanceOf(word, 0, 1), distanceOf(word, 0, 0, 0.9, 0.4),
                    distanceOf(unit, 0, 255), distanceOf(real, null, 4)],
        bars: [barOf(real, 99), barOf(real, null), barOf(word, 1), barOf(word, 1, 0.25), barOf(unit, 51)].map(
            ({ kind, to, mark, beyond }) => [kind, to, mark, beyond]),
        names: [
            names("mean area", "mean texture"),
            names("expression_of_the_gene_ENSG001_in_tissue", "expression_of_the_gene_ENSG002_in_tissue"),
            names("a", "b".repeat(60)),
            names("expression_of_the_gene_ENSG001_in_tissue"),
        ],
    };
}"""


def test_scales_of_cells(visit):
    found = visit("vae", "#report").evaluate(FUNCTIONS)
    assert found["texts"] == ["12.35", "0", "", "b", "unknown", "2013", "255"]
    assert found["places"] == pytest.approx([2, 2])
    assert found["surprises"] == [2, 0, 0, True]
    assert found["distances"] == pytest.approx([1, 1, 0.5, 2, 0])
    assert found["bars"] == [
        ["centred", 1, None, 1],
        ["gap", 0, None, 0],
        ["none", 0, None, 0],
        ["share", 0.25, 0.5, 0],
        ["share", 0.2, 0.2, 0],
    ]
    common, long = found["names"][1], "b" * 15 + "…" + "b" * 15
    assert found["names"][0] == ["mean area", "mean texture"]
    assert common == ["…ENSG001", "…ENSG002"]
    assert found["names"][2] == ["a", long]
    assert found["names"][3] == ["expression_of_t…SG001_in_tissue"]


# Map


def test_the_map_of_one_component_is_a_histogram(visit):
    page = visit("line", "#map?x=0&y=0")
    page.locator(".stage[aria-busy=false]").wait_for()
    assert "histogram" in page.locator(".heading").inner_text()
    assert page.get_by_label("Across").count() == page.get_by_label("Components").count() == 0
    assert [page.locator(f".axis.{axis}").inner_text() for axis in "xy"] == ["z0 →", "number of rows, stacked →"]
    page.locator(".stage").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".tip .line").first.wait_for()
    assert page.locator(".tip .line").count() == 3


def test_the_axes_of_the_map_differ(visit):
    page = visit("vae", "#map?x=2&y=2")
    across, up = page.get_by_label("Across"), page.get_by_label("Up")
    page.locator(".stage[aria-busy=false]").wait_for()
    page.get_by_label("Components").select_option("components")
    assert (across.input_value(), up.input_value()) == ("0", "1")
    across.select_option("1")
    assert (across.input_value(), up.input_value()) == ("1", "0")


def find_point(page) -> tuple[float, float]:
    """Return the position of a point of the map on the page."""
    box = page.locator(".stage").bounding_box()
    for radius in range(0, 160, 12):
        for angle in np.linspace(0, 2 * np.pi, 8, endpoint=False):
            x = box["x"] + box["width"] / 2 + radius * np.cos(angle)
            y = box["y"] + box["height"] / 2 + radius * np.sin(angle)
            page.mouse.move(x, y)
            page.wait_for_timeout(30)
            if page.locator(".stage.on-point").count():
                return x, y
    raise AssertionError("no point is near the middle of the map")


def test_the_map_by_pointer(visit):
    page = visit("vae", "#map")
    page.locator(".key").first.wait_for()
    stage = page.locator(".stage")
    ink = Image.open(io.BytesIO(stage.screenshot())).convert("HSV")
    assert (np.asarray(ink)[..., 1] > 90).sum() > 300  # coloured points
    # hover, click
    x, y = find_point(page)
    page.locator(".tip img").wait_for()
    row = int(re.search(r"row (\d+)", page.locator(".tip").inner_text())[1])
    page.mouse.click(x, y)
    page.get_by_text(f"Row {row}, as the decoder draws it").wait_for()
    page.get_by_role("button", name="Turn its dials").click()
    wait_for_dials(page)
    code = to_code(page, get_values(page))
    codes = page.evaluate(
        "row => fetch(`/api/codes?rows=${row}`).then(r => r.arrayBuffer()).then(b => [...new Float32Array(b)])", row
    )
    assert code == pytest.approx(np.clip(codes, -9, 9), abs=1e-3)


def test_a_lasso_selects_rows_to_save(visit):
    page = visit("vae", "#map")
    page.locator(".key").first.wait_for()
    page.get_by_role("button", name="Lasso").click()
    box = page.locator(".stage").bounding_box()
    left, top, right, bottom = (
        box["x"] + 40,
        box["y"] + 4,
        box["x"] + box["width"] - 60,
        box["y"] + box["height"] - 4,
    )
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    page.get_by_role("heading", name="selected").wait_for()
    n = int(page.get_by_role("heading", name="selected").inner_text().split()[0])
    assert n > 150
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Rows").click()
    rows = Path(downloading.value.path()).read_text().split()
    assert len(rows) == n
    assert len(set(rows)) == n
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Save CSV").click()
    table = read_csv(downloading.value)
    assert [line["row"] for line in table] == rows
    assert {"label", "vae0", "vae3"} <= set(table[0])
    assert page.locator(".thumbs button").count() == 60
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Select all points in view").wait_for()


def test_the_map_by_keyboard(visit):
    page = visit("vae", "#map")
    page.locator(".key").first.wait_for()
    page.locator(".stage").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".tip img").wait_for()
    first = page.locator(".tip p").inner_text()
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    wait_until(page, lambda: page.locator(".tip p").inner_text() != first)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("p")
    walk = page.get_by_label("Place on the path")
    walk.wait_for()
    page.get_by_role("button", name=re.compile("Play|Pause")).wait_for()
    wait_until(page, lambda: float(walk.input_value()) == 1)  # it walks by itself
    end = get_picture(page)
    walk.focus()
    page.keyboard.press("Home")
    wait_until(page, lambda: get_picture(page) != end)
    stage = page.locator(".stage")
    stage.focus()
    page.keyboard.press("0")
    page.wait_for_timeout(300)
    shown = stage.screenshot()
    for key in ("+", "0", "-", "0", "Shift+ArrowLeft"):
        page.keyboard.press(key)
        wait_until(page, lambda key=key: (stage.screenshot() == shown) == (key == "0"))
    assert not page.get_by_text("as the decoder draws it").is_visible()
    page.keyboard.press("Enter")
    page.get_by_text("as the decoder draws it").wait_for()
    row, _, _ = page.locator(".tip p").inner_text().partition(" · ")
    picked = page.get_by_text("as the decoder draws it").inner_text()
    assert picked.lower().startswith(f"{row}, as the decoder draws it")


def test_the_map_by_component_colour_and_grid(visit, browser):
    page = visit("vae", "#map?x=1&y=2&by=score")
    page.locator(".ramp").wait_for()
    assert page.locator(".axis.x").inner_text() == "z1 →"
    page.get_by_label("Decoded grid behind").check()
    page.locator(".behind:not([hidden])").wait_for()
    page.get_by_label("Colour").select_option("label")
    page.locator(".key").first.wait_for()
    page.locator(".key").nth(3).click()
    assert page.locator(".key").nth(3).get_attribute("aria-pressed") == "true"
    wait_until(page, lambda: "by=label" in page.url)
    page.get_by_label("Components").select_option("pca")
    wait_until(page, lambda: "of the variance" in page.locator(".axis.x").inner_text())


def test_the_map_of_neighbours(visit):
    page = visit("vae", "#map")
    page.locator(".stage[aria-busy=false]").wait_for()
    neighbours = page.get_by_role("button", name="Neighbours", exact=True)
    assert page.get_by_label("Decoded grid behind").is_visible()
    neighbours.focus()
    page.keyboard.press("Enter")
    wait_until(page, lambda: "neighbours lie together" in page.locator(".axis.x").inner_text())
    assert neighbours.get_attribute("aria-pressed") == "true"
    assert page.get_by_label("Decoded grid behind").is_hidden()
    assert "No decoded grid here" in page.locator(".map-bar").inner_text()
    assert page.get_by_label("Across").is_hidden()
    assert "layout=neighbors" in page.url
    names = page.locator("ul[aria-label='Names on the map'] li")
    wait_until(page, lambda: names.all_text_contents() == [str(i) for i in range(10)])
    page.get_by_label("Names of clusters").check()
    assert names.count() > 10
    with_contours = page.locator(".over").evaluate("canvas => canvas.toDataURL()")
    page.get_by_label("Contours").uncheck()
    assert page.locator(".over").evaluate("canvas => canvas.toDataURL()") != with_contours
    x, y = find_point(page)
    page.mouse.click(x, y)
    page.get_by_text("as the decoder draws it").wait_for()
    page.get_by_role("button", name="Axes", exact=True).click()
    wait_until(page, lambda: "of the variance" in page.locator(".axis.x").inner_text())
    assert page.get_by_label("Decoded grid behind").is_visible()


def test_histograms_filter_the_map_the_table_and_each_other(visit):
    page = visit("table", "#map?by=column:group")
    page.locator(".key").first.wait_for()
    page.get_by_text("Histograms and rows").click()
    count, lines = page.locator(".map-filters .count"), page.get_by_role("region", name="Rows of the table")
    count.wait_for()
    assert count.inner_text() == "80 rows"
    group = page.locator(".facet .level", has_text="a").first
    group.click()
    wait_until(page, lambda: count.inner_text() == "40 of 80 rows")
    assert group.get_attribute("aria-pressed") == "true"
    assert lines.locator("tbody tr").count() == 40
    bars = page.get_by_label("Histogram of spread").locator("b")
    heights = bars.evaluate_all("all => all.map(one => one.style.height)")
    page.get_by_label("Histogram of column 1").focus()
    page.keyboard.press("ArrowRight")
    wait_until(page, lambda: int(count.inner_text().split()[0]) < 40)
    assert bars.evaluate_all("all => all.map(one => one.style.height)") != heights
    n = int(count.inner_text().split()[0])
    page.get_by_role("button", name="Select all points in view").click()
    page.get_by_role("heading", name=f"{n} selected").wait_for()  # what is filtered out is not selected
    page.get_by_role("button", name="Clear the filters").click()
    wait_until(page, lambda: count.inner_text() == f"{n} of 80 rows")
    page.get_by_role("button", name="Clear", exact=True).click()
    wait_until(page, lambda: count.inner_text() == "80 rows")
    assert list_violations(page) == []


# The other panels


def test_clean(visit, digits):
    page = visit("dae", "#clean")
    page.locator(".compare .after img").wait_for()
    figures = page.locator(".figures").inner_text()
    assert "dB" in figures
    seam = page.get_by_label("Slider between the noisy and the cleaned example")
    seam.focus()
    page.keyboard.press("End")
    assert "inset(0px 0px 0px 100%)" in page.locator(".after").evaluate("e => getComputedStyle(e).clipPath")
    noise = page.get_by_label(re.compile("Noise added"))
    noise.focus()
    page.keyboard.press("End")
    wait_until(page, lambda: page.locator(".figures").inner_text() != figures)
    # a picture of one's own, as it is
    page.locator("input[type=file]").set_input_files(png_file(digits[20]))
    wait_until(page, lambda: "dB" not in page.locator(".figures").inner_text())
    assert noise.input_value() == "0"


PASTE = """content => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
    document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer }));
}"""


def test_units(visit, digits):
    page = visit("sae", "#units")
    page.get_by_role("heading", name=re.compile("Unit ")).wait_for()
    assert page.locator(".wall button").count() == 24
    slider = page.locator(".detail input[type=range]")
    wait_until(page, page.locator(".trio img").count)
    before = page.locator(".trio figure:nth-child(2) img").get_attribute("src")
    slider.focus()
    page.keyboard.press("End")
    wait_until(page, lambda: page.locator(".trio figure:nth-child(2) img").get_attribute("src") != before)
    page.get_by_label("Units of row").fill("5")
    page.keyboard.press("Enter")
    page.get_by_text("for row 5, strongest first").wait_for()
    assert page.locator(".wall button").count() <= 4  # k = 4
    page.get_by_role("button", name="All units").click()
    page.get_by_text("24 units.", exact=True).wait_for()
    # a picture that is pasted
    content = base64.b64encode(png_file(digits[5])["buffer"]).decode()
    page.evaluate(PASTE, content)
    page.get_by_text("for your picture, strongest first").wait_for()


def test_units_are_named_found_and_turned_together(visit, models):
    page = visit("sae", "#units")
    page.locator(".similar button").first.wait_for()
    unit = int(page.locator(".detail h2").inner_text().split()[1])
    active = page.locator(".activations .note").inner_text()
    assert sum(int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", active)) == 200
    assert page.locator(".detail .fill-levels li").count() == 10
    field = page.get_by_label("Your name for it")
    field.fill("left <i>loop</i>")
    page.keyboard.press("Enter")
    page.locator(f"#unit-{unit} b", has_text="left <i>loop</i>").wait_for()
    assert load(models["sae"]).unit_names_ == {unit: "left <i>loop</i>"}
    # two units at once: the one that was turned stays when another one is opened
    slider = page.locator(".detail input[type=range]")
    slider.focus()
    page.keyboard.press("End")
    page.locator(".similar button").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name=f"Leave unit {unit} as it is").wait_for()
    other = int(page.locator(".detail h2").inner_text().split()[1])
    page.get_by_alt_text(f"Row 0, with unit {unit}, {other} changed").wait_for()
    page.get_by_role("button", name=f"Leave unit {unit} as it is").click()
    page.get_by_alt_text(f"Row 0, with unit {other} changed").wait_for()
    # the name is found, and taken away again
    page.get_by_label("Find").fill("LOOP")
    page.get_by_text("1 of 24 units.").wait_for()
    page.locator(f"#unit-{unit}").click()
    wait_until(page, lambda: field.input_value() == "left <i>loop</i>")
    field.fill("")
    page.get_by_role("button", name="Save the name").click()
    page.locator(f"#unit-{unit} b", has_text=f"unit {unit}").wait_for()
    assert not (models["sae"] / "notes.json").exists()


@pytest.mark.parametrize("name", ["vae", "table"])
def test_outliers(visit, name):
    page = visit(name, "#outliers")
    page.get_by_role("heading", name=re.compile("Row ")).wait_for()
    first = page.get_by_role("heading", name=re.compile("Row ")).inner_text()
    if name == "table":
        assert first == "Row 7"  # it was moved away from all others
        assert page.locator(".detail tbody th").count() == 4
        assert page.locator(".detail thead th").all_inner_texts() == ["value", "expected", "nats"]
    else:
        page.locator(".heat").wait_for()
    page.locator(".strange button").nth(3).click()
    wait_until(page, lambda: page.get_by_role("heading", name=re.compile("Row ")).inner_text() != first)
    assert page.locator(".strange button").nth(3).get_attribute("aria-pressed") == "true"


def test_search(visit, digits):
    page = visit("vae", "#search")
    page.locator(".results button").first.wait_for()
    assert page.locator(".results button").count() == 24
    page.locator(".results button").nth(2).click()
    row = page.get_by_label("Similar to row")
    wait_until(page, lambda: row.input_value() != "0")
    wait_until(page, lambda: f"Row {row.input_value()}" in page.locator(".about").inner_text())
    # a picture that is one of the rows finds that row
    page.locator("input[type=file]").set_input_files(png_file(digits[20]))
    page.get_by_text("Your picture, as the model sees it").wait_for()
    wait_until(page, lambda: "Row 20," in (page.locator(".results button").first.get_attribute("aria-label") or ""))
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Save CSV").click()
    table = read_csv(downloading.value)
    assert (len(table), table[0]["row"]) == (24, "20")
    assert float(table[0]["distance"]) <= float(table[1]["distance"])
    page.get_by_role("button", name="Example at the dials").click()
    page.get_by_text("The example at the dials", exact=True).wait_for()


def test_models_are_renamed_deleted_and_restored_by_keyboard(visit):
    page = visit("pair", "#models")
    page.get_by_role("button", name="Rename vae").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Control+a")
    page.keyboard.type("<b>Mine</b>")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Rename <b>Mine</b>").wait_for()
    assert "<b>Mine</b> (vae)" in page.get_by_label("Model", exact=True).inner_text()
    assert page.get_by_role("button", name="Delete <b>Mine</b>").count() == 0  # it is open
    page.get_by_role("button", name="Delete dae").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Keep it"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete dae").click()
    page.get_by_text("stays as it is").wait_for()
    assert list_violations(page) == []
    page.get_by_role("button", name="Delete", exact=True).click()
    restore = page.get_by_role("button", name="Restore dae")
    restore.wait_for()
    assert page.get_by_label("Model", exact=True).count() == 0  # nothing to choose from
    wait_until(page, lambda: page.evaluate("document.activeElement.textContent") == "Restore")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Open dae").wait_for()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Save CSV").click()
    assert list(read_csv(downloading.value)[0]) == ["row", "label", "vae0", "vae1", "vae2", "vae3"]
    page.get_by_role("button", name="Open dae").click()
    page.get_by_role("button", name="Open <b>Mine</b>").wait_for()
    assert page.locator("h1").inner_text() == "Models"


def test_a_model_that_was_kept_earlier_is_deleted_restored_and_opened(visit):
    page = visit("keep", "#models")
    page.get_by_text("No model is open.").wait_for()
    assert list_violations(page) == []
    page.get_by_role("button", name="Delete vae").click()
    assert page.evaluate("document.activeElement.textContent") == "Keep it"
    page.keyboard.press("Escape")
    wait_until(page, lambda: page.evaluate("document.activeElement.textContent") == "Open")
    page.get_by_role("button", name="Delete vae").click()
    page.get_by_text("is deleted when the studio stops").wait_for()
    assert list_violations(page) == []
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Restore vae").click()
    page.get_by_role("button", name="Open vae").click()
    page.locator(".model-list .badge").wait_for()
    assert page.locator(".model-list .current h2").inner_text().split()[0] == "vae"
    assert page.get_by_role("button", name="Open vae").count() == 0
    page.get_by_role("link", name="Dials").click()
    wait_for_dials(page)


def test_two_models_are_compared_on_the_same_rows(visit):
    page = visit("pair", "#compare")
    page.get_by_role("heading", name="Dials of dae").wait_for()
    assert page.locator(".pairs img").count() == 3 * 8
    values = page.locator(".measures tbody tr", has=page.get_by_role("rowheader", name="mse", exact=True)).locator("td")
    assert all(re.fullmatch(r"[\d.]+", text) for text in values.all_inner_texts()[:2])
    best = int(float(values.nth(0).inner_text()) > float(values.nth(1).inner_text()))
    assert values.nth(best).locator("b").count() == 1
    assert page.locator(".compared-dials li").count() == 4
    page.get_by_text("This DAE has no codes, so it has no dials.").wait_for()
    first = page.locator(".pairs img").first.get_attribute("src")
    page.get_by_label("From row").fill("5")
    page.keyboard.press("Enter")
    wait_until(page, lambda: page.locator(".pairs img").first.get_attribute("src") != first)
    assert page.locator(".pairs img").nth(8).get_attribute("alt").startswith("Row 5, ")


def test_report(visit):
    page = visit("vae", "#report")
    assert page.get_by_role("link", name="Open the report").get_attribute("href") == "/api/report"
    assert page.locator(".decisions li").count() > 3
    assert "narrows.load" in page.get_by_label("Python", exact=True).inner_text()


def test_the_verdict_stands_above_the_panels_and_says_what_to_try(visit, studio):
    page = visit("vae")
    findings = studio("vae").session.current.model.findings_
    verdict = page.get_by_role("region", name="Verdict")
    assert verdict.locator("li").count() == len(findings)
    assert [item.get_attribute("class") for item in verdict.locator("li").all()] == [
        "well" if finding.is_well else "doubt" for finding in findings
    ]
    text = verdict.inner_text()
    for finding in findings:
        if finding.setting:  # no training of this page made the model, so there is nothing to repeat
            assert f"Try {finding.setting.replace('=', ' = ')}" in " ".join(text.split())
    assert verdict.get_by_role("button").count() == 0
    was_open = verdict.locator("details").get_attribute("open") is not None
    verdict.locator("summary").focus()
    page.keyboard.press("Enter")
    assert (verdict.locator("details").get_attribute("open") is not None) != was_open
    page.get_by_role("link", name="Map").click()
    wait_until(page, lambda: page.locator("h1").inner_text() == "Map")
    assert verdict.count() == 1


@pytest.mark.parametrize("n_unused", [1, 4])
def test_dials_that_carry_nothing_are_grey_and_say_so(visit, n_unused):
    page = visit("vae", "#map")

    def empty_some(route) -> None:
        answer = route.fetch().json()
        for dial in answer["dials"][:n_unused]:
            dial["used"] = False
        route.fulfill(json=answer)

    page.route("**/api/dials?*", empty_some)
    page.get_by_role("link", name="Dials").click()
    unused = page.locator(".unused")
    unused.wait_for()
    words = "1 dial carries nothing: " if n_unused == 1 else "4 dials carry nothing: "
    assert unused.locator("summary").inner_text().startswith(f"{words}turning changes nothing. ")
    assert (unused.get_attribute("open") is not None) == (n_unused == 4)  # open if there are no others
    if n_unused == 1:
        unused.locator("summary").click()
    wait_until(page, lambda: page.locator(".dial.idle").count() == n_unused)
    assert page.locator(".dial.idle .carries").all_inner_texts() == ["carries nothing"] * n_unused
    assert sliders(page).count() == 4


# Train


def upload(page, name: str, content: bytes) -> None:
    page.locator(".drop input").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
    page.get_by_role("heading", name="What narrows sees").wait_for()


def to_csv(table: np.ndarray) -> bytes:
    lines = [",".join(f"{value:.4f}" for value in row) + (",x" if i % 2 else ",y") for i, row in enumerate(table)]
    return ("height,weight,age,pulse,kind\n" + "\n".join(lines)).encode()


def test_train_on_a_file_and_see_its_dials(visit, studio, table):
    server = studio("none")
    page = visit("none")
    assert page.locator("h1").inner_text() == "Train"
    try:
        upload(page, "people.csv", to_csv(table))
        assert page.locator(".columns tbody tr").count() == 5
        page.get_by_label("Label: colours the map").select_option("kind")  # not trained on, then
        page.get_by_label("Train on pulse").uncheck()
        assert "3 of 5 columns: 2 heavy-tailed, 1 real." in page.locator(".learned").inner_text()
        assert "pulse, kind (the label)" in page.locator(".learned").inner_text()
        page.get_by_role("spinbutton", name="Components").fill("2")
        page.get_by_label("Seconds at most").fill("3")
        page.get_by_text("All other parameters").click()
        page.get_by_label(re.compile(r"^hidden")).fill("(16,)")
        page.get_by_role("button", name="Train").click()
        page.get_by_role("button", name="Stop early").wait_for()
        assert page.locator(".figures dt").first.inner_text() in ("Elapsed", "Steps")
        assert page.locator(".status").inner_text() != ""
        wait_until(page, lambda: page.locator(".pairs .cells").count(), 90)  # before the training, or in it
        assert page.locator(".pairs thead").first.inner_text().split() == ["original", "PCA", "model"]
        wait_until(page, lambda: page.locator("h1").inner_text() == "Dials", 90)
        wait_until(page, sliders(page).count)
        verdict = page.get_by_role("region", name="Verdict")
        assert verdict.locator("summary").inner_text().startswith(("It is well", "Not yet"))
        page.get_by_role("link", name="Train").click()
        page.locator(".drop").wait_for()
        assert verdict.count() == 0  # the panel is about the next model
        page.get_by_role("link", name="Dials").click()
        assert page.locator(".cells th").all_inner_texts() == ["height", "weight", "age"]
        assert "people" in page.locator("#model").inner_text()
        assert page.get_by_role("link", name="Map").count() == 1
    finally:
        page.close()
        server.stop()
        server.start()


def test_a_row_is_filled_and_drawn_by_pointer_and_keyboard(visit, people):
    page = visit("people-tableae")
    links = page.locator("#nav a").all_inner_texts()
    assert links == ["Fill and draw", "Map", "Clean", "Outliers", "Search", "Train", "Report", "Models"]
    columns = page.locator(".fill-column")
    wait_until(page, lambda: columns.count() == 5)
    age, job, town = (columns.nth(i) for i in (0, 2, 3))
    wait_until(page, lambda: age.locator(".fill-says").inner_text().startswith("about "))
    assert age.get_by_role("img").get_attribute("aria-label").startswith("age: median ")
    before = town.locator("small").all_inner_texts()

    job.get_by_role("combobox").select_option(label="pilot")
    wait_until(page, lambda: job.locator(".fill-says").inner_text() == "set to pilot")
    wait_until(page, lambda: town.locator("small").all_inner_texts() != before)
    town.get_by_role("button", name="Oslo").click()
    assert town.get_by_role("combobox").input_value() != ""
    slider = age.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    highest = str(people["age"].max())
    wait_until(page, lambda: age.locator(".fill-says").inner_text() == f"set to {highest}")
    assert age.get_by_role("spinbutton").input_value() == highest

    page.get_by_role("button", name="Draw 10 rows").click()
    table = page.locator(".fill-drawn table")
    table.wait_for()
    assert table.locator("th").all_inner_texts() == ["income", "joined", "age", "job", "town"]  # those drawn come first
    rows = [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]
    assert [row[2:] for row in rows] == [[highest, "pilot", "Oslo"]] * 10

    age.get_by_role("button", name="Leave age open").click()
    assert age.get_by_role("spinbutton").input_value() == ""
    page.get_by_role("button", name="All open").click()
    wait_until(page, lambda: town.locator("small").all_inner_texts() == before)


def test_a_form_starts_from_a_row_also_from_the_map(visit, people):
    page = visit("people-tableae", "#fill?row=5")
    columns = page.locator(".fill-column")
    wait_until(page, lambda: page.locator(".fill-column.is-set").count() == 4)  # the job is missing
    assert columns.nth(2).get_by_role("combobox").input_value() == ""
    assert columns.nth(0).get_by_role("spinbutton").input_value() == str(people["age"][5])
    assert columns.nth(4).get_by_label("joined", exact=True).input_value() == str(people["joined"][5].date())
    assert page.get_by_label("Start from row").input_value() == "5"
    page.get_by_label("Start from row").fill("3")
    page.keyboard.press("Enter")
    wait_until(page, lambda: columns.nth(1).get_by_role("spinbutton").input_value() == "")  # the income is missing

    page.goto(page.url.partition("#")[0] + "#map")
    page.locator(".stage[aria-busy=false]").wait_for()
    assert page.get_by_role("button", name="Path").count() == 0
    assert page.get_by_role("button", name="Fill it").is_disabled()
    page.locator(".stage").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    wait_until(page, lambda: page.get_by_role("button", name="Fill it").is_enabled())
    row = re.search(r"Row (\d+)", page.locator(".at .about").inner_text())[1]
    page.get_by_role("button", name="Fill it").click()
    wait_until(page, lambda: page.locator(".fill-column").count() == 5)
    wait_until(page, lambda: page.get_by_label("Start from row").input_value() == row)


def test_a_model_of_tables_is_offered_for_tables_only(visit, people, digits):
    page = visit("none")
    upload(page, "people.csv", people.to_csv(index=False).encode())
    size = page.get_by_role("spinbutton", name="Components")
    suggested = size.input_value()
    page.get_by_role("radio", name=re.compile("^tableae")).check()
    assert size.input_value() == ""  # its network is as wide as its codes are long
    page.get_by_role("radio", name=re.compile("^vae The")).check()
    assert size.input_value() == suggested
    page.get_by_role("button", name="Other data").click()
    stream = io.BytesIO()
    np.save(stream, digits[:60])
    upload(page, "digits.npy", stream.getvalue())
    assert page.get_by_role("radio", name=re.compile("^tableae")).count() == 0
    assert page.get_by_role("radio").count() > 3


def test_the_kind_of_a_column_can_be_changed_before_training(visit, people):
    page = visit("none", expected="ERR_FAILED")
    page.route("**/api/train", lambda route: route.abort())
    upload(page, "people.csv", people.to_csv(index=False).encode())
    lines = page.locator(".columns tbody tr")
    assert lines.nth(2).inner_text().split("\t")[4:6] == ["1", "119"]  # gaps and different values of the income
    assert "2020-" in lines.nth(5).inner_text()
    assert "5 of 7" in page.locator(".learned").inner_text()
    assert "user (a value of its own for each row), kind (always the same)" in page.locator(".learned").inner_text()
    user, age = page.get_by_label("Kind of user"), page.get_by_label("Kind of age")
    assert user.input_value() == "identifier"
    page.get_by_label("Train on user").check()
    assert user.input_value() == "categorical"  # an identifier is not trained on
    user.select_option("identifier")
    assert not page.get_by_label("Train on user").is_checked()
    assert page.get_by_label("Train on kind").is_disabled()  # it is constant
    age.select_option("categorical")
    page.get_by_label("Train on town").uncheck()
    with page.expect_request("**/api/train") as training:
        page.get_by_role("button", name="Train").click()
    body = training.value.post_data_json
    assert body["columns"] == ["age", "income", "job", "joined"]
    assert body["kinds"] == {"age": "categorical"}


def test_only_what_columns_can_have_is_offered(visit, people):
    page = visit("none")
    upload(page, "people.csv", people.to_csv(index=False).encode())
    likelihood = page.get_by_role("combobox", name="Likelihood")
    possible = lambda: likelihood.locator("option:not(:disabled)").all_inner_texts()  # noqa: E731
    assert possible() == ["auto", "gaussian", "heteroscedastic"]  # there are words and dates
    for name in ("job", "town", "joined"):
        page.get_by_label(f"Train on {name}").uncheck()
    assert "poisson" in possible()
    likelihood.select_option("poisson")
    page.get_by_label("Train on town").check()
    assert likelihood.input_value() == "auto"
    page.get_by_role("radio", name=re.compile("^tableae")).check()
    assert likelihood.is_disabled()  # it has a likelihood of its own


def test_many_columns_are_found_by_name(visit, others):
    page = visit("none")
    header = ",".join(f"measurement_of_the_sensor_{i:03}_in_mm" for i in range(40))
    lines = "\n".join(",".join(f"{value + 0.5 * i:.2f}" for value in row) for i, row in enumerate(others["counts"]))
    upload(page, "sensors.csv", f"{header}\n{lines}".encode())
    names = page.locator(".columns th[scope=row]")
    assert names.count() == 40
    assert names.first.inner_text() == "…000_in_mm"
    page.get_by_label("Columns whose names hold").fill("sensor_01")
    wait_until(page, lambda: names.count() == 10)
    page.get_by_role("button", name="Use none of these").click()
    assert "30 of 40 columns" in page.locator(".learned").inner_text()
    page.get_by_label("Columns whose names hold").fill("")
    assert page.locator(".columns input:checked").count() == 30
    # a column is used again once it is no label
    label = page.get_by_label("Label: colours the map")
    label.select_option("measurement_of_the_sensor_000_in_mm")
    assert "29 of 40" in page.locator(".learned").inner_text()
    label.select_option("")
    assert "30 of 40" in page.locator(".learned").inner_text()


def test_a_file_that_cannot_be_read_shows_a_message(visit):
    page = visit("none", expected="status of 4")
    page.locator(".drop input").set_input_files({"name": "x.csv", "mimeType": "text/csv", "buffer": b"\x00\x01\x02"})
    page.locator(".toast.wrong").wait_for()
    page.locator(".drop").wait_for()
    assert len(page.locator(".toast.wrong").inner_text()) > 10


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cancel", "stop"])
def test_a_training_is_shown_and_ended_early(visit, studio, digits, how):
    server = studio("none")
    page = visit("none")
    try:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for i in range(1200):
                archive.writestr(f"digits/{i % 3}/{i}.png", png_file(digits[i])["buffer"])
        upload(page, "digits.zip", stream.getvalue())
        page.get_by_label("Pixels").select_option("32")
        page.get_by_text("8 x 8").wait_for()  # images are never enlarged
        page.locator(".preview i").first.wait_for()
        page.get_by_label("Seconds at most").fill("600")
        page.get_by_text("All other parameters").click()
        page.get_by_role("button", name="Train").click()
        wait_until(page, lambda: page.locator(".pairs img[src]").count() == 24, 90)  # original, PCA, model
        wait_until(page, lambda: "," in (page.locator(".curve.train").get_attribute("points") or ""))
        # another page finds the same training
        other = visit("none", "#train")
        other.get_by_role("button", name="Stop early").wait_for()
        other.close()
        if how == "cancel":
            page.get_by_role("button", name="Cancel").click()
            back = page.get_by_role("button", name="Back to the settings")
            back.wait_for(timeout=60_000)
            assert page.locator(".status").inner_text() == "Cancelled: nothing was kept."
            assert "No model yet" in page.locator("#model").inner_text()
            back.click()
            assert page.get_by_label("Seconds at most").input_value() == "600"
        else:
            page.get_by_role("button", name="Stop early").click()
            wait_until(page, lambda: page.locator("h1").inner_text() == "Dials", 90)
            wait_for_dials(page, None)
            page.get_by_role("button", name="Go on for 3 more minutes").click()
            wait_until(page, lambda: page.locator("h1").inner_text() == "Train")
            assert "digits, longer" in page.locator(".watch-head").inner_text()
            page.get_by_role("button", name="Cancel").click()
            page.get_by_role("button", name="Back to the settings").click()
            page.locator(".drop").wait_for()  # they were another training's
    finally:
        page.close()
        server.stop()
        server.start()


# The page


def test_the_server_restarts(visit, studio):
    page = visit("vae", expected="WebSocket|ERR_CONNECTION|Failed to load")
    wait_for_dials(page)
    server = studio("vae")
    sliders(page).first.focus()
    page.keyboard.press("PageUp")
    wait_until(page, lambda: len(get_values(page)) == 4)
    code = get_values(page)
    server.stop()
    page.locator("#lost:not([hidden])").wait_for()
    server.start()
    page.locator("#lost[hidden]").wait_for(state="attached")
    wait_for_dials(page)
    # what was made is not lost; the page is drawn anew at some moment, and its dials are folded again
    assert wait_until(page, lambda: get_all_values(page) == pytest.approx(code, abs=1e-3))
    before = get_picture(page)
    sliders(page).nth(1).focus()
    page.keyboard.press("End")
    wait_until(page, lambda: get_picture(page) != before)


def test_navigation_by_keyboard(visit):
    page = visit()
    sliders(page).first.wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the panel"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Dials"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_until(page, lambda: page.evaluate("document.activeElement.textContent") == "Map")
    # the focus is seen wherever it is
    for _ in range(4):
        page.keyboard.press("Tab")
        outline = "(() => { const e = document.activeElement; return getComputedStyle(e).outlineWidth; })()"
        assert page.evaluate(outline) not in ("0px", "")


def test_a_panel_opens_though_the_dials_still_load(visit):
    page = visit()
    # the modules of the map come late: meanwhile the dials must not write their address
    page.route("**/static/map/map.js", lambda route: (page.wait_for_timeout(600), route.continue_()))
    page.reload()
    sliders(page).first.wait_for()
    page.evaluate("location.hash = 'map'")
    page.locator(".stage[aria-busy=false]").wait_for()
    assert page.locator("h1").inner_text() == "Map"


@pytest.mark.parametrize(
    "link",
    [
        "#dials?z=1,2,3,4&of=another",
        "#dials?z=1,2",
        "#dials?z=a,b,c,d",
        "#dials?z=4;9:1",
        "#dials?z=0,0,0,Infinity",
        "#x?y",
    ],
)
def test_a_link_with_an_invalid_code_opens_the_dials(visit, link):
    page = visit("vae", link)
    assert page.locator("h1").inner_text() == "Dials"
    wait_for_dials(page)
    first = page.evaluate(ENCODE, 0)
    assert to_code(page, get_values(page)) == pytest.approx(first["code"], abs=1e-3)


def test_codes_in_links_and_two_who_ask_at_once(visit):
    page = visit("vae", "#report")
    # numbers come back as they went, few of many as few
    assert page.evaluate(
        """async () => {
            const { formatCode, parseCode } = await import("/static/state.js");
            const full = Float32Array.of(0.5, -1.25, 3, 0.0625), few = new Float32Array(100);
            few[12] = 0.5, few[80] = -1.25;
            const isKept = (code) => parseCode(formatCode(code), code.length).join() === code.join();
            return [formatCode(few), [full, few].every(isKept)];
        }"""
    ) == ["100;12:0.5,80:-1.25", True]
    # each who asks gets the answer to what they asked last, though one socket serves all
    assert page.evaluate(
        """() => import("/static/transport.js").then(({ createHttpTransport }) => new Promise((done) => {
            const transport = createHttpTransport(), heard = [];
            const first = (result) => tell("first", result), second = (result) => tell("second", result);
            const tell = (who, result) => {
                heard.push(`${who} ${result.length}`);
                if (heard.length === 2) { transport.close(); done(heard); }
            };
            for (let i = 0; i < 5; i++) transport.decode(Float32Array.of(i, 0, 0, 0), first);
            transport.decode(new Float32Array(4), second);
        }))"""
    ) == ["first 64", "second 64"]


@pytest.mark.slow
def test_a_map_without_webgl(launch, studio):
    chromium = launch("--disable-gpu", "--disable-3d-apis")
    page = chromium.new_page()
    page.goto(f"{studio('vae').url}/#map")
    page.locator(".key").first.wait_for()
    assert page.evaluate("document.createElement('canvas').getContext('webgl2')") is None
    ink = Image.open(io.BytesIO(page.locator(".stage").screenshot())).convert("HSV")
    assert (np.asarray(ink)[..., 1] > 90).sum() > 300
    chromium.close()


def test_light_and_dark(visit):
    page = visit(color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(15, 22, 27)"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(paper) == "rgb(251, 251, 248)"
    page.reload()
    page.locator("h1").wait_for()
    assert page.evaluate(paper) == "rgb(251, 251, 248)"


SHIFTS = """() => new Promise(done => {
    let sum = 0;
    new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value; })
        .observe({type: "layout-shift", buffered: true});
    setTimeout(() => done(sum), 1200);
})"""


@pytest.mark.parametrize("size", [pytest.param("phone", marks=pytest.mark.slow), "desk"])
def test_the_layout_does_not_shift(visit, size):
    for panel in ("", "#map"):
        assert visit("vae", panel, size=size).evaluate(SHIFTS) < 0.05, panel


def wait_for_network(page) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(150)


def list_violations(page) -> list[str]:
    """Return the serious and critical violations that axe-core reports."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']})")
    return [
        f"{v['id']}: {v['nodes'][0]['html'][:150]} ({len(v['nodes'])}) {v['nodes'][0]['failureSummary'][:200]}"
        for v in result["violations"]
        if v["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(
    "name", [name if name in ("vae", "people-sae") else pytest.param(name, marks=pytest.mark.slow) for name in PANELS]
)
def test_axe_finds_nothing_serious(visit, name):
    problems, page = {}, visit(name)
    for panel in PANELS[name]:
        page.evaluate("panel => { location.hash = panel }", panel)
        wait_for_network(page)
        problems[panel] = list_violations(page)
    assert {panel: texts for panel, texts in problems.items() if texts} == {}


@pytest.mark.slow
@pytest.mark.parametrize("size", ["phone", "tablet"])
@pytest.mark.parametrize("name", PANELS)
def test_axe_in_the_dark_and_nothing_is_wider_than_the_page(visit, name, size):
    problems, page = {}, visit(name, size=size, color_scheme="dark")
    for panel in PANELS[name]:
        page.evaluate("panel => { location.hash = panel }", panel)
        wait_for_network(page)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        problems[panel] = [*list_violations(page), *([f"{wide} pixels too wide"] if wide > 0 else [])]
    assert {panel: texts for panel, texts in problems.items() if texts} == {}


# The token


@pytest.fixture
def locked(new_session) -> Iterator[Studio]:
    """A studio that requires a token."""
    server = Studio(lambda: new_session("vae"), "of-the-link")
    yield server
    server.stop()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_the_page_that_asks_for_the_token(browser, locked, scheme):
    context = browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{locked.url}/#map")
    assert page.locator("h1").inner_text() == "This studio needs its token"
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    assert list_violations(page) == []
    page.get_by_label("Link or token").fill(f"{locked.url}/?token=of-the-link")
    page.get_by_role("button", name="Open the studio").click()
    wait_until(page, lambda: page.locator("h1").inner_text() == "Map")
    assert page.url.startswith(f"{locked.url}/#map")
    assert page.evaluate("document.cookie") == ""  # scripts do not see it
    context.close()


def test_the_link_opens_the_studio_from_anywhere(browser, locked):
    """From the address bar, and from a page of another site, which a strict cookie does not follow."""
    link = f"{locked.url}/?token=of-the-link"
    for other in ("", "localhost"):
        context = browser.new_context()
        page = context.new_page()
        if other:
            context.route(
                f"http://{other}/",
                lambda route: route.fulfill(body=f'<a href="{link}">x</a>', content_type="text/html"),
            )
            page.goto(f"http://{other}/")
            page.get_by_role("link").click()
        else:
            page.goto(link)
        wait_for_dials(page)
        assert page.url.partition("#")[0] == f"{locked.url}/"
        context.close()


def test_a_studio_that_starts_again_asks_for_its_new_token(browser, locked):
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{locked.url}/?token=of-the-link")
    wait_for_dials(page)
    locked.stop()
    page.locator("#lost:not([hidden])").wait_for()
    locked.token = "of-the-next-link"
    locked.start()
    wait_until(page, lambda: page.locator("h1").inner_text() == "This studio needs its token")
    for token, is_right in (("of-the-link", False), ("of-the-next-link", True)):
        page.get_by_label("Link or token").fill(token)
        page.keyboard.press("Enter")
        if not is_right:
            page.get_by_role("alert").wait_for()
    wait_for_dials(page)
    assert page.locator("#lost").is_hidden()
    assert page.locator("h1").inner_text() == "Dials"
    context.close()
