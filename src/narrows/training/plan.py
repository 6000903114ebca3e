"""Every decision of a training, made once, each with its reason.

`choose_place` decides the device, the precision and sharding. When the model exists, `make_plan` decides the rest. Both
are functions of the settings and of `PlanInputs`, and train nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from narrows.bottlenecks import Bottleneck
from narrows.params import counted
from narrows.training.device import Choice, choose_device, choose_precision
from narrows.training.length import MOST_HELD_OUT, limit_length
from narrows.training.machine import (
    Decision,
    choose_compile,
    choose_cuda_graph,
    choose_sharding,
    choose_threads,
    resume_auto,
)
from narrows.training.pace import follow_pace
from narrows.training.plan_inputs import PlanInputs
from narrows.training.settings import Settings

_FEWEST_HELD_OUT, _FEWEST_ROWS = 20, 100  # fewer held-out rows have too noisy a loss; of fewer rows 20 are too many
_NEIGHBOR_BATCHES = ((10_000, 512), (1_000, 256), (0, 64))  # (least number of rows, batch size)
_N_NEIGHBORS = 20
_PATIENCE, _PATIENCE_WITH_NEIGHBORS = 10, 25  # validations

_BATCH = 128
_MANY_UNITS, _LARGEST_BATCH = 4096, 1024  # units of a sparse code; with fewer of them smaller batches learn as fast
_STEPS_OF_MANY_UNITS = 50  # fewest steps in an epoch of a larger batch
_RATE, _RATE_BATCH = 1e-3, 64  # learning rate of Adam, at this batch size; photos and outliers set their own
_AUTO_STEPS, _AUTO_EPOCHS = 15_000, (20, 300)  # enough for the networks here to settle on data of common sizes
_FEW_ROWS, _EPOCHS_OF_FEW = 1_000, 120  # fewer rows are learned by heart in more passes
_RATE_OF_FEW, _RATE_FROM_PCA = 1e-2, 4e-3  # learning rates for few rows; PCA would be forgotten at the higher one
_EPOCHS_WITHOUT_HELD_OUT = 30  # for a model that begins at PCA
_HEAVY_FLOPS = 10e9  # floating-point operations per step; above this, "auto" takes fewer steps
_HEAVY_STEPS, _HEAVY_EPOCHS = 4_000, (5, 300)

_STEP_PER_PRODUCTS = 2.0  # ratio of a step's time (without overhead) to that of its matrix products
_STEP_OVERHEAD = 2e-3  # seconds of a step without computation
_CUDA_GRAPH_OVERHEAD = 2e-4  # the same for a CUDA graph, estimated


@dataclass(frozen=True)
class Place:
    """The device and the precision of a training.

    Attributes
    ----------
    precision : dtype of matrix products. Weights, losses and reductions stay in float32, unless it is float64.
    is_sharded : True if each of several processes holds a share of the model.
    """

    device: torch.device
    precision: torch.dtype
    is_sharded: bool
    device_choice: Choice
    precision_choice: Choice
    sharding_choices: tuple[Choice, ...] = ()

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of weights, losses and reductions."""
        return torch.float64 if self.precision == torch.float64 else torch.float32


@dataclass(frozen=True)
class Plan:
    """All decisions of a training, with their reasons.

    Attributes
    ----------
    n_train, n_valid : numbers of training rows and of held-out rows.
    batch_size : examples per step, of all processes together.
    n_epochs : largest number of passes over the data.
    patience : number of validations without improvement that count as a plateau.
    n_threads : number of threads of torch.
    n_neighbors, metric : number and metric of the near examples in batches; None if batches have none.
    seconds : predicted duration of all epochs without compilation, at most the time limit.
    choices : the decisions to report, in this order.
    is_started : True if the model has begun at PCA.
    epoch_rows, most_steps, fewest_epochs_per_validation : as in `Length`.
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
    seconds: float
    choices: tuple[Choice, ...]
    is_started: bool = False
    epoch_rows: int | None = None
    most_steps: int | None = None
    fewest_epochs_per_validation: int = 1

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps in an epoch. The first rows of the epoch are repeated to fill the last batch."""
        return math.ceil((self.epoch_rows or self.n_train) / self.batch_size)

    @property
    def n_steps(self) -> int:
        """Largest number of steps of the training."""
        n = self.n_epochs * self.steps_per_epoch
        return n if self.most_steps is None else min(n, self.most_steps)

    @property
    def epochs_per_validation(self) -> int:
        """Number of epochs between two validations: at least fifty steps."""
        return max(self.fewest_epochs_per_validation, math.ceil(50 / self.steps_per_epoch))


