"""`model.plot`: what a fitted model's pictures are called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from narrows.fitted import FittedModel
from narrows.params import Integer, Parameter
from narrows.plots import picks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from narrows.plots.style import Layout

_PICTURES = ("curves", "reconstructions", "map", "dials", "samples", "units")
_MOST_PLACES = 20_000  # on a map, before its picture is a blot


class Plots:
    """Pictures of a fitted model. Each is drawn on the axes that it is given or on new ones, and returns them.

    Images are shown as such, vectors as bars under their columns' names. `model.plot.curves().figure.savefig("a.png")`
    keeps a picture; a notebook shows it.

    Parameters
    ----------
    model : a fitted estimator.
    new_axes : from inches and a layout to axes, where none are given; None for those that a notebook shows.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import VAE
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> model = VAE(2, hidden=(8,), max_epochs=2, random_state=0).fit(X)
    >>> model.plot.map(X).get_xlabel()
    'component 0'
    """

    def __init__(self, model: FittedModel, new_axes: Callable[[float, float, Layout], Axes] | None = None) -> None:
        self.model, self._new_axes = model, new_axes

    def __repr__(self) -> str:
        return f"{type(self.model).__name__}.plot: {', '.join(_PICTURES)}"

    def curves(self, *, ax: Axes | None = None) -> Axes:
        """The loss by epoch, of the rows trained on and of those held out, in nats an example."""
        from narrows.plots import drawing

        lines = picks.losses(self.model.history_)
        if not lines:
            raise ValueError("plot.curves has nothing to draw: the training was stopped before its first look.")
        ax = self._axes(ax, 5.2, 3)
        drawing.curves(ax, lines, "epochs", "loss, nats an example")
        return ax

    def reconstructions(self, X: Any, n: int = 4, *, ax: Axes | None = None) -> Axes:
        """The `n` examples of X that come out best, typically and worst, above what comes out of them."""
        from narrows.plots import drawing

        _check("reconstructions", "n", n)
        found = picks.rebuilt(self.model, X)
        schema = self.model.schema_
        if schema.kind == "image":
            chosen = picks.best_typical_worst(found.error, n)
            third = len(chosen) // 3 or 1
            both = {"original": found.rows, "reconstructed": found.rebuilt}
            rows = [(name, picks.pictures(given[chosen])) for name, given in both.items()]
            ax = self._axes_of_images(ax, [name for name, _ in rows], len(chosen) + 1)
            heads = [(i * third, words) for i, words in enumerate(("best", "typical", "worst"))][: len(chosen) // third]
            breaks = [third, 2 * third] if len(chosen) == 3 * third else []
            drawing.images(ax, rows, heads, picks.limits(schema, found.rows), breaks)
            return ax
        chosen = picks.best_typical_worst(found.error, 1)
        labels = [
            f"{words}\nerror {drawing.number(found.error[i])}"
            for words, i in zip(("best", "typical", "worst"), chosen, strict=False)
        ]
        lanes = [
            (label, [("original", found.rows[i].ravel()), ("reconstructed", found.rebuilt[i].ravel())])
            for label, i in zip(labels, chosen, strict=True)
        ]
        names = picks.entries(schema)
        ax = self._axes_of_vectors(ax, names, 2.7)
        drawing.lanes(ax, lanes, names, picks.unit_of(schema))
        return ax

    def map(self, X: Any, y: Any = None, *, ax: Axes | None = None) -> Axes:
        """The codes of X as places, coloured by `y`: two components as they are, more projected onto two (PCA).

        Parameters
        ----------
        y : n labels: up to ten kinds are classes with a colour and a marker each, numbers with an order are a scale of
            colours.
        """
        from narrows.plots import drawing, style

        picks.needs_code(self.model, "plot.map")
        codes = np.asarray(self.model.transform(X))
        labels = None if y is None else picks.map_labels(y, len(codes), "plot.map")
        plane = picks.plane(codes)
        shown = np.arange(len(codes))
        if len(codes) > _MOST_PLACES:
            shown = np.sort(np.random.default_rng(0).choice(len(codes), _MOST_PLACES, replace=False))
        ax = self._axes(ax, 5.6, 4.8)
        kinds = None if labels is None else picks.classes(labels, style.N_CLASSES)
        drawing.places(ax, plane.places[shown], None if labels is None else labels[shown], kinds)
        style.dress(ax, x=plane.axes[0], y=plane.axes[1], grid="both")
        return ax

    def dials(
        self, x: Any = None, *, n_dials: int = 12, n_steps: int = 9, span: float = 3.0, ax: Axes | None = None
    ) -> Axes:
        """What each dial does: one row a component, turned from low to high, those first that carry most.

        Parameters
        ----------
        x : the example to start from (its first row, if it is several); None starts from the centre of all codes.
        n_dials, n_steps : rows, and positions in each.
        span : how far a dial is turned to both sides, in standard deviations.
        """
        from narrows.plots import drawing

        picks.needs_code(self.model, "plot.dials")
        _check("dials", "n_dials", n_dials)
        schema = self.model.schema_
        chosen, labels = picks.dial_order(self.model, n_dials)
        turned = self.turned(x, chosen, n_steps, span)
        if schema.kind == "image":
            flat = picks.pictures(turned.reshape(-1, *schema.shape))
            images = flat.reshape(*turned.shape[:2], *flat.shape[1:])
            ax = self._axes_of_images(ax, labels, n_steps)
            heads = [(0, f"\N{MINUS SIGN}{span:g}"), (n_steps // 2, "0"), (n_steps - 1, f"{span:g}")]
            drawing.images(ax, list(zip(labels, images, strict=True)), heads, picks.limits(schema, flat))
            return ax
        names = picks.entries(schema)
        ax = self._axes_of_vectors(ax, names, 0.8 * len(chosen))
        low, high = f"turned to \N{MINUS SIGN}{span:g}", f"turned to {span:g}"
        middle = turned[:, n_steps // 2]
        lanes = [
            (label, [(high, row[-1].ravel() - at.ravel()), (low, row[0].ravel() - at.ravel())])
            for label, row, at in zip(labels, turned, middle, strict=True)
        ]
        drawing.lanes(ax, lanes, names, f"{picks.unit_of(schema)}, from the middle")
        return ax

    def samples(self, n: int = 32, *, X: Any = None, random_state: Any = 0, ax: Axes | None = None) -> Axes:
        """New examples: images in rows; of vectors how each column's values lie, beside those of X if it is given.

        Parameters
        ----------
        n : how many images; of vectors as many are drawn as X holds, or 1,000.
        random_state : seed.
        """
        from narrows.plots import drawing

        _check("samples", "n", n)
        if not picks.can_sample(self.model):
            raise ValueError(f"plot.samples needs a code that can be drawn; this {type(self.model).__name__} has none.")
        schema = self.model.schema_
        if schema.kind == "image":
            drawn = picks.pictures(self.drawn(n, random_state))
            across = min(n, 8)
            rows = [("new" if i == 0 else "", drawn[i : i + across]) for i in range(0, n, across)]
            if X is not None:
                real = picks.pictures(self.model.prepared(X[:across]).numpy())
                rows.append(("real", real))
            ax = self._axes_of_images(ax, [name for name, _ in rows], across)
            drawing.images(ax, rows, (), picks.limits(schema, drawn))
            return ax
        real_rows = None if X is None else self.model.prepared(X).numpy()
        groups = {"new": self.drawn(1000 if real_rows is None else len(real_rows), random_state)}
        if real_rows is not None:
            groups["real"] = real_rows
        names = picks.entries(schema)
        ax = self._axes_of_vectors(ax, names, 2.2)
        drawing.spans(ax, groups, names, picks.unit_of(schema))
        return ax

    def units(self, X: Any, *, n_units: int = 10, n_examples: int = 8, ax: Axes | None = None) -> Axes:
        """The busiest units of a sparse code: what each adds, how often it fires, and for which of X most.

        Of vectors the direction alone is drawn, as bars.
        """
        from narrows.plots import drawing, style

        picks.needs_sparse(self.model, "plot.units")
        _check("units", "n_units", n_units)
        schema = self.model.schema_
        found = picks.units(self.model, X, n_units, n_examples)
        steps = picks.directions(self.model)
        shown = found.order[:n_units]
        labels = [f"unit {unit}, {found.rate[unit]:.1%}" for unit in shown]
        if schema.kind == "image":
            rows = self.model.prepared(X).numpy()
            low, high = picks.limits(schema, rows)
            lines = []
            for label, unit, best in zip(labels, shown, found.best, strict=True):
                examples = drawing.opaque(picks.pictures(rows[best]), (low, high))
                first = style.signed(picks.pictures(steps[unit][None, :1]))
                lines.append((label, np.concatenate([first, examples])))
            ax = self._axes_of_images(ax, labels, n_examples + 1)
            heads = [(0, "adds"), (1, "fires most for")] if n_examples else [(0, "adds")]
            drawing.images(ax, lines, heads, breaks=[1])
            return ax
        names = picks.entries(schema)
        ax = self._axes_of_vectors(ax, names, 0.6 * len(shown))
        lanes = [(label, [("adds", steps[unit].ravel())]) for label, unit in zip(labels, shown, strict=True)]
        drawing.lanes(ax, lanes, names, picks.unit_of(schema))
        return ax

    # ---------------------------------------------------------------------------------------------- inside

    def _axes(self, ax: Axes | None, width: float, height: float, layout: Layout = "constrained") -> Axes:
        from narrows.plots import style

        return (self._new_axes or style.new_axes)(width, height, layout) if ax is None else ax

    def _axes_of_images(self, ax: Axes | None, labels: list[str], n_columns: int) -> Axes:
        """Axes for rows of images with a label each."""
        width, height = 0.62 * n_columns + 0.2 + 0.075 * max(map(len, labels)), 0.62 * len(labels) + 0.35
        return self._axes(ax, width, height, "compressed")

    def _axes_of_vectors(self, ax: Axes | None, names: list[str], height: float) -> Axes:
        """Axes over columns of these names, `height` inches and what the names need."""
        from narrows.plots import drawing

        width = float(np.clip(0.28 * len(names) + 2, 5.5, 10))
        return self._axes(ax, width, height + 0.4 + drawing.inches_below(names))

    def turned(self, x: Any, components: list[int], n_steps: int, span: float) -> np.ndarray:
        """Dials turned, on the model's scale: dials x n_steps x `schema_.shape`."""
        schema = self.model.schema_
        if x is not None and getattr(x, "shape", np.shape(x)) == schema.user_shape:
            x = np.asarray(x)[None]
        turned = self.model.traverse(x, components=components, n_steps=n_steps, span=span)
        flat = schema.prepare(torch.from_numpy(np.array(turned.reshape(-1, *turned.shape[2:]))))
        return flat.numpy().reshape(*turned.shape[:2], *schema.shape)

    def drawn(self, n: int, random_state: Any) -> np.ndarray:
        """New examples, on the model's scale: n x `schema_.shape`."""
        drawn = np.asarray(self.model.sample(n, random_state=random_state))
        return self.model.schema_.prepare(torch.from_numpy(np.array(drawn))).numpy()


def _check(method: str, name: str, value: Any) -> None:
    Parameter(name, 1, Integer(1), "").check(f"plot.{method}", value)
