"""Load sparse dictionaries of other programs, and save them for others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from narrows.dictionaries import formats, openmoss, saelens
from narrows.dictionaries.files import find_licence, read_tensors
from narrows.dictionaries.parts import from_estimator, to_estimator
from narrows.dictionaries.record import SparseDictionary
from narrows.estimators import SAE, UnitEstimator

_READERS: dict[str, Callable[[Path], SparseDictionary]] = {
    saelens.WEIGHTS: lambda path: _read_folder(path),
    formats.SPARSIFY: lambda path: formats.read_sparsify(path.parent),
    formats.LEARNING: lambda path: _read_pt(path),
    formats.GEMMA_1: formats.read_gemma_scope,
    formats.GEMMA_2: formats.read_gemma_scope,
    openmoss.LLAMA_SCOPE: openmoss.read_llama_scope,
}
"""Readers by the name of the file that holds the weights."""
KNOWN = "SAELens, sparsify, dictionary_learning, OpenAI, Gemma Scope 1 and 2, Llama Scope, llamascopium"


def read_dictionary(path: str | Path) -> SparseDictionary:
    """Read a sparse dictionary of another program as a `SparseDictionary`: its tensors, formulas and origin.

    Parameters
    ----------
    path : folder of SAELens, sparsify, dictionary_learning, Gemma Scope, Llama Scope or llamascopium, or the file with
        the weights in it; a .pt file of OpenAI or dictionary_learning.

    Raises
    ------
    FileNotFoundError
        If there is no dictionary at `path`.
    ValueError
        If it is of another architecture, incomplete, truncated, or holds code.
    """
    weights = _find_weights(Path(path).expanduser())
    read = _READERS.get(weights.name, _read_pt)
    with _named(weights):
        record = read(weights)
    about = {**find_licence(weights.parent), **record.metadata}
    return replace(record, metadata=about)


def load_dictionary(path: str | Path, *, metadata: Mapping[str, Any] | None = None, device: str = "auto") -> SAE:
    """Load a sparse dictionary of another program as a fitted SAE.

    It encodes, reconstructs, decodes, evaluates, is saved by `save` and loaded by `narrows.load`, as any other model.
    Rows are used as they are. There are no training rows, so that no example is called an outlier, and the codes'
    mean and deviation are 0 and 1.

    Parameters
    ----------
    path : folder of SAELens (versions 5 and 6), sparsify, dictionary_learning, Gemma Scope 1 and 2, Llama Scope or
        llamascopium, or the file with the weights in it; a .pt file of OpenAI or dictionary_learning. No code of the
        file is run.
    metadata : further facts for the model card, such as {"license": "cc-by-4.0"}; they replace what the source says.
    device : device on which it will compute.

    Returns
    -------
    A fitted SAE. Its `source_` says where it comes from: format, licence, model name, hook.

    Raises
    ------
    FileNotFoundError
        If there is no dictionary at `path`.
    ValueError
        If it is of another architecture, incomplete, truncated, or holds code.
    """
    record = read_dictionary(path)
    return to_estimator(replace(record, metadata={**record.metadata, **(metadata or {})}), device)


def save_dictionary(
    model: UnitEstimator | SparseDictionary, folder: str | Path, *, metadata: Mapping[str, Any] | None = None
) -> None:
    """Save a fitted SAE in the form of SAELens, cfg.json and sae_weights.safetensors, which `SAE.load_from_disk` reads.

    The standardisation of the columns and the unit length of the directions are folded into the weights, so that the
    saved dictionary takes the user's rows as they are, and gives the same codes.

    Parameters
    ----------
    model : SAE of real vectors with a linear encoder, or a `SparseDictionary`; or a crosscoder, whose layers become one
        row, each behind the one before.
    folder : folder to write into; it is created if needed.
    metadata : facts for cfg.json, such as {"model_name": "gpt2", "hook_name": "blocks.8.hook_resid_pre"}.

    Raises
    ------
    ValueError
        If the model has no counterpart in that form.
    OSError
        If writing fails.
    """
    record = model if isinstance(model, SparseDictionary) else from_estimator(model)
    saelens.write(replace(record, metadata={**record.metadata, **(metadata or {})}), Path(folder))


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the path of a file before the message of an error that does not name it, as a ValueError."""
    try:
        yield
    except ValueError as error:
        if str(path.parent) in str(error):
            raise
        raise ValueError(f"{path}: {error}.") from error
    except (TypeError, AttributeError, ArithmeticError, LookupError, RuntimeError) as error:
        raise ValueError(
            f"{path}, or the description beside it, holds something that its format does not have there "
            f"({type(error).__name__}: {error}). Copy both again."
        ) from error


def _find_weights(path: Path) -> Path:
    """Return the file with the weights of the dictionary at `path`, a folder or a file."""
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.is_file():
        beside = path.parent
        if path.suffix in (".pt", ".pth") or path.name in _READERS:
            return path
        if path.name == saelens.CONFIG:
            return _find_weights(beside)
        raise ValueError(f"{path} is no dictionary of {KNOWN}: its name must be {', '.join(_READERS)} or end in .pt.")
    found = [path / name for name in (*_READERS, f"checkpoints/{openmoss.LLAMA_SCOPE}") if (path / name).is_file()]
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise ValueError(f"{path} holds several dictionaries: {', '.join(f.name for f in found)}. Name one file.")
    raise _nothing_in(path)


def _nothing_in(folder: Path) -> FileNotFoundError:
    """Return the error for a folder without a dictionary, with what might be meant."""
    if (folder / "recipe.json").exists():
        return FileNotFoundError(
            f"{folder} is a model of narrows, not of another program: narrows.load({str(folder)!r})."
        )
    inside = sorted({f.parent for name in _READERS for f in folder.glob(f"*/{name}")})
    inside += sorted(folder.glob("*.pt"))
    hint = f" It holds {inside[0]}: name one of those." if inside else ""
    if not inside and (folder / saelens.CONFIG).exists():
        hint = f" It has {saelens.CONFIG} without {saelens.WEIGHTS} or {formats.SPARSIFY}: copy it again."
    return FileNotFoundError(f"{folder} holds no dictionary of {KNOWN}.{hint}")


def _read_folder(path: Path) -> SparseDictionary:
    """Read sae_weights.safetensors of SAELens, or of llamascopium, whose configuration has another name."""
    folder = path.parent
    if not (folder / saelens.CONFIG).is_file() and (folder / openmoss.CONFIG).is_file():
        return openmoss.read_llamascopium(folder, path.name)
    return saelens.read(folder)


def _read_pt(path: Path) -> SparseDictionary:
    """Read a .pt file of OpenAI or dictionary_learning."""
    tensors = read_tensors(path)
    is_openai = "latent_bias" in tensors or "pre_bias" in tensors
    return formats.read_openai(tensors) if is_openai else formats.read_dictionary_learning(tensors)
