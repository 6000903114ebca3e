"""Sweep over the number of components: the results, the rule, the folder, and bad input."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA
from typer.testing import CliRunner

import narrows
from narrows.cli import app
from narrows.tasks import pruning
from narrows.tasks.sweep import Sweep, _summarize, sweep

SMALL = {"hidden": (32,), "max_epochs": 6, "random_state": 0, "device": "cpu", "precision": "float32"}
LONGER = {**SMALL, "max_epochs": 30, "learning_rate": 0.003}
SIZES = (1, 2, 4, 8)


@pytest.fixture(scope="module")
def folder(digits: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep of AE over digits."""
    path = tmp_path_factory.mktemp("sweep") / "ae"
    sweep(narrows.AE(**LONGER), digits[:600], sizes=SIZES, test=digits[600:900], folder=path)
    return path


def again(folder: Path, digits: np.ndarray, **changes: Any) -> Sweep:
    model = narrows.AE(**{**LONGER, **changes.pop("model", {})})
    return sweep(model, digits[:600], sizes=SIZES, test=digits[600:900], folder=folder, **changes)


# The result


def test_results_are_those_of_the_models(folder: Path, digits: np.ndarray):
    swept = again(folder, digits)
    T = digits[600:900]
    assert swept.sizes == list(SIZES)
    assert swept.mode == "warm"
    pca = PCA(8).fit(digits[:600].reshape(600, -1))
    flat = T.reshape(len(T), -1)
    for result in swept.results:
        n = result["n_components"]
        model = swept.model(n)
        assert model.n_components == n == np.asarray(model.transform(T)).shape[1]
        error = np.square(np.asarray(model.reconstruct(T)) - T).mean()
        assert result["value"] == result["mse"] == pytest.approx(error, rel=1e-5)
        assert result["low"] < error < result["high"]
        z = pca.transform(flat).copy()
        z[:, n:] = 0
        assert result["pca_mse"] == pytest.approx(np.square(pca.inverse_transform(z) - flat).mean(), rel=1e-4)
    assert swept.baseline == pytest.approx(np.square(flat - pca.mean_).mean(), rel=1e-4)
    assert swept.model().n_components == swept.recommended
    assert [r["value"] for r in swept.results] == sorted([r["value"] for r in swept.results], reverse=True)


def test_the_largest_is_a_fit_of_its_own(folder: Path, digits: np.ndarray):
    alone = narrows.AE(8, **LONGER).fit(digits[:600])
    T = digits[600:900]
    np.testing.assert_array_equal(narrows.load(folder / "size-8").transform(T), alone.transform(T))


@pytest.mark.slow
def test_smaller_ones_are_nearly_as_good_as_from_the_start(digits: np.ndarray):
    settings = {**SMALL, "max_epochs": 40}
    warm = sweep(narrows.AE(**settings), digits[:900], sizes=(2, 4, 8, 16), test=digits[900:])
    cold = sweep(narrows.AE(**settings), digits[:900], sizes=(2, 4, 8, 16), test=digits[900:], warm_start=False)
    assert (warm.mode, cold.mode, cold.why) == ("warm", "separate", "as asked")
    ratios = [a["mse"] / b["mse"] for a, b in zip(warm.results, cold.results, strict=True)]
    assert max(ratios) < 1.5
    assert ratios[-1] == pytest.approx(1)
    assert sum(r["epochs"] for r in warm.results) < 1.7 * sum(r["epochs"] for r in cold.results[-1:])


def test_a_stochastic_code_is_judged_by_its_bound(digits: np.ndarray):
    T = digits[600:900]
    swept = sweep(narrows.VAE(**SMALL), digits[:600], sizes=(2, 4), test=T)
    assert swept.measure == "negative_elbo"
    for result in swept.results:
        assert result["value"] == pytest.approx(-swept.model(result["n_components"]).score(T), rel=1e-6)
    train, variance = digits[:600].mean(0), np.square(digits[:600] - digits[:600].mean(0)).mean()
    nats = 0.5 * (np.square(T - train) / variance + np.log(2 * np.pi * variance)).sum((1, 2))
    assert swept.baseline == pytest.approx(nats.mean(), rel=1e-4)


@pytest.mark.parametrize("shape", [(64,), (8, 8)])
def test_a_scale_for_each_entry_is_held_against_such_scales(digits: np.ndarray, shape: tuple[int, ...]):
    X, T = (part.reshape(-1, *shape) for part in (digits[:600], digits[600:900]))
    swept = sweep(narrows.VAE(**SMALL, likelihood="heteroscedastic"), X, sizes=(2, 4), test=T)
    mean, variance = X.mean(0), X.var(0).clip(1e-6)
    nats = 0.5 * (np.square(T - mean) / variance + np.log(2 * np.pi * variance)).reshape(len(T), -1).sum(1)
    assert swept.baseline == pytest.approx(nats.mean(), rel=1e-4)
    assert swept.mode == "warm"


