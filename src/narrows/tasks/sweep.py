"""Choice of the number of components: models of several sizes, the quality of each, and the smallest that is enough.

    enough   the smallest size k with  q_0 - q_k >= share (q_0 - best),   share = 0.95
    q_k      of a model with k components on held-out examples: the mean squared error per entry (for tables the mean
             error of a cell, see `narrows.evaluation.cells`), or for a stochastic code the negative ELBO in nats per
             example; lower is better
    q_0      of a model without a code, which predicts the mean of the training examples
    best     the lowest q_k of the sweep

For PCA it is the usual rule "components for 95 % of the variance".

If the model allows it, only the largest size is trained from the start. Every smaller one is pruned from the next
larger one (`narrows.tasks.pruning`) and trained for a fraction of the epochs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from sklearn.base import clone

from narrows.data import as_floats, check_rows, count_entries, count_rows, spaced_indices, take_rows
from narrows.data.atomic import atomic_path
from narrows.estimators import Estimator, load
from narrows.estimators.signature import as_seed
from narrows.evaluation.cells import has_gaps
from narrows.evaluation.inspection import Inspection
from narrows.evaluation.intervals import Resamples
from narrows.evaluation.pca import pca_errors
from narrows.likelihoods import Mixed
from narrows.params import BOOL, LAYER_WIDTHS, OneOf, Parameter, Real, either
from narrows.tasks import pruning, sweep_folder
from narrows.training.progress import Reporter
from narrows.types import split_missing

DEFAULT_SIZES = (1, 2, 4, 8, 16, 32)
_HELD_OUT = 0.1  # fraction of the examples
_WARM_EPOCHS = 0.6  # epochs of all pruned sizes together, as a fraction of those of the largest size
_MAX_PCA_ROWS = 20_000
_MIN_VARIANCE = 1e-6  # of an entry, as in the likelihoods
_MEASURES = {"mse": "mean squared error per entry", "negative_elbo": "negative ELBO, nats per example"}


@dataclass
class Sweep:
    """Result of a sweep.

    Attributes
    ----------
    recipe : name of the recipe that was fitted.
    mode : "warm" if each size was pruned from the next larger one, "separate" if each was trained from the start.
    why : reason for separate trainings; empty for "warm".
    measure : "mse" (mean squared error per entry) or "negative_elbo" (nats per example); lower is better.
    results : a dictionary for each size, ascending: `n_components`, the measure as `value` with its 95 % interval from
        `low` to `high`, `mse` and `pca_mse` per entry, `epochs` and `seconds` of training.
    baseline : the measure without a code.
    share : in (0, 1), the fraction of the way from `baseline` to the best value that is enough.
    recommended : the smallest size that is enough.
    reason : the reason for this recommendation, a sentence.
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
        """Numbers of components of the results, ascending."""
        return [result["n_components"] for result in self.results]

    def model(self, n_components: int | None = None) -> Estimator:
        """Return the fitted estimator with `n_components` components; None takes the recommended number.

        Raises
        ------
        ValueError
            If the sweep has no such size.
        """
        n = self.recommended if n_components is None else n_components
        if n not in self._models:
            raise ValueError(
                f"The `n_components` parameter of Sweep.model must be one of {self.sizes}. Got {n} instead."
            )
        return _load(self._models[n])

    def to_dict(self) -> dict[str, Any]:
        """Return all attributes in types that JSON has, without the models."""
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
        """Plot the measure against the number of components into a file (.png, .svg, .pdf).

        Raises
        ------
        ValueError
            If matplotlib does not know the suffix of `path`.
        OSError
            If `path` cannot be written.
        """
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
    """Fit `model` with several numbers of components, and recommend the smallest number that is enough.

    Parameters
    ----------
    model : an estimator, fitted or not. All its parameters are used except `n_components`.
    X : n examples, as `fit` takes them.
    sizes : at least two numbers of components; None takes 1, 2, 4, ..., 32, up to the number of entries of an example.
    test : held-out examples for the measure; None holds out a tenth of X.
    folder : folder for the model and the result of each finished size, and a plot. An interrupted sweep resumes from
        it. None keeps everything in memory.
    warm_start : True prunes each size from the next larger one, so that all sizes together take less than twice as long
        as the largest alone. False trains each size from the start, which is slightly better for small sizes. "auto" is
        True if the model allows it.
    share : in (0, 1), the fraction of the way from no code to the best size that is enough.
    overwrite : True to delete another sweep in `folder`.

    Returns
    -------
    Sweep
        `recommended` is the number, `reason` explains it, `model()` is the fitted estimator, `plot(path)` draws it.

    Raises
    ------
    ValueError
        If a parameter is outside its range, `test` is not like X, or `folder` holds another sweep or other files.
    TypeError
        If `model` is not an estimator of narrows.
    FileExistsError
        If `folder` is a file.
    KeyboardInterrupt
        On Ctrl-C; the message says how to resume.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import AE
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 8))  # two components explain all of it
    >>> result = sweep(AE(hidden=(), max_epochs=60, learning_rate=0.01, random_state=0), X, sizes=(1, 2, 4))
    >>> result.mode, result.sizes, result.recommended
    ('warm', [1, 2, 4], 2)
    """
    sizes = _check_parameters(model, _default_sizes(X) if sizes is None else sizes, warm_start, share)
    seed, path = as_seed(model.random_state), None if folder is None else Path(folder).expanduser()
    if path is not None:
        sweep_folder.clear(path, overwrite)
        is_fixed = isinstance(model.random_state, (int, np.integer))
        seed = seed if is_fixed else sweep_folder.read_seed(path, seed)
    model = clone(model).set_params(random_state=seed, checkpoint=None)
    if test is not None:
        _check_test(model, X, test, sizes[0])
    train, test = _split(X, test, seed)
    why = "as asked" if warm_start is False else pruning.find_obstacle(model, train, sizes[-1], sizes[0])
    if warm_start is True and why is not None:
        raise ValueError(f"The `warm_start` parameter of sweep must be False for this model: {why}. Got True instead.")
    if path is not None:
        sweep_folder.prepare(path, sweep_folder.identity(model, train, test, [] if why else sizes), seed)
    done: dict[int, dict[str, Any]] = {}
    models: dict[int, Estimator | Path] = {}
    evaluator: _Evaluator | None = None
    larger: Estimator | None = None
    reporter = Reporter(model.verbose, "sweep", has_pulse=True)
    with reporter, sweep_folder.hint_at_resume(path, done, len(sizes)):
        for i, size in enumerate(reversed(sizes)):
            reporter.begin_part(i / len(sizes), (i + 1) / len(sizes))
            result = None if path is None else sweep_folder.read_result(path, size)
            if result is None:
                if larger is None and models and not why:
                    larger = _load(models[min(models)])
                if larger is None or why:
                    larger = _fit(model, train, size, path)
                else:
                    larger = _prune(larger, train, size, _WARM_EPOCHS / (len(sizes) - 1) * done[sizes[-1]]["epochs"])
                evaluator = evaluator or _Evaluator(larger, train, test, sizes[-1])
                result = evaluator.evaluate(larger, size)
                models[size] = larger if path is None else sweep_folder.save_size(path, size, larger, result)
            elif path is not None:
                models[size] = sweep_folder.model_folder(path, size)
            done[size] = result
    summary = _summarize(model, why or "", [done[size] for size in sizes], share, models)
    if path is not None:
        sweep_folder.write_summary(path, summary.to_dict())
        summary.plot(path / "sweep.png")
    return summary


