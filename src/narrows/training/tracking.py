"""Trackers: they receive the history of a training while it runs. A text file next to the checkpoint is always one.

A tracker is any object with `log(step, values)` and `finish()`, and perhaps `show(step, values)`, which is called by
time between two steps. An error in one is reported once, and never stops the training. Only rank 0 tracks.

A resumed run keeps its name, which the checkpoint holds. Records of steps after the checkpoint are removed, or
not written again, so that no step appears twice.
"""

from __future__ import annotations

import functools
import importlib
import json
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from narrows.data.atomic import atomic_path

LOG = "log.jsonl"
_SHOW = 0.5  # least seconds between two calls of `show`: by time, because steps differ in length


class Tracker(Protocol):
    """An object that receives the history of a training."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Receive `values` by name, measured after `step` steps."""

    def finish(self) -> None:
        """Close the tracker: no more values follow."""


@dataclass(frozen=True)
class Run:
    """A training, as described to a tracker at the start.

    Attributes
    ----------
    name : unique name, which a resumed run keeps.
    title : name of the estimator.
    step : number of steps before this run; 0 for a new one.
    choices : decisions of the training, by name.
    """

    name: str
    title: str
    step: int
    choices: Mapping[str, str]


class JsonLines:
    """A text file with one JSON document per line: the run, the step, and the values by name.

    `pandas.read_json(path, lines=True)` reads it as a table. Several runs may share a file.
    """

    default = LOG

    def __init__(self, place: str, run: Run) -> None:
        self.path, self.run = Path(place), run
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._drop_later_lines()
        self.file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 (until `finish`)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write a line and flush it. JSON has no NaN or infinity: they become null."""
        finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self.file.write(json.dumps({"run": self.run.name, "step": step, **finite}) + "\n")
        self.file.flush()

    def finish(self) -> None:
        """Close the file."""
        self.file.close()

    def _drop_later_lines(self) -> None:
        """Remove the lines of this run after the step where it resumes, and an incomplete last line."""
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and not self._is_later(line)]
        if len(kept) < len(lines):
            with atomic_path(self.path) as temporary:
                temporary.write_text("".join(kept), encoding="utf-8")

    def _is_later(self, line: str) -> bool:
        try:
            record = json.loads(line)
            return bool(record["run"] == self.run.name and record["step"] > self.run.step)
        except (ValueError, KeyError, TypeError):
            return False  # not a line of narrows


class TensorBoard:
    """Scalars and the table of decisions in a folder. TensorBoard shows a folder as one run."""

    library, default = "torch.utils.tensorboard", "runs"

    def __init__(self, place: str, run: Run) -> None:
        library = importlib.import_module(self.library)
        # purge_step hides later steps in the folder, of this run or of an earlier one
        self.writer = library.SummaryWriter(place, purge_step=run.step + 1)
        if run.step == 0:
            table = "\n".join(f"| {name} | {value} |" for name, value in run.choices.items())
            self.writer.add_text(run.title, f"| decided | |\n|---|---|\n{table}", 1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write a point of each curve."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def finish(self) -> None:
        """Close the writer."""
        self.writer.close()


class MLflow:
    """A run in an experiment, on the server of MLFLOW_TRACKING_URI. Active runs of the user are not changed.

    See https://mlflow.org/docs/latest/api_reference/python_api/mlflow.client.html.
    """

    library, default = "mlflow", "narrows"

    def __init__(self, place: str, run: Run) -> None:
        library = importlib.import_module(self.library)
        self.metric = library.entities.Metric
        self.client = library.MlflowClient()
        experiment = self.client.get_experiment_by_name(place)
        experiment_id = experiment.experiment_id if experiment else self.client.create_experiment(place)
        runs = self.client.search_runs([experiment_id], f"tags.narrows_run = '{run.name}'") if run.step else []
        if runs:
            self.id = runs[0].info.run_id
            self.client.update_run(self.id, status="RUNNING")
            self.last_step = max((m.step for m in self.client.get_metric_history(self.id, "epoch")), default=run.step)
        else:
            self.id = self.client.create_run(
                experiment_id, run_name=run.title, tags={"narrows_run": run.name}
            ).info.run_id
            self.last_step = run.step
            self.client.log_batch(self.id, params=[library.entities.Param(*pair) for pair in run.choices.items()])

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Send all values in one request. Steps that MLflow already holds are skipped, because it deletes nothing."""
        if step > self.last_step:
            now = round(1000 * time.time())
            self.client.log_batch(self.id, metrics=[self.metric(name, v, now, step) for name, v in values.items()])

    def finish(self) -> None:
        """Mark the run as finished."""
        self.client.set_terminated(self.id)


