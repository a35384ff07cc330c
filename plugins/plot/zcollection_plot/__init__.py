"""Pictures of collections with Matplotlib: what is there along the axis, and where rows are."""

from zcollection_plot.availability import availability
from zcollection_plot.calendar import calendar
from zcollection_plot.files import saved
from zcollection_plot.matrix import matrix
from zcollection_plot.timeline import timeline
from zcollection_plot.track import track

__all__ = ["availability", "calendar", "matrix", "saved", "timeline", "track"]
