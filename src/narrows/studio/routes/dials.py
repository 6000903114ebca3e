"""Dials panel: decodes codes, encodes examples, draws random codes; over HTTP and over a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from typing import Annotated

import numpy as np
from anyio import to_thread
from fastapi import APIRouter, HTTPException, Query, Request, Response, WebSocket, WebSocketDisconnect

from narrows.params import counted
from narrows.studio import pictures
from narrows.studio.decoder import Decoder
from narrows.studio.images import fit_image
from narrows.studio.messages import (
    DecodedExamples,
    DecodeRequest,
    DialEntry,
    Dials,
    EncodeCells,
    EncodedExample,
    EncodeRow,
    EncodeValues,
    RandomCode,
)
from narrows.studio.routes.dependencies import (
    MAX_IMAGE_BYTES,
    JobsDep,
    RowIndex,
    RowIndices,
    ViewWithCodeAndData,
    ViewWithDecoder,
    check_codes,
    check_row,
    parse_code,
    parse_rows,
    read_body,
    require_images,
)
from narrows.studio.routes.responses import (
    document_array,
    document_array_or_png,
    document_errors,
    document_png,
    document_raw_body,
    send_array,
    send_png,
    to_example,
)
from narrows.studio.routes.state import MAX_DIALS
from narrows.studio.session import Session
from narrows.studio.view import View

router = APIRouter(prefix="/api")
_log = logging.getLogger("narrows.studio")
_STEPS = 200  # steps of a slider from end to end
_MAX_SOCKETS = 200
_SEED_END = 2**31


@router.get("/dials", responses=document_errors(404, 422))
def list_dials(view: ViewWithDecoder, limit: Annotated[int, Query(ge=1, le=MAX_DIALS)] = 64) -> Dials:
    """Return the components, sorted by the information or variance that they carry."""
    names = getattr(view.model, "unit_names_", {})
    dials = [
        DialEntry(
            component=d.component,
            label=": ".join(filter(None, (names.get(d.component), d.label))),
            carries=d.carries,
            used=d.used,
            low=d.low,
            high=d.high,
            mean=d.mean,
            step=(d.high - d.low) / _STEPS,
            columns=list(d.columns),
        )
        for d in view.dials[:limit]
    ]
    return Dials(unit="nats" if view.has_nats else "share", total=view.n_components, dials=dials)


@router.get("/dials/{component}/strip", response_class=Response, responses=document_png(404, 422))
def get_strip(
    view: ViewWithDecoder,
    component: RowIndex,
    steps: Annotated[int, Query(ge=2, le=25)] = 9,
    code: Annotated[str | None, Query(max_length=16_000)] = None,
) -> Response:
    """Return a picture of a dial's effect: decoded examples from its low end to its high end, side by side."""
    require_images(view)
    if component >= view.n_components:
        raise HTTPException(404, f"There is no component {component}: the code has {view.n_components}.")
    dial = next(d for d in view.dials if d.component == component)
    start = np.asarray(view.model.code_mean_)[None] if code is None else parse_code(view, code)
    codes = np.repeat(start.astype(np.float32), steps, axis=0)
    codes[:, component] = np.linspace(dial.low, dial.high, steps)
    return send_png(pictures.make_sheet(view.decode(codes, urgent=False), steps))


@router.post("/decode", response_model=DecodedExamples, responses=document_array_or_png(400, 404, 413, 422))
def decode(view: ViewWithDecoder, body: DecodeRequest) -> Response | DecodedExamples:
    """Decode codes to an array, a picture, or JSON."""
    codes = check_codes(view, body.codes)
    if body.format == "png":
        require_images(view)
    displayed = view.decode(codes)
    if body.format == "json":
        return DecodedExamples(examples=[to_example(view, row) for row in displayed])
    if body.format == "png":
        return send_png(pictures.make_sheet(displayed, len(displayed)), body.scale)
    return send_array(displayed)


@router.post("/encode", responses=document_errors(400, 404, 413, 422))
def encode(view: ViewWithDecoder, body: EncodeRow | EncodeValues | EncodeCells) -> EncodedExample:
    """Encode a row, the values of an example, or the cells of a row of a table."""
    if isinstance(body, EncodeRow):
        if view.data is None:
            raise HTTPException(404, "No data is open.")
        return _encode(view, view.get_example(check_row(view, body.row)))
    if view.is_image:
        raise HTTPException(422, "This model encodes images: send one to /api/encode/image.")
    if isinstance(body, EncodeCells):
        if not view.is_table:
            raise HTTPException(422, "An example of this model has values, not cells with names.")
        return _encode(view, body.cells)
    n = view.schema.n_entries
    if len(body.values) != n:
        raise HTTPException(422, f"An example of this model has {counted(n, 'value')}.")
    return _encode(view, view.to_rows(np.array([body.values])))


