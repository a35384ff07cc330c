"""Durations as arguments: strings such as "90 s", "1.5 h", "2 days" or "PT10M", or timedelta objects, without rounding."""

import datetime as dt
import re
from fractions import Fraction
from typing import Any, Final

import numpy as np

from zcollection.errors import SettingError
from zcollection.model.times import LENGTH_IN_NANOSECONDS, unit_named

Length = str | dt.timedelta | np.timedelta64

_WORDS: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([^\W\d]+)", re.ASCII)
_ISO: Final = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.ASCII)
_ISO_UNITS: Final = ("W", "D", "h", "m", "s")
_IN_NANOSECONDS: Final = {"W": 7 * LENGTH_IN_NANOSECONDS["D"], **LENGTH_IN_NANOSECONDS}
_WEEKS: Final = ("w", "week", "weeks")
_FROM_SECONDS_ON: Final = ("s", "ms", "us", "ns")

_LARGEST: Final = 2**63 * 1000
"""Limit of durations in nanoseconds (292,000 years): in microseconds, a shorter one can be added to a datetime64."""


def length_in(text: str) -> np.timedelta64 | None:
    """Parse a duration, in the coarsest exact unit among s, ms, us and ns; return None if the text is not a duration.

    Months and years are not accepted, because their lengths vary.

    Examples
    --------
    >>> length_in("10 min"), length_in("1.5h"), length_in("P1DT6H"), length_in("0.5 ms"), length_in("2024-01-01")
    (np.timedelta64(600,'s'), np.timedelta64(5400,'s'), np.timedelta64(108000,'s'), np.timedelta64(500,'us'), None)
    """
    words, iso = _WORDS.fullmatch(text.strip()), _ISO.fullmatch(text.strip())
    if words is not None:
        unit = "W" if words[2].lower() in _WEEKS else unit_named(words[2])
        return None if unit is None else _length(Fraction(words[1]) * _IN_NANOSECONDS[unit])
    if iso is None or not any(iso.groups()) or text.strip().endswith("T"):
        return None
    parts = zip(iso.groups(), _ISO_UNITS, strict=True)
    return _length(sum(Fraction(count) * _IN_NANOSECONDS[unit] for count, unit in parts if count))


def _length(nanoseconds: Fraction | int) -> np.timedelta64 | None:
    """Return a number of nanoseconds as timedelta64; None if it is too large or not an integer."""
    for unit in _FROM_SECONDS_ON if nanoseconds < _LARGEST else ():
        count = Fraction(nanoseconds) / _IN_NANOSECONDS[unit]
        if count.denominator == 1 and count < 2**63:
            return np.array([int(count)]).view(f"timedelta64[{unit}]")[0]  # type: ignore[no-any-return]  # its only value
    return None


def length_of(given: Any, *, name: str) -> np.timedelta64:
    """Return the duration that an argument means.

    Parameters
    ----------
    given
        A `numpy.timedelta64` (except of months and years), a `datetime.timedelta`, or a string as for `length_in`.
    name
        Name of the argument, for error messages.

    Raises
    ------
    SettingError
        The argument is not a duration.
    """
    found = given
    if isinstance(given, str):
        found = length_in(given)
    elif isinstance(given, dt.timedelta):
        found = np.timedelta64(given, "us")
    if isinstance(found, np.timedelta64) and _is_length(found):
        return found
    message = (
        f"{name} is {given!r}; accepted: a length of time, as numpy.timedelta64 or datetime.timedelta, or in words such as '1 s', "
        f"'10 min', '2 h' or 'PT10M'"
    )
    raise SettingError(message)


def _is_length(found: np.timedelta64) -> bool:
    is_counted = np.datetime_data(found.dtype)[0] in _IN_NANOSECONDS and not np.isnat(found)
    return is_counted and abs(nanoseconds_of(found)) < _LARGEST


def nanoseconds_of(length: np.timedelta64) -> int:
    """Return a duration in nanoseconds, as an integer of unlimited size.

    Examples
    --------
    >>> nanoseconds_of(np.timedelta64(1, "W")), nanoseconds_of(np.timedelta64(-2, "us"))
    (604800000000000, -2000)
    """
    unit, count = np.datetime_data(length.dtype)
    return int(length.astype(np.int64)) * count * _IN_NANOSECONDS[unit]
