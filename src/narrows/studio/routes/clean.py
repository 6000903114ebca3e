"""Clean: an example spoiled on purpose, or as it came, and what the model makes of it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
import torch
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from narrows import corruptions
from narrows.studio.images import fitted_image
from narrows.studio.messages import Body, Example, Finite, Index
from narrows.studio.routes import asking
from narrows.studio.routes.asking import Opened, Shown
from narrows.studio.view import View
from narrows.training import RandomStream
from narrows.types import Batch

router = APIRouter(prefix="/api/clean")
Kind = Literal["gaussian", "masking", "salt_and_pepper", "poisson"]


class CleanRequest(Body):
    """A row to spoil and to clean."""

    row: Index
    noise: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = 0.3
    kind: Literal["gaussian", "masking", "salt_and_pepper", "poisson"] = "gaussian"
    seed: Index = 0


class CleanedExample(BaseModel):
    """An example before, spoiled, and cleaned; peak signal to noise in dB."""

    original: Example | None
    noisy: Example
    clean: Example
    psnr_noisy: Finite | None
    psnr_clean: Finite | None
    method: Literal["denoise", "reconstruct"]


@router.post("", responses=asking.refusals(400, 404, 413, 422))
def row(view: Shown, body: CleanRequest) -> CleanedExample:
    """A row, spoiled and cleaned."""
    return _cleaned(view, view.example(asking.check_row(view, body.row)), body.noise, body.kind, body.seed)


@router.post("/image", responses=asking.refusals(404, 413, 415, 422), openapi_extra=asking.raw_body("An image file."))
async def image(
    view: Opened,
    request: Request,
    noise: Annotated[float, Query(ge=0, le=2, allow_inf_nan=False)] = 0.0,
    kind: Annotated[Kind, Query()] = "gaussian",
    seed: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> CleanedExample:
    """An image, fitted to the model's size, spoiled if noise is asked for, and cleaned."""
    asking.image_only(view)
    content = await asking.raw(request, asking.MOST_IMAGE_BYTES)
    return await asking.in_thread(lambda: _cleaned(view, fitted_image(content, view.schema), noise, kind, seed))


def _cleaned(view: View, X: Any, noise: float, kind: str, seed: int) -> CleanedExample:
    model, schema = view.model, view.schema
    spoil = corruptions.noise(kind, noise)
    with view.turns.turn(urgent=True):
        x = model.prepared(X)
        with RandomStream(seed, x.device, is_global=False).use():
            noisy = spoil(Batch(x, x)).x if noise else x
        clean = model.applied(model.module().reconstruct, noisy)
    shown = [asking.example(view, view.shown(schema.restore(one))[0]) for one in (noisy, clean)]
    known = noise > 0
    return CleanedExample(
        original=asking.example(view, view.shown(X)[0]) if known else None,
        noisy=shown[0],
        clean=shown[1],
        psnr_noisy=_psnr(view, noisy, x) if known else None,
        psnr_clean=_psnr(view, clean, x) if known else None,
        method="denoise" if hasattr(model, "denoise") else "reconstruct",
    )


def _psnr(view: View, found: torch.Tensor, wanted: torch.Tensor) -> float | None:
    """Peak signal to noise in dB, of images whose black and white are known: 10 log10(1 / MSE)."""
    if not view.is_image or view.schema.support not in ("unit", "binary"):
        return None
    mse = float(np.square((found - wanted).double().cpu().numpy()).mean())
    return -10 * math.log10(mse) if mse > 0 else None
