"""The calendar: a line for each month, with days coloured by their share of expected rows."""

from typing import Any, Final

import numpy as np
from attrs import frozen
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from zcollection_coverage import Coverage

from zcollection.plugin import dates_of
from zcollection_plot.axes import SHARE, Target, axes_on, colour_bar, mark_missing, without_frame
from zcollection_plot.dates import MONTHS, calendar_of, days_since_1970

_MOST_LABELS: Final = 36
"""Up to this number of months, each has a label."""

_MOST_YEARS: Final = 20
"""The largest number of labels of years."""

_MOST_CELLS: Final = 60
"""Up to this number of months, lines separate the days."""


@frozen(eq=False)
class Calendar:
    """Days in lines of months.

    Attributes
    ----------
    first
        The first month: its year times 12, plus the months since January.
    shares
        float64, shape (months, days of the longest month): the share of each day; NaN if the calendar has no such day, or
        the day is before the first row or after the last one.
    absent
        bool, of the same shape: days without any row.
    """

    first: int
    shares: NDArray[np.float64]
    absent: NDArray[np.bool_]

    @classmethod
    def of(cls, found: Coverage) -> "Calendar":
        """Return the days of a coverage."""
        days = found.days
        numbers = np.floor(days_since_1970([item.day for item in days])).astype(np.int64)
        dates = dates_of(numbers, calendar_of(found) or "")
        months = dates.year * 12 + dates.month - 1
        at = months - months[0], dates.day - 1
        shares = np.full((int(at[0][-1]) + 1, int(dates.day.max())), np.nan)
        shares[at] = [item.share for item in days]
        absent = np.zeros(shares.shape, np.bool_)
        absent[at] = [item.rows == 0 for item in days]
        return cls(first=int(months[0]), shares=shares, absent=absent)

    @property
    def labels(self) -> list[str]:
        """The label of each month, with the year for the first month and for January."""
        numbers = range(self.first, self.first + len(self.shares))
        return [
            f"{number // 12:04d} {MONTHS[number % 12]}" if position == 0 or number % 12 == 0 else MONTHS[number % 12]
            for position, number in enumerate(numbers)
        ]


def calendar(found: Coverage, *, ax: Target = None, cmap: Any = SHARE) -> Axes:
    """Draw the share of the expected rows that exists on each day: a line for each month, from the first row to the last.

    Days without rows have a separate colour; days before the first row and after the last one have none. It draws two images: the
    masked array of shares, and the days without rows.

    Parameters
    ----------
    found
        The coverage, with any partitioning.
    ax
        The axes to draw on. None creates a figure of pyplot; a `matplotlib.figure.Figure` gets axes and a suitable size.
    cmap
        The colour map of the shares, from 0 to 1.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    SettingError
        The axis is not a time, or the expected step is longer than a day.

    Examples
    --------
    >>> import numpy as np
    >>> import zcollection as zc
    >>> from matplotlib.figure import Figure
    >>> hours = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[h]").astype("datetime64[s]")
    >>> schema = zc.Schema().with_dimension("time").with_variable("time", dtype="datetime64[s]", dimensions=("time",))
    >>> buoy = zc.create_collection("memory://calendar", schema=schema, axis="time", partitioning="date:M")
    >>> _ = buoy.insert({"time": np.delete(hours, np.s_[30:80])})
    >>> axes = calendar(buoy.coverage(), ax=Figure().subplots())
    >>> [text.get_text() for text in axes.get_yticklabels()]
    ['2024 Jan', 'Feb']
    """
    if found.total.first is None:
        return _nothing(axes_on(ax, width=8, height=2), found)
    cells = Calendar.of(found)
    months, longest = cells.shares.shape
    ax = axes_on(ax, width=8, height=float(np.clip(1.3 + 0.22 * months, 2.4, 7)))
    extent = (0.5, longest + 0.5, months - 0.5, -0.5)
    shares = np.ma.masked_where(np.isnan(cells.shares) | cells.absent, cells.shares)
    image = ax.imshow(shares, cmap=cmap, vmin=0, vmax=1, extent=extent, aspect="auto", interpolation="nearest")
    mark_missing(ax, cells.absent, extent, "no row")
    colour_bar(ax, image, "rows, of those expected", format=PercentFormatter(1), aspect=30)
    _name_months(ax, cells)
    ax.set_xticks([1, *range(5, longest, 5)] if longest > 5 else range(1, longest + 1))
    ax.set_xlabel("day of the month")
    ax.set_title(found.axis, loc="left", fontsize="medium")
    return ax


def _nothing(ax: Axes, found: Coverage) -> Axes:
    ax.set_title(f"{found.axis}: no rows", loc="left", fontsize="medium")
    ax.set_axis_off()
    return ax


def _name_months(ax: Axes, cells: Calendar) -> None:
    months, longest = cells.shares.shape
    labels = cells.labels
    without_frame(ax)
    if months <= _MOST_CELLS:
        ax.set_yticks(np.arange(1, months) - 0.5, minor=True)
        ax.set_xticks(np.arange(1, longest) + 0.5, minor=True)
        ax.grid(which="minor", color="white", linewidth=1 if months <= _MOST_LABELS else 0.5)
    januaries = [number for number in range(months) if (cells.first + number) % 12 == 0]
    if months <= _MOST_LABELS:
        ax.set_yticks(range(months), labels, fontsize="medium" if months <= _MOST_LABELS // 2 else "small")
    else:
        every = -(-len(januaries) // _MOST_YEARS)
        ax.set_yticks(januaries[::every], [labels[number][:4] for number in januaries[::every]])
    for number in filter(None, januaries):
        ax.axhline(number - 0.5, color="black" if months <= _MOST_CELLS else "white", linewidth=0.8)
