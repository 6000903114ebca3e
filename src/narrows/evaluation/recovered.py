"""How much of a network's loss remains if its activations are replaced by their reconstructions.

    recovered = (CE_ablated - CE_reconstructed) / (CE_ablated - CE_clean)      1: nothing is lost, 0: all is
    KL        = mean over tokens of sum_v p(v) log(p(v) / q(v)), p of the clean network, q of the changed one; nats

Ablated activations are 0, or the mean activation. In SAELens `recovered` is `ce_loss_score`, its ablation is 0, and the
same formula with KL (clean: 0) is `kl_div_score`.

Bricken et al., Towards monosemanticity (2023), https://transformer-circuits.pub/2023/monosemantic-features; Gao et al.,
Scaling and evaluating sparse autoencoders (2024), https://arxiv.org/abs/2406.04093.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.data.edits import Edit, as_edit
from narrows.data.hooks import HookedModel
from narrows.evaluation.intervals import Estimate, Resamples

_KINDS = ("clean", "reconstructed", "zero", "mean")
_FEWEST_BATCHES = 10  # for an interval


class RecoveredLoss(NamedTuple):
    """Losses of a network with its own activations and with others, means over batches by their numbers of rows.

    Attributes
    ----------
    clean, reconstructed, zero, mean : cross-entropy with the activations, with their reconstructions, with 0, and with
        the mean activation. NaN if the user's function gives only logits.
    recovered, recovered_from_mean : share of the loss that reconstructions recover, beside 0 and beside the mean, with
        a 95 % interval over batches if there are at least 10.
    kl, kl_zero, kl_mean : KL of the changed network from the clean one, in nats. NaN without logits.
    n_batches, n_rows : number of batches, and of rows of activations.
    """

    clean: float
    reconstructed: float
    zero: float
    mean: float
    recovered: Estimate
    recovered_from_mean: Estimate
    kl: float
    kl_zero: float
    kl_mean: float
    n_batches: int
    n_rows: int

    @property
    def recovered_kl(self) -> float:
        """1 - KL / KL of activations that are 0. NaN if they change nothing, and without logits."""
        return 1 - self.kl / self.kl_zero if self.kl_zero else math.nan

    def __repr__(self) -> str:
        if math.isnan(self.clean) and not math.isnan(self.kl):  # only logits
            return (
                f"RecoveredLoss({self.recovered_kl:.3f} of the KL recovered: {self.kl:.4g} nats reconstructed, "
                f"{self.kl_zero:.4g} zeros, {self.kl_mean:.4g} mean)"
            )
        low, high = self.recovered.low, self.recovered.high
        interval = "" if math.isnan(low) else f" ({low:.3f} to {high:.3f})"
        kl = "" if math.isnan(self.kl) else f"; KL {self.kl:.4g} nats, of zeros {self.kl_zero:.4g}"
        return (
            f"RecoveredLoss({self.recovered.value:.3f}{interval} recovered: {self.clean:.4g} clean, "
            f"{self.reconstructed:.4g} reconstructed, {self.zero:.4g} zeros, {self.mean:.4g} mean{kl})"
        )


def recovered_loss(
    model: Any,
    loss: Callable[[Any], Any],
    batches: Any,
    *,
    hooked: HookedModel | None = None,
    layer: str | None = None,
    random_state: int = 0,
) -> RecoveredLoss:
    """Measure the loss of a network whose activations are replaced by their reconstructions.

    Parameters
    ----------
    model : a fitted estimator; or a function of activations (rows, width) that returns what replaces them.
    loss : the user's function. Without `hooked` it gets a batch of activations, of the same shape as in `batches`, and
        runs the rest of the network. With `hooked` it gets a batch of inputs and runs the network as always; its layer
        is changed meanwhile. It returns the mean cross-entropy of the batch, a number; or logits (..., classes), for
        the KL; or a pair of both. It is called up to five times for each batch. Logits of padding do not count, if
        they are those of all tokens: (sequences, tokens, classes) or (sequences x tokens, classes).
    batches : activations (..., width) or inputs, batch by batch: a list, or a function that makes an iterator. They are
        read twice.
    hooked : an open `narrows.hook`.
    layer : name of the layer in `hooked`; None if there is one.
    random_state : an int; seed of the resamples of batches.

    Raises
    ------
    TypeError, ValueError
        If `batches` can be read only once, there are none, or `loss` returns something else.

    Examples
    --------
    >>> import torch, narrows
    >>> X = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    >>> y = (X[:, 0] > 0).long()
    >>> def loss(activations):
    ...     logits = 3 * activations[:, :1] * torch.tensor([-1.0, 1.0])
    ...     return torch.nn.functional.cross_entropy(logits, y), logits
    >>> found = narrows.recovered_loss(lambda activations: activations, loss, [X])
    >>> found.recovered.value, found.kl
    (1.0, 0.0)
    """
    edits: dict[str, Edit] = {"reconstructed": as_edit(model), "zero": as_edit(torch.zeros_like)}
    seen = _Mean()
    losses: dict[str, list[float]] = {kind: [] for kind in _KINDS}
    kls: dict[str, list[float]] = {kind: [] for kind in _KINDS[1:]}
    weights: list[int] = []
    for batch in _open(batches):
        before = seen.n
        clean = _run(loss, batch, seen, hooked, layer)
        weights.append(seen.n - before)
        losses["clean"].append(clean.loss)
        _compare(loss, batch, edits, clean, losses, kls, hooked, layer)
    if not weights:
        raise ValueError("The `batches` parameter of recovered_loss holds no batch.")
    edits = {"mean": as_edit(lambda x: seen.mean.to(x).expand(x.shape))}
    for batch in _open(batches):
        clean = _run(loss, batch, None, hooked, layer) if kls["zero"] else _Read(math.nan)
        _compare(loss, batch, edits, clean, losses, kls, hooked, layer)

    values = {kind: np.array(numbers) for kind, numbers in losses.items()}
    w, resamples = np.array(weights, dtype=np.float64), Resamples(random_state)

    def average(numbers: Iterable[float]) -> float:
        numbers = np.array(list(numbers))
        return float((w * numbers).sum() / w.sum()) if len(numbers) == len(w) else math.nan

    def share(ablated: str) -> Estimate:
        gained = w * (values[ablated] - values["reconstructed"])
        possible = w * (values[ablated] - values["clean"])
        if not possible.sum() > 0:  # activations without which the network is no worse, or no cross-entropy
            return Estimate(math.nan)
        if len(w) < _FEWEST_BATCHES:
            return Estimate(float(gained.sum() / possible.sum()))
        return resamples.ratio(gained, possible, f"share of the loss that is recovered, beside {ablated}")

    means = {kind: average(numbers) for kind, numbers in losses.items()}
    kl = {kind: average(numbers) for kind, numbers in kls.items()}
    shares = share("zero"), share("mean")
    return RecoveredLoss(
        **means,
        recovered=shares[0],
        recovered_from_mean=shares[1],
        kl=kl["reconstructed"],
        kl_zero=kl["zero"],
        kl_mean=kl["mean"],
        n_batches=len(w),
        n_rows=seen.n,
    )


class _Mean:
    """An edit that changes nothing, and keeps the mean of the activations that it has seen."""

    def __init__(self) -> None:
        self.n, self.total = 0, torch.zeros(())

    def __call__(self, rows: Tensor) -> Tensor:
        self.n += len(rows)
        self.total = self.total + rows.double().sum(0).cpu()
        return rows

    @property
    def mean(self) -> Tensor:
        return self.total / self.n


class _Read(NamedTuple):
    """Results of the user's function for a batch: the cross-entropy, NaN if it is unknown, and logits, or None.

    `mask` is True for the tokens of the inputs, and None without padding.
    """

    loss: float
    logits: Tensor | None = None
    mask: Tensor | None = None


def _compare(
    loss: Callable[[Any], Any],
    batch: Any,
    edits: dict[str, Edit],
    clean: _Read,
    losses: dict[str, list[float]],
    kls: dict[str, list[float]],
    hooked: HookedModel | None,
    layer: str | None,
) -> None:
    """Add the loss of a batch under each edit, and the KL from the `clean` logits."""
    for kind, edit in edits.items():
        changed = _run(loss, batch, edit, hooked, layer)
        losses[kind].append(changed.loss)
        if clean.logits is not None and changed.logits is not None:
            kls[kind].append(compute_divergence(clean.logits, changed.logits, clean.mask))


def _run(
    loss: Callable[[Any], Any], batch: Any, edit: Edit | None, hooked: HookedModel | None, layer: str | None
) -> _Read:
    """Run the user's function on a batch whose activations are edited; None for the activations as they are."""
    with torch.no_grad():
        if hooked is None:
            activations = torch.as_tensor(batch)
            return _read(loss(activations if edit is None else as_edit(edit)(activations)))
        with hooked.replace(edit or (lambda rows: rows), layer) as find_mask:
            read = _read(loss(batch))
            return read._replace(mask=find_mask())


