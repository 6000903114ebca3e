"""Hyperparameters: what a value must be, stated once beside the parameter, and checked with one message.

A rule stands in the signature that owns the parameter, as `Annotated[type, rule, "what it does"]`, so that the
estimators, the command line and the documentation all read the same line.
"""

from __future__ import annotations

import difflib
import inspect
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, get_args, get_origin, get_type_hints


class Rule(Protocol):
    """What a parameter must be: `accepts` a value or not, and says in words what it must be."""

    def accepts(self, value: Any) -> bool:
        """Whether `value` is allowed."""

    def describe(self) -> str:
        """What must hold, to stand after 'must be'."""


@dataclass(frozen=True)
class Real:
    """A real number in a range; `open_low` and `open_high` leave the ends out."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def accepts(self, value: Any) -> bool:
        """Whether `value` is a number, not a bool and not NaN, in the range."""
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or math.isnan(value):
            return False
        number = float(value)
        above = number > self.low if self.open_low else number >= self.low
        below = number < self.high if self.open_high else number <= self.high
        return above and below

    def describe(self) -> str:
        """Such as 'a float in the range [0, inf)'."""
        return f"a float in the range {_range(self.low, self.high, self.open_low, self.open_high)}"


@dataclass(frozen=True)
class Integer:
    """A whole number from `low` to `high`, both included."""

    low: float = -math.inf
    high: float = math.inf

    def accepts(self, value: Any) -> bool:
        """Whether `value` is an integer (numpy's too, a bool not) in the range."""
        return (
            isinstance(value, numbers.Integral) and not isinstance(value, bool) and self.low <= int(value) <= self.high
        )

    def describe(self) -> str:
        """Such as 'an int in the range [1, inf)'."""
        return f"an int in the range {_range(self.low, self.high, False, False)}"


@dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    values: tuple[Any, ...]

    def accepts(self, value: Any) -> bool:
        """Whether `value` is one of them, of the same type."""
        return any(type(value) is type(v) and value == v for v in self.values)

    def describe(self) -> str:
        """Such as "one of 'auto', 'mlp'"."""
        if len(self.values) == 1:
            return repr(self.values[0])
        return "one of " + ", ".join(repr(v) for v in self.values)


@dataclass(frozen=True)
class Satisfies:
    """Anything for which `test` holds; `words` says what that is."""

    words: str
    test: Callable[[Any], bool]

    def accepts(self, value: Any) -> bool:
        """Whether the test holds."""
        return bool(self.test(value))

    def describe(self) -> str:
        """The words."""
        return self.words


@dataclass(frozen=True)
class Either:
    """Any of several rules."""

    rules: tuple[Rule, ...]

    def accepts(self, value: Any) -> bool:
        """Whether one of them accepts it."""
        return any(rule.accepts(value) for rule in self.rules)

    def describe(self) -> str:
        """Their words, joined by 'or'."""
        return " or ".join(rule.describe() for rule in self.rules)


def either(*rules: Rule) -> Either:
    """Any of `rules`."""
    return Either(rules)


BOOL = OneOf((True, False))
LAYER_WIDTHS = Satisfies(
    "a sequence of ints of at least 1",
    lambda v: isinstance(v, Sequence) and not isinstance(v, str) and all(Integer(1).accepts(i) for i in v),
)


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter: its name, default, rule (None for anything), one line of help, and type."""

    name: str
    default: Any
    rule: Rule | None
    help: str
    type: Any = Any

    def check(self, owner: str, value: Any) -> None:
        """Raise a ValueError in the house's words unless the rule accepts `value`."""
        if self.rule is not None and not self.rule.accepts(value):
            raise ValueError(
                f"The `{self.name}` parameter of {owner} must be {self.rule.describe()}. Got {value!r} instead."
            )


def parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """The keyword parameters of `function` that carry a default, in order.

    >>> def f(x, *, rate: Annotated[float, Real(0, 1), "how often"] = 0.1): ...
    >>> parameters(f)["rate"].help
    'how often'
    """
    hints = get_type_hints(function, include_extras=True)
    found = {}
    for name, p in inspect.signature(function).parameters.items():
        if p.default is p.empty:
            continue
        rule, words, kind = None, "", hints.get(name, Any)
        if get_origin(kind) is Annotated:
            kind, *extras = get_args(kind)
            for extra in extras:
                if isinstance(extra, str):
                    words = extra
                else:
                    rule = extra
        found[name] = Parameter(name, p.default, rule, words, kind)
    return found


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, and all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"{hint}Known: {', '.join(known)}."


def _range(low: float, high: float, open_low: bool, open_high: bool) -> str:
    left = "(" if open_low or low == -math.inf else "["
    right = ")" if open_high or high == math.inf else "]"
    return f"{left}{_number(low)}, {_number(high)}{right}"


def _number(value: float) -> str:
    return f"{value:g}"
