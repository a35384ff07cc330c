"""Times the CF way: numbers with ``units`` and ``calendar`` attributes, to and from datetime64 without rounding.

Source: CF conventions 1.11, section 4.4, "Time coordinate". NumPy's calendar is the proleptic Gregorian one.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.errors import SchemaError

DEFAULT_UNITS = "nanoseconds since 1970-01-01"
"""The units recorded for an integer time that declares none."""

_LENGTH_IN_NANOSECONDS = {
    "D": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_FINER = tuple(_LENGTH_IN_NANOSECONDS)
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
_STANDARD = frozenset({"standard", "gregorian", "proleptic_gregorian"})
_GREGORIAN_REFORM = np.datetime64("1582-10-15", "s")  # in nanoseconds it would overflow


@frozen
class TimeUnits:
    """Parsed CF ``units``: a step and the instant that it is counted from.

    Attributes
    ----------
    unit
        NumPy's code of the step: D, h, m, s, ms, us or ns.
    epoch
        The instant of the number zero.
    """

    unit: str
    epoch: np.datetime64

    def decode(self, numbers: NDArray[Any], *, fill_value: object = None) -> NDArray[np.datetime64]:
        """Return numbers as datetime64; NaN, `fill_value` and the smallest int64 are NaT.

        Parameters
        ----------
        numbers
            Integers, or floats (read to the nearest nanosecond, the finest that datetime64 has for our times).
        """
        missing = np.isnan(numbers) if numbers.dtype.kind == "f" else numbers == np.iinfo(np.int64).min
        if fill_value is not None:
            missing = missing | (numbers == fill_value)
        unit = "ns" if numbers.dtype.kind == "f" else self._unit_holding_epoch()
        epoch = self.epoch.astype(f"datetime64[{unit}]").astype(np.int64)
        factor = _LENGTH_IN_NANOSECONDS[self.unit] // _LENGTH_IN_NANOSECONDS[unit]
        present = np.where(missing, 0, numbers)
        _check_range(present, factor, epoch)
        if numbers.dtype.kind == "f":
            steps = np.rint(present.astype(np.float64) * factor).astype(np.int64)
        else:
            steps = present.astype(np.int64) * factor
        decoded: NDArray[np.datetime64] = (steps + epoch).view(f"datetime64[{unit}]")
        decoded[missing] = np.datetime64("NaT", "s")
        return decoded

    def encode(self, times: NDArray[np.datetime64], *, fill_value: int | None = None, name: str) -> NDArray[np.int64]:
        """Return datetime64 as whole numbers of these units, exactly; NaT is `fill_value`, or the smallest int64.

        Raises
        ------
        SchemaError
            A time lies between two steps or out of range: nothing is rounded.
        """
        missing = np.isnat(times)
        own_unit = np.datetime_data(times.dtype)[0]
        finest = max(own_unit, self._unit_holding_epoch(), key=_FINER.index)
        present = np.where(missing, np.zeros((), dtype=times.dtype), times)
        scale = _LENGTH_IN_NANOSECONDS[own_unit] // _LENGTH_IN_NANOSECONDS[finest]
        epoch = self.epoch.astype(f"datetime64[{finest}]").astype(np.int64)
        counts = present.astype(f"datetime64[{own_unit}]").view(np.int64)
        _check_range(counts, scale, -epoch)
        step = _LENGTH_IN_NANOSECONDS[self.unit] // _LENGTH_IN_NANOSECONDS[finest]
        numbers: NDArray[np.int64]
        numbers, remainder = np.divmod(counts * scale - epoch, step)
        if np.any(remainder):
            first = times[remainder != 0].flat[0]
            message = (
                f"variable {name!r}: {first} is not a whole number of {self}; nothing is rounded: round the times "
                f"before inserting, or declare finer units"
            )
            raise SchemaError(message)
        return np.where(missing, np.iinfo(np.int64).min if fill_value is None else fill_value, numbers).astype(np.int64)

    def _unit_holding_epoch(self) -> str:
        """Return the coarsest unit, no coarser than the step, in which the epoch is a whole number."""
        for unit in _FINER[_FINER.index(self.unit) :]:
            if self.epoch.astype(f"datetime64[{unit}]") == self.epoch:
                return unit
        return "ns"

    def __str__(self) -> str:
        return f"{_NAMES[self.unit][0]} since {self.epoch}"


def _check_range(counts: NDArray[Any], factor: int, offset: np.integer[Any]) -> None:
    """Check that counts of so many steps from an instant are instants; Python's numbers never overflow."""
    if counts.size and max(abs(counts.min().item()), abs(counts.max().item())) * factor + abs(int(offset)) >= 2**63:
        message = "a time is out of the range of 64-bit datetimes; declare coarser units"
        raise SchemaError(message)


