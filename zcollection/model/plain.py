"""Values of other libraries as NumPy's own: masked arrays, pandas' extension types, and arrays of objects.

pandas and cftime are not imported: their values are known by what they have.
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
class Plain:
    """Values, and which of them are missing.

    Attributes
    ----------
    values
        An array of NumPy's, without objects; or, for a calendar that datetime64 does not have, times of one dimension.
    missing
        Of the same shape; None where nothing is missing, or where the values say so themselves (NaN, NaT).
    """

    values: NDArray[Any] | CalendarTimes
    missing: NDArray[np.bool_] | None = None


def plain(values: Any, *, name: str) -> Plain:
    """Return values as NumPy's own.

    Times with a time zone become the same instants in UTC.

    Parameters
    ----------
    values
        An array, a masked array, one of pandas' arrays, Series or indexes, or anything that NumPy makes an array of.
    name
        The variable, for messages.

    Raises
    ------
    SchemaError
        They are objects of different kinds, or of one that cannot be stored.
    """
    if isinstance(values, np.ma.MaskedArray):
        found = plain(np.asarray(values.data), name=name)
        hidden = np.ma.getmaskarray(values)
        return Plain(found.values, hidden if found.missing is None else hidden | found.missing)
    dtype = getattr(values, "dtype", None)
    if dtype is not None and not isinstance(dtype, np.dtype):
        return _of_pandas(values, dtype, name)
    array = np.asarray(values)
    if array.dtype.kind == "T":
        return _of_strings(array)
    return _of_objects(array, name) if array.dtype.kind == "O" else Plain(array)


def _of_pandas(values: Any, dtype: Any, name: str) -> Plain:
    """Return the values of one of pandas' extension types."""
    held = values.array if hasattr(values, "array") else values
    if hasattr(dtype, "tz"):
        return Plain(np.asarray(held.tz_convert("UTC").tz_localize(None)))
    missing = np.asarray(held.isna())
    numpy_dtype = getattr(dtype, "numpy_dtype", None)
    if isinstance(numpy_dtype, np.dtype) and numpy_dtype.kind in "biuf":
        filled = held.to_numpy(dtype=numpy_dtype, na_value=np.zeros((), numpy_dtype)[()])
        return Plain(np.asarray(filled), missing if missing.any() else None)
    return _of_objects(np.asarray(held, dtype=object), name)


def _of_strings(array: NDArray[Any]) -> Plain:
    """Return strings without an object of their own for what is missing."""
    if array.dtype == STRING:
        return Plain(array)
    objects = array.astype(object)
    missing = _missing(objects)
    return Plain(np.where(missing, "", objects).astype(STRING), missing if missing.any() else None)


def _missing(objects: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return which objects are None, NaN, NaT or pandas' NA."""
    items: list[Any] = list(objects.flat)
    found = [item is None or type(item).__name__ in {"NAType", "NaTType"} or _is_nan(item) for item in items]
    return np.array(found, dtype=np.bool_).reshape(objects.shape)


def _is_nan(item: Any) -> bool:
    return isinstance(item, float | np.floating | np.datetime64 | np.timedelta64) and bool(item != item)  # noqa: PLR0124


def _of_objects(array: NDArray[np.object_], name: str) -> Plain:
    missing = _missing(array)
    present = array[~missing].tolist()
    make = next((make for known, make in _KINDS if all(map(known, present))), None)
    if make is None:
        types = " and ".join(sorted({type(item).__name__ for item in present}))
        message = (
            f"variable {name!r} holds objects of type {types}; accepted: strings, bytes, numbers or times, each with None or "
            f"NaN for what is missing"
        )
        raise SchemaError(message)
    made = make(present, name)
    is_foreign = isinstance(made, CalendarTimes)
    values = made.since if isinstance(made, CalendarTimes) else made
    whole = np.zeros(array.shape, values.dtype)
    whole[~missing] = values
    if is_foreign:
        whole[missing] = np.timedelta64("NaT", "us")
        return Plain(CalendarTimes(whole, made.calendar))
    return Plain(whole, missing if missing.any() else None)


def _times(items: Sequence[Any], _: str) -> NDArray[Any]:
    """Return datetimes and dates as datetime64; those with a time zone as the same instants in UTC."""
    naive = [_in_utc(item) for item in items]
    unit = "ns" if any(getattr(item, "nanosecond", 0) for item in naive) else "us"
    return np.array(naive, dtype=f"datetime64[{unit}]")


def _in_utc(item: Any) -> Any:
    if getattr(item, "tzinfo", None) is None:
        return item
    return item.astimezone(UTC).replace(tzinfo=None)


def _calendar_times(items: Sequence[Any], name: str) -> NDArray[Any] | CalendarTimes:
    """Return cftime's objects as datetime64 where it names their days, else as times of their calendar."""
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
    named = has_datetime64(calendar) and (calendar != STANDARD or not (days < REFORM).any())
    return microseconds.view("M8[us]") if named else CalendarTimes(microseconds.view("m8[us]"), calendar)


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
"""How objects are known, and what becomes of them; an array without a value is one of strings."""
