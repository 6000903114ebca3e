"""Every decision of a training, made once, each with its reason.

`choose_place` says where to compute and in which numbers. When the model is there, `make_plan` decides the rest. Both
are functions of the settings and of facts, and train nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import torch

from narrows.bottlenecks import Bottleneck
from narrows.data import free_bytes
from narrows.training.device import Choice, choose_device, choose_precision
from narrows.training.facts import Facts
from narrows.training.settings import Settings

_FEWEST_HELD_OUT = 20  # rows under which a held-out loss says nothing
_NEIGHBOR_BATCHES = ((10_000, 512), (1_000, 256), (0, 64))  # from so many rows on, so many examples
_N_NEIGHBORS = 20
_PATIENCE, _PATIENCE_WITH_NEIGHBORS = 10, 25  # validations

_RATE, _RATE_BATCH = 1e-3, 64  # of Adam, at that batch size
_AUTO_STEPS, _AUTO_EPOCHS = 15_000, (20, 300)  # enough for the networks here to settle on data of common sizes
_HEAVY = 10e9  # floating-point operations a step, from which on a training makes do with fewer, longer steps
_HEAVY_STEPS, _HEAVY_EPOCHS = 4_000, (5, 300)

_WORTH_THREADS = 0.5e9  # floating-point operations a step
_COMPILING_TAKES = 12.0  # seconds, where nothing of it is cached
_BESIDE_PRODUCTS = 2.0  # how many times longer a step takes than its matrix products alone, and beyond that
_SHORTEST_STEP = 2e-3  # seconds, however little there is to compute
_SHORTEST_CUDA_GRAPH = 2e-4  # the same of a step that a GPU plays back, as estimated

_MODEL_BYTES = 16  # of a weight in training: itself, its gradient, and two moments, in single precision
_MODEL_SHARE = 0.5  # of the device's free memory that those may take

_T = TypeVar("_T")


class Decision(NamedTuple, Generic[_T]):
    """Something that was decided, and what there is to say of it."""

    value: _T
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True)
class Place:
    """The device of a training, and the numbers that it computes in.

    Attributes
    ----------
    precision : dtype of matrix products. Weights, losses and reductions stay in float32.
    sharded : whether each of several processes holds a share of the model.
    """

    device: torch.device
    precision: torch.dtype
    sharded: bool
    device_choice: Choice
    precision_choice: Choice
    sharding_choices: tuple[Choice, ...] = ()

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of weights, losses and reductions."""
        return torch.float64 if self.precision == torch.float64 else torch.float32


@dataclass(frozen=True)
class Plan:
    """All that was decided of a training, and why.

    Attributes
    ----------
    n_train, n_valid : rows to learn from, and held out.
    batch_size : examples a step, of all processes together.
    patience : validations without improvement that make a plateau.
    n_neighbors, metric : of the near examples that batches bring; None where they bring none.
    choices : what there is to say, in the order in which it is said.
    """

    place: Place
    n_train: int
    n_valid: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    n_epochs: int
    patience: int
    n_threads: int
    use_compile: bool
    use_cuda_graph: bool
    n_neighbors: int | None
    metric: str | None
    choices: tuple[Choice, ...]

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass; the last batch is filled up from the pass's own beginning, so that all have one size."""
        return math.ceil(self.n_train / self.batch_size)

    @property
    def n_steps(self) -> int:
        """Steps of the whole training, at most."""
        return self.n_epochs * self.steps_per_epoch

    @property
    def epochs_per_validation(self) -> int:
        """Epochs between two validations: at least fifty steps."""
        return max(1, math.ceil(50 / self.steps_per_epoch))


def choose_place(settings: Settings, n_weights: int, n_processes: int, resumed: Mapping[str, Any]) -> Place:
    """Decide where to compute and in which numbers.

    Parameters
    ----------
    n_weights : numbers in the model's parameters.
    n_processes, resumed : as in `Facts`.

    Raises
    ------
    ValueError
        If the device that was asked for is not at hand.
    """
    device, device_choice = choose_device(settings.device, n_processes)
    precision, precision_choice = choose_precision(_as_before(settings.precision, "precision", resumed), device)
    sharded, sharding_choices = choose_sharding(settings.sharded, n_weights, device, n_processes)
    return Place(device, precision, sharded, device_choice, precision_choice, sharding_choices)


