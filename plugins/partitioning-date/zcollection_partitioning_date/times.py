"""Calendar components of times, computed in integers without rounding or overflow."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.plugin import CalendarTimes, PartitionError, dates_of

Times = NDArray[np.datetime64]
Seconds = NDArray[np.int64]
"""Whole seconds since 1970-01-01T00:00."""

_SECONDS = {"W": 604_800, "D": 86_400, "h": 3_600, "m": 60, "s": 1}
_PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9, "ps": 10**12, "fs": 10**15, "as": 10**18}
_MONTHS = {"Y": 12, "M": 1}
_YEARS = 292_277_022_000
"""Number of years before and after 1970 in the range of datetime64 in seconds, rounded down to thousands."""


def whole_seconds(column: NDArray[Any] | CalendarTimes, *, name: str) -> Seconds:
    """Return times as whole seconds since 1970-01-01 of their calendar, rounded down.

    Parameters
    ----------
    column
        Times, shape (rows,).
    name
        Name of the variable, for the error message.

    Raises
    ------
    PartitionError
        The column is not datetime64, a time is missing (NaT), or a time is out of the range of datetime64 in seconds.
    """
    if isinstance(column, CalendarTimes):
        # The number of seconds does not depend on the calendar.
        return whole_seconds(column.since.view(column.since.dtype.str.replace("m8", "M8")), name=name)
    unit = _unit(column, name)
    # Convert the integers behind the times: the conversions of NumPy overflow, or fail, near the limits of a type.
    multiple = np.datetime_data(column.dtype)[1]
    counts = column.astype(column.dtype.newbyteorder("="), copy=False).view(np.int64)
    longest = _YEARS * 12 if unit in _MONTHS else np.iinfo(np.int64).max
    factor = multiple * (_MONTHS.get(unit) or _SECONDS.get(unit, 1))
    if counts.size and not -(longest // factor) <= counts.min() <= counts.max() <= longest // factor:
        _refuse(np.isnat(column), column, name, advice="drop these rows, or fill in their times")
        _refuse(np.abs(counts) > longest // factor, column, name, advice="correct these times")
    if unit in _MONTHS:
        return (counts * factor).astype("datetime64[M]").astype("datetime64[s]").view(np.int64)
    multiplied = counts if factor == 1 else counts * factor
    return np.asarray(multiplied // _PER_SECOND.get(unit, 1))


def _unit(column: NDArray[Any], name: str) -> str:
    unit = np.datetime_data(column.dtype)[0] if column.dtype.kind == "M" else "generic"
    if unit == "generic":
        message = (
            f"the partitioning by date reads the variable {name!r}, which is {column.dtype}; accepted: datetime64 with a "
            f"unit; declare it so, or give its numbers CF units such as 'seconds since 1970-01-01'"
        )
        raise PartitionError(message)
    return unit


def _refuse(wrong: NDArray[np.bool_], column: Times, name: str, *, advice: str) -> None:
    count = int(np.count_nonzero(wrong))
    if count:
        first = int(np.argmax(wrong))
        message = (
            f"the variable {name!r} has {count} of {column.size} times that lie in no partition by date, the first at "
            f"position {first}: {column[first]}; accepted: times that datetime64 counts in seconds, none of them NaT; "
            f"{advice} before inserting"
        )
        raise PartitionError(message)


def first_of_periods(seconds: Seconds, unit: str) -> NDArray[np.intp]:
    """Return the position of the first row of each run of rows in the same day, or in the same shorter period.

    Neighbouring rows mostly share their period, so the components are computed once for each run.
    """
    periods = seconds // _SECONDS.get(unit, _SECONDS["D"])
    return np.flatnonzero(np.concatenate([np.ones(min(1, periods.size), bool), periods[1:] != periods[:-1]]))


def components(seconds: Seconds, calendar: str = "proleptic_gregorian") -> Iterator[NDArray[np.int64]]:
    """Yield the year, month, day, hour, minute and second of times; each is computed when it is requested.

    Examples
    --------
    >>> [int(values[0]) for values in components(np.array([-2]))]
    [1969, 12, 31, 23, 59, 58]
    """
    day, clock = np.divmod(seconds, 86_400)
    yield from dates_of(day, calendar)
    yield clock // 3600
    yield clock // 60 % 60
    yield clock % 60
