"""Whether rows are among those that a model was fitted on: a filter that tells it of many rows, hardly of one.

    position(x) = hash(x, salt) mod m,   m = n / log 2          n: number of training rows
    the bit at position(x) is set for each training row x       so half of all bits are set

A row of the training always finds its bit set, any other row half of the time. Of 20 rows that are all found, none was
new with a probability of 1 - 2^-20. Of a single row it is twice as likely found if it was learned from, which hardly
tells: the filter keeps about a bit and a half of each row, and no row can be read out of it. Bloom, Space/time
trade-offs in hash coding with allowable errors (1970), https://doi.org/10.1145/362686.362692, with one hash.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binom

from narrows.params import counted

_MOST_BITS = 1 << 20  # bits that are kept, 128 KiB; with more training rows, only some rows can be looked up
_MOST_ENTRIES = 256  # entries of a row that are hashed, evenly spaced
_BLOCK = 8_192  # rows hashed at once
_FEWEST_ROWS = 10  # of fewer rows it is not known
_LEAST_DISTINCT = 0.9  # share of different rows: if many are equal, new rows are found, too
_CHANCE = 1e-3


class SeenRows(NamedTuple):
    """The filter of the rows that a model was fitted on.

    Attributes
    ----------
    bits : the kept bits, packed into bytes.
    n_positions : m, the number of positions, of which the first ones are kept.
    salt : seed of the hash, another one for each model.
    distinct : share of different rows among them, in [0, 1].
    """

    bits: np.ndarray
    n_positions: int
    salt: int
    distinct: float

    @classmethod
    def of(cls, rows: np.ndarray, salt: int) -> SeenRows:
        """Return the filter of `rows` (n x ...), in the user's units."""
        hashes = _hash(rows, salt)
        n_positions = max(8, math.ceil(len(rows) / math.log(2)))
        is_set = np.zeros(min(n_positions, _MOST_BITS), bool)
        positions = hashes % np.uint64(n_positions)
        is_set[positions[positions < len(is_set)]] = True
        return cls(np.packbits(is_set), n_positions, salt, len(np.unique(hashes)) / len(rows))

    def find(self, rows: np.ndarray) -> float | None:
        """Return the share of `rows` (n x ...) that the model was fitted on, in [0, 1]; None if it cannot be known."""
        n_kept = min(self.n_positions, _MOST_BITS)
        is_set = np.unpackbits(self.bits, count=n_kept).astype(bool)
        positions = _hash(rows, self.salt) % np.uint64(self.n_positions)
        found = is_set[positions[positions < n_kept]]
        if len(found) < _FEWEST_ROWS or self.distinct < _LEAST_DISTINCT:
            return None
        by_chance, n_found = float(is_set.mean()), int(found.sum())
        if binom.sf(n_found - 1, len(found), by_chance) > _CHANCE:
            return 0.0
        return (n_found / len(found) - by_chance) / (1 - by_chance)

    def describe(self) -> dict[str, Any]:
        """Return all but the bits, for recipe.json."""
        return {"n_positions": self.n_positions, "salt": self.salt, "distinct": self.distinct}


def say_seen(seen: SeenRows | None, rows: np.ndarray, noun: str = "row") -> str:
    """Return a sentence about whether `rows` (n x ..., in the user's units) are among those that a model saw."""
    share = None if seen is None else seen.find(rows)
    these = f"These {counted(len(rows), noun)}" if len(rows) != 1 else f"This {noun}"
    verb = "are" if len(rows) != 1 else "is"
    if share is None:
        return f"It is not known whether the model was fitted on {these[:1].lower()}{these[1:]}."
    if share == 0:
        return f"{these} {verb} not among those that the model was fitted on."
    if share > 0.99:
        return f"{these} {verb} among those that the model was fitted on."
    return f"About {share:.0%} of {these[:1].lower()}{these[1:]} are among those that the model was fitted on."


def _hash(rows: np.ndarray, salt: int) -> np.ndarray:
    """Return a hash of each row: (n,) uint64. Numbers are compared in single precision; NaN equals NaN, -0 equals 0."""
    n_entries = int(np.prod(rows.shape[1:]))
    step = math.ceil(n_entries / _MOST_ENTRIES) | 1  # odd, so that not all pixels are of one column of an image
    n_hashed = math.ceil(n_entries / step)
    factors = np.random.default_rng(salt).integers(1 << 64, size=n_hashed, dtype=np.uint64) | np.uint64(1)
    hashes = np.empty(len(rows), np.uint64)
    for start in range(0, len(rows), _BLOCK):
        block = np.asarray(rows[start : start + _BLOCK]).reshape(-1, n_entries)[:, ::step]
        with np.errstate(over="ignore"):  # infinite in single precision
            block = np.ascontiguousarray(block, np.float32) + np.float32(0)
        block[np.isnan(block)] = np.nan
        hashes[start : start + _BLOCK] = block.view(np.uint32).astype(np.uint64) @ factors
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):  # splitmix64 mixes all bits
        hashes = (hashes ^ (hashes >> np.uint64(shift))) * np.uint64(factor)
    return hashes
