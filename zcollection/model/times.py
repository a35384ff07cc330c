"""CF times: numbers with the attributes ``units`` and ``calendar``, decoded and encoded without rounding.

Source: CF conventions 1.11, section 4.4, "Time coordinate". NumPy's calendar is the proleptic Gregorian one.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from zcollection.errors import SchemaError
from zcollection.model import calendars

if TYPE_CHECKING:
    from zcollection.model.declared import VariableSchema

DEFAULT_UNITS = "nanoseconds since 1970-01-01"
"""The units of an integer time that declares none."""

CALENDAR_UNITS = "microseconds since 1970-01-01"
"""The units of times from cftime objects, whose resolution is one microsecond."""

UNIT_IN_NANOSECONDS = {
    "D": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_FINER = tuple(UNIT_IN_NANOSECONDS)
_NAMES = {
    "D": ("days", "day", "d"),
    "h": ("hours", "hour", "hr", "hrs", "h"),
    "m": ("minutes", "minute", "min", "mins"),
    "s": ("seconds", "second", "sec", "secs", "s"),
    "ms": ("milliseconds", "millisecond", "millisec", "millisecs", "msec", "msecs", "ms"),
    "us": ("microseconds", "microsecond", "microsec", "microsecs", "us", "µs"),
    "ns": ("nanoseconds", "nanosecond", "nanosec", "nanosecs", "ns"),
}
_UNIT_OF = {name: unit for unit, names in _NAMES.items() for name in names}
_REFERENCE = re.compile(
    r"(?P<unit>\S+)\s+since\s+(?P<date>-?\d{1,4}-\d{1,2}-\d{1,2})"
    r"(?:[T\s]+(?P<clock>\d{1,2}(?::\d{1,2}(?::\d{1,2}(?:\.\d{1,9})?)?)?))?\s*(?:Z|UTC|GMT|\+?00:?00)?",
    re.IGNORECASE,
)


@frozen
class TimeUnits:
    """Parsed CF ``units`` and ``calendar``: a unit of time, and the reference time from which it is counted.

    Times of the standard and the proleptic Gregorian calendar are decoded to datetime64. Times of any other calendar are
    decoded to timedelta64: the time since 1970-01-01T00:00 of that calendar, which keeps order and differences.

    Attributes
    ----------
    unit
        NumPy's code of the unit: D, h, m, s, ms, us or ns.
    epoch
        Nanoseconds from 1970-01-01T00:00 of the calendar to the reference time.
    calendar
        Canonical name of the calendar.
    reference
        The reference time, as it was written.
    """

    unit: str
    epoch: int
    calendar: str
    reference: str = field(eq=False)

    @property
    def has_datetime64(self) -> bool:
        """Whether times are decoded to datetime64."""
        return calendars.has_datetime64(self.calendar)

    def dtype(self, unit: str) -> str:
        """Return the name of the NumPy dtype of decoded times with a unit."""
        return f"{'datetime64' if self.has_datetime64 else 'timedelta64'}[{unit}]"

    def decode(self, numbers: NDArray[Any], *, fill_value: object = None) -> NDArray[Any]:
        """Return numbers as times; NaN, `fill_value` and the smallest int64 become NaT.

        Parameters
        ----------
        numbers
            Integers or floats. Floats are rounded to the nearest nanosecond, or to the nearest microsecond (as in cftime) if
            the reference time is out of the range of nanoseconds or datetime64 cannot represent the calendar.
        fill_value
            Number that marks a missing time, besides NaN and the smallest int64.

        Returns
        -------
        ndarray
            datetime64 or timedelta64, see `TimeUnits`.

        Raises
        ------
        SchemaError
            A time is out of the range of 64 bits.
        """
        missing = np.isnan(numbers) if numbers.dtype.kind == "f" else numbers == np.iinfo(np.int64).min
        if fill_value is not None:
            missing = missing | (numbers == fill_value)
        unit = self._unit_of_floats if numbers.dtype.kind == "f" else self._unit_of_integers()
        epoch = self.epoch // UNIT_IN_NANOSECONDS[unit]
        factor = UNIT_IN_NANOSECONDS[self.unit] // UNIT_IN_NANOSECONDS[unit]
        some = bool(missing.any())
        present = np.where(missing, 0, numbers) if some else numbers
        _check_range(present, factor, epoch)
        if numbers.dtype.kind == "f":
            steps = np.rint(present.astype(np.float64) * factor).astype(np.int64)
        else:
            steps = present.astype(np.int64, copy=False) * factor
        steps += epoch
        decoded: NDArray[Any] = steps.view(self.dtype(unit))
        if some:
            decoded[missing] = np.array("NaT", decoded.dtype)
        return decoded

    def encode(self, times: NDArray[Any], *, dtype: Any = np.int64, fill_value: Any = None, name: str) -> NDArray[Any]:
        """Return times as numbers of these units: the exact inverse of `decode`.

        Parameters
        ----------
        times
            datetime64, or timedelta64 since 1970-01-01T00:00 of the calendar.
        dtype
            An integer or float type. For any integer type the result is int64, which the caller may convert.
        fill_value
            Number for NaT; by default NaN for floats, else the smallest int64.
        name
            Name of the variable, for error messages.

        Raises
        ------
        SchemaError
            A time is not a whole number of the units, or out of range: nothing is rounded. Or a datetime64 is another date in
            the calendar.
        """
        self._check_calendar(times, name)
        times = self._within_range(times)
        missing = np.isnat(times)
        own_unit = np.datetime_data(times.dtype)[0]
        finest = max(own_unit, self._unit_of_integers(), key=_FINER.index)
        present = np.where(missing, np.zeros((), dtype=times.dtype), times)
        scale = UNIT_IN_NANOSECONDS[own_unit] // UNIT_IN_NANOSECONDS[finest]
        epoch = self.epoch // UNIT_IN_NANOSECONDS[finest]
        counts = present.astype(f"{times.dtype.str[1:3]}[{own_unit}]").view(np.int64)
        _check_range(counts, scale, -epoch)
        steps, step = counts * scale - epoch, UNIT_IN_NANOSECONDS[self.unit] // UNIT_IN_NANOSECONDS[finest]
        if np.dtype(dtype).kind == "f":
            return self._floats((steps / step).astype(dtype), times, fill_value, name)
        numbers, remainder = np.divmod(steps, step)
        self._check_exact(np.where(missing, 0, remainder) != 0, times, name)
        return np.where(missing, np.iinfo(np.int64).min if fill_value is None else fill_value, numbers).astype(np.int64)

    def _floats(self, numbers: NDArray[Any], times: NDArray[Any], fill_value: Any, name: str) -> NDArray[Any]:
        missing, decoded = np.isnat(times), self.decode(numbers)
        if times.dtype.kind == "m":
            decoded = calendars.since_1970(decoded)
        self._check_exact((decoded != times) & ~missing, times, name)
        numbers[missing] = np.nan if fill_value is None else fill_value
        return numbers

    def _check_exact(self, wrong: NDArray[np.bool_], times: NDArray[Any], name: str) -> None:
        if np.any(wrong):
            first = in_words(times[wrong][:1], self.calendar)[0]
            message = (
                f"variable {name!r}: {first} is not a whole number of {self}; nothing is rounded: round the times "
                f"before inserting, or declare finer units"
            )
            raise SchemaError(message)

    def _check_calendar(self, times: NDArray[Any], name: str) -> None:
        if times.dtype.kind == "M" and not self.has_datetime64:
            message = (
                f"variable {name!r} counts time in the calendar {self.calendar!r} and received {times.dtype}, which has "
                f"another calendar; give numbers with units, or cftime objects of that calendar"
            )
            raise SchemaError(message)
        if times.dtype.kind == "M":
            check_reformed(times, self.calendar, name=name)

    @property
    def _unit_of_floats(self) -> str:
        return "ns" if self.has_datetime64 and abs(self.epoch) < 2**62 else "us"

    def _within_range(self, times: NDArray[Any]) -> NDArray[Any]:
        """Return times in microseconds if the reference time is too far away for their unit and the conversion is exact."""
        unit = np.datetime_data(times.dtype)[0]
        if abs(self.epoch) // UNIT_IN_NANOSECONDS.get(unit, 1) < 2**62:
            return times
        coarser = times.astype(f"{times.dtype.str[1:3]}[us]")
        return coarser if np.array_equal(coarser, times, equal_nan=True) else times

    def _unit_of_integers(self) -> str:
        """Return the coarsest unit, no coarser than `unit`, in which the epoch is a whole number."""
        units = _FINER[_FINER.index(self.unit) :]
        return next(unit for unit in units if self.epoch % UNIT_IN_NANOSECONDS[unit] == 0)

    def __str__(self) -> str:
        return f"{_NAMES[self.unit][0]} since {self.reference}"


def before_reform(times: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Return the mask of times before the reform of the standard calendar, 1582-10-15."""
    # In seconds: nanoseconds do not reach back that far.
    return np.asarray(times.astype("datetime64[s]") < np.datetime64("1582-10-15", "s"))


