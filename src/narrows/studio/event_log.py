"""Keeps the events of a training, so that a client can read them from any point on."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, NamedTuple

_MAX_EVENTS = 4_000


class Event(NamedTuple):
    """An event of a training, with its number."""

    id: int
    kind: str
    data: Any


class EventLog:
    """The events of a training, for clients that connect late. Of pictures and the like only the latest are kept."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=_MAX_EVENTS)
        self._last_id = 0
        self._lock = threading.Lock()

    def add(self, kind: str, data: Any, *, replace: bool = False) -> None:
        """Add an event. With `replace`, earlier events of this kind are removed."""
        with self._lock:
            self._last_id += 1
            if replace:
                kept = [event for event in self._events if event.kind != kind]
                self._events = deque(kept, maxlen=_MAX_EVENTS)
            self._events.append(Event(self._last_id, kind, data))

    def __contains__(self, kind: object) -> bool:
        with self._lock:
            return any(event.kind == kind for event in self._events)

    def list_after(self, event_id: int) -> list[Event]:
        """Return the events with a number above `event_id`."""
        with self._lock:
            return [event for event in self._events if event.id > event_id]
