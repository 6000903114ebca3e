"""Validation: the held-out loss with its terms, and measures of the code's health."""

from __future__ import annotations

import torch
from torch import Tensor

from narrows import accelerate
from narrows.batch_sharding import Shard, split_batch
from narrows.model import needs_gradient
from narrows.training.batches import Batches
from narrows.training.health import n_looked_at
from narrows.training.rng import RandomStream
from narrows.training.step import Step

_SEED = 1_000_003
_ROWS = 1000  # at once


class Validation:
    """Measures a model on held-out rows, with the same random numbers each time.

    Where no rows are held out, the code's health is measured on some that are trained on.

    Parameters
    ----------
    step : the step of the training, whose model and objective are measured.
    batches : the rows that are held out, and those trained on.
    is_sharded : whether each process holds a share of the model.
    is_global : whether random numbers come from torch's global generators.
    """

    def __init__(self, step: Step, batches: Batches, is_sharded: bool, is_global: bool) -> None:
        self.step, self.is_sharded, self.is_global, self.has_loss = (
            step,
            is_sharded,
            is_global,
            len(batches.held_out) > 0,
        )
        n = n_looked_at(step.model, len(batches.training))
        self.index = batches.held_out if self.has_loss else batches.training[:n]

    def measure(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return the loss and its terms, if rows are held out, and the code's health."""
        model, objective = self.step.model, self.step.objective
        if not self.has_loss and not model.has_code:
            return {}, {}
        model.eval()
        objective.eval()
        with torch.set_grad_enabled(needs_gradient(model)):
            sums, h = self._pass()
            health = {}
            if model.has_code:
                with split_batch(Shard(0, len(h), len(self.index)) if self.step.world.size > 1 else None):
                    health = model.bottleneck.health(h)
        model.train()
        objective.train()
        losses = {name: float(total) / len(self.index) for name, total in sums.items()} if self.has_loss else {}
        return losses, health

    def _pass(self) -> tuple[dict[str, Tensor], Tensor]:
        """Return the sums of the loss and its terms over all rows, and what the encoder gave for this process's."""
        outputs: list[Tensor] = []
        encoder = self.step.model.encoder
        listener = encoder.register_forward_hook(lambda _module, _inputs, h: outputs.append(h.detach().float()))
        stream = RandomStream(_SEED, self.step.device, self.is_global)
        with stream.use(), accelerate.autocast(self.step.device, self.step.precision):
            sums = self._sums()
        listener.remove()
        self.step.world.add_up(sums)
        return sums, torch.cat(outputs)

    def _sums(self) -> dict[str, Tensor]:
        """Return the sums over this process's rows; the encoder sees each of them."""
        step, sums = self.step, dict[str, Tensor]()
        for part in self.index.split(_ROWS):
            shard = step.world.shard(len(part))
            with split_batch(shard):
                batch = step.rows.batch(part if shard is None else part[shard.start : shard.stop])
            if not self.has_loss and not self.is_sharded:  # no loss to tell: the code needs no decoder
                step.model.encoder(batch.x)
                continue
            loss = step.learner(batch, shard)
            for name, term in {"loss": loss.validated, **loss.terms}.items():
                sums[name] = sums.get(name, torch.zeros_like(term)) + term.detach() * (len(part) / step.world.size)
        return sums
