"""The only training loop.

Batches are index slices of resident rows. Nothing in a step waits for the device: losses are summed there and read
every `_REPORT` steps. Everything that a step depends on is in the checkpoint, and the order of the rows follows from
the seed and the epoch, so a run that was killed goes on to the same weights.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from narrows.data import Rows, Schema
from narrows.model import Autoencoder
from narrows.objectives import WeightedCosts
from narrows.training import checkpoint as files
from narrows.training.device import (
    Choice,
    choose_compile,
    choose_device,
    choose_precision,
    choose_threads,
    products_per_second,
    threads,
)
from narrows.training.diagnosis import look, non_finite, overfits
from narrows.training.generators import own_generators
from narrows.training.interrupt import deferred_interrupt
from narrows.training.optimizer import GradientLimit, adamw, choose_decay
from narrows.training.progress import Reporter
from narrows.training.schedule import Schedule
from narrows.training.settings import Plan, Settings, plan

_REPORT = 50  # steps between two readings of the losses
_BESIDES = 3.0  # how many times longer a step takes than its matrix products alone
_SHORTEST_STEP = 2e-3  # seconds, however little there is to compute
_LOOK_ROWS = 10_000  # held-out rows looked at, at most
_RESCUES = 3  # times that a training whose loss is no longer finite is set back
_EVALUATION_SEED = 1_000_003
_IMPROVEMENT = 1e-4  # of the held-out loss, relative, that counts as one


@dataclass
class Result:
    """What a training leaves beside the model's weights.

    Attributes
    ----------
    history : one record a look: epoch, step, seconds, learning_rate, the mean training loss and its terms, the
        held-out ones (`valid_...`) and measures of the code's health.
    choices : what was decided, and why.
    notes : what happened, what was done about it, and the knob that changes it.
    n_epochs, n_steps, seconds : how long it took.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_epochs: int = 0
    n_steps: int = 0
    seconds: float = 0.0


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a training. What was learned so far is kept in `result`, and the message says how to go on."""

    def __init__(self, words: str, result: Result) -> None:
        super().__init__(words)
        self.result = result


def fit(
    model: Autoencoder,
    objective: WeightedCosts,
    X: np.ndarray,
    schema: Schema,
    settings: Settings,
    *,
    title: str = "fit",
    fingerprint: str = "",
) -> Result:
    """Train `model` in place to minimise `objective` over the rows of `X`.

    Parameters
    ----------
    X : rows as `narrows.data.as_rows` gives them.
    fingerprint : of the model's parameters and the data; a checkpoint with another one is refused.

    Raises
    ------
    Interrupted
        On Ctrl-C, after the checkpoint is written; the model holds the best weights so far.
    FloatingPointError
        If the loss stays NaN or infinite whatever is tried.
    """
    objective.check(model)
    with (
        deferred_interrupt() as interrupted,
        Reporter(settings.verbose, title) as reporter,
        own_generators(settings.seed),
    ):
        return Trainer(model, objective, X, schema, settings, reporter, fingerprint).run(interrupted)


class Trainer:
    """The state of one training: see `fit`."""

    def __init__(
        self,
        model: Autoencoder,
        objective: WeightedCosts,
        X: np.ndarray,
        schema: Schema,
        settings: Settings,
        reporter: Reporter,
        fingerprint: str,
    ) -> None:
        self.started = time.perf_counter()
        self.settings, self.reporter, self.fingerprint = settings, reporter, fingerprint
        self.found: dict[str, Any] = {}  # the state of a checkpoint to go on from
        if self.path is not None and self.path.exists():
            state = files.read_state(self.path)
            self.found = state if state["fingerprint"] == fingerprint else {}
        self.device, device_choice = choose_device(settings.device)
        self.precision, precision_choice = choose_precision(self.asked("precision"), self.device)
        dtype = torch.float64 if self.precision == torch.float64 else torch.float32
        self.model = model.to(self.device, dtype)
        self.objective = objective.to(self.device, dtype)
        self.rows = Rows(X, schema, self.device, dtype)
        each = self.operations()
        self.plan: Plan = plan(settings, len(X), each)
        shuffled = torch.randperm(len(X), generator=torch.Generator().manual_seed(settings.seed))
        self.held_out = shuffled[: self.plan.n_valid][:_LOOK_ROWS].to(self.device)
        self.training = shuffled[self.plan.n_valid :].to(self.device)

        decay, decay_choice = choose_decay(settings.weight_decay, self.model)
        self.optimizer = adamw(self.parameters(), self.plan.learning_rate, decay)
        self.limiter = GradientLimit(self.parameters(), self.device)
        self.schedule = Schedule(
            self.plan.epochs * self.plan.steps_per_epoch, settings.max_time, constant=settings.constant
        )
        operations = each * self.plan.batch_size
        self.threads, threads_choice = choose_threads(self.device, operations, self.found.get("threads"))
        self.compiled, compile_choice = choose_compile(
            self.asked("compile"), self.device, self.predicted_seconds(operations)
        )
        # fallback_random: a compiled step draws the very numbers that a plain one draws
        self.loss: Any = self.objective
        if self.compiled:
            self.loss = torch.compile(self.objective, options={"fallback_random": True})
        self.result = Result(
            choices=[device_choice, threads_choice, precision_choice, compile_choice, decay_choice, *self.plan.choices]
        )
        for choice in self.result.choices:
            reporter.note(choice)

        self.step = 0
        self.waited = 0
        self.rescues = 0
        self.restarted = False
        self.best_loss = math.inf
        self.best: dict[str, Tensor] = {}
        self.sums: dict[str, Tensor] = {}
        self.summed = 0
        self.saved_at = time.perf_counter()

    def parameters(self) -> list[nn.Parameter]:
        """All that is learned: the model's parameters and the objective's."""
        return [p for module in (self.model, self.objective) for p in module.parameters() if p.requires_grad]

    @property
    def seconds(self) -> float:
        """Spent so far, in all runs of this training."""
        return time.perf_counter() - self.started

    @property
    def path(self) -> Path | None:
        """The checkpoint's file."""
        return self.settings.checkpoint / files.NAME if self.settings.checkpoint else None

    def asked(self, name: str) -> Any:
        """What was asked for; "auto" is the checkpoint's where there is one, or it would be another training."""
        asked = getattr(self.settings, name)
        return self.found.get(name, asked) if asked == "auto" else asked

    def operations(self) -> float:
        """Floating-point operations that one example costs a step: those forward, and twice as many backward."""
        counted = 0.0

        def count(module: nn.Module, _: object, out: object) -> None:
            nonlocal counted
            weights = [p for p in module.parameters(recurse=False) if p.dim() > 1]
            if isinstance(out, Tensor):
                # each weight meets each example once, in a convolution once at each place of the image
                counted += sum(2 * w.numel() * len(out) * (out[0, 0].numel() if w.dim() > 2 else 1) for w in weights)

        hooks = [module.register_forward_hook(count) for module in self.model.modules()]
        with own_generators(0), torch.no_grad():
            self.model.eval()(self.rows.batch(torch.arange(2, device=self.device)))
        for hook in hooks:
            hook.remove()
        return 3 * counted / 2

    def predicted_seconds(self, operations: float) -> float:
        """How long the training would take at most, from the operations of a step and the speed of a product here."""
        step = operations * _BESIDES / products_per_second(self.device, self.precision)
        return min(self.schedule.n_steps * max(step, _SHORTEST_STEP), self.settings.max_time or math.inf)

    def run(self, interrupted: threading.Event) -> Result:
        """Train to the end, or until `interrupted` is set, as Ctrl-C does."""
        if self.path is not None and self.path.exists():
            self.restore(self.path)
        else:
            self.remember()
        with threads(self.threads):
            while not self.schedule.over(self.step, self.seconds):
                epoch, position = divmod(self.step, self.plan.steps_per_epoch)
                self.epoch(epoch, position, interrupted)
                if interrupted.is_set():
                    break
        self.finish(interrupted.is_set())
        return self.result

    def epoch(self, epoch: int, position: int, interrupted: threading.Event) -> None:
        """One pass over the training rows, from batch number `position`."""
        order = self.order(epoch)
        size = self.plan.batch_size
        self.model.train()
        self.objective.train()
        for number in range(position, self.plan.steps_per_epoch):
            if self.step % _REPORT == 0 and self.report():
                return
            self.learn(order[number * size : (number + 1) * size])
            self.step += 1
            if interrupted.is_set() or self.schedule.over(self.step, self.seconds):
                break
        whole = self.step % self.plan.steps_per_epoch == 0
        over = self.schedule.over(self.step, self.seconds)
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
        rate = self.plan.learning_rate * self.schedule.multiplier(self.step, seconds) * 0.5**self.rescues
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.objective.advance(self.schedule.progress(self.step, seconds))
        batch = self.rows.batch(index)
        with self.autocast():
            loss = self.loss(self.model, batch)
        loss.total.backward()
        self.limiter.limit(self.optimizer)
        self.optimizer.step()
        self.optimizer.zero_grad()
        for name, term in {"loss": loss.total, **loss.terms}.items():
            term = term.detach().double() if self.device.type != "mps" else term.detach()
            self.sums[name] = self.sums[name] + term if name in self.sums else term
        self.summed += 1

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """bf16 products where that was chosen."""
        if self.precision == torch.bfloat16:
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def report(self) -> bool:
        """Read the losses, attend to what waits for the device, save if it is time.

        Returns whether the training was set back, so that the epoch must begin anew.
        """
        self.model.bottleneck.attend()
        means = self.means()
        if means and not math.isfinite(means["loss"]):
            self.rescue()
            return True
        self.reporter.update(self.schedule.progress(self.step, self.seconds), means)
        if time.perf_counter() - self.saved_at >= self.settings.checkpoint_every:
            self.save()
        return False

    def means(self) -> dict[str, float]:
        """The mean of each term since the last look."""
        return {name: float(total) / self.summed for name, total in self.sums.items()} if self.summed else {}

    def judge(self, epoch: int) -> None:
        """Look at the held-out rows, keep the best weights, and say what there is to say."""
        means = self.means()
        if (means and not math.isfinite(means["loss"])) or non_finite(self.model):
            self.rescue()
            return
        record: dict[str, Any] = {"epoch": epoch, "step": self.step, "seconds": round(self.seconds, 3)}
        record["learning_rate"] = self.optimizer.param_groups[0]["lr"]
        record.update(means)
        self.sums, self.summed = {}, 0
        valid, health = self.evaluate()
        record.update({f"valid_{name}": value for name, value in valid.items()})
        record.update(health)
        self.result.history.append(record)
        self.reporter.epoch(record)
        self.reporter.update(self.schedule.progress(self.step, self.seconds), {**means, **health})
        self.watch(health)
        self.keep(valid.get("loss"))

    @torch.no_grad()
    def evaluate(self) -> tuple[dict[str, float], dict[str, float]]:
        """The held-out loss and its terms, and the code's health; the same random numbers each time."""
        index = self.held_out if len(self.held_out) else self.training[:_LOOK_ROWS]
        self.model.eval()
        self.objective.eval()
        sums: dict[str, Tensor] = {}
        inputs = []
        with own_generators(_EVALUATION_SEED), self.autocast():
            for part in index.split(1000):
                batch = self.rows.batch(part)
                if len(self.held_out):
                    loss = self.objective(self.model, batch)
                    for name, term in {"loss": loss.total, **loss.terms}.items():
                        sums[name] = sums.get(name, torch.zeros_like(term)) + term.detach() * len(part)
                if self.model.has_code:
                    inputs.append(self.model.encoder(batch.x).float())
        health = look(self.model, torch.cat(inputs)) if inputs else {}
        self.model.train()
        self.objective.train()
        return {name: float(total) / len(index) for name, total in sums.items()}, health

    def keep(self, loss: float | None) -> None:
        """Remember these weights if they are the best, and end the hold at a plateau."""
        if loss is None:
            self.remember()
            return
        if not self.objective.complete:
            return  # while costs still grow, the held-out loss in full says little
        if loss < self.best_loss - _IMPROVEMENT * abs(self.best_loss if math.isfinite(self.best_loss) else 0.0):
            self.waited = 0
        else:
            self.waited += 1
        if loss < self.best_loss:
            self.best_loss = loss
            self.remember()
        seconds = self.seconds
        if self.waited >= self.settings.n_iter_no_change and not self.schedule.cooling(self.step, seconds):
            self.schedule.cool(self.step, seconds)
            self.say(
                f"step {self.step:,}: the held-out loss has not improved for {self.waited} looks; cooling down. "
                "Raise `n_iter_no_change` to wait longer."
            )

    def watch(self, health: dict[str, float]) -> None:
        """Posterior collapse: say so, and let the costs grow once more from 0."""
        if health.get("active") == 0 and self.objective.complete and not self.restarted:
            if self.schedule.cooling(self.step, self.seconds):
                return
            self.restarted = True
            self.objective.restart(self.schedule.progress(self.step, self.seconds))
            self.say(
                f"step {self.step:,}: posterior collapse, no component carries anything. The costs' weights begin "
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
        self.rescues += 1
        self.sums, self.summed = {}, 0
        if self.rescues > _RESCUES:
            names = ", ".join(non_finite(self.model)[:3]) or "none, but the loss"
            raise FloatingPointError(
                f"The loss became NaN or infinite {self.rescues} times (parameters concerned: {names}). Lower "
                '`learning_rate`, pass precision="float32", or look for extreme values in X.'
            )
        self.recall()
        self.optimizer.state.clear()
        self.step += 1
        self.say(
            f"step {self.step:,}: the loss was not finite. Back to the last good weights, at half the learning rate. "
            "Lower `learning_rate` to avoid this."
        )

    def say(self, words: str) -> None:
        """A note, for the report and for whoever watches."""
        self.result.notes.append(words)
        self.reporter.note(words)

    def finish(self, interrupted: bool) -> None:
        """The best weights, and the last words."""
        self.save()  # also of a training that is over: what it learned is on disk before anyone saves it
        if not math.isfinite(self.best_loss) and not non_finite(self.model):
            self.remember()  # there was no look yet, or nothing is held out: these are the best there are
        self.recall()
        self.model.eval()
        self.objective.eval()
        result = self.result
        result.n_steps, result.seconds = self.step, self.seconds
        result.n_epochs = math.ceil(self.step / self.plan.steps_per_epoch)
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
                f"Training stopped at step {self.step:,}; the best weights so far are kept.{where}", result
            )

    def save(self) -> None:
        """Write a checkpoint, if there is a place for it. A disk that is full is no reason to stop learning."""
        if self.path is None:
            return
        try:
            self.write(self.path)
        except OSError as error:
            self.say(f"step {self.step:,}: no checkpoint could be written ({error}). The last good one stands.")
        self.saved_at = time.perf_counter()

    def write(self, path: Path) -> None:
        """Write a checkpoint to `path`."""
        tensors = {
            **self.model.state_dict(prefix="model."),
            **self.objective.state_dict(prefix="objective."),
            **files.optimizer_tensors(self.optimizer),
            **{f"best.{name}": t for name, t in self.best.items()},
            **{f"sum.{name}": t for name, t in self.sums.items()},
            "limiter.mean": self.limiter.mean,
            "generator.cpu": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            tensors["generator.cuda"] = torch.cuda.get_rng_state(self.device)
        state = {
            "fingerprint": self.fingerprint,
            "seed": self.settings.seed,
            "precision": str(self.precision).removeprefix("torch."),
            "compile": self.compiled,
            "threads": self.threads,
            "step": self.step,
            "over": self.schedule.over(self.step, self.seconds),
            "waited": self.waited,
            "rescues": self.rescues,
            "restarted": self.restarted,
            "best_loss": self.best_loss,
            "summed": self.summed,
            "seconds": self.seconds,
            "reviving": self.model.bottleneck.reviving,
            "schedule": self.schedule.state(),
            "objective": self.objective.state(),
            "history": self.result.history,
            "notes": self.result.notes,
        }
        files.write(path, tensors, state)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint."""
        tensors, state = files.read(path)
        if state["fingerprint"] != self.fingerprint and state["over"]:
            self.say(f"{path} was of another training, which was over: this one starts anew and takes its place.")
            self.remember()
            return
        if state["fingerprint"] != self.fingerprint:
            raise ValueError(
                f"{path} is the checkpoint of another training: its data or its parameters differ from this one's. "
                "Pass another folder as `checkpoint`, or delete that file to start anew."
            )
        for name, mine in (("precision", str(self.precision).removeprefix("torch.")), ("compile", self.compiled)):
            if state[name] != mine:
                raise ValueError(
                    f"{path} was trained with {name}={state[name]!r}, and this run has {mine!r}. Pass "
                    f"{name}={state[name]!r} to go on."
                )
        self.model.load_state_dict(files.under("model", tensors))
        self.objective.load_state_dict(files.under("objective", tensors))
        files.restore_optimizer(self.optimizer, tensors)
        self.best = {name: t.to(self.device) for name, t in files.under("best", tensors).items()}
        self.sums = {name: t.to(self.device) for name, t in files.under("sum", tensors).items()}
        self.step, self.waited, self.rescues = state["step"], state["waited"], state["rescues"]
        self.restarted, self.best_loss, self.summed = state["restarted"], state["best_loss"], state["summed"]
        self.started = time.perf_counter() - state["seconds"]
        self.model.bottleneck.reviving = state["reviving"]
        self.schedule.restore(state["schedule"])
        self.objective.restore(state["objective"])
        self.result.history, self.result.notes = state["history"], state["notes"]
        self.limiter.mean = tensors["limiter.mean"].to(self.device)
        torch.set_rng_state(tensors["generator.cpu"])
        if "generator.cuda" in tensors and self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["generator.cuda"], self.device)
        self.reporter.note(f"resumed at step {self.step:,} of {self.schedule.n_steps:,} from {path}")
