"""Codes to examples for many at once: what arrives while one batch is decoded makes the next."""

from __future__ import annotations

import asyncio

import numpy as np
from anyio import to_thread

from narrows.studio.view import View

_MOST = 256  # codes decoded together


class Decoder:
    """Decodes codes of all sockets in batches, off the event loop.

    A batch of thirty-two takes hardly longer than one, so fifty clients wait no longer than one does.

    Attributes
    ----------
    waiting : what is to be decoded next: the view, the code, and where the example goes.
    """

    def __init__(self) -> None:
        self.waiting: list[tuple[View, np.ndarray, asyncio.Future[np.ndarray]]] = []
        self._task: asyncio.Task[None] | None = None

    async def decode(self, view: View, code: np.ndarray) -> np.ndarray:
        """The example at a code (L,) as the page gets it."""
        future = asyncio.get_running_loop().create_future()
        self.waiting.append((view, code, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self.waiting:
            view = self.waiting[0][0]
            batch = [one for one in self.waiting if one[0] is view][:_MOST]
            taken = {id(one[2]) for one in batch}
            self.waiting = [one for one in self.waiting if id(one[2]) not in taken]
            codes = np.stack([code for _, code, _ in batch])
            try:
                decoded = await to_thread.run_sync(view.decoded, codes)
            except Exception as error:  # whoever asked must hear of it
                for _, _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, _, future), example in zip(batch, decoded, strict=True):
                if not future.done():
                    future.set_result(example)