def names_days(times: NDArray[Any], calendar: str) -> bool:
    """Return whether times are datetime64 and all have the same date in a calendar that datetime64 can represent."""
    return times.dtype.kind == "M" and not (calendar == calendars.STANDARD and bool(before_reform(times).any()))


def check_reformed(times: NDArray[np.datetime64], calendar: str, *, name: str) -> None:
    """Check that datetime64 times have the same date in a calendar: in the standard one, from its reform in 1582 on.

    Raises
    ------
    SchemaError
        A time of the standard calendar is before 1582-10-15.
    """
    if calendar != calendars.STANDARD:
        return
    early = before_reform(times)
    if early.any():
        message = (
            f"variable {name!r} has the time {times[early].flat[0]} as {times.dtype}, which is another "
            f"date in the calendar 'standard' before 1582-10-15; declare the calendar 'proleptic_gregorian', or give cftime objects"
        )
        raise SchemaError(message)


def _check_range(counts: NDArray[Any], factor: int, offset: int) -> None:
    """Check that all ``counts * factor + offset`` fit in int64, computed with Python integers, which do not overflow."""
    if counts.size and max(abs(counts.min().item()), abs(counts.max().item())) * factor + abs(int(offset)) >= 2**63:
        message = "a time is out of the range of 64-bit datetimes; declare coarser units"
        raise SchemaError(message)


