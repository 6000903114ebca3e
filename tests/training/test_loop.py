"""The training loop: a run that is killed goes on as if it had not been, and nothing goes wrong in silence."""

import errno
import gc
import json
import math
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from interrupting import interrupt_at
from safetensors.torch import load_file
from sklearn.base import clone
from torch import nn

from narrows import AE, VAE
from narrows.data import Rows, infer
from narrows.objectives import WeightedObjective
from narrows.recipes import RECIPES
from narrows.training import Interrupted, Settings, find_overfitting, fit, forked_rng, preparation
from narrows.training import checkpoint as files
from narrows.training import loop as loop_module
from narrows.training.flops import count_costs
from narrows.training.loop import Trainer
from narrows.training.parallel import clock as clock_module
from narrows.training.progress import Reporter
from narrows.training.schedule import COOLDOWN, Schedule
from narrows.training.tracking import LOG
from narrows.types import Loss

RUN = {"batch_size": 16, "max_epochs": 12, "precision": "float32", "device": "cpu", "seed": 3, "compile": False}


def data(n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.tanh(rng.normal(size=(n, 3)) @ rng.normal(size=(3, 8))) + 0.1 * rng.normal(size=(n, 8))


def parts_of(recipe: str, X: np.ndarray, **parameters):
    torch.manual_seed(0)
    if recipe == "vqvae":  # whose default is a longer code than these rows
        parameters = {"n_components": 4, **parameters}
    return RECIPES[recipe].make(infer(X, "test"), hidden=(16,), **parameters)


def trained(recipe: str = "vae", X: np.ndarray | None = None, parameters=None, fingerprint="a", **settings):
    """A model after a training, and the training's result."""
    X = data() if X is None else X
    parts = parts_of(recipe, X, **(parameters or {}))
    result = fit(
        parts.model, parts.objective, X, infer(X, "test"), Settings(**{**RUN, **settings}), fingerprint=fingerprint
    )
    return parts.model, result


def trainer_of(recipe: str = "ae", X: np.ndarray | None = None, parameters=None, **settings) -> Trainer:
    X = data() if X is None else X
    parts = parts_of(recipe, X, **(parameters or {}))
    run_settings = Settings(**{**RUN, **settings})
    return Trainer(parts.model, parts.objective, X, infer(X, "test"), run_settings, Reporter(0), "a")


def assert_same_weights(a, b) -> None:
    assert a.keys() == b.keys()
    for key in a:
        assert torch.equal(a[key], b[key]), key


def without_times(history):
    return [{key: value for key, value in record.items() if key != "seconds"} for record in history]


# ------------------------------------------------------------------------------------------------- killed, resumed

# One process that trains in children, so that torch is imported once; each child is killed at a random moment.
KILLER = """
import json, os, random, signal, sys, time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
from narrows.data import infer
from narrows.recipes import RECIPES
from narrows.training import Settings, fit

recipe, n_kills, seed, root = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
rng = np.random.default_rng(0)
X = np.tanh(rng.normal(size=(400, 3)) @ rng.normal(size=(3, 8))) + 0.1 * rng.normal(size=(400, 8))
schema = infer(X, "test")


def run(name, checkpoint):
    torch.manual_seed(0)
    # many units for the recipes that are meant to have many, so that some die and are revived
    many = (RECIPES[recipe].parameters["n_components"].default or 0) > 16
    parts = RECIPES[recipe].make(schema, 64 if many else 2, hidden=(16,))
    settings = Settings(
        batch_size=16, max_epochs=40 + 8 * n_kills, precision="float32", device="cpu", seed=3,
        checkpoint=checkpoint, checkpoint_every=0,
    )
    result = fit(parts.model, parts.objective, X, schema, settings, fingerprint="a")
    save_file(dict(parts.model.state_dict()), root / f"{name}.safetensors")
    history = [{k: v for k, v in record.items() if k != "seconds"} for record in result.history]
    (root / f"{name}.json").write_text(json.dumps([history, result.notes, result.n_steps]))


def child(name, checkpoint):
    pid = os.fork()
    if pid == 0:
        try:
            run(name, checkpoint)
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid


def saved():
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


began = time.perf_counter()
assert os.waitpid(child("whole", None), 0)[1] == 0
took = time.perf_counter() - began
moments = random.Random(seed)
kills = resumed = 0
path = root / "checkpoint" / "checkpoint.safetensors"
while True:
    before = saved()
    resumed += before > 0
    pid = child("killed", path.parent)
    if kills < n_kills:
        if kills != 1:  # all but one get as far as a checkpoint of their own
            while saved() == before:
                time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.5 * took / n_kills))
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        kills += 1
        continue
    assert status == 0
    break
print(json.dumps({"kills": kills, "resumed": resumed}))
"""


def assert_goes_on_when_killed(recipe: str, n_kills: int, seed: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLER, recipe, str(n_kills), str(seed), str(tmp_path)]
    source = str(Path(loop_module.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts["kills"] == n_kills
    assert counts["resumed"] == n_kills
    assert_same_weights(load_file(tmp_path / "killed.safetensors"), load_file(tmp_path / "whole.safetensors"))
    killed, whole = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("killed", "whole"))
    assert killed == whole  # history, notes and the number of steps


# of vectors: the contract resumes models of tables and of images
OF_VECTORS = [name for name, recipe in RECIPES.items() if not recipe.is_tabular and not recipe.is_visual]


def suite_of(*names: str) -> list[Any]:
    """All recipes of vectors, of which only those of `names` run in the suite; the others are slow."""
    return [name if name in names else pytest.param(name, marks=pytest.mark.slow) for name in OF_VECTORS]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["vae", "sae"])
def test_a_killed_run_goes_on_to_the_same_weights(recipe, tmp_path):
    assert_goes_on_when_killed(recipe, 3, 1, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["ae", "vae", "sae", "factorvae", "vqvae", "aae"])
def test_a_run_killed_20_times_goes_on_to_the_same_weights(recipe, tmp_path):
    assert_goes_on_when_killed(recipe, 20, 2, tmp_path)


@pytest.mark.parametrize("recipe", suite_of("vae", "sae", "factorvae"))
def test_every_checkpoint_of_a_run_leads_to_the_same_end(recipe, tmp_path, monkeypatch):
    # every checkpoint that a run writes is kept; each is a moment at which it could have been killed
    kept = []
    write = files.write

    def keep(path, tensors, state):
        write(path, tensors, state)
        kept.append(path.read_bytes())

    settings = {"checkpoint_every": 0.0, "checkpoint": tmp_path}
    with monkeypatch.context() as patched:
        patched.setattr(files, "write", keep)
        whole, result = trained(recipe, **settings)
    assert len(kept) >= 5
    for content in kept[:: max(1, len(kept) // 3)]:
        (tmp_path / files.NAME).write_bytes(content)
        again, resumed = trained(recipe, **settings)
        assert_same_weights(again.state_dict(), whole.state_dict())
        assert without_times(resumed.history) == without_times(result.history)
        assert resumed.n_steps == result.n_steps


def test_checkpoints_do_not_change_the_run(tmp_path):
    a, _ = trained(checkpoint=tmp_path, checkpoint_every=0.0)
    b, _ = trained()
    assert_same_weights(a.state_dict(), b.state_dict())


def test_a_resumed_run_keeps_the_precision_that_was_chosen(tmp_path, monkeypatch):
    """ "auto" is decided by a measurement, which may come out differently the next time."""
    with monkeypatch.context() as patched:
        interrupt_at(patched, 100)
        with pytest.raises(Interrupted):
            trained("ae", checkpoint=tmp_path, precision="float32")
    monkeypatch.setattr("narrows.training.device.bfloat16_speedup", lambda device: 100.0)
    a, _ = trained("ae", checkpoint=tmp_path, precision="auto")
    assert_same_weights(a.state_dict(), trained("ae")[0].state_dict())


# ------------------------------------------------------------------------------------------------------- Ctrl-C


def test_ctrl_c_before_the_first_validation_keeps_what_was_learned(monkeypatch):
    X = np.random.default_rng(0).normal(size=(400, 8))
    X[:, 4:] = np.sin(2 * X[:, :4])
    model = AE(4, hidden=(32,), batch_size=16, learning_rate=3e-3, max_epochs=20, random_state=0, precision="float32")
    start = clone(model)
    for estimator, step in ((start, 0), (model, 60)):
        with monkeypatch.context() as patched:
            interrupt_at(patched, step)
            with pytest.raises(Interrupted):
                estimator.fit(X)
    assert not model.history_  # a validation comes every third epoch, after 69 steps
    assert model.score(X) > start.score(X) + 0.005


# 360 rows in batches of 16: 23 steps an epoch, a validation every 3 epochs, 276 steps in all
@pytest.mark.parametrize("step", [0, 37, 49, 50, 68, 69, 70, 275])
@pytest.mark.parametrize("recipe", ["vae", "sae"])
def test_ctrl_c_keeps_the_checkpoint(monkeypatch, tmp_path, step, recipe):
    whole, result = trained(recipe)
    assert result.n_steps == 276
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        interrupt_at(patched, step)
        with pytest.raises(Interrupted, match=rf"step {step + 1}; the best weights.*fit again to continue") as caught:
            trained(recipe, checkpoint=tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.result.n_steps == step + 1
    assert signal.getsignal(signal.SIGINT) is before
    again, resumed = trained(recipe, checkpoint=tmp_path)
    assert_same_weights(again.state_dict(), whole.state_dict())
    assert without_times(resumed.history) == without_times(result.history)


def test_a_second_ctrl_c_interrupts_at_once(monkeypatch, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        interrupt_at(patched, 130, times=2)
        with pytest.raises(KeyboardInterrupt) as caught:
            trained(checkpoint=tmp_path, checkpoint_every=0.0)
    assert not isinstance(caught.value, Interrupted)
    assert signal.getsignal(signal.SIGINT) is before
    again, _ = trained(checkpoint=tmp_path)
    assert_same_weights(again.state_dict(), trained()[0].state_dict())


def test_a_handler_that_was_not_set_from_python_is_left_alone(monkeypatch):
    monkeypatch.setattr(signal, "getsignal", lambda _: None)  # as where Python is embedded
    monkeypatch.setattr(signal, "signal", lambda *_: pytest.fail("it could not be put back"))
    assert trained(max_epochs=1)[1].n_epochs == 1


def test_a_checkpoint_of_another_module_is_refused(tmp_path):
    X = data()

    def fitted(activation, width=8):
        module = nn.Sequential(nn.Linear(X.shape[1], width), activation, nn.Linear(width, 2))
        common = {"max_epochs": 2, "random_state": 0, "device": "cpu", "checkpoint": tmp_path}
        return AE(2, network=(module, "mlp"), **common).fit(X)

    first, again = (fitted(nn.Tanh()).model_.state_dict() for _ in range(2))
    assert_same_weights(again, first)
    for other in (fitted(nn.ReLU()), fitted(nn.Tanh(), 9)):
        assert any("is of another training" in line for line in other.report_)


def test_ctrl_c_from_a_timer():
    timer = threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,))
    timer.start()
    with pytest.raises(Interrupted, match="Pass checkpoint=FOLDER to be able to continue"):
        trained(max_epochs=20_000)
    timer.join()


@pytest.mark.parametrize("seed", [5, None])
def test_an_interrupted_estimator_can_be_used_and_goes_on(monkeypatch, tmp_path, seed):
    X = data()
    parameters = {"n_components": 2, "hidden": (16,), "max_epochs": 12, "batch_size": 16, "precision": "float32"}
    model = VAE(**parameters, random_state=seed, checkpoint=tmp_path / "new" / "folder", device="cpu")
    with monkeypatch.context() as patched:
        interrupt_at(patched, 100)
        with pytest.raises(KeyboardInterrupt, match="fit again to continue"):
            model.fit(X)
    assert model.transform(X).shape == (400, 2)
    assert np.isfinite(model.score(X))
    model.save(tmp_path / "unfinished")
    path = tmp_path / "new" / "folder" / files.NAME
    used = files.read_without_tensors(path)["training"]["seed"]
    model.fit(X)
    whole = VAE(**parameters, random_state=used, device="cpu").fit(X)
    assert_same_weights(model.model_.state_dict(), whole.model_.state_dict())
    np.testing.assert_array_equal(model.score_samples(X), whole.score_samples(X))


def test_a_checkpoint_holds_what_its_module_says(tmp_path):
    AE(2, hidden=(16,), max_epochs=1, random_state=0, checkpoint=tmp_path).fit(data())
    states = files.read_without_tensors(tmp_path / files.NAME)
    listed = re.findall(r"^ {4}(\w+) {2,}", files.__doc__, flags=re.MULTILINE)
    assert set(listed) == set(states) - {"version"}


def test_a_finished_training_is_kept_until_it_is_saved(tmp_path):
    X = data()
    parameters = {"n_components": 2, "hidden": (16,), "max_epochs": 3, "random_state": 0, "checkpoint": tmp_path / "m"}
    first = AE(**parameters).fit(X)
    path = tmp_path / "m" / files.NAME
    assert files.read_without_tensors(path)["training"]["over"]
    again = AE(**parameters).fit(X)  # nothing is left to do
    assert_same_weights(again.model_.state_dict(), first.model_.state_dict())
    assert without_times(again.history_) == without_times(first.history_)
    other = AE(**{**parameters, "max_epochs": 4}).fit(X)  # another training is not kept from beginning
    assert other.n_iter_ == 4
    plain = AE(**{**parameters, "max_epochs": 4, "checkpoint": None}).fit(X)
    assert_same_weights(other.model_.state_dict(), plain.model_.state_dict())
    other.save(tmp_path / "m")
    assert not path.exists()


def test_training_in_another_thread():
    results = []
    thread = threading.Thread(target=lambda: results.append(trained("ae", max_epochs=2)))
    thread.start()
    thread.join()
    assert_same_weights(results[0][0].state_dict(), trained("ae", max_epochs=2)[0].state_dict())


# --------------------------------------------------------------------------------------- checkpoints that do not fit


@pytest.fixture
def unfinished(tmp_path, monkeypatch) -> Path:
    """The folder of a training that was interrupted."""
    with monkeypatch.context() as patched:
        interrupt_at(patched, 100)
        with pytest.raises(Interrupted):
            trained("ae", checkpoint=tmp_path)
    return tmp_path


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.9, 0.9999])
def test_a_truncated_checkpoint_is_refused(unfinished, share):
    path = unfinished / files.NAME
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match=r"checkpoint.safetensors is not a complete checkpoint .* Delete it to start"):
        trained("ae", checkpoint=unfinished)


