"""The only training loop.

Batches are index slices of resident rows. Nothing in a step waits for the device: losses are summed there and read
every `_REPORT` steps. Everything that a step depends on is in the checkpoint, and the order of the rows follows from
the seed and the epoch, so a run that was killed goes on to the same weights.
"""

from __future__ import annotations

import contextlib
import copy
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.data import Patches, Rows, Schema
from narrows.model import Autoencoder, needs_gradient
from narrows.networks import has_own_parts
from narrows.objectives import WeightedCosts
from narrows.shards import Shard, sharded
from narrows.training import checkpoint as files
from narrows.training.checkpoint import Position
from narrows.training.denormals import denormals_as_zero
from narrows.training.device import (
    choose_compile,
    choose_device,
    choose_precision,
    choose_recording,
    choose_threads,
    products_per_second,
    threads,
    usual_threads,
)
from narrows.training.diagnosis import look, n_looked_at, non_finite, overfits
from narrows.training.distributed import Clock, join, mended
from narrows.training.interrupt import deferred_interrupt
from narrows.training.operations import operations, saved_by_compiling
from narrows.training.optimizer import choose_decay
from narrows.training.pairs import choose_batch, choose_patience, find_pairs
from narrows.training.progress import Reporter
from narrows.training.result import Interrupted, Result
from narrows.training.rng import RandomStream, draws_globally
from narrows.training.schedule import Schedule
from narrows.training.settings import Plan, Settings, plan
from narrows.training.sharding import choose_sharding, views_allowed, wholes
from narrows.training.step import Step
from narrows.training.tracking import Tracking

_REPORT = 50  # steps between two readings of the losses
_BESIDES = 2.0  # how many times longer a step takes than its matrix products alone, and beyond that
_SHORTEST_STEP = 2e-3  # seconds, however little there is to compute
_SHORTEST_RECORDED = 2e-4  # the same of a step that a GPU plays back, as estimated
_LOOK_ROWS = 10_000  # held-out rows looked at, at most
_RESCUES = 3  # times that a training whose loss is no longer finite is set back
_EVALUATION_SEED = 1_000_003
_IMPROVEMENT = 1e-4  # of the held-out loss, relative, that counts as one


