"""How many components: models of several sizes, how good each is, and which of them is enough.

    enough   the smallest size k with  q_0 - q_k >= share (q_0 - best),   share = 0.95
    q_k      of a model with k components, on examples that it has not seen: the mean squared error per entry, or for a
             stochastic code the negative ELBO in nats
    q_0      of a model without a code, which gives every example the mean of the training examples
    best     the least q_k of the sweep

It is the rule of "components for 95 % of the variance" that people use for PCA, where it says the same.

Where the model allows it, only the largest size is trained from the start. Every smaller one begins as the next larger
one less some of its code (`narrows.tasks.pruning`), and trains for a fraction of the epochs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import clone
from sklearn.decomposition import PCA

from narrows.data import as_floats, check_rows, count_rows, spaced_indices, take_rows
from narrows.data.atomic import atomic_path
from narrows.estimators import Estimator, load
from narrows.estimators.signature import as_seed
from narrows.evaluation.intervals import Resamples
from narrows.evaluation.subjects import OfModel, Scene
from narrows.params import BOOL, LAYER_WIDTHS, OneOf, Parameter, Real, either
from narrows.tasks import pruning, sweep_folder

SIZES_TRIED = (1, 2, 4, 8, 16, 32)
_HELD_OUT = 0.1
_EFFORT = 0.6  # of the epochs of the largest size, for all smaller ones together where they begin warm
_MOST_PCA_ROWS = 20_000
_LEAST_VARIANCE = 1e-6  # of an entry: the likelihoods have none below
_MEASURES = {"mse": "mean squared error per entry", "negative_elbo": "negative ELBO, nats per example"}


@dataclass
class Sweep:
    """What came of a sweep.

    Attributes
    ----------
    recipe : what was fitted.
    mode : "warm" where each size began as the next larger one, "separate" where each was trained from the start.
    why : why the sizes were trained separately; empty where they were not.
    measure : "mse" or "negative_elbo", by which sizes are judged; less is better.
    results : a record for each size, ascending: `n_components`, the measure as `value` with the ends of its 95 %
        interval `low` and `high`, `mse` and `pca_mse`, `epochs` and `seconds` of training.
    baseline : the measure without a code.
    share : of the way from there to the best that is enough.
    recommended : the smallest size that is enough.
    reason : why, in words.
    """

    recipe: str
    mode: str
    why: str
    measure: str
    results: list[dict[str, Any]]
    baseline: float
    share: float
    recommended: int
    reason: str
    _models: dict[int, Estimator | Path] = field(default_factory=dict, repr=False)

    @property
    def sizes(self) -> list[int]:
        """The numbers of components that were tried."""
        return [result["n_components"] for result in self.results]

    def model(self, n_components: int | None = None) -> Estimator:
        """The fitted estimator with so many components; None takes the recommended one."""
        n = self.recommended if n_components is None else n_components
        if n not in self._models:
            raise ValueError(
                f"The `n_components` parameter of Sweep.model must be one of {self.sizes}. Got {n} instead."
            )
        return _opened(self._models[n])

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON has it, but the models."""
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __repr__(self) -> str:
        lines = [f"{'n_components':>12}  {self.measure:>13}  {'95 % interval':>21}  {'PCA mse':>9}"]
        for r in self.results:
            mark = "  <- enough" if r["n_components"] == self.recommended else ""
            between = f"{r['low']:.5g} to {r['high']:.5g}"
            value = f"{r['value']:.5g}"
            lines.append(f"{r['n_components']:>12}  {value:>13}  {between:>21}  {r['pca_mse']:>9.4g}{mark}")
        return "\n".join([*lines, self.reason])

    def plot(self, path: str | Path) -> None:
        """Draw quality against size into a file, of the kind that its name ends in (.png, .svg, .pdf)."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 4), dpi=150, layout="constrained")
        axes = figure.add_subplot()
        value, low, high = (np.array([r[name] for r in self.results]) for name in ("value", "low", "high"))
        axes.errorbar(self.sizes, value, [value - low, high - value], fmt="o-", color="#0072b2", label=self.recipe)
        if self.measure == "mse":
            axes.plot(self.sizes, [r["pca_mse"] for r in self.results], "s--", color="#777777", label="PCA")
        axes.axvline(self.recommended, color="#d55e00", linewidth=1, label=f"enough: {self.recommended}")
        axes.set_xscale("log", base=2)
        axes.set_xticks(self.sizes, [str(size) for size in self.sizes])
        axes.minorticks_off()
        axes.set_ylim(bottom=0 if self.measure == "mse" else None)
        axes.set_xlabel("components")
        axes.set_ylabel(_MEASURES[self.measure])
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        with atomic_path(path) as temporary:
            figure.savefig(temporary)


def sweep(
    model: Estimator,
    X: Any,
    *,
    sizes: Sequence[int] | None = None,
    test: Any = None,
    folder: str | Path | None = None,
    warm_start: bool | Literal["auto"] = "auto",
    share: float = 0.95,
    overwrite: bool = False,
) -> Sweep:
    """Fit `model` with several numbers of components, and say which number is enough.

    Parameters
    ----------
    model : an estimator, fitted or not, whose parameters are taken but for `n_components`.
    X : examples, as `fit` takes them.
    sizes : the numbers of components to try; None for those of 1, 2, 4, ..., 32 that an example has numbers.
    test : examples to judge by; None holds a tenth of X out.
    folder : where each size's model and result are kept as soon as there are any, with a picture; a sweep that was
        stopped goes on from what it finds there. None keeps them in memory.
    warm_start : whether each size begins as the next larger one, so that all take less than twice as long as the
        largest alone; "auto" does where the model allows it. False trains each from the start, which is a little better
        for the small ones.
    share : of the way from no code to the best of the sizes that is enough.
    overwrite : whether another sweep in `folder` is deleted.

    Returns
    -------
    Sweep
        Its `recommended` is the number, `reason` why, `model()` the fitted estimator, `plot(path)` the picture.

    Raises
    ------
    ValueError, TypeError
        If a parameter is not what it must be, or `folder` holds another sweep.
    KeyboardInterrupt
        On Ctrl-C; the message says how to go on.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import AE
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 8))  # two numbers an example, in truth
    >>> found = sweep(AE(hidden=(), max_epochs=60, learning_rate=0.01, random_state=0), X, sizes=(1, 2, 4))
    >>> found.mode, found.sizes, found.recommended
    ('warm', [1, 2, 4], 2)
    """
    sizes = _checked(model, _tried(X) if sizes is None else sizes, warm_start, share)
    seed, place = as_seed(model.random_state), None if folder is None else Path(folder)
    if place is not None:
        sweep_folder.clear(place, overwrite)
        fixed = isinstance(model.random_state, (int, np.integer))
        seed = seed if fixed else sweep_folder.seed_in(place, seed)
    model = clone(model).set_params(random_state=seed, checkpoint=None)
    if test is not None:
        _check_test(model, X, test, sizes[0])
    train, test = _parts(X, test, seed)
    why = "as asked" if warm_start is False else pruning.why_not(model, train, sizes[-1], sizes[0])
    if warm_start is True and why is not None:
        raise ValueError(f"The `warm_start` parameter of sweep must be False for this model: {why}. Got True instead.")
    if place is not None:
        sweep_folder.prepare(place, sweep_folder.identity(model, train, test, [] if why else sizes), seed)
    done: dict[int, dict[str, Any]] = {}
    models: dict[int, Estimator | Path] = {}
    judge: _Judge | None = None
    larger: Estimator | None = None
    try:
        for size in reversed(sizes):
            result = None if place is None else sweep_folder.read(place, size)
            if result is None:
                if larger is None and models and not why:
                    larger = _opened(models[min(models)])
                if larger is None or why:
                    larger = _fitted(model, train, size, place)
                else:
                    larger = _pruned(larger, train, size, _EFFORT / (len(sizes) - 1) * done[sizes[-1]]["epochs"])
                judge = judge or _Judge(larger, train, test, sizes[-1])
                result = judge.of(larger, size)
                models[size] = larger if place is None else sweep_folder.keep(place, size, larger, result)
            elif place is not None:
                models[size] = sweep_folder.place_of(place, size)
            done[size] = result
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(sweep_folder.how_to_go_on(place, len(done), len(sizes))) from stopped
    found = _summed_up(model, why or "", [done[size] for size in sizes], share, models)
    if place is not None:
        sweep_folder.finish(place, found.to_dict())
        found.plot(place / "sweep.png")
    return found


class _Judge:
    """Measures a model of any size on the same examples, beside PCA."""

    def __init__(self, model: Estimator, train: Any, test: Any, largest: int) -> None:
        self.test, self.rows, self.resamples = test, model.prepared(test), Resamples(0)
        self.measure = "negative_elbo" if model.model_.bottleneck.is_stochastic else "mse"
        known = model.prepared(take_rows(train, spaced_indices(len(train), _MOST_PCA_ROWS))).flatten(1)
        pca = PCA(min(largest, *known.shape), random_state=0).fit(known.numpy())
        flat = self.rows.flatten(1).numpy()
        explained = np.square(pca.transform(flat), dtype=np.float64).mean(0).cumsum()
        without = float(np.square(flat - pca.mean_, dtype=np.float64).sum(1).mean())
        self.pca = ((without - np.concatenate([[0.0], explained])) / flat.shape[1]).clip(min=0)
        self.baseline = self.pca[0] if self.measure == "mse" else self._nats(model, known.double())

    def of(self, model: Estimator, size: int) -> dict[str, Any]:
        """The record of a size."""
        subject = OfModel(model, Scene(self.test, self.rows, model.schema_))
        judged = subject.error if self.measure == "mse" else -subject.scores
        value, low, high, _ = self.resamples.mean(judged)
        last = model.history_[-1] if model.history_ else {}
        return {
            "n_components": size,
            "measure": self.measure,
            "value": value,
            "low": low,
            "high": high,
            "mse": float(subject.error.mean()),
            "pca_mse": float(self.pca[min(size, len(self.pca) - 1)]),
            "baseline": float(self.baseline),
            "n_test": len(self.rows),
            "epochs": model.n_iter_,
            "seconds": float(last.get("seconds", 0.0)),
        }

    def _nats(self, model: Estimator, known: torch.Tensor) -> float:
        """Nats of an example by the mean of the training examples and the scale, or scales, that suit them."""
        likelihood, mean = model.model_.likelihood, known.mean(0)
        x = self.rows.flatten(1).double()
        if likelihood.required_support is None:  # a density of real numbers, with one scale or with one for each entry
            error = (known - mean).square()
            variance = (error.mean() if likelihood.n_params == 1 else error.mean(0)).clamp(min=_LEAST_VARIANCE)
            nats = 0.5 * ((x - mean).square() / variance + variance.log() + math.log(2 * math.pi)).sum(1)
        else:
            with torch.no_grad():
                nats = -likelihood.score(likelihood.inverse_mean(mean).expand(len(x), -1), x)
        return float(nats.mean()) + model.schema_.log_scale


def _fitted(model: Estimator, X: Any, size: int, place: Path | None) -> Estimator:
    """An estimator of a size, trained from the start; where it was stopped it goes on from its checkpoint."""
    where = None if place is None else sweep_folder.place_of(place, size)
    if where is not None:
        where.mkdir(exist_ok=True)
    fitted = clone(model).set_params(n_components=size, checkpoint=where).fit(X)
    return fitted.set_params(checkpoint=None)


def _pruned(larger: Estimator, X: Any, size: int, epochs: float) -> Estimator:
    """An estimator of a size out of a larger one, trained for so many epochs more."""
    rows = larger.checked(X)
    small, parts = pruning.pruned(larger, size, rows)
    return pruning.tuned(small, parts, rows, epochs)


def _opened(model: Estimator | Path) -> Estimator:
    return load(model) if isinstance(model, Path) else model


def _summed_up(
    model: Estimator,
    why: str,
    results: list[dict[str, Any]],
    share: float,
    models: dict[int, Estimator | Path],
) -> Sweep:
    """The rule, and the result in words."""
    measure, baseline = results[0]["measure"], results[0]["baseline"]
    best = min(results, key=lambda r: r["value"])
    whole = baseline - best["value"]
    enough = next(r for r in results if baseline - r["value"] >= share * whole) if whole > 0 else results[0]
    n = enough["n_components"]
    if whole <= 0:
        reason = (
            f"n_components = {n}: no size is better than the mean of the training examples ({measure} {baseline:.5g})."
        )
    else:
        reason = (
            f"n_components = {n} is enough: it goes {(baseline - enough['value']) / whole:.1%} of the way from no code "
            f"({measure} {baseline:.5g}) to the best size, {best['n_components']} ({best['value']:.5g}); the rule is "
            f"the smallest size with at least {share:.0%}."
        )
    if len(results) > 1 and best is results[-1] and results[-2]["value"] - best["value"] > (1 - share) * whole > 0:
        reason += f" The curve still falls at {best['n_components']}: larger sizes may be worth trying."
    return Sweep(
        model.recipe.name, "separate" if why else "warm", why, measure, results, baseline, share, n, reason, models
    )


# What is asked for


def _checked(model: Any, sizes: Any, warm_start: Any, share: Any) -> list[int]:
    """The sizes in ascending order."""
    if not isinstance(model, Estimator):
        raise TypeError(f"sweep takes a narrows estimator, such as AE(). Got {type(model).__name__}.")
    if getattr(model, "conditional", False):
        raise ValueError(
            "The `conditional` parameter must be False in a sweep, which takes no labels. Got True instead."
        )
    Parameter("sizes", (), LAYER_WIDTHS, "").check(
        "sweep", sizes if isinstance(sizes, np.ndarray) is False else sizes.tolist()
    )
    Parameter("warm_start", "auto", either(BOOL, OneOf(("auto",))), "").check("sweep", warm_start)
    Parameter("share", 0.95, Real(0, 1, open_low=True, open_high=True), "").check("sweep", share)
    found = sorted({int(size) for size in sizes})
    if len(found) < 2:
        raise ValueError(
            f"The `sizes` parameter of sweep must hold at least two sizes to compare. Got {sizes!r} instead."
        )
    return found


def _check_test(model: Estimator, X: Any, test: Any, size: int) -> None:
    """Refuse examples to judge by that are of another form than X, before any training."""
    first = clone(model).set_params(n_components=size)
    first._begin(X)
    check_rows(as_floats(first.validated(test, reset=False)), first.schema_, "sweep")


def _tried(X: Any) -> list[int]:
    shape = X.shape if hasattr(X, "shape") else np.shape(X)
    return [size for size in SIZES_TRIED if size <= np.prod(shape[1:])]


def _parts(X: Any, test: Any, seed: int) -> tuple[Any, Any]:
    """Examples to learn from and to judge by."""
    if test is not None:
        return X, test
    n = count_rows(X, "sweep")
    held = max(1, round(_HELD_OUT * n))
    if n - held < 2:
        raise ValueError(f"A sweep needs at least 3 examples, to learn from and to judge by. Got {n}.")
    order = np.random.default_rng(seed).permutation(n)
    return take_rows(X, np.sort(order[held:])), take_rows(X, np.sort(order[:held]))