def test_a_file_that_is_no_checkpoint_is_refused(unfinished):
    path = unfinished / files.NAME
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(ValueError, match="is not a complete checkpoint"):
        trained("ae", checkpoint=unfinished)
    from safetensors.torch import save_file

    for metadata in (None, {"other": "thing"}, {"state": "{"}):
        save_file({"a": torch.zeros(2)}, path, metadata=metadata)
        with pytest.raises(ValueError, match="is not a complete checkpoint"):
            trained("ae", checkpoint=unfinished)


def test_a_checkpoint_of_the_first_layout_is_gone_on_from(monkeypatch, tmp_path):
    """The file is that of `trained("ae", max_epochs=3)`, stopped at step 21 by acfb3a0."""
    monkeypatch.setattr("narrows.training.plan._FEW_ROWS", 0)  # the learning rate did not depend on the rows
    older = Path(__file__).parent / "checkpoint-of-first-layout.safetensors"
    (tmp_path / files.NAME).write_bytes(older.read_bytes())
    assert files.read_without_tensors(tmp_path / files.NAME)["clock"]["step"] == 21
    without_path = {"start": "random"}
    again, resumed = trained("ae", parameters=without_path, checkpoint=tmp_path, max_epochs=3)
    whole, result = trained("ae", parameters=without_path, max_epochs=3)
    for key, value in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, rtol=1e-3, atol=1e-4)  # rounding of two machines
    assert resumed.n_steps == result.n_steps
    (tmp_path / files.NAME).write_bytes(older.read_bytes())
    with pytest.raises(ValueError, match=r"is the checkpoint of another training"):
        trained("ae", checkpoint=tmp_path, max_epochs=3, fingerprint="b")


