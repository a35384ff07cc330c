"""Times and durations in expressions, as exact numbers."""

import re
from fractions import Fraction
from typing import Final

import numpy as np

from zcollection.errors import ExpressionError
from zcollection.model import calendars
from zcollection.model.times import TimeUnits, duration_unit

GREGORIAN: Final = "proleptic_gregorian"
"""The calendar of datetime64."""

_SECOND: Final = 10**9
_ISO: Final = re.compile(
    r"(?P<year>-?\d{4,6})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?)?(?:Z|[+]00:?00)?)?)?)?",
    re.ASCII,
)
_DURATION: Final = re.compile(r"(?P<number>-?\d{1,20}(?:\.\d{1,20})?) ?(?P<unit>[a-zµ]+)", re.IGNORECASE)


def instant(text: str, calendar: str) -> int:
    """Parse a time, and return the nanoseconds from 1970-01-01 to it, in one calendar.

    Parameters
    ----------
    text
        ISO 8601 in UTC, with any precision from the year to nanoseconds.
    calendar
        Canonical name of the calendar.

    Raises
    ------
    ExpressionError
        The string is not a time, or the date does not exist in the calendar.

    Examples
    --------
    >>> instant("1970-02-30T12", "360_day") == (59 * 24 + 12) * 3600 * 10**9
    True
    """
    found = _ISO.fullmatch(text.strip())
    if found is None:
        message = f"{text!r} is not a time; accepted: ISO 8601 in UTC to the nanosecond, such as '2024-01-03' or '2024-01-03T12:30'"
        raise ExpressionError(message)
    year, month, day = (int(found[part] or 1) for part in ("year", "month", "day"))
    if not 1 <= month <= 12 or not calendars.exists(year, month, day, calendar):
        message = f"{text!r}: the calendar {calendar!r} has no such day; accepted: an existing date of this calendar"
        raise ExpressionError(message)
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    if hour > 23 or minute > 59 or second > 59:
        message = f"{text!r}: the day has no such time; accepted: 00:00:00 to 23:59:59.999999999"
        raise ExpressionError(message)
    days = int(calendars.days_of(year, month, day, calendar))
    return (((days * 24 + hour) * 60 + minute) * 60 + second) * _SECOND + int((found["fraction"] or "").ljust(9, "0"))


def duration(text: str) -> Fraction:
    """Parse a duration, and return it in nanoseconds.

    Raises
    ------
    ExpressionError
        The string is not a duration.

    Examples
    --------
    >>> duration("1.5 hours") == 5400 * 10**9
    True
    """
    found = _DURATION.fullmatch(text.strip())
    unit = None if found is None else duration_unit({"units": found["unit"]})
    if found is None or unit is None:
        message = f"{text!r} is not a duration; accepted: a number and its unit, such as '90 seconds' or '1.5 days'"
        raise ExpressionError(message)
    return Fraction(found["number"]) * nanoseconds(unit)


def nanoseconds(unit: str) -> int:
    """Return the length of a NumPy unit of time in nanoseconds.

    Examples
    --------
    >>> nanoseconds("ms")
    1000000
    """
    return int(np.timedelta64(1, unit).astype("timedelta64[ns]").astype(np.int64))  # type: ignore[call-overload]


def counted(text: str, units: TimeUnits) -> Fraction:
    """Return the number that represents a time in CF units.

    Examples
    --------
    >>> from zcollection.model.times import parse_units
    >>> counted("1970-01-01T12", parse_units("days since 1970-01-01", name="time"))
    Fraction(1, 2)
    """
    return Fraction(instant(text, units.calendar) - units.epoch, nanoseconds(units.unit))
