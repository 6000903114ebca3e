"""What stands in the terminal: help in plain words, errors in one line, colours only where they are wanted."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import narrows.__main__
from narrows import cli
from narrows.cli import app
from narrows.cli.app import leave_threads_behind, print_error
from narrows.studio import serving

SOURCE = str(Path(narrows.__main__.__file__).parents[1])
COMMANDS = list(typer.main.get_command(app).commands)


def run(*arguments: object, code: int = 0) -> str:
    """Run a command, and return what it prints on both streams."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return " ".join(result.output.replace("│", " ").split())


def fails(*arguments: object) -> str:
    return run(*arguments, code=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("terminal") / "m"
    run("fit", "digits", "--recipe", "ae", "--out", folder, "--max-epochs", 1, "--verbose", 0, "--set", "hidden=8")
    return folder


# Help


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_names_values_in_plain_words(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    text = CliRunner().invoke(app, [*([command] if command else []), "--help"]).output
    assert re.findall(r"<[a-z]+>|\{[A-Z|]+\}|<list|BOOLEAN", text) == []
    assert re.search(r"Usage: root( \S+)? \[OPTIONS\]", text)
    for line in text.splitlines():
        if "--help" in line or "--overwrite" in line:
            assert re.search(r"--(help|overwrite)\s+(-h)?\s+(Show|Replace)", line), line


def test_arguments_stand_in_the_usage_as_they_are_called():
    assert "Usage: root fit [OPTIONS] DATA " in run("fit", "--help")
    assert "Usage: root info [OPTIONS] MODEL|DATA " in run("info", "--help")
    assert "Usage: root studio [OPTIONS] [MODEL] [DATA] " in run("studio", "--help")


# Colours


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colours_of_errors(environment, is_coloured, monkeypatch):
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)
    if "NO_COLOR" not in environment:
        monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stderr", Terminal())
    print_error(ValueError("so it is"))
    text = sys.stderr.getvalue()
    assert ("\x1b[" in text) == is_coloured
    assert re.sub(r"\x1b\[\d+m", "", text) == "error: so it is\n"


# Errors


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("a"), "error: a"),
        (FileNotFoundError(2, "No such file", "x"), "error: No such file: x"),
        (ZeroDivisionError("b"), "error: ZeroDivisionError: b. This is a fault of narrows; NARROWS_TRACEBACK=1 shows"),
        (MemoryError(), "error: There is not enough memory."),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "error: There is not enough memory."),
        (OSError(28, "No space left on device"), "error: No space left on device"),
    ],
)
def test_every_error_is_a_line(monkeypatch, error, text):
    def fail(**_):
        raise error

    monkeypatch.setattr("narrows.cli.printing.show_datasets", fail)
    assert text in fails("datasets")
    monkeypatch.setenv("NARROWS_TRACEBACK", "1")
    result = CliRunner().invoke(app, ["datasets"])
    assert result.exception is error


def test_ctrl_c_while_it_is_imported(monkeypatch):
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", stop)
    with pytest.raises(SystemExit) as ended:
        narrows.__main__.main()
    assert ended.value.code == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("stdout", "expected"), [("/dev/full", (1, "error: No space left on device\n")), ("closed", (0, ""))]
)
@pytest.mark.parametrize("arguments", [["--help"], ["recipes", "--json"]])
def test_a_stdout_that_takes_nothing(stdout, expected, arguments):
    target = ">&-" if stdout == "closed" else f"> {stdout}"
    command = f'"{sys.executable}" -m narrows {" ".join(arguments)} {target}'
    done = subprocess.run(
        command, shell=True, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": SOURCE}
    )
    assert (done.returncode, done.stderr) == expected


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"schema": {}}, "recipe.json is damaged"),
        ({"parameters": {"hidden": "x"}}, "m"),
        ({"recipe": "nothing"}, "Unknown recipe 'nothing'"),
        ({"fitted": {}}, "is damaged"),
    ],
)
def test_a_damaged_recipe(model, tmp_path, change, text):
    broken = shutil.copytree(model, tmp_path / "m")
    recipe = json.loads((broken / "recipe.json").read_text())
    (broken / "recipe.json").write_text(json.dumps({**recipe, **change}))
    if "fitted" not in change:
        assert text in fails("encode", broken, "digits", "-o", tmp_path / "c.npy")
    if "parameters" not in change:
        assert text in fails("info", broken)


def test_an_error_names_the_file_that_the_user_named(model, tmp_path):
    assert "/proc/c.csv" in fails("encode", model, "digits", "-o", "/proc/c.csv")
    (tmp_path / "file").write_text("")
    assert "Cannot make the folder" in fails("fit", "digits", "-o", tmp_path / "file" / "m")
    assert "--keep" in fails("studio", "--no-browser", "--keep", tmp_path / "file")


# Results that are there


def test_a_demo_is_replaced_only_when_asked(tmp_path, monkeypatch):
    made = []
    page = type(sys)("demo")
    page.run = lambda out, **_: made.append(out) or out / "index.html"
    page.studio_command = lambda out: f"narrows studio {out}"
    monkeypatch.setattr("narrows.report.demo", page, raising=False)
    (tmp_path / "models").mkdir()
    (tmp_path / "mine.txt").write_text("")
    assert "is not empty and holds no demo" in fails("demo", "--out", tmp_path)
    (tmp_path / "index.html").write_text("")
    assert "already holds a demo. Name another folder with --out, or pass --overwrite" in fails("demo", "-o", tmp_path)
    assert made == []
    run("demo", "--out", tmp_path, "--overwrite")
    run("demo", "--out", tmp_path / "new")
    assert made == [tmp_path, tmp_path / "new"]


def test_two_results_are_not_one_file(model, tmp_path):
    out = tmp_path / "s.csv"
    assert "one would replace the other" in fails("score", model, "digits", "-o", out, "--cells", out)
    assert not out.exists()


# The studio's threads


def test_a_thread_that_computes_does_not_hold_up_the_end(monkeypatch):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(sys.modules["narrows.cli.app"], "_PATIENCE", 0.01)
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="AnyIO worker thread")
    thread.start()
    try:
        leave_threads_behind(130)
    finally:
        release.set()
        thread.join()
    assert ended == [130]


def test_the_folder_of_kept_models_is_made(tmp_path):
    serving.check_folder(tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder").is_dir()


# Numbers


def test_one_thing_is_one(tmp_path, model):
    rows = tmp_path / "one.csv"
    rows.write_text("a\n1\n")
    assert "1 row of 1 column" in fails("fit", rows, "-o", tmp_path / "m")
    run("sample", model, "-n", 1, "-o", tmp_path / "s.npy")
    assert "1 epoch" in run("info", model)
    text = run("reconstruct", model, tmp_path / "s.npy", "-o", tmp_path / "pictures")
    assert "1 example of shape 8 x 8" in text
    assert "pictures: 1 picture" in text