class _Evaluator:
    """Measures a model of any size, and PCA of the same size, on the test examples."""

    def __init__(self, model: Estimator, train: Any, test: Any, largest: int) -> None:
        self.test, self.rows, self.resamples = test, model.prepare(test), Resamples(0)
        self.measure = "negative_elbo" if model.model_.bottleneck.is_stochastic else "mse"
        train_rows = model.prepare(take_rows(train, spaced_indices(count_rows(train, "sweep"), _MAX_PCA_ROWS)))
        self.pca = pca_errors(train_rows, self.rows, model.schema_, range(largest + 1))
        self.baseline = self.pca[0] if self.measure == "mse" else self._baseline_nats(model, train_rows)

    def evaluate(self, model: Estimator, size: int) -> dict[str, Any]:
        """Return the result of a size, as `Sweep.results` has it."""
        inspection = Inspection(model, self.test)
        values = inspection.errors if self.measure == "mse" else -inspection.scores
        value, low, high, _ = self.resamples.mean(values)
        last = model.history_[-1] if model.history_ else {}
        return {
            "n_components": size,
            "measure": self.measure,
            "value": value,
            "low": low,
            "high": high,
            "mse": float(inspection.errors.mean()),
            "pca_mse": float(self.pca[size]),
            "baseline": float(self.baseline),
            "n_test": len(self.rows),
            "epochs": model.n_iter_,
            "seconds": float(last.get("seconds", 0.0)),
        }

    def _baseline_nats(self, model: Estimator, train_rows: torch.Tensor) -> float:
        """Return the nats per test example without a code, from the mean and the scales of `train_rows` (n x shape)."""
        likelihood, train = model.model_.likelihood, train_rows.flatten(1).double()
        mean = train.nanmean(0).nan_to_num() if has_gaps(train) else train.mean(0)  # 0 where all are missing
        x, observed = split_missing(self.rows.flatten(1).double())
        is_table = model.schema_.kind == "table"
        if is_table:
            likelihood = cast(Mixed, likelihood).without_code(train_rows)
        if likelihood.required_support is None and not is_table:
            # a density of real numbers, with one scale or one for each entry
            error = (train - mean).square()
            average = torch.nanmean if has_gaps(error) else torch.mean
            variance = (average(error) if likelihood.n_params == 1 else average(error, 0)).nan_to_num(nan=1.0)
            variance = variance.clamp(min=_MIN_VARIANCE)
            nats = 0.5 * ((x - mean).square() / variance + variance.log() + math.log(2 * math.pi))
            nats = (nats if observed is None else nats * observed).sum(1)
        else:
            with torch.no_grad():
                params = likelihood.inverse_mean(mean).expand(len(x), -1)
                nats = -likelihood.score(params, x, observed)
        return float(nats.mean()) + float(np.mean(model.schema_.log_scale(model.schema_.restore(self.rows))))


