"""Corruptions: changes of the input that a denoising model learns to undo. The target stays clean.

    x~ = corrupt(x)        loss = -log p(x | decode(encode(x~)))

Vincent et al., Extracting and composing robust features with denoising autoencoders (2008),
https://doi.org/10.1145/1390156.1390294. Levels are on the model's scale: within [0, 1] for images, in standard
deviations for real-valued columns.

A level is one number, or a range (low, high) from which a level is drawn for each example: the model then learns to
clean all of them without knowing the level (Zhang et al., DnCNN, 2017, https://arxiv.org/abs/1608.03981).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from narrows import rng
from narrows.data import GAP, Schema
from narrows.networks import PatchGrid
from narrows.params import did_you_mean
from narrows.types import Batch, Corrupted

Level = float | tuple[float, float]


class Corruption(nn.Module, ABC):
    """Abstract: turns a batch into the input of the encoder.

    Attributes
    ----------
    predicts_hidden : True if the model learns entries only from the others. Then a reconstruction hides one entry
        after the other, and codes cannot be decoded.
    """

    predicts_hidden = False

    @abstractmethod
    def forward(self, batch: Batch) -> Corrupted:
        """Corrupt `batch.x` (B x ...); `scored` is a mask if the loss must skip some entries."""


class Nothing(Corruption):
    """The identity: the encoder sees the example itself."""

    def forward(self, batch: Batch) -> Corrupted:
        """Return the batch unchanged."""
        return Corrupted(batch.x)


class Noise(Corruption):
    """Abstract: noise of one kind, at a fixed level or a level drawn for each example.

    Subclasses implement `apply_noise`, which gives the level its meaning.

    Parameters
    ----------
    level : a number of at least 0, or a range (low, high) of such numbers; at most 1 if it is a share of the entries.

    Raises
    ------
    ValueError
        If `level` is not such a number or range.
    """

    highest = float("inf")

    def __init__(self, level: Level = 0.3) -> None:
        super().__init__()
        low, high = level if isinstance(level, (tuple, list)) else (level, level)
        if not 0 <= low <= high <= self.highest:
            limit = "" if self.highest == float("inf") else f" and at most {self.highest:g}"
            raise ValueError(
                f"The `level` parameter of {type(self).__name__} must be a number of at least 0{limit}, or a pair "
                f"(low, high) of such numbers. Got {level!r} instead."
            )
        self.low, self.high = float(low), float(high)

    def forward(self, batch: Batch) -> Corrupted:
        """Draw a level for each example, and corrupt it."""
        x = batch.x
        level = torch.full((len(x),) + (1,) * (x.dim() - 1), self.low, dtype=x.dtype, device=x.device)
        if self.high > self.low:
            level = level + (self.high - self.low) * rng.rand_like(level)
        return Corrupted(self.apply_noise(x, level))

    @abstractmethod
    def apply_noise(self, x: Tensor, level: Tensor) -> Tensor:
        """Corrupt `x` (B x ...) at `level` (B x 1 x ...)."""


class GaussianNoise(Noise):
    """x + level * eps, eps ~ N(0, I), not clipped.

    >>> import torch
    >>> GaussianNoise(0.0)(Batch(torch.ones(2, 3), torch.ones(2, 3))).x.tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    def apply_noise(self, x: Tensor, level: Tensor) -> Tensor:
        """Add noise of standard deviation `level` to x (B x ...)."""
        return x + level * rng.randn_like(x)


class Masking(Noise):
    """Each entry becomes 0 with probability `level` (0 is the mean of a standardised column, black in an image)."""

    highest = 1.0

    def apply_noise(self, x: Tensor, level: Tensor) -> Tensor:
        """Set a share `level` of the entries of x (B x ...) to 0."""
        return x * (rng.rand_like(x) >= level)


class SaltAndPepper(Noise):
    """Each entry becomes the example's least or greatest value, half each, with probability `level`."""

    highest = 1.0

    def apply_noise(self, x: Tensor, level: Tensor) -> Tensor:
        """Replace a share `level` of the entries of x (B x ...) by an extreme."""
        u = rng.rand_like(x)
        flat = x.flatten(1)
        shape = (len(x),) + (1,) * (x.dim() - 1)
        low, high = flat.amin(1).view(shape), flat.amax(1).view(shape)
        return torch.where(u < level / 2, low, torch.where(u < level, high, x))


