"""CF calendars: conversion between dates and day numbers, as integer arithmetic on arrays, for any year.

Days are counted from 1970-01-01 of the calendar itself. Source: CF conventions 1.11, section 4.4.1, "Calendar"; the
arithmetic is that of R. Urban and P. K. Seidelmann, "Explanatory Supplement to the Astronomical Almanac", 15.11. Months are
counted from March, so that the leap day is the last day of its year.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.errors import SchemaError, accepted

Days = NDArray[np.int64]

STANDARD: Final = "standard"
_NAMES: Final[Mapping[str, str]] = {
    "standard": "standard",
    "gregorian": "standard",
    "proleptic_gregorian": "proleptic_gregorian",
    "julian": "julian",
    "noleap": "noleap",
    "365_day": "noleap",
    "all_leap": "all_leap",
    "366_day": "all_leap",
    "360_day": "360_day",
}
"""The canonical name of each calendar, by every name that CF defines for it."""

REFORM: Final = -141_427
"""The first day of the Gregorian calendar, 1582-10-15, in days from 1970-01-01. Before it, the standard calendar is Julian."""


def calendar_name(calendar: object, *, name: str) -> str:
    """Return the canonical name of a CF calendar.

    Raises
    ------
    SchemaError
        CF defines no such calendar.

    Examples
    --------
    >>> calendar_name("365_day", name="time"), calendar_name("Gregorian", name="time")
    ('noleap', 'standard')
    """
    found = _NAMES.get(calendar.lower()) if isinstance(calendar, str) else None
    if found is None:
        message = f"variable {name!r} counts time in the calendar {calendar!r}; {accepted(str(calendar), _NAMES)}"
        raise SchemaError(message)
    return found


def has_datetime64(calendar: str) -> bool:
    """Return whether datetime64, whose calendar is proleptic Gregorian, can represent the dates of a calendar.

    For the standard calendar this is true from 1582-10-15 on.
    """
    return calendar in {STANDARD, "proleptic_gregorian"}


class Dates(NamedTuple):
    """Years, months and days of the month: three int64 arrays of the same shape."""

    year: Days
    month: Days
    day: Days


def days_of(year: Any, month: Any, day: Any, calendar: str) -> Days:
    """Return the number of days from 1970-01-01 to dates, in one calendar; dates are not checked.

    Parameters
    ----------
    year, month, day
        Integers or arrays of integers; the year before 1 is 0.
    calendar
        Canonical name of the calendar.

    Examples
    --------
    >>> [int(days_of(1970, 3, 1, name)) for name in ("standard", "noleap", "360_day", "all_leap")]
    [59, 59, 60, 60]
    """
    dates = Dates(*(np.asarray(part, np.int64) for part in (year, month, day)))
    if calendar == STANDARD:
        is_new = (dates.year * 100 + dates.month) * 100 + dates.day >= 1582_10_15
        return np.where(is_new, _counted(dates, "proleptic_gregorian"), _counted(dates, _OLD)) - _ORIGINS[calendar]
    return np.asarray(_counted(dates, calendar) - _ORIGINS[calendar])


def dates_of(days: Any, calendar: str) -> Dates:
    """Return the dates of day numbers, counted from 1970-01-01 in one calendar: the inverse of `days_of`.

    Parameters
    ----------
    days
        int64, any shape.
    calendar
        Canonical name of the calendar.

    Examples
    --------
    >>> [int(part) for part in dates_of(59, "360_day")]
    [1970, 2, 30]
    """
    counts = np.asarray(days, np.int64) + _ORIGINS[calendar]
    if calendar != STANDARD:
        return _dated(counts, calendar)
    is_new = counts - _ORIGINS[calendar] >= REFORM
    old, new = _dated(counts, _OLD), _dated(counts, "proleptic_gregorian")
    return Dates(*(np.where(is_new, after, before) for before, after in zip(old, new, strict=True)))


def exists(year: int, month: int, day: int, calendar: str) -> bool:
    """Return whether a date exists in a calendar.

    Examples
    --------
    >>> exists(2000, 2, 30, "360_day"), exists(2000, 2, 29, "noleap"), exists(1582, 10, 10, "standard")
    (True, False, False)
    """
    return tuple(int(part) for part in dates_of(days_of(year, month, day, calendar), calendar)) == (year, month, day)


_MONTHS: Final = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_BEFORE: Final = np.concatenate([[0], np.cumsum(_MONTHS)[:-1]])
_EQUAL_YEARS: Final[Mapping[str, tuple[int, NDArray[np.int64]]]] = {
    "360_day": (360, np.arange(12) * 30),
    "noleap": (365, _BEFORE),
    "all_leap": (366, _BEFORE + (np.arange(12) >= 2)),
}
"""Calendars in which all years have the same length: days per year, and days before each month."""

_OLD: Final = "julian, counted as the Gregorian calendar"
"""The standard calendar before its reform."""


def _counted(dates: Dates, calendar: str) -> Days:
    """Return the number of days since the start of year 0, which is 1 March in calendars with leap years."""
    year, month, day = dates
    if calendar in _EQUAL_YEARS:
        length, before = _EQUAL_YEARS[calendar]
        return np.asarray(year * length + before[(month - 1) % 12] + day - 1)
    march_year, from_march = year - (month < 3), (month + 9) % 12
    leap_days = march_year // 4
    if calendar == "proleptic_gregorian":
        leap_days = leap_days - march_year // 100 + march_year // 400
    elif calendar == _OLD:
        leap_days = leap_days - 2  # so that 1582-10-04 is the day before 1582-10-15
    return np.asarray(march_year * 365 + leap_days + (153 * from_march + 2) // 5 + day - 1)


def _dated(counts: Days, calendar: str) -> Dates:
    """Return the dates of day numbers: the inverse of `_counted`."""
    if calendar in _EQUAL_YEARS:
        length, before = _EQUAL_YEARS[calendar]
        year, of_year = np.divmod(counts, length)
        month = np.searchsorted(before, of_year, side="right")
        return Dates(year, month, of_year - before[month - 1] + 1)
    march_year, of_year = (
        _gregorian_year(counts) if calendar == "proleptic_gregorian" else _julian_year(counts, calendar)
    )
    from_march = (5 * of_year + 2) // 153
    month = (from_march + 2) % 12 + 1
    return Dates(march_year + (month < 3), month, of_year - (153 * from_march + 2) // 5 + 1)


def _julian_year(counts: Days, calendar: str) -> tuple[Days, Days]:
    """Return years that start in March, and the day within the year; every fourth year has one more day."""
    fours, rest = np.divmod(counts + (2 if calendar == _OLD else 0), 1461)
    years = np.minimum(rest // 365, 3)
    return fours * 4 + years, rest - years * 365


def _gregorian_year(counts: Days) -> tuple[Days, Days]:
    """Return years that start in March, and the day within the year."""
    eras, rest = np.divmod(counts, 146_097)
    years = (rest - rest // 1460 + rest // 36_524 - rest // 146_096) // 365
    return eras * 400 + years, rest - (365 * years + years // 4 - years // 100)


_ORIGINS: Final = {
    calendar: int(_counted(Dates(*np.array([1970, 1, 1])), "proleptic_gregorian" if calendar == STANDARD else calendar))
    for calendar in _NAMES.values()
}
"""The result of `_counted` for 1970-01-01, by calendar."""


def since_1970(times: NDArray[Any]) -> NDArray[np.timedelta64]:
    """Return a timedelta64 view of datetime64 as the time since 1970-01-01T00:00; timedelta64 is returned unchanged."""
    since: NDArray[np.timedelta64] = times.view(times.dtype.str.replace("M8", "m8"))
    return since


@frozen
class CalendarTimes:
    """Times in a calendar whose dates datetime64 cannot represent.

    Attributes
    ----------
    since
        timedelta64, shape (rows,): the time since 1970-01-01T00:00 of the calendar; NaT is missing.
    calendar
        Canonical name: standard, julian, noleap, all_leap or 360_day.
    """

    since: NDArray[np.timedelta64] = field(eq=False, repr=False)
    calendar: str

    def dates(self) -> Dates:
        """Return year, month and day of each time; no time may be missing."""
        a_day = np.timedelta64(1, "D").astype(self.since.dtype).astype(np.int64)
        return dates_of(self.since.view(np.int64) // a_day, self.calendar)  # rounds down, a cast would not

    def copy(self) -> "CalendarTimes":
        """Return a copy."""
        return CalendarTimes(self.since.copy(), self.calendar)

    def __len__(self) -> int:
        return len(self.since)

    def __getitem__(self, index: Any) -> "CalendarTimes":
        return CalendarTimes(self.since[index], self.calendar)