def parse_units(units: object, calendar: object = calendars.STANDARD, *, name: str) -> TimeUnits:
    """Parse CF time units.

    Parameters
    ----------
    units
        CF units, such as ``"seconds since 2000-01-01 00:00:00"``.
    calendar
        Name of a CF calendar.
    name
        Name of the variable, for error messages.

    Raises
    ------
    SchemaError
        The units are not valid, or CF defines no such calendar.

    Examples
    --------
    >>> parse_units("hours since 1970-01-02", name="time").epoch == 86_400 * 10**9
    True
    """
    known = calendars.calendar_name(calendar, name=name)
    match = _REFERENCE.fullmatch(units.strip()) if isinstance(units, str) else None
    unit = _UNIT_OF.get(match["unit"].lower()) if match else None
    if match is None or unit is None:
        message = (
            f"variable {name!r} has the units {units!r}; accepted: '<unit> since <date>', such as {DEFAULT_UNITS!r}"
        )
        raise SchemaError(message)
    epoch = _parse_epoch(match["date"], match["clock"] or "0", known, units=str(units), name=name)
    return TimeUnits(unit, epoch, known, " ".join(filter(None, (match["date"], match["clock"]))))


@lru_cache
def _parse_epoch(date: str, clock: str, calendar: str, *, units: str, name: str) -> int:
    """Return the nanoseconds from 1970-01-01T00:00 to a date and time, in one calendar."""
    sign = -1 if date.startswith("-") else 1
    year, month, day = (int(part) for part in date.removeprefix("-").split("-"))
    hours, minutes, seconds = ([*clock.split(":"), "0", "0"])[:3]
    full_seconds, _, fraction = seconds.partition(".")
    clock_parts = int(hours), int(minutes), int(full_seconds)
    in_range = all(part < limit for part, limit in zip(clock_parts, (24, 60, 60), strict=True))
    if not in_range or not 1 <= month <= 12 or not calendars.exists(sign * year, month, day, calendar):
        message = f"variable {name!r} has the units {units!r}, whose reference date does not exist in the calendar {calendar!r}"
        raise SchemaError(message)
    days = int(calendars.days_of(sign * year, month, day, calendar))
    of_day = (clock_parts[0] * 60 + clock_parts[1]) * 60 + clock_parts[2]
    return (days * 86_400 + of_day) * UNIT_IN_NANOSECONDS["s"] + int(fraction.ljust(9, "0"))


def in_words(times: NDArray[Any], calendar: str = calendars.STANDARD) -> list[str]:
    """Return decoded times as ISO 8601 text, in the coarsest exact unit among s, ms, us and ns.

    Parameters
    ----------
    times
        datetime64, or timedelta64 since 1970-01-01 of the calendar; shape (n,).
    calendar
        Canonical name of the calendar, for timedelta64.

    Examples
    --------
    >>> in_words(np.array([59 * 86_400], "timedelta64[s]"), "360_day")
    ['1970-02-30T00:00:00']
    """
    if names_days(times, calendar):
        units = ("s", "ms", "us", "ns")
        unit = next((unit for unit in units if np.array_equal(times.astype(f"datetime64[{unit}]"), times)), "ns")
        strings: list[str] = np.datetime_as_string(times, unit=unit).tolist()  # type: ignore[call-overload]  # any str
        return strings
    times = calendars.since_1970(times)
    if np.isnat(times).any():
        return [text for time in times for text in (["NaT"] if np.isnat(time) else in_words(time.reshape(1), calendar))]
    a_day = np.timedelta64(1, "D").astype(times.dtype).astype(np.int64)
    of_day = (times.view(np.int64) % a_day).view(times.dtype.str.replace("m8", "M8"))
    clocks = in_words(of_day, "proleptic_gregorian")
    dates = zip(*calendars.CalendarTimes(times, calendar).dates(), strict=True)
    return [f"{y:04d}-{m:02d}-{d:02d}{clock[10:]}" for (y, m, d), clock in zip(dates, clocks, strict=True)]