@pytest.mark.parametrize(("recipe", "why"), [("sae", "not a code of the same kind"), ("own", "not linear layers")])
def test_others_are_trained_from_the_start(digits: np.ndarray, recipe: str, why: str):
    if recipe == "sae":
        model = narrows.SAE(k=2, **SMALL)
    else:
        lone = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 16), torch.nn.GELU(), torch.nn.Linear(16, 4))
        model = narrows.AE(**{**SMALL, "network": lone})
    swept = sweep(model, digits[:300], sizes=(4, 8))
    assert swept.mode == "separate"
    assert why in swept.why
    assert len(swept.model(4).history_) > 0
    with pytest.raises(ValueError, match="`warm_start` parameter of sweep must be False for this model: .*" + why):
        sweep(model, digits[:300], sizes=(4, 8), warm_start=True)


def test_forms_of_data(vectors: np.ndarray):
    frame = pd.DataFrame(vectors, columns=list("abcdef"))
    model = narrows.AE(**SMALL)
    results = [sweep(model, X, sizes=[1, 3]).results for X in (vectors, torch.tensor(vectors), vectors.tolist())]
    for other in results[1:]:
        assert [r["mse"] for r in other] == pytest.approx([r["mse"] for r in results[0]], rel=1e-4)
    named = sweep(model, frame, sizes=[1, 3])
    assert list(named.model(1).feature_names_in_) == list("abcdef")
    assert isinstance(named.model(1).reconstruct(frame), pd.DataFrame)


# The rule


def record(n: int, value: float) -> dict[str, Any]:
    return {
        "n_components": n,
        "measure": "mse",
        "value": value,
        "low": value,
        "high": value,
        "pca_mse": 1,
        "baseline": 1,
    }


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([0.5, 0.12, 0.04, 0.0], 0.95, 4),
        ([0.5, 0.12, 0.04, 0.0], 0.85, 2),
        ([0.5, 0.12, 0.04, 0.0], 0.99, 8),
        ([0.5, 0.1, 0.1, 0.3], 0.95, 2),
        ([1.5, 1.2, 1.1, 1.3], 0.95, 1),
    ],
)
def test_the_smallest_that_is_enough(values: list[float], share: float, expected: int):
    results = [record(n, value) for n, value in zip(SIZES, values, strict=True)]
    swept = _summarize(narrows.AE(), "", results, share, {})
    assert swept.recommended == expected
    assert swept.reason.startswith(f"n_components = {expected}")
    assert ("still falls at 8" in swept.reason) == (values[-2] - values[-1] > (1 - share) * (1 - min(values)) > 0)


# Pruning


@pytest.mark.parametrize("cls", [narrows.AE, narrows.VAE])
@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_pruning_is_a_projection_of_the_code(cls: type, network: str, digits: np.ndarray):
    settings = {**SMALL, "network": network, "max_epochs": 2}
    large = cls(6, **settings).fit(digits[:300])
    small, _ = pruning.prune(large, 2, digits[:300])
    z = torch.from_numpy(np.asarray(large.transform(digits[:300]))).float()
    if cls is narrows.AE:
        mean = z.mean(0)
        directions = torch.linalg.svd(z - mean, full_matrices=False).Vh[:2]
        z = (z - mean) @ directions.t() @ directions + mean
    else:
        z[:, 2:] = 0  # components come in the order of what they carry
    expected = large.inverse_transform(z.numpy())
    small.model_.eval()
    np.testing.assert_allclose(small.reconstruct(digits[:300]), expected, atol=2e-5)


# The folder


def test_files_of_a_sweep(folder: Path):
    names = {path.name for path in folder.iterdir()}
    assert names == {"sweep.json", "sweep.png", *(f"size-{n}" for n in SIZES), *(f"size-{n}.json" for n in SIZES)}
    with Image.open(folder / "sweep.png") as picture:
        assert picture.width > 500
    document = json.loads((folder / "sweep.json").read_text())
    assert document["recommended"] in SIZES
    assert document["reason"]
    assert len(document["results"]) == 4


