"""Groups of integers, computed without overflow."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.plugin import INT64, check_integers, check_within_int64


def first_of_group(column: NDArray[Any], path: str, *, size: int, start: int) -> NDArray[np.int64]:
    """Return the exact value of ``(v - start) // size * size + start`` for every value v.

    Parameters
    ----------
    column
        Integers of any type, including uint64, shape (rows,).
    path
        Path of the variable, for the error message.
    size, start
        Number of values in a group, 1 to 2**63 - 1, and the first value of one group.

    Raises
    ------
    PartitionError
        The column does not contain integers, or the first value of a group is out of the range of int64.

    Examples
    --------
    >>> first_of_group(np.array([-1, 0, 9, 10]), "pass", size=10, start=0).tolist()
    [-10, 0, 0, 10]
    """
    check_integers(column, path)
    wide = column.astype(np.uint64 if column.dtype.kind == "u" else np.int64)
    # Subtract from each value its position in the group, because `v - start` itself may overflow.
    position = (wide % size).astype(np.int64) - start % size
    position[position < 0] += size
    first = wide - position.astype(wide.dtype)
    check_within_int64(_is_beyond_int64(first, wide), column, path)
    return first.astype(np.int64)


def _is_beyond_int64(first: NDArray[Any], wide: NDArray[Any]) -> NDArray[np.bool_]:
    # A position is never negative: if the difference is larger than the value, it has wrapped around. For uint64, the
    # wrapped bits are those of the correct negative int64; for int64, the correct number is out of range.
    wrapped: NDArray[np.bool_] = first > wide
    return wrapped if wide.dtype.kind == "i" else ~wrapped & (first > INT64.max)
