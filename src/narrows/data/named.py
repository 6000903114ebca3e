"""Data sets by name: `digits` comes with scikit-learn, `mnist` and `fashion-mnist` are downloaded once.

Nothing is downloaded if one of these folders has the files. They are searched in this order:

    $NARROWS_DATA/NAME    $NARROWS_DATA    folder of the system's package    ~/.cache/narrows/NAME
"""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from narrows.data.atomic import atomic_path
from narrows.data.files import Dataset, read
from narrows.data.images import OnBad, Resize
from narrows.data.named_sets import NAMES, NamedSet

if TYPE_CHECKING:
    from rich.progress import Progress

Split = Literal["train", "test"]

_TIMEOUT_S = 20.0  # seconds to connect, and to read each block
_BLOCK = 1 << 18  # bytes to read at once


def load(
    name_or_path: str | os.PathLike[str], split: Split = "train", *, on_bad: OnBad = "error", resize: Resize = None
) -> Dataset:
    """Load a named data set, or read a file or a folder of images (see `narrows.data.files.read`).

    If a file or folder has the name of a data set, pass `./digits` or a `Path` to read the file. The test split of
    `digits` is every fifth example; the authors of the other sets made their splits.

    Parameters
    ----------
    name_or_path : a key of `NAMES`, or a path.
    split : "train" or "test"; a file has only "train".
    on_bad, resize : choices for images that cannot be read, and for their size, as `read` takes them.

    Returns
    -------
    A record with the examples X (n x shape), the labels y (n, or None), and the names of columns and files.

    Raises
    ------
    FileNotFoundError
        If `name_or_path` is neither a known name nor an existing path; the message lists similar names.
    ValueError
        If `split` is neither "train" nor "test", or "test" for a file, which has no splits; if the files of a named
        set are damaged; if `read` raises it.
    ConnectionError
        If a named set is not on this machine and cannot be downloaded; the message says which files to put where.

    Examples
    --------
    >>> load("digits", "test").X.shape
    (360, 8, 8)
    """
    if split not in ("train", "test"):
        raise ValueError(f"The `split` parameter of load must be 'train' or 'test'. Got {split!r} instead.")
    named = NAMES.get(name_or_path) if isinstance(name_or_path, str) else None
    if named is None:
        if split == "test":
            raise ValueError(
                f"Only named data sets ({', '.join(NAMES)}) have a test split. Got {str(name_or_path)!r}. "
                "Give the path of the test data itself."
            )
        return read(name_or_path, on_bad=on_bad, resize=resize)
    return _load_idx(named, split) if named.files else _load_digits(split)


def find(name: str) -> Path | None:
    """Return the folder on this machine that has all files of the named set; each file may be gzipped or not.

    The result is None if `load` would download the set, or if the set comes with a library and has no files.

    Raises
    ------
    ValueError
        If there is no data set with that name.
    """
    if name not in NAMES:
        raise ValueError(f"There is no data set named {name!r}. Known: {', '.join(NAMES)}.")
    named = NAMES[name]
    if not named.files:
        return None
    for folder in _folders(named):
        is_complete = all(_find_file(folder, file) for file in named.files)
        if is_complete and (folder != _user_folder() or _has_test_labels(folder, named)):
            return folder
    return None


def _load_digits(split: Split) -> Dataset:
    from sklearn.datasets import load_digits  # takes a second to import

    bunch = load_digits()
    is_test = np.arange(len(bunch.images)) % 5 == 0
    rows = is_test if split == "test" else ~is_test
    X = (bunch.images[rows] / 16).astype(np.float32)
    return Dataset(X, bunch.target[rows].astype(np.int64), None, "digits", None)


def _load_idx(named: NamedSet, split: Split) -> Dataset:
    folder = find(named.name) or _download(named)
    images, labels = list(named.files)[:2] if split == "train" else list(named.files)[2:]
    n = named.n_train if split == "train" else named.n_test
    X = _read_checked(named, folder, images, (n, *named.shape))
    y = _read_checked(named, folder, labels, (n,))
    return Dataset(X, y.astype(np.int64), None, named.name, None)


def _read_checked(named: NamedSet, folder: Path, file: str, shape: tuple[int, ...]) -> np.ndarray:
    path = _find_file(folder, file)
    assert path is not None
    array = read(path).X
    if array.shape != shape or array.dtype != np.uint8:
        raise ValueError(
            f"{path} must hold uint8 of shape {shape} to be part of {named.name}. Got {array.dtype} of shape "
            f"{array.shape}. Delete it, and it is downloaded again."
        )
    return array


# Where the files are


def _user_folder() -> Path | None:
    value = os.environ.get("NARROWS_DATA")
    return Path(value).expanduser() if value else None


def _cache_folder(named: NamedSet) -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "narrows" / named.name


def _folders(named: NamedSet) -> list[Path]:
    user_folder = _user_folder()
    return [
        *([user_folder / named.name, user_folder] if user_folder else []),
        *map(Path, named.system_folders),
        _cache_folder(named),
    ]


def _find_file(folder: Path, file: str) -> Path | None:
    return next((path for path in (folder / file, folder / file.removesuffix(".gz")) if path.is_file()), None)


def _has_test_labels(folder: Path, named: NamedSet) -> bool:
    """Return True if the folder has the test labels of this set.

    MNIST and Fashion-MNIST have the same file names. The test labels (10 kB) are enough to distinguish them.
    """
    file, digest = list(named.files.items())[-1]
    path = _find_file(folder, file)
    return path is not None and _unpacked_sha256(path) == digest


def _unpacked_sha256(path: Path) -> str:
    """Return the SHA-256 of the unpacked bytes of a file, gzipped or not; for a damaged gzip file its error text."""
    with open(path, "rb") as stream:
        gzipped = stream.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if gzipped else open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return f"a damaged gzip ({error})"


# Download


def _download(named: NamedSet) -> Path:
    """Download the files that the cache folder lacks, check each, and return the cache folder."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    folder = _cache_folder(named)
    folder.mkdir(parents=True, exist_ok=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        for file, digest in named.files.items():
            if _find_file(folder, file):
                continue
            with atomic_path(folder / file) as temporary:
                with open(temporary, "wb") as stream:
                    stream.writelines(_blocks(named, file, progress))
                actual = _unpacked_sha256(temporary)
                if actual != digest:
                    raise ValueError(
                        f"{named.url}{file} must unpack to the bytes with SHA-256 {digest}. Got {actual}, so it was "
                        f"not kept. Try again later, or put the right file in {folder}."
                    )
    return folder


def _blocks(named: NamedSet, file: str, progress: Progress) -> Iterator[bytes]:
    """Download a file of the set in blocks of bytes. Network errors become a ConnectionError."""
    import http.client
    import urllib.error
    import urllib.request

    url = named.url + file
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
            length = response.headers["Content-Length"]
            task = progress.add_task(file, total=int(length) if length else None)
            n_read = 0
            while block := response.read(_BLOCK):
                n_read += len(block)
                progress.update(task, completed=n_read)
                yield block
            if length and n_read != int(length):  # read() raises no error if the connection is lost
                raise ConnectionError(f"the download stopped after {n_read:,} of {int(length):,} bytes")
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # an error such as "404 Not Found" keeps the connection open
        folders = f"{_cache_folder(named)}, or in any folder that the environment variable NARROWS_DATA names"
        raise ConnectionError(
            f"The data set {named.name} is not on this machine, and {url} could not be downloaded: {error}. "
            f"Put the files {', '.join(named.files)} (gzipped or not) in {folders}. {named.hint}".rstrip()
        ) from error
