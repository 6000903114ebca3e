"""Builds the parts of a model; a network that is too large to train here is refused before it is made."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Container, Mapping
from typing import Any

from narrows import recipes
from narrows.data import Schema
from narrows.fitted import FittedModel
from narrows.training import memory, seeded_init
from narrows.training.device import choose_device
from narrows.training.parallel import join

_ABOUT_PARAMETER = re.compile(r"The `(\w+)` parameter (?:of [\w ]+ )?must ")
_WIDE = 4096  # length of a code that is called wide


def build_parts(estimator: FittedModel, seed: int, n_rows: int | None) -> recipes.Parts:
    """Build the parts of an estimator with its parameters and its schema.

    Parameters
    ----------
    seed : seed of the first weights.
    n_rows : number of rows of the training to come; None for a fitted model that is built again.

    Raises
    ------
    ValueError
        If the parameters do not fit each other or the data, or if the training does not fit into memory.
    """
    recipe, owner = estimator.recipe, type(estimator).__name__
    values = {name: getattr(estimator, name) for name in recipe.parameters} | getattr(estimator, "decided_", {})
    max_time = estimator.get_params(deep=False)["max_time"]

    def build() -> recipes.Parts:
        with seeded_init(seed, is_global=not recipe.is_own):
            return recipe.build(estimator.schema_, n_rows=n_rows, max_time=max_time, **values)

    try:
        return build() if n_rows is None else build_within_memory(build, estimator, n_rows)
    except ValueError as error:
        if type(error) is ValueError and (message := name_owner(str(error), owner, recipe.parameters)):
            raise ValueError(message) from error
        raise


def name_owner(message: str, owner: str, names: Container[str]) -> str | None:
    """Return a message about a parameter of a part or of another recipe, with the estimator whose parameter it is, too.

    None if the message is about anything else than a parameter in `names`.

    >>> name_owner("The `group_size` parameter of VectorQuantizer must divide 4.", "PQVAE", ["group_size"])
    'The `group_size` parameter of PQVAE must divide 4.'
    """
    found = _ABOUT_PARAMETER.match(message)
    if found is None or found[1] not in names:
        return None
    return f"The `{found[1]}` parameter of {owner} must {message[found.end() :]}"


def build_within_memory(build: Callable[[], recipes.Parts], estimator: FittedModel, n_rows: int) -> recipes.Parts:
    """Return `build()`, the parts of a new model, if they can be trained in the free memory.

    Parameters
    ----------
    estimator : the estimator with its parameters and its schema.
    n_rows : number of rows of the training to come.

    Raises
    ------
    NotEnoughMemory
        If the weights need more memory than is free. None of it is allocated then.
    """
    parameters, schema, owner = estimator.get_params(deep=False), estimator.schema_, type(estimator).__name__
    per_weight, free = _per_weight(parameters), memory.available_bytes()
    try:
        with memory.Budget(free // per_weight):
            return build()
    except memory.OverBudget:
        parts = outline_parts(estimator.recipe, parameters, schema, n_rows)
    if parts is not None:
        check_weights(parts, parameters, owner)
        return build()  # the budget also counts tensors that are freed
    try:
        with memory.Budget(free // memory.bytes_per_weight("float32", on_host=False)):
            return build()
    except memory.OverBudget as error:  # the new weights alone are too many
        raise memory.NotEnoughMemory(_message(owner, error.n_largest, per_weight, free, parameters)) from None


def check_weights(parts: recipes.Parts, parameters: Mapping[str, Any], owner: str) -> None:
    """Check that the weights of a model can be trained in the free memory. Nothing is allocated.

    Parameters
    ----------
    parts : from `outline_parts`.
    parameters : all parameters of the estimator.
    owner : name of the estimator, for the message.

    Raises
    ------
    NotEnoughMemory
        If they cannot.
    """
    n = sum(weight.numel() for weight in parts.model.parameters())
    per_weight, free = _per_weight(parameters), memory.available_bytes()
    if n * per_weight > free:
        raise memory.NotEnoughMemory(_message(owner, n, per_weight, free, parameters))


def outline_parts(
    recipe: recipes.Recipe, parameters: Mapping[str, Any], schema: Schema, n_rows: int | None = None
) -> recipes.Parts | None:
    """Return the parts of a model whose large tensors have no numbers; None if it cannot be built so.

    Parameters
    ----------
    parameters : all parameters of the estimator.
    n_rows : number of rows of the training to come, which networks of automatic size follow; None if not known.
    """
    values = {name: parameters.get(name, p.default) for name, p in recipe.parameters.items()}
    try:
        with memory.Outline():  # the copy caches its tensors
            return recipe.build(copy.copy(schema), n_rows=n_rows, max_time=parameters.get("max_time"), **values)
    except (ValueError, TypeError, RuntimeError):
        return None


def _per_weight(parameters: Mapping[str, Any]) -> int:
    """Return the bytes of the host that each weight takes; where a GPU or several processes train, the new ones."""
    name = parameters.get("device", "auto")
    n_processes = join(name).size
    on_host = choose_device(name, n_processes)[0].type != "cuda" and n_processes == 1
    return memory.bytes_per_weight(parameters.get("precision", "auto"), on_host=on_host)


def _message(owner: str, n: int, per_weight: int, free: int, parameters: Mapping[str, Any]) -> str:
    return (
        f"The training of {owner} needs about {memory.format_bytes(n * per_weight)} for {n:,} weights, with their "
        f"gradients, two moments and the best values; {memory.format_bytes(free)} are free. Smaller: "
        f"{_smaller(parameters)}."
    )


def _smaller(parameters: Mapping[str, Any]) -> str:
    """Return what to choose instead: the parameter that makes the network so large, and a usual value."""
    n_components = parameters.get("n_components")
    if isinstance(n_components, int) and n_components >= _WIDE:
        return f"an `n_components` below {n_components:,}"
    if isinstance(parameters.get("hidden"), (tuple, list)):
        return "hidden=(256, 256)"
    return "smaller pictures, fewer columns or a smaller network"