class WandB:
    """A run in a project of Weights & Biases. WANDB_MODE=offline keeps it on this machine.

    See https://docs.wandb.ai/ref/python/init.
    """

    library, default = "wandb", "narrows"

    def __init__(self, place: str, run: Run) -> None:
        library = importlib.import_module(self.library)
        self.run = library.init(
            project=place, id=run.name, name=f"{run.title} {run.name}", config=dict(run.choices), resume="allow"
        )
        self.last_step = max(run.step, int(self.run.step or 0) - 1)  # its `step` is the number of the next step

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Send all values of a step. Steps that the run already holds are skipped."""
        if step > self.last_step:
            self.run.log(dict(values), step=step)

    def finish(self) -> None:
        """Send the remaining values, and close the run."""
        self.run.finish()


TRACKERS: dict[str, Any] = {"jsonl": JsonLines, "tensorboard": TensorBoard, "mlflow": MLflow, "wandb": WandB}
DESCRIPTION = (
    "None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) "
    "and finish(), or a list of these"
)


def is_valid(track: Any) -> bool:
    """True if `track` is a valid value of the `track` parameter."""
    if isinstance(track, (list, tuple)):
        return all(is_valid(item) for item in track)
    if isinstance(track, (str, Path)):
        return _split(track)[0] in TRACKERS
    return track is None or is_tracker(track)


def is_tracker(value: Any) -> bool:
    """True if `value` has the methods of a tracker."""
    return callable(getattr(value, "log", None)) and callable(getattr(value, "finish", None))


class Tracking:
    """All trackers of one training.

    Parameters
    ----------
    track : value of the `track` parameter.
    folder : folder of the checkpoint and of the plain log, or None.
    add_note : function that records a message for the user.

    Raises
    ------
    ImportError
        If the library of a tracker is not installed.
    """

    def __init__(self, track: Any, folder: Path | None, add_note: Callable[[str], None]) -> None:
        targets = list(track) if isinstance(track, (list, tuple)) else [track]
        self.targets = [target for target in [folder and folder / LOG, *targets] if target is not None]
        self.add_note, self.name = add_note, secrets.token_hex(4)
        self.trackers: dict[str, Tracker] = {}
        self.shown_at = -math.inf
        for target in self.targets:
            _check_installed(target)

    def begin(self, title: str, step: int, choices: Sequence[Any]) -> None:
        """Open all trackers, after `step` steps; `choices` are the decisions of the training."""
        run = Run(self.name, title, step, {choice.name: choice.value for choice in choices})
        for number, target in enumerate(self.targets):
            if is_tracker(target):
                self.trackers[f"{type(target).__name__} (number {number})"] = target
            else:
                self._call_safely(str(target), functools.partial(self._open, target, run))

    @property
    def watchers(self) -> dict[str, Any]:
        """The trackers with a method `show`, by name."""
        return {name: t for name, t in self.trackers.items() if callable(getattr(t, "show", None))}

    def show(
        self,
        step: int,
        measure: Callable[[], Mapping[str, float]],
        use_weights: Callable[[bool], AbstractContextManager[None]],
    ) -> None:
        """Pass on how far the training is after `step` steps, unless that was done less than half a second ago.

        Parameters
        ----------
        measure : function that returns share, n_steps, seconds, is_best, and the latest loss with its terms.
        use_weights : function that takes is_best, and returns a context in which the model has the weights to be shown.
        """
        if time.perf_counter() - self.shown_at < _SHOW or not (watchers := self.watchers):
            return
        values = measure()
        with use_weights(bool(values["is_best"])):
            for name, tracker in watchers.items():
                self._call_safely(name, functools.partial(tracker.show, step, values))
        self.shown_at = time.perf_counter()

    def log(self, record: Mapping[str, Any]) -> None:
        """Pass a record of the history to all trackers."""
        values = {name: float(value) for name, value in record.items() if name != "step" and value is not None}
        for name, tracker in list(self.trackers.items()):
            self._call_safely(name, functools.partial(tracker.log, record["step"], values))

    def close(self) -> None:
        """Finish all trackers."""
        for name, tracker in list(self.trackers.items()):
            self._call_safely(name, tracker.finish)
        self.trackers = {}

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {"name": self.name}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        self.name = state["name"]

    def _open(self, target: str | Path, run: Run) -> None:
        kind, place = _split(target)
        self.trackers[str(target)] = TRACKERS[kind](place or TRACKERS[kind].default, run)

    def _call_safely(self, name: str, call: Callable[[], object]) -> None:
        """Call `call`. If it fails, drop the tracker and continue the training."""
        try:
            call()
        except Exception as error:  # a library or a network may raise anything
            self.trackers.pop(name, None)
            self.add_note(
                f"Tracking to {name} failed ({type(error).__name__}: {error}); it is stopped, and the training "
                "continues. `history_` holds all values."
            )


def _split(target: str | Path) -> tuple[str, str]:
    """Split a string such as 'tensorboard:runs/a' into the kind and the place of a tracker."""
    if str(target).endswith(".jsonl"):
        return "jsonl", str(target).removeprefix("jsonl:")
    kind, _, place = str(target).partition(":")
    return kind, place


def _check_installed(target: Any) -> None:
    if is_tracker(target):
        return
    kind, _ = _split(target)
    library = getattr(TRACKERS[kind], "library", "json")
    try:
        importlib.import_module(library)
    except ImportError as error:
        raise ImportError(
            f"track={str(target)!r} needs {kind}, which is not installed: pip install 'narrows[track]'. A .jsonl file "
            "needs no library."
        ) from error
