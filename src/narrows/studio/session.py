"""State of a studio: the view that is shown, the other views of this run, and temporary files."""

from __future__ import annotations

import secrets
import tempfile
import threading
from pathlib import Path

from narrows.estimators import load
from narrows.estimators.base import Estimator
from narrows.studio.data import Data
from narrows.studio.turns import Turns
from narrows.studio.view import View

_MOST_VIEWS = 20


class Session:
    """State of one studio.

    Parameters
    ----------
    keep : folder for models that are trained here; None for a temporary one, removed with the studio.
    """

    def __init__(self, keep: Path | None = None) -> None:
        self.instance = secrets.token_hex(8)
        self.turns = Turns()
        self.version = 0
        self.current: View | None = None
        self.views: dict[str, View] = {}
        self.keep = keep
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """Folder for temporary files, made when it is first needed."""
        with self._lock:
            if self._temporary is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="narrows-studio-", ignore_cleanup_errors=True)
            return Path(self._temporary.name)

    @property
    def models(self) -> Path:
        """Folder for models that are trained here."""
        folder = self.keep or self.folder / "models"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def open(
        self, model: Estimator | Path, data: Data | None, *, name: str, path: Path | None = None, saved: bool = False
    ) -> View:
        """Show a model, or the one saved in a folder, with `data`."""
        if isinstance(model, Path):
            path, model = model, load(model)
        view = View(model, data, self.turns, name=name, path=path, saved=saved)
        self.show(view)
        return view

    def show(self, view: View) -> None:
        """Make `view` the one that is shown."""
        with self._lock:
            self.views[view.id] = view
            while len(self.views) > _MOST_VIEWS:
                oldest = next(key for key in self.views if key != view.id)
                del self.views[oldest]
            self.current = view
            self.version += 1

    def close(self) -> None:
        """Remove the temporary files."""
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None
