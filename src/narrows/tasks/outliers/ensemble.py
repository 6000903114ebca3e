"""A few small denoising autoencoders, trained together, that predict what is hidden from what is shown.

    x~ = m * (x + e),   m ~ Bernoulli(1 - p),   p ~ U(0, 0.6),   e ~ N(0, 0.1^2)
    loss = Huber(x - decode(encode(x~, 1 - m)))

Symbols: M members, B rows, d columns, c numbers in a code; m is 0 for the entries that are hidden, and the encoder is
told which those are. An autoencoder that sees all of a row learns to copy, and copies outliers, too; one that must
predict each column from the others cannot. All weights are stacked, so that a layer of all members is one batched
product. Each member leaves one fold of the rows out, by which its best weights are chosen, and by which it is known
how well a row reconstructs that was not trained on.

Vincent et al., Extracting and composing robust features with denoising autoencoders (2008),
https://doi.org/10.1145/1390156.1390294.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

MOST_HIDDEN = 0.6
_NOISE = 0.1
_BATCH = 256
_LEARNING_RATE, _WARM_UP, _WEIGHT_DECAY = 3e-3, 50, 0.01
_LOOK_EVERY, _HELD_OUT = 100, 1024
_GROUPS = 4  # of columns, hidden in turn
_NUMBERS = 1 << 22  # in the activations of one pass


class Ensemble(nn.Module):
    """M stacked autoencoders d -> h -> c -> h -> d."""

    groups: Tensor

    def __init__(self, n_members: int, n_columns: int, width: int, code: int, seed: int = 0) -> None:
        super().__init__()
        draw = torch.Generator().manual_seed(seed)
        sizes = [(2 * n_columns, width), (width, code), (code, width), (width, n_columns)]
        weights = [torch.randn(n_members, i, o, generator=draw) / math.sqrt(i) for i, o in sizes]
        weights[-1] *= 0.1  # begin near the prediction of every column's median
        self.weights = nn.ParameterList(weights)
        self.biases = nn.ParameterList([torch.zeros(n_members, 1, o) for _, o in sizes])
        n_groups = min(_GROUPS, n_columns)
        order = [torch.randperm(n_columns, generator=draw) % n_groups for _ in range(n_members)]
        self.register_buffer("groups", torch.stack(order))

    def forward(self, x: Tensor, shown: Tensor) -> Tensor:
        """Every column of x (M x B x d), of whose entries those are seen where `shown` is 1."""
        h = F.gelu(self._layer(0, torch.cat([x * shown, 1 - shown], -1)))
        h = F.gelu(self._layer(2, self._layer(1, h)))
        return self._layer(3, h)

    def _layer(self, number: int, x: Tensor) -> Tensor:
        return torch.baddbmm(self.biases[number], x, self.weights[number])

    @property
    def n_members(self) -> int:
        """M."""
        return len(self.groups)

    def denoised(self, x: np.ndarray) -> np.ndarray:
        """The mean over members of what they make of whole rows: (n, d)."""
        return np.concatenate([self(part, torch.ones_like(part)).mean(0).numpy() for part in self._passes(x)])

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """x less what each member predicts for a column from other ones, without having seen it: (M, n, d)."""
        return np.concatenate([self._residuals(part).numpy() for part in self._passes(x)], axis=1)

    def _residuals(self, x: Tensor) -> Tensor:
        found = torch.zeros_like(x)
        for group in range(int(self.groups.max()) + 1):
            shown = (self.groups != group).to(x.dtype)[:, None].expand_as(x)
            found += (1 - shown) * (x - self(x, shown))
        return found

    def _passes(self, x: np.ndarray) -> Iterator[Tensor]:
        """Pieces of x (n, d), the same for all members: M x B x d."""
        rows = max(16, _NUMBERS // (self.n_members * (2 * x.shape[1] + self.weights[0].shape[2])))
        with torch.inference_mode():
            for part in torch.from_numpy(x).split(rows):
                yield part.expand(self.n_members, *part.shape)


def size(n: int, d: int) -> tuple[int, int]:
    """Width and code of an autoencoder for n rows of d columns: little capacity where there is little to learn from."""
    return 32 if n < 200 else 64 if n < 5_000 else 128, max(2, min(32, d // 2))


def trained(x: np.ndarray, fold: np.ndarray, n_members: int, n_steps: int, seed: int) -> Ensemble:
    """The ensemble of the rows of x (n, d); member i does not see those whose `fold` (n) is i."""
    rows = torch.from_numpy(x)
    ensemble = Ensemble(n_members, x.shape[1], *size(*x.shape), seed=seed)
    draw = torch.Generator().manual_seed(seed + 1)
    everything = np.arange(len(x))
    seen = [_or(np.flatnonzero(fold != i), everything) for i in range(n_members)]
    held_out = _hidden(*_held_out(rows, fold, n_members, draw), draw)
    batch = min(_BATCH, max(map(len, seen)))
    optimizer = torch.optim.AdamW(ensemble.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY, fused=True)
    best, lowest = [p.detach().clone() for p in ensemble.parameters()], torch.full((n_members,), math.inf)
    for step in range(n_steps):
        for group in optimizer.param_groups:
            group["lr"] = _LEARNING_RATE * min(1, (step + 1) / _WARM_UP) * (1 - step / n_steps)
        chosen = torch.stack([s[torch.randint(len(s), (batch,), generator=draw)] for s in seen])
        loss = _loss(ensemble, *_hidden(rows[chosen], _NOISE, draw)).sum()
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        if (step + 1) % _LOOK_EVERY == 0 or step + 1 == n_steps:
            with torch.no_grad():
                now = _loss(ensemble, *held_out)
                better = now < lowest
                lowest = torch.where(better, now, lowest)
                for kept, weight in zip(best, ensemble.parameters(), strict=True):
                    kept[better] = weight[better]
    with torch.no_grad():
        for kept, weight in zip(best, ensemble.parameters(), strict=True):
            weight.copy_(kept)
    return ensemble.requires_grad_(False)


def _loss(ensemble: Ensemble, x: Tensor, noisy: Tensor, shown: Tensor) -> Tensor:
    """Huber's loss for each member: M. Squared to one standard deviation, linear beyond, for the sake of outliers."""
    return F.smooth_l1_loss(ensemble(noisy, shown), x, reduction="none").mean((1, 2))


def _hidden(x: Tensor, noise: float, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """x (M x B x d), x with noise, and 1 for the entries that are shown."""
    share = MOST_HIDDEN * torch.rand(*x.shape[:2], 1, generator=draw)
    shown = (torch.rand(x.shape, generator=draw) >= share).to(x.dtype)
    return x, x + noise * torch.randn(x.shape, generator=draw), shown


def _held_out(rows: Tensor, fold: np.ndarray, n_members: int, draw: torch.Generator) -> tuple[Tensor, float]:
    """For each member as many of the rows that it does not see, and the noise to look at them with."""
    left = [_or(np.flatnonzero(fold == i), np.arange(len(rows))) for i in range(n_members)]
    n = min(_HELD_OUT, 8 * min(map(len, left)))  # few rows are looked at with several masks each
    return rows[torch.stack([s[torch.randint(len(s), (n,), generator=draw)] for s in left])], 0.0


def _or(rows: np.ndarray, otherwise: np.ndarray) -> Tensor:
    return torch.from_numpy(rows if len(rows) else otherwise)
