"""Where the numbers of a training go while it runs: a plain file beside the checkpoint, and wherever else is asked.

A tracker is any object with `log(step, values)` and `finish()`. What goes wrong in one is said once, and never stops
the training. Only the first of several processes tracks.

A run that was interrupted and goes on keeps its name, which the checkpoint holds. What its trackers hold of steps after
the checkpoint is taken back, or not written again, so that no step is there twice.
"""

from __future__ import annotations

import functools
import importlib
import json
import math
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from narrows.data.atomic import atomic_path

LOG = "log.jsonl"


class Tracker(Protocol):
    """What takes the numbers of a training."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the `values` by name that were found after `step` steps."""

    def finish(self) -> None:
        """Nothing more will come."""


@dataclass(frozen=True)
class Run:
    """A training, as a tracker is told of it before it begins.

    Attributes
    ----------
    name : its own, and the same when it goes on.
    title : what is trained.
    step : steps that were done before.
    choices : what was decided, by name.
    """

    name: str
    title: str
    step: int
    choices: Mapping[str, str]


class JsonLines:
    """A text file with one JSON document a line: the run, the step, and the values by name.

    `pandas.read_json(path, lines=True)` is a table of it. Several runs may share a file.
    """

    default = LOG

    def __init__(self, place: str, run: Run) -> None:
        self.path, self.run = Path(place), run
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self._take_back()
        self.file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 (until `finish`)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """A line, on disk at once. JSON has no NaN or infinity: they are null."""
        finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self.file.write(json.dumps({"run": self.run.name, "step": step, **finite}) + "\n")
        self.file.flush()

    def finish(self) -> None:
        """Close the file."""
        self.file.close()

    def _take_back(self) -> None:
        """Leave out what this run wrote after the step where it goes on, and a last line that was cut off."""
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and not self._later(line)]
        if len(kept) < len(lines):
            with atomic_path(self.path) as temporary:
                temporary.write_text("".join(kept), encoding="utf-8")

    def _later(self, line: str) -> bool:
        try:
            found = json.loads(line)
            return bool(found["run"] == self.run.name and found["step"] > self.run.step)
        except (ValueError, KeyError, TypeError):
            return False  # not ours


