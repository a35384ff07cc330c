"""Groups of integers, in arithmetic that never wraps unnoticed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.plugin import INT64, check_integers, check_within_int64


def first_of_group(column: NDArray[Any], path: str, *, size: int, start: int) -> NDArray[np.int64]:
    """Return ``(v - start) // size * size + start`` for every value v, exact.

    Parameters
    ----------
    column
        Integers, shape (rows,), all of uint64 included.
    path
        The variable, for the message.
    size, start
        Values in a group, 1 to 2**63 - 1, and the first value of one of them.

    Raises
    ------
    PartitionError
        The column does not hold integers, or a group begins beyond int64.

    Examples
    --------
    >>> first_of_group(np.array([-1, 0, 9, 10]), "pass", size=10, start=0).tolist()
    [-10, 0, 0, 10]
    """
    check_integers(column, path)
    wide = column.astype(np.uint64 if column.dtype.kind == "u" else np.int64)
    # A value less its place in the group: `v - start` itself may be too wide.
    place = (wide % size).astype(np.int64) - start % size
    place[place < 0] += size
    first = wide - place.astype(wide.dtype)
    check_within_int64(_is_beyond_int64(first, wide), column, path)
    return first.astype(np.int64)


def _is_beyond_int64(first: NDArray[Any], wide: NDArray[Any]) -> NDArray[np.bool_]:
    # A place is never negative: where the difference is larger than the value, it went below zero and wrapped. Unsigned,
    # the wrapped bits are those of the negative number that is meant; signed, they are those of no int64.
    wrapped: NDArray[np.bool_] = first > wide
    return wrapped if wide.dtype.kind == "i" else ~wrapped & (first > INT64.max)
