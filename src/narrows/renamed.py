"""Deprecated aliases: old names that users' own parts may still use. Each is kept for one release."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any


class Renamed:
    """A descriptor that reads and sets the attribute `new` under its old name, with a DeprecationWarning.

    >>> import warnings
    >>> class Point:
    ...     place = 3
    ...     spot = Renamed("place")
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     print(Point().spot, caught[0].message)
    3 Point.spot is now called `place`.
    """

    def __init__(self, new: str) -> None:
        self.new = new

    def __set_name__(self, owner: type, name: str) -> None:
        self.old = name

    def __get__(self, instance: Any, owner: type) -> Any:
        warn(owner.__name__, self.old, self.new, stacklevel=3)
        definers = [
            i for i, cls in enumerate(owner.__mro__) if self.old in vars(cls) and vars(cls)[self.old] is not self
        ]
        if not definers:
            return getattr(owner if instance is None else instance, self.new)
        # a class that defines the old name called super(): what stands behind it is meant
        for cls in owner.__mro__[definers[-1] + 1 :]:
            if self.new in vars(cls):
                value = vars(cls)[self.new]
                return value.__get__(instance, owner) if hasattr(value, "__get__") else value
        raise AttributeError(f"{owner.__name__} has no attribute {self.new!r}")

    def __set__(self, instance: Any, value: Any) -> None:
        warn(type(instance).__name__, self.old, self.new, stacklevel=3)
        setattr(instance, self.new, value)


def take_old_names(cls: type, base: type) -> None:
    """Let a new subclass of `base` define an attribute by its old name, with a DeprecationWarning.

    Call it in `__init_subclass__` of `base`, whose `Renamed` attributes are the old names. The new name wins in a class
    that defines both.
    """
    for old, alias in vars(base).items():
        if isinstance(alias, Renamed):
            definer = next(c for c in cls.__mro__ if alias.new in vars(c) or old in vars(c))
            if alias.new not in vars(definer):  # `base` has both
                warn(cls.__name__, old, alias.new, stacklevel=4)
                setattr(cls, alias.new, vars(definer)[old])


def module_getattr(module: str, new_names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a module's `__getattr__` that finds objects under their old names, with a DeprecationWarning.

    Parameters
    ----------
    module : `__name__` of the module.
    new_names : new name of each old name; the module has the new one.
    """

    def getattr_(name: str) -> Any:
        if name not in new_names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn(module, name, new_names[name], stacklevel=3)
        return getattr(sys.modules[module], new_names[name])

    return getattr_


def warn(owner: str, old: str, new: str, stacklevel: int) -> None:
    """Warn that `owner.old` is now called `new`."""
    warnings.warn(f"{owner}.{old} is now called `{new}`.", DeprecationWarning, stacklevel=stacklevel)