def choose_place(settings: Settings, n_weights: int, n_processes: int, resumed: Mapping[str, Any]) -> Place:
    """Decide on the device, the precision and sharding.

    Parameters
    ----------
    n_weights : number of weights of the model.
    n_processes, resumed : as in `PlanInputs`.

    Raises
    ------
    ValueError
        If the requested device does not exist.
    """
    device, device_choice = choose_device(settings.device, n_processes)
    requested = resume_auto(settings.precision, "precision", resumed)
    precision, precision_choice = choose_precision(requested, device, n_weights)
    sharded, sharding_choices = choose_sharding(settings.sharded, n_weights, device, n_processes)
    return Place(device, precision, sharded, device_choice, precision_choice, sharding_choices)


def make_plan(settings: Settings, place: Place, inputs: PlanInputs, owner: str = "fit") -> Plan:
    """Decide everything that `settings` leaves open.

    Parameters
    ----------
    owner : name of the estimator, for error messages.

    Raises
    ------
    ValueError
        If there are too few rows for the processes or the neighbors, or `compile=True` is set with several processes.
    """
    (n_train, n_valid), split_choices = choose_split(settings, inputs.n_rows, inputs.resumed, inputs.n_buffer)
    settings, pace_choices = follow_pace(settings, n_train)
    requested, neighbor_batch_choices = choose_neighbor_batch(settings.batch_size, inputs)
    batch_size, batch_choices = choose_batch_size(requested, n_train, inputs)
    learning_rate, rate_choices = choose_learning_rate(settings, batch_size, n_train, inputs)
    is_short = inputs.starts_linear and inputs.n_rows < _FEWEST_ROWS  # it begins at PCA, and no rows are held out
    n_epochs, epochs_choices = choose_epochs(
        settings.max_epochs, n_train, batch_size, inputs.flops_per_example, is_short
    )
    if settings.max_examples is not None and settings.max_epochs == "auto":
        n_epochs, epochs_choices = math.ceil(settings.max_examples / n_train) + 1, ()
    length = limit_length(settings, n_epochs, n_train, n_valid, batch_size, inputs.n_buffer, owner)
    patience, patience_choices = choose_patience(settings.n_iter_no_change, inputs)
    (n_neighbors, metric), neighbors_choices = choose_neighbors(n_train, inputs, owner)

    step_flops = inputs.flops_per_example * batch_size / inputs.n_processes
    n_threads, threads_choices = choose_threads(place.device, step_flops, inputs)
    use_cuda_graph, cuda_graph_choices = choose_cuda_graph(settings.compile, place.device, inputs)
    step_seconds = step_flops * _STEP_PER_PRODUCTS / inputs.matmul_flops_per_second
    step_seconds += _CUDA_GRAPH_OVERHEAD if use_cuda_graph else _STEP_OVERHEAD
    n_steps = length.most_steps or n_epochs * math.ceil(n_train / batch_size)
    seconds = min(n_steps * step_seconds, settings.max_time or math.inf)
    use_compile, compile_choices = choose_compile(settings.compile, place.device, seconds, settings.max_time, inputs)
    weight_decay, decay_choices = choose_weight_decay(settings.weight_decay, inputs.bottleneck)

    choices = [place.device_choice, *place.sharding_choices, *threads_choices, place.precision_choice, *compile_choices]
    choices += [*cuda_graph_choices, *decay_choices, *split_choices, *pace_choices, *batch_choices, *rate_choices]
    choices += [*epochs_choices, *length.choices, *neighbor_batch_choices, *patience_choices, *neighbors_choices]
    return Plan(
        place=place,
        n_train=n_train,
        n_valid=n_valid,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        n_epochs=length.n_epochs,
        epoch_rows=length.epoch_rows,
        most_steps=length.most_steps,
        fewest_epochs_per_validation=length.epochs_per_validation,
        patience=patience,
        n_threads=n_threads,
        use_compile=use_compile,
        use_cuda_graph=use_cuda_graph,
        n_neighbors=n_neighbors,
        metric=metric,
        seconds=seconds,
        choices=tuple(choices),
    )