def test_a_checkpoint_of_another_training_is_refused(unfinished):
    with pytest.raises(ValueError, match=r"is the checkpoint of another training: its data or its parameters differ"):
        trained("ae", checkpoint=unfinished, fingerprint="b")
    with pytest.raises(ValueError, match=r"was trained with precision='float32', and this run has 'float64'"):
        trained("ae", checkpoint=unfinished, precision="float64")


@pytest.mark.parametrize(
    "changes",
    [{"n_components": 3}, {"beta": 2.0}, {"hidden": (17,)}, {"learning_rate": 0.1}, {"random_state": 1}, "data"],
)
def test_an_estimator_refuses_the_checkpoint_of_another(monkeypatch, tmp_path, changes):
    X = data()
    parameters = {"n_components": 2, "hidden": (16,), "max_epochs": 5, "batch_size": 32, "random_state": 0}
    parameters["checkpoint"] = tmp_path
    with monkeypatch.context() as patched:
        interrupt_at(patched, 20)
        with pytest.raises(KeyboardInterrupt):
            VAE(**parameters).fit(X)
    other, changes = (X + 0.001, {}) if changes == "data" else (X, changes)
    with pytest.raises(ValueError, match=r"(?s)another training.*Pass another folder as `checkpoint`, or delete"):
        VAE(**{**parameters, **changes}).fit(other)
    # what does not bear on the weights may change
    VAE(**{**parameters, "contamination": 0.2, "verbose": 0, "device": "cpu"}).fit(X)