def compute_divergence(clean: Tensor, changed: Tensor, mask: Tensor | None = None) -> float:
    """Return the KL of the distributions of logits `changed` from those of `clean`, both (..., classes): nats, mean.

    Where `mask` has the shape (...), or as many entries, the mean is over the places where it is True.
    """
    log_p, log_q = (logits.double().log_softmax(-1) for logits in (clean, changed))
    divergences = (log_p.exp() * (log_p - log_q)).sum(-1)
    if mask is not None and divergences.shape in (mask.shape, (mask.numel(),)):
        divergences = divergences[mask.to(divergences.device).reshape(divergences.shape)]
    return float(divergences.sum() / max(divergences.numel(), 1))


def _read(result: Any) -> _Read:
    try:
        if isinstance(result, (tuple, list)) and len(result) == 2:
            return _Read(float(result[0]), torch.as_tensor(result[1]).detach())
        value = torch.as_tensor(result).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            "The `loss` parameter of recovered_loss must return the mean cross-entropy of a batch, a number; or logits "
            f"(..., classes); or a pair of both. Got {_describe(result)}."
        ) from error
    return _Read(float(value)) if value.ndim == 0 else _Read(math.nan, value)


def _describe(result: Any) -> str:
    """Return the type of a result, and of the parts of a pair."""
    kind = type(result).__name__
    is_pair = isinstance(result, (tuple, list)) and len(result) == 2
    return f"{kind} of {' and '.join(type(part).__name__ for part in result)}" if is_pair else kind


def _open(batches: Any) -> Iterator[Any]:
    made = batches() if callable(batches) and not hasattr(batches, "__iter__") else batches
    if made is batches and iter(made) is made:
        raise TypeError("The `batches` parameter of recovered_loss is read twice: pass a list, or a function.")
    return iter(made)
