"""Trainings that do not fit into memory are refused with numbers before anything is allocated; what fits is not."""

from pathlib import Path

import numpy as np
import pytest
import torch

from narrows import AE, VAE, load, recipes
from narrows.data import infer
from narrows.estimators import estimator
from narrows.estimators.building import outline_parts
from narrows.training import memory

TINY = {"n_components": 3, "hidden": (64, 8), "max_epochs": 1, "random_state": 0, "device": "cpu"}


@pytest.fixture
def free(monkeypatch):
    """Function that sets the free memory, in bytes."""
    return lambda n: monkeypatch.setattr(memory, "available_bytes", lambda device=None: n)


def weights_of(model) -> int:
    return sum(weight.numel() for weight in model.model_.parameters())


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_a_network_that_is_too_large_is_refused_with_numbers(vectors, free, call):
    free(3_100_000_000)
    before = _peak_bytes()
    model = VAE(2, hidden=(100_000_000,), max_time=2)
    with pytest.raises(ValueError, match=r"VAE needs about 40 GB for 2,000,000,056 weights.*; 3\.1 GB are free\. S"):
        getattr(model, call)(vectors)
    assert _peak_bytes() - before < 200e6
    assert not hasattr(model, "model_")


def _peak_bytes() -> int:
    import resource

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_what_just_fits_is_trained(vectors, free):
    model = AE(**TINY, batch_size=1)
    n = weights_of(model.fit(vectors))
    free(20 * n)
    assert weights_of(model.fit(vectors)) == n
    free(20 * n - 1)
    with pytest.raises(ValueError, match=rf"for {n:,} weights"):
        model.fit(vectors)


def test_a_batch_that_is_too_large_is_refused_with_one_that_fits(vectors, free):
    model = AE(**TINY, batch_size=100, early_stopping=False).fit(vectors)
    n = weights_of(model)
    kept = 4 * (6 + 64 + 8 + 3 + 8 + 64)  # the inputs of six layers, for each example
    free(16 * n + 100 * kept)
    step = {"device": torch.device("cpu"), "owner": "AE", "batch_size": 100, "kept_bytes": kept}
    memory.check_step(model.model_, **step)
    free(16 * n + 100 * kept - 1)
    with pytest.raises(ValueError, match="a `batch_size` of at most 99, or a smaller network"):
        memory.check_step(model.model_, **step)


def test_the_weights_must_fit_on_a_gpu_before_they_are_moved_there(vectors, monkeypatch):
    model = AE(**TINY).fit(vectors)
    n = weights_of(model)
    step = {"device": torch.device("cuda"), "owner": "AE", "n_copies": 5}
    monkeypatch.setattr(memory, "free_bytes", lambda device: 20 * n)
    memory.check_step(model.model_, **step)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 20 * n - 1)
    with pytest.raises(memory.NotEnoughMemory, match="AE needs about"):
        memory.check_step(model.model_, **step)


def test_a_training_counts_its_steps(vectors, free, monkeypatch):
    checked = []
    monkeypatch.setattr(memory, "check_step", lambda *modules, **facts: checked.append(facts))
    AE(**TINY, batch_size=50, compile=False, precision="float32").fit(vectors)
    assert [(facts["batch_size"], facts["kept_bytes"], facts["owner"]) for facts in checked] == [(50, 612, "AE")]


def test_a_saved_model_is_loaded_where_it_could_not_be_trained(vectors, free, tmp_path):
    model = AE(**TINY).fit(vectors)
    model.save(tmp_path / "m")
    free(8 * weights_of(model))
    assert np.allclose(load(tmp_path / "m").transform(vectors), model.transform(vectors))


@pytest.mark.parametrize("recipe", [name for name in recipes.available() if name != "tableae"])
def test_the_weights_of_every_recipe_are_counted_without_memory(digits, recipe):
    cls = estimator(recipe)
    has_network = "network" in cls().get_params()
    known = {"network": "mlp", "hidden": (2000, 1000)} if has_network else {"width": 640, "n_blocks": 1}
    parameters = {name: value for name, value in known.items() if name in cls.parameters()}
    model = cls(**parameters)
    model.schema_ = infer(digits[:40], "test")
    parts = outline_parts(cls.recipe, parameters, model.schema_)
    weights = list(parts.model.parameters())
    assert sum(weight.numel() for weight in weights) == sum(w.numel() for w in model._assemble(0).model.parameters())
    assert {weight.device.type for weight in weights if weight.numel() > 1 << 20} == {"meta"}
    assert model.schema_._offsets.device.type == "cpu"  # the caches of the schema are untouched


