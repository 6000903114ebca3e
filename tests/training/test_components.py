"""The parts of a training that change while it runs: what they decide, and that they can be put back."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from interrupting import interrupt_at

import narrows
from narrows import accelerate
from narrows.data import Rows, infer
from narrows.recipes import RECIPES
from narrows.training import Interrupted, checkpoint
from narrows.training.device import Choice
from narrows.training.early_stopping import EarlyStopping
from narrows.training.optimizer import ClippedOptimizer, adamw
from narrows.training.parallel import Clock, World
from narrows.training.plan import Place, make_plan
from narrows.training.plan_inputs import PlanInputs
from narrows.training.recovery import Recovery
from narrows.training.result import Result
from narrows.training.schedule import Schedule
from narrows.training.settings import Settings
from narrows.training.step import Step
from narrows.training.sums import LossSums
from narrows.training.weights import Weights

CPU = torch.device("cpu")
CHOICE = Choice("", "", "as asked")


@pytest.fixture
def parts(vectors):
    torch.manual_seed(0)
    return RECIPES["vae"].make(infer(vectors, "test"), 2, hidden=(8,))


@pytest.fixture
def weights(parts):
    return Weights(parts.model, parts.objective)


class FakeTraining:
    """A training's clock, schedule and objective, far from its end."""

    def __init__(self) -> None:
        self.clock, self.schedule, self.notes = Clock(World(), CPU), Schedule(1000), []
        self.objective = SimpleNamespace(complete=True, restarts=[])
        self.objective.restart = self.objective.restarts.append
        self.clock.step = 300

    @property
    def all(self):
        return self.objective, self.schedule, self.clock


# ------------------------------------------------------------------------------------------------- early stopping


def set_weights(weights: Weights, value: float) -> None:
    with torch.no_grad():
        next(weights.model.parameters()).fill_(value)


def first_weight(tensors) -> float:
    return float(next(t for name, t in tensors.items() if name.startswith("model.encoder")).flatten()[0])


def test_the_best_weights_are_kept_and_a_plateau_cools(weights):
    fake = FakeTraining()
    stopping = EarlyStopping(weights, 3, fake.notes.append)
    for number, loss in enumerate([5.0, 3.0, 2.9999, 3.5]):
        set_weights(weights, float(number))
        stopping.update(loss, *fake.all)
    assert stopping.best_loss == 2.9999  # the best, though too little better to count
    assert stopping.n_without_improvement == 2
    assert fake.notes == []
    assert not fake.schedule.is_cooling(300, 0.0)
    stopping.update(4.0, *fake.all)
    assert fake.schedule.is_cooling(300, 0.0)
    assert "has not improved for 3 validations; cooling down" in fake.notes[0]
    stopping.load_snapshot()
    assert first_weight(weights.tensors()) == 2.0


def test_while_costs_grow_no_loss_counts(weights):
    fake, stopping = FakeTraining(), EarlyStopping(weights, 1, pytest.fail)
    fake.objective.complete = False
    for loss in (3.0, 4.0, 5.0):
        stopping.update(loss, *fake.all)
    assert stopping.best_loss == math.inf


def test_without_held_out_rows_the_last_weights_are_kept(weights):
    fake, stopping = FakeTraining(), EarlyStopping(weights, 1, pytest.fail)
    for value in (1.0, 2.0):
        set_weights(weights, value)
        stopping.update(None, *fake.all)
    assert first_weight(stopping.best) == 2.0


# ------------------------------------------------------------------------------------------------- recovery


def test_a_loss_that_is_not_finite_halves_the_rate_three_times(parts, weights):
    fake, notes = FakeTraining(), []
    stopping, recovery = EarlyStopping(weights, 3, notes.append), Recovery(notes.append)
    step = SimpleNamespace(
        model=parts.model, sums=LossSums(World(), CPU), reset_optimizers=lambda: notes.append("reset")
    )
    set_weights(weights, 1.0)
    stopping.snapshot()
    for number in (1, 2, 3):
        set_weights(weights, math.nan)
        recovery.recover_from_nan(step, stopping, fake.clock)
        assert recovery.rate_factor == 0.5**number
        assert first_weight(weights.tensors()) == 1.0
        assert fake.clock.step == 300 + number
    assert notes.count("reset") == 3
    with pytest.raises(FloatingPointError, match="became NaN or infinite 4 times"):
        recovery.recover_from_nan(step, stopping, fake.clock)


def test_posterior_collapse_lets_the_costs_begin_again_once():
    fake = FakeTraining()
    recovery = Recovery(fake.notes.append)
    recovery.check_collapse({"active_components": 1.0}, *fake.all)
    assert fake.objective.restarts == []
    for _ in range(2):
        recovery.check_collapse({"active_components": 0.0}, *fake.all)
    assert fake.objective.restarts == [0.3]
    assert len(fake.notes) == 1


def test_posterior_collapse_is_not_cured_in_the_cool_down():
    fake, recovery = FakeTraining(), Recovery(pytest.fail)
    fake.clock.step = 900
    recovery.check_collapse({"active_components": 0.0}, *fake.all)
    assert not recovery.has_restarted


# ------------------------------------------------------------------------------------------------- states


def save_and_read(state, folder):
    """A state as it comes out of a checkpoint."""
    path = folder / checkpoint.NAME
    checkpoint.write(path, *checkpoint.pack({"one": state}))
    return checkpoint.read(path)["one"]


