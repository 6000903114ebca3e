"""The likelihood of a table: each column has the distribution of its kind.

    log p(x | z) = sum over columns j of log p_j(x_j | o_j)

    real, heavy-tailed, integer, date, duration   N(o, scale_j^2); the scale is learned for each column
    the same with an atom a                       p(x = a) = sigmoid(b), otherwise N(o, scale_j^2)
    count                                         negative binomial of mean exp(o), with a learned dispersion r_j
    binary, categorical, ordered                  softmax(o); a value that was not seen in training has 1e-4

A missing cell (NaN) has no log-probability of its own: callers give it the weight 0.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows import rng
from narrows.batch_sharding import batch_sum
from narrows.data import LEVEL_VECTOR, Layout, Schema, is_atom, prepared_atoms
from narrows.likelihoods.base import Likelihood
from narrows.likelihoods.links import LARGEST_LOG_COUNT, TableLink, log_count

_LOG_2PI = math.log(2 * math.pi)
_SMALLEST_SCALE = 1e-2  # of a standard deviation: a column that is reproduced exactly must not outweigh all others
_LARGEST_LOGIT = 30.0  # keeps sums of exponentials finite
_UNSEEN = 1e-4  # probability of a level that was not seen in training


class Mixed(Likelihood):
    """Distributions of the columns of a table, one for each.

    Parameters
    ----------
    schema : schema of the table.
    heteroscedastic : True if the decoder gives the scale of each real cell, too.
    """

    name = "mixed"
    support = "the kinds of the columns"
    variance: Tensor
    seen: Tensor

    def __init__(self, schema: Schema, heteroscedastic: bool = False) -> None:
        super().__init__()
        self.layout, columns = Layout.of(schema), schema.used_columns
        self.n_columns, self.heteroscedastic = len(columns), heteroscedastic
        numeric, counts, atoms, dense, large = self.layout
        self.n_levels = [columns[j].n_levels for j in dense]
        self.sizes = [len(numeric), len(counts), len(atoms), sum(self.n_levels), LEVEL_VECTOR * len(large)]
        if heteroscedastic:
            self.sizes.append(len(numeric))
        order = [*numeric, *counts, *dense, *large]
        self._register("position", torch.tensor(order).argsort())
        self._register("numeric", torch.tensor(numeric, dtype=torch.long))
        self._register("with_atom", torch.tensor([numeric.index(j) for j in atoms], dtype=torch.long))
        self._register("atoms", prepared_atoms(schema))
        shares = torch.tensor([columns[j].atom_share for j in atoms])
        self._register("start_atoms", torch.logit(shares.clamp(0.005, 0.995)))
        self._register("counts", torch.tensor(counts, dtype=torch.long))
        self._register("dense", torch.tensor(dense, dtype=torch.long))
        starts = [0]
        for n in self.n_levels:
            starts.append(starts[-1] + n)
        self._register("start", torch.tensor(starts[:-1], dtype=torch.long))
        self._register("last", torch.tensor(self.n_levels, dtype=torch.long) - 1)
        self._register("segment", torch.arange(len(dense)).repeat_interleave(torch.tensor(self.n_levels).long()))
        self.register_buffer("variance", torch.ones(len(numeric)))
        self.register_buffer("seen", torch.zeros(len(numeric)))
        self.log_dispersion = nn.Parameter(torch.zeros(len(counts)))
        # the logits of a column with very many levels are products of its vectors and what the decoder gives
        self.vectors = nn.ParameterList(
            nn.Parameter(torch.randn(columns[j].n_levels, LEVEL_VECTOR) / math.sqrt(LEVEL_VECTOR)) for j in large
        )
        self.biases = nn.ParameterList(nn.Parameter(_log_frequencies(columns[j].frequencies)) for j in large)
        logits = [_log_frequencies(columns[j].frequencies) for j in dense]
        self._register("start_logits", torch.cat(logits) if logits else torch.zeros(0))

    def _register(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value, persistent=False)

    position: Tensor
    numeric: Tensor
    with_atom: Tensor
    atoms: Tensor
    start_atoms: Tensor
    counts: Tensor
    dense: Tensor
    start: Tensor
    last: Tensor
    segment: Tensor
    start_logits: Tensor

    def params_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the decoder's output shape: a number for each number, count, atom and level; more for many levels."""
        return (sum(self.sizes),)

    # ------------------------------------------------------------------------------------------ the distribution

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Return log p(x | z) of each column in nats (B x columns); any finite number where a cell is missing."""
        x = torch.nan_to_num(x)
        m, log_mean, atoms, logits, vectors, *log_scale = params.split(self.sizes, 1)
        parts = []
        if m.shape[1]:
            parts.append(self._log_prob_numeric(m, atoms, log_scale[0] if log_scale else None, x[:, self.numeric]))
        if log_mean.shape[1]:
            parts.append(self._log_prob_counts(log_mean, x[:, self.counts]))
        if logits.shape[1]:
            parts.append(self._log_prob_levels(logits, x[:, self.dense]))
        for i, column in enumerate(self.layout.large):
            parts.append(self._log_prob_large(i, vectors, x[:, column]))
        return torch.cat(parts, 1)[:, self.position]

    def _log_prob_numeric(self, m: Tensor, atoms: Tensor, log_scale: Tensor | None, x: Tensor) -> Tensor:
        error = (x - m).square()
        if log_scale is None:
            log_variance = self.variance.clamp(min=_SMALLEST_SCALE**2).log()
        else:
            log_variance = 2 * _floored(log_scale)
        nats = -0.5 * (error * (-log_variance).exp() + log_variance + _LOG_2PI)
        if not atoms.shape[1]:
            return nats
        holds = is_atom(x[:, self.with_atom], self.atoms)
        with_atom = torch.where(holds, F.logsigmoid(atoms), F.logsigmoid(-atoms) + nats[:, self.with_atom])
        return nats.index_copy(1, self.with_atom, with_atom)

    def _log_prob_counts(self, log_mean: Tensor, x: Tensor) -> Tensor:
        x, log_m = x.clamp(min=0), log_mean.clamp(max=LARGEST_LOG_COUNT)
        log_r = self.log_dispersion.clamp(-10, 10).to(log_m.dtype)
        r, log_sum = log_r.exp(), torch.logaddexp(log_r, log_m)
        nats = r * (log_r - log_sum) + x * (log_m - log_sum)
        return nats + torch.lgamma(x + r) - torch.lgamma(r) - torch.lgamma(x + 1)

    def _log_prob_levels(self, logits: Tensor, x: Tensor) -> Tensor:
        # as a segment softmax: one sum for all columns, whatever their numbers of levels
        logits = logits.clamp(-_LARGEST_LOGIT, _LARGEST_LOGIT)
        sums = logits.new_zeros(len(logits), len(self.n_levels)).index_add(1, self.segment, logits.exp())
        code = x.long()
        observed = logits.gather(1, self.start + code.clamp(min=0).minimum(self.last))
        return _with_unseen(observed - sums.log(), code > self.last)

    def _log_prob_large(self, i: int, vectors: Tensor, x: Tensor) -> Tensor:
        code, n = x.long(), len(self.biases[i])
        nats = F.log_softmax(self._large_logits(i, vectors), 1).gather(1, code.clamp(0, n - 1)[:, None])
        return _with_unseen(nats, (code >= n)[:, None])

    def _large_logits(self, i: int, vectors: Tensor) -> Tensor:
        part = vectors[:, i * LEVEL_VECTOR : (i + 1) * LEVEL_VECTOR]
        return part @ self.vectors[i].to(part.dtype).T + self.biases[i].to(part.dtype)

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean of each number and count, and the likeliest level of each category (B x columns).

        Where the atom of a column is likelier than not, it is the atom.
        """
        return self._assemble(
            params, lambda m, _: m, torch.exp, lambda atoms: atoms > 0, lambda logits: logits.argmax(1, keepdim=True)
        )

    def soft_mean(self, params: Tensor) -> Tensor:
        """Return means of numbers and counts, and probabilities of atoms and levels, but those of very many levels."""
        params = params.to(torch.promote_types(params.dtype, torch.float32))
        m, log_mean, atoms, logits, *_ = params.split(self.sizes, 1)
        probs = [part.softmax(1) for part in logits.split(self.n_levels, 1) if len(self.n_levels)]
        return torch.cat([m, log_mean.clamp(max=LARGEST_LOG_COUNT).exp(), atoms.sigmoid(), *probs], 1)

    def sample(self, params: Tensor) -> Tensor:
        """Draw each cell (B x columns)."""

        def draw_number(m: Tensor, log_scale: Tensor | None) -> Tensor:
            scale = self.variance.sqrt().clamp(min=_SMALLEST_SCALE) if log_scale is None else _floored(log_scale).exp()
            return m + scale * rng.randn_like(m)

        def draw_count(log_mean: Tensor) -> Tensor:
            r = self.log_dispersion.clamp(-10, 10).exp().expand_as(log_mean)
            return rng.poisson(rng.gamma(r, r / log_mean.exp()))

        def draw_atom(atoms: Tensor) -> Tensor:
            return rng.rand_like(atoms) < torch.sigmoid(atoms)

        def draw_level(logits: Tensor) -> Tensor:
            # the largest of logits with Gumbel noise is a draw from their softmax
            u = rng.rand_like(logits).clamp(1e-20, 1 - 1e-7)
            return (logits - (-u.log()).log()).argmax(1, keepdim=True)

        return self._assemble(params, draw_number, draw_count, draw_atom, draw_level)

    def _assemble(
        self,
        params: Tensor,
        number: Callable[[Tensor, Tensor | None], Tensor],
        count: Callable[[Tensor], Tensor],
        atom: Callable[[Tensor], Tensor],
        level: Callable[[Tensor], Tensor],
    ) -> Tensor:
        """Return one number for each cell (B x columns), by a function for each kind of column."""
        params = params.to(torch.promote_types(params.dtype, torch.float32))
        m, log_mean, atoms, logits, vectors, *log_scale = params.split(self.sizes, 1)
        numbers = number(m, log_scale[0] if log_scale else None)
        if atoms.shape[1]:
            cells = torch.where(atom(atoms), self.atoms.to(numbers.dtype), numbers[:, self.with_atom])
            numbers = numbers.index_copy(1, self.with_atom, cells)
        parts = [numbers, count(log_mean.clamp(max=LARGEST_LOG_COUNT))]
        parts += [level(part).to(params.dtype) for part in logits.split(self.n_levels, 1) if len(self.n_levels)]
        parts += [level(self._large_logits(i, vectors)).to(params.dtype) for i in range(len(self.layout.large))]
        return torch.cat(parts, 1)[:, self.position]

    def level_probs(self, params: Tensor, column: int) -> Tensor:
        """Return the probability of each level of a column (B x levels).

        Parameters
        ----------
        column : position of a column with levels in the table's used columns.
        """
        _, _, _, logits, vectors, *_ = params.split(self.sizes, 1)
        if column in self.layout.large:
            return self._large_logits(self.layout.large.index(column), vectors).softmax(1)
        return logits.split(self.n_levels, 1)[self.layout.dense.index(column)].softmax(1)

    def inverse_mean(self, m: Tensor) -> Tensor:
        """Return the decoder's output for the mean `m` of each number (columns), and the frequencies of levels."""
        numbers, counts = m[self.numeric], log_count(m[self.counts])
        logits = torch.cat([self.start_atoms, self.start_logits]).to(m.dtype)
        parts = [numbers, counts, logits, m.new_zeros(self.sizes[4])]
        return torch.cat([*parts, numbers.new_zeros(len(numbers))] if self.heteroscedastic else parts)

    def link(self, schema: Schema) -> nn.Module:
        """Return the links of the columns, each by its kind."""
        return TableLink(schema, len(self.numeric) if self.heteroscedastic else 0)

    def without_code(self, x: Tensor) -> Mixed:
        """Return a copy with the variances of the numbers of `x` (n x columns), which holds for a constant output."""
        result = copy.deepcopy(self)
        numbers = x[:, self.numeric].double()
        for position, atom in zip(self.with_atom.tolist(), self.atoms, strict=True):
            column = numbers[:, position]
            numbers[:, position] = column.masked_fill(is_atom(column, atom.to(column.dtype)), math.nan)
        variance = (numbers - numbers.nanmean(0)).square().nanmean(0)
        result.variance = variance.nan_to_num(nan=1.0).to(self.variance)
        return result

    def contains(self, x: Tensor) -> Tensor:
        """Return True for all cells: levels and gaps have numbers, and infinity is refused earlier."""
        return torch.ones_like(x, dtype=torch.bool)

    @torch.no_grad()
    def update_scale(self, params: Tensor, x: Tensor, weight: Tensor | None = None) -> None:
        """Add the squared errors of the numbers of a training batch x (B x columns) to their running means."""
        if self.heteroscedastic or not len(self.numeric):
            return
        error = (torch.nan_to_num(x[:, self.numeric]) - params[:, : len(self.numeric)]).square()
        weights = torch.ones_like(error) if weight is None else weight[:, self.numeric]
        if len(self.with_atom):
            others = ~is_atom(x[:, self.numeric][:, self.with_atom], self.atoms)
            weights = weights.index_copy(1, self.with_atom, weights[:, self.with_atom] * others)
        total, n = batch_sum(torch.stack([(error * weights).sum(0), weights.sum(0)]))
        has_cells = (n > 0).to(self.seen.dtype)
        self.seen.add_(has_cells)
        # an average of all batches at first, then of about the last hundred; no change without observed cells
        rate = (1 / self.seen.clamp(min=1)).clamp(min=0.01) * has_cells
        self.variance.lerp_((total / n.clamp(min=1)).to(self.variance.dtype), rate)


def _floored(log_scale: Tensor) -> Tensor:
    """Return log(scale) with a soft floor."""
    floor = math.log(_SMALLEST_SCALE)
    return floor + F.softplus(log_scale - floor)


def _with_unseen(nats: Tensor, is_unseen: Tensor) -> Tensor:
    return torch.where(is_unseen, torch.full_like(nats, math.log(_UNSEEN)), nats + math.log1p(-_UNSEEN))


def _log_frequencies(frequencies: tuple[float, ...]) -> Tensor:
    return torch.tensor(frequencies).clamp(min=1e-6).log()