class TensorBoard:
    """Scalars in a folder, and what was decided as a text; the folder is the run, as TensorBoard has it."""

    library, default = "torch.utils.tensorboard", "runs"

    def __init__(self, place: str, run: Run) -> None:
        library = importlib.import_module(self.library)
        # what lies there of later steps, of this run or of one before it, is hidden
        self.writer = library.SummaryWriter(place, purge_step=run.step + 1)
        if run.step == 0:
            table = "\n".join(f"| {name} | {value} |" for name, value in run.choices.items())
            self.writer.add_text(run.title, f"| decided | |\n|---|---|\n{table}", 1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One point for each curve."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def finish(self) -> None:
        """Close the writer."""
        self.writer.close()


class MLflow:
    """A run in an experiment, on the server that MLFLOW_TRACKING_URI names; a run of your own is left alone.

    See https://mlflow.org/docs/latest/api_reference/python_api/mlflow.client.html.
    """

    library, default = "mlflow", "narrows"

    def __init__(self, place: str, run: Run) -> None:
        library = importlib.import_module(self.library)
        self.metric = library.entities.Metric
        self.client = library.MlflowClient()
        experiment = self.client.get_experiment_by_name(place)
        where = experiment.experiment_id if experiment else self.client.create_experiment(place)
        mine = self.client.search_runs([where], f"tags.narrows_run = '{run.name}'") if run.step else []
        if mine:
            self.id = mine[0].info.run_id
            self.client.update_run(self.id, status="RUNNING")
            self.last = max((m.step for m in self.client.get_metric_history(self.id, "epoch")), default=run.step)
        else:
            self.id = self.client.create_run(where, run_name=run.title, tags={"narrows_run": run.name}).info.run_id
            self.last = run.step
            self.client.log_batch(self.id, params=[library.entities.Param(*pair) for pair in run.choices.items()])

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """All values in one request; MLflow takes nothing back, so what it holds already is passed over."""
        if step > self.last:
            now = round(1000 * time.time())
            self.client.log_batch(self.id, metrics=[self.metric(name, v, now, step) for name, v in values.items()])

    def finish(self) -> None:
        """Mark the run as finished."""
        self.client.set_terminated(self.id)


class WandB:
    """A run in a project of Weights & Biases; WANDB_MODE=offline keeps it on this machine.

    See https://docs.wandb.ai/ref/python/init.
    """

    library, default = "wandb", "narrows"

    def __init__(self, place: str, run: Run) -> None:
        library = importlib.import_module(self.library)
        self.run = library.init(
            project=place, id=run.name, name=f"{run.title} {run.name}", config=dict(run.choices), resume="allow"
        )
        self.last = max(run.step, int(self.run.step or 0) - 1)  # the next step that it would take by itself is `step`

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """All values at a step; what the run holds already is passed over."""
        if step > self.last:
            self.run.log(dict(values), step=step)

    def finish(self) -> None:
        """Send what is left."""
        self.run.finish()


TRACKERS: dict[str, Any] = {"jsonl": JsonLines, "tensorboard": TensorBoard, "mlflow": MLflow, "wandb": WandB}
WORDS = (
    "None, a .jsonl file, 'tensorboard:FOLDER', 'mlflow:EXPERIMENT', 'wandb:PROJECT', an object with log(step, values) "
    "and finish(), or a list of such"
)


def accepts(asked: Any) -> bool:
    """Whether the `track` parameter may be that."""
    if isinstance(asked, (list, tuple)):
        return all(accepts(one) for one in asked)
    if isinstance(asked, (str, Path)):
        return _kind(asked)[0] in TRACKERS
    return asked is None or is_tracker(asked)


def is_tracker(value: Any) -> bool:
    """Whether `value` is an object that takes numbers."""
    return callable(getattr(value, "log", None)) and callable(getattr(value, "finish", None))


class Tracking:
    """All trackers of one training.

    Parameters
    ----------
    asked : what the `track` parameter says.
    folder : of the checkpoint, if there is one: the plain log lies beside it.
    say : takes a note for whoever trains.

    Raises
    ------
    ImportError
        If the library of a tracker is not installed.
    """

    def __init__(self, asked: Any, folder: Path | None, say: Callable[[str], None]) -> None:
        several = list(asked) if isinstance(asked, (list, tuple)) else [asked]
        self.asked = [one for one in [folder and folder / LOG, *several] if one is not None]
        self.say, self.name = say, secrets.token_hex(4)
        self.trackers: dict[str, Tracker] = {}
        for one in self.asked:
            _check_installed(one)

    def begin(self, title: str, step: int, choices: Sequence[Any]) -> None:
        """Open all trackers, after `step` steps; `choices` are what was decided."""
        run = Run(self.name, title, step, {choice.name: choice.value for choice in choices})
        for number, one in enumerate(self.asked):
            if is_tracker(one):
                self.trackers[f"{type(one).__name__} (number {number})"] = one
            else:
                self._tried(str(one), functools.partial(self._open, one, run))

    def log(self, record: Mapping[str, Any]) -> None:
        """Hand on a record of the history."""
        values = {name: float(value) for name, value in record.items() if name != "step" and value is not None}
        for name, tracker in list(self.trackers.items()):
            self._tried(name, functools.partial(tracker.log, record["step"], values))

    def close(self) -> None:
        """Nothing more will come."""
        for name, tracker in list(self.trackers.items()):
            self._tried(name, tracker.finish)
        self.trackers = {}

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"name": self.name}

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.name = state["name"]

    def _open(self, place: str | Path, run: Run) -> None:
        kind, where = _kind(place)
        self.trackers[str(place)] = TRACKERS[kind](where or TRACKERS[kind].default, run)

    def _tried(self, name: str, call: Callable[[], object]) -> None:
        """Call; a tracker that fails is given up, and the training goes on."""
        try:
            call()
        except Exception as error:  # whatever a library or a network may raise
            self.trackers.pop(name, None)
            self.say(
                f"Tracking to {name} failed ({type(error).__name__}: {error}); it is given up, and the training goes "
                "on. `history_` holds all that was found."
            )


def _kind(asked: str | Path) -> tuple[str, str]:
    """A tracker's kind and its place: 'tensorboard:runs/a', or a .jsonl file."""
    if str(asked).endswith(".jsonl"):
        return "jsonl", str(asked).removeprefix("jsonl:")
    kind, _, place = str(asked).partition(":")
    return kind, place


def _check_installed(asked: Any) -> None:
    if is_tracker(asked):
        return
    kind, _ = _kind(asked)
    library = getattr(TRACKERS[kind], "library", "json")
    try:
        importlib.import_module(library)
    except ImportError as error:
        raise ImportError(
            f"track={str(asked)!r} needs {kind}, which is not installed: pip install 'narrows[track]'. A .jsonl file "
            "needs nothing."
        ) from error