def fit(
    model: Autoencoder,
    objective: WeightedCosts,
    X: np.ndarray | Patches,
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
    X : rows as `narrows.data.as_rows` gives them, or pieces of images.
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
    choose_device(settings.device, world.size)  # a GPU is set up first, or its generator could not be put aside
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
        objective: WeightedCosts,
        X: np.ndarray | Patches,
        schema: Schema,
        settings: Settings,
        reporter: Reporter,
        fingerprint: str,
        labels: np.ndarray | None = None,
    ) -> None:
        self.world = join(settings.device)
        self.settings, self.reporter, self.fingerprint = settings, reporter, fingerprint
        self.found: dict[str, Any] = {}  # the state of a checkpoint to go on from
        if self.path is not None and self.path.exists():
            state = files.read_state(self.path)
            self.found = state if state["fingerprint"] == fingerprint else {}
        self.result = Result()
        self.say = _noting(self.result, reporter)  # what is handed on must not hold the trainer, and with it the data
        self.device, device_choice = choose_device(settings.device, self.world.size)
        self.clock = Clock(self.world, self.device)
        # measured, and so not the same everywhere
        self.precision, precision_choice = self.world.same(choose_precision(self.asked("precision"), self.device))
        dtype = torch.float64 if self.precision == torch.float64 else torch.float32
        self.sharded, sharding_choices = self.world.same(
            choose_sharding(settings.sharded, model, self.device, self.world.size)
        )
        self.given = model, objective
        if self.sharded:  # the shares are taken of copies, which are brought back together at the end
            model, objective = copy.deepcopy(self.given)
        self.model = model.to("cpu" if self.sharded else self.device, dtype)
        self.objective = objective.to("cpu" if self.sharded else self.device, dtype)
        self.rows = X.on(self.device, dtype) if isinstance(X, Patches) else Rows(X, schema, self.device, dtype, labels)
        each = operations(self.model, self.rows, self.objective.neighbours is not None)
        settings, batch_choices = choose_batch(settings, self.objective, len(X))
        self.patience, patience_choices = choose_patience(settings.n_iter_no_change, self.objective)
        self.plan: Plan = plan(settings, len(X), each, self.world.size)
        shuffled = torch.randperm(len(X), generator=torch.Generator().manual_seed(settings.seed))
        self.held_out = shuffled[: self.plan.n_valid][:_LOOK_ROWS].to(self.device)
        self.training = shuffled[self.plan.n_valid :].to(self.device)
        pair_choices = find_pairs(self.rows, self.objective, self.training, reporter.title)

        decay, decay_choice = choose_decay(settings.weight_decay, self.model)
        self.schedule = Schedule(
            self.plan.epochs * self.plan.steps_per_epoch, settings.max_time, constant=settings.constant
        )
        step = each * self.plan.batch_size / self.world.size
        self.threads, threads_choice = choose_threads(self.device, step, self.found.get("threads"))
        recorded, recording_choices = choose_recording(
            settings.compile, self.rows, self.world.size, has_own_parts(self.model)
        )
        self.compiled, compile_choice = choose_compile(
            self.asked("compile") if self.world.size == 1 else settings.compile,
            self.device,
            self.predicted_seconds(step, _SHORTEST_RECORDED if recorded else _SHORTEST_STEP),
            saved_by_compiling(self.model, self.device),
            self.world.size,
        )
        is_global = self.compiled or recorded or draws_globally(self.model, self.objective)
        self.stream = RandomStream(settings.seed, self.device, is_global)
        with self.stream.use():
            self.learning = Step(
                self.model,
                self.objective,
                self.rows,
                settings.optimizer,
                decay,
                self.precision,
                compiled=self.compiled,
                recorded=recorded,
                world=self.world,
                sharded=self.sharded,
                say=self.say,
            )
        chosen = [device_choice, *sharding_choices, threads_choice, precision_choice, compile_choice]
        chosen += [*recording_choices, decay_choice]
        chosen += [*self.plan.choices, *batch_choices, *patience_choices, *pair_choices]
        self.result.choices += chosen
        for choice in self.result.choices:
            reporter.note(choice)
        self.at = Position()
        self.tracking = Tracking(settings.track, settings.checkpoint, self.say)
        self.rate = 0.0
        self.best: dict[str, Tensor] = {}
        self.saved_at = self.seconds

    @property
    def seconds(self) -> float:
        """Spent so far, in all runs of this training; the same in all processes."""
        return self.clock.seconds(self.at.step)

    @property
    def path(self) -> Path | None:
        """The checkpoint's file."""
        return self.settings.checkpoint / files.NAME if self.settings.checkpoint else None

    def asked(self, name: str) -> Any:
        """What was asked for; "auto" is the checkpoint's where there is one, or it would be another training."""
        asked = getattr(self.settings, name)
        return self.found.get(name, asked) if asked == "auto" else asked

    def predicted_seconds(self, step: float, shortest: float) -> float:
        """How long the training would take at most.

        Parameters
        ----------
        step : floating-point operations of a step, which take as long as those of a product do here.
        shortest : seconds of a step, however little there is to compute.
        """
        step = step * _BESIDES / products_per_second(self.device, self.precision) + shortest
        return min(self.schedule.n_steps * step, self.settings.max_time or math.inf)

    def run(self, interrupted: threading.Event) -> Result:
        """Train to the end, or until `interrupted` is set, as Ctrl-C does."""
        self.clock.interrupted = interrupted
        if self.path is not None and self.path.exists():
            self.go_on(self.path)
        else:
            self.remember()
        self.world.check_same(self.at.step, "the same checkpoint, in a folder that all of them can read")
        if self.world.rank == 0:
            self.tracking.begin(self.reporter.title, self.at.step, self.result.choices)
        with threads(self.threads), denormals_as_zero(), views_allowed(), contextlib.closing(self.tracking):
            while not self.schedule.over(self.at.step, self.seconds):
                epoch, position = divmod(self.at.step, self.plan.steps_per_epoch)
                self.epoch(epoch, position)
                if self.clock.stopped:
                    break
        self.finish(self.clock.stopped)
        return self.result

    def epoch(self, epoch: int, position: int) -> None:
        """One pass over the training rows, from batch number `position`."""
        order = self.order(epoch)
        size = self.plan.batch_size
        self.model.train()
        self.objective.train()
        for number in range(position, self.plan.steps_per_epoch):
            if self.at.step % _REPORT == 0 and self.report():
                return
            self.learn(order[number * size : (number + 1) * size])
            self.at.step += 1
            self.clock.agree(self.at.step)
            if self.clock.stopped or self.schedule.over(self.at.step, self.seconds):
                break
        whole = self.at.step % self.plan.steps_per_epoch == 0
        over = self.schedule.over(self.at.step, self.seconds)
        if over or (whole and (epoch + 1) % self.plan.epochs_per_look == 0):
            self.judge(epoch + 1)

    def order(self, epoch: int) -> Tensor:
        """The rows of an epoch, shuffled; the last batch is filled up from the beginning."""
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + epoch)
        order = self.training[torch.randperm(len(self.training), generator=generator).to(self.device)]
        missing = self.plan.steps_per_epoch * self.plan.batch_size - len(order)
        return torch.cat([order, order[:missing]])

    def learn(self, index: Tensor) -> None:
        """One step on the rows at `index`."""
        seconds = self.seconds if self.settings.max_time else 0.0
        self.rate = self.plan.learning_rate * self.schedule.multiplier(self.at.step, seconds) * 0.5**self.at.rescues
        self.objective.advance(self.schedule.progress(self.at.step, seconds))
        with self.stream.use():
            self.learning.learn(index, self.rate)

    def report(self) -> bool:
        """Read the losses, attend to what waits for the device, save if it is time.

        Returns whether the training was set back, so that the epoch must begin anew.
        """
        self.model.bottleneck.attend()
        means = self.learning.means()
        if means and not math.isfinite(means["loss"]):
            self.rescue()
            return True
        self.reporter.update(self.schedule.progress(self.at.step, self.seconds), means)
        if self.seconds - self.saved_at >= self.settings.checkpoint_every:
            self.save()
        return False

    def go_on(self, path: Path) -> None:
        """Go on from the checkpoint at `path`, unless it is another training's."""
        tensors, state = files.read(path)
        if state["fingerprint"] != self.fingerprint and state["over"]:
            self.say(f"{path} was of another training, which was over: this one starts anew and takes its place.")
            self.remember()
            return
        files.restore(self, tensors, state, path)
        self.saved_at = self.seconds
        if state["processes"] != self.world.size:
            self.say(
                f"step {self.at.step:,}: going on with {self.world.size} processes where there were "
                f"{state['processes']}. The weights will be the same but for rounding."
            )
        self.reporter.note(f"resumed at step {self.at.step:,} of {self.schedule.n_steps:,} from {path}")

    def judge(self, epoch: int) -> None:
        """Look at the held-out rows, keep the best weights, and say what there is to say."""
        means = self.learning.means()
        if (means and not math.isfinite(means["loss"])) or non_finite(self.model):
            self.rescue()
            return
        record: dict[str, Any] = {"epoch": epoch, "step": self.at.step, "seconds": round(self.seconds, 3)}
        record["learning_rate"] = self.rate
        record.update(means)
        self.learning.forget()
        with torch.set_grad_enabled(needs_gradient(self.model)):
            valid, health = self.evaluate()
        record.update({f"valid_{name}": value for name, value in valid.items()})
        record.update(health)
        self.result.history.append(record)
        self.reporter.epoch(record)
        self.tracking.log(record)
        self.reporter.update(self.schedule.progress(self.at.step, self.seconds), {**means, **health})
        self.watch(health)
        self.keep(valid.get("loss"))

    def evaluate(self) -> tuple[dict[str, float], dict[str, float]]:
        """The held-out loss and its terms, and the code's health; the same random numbers each time."""
        if not len(self.held_out) and not self.model.has_code:
            return {}, {}
        few = n_looked_at(self.model, len(self.training))
        index = self.held_out if len(self.held_out) else self.training[:few]
        self.model.eval()
        self.objective.eval()
        sums: dict[str, Tensor] = {}
        inputs: list[Tensor] = []
        listener = self.model.encoder.register_forward_hook(
            lambda _module, _given, h: inputs.append(h.detach().float())
        )
        with RandomStream(_EVALUATION_SEED, self.device, self.stream.is_global).use(), self.learning.autocast():
            for part in index.split(1000):
                shard = self.world.shard(len(part))
                with sharded(shard):
                    batch = self.rows.batch(part if shard is None else part[shard.start : shard.stop])
                if not len(self.held_out) and not self.sharded:  # no loss to tell: the code needs no decoder
                    self.model.encoder(batch.x)
                    continue
                loss = self.learning.learner(batch, shard)
                for name, term in {"loss": loss.total, **loss.terms}.items():
                    sums[name] = sums.get(name, torch.zeros_like(term)) + term.detach() * (len(part) / self.world.size)
        listener.remove()
        self.world.add_up(sums)
        health = {}
        if self.model.has_code:
            h = torch.cat(inputs)
            with sharded(Shard(0, len(h), len(index)) if self.world.size > 1 else None):
                health = look(self.model, h)
        self.model.train()
        self.objective.train()
        valid = {name: float(total) / len(index) for name, total in sums.items()} if len(self.held_out) else {}
        return valid, health

    def keep(self, loss: float | None) -> None:
        """Remember these weights if they are the best, and end the hold at a plateau."""
        if loss is None:
            self.remember()
            return
        if not self.objective.complete:
            return  # while costs still grow, the held-out loss in full says little
        best = self.at.best_loss
        if loss < best - _IMPROVEMENT * abs(best if math.isfinite(best) else 0.0):
            self.at.waited = 0
        else:
            self.at.waited += 1
        if loss < best:
            self.at.best_loss = loss
            self.remember()
        seconds = self.seconds
        if self.at.waited >= self.patience and not self.schedule.cooling(self.at.step, seconds):
            self.schedule.cool(self.at.step, seconds)
            self.say(
                f"step {self.at.step:,}: the held-out loss has not improved for {self.at.waited} looks; cooling down. "
                "Raise `n_iter_no_change` to wait longer."
            )

    def watch(self, health: dict[str, float]) -> None:
        """Posterior collapse: say so, and let the costs grow once more from 0."""
        if health.get("active_components") == 0 and self.objective.complete and not self.at.restarted:
            if self.schedule.cooling(self.at.step, self.seconds):
                return
            self.at.restarted = True
            self.objective.restart(self.schedule.progress(self.at.step, self.seconds))
            self.say(
                f"step {self.at.step:,}: posterior collapse, no component carries anything. The costs' weights begin "
                "again from 0. If it comes back, lower `beta` or raise `free_nats`."
            )

    def remember(self) -> None:
        """Copy the weights aside."""
        self.best = {
            name: t.detach().clone()
            for prefix, module in (("model", self.model), ("objective", self.objective))
            for name, t in module.state_dict(prefix=prefix + ".").items()
        }

    def recall(self) -> None:
        """Take the weights that were put aside."""
        self.model.load_state_dict(files.under("model", self.best))
        self.objective.load_state_dict(files.under("objective", self.best))

    def rescue(self) -> None:
        """After a loss that is not finite: back to the weights put aside, at half the learning rate."""
        self.at.rescues += 1
        self.learning.forget()
        if self.at.rescues > _RESCUES:
            names = ", ".join(non_finite(self.model)[:3]) or "none, but the loss"
            raise FloatingPointError(
                f"The loss became NaN or infinite {self.at.rescues} times (parameters concerned: {names}). Lower "
                '`learning_rate`, pass precision="float32", or look for extreme values in X.'
            )
        self.recall()
        self.learning.restart()
        self.at.step += 1
        self.say(
            f"step {self.at.step:,}: the loss was not finite. Back to the last good weights, at half the learning "
            "rate. Lower `learning_rate` to avoid this."
        )

    def finish(self, interrupted: bool) -> None:
        """The best weights, and the last words."""
        self.learning.settle()
        self.save()  # also of a training that is over: what it learned is on disk before anyone saves it
        if not math.isfinite(self.at.best_loss) and not non_finite(self.model):
            self.remember()  # there was no look yet, or nothing is held out: these are the best there are
        self.recall()
        if self.sharded:
            best, (self.model, self.objective) = wholes(self.best), self.given
            self.model.load_state_dict(files.under("model", best))
            self.objective.load_state_dict(files.under("objective", best))
        self.model.eval()
        self.objective.eval()
        result = self.result
        result.n_steps, result.seconds = self.at.step, self.seconds
        result.n_epochs = math.ceil(self.at.step / self.plan.steps_per_epoch)
        epoch = overfits(result.history)
        if epoch is not None:
            self.say(
                f"Over-fitting: the held-out loss was lowest after epoch {epoch}, whose weights are kept. A smaller "
                "`hidden`, noise on the input (DAE) or more data would help."
            )
        if interrupted:
            where = " Pass checkpoint=FOLDER to be able to go on from there."
            if self.path is not None:
                where = f" Its checkpoint is in {self.path.parent}: fit again to go on."
            raise Interrupted(
                f"Training stopped at step {self.at.step:,}; the best weights so far are kept.{where}", result
            )

    def save(self) -> None:
        """Write a checkpoint, if there is a place for it. A disk that is full is no reason to stop learning."""
        if self.path is None:
            return
        tensors, state = files.gather(self)
        try:
            if self.world.rank == 0:
                files.write(self.path, tensors, state)
        except OSError as error:
            self.say(f"step {self.at.step:,}: no checkpoint could be written ({error}). The last good one stands.")
        self.saved_at = self.seconds


def _noting(result: Result, reporter: Reporter) -> Callable[[str], None]:
    """What takes a note, for the report and for whoever watches."""

    def say(words: str) -> None:
        result.notes.append(words)
        reporter.note(words)

    return say
