"""Activations in files: one folder for each layer, whose files `fit` reads as rows, and a manifest.

    folder/manifest.json            layers, dtype, norm_limit, and how many batches and rows the files hold
    folder/LAYER/00000.npy          rows (n, width) of float16 or float32; .safetensors for bfloat16

Files are written under a temporary name and renamed, and the manifest after them. Where this stops, the next call
writes the files that the manifest does not know again.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.data.atomic import atomic_path, write_tensors
from narrows.data.files.mapping import MANIFEST, check_saved
from narrows.params import counted

_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
_LARGEST_HALF = 65504


def write_rows(
    rows_from: Callable[[int], Iterator[dict[str, Tensor]]],
    layers: Sequence[str],
    folder: Any,
    dtype: str,
    file_bytes: int,
    max_bytes: int | None,
    n_given: int = 0,
    norm_limit: float | None = None,
) -> dict[str, Path]:
    """Write the rows of each layer into files, from the first batch that is in none.

    Parameters
    ----------
    rows_from : function from a number of batches to pass over to an iterator of the rows of each further batch, by
        layer.
    layers, folder, dtype, file_bytes, max_bytes : see `HookedModel.save`.
    n_given : number of all batches; 0 if it is unknown.
    norm_limit : see `hook`.

    Returns
    -------
    The folders of the layers.

    Raises
    ------
    ValueError, OSError
        See `HookedModel.save`.
    """
    if dtype not in _DTYPES:
        raise ValueError(
            f"The `dtype` parameter of save must be one of {', '.join(map(repr, _DTYPES))}. Got {dtype!r}."
        )
    cache = _Cache(Path(folder).expanduser(), layers, dtype, norm_limit)
    if cache.manifest["is_complete"]:
        _warn_of_others(cache, n_given)
    else:
        limit = np.inf if max_bytes is None else max_bytes
        is_cut = False
        for rows in rows_from(cache.manifest["n_batches"]):
            if cache.n_bytes + cache.n_pending_bytes + cache.count_bytes(rows) > limit:
                is_cut = True
                break
            cache.add(rows)
            if cache.n_pending_bytes >= file_bytes * len(layers):
                cache.flush()
        cache.flush()
        if not cache.manifest["files"]:
            raise ValueError(
                f"The `max_bytes` parameter of save must hold the rows of one batch. Got {max_bytes:,}, and the first "
                f"batch has {cache.count_bytes(rows):,} bytes."
                if is_cut
                else "The `batches` parameter of save holds no rows: there is no batch, or the mask leaves all out."
            )
        cache.finish(is_complete=not is_cut)
    return {layer: cache.folder / layer for layer in layers}


def _warn_of_others(cache: _Cache, n_given: int) -> None:
    """Warn if a complete folder holds another number of batches than were passed."""
    n = cache.manifest["n_batches"]
    if n_given and n_given != n:
        warnings.warn(
            f"{cache.folder} is complete with {counted(n, 'batch', 'batches')}, and {n_given:,} are passed: nothing is "
            "written. Pass another folder for other batches.",
            UserWarning,
            stacklevel=4,
        )


class _Cache:
    """The files of a folder, and the rows that are to be written."""

    def __init__(self, folder: Path, layers: Sequence[str], dtype: str, norm_limit: float | None) -> None:
        self.folder, self.layers, self.dtype = folder, layers, dtype
        self.pending: dict[str, list[Tensor]] = {layer: [] for layer in layers}
        self.n_batches = 0  # of pending rows
        self.manifest: dict[str, Any] = {
            "layers": list(layers),
            "dtype": dtype,
            "norm_limit": None if norm_limit is None else float(norm_limit),
            "n_batches": 0,
            "n_rows": dict.fromkeys(layers, 0),
            "files": [],
            "n_bytes": 0,
            "is_complete": False,
        }
        path = folder / MANIFEST
        if path.exists():
            self._go_on(path)
        elif folder.exists() and any(folder.iterdir()):
            raise ValueError(f"{folder} is not empty, and has no {MANIFEST}. Pass a new folder.")
        for layer in layers:
            (folder / layer).mkdir(parents=True, exist_ok=True)
        self._write()  # the folder is not empty now: a further call must know it, even if this one stops at once

    @property
    def n_bytes(self) -> int:
        """Bytes of the rows in complete files."""
        return int(self.manifest["n_bytes"])

    @property
    def n_pending_bytes(self) -> int:
        """Bytes of the rows that are to be written."""
        return sum(rows.nbytes for parts in self.pending.values() for rows in parts)

    def count_bytes(self, rows: dict[str, Tensor]) -> int:
        """Return the bytes of rows in files."""
        return sum(rows[layer].numel() for layer in self.layers) * _DTYPES[self.dtype].itemsize

    def add(self, rows: dict[str, Tensor]) -> None:
        """Add the rows of a batch."""
        batch = self.manifest["n_batches"] + self.n_batches
        for layer in self.layers:
            self.pending[layer].append(self._convert(rows[layer], layer, batch))
        self.n_batches += 1

    def flush(self) -> None:
        """Write the rows that were added into a file of each layer, and then the manifest."""
        if self.n_pending_bytes == 0:  # no batch, or only padding
            self.manifest["n_batches"] += self.n_batches
            self.n_batches = 0
            return
        name, size = self._next_name(), self.n_pending_bytes
        for layer, parts in self.pending.items():
            rows = torch.cat(parts)
            with atomic_path(self.folder / layer / name) as temporary:
                if self.dtype == "bfloat16":
                    write_tensors(temporary, {"X": rows.contiguous()}, {})
                else:
                    np.save(temporary, rows.numpy())
            self.manifest["n_rows"][layer] += len(rows)
            parts.clear()
        self.manifest["files"].append(name)
        self.manifest["n_batches"] += self.n_batches
        self.manifest["n_bytes"] += size
        self.n_batches = 0
        self._write()

    def finish(self, *, is_complete: bool) -> None:
        """Write whether all batches are in files."""
        self.manifest["is_complete"] = is_complete
        self._write()

    def _next_name(self) -> str:
        return f"{len(self.manifest['files']):05}.{'safetensors' if self.dtype == 'bfloat16' else 'npy'}"

    def _write(self) -> None:
        with atomic_path(self.folder / MANIFEST) as temporary:
            temporary.write_text(json.dumps(self.manifest, indent=1), encoding="utf-8")

    def _go_on(self, path: Path) -> None:
        """Take the manifest of an earlier call, and remove a file that was written after it."""
        try:
            before = {"norm_limit": None, **json.loads(path.read_text(encoding="utf-8"))}
            asked, self.manifest = self.manifest, {name: before[name] for name in self.manifest}
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error}). Delete its folder to write it again.") from error
        if any(before[name] != asked[name] for name in ("layers", "dtype")):
            raise ValueError(
                f"{path.parent} holds the layers {before['layers']} in {before['dtype']}, not {list(self.layers)} in "
                f"{self.dtype}. Pass another folder."
            )
        if before["norm_limit"] != asked["norm_limit"]:
            raise ValueError(
                f"{path.parent} holds rows of norm_limit={before['norm_limit']}, not {asked['norm_limit']}. "
                "Pass another folder."
            )
        for layer in self.layers:
            check_saved(self.folder / layer)
            (self.folder / layer / self._next_name()).unlink(missing_ok=True)

    def _convert(self, rows: Tensor, layer: str, batch: int) -> Tensor:
        """Return rows in the dtype of the files, on the CPU.

        Raises
        ------
        ValueError
            If they are not finite, or become so.
        """
        converted = rows.detach().to("cpu", _DTYPES[self.dtype])
        if bool(converted.isfinite().all()):
            return converted
        row, column = (~converted.isfinite()).nonzero()[0].tolist()
        value = float(rows[row, column])
        place = f"The layer {layer!r} gives {value:g} in batch {batch:,}, row {row:,}, column {column}"
        if np.isfinite(value):
            raise ValueError(
                f"{place}; float16 holds numbers up to {_LARGEST_HALF:,}. Pass dtype='bfloat16' and another folder."
            )
        raise ValueError(f"{place}. Leave that input out. What was written before it stays in {self.folder}.")