class PoissonNoise(Noise):
    """Photon noise: level * Poisson(x / level), so that the variance is `level` times the value.

    Values below 0, which have no such noise, are taken as 0. At level 0 nothing changes.
    """

    def apply_noise(self, x: Tensor, level: Tensor) -> Tensor:
        """Draw counts at a mean of x / level, and scale them back."""
        step = level.clamp(min=1e-6)
        noisy = rng.poisson(x.clamp(min=0) / step) * step
        return torch.where(level > 0, noisy, x)


class TableCorruption(Corruption):
    """Noise for the rows of a table: noise on the numbers, and other rows' values in the levels.

    A cell of a category is replaced, with the probability `level` (at most 1/2), by the cell of another row of the
    batch, so that each column keeps its frequencies. Masking makes such cells missing instead. Missing cells stay so.

    Parameters
    ----------
    noise : noise for the numbers.
    schema : schema of the table.
    """

    has_levels: Tensor

    def __init__(self, noise: Corruption, schema: Schema) -> None:
        super().__init__()
        self.noise = noise
        has_levels = torch.tensor([column.has_levels for column in schema.used_columns])
        self.register_buffer("has_levels", has_levels, persistent=False)

    def forward(self, batch: Batch) -> Corrupted:
        """Corrupt `batch.x` (B x columns)."""
        x = batch.x
        numbers = torch.where(self.has_levels, torch.zeros_like(x), x)
        corrupted = self.noise(batch._replace(x=numbers))
        share = min(0.5, getattr(self.noise, "high", 0.5))
        if isinstance(self.noise, Masking):
            other = torch.full_like(x, float("nan"))
        else:
            other = x[rng.rand_like(x[:, 0]).argsort()]
        levels = torch.where(rng.rand_like(x) < share, other, x)
        return Corrupted(torch.where(self.has_levels, levels, corrupted.x), corrupted.scored)


class CellMasking(Corruption):
    """Cells of a table are hidden, and only these are scored: the model learns each column from any others.

    For each row a share of the cells is drawn, and then the cells. At least one is hidden. Each hidden cell counts
    (number of cells) / (number of hidden cells), so that the loss of a row estimates its negative log-likelihood in a
    random order of the columns, if the share is drawn from [0, 1] (Uria, Murray and Larochelle, A deep and tractable
    density estimator, 2014, https://arxiv.org/abs/1310.1757). Hidden cells become NaN, also where they are missing in
    the data; other missing cells become `GAP`. So NaN says nothing about the row. If a part of the gaps were NaN, too,
    rows with gaps would be drawn too often.

    Parameters
    ----------
    shares : ranges (low, high) in [0, 1] of the share of hidden cells; each row takes one of the ranges.
    """

    predicts_hidden = True
    shares: Tensor

    def __init__(self, shares: Sequence[tuple[float, float]]) -> None:
        super().__init__()
        # a buffer, because a CUDA graph cannot copy from the CPU
        self.register_buffer("shares", torch.tensor(shares, dtype=torch.float32), persistent=False)

    def forward(self, batch: Batch) -> Corrupted:
        """Hide cells of `batch.x` (B x columns, NaN where missing); `scored` holds the weights of the hidden cells."""
        x = batch.x
        u = rng.rand_like(x[:, :1])
        choice = rng.randint(len(self.shares), (len(x), 1), x.device)
        ends = self.shares.to(x.dtype)[choice[:, 0]]
        share = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * u
        is_missing, draw = torch.isnan(x), rng.rand_like(x)
        hidden = (draw < share) | (draw == draw.amin(1, keepdim=True))
        shown = x.masked_fill(is_missing, GAP)
        # missing cells count as hidden, too: whether a cell is missing must not depend on how often it is scored
        weight = hidden.to(x.dtype) * (x.shape[1] / hidden.sum(1, keepdim=True))
        return Corrupted(shown.masked_fill(hidden, float("nan")), weight)


