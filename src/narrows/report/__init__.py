"""Pages about fitted models."""

from narrows.report.fitted import write_report
from narrows.report.map_page import write_map
from narrows.report.units import write_units

__all__ = ["write_map", "write_report", "write_units"]
