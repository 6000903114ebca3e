"""An ensemble of small denoising autoencoders, trained together, that predict hidden entries from visible ones.

    x~ = m * (x + e),   m ~ Bernoulli(1 - p),   p ~ U(0, 0.6),   e ~ N(0, 0.1^2)
    loss = Huber(x - decode(encode(x~, 1 - m)))

Symbols: M members, B rows, d columns, c components of a code. m is 0 for hidden entries, and 1 - m is an input of the
encoder, too. An autoencoder that sees a whole row learns to copy, and copies outliers, too. One that must predict each
column from the others cannot. All weights are stacked, so one layer of all members is one batched product. Each member
leaves out one fold of the rows. That fold chooses the member's best weights, and tells how well it reconstructs rows
that it was not trained on.

Vincent et al., Extracting and composing robust features with denoising autoencoders (2008),
https://doi.org/10.1145/1390156.1390294.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MAX_MASK_RATE = 0.6
_NOISE = 0.1
_BATCH_SIZE = 256
_LEARNING_RATE, _WARMUP_STEPS, _WEIGHT_DECAY = 3e-3, 50, 0.01
_VALIDATE_EVERY, _MAX_HELD_OUT = 100, 1024
_N_GROUPS = 4  # groups of columns, hidden in turn
_MAX_ACTIVATIONS = 1 << 22  # numbers in one pass


class Ensemble(nn.Module):
    """M stacked autoencoders d -> h -> c -> h -> d.

    Parameters
    ----------
    n_members, n_columns, width, code : M, d, h and c.
    seed : seed of the initial weights and of the groups of columns.
    owners : d integers, the user's column that each column here belongs to; such columns are hidden together. None if
        each is a column of its own.
    """

    groups: Tensor  # M x d, the group of each column

    def __init__(
        self,
        n_members: int,
        n_columns: int,
        width: int,
        code: int,
        seed: int = 0,
        owners: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        sizes = [(2 * n_columns, width), (width, code), (code, width), (width, n_columns)]
        weights = [torch.randn(n_members, i, o, generator=generator) / math.sqrt(i) for i, o in sizes]
        weights[-1] *= 0.1  # begin near the prediction of every column's median
        self.weights = nn.ParameterList(weights)
        self.biases = nn.ParameterList([torch.zeros(n_members, 1, o) for _, o in sizes])
        owner = torch.arange(n_columns) if owners is None else torch.from_numpy(owners)
        n_owners = int(owner.max()) + 1
        n_groups = min(_N_GROUPS, n_owners)
        order = [(torch.randperm(n_owners, generator=generator) % n_groups)[owner] for _ in range(n_members)]
        self.register_buffer("groups", torch.stack(order))

    def forward(self, x: Tensor, visible: Tensor) -> Tensor:
        """Predict every column of x (M x B x d) from the entries where `visible` (M x B x d) is 1."""
        h = F.gelu(self._layer(0, torch.cat([x * visible, 1 - visible], -1)))
        h = F.gelu(self._layer(2, self._layer(1, h)))
        return self._layer(3, h)

    def _layer(self, number: int, x: Tensor) -> Tensor:
        return torch.baddbmm(self.biases[number], x, self.weights[number])

    @property
    def n_members(self) -> int:
        """Number of members, M."""
        return len(self.groups)

    def denoise(self, x: np.ndarray) -> np.ndarray:
        """Return the mean over members of the reconstructions of x (n, d), with nothing hidden: (n, d)."""
        return np.concatenate([self(part, torch.ones_like(part)).mean(0).numpy() for part in self._passes(x)])

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """Return x (n, d) less each member's prediction of a column that is hidden from it: (M, n, d)."""
        return np.concatenate([self._residuals(part).numpy() for part in self._passes(x)], axis=1)

    def predict(self, x: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Return each member's prediction of x (n, d) from the entries where `visible` (n, d) is True: (M, n, d)."""
        both = np.concatenate([x, visible.astype(x.dtype)], axis=1)
        return np.concatenate([self(*part.chunk(2, dim=-1)).numpy() for part in self._passes(both)], axis=1)

    def _residuals(self, x: Tensor) -> Tensor:
        residuals = torch.zeros_like(x)
        for group in range(int(self.groups.max()) + 1):
            visible = (self.groups != group).to(x.dtype)[:, None].expand_as(x)
            residuals += (1 - visible) * (x - self(x, visible))
        return residuals

    def _passes(self, x: np.ndarray) -> Iterator[Tensor]:
        """Split x (n, d) into parts, the same for all members: M x B x d each."""
        n_rows = max(16, _MAX_ACTIVATIONS // (self.n_members * (2 * x.shape[1] + self.weights[0].shape[2])))
        with torch.inference_mode():
            for part in torch.from_numpy(x).split(n_rows):
                yield part.expand(self.n_members, *part.shape)


def layer_widths(n: int, d: int) -> tuple[int, int]:
    """Return the width and the code size for n rows of d columns: fewer data get a smaller network."""
    return 32 if n < 200 else 64 if n < 5_000 else 128, max(2, min(32, d // 2))


def train_ensemble(
    x: np.ndarray,
    fold: np.ndarray,
    n_members: int,
    n_steps: int,
    seed: int,
    owners: np.ndarray | None = None,
    report: Callable[[float], object] = float,
) -> Ensemble:
    """Train an ensemble on the rows of x (n, d); member i does not see the rows whose `fold` (n,) is i.

    `owners` is that of `Ensemble`. `report` gets the share of the steps that are done.
    """
    rows = torch.from_numpy(x)
    ensemble = Ensemble(n_members, x.shape[1], *layer_widths(*x.shape), seed=seed, owners=owners)
    generator = torch.Generator().manual_seed(seed + 1)
    everything = np.arange(len(x))
    seen = [_rows_or(np.flatnonzero(fold != i), everything) for i in range(n_members)]
    held_out = _mask(_draw_held_out(rows, fold, n_members, generator), 0.0, generator)
    batch = min(_BATCH_SIZE, max(map(len, seen)))
    optimizer = torch.optim.AdamW(ensemble.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY, fused=True)
    best, lowest = [p.detach().clone() for p in ensemble.parameters()], torch.full((n_members,), math.inf)
    for step in range(n_steps):
        report(step / n_steps)
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * min(1, (step + 1) / _WARMUP_STEPS) * (1 - step / n_steps)
        indices = torch.stack([s[torch.randint(len(s), (batch,), generator=generator)] for s in seen])
        loss = _loss(ensemble, *_mask(rows[indices], _NOISE, generator)).sum()
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        if (step + 1) % _VALIDATE_EVERY == 0 or step + 1 == n_steps:
            with torch.no_grad():
                losses = _loss(ensemble, *held_out)
                improved = losses < lowest
                lowest = torch.where(improved, losses, lowest)
                for kept, weight in zip(best, ensemble.parameters(), strict=True):
                    kept[improved] = weight[improved]
    with torch.no_grad():
        for kept, weight in zip(best, ensemble.parameters(), strict=True):
            weight.copy_(kept)
    return ensemble.requires_grad_(False)


def _loss(ensemble: Ensemble, x: Tensor, noisy: Tensor, visible: Tensor) -> Tensor:
    """Return Huber's loss of each member: M. It is linear beyond one standard deviation, because of outliers."""
    return F.smooth_l1_loss(ensemble(noisy, visible), x, reduction="none").mean((1, 2))


def _mask(x: Tensor, noise: float, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return x (M x B x d), x with noise, and 1 for the visible entries."""
    rate = _MAX_MASK_RATE * torch.rand(*x.shape[:2], 1, generator=generator)
    visible = (torch.rand(x.shape, generator=generator) >= rate).to(x.dtype)
    return x, x + noise * torch.randn(x.shape, generator=generator), visible


def _draw_held_out(rows: Tensor, fold: np.ndarray, n_members: int, generator: torch.Generator) -> Tensor:
    """Draw for each member the same number of rows that it does not see: M x B x d."""
    unseen = [_rows_or(np.flatnonzero(fold == i), np.arange(len(rows))) for i in range(n_members)]
    n = min(
        _MAX_HELD_OUT, 8 * min(map(len, unseen))
    )  # if there are few rows, each is drawn several times, with other masks
    return rows[torch.stack([s[torch.randint(len(s), (n,), generator=generator)] for s in unseen])]


def _rows_or(rows: np.ndarray, otherwise: np.ndarray) -> Tensor:
    return torch.from_numpy(rows if len(rows) else otherwise)
