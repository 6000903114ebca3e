"""A training step: forward pass, backward pass, optimizer. It runs on the device, without a sync."""

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
from narrows.training.optimizer import ClippedOptimizer, adamw, muon, opponent_adamw, parameters_without_decay
from narrows.training.parallel import LossModule, World, shard_model, wrap_ddp
from narrows.training.plan import Plan
from narrows.training.rng import RandomStream
from narrows.training.sums import LossSums
from narrows.types import Batch


class Step:
    """The model, the objective and the optimizers.

    Parameters
    ----------
    rows : the examples from which batches are taken.
    plan : the decisions on device, precision, compilation and others.
    optimizer : "adamw" or "muon". A sharded model always uses AdamW.
    world : the processes that share each batch.
    add_note : function that records a message for the user.
    """

    def __init__(
        self,
        model: Autoencoder,
        objective: Objective,
        rows: Examples,
        plan: Plan,
        optimizer: str,
        world: World,
        add_note: Callable[[str], None],
    ) -> None:
        self.model, self.objective, self.rows, self.add_note = model, objective, rows, add_note
        self.device, self.precision, self.world = rows.device, plan.place.precision, world
        self.use_compile, self.use_cuda_graph = plan.use_compile, plan.use_cuda_graph
        self.loss_module = LossModule(model, objective, world)
        self.parallel_loss: nn.Module = self.loss_module  # with several processes, wrapped by DDP
        if plan.place.is_sharded:
            shard_model(self.loss_module, rows.device)
        elif world.size > 1:
            with RandomStream(0, rows.device, is_global=False).use():  # the training's stream starts at its first step
                batch = rows.batch(torch.arange(2, device=rows.device))
            self.parallel_loss = wrap_ddp(self.loss_module, batch)
        opponents = [p for p in objective.opponent_parameters() if p.requires_grad]
        trainable = [p for module in (model, objective) for p in module.parameters() if p.requires_grad]
        parameters = [p for p in trainable if p not in set(opponents)]
        no_decay = parameters_without_decay((model, objective))
        if optimizer == "muon" and not plan.place.is_sharded:
            product_dtype = torch.bfloat16 if self.precision == torch.bfloat16 else torch.float32
            base: torch.optim.AdamW = muon(
                parameters, plan.weight_decay, capturable=self.use_cuda_graph, no_decay=no_decay, dtype=product_dtype
            )
        else:
            base = adamw(parameters, plan.weight_decay, capturable=self.use_cuda_graph, no_decay=no_decay)
        self.optimizers = [ClippedOptimizer(base, parameters, rows.device)]
        if opponents:
            opponent_optimizer = opponent_adamw(opponents, capturable=self.use_cuda_graph)
            self.optimizers.append(ClippedOptimizer(opponent_optimizer, opponents, rows.device))
        self.sums = LossSums(world, rows.device)
        self.around_forward = accelerate.around_forward(self)
        self.fast_update = accelerate.make_update(self)
        self.runner = accelerate.make_runner(self)

    def run(self, index: Tensor, learning_rate: float) -> None:
        """Take a step on the rows at `index` (B integers, on the device). Each process takes its share of the rows."""
        for optimizer in self.optimizers:
            optimizer.set_learning_rate(learning_rate)
        self.runner(self._run, index, key=(self.model.bottleneck.aux_active,))
        self.sums.n_steps += 1

    def reset_optimizers(self) -> None:
        """Drop the state of the optimizers, and any recording that refers to it."""
        for optimizer in self.optimizers:
            optimizer.reset()
        self.runner = accelerate.make_runner(self)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores: the states of the optimizers."""
        return {str(number): optimizer.state() for number, optimizer in enumerate(self.optimizers)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        for number, optimizer in enumerate(self.optimizers):
            optimizer.restore(state[str(number)])

    def _run(self, index: Tensor) -> None:
        shard = self.world.shard(len(index))
        with split_batch(shard):
            batch = self.rows.batch(index if shard is None else index[shard.start : shard.stop])
        terms = self.fast_update(batch)
        if terms is None:
            terms = self._forward_backward(batch, shard)
            for optimizer in self.optimizers:
                optimizer.step()
        self.sums.add(terms)

    def _forward_backward(self, batch: Batch, shard: Shard | None) -> dict[str, Tensor]:
        """Compute the gradients, and return the loss and its terms."""
        with accelerate.autocast(self.device, self.precision), self.around_forward():
            loss = self.parallel_loss(batch, shard)
        loss.total.backward()
        return accelerate.detach_terms(loss)
