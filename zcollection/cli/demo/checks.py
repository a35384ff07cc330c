"""Compare a collection with the oracle: plain arrays to which the same changes are made with NumPy."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zcollection.model.dataset import Dataset

Arrays = Mapping[str, NDArray[Any]]


class CheckFailedError(Exception):
    """The collection differs from the oracle.

    Parameters
    ----------
    differences
        One line for each difference.
    """

    def __init__(self, differences: list[str]) -> None:
        super().__init__("; ".join(differences))
        self.differences = differences


def check_equal(found: object, expected: object, *, what: str) -> None:
    """Check that two objects are equal.

    Raises
    ------
    CheckFailedError
        The objects differ.
    """
    if found != expected:
        raise CheckFailedError([f"{what}: {found}, not {expected}"])


def check(found: Dataset | None, expected: Arrays, *, what: str, tolerance: float = 0.0) -> int:
    """Compare every row of every variable, and return the number of values that are equal.

    Parameters
    ----------
    found
        The dataset that was read.
    expected
        The expected arrays, by the same paths.
    what
        The name of the comparison in messages.
    tolerance
        The largest difference allowed, relative to the largest value of the variable.

    Raises
    ------
    CheckFailedError
        A variable, shape, type or value differs.
    """
    arrays = {} if found is None else {path: item.to_numpy() for path, item in found.all_variables().items()}
    differences = [f"{what}: {line}" for line in _differences(arrays, expected, tolerance)]
    if differences:
        raise CheckFailedError(differences)
    return sum(values.size for values in arrays.values())


def _differences(found: Arrays, expected: Arrays, tolerance: float) -> Iterator[str]:
    for path in sorted(found.keys() ^ expected.keys()):
        yield f"variable {path!r} is {'missing' if path in expected else 'not expected'}"
    for path in sorted(found.keys() & expected.keys()):
        left, right = found[path], expected[path]
        if left.dtype != right.dtype or left.shape != right.shape:
            yield f"variable {path!r} is {left.dtype} of shape {left.shape}, not {right.dtype} of shape {right.shape}"
            continue
        wrong = np.flatnonzero(~_equal(left, right, tolerance))
        if wrong.size:
            row = int(wrong[0])
            yield f"variable {path!r} differs in {wrong.size:,} of {left.size:,} rows, first in row {row}: {left[row]}, not {right[row]}"


def _equal(left: NDArray[Any], right: NDArray[Any], tolerance: float) -> NDArray[np.bool_]:
    """Return a mask of equal values; missing values, which differ from themselves, count as equal."""
    equal: NDArray[np.bool_]
    if tolerance:
        equal = np.isclose(left, right, rtol=0, atol=tolerance * np.nanmax(np.abs(right)), equal_nan=True)
    else:
        equal = (left == right) | (np.not_equal(left, left) & np.not_equal(right, right))
    return equal
