"""TopK dictionaries of SAELens, sparsify, dictionary_learning and narrows: what `sparse_peers.py` trains, and how."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

import narrows

K, BATCH = 32, 1024
PEERS = ("sae-lens", "eai-sparsify", "dictionary-learning")
RATES = {
    "narrows": (1e-3, 2e-3, 4e-3),
    "sae_lens": (1e-3, 3e-3, 1e-2),
    "sparsify": (1e-3, 3e-3, 1e-2),
    "dictionary_learning": (5e-4, 1.5e-3, 5e-3),
}
os.environ.setdefault("WANDB_MODE", "disabled")


@dataclass(frozen=True)
class Run:
    """One training."""

    side: str
    n_units: int
    rate: float
    n_tokens: int
    seed: int
    data: str
    dead_rows: int
    scale: str = "all"
    sparsity: str = "topk"

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return self.n_tokens // BATCH


class Trained(NamedTuple):
    """A dictionary: `step` trains it on rows, `apply` gives outputs (B x d) and active units (B x L booleans)."""

    step: Callable[[Tensor], object]
    apply: Callable[[Tensor], tuple[Tensor, Tensor]]
    finish: Callable[[], object] = lambda: None


class Scaled(NamedTuple):
    """Rows in the units of a peer: (x - mean) / scale."""

    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, X: Tensor) -> Scaled:
        """Return the mean, and the root of the mean variance of the columns."""
        return cls(X.mean(0), X.var(0).mean().sqrt())

    def __call__(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.scale

    def undo(self, x: Tensor) -> Tensor:
        """Return rows in their own units."""
        return x * self.scale + self.mean


def sae_lens(run: Run, d: int) -> Trained:
    """Return a dictionary of SAELens."""
    from sae_lens.config import SAETrainerConfig
    from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.training.sae_trainer import SAETrainer

    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=d, d_sae=run.n_units, k=K))
    config = SAETrainerConfig(
        total_training_samples=run.n_steps * BATCH,
        train_batch_size_samples=BATCH,
        lr=run.rate,
        lr_end=run.rate / 10,  # as in its runner
        lr_decay_steps=run.n_steps // 5,
        dead_feature_window=max(1, run.n_steps // 10),
    )
    trainer = SAETrainer(config, sae, iter(()))

    def step(x: Tensor) -> None:
        trainer.step(x)
        trainer.n_training_steps += 1  # as its `fit` does

    def apply(x: Tensor) -> tuple[Tensor, Tensor]:
        z = sae.encode(x)
        return sae.decode(z), z > 0

    return Trained(step, apply)


def sparsify(run: Run, d: int) -> Trained:
    """Return a dictionary of sparsify, with a step as in its trainer."""
    from schedulefree import ScheduleFreeWrapper
    from sparsify import SparseCoder, SparseCoderConfig
    from sparsify.sign_sgd import SignSGD

    coder = SparseCoder(d, SparseCoderConfig(num_latents=run.n_units, k=K))
    optimizer = ScheduleFreeWrapper(SignSGD([{"params": coder.parameters(), "lr": run.rate}]), momentum=0.95)
    optimizer.train()
    started = False

    def step(x: Tensor) -> None:
        nonlocal started
        if not started:
            coder.b_dec.data = x.mean(0)
            started = True
        coder.set_decoder_norm_to_unit_norm()
        coder(x).fvu.backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        optimizer.step()
        optimizer.zero_grad()

    def apply(x: Tensor) -> tuple[Tensor, Tensor]:
        values, units, _ = coder.encode(x)
        active = torch.zeros(len(x), run.n_units, dtype=torch.bool).scatter(1, units, values > 0)
        return coder.decode(values, units), active

    def finish() -> None:
        optimizer.eval()  # the averaged weights
        coder.set_decoder_norm_to_unit_norm()

    return Trained(step, apply, finish)


def dictionary_learning(run: Run, d: int) -> Trained:
    """Return a dictionary of dictionary_learning, for rows of mean square norm 1, as its training makes them."""
    from dictionary_learning.trainers.top_k import TopKTrainer

    trainer = TopKTrainer(
        steps=run.n_steps,
        activation_dim=d,
        dict_size=run.n_units,
        k=K,
        layer=0,
        lm_name="",
        lr=run.rate,
        warmup_steps=max(1, run.n_steps // 20),
        decay_start=run.n_steps - run.n_steps // 5,
        seed=run.seed,
        device="cpu",
    )
    trainer.dead_feature_threshold = run.n_tokens // 10
    norm, number = math.sqrt(d), iter(range(run.n_steps))

    def apply(x: Tensor) -> tuple[Tensor, Tensor]:
        z = trainer.ae.encode(x / norm)
        return trainer.ae.decode(z) * norm, z > 0

    return Trained(lambda x: trainer.update(next(number), x / norm), apply)


SIDES = {"sae_lens": sae_lens, "sparsify": sparsify, "dictionary_learning": dictionary_learning}


def load(folder: str, name: str) -> np.ndarray:
    """Return the rows of a file in single precision."""
    return np.load(Path(folder) / f"{name}.npy").astype(np.float32)


def numbers_of_batches(n_rows: int, n_steps: int, seed: int) -> Iterator[Tensor]:
    """Yield row numbers of batches: all rows in random order, then again in another order."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.empty(0, dtype=torch.long)
    for _ in range(n_steps):
        if len(numbers) < BATCH:
            numbers = torch.cat([numbers, torch.randperm(n_rows, generator=generator)])
        yield numbers[:BATCH]
        numbers = numbers[BATCH:]


def make_narrows(run: Run) -> narrows.SAE:
    """Return the estimator of a run."""
    return narrows.SAE(
        run.n_units,
        k=K,
        sparsity=run.sparsity,
        scale=run.scale,
        batch_size=BATCH,
        learning_rate=run.rate,
        max_examples=run.n_steps * BATCH,
        early_stopping=False,
        precision="float32",
        device="cpu",
        random_state=run.seed,
        sparse_output=True,
        verbose=0,
    )


def make(run: Run, X: np.ndarray) -> tuple[Callable[[], object], Callable[[Tensor], tuple[Tensor, Tensor]]]:
    """Return a function that trains a dictionary on X, and one from rows (B x d) to outputs and active units."""
    if run.side == "narrows":
        model = make_narrows(run)

        def apply(x: Tensor) -> tuple[Tensor, Tensor]:
            codes = model.transform(x.numpy())  # a sparse matrix
            active = torch.zeros(codes.shape, dtype=torch.bool)
            active[codes.nonzero()] = True
            return torch.from_numpy(model.inverse_transform(codes)), active

        return functools.partial(model.fit, X), apply

    torch.manual_seed(run.seed)
    whole = torch.from_numpy(X)
    scaled, side = Scaled.of(whole), SIDES[run.side](run, X.shape[1])

    def fit() -> None:
        for numbers in numbers_of_batches(len(X), run.n_steps, run.seed):
            side.step(scaled(whole[numbers]))
        side.finish()

    def apply_side(x: Tensor) -> tuple[Tensor, Tensor]:
        out, active = side.apply(scaled(x))
        return scaled.undo(out), active

    return fit, apply_side
