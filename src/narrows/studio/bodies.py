"""Limits of the bodies of requests: their bytes, and the time that they may take to arrive."""

from __future__ import annotations

import anyio
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

MAX_BYTES = 8 << 20  # of a body; routes for files have their own limits
PATIENCE = 30.0  # seconds without a byte; also what a body may be late by
MIN_RATE = 32 << 10  # bytes a second, on average, that a body must arrive at


def limit_body(receive: Receive, max_bytes: int | None = MAX_BYTES) -> Receive:
    """Wrap `receive` of an HTTP request. It raises HTTPException 413 for a large body, and 408 for a slow one.

    A body that hangs would keep its temporary file and its place among the uploads for ever.

    Parameters
    ----------
    max_bytes : largest size of the body; None if the route counts the bytes itself.
    """
    size, is_complete, start = 0, False, anyio.current_time()

    async def receive_within_limits() -> Message:
        nonlocal size, is_complete
        if is_complete:  # what comes now is the end of the connection, for which a response may wait
            return await receive()
        late = start + PATIENCE + size / MIN_RATE - anyio.current_time()
        try:
            with anyio.fail_after(max(0.0, min(PATIENCE, late))):
                message = await receive()
        except TimeoutError:
            raise HTTPException(
                408,
                f"The request arrived too slowly: nothing for {PATIENCE:.0f} s, or less than {MIN_RATE >> 10} kB a "
                "second. Send it again over a faster connection, or send less.",
            ) from None
        size += len(message.get("body", b""))
        is_complete = not message.get("more_body", False)
        if max_bytes is not None and size > max_bytes:
            raise HTTPException(413, f"The body has more than {max_bytes:,} bytes. Send less at once.")
        return message

    return receive_within_limits
