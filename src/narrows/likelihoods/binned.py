"""The likelihood of a table whose numbers are levels, too: one categorical distribution for each column.

    log p(x | o) = log softmax(o of the column)[level of x]               a category, or a level of one value
                 + log (1 / width)                                        a number in a bin, which is spread evenly

Beyond a bin of k training numbers that has no bin beside it, its density falls exponentially; 1 / (k + 1) of the bin's
probability lies there, which is the chance that a new number exceeds k others. A number that is none of the values of
its column has the probability 1e-4 of the nearest one. So any distribution of a number can be learned: several
peaks, a mass at 0, round numbers. Bins of a masked model for tables: An, Jeon, Lim and Hong, Masked language modeling
becomes conditional density estimation for tabular data synthesis (2024), https://arxiv.org/abs/2405.20602.

The decoder also gives one number for each column of numbers, which learns to be its mean, and for each column with
gaps in training the log odds of a gap. Units are nats; D, N, T are as in `narrows.data.levels`, G columns have gaps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from narrows import rng
from narrows.data import GAP, Levels, Schema
from narrows.likelihoods.base import Likelihood

_LARGEST_LOGIT = 30.0  # keeps sums of exponentials finite
_UNSEEN = 1e-4  # probability of values between or beyond those of training
_DIRECT = 0.3  # weight of the decoder's own estimate in a mean: best of 0, .3, .5, .7, 1 on five tables
_TOLERANCE = 1e-5  # relative, of a value on the model's scale that went through single precision


class Binned(Likelihood):
    """Distributions of the columns of a table over their levels.

    Parameters
    ----------
    schema : schema of a table whose columns of numbers have bins.
    """

    name = "binned"
    support = "the kinds of the columns"
    start_logits: Tensor
    gap_columns: Tensor
    start_gaps: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.levels = Levels(schema)
        self.gaps = [j for j, share in enumerate(schema.gaps) if share > 0]
        self.sizes = [self.levels.n_all, len(self.levels.numbers), len(self.gaps)]
        shares = [
            each
            for column in schema.used_columns
            for each in (column.frequencies if column.has_levels else [share for share, *_ in column.bins])
        ]
        self._register("start_logits", torch.tensor(shares, dtype=torch.float32).clamp(min=1e-6).log())
        self._register("gap_columns", torch.tensor(self.gaps, dtype=torch.long))
        self._register("start_gaps", torch.logit(torch.tensor([schema.gaps[j] for j in self.gaps]).clamp(0.001, 0.999)))

    def _register(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value, persistent=False)

    def params_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the decoder's output shape: (T + N + G,)."""
        return (sum(self.sizes),)

    def outputs_of(self, column: int) -> Tensor:
        """Return the numbers of the decoder's outputs that belong to one column: its logits, its mean, its gap."""
        n_all, n_numbers, _ = self.sizes
        start = int(self.levels.start[column])
        parts = [torch.arange(start, start + self.levels.sizes[column])]
        numbers = self.levels.numbers.tolist()
        parts += [torch.tensor([n_all + numbers.index(column)])] if column in numbers else []
        parts += [torch.tensor([n_all + n_numbers + self.gaps.index(column)])] if column in self.gaps else []
        return torch.cat(parts).to(self.start_logits.device)

    # ------------------------------------------------------------------------------------------ the distribution

    def log_probs(self, params: Tensor) -> Tensor:
        """Return log p of each level of each column: B x T."""
        logits, log_sums = self._logits(params)
        return logits - log_sums[:, self.levels.owner]

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Return log p(x | z) of each cell in nats (B x D); any finite number where a cell is missing."""
        level = self.levels.find(x)
        index = level.clamp(min=0) + self.levels.start
        logits, log_sums = self._logits(params)
        nats = logits.gather(1, index) - log_sums
        nats = torch.where(level >= 0, nats, torch.full_like(nats, math.log(_UNSEEN)))
        return nats + self._log_density(x, index)

    def _logits(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of all levels (B x T) and the log of their sum of exponentials in each column (B x D)."""
        # as a segment softmax: one sum for all columns, whatever their numbers of levels
        logits = params[:, : self.levels.n_all].clamp(-_LARGEST_LOGIT, _LARGEST_LOGIT)
        sums = logits.new_zeros(len(logits), len(self.levels.sizes))
        return logits, sums.index_add(1, self.levels.owner, logits.exp()).log()

    def _log_density(self, x: Tensor, index: Tensor) -> Tensor:
        """Return what the place within its level adds to log p of each number: B x D, 0 for categories."""
        levels = self.levels
        out = torch.zeros_like(x)
        if not len(levels.numbers):
            return out
        numbers, index = torch.nan_to_num(x[:, levels.numbers]), index[:, levels.numbers]
        left, right = levels.left[index], levels.right[index]
        beyond = torch.maximum(left - numbers, numbers - right).clamp(min=0)
        width = (right - left).clamp(min=1e-12)
        is_outside = beyond > _TOLERANCE * (1 + numbers.abs())
        tail = levels.beyond[index].clamp(min=1e-12).log() - beyond / width
        inside = torch.log1p(-levels.beyond[index] * levels.n_open[index])
        in_bin = torch.where(is_outside, tail, inside) - width.log()
        at_value = torch.where(is_outside, math.log(_UNSEEN), math.log1p(-_UNSEEN))
        return out.index_copy(1, levels.numbers, torch.where(levels.is_value[index], at_value, in_bin).to(out.dtype))

    def surprise(self, params: Tensor, x: Tensor) -> Tensor:
        """Return the log odds that each cell holds another row's value, if half of the cells did: B x D nats.

            log m(x) + log (1 - p(x)) - log p(x)

        p is the probability of the cell's level given the other cells, m its share in training. A cell that was drawn
        from another row has the probability m(x), and differs from what stood there with the probability 1 - p(x). It
        is comparable between columns, however many levels they have. A number beyond those of training has the odds of
        the nearest one and a nat more for each unit of distance on the model's scale, about a standard deviation. 0
        where a cell is missing.
        """
        log_p = self.log_probs(params)
        level = self.levels.find(x)
        index = level.clamp(min=0) + self.levels.start
        log_p = log_p.gather(1, index).clamp(max=-1e-6)
        odds = self.start_logits[index].to(log_p.dtype) + (-log_p.expm1()).log() - log_p
        unseen = torch.full_like(odds, -math.log(_UNSEEN))
        odds = torch.where(level >= 0, odds, unseen)
        numbers = self.levels.numbers
        odds = odds.index_add(1, numbers, self._distance_beyond(x).to(odds.dtype))
        return odds.masked_fill(torch.isnan(x), 0.0)

    def _distance_beyond(self, x: Tensor) -> Tensor:
        """Return how far each number lies beyond those of training, on the model's scale: B x N."""
        numbers = torch.nan_to_num(x[:, self.levels.numbers])
        low, high = self._ends(x.dtype)
        return torch.maximum(low - numbers, numbers - high).clamp(min=0)

    # ------------------------------------------------------------------------------------------ one number a cell

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean of each number, and the likeliest level of each category (B x D)."""
        probs = self.log_probs(params).exp()
        n_all, n_numbers, _ = self.sizes
        by_level = torch.zeros_like(probs[:, : len(self.levels.sizes)])
        by_level = by_level.index_add(1, self.levels.owner, probs * self.levels.mean.to(probs.dtype))
        # two estimates together have a smaller error than either: one by the levels, one by squared error
        z = torch.lerp(by_level[:, self.levels.numbers], params[:, n_all : n_all + n_numbers], _DIRECT)
        return self._with_levels(probs, self._within(self.levels.unstandardize(z)))

    def median(self, params: Tensor) -> Tensor:
        """Return the median of each number, and the likeliest level of each category (B x D)."""
        return self.quantile(params, torch.full_like(params[:, :1], 0.5))

    def mode(self, params: Tensor) -> Tensor:
        """Return the likeliest level of each column; of bins the middle of the densest one (B x D)."""
        probs = self.log_probs(params).exp()
        widths = (self.levels.right - self.levels.left).clamp(min=1e-12)
        densities = (probs / widths).masked_fill(self.levels.is_value, -1.0)
        numbers = self.levels.numbers
        likeliest, densest = (self._likeliest(scores)[:, numbers] for scores in (probs, densities))
        best = torch.where(self.levels.is_value[likeliest], likeliest, densest)
        return self._with_levels(probs, ((self.levels.low[best] + self.levels.high[best]) / 2).to(probs.dtype))

    def quantile(self, params: Tensor, share: Tensor) -> Tensor:
        """Return a quantile of each number, and the likeliest level of each category (B x D).

        Parameters
        ----------
        share : B x 1 or B x N numbers in [0, 1], the quantile of each cell.
        """
        probs = self.log_probs(params).exp()
        numbers = self.levels.numbers
        if not len(numbers):
            return self._with_levels(probs, probs[:, :0])
        cumulated = probs.double().cumsum(1)
        before = cumulated - probs
        start = self.levels.start[numbers]
        target = before[:, start] + share.double()  # of all levels of all columns before, plus the share
        last = start + self.levels.n_levels[numbers] - 1
        index = torch.searchsorted(cumulated.contiguous(), target.contiguous())
        index = index.clamp(min=0).maximum(start).minimum(last)
        part = ((target - before.gather(1, index)) / probs.double().gather(1, index).clamp(min=1e-12)).clamp(0, 1)
        return self._with_levels(probs, self._interpolate(index, part).to(probs.dtype))

    def sample(self, params: Tensor) -> Tensor:
        """Draw each cell on its own, given what its parameters are conditioned on (B x D)."""
        drawn = self.quantile(params, rng.rand_like(params[:, : len(self.levels.numbers)]))
        noisy = self.log_probs(params)
        u = rng.rand_like(noisy).clamp(1e-20, 1 - 1e-7)
        # the largest of log p with Gumbel noise is a draw
        return self._with_levels(noisy - (-u.log()).log(), drawn[:, self.levels.numbers])

    def sample_column(self, params: Tensor, column: int, excluded: Tensor, temperature: float, gaps: bool) -> Tensor:
        """Draw the cells of one column (B numbers on the model's scale; `data.GAP` for a gap).

        Parameters
        ----------
        params : B x k, the outputs that `outputs_of(column)` lists.
        excluded : (T,) True for levels that are never drawn.
        temperature : above 0; logits are divided by it.
        gaps : True to draw gaps, too.
        """
        start, n = int(self.levels.start[column]), self.levels.sizes[column]
        logits = params[:, :n].clamp(-_LARGEST_LOGIT, _LARGEST_LOGIT) / temperature
        logits = logits.masked_fill(excluded[start : start + n], -torch.inf)
        u = rng.rand_like(logits).clamp(1e-20, 1 - 1e-7)
        level = (logits - (-u.log()).log()).argmax(1)
        cells = level.to(params.dtype)
        if column in self.levels.numbers.tolist():
            cells = self._interpolate(start + level, rng.rand_like(cells)).to(params.dtype)
        if gaps and column in self.gaps:
            is_missing = rng.rand_like(cells) < torch.sigmoid(params[:, -1])
            cells = cells.masked_fill(is_missing, GAP)
        return cells

    def _interpolate(self, index: Tensor, place: Tensor) -> Tensor:
        """Return the number at a place in [0, 1] within a level, by the quantiles of the training numbers."""
        points = self.levels.points
        place = place * (points.shape[1] - 1)
        floor = place.floor().clamp(max=points.shape[1] - 2)
        low, high = points[index, floor.long()], points[index, floor.long() + 1]
        return low + (place - floor) * (high - low)

    def without_levels(self, params: Tensor, excluded: Tensor) -> Tensor:
        """Return the parameters (B x (T + N + G)) with levels that cannot be the likeliest: (T,) True for these."""
        n = self.levels.n_all
        return torch.cat([params[:, :n].masked_fill(excluded, -_LARGEST_LOGIT), params[:, n:]], 1)

    def level_probs(self, params: Tensor, column: int) -> Tensor:
        """Return the probability of each level of a column (B x levels), also of a column of numbers."""
        start, n = int(self.levels.start[column]), self.levels.sizes[column]
        return params[:, start : start + n].clamp(-_LARGEST_LOGIT, _LARGEST_LOGIT).softmax(1)

    def _likeliest(self, scores: Tensor) -> Tensor:
        """Return the level of the largest score of each column, numbered among all T levels: B x D."""
        parts = scores.split(self.levels.sizes, 1)
        return torch.stack([part.argmax(1) for part in parts], 1) + self.levels.start

    def _with_levels(self, scores: Tensor, numbers: Tensor) -> Tensor:
        """Return the level of the largest score of each category, and `numbers` (B x N) in their columns: B x D."""
        cells = (self._likeliest(scores) - self.levels.start).to(numbers.dtype)
        return cells.index_copy(1, self.levels.numbers, numbers)

    def _within(self, numbers: Tensor) -> Tensor:
        """Return numbers (B x N) within the range of the training values of their column."""
        return numbers.clamp(*self._ends(numbers.dtype))

    def _ends(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return the smallest and the largest training number of each column of numbers: N each."""
        start = self.levels.start[self.levels.numbers]
        last = start + self.levels.n_levels[self.levels.numbers] - 1
        return self.levels.low[start].to(dtype), self.levels.high[last].to(dtype)

    def inverse_mean(self, m: Tensor) -> Tensor:
        """Return the decoder's output for the shares of all levels and gaps in training. `m` is not needed."""
        return torch.cat([self.start_logits, torch.zeros(self.sizes[1]), self.start_gaps]).to(m)

    def contains(self, x: Tensor) -> Tensor:
        """Return True for all cells: levels and gaps have numbers, and infinity is refused earlier."""
        return torch.ones_like(x, dtype=torch.bool)