def make_plan(settings: Settings, place: Place, facts: Facts, owner: str = "fit") -> Plan:
    """Decide all that `settings` leave open; errors name the parameters' `owner`.

    Raises
    ------
    ValueError
        If there are too few rows for the processes or the neighbors, or several processes are to be compiled.
    """
    (n_train, n_valid), of_split = choose_split(settings, facts.n_rows)
    asked, of_neighbor_batch = choose_neighbor_batch(settings.batch_size, facts)
    batch_size, of_batch = choose_batch_size(asked, n_train, facts.n_processes)
    learning_rate, of_rate = choose_learning_rate(settings.learning_rate, batch_size)
    n_epochs, of_epochs = choose_epochs(settings.max_epochs, n_train, batch_size, facts.flops_per_example)
    patience, of_patience = choose_patience(settings.n_iter_no_change, facts)
    (n_neighbors, metric), of_neighbors = choose_neighbors(n_train, facts, owner)

    step_flops = facts.flops_per_example * batch_size / facts.n_processes
    n_threads, of_threads = choose_threads(place.device, step_flops, facts)
    use_cuda_graph, of_cuda_graph = choose_cuda_graph(settings.compile, place.device, facts)
    step_seconds = step_flops * _BESIDE_PRODUCTS / facts.matmul_flops_per_second
    step_seconds += _SHORTEST_CUDA_GRAPH if use_cuda_graph else _SHORTEST_STEP
    seconds = min(n_epochs * math.ceil(n_train / batch_size) * step_seconds, settings.max_time or math.inf)
    use_compile, of_compile = choose_compile(settings.compile, place.device, seconds, facts)
    weight_decay, of_decay = choose_weight_decay(settings.weight_decay, facts.bottleneck)

    choices = [place.device_choice, *place.sharding_choices, *of_threads, place.precision_choice, *of_compile]
    choices += [*of_cuda_graph, *of_decay, *of_split, *of_batch, *of_rate, *of_epochs]
    choices += [*of_neighbor_batch, *of_patience, *of_neighbors]
    return Plan(
        place=place,
        n_train=n_train,
        n_valid=n_valid,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        n_epochs=n_epochs,
        patience=patience,
        n_threads=n_threads,
        use_compile=use_compile,
        use_cuda_graph=use_cuda_graph,
        n_neighbors=n_neighbors,
        metric=metric,
        choices=tuple(choices),
    )


# ------------------------------------------------------------------------------------------------- the data


def choose_split(settings: Settings, n_rows: int) -> Decision[tuple[int, int]]:
    """Decide how many rows are learned from, and how many are held out."""
    n_valid = round(settings.validation_fraction * n_rows) if settings.early_stopping else 0
    choices: tuple[Choice, ...] = ()
    if settings.early_stopping and n_valid < _FEWEST_HELD_OUT:
        reason = f"{n_valid} of {n_rows} rows are too few to judge by; all are trained on, and the last weights kept"
        choices, n_valid = (Choice("early_stopping", "False", reason),), 0
    n_valid = min(n_valid, n_rows - 1)
    return Decision((n_rows - n_valid, n_valid), choices)


def choose_neighbor_batch(asked: int | str, facts: Facts) -> Decision[int | str]:
    """Decide on larger batches, where their size is open and examples are held against each other."""
    if facts.neighbors is None or not isinstance(asked, str):
        return Decision(asked)
    size = min(next(size for rows, size in _NEIGHBOR_BATCHES if facts.n_rows >= rows), facts.n_rows)
    return Decision(size, (Choice("batch_size", str(size), "each example is held against all others of its batch"),))


