"""The only training loop.

A batch is a slice of row numbers. No step waits for the device: losses are summed on it and read every `_REPORT` steps.
The checkpoint holds everything that a step depends on. A run that was killed resumes to the same weights.
"""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from typing import Any

import numpy as np
from torch import Tensor

from narrows import accelerate
from narrows.data import Examples, MappedRows, Schema
from narrows.model import Autoencoder
from narrows.objectives import Objective
from narrows.training import checkpoint, parallel
from narrows.training.averaging import Averaging
from narrows.training.device import default_n_threads, use_threads
from narrows.training.early_stopping import EarlyStopping
from narrows.training.health import find_non_finite
from narrows.training.interrupt import deferred_interrupt
from narrows.training.preparation import prepare
from narrows.training.progress import Reporter
from narrows.training.recovery import Recovery
from narrows.training.result import Result, add_note, keep_on_failure, make_interrupted
from narrows.training.rng import RandomStream, draws_globally
from narrows.training.saving import Component, Saver, identify, settings_to_resume
from narrows.training.schedule import Schedule
from narrows.training.settings import Settings
from narrows.training.step import Step
from narrows.training.tracking import Tracking
from narrows.training.validation import Validation
from narrows.training.weights import Weights

_REPORT = 50  # steps between two readings of the losses


def fit(
    model: Autoencoder,
    objective: Objective,
    X: np.ndarray | MappedRows | Examples,
    schema: Schema,
    settings: Settings,
    *,
    title: str = "fit",
    fingerprint: str = "",
    labels: np.ndarray | None = None,
) -> Result:
    """Train `model` in place to minimise `objective` over the rows of `X`.

    Parameters
    ----------
    X : rows as `narrows.data.as_rows` returns them, or any other `Examples`.
    title : name of the estimator, for the progress bar and error messages.
    fingerprint : hash of the model's parameters and the data. A checkpoint with another fingerprint is refused. All
        processes must have the same one.
    labels : class numbers of the rows, n integers, for a conditional model; otherwise None.

    Raises
    ------
    Interrupted, StreamFailed
        On Ctrl-C, or if an iterator of rows fails. A checkpoint is written, and the model has the best weights so far.
    FloatingPointError
        If the loss is NaN or infinite a fourth time, after three recoveries.
    ConnectionError
        If another process of this training has failed.
    ValueError
        If the settings do not fit the data or the machine, or the checkpoint belongs to another training.
    """
    objective.check(model)
    world = parallel.join(settings.device)
    world.check_same(fingerprint, "the same data and the same parameters")
    with (
        parallel.peer_failures_as_connection_errors(),
        use_threads(default_n_threads()),
        deferred_interrupt(include_sigterm=world.size > 1) as interrupted,
        Reporter(settings.verbose if world.rank == 0 else 0, title, has_pulse=True, stop=interrupted) as reporter,
    ):
        trainer = Trainer(model, objective, X, schema, settings, reporter, fingerprint, labels)
        with keep_on_failure(trainer.finish):
            return trainer.run(interrupted)


