"""Responses of routes: examples, arrays and pictures, and how they and errors are documented in the OpenAPI schema."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from fastapi import Response

from narrows.studio import pictures
from narrows.studio.messages import Example, Problem
from narrows.studio.view import View

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_ARRAY, _PNG = {"application/octet-stream": _BYTES}, {pictures.MEDIA_TYPE: _BYTES}
_ARRAY_DESCRIPTION = "Little-endian; X-Shape and X-Dtype give shape and dtype."
_ERRORS = {
    400: "The request is not valid HTTP or JSON.",
    404: "There is no such item, no model or no data is open, or this model cannot do that.",
    408: "The request arrived too slowly.",
    409: "The server cannot do this now, for example because a training is running.",
    413: "The request or the file is too large.",
    415: "The file is damaged or of a type that is not read.",
    422: "A value is invalid.",
    429: "Too many files are uploaded at once.",
}

Documentation = dict[int | str, dict[str, Any]]


def document_errors(*codes: int) -> Documentation:
    """Document the status codes with which a route may refuse. A body that may be too large may also be too slow."""
    codes = (408, *codes) if 413 in codes else codes
    return {code: {"model": Problem, "description": _ERRORS[code]} for code in codes}


def document_array(*codes: int) -> Documentation:
    """Document a route that answers with an array or with these errors."""
    return {200: {"content": _ARRAY, "description": _ARRAY_DESCRIPTION}, **document_errors(*codes)}


def document_png(*codes: int) -> Documentation:
    """Document a route that answers with a PNG or with these errors."""
    return {200: {"content": _PNG, "description": "A PNG."}, **document_errors(*codes)}


def document_array_or_png(*codes: int) -> Documentation:
    """Document a route that answers with an array, a PNG or JSON, as requested, or with these errors."""
    return {200: {"content": {**_ARRAY, **_PNG}, "description": _ARRAY_DESCRIPTION}, **document_errors(*codes)}


def document_raw_body(description: str) -> dict[str, Any]:
    """Document a route that takes plain bytes."""
    return {"requestBody": {"required": True, "description": description, "content": _ARRAY}}


def takes_file(route: Any) -> bool:
    """Return True if a route takes plain bytes, as `document_raw_body` says."""
    return "requestBody" in (getattr(route, "openapi_extra", None) or {})


def to_example(view: View, displayed: np.ndarray) -> Example:
    """Convert an example from `View.to_page` to a message."""
    if view.is_image:
        return Example(picture=pictures.to_data_uri(displayed))
    if not view.is_table:
        return Example(values=_to_json(displayed.ravel()))
    values, probs, *true_probs = displayed
    return Example(
        values=_to_json(values),
        probs=None if np.isnan(probs).all() else _to_json(probs),
        true_probs=_to_json(true_probs[0]) if true_probs else None,
    )


def _to_json(values: np.ndarray) -> list[float | None]:
    return [None if math.isnan(v) else float(f"{v:.12g}") for v in values.tolist()]


def send_array(values: np.ndarray, **headers: str) -> Response:
    """Make a binary response of an array, with its shape and dtype in the headers."""
    little_endian = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))
    return Response(
        little_endian.tobytes(),
        media_type="application/octet-stream",
        headers={
            "X-Shape": ",".join(map(str, values.shape)),
            "X-Dtype": str(values.dtype),
            **{f"X-{name.capitalize()}": value for name, value in headers.items()},
        },
    )


def send_png(image: np.ndarray, scale: int = 1) -> Response:
    """Make a PNG response of an image of bytes (h, w, 1 to 4 channels)."""
    return Response(pictures.encode_png(image, scale), media_type=pictures.MEDIA_TYPE)
