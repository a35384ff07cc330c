"""A report of a collection or a view as one HTML file, and the HTML that notebooks show."""

from zcollection_report.report import Report, report

__all__ = ["Report", "report"]
