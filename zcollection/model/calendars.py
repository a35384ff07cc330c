"""The calendars of CF in whole numbers: dates to days and back, on arrays, for the years that datetime64 has and for others.

A day is counted from 1970-01-01 of its own calendar. Source: CF conventions 1.11, section 4.4.1, "Calendar"; the
arithmetic on days is that of R. Urban and P. K. Seidelmann, "Explanatory Supplement to the Astronomical Almanac", 15.11:
months are counted from March, so that the day that a leap year adds is the last one of its year.
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
"""The one name of each calendar, by all that CF has for it."""

REFORM: Final = -141_427
"""The day 1582-10-15, the first of the Gregorian calendar, in days from 1970-01-01: the standard calendar is Julian before."""


def calendar_name(calendar: object, *, name: str) -> str:
    """Return the one name of a calendar of CF.

    Raises
    ------
    SchemaError
        CF has no such calendar.

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
    """Return whether NumPy's datetime64, whose calendar is the proleptic Gregorian one, names the days of a calendar.

    It does so for the standard one from 1582-10-15 on.
    """
    return calendar in {STANDARD, "proleptic_gregorian"}


class Dates(NamedTuple):
    """Years, months and days of the month, each int64 and of one shape."""

    year: Days
    month: Days
    day: Days


def days_of(year: Any, month: Any, day: Any, calendar: str) -> Days:
    """Return the days from 1970-01-01 of a calendar to dates of it; whether they exist is not looked at.

    Parameters
    ----------
    year, month, day
        Integers, or arrays of them; the year before 1 is 0.
    calendar
        Its one name.

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
    """Return the dates of days counted from 1970-01-01 of a calendar: the inverse of `days_of`.

    Parameters
    ----------
    days
        int64, of any shape.
    calendar
        Its one name.

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
    """Return whether a calendar has a date.

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
"""Calendars whose years are all alike: days of a year, and those before each month."""

_OLD: Final = "julian, counted as the Gregorian calendar"
"""What the standard calendar was before its reform."""


def _counted(dates: Dates, calendar: str) -> Days:
    """Return the days from the start of the year 0: its March, where there are leap years."""
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
    """Return the dates of days counted as `_counted` does."""
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
    """Return years that start in March, and the days since: the last of every four years has a day more."""
    fours, rest = np.divmod(counts + (2 if calendar == _OLD else 0), 1461)
    years = np.minimum(rest // 365, 3)
    return fours * 4 + years, rest - years * 365


def _gregorian_year(counts: Days) -> tuple[Days, Days]:
    """Return years that start in March, and the days since."""
    eras, rest = np.divmod(counts, 146_097)
    years = (rest - rest // 1460 + rest // 36_524 - rest // 146_096) // 365
    return eras * 400 + years, rest - (365 * years + years // 4 - years // 100)


_ORIGINS: Final = {
    calendar: int(_counted(Dates(*np.array([1970, 1, 1])), "proleptic_gregorian" if calendar == STANDARD else calendar))
    for calendar in _NAMES.values()
}
"""What `_counted` counts to 1970-01-01."""


def since_1970(times: NDArray[Any]) -> NDArray[np.timedelta64]:
    """Return datetime64, or what is so already, as the time since 1970-01-01T00:00, in the same memory."""
    lengths: NDArray[np.timedelta64] = times.view(times.dtype.str.replace("M8", "m8"))
    return lengths


@frozen
class CalendarTimes:
    """Times in a calendar whose days datetime64 does not name.

    Attributes
    ----------
    since
        timedelta64, shape (rows,): the time since 1970-01-01T00:00 of the calendar; NaT is missing.
    calendar
        Its name: standard, julian, noleap, all_leap or 360_day.
    """

    since: NDArray[np.timedelta64] = field(eq=False, repr=False)
    calendar: str

    def dates(self) -> Dates:
        """Return year, month and day of each time, none of which may be missing."""
        a_day = np.timedelta64(1, "D").astype(self.since.dtype).astype(np.int64)
        return dates_of(self.since.view(np.int64) // a_day, self.calendar)  # towards the past, as no cast is

    def copy(self) -> "CalendarTimes":
        """Return the same times in memory of their own."""
        return CalendarTimes(self.since.copy(), self.calendar)

    def __len__(self) -> int:
        return len(self.since)

    def __getitem__(self, index: Any) -> "CalendarTimes":
        return CalendarTimes(self.since[index], self.calendar)
