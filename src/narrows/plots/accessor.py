"""`model.plot`: the pictures of a fitted model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from narrows.evaluation.inspection import Inspection
from narrows.evaluation.layout import check_method, lay_out
from narrows.fitted import FittedModel
from narrows.params import Integer, Parameter
from narrows.plots import content
from narrows.plots.tables import TableView

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from narrows.plots.style import Layout

_PICTURES = ("curves", "reconstructions", "map", "dials", "samples", "units")
_MAX_POINTS = 20_000  # points on a map; more would cover each other
_HEADS = ("best", "typical", "worst")


class Plots:
    """Pictures of a fitted model. Each method draws on the axes that it is given or on new ones, and returns them.

    Images are drawn as images, vectors as bars above the names of their columns, tables in the units of each column. Of
    a table of many columns, 20 are shown. A notebook shows a picture;
    `model.plot.curves().figure.savefig("a.png")` saves it.

    Parameters
    ----------
    model : a fitted estimator.
    new_axes : function that makes axes from a width and a height in inches and a layout; None makes axes that
        notebooks show.

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
        """Draw the loss on training rows and on held-out rows by epoch, in nats per example.

        Raises
        ------
        ValueError
            If the training was stopped before its first record.
        """
        from narrows.plots import drawing

        lines = content.loss_curves(self.model.history_)
        if not lines:
            raise ValueError("plot.curves has nothing to draw: the training was stopped before its first record.")
        ax = self._axes(ax, 5.2, 3)
        drawing.draw_curves(ax, lines, "epochs", "loss, nats per example")
        return ax

    def reconstructions(self, X: Any, n: int = 4, *, ax: Axes | None = None) -> Axes:
        """Draw the examples with the smallest, typical and largest errors, above their reconstructions.

        Parameters
        ----------
        X : examples in the user's units.
        n : number of images of each of the three kinds; of vectors and rows of a table, one of each kind is drawn.
            Of a table, wrong levels and errors above a standard deviation are bold, and what fills a gap is slanted.

        Raises
        ------
        ValueError
            If X does not hold examples such as the model was fitted on.
        """
        from narrows.plots import drawing, table_pictures

        _check("reconstructions", "n", n)
        if self._is_table:
            return table_pictures.reconstructions(self._view(X), _HEADS, self._new_axes_or(ax))
        inspection, schema = Inspection(self.model, X), self.model.schema_
        rows, reconstructions = inspection.rows.numpy(), inspection.reconstructions.numpy()
        if schema.kind == "image":
            index = content.best_typical_worst(inspection.errors, n)
            third = len(index) // 3 or 1
            both = {"original": rows, "reconstructed": reconstructions}
            lines = [(name, content.as_pictures(images[index])) for name, images in both.items()]
            ax = self._axes_of_images(ax, [name for name, _ in lines], len(index) + 1)
            heads = [(i * third, head) for i, head in enumerate(_HEADS)][: len(index) // third]
            breaks = [third, 2 * third] if len(index) == 3 * third else []
            drawing.draw_images(ax, lines, heads, content.pixel_limits(schema, rows), breaks)
            return ax
        index = content.best_typical_worst(inspection.errors, 1)
        lanes = [
            (
                f"{head}\nerror {drawing.format_number(inspection.errors[i])}",
                [("original", rows[i].ravel()), ("reconstructed", reconstructions[i].ravel())],
            )
            for head, i in zip(_HEADS, index, strict=False)
        ]
        names = content.entry_names(schema)
        ax = self._axes_of_vectors(ax, names, 2.7)
        drawing.draw_lanes(ax, lanes, names, content.scale_name(schema))
        return ax

    def map(
        self, X: Any, y: Any = None, *, method: str = "axes", random_state: int = 0, ax: Axes | None = None
    ) -> Axes:
        """Draw the codes of X as points, coloured by `y`; more than two components are laid out on a plane.

        Parameters
        ----------
        X : n examples in the user's units.
        y : n labels, the name of a column of X, or None. Words, and at most ten different whole numbers, are classes
            with a colour and a marker each (the ten most frequent words; the rest is "other"). Other numbers are drawn
            on a scale of colours.
        method : "axes" for the two directions in which codes vary most (PCA), or "neighbors" or "neighbours" for a map
            on which neighbours stay neighbours, as UMAP makes it (`narrows.evaluation.layout`).
        random_state : seed of the neighbour map; of more than 20,000 examples, 20,000 are drawn.

        Raises
        ------
        ValueError
            If the model has no codes, if X or y do not fit it, or if `method` is unknown.
        """
        from narrows.plots import drawing, style

        content.check_code(self.model, "plot.map")
        check_method("plot.map", method)
        y = content.column_or_labels(y, X)
        inspection = self._inspect(X)
        n = inspection.all_codes.shape[0]
        labels = None if y is None else content.map_labels(y, n, "plot.map")
        index = np.arange(n)
        if n > _MAX_POINTS:
            index = np.sort(np.random.default_rng(0).choice(n, _MAX_POINTS, replace=False))
        plane = lay_out(inspection, method, index, random_state=random_state)
        ax = self._axes(ax, 5.6, 4.8)
        classes = None if labels is None else content.label_classes(labels, style.N_CLASSES)
        drawing.draw_points(ax, plane.places, None if labels is None else labels[index], classes)
        style.style_axes(ax, x=plane.names[0], y=plane.names[1], grid="both")
        return ax

    def dials(
        self, x: Any = None, *, n_dials: int = 12, n_steps: int = 9, span: float = 3.0, ax: Axes | None = None
    ) -> Axes:
        """Draw the effect of each dial, one row per component, from low to high, the most informative first.

        Of a table, the columns that move most come first: numbers in standard deviations, levels by their probability.

        Parameters
        ----------
        x : example to start from, or several, of which the first is used; None starts from the centre of all codes.
        n_dials, n_steps : number of rows, and of positions in each row.
        span : distance that a dial is turned to each side, in standard deviations.

        Raises
        ------
        ValueError
            If the model has no codes, or none that can be decoded, or if a parameter is invalid.
        """
        from narrows.plots import drawing, table_pictures

        content.check_decodes(self.model, "plot.dials")
        _check("dials", "n_dials", n_dials)
        schema = self.model.schema_
        if self._is_table:
            start = None if x is None else self.model.prepare(x)[:1]
            view = TableView(Inspection(self.model))
            return table_pictures.dials(view, start, n_dials, n_steps, span, self._new_axes_or(ax))
        components, labels = content.dial_labels(Inspection(self.model), n_dials)
        turned = self.turn_dials(x, components, n_steps, span)
        if schema.kind == "image":
            flat = content.as_pictures(turned.reshape(-1, *schema.shape))
            images = flat.reshape(*turned.shape[:2], *flat.shape[1:])
            ax = self._axes_of_images(ax, labels, n_steps)
            heads = [(0, f"\N{MINUS SIGN}{span:g}"), (n_steps // 2, "0"), (n_steps - 1, f"{span:g}")]
            drawing.draw_images(ax, list(zip(labels, images, strict=True)), heads, content.pixel_limits(schema, flat))
            return ax
        names = content.entry_names(schema)
        ax = self._axes_of_vectors(ax, names, 0.8 * len(components))
        low, high = f"turned to \N{MINUS SIGN}{span:g}", f"turned to {span:g}"
        middle = turned[:, n_steps // 2]
        lanes = [
            (label, [(high, row[-1].ravel() - centre.ravel()), (low, row[0].ravel() - centre.ravel())])
            for label, row, centre in zip(labels, turned, middle, strict=True)
        ]
        drawing.draw_lanes(ax, lanes, names, f"{content.scale_name(schema)}, difference from the middle")
        return ax

    def samples(self, n: int = 32, *, X: Any = None, random_state: Any = 0, ax: Axes | None = None) -> Axes:
        """Draw new examples beside those of X: images in rows; for vectors and tables, the values of each column.

        Parameters
        ----------
        n : number of images. For vectors and tables there are as many as rows of X, or 1,000 without X.
        X : real examples to show beside them, or None.
        random_state : seed of the new examples.

        Raises
        ------
        ValueError
            If the model cannot draw new examples.
        """
        from narrows.plots import drawing, table_pictures

        _check("samples", "n", n)
        if not Inspection(self.model).can_sample:
            raise ValueError(
                f"plot.samples draws random codes; this {type(self.model).__name__} has no distribution of codes."
            )
        schema = self.model.schema_
        if self._is_table:
            view = self._view(X)
            drawn_cells = self.sample_cells(1000 if X is None else len(view.cells), random_state)
            both = [("new", drawn_cells), *([] if X is None else [("real", view.cells)])]
            columns = table_pictures.shown_columns(view) if X is None else view.main
            return table_pictures.samples(columns, view, both, self._new_axes_or(ax))
        if schema.kind == "image":
            drawn = content.as_pictures(self.sample_prepared(n, random_state))
            across = min(n, 8)
            rows = [("new" if i == 0 else "", drawn[i : i + across]) for i in range(0, n, across)]
            if X is not None:
                rows.append(("real", content.as_pictures(self.model.prepare(X[:across]).numpy())))
            ax = self._axes_of_images(ax, [name for name, _ in rows], across)
            drawing.draw_images(ax, rows, (), content.pixel_limits(schema, drawn))
            return ax
        real_rows = None if X is None else self.model.prepare(X).numpy()
        groups = {"new": self.sample_prepared(1000 if real_rows is None else len(real_rows), random_state)}
        if real_rows is not None:
            groups["real"] = real_rows
        names = content.entry_names(schema)
        ax = self._axes_of_vectors(ax, names, 2.2)
        drawing.draw_ranges(ax, groups, names, content.scale_name(schema))
        return ax

    def units(self, X: Any, *, n_units: int = 10, n_examples: int = 8, ax: Axes | None = None) -> Axes:
        """Draw the busiest units of a sparse code: what each adds, how often it fires, and its top examples.

        For vectors and tables, only what each unit adds is drawn, as bars.

        Parameters
        ----------
        X : examples in the user's units.
        n_units, n_examples : number of units, and of images for each unit.

        Raises
        ------
        ValueError
            If the model's code is not sparse.
        """
        from narrows.plots import drawing, style, table_pictures

        content.check_sparse(self.model, "plot.units")
        _check("units", "n_units", n_units)
        inspection = self._inspect(X)
        if self._is_table:
            return table_pictures.units(TableView(inspection), n_units, self._new_axes_or(ax))
        schema = self.model.schema_
        directions, units = inspection.unit_directions, inspection.units.order[:n_units].tolist()
        labels = [f"unit {unit}, {inspection.units.rate[unit]:.1%}" for unit in units]
        if schema.kind == "image":
            rows = inspection.rows.numpy()
            low, high = content.pixel_limits(schema, rows)
            lines = []
            for label, unit in zip(labels, units, strict=True):
                examples = content.as_pictures(rows[inspection.top_rows(unit, n_examples)])
                direction = style.as_signed_rgba(content.as_pictures(directions[unit][None, :1]))
                lines.append((label, np.concatenate([direction, drawing.as_rgba(examples, (low, high))])))
            ax = self._axes_of_images(ax, labels, n_examples + 1)
            heads = [(0, "adds"), (1, "fires most for")] if n_examples else [(0, "adds")]
            drawing.draw_images(ax, lines, heads, breaks=[1])
            return ax
        names = content.entry_names(schema)
        ax = self._axes_of_vectors(ax, names, 0.6 * len(units))
        lanes = [(label, [("adds", directions[unit].ravel())]) for label, unit in zip(labels, units, strict=True)]
        drawing.draw_lanes(ax, lanes, names, content.scale_name(schema))
        return ax

    # ---------------------------------------------------------------------------------------------- inside

    @property
    def _is_table(self) -> bool:
        return self.model.schema_.kind == "table"

    def _view(self, X: Any) -> TableView:
        return TableView(Inspection(self.model, X))

    def _new_axes_or(self, ax: Axes | None) -> Callable[[float, float], Axes]:
        """Return a function of a width and a height in inches that makes axes, or returns `ax`."""
        return lambda width, height: self._axes(ax, width, height)

    def _inspect(self, X: Any) -> Inspection:
        """Return the inspection of X with its codes, which are made in blocks: X may be large."""
        if self.model.model_.bottleneck.is_sparse:
            return Inspection(self.model, X)  # it makes sparse codes, in blocks, too
        return Inspection(self.model, X, codes=np.asarray(self.model.transform(X)))

    def _axes(self, ax: Axes | None, width: float, height: float, layout: Layout = "constrained") -> Axes:
        from narrows.plots import style

        return (self._new_axes or style.new_axes)(width, height, layout) if ax is None else ax

    def _axes_of_images(self, ax: Axes | None, labels: list[str], n_columns: int) -> Axes:
        """Return axes for rows of images with a label each."""
        width, height = 0.62 * n_columns + 0.2 + 0.075 * max(map(len, labels)), 0.62 * len(labels) + 0.35
        return self._axes(ax, width, height, "compressed")

    def _axes_of_vectors(self, ax: Axes | None, names: list[str], height: float) -> Axes:
        """Return axes for columns with these names; `height`, in inches, is without the space for the names."""
        from narrows.plots import drawing

        width = float(np.clip(0.28 * len(names) + 2, 5.5, 10))
        return self._axes(ax, width, height + 0.4 + drawing.inches_below(names))

    def turn_dials(self, x: Any, components: list[int], n_steps: int, span: float) -> np.ndarray:
        """Return examples with dials turned, on the model's scale: dials x n_steps x `schema_.shape`."""
        schema = self.model.schema_
        if schema.table is not None:  # decoded on the model's scale: a frame would hold other columns, too
            start = None if x is None else self.model.prepare(x)[:1]
            params = TableView(Inspection(self.model)).turn(start, components, n_steps, span)
            means = self.model.module().likelihood.mean
            return self.model.apply(means, params.flatten(0, 1)).numpy().reshape(*params.shape[:2], *schema.shape)
        if x is not None and getattr(x, "shape", np.shape(x)) == schema.user_shape:
            x = np.asarray(x)[None]
        turned = self.model.traverse(x, components=components, n_steps=n_steps, span=span)
        flat = schema.prepare(torch.from_numpy(np.array(turned.reshape(-1, *turned.shape[2:]))))
        return flat.numpy().reshape(*turned.shape[:2], *schema.shape)

    def sample_prepared(self, n: int, random_state: Any) -> np.ndarray:
        """Draw new examples, on the model's scale: n x `schema_.shape`."""
        return self.model.prepare(self.model.sample(n, random_state=random_state)).numpy()

    def sample_cells(self, n: int, random_state: Any) -> np.ndarray:
        """Draw new rows of a table, as numbers in the user's units: n x columns."""
        table = self.model.schema_.table
        assert table is not None
        drawn = self.model.sample(n, random_state=random_state)
        return np.asarray(table.encode(drawn, "plot.samples"), dtype=np.float64)


def _check(method: str, name: str, value: Any) -> None:
    Parameter(name, 1, Integer(1), "").check(f"plot.{method}", value)
