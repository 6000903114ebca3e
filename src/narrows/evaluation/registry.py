"""Measures by name. Each is a function of a subject: a model or PCA, on the examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from narrows.evaluation.intervals import Estimate
from narrows.evaluation.subjects import Subject

Function = Callable[[Subject], Estimate | Mapping[str, Estimate]]


@dataclass(frozen=True)
class Measure:
    """A registered measure. Its function returns one estimate, or a dictionary of them by the names of their rows."""

    name: str
    better: int
    function: Function

    def rows(self, subject: Subject) -> dict[str, Estimate]:
        """Return the rows of the table that the measure makes for `subject`.

        Raises
        ------
        Absent
            If it makes none for `subject`.
        """
        result = self.function(subject)
        return {self.name: result} if isinstance(result, Estimate) else dict(result)


MEASURES: dict[str, Measure] = {}


def measure(better: int = 0) -> Callable[[Function], Function]:
    """Register a function as the measure of its name.

    Parameters
    ----------
    better : 1 if more is better, -1 if less is better, 0 if neither is.
    """

    def register(function: Function) -> Function:
        name = function.__name__
        MEASURES[name] = Measure(name, better, function)
        return function

    return register
