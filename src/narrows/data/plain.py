"""Cells of tables as JSON can hold them: a date, a duration and the like become a dict with the name of the type."""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import Any

import numpy as np


def _interval(parts: list[Any]) -> Any:
    import pandas as pd

    return pd.Interval(from_plain(parts[0]), from_plain(parts[1]), parts[2])


def _period(parts: list[str]) -> Any:
    import pandas as pd

    return pd.Period(parts[0], parts[1])


# the types of values of categories, and of names of columns, that JSON does not have
_TAGS: dict[str, Any] = {
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "timedelta": lambda seconds: datetime.timedelta(seconds=float(seconds)),
    "time": datetime.time.fromisoformat,
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
    "Interval": _interval,
    "Period": _period,
    "bytes": bytes.fromhex,
}


def to_plain(value: Any) -> Any:
    """Return a value of a `Column` as JSON can hold it."""
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime.datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"date": value.isoformat()}
    if isinstance(value, datetime.timedelta):
        return {"timedelta": value.total_seconds()}
    name = type(value).__name__
    if name == "Interval":  # of pandas
        return {name: [to_plain(value.left), to_plain(value.right), value.closed]}
    if name == "Period":
        return {name: [str(value), value.freqstr]}
    return {name: value.hex() if isinstance(value, bytes) else str(value)}


def from_plain(value: Any) -> Any:
    """Undo `to_plain`. Lists become tuples."""
    if isinstance(value, (list, tuple)):
        return tuple(from_plain(item) for item in value)
    if isinstance(value, dict):
        (name, text), *_ = value.items()
        return _TAGS.get(name, str)(text)
    return value
