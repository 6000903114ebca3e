"""The recipe of the masked autoencoder for images."""

from __future__ import annotations

from typing import Annotated, Any

from narrows import bottlenecks, corruptions, likelihoods, networks
from narrows.data import Schema
from narrows.params import Integer, OneOf, Real, Satisfies, either
from narrows.recipes.assemble import assemble
from narrows.recipes.fields import Components, Likelihood
from narrows.recipes.registry import Parts, register
from narrows.training import Choice


def _is_width(value: Any) -> bool:
    return Integer(16).accepts(value) and value % 16 == 0


@register(purpose="features", is_visual=True)
def maskedae(
    schema: Schema,
    n_components: Components = 32,
    *,
    patch_size: Annotated[
        Any,
        either(Integer(1), OneOf(("auto",))),
        "side of a patch in pixels; 'auto' is the largest of 2 to 8 that gives at least 49 patches",
    ] = "auto",
    mask_rate: Annotated[
        float, Real(0, 1, open_low=True, open_high=True), "share of the patches that the encoder does not see"
    ] = 0.75,
    visible_weight: Annotated[
        float, Real(0), "weight of a visible patch in the loss, relative to that of a hidden one"
    ] = 1.0,
    width: Annotated[
        int,
        Satisfies("a multiple of 16", _is_width),
        "numbers of each patch in the encoder; the decoder has half as many",
    ] = 64,
    n_blocks: Annotated[int, Integer(0, 100), "number of blocks of the encoder; the decoder has one"] = 3,
    likelihood: Likelihood = "auto",
) -> Parts:
    """A masked autoencoder for images: it learns features by guessing most of an image from a few patches.

    He et al., Masked autoencoders are scalable vision learners (2022), https://arxiv.org/abs/2111.06377. Unlike theirs,
    the decoder sees a code of `n_components` numbers and not a token of each patch, so that codes can be decoded.

    Raises
    ------
    ValueError
        If the examples are not images, or an image has fewer than two patches.
    """
    if schema.kind != "image" or schema.is_series:
        raise ValueError(
            f"MASKEDAE needs images, (n, h, w) or (n, h, w, c). Got {schema.describe()}: use DAE for other data."
        )
    _, height, image_width = schema.shape
    size = networks.choose_patch_size(height, image_width) if patch_size == "auto" else int(patch_size)
    grid = networks.PatchGrid((height, image_width), size)
    if grid.n_patches < 2:
        raise ValueError(
            f"The `patch_size` parameter of MASKEDAE must be less than the longer side of the images, "
            f"{max(height, image_width)} pixels. Got {patch_size!r} instead."
        )
    n_outputs = likelihoods.choose(likelihood, schema)[0].params_shape(schema.shape)[0]
    parts = assemble(
        schema,
        bottlenecks.Plain(n_components),
        corruption=corruptions.PatchMasking(grid, mask_rate, visible_weight),
        network=(
            networks.PatchEncoder(schema, n_components, grid, width, n_blocks),
            networks.PatchDecoder(n_outputs, n_components, grid, -(-width // 32) * 16, 1),
        ),
        hidden=(),
        likelihood=likelihood,
    )
    patches = Choice("patch_size", str(size), f"images of {grid.n_rows} x {grid.n_columns} patches")
    return parts._replace(choices=(*parts.choices, patches))
