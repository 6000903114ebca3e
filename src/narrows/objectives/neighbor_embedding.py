"""The cost of codes that do not keep neighbours in the data near each other.

    q(i, j) = 1 / (1 + s^2 |z_i - z_j|^2)
    cost(i) = - a [(1 - b) log q(i, i') + b sum_j p(j | i) log q(i, j)] + log sum_{j != i} q(i, j)        nats

i' is a neighbour of i in the data. It is drawn at each step from the nearest rows, which are found once before the
training. j runs over the batch, and in the last sum over the drawn neighbours, too. p(j | i) is large for the examples
of the batch that are nearest to i: p = exp(-(d_ij - d_i) / s_i) / sum, where d_ij is the squared Euclidean distance,
d_i the least of them, and d_i + s_i that of about the k-th nearest, k being 4 % of the batch. So
neighbourhoods are kept at two scales: among the nearest rows, and within a batch.

With b = 0 and a = 1 it is InfoNC-t-SNE (Damrich, Böhm, Hamprecht and Kobak, From t-SNE to UMAP with contrastive
learning, 2023, https://arxiv.org/abs/2206.01816), with b = 1 nearly parametric t-SNE (van der Maaten, Learning a
parametric embedding by preserving local structure, 2009, https://proceedings.mlr.press/v5/maaten09a.html). A larger a
gathers clusters more, as UMAP does (Böhm, Berens and Kobak, Attraction-repulsion spectrum in neighbor embeddings, 2022,
https://arxiv.org/abs/2007.08902).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from narrows.batch_sharding import batch_rows
from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue, NeighborPairs
from narrows.types import Batch, Output

_IN_BATCH = 0.04  # k / batch size: p falls to 1 / e of its largest at the k-th neighbour, and to 0 at the 2 k-th
_LEAST = 1e-6  # keeps the sum of q above 0 for an example that is far from all others


class NeighborEmbedding(Cost):
    """The cost of codes that are far from the codes of their examples' neighbours.

    Parameters
    ----------
    n_neighbors : number of nearest rows from which i' is drawn; None for 20, or fewer if there are not as many rows.
    attraction : a, above 0.
    breadth : b, in [0, 1].
    metric : "euclidean" or "cosine" (of centred rows), the distance by which the nearest rows are found; None for
        "cosine" with images, "euclidean" with all other data.
    counts : True if examples are counts; distances are then between values of log(1 + x).
    features : module from examples to the vectors (B x d) whose distances count; None for the examples themselves.
    spread : s. q is a half at the distance 1 / s. With a larger s each step of a given learning rate changes the map
        more coarsely.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([[0.0], [0.1], [5.0], [5.1]])
    >>> cost = NeighborEmbedding()
    >>> near = cost.of_codes(x, neighbor=x[[1, 0, 3, 2]], x=x).mean()
    >>> bool(near < cost.of_codes(x[[0, 2, 1, 3]], neighbor=x[[2, 0, 3, 1]], x=x).mean())
    True
    """

    name = "neighbours"

    def __init__(
        self,
        n_neighbors: int | None = None,
        attraction: float = 1.3,
        breadth: float = 0.2,
        metric: str | None = None,
        counts: bool = False,
        spread: float = 2.0,
        features: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.features = features
        self.neighbors = NeighborPairs(n_neighbors, metric)
        self.attraction, self.breadth, self.counts, self.spread = attraction, breadth, counts, spread

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return the cost of each example of `batch` in nats (B)."""
        neighbor = None if batch.neighbor is None else model.bottleneck(model.encoder(batch.neighbor)).free
        if self.features is not None:
            x = self.features(batch.x)
        else:
            x = batch.x if batch.observed is None else torch.nan_to_num(batch.x)
        x = x.clamp(min=0).log1p() if self.counts else x
        return CostValue(self.of_codes(output.code.free, neighbor, x))

    def of_codes(self, z: Tensor, neighbor: Tensor | None, x: Tensor) -> Tensor:
        """Return the cost in nats (B) of the codes z (B x L) of the examples x (B x ...).

        `neighbor` holds the codes of their neighbours (B x L); if it is None, b is 1.
        """
        wide = torch.promote_types(z.dtype, torch.float32)
        with torch.autocast(z.device.type, enabled=False):
            z = self.spread * z.to(wide)
            others = batch_rows(z)
            log_q = torch.zeros_like(z[:, 0])
            if neighbor is not None:
                neighbor = self.spread * neighbor.to(wide)
                log_q = -(1 - self.breadth) * (z - neighbor).square().sum(1).log1p()
                others = torch.cat([others, batch_rows(neighbor)])
            # 1 + |a - b|^2, which rounding may leave below 1
            d = torch.addmm(1 + others.square().sum(1)[None], z, others.t(), alpha=-2) + z.square().sum(1, keepdim=True)
            q = d.clamp(min=1).reciprocal()
            breadth = self.breadth if neighbor is not None else 1.0
            if breadth:
                p, j = neighbors_in_batch(x.detach().flatten(1).to(wide))
                log_q = log_q + breadth * (p * q.gather(1, j).log()).sum(1)
            log_sum = (q.sum(1) - 1).clamp(min=_LEAST).log()  # 1 is q(i, i)
        return log_sum - self.attraction * log_q


def neighbors_in_batch(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return p(j | i) and j, the rows of the batch nearest to each example of x (B x d): B x 2 k each."""
    batch = batch_rows(x)
    k = max(1, round(_IN_BATCH * len(batch)))
    distances, j = torch.cdist(x, batch).square().topk(min(2 * k + 1, len(batch)), largest=False)
    distances, j = distances[:, 1:], j[:, 1:]  # without the nearest: the example itself, or an equal one
    if not j.shape[1]:
        return distances, j
    nearest = distances[:, :1]
    scale = (distances[:, min(k, j.shape[1] - 1)][:, None] - nearest).clamp(min=torch.finfo(x.dtype).tiny)
    return torch.softmax((nearest - distances) / scale, dim=1), j
