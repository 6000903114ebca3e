"""Hyperparameters, and the rules for their values.

A rule is written once, in the signature that has the parameter, as `Annotated[type, rule, "what it does"]`. The
estimators, the command line and the documentation read it from there.
"""

from __future__ import annotations

import difflib
import inspect
import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, get_args, get_origin, get_type_hints

from narrows.renamed import module_getattr


class Rule(Protocol):
    """The values that a parameter may have: `accepts` tests a value, `describe` is the text for messages."""

    def accepts(self, value: Any) -> bool:
        """Return True if `value` is allowed."""

    def describe(self) -> str:
        """Return the rule as text, to follow the words 'must be'."""


@dataclass(frozen=True)
class Real:
    """A real number in a range. `open_low` and `open_high` exclude the ends."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def accepts(self, value: Any) -> bool:
        """Return True if `value` is a number in the range, and not a bool or NaN."""
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or math.isnan(value):
            return False
        number = float(value)
        above = number > self.low if self.open_low else number >= self.low
        below = number < self.high if self.open_high else number <= self.high
        return above and below

    def describe(self) -> str:
        """Return text such as 'a float in the range [0, inf)'."""
        return f"a float in the range {_range(self.low, self.high, self.open_low, self.open_high)}"


@dataclass(frozen=True)
class Integer:
    """A whole number from `low` to `high`, both included."""

    low: float = -math.inf
    high: float = math.inf

    def accepts(self, value: Any) -> bool:
        """Return True if `value` is an integer (also of numpy) in the range, and not a bool."""
        return (
            isinstance(value, numbers.Integral) and not isinstance(value, bool) and self.low <= int(value) <= self.high
        )

    def describe(self) -> str:
        """Return text such as 'an int in the range [1, inf)'."""
        return f"an int in the range {_range(self.low, self.high, False, False)}"


@dataclass(frozen=True)
class OneOf:
    """A choice from a fixed set of values."""

    values: tuple[Any, ...]

    def accepts(self, value: Any) -> bool:
        """Return True if `value` is one of them, and of the same type."""
        return any(type(value) is type(v) and value == v for v in self.values)

    def describe(self) -> str:
        """Return text such as "one of 'auto', 'mlp'"."""
        if len(self.values) == 1:
            return repr(self.values[0])
        return "one of " + ", ".join(repr(v) for v in self.values)


@dataclass(frozen=True)
class KeyOf:
    """A key of a registry, which may grow after the rule is made, or one of `others`."""

    registry: Mapping[str, Any]
    others: tuple[str, ...] = ()
    refresh: Callable[[], object] | None = None  # called once more before a value is refused: packages may add keys

    @property
    def values(self) -> tuple[str, ...]:
        """All values that are allowed now."""
        return (*self.others, *self.registry)

    def accepts(self, value: Any) -> bool:
        """Return True if `value` is one of the values."""
        if not OneOf(self.values).accepts(value) and self.refresh is not None:
            self.refresh()
        return OneOf(self.values).accepts(value)

    def describe(self) -> str:
        """Return text such as "one of 'auto', 'gaussian'"."""
        return OneOf(self.values).describe()


@dataclass(frozen=True)
class Satisfies:
    """Any value for which `test` returns True; `description` is the text for messages."""

    description: str
    test: Callable[[Any], bool]

    def accepts(self, value: Any) -> bool:
        """Return True if `test` returns True for `value`."""
        return bool(self.test(value))

    def describe(self) -> str:
        """Return the description."""
        return self.description


@dataclass(frozen=True)
class Either:
    """A value that at least one of several rules accepts."""

    rules: tuple[Rule, ...]

    def accepts(self, value: Any) -> bool:
        """Return True if one of the rules accepts `value`."""
        return any(rule.accepts(value) for rule in self.rules)

    def describe(self) -> str:
        """Return the texts of the rules, joined by 'or'."""
        return " or ".join(rule.describe() for rule in self.rules)


def either(*rules: Rule) -> Either:
    """Return the rule that accepts a value if any of `rules` accepts it."""
    return Either(rules)


BOOL = OneOf((True, False))
LAYER_WIDTHS = Satisfies(
    "a sequence of ints of at least 1",
    lambda v: isinstance(v, Sequence) and not isinstance(v, str) and all(Integer(1).accepts(i) for i in v),
)


__getattr__ = module_getattr(__name__, {"FLAG": "BOOL"})


@dataclass(frozen=True)
class Parameter:
    """A hyperparameter: its name, default, rule (None allows any value), one line of help, and type."""

    name: str
    default: Any
    rule: Rule | None
    help: str
    type: Any = Any

    def check(self, owner: str, value: Any) -> None:
        """Check a value of the parameter. The message names `owner`.

        Raises
        ------
        ValueError
            If the rule does not accept `value`.
        """
        if self.rule is not None and not self.rule.accepts(value):
            raise ValueError(
                f"The `{self.name}` parameter of {owner} must be {self.rule.describe()}. Got {value!r} instead."
            )


def parameters(function: Callable[..., Any]) -> dict[str, Parameter]:
    """Return the parameters of `function` that have a default, by name and in order.

    >>> def f(x, *, rate: Annotated[float, Real(0, 1), "how often"] = 0.1): ...
    >>> parameters(f)["rate"].help
    'how often'
    """
    hints = get_type_hints(function, include_extras=True)
    result = {}
    for name, p in inspect.signature(function).parameters.items():
        if p.default is p.empty:
            continue
        rule, text, kind = None, "", hints.get(name, Any)
        if get_origin(kind) is Annotated:
            kind, *extras = get_args(kind)
            for extra in extras:
                if isinstance(extra, str):
                    text = extra
                else:
                    rule = extra
        result[name] = Parameter(name, p.default, rule, text, kind)
    return result


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the most similar known name, and all known names."""
    known = sorted(known)
    by_lower = {text.lower(): text for text in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    hint = f"Did you mean {by_lower[close[0]]!r}? " if close else ""
    return f"{hint}Known: {', '.join(known)}."


def no_such_parameter(owner: str, name: str, known: Iterable[str], fixed: Mapping[str, Any]) -> str:
    """Return the message about an unknown parameter of an estimator; `fixed` is that of its recipe."""
    if name in fixed:
        return f"{owner} has no parameter {name!r}: it is {fixed[name]!r} in all its models."
    return f"{owner} has no parameter {name!r}. {did_you_mean(name, known)}"


def enumerate_names(names: Sequence[str], most: int = 8) -> str:
    """Return the first `most` names, separated by commas, and the number of the others."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def counted(n: int, noun: str, plural: str = "") -> str:
    """Return a number of things in words for people.

    >>> counted(1, "row"), counted(1200, "row"), counted(2, "class", "classes")
    ('1 row', '1,200 rows', '2 classes')
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def _range(low: float, high: float, open_low: bool, open_high: bool) -> str:
    left = "(" if open_low or low == -math.inf else "["
    right = ")" if open_high or high == math.inf else "]"
    return f"{left}{_number(low)}, {_number(high)}{right}"


def _number(value: float) -> str:
    return f"{value:g}"
