"""Dials: codes in, examples out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from typing import Annotated

import numpy as np
from fastapi import APIRouter, HTTPException, Query, Request, Response, WebSocket, WebSocketDisconnect

from narrows.studio import pictures
from narrows.studio.decoder import Decoder
from narrows.studio.images import fitted_image
from narrows.studio.messages import (
    DecodedExamples,
    DecodeRequest,
    DialEntry,
    Dials,
    EncodedExample,
    EncodeRow,
    EncodeValues,
    RandomCode,
)
from narrows.studio.routes import asking
from narrows.studio.routes.asking import Coded, Mapped, RowNumber, RowNumbers
from narrows.studio.routes.state import MOST_DIALS
from narrows.studio.session import Session
from narrows.studio.view import View

router = APIRouter(prefix="/api")
_log = logging.getLogger("narrows.studio")
_STEPS = 200  # of a slider from end to end
_MOST_SOCKETS = 200
_SEED_END = 2**31


@router.get("/dials", responses=asking.refusals(404, 422))
def dials(view: Coded, limit: Annotated[int, Query(ge=1, le=MOST_DIALS)] = 64) -> Dials:
    """The components, those first that carry most."""
    found = [
        DialEntry(
            component=d.component,
            label=d.label,
            carries=d.carries,
            used=d.used,
            low=d.low,
            high=d.high,
            mean=d.mean,
            step=(d.high - d.low) / _STEPS,
        )
        for d in view.dials[:limit]
    ]
    return Dials(unit="nats" if view.has_nats else "share", total=view.n_components, dials=found)


@router.get("/dials/{component}/strip", response_class=Response, responses=asking.image(404, 422))
def strip(
    view: Coded,
    component: RowNumber,
    steps: Annotated[int, Query(ge=2, le=25)] = 9,
    code: Annotated[str | None, Query(max_length=16_000)] = None,
) -> Response:
    """What a dial does: examples from its low end to its high end, side by side."""
    asking.image_only(view)
    _check_component(view, component)
    dial = next(d for d in view.dials if d.component == component)
    start = np.asarray(view.model.code_mean_)[None] if code is None else asking.parse_code(view, code)
    codes = np.repeat(start.astype(np.float32), steps, axis=0)
    codes[:, component] = np.linspace(dial.low, dial.high, steps)
    return asking.picture(pictures.sheet(view.decoded(codes, urgent=False), steps))


@router.post("/decode", response_model=DecodedExamples, responses=asking.binary_or_image(400, 404, 413, 422))
def decode(view: Coded, body: DecodeRequest) -> Response | DecodedExamples:
    """The examples at codes, as bytes or floats, a picture, or JSON."""
    codes = asking.check_codes(view, body.codes)
    if body.format == "png":
        asking.image_only(view)
    shown = view.decoded(codes)
    if body.format == "json":
        return DecodedExamples(examples=[asking.example(view, one) for one in shown])
    if body.format == "png":
        return asking.picture(pictures.sheet(shown, len(shown)), body.scale)
    return asking.array(shown)


@router.post("/encode", responses=asking.refusals(400, 404, 413, 422))
def encode(view: Coded, body: EncodeRow | EncodeValues) -> EncodedExample:
    """The code of a row, or of an example of your own."""
    if isinstance(body, EncodeRow):
        if view.data is None:
            raise HTTPException(404, "No data is open.")
        return _encoded(view, view.example(asking.check_row(view, body.row)))
    if view.is_image:
        raise HTTPException(422, "The model is of images: send one to /api/encode/image.")
    n = view.schema.n_entries
    if len(body.values) != n:
        raise HTTPException(422, f"An example of this model has {n} values.")
    return _encoded(view, view.as_rows(np.array([body.values])))


@router.post(
    "/encode/image",
    responses=asking.refusals(404, 413, 415, 422),
    openapi_extra=asking.raw_body("An image file."),
)
async def encode_image(view: Coded, request: Request) -> EncodedExample:
    """The code of an image, fitted to the model's size."""
    asking.image_only(view)
    content = await asking.raw(request, asking.MOST_IMAGE_BYTES)
    return await asking.in_thread(lambda: _encoded(view, fitted_image(content, view.schema)))