def test_many_layers_of_usual_width_are_counted_too(vectors, free):
    free(1_000_000_000)
    with pytest.raises(ValueError, match=r"AE needs about 5\.9 GB for 293,"):
        AE(2, hidden=(700,) * 300).fit(vectors)


def test_tensors_that_were_freed_do_not_count(vectors, free, monkeypatch):
    model = AE(**TINY, batch_size=1)
    n = weights_of(model.fit(vectors))
    free(20 * n)
    build = recipes.Recipe.build

    def wasteful(*arguments, **values):
        for _ in range(3):
            torch.zeros(n)
        return build(*arguments, **values)

    monkeypatch.setattr(recipes.Recipe, "build", wasteful)
    assert weights_of(model.fit(vectors)) == n


def test_a_network_of_automatic_size_is_counted_at_that_size(vectors, free):
    parameters = {**AE(3).get_params(), "device": "cpu"}
    free(10**12)
    fitted = AE(3, max_epochs=1, random_state=0, device="cpu").fit(vectors)
    parts = outline_parts(AE.recipe, parameters, fitted.schema_, len(vectors))
    assert sum(weight.numel() for weight in parts.model.parameters()) == weights_of(fitted)


@pytest.mark.parametrize("shape", [(3, 4), ((3, 4),), (torch.Size((3, 4)),), ()])
def test_a_budget_counts_before_a_tensor_is_made(shape):
    size = {} if shape else {"size": (3, 4)}
    with memory.Budget(12):
        assert torch.empty(*shape, **size).shape == (3, 4)
    with pytest.raises(memory.OverBudget) as caught, memory.Budget(11):
        torch.empty(*shape, **size)
    assert caught.value.n_largest == 12


def test_double_precision_takes_twice_the_memory_and_a_gpu_none_of_the_host_s():
    assert memory.bytes_per_weight("auto", on_host=True) == 20
    assert memory.bytes_per_weight("float64", on_host=True) == 40
    assert memory.bytes_per_weight("float64", on_host=False) == 4


def write(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(f"{content}\n")


def test_the_limits_of_containers_count(tmp_path):
    root = tmp_path / "cgroup"
    write(root, memory__max="max", memory__current=1)
    stat = "anon 5\ninactive_file 30\nactive_file 20"
    write(root / "a", memory__max=1000, memory__current=700, memory__stat=stat)
    write(root / "a" / "b", memory__max="max", memory__current=600, memory__stat=stat)
    write(tmp_path, own="0::/a/b")
    assert memory._cgroup_bytes(root, tmp_path / "own") == [350]  # caches can be dropped
    write(root / "memory" / "job", **{"memory__limit_in_bytes": 500, "memory__usage_in_bytes": 900})
    write(root / "memory" / "job", memory__stat="total_inactive_file 100\ncache 7")
    write(tmp_path, own="11:cpu:/job\n4:memory:/job")
    assert memory._cgroup_bytes(root, tmp_path / "own") == [0]
    assert memory._cgroup_bytes(root, tmp_path / "nothing") == []
    write(tmp_path, own="0::/../other")  # the group of a container, seen from inside
    assert memory._cgroup_bytes(root, tmp_path / "own") == []


def test_some_memory_is_available():
    assert 1 << 24 < memory.available_bytes() < 1 << 50


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(22.4e9, "22 GB"), (3.14e9, "3.1 GB"), (0.25e9, "250 MB"), (5e6, "5 MB")]
)
def test_bytes_as_text(n_bytes, text):
    assert memory.format_bytes(n_bytes) == text


def test_the_command_line_says_it_without_a_traceback(free, tmp_path):
    from typer.testing import CliRunner

    from narrows.cli import app

    free(3_000_000)
    result = CliRunner().invoke(
        app,
        [
            "fit",
            "digits",
            "--recipe",
            "ae",
            "--set",
            "network=mlp",
            "--set",
            "hidden=5000",
            "--out",
            str(tmp_path / "m"),
        ],
    )
    assert result.exit_code == 1
    assert "3 MB are free" in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
