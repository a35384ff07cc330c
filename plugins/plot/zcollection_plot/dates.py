"""Times of any calendar as days since 1970-01-01, and their ticks.

Matplotlib's dates are those of datetime64. This module has the ticks of other calendars: nc-time-axis, which also has them, was last
released in 2022, and converts cftime objects one by one.
"""

from typing import Any, Final

import matplotlib.dates as mdates
import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import Formatter, Locator
from numpy.typing import NDArray
from zcollection_coverage import Coverage

from zcollection.plugin import dates_of, days_of

Days = NDArray[np.float64]

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""The names of months, in English, regardless of the locale."""

GREGORIAN: Final = "proleptic_gregorian"

_TICKS: Final = 8
"""The approximate number of ticks on an axis."""

_MONTHS_BETWEEN: Final = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12_000)
_DAYS_BETWEEN: Final = (1 / 96, 1 / 24, 1 / 8, 1 / 4, 1 / 2, 1, 2, 5, 10)


def calendar_of(found: Coverage) -> str | None:
    """Return the calendar in which the times of a coverage are drawn: that of datetime64 if possible; None without times."""
    return found.total.calendar or (None if found.calendar is None else GREGORIAN)


def days_since_1970(times: Any) -> Days:
    """Return times as days since 1970-01-01, given datetime64, or timedelta64 since 1970-01-01 of their calendar."""
    values = np.asarray(times)
    lengths = values - np.datetime64("1970-01-01", "D") if values.dtype.kind == "M" else values
    return np.asarray(lengths / np.timedelta64(1, "D"), np.float64)


def numbers_on_axis(days: Any, calendar: str) -> Days:
    """Return days as numbers on an axis prepared by `show_dates`; the epoch of Matplotlib may differ."""
    if calendar != GREGORIAN:
        return np.asarray(days, np.float64)
    epoch = (np.datetime64(_epoch()) - np.datetime64("1970-01-01")) / np.timedelta64(1, "D")
    return np.asarray(days, np.float64) - epoch


def _epoch() -> str:
    return f"{mdates.get_epoch()}"  # type: ignore[no-untyped-call]


def show_dates(axis: Axis, calendar: str) -> None:
    """Set ticks at the beginnings of years, months, days or hours of a calendar."""
    if calendar == GREGORIAN:
        locator = mdates.AutoDateLocator(minticks=4, maxticks=_TICKS)  # type: ignore[no-untyped-call]
        axis.set_major_locator(locator)
        axis.set_major_formatter(mdates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        return
    axis.set_major_locator(CalendarLocator(calendar))
    axis.set_major_formatter(CalendarFormatter(calendar))


class CalendarLocator(Locator):
    """Ticks at round dates of a calendar.

    Parameters
    ----------
    calendar
        The name of the calendar; the axis has days since 1970-01-01 of it.

    Examples
    --------
    >>> [float(tick) for tick in CalendarLocator("360_day").tick_values(0, 120)]
    [0.0, 30.0, 60.0, 90.0, 120.0]
    """

    def __init__(self, calendar: str) -> None:
        self.calendar = calendar

    def __call__(self) -> Any:  # noqa: D102 - documented in the base class
        assert self.axis is not None  # noqa: S101 - Matplotlib calls it for an axis
        return self.tick_values(*self.axis.get_view_interval())

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """Return the ticks between two numbers."""
        low, high = sorted((float(vmin), float(vmax)))
        month = 30  # days, about
        for step in _DAYS_BETWEEN:
            if (high - low) / step <= _TICKS and step < month:
                return self._within(np.arange(np.floor(low), high + step, step), low, high)
        months = next(
            (step for step in _MONTHS_BETWEEN if (high - low) / (step * month) <= _TICKS), _MONTHS_BETWEEN[-1]
        )
        first, last = (self._month(day) for day in (low, high))
        numbers = np.arange(first - first % months, last + months + 1, months)
        starts = days_of(numbers // 12, numbers % 12 + 1, np.ones_like(numbers), self.calendar)
        return self._within(starts.astype(np.float64), low, high)

    def _month(self, day: float) -> int:
        date = dates_of(int(np.floor(day)), self.calendar)
        return int(date.year) * 12 + int(date.month) - 1

    @staticmethod
    def _within(ticks: Days, low: float, high: float) -> Days:
        return ticks[(ticks >= low) & (ticks <= high)]


class CalendarFormatter(Formatter):
    """Dates of a calendar, as short as the ticks allow.

    Parameters
    ----------
    calendar
        The name of the calendar; the axis has days since 1970-01-01 of it.

    Examples
    --------
    >>> CalendarFormatter("360_day").format_ticks([0, 30, 59])
    ['1970-01-01', '1970-02-01', '1970-02-30']
    >>> CalendarFormatter("360_day").format_ticks([0, 30, 60])
    ['1970-01', '1970-02', '1970-03']
    """

    def __init__(self, calendar: str) -> None:
        self.calendar = calendar

    def __call__(self, x: float, pos: int | None = None) -> str:  # noqa: ARG002, D102
        return self.format_ticks([x])[0]

    def format_ticks(self, values: Any) -> list[str]:
        """Return the labels of all ticks, with the same resolution."""
        numbers = np.round(np.asarray(values, np.float64), 6)
        if not numbers.size:
            return []
        days = np.floor(numbers)
        dates = dates_of(days.astype(np.int64), self.calendar)
        labels = [f"{year:04d}" for year in dates.year.tolist()]
        if (days == numbers).all() and (dates.day == 1).all() and (dates.month == 1).all():
            return labels
        labels = [f"{text}-{month:02d}" for text, month in zip(labels, dates.month.tolist(), strict=True)]
        if (days == numbers).all() and (dates.day == 1).all():
            return labels
        labels = [f"{text}-{day:02d}" for text, day in zip(labels, dates.day.tolist(), strict=True)]
        if (days == numbers).all():
            return labels
        minutes = np.rint((numbers - days) * 1440).astype(int)
        return [
            f"{text}\n{minute // 60:02d}:{minute % 60:02d}"
            for text, minute in zip(labels, minutes.tolist(), strict=True)
        ]