def _fit(model: Estimator, X: Any, size: int, folder: Path | None) -> Estimator:
    """Fit an estimator of a size from the start, or from its checkpoint if it was interrupted."""
    checkpoint = None if folder is None else sweep_folder.model_folder(folder, size)
    if checkpoint is not None:
        checkpoint.mkdir(exist_ok=True)
    fitted = clone(model).set_params(n_components=size, checkpoint=checkpoint).fit(X)
    return fitted.set_params(checkpoint=None)


def _prune(larger: Estimator, X: Any, size: int, epochs: float) -> Estimator:
    """Make an estimator of a size from a larger one, and train it for `epochs` epochs."""
    rows = larger.check(X)
    small, parts = pruning.prune(larger, size, rows)
    return pruning.fine_tune(small, parts, rows, epochs)


def _load(model: Estimator | Path) -> Estimator:
    return load(model) if isinstance(model, Path) else model


def _summarize(
    model: Estimator,
    why: str,
    results: list[dict[str, Any]],
    share: float,
    models: dict[int, Estimator | Path],
) -> Sweep:
    """Apply the rule for `recommended`, and explain the result in a sentence."""
    measure, baseline = results[0]["measure"], results[0]["baseline"]
    best = min(results, key=lambda r: r["value"])
    gain = baseline - best["value"]
    enough = next(r for r in results if baseline - r["value"] >= share * gain) if gain > 0 else results[0]
    n = enough["n_components"]
    if gain <= 0:
        reason = (
            f"n_components = {n}: no size is better than the mean of the training examples ({measure} {baseline:.5g})."
        )
    else:
        reason = (
            f"n_components = {n} is enough: it goes {(baseline - enough['value']) / gain:.1%} of the way from no code "
            f"({measure} {baseline:.5g}) to the best size, {best['n_components']} ({best['value']:.5g}); the rule is "
            f"the smallest size with at least {share:.0%}."
        )
    if len(results) > 1 and best is results[-1] and results[-2]["value"] - best["value"] > (1 - share) * gain > 0:
        reason += f" The curve still falls at {best['n_components']}: larger sizes may be worth trying."
    return Sweep(
        model.recipe.name, "separate" if why else "warm", why, measure, results, baseline, share, n, reason, models
    )


def _check_parameters(model: Any, sizes: Any, warm_start: Any, share: Any) -> list[int]:
    """Check the parameters of `sweep`, and return the sizes in ascending order."""
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
    ascending = sorted({int(size) for size in sizes})
    if len(ascending) < 2:
        raise ValueError(
            f"The `sizes` parameter of sweep must hold at least two sizes to compare. Got {sizes!r} instead."
        )
    return ascending


def _check_test(model: Estimator, X: Any, test: Any, size: int) -> None:
    """Raise ValueError if the test examples are not like X, before any training."""
    first = clone(model).set_params(n_components=size)
    first._start_fit(X)
    check_rows(as_floats(first.validate(test, reset=False)), first.schema_, "sweep", first.recipe.allows_gaps)


def _default_sizes(X: Any) -> list[int]:
    return [size for size in DEFAULT_SIZES if size <= count_entries(X)]


def _split(X: Any, test: Any, seed: int) -> tuple[Any, Any]:
    """Return the training examples and the test examples."""
    if test is not None:
        return X, test
    n = count_rows(X, "sweep")
    n_test = max(1, round(_HELD_OUT * n))
    if n - n_test < 2:
        raise ValueError(f"A sweep needs at least 3 examples, to train and to test on. Got {n}.")
    order = np.random.default_rng(seed).permutation(n)
    return take_rows(X, np.sort(order[n_test:])), take_rows(X, np.sort(order[:n_test]))
