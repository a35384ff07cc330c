"""A collection or a view of zcollection as one HTML file, and as what a notebook shows."""

from zcollection_report.report import Report, report

__all__ = ["Report", "report"]
