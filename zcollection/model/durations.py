"""Durations as arguments: strings such as "90 s", "1.5 h", "2 days" or "PT10M", or timedelta objects, without rounding."""

import datetime as dt
import re
from fractions import Fraction
from typing import Any, Final

import numpy as np

from zcollection.errors import SettingError
from zcollection.model.times import UNIT_IN_NANOSECONDS, unit_named

Duration = str | dt.timedelta | np.timedelta64

_WORDS: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([^\W\d]+)", re.ASCII)
_ISO: Final = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.ASCII)
_ISO_UNITS: Final = ("W", "D", "h", "m", "s")
_IN_NANOSECONDS: Final = {"W": 7 * UNIT_IN_NANOSECONDS["D"], **UNIT_IN_NANOSECONDS}
_WEEKS: Final = ("w", "week", "weeks")
_FROM_SECONDS_ON: Final = ("s", "ms", "us", "ns")

_LARGEST: Final = 2**63 * 1000
"""Limit of durations in nanoseconds (292,000 years): in microseconds, a shorter one can be added to a datetime64."""


def parse_duration(text: str) -> np.timedelta64 | None:
    """Parse a duration, in the coarsest exact unit among s, ms, us and ns; return None if the text is not a duration.

    Months and years are not accepted, because their lengths vary.

    Examples
    --------
    >>> parse_duration("10 min"), parse_duration("1.5h"), parse_duration("P1DT6H"), parse_duration("0.5 ms"), parse_duration("2024-01-01")
    (np.timedelta64(600,'s'), np.timedelta64(5400,'s'), np.timedelta64(108000,'s'), np.timedelta64(500,'us'), None)
    """
    words, iso = _WORDS.fullmatch(text.strip()), _ISO.fullmatch(text.strip())
    if words is not None:
        unit = "W" if words[2].lower() in _WEEKS else unit_named(words[2])
        return None if unit is None else _duration(Fraction(words[1]) * _IN_NANOSECONDS[unit])
    if iso is None or not any(iso.groups()) or text.strip().endswith("T"):
        return None
    parts = zip(iso.groups(), _ISO_UNITS, strict=True)
    return _duration(sum(Fraction(count) * _IN_NANOSECONDS[unit] for count, unit in parts if count))


def _duration(nanoseconds: Fraction | int) -> np.timedelta64 | None:
    """Return a number of nanoseconds as timedelta64; None if it is too large or not an integer."""
    for unit in _FROM_SECONDS_ON if nanoseconds < _LARGEST else ():
        count = Fraction(nanoseconds) / _IN_NANOSECONDS[unit]
        if count.denominator == 1 and count < 2**63:
            return np.array([int(count)]).view(f"timedelta64[{unit}]")[0]  # type: ignore[no-any-return]  # its only value
    return None


def duration_of(value: Any, *, name: str) -> np.timedelta64:
    """Return an argument as a duration.

    Parameters
    ----------
    value
        A `numpy.timedelta64` (except of months and years), a `datetime.timedelta`, or a string as for `parse_duration`.
    name
        Name of the argument, for error messages.

    Raises
    ------
    SettingError
        The argument is not a duration.
    """
    found = value
    if isinstance(value, str):
        found = parse_duration(value)
    elif isinstance(value, dt.timedelta):
        found = np.timedelta64(value, "us")
    if isinstance(found, np.timedelta64) and _is_duration(found):
        return found
    message = (
        f"{name} is {value!r}; accepted: a duration, as numpy.timedelta64 or datetime.timedelta, or as a string such as '1 s', "
        f"'10 min', '2 h' or 'PT10M'"
    )
    raise SettingError(message)


def _is_duration(found: np.timedelta64) -> bool:
    is_counted = np.datetime_data(found.dtype)[0] in _IN_NANOSECONDS and not np.isnat(found)
    return is_counted and abs(nanoseconds_of(found)) < _LARGEST


def nanoseconds_of(duration: np.timedelta64) -> int:
    """Return a duration in nanoseconds, as an integer of unlimited size.

    Examples
    --------
    >>> nanoseconds_of(np.timedelta64(1, "W")), nanoseconds_of(np.timedelta64(-2, "us"))
    (604800000000000, -2000)
    """
    unit, count = np.datetime_data(duration.dtype)
    return int(duration.astype(np.int64)) * count * _IN_NANOSECONDS[unit]