def parse_units(units: object, calendar: object = "standard", *, name: str) -> TimeUnits:
    """Parse CF time units.

    Parameters
    ----------
    units
        Such as ``"seconds since 2000-01-01 00:00:00"``.
    calendar
        Only the standard calendars can be expressed as datetime64.
    name
        The variable, for the message.

    Raises
    ------
    SchemaError
        The units cannot be understood, or the calendar is not the standard one.

    Examples
    --------
    >>> parse_units("hours since 2000-01-01", name="time")
    TimeUnits(unit='h', epoch=np.datetime64('2000-01-01T00:00:00.000000000'))
    """
    if not isinstance(calendar, str) or calendar.lower() not in _STANDARD:
        message = (
            f"variable {name!r} counts time in the calendar {calendar!r}, which has no datetime64; "
            f"accepted: {', '.join(sorted(_STANDARD))}"
        )
        raise SchemaError(message)
    match = _REFERENCE.fullmatch(units.strip()) if isinstance(units, str) else None
    unit = _UNIT_OF.get(match["unit"].lower()) if match else None
    if match is None or unit is None:
        message = (
            f"variable {name!r} has the units {units!r}; accepted: '<unit> since <date>', such as {DEFAULT_UNITS!r}"
        )
        raise SchemaError(message)
    epoch = _parse_epoch(match["date"], match["clock"] or "0", units=str(units), name=name)
    if calendar.lower() != "proleptic_gregorian" and epoch.astype("datetime64[s]") < _GREGORIAN_REFORM:
        message = (
            f"variable {name!r} counts time from {match['date']} in the calendar {calendar!r}, before the Gregorian "
            f"reform of 1582, where it differs from datetime64; declare a later reference date"
        )
        raise SchemaError(message)
    return TimeUnits(unit, epoch)


@lru_cache
def _parse_epoch(date: str, clock: str, *, units: str, name: str) -> np.datetime64:
    sign = "-" if date.startswith("-") else ""
    year, month, day = date.removeprefix("-").split("-")
    hours, minutes, seconds = ([*clock.split(":"), "0", "0"])[:3]
    whole, _, fraction = seconds.partition(".")
    text = (
        f"{sign}{int(year):04d}-{int(month):02d}-{int(day):02d}"
        f"T{int(hours):02d}:{int(minutes):02d}:{int(whole):02d}.{fraction or '0'}"
    )
    try:
        coarse, epoch = np.datetime64(text.rpartition(".")[0], "s"), np.datetime64(text, "ns")
    except ValueError as error:
        message = f"variable {name!r} has the units {units!r}, whose reference date does not exist"
        raise SchemaError(message) from error
    return epoch if epoch.astype("datetime64[s]") == coarse else coarse


def has_time_units(attrs: Mapping[str, Any]) -> bool:
    """Return whether attributes say that numbers are times since a date."""
    units = attrs.get("units")
    return isinstance(units, str) and " since " in units


def units_of(attrs: Mapping[str, Any], *, name: str) -> TimeUnits:
    """Return the time units that a variable's attributes state, or the default ones."""
    return parse_units(attrs.get("units", DEFAULT_UNITS), attrs.get("calendar", "standard"), name=name)
