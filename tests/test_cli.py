"""The command line, on `digits` with tiny settings: files, output and error messages of each command."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import narrows
from narrows.cli import app, inputs, reading
from narrows.data import named
from narrows.plots import sheets
from narrows.report import demo

TINY = ["--max-epochs", "1", "--verbose", "0"]
MLP = ["--set", "network=mlp", "--set", "hidden=16"]
SOURCE = str(Path(narrows.__file__).parents[1])
LEARN, USE = (
    ["fit", "demo", "sweep"],
    ["encode", "decode", "reconstruct", "denoise", "impute", "predict", "sample", "traverse", "evaluate"],
)
COMMANDS = [*LEARN, *USE, "index", "search", "info", "recipes", "datasets", "studio"]


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def fails(*arguments: object, code: int = 1) -> str:
    """Run a command that must fail and print nothing on stdout; return its stderr in one line."""
    result = run(*arguments, code=code)
    assert result.stdout == ""
    return " ".join(result.stderr.replace("│", " ").split())


def size(path: Path) -> tuple[int, int]:
    """Return width and height of a picture."""
    with Image.open(path) as image:
        return image.size


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each recipe, fitted by the command."""
    folder = tmp_path_factory.mktemp("models")
    extra = {"vae": ["--n-components", "3"], "dae": [], "sae": ["--n-components", "24", "--set", "k=4"]}
    for recipe, more in extra.items():
        run("fit", "digits", "--recipe", recipe, "--out", folder / recipe, *more, *TINY, *MLP)
    return {recipe: folder / recipe for recipe in extra}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A .csv with a header, and a plain model of it."""
    folder = tmp_path_factory.mktemp("table")
    rows = np.random.default_rng(0).normal(size=(60, 3))
    np.savetxt(folder / "t.csv", rows, delimiter=",", header="height,width,weight", comments="")
    run("fit", folder / "t.csv", "--recipe", "ae", "--n-components", "2", "--out", folder / "m", *TINY, *MLP)
    return folder / "t.csv", folder / "m"


# Help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_example(command: str) -> None:
    text = run(command, "--help").stdout
    assert "For example:" in text
    assert f"narrows {command}" in text.split("For example:")[1]


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    heavy = ["torch", "numpy", "sklearn", "matplotlib", "PIL", "safetensors"]
    script = (
        "import sys, narrows.cli\n"
        "try: narrows.cli.app(['--help'])\n"
        f"finally: print([m for m in {heavy} if m in sys.modules], file=sys.stderr)"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert all(command in done.stdout for command in COMMANDS)
    first = [done.stdout.index(f"│ {command} ") for command in ("fit", "encode", "report", "score", "studio", "info")]
    assert first == sorted(first)
    assert time.perf_counter() - start < 3  # 0.15 s on an idle machine


def test_version_and_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "narrows", "--version"], env=environment(), capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"narrows {narrows.__version__}\n", "")


# Fit


def test_fit_prints_decisions_and_what_is_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run("fit", "digits", "--recipe", "ae", "--out", tmp_path / "a b", *TINY, *MLP)
    assert "likelihood" in result.stdout
    assert "8 x 8 grey images in [0, 1]" in result.stdout
    assert "narrows evaluate '" in result.stderr
    made = sorted(p.name for p in (tmp_path / "a b").iterdir())
    assert made == ["README.md", inputs.LOG, "recipe.json", "weights.safetensors"]
    tips = result.stderr.split("Try next:\n")[1].splitlines()
    first = next(line for line in tips if line.strip().startswith("narrows studio"))
    assert shlex.split(first) == ["narrows", "studio", str(tmp_path / "a b"), "digits"]
    opened: list[Path] = []
    monkeypatch.setattr("narrows.studio.serving.serve", lambda model, *_, **__: opened.append(model))
    run(*shlex.split(first)[1:])
    assert opened == [tmp_path / "a b"]


def test_fit_json_is_one_document(tmp_path: Path) -> None:
    result = run("fit", "digits", "--out", tmp_path / "m", "--json", "--set", "beta=4", "--max-time", "5m", *TINY, *MLP)
    document = json.loads(result.stdout)
    assert (document["recipe"], document["n_iter"], document["folder"]) == ("vae", 1, str(tmp_path / "m"))
    assert document["seconds"] > 0
    assert {"loss", "kl"} <= set(document["last"])
    assert document["report"][0] == "8 x 8 grey images in [0, 1]"
    model = narrows.load(tmp_path / "m")
    assert (model.beta, model.max_time, model.random_state, model.hidden) == (4, 300, 0, (16,))
    assert (model.checkpoint, model.verbose) == (None, "auto")  # they belong to the command, not to the model


def test_same_seed_same_weights(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run("fit", "digits", "--recipe", "ae", "--out", tmp_path / name, "--seed", seed, *TINY, *MLP)
    a, b, c = ((tmp_path / name / "weights.safetensors").read_bytes() for name in "abc")
    assert a == b != c


def test_fit_keeps_what_is_in_its_folder(models: dict[str, Path], tmp_path: Path) -> None:
    message = fails("fit", "digits", "--out", models["vae"], *TINY)
    assert "holds a finished model" in message
    assert "--overwrite" in message
    assert "finished model" in fails("fit", "digits", "--out", models["vae"], "--resume", *TINY)
    (tmp_path / "README.md").write_text("mine")
    assert "is not empty (README.md" in fails("fit", "digits", "--out", tmp_path, "--overwrite", *TINY)
    assert "it is a file" in fails("fit", "digits", "--out", tmp_path / "README.md", *TINY)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_overwrite_and_resume_without_a_checkpoint(tmp_path: Path) -> None:
    result = run("fit", "digits", "--recipe", "ae", "--out", tmp_path / "m", "--resume", *TINY, *MLP)
    assert "starts from the beginning" in result.stderr
    run("fit", "digits", "--recipe", "vae", "--out", tmp_path / "m", "--overwrite", *TINY, *MLP)
    assert narrows.load(tmp_path / "m").recipe.name == "vae"
    assert "give one" in fails("fit", "digits", "--out", tmp_path, "--resume", "--overwrite", code=2)


def test_an_unfinished_training_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / inputs.CHECKPOINT).write_bytes(b"half")
    message = fails("fit", "digits", "--out", tmp_path, *TINY)
    assert "--resume continues it" in message
    assert "--overwrite replaces it" in message
    message = fails("fit", "digits", "--out", tmp_path, "--resume", *TINY, *MLP)
    assert "not a complete checkpoint" in message
    assert "unfinished training" in fails("info", tmp_path)
    run("fit", "digits", "--out", tmp_path, "--overwrite", *TINY, *MLP)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--recipe", "vea"], 1, "Unknown recipe 'vea'. Did you mean 'vae'?"),
        (["--recipe", "VEA"], 1, "Unknown recipe 'VEA'. Did you mean 'vae'?"),
        (
            ["--recipe", "iwae", "--set", "bound=elbo"],
            1,
            "IWAE has no parameter 'bound': it is 'iwae' in all its models.",
        ),
        (["--set", "bta=4"], 1, "VAE has no parameter 'bta'. Did you mean 'beta'?"),
        (["--set", "beta=-1"], 1, "The `beta` parameter of VAE must be a float in the range [0, inf). Got -1 instead."),
        (["--set", "beta=high"], 1, "Got 'high' instead."),
        (["--n-components", "0"], 1, "The `n_components` parameter of VAE must be an int"),
        (["--set", "beta"], 2, "--set must be NAME=VALUE"),
        (["--set", "n_components=3", "--n-components", "4"], 2, "n_components is given twice"),
        (["--set", "checkpoint=x"], 2, "--out"),
        (["--max-time", "5x"], 2, "90, 90s, 5m or 1.5h"),
        (["--device", "tpu9"], 1, "Unknown device 'tpu9'"),
    ],
)
def test_fit_mistakes(options: list[str], code: int, message: str, tmp_path: Path) -> None:
    result = run("fit", "digits", "--out", tmp_path / "m", "--verbose", "0", *options, code=code)
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert not (tmp_path / "m" / "recipe.json").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("digist", "Did you mean digits (a named data set)?"),
        ("digits:tset", "must be train or test"),
        ("pickle.npy", "is a pickle"),
    ],
)
def test_data_mistakes(data: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pickle.npy").write_bytes(b"\x80\x04K\x01.")
    assert message in fails("fit", data, "--out", "m")


def test_traceback_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARROWS_TRACEBACK", "1")
    with pytest.raises(ValueError, match="Unknown recipe"):
        CliRunner().invoke(app, ["fit", "digits", "--recipe", "x", "--out", str(tmp_path)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400), (" 2 M", 120), (".5", 0.5)],
)
def test_durations(text: str, value: float) -> None:
    assert inputs.parse_duration(text) == value


@pytest.mark.parametrize(
    ("recipe", "assignment", "value"),
    [
        ("vae", "hidden=512,256", (512, 256)),
        ("vae", "hidden=512", (512,)),
        ("vae", "hidden=[512, 256]", (512, 256)),
        ("vae", "hidden=()", ()),
        ("dae", "level=0.1,0.5", (0.1, 0.5)),
        ("dae", "level=0.25", 0.25),
        ("dae", "n_components=null", None),
        ("dae", "n-components=None", None),
        ("dae", "noise=salt_and_pepper", "salt_and_pepper"),
        ("ae", "early_stopping=false", False),
        ("ae", "early_stopping=True", True),
        ("ae", "learning_rate=1e-3", 1e-3),
        ("ae", "batch_size = auto", "auto"),
    ],
)
def test_assignments(recipe: str, assignment: str, value: object) -> None:
    values = inputs.parse_parameters(narrows.estimator(recipe), [assignment], {})
    assert list(values.values()) == [value]
    assert type(next(iter(values.values()))) is type(value)


# Ctrl-C


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


@pytest.mark.slow
def test_ctrl_c_and_resume(tmp_path: Path) -> None:
    options = ["--recipe", "ae", "--set", "hidden=16", "--max-epochs", "60"]
    start = [sys.executable, "-m", "narrows", "fit", "digits", *options]
    with subprocess.Popen(
        [*start, "--verbose", "2", "--out", "m"], cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.strip().startswith("epoch"):  # training has begun
                process.send_signal(signal.SIGINT)
                break
        message = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in message
    assert "the best weights so far are kept" in message
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [inputs.CHECKPOINT, inputs.LOG]

    command = shlex.split(message.split("Continue with:")[1])
    assert command[:3] == ["python", "-m", "narrows"]
    assert command[-1] == "--resume"
    message = fails("fit", "digits", *options, "--seed", "2", "--verbose", "0", "--out", tmp_path / "m", "--resume")
    assert "the checkpoint of another training" in message
    assert message.endswith("--overwrite starts again.")

    again = subprocess.run(
        [sys.executable, *command[1:]], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True
    )
    assert "resumed at step" in again.stderr
    subprocess.run([*start, "--verbose", "0", "--out", "whole"], cwd=tmp_path, env=environment(), check=True)
    assert (tmp_path / "m/weights.safetensors").read_bytes() == (tmp_path / "whole/weights.safetensors").read_bytes()


def test_ctrl_c_before_there_is_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stops(narrows.AE, recipe="ae"):  # type: ignore[call-arg]
        def fit(self, X: object, y: object = None) -> "Stops":
            signal.raise_signal(signal.SIGINT)
            raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr("narrows.estimators.estimator", lambda recipe: Stops)
        message = run("fit", "digits", "--recipe", "ae", "--out", tmp_path / "m", *TINY, code=130).stderr
    assert message.splitlines()[-1] == "Stopped. Nothing was saved: there was no checkpoint yet."


# Using a model


def test_images_are_no_table_and_that_is_said_at_once(models: dict[str, Path], tmp_path: Path) -> None:
    before = (models["vae"] / "recipe.json").read_bytes()
    message = run("sample", models["vae"], "--fit", "digits:train", "-o", tmp_path / "s.csv", code=1).stderr
    assert "examples are 8 x 8 grey images in [0, 1], not rows. Write a .npy." in " ".join(message.split())
    assert (models["vae"] / "recipe.json").read_bytes() == before


def test_encode_decode_round_trip(models: dict[str, Path], tmp_path: Path) -> None:
    model = narrows.load(models["vae"])
    X = narrows.load_dataset("digits", "test").X
    for suffix in ("npy", "csv"):
        codes, examples = tmp_path / f"codes.{suffix}", tmp_path / f"{suffix}.npy"
        assert "digits:test: 360 examples of shape 8 x 8" in run("encode", models["vae"], "digits", "-o", codes).stderr
        run("decode", models["vae"], codes, "-o", examples)
        np.testing.assert_allclose(np.load(examples), model.inverse_transform(model.transform(X)), rtol=1e-6)
    assert (tmp_path / "codes.csv").read_text().startswith("vae0,vae1,vae2\n")
    run("encode", models["vae"], "digits:train", "-o", tmp_path / "train.npy")
    assert np.load(tmp_path / "train.npy").shape == (1437, 3)
    run("decode", models["vae"], tmp_path / "train.npy", "-o", tmp_path / "sheet.png")
    assert size(tmp_path / "sheet.png") == (20 * 67 + 3, 20 * 67 + 3)  # the first 400


def test_reconstruct_into_every_kind(models: dict[str, Path], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", narrows.load_dataset("digits").X[:5])
    run("reconstruct", models["vae"], tmp_path / "x.npy", "-o", tmp_path / "y.npy")
    expected = narrows.load(models["vae"]).reconstruct(np.load(tmp_path / "x.npy"))
    assert np.array_equal(np.load(tmp_path / "y.npy"), expected)
    run("reconstruct", models["vae"], tmp_path / "x.npy", "-o", tmp_path / "pairs.png")
    with Image.open(tmp_path / "pairs.png") as pairs:
        assert pairs.height == 2 * 67 + 3
        assert pairs.width > 5 * 67
    run("reconstruct", models["vae"], tmp_path / "x.npy", "-o", tmp_path / "each")
    names = sorted(p.name for p in (tmp_path / "each").iterdir())
    assert names == [f"{i:06d}.png" for i in range(5)]
    with Image.open(tmp_path / "each" / names[0]) as first:
        assert np.array_equal(np.asarray(first), np.rint(np.clip(expected[0].astype(float), 0, 1) * 255))
    assert "not an empty folder" in fails("reconstruct", models["vae"], "digits", "-o", tmp_path / "each")


def test_a_folder_of_pictures_keeps_its_names(tmp_path: Path, rng: np.random.Generator) -> None:
    for name in ("cats/a.png", "cats/b.png", "dogs/a.png", "dogs/c.bmp"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)).save(path)
    run("fit", tmp_path / "in", "--recipe", "dae", "--out", tmp_path / "m", *TINY, *MLP)
    run("denoise", tmp_path / "m", tmp_path / "in", "-o", tmp_path / "out")
    names = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png"))
    assert names == ["cats/a.png", "cats/b.png", "dogs/a.png", "dogs/c.png"]
    with Image.open(tmp_path / "out/cats/a.png") as image:
        assert (image.mode, image.size) == ("RGB", (8, 9))
    assert "not an empty folder" in fails("denoise", tmp_path / "m", tmp_path / "in", "-o", tmp_path / "in")


@pytest.mark.parametrize(("dtype", "suffix", "mode"), [(np.uint16, ".png", "I;16"), (np.float32, ".tif", "F")])
def test_pictures_keep_their_depth(
    tmp_path: Path, rng: np.random.Generator, dtype: type, suffix: str, mode: str
) -> None:
    (tmp_path / "in").mkdir()
    for i in range(4):
        Image.fromarray((3000 + 900 * rng.random((9, 8))).astype(dtype)).save(tmp_path / "in" / f"{i}{suffix}")
    run("fit", tmp_path / "in", "--recipe", "dae", "--out", tmp_path / "m", *TINY, *MLP)
    run("denoise", tmp_path / "m", tmp_path / "in", "-o", tmp_path / "out")
    with Image.open(tmp_path / "out" / f"2{suffix}") as image:
        assert (image.mode, image.size) == (mode, (8, 9))
        expected = narrows.load(tmp_path / "m").reconstruct(reading.read_dataset(str(tmp_path / "in"), "test").X)
        np.testing.assert_array_equal(np.asarray(image), expected[2])
        assert np.asarray(image).max() > 1000


def test_zips_broken_images_and_unlike_sizes(tmp_path: Path, rng: np.random.Generator) -> None:
    for i in range(6):
        path = tmp_path / "in" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 8 + i // 5), dtype=np.uint8)).save(path)
    (tmp_path / "in/a/4.png").write_text("nothing")
    archive = shutil.make_archive(str(tmp_path / "pictures"), "zip", tmp_path / "in")
    fit = ["fit", archive, "--recipe", "ae", "--n-components", "2", *TINY, *MLP, "--out", tmp_path / "m"]
    assert "pictures.zip/a/4.png is damaged or not an image" in fails(*fit)
    assert "a/0.png is 8 x 9, " in fails(*fit, "--on-bad", "skip")
    done = run(*fit, "--on-bad", "skip", "--resize", "10x12")
    assert "pictures.zip: 5 examples of shape 10 x 12" in done.stderr
    assert "Images that cannot be read are left out, 1 of 6: a/4.png." in done.stderr
    assert f"{archive} --on-bad skip --resize 10x12" in done.stderr
    skip = ("--on-bad", "skip", "--resize", "10x12")
    for data in (tmp_path / "in", archive):
        run("score", tmp_path / "m", data, "-o", tmp_path / "s.csv", "--overwrite", *skip)
        with open(tmp_path / "s.csv", newline="") as stream:
            rows = list(csv.reader(stream))
        assert rows[0][:3] == ["file", "score", "outlier"]
        assert [row[0] for row in rows[1:]] == ["a/0.png", "a/2.png", "b/1.png", "b/3.png", "b/5.png"]
    assert "--on-bad must be error or skip" in fails(*fit, "--on-bad", "keep", code=2)
    assert "--resize is written as 64" in fails(*fit, "--resize", "large", code=2)
    assert "--resize" not in run("decode", "--help").stdout


def test_denoise(models: dict[str, Path], tmp_path: Path) -> None:
    X = narrows.load_dataset("digits", "test").X
    run("denoise", models["dae"], "digits", "-o", tmp_path / "clean.npy")
    assert np.array_equal(np.load(tmp_path / "clean.npy"), narrows.load(models["dae"]).reconstruct(X))
    for name in ("a", "b"):
        run("denoise", models["dae"], "digits", "--noise", "0.3", "--seed", "1", "-o", tmp_path / f"{name}.npy")
    assert np.array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))
    assert not np.array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "clean.npy"))
    run("denoise", models["dae"], "digits", "--noise", "0.3", "-o", tmp_path / "trial.png")
    assert size(tmp_path / "trial.png")[1] == 12 * 67 + 3  # four groups of original, noisy, clean
    assert "recipe dae. This one is vae" in fails("denoise", models["vae"], "digits", "-o", tmp_path / "x.png")


def test_sample(models: dict[str, Path], tmp_path: Path) -> None:
    run("sample", models["vae"], "-n", "5", "--seed", "2", "-o", tmp_path / "s.npy")
    expected = narrows.load(models["vae"]).sample(5, random_state=2)
    assert np.array_equal(np.load(tmp_path / "s.npy"), expected)
    run("sample", models["vae"], "-n", "5", "-o", tmp_path / "s.png")
    assert size(tmp_path / "s.png") == (3 * 67 + 3, 2 * 67 + 3)
    assert "`n_samples`" in fails("sample", models["vae"], "-n", "0", "-o", tmp_path / "x.npy")
    assert "no distribution" in fails("sample", models["sae"], "-o", tmp_path / "x.npy")


def test_traverse(models: dict[str, Path], tmp_path: Path) -> None:
    run("traverse", models["vae"], "-o", tmp_path / "t.npy", "--steps", "5")
    assert np.load(tmp_path / "t.npy").shape == (3, 5, 8, 8)
    run("traverse", models["vae"], "digits", "--row", "7", "--dials", "2", "-o", tmp_path / "t.png")
    with Image.open(tmp_path / "t.png") as image:
        assert image.height == 2 * 67 + 3
    run("traverse", models["sae"], "--dials", "2", "-o", tmp_path / "u.npy")
    assert np.load(tmp_path / "u.npy").shape == (2, 9, 8, 8)
    assert "--row must be from 0 to 359" in fails(
        "traverse", models["vae"], "digits", "--row", "360", "-o", tmp_path / "x.png"
    )
    assert "--dials" in fails("traverse", models["vae"], "--dials", "0", "-o", tmp_path / "x.png")


def test_a_table_comes_back_with_its_columns(table: tuple[Path, Path], tmp_path: Path) -> None:
    data, model = table
    run("reconstruct", model, data, "-o", tmp_path / "y.csv")
    lines = (tmp_path / "y.csv").read_text().splitlines()
    assert lines[0] == "height,width,weight"
    assert len(lines) == 61
    run("sample", model, "-n", "4", "-o", tmp_path / "s.csv")
    assert "not images" in fails("sample", model, "-o", tmp_path / "s.png")
    assert "not images" in fails("reconstruct", model, data, "-o", tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_columns_are_found_by_name(table: tuple[Path, Path], tmp_path: Path) -> None:
    data, model = table
    rows = np.loadtxt(data, delimiter=",", skiprows=1)
    other = np.stack([rows[:, 2], np.zeros(60), rows[:, 0], rows[:, 1]], 1)
    np.savetxt(tmp_path / "o.csv", other, delimiter=",", header="weight,age,height,width", comments="")
    for command, name in (("encode", "z.npy"), ("reconstruct", "y.csv"), ("score", "s.csv")):
        run(command, model, data, "-o", tmp_path / name)
        run(command, model, tmp_path / "o.csv", "-o", tmp_path / f"o-{name}")
        assert (tmp_path / name).read_bytes() == (tmp_path / f"o-{name}").read_bytes()
    run("sample", model, "-n", "4", "-o", tmp_path / "new.csv")
    assert (tmp_path / "new.csv").read_text().startswith("height,width,weight\n")
    (tmp_path / "less.csv").write_text("height,width\n1,2\n")
    for command in ("encode", "reconstruct", "score"):
        assert "lacks 'weight'; it has 'height', 'width'" in fails(
            command, model, tmp_path / "less.csv", "-o", tmp_path / "x.csv"
        )
    assert not (tmp_path / "x.csv").exists()


def test_parquet_and_npy_are_streamed(table: tuple[Path, Path], tmp_path: Path, monkeypatch) -> None:
    data, model = table
    X = np.loadtxt(data, delimiter=",", skiprows=1)
    frame = pd.read_csv(data)
    expected = narrows.load(model).transform(frame)
    run("reconstruct", model, data, "-o", tmp_path / "y.parquet")  # writes a .parquet with the names of the columns
    assert "60 examples" in run("encode", model, tmp_path / "y.parquet", "-o", tmp_path / "again.npy").stderr
    np.save(tmp_path / "x.npy", X)
    output = run("encode", model, tmp_path / "x.npy", "-o", tmp_path / "c.parquet").stderr
    assert f"{tmp_path / 'c.parquet'}: 60 x 2" in output
    from narrows.data.files import read

    codes, smooth = read(tmp_path / "c.parquet"), read(tmp_path / "y.parquet")
    np.testing.assert_allclose(codes.X, expected, rtol=1e-6)
    assert (codes.columns, smooth.columns) == (["ae0", "ae1"], ["height", "width", "weight"])
    np.testing.assert_allclose(smooth.X, narrows.load(model).reconstruct(frame), rtol=1e-6)

    def refuse(*_args, **_kwargs):
        raise AssertionError("the whole of it was read")

    # blocks go into a file one at a time: the data are never in memory as a whole
    monkeypatch.setattr("narrows.cli.reading.read_dataset", refuse)
    monkeypatch.setattr("narrows.data.sinks.Memory.write", refuse)
    run("reconstruct", model, tmp_path / "y.parquet", "-o", tmp_path / "z.csv")
    assert (tmp_path / "z.csv").read_text().startswith("height,width,weight\n")


def test_a_model_without_codes(models: dict[str, Path], tmp_path: Path) -> None:
    assert "has no codes" in fails("encode", models["dae"], "digits", "-o", tmp_path / "x.npy")
    assert "has no codes" in fails("sample", models["dae"], "-o", tmp_path / "x.npy")


@pytest.mark.parametrize("command", ["encode", "reconstruct", "sample", "traverse"])
def test_where_to_is_checked_first(command: str, tmp_path: Path) -> None:
    data = ["digits"] if command in ("encode", "reconstruct") else []
    message = fails(command, "no-model", *data, "-o", tmp_path / "x.jpg")
    assert "must end in " in message
    assert ".npy" in message
    message = fails(command, "no-model", *data, "-o", tmp_path / "none" / "x.npy")
    assert f"the folder {tmp_path / 'none'} does not exist" in message


def test_no_model(tmp_path: Path, models: dict[str, Path]) -> None:
    assert "No narrows model at" in fails("evaluate", tmp_path / "none", "digits")
    np.save(tmp_path / "wide.npy", np.zeros((3, 9, 9), np.float32))
    assert "fitted on shape (8, 8)" in fails("evaluate", models["vae"], tmp_path / "wide.npy")


# Printing


def test_evaluate(models: dict[str, Path]) -> None:
    expected = {"vae": {"elbo", "nll", "kl", "active_components", "frechet"}}
    expected |= {"dae": {"distortion"}, "sae": {"distortion", "l0", "dead_fraction", "knn_accuracy"}}
    for recipe, folder in models.items():
        document = json.loads(run("evaluate", folder, "digits", "--json").stdout)
        assert {"mse", "psnr"} | expected[recipe] <= set(document)
    fair = json.loads(run("evaluate", models["vae"], "digits", "--json").stdout)["pca_mse"]
    X = narrows.load_dataset("digits", "test").X
    model, train = narrows.load(models["vae"]), narrows.load_dataset("digits").X
    assert fair == pytest.approx(narrows.evaluate(model, X, train=train, measures=["mse"])["pca_mse"])
    done = run("evaluate", models["vae"], "digits", "--beside", models["sae"], "--measures", "mse,kl,ssim")
    assert "95 % interval" in done.stdout
    assert {"VAE", "PCA", "SAE"} <= set(done.stdout.splitlines()[0].split())
    assert re.search(r"nats\s+per\s+example", done.stdout)
    assert "Unknown measure 'mes'" in fails("evaluate", models["vae"], "digits", "--measures", "mes")
    assert "SAE has no nll" in fails("evaluate", models["sae"], "digits", "--measures", "nll")


def test_info(models: dict[str, Path]) -> None:
    document = json.loads(run("info", models["sae"], "--json").stdout)
    changed = {"n_components": 24, "k": 4, "network": "mlp", "hidden": [16], "max_epochs": 1, "random_state": 0}
    assert document["changed"] == changed
    assert (document["recipe"], document["data"], document["n_iter"]) == ("sae", "8 x 8 grey images in [0, 1]", 1)
    output = run("info", models["sae"]).stdout
    assert "n_components  24" in output
    assert "likelihood" in output


def test_recipes() -> None:
    recipes = json.loads(run("recipes", "--json").stdout)
    assert {"ae", "vae", "dae", "sae"} <= {recipe["name"] for recipe in recipes}
    for purpose, first in {"features": "ae", "generate": "vae", "disentangle": "betavae"}.items():
        plain, *others = (recipe["name"] for recipe in recipes if recipe["purpose"] == purpose)
        assert plain == first
        assert others == sorted(others)
    vae = json.loads(run("recipes", "vae", "--json").stdout)
    beta = next(p for p in vae["parameters"] if p["name"] == "beta")
    assert (beta["default"], beta["must_be"]) == (1.0, "a float in the range [0, inf)")
    assert all(p["help"] for p in vae["parameters"])
    assert "kl_warmup" in run("recipes", "vae").stdout
    assert "Did you mean 'sae'?" in fails("recipes", "sea")


def test_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named, "_folders", lambda one: [tmp_path])
    datasets = {entry["name"]: entry for entry in json.loads(run("datasets", "--json").stdout)}
    assert list(datasets) == list(named.NAMES)
    assert datasets["digits"]["where"] == "part of scikit-learn"
    assert "downloaded when first used" in datasets["mnist"]["where"]
    assert "fashion-mnist" in run("datasets").stdout


@pytest.mark.parametrize("is_installed", [True, False])
def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_installed: bool) -> None:
    monkeypatch.setattr(demo, "run", lambda out, *, console: console.print("working") or out / "index.html")
    if not is_installed:
        monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = run("demo", "--out", tmp_path / "a b")
    assert result.stdout.strip() == str(tmp_path / "a b" / "index.html")
    assert "working" in result.stderr
    *before, last = result.stderr.strip().splitlines()
    assert shlex.split(last) == ["narrows", "studio", str(tmp_path / "a b" / "models" / "vae"), "digits"]
    assert before[-1].strip() == ("" if is_installed else "pip install 'narrows[studio]'")


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    from narrows.cli.printing import show_json

    show_json({"a": float("nan"), "b": [float("inf"), np.float32(1)], "c": (Path("x"), None, True)})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.0], "c": ["x", None, True]}


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGPIPE")
def test_a_broken_pipe_is_silent() -> None:
    with (
        subprocess.Popen(
            [sys.executable, "-m", "narrows", "--help"],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as help_,
        subprocess.Popen(
            [sys.executable, "-m", "narrows", "recipes", "vae"],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as recipes,
    ):
        for process in (help_, recipes):
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b""


# Sheets


def test_sheets(rng: np.random.Generator) -> None:
    images = rng.random((2, 3, 8, 8))
    drawn = np.asarray(sheets.draw_sheet(images, scale=2))
    assert drawn.shape == (2 * 19 + 3, 3 * 19 + 3, 3)
    assert np.array_equal(drawn[3:19:2, 3:19:2, 0], np.rint(images[0, 0] * 255))  # nearest neighbour, from one corner
    assert np.array_equal(drawn[4:19:2, 4:19:2, 0], np.rint(images[0, 0] * 255))  # to the other
    assert (drawn[:3] == 255).all()
    assert sheets.draw_sheet(rng.random((1, 1, 28, 28, 3))).size == (56 + 6, 56 + 6)
    with pytest.raises(ValueError, match="name each of the 2 rows"):
        sheets.draw_sheet(images, ["one"])
    with pytest.raises(ValueError, match="rows, columns, h, w"):
        sheets.draw_sheet(images[0])


def test_bytes_of_images() -> None:
    assert sheets.as_bytes(np.array([0, 128, 255], np.uint8)).tolist() == [0, 128, 255]
    assert sheets.as_bytes(np.array([-1.0, 0.5, 2.0]), (0.0, 1.0)).tolist() == [0, 128, 255]
    assert sheets.as_bytes(np.array([0.0, 51.0, 300.0]), (0.0, 255.0)).tolist() == [0, 51, 255]
    assert sheets.as_bytes(np.array([np.nan, np.inf, -np.inf, 1.0]), (0.0, 1.0)).tolist() == [0, 255, 0, 255]
    assert sheets.as_bytes(np.array([False, True])).tolist() == [0, 255]
    assert sheets.as_bytes(np.array([5.0, 5.0])).tolist() == [0, 0]