def in_calendar(time: np.datetime64, calendar: str) -> np.datetime64 | np.timedelta64:
    """Return the time that has the same date and clock time in a calendar, in the form of `TimeUnits.decode`.

    Raises
    ------
    SchemaError
        The date does not exist in the calendar.

    Examples
    --------
    >>> in_calendar(np.datetime64("1970-03-01"), "360_day")
    np.timedelta64(5184000000000,'us')
    """
    if calendars.has_datetime64(calendar) and names_days(np.array(time), calendar):
        return time
    days, of_day = np.divmod(np.array(time).astype("datetime64[us]").view(np.int64), 86_400 * 10**6)
    year, month, day = (int(part) for part in calendars.dates_of(days, "proleptic_gregorian"))
    if not calendars.exists(year, month, day, calendar):
        message = f"the calendar {calendar!r} has no {np.datetime_as_string(time, unit='D')}; accepted: an existing date of this calendar"
        raise SchemaError(message)
    counted = int(calendars.days_of(year, month, day, calendar)) * 86_400 * 10**6 + int(of_day)
    return np.datetime64(counted, "us") if calendars.has_datetime64(calendar) else np.timedelta64(counted, "us")


def has_time_units(attrs: Mapping[str, Any]) -> bool:
    """Return whether attributes contain CF time units."""
    units = attrs.get("units")
    return isinstance(units, str) and " since " in units


def calendar_of(variable: "VariableSchema") -> str | None:
    """Return the canonical name of the calendar of a variable; None if its values are not times."""
    if has_time_units(variable.attrs):
        return units_of(variable.attrs, name=variable.name).calendar
    return "proleptic_gregorian" if variable.dtype.kind == "M" else None


def units_of(attrs: Mapping[str, Any], *, name: str) -> TimeUnits:
    """Return the time units in attributes, or the default ones.

    Raises
    ------
    SchemaError
        As `parse_units`.
    """
    return parse_units(attrs.get("units", DEFAULT_UNITS), attrs.get("calendar", "standard"), name=name)


def unit_named(name: str) -> str | None:
    """Return NumPy's code of a named unit of time, such as "m" for "min"; None if the name is unknown."""
    return _UNIT_OF.get(name.strip().lower())


def duration_unit(attrs: Mapping[str, Any]) -> str | None:
    """Return NumPy's code of the unit of durations in the attribute ``units``; None if it is not a unit of time."""
    units = attrs.get("units")
    return unit_named(units) if isinstance(units, str) else None


def durations(numbers: NDArray[Any], attrs: Mapping[str, Any], *, name: str) -> NDArray[np.timedelta64]:
    """Return numbers as durations, in the unit stated by the attribute ``units``.

    Raises
    ------
    SchemaError
        The attribute is missing or not a unit of time, or a duration is out of range.
    """
    unit = duration_unit(attrs)
    if unit is None:
        message = f"variable {name!r} is declared timedelta64 and received numbers; give them units such as 'days'"
        raise SchemaError(message)
    if numbers.dtype.kind != "f":
        return numbers.astype(np.int64).view(f"timedelta64[{unit}]")
    factor = UNIT_IN_NANOSECONDS[unit]
    missing = np.isnan(numbers)
    present = np.where(missing, 0, numbers)
    _check_range(present, factor, 0)
    found = np.rint(present.astype(np.float64) * factor).astype(np.int64).view("timedelta64[ns]")
    found[missing] = np.timedelta64("NaT", "ns")
    return found


def numbers_of_durations(values: NDArray[np.timedelta64], attrs: Mapping[str, Any], *, name: str) -> NDArray[Any]:
    """Return durations as whole numbers of the unit stated by the attribute ``units``; NaT becomes the smallest int64.

    Raises
    ------
    SchemaError
        The attribute is missing or not a unit of time, or a duration is not a whole number of it.
    """
    unit = duration_unit(attrs)
    missing = np.isnat(values)
    counted = values if unit is None else values.astype(f"timedelta64[{unit}]")
    if unit is None or not np.array_equal(counted[~missing], values[~missing]):
        message = (
            f"variable {name!r} received {values.dtype} and declares the units {attrs.get('units')!r}; accepted: a unit "
            f"of which every duration is a whole number, such as 'nanoseconds', or the dtype timedelta64"
        )
        raise SchemaError(message)
    return counted.view(np.int64)
