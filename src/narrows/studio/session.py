"""State of a running studio: its views, the one that is shown, and its temporary files."""

from __future__ import annotations

import secrets
import tempfile
import threading
from pathlib import Path

from narrows.estimators.base import Estimator
from narrows.studio.compute_lock import ComputeLock
from narrows.studio.data import Data
from narrows.studio.view import View

_MAX_VIEWS = 20


class Session:
    """State of a running studio.

    Parameters
    ----------
    keep : folder for the models trained on the page; None for a temporary one.

    Attributes
    ----------
    instance : random id, by which the page notices a restart of the server.
    version : number that grows whenever another view is shown.
    current : the view that is shown, or None.
    views : views of this session by id, the oldest first.
    """

    def __init__(self, keep: Path | None = None) -> None:
        self.instance = secrets.token_hex(8)
        self.compute_lock = ComputeLock()
        self.version = 0
        self.current: View | None = None
        self.views: dict[str, View] = {}
        self.keep = keep
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._lock = threading.Lock()

    @property
    def folder(self) -> Path:
        """Folder for temporary files, made on first use."""
        with self._lock:
            if self._temporary is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="narrows-studio-", ignore_cleanup_errors=True)
            return Path(self._temporary.name)

    @property
    def models(self) -> Path:
        """Folder for the models trained on the page."""
        folder = self.keep or self.folder / "models"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def open(
        self, model: Estimator, data: Data | None, *, name: str, path: Path | None = None, is_saved: bool = False
    ) -> View:
        """Show a model. The parameters and the ValueError are those of `View`."""
        view = View(model, data, self.compute_lock, name=name, path=path, is_saved=is_saved)
        self.show(view)
        return view

    def show(self, view: View) -> None:
        """Show a view. The oldest views of the session are dropped."""
        with self._lock:
            self.views[view.id] = view
            while len(self.views) > _MAX_VIEWS:
                oldest = next(key for key in self.views if key != view.id)
                del self.views[oldest]
            self.current = view
            self.version += 1

    def close(self) -> None:
        """Remove the temporary files."""
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None
