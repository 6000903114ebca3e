"""Pictures of fitted models on matplotlib's axes, in one style; drawing the first one imports matplotlib."""

from narrows.plots.accessor import Plots

__all__ = ["Plots"]
