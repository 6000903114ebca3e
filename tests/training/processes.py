"""The script that the processes of `test_distributed.py` run, started by torchrun with a folder as its argument."""

import contextlib
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch

from narrows import AE, DAE, SAE, VAE, estimator
from narrows.data import Rows
from narrows.training import Interrupted, parallel
from narrows.training.loop import Trainer
from narrows.training.step import Step

COMMON = {"hidden": (16,), "max_epochs": 3, "precision": "float32", "device": "cpu", "random_state": 3}
BATCH = 47  # odd, so that two processes get different numbers of rows


def data() -> np.ndarray:
    """400 rows of 8 columns in [0, 1] near a bent surface."""
    rng = np.random.default_rng(0)
    X = np.tanh(rng.normal(size=(400, 3)) @ rng.normal(size=(3, 8))) + 0.1 * rng.normal(size=(400, 8))
    return (X - X.min()) / (X.max() - X.min())


def with_dropout() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Dropout(0.3), torch.nn.ReLU())


def with_unused_parameter() -> torch.nn.Module:
    """A network with a parameter that gets no gradient."""
    module = with_dropout()
    module.register_parameter("spare", torch.nn.Parameter(torch.ones(3)))
    return module


def cases() -> dict[str, tuple]:
    """Models by name, not yet fitted, and what to fit them on."""
    X = data()
    counts = np.random.default_rng(1).poisson(2 * X).astype(float)
    c = {**COMMON, "batch_size": BATCH}
    return {
        "ae": (AE(2, **c), X),
        "vae": (VAE(2, **c), X),
        "free_nats": (VAE(3, free_nats=0.5, **c), X),
        "counts": (VAE(2, likelihood="negative_binomial", **c), counts),
        "topk": (SAE(24, k=3, **c), X),
        "gated": (SAE(24, sparsity="gated", **c), X),
        "l1": (SAE(24, sparsity="l1", **c), X),
        "kl": (SAE(24, sparsity="kl", **c), X),
        **{
            noise: (DAE(noise=noise, level=(0.1, 0.4), **c), X)
            for noise in ("gaussian", "masking", "salt_and_pepper", "poisson")
        },
        "dropout": (AE(2, network=(with_dropout(), "auto"), **c), X),
        "piwae": (estimator("piwae")(2, **c), X),
        "untouched": (AE(2, network=(with_unused_parameter(), "auto"), **c), X),
    }


SHARDED = ("vae", "counts", "topk", "gated", "dropout", "piwae")


def fit_with_dead_units(X: np.ndarray, **parameters) -> SAE:
    """An SAE whose units die at once, and are revived."""
    model = SAE(24, k=2, **{**COMMON, "batch_size": BATCH, "max_epochs": 8, **parameters})
    assemble = model._assemble

    def impatient(*arguments):
        parts = assemble(*arguments)
        parts.model.bottleneck.patience = 100
        return parts

    model._assemble = impatient
    return model.fit(X)


def long(folder: Path | None = None, **parameters) -> VAE:
    """A model that takes a hundred steps to train."""
    checkpoint = None if folder is None else str(folder)
    return VAE(2, **{**COMMON, "max_epochs": 13}, batch_size=BATCH, checkpoint=checkpoint, **parameters)


def state(model) -> dict:
    return {
        "weights": dict(model.model_.state_dict()),
        "history": model.history_,
        "report": model.report_,
        "reviving": model.model_.bottleneck.aux_active,
    }


class CallAtStep:
    """Do something at a step of a training in one process."""

    def __init__(self, step: int, rank: int, call) -> None:
        self.step, self.rank, self.call = step, rank, call

    def __enter__(self):
        self.original = Trainer.train_step

        def train_step(trainer, index):
            if trainer.clock.step == self.step and trainer.world.rank == self.rank:
                self.call()
            self.original(trainer, index)

        Trainer.train_step = train_step

    def __exit__(self, *_):
        Trainer.train_step = self.original


def seen_rows(X: np.ndarray) -> list[list[int]]:
    """The rows that this process learns from, step by step, in one epoch without held-out rows."""
    seen, before, run = [], Rows.batch, Step._run

    def batch(rows, index):
        seen.append(index.tolist())
        return before(rows, index)

    def recording_run(step, index):
        Rows.batch = batch
        run(step, index)
        Rows.batch = before

    Step._run = recording_run
    AE(2, **{**COMMON, "batch_size": BATCH, "max_epochs": 1, "early_stopping": False}).fit(X)
    Step._run = run
    return seen