@router.post(
    "/encode/image",
    responses=document_errors(404, 413, 415, 422),
    openapi_extra=document_raw_body("An image file."),
)
async def encode_image(view: ViewWithDecoder, request: Request, jobs: JobsDep) -> EncodedExample:
    """Encode an image, fitted to the model's size."""
    require_images(view)
    content = await read_body(request, MAX_IMAGE_BYTES)
    return await to_thread.run_sync(lambda: _encode(view, fit_image(content, view.schema)), limiter=jobs.picture_reader)


@router.get("/random", responses=document_errors(404, 422))
def draw_code(view: ViewWithDecoder, seed: Annotated[int | None, Query(ge=0, lt=_SEED_END)] = None) -> RandomCode:
    """Draw a code from the model's sampler; for a sparse model, return the code of a random row."""
    if seed is None:
        seed = int(np.random.default_rng().integers(_SEED_END))
    generator = np.random.default_rng(seed)
    if view.is_sparse:
        if view.data is None:
            raise HTTPException(
                404, "A sparse code has no distribution to draw from, and no data is open to pick a row from."
            )
        return RandomCode(code=view.codes_of([generator.integers(len(view.data))])[0].tolist(), seed=seed)
    code = view.model.sampler().draw(1, generator)[0]
    return RandomCode(code=code.tolist(), seed=seed)


@router.get("/codes", response_class=Response, responses=document_array(404, 422))
def get_codes(view: ViewWithCodeAndData, rows: RowIndices) -> Response:
    """Return the codes of k rows: float32, k x L."""
    return send_array(view.codes_of(parse_rows(view, rows)))


@router.websocket("/decode")
async def decode_stream(socket: WebSocket) -> None:
    """Decode codes that arrive (uint32 seq, float32[L]), and answer with examples (uint32 seq, bytes or float32)."""
    state = socket.app.state
    if len(state.decode_sockets) >= _MAX_SOCKETS:
        await socket.close(1013)
        return
    await socket.accept()
    decode_socket = DecodeSocket(socket, state.session, state.decoder)
    state.decode_sockets.add(decode_socket)
    try:
        await decode_socket.run()
    finally:
        state.decode_sockets.discard(decode_socket)


class DecodeSocket:
    """A WebSocket that decodes codes, one at a time. Of the codes that arrive meanwhile, only the latest is kept.

    Parameters
    ----------
    socket : an accepted WebSocket.
    session : session whose current view decodes.
    decoder : shared by all sockets.

    Attributes
    ----------
    latest : message to answer next, or None.
    """

    def __init__(self, socket: WebSocket, session: Session, decoder: Decoder) -> None:
        self.socket, self.session, self.decoder = socket, session, decoder
        self.latest: bytes | None = None
        self._has_arrived = asyncio.Event()

    async def run(self) -> None:
        """Receive and answer messages until the client disconnects."""
        answering = asyncio.create_task(self._answer())
        try:
            while True:
                message = await self.socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                self.latest = message.get("bytes") or b""
                self._has_arrived.set()
        finally:
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await answering

    async def _answer(self) -> None:
        while True:
            await self._has_arrived.wait()
            self._has_arrived.clear()
            message, self.latest = self.latest, None
            if message is None:
                continue
            try:
                view, code = self._parse(message)
                example = await self.decoder.decode(view, code)
            except Exception as error:  # the socket stays open: the next message may be valid
                _log.debug("refused", exc_info=error)
                is_known = isinstance(error, (HTTPException, ValueError))
                detail = str(getattr(error, "detail", error)) if is_known else "The code could not be decoded."
                seq = struct.unpack("<I", message[:4])[0] if len(message) >= 4 else None
                await self.socket.send_json({"detail": detail, "seq": seq})
                continue
            little_endian = example.astype(example.dtype.newbyteorder("<"), copy=False)
            await self.socket.send_bytes(message[:4] + little_endian.tobytes())

    def _parse(self, message: bytes) -> tuple[View, np.ndarray]:
        """Return the view that is shown, and the code in the message (L,)."""
        view = self.session.current
        if view is None or not view.decodes_codes:
            raise HTTPException(404, "No model whose codes can be decoded is open.")
        if len(message) != 4 + 4 * view.n_components:
            raise HTTPException(422, f"A message must be one uint32 and {view.n_components} float32, little-endian.")
        return view, check_codes(view, [np.frombuffer(message, "<f4", offset=4)])[0]


def _encode(view: View, X: object) -> EncodedExample:
    code = view.encode(X)
    return EncodedExample(
        code=code[0].tolist(),
        example=to_example(view, view.to_page(X)[0]),
        reconstruction=to_example(view, view.decode(code)[0]),
    )
