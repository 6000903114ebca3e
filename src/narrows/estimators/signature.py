"""Parameters, constructors and docstrings of the estimators, built from their recipes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from sklearn.base import BaseEstimator
from torch import nn

from narrows.data import KINDS, MAX_LEVELS
from narrows.networks import REBUILT
from narrows.params import BOOL, Integer, OneOf, Parameter, Real, Satisfies, either, no_such_parameter, parameters
from narrows.training import PRECISIONS, checkpoint, tracking
from narrows.training.progress import VERBOSITY, Verbosity

RANDOM_STATE = Satisfies(
    "an int, a numpy RandomState or Generator, or None",
    lambda v: v is None or isinstance(v, (int, np.integer, np.random.RandomState, np.random.Generator)),
)
_AUTO = OneOf(("auto",))


def _training(
    *,
    batch_size: Annotated[Any, either(Integer(1), _AUTO), "number of examples in each training step"] = "auto",
    learning_rate: Annotated[Any, either(Real(0, open_low=True), _AUTO), "highest learning rate of AdamW"] = "auto",
    weight_decay: Annotated[Any, either(Real(0), _AUTO), "weight decay of AdamW, against over-fitting"] = "auto",
    max_epochs: Annotated[Any, either(Integer(1), _AUTO), "largest number of passes over the training data"] = "auto",
    max_time: Annotated[
        Any, either(Real(0, open_low=True), OneOf((None,))), "time limit of the training, in seconds; None for no limit"
    ] = None,
    early_stopping: Annotated[
        bool, BOOL, "True to hold out rows, cool down and end when their loss stops falling, and keep the best weights"
    ] = True,
    validation_fraction: Annotated[
        float, Real(0, 1, open_low=True, open_high=True), "share of the rows to hold out for early stopping"
    ] = 0.1,
    n_iter_no_change: Annotated[
        Any, either(Integer(1), _AUTO), "validations without improvement before the cool-down; 'auto' is 10, MapAE: 25"
    ] = "auto",
    contamination: Annotated[
        Any, either(Real(0, 0.5, open_low=True), _AUTO), "expected share of new rows to call outliers; 'auto' is 0.05"
    ] = "auto",
    device: Annotated[
        str,
        Satisfies("a device's name, such as 'auto', 'cpu', 'cuda'", lambda v: isinstance(v, str)),
        "device to compute on; 'auto' is a GPU if there is one, otherwise the CPU",
    ] = "auto",
    precision: Annotated[
        str, OneOf(PRECISIONS), "dtype of matrix products; with 'bfloat16', weights and losses stay in float32"
    ] = "auto",
    compile: Annotated[
        Any, either(BOOL, _AUTO), "True to compile the training step (torch.compile); 'auto' does so if it saves time"
    ] = "auto",
    sharded: Annotated[
        Any, either(BOOL, _AUTO), "True to split the model over the processes; False for a full copy in each process"
    ] = "auto",
    checkpoint: Annotated[
        str | Path | None,
        Satisfies("a folder's path or None", lambda v: v is None or isinstance(v, (str, Path))),
        "folder for checkpoints; `fit` resumes from a checkpoint in it; None for no checkpoints",
    ] = None,
    track: Annotated[
        Any, Satisfies(tracking.DESCRIPTION, tracking.is_valid), "where to log the losses during the training"
    ] = None,
    random_state: Annotated[
        int | np.random.RandomState | np.random.Generator | None,
        RANDOM_STATE,
        "seed of all random numbers; None takes a new one in each fit",
    ] = None,
    verbose: Annotated[
        Verbosity,
        VERBOSITY,
        "'auto' for a progress bar where it takes more than 2 seconds and somebody watches; 0 for no output, 1 for a "
        "bar and the decisions, 2 also for a line per validation",
    ] = "auto",
) -> None:
    """The parameters that all estimators share."""


def _budget(
    *,
    max_examples: Annotated[
        Any,
        either(Integer(2), OneOf((None,))),
        "largest number of training examples in all steps; of an iterator, of rows to read; None for no limit",
    ] = None,
    buffer_size: Annotated[
        Any,
        either(Integer(8), _AUTO),
        "rows of an iterator that are in memory, from which batches are drawn at random; 'auto' takes 256 MiB",
    ] = "auto",
) -> None:
    """The parameters of all estimators that limit the examples of a training, which an iterator needs."""


def _tables(
    *,
    columns: Annotated[
        Any,
        Satisfies("a dict from columns to kinds, or None", lambda v: v is None or isinstance(v, Mapping)),
        f"kinds of columns of a table, such as {{'zip': 'categorical'}}, one of {', '.join(KINDS)} ('identifier' "
        "leaves a column out); None finds all",
    ] = None,
    max_levels: Annotated[
        Any,
        either(Integer(2), OneOf((None,))),
        "largest number of levels of a column of a table; rarer values become one level, `other`, which is given back "
        "as missing; None keeps all",
    ] = MAX_LEVELS,
) -> None:
    """The parameters of all estimators that say how tables are read."""


TRAINING = {**parameters(_tables), **parameters(_training), **parameters(_budget)}


def constructor(name: str, declared: dict[str, Parameter], fixed: Mapping[str, Any]) -> Callable[..., None]:
    """Make an `__init__` that stores its arguments and has the declared parameters in its signature.

    `fixed` holds values of parameters that there are not, for the message.
    """
    kinds = inspect.Parameter
    first, *rest = declared.values()
    signature = inspect.Signature(
        [
            kinds("self", kinds.POSITIONAL_OR_KEYWORD),
            kinds(first.name, kinds.POSITIONAL_OR_KEYWORD, default=first.default),
            *(kinds(p.name, kinds.KEYWORD_ONLY, default=p.default) for p in rest),
        ]
    )
    known = set(signature.parameters) - {"self"}

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        for keyword in kwargs:
            if keyword not in known:
                raise TypeError(no_such_parameter(name, keyword, known, fixed))
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        for parameter in known:
            setattr(self, parameter, bound.arguments[parameter])

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    return __init__


def documentation(text: str, own: dict[str, Parameter]) -> str:
    """Return a class's docstring: `text` with sections for the recipe's `own` and the shared parameters inserted."""
    head, *sections = re.split(r"\n\n(?=\w+\n---)", inspect.cleandoc(text), maxsplit=1)
    return "\n\n".join((head, _section("Parameters", own), _section("Other Parameters", TRAINING), *sections))


def _section(title: str, declared: dict[str, Parameter]) -> str:
    return "\n".join((title, "-" * len(title), *map(_entry, declared.values())))


def _entry(parameter: Parameter) -> str:
    rule = "anything" if parameter.rule is None else parameter.rule.describe()
    text = parameter.help[:1].upper() + parameter.help[1:]
    return f"{parameter.name} : {rule}, default {parameter.default!r}\n    {text}."


def seed_of_run(random_state: Any, folder: Any) -> int:
    """Return the seed of a training: from a checkpoint in `folder` if `random_state` is not an int."""
    if folder is not None and not isinstance(random_state, (int, np.integer)):
        path = Path(folder).expanduser() / checkpoint.NAME
        if path.exists():
            return int(checkpoint.read_without_tensors(path)["training"]["seed"])
    return as_seed(random_state)


def as_seed(random_state: Any) -> int:
    """Return an int for any `random_state`. None takes a new seed and does not touch numpy's global state."""
    if isinstance(random_state, (int, np.integer)):
        return int(random_state) % 2**31
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**31))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return int(np.random.SeedSequence().generate_state(1)[0] % 2**31)


def to_json(value: Any) -> Any:
    """Return the value of a parameter as JSON types. A module becomes the name of its class, with the arguments if
    narrows can build it again.
    """
    if isinstance(value, nn.Module):
        name = type(value).__qualname__
        arguments = {"arguments": value.arguments} if REBUILT.get(name) is type(value) else {}
        return {"module": f"{type(value).__module__}.{name}", **arguments}
    if isinstance(value, (tuple, list)):
        return [to_json(v) for v in value]
    if isinstance(value, Mapping):
        return {str(name): to_json(v) for name, v in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (np.random.RandomState, np.random.Generator)):
        return None
    if tracking.is_tracker(value):
        return None
    return str(value) if isinstance(value, Path) else value


def reset_fitted(estimator: BaseEstimator) -> None:
    """Delete the attributes of an earlier fit, so that a failed fit does not leave a mixture of both."""
    for name in [name for name in vars(estimator) if name.endswith("_") and not name.startswith("_")]:
        delattr(estimator, name)