def refusal(call) -> str:
    try:
        call()
    except ValueError as error:
        return str(error)
    return ""


def limited(rank: int, X: np.ndarray) -> dict:
    """A training with a time limit, in processes whose clocks run at different speeds."""
    clock = parallel.clock.time.perf_counter
    parallel.clock.time.perf_counter = lambda: clock() * (1 + 9 * rank)
    start = clock()
    model = AE(2, **{**COMMON, "max_epochs": 10**6, "n_iter_no_change": 10**6}, max_time=1.0).fit(X)
    parallel.clock.time.perf_counter = clock
    return {**state(model), "seconds": clock() - start}


def interrupted(rank: int, X: np.ndarray, folder: Path, number: int) -> dict:
    """A training that one process is told to stop, and that then goes on."""
    model, stopped = long(folder), 0
    with CallAtStep(13, 1, lambda: signal.raise_signal(number)):
        try:
            model.fit(X)
        except Interrupted as error:
            stopped = error.result.n_steps
    torch.distributed.barrier()
    return {**state(model.fit(X)), "stopped": stopped}


def unfinished(folder: Path, **parameters) -> None:
    """Leave the checkpoint of a training that was stopped half-way."""
    with CallAtStep(13, 0, lambda: signal.raise_signal(signal.SIGINT)), contextlib.suppress(Interrupted):
        long(folder, **parameters).fit(data())


def main(out: Path) -> None:
    rank, X = parallel.join("cpu").rank, data()
    results = {name: state(model.fit(x)) for name, (model, x) in cases().items()}
    for name in SHARDED:
        model, x = cases()[name]
        results[f"sharded {name}"] = state(model.set_params(sharded=True).fit(x))
    results["revived"] = state(fit_with_dead_units(X))
    results["sharded revived"] = state(fit_with_dead_units(X, sharded=True))
    results["seen"] = seen_rows(X)
    results["fresh seed"] = state(AE(2, **{**COMMON, "random_state": None}).fit(X))
    results["in passes"] = state(VAE(2, **COMMON).partial_fit(X).partial_fit(X))
    results["other data"] = refusal(lambda: AE(2, **COMMON).fit(X + rank))
    results["slopes"] = {
        name: refusal(lambda name=name: estimator(name)(2, sharded=True, **COMMON).fit(X))
        for name in ("contractiveae", "raegp", "hvae")
    }
    results["compiled"] = refusal(lambda: AE(2, **COMMON, compile=True).fit(X))
    unfinished(out / "alone", sharded=False)
    results["long"] = state(long().fit(X))
    results["sharded on the way"] = state(long(out / "alone", sharded=True).fit(X))
    results["limited"] = limited(rank, X)
    results["interrupted"] = interrupted(rank, X, out / "interrupted", signal.SIGINT)
    results["terminated"] = interrupted(rank, X, out / "terminated", signal.SIGTERM)
    unfinished(out / "sharded", sharded=True)
    torch.save(results, out / f"{rank}.pt")


def crash(out: Path, arguments: list[str]) -> None:
    """The command, in which a process is killed the first time that torchrun starts them."""
    from narrows.cli import main as command

    if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        save = Trainer.report

        def report(trainer):
            object.__setattr__(trainer.settings, "checkpoint_every", 0.0)
            return save(trainer)

        Trainer.report = report
        CallAtStep(60, 1, lambda: os.kill(os.getpid(), signal.SIGKILL)).__enter__()
    sys.argv = ["narrows", *arguments]
    command()


def fail(out: Path, arguments: list[str]) -> None:
    """The command, in which something goes wrong in one process only."""
    from narrows.cli import main as command

    def raises():
        raise ValueError("something is wrong in one place")

    CallAtStep(5, 1, raises).__enter__()
    sys.argv = ["narrows", *arguments]
    command()


if __name__ == "__main__":
    job, folder, *rest = sys.argv[1:]
    {"main": lambda out, _: main(out), "crash": crash, "fail": fail}[job](Path(folder), rest)
