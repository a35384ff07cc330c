"""Validation of tolerances, and distances between axis values that never overflow."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.plugin import PluginConfigurationError, SchemaError

Tolerance = int | float | np.timedelta64

_ATTOSECONDS = {
    "W": 604_800 * 10**18,
    "D": 86_400 * 10**18,
    "h": 3_600 * 10**18,
    "m": 60 * 10**18,
    "s": 10**18,
    "ms": 10**15,
    "us": 10**12,
    "ns": 10**9,
    "ps": 10**6,
    "fs": 10**3,
    "as": 1,
}
"""Length of each unit in attoseconds; years and months are excluded, because their length varies."""

_ACCEPTED = (
    "None, a number or a numpy.timedelta64 with a unit from 'W' to 'as', finite and not negative, such as "
    "numpy.timedelta64(1, 's')"
)


def as_tolerance(value: float | np.timedelta64 | None) -> Tolerance | None:
    """Return a tolerance converted to one of the types that can be stored.

    Raises
    ------
    PluginConfigurationError
        `value` is not a valid tolerance.
    """
    tolerance = _duration(value) if isinstance(value, np.timedelta64) else _number(value)
    if tolerance is None and value is not None:
        message = f"the tolerance of an upsert is {value!r}; accepted: {_ACCEPTED}"
        raise PluginConfigurationError(message)
    return tolerance


def _duration(value: np.timedelta64) -> np.timedelta64 | None:
    unit, _ = np.datetime_data(value.dtype)
    if unit not in _ATTOSECONDS or np.isnat(value) or value.astype(np.int64) < 0:
        return None
    # A stored duration has a unit without a multiplier: 3 in the unit "10s" becomes 30 s.
    whole: np.timedelta64 = value.astype(f"timedelta64[{unit}]")
    return whole


def _number(value: object) -> int | float | None:
    number = value.item() if isinstance(value, np.integer | np.floating) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def reach(tolerance: Tolerance, dtype: np.dtype[Any]) -> int | float:
    """Return a tolerance in the unit of the distances between values of `measure`, for an axis of this type.

    Raises
    ------
    SchemaError
        The tolerance does not fit the type of the axis.
    """
    if isinstance(tolerance, np.timedelta64) and dtype.kind in "mM":
        unit, count = np.datetime_data(_fixed(dtype))
        if unit in _ATTOSECONDS:
            own, _ = np.datetime_data(tolerance.dtype)
            return int(tolerance.astype(np.int64)) * _ATTOSECONDS[own] // (count * _ATTOSECONDS[unit])
    elif not isinstance(tolerance, np.timedelta64) and dtype.kind in "iuf":
        return tolerance
    fitting = {
        "i": "a number",
        "u": "a number",
        "f": "a number",
        "m": "a numpy.timedelta64",
        "M": "a numpy.timedelta64",
    }
    message = (
        f"the axis has the type {dtype} and the tolerance of the upsert is {tolerance!r}; accepted for such an axis: None"
        + (f" or {fitting[dtype.kind]}" if dtype.kind in fitting else "")
    )
    raise SchemaError(message)


def measure(values: NDArray[Any]) -> NDArray[np.uint64] | NDArray[np.float64]:
    """Return axis values as numbers in the same order, whose differences are the distances; exact except for floats.

    Parameters
    ----------
    values
        Axis values, without NaN and NaT, of a type that `reach` accepts.

    Returns
    -------
    ndarray
        float64 for floats, else uint64, in which the difference of the largest and the smallest int64 does not overflow.
    """
    if values.dtype.kind == "f":
        return values.astype(np.float64)
    if values.dtype.kind == "u":
        return values.astype(np.uint64)
    return values.astype(_fixed(values.dtype)).astype(np.int64).view(np.uint64) ^ np.uint64(1 << 63)


def _fixed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return days in place of the calendar's years and months, whose lengths vary."""
    return np.dtype("datetime64[D]") if dtype.kind == "M" and np.datetime_data(dtype)[0] in "YM" else dtype