# ------------------------------------------------------------------------------------ the data and the learning


def choose_split(
    settings: Settings, n_rows: int, resumed: Mapping[str, Any], n_buffer: int | None = None
) -> Decision[tuple[int, int]]:
    """Decide on the numbers of training rows and of held-out rows. `resumed` and `n_buffer` are as in `PlanInputs`."""
    n_valid = round(settings.validation_fraction * n_rows) if settings.early_stopping else 0
    choices: tuple[Choice, ...] = ()
    if settings.early_stopping and n_valid < (fewest := _FEWEST_HELD_OUT):
        is_older = bool(resumed) and "n_valid" not in resumed  # its checkpoint is from before so few rows were held out
        if n_rows >= _FEWEST_ROWS and not is_older:
            reason = (
                f"{fewest} of {counted(n_rows, 'row')} are held out; {n_valid} would be too few to measure the loss"
            )
            choices, n_valid = (Choice("validation_fraction", f"{fewest / n_rows:.2g}", reason),), fewest
        else:
            rows = counted(n_rows, "row")
            reason = f"{n_valid} of {rows} would be too few to hold out; all are trained on, the last weights kept"
            choices, n_valid = (Choice("early_stopping", "False", reason),), 0
    n_valid = min(n_valid, n_rows - 1)
    if n_buffer is not None:  # they stay in memory, and the rest of the buffer mixes
        n_valid = min(n_valid, MOST_HELD_OUT, n_buffer // 4)
    return Decision((n_rows - n_valid, n_valid), choices)


def choose_neighbor_batch(requested: int | str, inputs: PlanInputs) -> Decision[int | str]:
    """Decide on a larger batch size, if the user left it open and the objective compares the examples of a batch."""
    if inputs.neighbors is None or not isinstance(requested, str):
        return Decision(requested)
    size = min(next(size for rows, size in _NEIGHBOR_BATCHES if inputs.n_rows >= rows), inputs.n_rows)
    return Decision(size, (Choice("batch_size", str(size), "each example is compared with all others in its batch"),))


def choose_batch_size(requested: int | str, n_train: int, inputs: PlanInputs) -> Decision[int]:
    """Decide on the number of examples per step. Each process gets at least one.

    Raises
    ------
    ValueError
        If there are more processes than rows.
    """
    choices, n_processes = [], inputs.n_processes
    if isinstance(requested, str):
        batch, reason = _BATCH, f"for {counted(n_train, 'row')}"
        if inputs.bottleneck.n_components >= _MANY_UNITS and inputs.bottleneck.is_sparse:
            steps_of_few = max(1, n_train // _STEPS_OF_MANY_UNITS)
            batch = min(max(1 << (steps_of_few.bit_length() - 1), _BATCH), _LARGEST_BATCH)
            reason += f"; a step passes over all weights of {inputs.bottleneck.n_components:,} units"
        choices.append(Choice("batch_size", str(min(batch, n_train)), reason))
    else:
        batch = requested
    if n_processes > n_train:
        raise ValueError(f"{n_processes} processes are too many for {counted(n_train, 'training row')}. Start fewer.")
    if batch < n_processes:
        choices.append(Choice("batch_size", str(n_processes), f"one example for each of {n_processes} processes"))
        batch = n_processes
    batch = min(batch, n_train)
    if n_processes > 1:
        shared = f"each takes its own share of the {batch} examples of a step"
        choices.append(Choice("processes", str(n_processes), shared))
    return Decision(batch, tuple(choices))


def choose_neighbors(n_train: int, inputs: PlanInputs, owner: str) -> Decision[tuple[int | None, str | None]]:
    """Decide on the number of neighbours of each row, and on the metric.

    Raises
    ------
    ValueError
        If there are too few rows for the requested number of neighbors.
    """
    if inputs.neighbors is None or not inputs.has_neighbors:
        return Decision((None, None))
    k, metric, most, choices = inputs.neighbors.n_neighbors, inputs.neighbors.metric, n_train - 1, []
    if k is not None and k > most:
        raise ValueError(
            f"The `n_neighbors` parameter of {owner} must be at most {most:,}, one less than the training "
            f'rows. Got {k} instead: pass n_neighbors="auto", or more rows.'
        )
    if metric is None:
        metric = "cosine" if inputs.is_image else "euclidean"
        reasons = "images that differ only in contrast are similar", "the columns already have comparable scales"
        choices.append(Choice("metric", metric, reasons[0 if inputs.is_image else 1]))
    if k is None:
        k = max(1, min(_N_NEIGHBORS, most))
        choices.append(Choice("n_neighbors", str(k), f"of {counted(n_train, 'row')}"))
    return Decision((k, metric), tuple(choices))


def choose_learning_rate(settings: Settings, batch_size: int, n_train: int, inputs: PlanInputs) -> Decision[float]:
    """Decide on the highest learning rate of Adam. A single pass (`constant`) may be one of many."""
    if not isinstance(settings.learning_rate, str):
        return Decision(settings.learning_rate)
    is_small = n_train < _FEW_ROWS and not inputs.is_image  # for images of many pixels the higher rate is too high
    if is_small and inputs.neighbors is None and not settings.constant:
        rate = _RATE_FROM_PCA if inputs.starts_linear else _RATE_OF_FEW
        return Decision(rate, (Choice("learning_rate", f"{rate:.2g}", f"for {n_train:,} rows, of few steps an epoch"),))
    rate = _RATE * math.sqrt(min(batch_size, 1024) / _RATE_BATCH)
    reason = f"grows as the root of the batch size, {batch_size}"
    return Decision(rate, (Choice("learning_rate", f"{rate:.2g}", reason),))


def choose_epochs(
    requested: int | str, n_train: int, batch_size: int, flops_per_example: float, is_short: bool = False
) -> Decision[int]:
    """Decide on the largest number of epochs, which is small where `is_short`."""
    if not isinstance(requested, str):
        return Decision(requested)
    steps, step_flops = math.ceil(n_train / batch_size), flops_per_example * batch_size
    heavy = step_flops > _HEAVY_FLOPS
    n_steps, (fewest, most) = (_HEAVY_STEPS, _HEAVY_EPOCHS) if heavy else (_AUTO_STEPS, _AUTO_EPOCHS)
    if n_train < _FEW_ROWS:
        most = min(most, _EPOCHS_WITHOUT_HELD_OUT if is_short else _EPOCHS_OF_FEW)
    epochs = min(max(round(n_steps / steps), fewest), most)
    reason = f"{counted(epochs * steps, 'step')} of {counted(batch_size, 'example')}, {step_flops / 1e9:.2g} GFLOP each"
    return Decision(epochs, (Choice("max_epochs", str(epochs), reason),))


def choose_patience(requested: int | str, inputs: PlanInputs) -> Decision[int]:
    """Decide on the number of validations without improvement that count as a plateau."""
    if not isinstance(requested, str):
        return Decision(requested)
    if inputs.neighbors is None:
        return Decision(_PATIENCE)
    reason = "neighbours are drawn again each time, so the held-out loss falls slowly"
    choice = Choice("n_iter_no_change", str(_PATIENCE_WITH_NEIGHBORS), reason)
    return Decision(_PATIENCE_WITH_NEIGHBORS, (choice,))


def choose_weight_decay(requested: float | str, bottleneck: Bottleneck) -> Decision[float]:
    """Decide on the weight decay. The defaults were best on held-out Fashion-MNIST (docs/negative-results.md)."""
    if not isinstance(requested, str):
        return Decision(requested)
    decay, reason = bottleneck.weight_decay
    return Decision(decay, (Choice("weight_decay", f"{decay:g}", reason),))