# -------------------------------------------------------------------------------------------------- a full disk


def leaves_the_last_good_checkpoint(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [files.NAME, LOG]
    again, _ = trained("ae", checkpoint=folder)
    assert_same_weights(again.state_dict(), trained("ae")[0].state_dict())


def test_a_full_disk_leaves_the_last_good_checkpoint(unfinished, monkeypatch):
    good = (unfinished / files.NAME).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) // 2, hard))  # no file may grow beyond half a checkpoint
        _, result = trained("ae", checkpoint=unfinished, checkpoint_every=0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert any("no checkpoint could be written" in note for note in result.notes)
    assert (unfinished / files.NAME).read_bytes() == good
    leaves_the_last_good_checkpoint(unfinished)


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_disk_that_fails_leaves_the_last_good_checkpoint(unfinished, monkeypatch, call):
    good = (unfinished / files.NAME).read_bytes()

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(f"narrows.data.atomic.os.{call}", full)
        _, result = trained("ae", checkpoint=unfinished, checkpoint_every=0.0)
    assert any("No space left" in note for note in result.notes)
    assert (unfinished / files.NAME).read_bytes() == good
    leaves_the_last_good_checkpoint(unfinished)


# ----------------------------------------------------------------------------------------------------- the schedule


def test_warm_up_hold_cool_down():
    schedule = Schedule(1000)
    rates = np.array([schedule.rate_multiplier(step, 0.0) for step in range(1000)])
    np.testing.assert_allclose(rates[:100], np.arange(1, 101) / 100)
    assert (rates[100:700] == 1).all()
    np.testing.assert_allclose(rates[700:], 1 - np.arange(300) / 300, atol=1e-9)
    assert not schedule.is_over(999, 0.0)
    assert schedule.is_over(1000, 0.0)
    constant = Schedule(1000, constant=True)
    assert {constant.rate_multiplier(step, 0.0) for step in range(1000)} == {1.0}


@given(
    n_steps=st.integers(20, 3000),
    plateau=st.one_of(st.none(), st.floats(0.01, 0.99)),
    max_time=st.one_of(st.none(), st.floats(1, 100)),
    pace=st.floats(0.001, 0.05),
)
@hypothesis_settings(max_examples=150, deadline=None, derandomize=True)
def test_a_training_never_ends_hot(n_steps, plateau, max_time, pace):
    schedule = Schedule(n_steps, max_time)
    rates, step = [], 0
    while not schedule.is_over(step, step * pace):
        holding = not schedule.is_cooling(step, step * pace)
        if plateau is not None and holding and schedule.progress(step, step * pace) >= plateau:
            schedule.start_cooldown(step, step * pace)
        rates.append(schedule.rate_multiplier(step, step * pace))
        step += 1
    assert step <= n_steps
    if max_time is not None:
        assert step * pace <= max_time + pace + 1e-6
    assert all(0 <= rate <= 1 for rate in rates)
    peak = int(np.argmax(rates))
    assert (np.diff(rates[peak:]) <= 1e-12).all()  # once it falls it never rises
    cooling = sum(rate < max(rates) for rate in rates[peak:])
    if cooling >= 3:
        assert rates[-1] <= 2 * max(rates) / cooling  # linear to 0: the last step is among the smallest
    if len(rates) >= 20:
        assert cooling >= math.floor(COOLDOWN * len(rates)) - 2


def test_a_plateau_leads_to_a_cool_down(rng):
    noise = rng.normal(size=(300, 8))  # nothing to learn
    _, result = trained("ae", noise, max_epochs=4000, n_iter_no_change=3)
    assert any(
        "has not improved for 3 validations; cooling down" in note and "n_iter_no_change" in note
        for note in result.notes
    )
    assert result.n_epochs < 4000
    rates = [record["learning_rate"] for record in result.history]
    assert rates[-1] < 0.1 * max(rates)
    cooled = len(rates) - int(np.argmax(rates))
    assert cooled >= 2


def test_max_epochs_is_how_many_there_are():
    for epochs in (1, 5):
        _, result = trained(max_epochs=epochs)
        assert result.n_epochs == epochs
        assert result.n_steps == 23 * epochs
        assert result.history[-1]["epoch"] == epochs


def test_max_time_ends_the_training_cold(monkeypatch):
    ticks = iter(range(10**9))
    monkeypatch.setattr(clock_module, "time", SimpleNamespace(perf_counter=lambda: next(ticks) * 0.01))
    _, result = trained("ae", max_epochs=100_000, max_time=30.0, n_iter_no_change=10**6)
    assert 30.0 <= result.seconds < 31.0
    assert result.n_epochs < 1000
    rates = [record["learning_rate"] for record in result.history]
    assert rates[-1] < 0.1 * max(rates)
    assert rates[len(rates) // 2] == max(rates)


def test_max_time_by_the_clock():
    _, result = trained("ae", max_epochs=10**6, max_time=0.5, n_iter_no_change=10**6)
    assert 0.5 <= result.seconds < 60  # a loose end, for loaded machines
    assert result.history[-1]["learning_rate"] < result.history[0]["learning_rate"] or len(result.history) == 1


# --------------------------------------------------------------------------------------------- what can go wrong


class Poisoned(WeightedObjective):
    """An objective that gives NaN at certain steps of a training, as its value or only in its gradient."""

    def __init__(self, steps, in_gradient: bool = False) -> None:
        super().__init__()
        self.steps, self.in_gradient, self.count = set(steps), in_gradient, 0

    def forward(self, model, batch) -> Loss:
        loss = super().forward(model, batch)
        if not self.training:
            return loss
        self.count += 1
        if self.count not in self.steps:
            return loss
        if self.in_gradient:
            p = next(model.parameters())
            return Loss(loss.total + (p - p.detach()).sum().abs().sqrt(), loss.terms)  # 0, with the gradient inf * 0
        return Loss(loss.total * math.nan, loss.terms)


def fit_poisoned(steps, in_gradient: bool = False, **settings):
    X = data()
    parts = parts_of("ae", X)
    run_settings = Settings(**{**RUN, **settings})
    return parts.model, fit(parts.model, Poisoned(steps, in_gradient), X, infer(X, "test"), run_settings)


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("step", [1, 60, 200, 276, 300])
def test_a_loss_that_is_not_finite_is_set_back(early_stopping, step):
    model, result = fit_poisoned([step], early_stopping=early_stopping)
    assert all(torch.isfinite(t).all() for t in model.state_dict().values())
    n_steps = 276 if early_stopping else 300
    message = "the loss was not finite. Back to the last good weights, at half the learning rate"
    assert any(message in note for note in result.notes) == (step <= n_steps)
    assert all(math.isfinite(record["loss"]) for record in result.history)


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("step", [1, 60, 276])
def test_a_gradient_that_is_not_finite_is_skipped(early_stopping, step):
    model, _ = fit_poisoned([step], in_gradient=True, early_stopping=early_stopping)
    assert all(torch.isfinite(t).all() for t in model.state_dict().values())
    # the step is left out, and all others are made
    calm, _ = fit_poisoned([], early_stopping=early_stopping)
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), calm.parameters(), strict=True))


