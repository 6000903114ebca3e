"""Names on the map: of categories and of clusters, each at a row in its middle."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from narrows.studio.data import Colour
from narrows.studio.view import View

if TYPE_CHECKING:
    from narrows.report.map_columns import MapColumn

_MOST_COLUMNS = 100  # columns that may name clusters
_MOST_NAMES = 40  # of categories on the map


class Landmark(NamedTuple):
    """A name on the map, and the row where it stands."""

    name: str
    row: int


def name_categories(places: np.ndarray, colour: Colour) -> list[Landmark]:
    """Return the categories of a colour at their medoids on a map (n x 2); none of many, or of numbers."""
    from narrows.report.map_columns import medoid  # imported late, for a fast start of the studio

    categories = colour.categories or ()
    if len(categories) > _MOST_NAMES:
        return []
    found = [Landmark(name, medoid(places, np.flatnonzero(colour.values == i))) for i, name in enumerate(categories)]
    return [landmark for landmark in found if landmark.row >= 0]


def name_clusters(view: View, places: np.ndarray) -> list[Landmark]:
    """Return the clusters of a map (n x 2) by name: their commonest label, or what distinguishes them.

    The view has data, and its model has codes.
    """
    from narrows.report import map_columns

    assert view.data is not None
    clusters = map_columns.find_clusters(places)
    labels = view.data.labels
    label = None if labels is None or labels.categories is None else to_map_column("label", labels)
    names = map_columns.name_clusters(
        *(clusters, label, _to_map_columns(list_columns(view)), view.all_codes),
        is_sparse=view.is_sparse,
        has_names=bool(view.schema.columns),
    )
    return [Landmark(name, map_columns.medoid(places, np.flatnonzero(clusters == i))) for i, name in enumerate(names)]


def choose_columns(view: View, places: np.ndarray) -> list[str]:
    """Return the names of at most twelve columns, those that differ most between the clusters of a map (n x 2)."""
    from narrows.report.map_columns import choose, find_clusters

    return [column.name for column in choose(_to_map_columns(list_columns(view)), find_clusters(places), [])]


def list_columns(view: View) -> dict[str, Colour]:
    """Return the first columns of all rows, those that the model takes before the others."""
    assert view.data is not None
    names = (view.columns or [])[:_MOST_COLUMNS]
    if view.is_table:
        taken = {name: view.get_column(name) for name in names}
    elif names:
        values = view.to_page(view.data.X)
        values = values.mean(1) if view.is_series else values
        taken = {name: Colour(values[:, j]) for j, name in enumerate(names)}
    else:
        taken = {}
    others = {name: colour for name, colour in view.data.columns.items() if name not in taken}
    return dict([*taken.items(), *others.items()][:_MOST_COLUMNS])


def _to_map_columns(colours: dict[str, Colour]) -> list[MapColumn]:
    """Return the colours that have a value as columns. Identifiers, with a level for most rows, are left out."""
    columns = [
        to_map_column(name, colour)
        for name, colour in colours.items()
        if 2 * len(colour.categories or ()) <= len(colour.values)
    ]
    return [column for column in columns if column.has_values]


def to_map_column(name: str, colour: Colour) -> MapColumn:
    """Return a colour as a column of the page of `narrows map`."""
    from narrows.report.map_columns import MapColumn

    if colour.categories is None:
        return MapColumn(name, colour.values.astype(float), None, colour.is_date)
    return MapColumn(name, colour.values.astype(int), list(colour.categories))