def choose_batch_size(asked: int | str, n_train: int, n_processes: int) -> Decision[int]:
    """Decide how many examples a step takes; each process must have one of them."""
    choices = []
    if isinstance(asked, str):
        batch = 128 if n_train >= 10_000 else 64 if n_train >= 1_000 else 32
        choices.append(Choice("batch_size", str(min(batch, n_train)), f"for {n_train:,} rows"))
    else:
        batch = asked
    if n_processes > n_train:
        raise ValueError(f"{n_processes} processes are too many for {n_train} training rows. Start fewer.")
    if batch < n_processes:
        choices.append(Choice("batch_size", str(n_processes), f"an example for each of {n_processes} processes"))
        batch = n_processes
    batch = min(batch, n_train)
    if n_processes > 1:
        reason = f"each takes its own share of the {batch} examples of a step"
        choices.append(Choice("processes", str(n_processes), reason))
    return Decision(batch, tuple(choices))


def choose_neighbors(n_train: int, facts: Facts, owner: str) -> Decision[tuple[int | None, str | None]]:
    """Decide how many near examples each row has, and by which metric.

    Raises
    ------
    ValueError
        If there are fewer rows than the neighbors asked for.
    """
    if facts.neighbors is None or not facts.has_neighbors:
        return Decision((None, None))
    k, metric, most, choices = facts.neighbors.n_neighbors, facts.neighbors.metric, n_train - 1, []
    if k is not None and k > most:
        raise ValueError(
            f"The `n_neighbors` parameter of {owner} must be at most {most:,}, one less than the rows to learn "
            f'from. Got {k} instead: pass n_neighbors="auto", or more rows.'
        )
    if metric is None:
        metric = "cosine" if facts.is_image else "euclidean"
        of_images = "images that differ in contrast alone are alike"
        of_columns = "columns have their own scales already"
        choices.append(Choice("metric", metric, of_images if facts.is_image else of_columns))
    if k is None:
        k = max(1, min(_N_NEIGHBORS, most))
        choices.append(Choice("n_neighbors", str(k), f"of {n_train:,} rows"))
    return Decision((k, metric), tuple(choices))


# ------------------------------------------------------------------------------------------------- the learning


def choose_learning_rate(asked: float | str, batch_size: int) -> Decision[float]:
    """Decide on Adam's learning rate at its height."""
    if not isinstance(asked, str):
        return Decision(asked)
    rate = _RATE * math.sqrt(min(batch_size, 1024) / _RATE_BATCH)
    reason = f"grows with the root of the batch size, {batch_size}"
    return Decision(rate, (Choice("learning_rate", f"{rate:.2g}", reason),))


def choose_epochs(asked: int | str, n_train: int, batch_size: int, flops_per_example: float) -> Decision[int]:
    """Decide how many passes over the data there are, at most."""
    if not isinstance(asked, str):
        return Decision(asked)
    steps, step_flops = math.ceil(n_train / batch_size), flops_per_example * batch_size
    heavy = step_flops > _HEAVY
    wanted, (fewest, most) = (_HEAVY_STEPS, _HEAVY_EPOCHS) if heavy else (_AUTO_STEPS, _AUTO_EPOCHS)
    epochs = min(max(round(wanted / steps), fewest), most)
    reason = f"{epochs * steps:,} steps of {batch_size} examples, {step_flops / 1e9:.2g} GFLOP each"
    return Decision(epochs, (Choice("max_epochs", str(epochs), reason),))


def choose_patience(asked: int | str, facts: Facts) -> Decision[int]:
    """Decide how many validations without improvement make a plateau."""
    if not isinstance(asked, str):
        return Decision(asked)
    if facts.neighbors is None:
        return Decision(_PATIENCE)
    reason = "neighbours are drawn anew each time, so the held-out loss falls slowly"
    choice = Choice("n_iter_no_change", str(_PATIENCE_WITH_NEIGHBORS), reason)
    return Decision(_PATIENCE_WITH_NEIGHBORS, (choice,))


def choose_weight_decay(asked: float | str, bottleneck: Bottleneck) -> Decision[float]:
    """Decide on the weight decay: what did best on held-out Fashion-MNIST (docs/negative-results.md)."""
    if not isinstance(asked, str):
        return Decision(asked, (Choice("weight_decay", f"{asked:g}", "as asked"),))
    decay, reason = bottleneck.weight_decay
    return Decision(decay, (Choice("weight_decay", f"{decay:g}", reason),))


