"""Pictures of fitted models on matplotlib's axes, in one style; matplotlib is imported when the first one is drawn."""

from narrows.plots.accessor import Plots

__all__ = ["Plots"]