class BlindSpot(Corruption):
    """A share of the pixels is replaced by neighbours, and only these are scored: to learn from noisy images alone.

    A model that does not see a pixel cannot repeat its noise, if that is independent of its neighbours' noise: its best
    answer is the clean pixel. The noise needs a mean of 0, and nothing else. Krull et al., Noise2Void (2019),
    https://arxiv.org/abs/1811.10980; all channels of a pixel are replaced together.

    Parameters
    ----------
    share : share of the pixels to replace, in [0, 1].
    radius : greatest distance of the neighbour along each side, in pixels.
    """

    def __init__(self, share: float = 0.03, radius: int = 2) -> None:
        super().__init__()
        self.share, self.radius = share, radius

    def forward(self, batch: Batch) -> Corrupted:
        """Replace pixels of `batch.x` (B x C x H x W, sides above twice the radius); `scored` marks them."""
        x = batch.x
        height, width = x.shape[-2:]
        # numbers of the (2 r + 1)^2 offsets without the middle one, which is the pixel itself
        side = 2 * self.radius + 1
        number = rng.randint(side * side - 1, (len(x), height, width), x.device)
        number = number + (number >= side * side // 2)
        rows = torch.arange(height, device=x.device)[:, None]
        columns = torch.arange(width, device=x.device)
        row = _step_inside(rows, number // side - self.radius, height)
        column = _step_inside(columns, number % side - self.radius, width)
        neighbor = (row * width + column).flatten(1)[:, None].expand(-1, x.shape[1], -1)
        replaced = rng.rand((len(x), 1, height, width), x.device) < self.share
        corrupted = torch.where(replaced, x.flatten(2).gather(2, neighbor).view_as(x), x)
        return Corrupted(corrupted, replaced.to(x.dtype).expand_as(x))


class PatchMasking(Corruption):
    """The encoder gets a few patches of each image, drawn at random, and the decoder must give all of it.

    He et al., Masked autoencoders are scalable vision learners (2022), https://arxiv.org/abs/2111.06377. The encoder's
    input is B x K x (1 + C p p), the K visible patches, each with its number in front. The weights of the loss have a
    mean of 1.

    Parameters
    ----------
    grid : the patches of an image; at least 2.
    share : share of the patches to hide, in (0, 1). At least one is hidden, and at least one is visible.
    visible_weight : weight of a visible patch in the loss, relative to that of a hidden one.
    """

    def __init__(self, grid: PatchGrid, share: float = 0.75, visible_weight: float = 1.0) -> None:
        super().__init__()
        self.grid, n = grid, grid.n_patches
        self.n_visible = min(max(round(n * (1 - share)), 1), n - 1)
        self.hidden_weight = n / (n - self.n_visible + visible_weight * self.n_visible)
        self.visible_weight = visible_weight * self.hidden_weight

    def forward(self, batch: Batch) -> Corrupted:
        """Choose patches of `batch.x` (B x C x H x W); `scored` holds the weights (B x C x H x W)."""
        x, grid = batch.x, self.grid
        draw = rng.rand((len(x), grid.n_patches), x.device)
        visible = draw.argsort(1)[:, : self.n_visible, None]
        patches = grid.cut(x)
        seen = patches.gather(1, visible.expand(-1, -1, patches.shape[2]))
        weight = x.new_full((len(x), grid.n_patches, 1), self.hidden_weight)
        weight = weight.scatter(1, visible, self.visible_weight)
        scored = grid.join(weight.expand(-1, -1, grid.size**2)).expand_as(x)
        return Corrupted(torch.cat([visible.to(x.dtype), seen], 2), scored)


def _step_inside(start: Tensor, step: Tensor, size: int) -> Tensor:
    """Return start + step, or start - step where that is outside of 0 to size - 1."""
    end = start + step
    return torch.where((end >= 0) & (end < size), end, start - step)


NOISES: dict[str, type[Noise]] = {
    "gaussian": GaussianNoise,
    "masking": Masking,
    "salt_and_pepper": SaltAndPepper,
    "poisson": PoissonNoise,
}


def noise(name: str, level: Any = 0.3) -> Noise:
    """Return the noise called `name` (a key of `NOISES`) at `level`.

    Raises
    ------
    ValueError
        If `name` is unknown, or `level` is not valid for that noise.
    """
    if name not in NOISES:
        raise ValueError(f"Unknown noise {name!r}. {did_you_mean(name, NOISES)}")
    return NOISES[name](level)
