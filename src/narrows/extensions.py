"""Features of fitted models that live in a layer above the estimators, such as `model.studio`.

`narrows/__init__.py` provides them, so that no layer imports a higher one, not even by a name in a string.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_LOADERS: dict[str, Callable[[], Any]] = {}


def provide(name: str, load: Callable[[], Any]) -> None:
    """Register the function that imports the feature called `name`."""
    _LOADERS[name] = load


def extension(name: str) -> Any:
    """Import and return the feature called `name`."""
    return _LOADERS[name]()
