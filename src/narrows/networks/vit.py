"""Small vision transformers: an encoder that may see only some patches of an image, and a decoder from a code.

    encoder   visible patches -> tokens + positions -> blocks -> mean over the tokens -> h
    decoder   code -> a token for each place + positions -> blocks -> patches -> image
    block     t + attention(norm(t)), then t + mlp(norm(t))

Dosovitskiy et al., An image is worth 16x16 words (2021), https://arxiv.org/abs/2010.11929; with visible patches only:
He et al., Masked autoencoders are scalable vision learners (2022), https://arxiv.org/abs/2111.06377.

B is the batch, C x H x W the shape of an image, p the side of a patch, T the number of patches, K the number of visible
ones, D the width of a token.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.data import Schema
from narrows.networks.base import Decoder, Standardize

_HEAD = 16  # numbers of a token that a head of the attention has
_FEWEST, _LARGEST = 49, 8  # patches that an image should have at least, and largest side of a patch


def choose_patch_size(height: int, width: int) -> int:
    """Return the largest side of 2 to 8 pixels that gives at least 49 patches; 2 if none does.

    >>> choose_patch_size(28, 28), choose_patch_size(8, 8), choose_patch_size(96, 96)
    (4, 2, 8)
    """
    sizes = [size for size in range(2, _LARGEST + 1) if -(-height // size) * -(-width // size) >= _FEWEST]
    return max(sizes, default=2)


class PatchGrid:
    """The patches of an image, row by row. The last ones repeat the image's edge where its sides end within them.

    Parameters
    ----------
    shape : (height, width) of the images in pixels.
    size : p, the side of a patch in pixels.
    """

    def __init__(self, shape: tuple[int, int], size: int) -> None:
        self.height, self.width = shape
        self.size = size
        self.n_rows, self.n_columns = -(-self.height // size), -(-self.width // size)

    @property
    def n_patches(self) -> int:
        """T."""
        return self.n_rows * self.n_columns

    def cut(self, images: Tensor) -> Tensor:
        """B x C x H x W -> B x T x (C p p)."""
        right, below = self.n_columns * self.size - self.width, self.n_rows * self.size - self.height
        if right or below:
            images = F.pad(images, (0, right, 0, below), mode="replicate")
        cut = images.unflatten(3, (self.n_columns, self.size)).unflatten(2, (self.n_rows, self.size))
        return cut.permute(0, 2, 4, 1, 3, 5).flatten(1, 2).flatten(2)

    def join(self, patches: Tensor) -> Tensor:
        """B x T x (C p p) -> B x C x H x W."""
        parts = patches.unflatten(2, (-1, self.size, self.size)).unflatten(1, (self.n_rows, self.n_columns))
        images = parts.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)
        return images[:, :, : self.height, : self.width]

    def positions(self, width: int) -> Tensor:
        """Return sines and cosines of the row and of the column of each patch (T x `width`, a multiple of 4).

        Frequencies fall from 1 to 1/10,000: Vaswani et al., Attention is all you need (2017),
        https://arxiv.org/abs/1706.03762.
        """
        frequencies = 10_000.0 ** (-torch.arange(width // 4) / (width // 4))
        rows = torch.arange(self.n_rows).repeat_interleave(self.n_columns)
        columns = torch.arange(self.n_columns).repeat(self.n_rows)
        angles = torch.cat([place[:, None] * frequencies for place in (rows, columns)], 1)
        return torch.cat([angles.sin(), angles.cos()], 1)


class _Block(nn.Module):
    """Self-attention and a small MLP, each on normalised tokens and added to them.

    Queries and keys have no bias: a softmax does not depend on that of the keys.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.mix = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """B x T x D -> B x T x D."""
        projected = self.project(self.first_norm(tokens)).unflatten(2, (3, -1, _HEAD))
        query, key, value = projected.permute(2, 0, 3, 1, 4).unbind(0)  # each B x heads x T x 16
        attended = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.mix(attended.transpose(1, 2).flatten(2))
        return tokens + self.mlp(self.second_norm(tokens))


class PatchEncoder(nn.Module):
    """A vision transformer from images, or from some patches of each image, to `n_outputs` numbers.

    Parameters
    ----------
    schema : description of the images.
    n_outputs : number of outputs for each image.
    grid : the patches.
    width : D, a multiple of 16.
    n_blocks : number of blocks.
    """

    positions: Tensor
    slower_compiled = True  # compiling the blocks takes minutes on a CPU, far more than is predicted

    def __init__(self, schema: Schema, n_outputs: int, grid: PatchGrid, width: int, n_blocks: int) -> None:
        super().__init__()
        self.standardize, self.grid, self.channels = Standardize(schema), grid, schema.shape[0]
        self.embed = nn.Linear(self.standardize.shape[0] * grid.size**2, width)
        self.register_buffer("positions", grid.positions(width), persistent=False)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(n_blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_outputs)
        self.n_widest = grid.n_patches * 3 * width

    def forward(self, x: Tensor) -> Tensor:
        """B x C x H x W, or B x K x (1 + C p p): the number of a patch and its entries -> B x n_outputs."""
        if x.dim() == 4:
            patches, positions = self.grid.cut(x), self.positions
        else:
            patches, positions = x[:, :, 1:], self.positions[x[:, :, 0].long()]
        tokens = self.embed(self._features(patches))
        return self.head(self.norm(self.blocks(tokens + positions.to(tokens.dtype))).mean(1))

    def _features(self, patches: Tensor) -> Tensor:
        """Return the features of `Standardize` for patches (B x K x (C p p)), which it gets as high images."""
        size = self.grid.size
        columns = patches.unflatten(2, (self.channels, size, size)).transpose(1, 2).flatten(2, 3)
        features: Tensor = self.standardize(columns)
        return features.unflatten(2, (-1, size)).transpose(1, 2).flatten(2)


class PatchDecoder(Decoder):
    """A vision transformer from codes to images: a linear layer gives each patch its token.

    Parameters
    ----------
    n_outputs : number of outputs for each pixel: the first of the likelihood's `params_shape`.
    n_inputs : number of components of a code, plus the columns of labels.
    grid : the patches.
    width : D, a multiple of 16.
    n_blocks : number of blocks.
    """

    positions: Tensor

    def __init__(self, n_outputs: int, n_inputs: int, grid: PatchGrid, width: int, n_blocks: int) -> None:
        super().__init__()
        self.grid, self.width = grid, width
        self.stem = nn.Linear(n_inputs, grid.n_patches * width)
        self.register_buffer("positions", grid.positions(width), persistent=False)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(n_blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_outputs * grid.size**2)
        self.n_widest = grid.n_patches * 3 * width

    @property
    def output_bias(self) -> Tensor:
        """Bias of the last layer."""
        return self.head.bias

    def forward(self, z: Tensor) -> Tensor:
        """B x n_inputs -> B x n_outputs x H x W."""
        tokens = self.stem(z).unflatten(1, (self.grid.n_patches, self.width))
        tokens = self.blocks(tokens + self.positions.to(tokens.dtype))
        return self.grid.join(self.head(self.norm(tokens)))