class Trainer:
    """The state of one training: see `fit`."""

    def __init__(
        self,
        model: Autoencoder,
        objective: Objective,
        X: np.ndarray | MappedRows | Examples,
        schema: Schema,
        settings: Settings,
        reporter: Reporter,
        fingerprint: str,
        labels: np.ndarray | None = None,
    ) -> None:
        self.settings, self.reporter, self.originals = settings, reporter, (model, objective)
        self.world, self.result = parallel.join(settings.device), Result()
        self.add_note = functools.partial(add_note, self.result, reporter)  # holds neither the training nor its data
        path = settings.checkpoint / checkpoint.NAME if settings.checkpoint else None
        resumed = settings_to_resume(path, fingerprint)
        self.model, self.objective, self.rows, self.plan, self.batches = prepare(
            model, objective, X, schema, labels, settings, self.world, reporter.title, resumed
        )
        self.clock = parallel.Clock(self.world, self.plan.place.device)
        is_global = self.plan.use_compile or self.plan.use_cuda_graph or draws_globally(self.model, self.objective)
        self.stream = RandomStream(settings.seed, self.plan.place.device, is_global)
        with self.stream.use():
            self.step = Step(
                self.model, self.objective, self.rows, self.plan, settings.optimizer, self.world, self.add_note
            )
        self.schedule = Schedule(self.plan.n_steps, settings.max_time, constant=settings.constant)
        self.validation = Validation(self.step, self.batches, self.plan.place.is_sharded, is_global)
        weights = Weights(self.model, self.objective)
        self.averaging = Averaging(self.model, settings.pace.average if settings.pace else None)
        self.early_stopping = EarlyStopping(weights, self.plan.patience, self.add_note)
        self.recovery, self.learning_rate = Recovery(self.add_note), 0.0
        self.tracking = Tracking(settings.track, settings.checkpoint, self.add_note)
        components: dict[str, Component] = {
            "batches": self.batches,
            "weights": weights,
            "objective": self.objective,
            "optimizers": self.step,
            "sums": self.step.sums,
            "averaging": self.averaging,
            "early_stopping": self.early_stopping,
            "recovery": self.recovery,
            "schedule": self.schedule,
            "clock": self.clock,
            "generators": self.stream,
            "tracking": self.tracking,
            "result": self.result,
        }
        identity = identify(fingerprint, settings, self.plan, self.world)
        self.saver = Saver(path, identity, components, self.clock, self.world, self.add_note)
        self.result.choices, self.result.held_out = [*self.plan.choices], self.batches.held_out.cpu().numpy()
        reporter.note(*self.result.choices)

    def run(self, interrupted: threading.Event) -> Result:
        """Train to the end, or until Ctrl-C sets `interrupted`."""
        self.clock.interrupted = interrupted
        if self.saver.resume():
            self.reporter.note(f"resumed at step {self.clock.step:,} of {self.plan.n_steps:,} from {self.saver.path}")
        else:
            self.result.start_loss = self.validation.measure()[0].get("loss") if self.plan.is_started else None
            self.early_stopping.begin(self.result.start_loss)
        self.world.check_same(self.clock.step, "the same checkpoint, in a folder that all of them can read")
        if self.world.rank == 0:
            self.tracking.begin(self.reporter.title, self.clock.step, self.result.choices)
            self.tracking.show(self.clock.step, self.measure_progress, self.use_shown_weights)
        with (
            use_threads(self.plan.n_threads),
            accelerate.around_training(),
            parallel.ignore_view_warnings(),
            contextlib.closing(self.tracking),
        ):
            while not self.is_over:
                self.run_epoch(*divmod(self.clock.step, self.plan.steps_per_epoch))
                if self.clock.is_stopped:
                    break
        self.finish(self.clock.is_stopped)
        return self.result

    @property
    def is_over(self) -> bool:
        """True if the schedule is at its end."""
        return self.schedule.is_over(self.clock.step, self.clock.seconds)

    @property
    def progress(self) -> float:
        """Share of the training that is done, in [0, 1]; it jumps when a plateau shortens the training."""
        return min(1.0, self.schedule.progress(self.clock.step, self.clock.seconds) / self.schedule.cool_to)

    def run_epoch(self, epoch: int, position: int) -> None:
        """Pass over the training rows once, from batch number `position` on."""
        order, size = self.batches.shuffle(epoch), self.plan.batch_size
        self.step.loss_module.train()
        for number in range(position, self.plan.steps_per_epoch):
            if self.clock.step % _REPORT == 0 and self.report():
                return
            self.train_step(order[number * size : (number + 1) * size])
            self.clock.tick()
            self.reporter.tick(lambda: self.progress)
            self.tracking.show(self.clock.step, self.measure_progress, self.use_shown_weights)
            if self.clock.is_stopped or self.is_over:
                break
        is_complete = self.clock.step % self.plan.steps_per_epoch == 0
        if self.is_over or (is_complete and (epoch + 1) % self.plan.epochs_per_validation == 0):
            self.validate(epoch + 1)

    def train_step(self, index: Tensor) -> None:
        """Take one step on the rows at `index` (B integers)."""
        seconds = self.clock.seconds if self.settings.max_time else 0.0
        multiplier = self.schedule.rate_multiplier(self.clock.step, seconds)
        self.learning_rate = self.plan.learning_rate * multiplier * self.recovery.rate_factor
        progress = self.schedule.progress(self.clock.step, seconds)
        self.objective.advance(progress)
        self.model.bottleneck.advance(progress)
        with self.stream.use():
            self.step.run(index, self.learning_rate)
        self.averaging.update()

    def report(self) -> bool:
        """Read the losses, and save a checkpoint if one is due. Return True if the weights went back."""
        self.model.bottleneck.update_dead_units()
        means = self.step.sums.read_means()
        if means and not math.isfinite(means["loss"]):
            self.recovery.recover_from_nan(self.step, self.early_stopping, self.clock)
            return True
        self.reporter.update(self.progress, means)
        if self.clock.seconds - self.saver.saved_at >= self.settings.checkpoint_every:
            self.saver.save(self.is_over)
        return False

    def measure_progress(self) -> dict[str, float]:
        """Return what trackers are shown between two steps."""
        latest = self.step.sums.read_recent()
        is_best = self.world.size == 1 and latest.get("loss", -math.inf) > self.early_stopping.best_loss
        done = {"share": self.progress, "n_steps": self.plan.n_steps, "seconds": self.clock.seconds, "is_best": is_best}
        return {name: float(value) for name, value in done.items()} | latest

    def use_shown_weights(self, is_best: bool) -> contextlib.AbstractContextManager[None]:
        """Return a context in which the model has the best weights, or the latest ones as a validation sees them."""
        return self.early_stopping.use() if is_best else self.averaging.use()

    def validate(self, epoch: int) -> None:
        """Measure the held-out loss, keep the best weights, and log the results."""
        means = self.step.sums.read_means()
        if (means and not math.isfinite(means["loss"])) or find_non_finite(self.model):
            self.recovery.recover_from_nan(self.step, self.early_stopping, self.clock)
            return
        self.step.sums.reset()
        record: dict[str, Any] = {"epoch": epoch, "step": self.clock.step, "seconds": round(self.clock.seconds, 3)}
        record |= {"learning_rate": self.learning_rate, **means}
        with self.averaging.use():
            losses, health = self.validation.measure()
            self.early_stopping.update(losses.get("loss"), self.objective, self.schedule, self.clock)
        record |= {f"valid_{name}": value for name, value in losses.items()} | health
        self.result.history.append(record)
        self.reporter.print_record(record)
        self.tracking.log(record)
        self.reporter.update(self.progress, {**means, **health})
        self.recovery.check_collapse(health, self.objective, self.schedule, self.clock)

    def finish(self, interrupted: bool) -> None:
        """Load the best weights, and complete the result. Raises Interrupted after an interrupt."""
        self.step.sums.average_over_processes()
        self.saver.save(self.is_over)  # even at the end, so that the result is on disk before anyone saves the model
        if (interrupted or not math.isfinite(self.early_stopping.best_loss)) and not find_non_finite(self.model):
            with self.averaging.use():  # no validation has seen these weights, or there are no held-out rows
                self.early_stopping.keep_if_best(self.validation.measure()[0].get("loss"))
        self.early_stopping.load_snapshot()
        if self.plan.place.is_sharded:
            self.model, self.objective = self.originals
            Weights(*self.originals).load_snapshot(parallel.full_tensors(self.early_stopping.best))
        self.model.eval()
        self.objective.eval()
        self.result.n_steps, self.result.seconds = self.clock.step, self.clock.seconds
        self.result.n_epochs = math.ceil(self.clock.step / self.plan.steps_per_epoch)
        self.result.n_recoveries, self.result.learning_rate = self.recovery.n_recoveries, self.plan.learning_rate
        self.result.end = "interrupt" if interrupted else self.schedule.ended_by(self.clock.step, self.clock.seconds)
        if interrupted:
            raise make_interrupted(self.result, self.settings.checkpoint)
