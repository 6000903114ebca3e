"""The base of all estimators: the scikit-learn interface around a model of five parts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from narrows import recipes, storage
from narrows.data import EncodedRows, MixingBuffer, as_floats, min_max, target_of
from narrows.estimators.building import build_parts
from narrows.estimators.card import card
from narrows.estimators.display import Displayed, warn_of_findings
from narrows.estimators.generation import needs_code
from narrows.estimators.judged import Judged
from narrows.estimators.labels import Labelled
from narrows.estimators.saving import documents, fingerprint
from narrows.estimators.scoring import Scoring
from narrows.estimators.seen_rows import SeenRows
from narrows.estimators.signature import TRAINING, as_seed, constructor, documentation, reset_fitted, seed_of_run
from narrows.estimators.summary import summarize
from narrows.estimators.targets import Targeted
from narrows.estimators.threshold import NAME as THRESHOLD
from narrows.estimators.training_rows import check_components, infer_rows, list_facts, open_training
from narrows.extensions import extension
from narrows.objectives import Objective
from narrows.params import Parameter
from narrows.plots import Plots
from narrows.training import Interrupted, Result, Settings, StreamFailed, checkpoint
from narrows.training import fit as train
from narrows.training.interrupt import end_or_raise
from narrows.training.parallel import join

# the settings of `partial_fit`
_ONE_PASS: dict[str, Any] = {"max_epochs": 1, "max_examples": None, "constant": True, "early_stopping": False}
_ONE_PASS |= {"checkpoint": None, "track": None}


class Estimator(
    Scoring, Labelled, Targeted, Judged, Displayed, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Abstract: an autoencoder with the scikit-learn interface. A subclass names its recipe.

    Attributes
    ----------
    model_ : Autoencoder, the trained model of five parts.
    schema_ : Schema, the form, scale and column names of one example.
    decided_ : dict, values of parameters that are "auto" and on which the network depends, such as `hidden`.
    history_ : list of dict, the losses at each validation; `pandas.DataFrame(model.history_)` makes a table of it.
    report_ : list of str, the decisions and their reasons, and events of the training.
    findings_, verdict_ : list of Finding, what is well and what is not, with what mends it; and a sentence about all.
    seen_rows_ : SeenRows, filter of the rows of `fit`, which tells of many rows whether they were among them.
    n_iter_ : int, number of trained epochs.
    offset_ : float, threshold of `score_samples` in nats; outliers score below it. `report_` says how it was set.
    usual_scores_ : (d,) mean of log p of each column over held-out examples, in nats, for which `decision_function`
        takes missing cells; (1,) for images, for each entry. Only for recipes that take missing values.
    code_mean_, code_std_ : (L,) mean and standard deviation of the training codes; only for models with codes.
    components_kl_ : (L,) nats that each component carries, largest first; only for a stochastic code whose KL has a
        closed form for each component.
    source_ : dict, where the weights come from, such as format, license, model_name; only for a loaded dictionary.
    unused_components_ : list of int, components that carry nothing; only for a stochastic code.
    """

    recipe: ClassVar[recipes.Recipe]
    n_components: Any
    __init__: Callable[..., None]  # each subclass gets its own, made from its recipe
    _fit_by_label: Callable[[np.ndarray, np.ndarray, int], None]  # only for models that take labels

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make an instance. A class without a recipe is abstract."""
        if not hasattr(cls, "recipe"):
            raise TypeError(f"{cls.__name__} is abstract, because it names no recipe. Use narrows.estimator(recipe).")
        return super().__new__(cls)

    def __init_subclass__(cls, recipe: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if recipe is None:
            return
        cls.recipe = recipes.get(recipe)
        if clashes := sorted(cls.recipe.parameters.keys() & (cls.own_parameters.keys() | TRAINING.keys())):
            raise ValueError(
                f"The recipe {recipe!r} must rename `{clashes[0]}`: all estimators have a parameter with that name."
            )
        cls.__init__ = constructor(cls.__name__, cls.parameters(), cls.recipe.fixed)  # type: ignore[misc]
        cls.__doc__ = documentation(cls.__doc__ or "", {**cls.recipe.parameters, **cls.own_parameters})

    def __sklearn_is_fitted__(self) -> bool:
        """Return True after a training, also after one that was stopped. `offset_` is set last."""
        return hasattr(self, "offset_")

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """Return all parameters by name: those of the recipe, those of the class, and the shared ones."""
        return {**cls.recipe.parameters, **cls.own_parameters, **TRAINING}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.categorical = tags.input_tags.string = True
        tags.input_tags.allow_nan = self.recipe.allows_gaps
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = False
        return tags

    # ---------------------------------------------------------------------------------------------- fitting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the model on X.

        Parameters
        ----------
        X : array, tensor or data frame of vectors (n, d), or array or tensor of images (n, h, w), (n, h, w, c) or
            (n, c, h, w), of any real dtype; 8-bit images stay 8-bit in memory. Or the path of a .npy or .safetensors
            file, of a folder of them, or of any other file that narrows reads; or a function that makes an iterator of
            blocks of rows, with the parameter `max_examples` (docs/activations.md).
        y : (n,) labels for a conditional model; other models ignore them. NaN or None marks an example without a label.
            For an SAE also targets (n, d), d > 1, or their path: it learns them, a transcoder. Others refuse them.

        Returns
        -------
        self. In a script started by torchrun, all processes train one model together, and each returns the whole model.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or y is not valid, or the training does not fit into memory.
        KeyboardInterrupt
            On Ctrl-C; the model then has the best weights so far and can be used. In a notebook and in IPython, `fit`
            warns and returns instead, and the rest of the cell trains nothing more.
        ConnectionError
            If another process of this training has failed.
        """
        self._check_parameters()
        opened = open_training(X, y, self)
        rows = self._start_fit(opened.X)
        labels = self._label_indices(y, len(rows))
        world = join(self.device)
        seed = world.broadcast(seed_of_run(self.random_state, self.checkpoint))
        settings = self.settings(seed)
        parts = self._assemble(seed, opened.n_rows or len(rows))
        self.model_ = parts.model
        self._check_support(rows)
        buffer = opened.make_buffer(self.schema_, self._check_support, parts.objective, type(self).__name__)
        result, interrupt = self._train(parts.objective, rows, labels, settings, seed, buffer)
        self.history_, self.n_iter_ = result.history, result.n_epochs
        facts = list_facts(self, rows, opened, buffer)
        self.report_ = [*facts, *map(str, (*parts.choices, *result.choices)), *result.notes]
        rows = rows if buffer is None else buffer.as_array()
        if buffer is None:
            self.seen_rows_ = SeenRows.of(rows, seed)
        self._store_summary(rows, result)
        if labels is not None:
            self._fit_by_label(rows, labels, seed)
        self._say_findings()
        end_or_raise(interrupt)
        warn_of_findings(self)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train on one pass over X at a constant learning rate. The first call builds the model.

        There is no schedule and no held-out data: call `fit` for the best result. Each call starts with a new optimizer
        and deletes the samplers of `fit_sampler`, because the codes change. The statistics of the codes and the
        threshold are those of the last X with more than one row.

        Parameters
        ----------
        X : examples as for `fit`, in all calls of the same form; one row is enough after the first call.
        y : labels as for `fit`. For a conditional model, the first call must contain all classes.

        Returns
        -------
        self.

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or y is not valid.
        KeyboardInterrupt
            On Ctrl-C; the model then has what it has learned so far. In IPython as for `fit`.
        ConnectionError
            If another process of this training has failed.
        """
        self._check_parameters()
        is_first = not self.__sklearn_is_fitted__()
        rows = self._start_fit(X) if is_first else self._check(X)
        labels = self._label_indices(y, len(rows))
        world = join(self.device)
        seed = world.broadcast(as_seed(self.random_state))
        if is_first:
            self._parts = self._assemble(seed, len(rows))
            self.model_, self.history_, self.n_iter_ = self._parts.model, [], 0
            self.report_ = [*list_facts(self, rows), *map(str, self._parts.choices)]
            self._parts.objective.restart(0.0, warmup=0.0)  # single passes have no total time for a warm-up
        elif not hasattr(self, "_parts"):
            self._parts = self._assemble(seed)._replace(model=self.model_)
            self._parts.objective.restart(0.0, warmup=0.0)
        self._check_support(rows)
        settings = self.settings(seed + self.n_iter_, **_ONE_PASS)
        result, interrupt = self._train(self._parts.objective, rows, labels, settings, seed)
        self._absorb(result, rows)
        if labels is not None:
            self._fit_by_label(rows, labels, seed)
        end_or_raise(interrupt)
        return self

    def _train(
        self,
        objective: Objective,
        rows: np.ndarray,
        labels: np.ndarray | None,
        settings: Settings,
        seed: int,
        buffer: MixingBuffer | None = None,
    ) -> tuple[Result, Interrupted | StreamFailed | None]:
        """Train `model_` on `rows`, or on an iterator that begins with them.

        After Ctrl-C, or if the iterator fails, also return the error: the caller raises it after storing the result.
        """
        is_identified = settings.checkpoint is not None or join(self.device).size > 1
        try:
            result = train(
                self.model_,
                objective,
                self._pair(rows) if buffer is None else buffer,
                self.schema_,
                settings,
                title=type(self).__name__,
                fingerprint=fingerprint(self, rows, seed, self._targets if labels is None else labels)
                if is_identified
                else "",
                labels=labels,
            )
        except (Interrupted, StreamFailed) as interrupt:
            return interrupt.result, interrupt
        return result, None

    def _absorb(self, result: Result, rows: np.ndarray) -> None:
        """Store the result of a further training on `rows`, and summarize the new codes.

        The samplers of `fit_sampler` are deleted, because the codes have changed, and the filter of the rows.
        """
        self.history_ = self.history_ + result.history
        self.n_iter_ += result.n_epochs
        self.report_ = self.report_ + result.notes
        for name in ("samplers_", "seen_rows_"):
            self.__dict__.pop(name, None)
        if len(rows) > 1 or not self.__sklearn_is_fitted__():  # one row has no deviations
            self._store_summary(rows, result)

    def _store_summary(self, rows: np.ndarray, result: Result) -> None:
        """Summarize and judge the model that was trained on `rows` with this result, and store both."""
        if self._targets is not None:
            self._store_summary_of_pairs(rows, result)
            return
        summary = summarize(self, rows, result.held_out, self._score_rows)
        if summary.order is not None:
            self.model_.order.copy_(summary.order)
        values = {name: value for name, value in summary._asdict().items() if name.endswith("_") and value is not None}
        self.__dict__.update(values)
        decided = [line for line in self.report_ if not line.startswith(f"{THRESHOLD} = ")]
        self.report_ = [*decided, str(summary.threshold)]
        self._judge(rows, result, summary)
        self._after_fit(summary.sample)
        self._keep(rows, result.held_out)
        self.offset_ = summary.threshold.value  # last, because it marks the estimator as fitted

    @property
    def plot(self) -> Plots:
        """Plots of the fitted model: `plot.curves()`, `.reconstructions(X)`, `.map(X, y)`, `.dials(x)`, ..."""
        check_is_fitted(self)
        return Plots(self)

    def studio(self, X: Any = None, y: Any = None) -> Any:
        """Return a notebook widget with the dials and a map of X, coloured by y. Needs the extra `notebook`."""
        check_is_fitted(self)
        return extension("studio")(self, X, y)

    # ---------------------------------------------------------------------------------------------- inference

    def transform(self, X: Any) -> np.ndarray:
        """Return the codes of X: (n, n_components). For a stochastic code they are the posterior means.

        Codes of a pandas frame know its index, which `inverse_transform` gives back; slices of them do not. With
        sparse_output=True (SAE) they are a SciPy sparse matrix (CSR), which has no index.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on.
        """
        return self._transform(X)

    def reconstruct(self, X: Any, y: Any = None) -> Any:
        """Encode and decode X. Return the mean of the likelihood, in the form and the units of X.

        Parameters
        ----------
        X : examples, (n, ...).
        y : labels for a conditional model, one for all examples or (n,); None infers them.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on, or if `y` is not valid.
        """
        if y is not None:
            codes = self._compute_codes(X)
            return self._decode(self._with_labels(codes, self._label_columns(None, y, len(codes))), like=X)
        result = self._apply("reconstruct", self._as_source(X))
        return target_of(self.schema_).as_frame(result, like=X)

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Return `fit(X, y).predict(X)`: (n,). Raises as `fit` does."""
        return self.fit(X, y).predict(X)

    # ---------------------------------------------------------------------------------------------- saving

    def save(self, folder: str | Path) -> None:
        """Write the fitted model into `folder`: recipe.json, weights, a model card, and notes.json with names of units.

        A checkpoint in `folder` is deleted: the saved model replaces it.

        Raises
        ------
        OSError
            If `folder` is a file, contains files that narrows did not write, or cannot be written.
        """
        check_is_fitted(self)
        storage.write(Path(folder), *documents(self), card(self), getattr(self, "unit_names_", {}))
        (Path(folder).expanduser() / checkpoint.NAME).unlink(missing_ok=True)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "model_" in state:
            # a pickle from a machine with a GPU must load on a machine without one
            state = {**state, "model_": copy.deepcopy(state["model_"]).cpu()}
        for name in ("_parts", "_kept"):
            state.pop(name, None)
        return state

    @property
    def _n_features_out(self) -> int:
        return self.model_.bottleneck.n_components

    # ---------------------------------------------------------------------------------------------- inside

    def _check_parameters(self) -> None:
        for name, parameter in self.parameters().items():
            parameter.check(type(self).__name__, getattr(self, name))

    def _after_fit(self, sample: np.ndarray) -> None:
        """Set the attributes that only a subclass has, from a sample of the training rows. Called after a training."""
        return

    def _start_fit(self, X: Any) -> np.ndarray:
        """Return the training rows. Set `schema_` and check `n_components`.

        The results of an earlier fit are deleted first, so that a failed fit does not leave a mixture of both.
        """
        reset_fitted(self)
        for name in ("_parts", "_kept"):
            self.__dict__.pop(name, None)
        valid = self.validate(X, reset=True)
        rows = as_floats(valid)
        check_components(self.n_components, type(self).__name__)
        if isinstance(rows, EncodedRows):  # a table: `validate` has set the schema
            if not self.recipe.allows_gaps:
                min_max(rows, type(self).__name__, columns=self.schema_.columns)
            return rows
        self.schema_ = self._normalize(infer_rows(rows, self, valid.dtype), rows)
        return rows

    def _assemble(self, seed: int, n_rows: int | None = None) -> recipes.Parts:
        """Build the parts: of a fitted model again, or of a new one for `n_rows` rows, which sets `decided_`."""
        parts = build_parts(self, seed, n_rows)
        self.decided_ = {**getattr(self, "decided_", {}), **parts.decided}
        return parts

    def own_costs(self, seed: int) -> dict[str, float]:
        """Return the weights of the costs of the model's bottleneck, by name."""
        weights = self._assemble(seed).objective.weights
        return {name: weight for name, weight in weights.items() if name in self.model_.bottleneck.costs}

    def settings(self, seed: int, **changes: Any) -> Settings:
        """Return the settings of a training: the parameters of this estimator, with `changes`."""
        names = {f for f in Settings.__dataclass_fields__ if f in TRAINING}
        values = {name: getattr(self, name) for name in names}
        values["checkpoint"] = Path(self.checkpoint).expanduser() if self.checkpoint is not None else None
        return Settings(**{**values, "seed": seed, "pace": self.recipe.pace, **changes})


# not as decorators: scikit-learn wraps the methods in a class body for set_output, and would lose the condition
Estimator.transform = needs_code(Estimator.transform)
Estimator.fit_transform = needs_code(Estimator.fit_transform)
