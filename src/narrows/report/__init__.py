"""Pages about fitted models."""

from narrows.report.fitted import write_report

__all__ = ["write_report"]
