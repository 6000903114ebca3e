"""Clean panel: an example with noise added, or as it is, and the output of the model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from anyio import to_thread
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from narrows import corruptions
from narrows.data import spaced_indices
from narrows.studio.images import fit_image
from narrows.studio.messages import Body, Example, Finite, Index
from narrows.studio.routes.dependencies import (
    MAX_IMAGE_BYTES,
    CurrentView,
    JobsDep,
    ViewWithData,
    check_row,
    get_data,
    read_body,
    require_images,
)
from narrows.studio.routes.responses import document_errors, document_raw_body, to_example
from narrows.studio.view import View
from narrows.training import RandomStream
from narrows.types import Batch

router = APIRouter(prefix="/api/clean")
_N_OTHERS = 64  # rows of a table whose levels replace those of an example
if TYPE_CHECKING:
    Kind = str
else:
    Kind = Literal[tuple(corruptions.NOISES)]  # made at run time, so that the schema lists every noise


class CleanRequest(Body):
    """A row, and the noise to add to it before it is cleaned."""

    row: Index
    noise: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.3
    kind: Kind = "gaussian"
    seed: Index = 0


class CleanedExample(BaseModel):
    """An example before noise, with noise, and cleaned; peak signal-to-noise ratios in dB."""

    original: Example | None
    noisy: Example
    clean: Example
    psnr_noisy: Finite | None
    psnr_clean: Finite | None
    method: Literal["denoise", "reconstruct"]


@router.post("", responses=document_errors(400, 404, 413, 422))
def clean_row(view: ViewWithData, body: CleanRequest) -> CleanedExample:
    """Add noise to a row and clean it."""
    return _clean(view, view.get_example(check_row(view, body.row)), body.noise, body.kind, body.seed)


@router.post("/image", responses=document_errors(404, 413, 415, 422), openapi_extra=document_raw_body("An image file."))
async def clean_image(
    view: CurrentView,
    request: Request,
    jobs: JobsDep,
    noise: Annotated[float, Query(ge=0, le=2, allow_inf_nan=False)] = 0.0,
    kind: Annotated[Kind, Query()] = "gaussian",
    seed: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> CleanedExample:
    """Fit an image to the model's size, add noise if requested, and clean it."""
    require_images(view)
    content = await read_body(request, MAX_IMAGE_BYTES)
    return await to_thread.run_sync(
        lambda: _clean(view, fit_image(content, view.schema), noise, kind, seed), limiter=jobs.picture_reader
    )


def _clean(view: View, X: Any, noise: float, kind: str, seed: int) -> CleanedExample:
    model = view.model
    with view.compute_lock.hold(urgent=True):
        x = model.prepare(X)
        noisy = _add_noise(view, x, corruptions.noise(kind, noise), seed) if noise else x
        if view.is_image:
            output = model.apply(model.module().reconstruct, noisy)
            psnr_clean, clean = _psnr(view, output, x), view.restore(output)[0]
        else:
            psnr_clean, clean = None, view.reconstruct_prepared(noisy, x)[0]
    has_original = noise > 0
    return CleanedExample(
        original=to_example(view, view.to_page(X)[0]) if has_original else None,
        noisy=to_example(view, view.restore(noisy)[0]),
        clean=to_example(view, clean),
        psnr_noisy=_psnr(view, noisy, x) if has_original else None,
        psnr_clean=psnr_clean if has_original else None,
        method="denoise" if hasattr(model, "denoise") else "reconstruct",
    )


def _add_noise(view: View, x: torch.Tensor, noise: corruptions.Corruption, seed: int) -> torch.Tensor:
    """Add noise to a prepared example. Levels of a table are replaced by those of other rows."""
    others = x[:0]
    if view.is_table:
        noise = corruptions.TableCorruption(noise, view.schema)
        data = get_data(view)
        others = view.model.prepare(data.get_rows(spaced_indices(len(data), _N_OTHERS)))
    batch = torch.cat([x, others])
    with RandomStream(seed, x.device, is_global=False).use():
        return noise(Batch(batch, batch)).x[: len(x)]


def _psnr(view: View, image: torch.Tensor, original: torch.Tensor) -> float | None:
    """Return 10 log10(1 / MSE), in dB; None unless the values are images in a known range."""
    if not view.is_image or view.schema.support not in ("unit", "binary"):
        return None
    mse = float(np.square((image - original).double().cpu().numpy()).mean())
    return -10 * math.log10(mse) if mse > 0 else None
