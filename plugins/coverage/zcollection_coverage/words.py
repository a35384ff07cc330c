"""Values as text for people."""

from typing import Any, Final

import numpy as np

from zcollection.plugin import nanoseconds_of, times_in_words

_UNITS: Final = {
    word: nanoseconds_of(np.ones(1, f"timedelta64[{unit}]")[0])
    for word, unit in {"d": "D", "h": "h", "min": "m", "s": "s", "ms": "ms", "us": "us", "ns": "ns"}.items()
}
_A_MINUTE, _A_DAY = np.timedelta64(1, "m"), np.timedelta64(1, "D")


def in_words(value: Any, calendar: str | None = None) -> str:
    """Return a value as text; a duration is in the largest exact units.

    Parameters
    ----------
    value
        A time, a duration, or a number; None gives "".
    calendar
        The calendar if the value is a time as timedelta64 since 1970-01-01 of that calendar.

    Examples
    --------
    >>> in_words(np.timedelta64(5400, "s")), in_words(np.timedelta64(59, "D"), "360_day")
    ('1 h 30 min', '1970-02-30T00:00:00')
    """
    if value is None:
        return ""
    if isinstance(value, np.datetime64):
        return _without_zeros(f"{value}")
    if isinstance(value, np.timedelta64):
        return _length(value) if calendar is None else _without_zeros(times_in_words(np.array([value]), calendar)[0])
    return f"{value:g}" if isinstance(value, float) else f"{value}"


def roughly(length: Any) -> str:
    """Return a duration as text: in whole seconds from one minute on, in whole minutes from one day on.

    Examples
    --------
    >>> roughly(np.timedelta64(90_061_500, "ms")), roughly(np.timedelta64(1500, "ms"))
    ('1 d 1 h 1 min', '1 s 500 ms')
    """
    unit = "m" if abs(length) >= _A_DAY else "s"
    return in_words(length if abs(length) < _A_MINUTE else length.astype(f"timedelta64[{unit}]"))


def percent(share: float) -> str:
    """Return a share in percent, rounded down: only a complete share is 100 %."""
    return f"{int(share * 10000) / 100:g} %"


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _length(length: np.timedelta64) -> str:
    if np.isnat(length) or np.datetime_data(length.dtype)[0] in {"Y", "M", "generic"}:
        return f"{length}"
    total = nanoseconds_of(length)
    rest, parts = abs(total), []
    for word, length_of_unit in _UNITS.items():
        count, rest = divmod(rest, length_of_unit)
        if count:
            parts.append(f"{count} {word}")
    return f"{'-' if total < 0 else ''}{' '.join(parts) or '0 s'}"
