"""A training step that a CUDA device plays back as a whole (CUDA graphs).

Starting the hundred small kernels of a step one by one takes longer than running them. So a step is recorded once, and
then started at once: https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.

Gain: a small MLP's step is taken to last 0.2 ms instead of 2 where narrows predicts how long a training will be.
Measured by `python benchmarks/training.py vae-128 --device cuda`, and with `compile=False`, which does without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from narrows.accelerate.base import Acceleration, Runner, TrainingStep, first_line

_BEFORE_RECORDING = 3  # steps done one kernel at a time, in which libraries and the optimizer set themselves up


def run(step: TrainingStep) -> Runner | None:
    """Return what records `step` and plays it back, if that was decided."""
    if not step.use_cuda_graph:
        return None
    optimizers = [optimizer.optimizer for optimizer in step.optimizers]

    def undo() -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()

    return CUDAGraphRunner(undo, step.add_note)


class CUDAGraphRunner:
    """Records a step on the device, and plays it back.

    Parameters
    ----------
    undo : puts away what a step that stopped midway has left behind.
    add_note : told why, if a step cannot be recorded; it is then done one kernel at a time.
    """

    def __init__(self, undo: Callable[[], None], add_note: Callable[[str], None]) -> None:
        self.undo, self.add_note = undo, add_note
        self.index: Tensor | None = None
        self.stream: torch.cuda.Stream | None = None
        self.graphs: dict[Any, torch.cuda.CUDAGraph] = {}
        self.done: dict[Any, int] = {}
        self.failed = False

    def __call__(self, step: Callable[[Tensor], None], index: Tensor, key: Any) -> None:
        """Do `step` on `index`.

        Parameters
        ----------
        step : the same function each time; everything but the index that it reads and writes stays where it is in
            memory.
        key : names the variant of the step, each of which is a recording of its own.
        """
        if self.failed:
            step(index)
            return
        with torch.cuda.device(index.device):
            self._do(step, index, key)

    def _do(self, step: Callable[[Tensor], None], index: Tensor, key: Any) -> None:
        if self.index is None or self.stream is None:
            self.index, self.stream = torch.empty_like(index), torch.cuda.Stream()
        self.index.copy_(index)
        if key not in self.graphs:
            done = self.done[key] = self.done.get(key, 0) + 1
            if done <= _BEFORE_RECORDING:
                self._aside(step, self.index, self.stream)
                return
            graph = self._recording(step, self.index, self.stream)
            if graph is None:
                self.failed = True
                step(index)
                return
            self.graphs[key] = graph
        self.graphs[key].replay()

    def _recording(
        self, step: Callable[[Tensor], None], index: Tensor, stream: torch.cuda.Stream
    ) -> torch.cuda.CUDAGraph | None:
        """The step on `index` as a recording; None, and nothing done, where there can be none."""
        before, graph = torch.cuda.current_stream(), torch.cuda.CUDAGraph()
        try:
            # what other threads do meanwhile, such as apply a model, is theirs
            with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                step(index)
        except RuntimeError as error:  # a user's module may wait for the device, which no recording can hold
            torch.cuda.set_stream(before)  # where the recording is invalid torch stays on the stream that it was on
            cause = error.__context__ if isinstance(error.__context__, RuntimeError) else error
            self.add_note(f"The step could not be recorded, and is done one kernel at a time: {first_line(cause)}")
            torch.cuda.synchronize()
            self.undo()
            return None
        return graph

    @staticmethod
    def _aside(step: Callable[[Tensor], None], index: Tensor, stream: torch.cuda.Stream) -> None:
        """A step on a stream of its own, as recording demands of those before it."""
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            step(index)
        torch.cuda.current_stream().wait_stream(stream)


ACCELERATION = Acceleration(run=run)
