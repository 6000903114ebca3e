"""The plan of a training, made without training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from narrows.bottlenecks import Gaussian, Plain, TopK
from narrows.objectives import NeighborPairs
from narrows.training.device import Choice, measure_core_share
from narrows.training.machine import choose_sharding
from narrows.training.plan import Place, Plan, choose_place, make_plan
from narrows.training.plan_inputs import PlanInputs
from narrows.training.settings import Settings

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
PLACE = Place(
    CPU, torch.float32, False, Choice("device", "cpu", "as asked"), Choice("precision", "float32", "as asked")
)
ON_GPU = replace(PLACE, device=CUDA)
INPUTS = PlanInputs(50_000, Plain(2), n_threads=4)


def choices_of(plan: Plan) -> dict[str, str]:
    """The choices by name, the last of each."""
    return {choice.name: f"{choice.value}: {choice.reason}" for choice in plan.choices}


def test_what_is_open_is_decided_and_said_in_order():
    plan = make_plan(Settings(), PLACE, INPUTS)
    assert [choice.name for choice in plan.choices] == [
        "device",
        "threads",
        "precision",
        "compile",
        "weight_decay",
        "batch_size",
        "learning_rate",
        "max_epochs",
    ]
    assert all(choice.reason for choice in plan.choices)
    assert (plan.n_train, plan.n_valid, plan.batch_size, plan.patience) == (45_000, 5_000, 128, 10)
    assert plan.steps_per_epoch == 352
    assert plan.n_steps == plan.n_epochs * 352
    assert plan.epochs_per_validation == 1


def test_what_is_asked_for_is_taken():
    settings = Settings(
        batch_size=7,
        learning_rate=0.5,
        max_epochs=3,
        weight_decay=0.25,
        n_iter_no_change=4,
        compile=True,
        early_stopping=False,
    )
    plan = make_plan(settings, PLACE, INPUTS)
    assert (plan.batch_size, plan.learning_rate, plan.n_epochs, plan.patience) == (7, 0.5, 3, 4)
    assert (plan.weight_decay, plan.use_compile, plan.n_valid) == (0.25, True, 0)
    assert choices_of(plan)["compile"] == "True: as asked"
    assert "batch_size" not in choices_of(plan)


@pytest.mark.parametrize("n", [2, 3, 21, 1000])
@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.999])
def test_rows_are_learned_from_or_held_out(n, fraction):
    plan = make_plan(Settings(validation_fraction=fraction), PLACE, replace(INPUTS, n_rows=n))
    assert plan.n_train >= 1
    assert plan.n_train + plan.n_valid == n
    assert 1 <= plan.batch_size <= plan.n_train


def test_of_few_rows_none_is_held_out():
    plan = make_plan(Settings(), PLACE, replace(INPUTS, n_rows=30))
    assert plan.n_valid == 0
    assert "too few to hold out" in choices_of(plan)["early_stopping"]


@pytest.mark.parametrize(("n", "n_valid"), [(99, 0), (100, 20), (150, 20), (200, 20), (300, 30)])
def test_of_a_hundred_rows_twenty_are_held_out(n, n_valid):
    plan = make_plan(Settings(), PLACE, replace(INPUTS, n_rows=n))
    assert plan.n_valid == n_valid
    assert (f"20 of {n} rows are held out" in choices_of(plan).get("validation_fraction", "")) == (n in (100, 150))


@pytest.mark.parametrize(("bottleneck", "decay"), [(Plain(2), 0.3), (Gaussian(2), 0.03), (TopK(8, k=2), 0.1)])
def test_weight_decay_depends_on_the_code(bottleneck, decay):
    assert make_plan(Settings(), PLACE, replace(INPUTS, bottleneck=bottleneck)).weight_decay == decay


@pytest.mark.parametrize(("n", "n_units", "size"), [(5_000, 4096, 128), (50_000, 4096, 512), (10**6, 4096, 1024)])
def test_a_dictionary_of_many_units_takes_large_batches_of_many_rows(n, n_units, size):
    plan = make_plan(Settings(), PLACE, replace(INPUTS, n_rows=n, bottleneck=TopK(n_units, k=32)))
    assert plan.batch_size == size
    assert "passes over all weights of 4,096 units" in choices_of(plan)["batch_size"]
    few = make_plan(Settings(), PLACE, replace(INPUTS, n_rows=n, bottleneck=TopK(n_units - 1, k=32)))
    assert few.batch_size == 128


def test_heavy_steps_are_fewer():
    light, heavy = (make_plan(Settings(), PLACE, replace(INPUTS, flops_per_example=flops)) for flops in (1e6, 1e9))
    assert light.n_epochs > heavy.n_epochs
    assert "1.3e+02 GFLOP each" in choices_of(heavy)["max_epochs"]


def test_threads():
    assert make_plan(Settings(), PLACE, INPUTS).n_threads == 1
    assert make_plan(Settings(), PLACE, replace(INPUTS, flops_per_example=1e8)).n_threads == 4
    again = make_plan(Settings(), PLACE, replace(INPUTS, resumed={"threads": 3}))
    assert again.n_threads == 3
    assert choices_of(again)["threads"] == "3: as before the training was interrupted"


@pytest.mark.parametrize(
    ("changes", "use", "why"),
    [
        ({}, False, "too short to repay compiling"),
        ({"matmul_flops_per_second": 1e9}, True, "repays compiling"),
        ({"matmul_flops_per_second": 1e9, "has_compiler": False}, False, "no C++ compiler"),
        ({"matmul_flops_per_second": 1e9, "compile_saving": 0.0}, False, "slower when compiled"),
        ({"matmul_flops_per_second": 1e9, "n_processes": 2}, False, "2 processes train"),
        ({"resumed": {"compile": True}}, True, "as asked"),
        ({"matmul_flops_per_second": 1e9, "resumed": {"compile": False}}, False, "as asked"),
    ],
)
def test_compiling_must_pay(changes, use, why):
    plan = make_plan(Settings(max_epochs=2), PLACE, replace(INPUTS, flops_per_example=1e6, **changes))
    assert plan.use_compile == use
    assert why in choices_of(plan)["compile"]


def test_a_short_time_limit_does_not_repay_compiling():
    slow = replace(INPUTS, flops_per_example=1e6, matmul_flops_per_second=1e9)
    assert make_plan(Settings(), PLACE, slow).use_compile
    assert not make_plan(Settings(max_time=30.0), PLACE, slow).use_compile
    asked = make_plan(Settings(max_time=5.0, compile=True), PLACE, slow)
    assert choices_of(asked)["compile"] == "True: as asked; compiling takes about 12 s, more than the time limit"


def test_on_a_busy_machine_compiling_may_take_the_whole_time_limit():
    slow = replace(INPUTS, flops_per_example=1e6, matmul_flops_per_second=1e9)
    assert make_plan(Settings(max_time=60.0), PLACE, slow).use_compile
    busy = replace(slow, measure_core_share=lambda: 0.25)
    assert make_plan(Settings(), PLACE, busy).use_compile
    plan = make_plan(Settings(max_time=60.0), PLACE, busy)
    assert not plan.use_compile
    assert "beside the other work of this machine it would take about 48 of the 60 s" in choices_of(plan)["compile"]


def test_the_share_of_a_core_is_measured():
    assert 0 < measure_core_share(0.02) <= 1


@pytest.mark.parametrize(
    ("settings", "changes", "use", "why"),
    [
        ({}, {}, True, "all steps of this training run the same operations"),
        ({}, {"has_own_parts": True}, True, "in your module are recorded once"),
        ({"compile": False}, {}, False, "compile=False was requested"),
        ({}, {"is_resident": False}, False, "does not fit on the device"),
        ({}, {"n_processes": 2}, False, "2 processes train"),
    ],
)
def test_cuda_graphs(settings, changes, use, why):
    plan = make_plan(Settings(**settings), ON_GPU, replace(INPUTS, **changes))
    assert plan.use_cuda_graph == use
    assert why in choices_of(plan)["cuda_graphs"]


def test_neighbors_need_larger_batches_and_more_patience():
    neighbors = replace(INPUTS, neighbors=NeighborPairs(None, None), is_image=True)
    plan = make_plan(Settings(), PLACE, neighbors)
    assert (plan.batch_size, plan.patience, plan.n_neighbors, plan.metric) == (512, 25, 20, "cosine")
    assert [choice.name for choice in plan.choices][-4:] == ["batch_size", "n_iter_no_change", "metric", "n_neighbors"]
    plan = make_plan(Settings(batch_size=8), PLACE, replace(neighbors, n_rows=12, is_image=False))
    assert (plan.batch_size, plan.n_neighbors, plan.metric) == (8, 11, "euclidean")
    too_many = replace(neighbors, neighbors=NeighborPairs(50_000, None))
    with pytest.raises(ValueError, match=r"`n_neighbors` parameter of MapAE must be at most 44,999.*Got 50000"):
        make_plan(Settings(), PLACE, too_many, "MapAE")


def test_a_batch_has_an_example_for_each_process():
    plan = make_plan(Settings(batch_size=2), PLACE, replace(INPUTS, n_rows=100, n_processes=4))
    assert plan.batch_size == 4
    assert choices_of(plan)["processes"] == "4: each takes its own share of the 4 examples of a step"
    with pytest.raises(ValueError, match="4 processes are too many for 3 training rows"):
        make_plan(Settings(), PLACE, replace(INPUTS, n_rows=3, n_processes=4))
    with pytest.raises(ValueError, match="compile=True works with one process only, and 4 train"):
        make_plan(Settings(compile=True), PLACE, replace(INPUTS, n_processes=4))


def test_the_place(monkeypatch):
    monkeypatch.setattr("narrows.training.device.bfloat16_speedup", lambda device: 2.0)
    place = choose_place(Settings(device="cpu"), 1_000_000, 1, {})
    assert (place.device, place.precision, place.dtype, place.is_sharded) == (CPU, torch.bfloat16, torch.float32, False)
    assert choose_place(Settings(device="cpu"), 10, 1, {}).precision == torch.float32  # nothing is measured
    assert "2.0 times as fast" in place.precision_choice.reason
    assert choose_place(Settings(device="cpu"), 10, 1, {"precision": "float64"}).dtype == torch.float64
    explicit = choose_place(Settings(device="cpu", precision="float32"), 10, 1, {"precision": "bfloat16"})
    assert explicit.precision == torch.float32


def test_models_are_sharded_where_they_do_not_fit(monkeypatch):
    assert choose_sharding("auto", 10, CPU, 1) == (False, ())
    assert choose_sharding(True, 10, CPU, 1)[1][0].reason == "there is one process"
    assert choose_sharding(True, 10, CPU, 2)[0]
    assert not choose_sharding("auto", 10, CPU, 2)[0]
    monkeypatch.setattr("narrows.training.machine.free_bytes", lambda device: 16 * 1000)
    assert [choose_sharding("auto", n, CUDA, 2)[0] for n in (500, 501)] == [False, True]
