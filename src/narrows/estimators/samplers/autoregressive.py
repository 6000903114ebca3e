"""A sampler of discrete codes: one index after the other, each given those before it.

    p(k) = p(k_1) p(k_2 | k_1) ... p(k_G | k_1, ..., k_(G-1))        with labels, p(k | y) for each label y

A small transformer gives the logarithms of all factors of a code in one pass. A draw takes a pass for each index. The
network sees what a value adds to the code, not its number alone, so that it need not see each of many values often:

    log p(k_g = k | ...) = x_g . f(v_gk) + b_gk + constant        v_gk: what the value k of index g adds to the code

van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning (2017), section 3.3,
https://arxiv.org/abs/1711.00937; the network: Vaswani et al., Attention is all you need (2017),
https://arxiv.org/abs/1706.03762.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.bottlenecks import Discrete, as_discrete
from narrows.estimators.samplers.base import Sampler, count_classes, split_codes, train_by_likelihood
from narrows.model import Autoencoder
from narrows.params import Integer, Parameter, Real
from narrows.training import forked_rng

_N_HEADS = 4
_MAX_NUMBERS_PER_PASS = 1 << 24  # in the last layer


class Block(nn.Module):
    """A layer of a transformer in which position g sees the positions up to g.

    Parameters
    ----------
    width : numbers at each position, a multiple of `_N_HEADS`.
    dropout : share of the numbers that is left out in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.attend, self.project = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.network = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the next layer of x (B x G x width)."""
        queries, keys, values = self.attend(self.norm(x)).unflatten(2, (3, _N_HEADS, -1)).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(queries, keys, values, is_causal=True).transpose(1, 2).flatten(2)
        x = x + self.dropout(self.project(seen))
        return x + self.dropout(self.network(x))


class IndexNetwork(nn.Module):
    """The logarithms of p(k_g | k_1, ..., k_(g-1), y).

    Parameters
    ----------
    n_values : K_g, the number of values of each index: G numbers.
    n_components : L, the length of a code.
    columns : components that the values of each index change, G x V.
    n_labels : number of labels, 1 without labels.
    width, n_layers, dropout : size of the transformer, and the share of numbers left out in training.
    """

    vectors: Tensor
    columns: Tensor
    is_no_value: Tensor

    def __init__(
        self,
        n_values: Sequence[int],
        n_components: int,
        columns: Tensor,
        n_labels: int,
        width: int,
        n_layers: int,
        dropout: float,
    ) -> None:
        super().__init__()
        n, most = len(n_values), max(n_values)
        self.start, self.place = nn.Embedding(n_labels, width), nn.Parameter(0.1 * torch.randn(n, width))
        self.read = nn.Linear(n_components, width)
        self.blocks = nn.Sequential(nn.Dropout(dropout), *(Block(width, dropout) for _ in range(n_layers)))
        self.norm = nn.LayerNorm(width)
        self.write = nn.Sequential(nn.Linear(n_components, width), nn.GELU(), nn.Linear(width, width))
        self.bias = nn.Parameter(torch.zeros(n, most))
        self.register_buffer("vectors", torch.zeros(n, most, columns.shape[1]))
        self.register_buffer("columns", columns, persistent=False)
        is_no_value = torch.arange(most) >= torch.tensor(n_values)[:, None]
        self.register_buffer("is_no_value", is_no_value, persistent=False)

    @torch.no_grad()
    def start_at(self, vectors: Tensor, index: Tensor) -> None:
        """Start at independent indices with the frequencies of `index` (n x G).

        Parameters
        ----------
        vectors : what each value adds to the components `columns` of the code, G x K x V; K is the largest K_g, and
            others are 0.
        """
        std = (vectors.square().sum((1, 2)) / (vectors.shape[1] * self.read.in_features)).mean().sqrt()
        self.vectors.copy_(vectors / std.clamp(min=1e-6))  # as if all components were there
        self.bias.copy_((F.one_hot(index, self.bias.shape[1]).sum(0) + 1.0).log())
        last = self.write[-1]
        assert isinstance(last, nn.Linear)
        last.weight.zero_()
        last.bias.zero_()

    def forward(self, index: Tensor, label: Tensor) -> Tensor:
        """Return log p of all values (B x (g + 1) x K, nats) of the first g + 1 indices, given the first g.

        Parameters
        ----------
        index : B x g integers.
        label : B integers; 0 without labels.
        """
        n = index.shape[1]
        added = self.vectors[torch.arange(n, device=index.device), index]
        x = (
            torch.cat([self.start(label)[:, None], self._run_layer(self.read, added, "bgv,gvd->bgd")], 1)
            + self.place[: n + 1]
        )
        x = self.norm(self.blocks(x))
        values = self.write[1:](self._run_layer(self.write[0], self.vectors[: n + 1], "gkv,gvd->gkd"))
        logits = torch.einsum("bgd,gkd->bgk", x, values) + self.bias[: n + 1]
        return logits.masked_fill(self.is_no_value[: n + 1], -math.inf).log_softmax(2)

    def _run_layer(self, layer: nn.Module, vectors: Tensor, axes: str) -> Tensor:
        """Return a linear layer's outputs for codes that are 0 but for what is added to them.

        It computes with these components alone: a code of many places would have far too many others.
        """
        assert isinstance(layer, nn.Linear)
        n = vectors.shape[1 if axes.startswith("b") else 0]
        return torch.einsum(axes, vectors, layer.weight.t()[self.columns[:n]]) + layer.bias

    def log_prob(self, rows: Tensor) -> Tensor:
        """Return log p(k | y) in nats (B) of rows of indices, each followed by its label (B x (G + 1))."""
        index, label = rows[:, :-1], rows[:, -1]
        return self(index[:, :-1], label).gather(2, index[..., None]).sum((1, 2))


class Autoregressive(Sampler):
    """A distribution of discrete codes, one index after the other. For codes such as those of VQ-VAE.

    It is the only sampler that knows which values go together: a mixture is drawn from as if codes were real numbers,
    and its draws are moved to the nearest code. Labels are taken: `draw` then draws from p(k | y).

    Parameters
    ----------
    width : numbers in the network at each position, a multiple of 4.
    n_layers : number of layers, at least 1.
    dropout : share of the numbers that is left out in training, below 1.
    max_epochs : largest number of passes over the codes; fewer if held-out codes become no likelier before.
    """

    name = "autoregressive"

    def __init__(self, width: int = 64, *, n_layers: int = 2, dropout: float = 0.3, max_epochs: int = 100) -> None:
        self.width, self.n_layers, self.dropout, self.max_epochs = width, n_layers, dropout, max_epochs
        self.tensors = {}
        self._code: Discrete | None = None

    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "width": self.width,
            "n_layers": self.n_layers,
            "dropout": self.dropout,
            "max_epochs": self.max_epochs,
        }

    def bind(self, model: Autoencoder, owner: str) -> Autoregressive:
        """Return a copy that draws codes of the model.

        Raises
        ------
        ValueError
            If they are not discrete.
        """
        code = as_discrete(model.bottleneck)
        if code is None:
            raise ValueError(
                f"An autoregressive sampler draws discrete codes, such as those of VQVAE. The code of {owner} holds "
                "real numbers: pass sampler='mixture' or 'flow' instead."
            )
        bound = copy.copy(self)
        bound._code = code
        return bound

    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> Autoregressive:
        """Fit to codes Z (n x L) by maximum likelihood, with early stopping on held-out codes.

        Raises
        ------
        ValueError
            If a setting is not valid, or a label has fewer than 10 codes.
        """
        owner = type(self).__name__
        is_width = Integer(_N_HEADS)
        for name, rule in (("width", is_width), ("n_layers", Integer(1)), ("max_epochs", Integer(1))):
            Parameter(name, None, rule, "").check(owner, getattr(self, name))
        Parameter("dropout", 0.3, Real(0, 1, open_high=True), "").check(owner, self.dropout)
        if self.width % _N_HEADS:
            raise ValueError(f"The `width` parameter of {owner} must be a multiple of 4. Got {self.width} instead.")
        labels = np.zeros(len(Z), np.int64) if labels is None else labels
        counts = count_classes(labels, len(self.classes or (0,)), owner)
        index = self._indices(Z)
        rows = np.column_stack([index.numpy(), labels])
        train, held_out = map(torch.from_numpy, split_codes(rows, seed))
        self.tensors = {"n_values": torch.tensor(self._bound.n_values), "frequencies": torch.tensor(counts / len(Z))}
        self.tensors["n_components"] = torch.tensor(Z.shape[1])
        vectors, self.tensors["columns"] = _added_vectors(self._bound)
        with forked_rng(seed):
            network = self._make_network()
            network.start_at(vectors, train[:, :-1])
            state = train_by_likelihood(
                network, network.log_prob, train, held_out, self.max_epochs, learning_rate=3e-3, weight_decay=0.01
            )
        self.tensors |= {f"network.{name}": tensor for name, tensor in state.items()}
        return self

    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """Draw new codes, of labels drawn by their frequency if they are not given.

        The logarithms of p are divided by the temperature; at 0 each index has its likeliest value.
        """
        frequencies = self.tensors["frequencies"].numpy()
        if labels is None:
            labels = generator.choice(len(frequencies), n, p=frequencies / frequencies.sum())
        uniform = torch.from_numpy(generator.random((n, len(self._bound.n_values))))
        network = self._load_network()
        with torch.inference_mode():
            parts = zip(uniform.split(self._n_rows), torch.from_numpy(labels).split(self._n_rows), strict=True)
            index = torch.cat([_draw_indices(network, u, label, temperature) for u, label in parts])
            return self._bound.from_indices(index.to(self._device)).double().cpu()

    def log_prob(self, Z: Tensor) -> Tensor:
        """Return log p of the codes nearest to Z, n numbers, nats; the probabilities of all codes add up to 1."""
        network, index = self._load_network(), self._indices(Z)
        nats = []
        with torch.inference_mode():
            for label, frequency in enumerate(self.tensors["frequencies"]):
                rows = torch.cat([index, index.new_full((len(index), 1), label)], 1)
                parts = [network.log_prob(part) for part in rows.split(self._n_rows)]
                nats.append(torch.cat(parts).double() + frequency.log())
        return torch.stack(nats).logsumexp(0)

    @property
    def _bound(self) -> Discrete:
        assert self._code is not None  # `bind` comes first
        return self._code

    @property
    def _device(self) -> torch.device:
        return _device_of(self._bound)

    @property
    def _n_rows(self) -> int:
        """Number of codes in one pass."""
        n_values = self._bound.n_values
        return max(1, _MAX_NUMBERS_PER_PASS // (len(n_values) * max(n_values)))

    def _indices(self, Z: Tensor) -> Tensor:
        """Return the indices (n x G) of codes (n x L), on the CPU."""
        with torch.inference_mode():
            index = torch.cat([self._bound.indices(part.float().to(self._device)) for part in Z.split(4096)])
        return index.cpu().clone()

    def _make_network(self) -> IndexNetwork:
        n_values, n_labels = self.tensors["n_values"].tolist(), len(self.tensors["frequencies"])
        n_components = int(self.tensors["n_components"])
        columns = self.tensors["columns"]
        return IndexNetwork(n_values, n_components, columns, n_labels, self.width, self.n_layers, self.dropout)

    def _load_network(self) -> IndexNetwork:
        with forked_rng(0):
            network = self._make_network()
        prefix = "network."
        network.load_state_dict({k.removeprefix(prefix): t for k, t in self.tensors.items() if k.startswith(prefix)})
        return network.eval()


def _added_vectors(code: Discrete) -> tuple[Tensor, Tensor]:
    """Return what each value of each index adds to a code, less the mean of all values, and where.

    They are G x K x V and G x V: the numbers of the components that an index changes are few in most codes, at most V.
    """
    device = _device_of(code)
    added, changed = [], []
    for g, n in enumerate(code.n_values):
        index = torch.zeros(n, len(code.n_values), dtype=torch.int64, device=device)
        index[:, g] = torch.arange(n, device=device)
        z = code.from_indices(index).detach().float().cpu()
        changed.append((z != z[0]).any(0).nonzero()[:, 0])
        added.append((z - z.mean(0))[:, changed[-1]])
    vectors = torch.zeros(len(added), max(code.n_values), max(1, *map(len, changed)))
    columns = torch.zeros(len(added), vectors.shape[2], dtype=torch.int64)
    for g, (part, places) in enumerate(zip(added, changed, strict=True)):
        vectors[g, : part.shape[0], : part.shape[1]], columns[g, : len(places)] = part, places
    return vectors, columns


def _device_of(code: Discrete) -> torch.device:
    return next((t.device for t in (*code.buffers(), *code.parameters())), torch.device("cpu"))


def _draw_indices(network: IndexNetwork, uniform: Tensor, label: Tensor, temperature: float) -> Tensor:
    """Draw indices (n x G) with the numbers `uniform` in [0, 1) (n x G) for labels (n)."""
    index = torch.zeros(len(uniform), 0, dtype=torch.int64)
    for u in uniform.split(1, 1):
        log_p = network(index, label)[:, -1].double()
        if temperature == 0:
            value = log_p.argmax(1, keepdim=True)
        else:
            total = (log_p / temperature).softmax(1).cumsum(1)
            value = torch.searchsorted(total, u * total[:, -1:], right=True)
        index = torch.cat([index, value], 1)
    return index
