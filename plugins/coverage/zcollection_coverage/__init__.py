"""What is there along the axis of a collection of zcollection, and what is missing."""

from zcollection_coverage.coverage import Coverage, Gap, Interval, PartCoverage, Records, coverage

__all__ = ["Coverage", "Gap", "Interval", "PartCoverage", "Records", "coverage"]
