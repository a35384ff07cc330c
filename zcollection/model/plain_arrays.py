"""Conversion of masked arrays, pandas extension arrays and arrays of objects to plain NumPy arrays.

pandas and cftime are not imported: their objects are recognised by their attributes.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, timedelta
from typing import Any, Final

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from zcollection.errors import SchemaError
from zcollection.model.calendars import REFORM, STANDARD, CalendarTimes, calendar_name, days_of, has_datetime64
from zcollection.model.dtypes import STRING


@frozen
class PlainArray:
    """Values, and the mask of the missing ones.

    Attributes
    ----------
    values
        A NumPy array without objects; or one-dimensional times of a calendar that datetime64 cannot represent.
    missing
        Mask of the same shape; None if no value is missing, or if all missing values are NaN or NaT.
    """

    values: NDArray[Any] | CalendarTimes
    missing: NDArray[np.bool_] | None = None


def to_plain_array(values: Any, *, name: str) -> PlainArray:
    """Return values as a plain NumPy array and a mask.

    Times with a time zone are converted to UTC.

    Parameters
    ----------
    values
        An array, a masked array, a pandas array, Series or Index, or any object that NumPy converts to an array.
    name
        Name of the variable, for error messages.

    Raises
    ------
    SchemaError
        The values are objects of different kinds, or of a kind that cannot be stored.
    """
    if isinstance(values, np.ma.MaskedArray):
        found = to_plain_array(np.asarray(values.data), name=name)
        hidden = np.ma.getmaskarray(values)
        return PlainArray(found.values, hidden if found.missing is None else hidden | found.missing)
    dtype = getattr(values, "dtype", None)
    if dtype is not None and not isinstance(dtype, np.dtype):
        return _of_pandas(values, dtype, name)
    array = np.asarray(values)
    if array.dtype.kind == "T":
        return _of_strings(array)
    return _of_objects(array, name) if array.dtype.kind == "O" else PlainArray(array)


def _of_pandas(values: Any, dtype: Any, name: str) -> PlainArray:
    """Return the values of a pandas array, Series or Index with an extension dtype."""
    array = values.array if hasattr(values, "array") else values
    if hasattr(dtype, "tz"):
        return PlainArray(np.asarray(array.tz_convert("UTC").tz_localize(None)))
    missing = np.asarray(array.isna())
    numpy_dtype = getattr(dtype, "numpy_dtype", None)
    if isinstance(numpy_dtype, np.dtype) and numpy_dtype.kind in "biuf":
        filled = array.to_numpy(dtype=numpy_dtype, na_value=np.zeros((), numpy_dtype)[()])
        return PlainArray(np.asarray(filled), missing if missing.any() else None)
    return _of_objects(np.asarray(array, dtype=object), name)


def _of_strings(array: NDArray[Any]) -> PlainArray:
    """Return strings as `STRING`; missing ones, marked by an object such as NaN, become empty."""
    if array.dtype == STRING:
        return PlainArray(array)
    objects = array.astype(object)
    missing = _missing(objects)
    return PlainArray(np.where(missing, "", objects).astype(STRING), missing if missing.any() else None)


def _missing(objects: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return the mask of objects that are None, NaN, NaT or pandas' NA."""
    items: list[Any] = list(objects.flat)
    found = [item is None or type(item).__name__ in {"NAType", "NaTType"} or _is_nan(item) for item in items]
    return np.array(found, dtype=np.bool_).reshape(objects.shape)


def _is_nan(item: Any) -> bool:
    return isinstance(item, float | np.floating | np.datetime64 | np.timedelta64) and bool(item != item)  # noqa: PLR0124


def _of_objects(array: NDArray[np.object_], name: str) -> PlainArray:
    missing = _missing(array)
    present = array[~missing].tolist()
    make = next((make for known, make in _KINDS if all(map(known, present))), None)
    if make is None:
        types = " and ".join(sorted({type(item).__name__ for item in present}))
        message = (
            f"variable {name!r} contains objects of type {types}; accepted: strings, bytes, numbers or times, with None or "
            f"NaN for missing values"
        )
        raise SchemaError(message)
    made = make(present, name)
    values = made.since if isinstance(made, CalendarTimes) else made
    filled = np.zeros(array.shape, values.dtype)
    filled[~missing] = values
    if isinstance(made, CalendarTimes):
        filled[missing] = np.timedelta64("NaT", "us")
        return PlainArray(CalendarTimes(filled, made.calendar))
    return PlainArray(filled, missing if missing.any() else None)


def _times(items: Sequence[Any], _: str) -> NDArray[Any]:
    """Return datetimes and dates as datetime64; those with a time zone are converted to UTC."""
    naive = [_in_utc(item) for item in items]
    unit = "ns" if any(getattr(item, "nanosecond", 0) for item in naive) else "us"
    return np.array(naive, dtype=f"datetime64[{unit}]")


def _in_utc(item: Any) -> Any:
    if getattr(item, "tzinfo", None) is None:
        return item
    return item.astimezone(UTC).replace(tzinfo=None)


def _calendar_times(items: Sequence[Any], name: str) -> NDArray[Any] | CalendarTimes:
    """Return cftime objects as datetime64 if it can represent their dates, else as times of their calendar."""
    spelled = sorted({item.calendar for item in items})
    if len(spelled) != 1:
        message = (
            f"variable {name!r} has times in the calendars {', '.join(map(repr, spelled))}; accepted: one calendar"
        )
        raise SchemaError(message)
    calendar = calendar_name(spelled[0], name=name)
    parts = np.array(
        [(t.year, t.month, t.day, t.hour, t.minute, t.second, t.microsecond) for t in items], dtype=np.int64
    ).reshape(-1, 7)
    days = days_of(parts[:, 0], parts[:, 1], parts[:, 2], calendar)
    since = ((days * 24 + parts[:, 3]) * 60 + parts[:, 4]) * 60 + parts[:, 5]
    microseconds = since * 10**6 + parts[:, 6]
    is_representable = has_datetime64(calendar) and (calendar != STANDARD or not (days < REFORM).any())
    return microseconds.view("M8[us]") if is_representable else CalendarTimes(microseconds.view("m8[us]"), calendar)


def _is(*types: type) -> Callable[[Any], bool]:
    return lambda item: isinstance(item, types)


_KINDS: Final[tuple[tuple[Callable[[Any], bool], Callable[[Sequence[Any], str], Any]], ...]] = (
    (_is(str), lambda items, _: np.array(items, dtype=STRING)),
    (_is(bytes), lambda items, _: np.array(items)),
    (_is(bool, np.bool_), lambda items, _: np.array(items)),
    (_is(int, float, complex, np.number), lambda items, _: np.array(items)),
    (_is(date, np.datetime64), _times),
    (_is(timedelta, np.timedelta64), lambda items, _: np.array(items).astype("timedelta64[ns]")),
    (lambda item: hasattr(item, "calendar") and hasattr(item, "microsecond"), _calendar_times),
)
"""Tests for the kinds of objects, and their conversions. The first match applies, so an array without values becomes an array of
strings."""
