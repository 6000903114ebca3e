"""Validation: the held-out loss with its terms, and the health of the code."""

from __future__ import annotations

import torch
from torch import Tensor

from narrows import accelerate
from narrows.batch_sharding import Shard, split_batch
from narrows.model import needs_gradient
from narrows.training.batches import Batches
from narrows.training.health import n_health_rows
from narrows.training.rng import RandomStream
from narrows.training.step import Step

_SEED = 1_000_003
_BATCH_SIZE = 1000


class Validation:
    """Measures a model on held-out rows, with the same random numbers each time.

    Without held-out rows, only the health of the code is measured, on some training rows.

    Parameters
    ----------
    step : the training step, with the model and the objective.
    batches : the held-out rows and the training rows.
    is_sharded : True if each process holds a share of the model.
    is_global : True if random numbers come from torch's global generators.
    """

    def __init__(self, step: Step, batches: Batches, is_sharded: bool, is_global: bool) -> None:
        self.step, self.is_sharded, self.is_global = step, is_sharded, is_global
        self.has_loss = len(batches.held_out) > 0
        n = n_health_rows(step.model, len(batches.training))
        self.index = batches.held_out if self.has_loss else batches.training[:n]

    def measure(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return the loss with its terms (nats per example; none without held-out rows), and the health of the code."""
        model, objective = self.step.model, self.step.objective
        if not self.has_loss and not model.has_code:
            return {}, {}
        model.eval()
        objective.eval()
        with torch.set_grad_enabled(needs_gradient(model)):
            sums, h = self._run_pass()
            health = {}
            if model.has_code:
                with split_batch(Shard(0, len(h), len(self.index)) if self.step.world.size > 1 else None):
                    health = model.bottleneck.health(h)
        model.train()
        objective.train()
        losses = {name: float(total) / len(self.index) for name, total in sums.items()} if self.has_loss else {}
        return losses, health

    def _run_pass(self) -> tuple[dict[str, Tensor], Tensor]:
        """Return the sums of the loss and its terms over all rows, and the encoder's outputs for this process."""
        outputs: list[Tensor] = []
        encoder = self.step.model.encoder
        hook = encoder.register_forward_hook(lambda _module, _inputs, h: outputs.append(h.detach().float()))
        stream = RandomStream(_SEED, self.step.device, self.is_global)
        with stream.use(), accelerate.autocast(self.step.device, self.step.precision):
            sums = self._sum_losses()
        hook.remove()
        self.step.world.all_reduce_(sums)
        return sums, torch.cat(outputs)

    def _sum_losses(self) -> dict[str, Tensor]:
        """Return the sums over this process's rows. The encoder runs on each row, for the hook."""
        step, sums = self.step, dict[str, Tensor]()
        for part in self.index.split(_BATCH_SIZE):
            shard = step.world.shard(len(part))
            with split_batch(shard):
                batch = step.rows.batch(part if shard is None else part[shard.start : shard.stop])
            if not self.has_loss and not self.is_sharded:  # without a loss, the decoder is not needed
                step.model.encoder(batch.x)
                continue
            loss = step.loss_module(batch, shard)
            for name, term in {"loss": loss.validated, **loss.terms}.items():
                sums[name] = sums.get(name, torch.zeros_like(term)) + term.detach() * (len(part) / step.world.size)
        return sums
