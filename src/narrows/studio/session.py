"""State of a running studio: its views, the one that is shown, and its temporary files."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
from pathlib import Path

from narrows import storage
from narrows.estimators.base import Estimator
from narrows.studio.compute_lock import ComputeLock
from narrows.studio.data import Data
from narrows.studio.view import View

_MAX_VIEWS = 20  # in memory, if the others can be read from their folders again
_MAX_DELETED = 5  # that can be restored


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
    deleted : views that were deleted and can be restored, the oldest first.
    """

    def __init__(self, keep: Path | None = None) -> None:
        self.instance = secrets.token_hex(8)
        self.compute_lock = ComputeLock()
        self.version = 0
        self.current: View | None = None
        self.views: dict[str, View] = {}
        self.deleted: dict[str, View] = {}
        self._doomed: set[Path] = set()
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

    def list_kept(self) -> list[Path]:
        """Return the folders of models of this studio that are neither in its list nor deleted, by name."""
        if self.keep is None and self._temporary is None:
            return []
        views = [*self.views.values(), *self.deleted.values()]
        known = {view.path.resolve() for view in views if view.path} | {path.resolve() for path in self._doomed}
        folders = sorted(path.parent for path in self.models.glob(f"*/{storage.RECIPE}"))
        return [folder for folder in folders if folder.resolve() not in known]

    def open(
        self, model: Estimator, data: Data | None, *, name: str, path: Path | None = None, is_saved: bool = False
    ) -> View:
        """Show a model. The parameters and the ValueError are those of `View`."""
        view = View(model, data, self.compute_lock, name=name, path=path, is_saved=is_saved)
        self.show(view)
        return view

    def show(self, view: View) -> None:
        """Show a view. Of many views the oldest leave the list, if `list_kept` has them."""
        spare = [key for key, old in list(self.views.items()) if old is not view and self.owns(old)]
        with self._lock:
            self.views[view.id] = view
            for key in spare[: max(0, len(self.views) - _MAX_VIEWS)]:
                self.views.pop(key, None)
            self.current = view
            self.version += 1

    def rename(self, view: View, name: str) -> None:
        """Give a model another name, which is kept in its folder. The folder keeps its own name.

        Raises
        ------
        OSError
            If nothing can be written to the folder; the model then keeps its name.
        """
        if view.path is not None:
            storage.edit_notes(view.path, name=name)
        view.name = name

    def owns(self, view: View) -> bool:
        """True if the view's model is in the folder of this studio, which is deleted with it."""
        return view.path is not None and view.path.parent.resolve() == self.models.resolve()

    def delete(self, view: View) -> None:
        """Take a view out of the list. The folder of a model of this studio is deleted when the studio stops.

        Until then the last five views can be restored. Folders of other models are left alone.

        Raises
        ------
        ValueError
            If the view is the one that is shown.
        """
        with self._lock:
            if view is self.current:
                raise ValueError(f"{view.name} is open, so it is not deleted. Open another model first.")
            self.views.pop(view.id, None)
            self.deleted[view.id] = view
            n_old = len(self.deleted) - _MAX_DELETED
            old = [self.deleted.pop(next(iter(self.deleted))) for _ in range(n_old)]
        for dropped in old:
            self._doom(dropped)

    def restore(self, view: View) -> None:
        """Put a deleted view back into the list."""
        with self._lock:
            self.deleted.pop(view.id, None)
            self.views[view.id] = view

    def _doom(self, view: View) -> None:
        if self.owns(view) and view.path is not None:
            self._doomed.add(view.path)

    def close(self) -> None:
        """Remove the temporary files, and the folders of deleted models."""
        for view in (*self.views.values(), *self.deleted.values()):
            view.stop()
        for view in self.deleted.values():
            self._doom(view)
        in_use = {view.path.resolve() for view in self.views.values() if view.path}
        for folder in self._doomed:
            if folder.resolve() not in in_use:
                shutil.rmtree(folder, ignore_errors=True)
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None
