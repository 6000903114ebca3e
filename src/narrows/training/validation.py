"""Validation: the held-out loss with its terms, and the health of the code."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from narrows import accelerate
from narrows.batch_sharding import Shard, split_batch
from narrows.bottlenecks import as_sparse
from narrows.model import needs_gradient
from narrows.training.batches import Batches
from narrows.training.health import n_health_rows
from narrows.training.rng import RandomStream
from narrows.training.step import Step
from narrows.types import Code, SparseCode

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
            sums, outputs, codes = self._run_pass()
            health = self._measure_health(outputs, codes) if model.has_code else {}
        model.train()
        objective.train()
        losses = {name: float(total) / len(self.index) for name, total in sums.items()} if self.has_loss else {}
        return losses, health

    def _measure_health(self, outputs: list[Tensor], codes: list[SparseCode]) -> dict[str, float]:
        """Return the health of the code, from what `_run_pass` gives."""
        bottleneck, is_shared = self.step.model.bottleneck, self.step.world.size > 1
        sparse = as_sparse(bottleneck) if codes else None
        n = sum(map(len, outputs)) if sparse is None else sum(code.n_rows for code in codes)
        with split_batch(Shard(0, n, len(self.index)) if is_shared else None):
            return bottleneck.health(torch.cat(outputs)) if sparse is None else sparse.health_of_codes(codes)

    def _run_pass(self) -> tuple[dict[str, Tensor], list[Tensor], list[SparseCode]]:
        """Return the sums of the loss and its terms over all rows, and this process's outputs of the encoder and codes.

        Where codes are sparse from the start, there are no outputs: they would take more memory than few active units.
        """
        outputs, codes = list[Tensor](), list[SparseCode]()

        def see(_module: nn.Module, _inputs: tuple[Any, ...], code: Code) -> None:
            if code.sparse is not None:
                codes.append(code.sparse)

        model, stream = self.step.model, RandomStream(_SEED, self.step.device, self.is_global)
        hooks = [
            model.encoder.register_forward_hook(lambda _module, _inputs, h: outputs.append(h.detach().float())),
            model.bottleneck.register_forward_hook(see),
        ]
        with stream.use(), accelerate.autocast(self.step.device, self.step.precision):
            sums = self._sum_losses()
        for hook in hooks:
            hook.remove()
        self.step.world.all_reduce_(sums)
        return sums, outputs, codes

    def _sum_losses(self) -> dict[str, Tensor]:
        """Return the sums over this process's rows. Encoder and bottleneck run on each row, for the hooks."""
        step, sums = self.step, dict[str, Tensor]()
        for part in self.index.split(_BATCH_SIZE):
            shard = step.world.shard(len(part))
            with split_batch(shard):
                batch = step.rows.batch(part if shard is None else part[shard.start : shard.stop])
            if not self.has_loss and not self.is_sharded:  # without a loss, the decoder is not needed
                step.model.bottleneck(step.model.encode_for_code(batch.x))
                continue
            loss = step.loss_module(batch, shard)
            for name, term in {"loss": loss.validated, **loss.terms}.items():
                sums[name] = sums.get(name, torch.zeros_like(term)) + term.detach() * (len(part) / step.world.size)
        return sums
