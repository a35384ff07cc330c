"""Alignment of arrays by the names of their dimensions, and masks of missing values."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.plugin import Variable


def joined(dimensions: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the union of the dimensions of several arrays: those of the array with the most dimensions first.

    Examples
    --------
    >>> joined([("time",), ("time", "x"), ("x", "y")])
    ('time', 'x', 'y')
    """
    longest_first = sorted(dimensions, key=len, reverse=True)
    return tuple(dict.fromkeys(name for names in longest_first for name in names))


def aligned(values: NDArray[Any], dimensions: Sequence[str], wanted: Sequence[str]) -> NDArray[Any]:
    """Return an array transposed to the wanted dimensions, with length 1 along those that it lacks."""
    order = [dimensions.index(name) for name in wanted if name in dimensions]
    shape = iter(np.transpose(values, order).shape)
    return np.transpose(values, order).reshape([next(shape) if name in dimensions else 1 for name in wanted])


def missing(variable: Variable) -> NDArray[np.bool_]:
    """Return the mask of elements that are NaN or the fill value."""
    values = variable.to_numpy()
    absent: NDArray[np.bool_] = np.not_equal(values, values)
    if variable.fill_value is not None:
        absent |= values == variable.fill_value
    return absent


def widest(values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in the widest type of their kind, so that intermediate results do not overflow."""
    wide = {"i": np.int64, "u": np.int64, "f": np.float64, "c": np.complex128}
    if values.dtype == np.uint64:
        return values.astype(np.float64)
    return values.astype(wide[values.dtype.kind]) if values.dtype.kind in wide else values