def test_setting_back_halves_the_learning_rate():
    _, calm = trained("ae")
    _, shaken = fit_poisoned([60])
    assert max(r["learning_rate"] for r in shaken.history) == pytest.approx(
        0.5 * max(r["learning_rate"] for r in calm.history)
    )


def test_a_loss_that_stays_non_finite_ends_the_training():
    with pytest.raises(FloatingPointError, match=r"became NaN or infinite 4 times .*Lower `learning_rate`"):
        fit_poisoned(range(10_000))


def test_a_step_that_is_much_too_long_does_not_leave_nan():
    try:
        model, result = trained("vae", learning_rate=1e4)
    except FloatingPointError as error:
        assert "learning_rate" in str(error)  # noqa: PT017 (either is right)
    else:
        assert all(torch.isfinite(t).all() for t in model.state_dict().values())
        assert np.isfinite([record["valid_loss"] for record in result.history]).all()


def test_posterior_collapse_is_named_and_tried_again_once():
    X = data()
    _, result = trained("vae", X, {"beta": 1e4, "kl_warmup": 0.0}, max_epochs=30)
    notes = [note for note in result.notes if "posterior collapse" in note]
    assert len(notes) == 1
    assert "lower `beta`" in notes[0]
    assert result.history[-1]["active_components"] == 0
    model = VAE(2, beta=1e4, kl_warmup=0.0, hidden=(16,), max_epochs=30, batch_size=16, random_state=0).fit(X)
    assert any("posterior collapse" in line for line in model.report_)
    assert model.unused_components_ == [0, 1]
    _, healthy = trained("vae", X)
    assert not any("collapse" in note for note in healthy.notes)
    assert healthy.history[-1]["active_components"] == 2


