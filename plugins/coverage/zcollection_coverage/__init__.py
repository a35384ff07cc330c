"""What is there along the axis of a collection of zcollection, and what is missing."""

from zcollection_coverage.coverage import Coverage, Gap, Interval, PartCoverage, Records, coverage
from zcollection_coverage.days import DayCoverage

__all__ = ["Coverage", "DayCoverage", "Gap", "Interval", "PartCoverage", "Records", "coverage"]