# ------------------------------------------------------------------------------------------------- the machine


def choose_sharding(asked: bool | str, n_weights: int, device: torch.device, n_processes: int) -> Decision[bool]:
    """Decide whether each process holds a share of the model; nothing is said of one process."""
    if n_processes == 1:
        return Decision(False, (Choice("sharded", "False", "there is one process"),) if asked is True else ())
    if asked != "auto":
        return Decision(bool(asked), (Choice("sharded", str(asked), "as asked"),))
    if device.type != "cuda":
        return Decision(False, (Choice("sharded", "False", "each process holds the whole model"),))
    needed, free = _MODEL_BYTES * n_weights, free_bytes(device)
    sharded = needed > _MODEL_SHARE * free
    reason = f"training takes {needed / 2**30:.1f} GiB for the model, and a GPU has {free / 2**30:.1f} GiB free"
    return Decision(sharded, (Choice("sharded", str(sharded), reason),))


def choose_threads(device: torch.device, step_flops: float, facts: Facts) -> Decision[int]:
    """Decide how many threads a step of that many floating-point operations is worth.

    Threads wait for each other several hundred times a step. Where steps are small that gains nothing, and where
    another process has one of the cores each wait lasts until it lets go: ten times slower was measured. A training
    that goes on does so with as many as before, because sums are taken in the order of the threads.
    """
    n, before = facts.n_threads, facts.resumed.get("threads")
    if before is not None:
        return Decision(before, (Choice("threads", str(before), "as before the training was interrupted"),))
    if device.type != "cpu" or n == 1 or step_flops >= _WORTH_THREADS:
        return Decision(n, (Choice("threads", str(n), "as torch has it"),))
    return Decision(1, (Choice("threads", "1", f"steps of {step_flops / 1e9:.2g} GFLOP gain nothing from more"),))


def choose_cuda_graph(compile_asked: bool | str, device: torch.device, facts: Facts) -> Decision[bool]:
    """Decide whether steps are recorded and played back as a whole, as CUDA devices can; else nothing is said."""
    if device.type != "cuda":
        return Decision(False)
    against = None
    if facts.n_processes > 1:
        against = f"{facts.n_processes} processes train, which speak to each other in a step"
    elif compile_asked is False:
        against = "compile=False was asked for"
    elif not facts.is_resident:
        against = "the data does not fit the device, and comes batch by batch"
    if against is not None:
        return Decision(False, (Choice("cuda_graphs", "False", against),))
    reason = "the steps of this training are alike; compile=False does without"
    if facts.has_own_parts:
        reason += ", if your module draws or counts in Python itself, which is done once and then played back"
    return Decision(True, (Choice("cuda_graphs", "True", reason),))


def choose_compile(asked: bool | str, device: torch.device, seconds: float, facts: Facts) -> Decision[bool]:
    """Decide whether to compile the step, for a training predicted to last `seconds` without."""
    n = facts.n_processes
    if n > 1 and asked is True:
        raise ValueError(f"compile=True is for one process, and {n} train. Leave `compile` out.")
    if n == 1:
        asked = _as_before(asked, "compile", facts.resumed)
    use, reason = False, "as asked"
    if n > 1:
        reason = f"{n} processes train, which speak to each other in a step"
    elif asked != "auto":
        use = bool(asked)
    elif facts.saved_by_compiling == 0:
        reason = "a step of this network takes longer compiled on a CPU"
    elif seconds * facts.saved_by_compiling <= _COMPILING_TAKES:
        reason = f"some {seconds:.0f} s to train, as predicted: too few to repay compiling"
    elif device.type == "cpu" and not facts.has_compiler:
        reason = "it would pay, but there is no C++ compiler (g++)"
    else:
        use, reason = True, f"some {seconds:.0f} s to train, as predicted, repay compiling"
    return Decision(use, (Choice("compile", str(use), reason),))


def _as_before(asked: Any, name: str, resumed: Mapping[str, Any]) -> Any:
    """Return what was asked for; "auto" is the checkpoint's where there is one, or it would be another training."""
    return resumed.get(name, asked) if asked == "auto" else asked