@router.get("/random", responses=asking.refusals(404, 422))
def random(view: Coded, seed: Annotated[int | None, Query(ge=0, lt=_SEED_END)] = None) -> RandomCode:
    """A code from where the model's `sample` draws them; of a sparse model, a random row's."""
    if seed is None:
        seed = int(np.random.default_rng().integers(_SEED_END))
    generator = np.random.default_rng(seed)
    if view.sparse:
        if view.data is None:
            raise HTTPException(404, "A sparse code has no distribution to draw from, and there are no data.")
        return RandomCode(code=view.codes[generator.integers(len(view.codes))].tolist(), seed=seed)
    code = view.model.sampler().draw(1, generator)[0]
    return RandomCode(code=code.tolist(), seed=seed)


@router.get("/codes", response_class=Response, responses=asking.binary(404, 422))
def codes(view: Mapped, rows: RowNumbers) -> Response:
    """The codes of rows: float32, k x L."""
    return asking.array(view.codes[asking.parse_rows(view, rows)])


@router.websocket("/decode")
async def turn(socket: WebSocket) -> None:
    """Dials that are turned: uint32 seq, float32[L] in; uint32 seq, the example's bytes or floats out."""
    app = socket.app
    if len(app.state.turning) >= _MOST_SOCKETS:
        await socket.close(1013)
        return
    await socket.accept()
    turning = Turning(socket, app.state.session, app.state.decoder)
    app.state.turning.add(turning)
    try:
        await turning.run()
    finally:
        app.state.turning.discard(turning)


class Turning:
    """One socket: the latest message wins, and one answer is on its way at a time."""

    def __init__(self, socket: WebSocket, session: Session, decoder: Decoder) -> None:
        self.socket, self.session, self.decoder = socket, session, decoder
        self.latest: bytes | None = None
        self.arrived = asyncio.Event()

    async def run(self) -> None:
        """Until the page goes away."""
        answering = asyncio.create_task(self._answer())
        try:
            while True:
                message = await self.socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                self.latest = message.get("bytes") or b""
                self.arrived.set()
        finally:
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await answering

    async def _answer(self) -> None:
        while True:
            await self.arrived.wait()
            self.arrived.clear()
            message, self.latest = self.latest, None
            if message is None:
                continue
            try:
                view, code = self._code(message)
                shown = await self.decoder.decode(view, code)
            except Exception as error:  # whatever it was, the next turn may be well
                _log.debug("refused", exc_info=error)
                known = isinstance(error, (HTTPException, ValueError))
                words = str(getattr(error, "detail", error)) if known else "The code could not be decoded."
                seq = struct.unpack("<I", message[:4])[0] if len(message) >= 4 else None
                await self.socket.send_json({"detail": words, "seq": seq})
                continue
            little = shown.astype(shown.dtype.newbyteorder("<"), copy=False)
            await self.socket.send_bytes(message[:4] + little.tobytes())

    def _code(self, message: bytes) -> tuple[View, np.ndarray]:
        view = self.session.current
        if view is None or not view.has_code:
            raise HTTPException(404, "No model with a code is open.")
        if len(message) != 4 + 4 * view.n_components:
            words = f"A message is a uint32 and {view.n_components} float32, little-endian."
            raise HTTPException(422, words)
        return view, asking.check_codes(view, [np.frombuffer(message, "<f4", offset=4)])[0]


def _encoded(view: View, X: object) -> EncodedExample:
    code = view.encoded(X)
    return EncodedExample(
        code=code[0].tolist(),
        example=asking.example(view, view.shown(X)[0]),
        reconstruction=asking.example(view, view.decoded(code)[0]),
    )


def _check_component(view: View, component: int) -> None:
    if component >= view.n_components:
        raise HTTPException(404, f"There is no component {component}: the code has {view.n_components}.")
