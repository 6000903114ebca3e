"""The neighbour layout of all codes, refined in the background: the page shows how it unfolds."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import NamedTuple

import numpy as np

from narrows.evaluation.inspection import Inspection
from narrows.evaluation.layout import FEWEST, NeighborLayout
from narrows.params import counted

_NICENESS = 5  # of the thread: the dials go first
_N_STEPS = 300


class Refinement(NamedTuple):
    """The places of a layout that is being refined.

    Attributes
    ----------
    step : number of steps so far.
    places : n x 2, float32.
    """

    step: int
    places: np.ndarray


class NeighborMap:
    """A neighbour layout that a thread of low priority refines. The constructor starts the thread.

    The thread holds no lock: the layout asks nothing of the model once the codes are there.

    Parameters
    ----------
    inspection : a model on at least 4 examples, with their codes.

    Attributes
    ----------
    n_steps : number of steps to the final map.

    Raises
    ------
    ValueError
        If there are fewer examples.
    """

    n_steps = _N_STEPS

    def __init__(self, inspection: Inspection) -> None:
        n = inspection.all_codes.shape[0]
        if n < FEWEST:
            raise ValueError(
                f"A map of neighbours needs at least {FEWEST} examples. The data have {counted(n, 'row')}."
            )
        self._latest: Refinement | None = None
        self._error: Exception | None = None
        self._is_stopping = threading.Event()
        self.thread = threading.Thread(target=self._refine, args=(inspection,), name="narrows-neighbours", daemon=True)
        self.thread.start()

    @property
    def latest(self) -> Refinement | None:
        """The newest places; None while neighbours are looked for. Raises the error of a layout that failed."""
        if self._error is not None:
            raise self._error
        return self._latest

    def stop(self) -> None:
        """End the refinement after its present step."""
        self._is_stopping.set()

    def _refine(self, inspection: Inspection) -> None:
        if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        try:
            layout = NeighborLayout(inspection.all_codes, inspection.plane.places, n_steps=_N_STEPS)
            for places in layout.refine(every=1):
                self._latest = Refinement(layout.n_done, places)
                if self._is_stopping.is_set():
                    return
        except Exception as error:  # a request asks for it later, whatever it is
            self._error = error
