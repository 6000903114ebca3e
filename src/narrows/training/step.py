"""A step of learning: forward pass, backward pass, optimizer. All on the device, with nothing that waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from narrows import accelerate
from narrows.batch_sharding import Shard, split_batch
from narrows.data import Examples
from narrows.model import Autoencoder
from narrows.objectives import Objective
from narrows.training.optimizer import ClippedOptimizer, adamw, muon, opponent_adamw
from narrows.training.parallel import Learner, World, averaging, share_out
from narrows.training.plan import Plan
from narrows.training.rng import RandomStream
from narrows.training.sums import LossSums
from narrows.types import Batch


class Step:
    """The model, what is minimised, and the optimizers.

    Parameters
    ----------
    rows : where batches come from.
    plan : where, in which precision and how a step is taken.
    optimizer : its name. A model that is shared out is always learned by AdamW.
    world : the processes that share each batch.
    say : told in words what turned out otherwise than chosen.
    """

    def __init__(
        self,
        model: Autoencoder,
        objective: Objective,
        rows: Examples,
        plan: Plan,
        optimizer: str,
        world: World,
        say: Callable[[str], None],
    ) -> None:
        self.model, self.objective, self.rows, self.say = model, objective, rows, say
        self.device, self.precision, self.world = rows.device, plan.place.precision, world
        self.use_compile, self.use_cuda_graph = plan.use_compile, plan.use_cuda_graph
        self.learner = Learner(model, objective, world)
        self.loss: nn.Module = self.learner
        if plan.place.sharded:
            share_out(self.learner, rows.device)
        elif world.size > 1:
            with RandomStream(0, rows.device, is_global=False).use():  # the training's own draws begin with its steps
                batch = rows.batch(torch.arange(2, device=rows.device))
            self.loss = averaging(self.learner, batch)
        opponents = [p for p in objective.opponent_parameters() if p.requires_grad]
        learned = [p for module in (model, objective) for p in module.parameters() if p.requires_grad]
        parameters = [p for p in learned if p not in set(opponents)]
        if optimizer == "muon" and not plan.place.sharded:
            narrow = torch.bfloat16 if self.precision == torch.bfloat16 else torch.float32
            by: torch.optim.AdamW = muon(parameters, plan.weight_decay, capturable=self.use_cuda_graph, dtype=narrow)
        else:
            by = adamw(parameters, plan.weight_decay, capturable=self.use_cuda_graph)
        self.optimizers = [ClippedOptimizer(by, parameters, rows.device)]
        if opponents:
            against = opponent_adamw(opponents, capturable=self.use_cuda_graph)
            self.optimizers.append(ClippedOptimizer(against, opponents, rows.device))
        self.sums = LossSums(world, rows.device)
        self.around_forward = accelerate.around_forward(self)
        self.fast_update = accelerate.fast_update(self)
        self.runner = accelerate.runner(self)

    def run(self, index: Tensor, rate: float) -> None:
        """Learn from the rows at `index` (B integers, on the device) at the learning rate `rate`.

        Of the rows each process takes its own share.
        """
        for optimizer in self.optimizers:
            optimizer.set_rate(rate)
        self.runner(self._run, index, key=(self.model.bottleneck.aux_active,))
        self.sums.n_steps += 1

    def restart(self) -> None:
        """Forget what the optimizers have gathered."""
        for optimizer in self.optimizers:
            optimizer.restart()
        self.runner = accelerate.runner(self)

    def state(self) -> dict[str, Any]:
        """For a checkpoint: that of the optimizers."""
        return {str(number): optimizer.state() for number, optimizer in enumerate(self.optimizers)}

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        for number, optimizer in enumerate(self.optimizers):
            optimizer.restore(state[str(number)])

    def _run(self, index: Tensor) -> None:
        shard = self.world.shard(len(index))
        with split_batch(shard):
            batch = self.rows.batch(index if shard is None else index[shard.start : shard.stop])
        terms = self.fast_update(batch)
        self.sums.add(self._update(batch, shard) if terms is None else terms)

    def _update(self, batch: Batch, shard: Shard | None) -> dict[str, Tensor]:
        with accelerate.autocast(self.device, self.precision), self.around_forward():
            loss = self.loss(batch, shard)
        loss.total.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        return accelerate.detached(loss)
