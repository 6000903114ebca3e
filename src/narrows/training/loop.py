"""The only training loop.

Batches are index slices of resident rows. Nothing in a step waits for the device: losses are summed there and read
every `_REPORT` steps. Everything that a step depends on is in the checkpoint, and the order of the rows follows from
the seed and the epoch, so a run that was killed goes on to the same weights.
"""

from __future__ import annotations

import contextlib
import math
import threading
from typing import Any

import numpy as np
from torch import Tensor

from narrows import accelerate
from narrows.data import Examples, Schema
from narrows.model import Autoencoder
from narrows.objectives import Objective
from narrows.training import checkpoint
from narrows.training.device import threads, usual_threads
from narrows.training.early_stopping import EarlyStopping
from narrows.training.health import non_finite, note_on_overfitting
from narrows.training.interrupt import deferred_interrupt
from narrows.training.parallel import Clock, join, mended, views_allowed, wholes
from narrows.training.preparation import prepare
from narrows.training.progress import Reporter
from narrows.training.recovery import Recovery
from narrows.training.result import Result, interruption, note_taker
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
    X: np.ndarray | Examples,
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
    X : rows as `narrows.data.as_rows` gives them, or examples of any other source.
    fingerprint : of the model's parameters and the data; a checkpoint with another one is refused, and so is another
        process with another one.
    labels : n integers, which of the schema's classes each row is of, for a model that is told; None for others.

    Raises
    ------
    Interrupted
        On Ctrl-C, after the checkpoint is written; the model holds the best weights so far.
    FloatingPointError
        If the loss stays NaN or infinite whatever is tried.
    ConnectionError
        If another process of this training has failed.
    """
    objective.check(model)
    world = join(settings.device)
    world.check_same(fingerprint, "the same data and the same parameters")
    with (
        mended(),
        threads(usual_threads()),
        deferred_interrupt(terminated=world.size > 1) as interrupted,
        Reporter(settings.verbose if world.rank == 0 else 0, title) as reporter,
    ):
        return Trainer(model, objective, X, schema, settings, reporter, fingerprint, labels).run(interrupted)


class Trainer:
    """The state of one training: see `fit`."""

    def __init__(
        self,
        model: Autoencoder,
        objective: Objective,
        X: np.ndarray | Examples,
        schema: Schema,
        settings: Settings,
        reporter: Reporter,
        fingerprint: str,
        labels: np.ndarray | None = None,
    ) -> None:
        self.settings, self.reporter, self.given = settings, reporter, (model, objective)
        self.world, self.result = join(settings.device), Result()
        self.say = note_taker(self.result, reporter)
        path = settings.checkpoint / checkpoint.NAME if settings.checkpoint else None
        resumed = settings_to_resume(path, fingerprint)
        self.model, self.objective, self.rows, self.plan, self.batches = prepare(
            model, objective, X, schema, labels, settings, self.world, reporter.title, resumed
        )
        self.clock = Clock(self.world, self.plan.place.device)
        is_global = self.plan.use_compile or self.plan.use_cuda_graph or draws_globally(self.model, self.objective)
        self.stream = RandomStream(settings.seed, self.plan.place.device, is_global)
        with self.stream.use():
            self.step = Step(self.model, self.objective, self.rows, self.plan, settings.optimizer, self.world, self.say)
        self.schedule = Schedule(self.plan.n_steps, settings.max_time, constant=settings.constant)
        self.validation = Validation(self.step, self.batches, self.plan.place.sharded, is_global)
        weights = Weights(self.model, self.objective)
        self.stopping = EarlyStopping(weights, self.plan.patience, self.say)
        self.recovery, self.rate = Recovery(self.say), 0.0
        self.tracking = Tracking(settings.track, settings.checkpoint, self.say)
        components: dict[str, Component] = {
            "weights": weights,
            "objective": self.objective,
            "optimizers": self.step,
            "sums": self.step.sums,
            "early_stopping": self.stopping,
            "recovery": self.recovery,
            "schedule": self.schedule,
            "clock": self.clock,
            "generators": self.stream,
            "tracking": self.tracking,
            "result": self.result,
        }
        identity = identify(fingerprint, settings, self.plan, self.world)
        self.saver = Saver(path, identity, components, self.clock, self.world, self.say)
        self.result.choices += self.plan.choices
        for choice in self.result.choices:
            reporter.note(choice)

    def run(self, interrupted: threading.Event) -> Result:
        """Train to the end, or until `interrupted` is set, as Ctrl-C does."""
        self.clock.interrupted = interrupted
        if self.saver.resume():
            self.reporter.note(f"resumed at step {self.clock.step:,} of {self.plan.n_steps:,} from {self.saver.path}")
        else:
            self.stopping.snapshot()
        self.world.check_same(self.clock.step, "the same checkpoint, in a folder that all of them can read")
        if self.world.rank == 0:
            self.tracking.begin(self.reporter.title, self.clock.step, self.result.choices)
        with (
            threads(self.plan.n_threads),
            accelerate.around_training(),
            views_allowed(),
            contextlib.closing(self.tracking),
        ):
            while not self.is_over:
                self.run_epoch(*divmod(self.clock.step, self.plan.steps_per_epoch))
                if self.clock.stopped:
                    break
        self.finish(self.clock.stopped)
        return self.result

    @property
    def is_over(self) -> bool:
        """Whether the schedule is at its end."""
        return self.schedule.over(self.clock.step, self.clock.seconds)

    @property
    def progress(self) -> float:
        """The share of the training that is over."""
        return self.schedule.progress(self.clock.step, self.clock.seconds)

    def run_epoch(self, epoch: int, position: int) -> None:
        """Pass over the training rows once, from batch number `position`."""
        order, size = self.batches.order(epoch), self.plan.batch_size
        self.step.learner.train()
        for number in range(position, self.plan.steps_per_epoch):
            if self.clock.step % _REPORT == 0 and self.report():
                return
            self.train_step(order[number * size : (number + 1) * size])
            self.clock.tick()
            if self.clock.stopped or self.is_over:
                break
        whole = self.clock.step % self.plan.steps_per_epoch == 0
        if self.is_over or (whole and (epoch + 1) % self.plan.epochs_per_validation == 0):
            self.validate(epoch + 1)

    def train_step(self, index: Tensor) -> None:
        """Take one step on the rows at `index`."""
        seconds = self.clock.seconds if self.settings.max_time else 0.0
        multiplier = self.schedule.multiplier(self.clock.step, seconds)
        self.rate = self.plan.learning_rate * multiplier * self.recovery.rate_factor
        progress = self.schedule.progress(self.clock.step, seconds)
        self.objective.advance(progress)
        self.model.bottleneck.advance(progress)
        with self.stream.use():
            self.step.run(index, self.rate)

    def report(self) -> bool:
        """Read the losses, attend to what waits for the device, save if it is time.

        Returns whether the training was set back, so that the epoch must begin anew.
        """
        self.model.bottleneck.update_dead_units()
        means = self.step.sums.means()
        if means and not math.isfinite(means["loss"]):
            self.recovery.recover_from_nan(self.step, self.stopping, self.clock)
            return True
        self.reporter.update(self.progress, means)
        if self.clock.seconds - self.saver.saved_at >= self.settings.checkpoint_every:
            self.saver.save(self.is_over)
        return False

    def validate(self, epoch: int) -> None:
        """Measure the held-out rows, keep the best weights, and say what there is to say."""
        means = self.step.sums.means()
        if (means and not math.isfinite(means["loss"])) or non_finite(self.model):
            self.recovery.recover_from_nan(self.step, self.stopping, self.clock)
            return
        self.step.sums.reset()
        record: dict[str, Any] = {"epoch": epoch, "step": self.clock.step, "seconds": round(self.clock.seconds, 3)}
        record |= {"learning_rate": self.rate, **means}
        losses, health = self.validation.measure()
        record |= {f"valid_{name}": value for name, value in losses.items()} | health
        self.result.history.append(record)
        self.reporter.epoch(record)
        self.tracking.log(record)
        self.reporter.update(self.progress, {**means, **health})
        self.recovery.check_collapse(health, self.objective, self.schedule, self.clock)
        self.stopping.update(losses.get("loss"), self.objective, self.schedule, self.clock)

    def finish(self, interrupted: bool) -> None:
        """Take the best weights, and say the last words."""
        self.step.sums.settle()
        self.saver.save(self.is_over)  # also where it is over: what was learned is on disk before anyone saves it
        if not math.isfinite(self.stopping.best_loss) and not non_finite(self.model):
            self.stopping.snapshot()  # there was no validation yet, or nothing is held out: these are the best
        self.stopping.load_snapshot()
        if self.plan.place.sharded:
            self.model, self.objective = self.given
            Weights(*self.given).load_snapshot(wholes(self.stopping.best))
        self.model.eval()
        self.objective.eval()
        result = self.result
        result.n_steps, result.seconds = self.clock.step, self.clock.seconds
        result.n_epochs = math.ceil(self.clock.step / self.plan.steps_per_epoch)
        if note := note_on_overfitting(result.history):
            self.say(note)
        if interrupted:
            raise interruption(result, self.settings.checkpoint)
