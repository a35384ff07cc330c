"""Columns of Arrow as arrays that mean the same, or an error that says why there is none."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.errors import SchemaError
from zcollection.model.dtypes import in_words


def width(kind: Any) -> int | None:
    """Return how many values each row of a type has; None where it is one."""
    import pyarrow as pa

    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else None


def dtype_of(kind: Any) -> np.dtype[Any]:
    """Return the type of array that a column becomes; object for texts, and for what `values` refuses."""
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
        For messages.
    fill
        What missing integers become; None where there may be none.

    Returns
    -------
    ndarray
        Of shape (n,), or (n, width) for lists of a fixed size. Times with a time zone are in UTC; missing numbers are NaN, times
        NaT, texts empty.

    Raises
    ------
    SchemaError
        The column is of a type without an array that means the same, or has missing values that such an array cannot have.
    """
    import pyarrow as pa

    types, kind = pa.types, column.type
    if types.is_dictionary(kind):
        return values(column.cast(kind.value_type), name, fill)
    if types.is_fixed_size_list(kind):
        return _lists(column, name, fill)
    if types.is_date(kind):
        return values(column.cast(pa.timestamp("s" if types.is_date32(kind) else "ms")), name, fill)
    if types.is_timestamp(kind) or types.is_duration(kind):
        counted = _numpy(column.cast(pa.int64()).fill_null(np.iinfo(np.int64).min))
        return counted.view(f"{'M' if types.is_timestamp(kind) else 'm'}8[{kind.unit}]")
    if types.is_string(kind) or types.is_large_string(kind):
        return np.array(column.fill_null("").to_pylist(), dtype=object)
    if types.is_floating(kind):
        return _numpy(column.fill_null(pa.scalar(np.nan, kind)))
    if types.is_integer(kind):
        return _integers(column, name, fill)
    if types.is_boolean(kind):
        return _numpy(_complete(column, name))
    message = (
        f"column {name!r} is of type {kind}; accepted: numbers, booleans, times, dates, texts, and lists of numbers of one length; "
        f"convert it, or leave it out with drop"
    )
    raise SchemaError(message)


def _integers(column: Any, name: str, fill: Any) -> NDArray[Any]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if fill is None:
        return _numpy(_complete(column, name))
    marker = pa.scalar(int(fill), column.type)
    if pc.any(pc.equal(column, marker)).as_py():
        message = (
            f"column {name!r} has missing values, and {in_words(fill)}, which would mark them, as a value; fill the missing ones "
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
            f"column {name!r} has {column.null_count} missing values, and {column.type} has none to mark them with; fill them in, or "
            f"leave the column out with drop"
        )
        raise SchemaError(message)
    return column


def _numpy(column: Any) -> NDArray[Any]:
    array: NDArray[Any] = column.to_numpy()
    return array