def test_over_fitting_is_named(rng):
    X = rng.normal(size=(240, 20))
    torch.manual_seed(0)
    parts = RECIPES["ae"].make(infer(X, "test"), 10, hidden=(256,))
    settings = Settings(**{**RUN, "max_epochs": 150, "learning_rate": 3e-3, "n_iter_no_change": 10**6})
    result = fit(parts.model, parts.objective, X, infer(X, "test"), settings)
    best = min(result.history, key=lambda record: record["valid_loss"])["epoch"]
    assert find_overfitting(result.history, 20) == best
    assert find_overfitting(result.history[:2], 20) is None  # too few to tell


# ---------------------------------------------------------------------------------------------- history, best weights


@pytest.mark.parametrize(
    ("recipe", "parameters", "terms", "health"),
    [
        ("ae", {}, {"nll"}, set()),
        ("vae", {}, {"nll", "kl"}, {"active_components"}),
        ("vae", {"free_nats": 0.1}, {"nll", "kl", "free_nats"}, {"active_components"}),
        ("dae", {}, {"nll"}, set()),
        ("sae", {}, {"nll"}, {"l0", "dead_fraction"}),
        ("sae", {"sparsity": "l1"}, {"nll", "l1"}, {"l0", "dead_fraction"}),
        ("sae", {"sparsity": "kl"}, {"nll", "kl_rate"}, {"l0", "dead_fraction"}),
    ],
)
def test_the_history_has_the_named_terms(recipe, parameters, terms, health):
    _, result = trained(recipe, parameters=parameters, max_epochs=6)
    losses = {"loss", *terms}
    expected = {"epoch", "step", "seconds", "learning_rate", *losses, *(f"valid_{name}" for name in losses), *health}
    assert [record["step"] for record in result.history] == [69, 138]
    for record in result.history:
        assert set(record) == expected
        json.dumps(record)
        assert record["valid_loss"] >= record["valid_nll"] - 1e-9


