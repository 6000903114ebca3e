"""Decodes codes of many clients in batches: codes that arrive during one batch form the next."""

from __future__ import annotations

import asyncio

import numpy as np
from anyio import to_thread

from narrows.studio.view import View

_MAX_BATCH = 256  # codes decoded together


class Decoder:
    """Decodes codes of all sockets in batches, off the event loop.

    A batch of 32 codes takes hardly longer than one code, so 50 clients wait no longer than one does.

    Attributes
    ----------
    queue : list of (view, code, future of the example) to decode next.
    """

    def __init__(self) -> None:
        self.queue: list[tuple[View, np.ndarray, asyncio.Future[np.ndarray]]] = []
        self._task: asyncio.Task[None] | None = None

    async def decode(self, view: View, code: np.ndarray) -> np.ndarray:
        """Decode a code (L,) to an example as the page gets it."""
        future = asyncio.get_running_loop().create_future()
        self.queue.append((view, code, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self.queue:
            view = self.queue[0][0]
            batch = [entry for entry in self.queue if entry[0] is view][:_MAX_BATCH]
            futures = {id(future) for _, _, future in batch}
            self.queue = [entry for entry in self.queue if id(entry[2]) not in futures]
            codes = np.stack([code for _, code, _ in batch])
            try:
                decoded = await to_thread.run_sync(view.decode, codes)
            except Exception as error:  # goes to all who wait for this batch
                for _, _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, _, future), example in zip(batch, decoded, strict=True):
                if not future.done():
                    future.set_result(example)
