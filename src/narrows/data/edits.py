"""Edits of activations: functions that give other activations for those of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Edit = Callable[[Tensor], Tensor]


def as_edit(edit: Any) -> Edit:
    """Return a function of activations (..., width) to others of their shape, dtype and device.

    Parameters
    ----------
    edit : a fitted estimator, whose reconstructions are the others; or a function of a tensor (rows, width) that
        returns a tensor or an array.

    Raises
    ------
    TypeError
        If `edit` is neither.
    """
    reconstruct = getattr(edit, "reconstruct", None)
    if reconstruct is None and not callable(edit):
        raise TypeError(
            f"Activations are replaced by a fitted estimator or a function of (rows, width). Got {type(edit).__name__}."
        )

    @torch.no_grad()
    def apply(x: Tensor) -> Tensor:
        rows = x.detach().reshape(-1, x.shape[-1])
        result = edit(rows) if reconstruct is None else reconstruct(rows.float().cpu().numpy())
        other = result if isinstance(result, Tensor) else torch.from_numpy(np.array(result))
        if other.shape != rows.shape:
            raise ValueError(
                f"What replaces activations must have their shape, {tuple(rows.shape)}. Got {tuple(other.shape)}."
            )
        return other.to(x).reshape(x.shape)

    return apply


def replace_tensor(output: Any, edit: Edit) -> Any:
    """Return the output of a layer with its first tensor edited; transformers often have a tuple or a dict of them.

    Raises
    ------
    ValueError
        If there is no tensor.
    """
    if isinstance(output, Tensor):
        return edit(output)
    if isinstance(output, (tuple, list)):
        for i, value in enumerate(output):
            if isinstance(value, Tensor):
                edited = [*output[:i], edit(value), *output[i + 1 :]]
                return type(output)(*edited) if hasattr(output, "_fields") else type(output)(edited)
    if isinstance(output, Mapping):
        for name, value in output.items():
            if isinstance(value, Tensor):
                # the types of transformers are built from named values
                return type(output)(**{**output, name: edit(value)})
    raise ValueError(f"A layer whose output is replaced must return a tensor, or several. Got {type(output).__name__}.")
