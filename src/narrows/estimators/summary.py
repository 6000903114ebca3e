"""What is found out about a model after a training, and what is written about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from narrows.bottlenecks import active_components
from narrows.data import subsample_evenly
from narrows.evaluation.scores import AUTO_CONTAMINATION, apply_to_code
from narrows.training import n_looked_at
from narrows.version import __version__

if TYPE_CHECKING:
    from narrows.estimators.base import Estimator

_SCORED = (1_000, 2_000)  # rows to set the threshold by, at least and at most: a quantile needs no more
_SEEN_PER_SCORED = 100  # by the training: a score may take ten passes


def summarize(self: Estimator, rows: np.ndarray) -> None:
    """What is known of the training data once the model is trained: codes, what components carry, the threshold."""
    model = self.module()
    bottleneck, stochastic = model.bottleneck, model.stochastic
    seen = self.n_iter_ * len(rows)
    sample = subsample_evenly(rows, n_looked_at(model, seen))
    z: Tensor | None = None
    if stochastic is not None:
        h = self.applied(model.encoder, sample)
        kl = apply_to_code(model, stochastic.kl_per_component, h)
        if kl is not None:
            order = kl.mean(0).argsort(descending=True)
            model.order.copy_(order)
            self.components_kl_ = kl.mean(0)[order].double().numpy()
        z = apply_to_code(model, stochastic.encode, h)[:, model.order.cpu()]
        self.unused_components_ = (~active_components(z)).nonzero().flatten().tolist()
        if self.unused_components_:
            self.report_.append(
                f"{len(self.unused_components_)} of {bottleneck.n_components} components carry nothing: "
                f"{self.unused_components_}. Fewer `n_components` would do as well."
            )
    if bottleneck.is_sparse:
        h = self.applied(model.encoder, sample)
        dead = round(apply_to_code(model, bottleneck.health, h)["dead_fraction"] * bottleneck.n_components)
        if dead:
            self.report_.append(
                f"{dead} of {bottleneck.n_components} units are active for none of {len(sample):,} examples. Fewer "
                "`n_components`, a larger `k` or more `max_epochs` would help."
            )
    if model.has_code:
        codes = (self.applied(model.encode, sample) if z is None else z).double().numpy()
        self.code_mean_, self.code_std_ = codes.mean(0), codes.std(0)
        if bottleneck.default_sampler is not None:
            self.code_covariance_ = np.atleast_2d(np.cov(codes, rowvar=False))
    self._after_fit(sample)
    share = AUTO_CONTAMINATION if self.contamination == "auto" else self.contamination
    fewest, most = _SCORED
    scored = subsample_evenly(sample, min(max(fewest, seen // _SEEN_PER_SCORED), most))
    self.offset_ = float(np.quantile(self._scores(scored), share))


def card(self: Estimator) -> str:
    """The model card: a README.md for whoever finds the folder."""
    last = self.history_[-1] if self.history_ else {}
    losses = "\n".join(f"- {k}: {v:.6g}" for k, v in last.items() if isinstance(v, float))
    decisions = "\n".join(f"- {line}" for line in self.report_)
    return (
        f"# {type(self).__name__}\n\n{self.recipe.summary}\n\nMade by narrows {__version__}. Load it with\n\n"
        f'```python\nimport narrows\n\nmodel = narrows.load("FOLDER")\n```\n\n'
        f"## What was decided, and why\n\n{decisions}\n\n## Last losses, nats per example\n\n{losses}\n"
    )


def support_message(self: Estimator, rows: np.ndarray, strange: np.ndarray, first: int = 0) -> str:
    """What to say of values that the likelihood cannot score; `strange` are the rows that hold some.

    `first` is the number of the first of `rows`, where those are a block of more.
    """
    schema, likelihood, owner = self.schema_, self.model_.likelihood, type(self).__name__
    rows = rows[strange]
    bad = ~self.applied(likelihood.contains, rows).numpy()
    column = int(np.argwhere(bad.reshape(len(bad), -1)[0])[0, 0])
    bad = (np.moveaxis(bad, 1, -1) if schema.layout == "hwc" else bad).reshape(rows.shape)
    values = rows[bad]
    place = f"column {schema.columns[column]!r}" if schema.columns else f"column {column}"
    if schema.kind == "image":
        place = f"image {first + int(strange[0]):,}"
    support = likelihood.support
    if schema.scale[0] != 1 and schema.support == "unit":
        support = f"[0, {schema.scale[0]:g}]"
    advice = (
        'pass likelihood="gaussian"'
        if "likelihood" in self.parameters()
        else "let the recipe take `likelihood` as a parameter: the data then keep the scale that it needs"
    )
    return (
        f"X holds {int(bad.sum())} values outside {support} (min {values.min():g}, max {values.max():g}, the first in "
        f'{place}), which the "{likelihood.name}" likelihood of {owner} cannot score. Rescale X, or '
        f"{advice}."
    )