def test_a_finished_sweep_is_read(folder: Path, digits: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(narrows.AE, "fit", lambda *_: pytest.fail("it was trained again"))
    monkeypatch.setattr(pruning, "fine_tune", lambda *_: pytest.fail("it was trained again"))
    swept = again(folder, digits)
    assert swept.to_dict() == again(folder, digits).to_dict()
    assert again(folder, digits, share=0.5).recommended < swept.recommended  # which needs no training


def test_an_interrupted_sweep_resumes(
    folder: Path, digits: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path, done = tmp_path / "stopped", []
    original = pruning.fine_tune

    def stop_at_the_second(small: Any, *rest: Any) -> Any:
        done.append(small.n_components)
        if len(done) == 2:
            raise KeyboardInterrupt
        return original(small, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(pruning, "fine_tune", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt, match=r"2 of 4 sizes done. They are in .*: the same call resumes it"):
            again(path, digits)
    assert not (path / "size-2.json").exists()
    with monkeypatch.context() as patch:
        patch.setattr(narrows.AE, "fit", lambda *_: pytest.fail("the largest was trained again"))
        swept = again(path, digits)
    values = [r["value"] for r in again(folder, digits).results]
    assert [r["value"] for r in swept.results] == pytest.approx(values, rel=1e-6)


def test_a_stop_without_a_folder(digits: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    def stop(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(narrows.AE, "fit", stop)
    with pytest.raises(KeyboardInterrupt, match=r"0 of 2 sizes done. Pass folder= to be able"):
        sweep(narrows.AE(**SMALL), digits[:300], sizes=(1, 2))


@pytest.mark.slow
def test_killed_in_the_middle_of_the_largest(digits: np.ndarray, tmp_path: Path):
    """The checkpoint of the largest size lies in its folder, and the same call resumes from it."""
    settings = {**SMALL, "batch_size": 32}  # two validations in six passes
    script = (
        "import os, narrows, numpy as np\n"
        "from sklearn.datasets import load_digits\n"
        "from narrows.training import loop\n"
        "validate, looks = loop.Trainer.validate, []\n"
        "def stop(self, epoch):\n"
        "    validate(self, epoch)\n"
        "    looks.append(epoch)\n"
        "    if len(looks) == 2:\n"
        "        self.saver.save(False)\n"
        "        os._exit(9)\n"
        "loop.Trainer.validate = stop\n"
        "X = load_digits().images / 16\n"
        f"place, model = {str(tmp_path / 's')!r}, narrows.AE(**{settings!r})\n"
        "narrows.sweep(model, X[:600], sizes=(2, 4), test=X[600:700], folder=place)\n"
    )
    source = str(Path(narrows.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", script], env={"PYTHONPATH": source, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 9
    assert (tmp_path / "s" / "size-4" / "checkpoint.safetensors").exists()
    swept = sweep(narrows.AE(**settings), digits[:600], sizes=(2, 4), test=digits[600:700], folder=tmp_path / "s")
    assert not (tmp_path / "s" / "size-4" / "checkpoint.safetensors").exists()
    alone = narrows.AE(4, **settings).fit(digits[:600])
    np.testing.assert_array_equal(swept.model(4).transform(digits[:9]), alone.transform(digits[:9]))


def test_a_seed_of_none_is_kept(digits: np.ndarray, tmp_path: Path):
    model = narrows.AE(**{**SMALL, "random_state": None, "max_epochs": 1})
    first, second = (sweep(model, digits[:300], sizes=(1, 2), folder=tmp_path / "s") for _ in range(2))
    assert first.results == second.results


def test_sizes_can_be_added_to_separate_ones(digits: np.ndarray, tmp_path: Path):
    model = narrows.AE(**{**SMALL, "max_epochs": 1})
    X, path = digits[:300], tmp_path / "s"
    first = sweep(model, X, sizes=(1, 2), folder=path, warm_start=False)
    second = sweep(model, X, sizes=(1, 2, 4), folder=path, warm_start=False)
    assert (
        second.results[:2] == [{**r} for r in first.results] or second.results[0]["value"] == first.results[0]["value"]
    )
    assert second.sizes == [1, 2, 4]


# Bad input


def test_another_sweep_is_not_mixed_in(folder: Path, digits: np.ndarray, tmp_path: Path):
    with pytest.raises(ValueError, match=r"holds another sweep \(different parameters\). Name another folder, or pass"):
        again(folder, digits, model={"max_epochs": 7})
    with pytest.raises(ValueError, match=r"different data"):
        sweep(narrows.AE(**LONGER), digits[:599], sizes=SIZES, test=digits[600:900], folder=folder)
    with pytest.raises(ValueError, match=r"different sizes"):
        sweep(narrows.AE(**LONGER), digits[:600], sizes=(1, 2), test=digits[600:900], folder=folder)
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty and holds no sweep"):
        again(full, digits)
    with pytest.raises(ValueError, match="is not empty and holds no sweep"):
        again(full, digits, overwrite=True)
    assert (full / "thesis.txt").exists()
    with pytest.raises(FileExistsError, match="it is a file"):
        again(full / "thesis.txt", digits)
    for text in ("mine", "{}"):
        (full / "sweep.json").write_text(text)
        for overwrite in (False, True):
            with pytest.raises(ValueError, match="is not the result of a sweep"):
                again(full, digits, overwrite=overwrite)
    assert (full / "thesis.txt").exists()


def test_overwrite(digits: np.ndarray, tmp_path: Path):
    model = narrows.AE(**{**SMALL, "max_epochs": 1})
    sweep(model, digits[:300], sizes=(1, 2), folder=tmp_path / "s")
    swept = sweep(model, digits[:200], sizes=(2, 4), folder=tmp_path / "s", overwrite=True)
    assert swept.sizes == [2, 4]
    assert not (tmp_path / "s" / "size-1").exists()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"sizes": (4,)}, ValueError, "at least two sizes to compare"),
        ({"sizes": (0, 4)}, ValueError, "`sizes` parameter of sweep must be a sequence of ints of at least 1"),
        ({"sizes": "1,2"}, ValueError, "`sizes` parameter of sweep"),
        ({"sizes": (2, 65)}, ValueError, "must be at most 64"),
        ({"share": 1.0}, ValueError, "`share` parameter of sweep"),
        ({"warm_start": "yes"}, ValueError, "`warm_start` parameter of sweep"),
        ({"test": np.zeros((3, 9, 9))}, ValueError, "fitted on shape"),
    ],
)
def test_bad_parameters(digits: np.ndarray, changes: dict[str, Any], error: type[Exception], message: str):
    with pytest.raises(error, match=message):
        sweep(narrows.AE(**{**SMALL, "max_epochs": 1}), digits[:100], **{"sizes": (1, 2), **changes})


def test_the_test_examples_are_checked_first(digits: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(narrows.AE, "fit", lambda *_: pytest.fail("it was trained before"))
    for test in (np.zeros((3, 9, 9)), np.full((3, 8, 8), np.inf)):
        for warm_start in ("auto", False):
            with pytest.raises(ValueError, match=r"fitted on shape|infinity"):
                sweep(narrows.AE(**SMALL), digits[:100], sizes=(1, 2), test=test, warm_start=warm_start)


def test_default_sizes_are_not_larger_than_an_example(vectors: np.ndarray):
    assert sweep(narrows.AE(**{**SMALL, "max_epochs": 1}), vectors).sizes == [1, 2, 4]


def test_bad_models_and_data(digits: np.ndarray):
    with pytest.raises(TypeError, match=r"sweep takes a narrows estimator, such as AE\(\). Got PCA"):
        sweep(PCA(), digits)
    with pytest.raises(ValueError, match="at least 3 examples"):
        sweep(narrows.AE(**SMALL), digits[:2], sizes=(1, 2))
    with pytest.raises(ValueError, match="which takes no labels"):
        sweep(narrows.VAE(conditional=True, **SMALL), digits)
    swept = sweep(narrows.AE(**{**SMALL, "max_epochs": 1}), digits[:100], sizes=np.array([1, 2]))
    with pytest.raises(ValueError, match=r"must be one of \[1, 2\]. Got 3"):
        swept.model(3)


# The command


def test_command(tmp_path: Path):
    line = ["sweep", "digits", "--sizes", "1,2,4", "--set", "hidden=16", "--max-epochs", "2", "-o", str(tmp_path / "s")]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 0, (done.output, done.exception)
    assert "n_components = " in done.stdout
    assert "sweep.png" in done.stderr
    first = json.loads((tmp_path / "s" / "sweep.json").read_text())
    document = json.loads(CliRunner().invoke(app, [*line, "--json"]).stdout)
    assert document["results"] == first["results"]
    assert first["results"][0]["n_test"] == 360
    assert narrows.load(tmp_path / "s" / "size-2").n_components == 2
    other = CliRunner().invoke(app, [*line, "--seed", "1"])
    assert other.exit_code == 1
    assert "holds another sweep" in other.stderr
    anew = CliRunner().invoke(app, [*line, "--seed", "1", "--overwrite", "--separate"])
    assert anew.exit_code == 0
    assert json.loads((tmp_path / "s" / "sweep.json").read_text())["mode"] == "separate"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sizes", "1,x"], "whole numbers, such as 1,2,4,8. Got '1,x'"),
        (["--set", "n_components=3"], "name the numbers with"),
    ],
)
def test_command_refuses(options: list[str], message: str, tmp_path: Path):
    done = CliRunner().invoke(app, ["sweep", "digits", "-o", str(tmp_path / "s"), *options])
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert not (tmp_path / "s").exists()
