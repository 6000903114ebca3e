"""The page of units: what it holds, and what its controls do in a browser."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from dictionary_cases import CASES
from opened_page import Opened
from typer.testing import CliRunner

import narrows
from narrows.cli import app
from narrows.report import write_report, write_units

WORDS = ["sea", "<b>ship</b>", "harbour", "light", "storm"]


@pytest.fixture(scope="module")
def model():
    X = np.random.default_rng(0).standard_normal((300, 6)).astype(np.float32)
    model = narrows.SAE(40, k=3, max_epochs=2, random_state=0).fit(X)
    with torch.no_grad():
        model.model_.encoder.layers[0].bias[7] = -100.0  # a dead unit
    return model


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(1).standard_normal((200, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def texts():
    return [f"the {WORDS[i % 5]} of day {i}" for i in range(200)]


@pytest.fixture(scope="module")
def path(model, rows, texts, tmp_path_factory):
    def name_unit(unit, best):
        return f"name-{unit}" if len(best) else ""

    folder = tmp_path_factory.mktemp("units")
    return write_units(model, rows, folder / "units.html", texts=texts, n=4, name_unit=name_unit)


def read_values(path):
    (text,) = re.findall(r'<script type="application/json" class="units-data">(.*?)</script>', path.read_text())
    return json.loads(text)


def test_it_holds_the_survey(path, model, rows, texts):
    values, survey = read_values(path), model.survey_units(rows, 4)
    for unit in range(40):
        assert [values["rows"][place] for place in values["top"][unit]] == survey.top(unit).tolist()
        assert [values["texts"][place][1] for place in values["top"][unit]] == [texts[i] for i in survey.top(unit)]
    np.testing.assert_allclose(values["density"], survey.density, rtol=1e-3)
    assert values["names"][7] == ""
    assert values["names"][0] == "name-0"
    assert "<b>ship" not in path.read_text().split("<script")[0]  # the texts are escaped


def test_a_text_is_shown_with_those_around_it(model, rows, texts, tmp_path):
    values = read_values(write_units(model, rows, tmp_path / "a.html", texts=texts, context=1, n=2))
    for row, (before, text, after) in zip(values["rows"], values["texts"], strict=True):
        assert (before, text) == ("" if row == 0 else texts[row - 1], texts[row])
        assert after == ("" if row == 199 else texts[row + 1])


@pytest.mark.parametrize("kind", ["shuffled", "filtered", "iterator"])
def test_texts_are_taken_by_their_places(kind, model, rows, texts, tmp_path):
    given = {
        "shuffled": pd.Series(texts, index=range(199, -1, -1)),
        "filtered": pd.Series(texts, index=range(0, 400, 2)),
        "iterator": iter(texts),
    }[kind]
    values = read_values(write_units(model, rows, tmp_path / "a.html", texts=given, n=2))
    assert [text for _, text, _ in values["texts"]] == [texts[row] for row in values["rows"]]


def test_a_function_of_names_that_fails_loses_nothing(model, rows, tmp_path):
    units = np.flatnonzero(model.survey_units(rows).density > 0)

    def name_unit(unit, best):
        if unit == units[3]:
            raise ConnectionError("no answer")
        return f"name-{unit}"

    with pytest.warns(UserWarning, match=rf"failed for unit {units[3]}: ConnectionError: no answer") as caught:
        path = write_units(model, rows, tmp_path / "a.html", name_unit=name_unit)
    assert caught[0].filename == __file__
    names = read_values(path)["names"]
    assert [unit for unit, name in enumerate(names) if name] == units[:3].tolist()


def test_its_controls_search_filter_and_sort(chromium, path, model, rows):
    survey = model.survey_units(rows, 4)
    with Opened(chromium, path) as tab:
        first = tab.locator(".unit-list > li h3")
        assert tab.locator("[data-found]").inner_text() == f"{40 - len(survey.dead)} units"
        assert first.first.inner_text() == f"Unit {survey.density.argmax()} name-{survey.density.argmax()}"
        tab.locator("[data-more]").click()
        assert first.count() == 40 - len(survey.dead)
        tab.select_option("[name=sort]", "max")
        assert first.first.inner_text().startswith(f"Unit {survey.activations[:, 0].argmax()} ")
        tab.check("[name=dead]")
        assert tab.locator("[data-found]").inner_text() == "40 units"
        tab.fill("[name=query]", "7")
        assert first.all_inner_texts() == ["Unit 7"]
        assert tab.locator(".unit-list .note").inner_text() == "dead: active for no example"
        tab.fill("[name=query]", "of day 17")
        assert tab.locator(".tops p", has_text="of day 17").count() >= first.count() > 0
        tab.fill("[name=query]", "name-12")
        assert first.all_inner_texts() == ["Unit 12 name-12"]
        other = tab.locator(".similar button").first
        unit = other.get_attribute("data-unit")
        other.click()
        assert first.first.inner_text().startswith(f"Unit {unit}")
        tab.fill("[name=query]", "")
        tab.fill("[name=low]", "1")
        assert tab.locator("[data-found]").inner_text() == "0 units"


def test_bad_arguments_are_refused(model, rows, texts, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"one text for each of the 200 examples. Got 199"):
        write_units(model, iter([rows]), tmp_path / "a.html", texts=texts[1:])
    monkeypatch.setattr(narrows.SAE, "survey_units", None)  # what is known before the pass over X is said before it
    with pytest.raises(ValueError, match=r"of the 200 examples\. Got 199"):
        write_units(model, rows, tmp_path / "a.html", texts=texts[1:])
    with pytest.raises(TypeError, match=r"takes a fitted SAE\. Got AE"):
        write_units(narrows.AE(2), rows, tmp_path / "a.html")
    with pytest.raises(TypeError, match=r"`texts` parameter of write_units must hold one text for .* Got str\."):
        write_units(model, rows, tmp_path / "a.html", texts="a" * 200)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_units(model, rows, tmp_path / "none/a.html")
    with pytest.raises(ValueError, match="`context` parameter of write_units"):
        write_units(model, rows, tmp_path / "a.html", context=-1)
    assert not list(tmp_path.iterdir())


def test_the_command_writes_it(model, rows, texts, tmp_path):
    model.save(tmp_path / "model")
    np.save(tmp_path / "rows.npy", rows)
    texts = [text.replace("day", "day\u2028").replace("of", "o\rf") for text in texts]  # which end no line of a file
    (tmp_path / "texts.txt").write_bytes(("\r\n".join(texts) + "\r\n").encode())
    arguments = ["units", str(tmp_path / "model"), str(tmp_path / "rows.npy"), "-o", str(tmp_path / "units.html")]
    result = CliRunner().invoke(app, [*arguments, "--texts", str(tmp_path / "texts.txt"), "-n", "4"])
    assert result.exit_code == 0, result.output
    values = read_values(tmp_path / "units.html")
    assert [text for _, text, _ in values["texts"]] == [texts[row] for row in values["rows"]]
    assert read_values(tmp_path / "units.html")["top"] == [
        list(map(read_values(tmp_path / "units.html")["rows"].index, model.survey_units(rows, 4).top(unit).tolist()))
        for unit in range(40)
    ]
    (tmp_path / "texts.txt").write_text("one")
    result = CliRunner().invoke(app, [*arguments, "--overwrite", "--texts", str(tmp_path / "texts.txt")])
    assert result.exit_code == 1
    (tmp_path / "texts.txt").write_text("caf\xe9", encoding="latin-1")
    result = CliRunner().invoke(app, [*arguments, "--overwrite", "--texts", str(tmp_path / "texts.txt")])
    assert result.exit_code == 1
    assert "texts.txt must be text in UTF-8" in "".join(result.output.split("\n"))


def test_the_command_takes_a_dictionary_of_another_program(tmp_path):
    folder = CASES["saelens_topk"](tmp_path / "sae").path
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).standard_normal((50, 24)).astype(np.float32))
    out = tmp_path / "units.html"
    result = CliRunner().invoke(app, ["units", str(folder), str(tmp_path / "rows.npy"), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert "hook name blocks.8.hook_resid_pre" in out.read_text()


def test_names_that_people_gave_come_first(model, rows, tmp_path):
    busiest = int(model.survey_units(rows).density.argmax())
    model.unit_names_ = {busiest: "<i>waves</i>"}
    try:
        path = write_units(model, rows, tmp_path / "a.html", n=1, name_unit=lambda unit, best: f"name-{unit}")
        names = read_values(path)["names"]
        assert names[busiest] == "<i>waves</i>"
        assert sum(name.startswith("name-") for name in names) == (model.survey_units(rows).density > 0).sum() - 1
        report = write_report(model, rows, tmp_path / "report.html").read_text()
        assert f"Unit {busiest}: &lt;i&gt;waves&lt;/i&gt;" in report
    finally:
        del model.unit_names_
