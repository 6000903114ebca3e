"""The recipe of the masked autoencoder for tables."""

from __future__ import annotations

from typing import Annotated, Any

from narrows import accelerate, bottlenecks, corruptions, likelihoods, networks
from narrows.data import N_BINS, Schema
from narrows.model import Autoencoder
from narrows.objectives import GapCost, SquaredError, WeightedObjective
from narrows.params import Integer, OneOf, Real, Satisfies, either
from narrows.recipes.registry import Parts, register
from narrows.training import Choice, Pace

_BOTH = ((0.05, 0.5), (0.0, 1.0))  # ranges for filling gaps and for drawing rows; each row takes one of them
_PACE = Pace(
    batch_size=256,
    learning_rate=2e-3,
    n_epochs=60,
    fewest_steps=2_000,
    most_steps=15_000,
    patience=30,
    decay_rows=4_000,
    average=0.998,
)


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(Real(0, 1).accepts(each) for each in value)
        and value[0] <= value[1]
    )


@register(is_tabular=True, pace=_PACE, purpose="table")
def tableae(
    schema: Schema,
    n_components: Annotated[int, Integer(1), "width of the network, and length of each code"] = 128,
    *,
    mask_rate: Annotated[
        Any,
        either(OneOf(("auto",)), Satisfies("a pair (low, high) of shares from 0 to 1", _is_range)),
        "range of the share of hidden cells in training; 'auto' serves all tasks: half of the rows (0.05, 0.5), which "
        "suits filling gaps, half (0, 1), which suits drawing rows",
    ] = "auto",
    n_bins: Annotated[
        int, Integer(2, 1000), "number of bins of a column of numbers, and most distinct numbers that are levels"
    ] = N_BINS,
    n_blocks: Annotated[int, Integer(0, 100), "number of residual blocks of the encoder"] = 2,
    dropout: Annotated[float, Real(0, 1, open_high=True), "share of hidden units that are dropped in training"] = 0.1,
) -> Parts:
    """The masked autoencoder for tables: it predicts any cells of a row from any others.

    He et al., Masked autoencoders are scalable vision learners (2022), https://arxiv.org/abs/2111.06377, for rows of
    tables, with a categorical distribution for each column: An, Jeon, Lim and Hong (2024),
    https://arxiv.org/abs/2405.20602.
    """
    shares = _BOTH if mask_rate == "auto" else (tuple(mask_rate),)
    likelihood = likelihoods.Binned(schema)
    decoder = networks.LevelDecoder(schema, n_components)
    decoder.start_at(likelihood.inverse_mean(decoder.output_bias.detach()))
    model = Autoencoder(
        corruptions.CellMasking(shares),
        networks.TableEncoder(schema, n_components, n_blocks, dropout),
        bottlenecks.Hidden(n_components),
        decoder,
        likelihood,
    )
    accelerate.prepare_model(model)
    ranges = " and ".join(f"{low:g} to {high:g}" for low, high in shares)
    choices = (
        Choice("likelihood", likelihood.name, "each column has a distribution over its levels"),
        Choice("mask_rate", ranges, "shares of the cells of a row that are hidden in training"),
    )
    return Parts(
        model, WeightedObjective({"squared_error": 0.3, "gaps": 1.0}, costs=(SquaredError(), GapCost())), choices
    )