def test_the_mean_training_loss_is_a_mean_over_steps(monkeypatch):
    seen = []
    forward = WeightedObjective.forward

    def recording(self, model, batch):
        loss = forward(self, model, batch)
        if self.training:
            seen.append(float(loss.total.detach()))
        return loss

    monkeypatch.setattr(WeightedObjective, "forward", recording)
    _, result = trained("ae", max_epochs=6)
    assert result.history[0]["loss"] == pytest.approx(np.mean(seen[:69]), rel=1e-5)
    assert result.history[1]["loss"] == pytest.approx(np.mean(seen[69:]), rel=1e-5)


@pytest.mark.parametrize("recipe", ["ae", *(pytest.param(name, marks=pytest.mark.slow) for name in ("vae", "sae"))])
def test_the_best_weights_are_kept(recipe, rng):
    X = rng.normal(size=(240, 8)) + 0.3 * rng.normal(size=(240, 1))
    trainer = trainer_of(recipe, X, max_epochs=200, learning_rate=1e-2, n_iter_no_change=10**6)
    grown = trainer.objective.warmup  # while costs grow no loss counts
    result = trainer.run(threading.Event())
    losses = [record["valid_loss"] for record in result.history]
    kept = trainer.validation.measure()[0]["loss"]
    comparable = [loss for record, loss in zip(result.history, losses, strict=True) if record["epoch"] > grown * 200]
    assert kept == pytest.approx(min(comparable), rel=1e-6)
    if recipe == "ae":
        assert min(comparable) < comparable[-1]  # the last were not the best


