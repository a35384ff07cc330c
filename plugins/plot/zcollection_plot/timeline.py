"""The timeline: bars of intervals, and marks of gaps."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from attrs import frozen
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import NDArray
from zcollection_coverage import Coverage

from zcollection.plugin import SettingError, accepted, dates_of, days_of
from zcollection_plot.axes import MISSING, PRESENT, QUIET, Target, axes_on, legend
from zcollection_plot.dates import MONTHS, calendar_of, days_since_1970, numbers_on_axis, show_dates

_MOST_LINES: Final = 40
"""The largest number of partitions with a line each by default."""

_HALF: Final = 0.32
"""Half the height of a bar, as a fraction of the distance between lines."""

_THIN: Final = 0.6
"""The line width around bars, in points, which makes short ones visible."""

_FEW: Final = 40
"""Up to this number of gaps in a line, their edges have the full width."""

Numbers = NDArray[np.float64]


@frozen(eq=False)
class Line:
    """A line of the timeline.

    Attributes
    ----------
    label
        The name of the line.
    starts, stops
        The first and the last value of each interval without a gap, ascending, as numbers on the axis.
    """

    label: str
    starts: Numbers
    stops: Numbers

    @property
    def bars(self) -> list[tuple[float, float]]:
        """The beginning and the length of each interval."""
        return list(zip(self.starts.tolist(), (self.stops - self.starts).tolist(), strict=True))

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """The beginning and the length of each gap."""
        return list(zip(self.stops[:-1].tolist(), (self.starts[1:] - self.stops[:-1]).tolist(), strict=True))


def timeline(found: Coverage, *, by: str | None = None, ax: Target = None) -> Axes:
    """Draw intervals as bars and the gaps between them, in a line for each year or partition.

    A bar covers an interval from its first to its last row; a gap extends from the last row before it to the first row after it.
    Short bars have an edge that makes them visible; the edge is thinner in lines with many gaps. Each line has one collection of
    bars for its intervals, and one for its gaps.

    Parameters
    ----------
    found
        The coverage.
    by
        The lines: "year", "partition", "all" (one line), or the name of a key field, such as "cycle". By default years if the axis
        covers more than a year; else partitions if there are at most 40 and they overlap along the axis, such as stations; else one
        line. A gap over the end of a year is drawn in both years.
    ax
        The axes to draw on. None creates a figure of pyplot; a `matplotlib.figure.Figure` gets axes and a suitable size.

    Returns
    -------
    matplotlib.axes.Axes
        The axes. Times have the dates of their calendar; lines of years have days since 1 January.

    Raises
    ------
    SettingError
        `by` is not accepted, or the axis has no years.

    Examples
    --------
    >>> import numpy as np
    >>> import zcollection as zc
    >>> from matplotlib.figure import Figure
    >>> hours = np.arange("2024-01-01", "2024-01-04", dtype="datetime64[h]").astype("datetime64[s]")
    >>> schema = zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    >>> buoy = zc.create_collection("memory://timeline", schema=schema, axis="time", partitioning="date:D")
    >>> _ = buoy.insert({"time": np.delete(hours, [30, 31, 32])})
    >>> axes = timeline(buoy.coverage(), ax=Figure().subplots(), by="all")
    >>> [len(bars.get_paths()) for bars in axes.collections]
    [2, 1]
    """
    lines = _lines(found, by or _default(found))
    ax = axes_on(ax, width=8, height=float(np.clip(1.1 + 0.26 * len(lines), 1.7, 12)))
    for number, line in enumerate(lines):
        height = number - _HALF, 2 * _HALF
        ax.broken_barh(line.bars, height, facecolor=PRESENT, edgecolor=PRESENT, linewidth=_THIN)
        if line.gaps:
            # A few short gaps must be visible; many must not hide the intervals.
            width = min(_THIN, _FEW * _THIN / len(line.gaps))
            ax.broken_barh(line.gaps, height, facecolor=MISSING, edgecolor=MISSING, linewidth=width)
    _name_lines(ax, lines)
    _name_axis(ax, found, is_by_year=(by or _default(found)) == "year")
    handles = [Patch(color=PRESENT, label="rows"), Patch(color=MISSING, label="gap")]
    legend(ax, handles if any(line.gaps for line in lines) else handles[:1])
    ax.set_title(found.axis, loc="left", fontsize="medium")
    return ax


def _default(found: Coverage) -> str:
    if calendar_of(found) is not None and found.total.first is not None:
        first, last = days_since_1970([found.total.first, found.total.last])
        if last - first > 366:
            return "year"
    return "partition" if _do_overlap(found) and len(found.partitions) <= _MOST_LINES else "all"


def _do_overlap(found: Coverage) -> bool:
    """Return whether any partition begins before the end of a previous one."""
    spans = sorted((part.first, part.last) for part in found.partitions if part.first is not None)
    return any(later[0] < earlier[1] for earlier, later in pairwise(spans))


def _lines(found: Coverage, by: str) -> list[Line]:
    fields = list(found.partitions[0].key) if found.partitions else []
    known = ["partition", "all", *(["year"] if calendar_of(found) is not None else []), *fields]
    if by not in known:
        message = f"by={by!r}; {accepted(by, known)}"
        raise SettingError(message)
    calendar = calendar_of(found)
    if by == "year" and calendar is not None:
        return _years(*_edges(found, found.intervals), calendar)
    if by == "all":
        return [Line("", *_on_axis(found, *_edges(found, found.intervals)))]
    return _groups(found, by)


def _edges(found: Coverage, intervals: Sequence[Any]) -> tuple[Numbers, Numbers]:
    """Return the edges of intervals; times are days since 1970-01-01 of their calendar."""
    if not intervals:
        return np.empty(0), np.empty(0)
    edges = np.array([item.start for item in intervals]), np.array([item.stop for item in intervals])
    if calendar_of(found) is None:
        return edges[0].astype(np.float64), edges[1].astype(np.float64)
    return days_since_1970(edges[0]), days_since_1970(edges[1])


def _on_axis(found: Coverage, starts: Numbers, stops: Numbers) -> tuple[Numbers, Numbers]:
    calendar = calendar_of(found)
    if calendar is None:
        return starts, stops
    return numbers_on_axis(starts, calendar), numbers_on_axis(stops, calendar)


def _groups(found: Coverage, by: str) -> list[Line]:
    """Return a line for each partition, or for each value of a key field."""
    intervals_of: dict[str, list[Any]] = {}
    intervals: Mapping[str, Sequence[Any]] = found.partition_intervals
    for part in found.partitions:
        label = part.path if by == "partition" else f"{part.key[by]}"
        intervals_of.setdefault(label, []).extend(intervals[part.path])
    return [Line(label, *_on_axis(found, *_joined(found, items))) for label, items in intervals_of.items()]


def _joined(found: Coverage, intervals: Iterable[Any]) -> tuple[Numbers, Numbers]:
    """Return the intervals of several partitions, joined if there is no gap between them."""
    ordered = sorted(intervals, key=lambda item: (item.start, item.stop))
    if not ordered:
        return np.empty(0), np.empty(0)
    starts, stops = np.array([item.start for item in ordered]), np.array([item.stop for item in ordered])
    # An interval may end after later ones.
    reach = np.maximum.accumulate(stops.view(np.int64) if stops.dtype.kind in "mM" else stops).view(stops.dtype)
    begins = np.ones(len(starts), np.bool_)
    begins[1:] = starts[1:] - reach[:-1] > found.gap if found.gap is not None else False
    ends = np.append(begins[1:], True)
    if calendar_of(found) is None:
        return starts[begins].astype(np.float64), reach[ends].astype(np.float64)
    return days_since_1970(starts[begins]), days_since_1970(reach[ends])


def _years(starts: Numbers, stops: Numbers, calendar: str) -> list[Line]:
    """Return a line for each year, in days since its beginning, with the parts of intervals and gaps in it."""
    if not len(starts):
        return []
    years = range(_year(starts[0], calendar), _year(stops[-1], calendar) + 1)
    begins = days_of(np.array([*years, years[-1] + 1]), 1, 1, calendar).astype(np.float64)
    return [_year_line(f"{year}", starts, stops, begins[at], begins[at + 1]) for at, year in enumerate(years)]


def _year(day: float, calendar: str) -> int:
    return int(dates_of(int(np.floor(day)), calendar).year)


def _year_line(label: str, starts: Numbers, stops: Numbers, begin: float, end: float) -> "Line":
    within = (stops >= begin) & (starts < end)
    first, last = starts[within].clip(begin, end) - begin, stops[within].clip(begin, end) - begin
    # A gap over an edge of the year is drawn from the edge: an empty interval is added at the edge.
    if np.any(starts < begin) and np.any(stops >= begin) and not np.any((starts < begin) & (stops >= begin)):
        first, last = np.insert(first, 0, 0.0), np.insert(last, 0, 0.0)
    if np.any(stops >= end) and not np.any((starts < end) & (stops >= end)):
        first, last = np.append(first, end - begin), np.append(last, end - begin)
    return Line(label, first, last)


def _name_lines(ax: Axes, lines: Sequence[Line]) -> None:
    ax.set_yticks(range(len(lines)), [line.label for line in lines])
    if len(lines) > _MOST_LINES:
        every = -(-len(lines) // _MOST_LINES)
        ax.set_yticks(range(0, len(lines), every), [line.label for line in lines[::every]])
    ax.set_ylim(max(len(lines), 1) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines[["left", "right", "top"]].set_visible(False)
    ax.grid(axis="x", color=QUIET, linewidth=0.6)
    ax.set_axisbelow(True)


def _name_axis(ax: Axes, found: Coverage, *, is_by_year: bool) -> None:
    calendar = calendar_of(found)
    if calendar is None:
        ax.set_xlabel(found.axis)
    elif is_by_year:
        length = days_of(1971, 1, 1, calendar) - days_of(1970, 1, 1, calendar)
        begins = days_of(1970, np.arange(1, 13), 1, calendar) - days_of(1970, 1, 1, calendar)
        ax.set_xticks(begins.tolist(), MONTHS, ha="left")
        ax.set_xlim(0, int(length))
    else:
        show_dates(ax.xaxis, calendar)
