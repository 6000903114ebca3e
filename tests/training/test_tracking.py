"""Trackers receive each step once, also after a stop, and cannot stop a training."""

import importlib.util
import json
import math
import sys
import types
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from interrupting import interrupt_at

from narrows import AE, VAE, load
from narrows.training import Interrupted, loop, tracking
from narrows.training.tracking import LOG, JsonLines, Run, Tracking

TINY = {
    "n_components": 2,
    "hidden": (16,),
    "batch_size": 32,
    "max_epochs": 12,
    "random_state": 0,
    "precision": "float32",
    "device": "cpu",
}


class Recorder:
    """A user's tracker."""

    def __init__(self):
        self.steps, self.finished = [], 0

    def log(self, step, values):
        assert all(type(value) is float for value in values.values())
        self.steps.append(step)

    def finish(self):
        self.finished += 1


class Broken(Recorder):
    """A tracker whose server is away."""

    def log(self, step, values):
        raise ConnectionError("the server is away")


class Watcher(Recorder):
    """A tracker that is also shown how far the training is."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def show(self, step, values):
        self.shown.append((step, dict(values)))


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def steps_of(model) -> list[int]:
    return [record["step"] for record in model.history_]


def stopped_and_resumed(monkeypatch, X, step=20, **parameters):
    """A training that Ctrl-C ended, with a validation between its last checkpoint and its end, and then went on."""
    with monkeypatch.context() as patched:
        interrupt_at(patched, step)
        with pytest.raises(Interrupted):
            AE(**TINY, **parameters).fit(X)
    return AE(**TINY, **parameters).fit(X)


def test_the_log_beside_the_checkpoint_holds_the_history(vectors, tmp_path):
    model = VAE(**TINY, checkpoint=tmp_path).fit(vectors)
    records = lines(tmp_path / LOG)
    assert len({line.pop("run") for line in records}) == 1
    assert records == model.history_
    model.save(tmp_path)
    assert (tmp_path / LOG).exists()  # the checkpoint is gone, what was learned and how is there


def test_a_file_takes_several_runs(vectors, tmp_path):
    place = tmp_path / "new" / "runs.jsonl"
    for seed in range(2):
        AE(**{**TINY, "random_state": seed}, track=place).fit(vectors)
    records = lines(place)
    assert len({line["run"] for line in records}) == 2
    assert len({(line["run"], line["step"]) for line in records}) == len(records)


def test_a_resumed_run_has_no_step_twice(vectors, tmp_path, monkeypatch):
    kept = Recorder()
    model = stopped_and_resumed(monkeypatch, vectors, checkpoint=tmp_path, track=kept)
    records = lines(tmp_path / LOG)
    assert [line["step"] for line in records] == steps_of(model) == kept.steps
    assert len({line["run"] for line in records}) == 1
    assert kept.finished == 2


def test_a_killed_run_takes_back_what_came_after_its_checkpoint(tmp_path):
    path = tmp_path / LOG
    other = {"run": "b", "step": 99, "loss": 1.0}
    own_lines = [{"run": "a", "step": step, "loss": 1.0} for step in (10, 20, 30)]
    whole = "".join(json.dumps(line) + "\n" for line in [own_lines[0], other, *own_lines[1:]])
    path.write_text("a line of somebody else's\n" + whole + '{"run": "a", "st')
    log = JsonLines(str(path), Run("a", "AE", 20, {}))
    log.log(30, {"loss": math.inf})
    log.finish()
    first, *rest = path.read_text().splitlines()
    assert first == "a line of somebody else's"
    assert [json.loads(line) for line in rest] == [
        own_lines[0],
        other,
        own_lines[1],
        {"run": "a", "step": 30, "loss": None},
    ]


def test_a_tracker_that_fails_is_given_up_and_said_once(vectors, capsys):
    kept, broken = Recorder(), Broken()
    model = AE(**TINY, track=[broken, kept]).fit(vectors)
    assert kept.steps == steps_of(model)
    notes = [line for line in model.report_ if "Tracking to" in line]
    assert len(notes) == 1
    assert "Broken" in notes[0]
    assert "the server is away" in notes[0]
    assert broken.finished == 0


def test_a_place_that_cannot_be_written_does_not_stop_the_training(vectors, tmp_path):
    (tmp_path / "file").write_text("")
    model = AE(**TINY, track=str(tmp_path / "file" / "log.jsonl")).fit(vectors)
    assert sum("Tracking to" in line for line in model.report_) == 1


def test_tracking_does_not_change_the_weights(vectors, tmp_path):
    plain, tracked = AE(**TINY).fit(vectors), AE(**TINY, track=tmp_path / "a.jsonl").fit(vectors)
    assert np.array_equal(plain.transform(vectors), tracked.transform(vectors))


def test_a_tracker_is_shown_each_step_from_the_start_if_steps_are_slow(vectors, monkeypatch):
    plain = AE(**TINY).fit(vectors)
    monkeypatch.setattr(tracking, "_SHOW", 0.0)
    watcher = Watcher()
    model = AE(**TINY, track=watcher).fit(vectors)
    assert np.array_equal(plain.transform(vectors), model.transform(vectors))
    (first, values), *rest = watcher.shown
    assert (first, values["share"]) == (0, 0.0)
    assert "loss" not in values  # nothing was learned yet
    assert [step for step, _ in rest] == list(range(1, steps_of(model)[-1] + 1))
    assert [v["share"] for _, v in rest] == [step / v["n_steps"] for step, v in rest]
    losses = [v["loss"] for _, v in rest]
    n = steps_of(model)[0]
    assert np.mean(losses[:n]) == pytest.approx(model.history_[0]["loss"])


def test_a_model_that_gets_worse_is_shown_as_it_was_at_its_best(vectors, monkeypatch):
    monkeypatch.setattr(tracking, "_SHOW", 0.0)
    errors, flags = [], []

    class Looking(Watcher):
        def show(self, step, values):
            with torch.no_grad():
                network, x = model.model_.eval(), model.schema_.prepare(torch.tensor(vectors)).float()
                errors.append(float((network.reconstruct(x) - x).square().mean()))
            network.train()
            flags.append(values["is_best"])

    model = AE(**TINY, learning_rate=3.0, track=Looking())
    model.fit(vectors)
    assert not [line for line in model.report_ if "failed" in line]
    assert set(flags) == {0.0, 1.0}
    assert flags[0] == 0  # the start
    assert max(error for error, flag in zip(errors, flags, strict=True) if flag) <= errors[0] * 1.001
    plain = AE(**TINY, learning_rate=3.0).fit(vectors)
    assert np.array_equal(plain.transform(vectors), model.transform(vectors))


def test_a_watcher_that_fails_is_given_up_and_said(vectors):
    class Blind(Recorder):
        def show(self, step, values):
            raise RuntimeError("no screen")

    watcher = Blind()
    model = AE(**TINY, track=watcher).fit(vectors)
    assert watcher.steps == []
    assert [line for line in model.report_ if "no screen" in line]


@pytest.mark.parametrize("track", ["csv:a", 3, "tensorbord:runs", [Recorder(), "nothing"], object()])
def test_what_is_refused(vectors, track):
    with pytest.raises(ValueError, match=r"The `track` parameter of AE must be None, a \.jsonl file, 'tensorboard:"):
        AE(**TINY, track=track).fit(vectors)


def test_a_library_that_is_missing_is_named_before_the_training(vectors, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ImportError, match=r"needs wandb, which is not installed: pip install 'narrows\[track\]'"):
        AE(**TINY, track="wandb:project").fit(vectors)


def test_a_model_with_a_tracker_is_saved_and_loaded(vectors, tmp_path):
    AE(**TINY, track=[Recorder(), str(tmp_path / "a.jsonl")]).fit(vectors).save(tmp_path / "m")
    loaded = load(tmp_path / "m")
    assert loaded.track == [None, str(tmp_path / "a.jsonl")]
    loaded.fit(vectors)
    assert len({line["run"] for line in lines(tmp_path / "a.jsonl")}) == 2


def test_only_the_first_process_tracks(vectors, tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(Tracking, "begin", lambda self, *_: begun.append(self))
    monkeypatch.setattr(loop.parallel, "join", lambda device, join=loop.parallel.join: _second(join(device)))
    AE(**TINY, track=tmp_path / "a.jsonl").fit(vectors)
    assert begun == []


def _second(world):
    """The same world, seen from its second process."""
    import copy

    other = copy.copy(world)
    object.__setattr__(other, "rank", 1)
    return other


# ------------------------------------------------------------------------------------------------- TensorBoard


def scalars(folder: Path) -> dict[str, list[int]]:
    """The steps of every curve, as TensorBoard shows them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return {name: [event.step for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_tensorboard_reads_the_curves(vectors, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard", reason="tensorboard is not here")
    folder = tmp_path / "runs"
    model = stopped_and_resumed(monkeypatch, vectors, checkpoint=tmp_path, track=f"tensorboard:{folder}")
    records = scalars(folder)
    assert {"loss", "valid_loss", "learning_rate", "seconds"} <= records.keys()
    assert set(map(tuple, records.values())) == {tuple(steps_of(model))}


def test_tensorboard_hides_what_a_killed_run_wrote_after_its_checkpoint(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not here")
    for start in (0, 20):
        writer = tracking.TensorBoard(str(tmp_path), Run("a", "AE", start, {"batch_size": "32"}))
        for step in (10, 20, 30):
            if step > start:
                writer.log(step, {"loss": float(step)})
        writer.finish()
    assert scalars(tmp_path) == {"loss": [10, 20, 30]}


# ------------------------------------------------------- MLflow, Weights & Biases: in place of them, what they document


class FakeClient:
    """`mlflow.MlflowClient`, as far as it is used: a store that outlives the client, and takes nothing back."""

    experiments: ClassVar[dict] = {}
    runs: ClassVar[dict] = {}

    def get_experiment_by_name(self, name):
        return types.SimpleNamespace(experiment_id=self.experiments[name]) if name in self.experiments else None

    def create_experiment(self, name):
        self.experiments[name] = str(len(self.experiments))
        return self.experiments[name]

    def create_run(self, experiment_id, run_name=None, tags=None):
        id = f"run{len(self.runs)}"
        self.runs[id] = {"tags": tags, "metrics": [], "params": {}, "status": "RUNNING", "name": run_name}
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id=id))

    def search_runs(self, experiment_ids, filter_string=""):
        name = filter_string.removeprefix("tags.narrows_run = ").strip("'")
        return [
            types.SimpleNamespace(info=types.SimpleNamespace(run_id=id))
            for id, run in self.runs.items()
            if run["tags"]["narrows_run"] == name
        ]

    def update_run(self, run_id, status=None):
        self.runs[run_id]["status"] = status

    def log_batch(self, run_id, metrics=(), params=()):
        self.runs[run_id]["metrics"] += metrics
        self.runs[run_id]["params"] |= dict(params)

    def get_metric_history(self, run_id, key):
        return [metric for metric in self.runs[run_id]["metrics"] if metric.key == key]

    def set_terminated(self, run_id):
        self.runs[run_id]["status"] = "FINISHED"


@pytest.fixture
def fake_mlflow(monkeypatch):
    fake = types.ModuleType("mlflow")
    fake.MlflowClient = FakeClient
    fake.entities = types.SimpleNamespace(
        Metric=lambda key, value, timestamp, step: types.SimpleNamespace(key=key, value=value, step=step),
        Param=lambda key, value: (key, value),
    )
    monkeypatch.setattr(FakeClient, "runs", {})
    monkeypatch.setattr(FakeClient, "experiments", {})
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    return FakeClient


def test_mlflow_has_one_run_for_a_training_that_went_on(vectors, tmp_path, monkeypatch, fake_mlflow):
    model = stopped_and_resumed(monkeypatch, vectors, checkpoint=tmp_path, track="mlflow:outliers")
    (run,) = fake_mlflow.runs.values()
    assert list(fake_mlflow.experiments) == ["outliers"]
    assert run["status"] == "FINISHED"
    assert run["params"]["device"] == "cpu"
    assert [m.step for m in run["metrics"] if m.key == "valid_loss"] == steps_of(model)


def test_mlflow_itself(vectors, tmp_path, monkeypatch):
    if importlib.util.find_spec("mlflow") is None:
        pytest.skip("mlflow is not here")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    import mlflow

    model = stopped_and_resumed(monkeypatch, vectors, checkpoint=tmp_path / "c", track="mlflow:outliers")
    assert not [line for line in model.report_ if "Tracking" in line]
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("outliers").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["device"] == "cpu"
    assert [m.step for m in client.get_metric_history(run.info.run_id, "valid_loss")] == steps_of(model)


class FakeRun:
    """`wandb.Run`, as far as it is used: steps only grow, and smaller ones are an error here (wandb drops them)."""

    kept: ClassVar[dict] = {}

    def __init__(self, id):
        self.rows = self.kept.setdefault(id, [])

    @property
    def step(self):
        return self.rows[-1][0] + 1 if self.rows else 0

    def log(self, values, step=None):
        assert step >= self.step
        self.rows.append((step, values))

    def finish(self):
        self.rows.append((self.rows[-1][0], "finished"))


def test_wandb_has_one_run_for_a_training_that_went_on(vectors, tmp_path, monkeypatch):
    calls = []

    def init(**values):
        calls.append(values)
        return FakeRun(values["id"])

    fake = types.ModuleType("wandb")
    fake.init = init
    monkeypatch.setattr(FakeRun, "kept", {})
    monkeypatch.setitem(sys.modules, "wandb", fake)
    model = stopped_and_resumed(monkeypatch, vectors, checkpoint=tmp_path, track="wandb")
    (rows,) = FakeRun.kept.values()
    assert [step for step, values in rows if values != "finished"] == steps_of(model)
    assert {values["project"] for values in calls} == {"narrows"}
    assert calls[0]["id"] == calls[1]["id"]
    assert calls[0]["config"]["device"] == "cpu"