def test_without_early_stopping_the_last_weights_are_kept():
    trainer = trainer_of("ae", early_stopping=False)
    trainer.run(threading.Event())
    assert trainer.plan.n_valid == 0
    assert len(trainer.batches.training) == 400
    assert "valid_loss" not in trainer.result.history[-1]


def test_held_out_rows_are_not_trained_on():
    batches = trainer_of("ae").batches
    assert len(batches.held_out) == 40
    assert set(batches.held_out.tolist()).isdisjoint(batches.training.tolist())
    for epoch in range(3):
        order = batches.shuffle(epoch).tolist()
        assert set(order) == set(batches.training.tolist())
        assert len(order) == 23 * 16  # the last batch is filled up
        assert not torch.equal(batches.shuffle(epoch), batches.shuffle(epoch + 1))
        assert torch.equal(batches.shuffle(epoch), batches.shuffle(epoch))


def test_verbose_says_what_happens(capsys):
    AE(2, hidden=(8,), max_epochs=2, random_state=0, verbose=0).fit(data())
    assert capsys.readouterr() == ("", "")
    AE(2, hidden=(8,), max_epochs=2, random_state=0, verbose=1).fit(data())
    out, err = capsys.readouterr()
    assert out == ""
    assert "batch_size" in err
    AE(2, hidden=(8,), max_epochs=2, random_state=0, verbose=2).fit(data())
    assert "nll" in capsys.readouterr().err


def test_a_training_that_is_over_holds_no_data(monkeypatch, rng):
    """On a GPU its memory is wanted by the next one, and Python's collector may be long in coming."""
    held = []

    class Noted(Rows):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            held.append(weakref.ref(self))

    X = rng.normal(size=(50, 5))
    AE(2, hidden=(8,), max_epochs=1, device="cpu").fit(X)  # what torch imports for the first one holds its frame
    monkeypatch.setattr(preparation, "Rows", Noted)
    gc.collect()
    gc.disable()
    try:
        model = AE(2, hidden=(8,), max_epochs=2, device="cpu", compile=False).fit(X)
        assert [rows() for rows in held] == [None]
    finally:
        gc.enable()
    assert model.history_


def test_a_gpu_that_nobody_uses_is_not_seeded(monkeypatch):
    """A seed would wait for it, and be the one that it then begins with."""
    seeds = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    before = torch.get_rng_state()
    with forked_rng(3):
        first = torch.rand(3)
    with forked_rng(3):
        assert torch.equal(torch.rand(3), first)
    assert seeds == []
    assert torch.equal(torch.get_rng_state(), before)


def test_flops_of_convolutions_are_counted_where_the_image_is_smaller():
    class Mirror(nn.Module):
        def __init__(self):
            super().__init__()
            self.down = nn.Conv2d(1, 3, 2, stride=2, bias=False)
            self.up = nn.ConvTranspose2d(3, 1, 2, stride=2, bias=False)

        def forward(self, x):
            return self.up(self.down(x))

    X = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    model = AE(2, network=(Mirror(), "mlp"), hidden=(), device="cpu")
    model.schema_ = infer(X, "test")
    parts = model._assemble(0)
    # 3 kernels of 2 x 2 at 4 x 4 places, down and up; then 64 numbers to 2 and back; twice for each, and three passes
    expected = 3 * 2 * (2 * 3 * 4 * 16 + 2 * 64 * 2)
    costs = count_costs(parts.model, parts.objective, Rows(X, model.schema_, torch.device("cpu")))
    assert costs == (expected, 64 + 3 * 16 + 64 + 2)  # the inputs of four layers
