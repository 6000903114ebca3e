"""Write files so that a crash, a full disk or a kill never leaves a partial file."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path to write to; it becomes `path` when the block ends without an error.

    The temporary file is in the folder of `path`, because a rename is atomic only within one file system. It is hidden,
    and has the suffix of `path`, because many writers choose the format by it. On any error, also KeyboardInterrupt,
    it is removed, and an old file at `path` is unchanged. A symbolic link is followed, not replaced.

    Raises
    ------
    FileNotFoundError
        If the folder of `path` does not exist.
    IsADirectoryError
        If `path` is a folder.
    OSError
        If writing fails, for example on a full disk.

    Examples
    --------
    >>> with atomic_path("model.json") as temporary:  # doctest: +SKIP
    ...     temporary.write_text("{}")
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"Cannot write {path}: the folder {target.parent} does not exist. Create it first.")
    if target.is_dir():
        raise IsADirectoryError(f"Cannot write {path}: it is a folder. Give the name of a file.")
    temporary = target.with_name(f".narrows-{secrets.token_hex(8)}{target.suffix}")
    try:
        yield temporary
        # Otherwise a power cut after the rename can leave an empty file with the new name.
        with open(temporary, "r+b") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except OSError as error:
        is_full = error.filename is None and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
        if is_full or str(error.filename) == str(temporary):
            error.filename = str(path)  # the user knows no other name
        raise
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file.

    Raises
    ------
    OSError
        If the file cannot be written, for example on a full disk.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(tensors, path, metadata=metadata)
    except SafetensorError as error:
        raise OSError(
            f"Cannot write to {path.parent}: {error}. Is there space left, and may you write there?"
        ) from error


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, if the system can do that (Windows cannot)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
