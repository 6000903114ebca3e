"""A model with its data, and what was found out about them: each once, when it is first asked for."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import torch

from narrows.bottlenecks import as_sparse
from narrows.data import spaced_indices, take_rows
from narrows.estimators.base import Estimator
from narrows.model import inference_mode
from narrows.plots import picks
from narrows.studio import pictures
from narrows.studio.data import MOST_ROWS, Data
from narrows.studio.turns import Turns
from narrows.tasks.search import Index

_BLOCK = 1024  # rows worked on in one turn
_MOST_NUMBERS = 1 << 26  # in all codes together
_SCORED = 2_000  # rows that say what is usual of an entry
_SPAN = 3.0  # how far a dial turns to both sides, in standard deviations, as `traverse` does
_REPORTED = 2_000  # rows that a report looks at, which makes it a matter of seconds
_TOP = 9  # examples shown of a unit
FARTHEST = 1e6  # of a number in a code

T = TypeVar("T")


@dataclass(frozen=True)
class Dial:
    """A component as a slider: see the contract of /api/dials."""

    component: int
    label: str
    carries: float
    used: bool
    low: float
    high: float
    mean: float


class View:
    """A model and, if there are any, examples for it.

    Parameters
    ----------
    model : fitted.
    data : examples such as the model was fitted on, or None.
    turns : whose turn it is to compute.
    name : for people.
    path : the folder of the model, or None.
    saved : whether the folder outlasts the studio.

    Raises
    ------
    ValueError
        If the data are not such as the model was fitted on.
    """

    def __init__(
        self,
        model: Estimator,
        data: Data | None,
        turns: Turns,
        *,
        name: str,
        path: Path | None = None,
        saved: bool = False,
    ) -> None:
        self.model, self.turns, self.name, self.path, self.saved = model, turns, name, path, saved
        self.id = secrets.token_hex(4)
        self.schema, self.bottleneck = model.schema_, model.model_.bottleneck
        self.is_image = self.schema.kind == "image"
        self.has_code = model.model_.has_code
        self.sparse = self.bottleneck.is_sparse
        self.stochastic = self.bottleneck.is_stochastic
        if data is not None:
            data = data.bounded(max(2, min(MOST_ROWS, _MOST_NUMBERS // max(1, self.n_components))))
            with turns.turn():
                model.reconstruct(data.rows(slice(0, 64)))  # says what does not fit
        self.data = data
        frequencies = self.schema.frequencies or ()
        self.chosen = int(np.argmax(frequencies)) if frequencies else None
        """Which class is decoded, where the model is told one."""
        self._found: dict[str, Any] = {}
        self._finding, self._reporting = threading.RLock(), threading.Lock()
        self._report: bytes | None = None

    @property
    def has_nats(self) -> bool:
        """True where the nats of each component are known."""
        return hasattr(self.model, "components_kl_")

    @property
    def floor(self) -> float:
        """The activation above which a unit of a sparse code fires."""
        code = as_sparse(self.bottleneck)
        assert code is not None
        return code.floor

    @property
    def n_components(self) -> int:
        """Numbers in a code, 0 without one."""
        return self.bottleneck.n_components

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an example as the page gets it: (h, w, c) bytes or (d,) floats."""
        return pictures.display_shape(self.schema) if self.is_image else (self.schema.n_entries,)

    @property
    def columns(self) -> list[str] | None:
        """The names of a vector's entries."""
        if self.is_image:
            return None
        names = self.schema.columns
        return [str(n) for n in names] if names else [f"column {i + 1}" for i in range(self.schema.n_entries)]

    @property
    def classes(self) -> list[str] | None:
        """What a conditional model is told one of."""
        return None if self.chosen is None else [str(name) for name in self.schema.classes or ()]

    # ---------------------------------------------------------------------------------------------- examples

    def shown(self, examples: Any) -> np.ndarray:
        """Examples as the user has them in the form that the page gets: n x `shape`, bytes or float32."""
        array = np.asarray(examples)
        if self.is_image:
            return pictures.to_display(array, self.schema)
        return np.nan_to_num(array.astype(np.float32, copy=False))

    def decoded(self, codes: np.ndarray, *, urgent: bool = True) -> np.ndarray:
        """The examples at codes (n x L), as the page gets them."""
        label = None if self.chosen is None else (self.schema.classes or ())[self.chosen]
        with self.turns.turn(urgent=urgent):
            return self.shown(self.model.inverse_transform(codes, label))

    def as_rows(self, values: np.ndarray) -> Any:
        """An array (n x d) as the model takes it."""
        return self.schema.as_frame(np.asarray(values, dtype=self.schema.dtype))

    def example(self, row: int) -> Any:
        """The example of a row as the model takes it, as an array or a frame of one."""
        assert self.data is not None
        return self.data.rows(slice(row, row + 1))

    def encoded(self, X: Any) -> np.ndarray:
        """The codes of a few examples, n x L."""
        with self.turns.turn(urgent=True):
            return np.asarray(self.model.transform(X), dtype=np.float32)

    def reconstructed(self, X: Any) -> np.ndarray:
        """A few examples through the narrow place and back, as the page gets them."""
        with self.turns.turn(urgent=True):
            return self.shown(self.model.reconstruct(X))

    # ---------------------------------------------------------------------------------------------- found out once

    @property
    def codes(self) -> np.ndarray:
        """Of all rows: n x L, float32."""
        return self._once("codes", lambda: self._blocks(self.model.transform).astype(np.float32, copy=False))

    @property
    def scores(self) -> np.ndarray:
        """`score_samples` of all rows, (n,) nats; NaN where the likelihood cannot score one."""
        return self._once("scores", lambda: self._blocks(self._scored))

    @property
    def index(self) -> Index:
        """All rows to be found by example, all of them compared."""
        return self._once("index", lambda: Index(self.model, exact=True).add_codes(self.codes))

    @property
    def principal(self) -> tuple[np.ndarray, np.ndarray]:
        """The first two principal axes of the codes (2 x L), and the share of the variance on each."""
        return self._once("principal", lambda: picks.principal_axes(self.codes))

    @property
    def highest(self) -> np.ndarray:
        """The greatest activation of each unit over all rows, (L,)."""
        return self._once("highest", lambda: self.codes.max(0))

    @property
    def unit_table(self) -> dict[str, np.ndarray]:
        """Of each unit: `rate`, `strength` (its mean where it is active), and the rows `top` (9 x L)."""
        return self._once("units", self._units)

    @property
    def usual(self) -> torch.Tensor:
        """The mean over rows of -log p of each entry, in nats: what an entry costs as a rule."""

        def mean() -> torch.Tensor:
            assert self.data is not None
            rows = spaced_indices(len(self.data), _SCORED)
            total = torch.zeros(self.schema.shape, dtype=torch.float64)
            for start in range(0, len(rows), 256):
                with self.turns.turn():
                    total += self._entry_costs(self.data.rows(rows[start : start + 256])).sum(0)
            return total / len(rows)

        return self._once("usual", mean)

    @property
    def dials(self) -> list[Dial]:
        """All components, those first that carry most."""
        return self._once("dials", self._dials)

    def report(self) -> bytes:
        """The page about the model, written once. It takes no turns: dials go on while it is made."""

        def written() -> bytes:
            from narrows.report import write_report  # with all measures, which the dials need not wait for

            data = self.data
            assert data is not None
            y = None if data.labels is None else np.array([data.labels.word(row) or "" for row in range(len(data))])
            with tempfile.TemporaryDirectory(prefix="narrows-studio-") as folder:
                path = write_report(
                    self.model, data.X, Path(folder) / "report.html", y=y, name=data.name, max_examples=_REPORTED
                )
                return path.read_bytes()

        with self._reporting:
            if self._report is None:
                self._report = written()
            return self._report

    # ---------------------------------------------------------------------------------------------- inside

    def contributions(self, rows: np.ndarray) -> np.ndarray:
        """How many nats each entry of a few rows costs above what is usual: n x `schema.shape`."""
        assert self.data is not None
        usual = self.usual
        with self.turns.turn(urgent=True):
            costs = self._entry_costs(self.data.rows(rows))
        return np.nan_to_num((costs - usual).numpy())

    def _entry_costs(self, X: Any) -> torch.Tensor:
        """-log p(x | z) of each entry at the example's own code, in nats: n x `schema.shape`."""
        model = self.model.module()
        x = self.model.prepared(X).to(next(model.parameters()))
        with inference_mode(model):
            return -model.likelihood.log_prob(model.decode_own(x), x).detach().cpu().double()

    def _scored(self, X: Any) -> np.ndarray:
        likelihood = self.model.model_.likelihood
        if likelihood.required_support is None:
            return self.model.score_samples(X)
        found = np.full(len(X), np.nan)
        within = np.flatnonzero(likelihood.contains(self.model.prepared(X)).flatten(1).all(1).cpu().numpy())
        if len(within):
            found[within] = self.model.score_samples(take_rows(X, within))
        return found

    def _blocks(self, work: Callable[[Any], Any]) -> np.ndarray:
        """`work` of all rows, many turns long."""
        assert self.data is not None
        parts = []
        for start in range(0, len(self.data), _BLOCK):
            with self.turns.turn():
                parts.append(np.asarray(work(self.data.rows(slice(start, start + _BLOCK)))))
        return np.concatenate(parts)

    def _once(self, name: str, find: Callable[[], T]) -> T:
        """What `find` gives, found once; whoever asks meanwhile waits."""
        if name not in self._found:
            with self._finding:
                if name not in self._found:
                    self._found[name] = find()
        return cast(T, self._found[name])

    def _dials(self) -> list[Dial]:
        model = self.model
        mean, std = np.asarray(model.code_mean_), np.asarray(model.code_std_)
        if self.has_nats:
            carries, scale = np.asarray(model.components_kl_), model.dial_scale()
            used = ~np.isin(np.arange(len(mean)), model.unused_components_)
        else:
            variance = std**2
            carries, scale = variance / max(float(variance.sum()), 1e-300), np.maximum(std, 1e-6)
            used = std > 1e-6
        low, high = mean - _SPAN * scale, mean + _SPAN * scale
        if self.sparse:
            low = np.zeros_like(mean)
            if self.data is not None:
                high = np.maximum(self.highest, 1e-6)
        order = np.argsort(-carries, kind="stable")
        labels = [""] * len(order) if self.is_image else self._effects(order[:64], mean, low, high)
        labels += [""] * (len(order) - len(labels))
        return [
            Dial(int(i), label, float(carries[i]), bool(used[i]), float(low[i]), float(high[i]), float(mean[i]))
            for i, label in zip(order, labels, strict=True)
        ]

    def _effects(self, components: np.ndarray, mean: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[str]:
        """For each component, the two columns that it moves most and whereto: 'height up, weight down'."""
        ends = np.tile(mean, (2 * len(components), 1))
        for k, i in enumerate(components):
            ends[2 * k, i], ends[2 * k + 1, i] = low[i], high[i]
        decoded = self.decoded(ends, urgent=False).astype(np.float64)
        change = (decoded[1::2] - decoded[::2]) / np.broadcast_to(self.schema.scale, decoded.shape[1:])
        names, words = self.columns or [], []
        for moved in change:
            most = [j for j in np.argsort(-np.abs(moved))[:2] if abs(moved[j]) > 0.05 * np.abs(moved).max() + 1e-9]
            words.append(", ".join(f"{names[j]} {'up' if moved[j] > 0 else 'down'}" for j in most))
        return words

    def _units(self) -> dict[str, np.ndarray]:
        z = torch.from_numpy(self.codes)
        active = z > self.floor
        count = active.sum(0)
        strength = torch.where(active, z, torch.zeros_like(z)).sum(0) / count.clamp(min=1)
        top = z.topk(min(_TOP, len(z)), dim=0).indices
        return {
            "rate": (count / len(z)).numpy(),
            "strength": strength.numpy(),
            "top": top.numpy(),
            "count": count.numpy(),
        }
