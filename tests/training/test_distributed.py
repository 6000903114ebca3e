"""Several processes give what one gives, lose no row, stop together, and go on after a failure.

They run `processes.py`, which torchrun starts once for all tests but those of the command.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from narrows import VAE
from narrows.batch_sharding import batch_any, batch_length, batch_mean, batch_sum
from narrows.training.parallel import World, join

pytestmark = [
    pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="needs gloo"),
    pytest.mark.slow,  # .ci/run has a section of its own for them, so that they run each time
]

PROCESSES = Path(__file__).with_name("processes.py")
RUN = runpy.run_path(str(PROCESSES))
ROUNDING = 2e-6  # of weights of order 1, after 3 epochs
NAMES = list(RUN["cases"]())


def torchrun(*arguments: object, restarts: int = 0) -> subprocess.CompletedProcess[str]:
    """Two processes of `processes.py`."""
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", f"--max-restarts={restarts}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error::FutureWarning"}
    return subprocess.run(
        [sys.executable, *command, "--monitor-interval=0.1", str(PROCESSES), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("together")
    done = torchrun("main", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def two(folder) -> tuple[dict, dict]:
    """What each of two processes results."""
    return tuple(torch.load(folder / f"{rank}.pt", weights_only=False) for rank in (0, 1))


@pytest.fixture(scope="module")
def one() -> dict:
    """The same trainings in this process."""
    results = {name: RUN["state"](model.fit(x)) for name, (model, x) in RUN["cases"]().items()}
    results["revived"] = RUN["state"](RUN["fit_with_dead_units"](RUN["data"]()))
    results["long"] = RUN["state"](RUN["long"]().fit(RUN["data"]()))
    results["in passes"] = RUN["state"](VAE(2, **RUN["COMMON"]).partial_fit(RUN["data"]()).partial_fit(RUN["data"]()))
    return results


def assert_same(a: dict, b: dict, tolerance: float = 0.0) -> None:
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(
            a[name], b[name], rtol=0, atol=tolerance, msg=lambda message, name=name: name + message
        )


# ------------------------------------------------------------------------------------------------- the same as one


@pytest.mark.parametrize(
    ("name", "alone"),
    [
        *((name, name) for name in [*NAMES, "revived", "in passes"]),
        *((f"sharded {name}", name) for name in [*RUN["SHARDED"], "revived"]),
        *((name, "long") for name in ("long", "interrupted", "sharded on the way")),
    ],
)
def test_two_processes_give_the_weights_of_one(name, alone, one, two):
    assert_same(two[0][name]["weights"], one[alone]["weights"], ROUNDING)
    expected, actual = one[alone]["history"], two[0][name]["history"]
    assert len(expected) == len(actual)
    for here, there in zip(expected, actual, strict=True):
        assert {k: v for k, v in there.items() if k != "seconds"} == pytest.approx(
            {k: v for k, v in here.items() if k != "seconds"}, rel=1e-4, abs=1e-5
        )


def test_both_processes_hold_the_same_model(two):
    for name in [
        *NAMES,
        "revived",
        "sharded vae",
        "sharded revived",
        "fresh seed",
        "in passes",
        "limited",
        "interrupted",
    ]:
        assert_same(two[0][name]["weights"], two[1][name]["weights"])
        assert two[0][name]["history"] == two[1][name]["history"]


def test_units_were_revived(one):
    """Else the comparison above would not be one."""
    assert one["revived"]["reviving"]


def test_decisions_are_said(two):
    assert "processes = 2: each takes its own share of the 47 examples of a step" in two[0]["vae"]["report"]
    assert "sharded = True: as asked" in two[0]["sharded vae"]["report"]


# ------------------------------------------------------------------------------------------------- rows


@given(n=st.integers(1, 500), size=st.integers(2, 16))
def test_each_row_is_one_processs(n, size):
    shards = [World(rank, size).shard(n) for rank in range(size)]
    assert [row for shard in shards for row in range(shard.start, shard.stop)] == list(range(n))
    assert max(shard.rows for shard in shards) - min(shard.rows for shard in shards) <= 1


def test_an_epoch_gives_every_row_to_one_process(two):
    batches = [a + b for a, b in zip(two[0]["seen"], two[1]["seen"], strict=True)]
    assert {len(batch) for batch in batches} == {47}
    rows = [row for batch in batches for row in batch]
    assert sorted(rows[:400]) == list(range(400))
    assert rows[400:] == rows[: len(rows) - 400]  # the last batch is filled up from the beginning


def test_other_data_in_another_process_are_refused(two):
    for results in two:
        assert results["other data"].startswith("All processes must be given the same data and the same parameters.")


def test_gradients_within_the_loss_need_whole_weights(two):
    for name, message in two[0]["slopes"].items():
        assert message.startswith("The `sharded` parameter of ")
        assert message.endswith("Pass sharded=False."), name


def test_compiling_is_refused(two):
    assert two[0]["compiled"] == "compile=True works with one process only, and 2 train. Leave `compile` out."


# ------------------------------------------------------------------------------------------------- stopping, going on


def test_a_time_limit_is_rank_0s(two):
    assert 0.9 < two[0]["limited"]["seconds"] < 10
    rates = [record["learning_rate"] for record in two[0]["limited"]["history"]]
    assert rates[-1] < 0.2 * max(rates)


@pytest.mark.parametrize("name", ["interrupted", "terminated"])
def test_a_signal_to_one_process_stops_both_and_they_go_on(name, two):
    assert 13 < two[0][name]["stopped"] == two[1][name]["stopped"] <= 13 + 50 + 1
    assert_same(two[0][name]["weights"], two[0]["long"]["weights"])


def test_one_process_goes_on_where_two_stopped(folder, one):
    model = RUN["long"](folder / "sharded").fit(RUN["data"]())
    assert any("continuing with 1 process instead of 2" in line for line in model.report_)
    assert_same(dict(model.model_.state_dict()), one["long"]["weights"], ROUNDING)


def test_torchrun_restarts_the_command_which_goes_on(tmp_path, two):
    np.save(tmp_path / "X.npy", RUN["data"]())
    options = "--recipe vae --n-components 2 --seed 3 --max-epochs 13 --device cpu --set hidden=16 --set batch_size=47"
    arguments = [str(tmp_path / "X.npy"), *options.split(), "--set", "precision=float32", "--json"]
    done = torchrun("crash", tmp_path, "fit", *arguments, "--out", tmp_path / "crashed", restarts=1)
    assert done.returncode == 0, done.stderr
    assert "resumed at step" in done.stderr
    assert json.loads(done.stdout)["n_iter"] == 13  # one document: one process speaks
    assert sorted(p.name for p in (tmp_path / "crashed").iterdir()) == [
        "README.md",
        "log.jsonl",
        "recipe.json",
        "weights.safetensors",
    ]
    weights = load_file(tmp_path / "crashed" / "weights.safetensors")
    assert_same({name: weights[f"model.{name}"] for name in two[0]["long"]["weights"]}, two[0]["long"]["weights"])


@pytest.mark.slow
def test_what_goes_wrong_in_one_process_ends_all_and_is_said_once(tmp_path):
    np.save(tmp_path / "X.npy", RUN["data"]())
    done = torchrun("fail", tmp_path, "fit", tmp_path / "X.npy", "--max-epochs", "3", "--out", tmp_path / "m")
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "error: " in line] == [
        "error: something is wrong in one place"
    ]
    assert not (tmp_path / "m" / "recipe.json").exists()


# ------------------------------------------------------------------------------------------------- a world of one


def test_one_process_is_a_world_of_its_own():
    assert join() == World(0, 1)
    assert World().shard(7) is None
    assert World().on_rank_zero(lambda: 3) == World().rank_zero_first(lambda: 3) == World().broadcast(3) == 3
    x = torch.ones(3)
    assert batch_sum(x) is x
    assert batch_mean(x) is x
    assert batch_any(x) is x
    assert batch_length(3) == 3
