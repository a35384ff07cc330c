"""Conversion of Arrow columns to NumPy arrays with the same meaning, or an error with the reason."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.errors import SchemaError


def width(kind: Any) -> int | None:
    """Return the number of values per row of a type; None for a single value."""
    import pyarrow as pa

    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else None


def dtype_of(kind: Any) -> np.dtype[Any]:
    """Return the dtype of the array of a column; object for strings, and for types that `values` rejects."""
    import pyarrow as pa

    try:
        return values(pa.chunked_array([], type=kind), "", None).dtype
    except SchemaError:
        return np.dtype(object)


def values(column: Any, name: str, fill: Any) -> NDArray[Any]:
    """Return the values of a column.

    Parameters
    ----------
    column
        A `pyarrow.ChunkedArray` of n rows.
    name
        The name of the column, for messages.
    fill
        The value of missing integers; None if missing integers are not allowed.

    Returns
    -------
    ndarray
        An array of shape (n,), or (n, width) for lists of a fixed size. Times with a time zone are in UTC. Missing numbers are NaN,
        missing times NaT, missing strings empty.

    Raises
    ------
    SchemaError
        No array can represent the type of the column, or its missing values.
    """
    import pyarrow as pa

    kind = column.type
    for is_of_kind, converted in (
        (pa.types.is_dictionary, _categories),
        (pa.types.is_fixed_size_list, _lists),
        (pa.types.is_date, _dates),
        (pa.types.is_timestamp, _times),
        (pa.types.is_duration, _times),
        (pa.types.is_string, _strings),
        (pa.types.is_large_string, _strings),
        (pa.types.is_floating, _floats),
        (pa.types.is_integer, _integers),
        (pa.types.is_boolean, _booleans),
    ):
        if is_of_kind(kind):
            return converted(column, name, fill)
    message = (
        f"column {name!r} is of type {kind}; accepted: numbers, booleans, times, dates, strings, and lists of numbers of one length; "
        f"convert it, or leave it out with drop"
    )
    raise SchemaError(message)


def _categories(column: Any, name: str, fill: Any) -> NDArray[Any]:
    return values(column.cast(column.type.value_type), name, fill)


def _dates(column: Any, name: str, fill: Any) -> NDArray[Any]:
    import pyarrow as pa

    unit = "s" if pa.types.is_date32(column.type) else "ms"
    return _times(column.cast(pa.timestamp(unit)), name, fill)


def _times(column: Any, _name: str, _fill: Any) -> NDArray[Any]:
    import pyarrow as pa

    letter = "M" if pa.types.is_timestamp(column.type) else "m"
    counted = _numpy(column.cast(pa.int64()).fill_null(np.iinfo(np.int64).min))
    return counted.view(f"{letter}8[{column.type.unit}]")


def _strings(column: Any, _name: str, _fill: Any) -> NDArray[Any]:
    return np.array(column.fill_null("").to_pylist(), dtype=object)


def _floats(column: Any, _name: str, _fill: Any) -> NDArray[Any]:
    import pyarrow as pa

    return _numpy(column.fill_null(pa.scalar(np.nan, column.type)))


def _booleans(column: Any, name: str, _fill: Any) -> NDArray[Any]:
    return _numpy(_complete(column, name))


def _integers(column: Any, name: str, fill: Any) -> NDArray[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if fill is None:
        return _numpy(_complete(column, name))
    marker = pa.scalar(int(fill), column.type)
    if pc.any(pc.equal(column, marker)).as_py():
        message = (
            f"column {name!r} has missing values, and also contains {int(fill)}, the value that marks them; fill the missing ones "
            f"in, or leave the column out with drop"
        )
        raise SchemaError(message)
    return _numpy(column.fill_null(marker))


def _lists(column: Any, name: str, fill: Any) -> NDArray[Any]:
    import pyarrow as pa

    size = int(column.type.list_size)
    flat = [part.flatten() for part in _complete(column, name).chunks]
    inner = values(pa.chunked_array(flat, type=column.type.value_type), name, fill)
    if inner.dtype.kind == "O":
        message = f"column {name!r} is of type {column.type}; accepted in lists: numbers, booleans and times; leave it out with drop"
        raise SchemaError(message)
    return inner.reshape(-1, size)


def _complete(column: Any, name: str) -> Any:
    if column.null_count:
        message = (
            f"column {name!r} has {column.null_count} missing values, and {column.type} has no value that marks them; fill them in, or "
            f"leave the column out with drop"
        )
        raise SchemaError(message)
    return column


def _numpy(column: Any) -> NDArray[Any]:
    array: NDArray[Any] = column.to_numpy()
    return array
