"""The accepted types of columns, and the conversion of their values to keys."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from zcollection.plugin import PartitionError, as_int64

_TYPES: Final = {"U": "text", "T": "text", "S": "text", "i": "integer", "u": "integer", "b": "boolean"}


def type_of(dtype: np.dtype[Any]) -> str | None:
    """Return the type of key for a dtype: ``"text"``, ``"integer"`` or ``"boolean"``; None if its values cannot be keys.

    Examples
    --------
    >>> type_of(np.dtype("U5")), type_of(np.dtype("uint8")), type_of(np.dtype("float64"))
    ('text', 'integer', None)
    """
    return _TYPES.get(dtype.kind)


def refusal(dtype: np.dtype[Any], path: str) -> str:
    """Return the error message for a variable whose dtype cannot be used for keys."""
    message = (
        f"the partitioning by values reads the variable {path!r}, which is {dtype}; accepted: texts, integers, booleans"
    )
    if dtype.kind in "fc":
        return f"{message}: floats that look alike differ in their last digits, and NaN equals nothing; store what is meant as integers"
    if dtype.kind == "M":
        return f"{message}: partition times by date"
    return f"{message}; declare it so"


def _texts(column: NDArray[Any], path: str) -> NDArray[Any]:
    _check(column, path, "text")
    if column.dtype.kind == "S":
        return _decoded(column, path)
    _check_present(column, path)
    return column.copy()


def _check_present(column: NDArray[Any], path: str) -> None:
    """Check that a column of strings contains no missing values (the `na_object` of its dtype)."""
    has_marker = hasattr(column.dtype, "na_object")
    missing = next((at for at, value in enumerate(column if has_marker else ()) if not isinstance(value, str)), None)
    if missing is not None:
        message = f"the variable {path!r} has no value at position {missing}; drop such rows, or fill them in, before inserting"
        raise PartitionError(message)


def _decoded(column: NDArray[Any], path: str) -> NDArray[Any]:
    try:
        return np.strings.decode(column, "utf-8")
    except UnicodeDecodeError:
        first, value = next((at, value) for at, value in enumerate(column.tolist()) if not _is_utf8(value))
        message = (
            f"the variable {path!r} has the bytes {value!r} at position {first}; accepted: texts in UTF-8; convert these "
            f"values before inserting"
        )
        raise PartitionError(message) from None


def _is_utf8(value: bytes) -> bool:
    return value.decode(errors="replace").encode() == value


def _booleans(column: NDArray[Any], path: str) -> NDArray[Any]:
    _check(column, path, "boolean")
    return column.copy()


def _integers(column: NDArray[Any], path: str) -> NDArray[np.int64]:
    _check(column, path, "integer")
    return as_int64(column, path)


def _check(column: NDArray[Any], path: str, expected: str) -> None:
    found = type_of(column.dtype)
    if found is None:
        raise PartitionError(refusal(column.dtype, path))
    if found != expected:
        message = (
            f"the variable {path!r} is {column.dtype}; accepted: {expected} values, as the partitioning was made for"
        )
        raise PartitionError(message)


KEYS_OF: Final[Mapping[str, Callable[[NDArray[Any], str], NDArray[Any]]]] = {
    "text": _texts,
    "integer": _integers,
    "boolean": _booleans,
}
"""Functions that convert the column at a path to keys, by the type of key."""
