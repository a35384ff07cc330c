"""Plots of collections with Matplotlib: the coverage of the axis, and maps of rows."""

from zcollection_plot.availability import availability
from zcollection_plot.calendar import calendar
from zcollection_plot.files import saved
from zcollection_plot.matrix import matrix
from zcollection_plot.timeline import timeline
from zcollection_plot.track import track

__all__ = ["availability", "calendar", "matrix", "saved", "timeline", "track"]