def is_equal(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(is_equal(a[key], b[key]) for key in a)
    return a == b


def clipped_adamw(parts) -> ClippedOptimizer:
    parameters = list(parts.model.parameters())
    return ClippedOptimizer(adamw(parameters, 0.1), parameters, CPU)


def used_and_fresh(parts, weights) -> dict:
    """Components that have been through something, and fresh ones of their kind."""
    optimizer = clipped_adamw(parts)
    for p in optimizer.parameters:
        p.grad = torch.randn_like(p)
    optimizer.set_learning_rate(0.1)
    optimizer.step()
    sums = LossSums(World(), CPU)
    sums.add({"loss": torch.tensor(3.0)})
    sums.n_steps = 1
    stopping = EarlyStopping(weights, 3, pytest.fail)
    stopping._compare(2.0)
    recovery = Recovery(pytest.fail)
    recovery.n_recoveries, recovery.has_restarted = 2, True
    schedule = Schedule(100)
    schedule.start_cooldown(40, 0.0)
    result = Result([{"loss": 1.0}], [], ["a note"])
    return {
        "weights": (weights, Weights(parts.model, parts.objective)),
        "optimizer": (optimizer, clipped_adamw(parts)),
        "sums": (sums, LossSums(World(), CPU)),
        "early_stopping": (stopping, EarlyStopping(weights, 3, pytest.fail)),
        "recovery": (recovery, Recovery(pytest.fail)),
        "schedule": (schedule, Schedule(100)),
        "result": (result, Result()),
    }


@pytest.mark.parametrize("name", ["weights", "optimizer", "sums", "early_stopping", "recovery", "schedule", "result"])
def test_a_component_is_restored_to_what_it_was(name, parts, weights, tmp_path):
    used, fresh = used_and_fresh(parts, weights)[name]
    state = save_and_read(used.state(), tmp_path)
    fresh.restore(state)
    assert is_equal(fresh.state(), used.state())


def test_a_clock_goes_on(tmp_path):
    clock, again = Clock(World(), CPU), Clock(World(), CPU)
    clock.step, clock.started = 7, clock.started - 100
    again.restore(save_and_read(clock.state(), tmp_path))
    assert again.step == 7
    assert 100 <= again.seconds < 200


def test_states_go_through_a_file(tmp_path):
    state = {"a": {"b.c": torch.arange(3), "d": [1, {"e": None}]}, "loss": math.inf, "words": "as they are", "none": {}}
    assert is_equal(save_and_read(state, tmp_path), state)
    read = checkpoint.read_without_tensors(tmp_path / checkpoint.NAME)["one"]
    assert read["loss"] == math.inf
    assert read["a"]["d"] == [1, {"e": None}]


# ------------------------------------------------------------------------------------------------- the step


def test_a_step_is_forward_backward_and_optimizer(parts, vectors):
    """Without accelerations it is what four lines of torch do."""
    torch.manual_seed(1)
    rows = Rows(vectors, infer(vectors, "test"), CPU)
    place = Place(CPU, torch.float32, False, CHOICE, CHOICE)
    plan = make_plan(Settings(), place, PlanInputs(len(rows), parts.model.bottleneck))
    before = [p.detach().clone() for p in parts.model.parameters()]
    step = Step(parts.model, parts.objective, rows, plan, "adamw", World(), pytest.fail)
    torch.manual_seed(2)
    step.run(torch.arange(20), 1e-2)
    torch.manual_seed(2)
    with torch.no_grad():
        after_step = [p.detach().clone() for p in parts.model.parameters()]
        for p, value in zip(parts.model.parameters(), before, strict=True):
            p.copy_(value)
    optimizer = torch.optim.AdamW(
        [{"params": [p], "weight_decay": plan.weight_decay if p.dim() > 1 else 0.0} for p in parts.model.parameters()],
        lr=1e-2,
    )
    loss = parts.objective(parts.model, rows.batch(torch.arange(20)))
    loss.total.backward()
    optimizer.step()
    for p, value in zip(parts.model.parameters(), after_step, strict=True):
        torch.testing.assert_close(p.detach(), value, rtol=1e-4, atol=1e-5)
    assert step.sums.read_means() == pytest.approx(
        {name: float(t) for name, t in accelerate.detach_terms(loss).items()}
    )


def test_opponents_have_an_optimizer_of_their_own_and_go_on(vectors, tmp_path, monkeypatch):
    def make(**parameters):
        common = {"hidden": (8,), "max_epochs": 6, "batch_size": 32, "random_state": 0}
        return narrows.estimator("factorvae")(2, device="cpu", precision="float32", **common, **parameters)

    whole = make().fit(vectors)
    with monkeypatch.context() as patched:
        interrupt_at(patched, 14)
        with pytest.raises(Interrupted):
            make(checkpoint=tmp_path).fit(vectors)
    states = checkpoint.read(tmp_path / checkpoint.NAME)
    model, opponent = states["optimizers"]["0"]["tensors"], states["optimizers"]["1"]["tensors"]
    assert {float(t) for name, t in (model | opponent).items() if name.endswith("step")} == {15.0}
    assert len(states["optimizers"]) == 2
    again = make(checkpoint=tmp_path).fit(vectors)
    for key, value in whole.model_.state_dict().items():
        assert torch.equal(again.model_.state_dict()[key], value), key
