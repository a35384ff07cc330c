"""Parse strings from CSV files and from the command line; the schema determines the type of the values."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from zcollection.conditions import exact
from zcollection.conditions.instants import counted
from zcollection.errors import MissingDependencyError, SchemaError
from zcollection.model.declared import VariableSchema
from zcollection.model.dtypes import STRING, dtype_name
from zcollection.model.times import has_time_units, units_of

_WHOLE: Final = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?|nan", re.ASCII | re.IGNORECASE)
_TIME: Final = re.compile(
    r"[+-]?\d{4,6}-\d\d(-\d\d([T ]\d\d(:?\d\d(:?\d\d([.,]\d{1,9})?)?)?\s?(Z|[+-]\d\d(:?\d\d)?)?)?)?", re.ASCII
)
_WORDS: Final[Mapping[str, bool]] = {"true": True, "1": True, "false": False, "0": False}


def values_of(strings: Sequence[str], declared: VariableSchema, *, name: str) -> Any:
    """Parse strings as values of a variable: an array, masked where a string is empty unless the values are strings.

    Times are ISO 8601, in UTC unless they have an offset; for a variable with CF time units, numbers are accepted too.

    Parameters
    ----------
    strings
        One string for each value.
    declared
        The schema of the variable. Only conversion to floats may round.
    name
        Name of the strings, for error messages.

    Raises
    ------
    SchemaError
        A string is not a value of this type.
    """
    kind = declared.dtype.kind
    if kind in "TUS":
        return np.array(list(strings), dtype=STRING if kind != "S" else None).astype("S" if kind == "S" else STRING)
    stripped = [text.strip() for text in strings]
    missing = np.array([not text for text in stripped], dtype=np.bool_)
    present = [text for text in stripped if text]
    try:
        found = _read(present, declared)
    except ValueError as error:
        message = f"{name} cannot be read as {dtype_name(declared.dtype)}: {error}"
        raise SchemaError(message) from error
    if not missing.any():
        return found
    values = np.zeros(len(stripped), found.dtype)
    values[~missing] = found
    return np.ma.MaskedArray(values, missing)


def inferred(strings: Sequence[str]) -> Any:
    """Parse strings as the first type that fits all of them: int64, float64, booleans, times, or else strings.

    Empty strings are missing values, and are masked unless the type is string.

    Examples
    --------
    >>> inferred(["1", "", "3"]).tolist(), inferred(["2024-01-01"]).dtype.kind, inferred(["1", "x"]).dtype.kind
    ([1, None, 3], 'M', 'T')
    """
    stripped = [text.strip() for text in strings if text.strip()]
    for dtype, known in _INFERRED.items():
        if stripped and all(map(known, stripped)):
            return values_of(strings, VariableSchema("inferred", dtype=dtype, dimensions=("row",)), name="a column")
    return np.array(list(strings), dtype=STRING)


def _read(strings: Sequence[str], declared: VariableSchema) -> NDArray[Any]:
    """Parse strings, none of which is empty."""
    kind = declared.dtype.kind
    if kind in "iuf" and has_time_units(declared.attrs) and not all(map(_NUMBER.fullmatch, strings)):
        return _times_in_units(strings, declared)
    return _READERS[kind](strings, declared.dtype)


def _integers(strings: Sequence[str], _: object) -> NDArray[Any]:
    values = [int(_checked(text, _WHOLE, "an integer such as 12")) for text in strings]
    numbers = exact.integers(values)
    return np.array(values, np.uint64) if numbers.dtype == object and min(values) >= 0 else numbers


def _floats(strings: Sequence[str], dtype: np.dtype[Any]) -> NDArray[Any]:
    values = np.array([float(_checked(text, _NUMBER, "a number such as 0.5")) for text in strings], np.float64)
    with np.errstate(over="ignore"):
        rounded: NDArray[Any] = values.astype(dtype)
    too_large = np.isinf(rounded) & np.array(["inf" not in text.lower() for text in strings], np.bool_)
    if too_large.any():
        message = f"{strings[int(np.argmax(too_large))]!r} is too large; accepted: up to {np.finfo(dtype).max}"
        raise ValueError(message)
    return rounded


def _complex(strings: Sequence[str], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.array([complex(text) for text in strings], dtype)


def _booleans(strings: Sequence[str], _: object) -> NDArray[Any]:
    wrong = next((text for text in strings if text.lower() not in _WORDS), None)
    if wrong is not None:
        message = f"{wrong!r} is not a boolean; accepted: true, false, 1 or 0"
        raise ValueError(message)
    return np.array([_WORDS[text.lower()] for text in strings], np.bool_)


def _times(strings: Sequence[str], _: object = None) -> NDArray[Any]:
    pd = _pandas()
    valid = [_checked(text, _TIME, "ISO 8601 such as 2024-01-03T12:30") if text != "NaT" else text for text in strings]
    times = pd.to_datetime(pd.Series(valid, dtype=object), format="ISO8601", utc=True)
    return np.asarray(times.dt.tz_localize(None))


def _durations(strings: Sequence[str], _: object) -> NDArray[Any]:
    pd = _pandas()
    bare = next((text for text in strings if _NUMBER.fullmatch(text)), None)
    if bare is not None:
        message = f"{bare!r} has no unit; accepted: a duration such as '90 seconds' or '1 days 00:00:30'"
        raise ValueError(message)
    return np.asarray(pd.to_timedelta(pd.Series(list(strings), dtype=object)))


def _times_in_units(strings: Sequence[str], declared: VariableSchema) -> NDArray[Any]:
    """Return times, or numbers in the CF units if their calendar is not that of datetime64."""
    units = units_of(declared.attrs, name=declared.name)
    if units.has_datetime64:
        return _times(strings)
    numbers = [counted(text, units) for text in strings]
    if declared.dtype.kind == "f":
        return np.array([float(number) for number in numbers])
    broken = next((text for text, number in zip(strings, numbers, strict=True) if number.denominator != 1), None)
    if broken is not None:
        message = f"{broken!r} is not an integer number of '{units}'"
        raise ValueError(message)
    return exact.integers([int(number) for number in numbers])


def _checked(text: str, pattern: re.Pattern[str], accepted: str) -> str:
    if not pattern.fullmatch(text):
        message = f"{text!r} is not valid; accepted: {accepted}"
        raise ValueError(message)
    return text


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError.of("pandas", extra="xarray", purpose="parsing times") from error
    return pd


_READERS: Final[Mapping[str, Callable[[Sequence[str], np.dtype[Any]], NDArray[Any]]]] = {
    **dict.fromkeys("iu", _integers),
    "f": _floats,
    "c": _complex,
    "b": _booleans,
    "M": _times,
    "m": _durations,
}
_INFERRED: Final[Mapping[str, Callable[[str], object]]] = {
    "int64": _WHOLE.fullmatch,
    "float64": _NUMBER.fullmatch,
    "bool": lambda text: text.lower() in {"true", "false"},
    "datetime64[ns]": _TIME.fullmatch,
}
"""Functions that recognise the type of a string if no schema declares it, in the order in which they are tried."""


def pairs_of(options: Iterable[str] | None, *, option: str, form: str) -> dict[str, str]:
    """Parse options of the form ``KEY=VALUE``.

    Raises
    ------
    SchemaError
        An option has no key or no '=', or a key is repeated.
    """
    found: dict[str, str] = {}
    for text in options or ():
        key, separator, value = (part.strip() for part in text.partition("="))
        if not key or not separator or key in found:
            what = "repeats a key" if key in found else "is not of that form"
            message = f"{option} {text!r} {what}; accepted: {form}, each once"
            raise SchemaError(message)
        found[key] = value
    return found
