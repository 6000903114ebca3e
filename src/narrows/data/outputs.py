"""Outputs of the layers of a torch model as rows: tensors of what layers return, without padding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor


def first_tensor(output: Any, layer: str) -> Tensor:
    """Return the output of a layer, of which transformers often makes a tuple or a dict."""
    values = output.values() if isinstance(output, Mapping) else output
    for value in [output] if isinstance(output, Tensor) else values if isinstance(values, Iterable) else ():
        if isinstance(value, Tensor):
            return value.detach()
    raise ValueError(f"The layer {layer!r} must return a tensor, or several. Got {type(output).__name__}.")


def copy_rows(value: Tensor) -> Tensor:
    """Return a copy in memory of its own, which may be used outside of inference mode."""
    with torch.inference_mode(False):
        return value.clone()


def as_rows(output: Tensor, mask: Tensor | None, layer: str) -> Tensor:
    """Return the rows of a layer's output: of tokens that are no padding."""
    if output.is_nested:  # torch's own transformers leave the padding out
        return torch.cat(output.unbind())
    if output.ndim not in (2, 3):
        raise ValueError(
            f"The layer {layer!r} must give (sequences, tokens, width) or (rows, width). Got shape "
            f"{tuple(output.shape)}. Hook a layer behind it, or wrap the model in one that reshapes it."
        )
    is_token = mask_of_rows(output, mask, layer)
    return output.reshape(-1, output.shape[-1]) if is_token is None else output[is_token]


def mask_of_rows(output: Tensor, mask: Tensor | None, layer: str) -> Tensor | None:
    """Return True for the rows of a layer's output that are tokens, (rows) or (sequences, tokens); None if all are."""
    if mask is None:
        return None
    if output.ndim == 2:  # the tokens of all sequences, or a row for each sequence
        return mask.flatten().to(output.device) if len(output) == mask.numel() != len(mask) else None
    if mask.shape != output.shape[:2]:
        raise ValueError(
            f"The mask must be (sequences, tokens), {tuple(output.shape[:2])} for the layer {layer!r}. Got "
            f"{tuple(mask.shape)}."
        )
    return mask.to(output.device)


def is_ordinary(rows: Tensor, norm_limit: float) -> Tensor:
    """Return False for rows (n, width) longer than `norm_limit` times the median length of those that are not zero.

    A row that is not finite is ordinary here: who reads it finds the error.
    """
    lengths = torch.linalg.vector_norm(rows.float(), dim=1)
    positive = lengths[lengths > 0]
    limit = norm_limit * positive.median() if len(positive) else lengths.new_tensor(torch.inf)
    return (lengths <= limit) | ~rows.isfinite().all(1)


def mask_of_ordinary(output: Tensor, is_token: Tensor | None, norm_limit: float) -> Tensor:
    """Return True for the rows (..., width) of a layer's output that are tokens, and ordinary among them."""
    is_kept = torch.ones(output.shape[:-1], dtype=torch.bool, device=output.device) if is_token is None else is_token
    return is_kept.masked_scatter(is_kept, is_ordinary(output[is_kept], norm_limit))


def keep_ordinary(rows: dict[str, Tensor], norm_limit: float) -> dict[str, Tensor]:
    """Return the rows (n, width) of each layer that are ordinary in it, and in all layers with as many rows."""
    masks = {layer: is_ordinary(value, norm_limit).cpu() for layer, value in rows.items()}
    in_all: dict[int, Tensor] = {}  # by the number of rows: a layer behind a pooling has others than its tokens
    for mask in masks.values():
        in_all[len(mask)] = mask & in_all.get(len(mask), mask)
    return {layer: value[in_all[len(value)].to(value.device)] for layer, value in rows.items()}
