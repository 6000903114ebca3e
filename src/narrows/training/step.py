"""One step of learning, and the sums of its losses: all on the device, with nothing that waits for it.

On a CUDA device a step is recorded once and played back as a whole (CUDA graphs), because starting its hundred small
kernels one by one takes longer than running them; https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from narrows.data import Examples
from narrows.model import Autoencoder
from narrows.objectives import Objective
from narrows.shards import Shard, sharded
from narrows.training.convolutions import FasterGradients, convolves
from narrows.training.distributed import Learner, World, averaging
from narrows.training.optimizer import GradientLimit, Moments, OpponentOptimizer, adamw, moments, move, muon
from narrows.training.sharding import share_out
from narrows.types import Batch, Loss

_COMPILER: dict[str, Any] = {"fallback_random": True}  # a compiled step draws the very numbers that a plain one draws
_BEFORE_RECORDING = 3  # steps done one kernel at a time, in which libraries and the optimizer set themselves up


class Step:
    """The model, what is minimised, and the optimizer.

    Parameters
    ----------
    rows : where batches come from.
    optimizer : its name. A model that is shared out is always learned by AdamW.
    decay : of the weights.
    precision : of the products; bfloat16 products go with single-precision weights, losses and reductions.
    compiled : whether the step is compiled: as one graph where that is possible, otherwise the loss alone.
    recorded : whether steps are recorded and played back; for CUDA devices.
    world : the processes that share each batch.
    sharded : whether each of them holds a share of the model, too.
    say : told in words what turned out otherwise than chosen.

    Attributes
    ----------
    sums, summed : of each named term over the steps since `forget`, and how many those were.
    """

    def __init__(
        self,
        model: Autoencoder,
        objective: Objective,
        rows: Examples,
        optimizer: str,
        decay: float,
        precision: torch.dtype,
        *,
        compiled: bool,
        recorded: bool,
        world: World,
        sharded: bool,
        say: Callable[[str], None],
    ) -> None:
        self.say = say
        self.model, self.objective, self.rows, self.precision = model, objective, rows, precision
        self.world, self.learner = world, Learner(model, objective, world)
        self.loss: nn.Module = self.learner
        if sharded:
            share_out(self.learner, rows.device)
        elif world.size > 1:
            self.loss = averaging(self.learner, rows.batch(torch.arange(2, device=rows.device)))
        opponents = set(objective.opponent_parameters())
        self.parameters: list[nn.Parameter] = [
            p for module in (model, objective) for p in module.parameters() if p.requires_grad and p not in opponents
        ]
        self.opposing = [p for p in objective.opponent_parameters() if p.requires_grad]
        if optimizer == "muon" and not sharded:
            narrow = torch.bfloat16 if precision == torch.bfloat16 else torch.float32
            self.optimizer: torch.optim.AdamW = muon(self.parameters, decay, recorded=recorded, dtype=narrow)
        else:
            self.optimizer = adamw(self.parameters, decay, recorded=recorded)
        self.limiter = GradientLimit(self.parameters, rows.device)
        self.opponent = OpponentOptimizer(self.opposing, rows.device, recorded=recorded) if self.opposing else None
        # on a GPU the fused optimizer is one kernel as it is
        self.at_once = (
            compiled and type(self.optimizer) is torch.optim.AdamW and rows.device.type == "cpu" and not self.opposing
        )
        self.rate = torch.zeros((), device=rows.device)
        decay_of = {p: group["weight_decay"] for group in self.optimizer.param_groups for p in group["params"]}
        self.decays = [decay_of[p] for p in self.parameters]
        self.graph: Callable[..., Any] | None = None
        if compiled and world.size == 1 and hasattr(torch._dynamo.config, "trace_autograd_ops"):
            function = self._all_at_once if self.at_once else self._terms_and_gradients
            self.graph = torch.compile(function, fullgraph=True, options=_COMPILER)
        elif compiled:
            self._compile_forward()
        on_cpu = rows.device.type == "cpu" and precision == torch.bfloat16
        self.convolving = FasterGradients if on_cpu and not compiled and convolves(model) else contextlib.nullcontext
        self.sums: dict[str, Tensor] = {}
        self.summed = 0
        self.recorder = Recorder(self.optimizer.zero_grad, say) if recorded else None

    def learn(self, index: Tensor, rate: float) -> None:
        """Learn from the rows at `index` (B integers, on the device) at the learning rate `rate`.

        Of the rows each process takes its own share.
        """
        if self.at_once:
            self.rate.fill_(rate)
        groups = [*self.optimizer.param_groups, *(self.opponent.optimizer.param_groups if self.opponent else ())]
        for group in groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        if self.recorder is not None:
            self.recorder(self._learn, index, key=(self.model.bottleneck.reviving,))
        else:
            self._learn(index)
        self.summed += 1

    def _learn(self, index: Tensor) -> None:
        shard = self.world.shard(len(index))
        with sharded(shard):
            batch = self.rows.batch(index if shard is None else index[shard.start : shard.stop])
        terms = self._compiled(batch) if self.graph is not None else None
        if terms is None:
            terms = self._differentiate(batch, shard)
            self._move()
        wide = torch.float32 if index.device.type == "mps" else torch.float64
        for name, term in terms.items():
            if name not in self.sums:
                self.sums[name] = torch.zeros((), dtype=wide, device=term.device)
            self.sums[name].add_(term)

    def _move(self) -> None:
        """Move the parameters by the gradients that they hold."""
        self.limiter.limit(self.optimizer)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.opponent is not None:
            self.opponent.step()

    def _differentiate(self, batch: Batch, shard: Shard | None) -> dict[str, Tensor]:
        """Leave the gradients of the loss with the parameters; the loss and its terms, each a scalar."""
        try:
            with self.autocast(), self.convolving():
                loss = self.loss(batch, shard)
        except torch._dynamo.exc.TorchDynamoException as error:  # such as a C++ compiler that lacks Python's headers
            self.loss = self.learner
            self.say(f"The step could not be compiled, and is done as it is: {_first_line(error)}")
            with self.autocast():
                loss = self.loss(batch, shard)
        loss.total.backward()
        return _detached(loss)

    def _compiled(self, batch: Batch) -> dict[str, Tensor] | None:
        """A step by the one graph, with the loss and its terms; None, and nothing done, where there can be none."""
        assert self.graph is not None
        given = (self.rate, moments(self.optimizer, self.parameters)) if self.at_once else ()
        try:
            with torch._dynamo.config.patch(trace_autograd_ops=True):
                found = self.graph(batch, *given)
        except torch._dynamo.exc.TorchDynamoException as error:  # a user's module may be no single graph
            self.graph = None
            self.say(f"The step could not be compiled as one graph, and is compiled in parts: {_first_line(error)}")
            self._compile_forward()
            return None
        if self.at_once:
            return found
        terms, gradients = found
        for parameter, gradient in zip([*self.parameters, *self.opposing], gradients, strict=True):
            parameter.grad = gradient if gradient is None else laid_like(parameter, gradient)
        self._move()
        return terms

    def _all_at_once(self, batch: Batch, rate: Tensor, found: Moments) -> dict[str, Tensor]:
        """A whole step as a function of which a compiler can make one graph."""
        terms, gradients = self._terms_and_gradients(batch)
        with torch.no_grad():
            move(self.parameters, gradients, found, rate, self.limiter, self.decays)
        return terms

    def _terms_and_gradients(self, batch: Batch) -> tuple[dict[str, Tensor], tuple[Tensor | None, ...]]:
        """The same as a function that leaves nothing behind, of which a compiler can make one graph."""
        with self.autocast():
            loss = self.objective(self.model, batch)
        return _detached(loss), torch.autograd.grad(loss.total, [*self.parameters, *self.opposing], allow_unused=True)

    def _compile_forward(self) -> None:
        """Compile the loss alone; the backward pass is then compiled apart from it."""
        faster: Any = torch.compile(self.objective, options=_COMPILER)
        self.loss = Learner(self.model, faster, self.world)

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """bf16 products where that was chosen."""
        if self.precision == torch.bfloat16:
            return torch.autocast(self.rows.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def restart(self) -> None:
        """Forget what the optimizer has gathered."""
        self.optimizer.state.clear()
        if self.opponent is not None:
            self.opponent.optimizer.state.clear()
        if self.recorder is not None:
            self.recorder = Recorder(self.optimizer.zero_grad, self.say)

    def settle(self) -> None:
        """Let every process have the mean over all of them as its sums."""
        self.world.add_up(self.sums)
        for total in self.sums.values() if self.world.size > 1 else ():
            total.div_(self.world.size)

    def means(self) -> dict[str, float]:
        """The mean of each term since the last `forget`; this waits for the device and for the other processes."""
        self.settle()
        return {name: float(total) / self.summed for name, total in self.sums.items()} if self.summed else {}

    def forget(self) -> None:
        """Begin new sums."""
        self.summed = 0
        for total in self.sums.values():
            total.zero_()


def _detached(loss: Loss) -> dict[str, Tensor]:
    return {name: term.detach() for name, term in {"loss": loss.total, **loss.terms}.items()}


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def laid_like(parameter: Tensor, gradient: Tensor) -> Tensor:
    """`gradient` lying in memory as `parameter` does, which fused optimizers ask for and `backward` sees to itself."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


class Recorder:
    """Records a step on the device, and plays it back.

    Parameters
    ----------
    undo : puts away what a step that stopped midway has left behind.
    say : told why, if a step cannot be recorded; it is then done one kernel at a time.
    """

    def __init__(self, undo: Callable[[], None], say: Callable[[str], None]) -> None:
        self.undo, self.say = undo, say
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
            self.say(f"The step could not be recorded, and is done one kernel at a time: {_first_line(cause)}")
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
