"""The coverage of the axis of a collection: which rows exist, where gaps are, and how late rows arrived."""

from zcollection_coverage.coverage import Coverage, coverage
from zcollection_coverage.days import DayCoverage
from zcollection_coverage.lateness import Lateness
from zcollection_coverage.matrix import Matrix
from zcollection_coverage.records import Gap, Interval, PartCoverage, Records

__all__ = ["Coverage", "DayCoverage", "Gap", "Interval", "Lateness", "Matrix", "PartCoverage", "Records", "coverage"]
