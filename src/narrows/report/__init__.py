"""Pages about fitted models."""

from narrows.report.fitted import write_report
from narrows.report.units import write_units

__all__ = ["write_report", "write_units"]
